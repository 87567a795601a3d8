/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.c: what ends a VM in time, and what does not */
#include <check.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/record.h"

#include "vm/deadline.h"

static struct rig {
    struct loop loop;
    struct power power;
    struct deadline deadline;
    struct deadline_config cfg;
    bool ended;
    enum power_reason reason;
    u32 value;
    u64 activity, step; /* per look */
    u64 started_ms;
} rig;

static void rig_end(struct power *p, enum power_reason reason, u32 value)
{
    if (rig.ended)
        return;
    rig.ended = true;
    rig.reason = reason;
    rig.value = value;
}

static u64 rig_activity(void *ctx)
{
    return rig.activity += rig.step;
}

static u64 rig_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void rig_start(struct deadline_config cfg)
{
    struct deadline_env env = {.cfg = &rig.cfg,
                               .loop = &rig.loop,
                               .power = &rig.power,
                               .activity = rig_activity};

    rig.cfg = cfg;
    rig.started_ms = rig_ms();
    rig.power.end = rig_end;
    ck_assert_int_eq(loop_init(&rig.loop), 0);
    ck_assert_int_eq(deadline_init(&rig.deadline, &env), 0);
    deadline_start(&rig.deadline);
}

/* Serve the timer for so long, or until the end; returns how long ago
 * rig_start() was. */
static u64 rig_run(u64 ms)
{
    u64 from = rig_ms(), now = from;

    for (; !rig.ended && now - from < ms; now = rig_ms())
        loop_turn(&rig.loop, (int)(ms - (now - from)));
    return now - rig.started_ms;
}

static void rig_stop(void)
{
    deadline_fini(&rig.deadline);
    loop_fini(&rig.loop);
}

START_TEST(test_wall)
{
    rig_start((struct deadline_config){.wall_ms = 50, .idle_ms = 5000});
    ck_assert_uint_ge(rig_run(10000), 49);
    ck_assert_int_eq(rig.reason, POWER_DEADLINE);
    ck_assert_uint_eq(rig.value, DEADLINE_WALL);
    rig_stop();
}
END_TEST

START_TEST(test_none_is_no_timer)
{
    rig_start((struct deadline_config){0});
    ck_assert_int_eq(rig.deadline.timer.fd, -1);
    deadline_asked(&rig.deadline, SIGTERM); /* for ever */
    rig_run(50);
    ck_assert(!rig.ended);
    rig_stop();
}
END_TEST

START_TEST(test_boot)
{
    bool reached = _i;

    record_init();
    if (reached)
        record_stamp(RECORD_INIT);
    rig_start((struct deadline_config){.boot_ms = 20});
    rig_run(reached ? 200 : 10000);
    ck_assert_int_eq(rig.ended, !reached);
    if (!reached)
        ck_assert_uint_eq(rig.value, DEADLINE_BOOT);
    rig_stop();
}
END_TEST

START_TEST(test_idle)
{
    rig.step = 0;
    rig_start((struct deadline_config){.idle_ms = 100});
    ck_assert_uint_ge(rig_run(10000), 99);
    ck_assert_uint_eq(rig.value, DEADLINE_IDLE);
    rig_stop();
}
END_TEST

START_TEST(test_active_is_not_idle)
{
    rig.step = 1;
    rig_start((struct deadline_config){.idle_ms = 100});
    rig_run(400);
    ck_assert(!rig.ended);
    rig_stop();
}
END_TEST

static void *burn(void *arg)
{
    _Atomic(bool) *stop = arg;

    while (!atomic_load(stop))
        ;
    return NULL;
}

START_TEST(test_busy_is_not_idle)
{
    _Atomic(bool) stop = false;
    pthread_t thread;

    rig_start((struct deadline_config){.idle_ms = 100});
    ck_assert_int_eq(pthread_create(&thread, NULL, burn, &stop), 0);
    rig_run(400);
    ck_assert(!rig.ended);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    rig_stop();
}
END_TEST

START_TEST(test_cpu)
{
    struct timespec wait = {.tv_sec = 20};
    _Atomic(bool) stop = false;
    pthread_t thread;
    sigset_t set;

    rig_start((struct deadline_config){.cpu_ms = 50});
    sigemptyset(&set);
    sigaddset(&set, DEADLINE_SIGNAL);
    ck_assert_int_eq(pthread_create(&thread, NULL, burn, &stop), 0);
    ck_assert_int_eq(sigtimedwait(&set, NULL, &wait), DEADLINE_SIGNAL);
    deadline_cpu(&rig.deadline);
    ck_assert_uint_eq(rig.value, DEADLINE_CPU);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    rig_stop();
}
END_TEST

/* From the first signal on. */
START_TEST(test_stop)
{
    rig_start((struct deadline_config){.stop_ms = 50});
    deadline_asked(&rig.deadline, SIGHUP);
    deadline_asked(&rig.deadline, SIGTERM);
    ck_assert_uint_ge(rig_run(10000), 49);
    ck_assert_int_eq(rig.reason, POWER_SIGNAL);
    ck_assert_uint_eq(rig.value, SIGHUP);
    rig_stop();
}
END_TEST

Suite *suite_deadline(void);
Suite *suite_deadline(void)
{
    Suite *s = suite_create("deadline");
    TCase *tc = tcase_create("deadline");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, test_wall);
    tcase_add_test(tc, test_none_is_no_timer);
    tcase_add_loop_test(tc, test_boot, 0, 2);
    tcase_add_test(tc, test_idle);
    tcase_add_test(tc, test_active_is_not_idle);
    tcase_add_test(tc, test_busy_is_not_idle);
    tcase_add_test(tc, test_cpu);
    tcase_add_test(tc, test_stop);
    suite_add_tcase(s, tc);
    return s;
}
