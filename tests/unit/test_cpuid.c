/* SPDX-License-Identifier: Apache-2.0 */
/* cpuid.c: every leaf of interpreter.md 4.1, one vCPU and several */
#include <cpuid.h>

#include "platform_fixture.h"

#define ANY 0xffffffffu /* checked elsewhere */

static const struct {
    u32 leaf, sub, out[4]; /* EAX EBX ECX EDX of the only vCPU */
} leaves[] = {
    {0, 0, {0xb, 0x68747541, 0x444d4163, 0x69746e65}},
    {1, 0, {0x00200f30, 0x00010800, ANY, 0x0789ab7d & ~0x80u}},
    {2, 0, {0, 0, 0, 0}},
    {4, 0, {0, 0, 0, 0}},
    {5, 0, {0, 0, 0, 0}},
    {6, 0, {4, 0, 0, 0}},
    {7, 0, {0, 0x281, 0, 0x10}},
    {7, 1, {0, 0, 0, 0}},
    {0xa, 0, {0, 0, 0, 0}},
    {0xb, 0, {0, 1, 0x100, 0}},
    {0xb, 1, {0, 1, 0x201, 0}},
    {0xb, 2, {0, 0, 2, 0}},
    {0xc, 0, {0, 0, 0, 0}},
    {0xd, 0, {0, 0, 0, 0}},
    {0x16, 0, {0, 0, 0, 0}},
    {0x40000000, 0, {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d}},
    {0x40000001, 0, {0x010000ca, 0, 0, 0}},
    {0x40000002, 0, {0, 0, 0, 0}},
    {0x80000000, 0, {0x80000021, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, 0, {0x00200f30, 0, 0x101, 0x2d91ab7d & ~0x080u}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x3028, 4, 0, 0}},
    {0x8000001f, 0, {0, 0, 0, 0}},
    {0x80000021, 0, {0x144, 0, 0, 0}},
    {0x80000022, 0, {0, 0, 0, 0}},
    {0xc0000000, 0, {0, 0, 0, 0}},
    {0xffffffff, 0, {0, 0, 0, 0}},
};

START_TEST(test_leaf)
{
    struct cpu *c = fix_cpu(0);
    u32 out[4];

    c->nr_cpus = 1;
    cpuid_query(c, leaves[_i].leaf, leaves[_i].sub, out);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(leaves[_i].out[i] == ANY || out[i] == leaves[_i].out[i],
                      "leaf %#x.%u, out[%d]: %#x, want %#x", leaves[_i].leaf,
                      leaves[_i].sub, i, out[i], leaves[_i].out[i]);
}
END_TEST

/* vCPU 2 of 3. */
START_TEST(test_smp)
{
    struct cpu *c = fix_cpu(2);
    u32 out[4];

    c->nr_cpus = 3;
    cpuid_query(c, 1, 0, out);
    ck_assert_uint_eq(out[1], 0x02030800);
    ck_assert_uint_eq(out[3] >> 28 & 1, 1); /* HTT */
    cpuid_query(c, 0xb, 1, out);
    ck_assert_uint_eq(out[0], 2);
    ck_assert_uint_eq(out[1], 3);
    ck_assert_uint_eq(out[3], 2);
    cpuid_query(c, 0x80000001, 0, out);
    ck_assert_uint_eq(out[2], 0x103); /* CMP_LEGACY */
    cpuid_query(c, 0x80000008, 0, out);
    ck_assert_uint_eq(out[2], 0x2002);
}
END_TEST

/* SSE3 PCLMUL SSSE3 CX16 SSE4.1 SSE4.2 POPCNT AES RDRAND run on the host. */
#define HOST_ECX 0x42982203u

START_TEST(test_host_bits)
{
    u32 out[4], a, b, ecx = 0, d;

    cpuid_query(fix_cpu(0), 1, 0, out);
    ck_assert(__get_cpuid(1, &a, &b, &ecx, &d));
    ck_assert_uint_eq(out[2], (ecx & HOST_ECX) | 0x81600000u);
    ck_assert_uint_eq(out[2] & (7u << 26), 0); /* XSAVE OSXSAVE AVX */
}
END_TEST

START_TEST(test_apic_off)
{
    struct cpu *c = fix_cpu(0);
    u32 out[4];

    c->s.apic_base &= ~APIC_BASE_ENABLE;
    cpuid_query(c, 1, 0, out);
    ck_assert_uint_eq(out[3] & 1 << 9, 0);
    cpuid_query(c, 0x80000001, 0, out);
    ck_assert_uint_eq(out[3] & 1 << 9, 0);
}
END_TEST

START_TEST(test_invtsc)
{
    u32 out[4];

    fix_machine.clock.host_tsc = false;
    cpuid_query(fix_cpu(0), 0x80000007, 0, out);
    ck_assert_uint_eq(out[3], 0);
}
END_TEST

START_TEST(test_brand)
{
    char brand[49] = "";

    for (u32 i = 0; i < 3; i++)
        cpuid_query(fix_cpu(0), 0x80000002 + i, 0,
                    (u32 *)(void *)brand + 4 * i);
    ck_assert_str_eq(brand, "mote x86-64 interpreter");
}
END_TEST

Suite *suite_cpuid(void);
Suite *suite_cpuid(void)
{
    Suite *s = suite_create("cpuid");
    TCase *tc = fix_tcase(s);

    tcase_add_loop_test(tc, test_leaf, 0, ARRAY_SIZE(leaves));
    tcase_add_test(tc, test_smp);
    tcase_add_test(tc, test_host_bits);
    tcase_add_test(tc, test_apic_off);
    tcase_add_test(tc, test_invtsc);
    tcase_add_test(tc, test_brand);
    return s;
}
