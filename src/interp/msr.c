/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msr.c: RDMSR and WRMSR behind the privilege check. What is not listed is
 * #GP(0); Linux tries such registers with a fix-up and goes on.
 */
#include "platform.h"

enum msr_number {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_PATCH_LEVEL = 0x8b,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_PAT = 0x277,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC = 0x800,
    MSR_X2APIC_LAST = 0x83f,
    MSR_KVM_WALL_CLOCK = 0x4b564d00,
    MSR_KVM_SYSTEM_TIME = 0x4b564d01,
    MSR_KVM_PV_EOI = 0x4b564d04,
    MSR_EFER = 0xc0000080,
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_CSTAR = 0xc0000083,
    MSR_SFMASK = 0xc0000084,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE = 0xc0000101,
    MSR_KERNEL_GS_BASE = 0xc0000102,
    MSR_TSC_AUX = 0xc0000103,
    MSR_SYSCFG = 0xc0010010,
    MSR_HWCR = 0xc0010015,
    MSR_NB_CFG = 0xc001001f,
    MSR_DE_CFG = 0xc0011029,
};

#define HWCR_TSC_FREQ_SEL (1ull << 24) /* or Linux calls the TSC unreliable */
#define DE_CFG_LFENCE     (1ull << 1)  /* LFENCE serialises */

/* What a write does to the field. */
enum msr_rule {
    ANY,
    CANONICAL,
    SIGN_EXTEND,
    LOW32,
    PAT,
    EFFECT, /* and more: msr_write() */
    SERVED, /* likewise, and under service it is KVM's */
};

/* Registers that are read from a field of the state. */
static const struct msr_field {
    u32 msr;
    u16 offset; /* in struct cpu_state */
    enum cpu_part part;
    enum msr_rule rule;
} msr_fields[] = {
/* clang-format off */
#define FIELD(f) offsetof(struct cpu_state, f)
    {MSR_APIC_BASE,       FIELD(apic_base),           CPU_SREGS, EFFECT},
    {MSR_SYSENTER_CS,     FIELD(msr.sysenter_cs),     CPU_MSRS,  LOW32},
    {MSR_SYSENTER_ESP,    FIELD(msr.sysenter_esp),    CPU_MSRS,  SIGN_EXTEND},
    {MSR_SYSENTER_EIP,    FIELD(msr.sysenter_eip),    CPU_MSRS,  SIGN_EXTEND},
    {MSR_PAT,             FIELD(msr.pat),             CPU_MSRS,  PAT},
    {MSR_TSC_DEADLINE,    FIELD(msr.tsc_deadline),    CPU_MSRS,  SERVED},
    {MSR_KVM_WALL_CLOCK,  FIELD(msr.kvm_wall_clock),  CPU_MSRS,  SERVED},
    {MSR_KVM_SYSTEM_TIME, FIELD(msr.kvm_system_time), CPU_MSRS,  SERVED},
    {MSR_KVM_PV_EOI,      FIELD(msr.kvm_pv_eoi),      CPU_MSRS,  SERVED},
    {MSR_EFER,            FIELD(efer),                CPU_SREGS, EFFECT},
    {MSR_STAR,            FIELD(msr.star),            CPU_MSRS,  ANY},
    {MSR_LSTAR,           FIELD(msr.lstar),           CPU_MSRS,  CANONICAL},
    {MSR_CSTAR,           FIELD(msr.cstar),           CPU_MSRS,  CANONICAL},
    {MSR_SFMASK,          FIELD(msr.sfmask),          CPU_MSRS,  LOW32},
    {MSR_FS_BASE,         FIELD(seg[SEG_FS].base),    CPU_SREGS, CANONICAL},
    {MSR_GS_BASE,         FIELD(seg[SEG_GS].base),    CPU_SREGS, CANONICAL},
    {MSR_KERNEL_GS_BASE,  FIELD(msr.kernel_gs_base),  CPU_MSRS,  CANONICAL},
    {MSR_TSC_AUX,         FIELD(msr.tsc_aux),         CPU_MSRS,  LOW32},
#undef FIELD
    /* clang-format on */
};

static const struct msr_field *msr_field(u32 msr)
{
    for (size_t i = 0; i < ARRAY_SIZE(msr_fields); i++) {
        if (msr_fields[i].msr == msr)
            return &msr_fields[i];
    }
    return NULL;
}

static u64 *msr_field_at(struct cpu *c, const struct msr_field *f)
{
    return (u64 *)(void *)((u8 *)&c->s + f->offset);
}

/* Each byte a memory type, of which 2 and 3 do not exist: APM vol. 2 7.8.1 */
static bool msr_pat_valid(u64 val)
{
    for (int i = 0; i < 8; i++, val >>= 8) {
        u8 type = (u8)val;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static bool msr_field_check(enum msr_rule rule, u64 *val)
{
    switch (rule) {
    case CANONICAL:
        return is_canonical(*val);
    case SIGN_EXTEND: /* AMD has 32 bits here; no fault, as under KVM */
        *val = (u64)((s64)(*val << 16) >> 16);
        return true;
    case LOW32:
        *val &= 0xffffffff;
        return true;
    case PAT:
        return msr_pat_valid(*val);
    default:
        return true;
    }
}

/* Registers of the platform, which KVM has under service. */
static bool msr_platform_write(struct cpu *c, u32 msr, u64 val)
{
    switch (msr) {
    case MSR_TSC:
        time_tsc_set(c, val);
        return true;
    case MSR_APIC_BASE:
        return lapic_base_write(c, val);
    case MSR_TSC_DEADLINE:
        timer_set_deadline(c, val);
        return true;
    case MSR_KVM_WALL_CLOCK:
        time_wallclock_set(c, val);
        return true;
    case MSR_KVM_SYSTEM_TIME:
        time_kvmclock_set(c, val);
        return true;
    case MSR_KVM_PV_EOI:
        return pv_eoi_set(c, val);
    case MSR_X2APIC ... MSR_X2APIC_LAST:
        return lapic_msr_write(c, msr, val);
    default:
        return false;
    }
}

/* Neither ours nor in the state: without a LAPIC it is for KVM to decide. */
static enum exec msr_nowhere(struct cpu *c)
{
    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    return c->service ? EXEC_UNKNOWN : raise_gp(c);
}

enum exec msr_read(struct cpu *c, u32 msr, u64 *val)
{
    const struct msr_field *f = msr_field(msr);

    if (f != NULL && (f->rule != SERVED || c->lapic != NULL)) {
        if (!cpu_need(c, f->part))
            return EXEC_UNKNOWN;
        *val = *msr_field_at(c, f);
        return EXEC_OK;
    }
    switch (msr) {
    case MSR_TSC:
        *val = time_tsc(c);
        return EXEC_OK;
    case MSR_PATCH_LEVEL:
    case MSR_SYSCFG:
    case MSR_NB_CFG: /* Linux turns on PCI access there without a fix-up */
        *val = 0;
        return EXEC_OK;
    case MSR_HWCR:
        *val = HWCR_TSC_FREQ_SEL;
        return EXEC_OK;
    case MSR_DE_CFG:
        *val = DE_CFG_LFENCE;
        return EXEC_OK;
    case MSR_X2APIC ... MSR_X2APIC_LAST:
        if (c->lapic != NULL && lapic_msr_read(c, msr, val))
            return EXEC_OK;
        break;
    default:
        break;
    }
    return msr_nowhere(c);
}

enum exec msr_write(struct cpu *c, u32 msr, u64 val)
{
    const struct msr_field *f = msr_field(msr);

    if (f != NULL && f->rule < EFFECT) {
        if (!cpu_need(c, f->part))
            return EXEC_UNKNOWN;
        if (!msr_field_check(f->rule, &val))
            return raise_gp(c);
        *msr_field_at(c, f) = val;
        cpu_dirty(c, f->part);
        return EXEC_OK;
    }
    switch (msr) {
    case MSR_EFER:
        return efer_write(c, val);
    case MSR_HWCR: /* taken and forgotten */
    case MSR_NB_CFG:
    case MSR_DE_CFG:
        return EXEC_OK;
    default:
        if (c->lapic != NULL && msr_platform_write(c, msr, val))
            return EXEC_OK;
        return msr_nowhere(c);
    }
}
