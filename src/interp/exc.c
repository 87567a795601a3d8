/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc.c: which exception is delivered, and when: #DF and shutdown, software
 * and external interrupts, debug traps, shadows. Gates and frames are in
 * idt.c.
 */
#include "idt.h"
#include "seg.h"
#include "watch.h"

#define ERR_EXT 1u /* error code: not the program's own instruction */

#define DR6_BS (1ull << 14)

#define DELIVERY_MAX                                                           \
    8 /* benign, contributory, page fault, double fault, and                   \
       * walks that another processor disturbed */

/* SDM vol. 3A table 6-5 */
static bool exc_is_contributory(u8 vector)
{
    return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

/* `second` arose while e was delivered: e becomes what comes now. False: the
 * processor shuts down. */
static bool exc_combine(struct exc *e, const struct exc *second)
{
    bool bad = exc_is_contributory(second->vector);

    if (e->vector == EXC_DF)
        return false;
    if (e->vector == EXC_PF)
        bad = bad || second->vector == EXC_PF;
    else if (!exc_is_contributory(e->vector))
        bad = false;
    *e = bad ? (struct exc){.vector = EXC_DF, .has_error = true} : *second;
    return true;
}

/* Vectors whose error code is a selector, with a bit for "external". */
static void exc_mark_external(struct exc *e)
{
    if (e->vector >= EXC_TS && e->vector <= EXC_GP)
        e->error |= ERR_EXT;
}

/* CR2 and DR6 change even if the delivery fails after that. */
static void exc_note(struct cpu *c, const struct exc *e)
{
    if (e->vector == EXC_PF) {
        c->s.cr2 = e->cr2;
        cpu_dirty(c, CPU_SREGS);
    } else if (e->vector == EXC_DB && e->dr6 && cpu_need(c, CPU_DEBUG)) {
        c->s.dr6 |= e->dr6;
        c->s.dr7 &= ~DR7_GD;
        cpu_dirty(c, CPU_DEBUG);
    }
}

/* Shadows end with any delivery; so does a halt. */
static void exc_delivered(struct cpu *c)
{
    c->s.event.shadow_sti = 0;
    c->s.event.shadow_mov_ss = 0;
    c->s.mp_state = MP_RUNNABLE;
    cpu_dirty(c, CPU_REGS | CPU_SREGS | CPU_EVENTS);
}

enum exec exc_deliver(struct cpu *c)
{
    struct exc e = c->exc;
    enum exec r = EXEC_AGAIN;

    for (unsigned int n = 0; n < DELIVERY_MAX; n++) {
        /* RF in the frame: set by faults, so that the instruction is not
         * stopped again by the breakpoint on it. SDM vol. 3B 17.3.1.1 */
        bool resume = e.vector != EXC_DB && e.vector != EXC_DF;
        struct idt_event ev = {
            .vector = e.vector,
            .has_error = e.has_error,
            .error = e.error,
            .rip = c->s.rip,
            .rflags = flags_get(c) | (resume ? RFLAGS_RF : 0),
        };

        exc_note(c, &e);
        r = idt_enter(c, &ev);
        if (r == EXEC_OK) {
            c->s.rip = ev.rip;
            exc_delivered(c);
            return r;
        }
        if (r == EXEC_FAULT) {
            exc_mark_external(&c->exc);
            exc_note(c, &c->exc); /* CR2 also when it becomes #DF */
            if (!exc_combine(&e, &c->exc))
                return EXEC_SHUTDOWN;
        } else if (r != EXEC_AGAIN) {
            break;
        }
    }
    c->exc = e;
    return r;
}

enum exec exc_software(struct cpu *c, u8 vector, bool check_dpl)
{
    struct idt_event ev = {
        .vector = vector,
        .check_dpl = check_dpl,
        .rip = c->next_rip,
        .rflags = flags_get(c),
    };
    bool tf = c->s.rflags & RFLAGS_TF;
    enum exec r = idt_enter(c, &ev);

    if (r != EXEC_OK)
        return r;
    c->next_rip = ev.rip;
    c->no_trap = tf; /* INT n is not single-stepped: SDM vol. 3B 17.3.1.4 */
    exc_delivered(c);
    return EXEC_OK;
}

/* Deliver at the boundary where s.rip is; what faults is delivered instead. */
static enum exec exc_boundary(struct cpu *c, u8 vector, bool ext)
{
    struct idt_event ev = {
        .vector = vector,
        .rip = c->s.rip,
        .rflags = flags_get(c),
    };
    enum exec r = EXEC_AGAIN;

    for (unsigned int n = 0; n < DELIVERY_MAX && r == EXEC_AGAIN; n++)
        r = idt_enter(c, &ev);
    if (r == EXEC_FAULT) {
        if (ext)
            exc_mark_external(&c->exc);
        return exc_deliver(c);
    }
    if (r == EXEC_OK) {
        c->s.rip = ev.rip;
        exc_delivered(c);
    }
    return r;
}

enum exec exc_interrupt(struct cpu *c, u8 vector)
{
    if (vector == EXC_NMI) /* no fixed interrupt has a vector below 16 */
        c->s.event.nmi_masked = 1;
    return exc_boundary(c, vector, true);
}

enum exec exc_inject(struct cpu *c)
{
    struct cpu_event *e = &c->s.event, v = *e;

    if (!v.exc_valid && !v.irq_valid && !v.nmi_injected)
        return EXEC_OK;
    e->exc_valid = e->irq_valid = e->nmi_injected = 0;
    cpu_dirty(c, CPU_EVENTS);
    if (v.exc_valid && v.exc_soft)
        return exc_boundary(c, v.exc_vector, false);
    if (v.exc_valid) {
        c->exc = (struct exc){
            .vector = v.exc_vector,
            .has_error = v.exc_has_error,
            .error = v.exc_error,
            .cr2 = c->s.cr2, /* already there, like DR6 */
        };
        return exc_deliver(c);
    }
    if (v.nmi_injected)
        return exc_interrupt(c, EXC_NMI);
    return exc_boundary(c, v.irq_vector, !v.irq_soft);
}

/* ---- one instruction at a time ------------------------------------------ */

bool cpu_must_step(const struct cpu *c)
{
    const struct cpu_event *e = &c->s.event;

    return e->shadow_sti || e->shadow_mov_ss || e->nmi_pending ||
           c->s.rflags & (RFLAGS_TF | RFLAGS_RF) || watch_is_on(c);
}

static enum exec exc_debug(struct cpu *c, u64 dr6)
{
    c->hits = 0;
    c->exc = (struct exc){.vector = EXC_DB, .dr6 = dr6};
    return EXEC_FAULT;
}

/* Breakpoints on the instruction at s.rip: SDM vol. 3B 17.2.4. */
static u8 exc_code_breakpoints(const struct cpu *c)
{
    u64 la = c->s.rip;

    if (c->mode != MODE_64)
        la = (u32)(la + c->s.seg[SEG_CS].base);
    return watch_match(c, WATCH_EXEC, la, 1);
}

/*
 * A shadow that this instruction began lasts until after the next one. STI
 * began one if it set IF. MOV SS began one if something else made us step
 * before it; otherwise stepping is due to the shadow itself, which now ends.
 */
static bool exc_shadow_kept(struct cpu *c, u64 before)
{
    struct cpu_event *e = &c->s.event;
    bool stepping =
        before & (RFLAGS_TF | RFLAGS_RF) || watch_is_on(c) || e->nmi_pending;
    bool mov_ss = e->shadow_mov_ss == 1 && stepping;

    e->shadow_sti = e->shadow_sti && !(before & RFLAGS_IF);
    e->shadow_mov_ss = mov_ss ? 2 : 0; /* 2: has been seen by us */
    return mov_ss;
}

enum exec exc_after_event(struct cpu *c)
{
    return c->hits && !c->s.event.shadow_mov_ss ? exc_debug(c, c->hits)
                                                : EXEC_OK;
}

/* A fault has undone what the breakpoints were for; MOV SS holds them back. A
 * REP between iterations keeps RF. */
enum exec exc_after_insn(struct cpu *c, u64 before, enum exec r)
{
    bool fresh_rf = c->s.rflags & ~before & RFLAGS_RF; /* by IRET */
    bool tf = before & RFLAGS_TF && !c->no_trap;
    u64 dr6;

    c->no_trap = false;
    if (r != EXEC_OK && r != EXEC_AGAIN) {
        c->hits = 0;
        return r;
    }
    if (before & RFLAGS_RF && r == EXEC_OK)
        c->s.rflags &= ~RFLAGS_RF;
    if (exc_shadow_kept(c, before))
        return r;
    dr6 = c->hits | (tf ? DR6_BS : 0);
    if (!dr6 && !fresh_rf && r == EXEC_OK)
        dr6 = exc_code_breakpoints(c);
    return dr6 ? exc_debug(c, dr6) : r;
}
