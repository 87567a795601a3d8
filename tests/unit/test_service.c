/* SPDX-License-Identifier: Apache-2.0 */
/* service.c: the back-off, and the names in the exit summary */
#include <check.h>

#include "service.h"

static const struct key_case {
    const char *name;
    u8 insn[15];
    u8 len;
    u32 key;
} keys[] = {
    {"int3", {0xcc, 0x90}, 2, 0x0000cc00},
    {"lock cmpxchg16b", {0xf0, 0x48, 0x0f, 0xc7, 0x4e, 0x10}, 6, 0x0001c708},
    {"gs cmpxchg16b", {0x65, 0x48, 0x0f, 0xc7, 0x0e}, 5, 0x0001c708},
    {"xgetbv", {0x0f, 0x01, 0xd0}, 3, 0x000101d0},
    {"rdtscp", {0x0f, 0x01, 0xf9}, 3, 0x000101f9},
    {"popcnt", {0xf3, 0x48, 0x0f, 0xb8, 0xc7}, 5, 0xf301b800},
    {"xsave64", {0x48, 0x0f, 0xae, 0x27}, 4, 0x0001ae20},
    {"crc32", {0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc8}, 6, 0xf202f100},
    {"pshufb", {0x66, 0x0f, 0x38, 0x00, 0xc1}, 5, 0x66020000},
    {"no bytes", {0}, 0, 0},
    {"cut", {0x66, 0x0f}, 2, 0x66000f00},
    {"prefixes only", {0xf0, 0x66, 0x48}, 3, 0},
};

START_TEST(test_key)
{
    const struct key_case *t = &keys[_i];
    u32 got = service_key(t->insn, t->len);

    ck_assert_msg(got == t->key, "%s: %#x", t->name, got);
}
END_TEST

START_TEST(test_why)
{
    static const struct service s = {
        .opcode = {{0x66020000, 7}, {0x0000cc00, 12}, {0x0001c708, 300}},
    };
    char buf[160], small[24];

    service_why(&s, buf, sizeof(buf));
    ck_assert_str_eq(buf, "cmpxchg16b 300, int3 12, 66 0f 38 00 7");
    service_why(&s, small, sizeof(small));
    ck_assert_str_eq(small, "cmpxchg16b 300, int3 12");
    service_why(&(struct service){0}, buf, sizeof(buf));
    ck_assert_str_eq(buf, "");
}
END_TEST

/* A visit of `cost` after `gap` in KVM, again and again: what budget comes? */
static u64 backoff_after(struct service_backoff *b, unsigned int visits,
                         u64 gap, u64 cost, u64 ns_per_insn)
{
    u64 now = b->back_ns ? b->back_ns : 1000000000, len = 0;

    for (unsigned int i = 0; i < visits; i++) {
        now += gap;
        len = service_budget(b, now);
        service_spent(b, now, now + cost + len * ns_per_insn, len);
        now = b->back_ns;
    }
    return len;
}

START_TEST(test_far)
{
    struct service_backoff b = {0};

    ck_assert_uint_eq(backoff_after(&b, 100, 1000000, 10000, 10), 1);
}
END_TEST

START_TEST(test_near)
{
    struct service_backoff b = {0};

    ck_assert_uint_eq(backoff_after(&b, 1, 5000, 10000, 10), 1);
    ck_assert_uint_eq(backoff_after(&b, 1, 5000, 10000, 10), 2);
    ck_assert_uint_eq(backoff_after(&b, 1, 5000, 10000, 10), 4);
    ck_assert_uint_eq(backoff_after(&b, 20, 5000, 10000, 10),
                      1ull << SERVICE_BITS);
    ck_assert_uint_eq(backoff_after(&b, 1, 1000000000, 10000, 10), 1);
}
END_TEST

/* Long visits that are cut short and cost more than they bring are tried ever
 * more rarely. */
START_TEST(test_penalty)
{
    struct service_backoff b = {.shadow = true};
    unsigned int longs = 0;
    u64 now = 1000000000;

    for (unsigned int i = 0; i < 4000; i++) {
        u64 len = service_budget(&b, now + 5000);

        longs += len > 16;
        service_spent(&b, now, now + (len > 1 ? 2000000 : 20000),
                      MIN(len, 100u));
        now = b.back_ns;
    }
    ck_assert_uint_ge(longs, 3);
    ck_assert_uint_lt(longs, 20);
    ck_assert_uint_gt(b.penalty, 100);
}
END_TEST

/* Where a second instruction costs a reset, one is followed by thousands. */
START_TEST(test_shadow)
{
    struct service_backoff b = {.shadow = true};

    ck_assert_uint_eq(backoff_after(&b, 8, 5000, 10000, 10), 1);
    ck_assert_uint_eq(backoff_after(&b, 1, 5000, 10000, 10), 4096);
    ck_assert_uint_eq(backoff_after(&b, 1, 5000, 10000, 10), 8192);
    ck_assert_uint_eq(backoff_after(&b, 20, 5000, 10000, 10),
                      1ull << SERVICE_BITS_SHADOW);
}
END_TEST

Suite *suite_service(void);
Suite *suite_service(void)
{
    Suite *s = suite_create("service");
    TCase *tc = tcase_create("service");

    tcase_add_loop_test(tc, test_key, 0, ARRAY_SIZE(keys));
    tcase_add_test(tc, test_why);
    tcase_add_test(tc, test_far);
    tcase_add_test(tc, test_near);
    tcase_add_test(tc, test_penalty);
    tcase_add_test(tc, test_shadow);
    suite_add_tcase(s, tc);
    return s;
}
