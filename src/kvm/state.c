/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c: cpu_state <-> KVM. Registers, segments and events go through the
 * shared page once the vCPU has started to need visits of the interpreter:
 * one or two microseconds instead of three ioctls each way.
 */
#include <sys/ioctl.h>

#include "kvm.h"
#include "mote/log.h"

/* SDM vol. 1, 13.4.2: XSTATE_BV, in the header behind the legacy region */
#define XSAVE_LEGACY     512
#define XSAVE_BV_X87_SSE 3u

static int kvm_ioctl(struct kvm_vcpu *v, unsigned long op, void *arg,
                     const char *what)
{
    if (ioctl(v->fd, op, arg) < 0)
        return fail(-errno, "kvm: vCPU %u: %s", v->id, what);
    return 0;
}

void kvm_state_forget(struct kvm_vcpu *v)
{
    v->synced = 0;
    v->mp_known = false;
    v->xsave_known = false;
    v->msrs_known = false;
}

/* ---- general registers ------------------------------------------------ */

static void kvm_regs_get(const struct kvm_regs *k, struct cpu_state *s)
{
    const u64 gpr[] = {k->rax, k->rcx, k->rdx, k->rbx, k->rsp, k->rbp,
                       k->rsi, k->rdi, k->r8,  k->r9,  k->r10, k->r11,
                       k->r12, k->r13, k->r14, k->r15};

    memcpy(s->gpr, gpr, sizeof(gpr));
    s->gpr[GPR_NONE] = 0;
    s->rip = k->rip;
    s->rflags = k->rflags;
}

static void kvm_regs_put(const struct cpu_state *s, struct kvm_regs *k)
{
    const u64 *g = s->gpr;

    *k = (struct kvm_regs){
        .rax = g[GPR_RAX],
        .rcx = g[GPR_RCX],
        .rdx = g[GPR_RDX],
        .rbx = g[GPR_RBX],
        .rsp = g[GPR_RSP],
        .rbp = g[GPR_RBP],
        .rsi = g[GPR_RSI],
        .rdi = g[GPR_RDI],
        .r8 = g[GPR_R8],
        .r9 = g[GPR_R9],
        .r10 = g[GPR_R10],
        .r11 = g[GPR_R11],
        .r12 = g[GPR_R12],
        .r13 = g[GPR_R13],
        .r14 = g[GPR_R14],
        .r15 = g[GPR_R15],
        .rip = s->rip,
        .rflags = s->rflags | RFLAGS_ONE,
    };
}

/* ---- segments, tables, control registers ------------------------------ */

static struct cpu_seg kvm_seg_get(const struct kvm_segment *k)
{
    return (struct cpu_seg){
        .base = k->base,
        .limit = k->limit,
        .sel = k->selector,
        .type = k->type,
        .s = k->s,
        .dpl = k->dpl,
        .present = k->present,
        .avl = k->avl,
        .l = k->l,
        .db = k->db,
        .g = k->g,
        .unusable = k->unusable,
    };
}

static struct kvm_segment kvm_seg_put(const struct cpu_seg *s)
{
    return (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->sel,
        .type = s->type,
        .s = s->s,
        .dpl = s->dpl,
        .present = s->present,
        .avl = s->avl,
        .l = s->l,
        .db = s->db,
        .g = s->g,
        .unusable = s->unusable,
    };
}

static void kvm_sregs_get(const struct kvm_sregs *k, struct cpu_state *s)
{
    s->seg[SEG_ES] = kvm_seg_get(&k->es);
    s->seg[SEG_CS] = kvm_seg_get(&k->cs);
    s->seg[SEG_SS] = kvm_seg_get(&k->ss);
    s->seg[SEG_DS] = kvm_seg_get(&k->ds);
    s->seg[SEG_FS] = kvm_seg_get(&k->fs);
    s->seg[SEG_GS] = kvm_seg_get(&k->gs);
    s->ldt = kvm_seg_get(&k->ldt);
    s->tr = kvm_seg_get(&k->tr);
    s->gdt = (struct cpu_table){k->gdt.base, k->gdt.limit};
    s->idt = (struct cpu_table){k->idt.base, k->idt.limit};
    s->cr0 = k->cr0;
    s->cr2 = k->cr2;
    s->cr3 = k->cr3;
    s->cr4 = k->cr4;
    s->cr8 = k->cr8;
    s->efer = k->efer;
    s->apic_base = k->apic_base;
}

/* The bitmap of accepted interrupts stays empty: CPU_EVENTS has them. */
static void kvm_sregs_put(const struct cpu_state *s, struct kvm_sregs *k)
{
    *k = (struct kvm_sregs){
        .es = kvm_seg_put(&s->seg[SEG_ES]),
        .cs = kvm_seg_put(&s->seg[SEG_CS]),
        .ss = kvm_seg_put(&s->seg[SEG_SS]),
        .ds = kvm_seg_put(&s->seg[SEG_DS]),
        .fs = kvm_seg_put(&s->seg[SEG_FS]),
        .gs = kvm_seg_put(&s->seg[SEG_GS]),
        .ldt = kvm_seg_put(&s->ldt),
        .tr = kvm_seg_put(&s->tr),
        .gdt = {.base = s->gdt.base, .limit = s->gdt.limit},
        .idt = {.base = s->idt.base, .limit = s->idt.limit},
        .cr0 = s->cr0,
        .cr2 = s->cr2,
        .cr3 = s->cr3,
        .cr4 = s->cr4,
        .cr8 = s->cr8,
        .efer = s->efer,
        .apic_base = s->apic_base,
    };
}

/* ---- events ----------------------------------------------------------- */

static void kvm_events_get(const struct kvm_vcpu_events *k, struct cpu_state *s)
{
    s->event = (struct cpu_event){
        .exc_valid = k->exception.injected,
        .exc_vector = k->exception.nr,
        .exc_has_error = k->exception.has_error_code,
        .exc_error = k->exception.error_code,
        .exc_soft = k->exception.nr == 3 || k->exception.nr == 4,
        .irq_valid = k->interrupt.injected,
        .irq_vector = k->interrupt.nr,
        .irq_soft = k->interrupt.soft,
        .nmi_injected = k->nmi.injected,
        .nmi_pending = k->nmi.pending != 0,
        .nmi_masked = k->nmi.masked,
        .shadow_sti = !!(k->interrupt.shadow & KVM_X86_SHADOW_INT_STI),
        .shadow_mov_ss = !!(k->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS),
    };
    if (!s->event.exc_valid)
        s->event.exc_vector = s->event.exc_has_error = s->event.exc_soft = 0;
    if (!s->event.exc_has_error)
        s->event.exc_error = 0;
    if (!s->event.irq_valid)
        s->event.irq_vector = s->event.irq_soft = 0;
}

static void kvm_events_put(const struct cpu_state *s, struct kvm_vcpu_events *k)
{
    const struct cpu_event *e = &s->event;

    *k = (struct kvm_vcpu_events){
        .exception.injected = e->exc_valid,
        .exception.nr = e->exc_vector,
        .exception.has_error_code = e->exc_has_error,
        .exception.error_code = e->exc_error,
        .interrupt.injected = e->irq_valid,
        .interrupt.nr = e->irq_vector,
        .interrupt.soft = e->irq_soft,
        .interrupt.shadow =
            (u8)((e->shadow_sti ? KVM_X86_SHADOW_INT_STI : 0) |
                 (e->shadow_mov_ss ? KVM_X86_SHADOW_INT_MOV_SS : 0)),
        .nmi.injected = e->nmi_injected,
        .nmi.pending = e->nmi_pending,
        .nmi.masked = e->nmi_masked,
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
    };
}

static u32 kvm_mp_of(u32 state)
{
    switch (state) {
    case KVM_MP_STATE_UNINITIALIZED:
    case KVM_MP_STATE_INIT_RECEIVED:
        return MP_WAIT_SIPI;
    case KVM_MP_STATE_HALTED:
    case KVM_MP_STATE_AP_RESET_HOLD:
        return MP_HALTED;
    default:
        return MP_RUNNABLE;
    }
}

static int kvm_mp_get(struct kvm_vcpu *v, struct cpu_state *s)
{
    struct kvm_mp_state mp = {.mp_state = v->mp_state};

    if (!v->mp_known && kvm_ioctl(v, KVM_GET_MP_STATE, &mp, "get MP state") < 0)
        return -EIO;
    v->mp_state = mp.mp_state;
    v->mp_known = true;
    s->mp_state = kvm_mp_of(mp.mp_state);
    return 0;
}

/* INIT_RECEIVED also takes an INIT; UNINITIALIZED does not take a SIPI. */
static int kvm_mp_put(struct kvm_vcpu *v, const struct cpu_state *s)
{
    struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};

    if (v->mp_known && kvm_mp_of(v->mp_state) == s->mp_state)
        return 0;
    if (s->mp_state == MP_HALTED)
        mp.mp_state = KVM_MP_STATE_HALTED;
    else if (s->mp_state == MP_WAIT_SIPI)
        mp.mp_state = KVM_MP_STATE_INIT_RECEIVED;
    v->mp_known = false;
    return kvm_ioctl(v, KVM_SET_MP_STATE, &mp, "set MP state");
}

/* ---- the three groups of the shared page ------------------------------ */

static const struct kvm_group {
    u32 part, sync;
    unsigned long get, set;
    const char *name;
} kvm_groups[] = {
    {CPU_REGS, KVM_SYNC_X86_REGS, KVM_GET_REGS, KVM_SET_REGS, "registers"},
    {CPU_SREGS, KVM_SYNC_X86_SREGS, KVM_GET_SREGS, KVM_SET_SREGS,
     "special registers"},
    {CPU_EVENTS, KVM_SYNC_X86_EVENTS, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
     "events"},
};

static void *kvm_group_data(struct kvm_vcpu *v, const struct kvm_group *g)
{
    switch (g->part) {
    case CPU_REGS:
        return &v->run->s.regs.regs;
    case CPU_SREGS:
        return &v->run->s.regs.sregs;
    default:
        return &v->run->s.regs.events;
    }
}

/* Whatever is not in the shared page yet is read into it. */
static int kvm_group_get(struct kvm_vcpu *v, const struct kvm_group *g,
                         struct cpu_state *s)
{
    void *data = kvm_group_data(v, g);

    if (!(v->synced & g->sync)) {
        if (kvm_ioctl(v, g->get, data, g->name) < 0)
            return -EIO;
        v->synced |= g->sync;
    }
    if (g->part == CPU_REGS)
        kvm_regs_get(data, s);
    else if (g->part == CPU_SREGS)
        kvm_sregs_get(data, s);
    else
        kvm_events_get(data, s);
    return 0;
}

/* With later set, left in the shared page for the next entry where KVM looks
 * there. */
static int kvm_group_put(struct kvm_vcpu *v, const struct kvm_group *g,
                         const struct cpu_state *s, bool later)
{
    void *data = kvm_group_data(v, g);

    if (g->part == CPU_REGS)
        kvm_regs_put(s, data);
    else if (g->part == CPU_SREGS)
        kvm_sregs_put(s, data);
    else
        kvm_events_put(s, data);
    if (later && (v->run->kvm_valid_regs & g->sync)) {
        v->run->kvm_dirty_regs |= g->sync;
        v->synced |= g->sync;
        return 0;
    }
    v->run->kvm_dirty_regs &= ~g->sync;
    v->synced &= ~g->sync; /* KVM may have made something else of it */
    return kvm_ioctl(v, g->set, data, g->name);
}

/* ---- the rest --------------------------------------------------------- */

static int kvm_debug_get(struct kvm_vcpu *v, struct cpu_state *s)
{
    struct kvm_debugregs d;

    if (kvm_ioctl(v, KVM_GET_DEBUGREGS, &d, "get debug registers") < 0)
        return -EIO;
    for (unsigned int i = 0; i < ARRAY_SIZE(s->dr); i++)
        s->dr[i] = d.db[i];
    s->dr6 = d.dr6;
    s->dr7 = d.dr7;
    return 0;
}

static int kvm_debug_put(struct kvm_vcpu *v, const struct cpu_state *s)
{
    struct kvm_debugregs d = {.dr6 = s->dr6, .dr7 = s->dr7};

    for (unsigned int i = 0; i < ARRAY_SIZE(s->dr); i++)
        d.db[i] = s->dr[i];
    return kvm_ioctl(v, KVM_SET_DEBUGREGS, &d, "set debug registers");
}

/* KVM fills the legacy region also where XSTATE_BV says "initial", so the two
 * bits can be set: then the region is what counts, for whoever changes it. */
static int kvm_xsave_read(struct kvm_vcpu *v)
{
    unsigned long op = v->kvm->has_xsave2 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE;
    u8 *area = (u8 *)v->xsave->region;

    if (v->xsave_known)
        return 0;
    if (kvm_ioctl(v, op, v->xsave, "get XSAVE state") < 0)
        return -EIO;
    area[XSAVE_LEGACY] |= XSAVE_BV_X87_SSE;
    v->xsave_known = true;
    return 0;
}

static int kvm_xcr0_get(struct kvm_vcpu *v, struct cpu_state *s)
{
    struct kvm_xcrs x = {.nr_xcrs = 0};

    if (kvm_ioctl(v, KVM_GET_XCRS, &x, "get XCR0") < 0)
        return -EIO;
    s->xcr0 = x.nr_xcrs ? x.xcrs[0].value : 1;
    return 0;
}

static int kvm_xcr0_put(struct kvm_vcpu *v, const struct cpu_state *s)
{
    struct kvm_xcrs x = {
        .nr_xcrs = 1,
        .xcrs[0] = {.xcr = 0, .value = s->xcr0 | 1}, /* x87 cannot be off */
    };

    return kvm_ioctl(v, KVM_SET_XCRS, &x, "set XCR0");
}

/* KVM_GET_FPU would be shorter, but takes no notice of XSTATE_BV: it returns
 * what was in memory before the component went back to its initial state. */
static int kvm_fpu_get(struct kvm_vcpu *v, struct cpu_state *s, u32 parts)
{
    const u8 *area = (const u8 *)v->xsave->region;
    int r = kvm_xsave_read(v);

    if (r < 0)
        return r;
    if (parts & CPU_FPU)
        memcpy(s->xsave, area, XSAVE_LEGACY);
    if (!(parts & CPU_XSAVE))
        return 0;
    memcpy(s->xsave + XSAVE_LEGACY, area + XSAVE_LEGACY,
           XSAVE_SIZE - XSAVE_LEGACY);
    return kvm_xcr0_get(v, s);
}

static int kvm_fpu_put(struct kvm_vcpu *v, const struct cpu_state *s, u32 parts)
{
    u8 *area = (u8 *)v->xsave->region;
    int r = kvm_xsave_read(v); /* what parts does not cover stays */

    if (r == 0 && (parts & CPU_XSAVE)) {
        memcpy(area + XSAVE_LEGACY, s->xsave + XSAVE_LEGACY,
               XSAVE_SIZE - XSAVE_LEGACY);
        r = kvm_xcr0_put(v, s);
    }
    if (r < 0)
        return r;
    if (parts & CPU_FPU)
        memcpy(area, s->xsave, XSAVE_LEGACY);
    area[XSAVE_LEGACY] |= XSAVE_BV_X87_SSE;
    return kvm_ioctl(v, KVM_SET_XSAVE, v->xsave, "set XSAVE state");
}

static int kvm_lapic_get(struct kvm_vcpu *v, struct cpu_state *s)
{
    struct kvm_lapic_state l;

    _Static_assert(sizeof(l.regs) == sizeof(s->lapic), "LAPIC page");
    if (kvm_ioctl(v, KVM_GET_LAPIC, &l, "get local APIC") < 0)
        return -EIO;
    memcpy(s->lapic, l.regs, sizeof(s->lapic));
    return 0;
}

static int kvm_lapic_put(struct kvm_vcpu *v, const struct cpu_state *s)
{
    struct kvm_lapic_state l;

    memcpy(l.regs, s->lapic, sizeof(s->lapic));
    return kvm_ioctl(v, KVM_SET_LAPIC, &l, "set local APIC");
}

/* ---- engine_ops ------------------------------------------------------- */

int kvm_get_state(struct engine_vcpu *ev, struct cpu_state *s, u32 parts)
{
    struct kvm_vcpu *v = kvm_vcpu_of(ev);
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kvm_groups) && r == 0; i++)
        if (parts & kvm_groups[i].part)
            r = kvm_group_get(v, &kvm_groups[i], s);
    if (r == 0 && (parts & CPU_EVENTS))
        r = kvm_mp_get(v, s);
    if (r == 0 && (parts & CPU_DEBUG))
        r = kvm_debug_get(v, s);
    if (r == 0 && (parts & (CPU_FPU | CPU_XSAVE)))
        r = kvm_fpu_get(v, s, parts);
    if (r == 0 && (parts & CPU_LAPIC))
        r = kvm_lapic_get(v, s);
    if (r == 0 && (parts & CPU_MSRS))
        r = kvm_msrs_get(v, &s->msr);
    return r;
}

/* The order matters: APIC base before the APIC (so no shared page then), APIC
 * before the deadline. */
int kvm_set_state(struct engine_vcpu *ev, const struct cpu_state *s, u32 parts)
{
    struct kvm_vcpu *v = kvm_vcpu_of(ev);
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kvm_groups) && r == 0; i++)
        if (parts & kvm_groups[i].part)
            r = kvm_group_put(v, &kvm_groups[i], s, !(parts & CPU_LAPIC));
    if (r == 0 && (parts & CPU_EVENTS))
        r = kvm_mp_put(v, s);
    if (r == 0 && (parts & CPU_DEBUG))
        r = kvm_debug_put(v, s);
    if (r == 0 && (parts & (CPU_FPU | CPU_XSAVE)))
        r = kvm_fpu_put(v, s, parts);
    if (r == 0 && (parts & CPU_LAPIC))
        r = kvm_lapic_put(v, s);
    if (r == 0 && (parts & CPU_MSRS))
        r = kvm_msrs_set(v, &s->msr);
    return r;
}
