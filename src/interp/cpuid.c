/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpuid.c: the processor a guest of the interpreter sees: an AMD of family
 * 0x11, on Linux' not-affected lists for most speculation bugs, so that it
 * runs without costly mitigations. Nothing is offered that is not implemented:
 * in particular no XSAVE, hence no AVX.
 */
#include <cpuid.h>

#include "platform.h"

#define BIT(n) (1u << (n))

#define CPUID_SIGNATURE 0x00200f30u /* family 0x11 model 3 */
#define CPUID_MAX_STD   0xbu
#define CPUID_MAX_KVM   0x40000001u
#define CPUID_MAX_EXT   0x80000021u

enum cpuid_out { EAX, EBX, ECX, EDX };

/* Leaf 1, EDX. */
enum {
    F_FPU = BIT(0),
    F_DE = BIT(2),
    F_PSE = BIT(3),
    F_TSC = BIT(4),
    F_MSR = BIT(5),
    F_PAE = BIT(6),
    F_CX8 = BIT(8),
    F_APIC = BIT(9),
    F_SEP = BIT(11),
    F_PGE = BIT(13),
    F_CMOV = BIT(15),
    F_PAT = BIT(16),
    F_CLFSH = BIT(19),
    F_MMX = BIT(23),
    F_FXSR = BIT(24),
    F_SSE = BIT(25),
    F_SSE2 = BIT(26),
    F_HTT = BIT(28),
};

#define LEAF1_EDX                                                              \
    (F_FPU | F_DE | F_PSE | F_TSC | F_MSR | F_PAE | F_CX8 | F_APIC | F_SEP |   \
     F_PGE | F_CMOV | F_PAT | F_CLFSH | F_MMX | F_FXSR | F_SSE | F_SSE2)

/* What 0x80000001 EDX repeats of it. */
#define LEAF1_COPIES                                                           \
    (F_FPU | F_DE | F_PSE | F_TSC | F_MSR | F_PAE | F_CX8 | F_APIC | F_PGE |   \
     F_CMOV | F_PAT | F_MMX | F_FXSR)

/* Leaf 1, ECX. HOST: executed by the host's own instruction. */
#define LEAF1_ECX_HOST                                                         \
    (BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ |         \
     BIT(13) /* CX16 */ | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ |        \
     BIT(23) /* POPCNT */ | BIT(25) /* AES */ | BIT(30) /* RDRAND */)
#define LEAF1_ECX                                                              \
    (BIT(21) /* x2APIC */ | BIT(22) /* MOVBE */ | BIT(24) /* TSC deadline */ | \
     BIT(31) /* hypervisor */)

/* CPUID traps under nested virtualisation, so the host is asked once; the
 * answer is never 0. */
static u32 cpuid_host_ecx(void)
{
    static _Atomic(u32) cached;
    u32 a, b, c = atomic_load(&cached), d;

    if (c == 0) {
        if (!__get_cpuid(1, &a, &b, &c, &d))
            c = 0;
        c = (c & LEAF1_ECX_HOST) | LEAF1_ECX;
        atomic_store(&cached, c);
    }
    return c;
}

static void cpuid_vendor(u32 out[4])
{
    memcpy(&out[EBX], "Auth", 4);
    memcpy(&out[EDX], "enti", 4);
    memcpy(&out[ECX], "cAMD", 4);
}

/* Bits of an APIC id that number the cores. */
static u32 cpuid_id_bits(const struct cpu *c)
{
    return c->nr_cpus > 1 ? 32 - (u32)__builtin_clz(c->nr_cpus - 1) : 0;
}

static void cpuid_features(const struct cpu *c, u32 out[4])
{
    out[EAX] = CPUID_SIGNATURE;
    out[EBX] = c->id << 24 | c->nr_cpus << 16 | 64 / 8 << 8;
    out[ECX] = cpuid_host_ecx();
    out[EDX] = LEAF1_EDX | (c->nr_cpus > 1 ? F_HTT : 0);
    if (!(c->s.apic_base & APIC_BASE_ENABLE))
        out[EDX] &= ~(u32)F_APIC;
}

/* Leaf 0xb: level 0 is the one thread of a core, level 1 the cores. */
static void cpuid_topology(const struct cpu *c, u32 sub, u32 out[4])
{
    out[ECX] = sub & 0xff;
    out[EDX] = c->id;
    if (sub == 0) {
        out[EBX] = 1;
        out[ECX] |= 1 << 8;
    } else if (sub == 1) {
        out[EAX] = cpuid_id_bits(c);
        out[EBX] = c->nr_cpus;
        out[ECX] |= 2 << 8;
    }
}

static void cpuid_standard(const struct cpu *c, u32 leaf, u32 sub, u32 out[4])
{
    switch (leaf) {
    case 0:
        out[EAX] = CPUID_MAX_STD;
        cpuid_vendor(out);
        break;
    case 1:
        cpuid_features(c, out);
        break;
    case 6:
        out[EAX] = BIT(2); /* ARAT: the timer runs in every C state */
        break;
    case 7:
        if (sub == 0) {
            out[EBX] = BIT(0) | BIT(7) | BIT(9); /* FSGSBASE SMEP ERMS */
            out[EDX] = BIT(4);                   /* FSRM */
        }
        break;
    case 0xb:
        cpuid_topology(c, sub, out);
        break;
    default:
        break;
    }
}

static void cpuid_kvm(u32 leaf, u32 out[4])
{
    if (leaf == 0x40000000) {
        out[EAX] = CPUID_MAX_KVM;
        memcpy(&out[EBX], "KVMK", 4);
        memcpy(&out[ECX], "VMKV", 4);
        memcpy(&out[EDX], "M\0\0", 4);
    } else if (leaf == 0x40000001) {
        /* NOP_IO_DELAY CLOCKSOURCE2 PV_EOI PV_UNHALT CLOCKSOURCE_STABLE */
        out[EAX] = BIT(1) | BIT(3) | BIT(6) | BIT(7) | BIT(24);
    }
}

static void cpuid_brand(u32 leaf, u32 out[4])
{
    static const char brand[48] = "mote x86-64 interpreter";

    memcpy(out, brand + 16 * (leaf - 0x80000002), 16);
}

/* Sizes from which the C library chooses its copy loops; large ones make it
 * use REP MOVSB, which runs at host speed here. */
static void cpuid_caches(u32 leaf, u32 out[4])
{
    if (leaf == 0x80000005) {
        out[ECX] = 32 << 24 | 8 << 16 | 1 << 8 | 64; /* L1D 32 KiB, 8 ways */
        out[EDX] = out[ECX];
    } else {
        out[ECX] = 4096u << 16 | 6 << 12 | 1 << 8 | 64; /* L2 4 MiB */
        out[EDX] = 32u << 18 | 6 << 12 | 1 << 8 | 64;   /* L3 16 MiB */
    }
}

static void cpuid_extended_features(const struct cpu *c, u32 out[4])
{
    out[EAX] = CPUID_SIGNATURE;
    out[ECX] = BIT(0) | BIT(8) |              /* LAHF 3DNOWPREFETCH */
               (c->nr_cpus > 1 ? BIT(1) : 0); /* CMP_LEGACY */
    out[EDX] = LEAF1_COPIES | BIT(11) | BIT(20) | BIT(26) | BIT(27) |
               BIT(29); /* SYSCALL NX PDPE1GB RDTSCP LM */
    if (!(c->s.apic_base & APIC_BASE_ENABLE))
        out[EDX] &= ~(u32)F_APIC;
}

static void cpuid_extended(const struct cpu *c, u32 leaf, u32 out[4])
{
    switch (leaf) {
    case 0x80000000:
        out[EAX] = CPUID_MAX_EXT;
        cpuid_vendor(out);
        break;
    case 0x80000001:
        cpuid_extended_features(c, out);
        break;
    case 0x80000002 ... 0x80000004:
        cpuid_brand(leaf, out);
        break;
    case 0x80000005:
    case 0x80000006:
        cpuid_caches(leaf, out);
        break;
    case 0x80000007:
        if (c->machine != NULL && c->machine->clock.host_tsc)
            out[EDX] = BIT(8); /* INVTSC */
        break;
    case 0x80000008:
        out[EAX] = 48 << 8 | 40; /* linear, physical address bits */
        out[EBX] = BIT(2);       /* XSAVEERPTR */
        out[ECX] = cpuid_id_bits(c) << 12 | (c->nr_cpus - 1);
        break;
    case 0x80000021:
        /* LFENCE_RDTSC NULL_SEL_CLR_BASE AUTOIBRS */
        out[EAX] = BIT(2) | BIT(6) | BIT(8);
        break;
    default:
        break;
    }
}

/* Leaves that do not exist read 0, also above the maximum (AMD). */
void cpuid_query(struct cpu *c, u32 leaf, u32 sub, u32 out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    if (leaf >= 0x80000000)
        cpuid_extended(c, leaf, out);
    else if (leaf >= 0x40000000)
        cpuid_kvm(leaf, out);
    else
        cpuid_standard(c, leaf, sub, out);
}
