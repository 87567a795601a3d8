/* SPDX-License-Identifier: Apache-2.0 */
/* fast_jump.h: forms of direct branches, CALL, RET, PUSH and POP. */
#ifndef MOTE_INTERP_FAST_JUMP_H
#define MOTE_INTERP_FAST_JUMP_H

#include "fast.h"

FAST const struct op *jump_if(struct cpu *c, const struct op *o,
                              unsigned int cc)
{
    if (flags_cond(c, cc))
        return fast_go(c, o, o->before + 1u);
    return next(c, o + 1);
}

FAST const struct op *jump_direct(struct cpu *c, const struct op *o)
{
    return fast_go(c, o, o->before + 1u);
}

/* The block is over, o is its end: no instruction. */
FAST const struct op *fall(struct cpu *c, const struct op *o)
{
    return fast_go(c, o, o->before);
}

/* ---- calls and returns --------------------------------------------------
 * A call ends its block, and the fall behind it is a link to where it comes
 * back. Each call notes that for its return, which so finds its block without
 * the jump cache and without reading the block's head. */

FAST void call_note(struct cpu *c, const struct op *o, u64 rip)
{
    c->ret[++c->ret_top % RET_NR] = (struct ret_entry){
        .rip = rip,
        .to = o + 1,
        .tlb = c->tlb,
        .epoch = c->epoch[EPOCH_LOCAL],
    };
}

/* Push the address behind o. False: the stack's page is not in the TLB. */
FAST bool call_push(struct cpu *c, const struct op *o)
{
    u64 la = c->s.gpr[GPR_RSP] - 8, back = fast_next_rip(o);
    u8 *p = tlb_hit(c, la, 8, ACC_WRITE);

    if (unlikely(!p))
        return false;
    host_st(p, 8, back);
    c->s.gpr[GPR_RSP] = la;
    call_note(c, o, back);
    return true;
}

FAST const struct op *call_direct(struct cpu *c, const struct op *o)
{
    if (unlikely(!call_push(c, o)))
        return fast_slow(c, o, c->s.gpr[GPR_RSP] - 8, 8, ACC_WRITE);
    return fast_go(c, o, o->before + 1u);
}

/* Is e the call that a return to rip belongs to? */
FAST bool ret_matches(const struct cpu *c, const struct ret_entry *e, u64 rip)
{
    return e->rip == rip && e->epoch == c->epoch[EPOCH_LOCAL] &&
           e->tlb == c->tlb;
}

FAST const struct op *ret_to(struct cpu *c, const struct op *o, u64 rip)
{
    const struct ret_entry *e = &c->ret[c->ret_top-- % RET_NR];

    if (unlikely(!ret_matches(c, e, rip)))
        return fast_jump(c, o, rip);
    c->icount += o->before + 1u;
    return fast_go(c, e->to, 0);
}

FAST const struct op *ret_near(struct cpu *c, const struct op *o)
{
    u64 la = c->s.gpr[GPR_RSP], rip;
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_READ);
    rip = host_ld(p, 8);
    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    c->s.gpr[GPR_RSP] = la + 8 + o->imm;
    return ret_to(c, o, rip);
}

/* ---- the stack ----------------------------------------------------------- */

FAST const struct op *push_val(struct cpu *c, const struct op *o, u64 val,
                               op_handler *then)
{
    u64 la = c->s.gpr[GPR_RSP] - 8;
    u8 *p = tlb_hit(c, la, 8, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_WRITE);
    host_st(p, 8, val);
    c->s.gpr[GPR_RSP] = la;
    return then(c, o + 1);
}

FAST const struct op *push_reg(struct cpu *c, const struct op *o)
{
    return push_val(c, o, reg_ld(c, o->src, 8), next);
}

FAST const struct op *pop_reg(struct cpu *c, const struct op *o)
{
    u64 la = c->s.gpr[GPR_RSP];
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_READ);
    c->s.gpr[GPR_RSP] = la + 8;
    reg_st(c, o->dst, 8, host_ld(p, 8));
    return next(c, o + 1);
}

/*
 * o and the n - 1 ops behind it at once, with one look at the TLB. What is not
 * all in one page is done one by one, each as before. RSP is none of them.
 */
FAST const struct op *push_run(struct cpu *c, const struct op *o,
                               unsigned int n, op_handler *then)
{
    u64 la = c->s.gpr[GPR_RSP] - 8ull * n;
    u8 *p = tlb_hit(c, la, 8 * n, ACC_WRITE);

    if (unlikely(!p))
        return push_reg(c, o);
    for (unsigned int i = 0; i < n; i++)
        host_st(p + 8 * (n - 1 - i), 8, reg_ld(c, o[i].src, 8));
    c->s.gpr[GPR_RSP] = la;
    return then(c, o + n);
}

FAST const struct op *pop_run(struct cpu *c, const struct op *o, unsigned int n,
                              op_handler *then)
{
    u64 la = c->s.gpr[GPR_RSP];
    const u8 *p = tlb_hit(c, la, 8 * n, ACC_READ);

    if (unlikely(!p))
        return pop_reg(c, o);
    for (unsigned int i = 0; i < n; i++)
        reg_st(c, o[i].dst, 8, host_ld(p + 8 * i, 8));
    c->s.gpr[GPR_RSP] = la + 8ull * n;
    return then(c, o + n);
}

/* n times POP, then RET. */
FAST const struct op *pop_ret(struct cpu *c, const struct op *o, unsigned int n)
{
    u64 la = c->s.gpr[GPR_RSP], rip;
    const u8 *p = tlb_hit(c, la, 8 * n + 8, ACC_READ);

    if (unlikely(!p))
        return pop_reg(c, o);
    rip = host_ld(p + 8 * n, 8);
    if (unlikely(!is_canonical(rip)))
        return pop_reg(c, o);
    for (unsigned int i = 0; i < n; i++)
        reg_st(c, o[i].dst, 8, host_ld(p + 8 * i, 8));
    c->s.gpr[GPR_RSP] = la + 8ull * n + 8 + o[n].imm;
    return ret_to(c, o + n, rip);
}

/* clang-format off */
#define JUMP_CC(X, cc) X(jump_##cc, jump_if, 0x##cc)
/* Nothing follows these. */
#define FAST_JUMP(X)                                                           \
    FAST_BY_CC(JUMP_CC, X)                                                     \
    X(jump_direct, jump_direct) X(call_direct, call_direct) X(fall, fall)      \
    X(ret_near, ret_near)                                                      \
    X(pop_1_ret, pop_ret, 1) X(pop_2_ret, pop_ret, 2) X(pop_3_ret, pop_ret, 3) \
    X(pop_4_ret, pop_ret, 4) X(pop_5_ret, pop_ret, 5) X(pop_6_ret, pop_ret, 6)
#define FAST_STACK(X)                                                          \
    X(push_1, push_run, 1) X(push_2, push_run, 2) X(push_3, push_run, 3)       \
    X(push_4, push_run, 4) X(push_5, push_run, 5) X(push_6, push_run, 6)       \
    X(pop_1, pop_run, 1) X(pop_2, pop_run, 2) X(pop_3, pop_run, 3)             \
    X(pop_4, pop_run, 4) X(pop_5, pop_run, 5) X(pop_6, pop_run, 6)

FAST_JUMP(FAST_DECLARE)
FAST_STACK(FAST_DECLARE)
FAST_JUMP(FAST_LAST)
/* clang-format on */

#endif
