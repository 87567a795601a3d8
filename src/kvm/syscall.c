/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall.c: a repair. Some software KVM carries out SYSCALL only in part: RCX,
 * R11, RFLAGS and RIP change, CPL and CS stay those of the program. The guest
 * then faults on the first byte behind LSTAR, which is the kernel's, and KVM
 * delivers a page fault whose frame says all that is needed to do it right.
 *
 * Its handler begins with CLAC in kernels that know SMAP, which the same KVM
 * refuses; so we come by exactly there. A guest that builds such a frame by
 * itself gets what it would have got by executing SYSCALL.
 */
#include <sys/ioctl.h>

#include "kvm.h"

#define PF_VECTOR 14
#define PF_USER   (1u << 2)

struct pf_frame { /* SDM vol. 3A figure 6-9 */
    u64 error, rip, cs, rflags, rsp, ss;
};

/* Read guest memory at a linear address that crosses no page. */
static bool syscall_read(struct kvm_vcpu *v, u64 la, void *buf, u64 len)
{
    struct kvm_translation tr = {.linear_address = la};

    return ioctl(v->fd, KVM_TRANSLATE, &tr) == 0 && tr.valid &&
           mem_read(v->kvm->env.mem, tr.physical_address, buf, len) == 0;
}

/* Is RIP at the first instruction of the guest's page fault handler? */
static bool syscall_in_handler(struct kvm_vcpu *v, const struct cpu_state *s)
{
    u8 gate[16]; /* SDM vol. 3A figure 6-8; a table is rarely at an odd place */
    u64 handler;

    if (s->idt.limit < (PF_VECTOR + 1) * sizeof(gate) - 1 ||
        !syscall_read(v, s->idt.base + PF_VECTOR * sizeof(gate), gate,
                      sizeof(gate)))
        return false;
    handler = le16_get(gate) | (u64)le16_get(gate + 6) << 16 |
              (u64)le32_get(gate + 8) << 32;
    return s->rip == handler;
}

/* A fetch, since it faulted on its own address; the error code only says so
 * with NX or SMEP. */
static bool syscall_frame(struct kvm_vcpu *v, const struct cpu_state *s,
                          struct pf_frame *f)
{
    if (!syscall_read(v, s->gpr[GPR_RSP], f, sizeof(*f)))
        return false;
    return (f->error & PF_USER) && f->rip == s->cr2 && (f->cs & 3) == 3;
}

/* APM vol. 3, SYSCALL: flat segments at CPL 0, whatever the GDT says. */
static void syscall_segments(struct cpu_state *s)
{
    struct cpu_seg *cs = &s->seg[SEG_CS], *ss = &s->seg[SEG_SS];

    *cs = (struct cpu_seg){
        .limit = ~0u,
        .sel = (u16)(s->msr.star >> 32) & 0xfffc,
        .type = 11,
        .s = 1,
        .present = 1,
        .l = 1,
        .g = 1,
    };
    *ss = *cs;
    ss->sel += 8;
    ss->type = 3;
    ss->l = 0;
    ss->db = 1;
}

bool kvm_syscall_repair(struct kvm_vcpu *v)
{
    struct engine_vcpu *ev = (struct engine_vcpu *)v;
    struct pf_frame f;
    struct cpu_state s;

    if (kvm_get_state(ev, &s, CPU_REGS | CPU_SREGS) < 0 ||
        s.seg[SEG_SS].dpl != 0 || !(s.cr2 >> 63) || !(s.efer & EFER_SCE) ||
        !syscall_frame(v, &s, &f) || !syscall_in_handler(v, &s) ||
        kvm_msrs_get(v, &s.msr) < 0 ||
        (f.rip != s.msr.lstar && f.rip != s.msr.cstar))
        return false;
    syscall_segments(&s);
    s.rip = f.rip;
    s.rflags = f.rflags & ~RFLAGS_RF;
    s.gpr[GPR_RSP] = f.rsp;
    return kvm_set_state(ev, &s, CPU_REGS | CPU_SREGS) == 0;
}
