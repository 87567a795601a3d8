/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.c: writes of CR0, CR3, CR4 and EFER, with their checks and effects. */
#include "cpu.h"

#define CR0_DEFINED                                                            \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |   \
     CR0_NW | CR0_CD | CR0_PG)

/* What CPUID offers. Hidden: VME MCE UMIP LA57 PCID XSAVE SMAP. */
#define CR4_OFFERED                                                            \
    (CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR |   \
     CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_SMEP)
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP)

#define EFER_OFFERED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_AUTOIBRS)

#define CR3_RESERVED (~0ull << 40) /* CPUID 80000008: 40 physical bits */

/* Long mode comes and goes with paging. APM vol. 2 14.6, SDM vol. 3A 9.8.5. */
enum exec cr0_write(struct cpu *c, u64 val)
{
    u64 old = c->s.cr0, efer = c->s.efer;

    if (val >> 32 || (val & CR0_PG && !(val & CR0_PE)) ||
        (val & CR0_NW && !(val & CR0_CD)))
        return raise_gp(c);
    val = (val & CR0_DEFINED) | CR0_ET;
    if (val & ~old & CR0_PG) {
        if (!(efer & EFER_LME))
            return EXEC_UNKNOWN; /* 2-level and PAE tables are not offered */
        if (!(c->s.cr4 & CR4_PAE) || c->s.seg[SEG_CS].l)
            return raise_gp(c);
        efer |= EFER_LMA;
    } else if (old & ~val & CR0_PG) {
        if (c->mode == MODE_64)
            return raise_gp(c);
        efer &= ~EFER_LMA;
    }
    c->s.cr0 = val;
    c->s.efer = efer;
    cpu_dirty(c, CPU_SREGS);
    if ((old ^ val) & (CR0_PG | CR0_PE | CR0_WP))
        mmu_flush_all(c);
    if ((old ^ val) & (CR0_PG | CR0_PE))
        cpu_update_mode(c);
    return EXEC_OK;
}

enum exec cr3_write(struct cpu *c, u64 val)
{
    if (!c->long_mode)
        val = (u32)val;
    if (val & CR3_RESERVED)
        return raise_gp(c);
    c->s.cr3 = val;
    cpu_dirty(c, CPU_SREGS);
    mmu_flush_nonglobal(c);
    return EXEC_OK;
}

enum exec cr4_write(struct cpu *c, u64 val)
{
    u64 old = c->s.cr4;

    /* A guest that came from KVM keeps what it has, and may clear it. */
    if (val & ~(CR4_OFFERED | (c->service ? old : 0)))
        return raise_gp(c);
    if (c->long_mode && !(val & CR4_PAE))
        return raise_gp(c);
    c->s.cr4 = val;
    cpu_dirty(c, CPU_SREGS);
    if ((old ^ val) & CR4_PAGING)
        mmu_flush_all(c);
    return EXEC_OK;
}

enum exec efer_write(struct cpu *c, u64 val)
{
    u64 old = c->s.efer;

    if (val & ~(EFER_OFFERED | (c->service ? old : 0)))
        return raise_gp(c);
    val = (val & ~EFER_LMA) | (old & EFER_LMA);
    if ((old ^ val) & EFER_LME && c->s.cr0 & CR0_PG)
        return raise_gp(c);
    c->s.efer = val;
    cpu_dirty(c, CPU_SREGS);
    if ((old ^ val) & EFER_NXE)
        mmu_flush_all(c);
    return EXEC_OK;
}
