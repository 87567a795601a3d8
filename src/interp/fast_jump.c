/* SPDX-License-Identifier: Apache-2.0 */
/* fast_jump.c: near branches, calls, and the 64-bit stack */
#include "fast_jump.h"
#include "ops.h"

static const struct op *jump_reg(struct cpu *c, const struct op *o)
{
    u64 rip = reg_ld(c, o->src, 8);

    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    return fast_jump(c, o, rip);
}

FAST const struct op *jump_through(struct cpu *c, const struct op *o,
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

/* ---- calls ------------------------------------------------------------- */

FAST const struct op *call_to(struct cpu *c, const struct op *o, u64 rip)
{
    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    if (unlikely(!call_push(c, o)))
        return fast_slow(c, o, c->s.gpr[GPR_RSP] - 8, 8, ACC_WRITE);
    return fast_jump(c, o, rip);
}

static const struct op *call_reg(struct cpu *c, const struct op *o)
{
    return call_to(c, o, reg_ld(c, o->src, 8));
}

typedef const struct op *value_op(struct cpu *c, const struct op *o, u64 val);

/* CALL and PUSH of memory. A store that misses is retried from the start: the
 * load has no effect. A load that misses is not, because its page and the
 * stack's may be rivals for one TLB entry, and would drive each other out for
 * ever. */
FAST const struct op *stack_mem(struct cpu *c, const struct op *o,
                                value_op *use, enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_redo(c, o);
    return use(c, o, host_ld(p, 8));
}

FAST const struct op *push_next(struct cpu *c, const struct op *o, u64 val)
{
    return push_val(c, o, val, next);
}

static const struct op *push_imm(struct cpu *c, const struct op *o)
{
    return push_next(c, o, o->imm);
}

static const struct op *push_flags(struct cpu *c, const struct op *o)
{
    return push_next(c, o, flags_get(c) & ~(RFLAGS_RF | RFLAGS_VM));
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
FAST_JUMP(FAST_DEFINE_LAST)
FAST_STACK(FAST_DEFINE)

#define CC(none, cc) fast_jump_##cc,
static op_handler *const jump_cc[16] = {FAST_BY_CC(CC, )};

FAST_BY_EA(FAST_STATIC, jump_mem, jump_through)
FAST_BY_EA(FAST_STATIC, call_mem, stack_mem, call_to)
FAST_BY_EA(FAST_STATIC, push_mem, stack_mem, push_next)

static op_handler *const jump_mems[] = {FAST_EA_ROW(jump_mem)};
static op_handler *const call_mems[] = {FAST_EA_ROW(call_mem)};
static op_handler *const push_mems[] = {FAST_EA_ROW(push_mem)};
/* clang-format on */

#define RUN_MAX 6
static op_handler *const push_runs[RUN_MAX] = {fast_push_1, fast_push_2,
                                               fast_push_3, fast_push_4,
                                               fast_push_5, fast_push_6};
static op_handler *const pop_runs[RUN_MAX] = {
    fast_pop_1, fast_pop_2, fast_pop_3, fast_pop_4, fast_pop_5, fast_pop_6};
static op_handler *const pop_rets[RUN_MAX] = {fast_pop_1_ret, fast_pop_2_ret,
                                              fast_pop_3_ret, fast_pop_4_ret,
                                              fast_pop_5_ret, fast_pop_6_ret};

static bool jump_relative(struct op *o, const struct insn *in, u64 next_rip)
{
    o->imm32 = (s32)in->imm;
    if (!is_canonical(next_rip + in->imm))
        return false; /* the step tier faults at the right place */
    if (in->fn == op_jcc)
        o->fn = jump_cc[in->opcode & 15];
    else if (in->fn == op_jmp)
        o->fn = fast_jump_direct;
    else if (in->fn == op_call)
        o->fn = fast_call_direct;
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

static bool jump_push_mem(struct op *o, const struct insn *in, u64 next_rip)
{
    unsigned int ea;

    if (in->fn != op_push || in->row->src != W_E || in->mod == 3 ||
        !fast_memory(o, in, next_rip, &ea))
        return false;
    o->fn = push_mems[ea];
    return true;
}

static bool jump_stack(struct op *o, const struct insn *in)
{
    bool reg = in->row->src == W_Z || (in->row->src == W_E && in->mod == 3);

    o->seg = SEG_SS;
    if (in->fn == op_ret) {
        o->fn = fast_ret_near;
        o->imm = in->imm;
    } else if (in->fn == op_push && reg) {
        o->fn = in->src_at == GPR_RSP * 8 ? push_reg : fast_push_1;
        o->src = in->src_at;
    } else if (in->fn == op_push &&
               (in->row->src == W_I || in->row->src == W_IB)) {
        o->fn = push_imm;
        o->imm = in->src;
    } else if (in->fn == op_pop &&
               (in->row->dst == W_Z || (in->row->dst == W_E && in->mod == 3))) {
        o->fn = in->dst_at == GPR_RSP * 8 ? pop_reg : fast_pop_1;
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
    if (jump_indirect(o, in, next_rip) || jump_push_mem(o, in, next_rip))
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
    if (op[nr - 1].fn == fast_ret_near)
        jump_fuse_run(op, nr - 1, pop_runs, pop_rets);
    else if (op[nr - 1].fn == fast_push_1)
        jump_fuse_run(op, nr, push_runs, push_runs);
    else if (op[nr - 1].fn == fast_pop_1)
        jump_fuse_run(op, nr, pop_runs, pop_runs);
}
