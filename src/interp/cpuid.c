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

#define SIGNATURE 0x00200f30u /* family 0x11 model 3 */
#define VENDOR    signature_AMD_ebx, signature_AMD_ecx, signature_AMD_edx

enum cpuid_out { EAX, EBX, ECX, EDX };

#define F_APIC     BIT(9)
#define F_HTT      BIT(28)
#define CMP_LEGACY BIT(1)

/* What 0x80000001 EDX repeats of leaf 1's, and the rest of that. */
#define LEAF1_COPIES                                                           \
    (F_APIC | BIT(0) /* FPU */ | BIT(2) /* DE */ | BIT(3) /* PSE */ |          \
     BIT(4) /* TSC */ | BIT(5) /* MSR */ | BIT(6) /* PAE */ |                  \
     BIT(8) /* CX8 */ | BIT(13) /* PGE */ | BIT(15) /* CMOV */ |               \
     BIT(16) /* PAT */ | BIT(23) /* MMX */ | BIT(24) /* FXSR */)
#define LEAF1_EDX                                                              \
    (LEAF1_COPIES | BIT(11) /* SEP */ | BIT(19) /* CLFSH */ |                  \
     BIT(25) /* SSE */ | BIT(26) /* SSE2 */)

/* Leaf 1, ECX. HOST: executed by the host's own instruction. */
#define LEAF1_ECX_HOST                                                         \
    (BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ |         \
     BIT(13) /* CX16 */ | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ |        \
     BIT(23) /* POPCNT */ | BIT(25) /* AES */ | BIT(30) /* RDRAND */)
#define LEAF1_ECX                                                              \
    (BIT(21) /* x2APIC */ | BIT(22) /* MOVBE */ | BIT(24) /* TSC deadline */ | \
     BIT(31) /* hypervisor */)

/* Sizes from which the C library chooses its copy loops; large ones make it
 * use REP MOVSB, which runs at host speed here. */
#define L1 (32u << 24 | 8 << 16 | 1 << 8 | 64)   /* 32 KiB, 8 ways */
#define L2 (4096u << 16 | 6 << 12 | 1 << 8 | 64) /* 4 MiB */
#define L3 (32u << 18 | 6 << 12 | 1 << 8 | 64)   /* 16 MiB */

/* EAX EBX ECX EDX where they are the same for every vCPU; the first leaf of
 * each range says which is the last. Leaves that do not exist read 0, also
 * above the maximum (AMD). */
static const struct cpuid_row {
    u32 leaf, out[4];
} cpuid_rows[] = {
    {0, {0xb, VENDOR}},
    {1, {SIGNATURE, 0, 0, LEAF1_EDX}},
    {6, {BIT(2)}}, /* ARAT: the timer runs in every C state */
    /* FSGSBASE SMEP ERMS, FSRM */
    {7, {0, BIT(0) | BIT(7) | BIT(9), 0, BIT(4)}},
    {0x40000000, {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d}}, /* KVMKVMKVM */
    /* NOP_IO_DELAY CLOCKSOURCE2 PV_EOI PV_UNHALT CLOCKSOURCE_STABLE */
    {0x40000001, {BIT(1) | BIT(3) | BIT(6) | BIT(7) | BIT(24)}},
    {0x80000000, {0x80000021, VENDOR}},
    /* LAHF 3DNOWPREFETCH, SYSCALL NX PDPE1GB RDTSCP LM */
    {0x80000001,
     {SIGNATURE, 0, BIT(0) | BIT(8),
      LEAF1_COPIES | BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29)}},
    {0x80000005, {0, 0, L1, L1}},
    {0x80000006, {0, 0, L2, L3}},
    /* Linear, physical address bits; XSAVEERPTR */
    {0x80000008, {48 << 8 | 40, BIT(2)}},
    /* LFENCE_RDTSC NULL_SEL_CLR_BASE AUTOIBRS */
    {0x80000021, {BIT(2) | BIT(6) | BIT(8)}},
};

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

/* Bits of an APIC id that number the cores. */
static u32 cpuid_id_bits(const struct cpu *c)
{
    return c->nr_cpus > 1 ? 32 - (u32)__builtin_clz(c->nr_cpus - 1) : 0;
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

static void cpuid_brand(u32 leaf, u32 out[4])
{
    static const char brand[48] = "mote x86-64 interpreter";

    memcpy(out, brand + 16 * (leaf - 0x80000002), 16);
}

/* What is not the same for every vCPU, or no number. */
static void cpuid_vary(const struct cpu *c, u32 leaf, u32 sub, u32 out[4])
{
    switch (leaf) {
    case 1:
        out[EBX] = c->id << 24 | c->nr_cpus << 16 | 64 / 8 << 8;
        out[ECX] = cpuid_host_ecx();
        out[EDX] |= c->nr_cpus > 1 ? F_HTT : 0;
        break;
    case 7:
        if (sub != 0)
            memset(out, 0, 4 * sizeof(out[0]));
        break;
    case 0xb:
        cpuid_topology(c, sub, out);
        break;
    case 0x80000001:
        out[ECX] |= c->nr_cpus > 1 ? CMP_LEGACY : 0;
        break;
    case 0x80000002 ... 0x80000004:
        cpuid_brand(leaf, out);
        break;
    case 0x80000007:
        if (c->machine != NULL && c->machine->clock.host_tsc)
            out[EDX] = BIT(8); /* INVTSC */
        break;
    case 0x80000008:
        out[ECX] = cpuid_id_bits(c) << 12 | (c->nr_cpus - 1);
        break;
    default:
        break;
    }
}

void cpuid_query(struct cpu *c, u32 leaf, u32 sub, u32 out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    for (size_t i = 0; i < ARRAY_SIZE(cpuid_rows); i++) {
        if (cpuid_rows[i].leaf == leaf)
            memcpy(out, cpuid_rows[i].out, sizeof(cpuid_rows[i].out));
    }
    cpuid_vary(c, leaf, sub, out);
    if ((leaf == 1 || leaf == 0x80000001) &&
        !(c->s.apic_base & APIC_BASE_ENABLE))
        out[EDX] &= ~F_APIC;
}
