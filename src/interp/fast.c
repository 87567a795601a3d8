/* SPDX-License-Identifier: Apache-2.0 */
/* fast.c: choice of handlers, and the ways out of the block tier */
#include "fast.h"
#include "ops.h"

/* ---- ways out ----------------------------------------------------------- */

/* Leave before the op. */
static const struct op *fast_leave(struct cpu *c, const struct op *o,
                                   enum exec why)
{
    if (why == EXEC_AGAIN)
        fast_keep_shadow(c, o);
    c->s.rip = op_block(o)->rip + o->rip_off;
    c->icount += o->before;
    c->leave = (u8)why;
    return NULL;
}

const struct op *fast_poll_at(struct cpu *c, u64 rip)
{
    c->s.rip = rip;
    c->leave = EXEC_OK;
    return NULL;
}

/* The instruction of o is complete and went to next_rip. */
static const struct op *fast_done(struct cpu *c, const struct op *o)
{
    c->icount += o->before + 1u;
    return fast_poll_at(c, c->next_rip);
}

static u64 fast_target(const struct op *o)
{
    return fast_next_rip(o) + (u64)(s64)o->imm32;
}

const struct op *fast_poll_link(struct cpu *c, const struct op *o)
{
    return fast_poll_at(c, fast_target(o));
}

const struct op *fast_find(struct cpu *c, u64 rip)
{
    const struct block *b = block_get(c, rip);

    if (!b)
        return fast_poll_at(c, rip);
    return next(c, b->op);
}

/* Within a page a link holds as long as the block does, as all blocks of a
 * page are dropped together. */
const struct op *fast_link(struct cpu *c, const struct op *o)
{
    struct op *link = (struct op *)(uintptr_t)o;
    u64 from = op_block(o)->rip, rip = fast_target(o);
    u64 flushes = block_flushes(c);
    const struct block *b = block_get(c, rip);

    if (!b)
        return fast_poll_at(c, rip);
    if (flushes != block_flushes(c))
        return next(c, b->op); /* o is gone */
    link->to = b->op;
    link->which = (from ^ rip) >> 12 == 0 ? EPOCH_FIXED
                  : mmu_is_global(c, rip) ? EPOCH_GLOBAL
                                          : EPOCH_LOCAL;
    link->guard = c->epoch[link->which];
    return next(c, b->op);
}

/* False: it did not complete, and the block was left. */
static bool fast_insn(struct cpu *c, const struct op *o, struct insn *in)
{
    enum exec r;

    c->s.rip = op_block(o)->rip + o->rip_off;
    c->next_rip = c->s.rip + in->len;
    r = insn_exec(c, in);
    if (likely(r == EXEC_OK))
        return true;
    /* Not fast_leave(): the block may be dead by now, as after a REP MOVS
     * over its own page, and s.rip is exact already. An iteration of REP ends
     * a shadow. */
    if (r == EXEC_AGAIN && !(in->row->flags & R_REP))
        fast_keep_shadow(c, o);
    c->icount += o->before;
    c->leave = (u8)r;
    return NULL;
}

const struct op *op_generic(struct cpu *c, const struct op *o)
{
    if (!fast_insn(c, o, o->slow))
        return NULL;
    if (unlikely(c->smc || !fast_time_left(c)))
        return fast_done(c, o);
    return next(c, o + 1);
}

const struct op *op_generic_end(struct cpu *c, const struct op *o)
{
    if (!fast_insn(c, o, o->slow))
        return NULL;
    return fast_done(c, o);
}

/* Has the rest of the instruction, in the next page, stayed as it was? EXEC_OK:
 * yes. EXEC_AGAIN: no, and the block is dropped. */
static NOINLINE enum exec fast_look_across(struct cpu *c, const struct op *o)
{
    const struct block *b = op_block(o);
    u64 now = 0, gpa;
    const u8 *host;
    enum exec r = mmu_fetch(c, (b->rip | (PAGE_SIZE - 1)) + 1, &gpa, &host);

    if (r != EXEC_OK)
        return r;
    if (likely(host != NULL))
        memcpy(&now, host, sizeof(now));
    if (likely(host && (now ^ o->imm) << (64 - 8 * o->scale) == 0))
        return EXEC_OK;
    block_page_written(c, b->gpa);
    return EXEC_AGAIN;
}

const struct op *op_cross(struct cpu *c, const struct op *o)
{
    enum exec r = fast_look_across(c, o);

    if (likely(r == EXEC_OK))
        return next(c, o + 1);
    if (r != EXEC_AGAIN)
        return fast_leave(c, o, r);
    c->s.rip = op_block(o)->rip;
    c->leave = (u8)step_one(c);
    return NULL;
}

/* The bytes the op was decoded from; those in the next page are in op_cross. */
static void fast_bytes(const struct op *o, u8 bytes[15])
{
    const struct block *b = op_block(o);
    u64 at = (b->rip + o->rip_off) & (PAGE_SIZE - 1);
    unsigned int here = (unsigned int)MIN((u64)o->len, PAGE_SIZE - at);

    memcpy(bytes, b->host + o->rip_off, here);
    if (here < o->len)
        memcpy(bytes + here, &b->op[0].imm, o->len - here);
}

/*
 * Run the op from the block's bytes. Another processor may have changed them,
 * so what follows is looked up anew unless it is what the block has: false
 * then, and when the instruction did not complete.
 *
 * Here and below: what has locals with an address is a function of its own,
 * or its caller's last call would not be a jump.
 */
static NOINLINE bool fast_run_bytes(struct cpu *c, const struct op *o)
{
    struct insn in;
    u8 bytes[15];

    fast_bytes(o, bytes);
    if (insn_decode(&in, bytes, o->len, MODE_64) != o->len) {
        block_page_written(c, op_block(o)->gpa);
        fast_leave(c, o, EXEC_AGAIN);
        return false;
    }
    if (!fast_insn(c, o, &in))
        return false;
    if (likely(!c->smc && c->next_rip == fast_next_rip(o) && fast_time_left(c)))
        return true;
    fast_done(c, o);
    return false;
}

const struct op *fast_redo(struct cpu *c, const struct op *o)
{
    if (!fast_run_bytes(c, o))
        return NULL;
    return next(c, o + 1);
}

/* MMIO, operands across pages and pages with code go to the step tier; so do
 * addresses that are not canonical, as it knows #SS from #GP. */
const struct op *fast_slow(struct cpu *c, const struct op *o, u64 la,
                           unsigned int size, enum access acc)
{
    enum exec r;

    if (!is_canonical(la) || !is_canonical(la + size - 1))
        return fast_redo(c, o);
    r = mmu_probe(c, la, size, acc);
    if (r != EXEC_OK)
        return fast_leave(c, o, r);
    if (!c->smc && tlb_hit(c, la, size, acc))
        return next(c, o);
    return fast_redo(c, o);
}

/* ---- choice ------------------------------------------------------------- */

/* A memory operand into *o, its kind into *ea. False: it is not one that
 * ea_kind can say. next_rip: RIP behind the instruction. */
static bool fast_memory(struct op *o, const struct insn *in, u64 next_rip,
                        unsigned int *ea)
{
    bool rel = in->rip_relative;

    if (in->asize != 8)
        return false;
    o->imm = (u64)in->disp + (rel ? next_rip : 0);
    o->base = (u8)((rel ? GPR_NONE : in->base) * 8);
    o->index = (u8)(in->index * 8);
    o->scale = in->scale;
    *ea = in->seg >= SEG_FS       ? EA_SEG
          : in->index != GPR_NONE ? EA_INDEX
                                  : EA_BASE;
    return true;
}

/* A register, or nothing. */
static bool is_register(const struct insn *in, u8 where)
{
    return where == W_NONE || where == W_G || where == W_A || where == W_Z ||
           where == W_CL || (where == W_E && in->mod == 3);
}

static bool is_immediate(u8 where)
{
    return where == W_I || where == W_IB || where == W_IUB || where == W_IW ||
           where == W_IV || where == W_ONE;
}

/* Operands into *o. */
static bool fast_operands(struct op *o, const struct insn *in, u64 next_rip,
                          unsigned int *form)
{
    u8 dst = in->row->dst, src = in->row->src;
    bool reg = is_register(in, dst), imm = is_immediate(src);
    bool ours = imm || is_register(in, src);
    unsigned int ea;

    o->dst = in->dst_at;
    o->src = in->src_at;
    if (!in->mem) {
        o->imm = imm ? in->src : in->imm; /* IMUL has three operands */
        *form = imm ? FORM_RI : FORM_RR;
        return reg && ours;
    }
    if (!fast_memory(o, in, next_rip, &ea))
        return false;
    if (imm)
        o->imm32 = (s32)in->src;
    *form = ea + (reg ? FORM_RM : imm ? FORM_MI : FORM_MR);
    return reg || ours;
}

bool fast_row_select(struct op *o, const struct insn *in, unsigned int form,
                     const struct fast_row *row)
{
    while (row->fn && row->fn != in->fn)
        row++;
    o->fn = row->handler[__builtin_ctz(in->size)][form];
    return o->fn != NULL;
}

bool fast_select(struct op *o, const struct insn *in, u64 next_rip)
{
    unsigned int form;

    if (in->prefix & PFX_LOCK || in->row->flags & (R_FPU | R_CPL0 | R_ATOMIC))
        return false;
    if (fast_jump_select(o, in, next_rip) || fast_string_select(o, in))
        return true;
    if (!fast_operands(o, in, next_rip, &form))
        return false;
    return fast_row_select(o, in, form, fast_alu_rows) ||
           fast_move_select(o, in, form) || fast_stack_select(o, in, form) ||
           fast_row_select(o, in, form, fast_mem_rows);
}
