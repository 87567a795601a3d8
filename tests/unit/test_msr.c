/* SPDX-License-Identifier: Apache-2.0 */
/* msr.c: what exists, what is checked, what is #GP, what is KVM's */
#include "platform_fixture.h"

#define LOW  0x0000123456789abcull
#define HIGH 0xffff800000001000ull
#define BAD  0x0000800000000000ull /* not canonical */

static const struct {
    u32 msr;
    u64 write, read;
    bool ok; /* of the write */
} rows[] = {
    {0x174, ~0ull, 0xffffffff, true},
    {0x175, HIGH, HIGH, true},
    {0x176, BAD, 0xffff800000000000, true}, /* AMD does not check */
    {0x277, 0x0007040600070406, 0x0007040600070406, true},
    {0x277, 0x0007040600070402, 0, false},
    {0x277, 0x0800000000000000, 0, false},
    {0x8b, 1, 0, false},
    {0xc0000081, ~0ull, ~0ull, true},
    {0xc0000082, HIGH, HIGH, true},
    {0xc0000082, BAD, 0, false},
    {0xc0000083, LOW, LOW, true},
    {0xc0000083, BAD, 0, false},
    {0xc0000084, 0x1234567847700, 0x67847700, true},
    {0xc0000100, LOW, LOW, true},
    {0xc0000100, BAD, 0, false},
    {0xc0000101, HIGH, HIGH, true},
    {0xc0000102, HIGH, HIGH, true},
    {0xc0000102, BAD, 0, false},
    {0xc0000103, 0x100000007, 7, true},
    {0xc0010010, 1, 0, false},
    {0xc0010015, 0x10, 1 << 24, true},
    {0xc001001f, 1ull << 46, 0, true},
    {0xc0011029, 0, 2, true},
    {0x4b564d00, 0x6000, 0x6000, true},
    {0x4b564d01, 0x5001, 0x5001, true},
    {0x4b564d04, 0x6005, 0x6005, true},
    {0x6e0, 5, 0, true}, /* not in deadline mode: ignored */
    {0x1b, 0xfee00900, 0xfee00900, true},
    {0x1b, 0xfee00400, 0xfee00800, false},
};

START_TEST(test_row)
{
    struct cpu *c = fix_cpu(0);
    enum exec r = msr_write(c, rows[_i].msr, rows[_i].write);
    u64 val = ~rows[_i].read;

    ck_assert_msg((r == EXEC_OK) == rows[_i].ok, "write %#x: %d", rows[_i].msr,
                  (int)r);
    if (r != EXEC_OK)
        ck_assert_uint_eq(c->exc.vector, EXC_GP);
    ck_assert_int_eq(msr_read(c, rows[_i].msr, &val), EXEC_OK);
    ck_assert_msg(val == rows[_i].read, "%#x: %#llx", rows[_i].msr,
                  (unsigned long long)val);
}
END_TEST

static const u32 absent[] = {
    0,          0x11,       0x12,       0x17,       0x3a,       0x48,
    0x49,       0xe7,       0xfe,       0x10a,      0x179,      0x1a0,
    0x1d9,      0x200,      0x2ff,      0x3f1,      0x400,      0x6df,
    0x6e1,      0x7ff,      0x802,      0x840,      0xda0,      0x40000000,
    0x4b564d02, 0x4b564d03, 0x4b564d05, 0x4b564d06, 0xc0000085, 0xc00000ff,
    0xc0000104, 0xc0010000, 0xc0010055, 0xc0010117, 0xc001102a, 0xffffffff,
};

START_TEST(test_absent)
{
    struct cpu *c = fix_cpu(0);
    u64 val;

    ck_assert_int_eq(msr_read(c, absent[_i], &val), EXEC_FAULT);
    ck_assert_uint_eq(c->exc.vector, EXC_GP);
    ck_assert(c->exc.has_error && c->exc.error == 0);
    c->exc = (struct exc){0};
    ck_assert_int_eq(msr_write(c, absent[_i], 0), EXEC_FAULT);
    ck_assert_uint_eq(c->exc.vector, EXC_GP);
    ck_assert(c->exc.has_error && c->exc.error == 0);
}
END_TEST

START_TEST(test_tsc)
{
    struct cpu *c = fix_cpu(0);
    u64 val;

    ck_assert_int_eq(msr_write(c, 0x10, 1000), EXEC_OK);
    fix_ticks += 234;
    ck_assert_int_eq(msr_read(c, 0x10, &val), EXEC_OK);
    ck_assert_uint_eq(val, 1234);
}
END_TEST

/* x2APIC registers are there in that mode only. */
START_TEST(test_x2apic)
{
    struct cpu *c = fix_cpu(1);
    u64 val;

    ck_assert_int_eq(msr_read(c, 0x808, &val), EXEC_FAULT);
    ck_assert_int_eq(msr_write(c, 0x1b, 0xfee00c00), EXEC_OK);
    ck_assert_int_eq(msr_write(c, 0x808, 0x50), EXEC_OK);
    ck_assert_int_eq(msr_read(c, 0x808, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0x50);
    ck_assert_int_eq(msr_write(c, 0x808, 0x100), EXEC_FAULT);
}
END_TEST

/* Service: fields of the state are served and marked dirty, the platform is
 * KVM's. */
START_TEST(test_service)
{
    struct cpu *c = fix_cpu(0);
    u64 val;

    c->service = true;
    c->lapic = NULL;
    ck_assert_int_eq(msr_write(c, 0xc0000082, LOW), EXEC_OK);
    ck_assert_uint_eq(c->run->dirty, CPU_MSRS);
    ck_assert_int_eq(msr_write(c, 0xc0000101, HIGH), EXEC_OK);
    ck_assert_uint_eq(c->run->dirty, CPU_MSRS | CPU_SREGS);
    ck_assert_int_eq(msr_write(c, 0xc0000101, BAD), EXEC_FAULT);
    ck_assert_int_eq(msr_read(c, 0x6e0, &val), EXEC_UNKNOWN);
    ck_assert_int_eq(msr_read(c, 0x1a0, &val), EXEC_UNKNOWN);
    c->run->done = 1;
    ck_assert_int_eq(msr_read(c, 0x1a0, &val), EXEC_BOUNDARY);
    ck_assert_int_eq(msr_write(c, 0x4b564d01, 1), EXEC_BOUNDARY);
}
END_TEST

Suite *suite_msr(void);
Suite *suite_msr(void)
{
    Suite *s = suite_create("msr");
    TCase *tc = fix_tcase(s);

    tcase_add_loop_test(tc, test_row, 0, ARRAY_SIZE(rows));
    tcase_add_loop_test(tc, test_absent, 0, ARRAY_SIZE(absent));
    tcase_add_test(tc, test_tsc);
    tcase_add_test(tc, test_x2apic);
    tcase_add_test(tc, test_service);
    return s;
}
