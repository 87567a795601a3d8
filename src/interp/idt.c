/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idt.c: interrupt gates in long, protected and real mode. SDM vol. 3A 6.10 to
 * 6.14, vol. 2A INT n; APM vol. 2 8.7 to 8.9. Task gates are not offered.
 */
#include "idt.h"
#include "insn.h"
#include "seg.h"

#define ERR_IDT 2u /* error code: index into the IDT */

/* Descriptor bits 40..44 */
enum gate_type { GATE_INT16 = 6, GATE_INT = 14 };
#define GATE_TRAP 1 /* the bit that makes the difference */

struct gate {
    u64 rip;
    u16 sel;
    u8 type, dpl, present, ist;
    u8 width; /* of the items of the frame: 2, 4, 8 */
};

static enum exec idt_raise(struct cpu *c, u8 vector, const struct idt_event *ev)
{
    return raise_err(c, vector, ev->vector * 8u | ERR_IDT);
}

static enum exec idt_read_gate(struct cpu *c, const struct idt_event *ev,
                               struct gate *g)
{
    unsigned int len = c->long_mode ? 16 : 8;
    u64 la = c->s.idt.base + ev->vector * len, lo, hi = 0;
    enum exec r;

    if (ev->vector * len + len - 1 > c->s.idt.limit)
        return idt_raise(c, EXC_GP, ev);
    r = sys_ld(c, la, 8, &lo);
    if (r == EXEC_OK && len == 16)
        r = sys_ld(c, la + 8, 8, &hi);
    *g = (struct gate){
        .rip = (lo & 0xffff) | (lo >> 32 & 0xffff0000) | hi << 32,
        .sel = (u16)(lo >> 16),
        .type = lo >> 40 & 31, /* with bit S, which must be 0 */
        .dpl = lo >> 45 & 3,
        .present = lo >> 47 & 1,
        .ist = len == 16 ? lo >> 32 & 7 : 0,
        .width = len == 16      ? 8
                 : lo >> 43 & 1 ? 4
                                : 2,
    };
    if (g->width == 2)
        g->rip &= 0xffff;
    return r;
}

static enum exec idt_check_gate(struct cpu *c, const struct idt_event *ev,
                                const struct gate *g)
{
    unsigned int kind = g->type & ~GATE_TRAP;

    if (kind != GATE_INT && (kind != GATE_INT16 || c->long_mode))
        return idt_raise(c, EXC_GP, ev);
    if (ev->check_dpl && g->dpl < c->cpl)
        return idt_raise(c, EXC_GP, ev);
    if (!g->present)
        return idt_raise(c, EXC_NP, ev);
    return EXEC_OK;
}

/* The handler's segment; the RPL of its selector becomes the new CPL. */
static enum exec idt_read_code(struct cpu *c, const struct gate *g,
                               struct desc *cs)
{
    enum exec r;
    u8 cpl;

    if (sel_is_null(g->sel))
        return raise_gp(c);
    r = desc_read(c, g->sel, EXC_GP, cs);
    if (r != EXEC_OK)
        return r;
    if (!seg_is_code(&cs->seg) || cs->seg.dpl > c->cpl ||
        (c->long_mode && (!cs->seg.l || cs->seg.db)))
        return raise_sel(c, EXC_GP, g->sel);
    if (!cs->seg.present)
        return raise_sel(c, EXC_NP, g->sel);
    cpl = seg_is_conforming(&cs->seg) ? c->cpl : cs->seg.dpl;
    cs->seg.sel = (u16)((g->sel & ~3) | cpl);
    return seg_check_rip(c, &cs->seg, g->rip);
}

/* An inner stack pointer or an IST entry of the TSS. */
static enum exec idt_read_tss(struct cpu *c, unsigned int off,
                              unsigned int size, u64 *val)
{
    const struct cpu_seg *tr = &c->s.tr;

    if (tr->unusable || off + size - 1 > tr->limit)
        return raise_sel(c, EXC_TS, tr->sel);
    return sys_ld(c, tr->base + off, size, val);
}

/* Long mode: SS becomes null when the CPL changes, RSP is aligned. */
static enum exec idt_stack_long(struct cpu *c, const struct gate *g, u8 cpl,
                                struct stack *st)
{
    enum exec r = EXEC_OK;

    st->width = 8;
    st->cpl = cpl;
    if (g->ist)
        r = idt_read_tss(c, 0x24 + (g->ist - 1u) * 8, 8, &st->sp);
    else if (cpl != c->cpl)
        r = idt_read_tss(c, 4 + cpl * 8u, 8, &st->sp);
    if (r != EXEC_OK)
        return r;
    if (!is_canonical(st->sp))
        return raise_err(c, EXC_SS, 0);
    st->sp &= ~15ull;
    if (cpl != c->cpl)
        seg_set_null(&st->ss, cpl, cpl);
    return EXEC_OK;
}

static enum exec idt_stack_legacy(struct cpu *c, u8 cpl, struct stack *st)
{
    bool tss32 = c->s.tr.type & 8;
    unsigned int size = tss32 ? 4 : 2, off = size + cpl * size * 2;
    enum exec r;
    u64 sel;

    if (cpl == c->cpl)
        return EXEC_OK;
    r = idt_read_tss(c, off, size, &st->sp);
    if (r == EXEC_OK)
        r = idt_read_tss(c, off + size, 2, &sel);
    if (r == EXEC_OK)
        r = seg_read_ss(c, (u16)sel, cpl, false, EXC_TS, &st->ss);
    st->width = st->ss.db ? 4 : 2;
    st->cpl = cpl;
    return r;
}

/* SS:RSP only when the stack changes, but in long mode always. */
static enum exec idt_push_frame(struct cpu *c, const struct idt_event *ev,
                                const struct gate *g, bool outer,
                                struct stack *st)
{
    u64 item[6];
    unsigned int n = 0;
    enum exec r = EXEC_OK;

    if (outer || c->long_mode) {
        item[n++] = c->s.seg[SEG_SS].sel;
        item[n++] = c->s.gpr[GPR_RSP];
    }
    item[n++] = ev->rflags;
    item[n++] = c->s.seg[SEG_CS].sel;
    item[n++] = ev->rip;
    if (ev->has_error)
        item[n++] = ev->error;
    for (unsigned int i = 0; i < n && r == EXEC_OK; i++)
        r = stack_put(c, st, g->width, item[i]);
    return r;
}

static void idt_commit(struct cpu *c, const struct cpu_seg *cs,
                       const struct stack *st, bool trap)
{
    c->s.seg[SEG_CS] = *cs;
    c->s.seg[SEG_SS] = st->ss;
    c->s.gpr[GPR_RSP] = st->sp;
    c->s.rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    if (!trap)
        c->s.rflags &= ~RFLAGS_IF;
    cpu_update_mode(c);
}

static enum exec idt_enter_protected(struct cpu *c, struct idt_event *ev)
{
    struct stack st = stack_now(c);
    struct desc cs;
    struct gate g;
    enum exec r = idt_read_gate(c, ev, &g);
    u8 cpl;

    if (r == EXEC_OK)
        r = idt_check_gate(c, ev, &g);
    if (r == EXEC_OK)
        r = idt_read_code(c, &g, &cs);
    if (r != EXEC_OK)
        return r;
    cpl = cs.seg.sel & 3;
    if (c->long_mode)
        r = idt_stack_long(c, &g, cpl, &st);
    else
        r = idt_stack_legacy(c, cpl, &st);
    if (r == EXEC_OK)
        r = idt_push_frame(c, ev, &g, cpl != c->cpl, &st);
    if (r == EXEC_OK)
        r = desc_set_type(c, &cs, TYPE_ACCESSED);
    if (r != EXEC_OK)
        return r;
    idt_commit(c, &cs.seg, &st, g.type & GATE_TRAP);
    ev->rip = g.rip;
    return EXEC_OK;
}

/* Four bytes per vector: offset and segment. No error codes. */
static enum exec idt_enter_real(struct cpu *c, struct idt_event *ev)
{
    struct stack st = stack_now(c);
    struct cpu_seg cs = c->s.seg[SEG_CS];
    u64 item[] = {ev->rflags, cs.sel, ev->rip}, vec;
    enum exec r;

    if (ev->vector * 4u + 3 > c->s.idt.limit)
        return raise_gp(c);
    r = sys_ld(c, c->s.idt.base + ev->vector * 4u, 4, &vec);
    for (unsigned int i = 0; i < 3 && r == EXEC_OK; i++)
        r = stack_put(c, &st, 2, item[i]);
    if (r != EXEC_OK)
        return r;
    seg_set_real(&cs, (u16)(vec >> 16));
    idt_commit(c, &cs, &st, false);
    ev->rip = vec & 0xffff;
    return EXEC_OK;
}

enum exec idt_enter(struct cpu *c, struct idt_event *ev)
{
    if (c->s.cr0 & CR0_PE)
        return idt_enter_protected(c, ev);
    return idt_enter_real(c, ev);
}
