/* SPDX-License-Identifier: Apache-2.0 */
/* blk_error.c: on_error pause: requests are held, the VM is, and both go on */
#include <check.h>

#include "fake_disk.h"
#include "mote/log.h"
#include "virtio/dev.h"

struct holder {
    struct power power;
    _Atomic(int) held, holds, ended;
};

static void holder_end(struct power *p, enum power_reason reason, u32 value)
{
    container_of(p, struct holder, power)->ended++;
}

static void holder_hold(struct power *p)
{
    struct holder *h = container_of(p, struct holder, power);

    h->holds++;
    h->held++;
}

static void holder_release(struct power *p)
{
    container_of(p, struct holder, power)->held--;
}

struct hold_rig {
    struct vdrv d;
    struct fake f;
    struct holder h;
};

static void hold_up(struct hold_rig *r)
{
    capture_start();
    fake_init(&r->f);
    r->h = (struct holder){.power = {holder_end, holder_hold, holder_release}};
    vdrv_up(&r->d,
            blk(&r->f.disk, (struct blk_options){.flush = true,
                                                 .queues = 2,
                                                 .on_error = BLK_PAUSE,
                                                 .power = &r->h.power}),
            ~0ull);
}

/* One sector, notified; not waited for. */
static struct area hold_begin(struct hold_rig *r, unsigned int q, u32 type)
{
    struct area a = area_new(&r->d, type, 7, 512);

    area_add(&r->d, q, &a, type == FLUSH ? 0 : 512, type == IN);
    vdrv_kick(&r->d, q);
    return a;
}

static bool hold_ends(struct hold_rig *r, unsigned int q, const struct area *a,
                      u8 status)
{
    return vdrv_wait(&r->d, q, NULL) >= 0 && area_status(&r->d, a) == status;
}

static unsigned int said(const char *text)
{
    unsigned int n = 0;

    for (const char *p = capture_text; (p = strstr(p, text)); p++)
        n++;
    return n;
}

static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -ENOMEM};

/* The guest sees nothing but time; the operator one line for each change. */
START_TEST(test_pause)
{
    struct area a, b, c;
    struct hold_rig r;

    hold_up(&r);
    r.f.err = errors[_i];
    a = hold_begin(&r, 0, OUT);
    ck_assert(vdrv_until(r.h.held == 1));
    b = hold_begin(&r, 0, IN); /* what another vCPU was about to */
    c = hold_begin(&r, 1, IN);
    blk_look(r.d.dev);
    ck_assert(vdrv_until(r.f.ops == 2)); /* it was tried again, alone */
    ck_assert_int_eq(r.h.held, 1);
    ck_assert_uint_eq(area_status(&r.d, &a), SENT);
    ck_assert_uint_eq(said("the VM is paused"), 1);
    ck_assert_uint_eq(said("write of 512 bytes at 3584"), 1);
    ck_assert_uint_eq(said(errno_name(errors[_i])), 1);
    ck_assert_uint_eq(said("make room"),
                      errors[_i] == -ENOSPC || errors[_i] == -EDQUOT);
    ck_assert_uint_eq(said("SIGUSR1"), 1);
    r.f.err = 0;
    blk_look(r.d.dev);
    ck_assert(hold_ends(&r, 0, &a, OK));
    ck_assert(hold_ends(&r, 0, &b, OK));
    ck_assert(hold_ends(&r, 1, &c, OK));
    ck_assert_int_eq(r.h.held, 0);
    ck_assert_int_eq(r.h.holds, 1);
    ck_assert_int_eq(r.h.ended, 0);
    ck_assert_uint_eq(said("the VM goes on after"), 1);
    vdrv_down(&r.d);
}
END_TEST

/* Nobody has to ask. */
START_TEST(test_every_second)
{
    u64 from = vdrv_ms();
    struct area a;
    struct hold_rig r;

    hold_up(&r);
    r.f.err = -ENOSPC;
    a = hold_begin(&r, 0, OUT);
    ck_assert(vdrv_until(r.f.ops == 2));
    ck_assert_uint_ge(vdrv_ms() - from, 900);
    r.f.err = 0;
    ck_assert(hold_ends(&r, 0, &a, OK));
    ck_assert_uint_ge(vdrv_ms() - from, 1900);
    ck_assert_int_eq(r.h.held, 0);
    vdrv_down(&r.d);
}
END_TEST

/* Several in flight fail one by one; each comes home once, and the VM goes on
 * only with the last. */
START_TEST(test_in_flight)
{
    struct area a[4];
    struct hold_rig r;

    hold_up(&r);
    r.f.hold = true;
    for (unsigned int i = 0; i < 4; i++) {
        a[i] = hold_begin(&r, i % 2, i < 2 ? OUT : IN);
        ck_assert(vdrv_until(r.f.nr_held == i + 1));
    }
    r.f.err = -EIO;
    fake_let_go(&r.f, 3);
    ck_assert(vdrv_until(r.h.held == 1));
    r.f.err = 0;
    fake_let_go(&r.f, 1);
    ck_assert(hold_ends(&r, 1, &a[3], OK));
    ck_assert_int_eq(r.h.held, 1);
    blk_look(r.d.dev);
    ck_assert(vdrv_until(r.f.nr_held == 3));
    fake_let_go(&r.f, 2);
    ck_assert(hold_ends(&r, 0, &a[0], OK));
    ck_assert(hold_ends(&r, 1, &a[1], OK));
    ck_assert_int_eq(r.h.held, 1);
    fake_let_go(&r.f, 1);
    ck_assert(hold_ends(&r, 0, &a[2], OK));
    ck_assert(vdrv_until(r.h.held == 0));
    ck_assert_int_eq(r.h.holds, 1);
    r.f.hold = false;
    vdrv_down(&r.d);
}
END_TEST

/* What a flush has lost comes back by no other: the guest is told. */
START_TEST(test_flush)
{
    struct hold_rig r;

    hold_up(&r);
    r.f.err = -ENOSPC;
    ck_assert_uint_eq(request(&r.d, FLUSH, 0, NULL, 0), IOERR);
    r.f.err = -EOPNOTSUPP;
    ck_assert_uint_eq(request(&r.d, OUT, 0, (u8[512]){0}, 512), UNSUPP);
    ck_assert_int_eq(r.h.holds, 0);
    r.f.err = 0;
    vdrv_down(&r.d);
}
END_TEST

/* A driver that resets waits for nothing, nor does the end of the VM. */
START_TEST(test_reset)
{
    u64 from = vdrv_ms();
    struct area a;
    struct hold_rig r;

    hold_up(&r);
    r.f.err = -ENOSPC;
    a = hold_begin(&r, 0, OUT);
    ck_assert(vdrv_until(r.h.held == 1));
    vdrv_reset(&r.d);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_STATUS), 0);
    ck_assert_int_eq(r.h.held, 0);
    ck_assert_uint_eq(vdrv_get16(&r.d, r.d.q[0].used + 2), 0);
    vdrv_init(&r.d, ~0ull);
    a = hold_begin(&r, 0, OUT);
    ck_assert(vdrv_until(r.h.held == 1));
    ck_assert_int_eq(r.h.holds, 2);
    ck_assert_uint_eq(area_status(&r.d, &a), SENT);
    vdrv_down(&r.d);
    ck_assert_int_eq(r.h.held, 0);
    ck_assert_uint_lt(vdrv_ms() - from, 900);
}
END_TEST

/* A request that fails when its driver is gone holds nobody. */
START_TEST(test_late)
{
    struct hold_rig r;

    hold_up(&r);
    r.f.hold = true;
    hold_begin(&r, 0, OUT);
    ck_assert(vdrv_until(r.f.nr_held == 1));
    r.f.err = -EIO;
    r.d.dev->reset_ms = 20;
    vdrv_write(&r.d, VDRV_STATUS, 0);
    ck_assert_uint_ne(vdrv_read(&r.d, VDRV_STATUS), 0);
    fake_let_go(&r.f, 1);
    vdrv_write(&r.d, VDRV_STATUS, 0);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_STATUS), 0);
    ck_assert_int_eq(r.h.holds, 0);
    r.f.hold = false;
    vdrv_down(&r.d);
}
END_TEST

/* A backend that lets go of its requests ends a reset, and a stop, in time. No
 * trouble of the host's: the VM goes on. */
START_TEST(test_abandon)
{
    struct hold_rig r;

    hold_up(&r);
    r.f.hold = r.f.lets_go = true;
    hold_begin(&r, 0, OUT);
    hold_begin(&r, 0, IN);
    ck_assert(vdrv_until(r.f.nr_held == 2));
    r.d.dev->reset_ms = 500;
    vdrv_write(&r.d, VDRV_STATUS, 0);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_STATUS), 0);
    ck_assert_int_eq(r.h.holds, 0);
    vdrv_init(&r.d, ~0ull);
    hold_begin(&r, 0, OUT);
    ck_assert(vdrv_until(r.f.nr_held == 1));
    r.f.hold = false; /* the flush of the end */
    vdrv_down(&r.d);
    ck_assert_int_eq(r.h.ended, 0);
}
END_TEST

Suite *suite_blk_error(void);
Suite *suite_blk_error(void)
{
    Suite *s = suite_create("blk_error");
    TCase *tc = tcase_create("pause");

    tcase_add_loop_test(tc, test_pause, 0, ARRAY_SIZE(errors));
    tcase_add_test(tc, test_every_second);
    tcase_add_test(tc, test_in_flight);
    tcase_add_test(tc, test_flush);
    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_late);
    tcase_add_test(tc, test_abandon);
    suite_add_tcase(s, tc);
    return s;
}
