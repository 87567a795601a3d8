/* SPDX-License-Identifier: Apache-2.0 */
/* dev.c: interrupts, breaches, reset and stop with requests in flight */
#include <check.h>

#include "virtio_toy.h"

/* ---- interrupts -----------------------------------------------------------
 */

START_TEST(test_interrupts)
{
    toy_up();
    toy.hold = true;
    for (int i = 0; i < 5; i++)
        add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert(held(5));
    ck_assert_uint_eq(drv.edges, 0);
    toy_release(NULL);
    ck_assert_uint_eq(drv.edges, 1); /* one for the batch */
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_ISR), 1);
    vdrv_write(&drv, VDRV_ACK, 2);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_ISR), 1);
    vdrv_write(&drv, VDRV_ACK, 1);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_ISR), 0);
    /* The driver has looked at none of them, so it wants no second one. */
    add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert(held(1));
    toy_release(NULL);
    ck_assert_uint_eq(drv.edges, 1);
    for (int i = 0; i < 6; i++)
        ck_assert_int_ge(vdrv_wait(&drv, 0, NULL), 0);
    add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert(held(1));
    toy_release(NULL);
    ck_assert_uint_eq(drv.edges, 2);
    vdrv_down(&drv);
}
END_TEST

/* A broken chain: silence, one line, NEEDS_RESET, and a reset cures it. */
START_TEST(test_break)
{
    struct virtio_stats before, after;

    go_to(BROKEN);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_ISR) & 2, 2);
    ck_assert_uint_eq(drv.edges, 1);
    ck_assert(strstr(said, "toy: queue 0: a buffer outside RAM") != NULL);
    virtio_stats(drv.dev, &before);
    ck_assert(before.broken);
    for (int i = 0; i < 100; i++) {
        vdrv_kick(&drv, 0);
        vdrv_kick(&drv, 1);
    }
    usleep(10000);
    virtio_stats(drv.dev, &after);
    ck_assert_uint_eq(before.wakeups, after.wakeups);
    vdrv_reset(&drv);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_ISR), 0);
    vdrv_init(&drv, ~0ull);
    add_one(1);
    vdrv_kick(&drv, 1);
    ck_assert_int_ge(vdrv_wait(&drv, 1, NULL), 0);
    vdrv_down(&drv);
}
END_TEST

START_TEST(test_start_fails)
{
    toy_new();
    toy.no_start = true;
    vdrv_init(&drv, ~0ull);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0x4f);
    ck_assert_uint_eq(drv.edges, 1);
    toy.no_start = false;
    vdrv_reset(&drv);
    vdrv_init(&drv, ~0ull);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 15);
    ck_assert_uint_eq(toy.starts, 2);
    ck_assert_uint_eq(toy.resets, 1);
    vdrv_down(&drv);
}
END_TEST

/* ---- reset and stop with requests in flight -------------------------------
 */

START_TEST(test_reset_inflight)
{
    struct thread t = {0};
    u64 used;
    u16 idx;

    toy_up();
    toy.hold = true;
    for (unsigned int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++)
            add_one(0);
        vdrv_kick(&drv, 0);
        ck_assert(held(8));
        used = drv.q[0].used;
        thread_start(&t, "backend", &(struct filter){0}, toy_release, NULL);
        vdrv_reset(&drv);
        ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0);
        ck_assert_uint_eq(virtio_vq(&toy.dev, 0)->inflight, 0);
        thread_join(&t);
        idx = vdrv_get16(&drv, used + 2);
        ck_assert_uint_eq(idx, 0); /* the old driver's memory is left alone */
        vdrv_reset(&drv);
        vdrv_reset(&drv);
        vdrv_init(&drv, ~0ull);
        ck_assert_uint_eq(toy.resets, round + 1);
    }
    ck_assert_uint_eq(drv.edges, 0);
    toy.hold = false;
    add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert_int_ge(vdrv_wait(&drv, 0, NULL), 0);
    vdrv_down(&drv);
}
END_TEST

/* A backend that does not answer: the reset stays incomplete, and reads so,
 * until it has. */
START_TEST(test_reset_late)
{
    toy_up();
    toy.hold = true;
    toy.dev.reset_ms = 20;
    add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert(held(1));
    vdrv_reset(&drv);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0x4f);
    vdrv_reset(&drv);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0x4f);
    ck_assert(strstr(said, "reset incomplete") != NULL);
    toy_release(NULL);
    vdrv_reset(&drv);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0);
    toy.hold = false;
    vdrv_init(&drv, ~0ull);
    add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert_int_ge(vdrv_wait(&drv, 0, NULL), 0);
    vdrv_down(&drv);
}
END_TEST

/* A driver that refills the ring as fast as it is emptied keeps the thread
 * from nothing else. */
START_TEST(test_reset_flood)
{
    u64 start = vdrv_ms();

    toy_up();
    for (int i = 0; i < 16; i++)
        add_one(0);
    toy.refill = &drv;
    vdrv_kick(&drv, 0);
    ck_assert(vdrv_until(toy.dev.queue[0].vq.requests > 5000));
    add_one(1);
    vdrv_kick(&drv, 1);
    ck_assert_int_ge(vdrv_wait(&drv, 1, NULL), 0);
    vdrv_write(&drv, VDRV_STATUS, 0);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0);
    ck_assert_uint_lt(vdrv_ms() - start, 1000);
    vdrv_down(&drv);
}
END_TEST

START_TEST(test_stop)
{
    struct thread t = {0};

    toy_up();
    toy.hold = true;
    add_one(0);
    vdrv_kick(&drv, 0);
    ck_assert(held(1));
    thread_start(&t, "backend", &(struct filter){0}, toy_release, NULL);
    virtio_stop(&toy.dev, 2000);
    thread_join(&t);
    ck_assert(!toy.dev.thread.running);
    ck_assert_uint_eq(toy.stops, 1);
    ck_assert_uint_eq(toy.resets, 1);
    vdrv_down(&drv);
}
END_TEST

static void leave(struct loop_call *call)
{
    virtio_stopped(&toy.dev);
    loop_done(&toy.dev.loop, call, 0);
}

/* A last flush that hangs costs the time-out and a line, not the process. */
START_TEST(test_stop_late)
{
    struct loop_call call = {.fn = leave};

    toy_up();
    toy.no_stop = true;
    virtio_stop(&toy.dev, 20);
    ck_assert(toy.dev.thread.running);
    ck_assert(strstr(said, "did not end in 20 ms") != NULL);
    toy.no_stop = false;
    loop_call(&toy.dev.loop, &call);
    vdrv_down(&drv);
    ck_assert(!toy.dev.thread.running);
}
END_TEST

static void flip_config(void *arg)
{
    _Atomic(bool) *end = arg;

    for (u8 n = 0; !atomic_load(end); n++) {
        u8 bytes[8];

        memset(bytes, n, sizeof(bytes));
        virtio_config_set(&toy.dev, 0, bytes, sizeof(bytes));
    }
}

/* A driver that reads two halves by the rule (virtio 1.2, 2.5.1) never sees
 * half of a change. */
START_TEST(test_generation)
{
    _Atomic(bool) end = false;
    struct thread t = {0};
    unsigned int good = 0;

    toy_up();
    thread_start(&t, "flip", &(struct filter){0}, flip_config, &end);
    (void)vdrv_until(vdrv_config(&drv, 0, 1) > 3);
    for (u64 stop = vdrv_ms() + 100; vdrv_ms() < stop;) {
        u32 gen = vdrv_read(&drv, VDRV_GENERATION);
        u64 lo = vdrv_config(&drv, 0, 4), hi = vdrv_config(&drv, 4, 4);

        if (vdrv_read(&drv, VDRV_GENERATION) != gen)
            continue;
        ck_assert_uint_eq(lo, hi);
        ck_assert_uint_eq(lo & 0xff, lo >> 24);
        good++;
    }
    ck_assert_uint_gt(good, 0);
    atomic_store(&end, true);
    thread_join(&t);
    vdrv_down(&drv);
}
END_TEST

static void on_config_change(struct loop_call *call)
{
    virtio_config_set(&toy.dev, 0, "x", 1);
    virtio_config_changed(&toy.dev);
    loop_done(&toy.dev.loop, call, 0);
}

START_TEST(test_config_changed)
{
    struct loop_call call = {.fn = on_config_change};

    toy_new();
    loop_call(&toy.dev.loop, &call);
    ck_assert_uint_eq(drv.edges, 0); /* no driver yet */
    vdrv_init(&drv, ~0ull);
    loop_call(&toy.dev.loop, &call);
    ck_assert_uint_eq(drv.edges, 1);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_ISR), 2);
    vdrv_down(&drv);
}
END_TEST

/* ---- looks before a sleep -------------------------------------------------
 */

static u64 look_ns;

static void on_look(struct loop_call *call)
{
    struct poll *p = &toy.dev.loop.poll;

    if (p->max_ns == 0)
        poll_init(p, 60000000000);
    look_ns = p->ns;
    loop_done(&toy.dev.loop, call, 0);
}

static void wait_wakeups(u64 n)
{
    struct virtio_stats stats;

    do {
        usleep(100);
        virtio_stats(drv.dev, &stats);
    } while (stats.wakeups < n);
}

/* Each of these notifications comes soon enough to make the next look longer,
 * but the last of them only in one case brought anything. */
START_TEST(test_look)
{
    struct loop_call call = {.fn = on_look};

    toy_up();
    loop_call(&toy.dev.loop, &call);
    for (u64 i = 1; i <= 4; i++) {
        if (_i == 0)
            add_one(0);
        vdrv_kick(&drv, 0);
        wait_wakeups(i);
    }
    loop_call(&toy.dev.loop, &call);
    if (_i == 0)
        ck_assert_uint_gt(look_ns, 10000);
    else
        ck_assert_uint_eq(look_ns, 10000); /* by the call itself */
    vdrv_down(&drv);
}
END_TEST

static bool timed[2];

static void on_pause(struct loop_call *call)
{
    timed[0] = toy.dev.loop.timed;
    virtio_pause(&toy.dev, &toy.dev.queue[0].vq, 1000000000);
    timed[1] = toy.dev.loop.timed;
    loop_done(&toy.dev.loop, call, 0);
}

/* Not while the device waits for a time; a reset ends that. */
START_TEST(test_look_paused)
{
    struct loop_call call = {.fn = on_pause};

    toy_up();
    loop_call(&toy.dev.loop, &call);
    ck_assert(!timed[0] && timed[1]);
    vdrv_reset(&drv);
    vdrv_init(&drv, ~0ull);
    loop_call(&toy.dev.loop, &call);
    ck_assert(!timed[0] && timed[1]);
    vdrv_down(&drv);
}
END_TEST

/* As long as the operator says; not at all where it would be for nothing. */
START_TEST(test_set_poll)
{
    struct virtio_ops ops = toy_ops;
    struct poll *p = &toy.dev.loop.poll;

    ops.polls = _i == 1;
    ck_assert_int_eq(virtio_dev_init(&toy.dev, &ops, "toy", 1, 16, 0), 0);
    ck_assert_uint_eq(p->max_ns, 0);
    virtio_set_poll(&toy.dev, 7);
    ck_assert_uint_eq(p->max_ns, ops.polls ? 7 : 0);
    virtio_set_poll(&toy.dev, 0);
    ck_assert_uint_eq(p->max_ns, 0);
    virtio_dev_fini(&toy.dev);
}
END_TEST

Suite *suite_virtio(void);
Suite *suite_virtio(void)
{
    Suite *s = suite_create("virtio");
    TCase *tc = tcase_create("virtio");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_interrupts);
    tcase_add_test(tc, test_break);
    tcase_add_test(tc, test_start_fails);
    tcase_add_test(tc, test_reset_inflight);
    tcase_add_test(tc, test_reset_late);
    tcase_add_test(tc, test_reset_flood);
    tcase_add_test(tc, test_stop);
    tcase_add_test(tc, test_stop_late);
    tcase_add_test(tc, test_generation);
    tcase_add_test(tc, test_config_changed);
    tcase_add_loop_test(tc, test_look, 0, 2);
    tcase_add_loop_test(tc, test_set_poll, 0, 2);
    tcase_add_test(tc, test_look_paused);
    suite_add_tcase(s, tc);
    return s;
}
