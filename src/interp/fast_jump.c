/* SPDX-License-Identifier: Apache-2.0 */
/* fast_jump.c: near branches, calls, and the 64-bit stack */
#include "fast.h"
#include "ops.h"

FAST const struct op *jump_if(struct cpu *c, const struct op *o,
                              unsigned int cc)
{
    if (flags_cond(c, cc))
        return fast_go(c, o, o->before + 1u);
    return next(c, o + 1);
}

static const struct op *jump_direct(struct cpu *c, const struct op *o)
{
    return fast_go(c, o, o->before + 1u);
}

static const struct op *jump_reg(struct cpu *c, const struct op *o)
{
    u64 rip = reg_ld(c, o->src, 8);

    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    return fast_jump(c, o, rip);
}

FAST const struct op *jump_mem(struct cpu *c, const struct op *o,
                               enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea), rip;
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_READ);
    rip = host_ld(p, 8);
    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    return fast_jump(c, o, rip);
}

/* ---- calls and returns --------------------------------------------------
 * A call ends its block, and the op_fall behind it is a link to where it comes
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

static const struct op *call_direct(struct cpu *c, const struct op *o)
{
    u64 la = c->s.gpr[GPR_RSP] - 8, back = fast_next_rip(o);
    u8 *p = tlb_hit(c, la, 8, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_WRITE);
    host_st(p, 8, back);
    c->s.gpr[GPR_RSP] = la;
    call_note(c, o, back);
    return fast_go(c, o, o->before + 1u);
}

FAST const struct op *call_to(struct cpu *c, const struct op *o, u64 rip)
{
    u64 la = c->s.gpr[GPR_RSP] - 8, back = fast_next_rip(o);
    u8 *p = tlb_hit(c, la, 8, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_WRITE);
    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    host_st(p, 8, back);
    c->s.gpr[GPR_RSP] = la;
    call_note(c, o, back);
    return fast_jump(c, o, rip);
}

static const struct op *call_reg(struct cpu *c, const struct op *o)
{
    return call_to(c, o, reg_ld(c, o->src, 8));
}

/* A store that misses is retried from the start: the load has no effect. A
 * load that misses is not, because its page and the stack's may be rivals for
 * one TLB entry, and would drive each other out for ever. */
FAST const struct op *call_mem(struct cpu *c, const struct op *o,
                               enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_redo(c, o);
    return call_to(c, o, host_ld(p, 8));
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

static const struct op *ret_near(struct cpu *c, const struct op *o)
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

FAST const struct op *push_val(struct cpu *c, const struct op *o, u64 val)
{
    u64 la = c->s.gpr[GPR_RSP] - 8;
    u8 *p = tlb_hit(c, la, 8, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_WRITE);
    host_st(p, 8, val);
    c->s.gpr[GPR_RSP] = la;
    return next(c, o + 1);
}

static const struct op *push_reg(struct cpu *c, const struct op *o)
{
    return push_val(c, o, reg_ld(c, o->src, 8));
}

static const struct op *push_imm(struct cpu *c, const struct op *o)
{
    return push_val(c, o, o->imm);
}

static const struct op *push_flags(struct cpu *c, const struct op *o)
{
    return push_val(c, o, flags_get(c) & ~(RFLAGS_RF | RFLAGS_VM));
}

static const struct op *pop_reg(struct cpu *c, const struct op *o)
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
                               unsigned int n)
{
    u64 la = c->s.gpr[GPR_RSP] - 8ull * n;
    u8 *p = tlb_hit(c, la, 8 * n, ACC_WRITE);

    if (unlikely(!p))
        return push_reg(c, o);
    for (unsigned int i = 0; i < n; i++)
        host_st(p + 8 * (n - 1 - i), 8, reg_ld(c, o[i].src, 8));
    c->s.gpr[GPR_RSP] = la;
    return next(c, o + n);
}

FAST const struct op *pop_run(struct cpu *c, const struct op *o, unsigned int n)
{
    u64 la = c->s.gpr[GPR_RSP];
    const u8 *p = tlb_hit(c, la, 8 * n, ACC_READ);

    if (unlikely(!p))
        return pop_reg(c, o);
    for (unsigned int i = 0; i < n; i++)
        reg_st(c, o[i].dst, 8, host_ld(p + 8 * i, 8));
    c->s.gpr[GPR_RSP] = la + 8ull * n;
    return next(c, o + n);
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

static const struct op *leave_frame(struct cpu *c, const struct op *o)
{
    u64 la = c->s.gpr[GPR_RBP];
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_READ);
    c->s.gpr[GPR_RSP] = la + 8;
    c->s.gpr[GPR_RBP] = host_ld(p, 8);
    return next(c, o + 1);
}

/* clang-format off */
#define JCC(cc)                                                                \
    static const struct op *jump_##cc(struct cpu *c, const struct op *o)       \
    {                                                                          \
        return jump_if(c, o, 0x##cc);                                          \
    }
JCC(0) JCC(1) JCC(2) JCC(3) JCC(4) JCC(5) JCC(6) JCC(7)
JCC(8) JCC(9) JCC(a) JCC(b) JCC(c) JCC(d) JCC(e) JCC(f)

static op_handler *const jump_cc[16] = {
    jump_0, jump_1, jump_2, jump_3, jump_4, jump_5, jump_6, jump_7,
    jump_8, jump_9, jump_a, jump_b, jump_c, jump_d, jump_e, jump_f,
};

#define BY_EA(name)                                                            \
    static const struct op *name##_base(struct cpu *c, const struct op *o)     \
    {                                                                          \
        return name(c, o, EA_BASE);                                            \
    }                                                                          \
    static const struct op *name##_index(struct cpu *c, const struct op *o)    \
    {                                                                          \
        return name(c, o, EA_INDEX);                                           \
    }                                                                          \
    static const struct op *name##_seg(struct cpu *c, const struct op *o)      \
    {                                                                          \
        return name(c, o, EA_SEG);                                             \
    }
BY_EA(jump_mem)
BY_EA(call_mem)

#define RUN(n)                                                                 \
    static const struct op *push_##n(struct cpu *c, const struct op *o)        \
    {                                                                          \
        return push_run(c, o, n);                                              \
    }                                                                          \
    static const struct op *pop_##n(struct cpu *c, const struct op *o)         \
    {                                                                          \
        return pop_run(c, o, n);                                               \
    }                                                                          \
    static const struct op *pop_##n##_ret(struct cpu *c, const struct op *o)   \
    {                                                                          \
        return pop_ret(c, o, n);                                               \
    }
RUN(1) RUN(2) RUN(3) RUN(4) RUN(5) RUN(6)
/* clang-format on */

#define RUN_MAX 6
    static op_handler *const push_runs[RUN_MAX] = {push_1, push_2, push_3,
                                                   push_4, push_5, push_6};
static op_handler *const pop_runs[RUN_MAX] = {pop_1, pop_2, pop_3,
                                              pop_4, pop_5, pop_6};
static op_handler *const pop_rets[RUN_MAX] = {pop_1_ret, pop_2_ret, pop_3_ret,
                                              pop_4_ret, pop_5_ret, pop_6_ret};

static op_handler *const jump_mems[] = {jump_mem_base, jump_mem_index,
                                        jump_mem_seg};
static op_handler *const call_mems[] = {call_mem_base, call_mem_index,
                                        call_mem_seg};

static bool jump_relative(struct op *o, const struct insn *in, u64 next_rip)
{
    o->imm32 = (s32)in->imm;
    if (!is_canonical(next_rip + in->imm))
        return false; /* the step tier faults at the right place */
    if (in->fn == op_jcc)
        o->fn = jump_cc[in->opcode & 15];
    else if (in->fn == op_jmp)
        o->fn = jump_direct;
    else if (in->fn == op_call)
        o->fn = call_direct;
    else
        return false;
    return true;
}

static bool jump_indirect(struct op *o, const struct insn *in, u64 next_rip)
{
    bool call = in->fn == op_call_ind;
    unsigned int ea;

    if (in->fn != op_jmp_ind && !call)
        return false;
    if (in->mod == 3) {
        o->fn = call ? call_reg : jump_reg;
        o->src = (u8)(in->rm * 8);
        return true;
    }
    if (!fast_memory(o, in, next_rip, &ea))
        return false;
    o->fn = call ? call_mems[ea] : jump_mems[ea];
    return true;
}

static bool jump_stack(struct op *o, const struct insn *in)
{
    bool reg = in->row->src == W_Z || (in->row->src == W_E && in->mod == 3);

    o->seg = SEG_SS;
    if (in->fn == op_ret) {
        o->fn = ret_near;
        o->imm = in->imm;
    } else if (in->fn == op_push && reg) {
        o->fn = in->src_at == GPR_RSP * 8 ? push_reg : push_1;
        o->src = in->src_at;
    } else if (in->fn == op_push &&
               (in->row->src == W_I || in->row->src == W_IB)) {
        o->fn = push_imm;
        o->imm = in->src;
    } else if (in->fn == op_pop &&
               (in->row->dst == W_Z || (in->row->dst == W_E && in->mod == 3))) {
        o->fn = in->dst_at == GPR_RSP * 8 ? pop_reg : pop_1;
        o->dst = in->dst_at;
    } else if (in->fn == op_pushf) {
        o->fn = push_flags;
    } else if (in->fn == op_leave) {
        o->fn = leave_frame;
    } else {
        return false;
    }
    return true;
}

bool fast_jump_select(struct op *o, const struct insn *in, u64 next_rip)
{
    struct op was = *o;

    if (in->size != 8)
        return false;
    if (jump_relative(o, in, next_rip))
        return true;
    *o = was;
    if (jump_indirect(o, in, next_rip))
        return true;
    *o = was;
    if (jump_stack(o, in))
        return true;
    *o = was;
    return false;
}

static bool jump_in(op_handler *fn, op_handler *const run[RUN_MAX])
{
    for (unsigned int i = 0; i < RUN_MAX; i++)
        if (fn == run[i])
            return true;
    return false;
}

/* op[nr - 1 - n] is the nth before the last. */
static void jump_fuse_run(struct op *op, unsigned int nr,
                          op_handler *const old[RUN_MAX],
                          op_handler *const new[RUN_MAX])
{
    for (unsigned int n = 0; n < MIN(nr, (unsigned int)RUN_MAX); n++) {
        struct op *o = &op[nr - 1 - n];

        if (!jump_in(o->fn, old))
            return;
        o->fn = new[n];
    }
}

void fast_fuse_stack(struct op *op, unsigned int nr)
{
    if (op[nr - 1].fn == ret_near)
        jump_fuse_run(op, nr - 1, pop_runs, pop_rets);
    else if (op[nr - 1].fn == push_1)
        jump_fuse_run(op, nr, push_runs, push_runs);
    else if (op[nr - 1].fn == pop_1)
        jump_fuse_run(op, nr, pop_runs, pop_runs);
}
