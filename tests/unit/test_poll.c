/* SPDX-License-Identifier: Apache-2.0 */
/* poll.c: what waits of such lengths make of the next look */
#include "mote/poll.h"

#define REST 64 /* short waits, after the first eight looks in vain */

/* What is waited for comes after so many ns; or, when it cannot come before we
 * sleep, so many after the look. */
static void wait_for(struct poll *p, u64 ns, bool shared)
{
    poll_waited(p, shared ? p->ns + ns : ns);
}

/* ---- a wait at a time ---------------------------------------------------- */

static const struct story {
    const char *name;
    u64 max;
    struct {
        u64 waited, look; /* ns; the look after it */
    } step[10];           /* ends with waited == 0 */
} stories[] = {
    {"grows by doubling while waits are short",
     POLL_MAX_NS,
     {{199000, 10000},
      {199000, 20000},
      {199000, 40000},
      {199000, 80000},
      {199000, 160000},
      {199000, 200000}}},
    {"is long enough where it finds something",
     POLL_MAX_NS,
     {{15000, 10000}, {15000, 20000}, {15000, 20000}, {1, 20000}}},
    {"ends with the first long wait",
     POLL_MAX_NS,
     {{9000, 10000}, {9000, 10000}, {200001, 0}, {1000000000, 0}}},
    {"begins again at the start",
     POLL_MAX_NS,
     {{50000, 10000}, {50000, 20000}, {300000, 0}, {50000, 10000}}},
    {"a guest that idles is never looked out for",
     POLL_MAX_NS,
     {{4000000, 0}, {4000000, 0}, {250000, 0}, {~0ull, 0}}},
    {"the maximum need not be a power of anything",
     15000,
     {{14000, 10000}, {14000, 15000}, {14000, 15000}, {15001, 0}}},
    {"a maximum below the first look", 500, {{400, 500}, {501, 0}}},
    {"never, if there is no maximum", 0, {{1, 0}, {1, 0}, {5, 0}}},
};

START_TEST(test_story)
{
    const struct story *t = &stories[_i];
    struct poll p;

    poll_init(&p, t->max);
    ck_assert_uint_eq(p.ns, 0);
    for (unsigned int i = 0; i < 10 && t->step[i].waited; i++) {
        poll_waited(&p, t->step[i].waited);
        ck_assert_msg(p.ns == t->step[i].look, "%s, step %u: %llu", t->name, i,
                      (unsigned long long)p.ns);
    }
}
END_TEST

START_TEST(test_fooled)
{
    struct poll p;

    poll_init(&p, POLL_MAX_NS);
    poll_waited(&p, 5000);
    ck_assert_uint_eq(p.ns, 10000);
    poll_fooled(&p);
    ck_assert_uint_eq(p.ns, 0);
}
END_TEST

/* ---- looks that keep from coming what they look for -----------------------
 */

/* ns of looking in so many waits */
static u64 looked(struct poll *p, unsigned int waits, u64 ns, bool shared)
{
    u64 sum = 0;

    for (unsigned int i = 0; i < waits; i++) {
        sum += shared ? p->ns : MIN(p->ns, ns);
        wait_for(p, ns, shared);
        ck_assert_uint_le(p->ns, p->max_ns);
    }
    return sum;
}

/* On a core of their own, waits of 30 us are found by looking from the fourth
 * on; on the same core never, and it costs next to nothing to find out. */
START_TEST(test_shared_core)
{
    struct poll p;

    poll_init(&p, POLL_MAX_NS);
    looked(&p, 4, 30000, false);
    ck_assert_uint_eq(looked(&p, 1000, 30000, false), 1000 * 30000);

    poll_init(&p, POLL_MAX_NS);
    ck_assert_uint_le(looked(&p, 100, 30000, true), 8 * POLL_MAX_NS);
    ck_assert_uint_le(looked(&p, 10000, 30000, true), 10000 * 500);
    ck_assert_uint_gt(looked(&p, 10000, 30000, true), 0); /* it tries */
}
END_TEST

/* The core is ours again: the first attempt after the rest finds it, and what
 * was bad before is forgotten. */
START_TEST(test_recovers)
{
    struct poll p;
    unsigned int waits;

    poll_init(&p, POLL_MAX_NS);
    for (waits = 0; p.rest == 0; waits++)
        wait_for(&p, 5000, true);
    ck_assert_uint_le(waits, 16);
    ck_assert_uint_eq(p.ns, 0);
    for (waits = 0; p.ns == 0; waits++)
        wait_for(&p, 5000, false);
    ck_assert_uint_eq(waits, REST + 1);
    ck_assert_uint_eq(looked(&p, 1000, 5000, false), 1000 * 5000);
    for (waits = 0; p.rest == 0; waits++)
        wait_for(&p, 5000, true);
    ck_assert_uint_eq(p.rest, REST);
}
END_TEST

/* Each attempt in vain makes the rest longer, up to a bound. */
START_TEST(test_rests)
{
    struct poll p;
    u32 last = 0, rest = 0;

    poll_init(&p, POLL_MAX_NS);
    for (unsigned int i = 0; i < 20; i++, last = rest) {
        while (p.rest == 0)
            wait_for(&p, 5000, true);
        rest = p.rest;
        ck_assert_uint_ge(rest, last);
        while (p.rest > 0)
            wait_for(&p, 5000, true);
    }
    ck_assert_uint_eq(rest, 8192);
}
END_TEST

Suite *suite_poll(void);
Suite *suite_poll(void)
{
    Suite *s = suite_create("poll");
    TCase *tc = tcase_create("poll");

    tcase_add_loop_test(tc, test_story, 0, ARRAY_SIZE(stories));
    tcase_add_test(tc, test_fooled);
    tcase_add_test(tc, test_shared_core);
    tcase_add_test(tc, test_recovers);
    tcase_add_test(tc, test_rests);
    suite_add_tcase(s, tc);
    return s;
}
