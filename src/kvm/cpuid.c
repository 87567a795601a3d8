/* SPDX-License-Identifier: Apache-2.0 */
/* cpuid.c: the CPUID of a KVM guest: the host's, less what is not meant for
 * guests, plus the topology of this machine. */
#include <asm/kvm_para.h>
#include <sys/ioctl.h>

#include "kvm.h"
#include "mote/log.h"

#define BIT(n) (1u << (n))

enum kvm_cpuid_reg { REG_EAX, REG_EBX, REG_ECX, REG_EDX };

/*
 * Taken away: what needs a host that lends more than instructions (PMU, SGX,
 * nested virtualisation, TSX with its aborts, AMX with its 8 KiB of state),
 * and paravirtual features whose shortcuts do not expect a second engine that
 * works on this vCPU while KVM thinks it preempted (steal time, TLB flush).
 */
/* clang-format off */
static const struct kvm_cpuid_hidden {
    u32 leaf, sub;
    enum kvm_cpuid_reg reg;
    u32 bits;
} kvm_cpuid_hidden[] = {
    /* DTES64 MONITOR DS_CPL VMX SMX EIST TM2 PDCM */
    {0x1, 0, REG_ECX, BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) |
                      BIT(8) | BIT(15)},
    {0x1, 0, REG_EDX, BIT(21)},                     /* DS */
    {0x7, 0, REG_EBX, BIT(2) | BIT(4) | BIT(11)},   /* SGX HLE RTM */
    {0x7, 0, REG_ECX, BIT(5) | BIT(30)},            /* WAITPKG SGX_LC */
    {0x7, 0, REG_EDX, BIT(11) | BIT(13) | BIT(16) | /* RTM aborts, TSXLDTRK */
                      BIT(22) | BIT(24) | BIT(25)}, /* AMX */
    {0xd, 0, REG_EAX, BIT(17) | BIT(18)},           /* AMX state */
    {0x80000001, 0, REG_ECX, BIT(2) | BIT(10) | BIT(23) | /* SVM IBS PERFCTR */
                             BIT(24) | BIT(28) | BIT(29)}, /* MWAITX */
};

static const u32 kvm_cpuid_zero[] = {
    0x5, 0xa, 0xf, 0x10, 0x12, 0x14, 0x1d, 0x1e,
    0x8000000a, 0x8000001b, 0x8000001f, 0x80000022,
};
/* clang-format on */

#define KVM_PV_FEATURES                                                        \
    (BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |            \
     BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_PV_UNHALT) |              \
     BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT))

static struct kvm_cpuid_entry2 *kvm_cpuid_find(struct kvm_cpuid_table *c,
                                               u32 leaf, u32 sub)
{
    for (u32 i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *e = &c->entry[i];

        if (e->function != leaf)
            continue;
        if (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == sub)
            return e;
    }
    return NULL;
}

static u32 *kvm_cpuid_reg(struct kvm_cpuid_entry2 *e, enum kvm_cpuid_reg reg)
{
    u32 *regs[] = {&e->eax, &e->ebx, &e->ecx, &e->edx};

    return regs[reg];
}

static void kvm_cpuid_clear_leaf(struct kvm_cpuid_table *c, u32 leaf)
{
    for (u32 i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *e = &c->entry[i];

        if (e->function == leaf)
            e->eax = e->ebx = e->ecx = e->edx = 0;
    }
}

void kvm_cpuid_mask(struct kvm_cpuid_table *c, bool tsc_deadline)
{
    struct kvm_cpuid_entry2 *e;

    for (size_t i = 0; i < ARRAY_SIZE(kvm_cpuid_hidden); i++) {
        const struct kvm_cpuid_hidden *h = &kvm_cpuid_hidden[i];

        e = kvm_cpuid_find(c, h->leaf, h->sub);
        if (e)
            *kvm_cpuid_reg(e, h->reg) &= ~h->bits;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kvm_cpuid_zero); i++)
        kvm_cpuid_clear_leaf(c, kvm_cpuid_zero[i]);
    e = kvm_cpuid_find(c, 0x1, 0);
    if (e) { /* x2APIC is the kernel's own; older KVMs leave both bits out */
        e->ecx |= BIT(31) | BIT(21);
        e->ecx |= tsc_deadline ? BIT(24) : 0;
    }
    e = kvm_cpuid_find(c, KVM_CPUID_FEATURES, 0);
    if (e) {
        e->eax &= KVM_PV_FEATURES;
        e->edx = 0; /* no promise that vCPUs are never preempted */
    }
}

/* Bits that number n things. */
static u32 kvm_id_bits(unsigned int n)
{
    return n <= 1 ? 0 : 32 - (u32)__builtin_clz(n - 1);
}

/* Level types of leaves 0xB and 0x1F: 1 SMT, 2 core (SDM vol. 2A, CPUID). */
static void kvm_cpuid_levels(struct kvm_cpuid_table *c, u32 leaf,
                             unsigned int id, unsigned int cpus)
{
    for (u32 sub = 0; sub < 3; sub++) {
        struct kvm_cpuid_entry2 *e = kvm_cpuid_find(c, leaf, sub);

        if (!e) {
            if (c->nent == KVM_CPUID_MAX)
                return;
            e = &c->entry[c->nent++];
        }
        *e = (struct kvm_cpuid_entry2){
            .function = leaf,
            .index = sub,
            .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            .eax = sub == 1 ? kvm_id_bits(cpus) : 0,
            .ebx = sub == 0   ? 1
                   : sub == 1 ? cpus
                              : 0,
            .ecx = sub | (sub < 2 ? (sub + 1) << 8 : 0),
            .edx = id,
        };
    }
}

/* Cache leaves: only the last level is shared by all cores. */
static void kvm_cpuid_caches(struct kvm_cpuid_table *c, u32 leaf,
                             unsigned int cpus)
{
    u32 ids = (1u << kvm_id_bits(cpus)) - 1;

    for (u32 i = 0; i < c->nent; i++) {
        struct kvm_cpuid_entry2 *e = &c->entry[i];

        if (e->function != leaf || !(e->eax & 0x1f))
            continue;
        e->eax &= 0x3fff; /* sharing in 25:14, cores (Intel) in 31:26 */
        if ((e->eax >> 5 & 7) >= 3)
            e->eax |= ids << 14;
        if (leaf == 0x4)
            e->eax |= ids << 26;
    }
}

static void kvm_cpuid_amd(struct kvm_cpuid_table *c, unsigned int id,
                          unsigned int cpus)
{
    struct kvm_cpuid_entry2 *e = kvm_cpuid_find(c, 0x80000001, 0);

    if (e) /* CMP_LEGACY: leaf 1 counts cores, not threads */
        e->ecx = (e->ecx & ~BIT(1)) | (cpus > 1 ? BIT(1) : 0);
    e = kvm_cpuid_find(c, 0x80000008, 0);
    if (e)
        e->ecx = (e->ecx & ~0xf0ffu) | kvm_id_bits(cpus) << 12 | (cpus - 1);
    e = kvm_cpuid_find(c, 0x8000001e, 0);
    if (e) {
        e->eax = id;
        e->ebx = id & 0xff; /* core id; one thread per core */
        e->ecx = 0;         /* node 0 of 1 */
    }
    kvm_cpuid_caches(c, 0x8000001d, cpus);
}

void kvm_cpuid_topology(struct kvm_cpuid_table *c, unsigned int id,
                        unsigned int cpus)
{
    struct kvm_cpuid_entry2 *e = kvm_cpuid_find(c, 0x0, 0);
    u32 max = e ? e->eax : 0;
    bool amd = e && e->ebx == 0x68747541; /* "Auth"; Hygon is "Hygo" */

    amd |= e && e->ebx == 0x6f677948;
    e = kvm_cpuid_find(c, 0x1, 0);
    if (e) {
        e->ebx = (e->ebx & 0xffff) | cpus << 16 | id << 24;
        e->edx = (e->edx & ~BIT(28)) | (cpus > 1 ? BIT(28) : 0); /* HTT */
    }
    kvm_cpuid_caches(c, 0x4, cpus);
    if (max >= 0xb)
        kvm_cpuid_levels(c, 0xb, id, cpus);
    if (max >= 0x1f)
        kvm_cpuid_levels(c, 0x1f, id, cpus);
    if (amd)
        kvm_cpuid_amd(c, id, cpus);
}

int kvm_cpuid_init(struct kvm *k)
{
    int deadline =
        ioctl(k->fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER);

    k->cpuid.nent = KVM_CPUID_MAX - 6; /* room for two more leaves */
    if (ioctl(k->fd, KVM_GET_SUPPORTED_CPUID, &k->cpuid) < 0)
        return fail(-errno, "kvm: supported CPUID");
    kvm_cpuid_mask(&k->cpuid, deadline > 0);
    return 0;
}

/* Without enforcement, MSRs and hypercalls of hidden paravirtual features
 * would go on working (Linux 5.11 has it). */
static int kvm_cpuid_enforce(struct kvm_vcpu *v)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
                                 .args = {1}};

    if (ioctl(v->kvm->fd, KVM_CHECK_EXTENSION, cap.cap) <= 0)
        return 0;
    if (ioctl(v->fd, KVM_ENABLE_CAP, &cap) < 0)
        return fail(-errno, "kvm: CPUID enforcement of vCPU %u", v->id);
    return 0;
}

int kvm_cpuid_set(struct kvm_vcpu *v)
{
    struct kvm_cpuid_table c = v->kvm->cpuid;

    kvm_cpuid_topology(&c, v->id, v->kvm->env.cpus);
    if (ioctl(v->fd, KVM_SET_CPUID2, &c) < 0)
        return fail(-errno, "kvm: CPUID of vCPU %u", v->id);
    return kvm_cpuid_enforce(v);
}
