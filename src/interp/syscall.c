/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall.c: SYSCALL, SYSRET, SYSENTER, SYSEXIT. No descriptor is read: the
 * segments get clean flat attributes. Where the vendors differ, the guest's
 * CPUID decides. APM vol. 2 6.1, SDM vol. 3A 5.8.7, 5.8.8.
 */
#include <cpuid.h>

#include "ops.h"
#include "seg.h"

/* A whole guest is told AMD; under KVM it knows the host's vendor. */
bool cpu_is_intel(const struct cpu *c)
{
    u32 eax, ebx = 0, ecx, edx;

    if (!c->service)
        return false;
    __get_cpuid(0, &eax, &ebx, &ecx, &edx);
    return ebx == signature_INTEL_ebx;
}

static struct cpu_seg syscall_seg(u64 sel, u8 cpl, u8 type, bool wide)
{
    return (struct cpu_seg){
        .limit = 0xffffffff,
        .sel = (u16)((sel & 0xfffc) | cpl),
        .type = type | TYPE_WRITE | TYPE_ACCESSED,
        .s = 1,
        .dpl = cpl,
        .present = 1,
        .l = wide,
        .db = !wide,
        .g = 1,
    };
}

/* On at rip with CPL cpl, which becomes the selectors' RPL. wide: in 64-bit
 * code. */
static void syscall_jump(struct cpu *c, u8 cpl, u64 cs, u64 ss, bool wide,
                         u64 rip)
{
    c->s.seg[SEG_CS] = syscall_seg(cs, cpl, TYPE_CODE, wide);
    c->s.seg[SEG_SS] = syscall_seg(ss, cpl, 0, false);
    c->next_rip = rip;
    cpu_update_mode(c);
    cpu_dirty(c, CPU_REGS | CPU_SREGS);
}

enum exec op_syscall(struct cpu *c, struct insn *in)
{
    const struct cpu_msrs *m = &c->s.msr;
    bool compat = c->mode != MODE_64;
    u64 flags = flags_get(c) & ~RFLAGS_RF, cs;

    if (!(c->s.efer & EFER_SCE))
        return raise_exc(c, EXC_UD);
    if (!c->long_mode)
        return EXEC_UNKNOWN; /* legacy SYSCALL of AMD processors */
    if (compat && cpu_is_intel(c))
        return raise_exc(c, EXC_UD);
    if (!cpu_need(c, CPU_MSRS))
        return EXEC_UNKNOWN;
    c->s.gpr[GPR_RCX] = c->next_rip;
    c->s.gpr[GPR_R11] = flags;
    c->no_trap = flags & RFLAGS_TF & m->sfmask;
    flags_set(c, flags & ~m->sfmask);
    cs = m->star >> 32;
    syscall_jump(c, 0, cs, cs + 8, true, compat ? m->cstar : m->lstar);
    return EXEC_OK;
}

enum exec op_sysret(struct cpu *c, struct insn *in)
{
    u64 rip = c->s.gpr[GPR_RCX], sel;

    if (!(c->s.efer & EFER_SCE))
        return raise_exc(c, EXC_UD);
    if (!c->long_mode)
        return EXEC_UNKNOWN;
    if (!cpu_need(c, CPU_MSRS))
        return EXEC_UNKNOWN;
    /* AMD enters CPL 3 first and faults there, at the fetch. */
    if (in->size == 8 && !is_canonical(rip) && cpu_is_intel(c))
        return raise_gp(c);
    sel = c->s.msr.star >> 48;
    flags_set(c, c->s.gpr[GPR_R11] & 0x3c7fd7);
    if (in->size == 8)
        syscall_jump(c, 3, sel + 16, sel + 8, true, rip);
    else
        syscall_jump(c, 3, sel, sel + 8, false, (u32)rip);
    return EXEC_OK;
}

enum exec op_sysenter(struct cpu *c, struct insn *in)
{
    const struct cpu_msrs *m = &c->s.msr;
    u64 mask = size_mask(c->long_mode ? 8 : 4), cs;

    if (!(c->s.cr0 & CR0_PE))
        return raise_gp(c);
    if (c->long_mode && !cpu_is_intel(c))
        return raise_exc(c, EXC_UD);
    if (!cpu_need(c, CPU_MSRS))
        return EXEC_UNKNOWN;
    if (sel_is_null((u16)m->sysenter_cs))
        return raise_gp(c);
    c->s.rflags &= ~(RFLAGS_IF | RFLAGS_VM | RFLAGS_RF);
    c->s.gpr[GPR_RSP] = m->sysenter_esp & mask;
    cs = m->sysenter_cs;
    syscall_jump(c, 0, cs, cs + 8, c->long_mode, m->sysenter_eip & mask);
    return EXEC_OK;
}

enum exec op_sysexit(struct cpu *c, struct insn *in)
{
    u64 rip = c->s.gpr[GPR_RDX] & size_mask(in->size);
    u64 rsp = c->s.gpr[GPR_RCX] & size_mask(in->size);
    u64 cs;

    if (!(c->s.cr0 & CR0_PE))
        return raise_gp(c);
    if (c->long_mode && !cpu_is_intel(c))
        return raise_exc(c, EXC_UD);
    if (!cpu_need(c, CPU_MSRS))
        return EXEC_UNKNOWN;
    cs = c->s.msr.sysenter_cs;
    if (sel_is_null((u16)cs) || !is_canonical(rip) || !is_canonical(rsp))
        return raise_gp(c);
    cs += in->size == 8 ? 32 : 16;
    syscall_jump(c, 3, cs, cs + 8, in->size == 8, rip);
    c->s.gpr[GPR_RSP] = rsp;
    return EXEC_OK;
}
