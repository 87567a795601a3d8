/* SPDX-License-Identifier: Apache-2.0 */
/*
 * far.c: far jumps, calls and returns, IRET, INT n. SDM vol. 2A and 2B; APM
 * vol. 3. Call gates, task switches and virtual-8086 mode are not offered.
 */
#include "ops.h"
#include "seg.h"

/* Where control goes: committed only when nothing can fail any more. */
struct far_target {
    u64 rip;
    struct desc cs;
};

/* ---- targets ------------------------------------------------------------ */

/* Privilege: a jump or call keeps the CPL, a return takes it from the RPL. */
static bool far_dpl_ok(const struct cpu *c, const struct cpu_seg *cs, u8 rpl,
                       bool ret)
{
    if (ret)
        return seg_is_conforming(cs) ? cs->dpl <= rpl : cs->dpl == rpl;
    if (seg_is_conforming(cs))
        return cs->dpl <= c->cpl;
    return rpl <= c->cpl && cs->dpl == c->cpl;
}

static bool far_is_gate(const struct cpu_seg *s)
{
    return !s->s && (s->type == SYS_CALL || s->type == SYS_CALL16 ||
                     s->type == SYS_TASK_GATE || s->type == SYS_TSS ||
                     s->type == SYS_TSS16);
}

static enum exec far_read_code(struct cpu *c, u16 sel, bool ret, struct desc *d)
{
    struct cpu_seg *cs = &d->seg;
    u8 rpl = sel & 3;
    enum exec r;

    if (sel_is_null(sel))
        return raise_gp(c);
    if (ret && rpl < c->cpl)
        return raise_sel(c, EXC_GP, sel);
    r = desc_read(c, sel, EXC_GP, d);
    if (r != EXEC_OK)
        return r;
    if (!ret && far_is_gate(cs) && !(c->long_mode && cs->type != SYS_CALL))
        return EXEC_UNKNOWN;
    if (!seg_is_code(cs) || !far_dpl_ok(c, cs, rpl, ret) ||
        (c->long_mode && cs->l && cs->db))
        return raise_sel(c, EXC_GP, sel);
    if (!cs->present)
        return raise_sel(c, EXC_NP, sel);
    cs->sel = (u16)((sel & ~3) | (ret ? rpl : c->cpl));
    return EXEC_OK;
}

static enum exec far_target(struct cpu *c, u16 sel, u64 rip, bool ret,
                            struct far_target *t)
{
    *t = (struct far_target){.rip = rip, .cs.seg = c->s.seg[SEG_CS]};
    if (c->s.cr0 & CR0_PE)
        return far_read_code(c, sel, ret, &t->cs);
    seg_set_real(&t->cs.seg, sel);
    return EXEC_OK;
}

/* The last check and the accessed bit. */
static enum exec far_prepare(struct cpu *c, struct far_target *t)
{
    enum exec r = seg_check_rip(c, &t->cs.seg, t->rip);

    if (r == EXEC_OK && c->s.cr0 & CR0_PE)
        r = desc_set_type(c, &t->cs, TYPE_ACCESSED);
    return r;
}

static void far_commit(struct cpu *c, const struct far_target *t)
{
    c->s.seg[SEG_CS] = t->cs.seg;
    c->next_rip = t->rip;
    cpu_update_mode(c);
    cpu_dirty(c, CPU_SREGS);
}

/* Where JMP and CALL lead to: immediate, or in memory. AMD processors know no
 * m16:64 and read m16:32 instead. */
static enum exec far_operand(struct cpu *c, const struct insn *in,
                             struct far_target *t)
{
    unsigned int size = in->size;
    u64 rip = in->imm & size_mask(size), sel = in->imm2;
    enum exec r = EXEC_OK;

    if (in->opcode == 0xff) {
        if (size == 8 && !cpu_is_intel(c))
            size = 4;
        r = mem_ld(c, in->la, size, &rip);
        if (r == EXEC_OK)
            r = mem_ld(c, in->la + size, 2, &sel);
    }
    return r == EXEC_OK ? far_target(c, (u16)sel, rip, false, t) : r;
}

enum exec op_jmp_far(struct cpu *c, struct insn *in)
{
    struct far_target t;
    enum exec r = far_operand(c, in, &t);

    if (r == EXEC_OK)
        r = far_prepare(c, &t);
    if (r == EXEC_OK)
        far_commit(c, &t);
    return r;
}

/* The stack pointer is as wide as the code that is called has it: a call from
 * 64-bit code to a compatibility segment pushes below 4 GiB. */
static struct stack far_stack(const struct cpu *c, const struct far_target *t)
{
    struct stack st = stack_now(c);

    if (c->long_mode)
        st.width = t->cs.seg.l ? 8 : st.ss.db ? 4 : 2;
    return st;
}

enum exec op_call_far(struct cpu *c, struct insn *in)
{
    struct stack st;
    struct far_target t;
    enum exec r = far_operand(c, in, &t);

    if (r != EXEC_OK)
        return r;
    st = far_stack(c, &t);
    r = stack_put(c, &st, in->size, c->s.seg[SEG_CS].sel);
    if (r == EXEC_OK)
        r = stack_put(c, &st, in->size, c->next_rip);
    if (r == EXEC_OK)
        r = far_prepare(c, &t);
    if (r != EXEC_OK)
        return r;
    c->s.gpr[GPR_RSP] = st.sp;
    far_commit(c, &t);
    return EXEC_OK;
}

/* ---- returns ------------------------------------------------------------ */

/* What a return pops, from item `first` to before `last`; `skip` bytes of
 * parameters lie before them. */
static enum exec far_peek(struct cpu *c, const struct insn *in, u64 skip,
                          u64 *item, unsigned int first, unsigned int last)
{
    enum exec r = EXEC_OK;

    for (unsigned int i = first; i < last && r == EXEC_OK; i++)
        r = stack_peek(c, i * in->size + skip, in->size, &item[i]);
    return r;
}

/* Data segments that the outer level may not use become null, and null ones
 * lose their RPL; bases of FS and GS stay then. */
static void far_drop_segments(struct cpu *c)
{
    static const u8 data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned int i = 0; i < ARRAY_SIZE(data); i++) {
        struct cpu_seg *s = &c->s.seg[data[i]];

        if (sel_is_null(s->sel))
            s->sel = 0;
        else if (s->dpl < c->cpl && !seg_is_conforming(s))
            seg_set_null(s, 0, 0);
    }
}

/* A return to an outer level, or IRET in 64-bit mode: to a new stack. There SS
 * may be null, unless the return is to CPL 3 or to 32-bit code. */
static enum exec far_to_stack(struct cpu *c, struct far_target *t, u16 sel,
                              u64 rsp)
{
    const struct cpu_seg *cs = &t->cs.seg;
    struct cpu_seg ss;
    u8 old = c->cpl;
    enum exec r =
        seg_read_ss(c, sel, cs->sel & 3, c->long_mode && cs->l, EXC_GP, &ss);

    if (r == EXEC_OK)
        r = far_prepare(c, t);
    if (r != EXEC_OK)
        return r;
    c->s.seg[SEG_SS] = ss;
    far_commit(c, t);
    stack_set(c, rsp);
    if (c->cpl > old)
        far_drop_segments(c);
    return EXEC_OK;
}

/* AMD reads the outer stack's pointer before it looks at the selector of the
 * code, which may turn out to be of an inner level: #PF before #GP. */
enum exec op_ret_far(struct cpu *c, struct insn *in)
{
    u64 drop = in->imm & 0xffff, item[4];
    struct far_target t;
    bool outer;
    enum exec r = far_peek(c, in, 0, item, 0, 2);

    if (r != EXEC_OK)
        return r;
    outer = c->s.cr0 & CR0_PE && (item[1] & 3) != c->cpl;
    if (outer)
        r = far_peek(c, in, drop, item, 2, 4);
    if (r == EXEC_OK)
        r = far_target(c, (u16)item[1], item[0], true, &t);
    if (r == EXEC_OK && outer)
        return far_to_stack(c, &t, (u16)item[3], item[2] + drop);
    if (r == EXEC_OK)
        r = far_prepare(c, &t);
    if (r != EXEC_OK)
        return r;
    far_commit(c, &t); /* the stack pointer moves as that code has it */
    stack_set(c, c->s.gpr[GPR_RSP] + 2 * in->size + drop);
    return EXEC_OK;
}

/* ---- IRET --------------------------------------------------------------- */

/* What IRET may change in RFLAGS, by the CPL it is executed at. */
static u64 far_iret_flags(const struct cpu *c, unsigned int size, u64 val)
{
    u64 old = flags_get(c), iopl = old >> 12 & 3;
    u64 mask = FLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF |
               RFLAGS_AC | RFLAGS_ID;

    if (c->cpl <= iopl)
        mask |= RFLAGS_IF;
    if (c->cpl == 0)
        mask |= RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP;
    if (size == 2)
        mask &= 0xffff;
    return (old & ~mask) | (val & mask);
}

/* A new stack is looked at when RIP has been; without one the pointer moves as
 * the code that is left has it. */
static enum exec far_iret_to(struct cpu *c, const struct insn *in, bool outer,
                             struct far_target *t, const u64 *item)
{
    enum exec r =
        outer ? seg_check_rip(c, &t->cs.seg, t->rip) : far_prepare(c, t);

    if (r != EXEC_OK)
        return r;
    if (outer)
        return far_to_stack(c, t, (u16)item[4], item[3]);
    stack_set(c, c->s.gpr[GPR_RSP] + 3 * in->size);
    far_commit(c, t);
    return EXEC_OK;
}

/* All that may be popped is read before any of it is looked at: SS and RSP also
 * if the selector turns out to be of an inner level. */
enum exec op_iret(struct cpu *c, struct insn *in)
{
    bool prot = c->s.cr0 & CR0_PE, outer;
    struct far_target t;
    u64 item[5], flags;
    enum exec r;

    if (prot && c->s.rflags & RFLAGS_NT) /* return from a nested task */
        return c->long_mode ? raise_gp(c) : EXEC_UNKNOWN;
    r = far_peek(c, in, 0, item, 0, 3);
    if (r != EXEC_OK)
        return r;
    if (prot && !c->long_mode && item[2] & RFLAGS_VM && c->cpl == 0)
        return EXEC_UNKNOWN;
    outer = prot && (c->mode == MODE_64 || (item[1] & 3) != c->cpl);
    if (outer)
        r = far_peek(c, in, 0, item, 3, 5);
    if (r == EXEC_OK)
        r = far_target(c, (u16)item[1], item[0], true, &t);
    flags = far_iret_flags(c, in->size, item[2]);
    if (r == EXEC_OK)
        r = far_iret_to(c, in, outer, &t, item);
    if (r != EXEC_OK)
        return r;
    flags_set(c, flags);
    c->s.event.nmi_masked = 0;
    cpu_dirty(c, CPU_REGS | CPU_SREGS | CPU_EVENTS);
    return EXEC_OK;
}

/* ---- software interrupts ------------------------------------------------ */

enum exec op_int(struct cpu *c, struct insn *in)
{
    return exc_software(c, (u8)in->imm, true);
}

enum exec op_int3(struct cpu *c, struct insn *in)
{
    return exc_software(c, EXC_BP, true);
}

enum exec op_int1(struct cpu *c, struct insn *in)
{
    return exc_software(c, EXC_DB, false);
}
