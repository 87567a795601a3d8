/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c: what each step of a story may take, also when the clock jumps */
#include "mote/limit.h"

#define MS  1000000ull
#define SEC (1000 * MS)
#define T0  (1000 * SEC) /* room for clocks that go back */

struct step {
    u64 at, bytes;
    u64 wait; /* expected; 0: taken */
};

struct story {
    const char *name;
    struct limit_config cfg;
    struct step step[8]; /* ends with at == 0 */
};

/* clang-format off */
static const struct story stories[] = {
    {"no limit at all", {{0, 0, 0}, {0, 0, 0}},
     {{T0, UINT64_MAX, 0}, {T0, UINT64_MAX, 0}}},
    {"a refill time of 0 is no limit", {{1, 0, 0}, {1, 0, 0}},
     {{T0, 100, 0}, {T0, 100, 0}}},
    {"a size of 0 is no limit", {{0, 1000, 7}, {0, 1000, 7}},
     {{T0, 100, 0}, {T0, 100, 0}}},
    {"starts full, then by the clock", {.bytes = {1000, 1000, 0}},
     {{T0, 600, 0}, {T0, 400, 0}, {T0, 1, MS}, {T0 + MS - 1, 1, 1},
      {T0 + MS, 1, 0}, {T0 + MS, 500, 500 * MS}, {T0 + 501 * MS, 500, 0}}},
    {"operations count one each", {.ops = {2, 100, 0}},
     {{T0, 0, 0}, {T0, 1 << 20, 0}, {T0, 0, 50 * MS}, {T0 + 50 * MS, 9, 0},
      {T0 + 50 * MS, 9, 50 * MS}}},
    {"the longer wait of two, and nothing is taken",
     {{100, 100, 0}, {1, 1000, 0}},
     {{T0, 50, 0}, {T0, 50, SEC}, {T0 + SEC, 100, 0}}},
    {"a burst goes first and never comes back", {.bytes = {100, 1000, 50}},
     {{T0, 60, 0}, {T0, 90, 0}, {T0, 1, 10 * MS}, {T0 + 10 * SEC, 100, 0},
      {T0 + 10 * SEC, 1, 10 * MS}}},
    {"larger than the bucket: once it is full", {.bytes = {100, 1000, 0}},
     {{T0, 100000, 0}, {T0, 1, 10 * MS}, {T0, 100000, SEC},
      {T0 + 999 * MS, 100000, MS}, {T0 + SEC, 100000, 0},
      {T0 + SEC, 1, 10 * MS}}},
    {"larger than the bucket, paid by the burst", {.bytes = {100, 1000, 900}},
     {{T0, 850, 0}, {T0, 150, 0}, {T0, 100, SEC}}},
    {"a clock that goes back gives nothing and stops nothing",
     {.bytes = {100, 1000, 0}},
     {{T0, 100, 0}, {T0 - 500 * SEC, 1, 10 * MS},
      {T0 - 500 * SEC + 10 * MS, 1, 0}, {T0 - 500 * SEC + 10 * MS, 1, 10 * MS}}},
    {"a clock far ahead fills the bucket once", {.bytes = {100, 1000, 0}},
     {{T0, 100, 0}, {UINT64_MAX, 100, 0}, {UINT64_MAX, 100, SEC},
      {T0, 50, 500 * MS}}},
    {"fractions of a token are kept", {.bytes = {3, 1000, 0}},
     {{T0, 3, 0}, {T0 + 300 * MS, 1, 33333334}, {T0 + 333 * MS, 1, 333334},
      {T0 + 333333334, 1, 0}, {T0 + 333333334, 1, 333333334}}},
    {"several tokens a nanosecond", {.bytes = {10 * SEC, 1000, 0}},
     {{T0, 10 * SEC, 0}, {T0, 5, 1}, {T0 + 1, 10, 0}, {T0 + 1, 11, 2}}},
    {"the largest numbers", {{UINT64_MAX, UINT64_MAX, UINT64_MAX}, {0, 0, 0}},
     {{T0, UINT64_MAX, 0}, {T0, UINT64_MAX, 0}, {T0, 1, 1},
      {UINT64_MAX, 1, 0}}},
};
/* clang-format on */

START_TEST(test_story)
{
    const struct story *t = &stories[_i];
    struct limit l;

    limit_init(&l, &t->cfg, T0);
    for (unsigned int i = 0; i < ARRAY_SIZE(t->step) && t->step[i].at; i++) {
        const struct step *s = &t->step[i];
        u64 wait = limit_take(&l, s->bytes, s->at);

        ck_assert_msg(wait == s->wait, "%s, step %u: wait %llu", t->name, i,
                      (unsigned long long)wait);
    }
}
END_TEST

START_TEST(test_active)
{
    struct limit l;

    limit_init(&l, &(struct limit_config){.ops = {1, 0, 1}}, T0);
    ck_assert(!limit_active(&l));
    limit_init(&l, &(struct limit_config){.ops = {1, 1, 0}}, T0);
    ck_assert(limit_active(&l));
    limit_init(&l, &(struct limit_config){.bytes = {1, 1, 0}}, T0);
    ck_assert(limit_active(&l));
}
END_TEST

static u32 rnd(u32 *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Asked at any moments, a taker that waits as told gets the rate: not more,
 * and hardly less, and tokens stay within the bucket. */
START_TEST(test_rate)
{
    struct limit_config cfg = {.bytes = {10000, 100, 0}};
    u32 seed = (u32)_i + 1;
    u64 now = T0, got = 0, want;
    struct limit l;

    limit_init(&l, &cfg, now);
    while (now < T0 + 20 * SEC) {
        u64 bytes = 1 + rnd(&seed) % 3000;
        u64 wait = limit_take(&l, bytes, now);

        ck_assert_uint_le(l.bytes.tokens, cfg.bytes.size);
        if (wait == 0)
            got += bytes;
        if (wait)
            now += MAX(1u, MIN(wait, rnd(&seed) % (3 * MS)));
    }
    want = cfg.bytes.size * (now - T0) / (100 * MS);
    ck_assert_uint_le(got, want + cfg.bytes.size);
    ck_assert_uint_ge(got, want - want / 100);
}
END_TEST

/* Room is what can be taken, to the byte. */
START_TEST(test_room)
{
    struct limit_config cfg = {.bytes = {1000, 100, 50}};
    struct limit l;

    limit_init(&l, &cfg, T0);
    ck_assert_uint_eq(limit_room(&l, T0), 1050);
    ck_assert_uint_eq(limit_take(&l, 1049, T0), 0);
    ck_assert_uint_eq(limit_room(&l, T0), 1);
    ck_assert_uint_eq(limit_take(&l, 1, T0), 0);
    ck_assert_uint_eq(limit_room(&l, T0), 0);
    ck_assert_uint_eq(limit_room(&l, T0 + 10 * MS), 100);
    ck_assert_uint_eq(limit_room(&l, T0 + SEC), 1000);
    limit_init(&l, &(struct limit_config){.ops = {1, 1, 0}}, T0);
    ck_assert_uint_eq(limit_room(&l, T0), UINT64_MAX);
}
END_TEST

Suite *suite_limit(void);
Suite *suite_limit(void)
{
    Suite *s = suite_create("limit");
    TCase *tc = tcase_create("limit");

    tcase_add_loop_test(tc, test_story, 0, ARRAY_SIZE(stories));
    tcase_add_test(tc, test_active);
    tcase_add_loop_test(tc, test_rate, 0, 4);
    tcase_add_test(tc, test_room);
    suite_add_tcase(s, tc);
    return s;
}
