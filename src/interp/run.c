/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c: the run loop, and the life of an interpreter's vCPU. Everything that
 * can happen between two instructions happens here: events carried in,
 * interrupts, polls, sleep, the end of the budget. The block tier comes back
 * whenever icount reaches poll_at, and after every instruction that may change
 * what this loop looks at (IF, CPL, mode, shadows).
 */
#include <stdlib.h>
#include <unistd.h>

#include "block.h"
#include "mote/log.h"
#include "platform.h"
#include "watch.h"

/* Service visits up to this long do not pay for decoding blocks. */
#define SERVICE_STEP 64

/* Parts that come with every visit. */
#define PARTS_GIVEN (CPU_REGS | CPU_SREGS | CPU_EVENTS | CPU_DEBUG)

struct visit {
    struct interp_run *run;
    u64 start;   /* icount */
    u64 end;     /* icount when the budget is used up */
    bool step;   /* no blocks */
    bool was_if; /* service: before the instruction or block */
    u8 was_cpl;
    enum interp_stop stop; /* valid when a function returned true */
};

static bool run_stop(struct visit *v, enum interp_stop stop)
{
    v->stop = stop;
    return true;
}

/* ---- between instructions ----------------------------------------------- */

/* What executing or delivering came to. True: stop. A delivery counts as one
 * instruction, and so does an attempt that got nowhere: a guest that only
 * faults still uses up its budget. */
static bool run_result(struct cpu *c, struct visit *v, enum exec r)
{
    static const enum interp_stop stop[] = {
        [EXEC_BOUNDARY] = INTERP_BOUNDARY,
        [EXEC_UNKNOWN] = INTERP_UNKNOWN,
        [EXEC_SHUTDOWN] = INTERP_SHUTDOWN,
    };

    if (r == EXEC_FAULT) {
        c->icount++;
        r = exc_deliver(c);
    }
    return r >= EXEC_BOUNDARY && run_stop(v, stop[r]);
}

/* The owner's half of the hand-shake in cpu_notify(): poll_at is set first,
 * attn is read after it. A 0 that somebody stores meanwhile is kept. */
static void run_poll(struct cpu *c, const struct visit *v)
{
    u64 at = atomic_load(&c->poll_at);
    u64 last = v->end - MIN(v->end, (u64)BLOCK_INSNS);

    if (c->icount >= at) {
        plat_poll(c);
        at = atomic_load(&c->poll_at);
    }
    if (at > last)
        atomic_compare_exchange_strong(&c->poll_at, &at, last);
}

/* True: stop. */
static bool run_attention(struct cpu *c, struct visit *v)
{
    u32 attn = atomic_load(&c->attn) & ~(u32)ATTN_IRQ;

    if (likely(attn == 0))
        return false;
    atomic_fetch_and(&c->attn, ~attn);
    if (attn & ATTN_CODE)
        block_drop_stale(c);
    if (attn & ATTN_STOP)
        alone_yield(c);
    if (attn & ATTN_NMI)
        c->s.event.nmi_pending = 1;
    if (attn & ATTN_INIT && c->id == 0)
        return run_stop(v, INTERP_SHUTDOWN);
    if (attn & ATTN_INIT)
        cpu_init(c);
    if (attn & ATTN_SIPI)
        cpu_sipi(c);
    if (attn & ATTN_POKE)
        return run_stop(v, INTERP_EVENT);
    return false;
}

static enum exec run_interrupts(struct cpu *c)
{
    struct cpu_event *e = &c->s.event;
    int vector;

    if (unlikely(e->shadow_sti || e->shadow_mov_ss))
        return EXEC_OK;
    if (unlikely(e->nmi_pending) && !e->nmi_masked) {
        e->nmi_pending = 0;
        return exc_interrupt(c, EXC_NMI);
    }
    if (!(atomic_load_explicit(&c->attn, memory_order_relaxed) & ATTN_IRQ) ||
        !(c->s.rflags & RFLAGS_IF) || !c->lapic)
        return EXEC_OK;
    vector = lapic_pending(c);
    if (vector < 0)
        return EXEC_OK;
    lapic_accept(c, (u8)vector);
    c->stats.irqs++;
    return exc_interrupt(c, (u8)vector);
}

/* Halted, or waiting for SIPI. True: stop. */
static bool run_halted(struct cpu *c, struct visit *v)
{
    if (v->run->flags & INTERP_NO_WAIT || !c->lapic)
        return run_stop(v, INTERP_HALT);
    plat_wait(c);
    return false;
}

/* Service: KVM does better from here (interpreter.md 5.4 calls these the
 * stops after an instruction). */
static bool run_hand_back(struct cpu *c, struct visit *v)
{
    bool now_if = c->s.rflags & RFLAGS_IF;
    bool back = (now_if && !v->was_if) || (c->cpl == 3 && v->was_cpl != 3);

    v->was_if = now_if;
    v->was_cpl = c->cpl;
    return back && run_stop(v, INTERP_BUDGET);
}

/* ---- instructions ------------------------------------------------------- */

static enum exec run_step(struct cpu *c)
{
    bool must = cpu_must_step(c);
    u64 before = flags_get(c);
    enum exec r = step_one(c);

    return must ? exc_after_insn(c, before, r) : r;
}

static enum exec run_blocks(struct cpu *c)
{
    const struct block *b = block_get(c, c->s.rip);

    if (!b)
        return run_step(c);
    c->smc = false;
    block_run(c, b);
    return (enum exec)c->leave;
}

/* One instruction, or blocks up to the next look. */
static enum exec run_some(struct cpu *c, struct visit *v)
{
    bool step = v->step || c->mode != MODE_64 || cpu_must_step(c) ||
                c->icount + BLOCK_INSNS >= v->end;
    u64 icount = c->icount;
    enum exec r;

    /* The first instruction of a visit is the one that KVM refused. */
    if (step || (c->service && v->run->done == 0))
        r = run_step(c);
    else
        r = run_blocks(c);
    if (r == EXEC_AGAIN && c->icount == icount)
        c->icount++;
    return r;
}

/* True: stop. */
static bool run_turn(struct cpu *c, struct visit *v)
{
    enum exec r;

    watch_update(c);
    if (unlikely(c->told_nr))
        code_tell_others(c);
    run_poll(c, v);
    if (run_attention(c, v))
        return true;
    if (c->icount >= v->end)
        return run_stop(v, INTERP_BUDGET);
    r = run_interrupts(c);
    if (unlikely(c->hits) && r == EXEC_OK)
        r = exc_after_event(c);
    if (r != EXEC_OK)
        return run_result(c, v, r);
    if (unlikely(c->s.mp_state != MP_RUNNABLE))
        return run_halted(c, v);
    r = run_some(c, v);
    v->run->done = c->icount - v->start;
    if (r != EXEC_OK && run_result(c, v, r))
        return true;
    return c->service && run_hand_back(c, v);
}

/* ---- a visit ------------------------------------------------------------ */

static void run_enter(struct cpu *c, struct visit *v)
{
    struct interp_run *run = v->run;

    run->done = 0;
    run->dirty = 0;
    run->wrote_k = false;
    run->insn_len = 0;
    alone_enter(c);
    c->run = run;
    c->have = run->fetch ? PARTS_GIVEN : CPU_ALL;
    flags_set(c, c->s.rflags);
    cpu_update_mode(c);
    if (c->service) {
        mmu_flush_all(c);
        block_cache_flush(c);
    }
    v->start = c->icount;
    v->end = c->icount + MIN(run->budget, ~0ull - c->icount);
    v->step =
        run->flags & INTERP_STEP || (c->service && run->budget <= SERVICE_STEP);
    v->was_if = c->s.rflags & RFLAGS_IF;
    v->was_cpl = c->cpl;
    atomic_store(&c->poll_at, 0); /* of the last visit; look at once */
}

/* The bytes of what we could not run, for the log. */
static void run_fetch_insn(struct cpu *c, struct interp_run *run)
{
    u64 la = c->s.rip + (c->mode == MODE_64 ? 0 : c->s.seg[SEG_CS].base), gpa;
    const u8 *host;

    for (unsigned int n = 0; n < sizeof(run->insn); n++) {
        if (mmu_fetch(c, la + n, &gpa, &host) != EXEC_OK || !host)
            return;
        run->insn[n] = *host;
        run->insn_len = (u8)(n + 1);
    }
}

static void run_leave(struct cpu *c, struct visit *v)
{
    if (v->stop == INTERP_UNKNOWN)
        run_fetch_insn(c, v->run);
    fpu_leave(c);
    v->run->done = c->icount - v->start;
    if (v->run->done)
        v->run->dirty |= CPU_REGS;
    c->s.rflags = flags_get(c);
    c->stats.insns += v->run->done;
    code_tell_others(c);
    alone_leave(c);
}

VCPU_ONLY enum interp_stop interp_run(struct cpu *c, struct interp_run *run)
{
    struct visit v = {.run = run};
    enum exec r;

    run_enter(c, &v);
    r = exc_inject(c);
    if (r == EXEC_OK || !run_result(c, &v, r))
        while (!run_turn(c, &v))
            ;
    run_leave(c, &v);
    return v.stop;
}

void interp_poke(struct cpu *c)
{
    cpu_notify(c, ATTN_POKE);
}

/* ---- life --------------------------------------------------------------- */

struct cpu_state *interp_state(struct cpu *c)
{
    return &c->s;
}

void interp_state_changed(struct cpu *c)
{
    mmu_flush_all(c);
    cpu_update_mode(c);
    c->hits = 0;
}

int interp_new(struct cpu **out, const struct interp_env *env)
{
    struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ull);
    int r;

    if (!c)
        return fail(-ENOMEM, "interpreter");
    memset(c, 0, sizeof(*c));
    c->mem = env->mem;
    c->bus = env->bus;
    c->id = env->id;
    c->nr_cpus = env->cpus;
    c->service = env->service;
    r = block_cache_new(c);
    if (r < 0) {
        free(c);
        return r;
    }
    cpu_state_reset(&c->s, env->id);
    interp_state_changed(c);
    sigfpe_install();
    if (!c->service && !c->mem->written) { /* the engine has its own */
        c->mem->written = code_written;
        c->mem->written_ctx = c;
    }
    *out = c;
    return 0;
}

void interp_free(struct cpu *c)
{
    if (!c)
        return;
    if (c->mem->written_ctx == c)
        c->mem->written = NULL;
    block_cache_free(c);
    free(c);
}

/* ---- reset: SDM vol. 3A table 9-1 ---------------------------------------- */

static struct cpu_seg reset_seg(u8 type)
{
    return (struct cpu_seg){
        .limit = 0xffff, .type = type, .s = 1, .present = 1};
}

void cpu_state_reset(struct cpu_state *s, unsigned int id)
{
    memset(s, 0, sizeof(*s));
    s->rip = 0xfff0;
    s->rflags = RFLAGS_ONE;
    s->gpr[GPR_RDX] = 0x00200f30; /* as CPUID 1.EAX */
    for (unsigned int i = 0; i < SEG_NR; i++)
        s->seg[i] = reset_seg(3);
    s->seg[SEG_CS].type = 11;
    s->seg[SEG_CS].sel = 0xf000;
    s->seg[SEG_CS].base = 0xffff0000;
    s->ldt = reset_seg(2);
    s->tr = reset_seg(11);
    s->ldt.s = s->tr.s = 0;
    s->gdt.limit = s->idt.limit = 0xffff;
    s->cr0 = CR0_ET | CR0_NW | CR0_CD;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->xcr0 = 1;
    s->msr.pat = 0x0007040600070406;
    s->msr.misc_enable = 1;
    le16_put(s->xsave, 0x37f);       /* FCW, as after FNINIT */
    le32_put(s->xsave + 24, 0x1f80); /* MXCSR */
    s->apic_base =
        APIC_BASE_RESET | APIC_BASE_ENABLE | (id == 0 ? APIC_BASE_BSP : 0);
    lapic_regs_reset(s, id);
    s->mp_state = id == 0 ? MP_RUNNABLE : MP_WAIT_SIPI;
}
