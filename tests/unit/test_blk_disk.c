/* SPDX-License-Identifier: Apache-2.0 */
/* blk.c: disks that fail, hold requests back, are limited or change their
 * size; resets meanwhile; and files behind both engines */
#include <check.h>

#include "blk_rig.h"
#include "fake_disk.h"
#include "mote/log.h"

static const struct trouble {
    int err;
    u8 status;
} troubles[] = {{0, OK},          {-EIO, IOERR},         {-ENOSPC, IOERR},
                {-EDQUOT, IOERR}, {-EOPNOTSUPP, UNSUPP}, {-ENOMEM, IOERR},
                {-EAGAIN, IOERR}};

/* What the host says is what the guest hears; the operator hears it once. */
START_TEST(test_trouble)
{
    const struct trouble *t = &troubles[_i];
    struct virtio_stats stats;
    u8 data[512] = {0};
    struct vdrv d;
    struct fake f;
    char *first;

    capture_start();
    fake_init(&f);
    f.err = t->err;
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.flush = true}), ~0ull);
    for (unsigned int i = 0; i < 5; i++)
        ck_assert_uint_eq(request(&d, OUT, 7, data, 512), t->status);
    ck_assert_uint_eq(request(&d, FLUSH, 0, NULL, 0), t->status);
    virtio_stats(d.dev, &stats);
    ck_assert_uint_eq(stats.errors, t->status == OK ? 0 : 6);
    ck_assert_uint_eq(vdrv_counter(d.dev, "execute_fails"),
                      t->status == IOERR ? 6 : 0);
    ck_assert_uint_eq(vdrv_counter(d.dev, "write_bytes"),
                      t->status == OK ? 5 * 512 : 0);
    first = strstr(capture_text, "drive " NAME ": write of 512 bytes at 3584");
    if (t->status == IOERR) {
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_nonnull(strstr(first, errno_name(t->err)));
        ck_assert_ptr_null(strstr(first + 1, "drive "));
    } else {
        ck_assert_ptr_null(first);
    }
    f.err = 0;
    vdrv_down(&d);
}
END_TEST

struct stopper {
    struct power power;
    _Atomic(u32) reason;
};

static void stopper_end(struct power *p, enum power_reason reason, u32 value)
{
    container_of(p, struct stopper, power)->reason = reason;
}

/* on_error stop: the guest is told, and the VM ends; not for what the disk
 * merely cannot do. */
START_TEST(test_stop_on_error)
{
    const struct trouble *t = &troubles[_i];
    struct stopper s = {.power.end = stopper_end};
    u8 data[512] = {0};
    struct vdrv d;
    struct fake f;

    capture_start();
    fake_init(&f);
    f.err = t->err;
    vdrv_up(&d,
            blk(&f.disk,
                (struct blk_options){.on_error = BLK_STOP, .power = &s.power}),
            ~0ull);
    ck_assert_uint_eq(request(&d, OUT, 7, data, 512), t->status);
    ck_assert_uint_eq(s.reason,
                      t->status == IOERR ? POWER_DISK_ERROR : POWER_NONE);
    f.err = 0;
    vdrv_down(&d);
}
END_TEST

/* The disks of a VM flush side by side when it ends. */
START_TEST(test_stop_together)
{
    struct vdrv d[2];
    struct fake f[2];

    for (unsigned int i = 0; i < 2; i++) {
        fake_init(&f[i]);
        f[i].hold = true;
        vdrv_up(&d[i], blk(&f[i].disk, (struct blk_options){.flush = true}),
                ~0ull);
        virtio_ask_stop(d[i].dev);
        virtio_ask_stop(d[i].dev);
    }
    for (unsigned int i = 0; i < 2; i++)
        ck_assert(vdrv_until(f[i].nr_held == 1)); /* nobody waits yet */
    for (unsigned int i = 0; i < 2; i++) {
        fake_let_go(&f[i], 1);
        virtio_stop(d[i].dev, 2000);
        ck_assert_uint_eq(f[i].flushes, 1);
        vdrv_down(&d[i]);
    }
}
END_TEST

/* The backend never gets more than it takes, and nothing is forgotten. */
START_TEST(test_depth)
{
    struct area a[20];
    struct vdrv d;
    struct fake f;

    fake_init(&f);
    f.hold = true;
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.queues = 2}), ~0ull);
    for (unsigned int i = 0; i < 20; i++) {
        a[i] = area_new(&d, IN, i, 512);
        area_add(&d, i % 2, &a[i], 512, true);
    }
    vdrv_kick(&d, 0);
    vdrv_kick(&d, 1);
    ck_assert(vdrv_until(f.nr_held == 4));
    for (unsigned int i = 0; i < 20; i++)
        fake_let_go(&f, 1);
    ck_assert(vdrv_until((fake_let_go(&f, 4), f.ops == 20)));
    for (unsigned int i = 0; i < 20; i++) {
        ck_assert_int_ge(vdrv_wait(&d, i % 2, NULL), 0);
        ck_assert_uint_eq(area_status(&d, &a[i]), OK);
    }
    ck_assert_uint_eq(f.most_held, 4);
    f.hold = false;
    vdrv_down(&d);
}
END_TEST

struct later {
    struct fake *f;
    unsigned int ms;
};

static void later_main(void *arg)
{
    struct later *l = arg;

    usleep(l->ms * 1000);
    fake_let_go(l->f, 64);
}

/* A reset waits for what the backend has; the guest sees nothing of it, and
 * the next driver gets answers for its own requests only. */
START_TEST(test_reset)
{
    struct thread t = {0};
    struct vdrv d;
    struct fake f;
    struct later later = {&f, 30};
    u64 used;
    u16 seen;

    fake_init(&f);
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.flush = true}), ~0ull);
    for (unsigned int round = 0; round < 3; round++) {
        u8 data[512];

        f.hold = true;
        for (unsigned int i = 0; i < 10; i++) {
            struct area a = area_new(&d, IN, i, 512);

            area_add(&d, 0, &a, 512, true);
        }
        vdrv_kick(&d, 0);
        ck_assert(vdrv_until(f.nr_held == 4));
        used = d.q[0].used + 2;
        seen = vdrv_get16(&d, used);
        thread_start(&t, "later", &(struct filter){0}, later_main, &later);
        vdrv_reset(&d);
        ck_assert_uint_eq(f.nr_held, 0);
        ck_assert_uint_eq(vdrv_get16(&d, used), seen);
        ck_assert_uint_eq(vdrv_read(&d, VDRV_STATUS), 0);
        vdrv_reset(&d);
        thread_join(&t);
        f.hold = false;
        vdrv_init(&d, ~0ull);
        ck_assert_uint_eq(request(&d, IN, 0, data, 512), OK);
    }
    vdrv_down(&d);
}
END_TEST

/* Without FLUSH accepted, a write that is done is on the disk; stop flushes,
 * unless the operator has said that it need not and the disk can do without. */
START_TEST(test_write_through)
{
    bool offered = _i & 1, accepted = _i & 2, last = _i & 4;
    u8 data[512] = {0};
    struct vdrv d;
    struct fake f;

    fake_init(&f);
    f.disk.info.flush_last = last;
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.flush = offered}),
            accepted ? ~0ull : ~F_FLUSH);
    ck_assert_uint_eq(request(&d, OUT, 0, data, 512), OK);
    ck_assert_uint_eq(request(&d, IN, 0, data, 512), OK);
    ck_assert_uint_eq(f.flushes, offered && !accepted ? 1 : 0);
    f.flushes = 0;
    vdrv_down(&d);
    ck_assert_uint_eq(f.flushes, offered || last ? 1 : 0);
}
END_TEST

/* Ten operations at once, then one every 2 ms, whoever asks. */
START_TEST(test_limit)
{
    struct blk_options opt = {.limit.ops = {.size = 10, .refill_ms = 20}};
    struct area a[30];
    struct vdrv d;
    u64 start;

    memory_up(&d, opt, false);
    start = vdrv_ms();
    for (unsigned int i = 0; i < 30; i++) {
        a[i] = area_new(&d, IN, i, 512);
        area_add(&d, 0, &a[i], 512, true);
    }
    vdrv_kick(&d, 0);
    for (unsigned int i = 0; i < 30; i++) {
        vdrv_kick(&d, 0); /* does not help */
        ck_assert_int_ge(vdrv_wait(&d, 0, NULL), 0);
        ck_assert_uint_eq(area_status(&d, &a[i]), OK);
    }
    ck_assert_uint_ge(vdrv_ms() - start, 38);
    vdrv_down(&d);
}
END_TEST

static struct disk *file_disk(char path[64], int *file, enum disk_engine engine)
{
    struct disk *disk;

    *file = rig_file(path, SIZE);
    ck_assert_int_eq(
        raw_open(&disk, &(struct raw_options){.path = path, .engine = engine}),
        0);
    return disk;
}

/* Four queues, many requests in flight, a file behind: what is read is what
 * was written. */
START_TEST(test_file)
{
    enum { QUEUES = 4, DEPTH = 32, LEN = 4096 };
    struct area a[QUEUES][DEPTH];
    u8 *mirror = calloc(1, SIZE);
    u32 seed = 99;
    char path[64];
    struct vdrv d;
    int file;

    vdrv_up(&d,
            blk(file_disk(path, &file, _i ? DISK_ASYNC : DISK_SYNC),
                (struct blk_options){.flush = true, .queues = QUEUES}),
            ~0ull);
    for (unsigned int q = 0; q < QUEUES; q++)
        for (unsigned int i = 0; i < DEPTH; i++)
            a[q][i] = area_new(&d, OUT, 0, LEN);
    for (unsigned int round = 0; round < 8; round++) {
        u32 type = round % 2 ? IN : OUT;

        for (unsigned int n = 0; n < QUEUES * DEPTH; n++) {
            struct area *at = &a[n % QUEUES][n / QUEUES];
            struct header *h = vdrv_ptr(&d, at->header, 16);

            h->type = type;
            h->sector = (u64)(n + round / 2 * 3) % (QUEUES * DEPTH) * 8;
            if (type == OUT) {
                rig_pattern(vdrv_ptr(&d, at->data, LEN), LEN,
                            rig_random(&seed));
                memcpy(mirror + h->sector * 512, vdrv_ptr(&d, at->data, LEN),
                       LEN);
            }
            area_add(&d, n % QUEUES, at, LEN, type == IN);
        }
        for (unsigned int q = 0; q < QUEUES; q++)
            vdrv_kick(&d, q);
        for (unsigned int n = 0; n < QUEUES * DEPTH; n++)
            ck_assert_int_ge(vdrv_wait(&d, n % QUEUES, NULL), 0);
        for (unsigned int n = 0; n < QUEUES * DEPTH; n++) {
            struct area *at = &a[n % QUEUES][n / QUEUES];
            struct header *h = vdrv_ptr(&d, at->header, 16);

            ck_assert_uint_eq(area_status(&d, at), OK);
            ck_assert_mem_eq(vdrv_ptr(&d, at->data, LEN),
                             mirror + h->sector * 512, LEN);
        }
    }
    ck_assert_uint_eq(request(&d, FLUSH, 0, NULL, 0), OK);
    vdrv_down(&d);
    close(file);
    unlink(path);
    free(mirror);
}
END_TEST

/* The image grows: seen at a flush, or when the operator says so to a guest
 * that does nothing; told by a configuration interrupt. */
START_TEST(test_resize)
{
    char path[64];
    struct vdrv d;
    u32 before;
    int file;

    capture_start();
    vdrv_up(&d,
            blk(file_disk(path, &file, DISK_SYNC),
                (struct blk_options){.flush = true}),
            ~0ull);
    before = vdrv_read(&d, VDRV_GENERATION);
    ck_assert_int_eq(ftruncate(file, 2 * SIZE), 0);
    if (_i)
        blk_look(d.dev);
    else
        ck_assert_uint_eq(request(&d, FLUSH, 0, NULL, 0), OK);
    ck_assert(vdrv_until(vdrv_config(&d, 0, 4) == 2 * END));
    ck_assert(vdrv_until(d.edges > 0));
    ck_assert_uint_ne(vdrv_read(&d, VDRV_GENERATION), before);
    ck_assert_uint_eq(vdrv_read(&d, VDRV_ISR) & 2, 2);
    vdrv_down(&d);
    close(file);
    unlink(path);
}
END_TEST

Suite *suite_blk_disk(void);
Suite *suite_blk_disk(void)
{
    Suite *s = suite_create("blk_disk");
    TCase *tc = tcase_create("blk_disk");

    tcase_add_loop_test(tc, test_trouble, 0, ARRAY_SIZE(troubles));
    tcase_add_loop_test(tc, test_stop_on_error, 0, ARRAY_SIZE(troubles));
    tcase_add_test(tc, test_stop_together);
    tcase_add_test(tc, test_depth);
    tcase_add_test(tc, test_reset);
    tcase_add_loop_test(tc, test_write_through, 0, 8);
    tcase_add_test(tc, test_limit);
    tcase_add_loop_test(tc, test_file, 0, 2);
    tcase_add_loop_test(tc, test_resize, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
