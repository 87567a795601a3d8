/* SPDX-License-Identifier: Apache-2.0 */
/* sys_cr.c: control registers, debug registers, XCR0, INVLPG, bases of FS and
 * GS, EFLAGS.AC. */
#include <cpuid.h>

#include "ops.h"
#include "watch.h"

/* ---- control registers -------------------------------------------------- */

/* The decoder knows registers that are not there: what comes here as none of
 * the others is CR8. */
enum exec op_mov_from_cr(struct cpu *c, struct insn *in)
{
    switch (in->reg) {
    case 0:
        in->dst = c->s.cr0;
        break;
    case 2:
        in->dst = c->s.cr2;
        break;
    case 3:
        in->dst = c->s.cr3;
        break;
    case 4:
        in->dst = c->s.cr4;
        break;
    default:
        in->dst = c->service ? c->s.cr8 : lapic_tpr_get(c);
        break;
    }
    return EXEC_OK;
}

static enum exec cr8_write(struct cpu *c, u64 val)
{
    if (val > 15)
        return raise_gp(c);
    c->s.cr8 = val;
    cpu_dirty(c, CPU_SREGS);
    if (!c->service)
        lapic_tpr_set(c, (u8)val);
    return EXEC_OK;
}

/* KVM must see writes that flush translations or change its LAPIC. */
enum exec op_mov_to_cr(struct cpu *c, struct insn *in)
{
    if (in->reg != 2 && cpu_boundary(c))
        return EXEC_BOUNDARY;
    switch (in->reg) {
    case 0:
        return cr0_write(c, in->src);
    case 2:
        c->s.cr2 = in->src;
        cpu_dirty(c, CPU_SREGS);
        return EXEC_OK;
    case 3:
        return cr3_write(c, in->src);
    case 4:
        return cr4_write(c, in->src);
    default:
        return cr8_write(c, in->src);
    }
}

/* PE MP EM TS; PE can be set but not cleared. */
enum exec op_lmsw(struct cpu *c, struct insn *in)
{
    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    return cr0_write(c, (c->s.cr0 & ~0xeull) | (in->src & 0xf));
}

enum exec op_smsw(struct cpu *c, struct insn *in)
{
    in->dst = c->s.cr0;
    return EXEC_OK;
}

enum exec op_clts(struct cpu *c, struct insn *in)
{
    c->s.cr0 &= ~CR0_TS;
    cpu_dirty(c, CPU_SREGS);
    return EXEC_OK;
}

enum exec op_invlpg(struct cpu *c, struct insn *in)
{
    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    cpu_dirty(c, CPU_SREGS); /* writing SREGS makes KVM flush */
    mmu_flush_page(c, in->la);
    return EXEC_OK;
}

/* ---- debug registers: SDM vol. 3B 17.2 ---------------------------------- */

#define DR6_WRITABLE 0xe00full
#define DR6_ONES     0xffff0ff0ull
#define DR6_BD       (1ull << 13)
#define DR7_WRITABLE 0xffff23ffull
#define DR7_ONES     0x400ull

/* The register meant: 4 and 5 are 6 and 7 unless CR4.DE is set. The decoder
 * knows that there are eight. */
static enum exec dr_check(struct cpu *c, unsigned int reg, unsigned int *n)
{
    bool alias = reg == 4 || reg == 5;

    if (alias && c->s.cr4 & CR4_DE)
        return raise_exc(c, EXC_UD);
    *n = alias ? reg + 2 : reg;
    if (!cpu_need(c, CPU_DEBUG))
        return EXEC_UNKNOWN;
    if (c->s.dr7 & DR7_GD) {
        c->exc = (struct exc){.vector = EXC_DB, .dr6 = DR6_BD};
        return EXEC_FAULT;
    }
    return EXEC_OK;
}

enum exec op_mov_from_dr(struct cpu *c, struct insn *in)
{
    unsigned int n;
    enum exec r = dr_check(c, in->reg, &n);

    if (r == EXEC_OK)
        in->dst = n < 4 ? c->s.dr[n] : n == 6 ? c->s.dr6 : c->s.dr7;
    return r;
}

enum exec op_mov_to_dr(struct cpu *c, struct insn *in)
{
    unsigned int n;
    enum exec r = dr_check(c, in->reg, &n);

    if (r != EXEC_OK)
        return r;
    if (n >= 6 && in->src >> 32)
        return raise_gp(c);
    if (n < 4)
        c->s.dr[n] = in->src;
    else if (n == 6)
        c->s.dr6 = (in->src & DR6_WRITABLE) | DR6_ONES;
    else
        c->s.dr7 = (in->src & DR7_WRITABLE) | DR7_ONES;
    cpu_dirty(c, CPU_DEBUG);
    return EXEC_OK;
}

/* ---- XCR0: hidden from whole guests, alive in the service --------------- */

static enum exec xcr_check(struct cpu *c)
{
    if (!(c->s.cr4 & CR4_OSXSAVE))
        return raise_exc(c, EXC_UD);
    if ((u32)c->s.gpr[GPR_RCX] != 0)
        return raise_gp(c);
    return cpu_need(c, CPU_XSAVE) ? EXEC_OK : EXEC_UNKNOWN;
}

enum exec op_xgetbv(struct cpu *c, struct insn *in)
{
    enum exec r = xcr_check(c);

    if (r != EXEC_OK)
        return r;
    c->s.gpr[GPR_RAX] = (u32)c->s.xcr0;
    c->s.gpr[GPR_RDX] = c->s.xcr0 >> 32;
    return EXEC_OK;
}

/* x87 always; AVX needs SSE, the three of AVX-512 go together and need AVX. */
static bool xcr0_ok(u64 val)
{
    u32 eax = 0, ebx, ecx, edx = 0;
    u64 avx512 = val & 0xe0;

    __get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx);
    return !(val & ~((u64)edx << 32 | eax)) && val & 1 && !((val & 6) == 4) &&
           (!avx512 || (avx512 == 0xe0 && val & 4));
}

enum exec op_xsetbv(struct cpu *c, struct insn *in)
{
    u64 val = c->s.gpr[GPR_RDX] << 32 | (u32)c->s.gpr[GPR_RAX];
    enum exec r = xcr_check(c);

    if (r != EXEC_OK)
        return r;
    if (c->cpl != 0 || !xcr0_ok(val))
        return raise_gp(c);
    c->s.xcr0 = val;
    cpu_dirty(c, CPU_XSAVE);
    return EXEC_OK;
}

/* ---- FS and GS ---------------------------------------------------------- */

enum exec op_swapgs(struct cpu *c, struct insn *in)
{
    u64 base = c->s.seg[SEG_GS].base;

    if (!cpu_need(c, CPU_MSRS))
        return EXEC_UNKNOWN;
    c->s.seg[SEG_GS].base = c->s.msr.kernel_gs_base;
    c->s.msr.kernel_gs_base = base;
    cpu_dirty(c, CPU_SREGS | CPU_MSRS);
    return EXEC_OK;
}

enum exec op_fsgsbase(struct cpu *c, struct insn *in)
{
    u64 *base = &c->s.seg[in->reg & 1 ? SEG_GS : SEG_FS].base;

    if (!(c->s.cr4 & CR4_FSGSBASE))
        return raise_exc(c, EXC_UD);
    if (!(in->reg & 2)) {
        in->dst = *base;
        return EXEC_OK;
    }
    if (!is_canonical(in->src))
        return raise_gp(c);
    *base = in->src;
    cpu_dirty(c, CPU_SREGS);
    return EXEC_OK;
}

/* ---- EFLAGS.AC ---------------------------------------------------------- */

/* SMAP is hidden from whole guests: no such instruction. */
enum exec op_clac_stac(struct cpu *c, struct insn *in)
{
    if (!c->service || c->cpl != 0)
        return raise_exc(c, EXC_UD);
    c->s.rflags &= ~RFLAGS_AC;
    if (in->modrm & 1)
        c->s.rflags |= RFLAGS_AC;
    return EXEC_OK;
}
