/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c: events, calls from other threads, an end from any of them */
#include <check.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/loop.h"

struct fixture {
    struct loop loop;
    struct loop_fd lf;
    struct thread thread;
    _Atomic(unsigned int) events;
    enum role role;
};

static void fixture_main(void *arg)
{
    struct fixture *f = arg;

    loop_run(&f->loop);
}

static void fixture_event(struct loop_fd *lf, u32 events)
{
    struct fixture *f = container_of(lf, struct fixture, lf);
    u64 n;

    ck_assert_int_eq(read(lf->fd, &n, sizeof(n)), sizeof(n));
    atomic_fetch_add(&f->events, (unsigned int)n);
}

static void fixture_up(struct fixture *f)
{
    *f = (struct fixture){0};
    ck_assert_int_eq(loop_init(&f->loop), 0);
    f->lf = (struct loop_fd){.fd = eventfd(0, 0), .fn = fixture_event};
    ck_assert_int_eq(loop_add(&f->loop, &f->lf, EPOLLIN), 0);
    ck_assert_int_eq(thread_start(&f->thread, "loop",
                                  &(struct filter){.kind = FILTER_RNG},
                                  fixture_main, f),
                     0);
}

static void fixture_down(struct fixture *f)
{
    loop_stop(&f->loop);
    thread_join(&f->thread);
    loop_del(&f->lf);
    close(f->lf.fd);
    loop_fini(&f->loop);
}

struct count_call {
    struct loop_call call;
    struct fixture *f;
};

static void count_fn(struct loop_call *call)
{
    struct count_call *cc = container_of(call, struct count_call, call);

    cc->f->role = role_get();
    loop_done(&cc->f->loop, call, (int)atomic_load(&cc->f->events));
}

/* An event written before the call is served before the call returns, sooner
 * or later; the call runs on the loop's thread. */
START_TEST(test_call)
{
    struct fixture f;
    struct count_call cc = {.call.fn = count_fn, .f = &f};
    u64 n = 3;
    int got;

    fixture_up(&f);
    ck_assert_int_eq(write(f.lf.fd, &n, sizeof(n)), sizeof(n));
    do {
        got = loop_call(&f.loop, &cc.call);
    } while (got == 0);
    ck_assert_int_eq(got, 3);
    ck_assert_int_eq(f.role, ROLE_DEV);
    fixture_down(&f);
}
END_TEST

static void caller_main(void *arg)
{
    struct fixture *f = arg;
    struct count_call cc = {.call.fn = count_fn, .f = f};

    for (int i = 0; i < 200; i++)
        loop_call(&f->loop, &cc.call);
}

/* Several callers at once all come back. */
START_TEST(test_many_callers)
{
    struct fixture f;
    struct thread t[4] = {0};

    fixture_up(&f);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        ck_assert_int_eq(
            thread_start(&t[i], "caller", &(struct filter){0}, caller_main, &f),
            0);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        thread_join(&t[i]);
    fixture_down(&f);
}
END_TEST

START_TEST(test_stop_before_run)
{
    struct loop loop;

    ck_assert_int_eq(loop_init(&loop), 0);
    loop_stop(&loop);
    loop_run(&loop); /* returns at once, or the test times out */
    loop_fini(&loop);
}
END_TEST

/* ---- looks before a sleep ------------------------------------------------ */

struct look_call {
    struct loop_call call;
    struct loop *loop;
    struct poll set; /* if max_ns is not 0 */
    bool timed;
    u64 ns; /* the next look, as the loop's thread sees it */
};

static void look_fn(struct loop_call *call)
{
    struct look_call *l = container_of(call, struct look_call, call);

    if (l->set.max_ns) {
        l->loop->poll = l->set;
        l->loop->timed = l->timed;
    }
    l->ns = l->loop->poll.ns;
    loop_done(l->loop, call, 0);
}

static void look_set_timed(struct fixture *f, u64 max_ns, u64 ns, bool timed)
{
    struct look_call l = {.call.fn = look_fn,
                          .loop = &f->loop,
                          .set = {.max_ns = max_ns, .ns = ns},
                          .timed = timed};

    loop_call(&f->loop, &l.call);
}

static void look_set(struct fixture *f, u64 max_ns, u64 ns)
{
    look_set_timed(f, max_ns, ns, false);
}

static u64 look_get(struct fixture *f)
{
    struct look_call l = {.call.fn = look_fn, .loop = &f->loop};

    loop_call(&f->loop, &l.call);
    return l.ns;
}

#define SECOND 1000000000ull

/* Off, unless somebody wants it; then short waits make it longer, a long one
 * ends it, or the test ends by its time limit. The waits are those of the calls
 * that ask, of which two may be served at once, and one may wake twice. */
START_TEST(test_look)
{
    struct fixture f;

    fixture_up(&f);
    look_get(&f);
    ck_assert_uint_eq(look_get(&f), 0);
    look_set(&f, 60 * SECOND, 0);
    while (look_get(&f) < 10000)
        ;
    look_set(&f, 60 * SECOND, 30 * SECOND);
    ck_assert_uint_eq(look_get(&f), 30 * SECOND);
    look_set(&f, SECOND / 1000, SECOND / 2000);
    do
        usleep(2000);
    while (look_get(&f) != 0);
    fixture_down(&f);
}
END_TEST

static u64 cpu_ns(struct fixture *f)
{
    clockid_t clock;

    ck_assert_int_eq(pthread_getcpuclockid(f->thread.id, &clock), 0);
    return clock_now_ns(clock);
}

/* In the middle of a look that would take a minute: events, calls and the end
 * are served all the same. */
START_TEST(test_look_serves)
{
    struct fixture f;
    u64 n = 1, busy;

    fixture_up(&f);
    look_set(&f, 60 * SECOND, 60 * SECOND);
    busy = cpu_ns(&f) + SECOND / 1000;
    while (cpu_ns(&f) < busy)
        usleep(100);
    ck_assert_int_eq(write(f.lf.fd, &n, sizeof(n)), sizeof(n));
    while (atomic_load(&f.events) == 0)
        usleep(100);
    ck_assert_uint_eq(look_get(&f), 60 * SECOND);
    fixture_down(&f);
}
END_TEST

/* A look ends, and what comes after it is not missed. */
START_TEST(test_look_ends)
{
    struct fixture f;
    u64 n = 1;

    fixture_up(&f);
    for (unsigned int i = 0; i < 200; i++) {
        look_set(&f, 60 * SECOND, 1000 * i);
        usleep(i);
        ck_assert_int_eq(write(f.lf.fd, &n, sizeof(n)), sizeof(n));
        while (atomic_load(&f.events) == i)
            sched_yield();
    }
    fixture_down(&f);
}
END_TEST

/* Neither looks nor learns while its owner waits for a timer. */
START_TEST(test_look_timed)
{
    struct fixture f;
    u64 busy;

    fixture_up(&f);
    look_set_timed(&f, 60 * SECOND, 60 * SECOND, true);
    do {
        busy = cpu_ns(&f);
        usleep(20000);
    } while (cpu_ns(&f) != busy); /* or the test ends by its time limit */
    look_set_timed(&f, 60 * SECOND, 0, true);
    look_get(&f);
    ck_assert_uint_eq(look_get(&f), 0);
    fixture_down(&f);
}
END_TEST

Suite *suite_loop(void);
Suite *suite_loop(void)
{
    Suite *s = suite_create("loop");
    TCase *tc = tcase_create("loop");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_look);
    tcase_add_test(tc, test_look_serves);
    tcase_add_test(tc, test_look_ends);
    tcase_add_test(tc, test_look_timed);
    tcase_add_test(tc, test_call);
    tcase_add_test(tc, test_many_callers);
    tcase_add_test(tc, test_stop_before_run);
    suite_add_tcase(s, tc);
    return s;
}
