/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.c: cases in the interpreter. A guest for each tier, with memory of its
 * own. Faults are not delivered: what the handlers report is compared. EXIT is
 * not executable, so code that comes to its end faults there.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "diff.h"
#include "interp/block.h"
#include "interp/ops.h"
#include "interp/seg.h"
#include "interp/sse.h"
#include "interp/watch.h"

#define GPA_TABLES 0x1000ull
#define GPA_CODE   0x100000ull
#define GPA_DATA   0x200000ull
#define GPA_EXIT   0x300000ull
#define GPA_IDT    0x400000ull
#define GPA_GDT    0x401000ull
#define GPA_TSS    0x402000ull
#define GPA_STACK  0x403000ull
#define GPA_LDT    0x404000ull
#define GPA_ENDS   0x500000ull
/* Linear, and no number that a case comes upon: it would find more there than
 * on the host. */
#define IDT       0x35a7c1e90000ull
#define GDT       (IDT + 0x1000)
#define TSS       (IDT + 0x2000)
#define STACK     (IDT + 0x3000)
#define LDT       (IDT + 0x4000)
#define HANDLERS  0x46b8d2f91000ull /* one each 16 bytes; nothing is there */
#define SYSCALL   (HANDLERS + VEC_SYSCALL * 16)
#define KERNEL_CS 0x10

#define PTE_TABLE  0x27ull /* present, writable, user, accessed */
#define PTE_CODE   0x05ull
#define PTE_DATA   0x07ull
#define PTE_IDT    0x61ull
#define PTE_KERNEL 0x63ull
#define PTE_AD     0x60ull
#define PTE_NX     (1ull << 63)

#define PAGES (4 + CODE_SIZE / PAGE_SIZE + DATA_SIZE / PAGE_SIZE)

/* Instructions of a case that comes to no end; far more than any has. */
#define STEPS_MAX 65536u

struct guest {
    struct mem *mem;
    struct bus bus;
    struct cpu *cpu;
    struct interp_run run;
    u64 next_table;
    u64 *pte[2 * PAGES + ENDS_PAGES]; /* of code and window, twice */
    unsigned int nr_pte;
};

static struct guest guests[TIER_NR];
static struct cpu_seg fresh[SEG_NR]; /* of 32-bit code */

static u64 *guest_table(struct guest *g, u64 gpa)
{
    return mem_range(g->mem, gpa, PAGE_SIZE);
}

static void guest_map(struct guest *g, u64 va, u64 pte)
{
    u64 *entry = guest_table(g, GPA_TABLES) + (va >> 39 & 511);

    for (unsigned int shift = 30; shift >= 12; shift -= 9) {
        if (!*entry) {
            *entry = g->next_table | PTE_TABLE;
            g->next_table += PAGE_SIZE;
        }
        entry = guest_table(g, *entry & ~0xfffull) + (va >> shift & 511);
    }
    *entry = pte;
    g->pte[g->nr_pte++] = entry;
}

static void guest_maps(struct guest *g, u64 base)
{
    guest_map(g, base + EXIT, GPA_EXIT | PTE_CODE | PTE_NX);
    for (u64 off = 0; off < CODE_SIZE; off += PAGE_SIZE)
        guest_map(g, base + CODE + off, (GPA_CODE + off) | PTE_CODE);
    for (u64 off = 0; off < DATA_SIZE; off += PAGE_SIZE)
        guest_map(g, base + DATA + off,
                  (GPA_DATA + off) | PTE_NX |
                      (off < DATA_RW ? PTE_DATA : PTE_CODE));
}

/* As Linux has it: programs may use three gates, any other INT n is #GP. */
static void guest_idt(struct guest *g)
{
    guest_map(g, IDT, GPA_IDT | PTE_IDT | PTE_NX);
    for (unsigned int v = 0; v < 256; v++) {
        bool user = v == EXC_BP || v == EXC_OF || v == LINUX_SYSCALL;
        u64 to = HANDLERS + v * 16;
        u64 gate[2] = {(to & 0xffff) | KERNEL_CS << 16 |
                           (user ? 0xeeull : 0x8eull) << 40 |
                           (to >> 16 & 0xffff) << 48,
                       to >> 32};

        mem_write(g->mem, GPA_IDT + v * sizeof(gate), gate, sizeof(gate));
    }
    interp_state(g->cpu)->idt = (struct cpu_table){.base = IDT, .limit = 0xfff};
}

/* The stack of handlers, and where SYSCALL goes. */
static void guest_entry(struct guest *g)
{
    struct cpu_state *s = interp_state(g->cpu);
    u64 top = STACK + PAGE_SIZE;
    u16 no_ports = 0x68; /* the bitmap is beyond the limit */

    guest_map(g, TSS, GPA_TSS | PTE_IDT | PTE_NX);
    guest_map(g, STACK, GPA_STACK | PTE_KERNEL | PTE_NX);
    mem_write(g->mem, GPA_TSS + 4, &top, sizeof(top));
    mem_write(g->mem, GPA_TSS + 0x66, &no_ports, sizeof(no_ports));
    s->tr = (struct cpu_seg){
        .base = TSS, .limit = 0x67, .sel = 0x40, .type = 11, .present = 1};
    s->msr.star = 0x0023001000000000;
    s->msr.lstar = SYSCALL;
    s->msr.sfmask = 0x257fd5; /* what syscall_init() masks */
}

/* As Linux has it; what it has for TLS and for a processor's number is not
 * there. */
static void guest_gdt(struct guest *g)
{
    static const u64 gdt[16] = {
        [1] = 0x00cf9b000000ffff, [2] = 0x00af9b000000ffff,
        [3] = 0x00cf93000000ffff, [4] = 0x00cffb000000ffff,
        [5] = 0x00cff3000000ffff, [6] = 0x00affb000000ffff,
        [8] = 0x00008b0000002087, /* TSS */
    };

    guest_map(g, GDT, GPA_GDT | PTE_IDT | PTE_NX);
    mem_write(g->mem, GPA_GDT, gdt, sizeof(gdt));
    interp_state(g->cpu)->gdt =
        (struct cpu_table){.base = GDT, .limit = sizeof(gdt) - 1};
}

/* None if the host has none: then its selectors fault on both sides. */
static void guest_ldt(struct guest *g)
{
    u64 raw[LDT_NR];

    for (unsigned int i = 0; i < LDT_NR; i++)
        raw[i] = segs_descriptor(i);
    guest_map(g, LDT, GPA_LDT | PTE_IDT | PTE_NX);
    mem_write(g->mem, GPA_LDT, raw, sizeof(raw));
    interp_state(g->cpu)->ldt = (struct cpu_seg){.base = LDT,
                                                 .limit = sizeof(raw) - 1,
                                                 .sel = 0x50,
                                                 .type = SYS_LDT,
                                                 .present = 1,
                                                 .unusable = native_no16};
}

static void guest_segments(struct cpu_state *s)
{
    struct cpu_seg flat = {.limit = ~0u,
                           .sel = 0x2b,
                           .type = 3,
                           .s = 1,
                           .dpl = 3,
                           .present = 1,
                           .db = 1,
                           .g = 1};

    for (unsigned int i = 0; i < SEG_NR; i++)
        s->seg[i] = flat;
    s->seg[SEG_CS].type = 11;
    s->seg[SEG_FS].sel = s->seg[SEG_GS].sel = 0; /* they have bases */
    memcpy(fresh, s->seg, sizeof(fresh));
}

/* As Linux has them. */
static void guest_controls(struct cpu_state *s)
{
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    s->cr4 = CR4_PAE | CR4_PGE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (native_fsgs)
        s->cr4 |= CR4_FSGSBASE;
    s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    s->cr3 = GPA_TABLES;
    s->dr7 = 0x400;
}

/* Random numbers come to them. Those near HIGH are beyond chance. */
static void guest_map_ends(struct guest *g)
{
    for (unsigned int i = 0; i < ENDS_PAGES; i++)
        guest_map(g, ENDS_LOW + i * ENDS_STEP,
                  (GPA_ENDS + i * PAGE_SIZE) | PTE_CODE);
}

static void guest_new(struct guest *g)
{
    struct interp_env env = {.bus = &g->bus, .cpus = 1};
    struct cpu_state *s;

    g->next_table = GPA_TABLES + PAGE_SIZE;
    bus_init(&g->bus);
    if (mem_new(&g->mem, MEM_SIZE_MIN) < 0)
        exit(2);
    env.mem = g->mem;
    if (interp_new(&g->cpu, &env) < 0)
        exit(2);
    guest_maps(g, LOW);
    guest_maps(g, HIGH);
    guest_map_ends(g);
    mem_write(g->mem, GPA_EXIT, shared->exits, PAGE_SIZE);
    guest_idt(g);
    guest_gdt(g);
    guest_ldt(g);
    guest_entry(g);
    s = interp_state(g->cpu);
    guest_segments(s);
    guest_controls(s);
    interp_state_changed(g->cpu);
    g->cpu->run = &g->run;
    g->cpu->have = CPU_ALL;
    g->run.budget = STEPS_MAX;
}

void guest_start(void)
{
    for (unsigned int t = 0; t < TIER_NR; t++)
        guest_new(&guests[t]);
}

void guest_stop(void)
{
    for (unsigned int t = 0; t < TIER_NR; t++) {
        interp_free(guests[t].cpu);
        mem_free(guests[t].mem);
    }
}

u8 *guest_window(enum tier t)
{
    return mem_range(guests[t].mem, GPA_DATA, DATA_SIZE);
}

void guest_code(const u8 *code)
{
    for (unsigned int t = 0; t < TIER_NR; t++) {
        struct guest *g = &guests[t];

        mem_write(g->mem, GPA_CODE, code, CODE_SIZE);
        mem_code_written(g->mem, GPA_CODE, CODE_SIZE);
        block_drop_stale(g->cpu);
    }
}

void guest_ends(void)
{
    for (unsigned int t = 0; t < TIER_NR; t++) {
        struct guest *g = &guests[t];

        mem_write(g->mem, GPA_ENDS, shared->ends, sizeof(shared->ends));
        mem_code_written(g->mem, GPA_ENDS, sizeof(shared->ends));
        block_drop_stale(g->cpu);
    }
}

void guest_forget(enum tier t)
{
    struct guest *g = &guests[t];

    for (unsigned int i = 0; i < g->nr_pte; i++)
        *g->pte[i] &= ~PTE_AD;
    mmu_flush_all(g->cpu);
}

/* ---- a case ---------------------------------------------------------------
 */

/* Without the help of what is to be compared. */
static void guest_seg(struct cpu *c, unsigned int seg, u16 sel)
{
    const struct diff_seg *d = sel_ldt(sel);
    struct cpu_seg *s = &c->s.seg[seg];

    *s = fresh[seg];
    if (d)
        *s = (struct cpu_seg){.base = d->base,
                              .limit = d->limit,
                              .sel = sel,
                              .type = d->type,
                              .s = 1,
                              .dpl = 3,
                              .present = 1,
                              .db = d->db};
    else if (c->mode == MODE_16 && sel_is_null(sel))
        seg_set_null(s, sel, 0);
    else
        s->sel = sel;
}

static void guest_mode(struct cpu *c, const struct diff_case *d)
{
    struct cpu_seg *cs = &c->s.seg[SEG_CS];

    c->mode = d->mode;
    for (unsigned int i = 0; i < SEG_NR; i++)
        guest_seg(c, i, d->in.sel[i]);
    memset(&c->s.event, 0, sizeof(c->s.event));
    cs->l = d->mode == MODE_64;
    cs->db = d->mode == MODE_32;
    cpu_update_mode(c);
}

static void guest_load(struct cpu *c, const struct diff_case *d)
{
    guest_mode(c, d);
    memcpy(c->s.gpr, d->in.gpr, sizeof(d->in.gpr));
    c->s.rip = case_rip(d);
    flags_set(c, d->in.rflags);
    if (d->mode == MODE_64) {
        c->s.seg[SEG_FS].base = d->in.fs;
        c->s.seg[SEG_GS].base = d->in.gs;
    }
    if (d->fpu)
        memcpy(c->s.xsave, d->fx, sizeof(d->fx));
}

/* Not if a handler would run. */
static bool guest_goes_on(const struct cpu *c, enum exec e)
{
    return (e == EXEC_OK || e == EXEC_AGAIN) && c->cpl == 3;
}

/* One instruction and what comes of TF, as in run.c. */
static enum exec guest_step(struct cpu *c)
{
    bool must;
    u64 before = flags_get(c);
    enum exec e;

    watch_update(c);
    must = cpu_must_step(c);
    e = step_one(c);
    return must ? exc_after_insn(c, before, e) : e;
}

static enum exec guest_steps(struct cpu *c)
{
    enum exec e = EXEC_OK;

    for (unsigned int n = 0; n < STEPS_MAX && guest_goes_on(c, e); n++)
        e = guest_step(c);
    return e;
}

/* Blocks, as run.c does; each entered and left by way of the run loop if
 * poll is set, else linked to each other. */
static enum exec guest_blocks(struct cpu *c, bool poll)
{
    u64 end = c->icount + STEPS_MAX;
    enum exec e = EXEC_OK;

    for (unsigned int n = 0; n < STEPS_MAX && guest_goes_on(c, e); n++) {
        const struct block *b;

        watch_update(c);
        b = cpu_must_step(c) ? NULL : block_get(c, c->s.rip);

        atomic_store(&c->poll_at, poll ? 0 : end);
        if (!b) {
            e = guest_step(c);
            continue;
        }
        c->smc = false;
        block_run(c, b);
        e = (enum exec)c->leave;
        if (c->icount >= end)
            return EXEC_OK;
    }
    return e;
}

/* The fault at EXIT is the end of the code, be it of this case or of another
 * that it came to: as the host tells it. */
static void guest_end(const struct diff_case *d, struct diff_regs *r)
{
    u64 off = regs_offset(r->sel[SEG_CS], r->rip, EXIT);

    if (r->vector != EXC_PF || off >= EXITS)
        return;
    r->vector = NONE;
    r->error = r->cr2 = 0;
    if (off == END16 || off == BRANCH16)
        r->sel[SEG_CS] = d->in.sel[SEG_CS];
    r->rip = case_end(d, off == END || off == END32 || off == END16);
}

/* A handler has been entered: what it was told. */
static void guest_entered(const struct guest *g, struct diff_regs *r)
{
    u64 vector = (r->rip - HANDLERS) / 16, frame[5];

    r->vector = vector;
    if (vector == VEC_SYSCALL) {
        r->rip = r->gpr[GPR_RCX];
        r->rflags = r->gpr[GPR_R11];
        r->sel[SEG_CS] = USER_CS64;
        r->sel[SEG_SS] = USER_DS;
        return;
    }
    mem_read(g->mem, GPA_STACK + PAGE_SIZE - sizeof(frame), frame,
             sizeof(frame));
    r->rip = frame[0];
    r->sel[SEG_CS] = (u16)frame[1];
    r->rflags = frame[2];
    r->gpr[GPR_RSP] = frame[3];
    r->sel[SEG_SS] = (u16)frame[4];
}

static void guest_store(const struct guest *g, enum exec e, struct diff_regs *r)
{
    const struct cpu *c = g->cpu;

    memset(r->sel, 0, sizeof(r->sel));
    for (unsigned int i = 0; i < SEG_NR; i++)
        r->sel[i] = c->s.seg[i].sel;
    memcpy(r->gpr, c->s.gpr, sizeof(r->gpr));
    r->rip = c->s.rip;
    r->rflags = flags_get(c);
    r->fs = c->s.seg[SEG_FS].base;
    r->gs = c->s.seg[SEG_GS].base;
    r->vector = 1000 + e;
    r->error = r->cr2 = 0;
    if (c->cpl != 3)
        guest_entered(g, r);
    if (e != EXEC_FAULT)
        return;
    r->vector = c->exc.vector;
    r->error = c->exc.has_error ? c->exc.error : 0;
    r->cr2 = c->exc.vector == EXC_PF ? c->exc.cr2 : 0;
}

void guest_run(enum tier t, const struct diff_case *d, struct diff_out *out)
{
    struct cpu *c = guests[t].cpu;
    enum exec e;

    case_plant(d, guest_window(t));
    guest_load(c, d);
    e = t == TIER_STEP || d->mode != MODE_64
            ? guest_steps(c)
            : guest_blocks(c, d->in.gpr[0] & 1);
    fpu_leave(c);
    if (d->fpu)
        memcpy(out->fx, c->s.xsave, sizeof(out->fx));
    case_blank(d, guest_window(t));
    guest_store(&guests[t], e, &out->r);
    guest_end(d, &out->r);
}

/* AMD's processors want an offset to be canonical, others what comes of it with
 * the base of FS or GS. */
static bool guest_offset_is_wild(const struct cpu *c, const struct insn *in)
{
    u64 off = (u64)in->disp;

    if (!in->mem || in->seg < SEG_FS || in->asize != 8)
        return false;
    if (in->base != GPR_NONE)
        off += c->s.gpr[in->base];
    if (in->index != GPR_NONE)
        off += c->s.gpr[in->index] << in->scale;
    return !in->rip_relative && !is_canonical(off);
}

/* In parts, of which AMD's processors wrap those behind the first to 16 bits,
 * in a segment of more: which address a part has is no rule of any manual. */
static bool guest_parts_wrap(const struct cpu *c, const struct insn *in)
{
    return in->mem && in->asize == 2 && in->row->flags & R_FPU &&
           in->msize > 8 && c->s.seg[in->seg].limit > 0xffff &&
           insn_offset(c, in) + in->msize > 0x10000;
}

/* The instruction at RIP; fetches that fault are the end of the case. One of
 * the FPU finds there what the case does not have. */
static bool guest_strayed(struct cpu *c, const struct diff_case *d)
{
    struct insn in;

    return code_decode(&in, c->s.seg[SEG_CS].sel, c->s.rip,
                       (enum code_mode)c->mode) &&
           (insn_excluded(&in) || guest_offset_is_wild(c, &in) ||
            guest_parts_wrap(c, &in) || (!d->fpu && in.row->flags & R_FPU));
}

/* To the page of exits, but not to one of this mode: the host runs what is
 * there. */
static bool guest_left_wrongly(const struct cpu *c, enum exec e)
{
    static const u8 mode[EXITS / 16] = {MODE_64, MODE_64, MODE_32, MODE_32,
                                        MODE_16, MODE_16, MODE_16};
    u64 off = regs_offset(c->s.seg[SEG_CS].sel, c->s.rip, EXIT);

    if (e != EXEC_FAULT || c->exc.vector != EXC_PF || off >= PAGE_SIZE)
        return false;
    return off >= EXITS || off % 16 || c->mode != mode[off / 16];
}

/* To memory that the host's process has for itself, and the child with it: the
 * windows are the child's alone. */
static bool guest_met_host(const struct cpu *c, enum exec e)
{
    void *page = (void *)(uintptr_t)(c->exc.cr2 & ~(u64)(PAGE_SIZE - 1));

    return e == EXEC_FAULT && c->exc.vector == EXC_PF &&
           msync(page, PAGE_SIZE, MS_ASYNC) == 0;
}

bool guest_strays(const struct diff_case *d)
{
    struct cpu *c = guests[TIER_STEP].cpu;
    bool may = d->seq || d->mode != MODE_64, strayed = false;
    enum exec e = EXEC_OK;

    case_plant(d, guest_window(TIER_STEP));
    guest_load(c, d);
    for (unsigned int n = 0; n < STEPS_MAX && !strayed; n++) {
        if (!guest_goes_on(c, e))
            break;
        strayed = may && guest_strayed(c, d);
        e = guest_step(c);
    }
    fpu_leave(c);
    return strayed || guest_left_wrongly(c, e) || guest_met_host(c, e) ||
           (may && guest_goes_on(c, e));
}

bool guest_is_ud(const u8 *bytes, enum code_mode mode)
{
    static struct diff_case any = {.fpu = true};
    struct guest *g = &guests[TIER_STEP];
    enum exec e;

    any.mode = (u8)mode;
    any.at = (mode == MODE_64 ? HIGH : LOW) + CODE;
    segs_default(&any);
    bytes_registers(&any);
    rnd_fpu(any.fx);
    mem_write(g->mem, GPA_CODE, bytes, 15);
    guest_load(g->cpu, &any);
    e = step_one(g->cpu);
    fpu_leave(g->cpu);
    return e == EXEC_UNKNOWN ||
           (e == EXEC_FAULT && g->cpu->exc.vector == EXC_UD);
}
