/* SPDX-License-Identifier: Apache-2.0 */
/* kvm/cpuid.c: what is hidden, and the topology; needs no /dev/kvm */
#include <check.h>

#include "kvm/kvm.h"

static struct kvm_cpuid_table cpuid_full(u32 vendor_ebx)
{
    static const u32 leaf[] = {0x0,        0x1,        0x4,        0x7,
                               0xa,        0xb,        0x40000001, 0x80000001,
                               0x80000008, 0x8000001e, 0x8000001d};
    struct kvm_cpuid_table c = {.nent = ARRAY_SIZE(leaf)};

    for (u32 i = 0; i < c.nent; i++)
        c.entry[i] = (struct kvm_cpuid_entry2){
            .function = leaf[i],
            .eax = ~0u,
            .ebx = ~0u,
            .ecx = ~0u,
            .edx = ~0u,
            .flags = leaf[i] == 0x4 || leaf[i] == 0x7 || leaf[i] == 0xb ||
                             leaf[i] == 0x8000001d
                         ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX
                         : 0,
        };
    c.entry[0].eax = 0x1f;
    c.entry[0].ebx = vendor_ebx;
    c.entry[2].eax = 0x163; /* unified cache, level 3 */
    c.entry[10].eax = 0x163;
    return c;
}

static const struct kvm_cpuid_entry2 *cpuid_at(const struct kvm_cpuid_table *c,
                                               u32 leaf, u32 sub)
{
    for (u32 i = 0; i < c->nent; i++)
        if (c->entry[i].function == leaf && c->entry[i].index == sub)
            return &c->entry[i];
    ck_abort_msg("no leaf %#x.%u", leaf, sub);
}

/* One row per promise: a bit that must be gone, or must stay. */
static const struct mask_case {
    const char *name;
    u32 leaf, reg, bit;
    bool stays;
} masks[] = {
    {"MONITOR", 0x1, 2, 3, false},
    {"VMX", 0x1, 2, 5, false},
    {"SVM", 0x80000001, 2, 2, false},
    {"SGX", 0x7, 1, 2, false},
    {"RTM", 0x7, 1, 11, false},
    {"AMX", 0x7, 3, 24, false},
    {"PMU", 0xa, 0, 0, false},
    {"STEAL_TIME", 0x40000001, 0, 5, false},
    {"PV_TLB_FLUSH", 0x40000001, 0, 9, false},
    {"PV_EOI", 0x40000001, 0, 6, false},
    {"CLOCKSOURCE2", 0x40000001, 0, 3, true},
    {"CLOCKSOURCE_STABLE", 0x40000001, 0, 24, true},
    {"HYPERVISOR", 0x1, 2, 31, true},
    {"TSC_DEADLINE", 0x1, 2, 24, true},
    {"CX16", 0x1, 2, 13, true},
    {"LM", 0x80000001, 3, 29, true},
};

START_TEST(test_mask)
{
    const struct mask_case *t = &masks[_i];
    struct kvm_cpuid_table c = cpuid_full(0x756e6547);
    const struct kvm_cpuid_entry2 *e;

    kvm_cpuid_mask(&c, true);
    e = cpuid_at(&c, t->leaf, 0);
    ck_assert_msg(((&e->eax)[t->reg] >> t->bit & 1) == t->stays, "%s", t->name);
}
END_TEST

static const struct topo_case {
    unsigned int id, cpus;
    u32 bits;
} topos[] = {{0, 1, 0}, {0, 2, 1}, {1, 2, 1}, {2, 3, 2}, {31, 32, 5}};

START_TEST(test_topology)
{
    const struct topo_case *t = &topos[_i];
    struct kvm_cpuid_table c = cpuid_full(0x68747541);

    kvm_cpuid_topology(&c, t->id, t->cpus);
    ck_assert_uint_eq(cpuid_at(&c, 0x1, 0)->ebx >> 24, t->id);
    ck_assert_uint_eq(cpuid_at(&c, 0x1, 0)->ebx >> 16 & 0xff, t->cpus);
    ck_assert_uint_eq(cpuid_at(&c, 0x1, 0)->edx >> 28 & 1, t->cpus > 1);
    for (u32 leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
        ck_assert_uint_eq(cpuid_at(&c, leaf, 0)->ecx, 0x100);
        ck_assert_uint_eq(cpuid_at(&c, leaf, 0)->edx, t->id);
        ck_assert_uint_eq(cpuid_at(&c, leaf, 1)->eax, t->bits);
        ck_assert_uint_eq(cpuid_at(&c, leaf, 1)->ebx, t->cpus);
        ck_assert_uint_eq(cpuid_at(&c, leaf, 1)->ecx, 0x201);
        ck_assert_uint_eq(cpuid_at(&c, leaf, 2)->ecx, 2);
        ck_assert_uint_eq(cpuid_at(&c, leaf, 2)->ebx, 0);
    }
    ck_assert_uint_eq(cpuid_at(&c, 0x80000008, 0)->ecx & 0xf0ff,
                      t->bits << 12 | (t->cpus - 1));
    ck_assert_uint_eq(cpuid_at(&c, 0x8000001e, 0)->eax, t->id);
    ck_assert_uint_eq(cpuid_at(&c, 0x8000001d, 0)->eax >> 14,
                      (1u << t->bits) - 1);
    ck_assert_uint_eq(cpuid_at(&c, 0x4, 0)->eax >> 26, (1u << t->bits) - 1);
}
END_TEST

Suite *suite_kvm_cpuid(void);
Suite *suite_kvm_cpuid(void)
{
    Suite *s = suite_create("kvm_cpuid");
    TCase *tc = tcase_create("kvm_cpuid");

    tcase_add_loop_test(tc, test_mask, 0, ARRAY_SIZE(masks));
    tcase_add_loop_test(tc, test_topology, 0, ARRAY_SIZE(topos));
    suite_add_tcase(s, tc);
    return s;
}
