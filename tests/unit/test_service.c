/* SPDX-License-Identifier: Apache-2.0 */
/* service.c: the back-off, and the names in the exit summary */
#include <check.h>

#include "service.h"

static const struct name_case {
    const char *name;
    u8 len, insn[15];
} names[] = {
    {"int3", 2, {0xcc, 0x90}},
    {"cmpxchg8b", 4, {0xf0, 0x0f, 0xc7, 0x0e}},
    {"cmpxchg16b", 6, {0xf0, 0x48, 0x0f, 0xc7, 0x4e, 0x10}},
    {"cmpxchg16b", 5, {0x65, 0x48, 0x0f, 0xc7, 0x0e}},
    {"xgetbv", 3, {0x0f, 0x01, 0xd0}},
    {"rdtscp", 3, {0x0f, 0x01, 0xf9}},
    {"clac", 3, {0x0f, 0x01, 0xca}},
    {"popcnt", 5, {0xf3, 0x48, 0x0f, 0xb8, 0xc7}},
    {"xsave", 4, {0x48, 0x0f, 0xae, 0x27}},
    {"xsavec", 3, {0x0f, 0xc7, 0x27}},
    {"stmxcsr", 3, {0x0f, 0xae, 0x1f}},
    {"crc32", 6, {0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc8}},
    {"pshufb", 5, {0x66, 0x0f, 0x38, 0x00, 0xc1}},
    {"vex", 5, {0xc5, 0xfd, 0xfe, 0xd1, 0}},
    {NULL, 0, {0}},
    {NULL, 2, {0x66, 0x0f}},
    {NULL, 3, {0xf0, 0x66, 0x48}},
};

/* As the exit summary calls what KVM has refused. */
START_TEST(test_name)
{
    const struct name_case *t = &names[_i];
    const char *got = interp_mnemonic(t->insn, t->len);

    if (t->name)
        ck_assert_str_eq(got ? got : "nothing", t->name);
    else
        ck_assert_msg(!got, "%s", got);
}
END_TEST

START_TEST(test_why)
{
    static const struct service s = {
        .opcode = {{"pshufb", 7}, {"int3", 12}, {"cmpxchg16b", 300}},
    };
    char buf[160], small[24];

    service_why(&s, buf, sizeof(buf));
    ck_assert_str_eq(buf, "cmpxchg16b 300, int3 12, pshufb 7");
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

    tcase_add_loop_test(tc, test_name, 0, ARRAY_SIZE(names));
    tcase_add_test(tc, test_why);
    tcase_add_test(tc, test_far);
    tcase_add_test(tc, test_near);
    tcase_add_test(tc, test_penalty);
    tcase_add_test(tc, test_shadow);
    suite_add_tcase(s, tc);
    return s;
}
