/* SPDX-License-Identifier: Apache-2.0 */
/* fast_jump.c: near branches, calls, and the 64-bit stack */
#include "fast_jump.h"
#include "ops.h"

FAST const struct op *jump_to(struct cpu *c, const struct op *o, u64 rip)
{
    if (unlikely(!is_canonical(rip)))
        return fast_redo(c, o);
    return fast_jump(c, o, rip);
}

static const struct op *jump_reg(struct cpu *c, const struct op *o)
{
    return jump_to(c, o, reg_ld(c, o->src, 8));
}

FAST const struct op *jump_through(struct cpu *c, const struct op *o,
                                   enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, 8, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, 8, ACC_READ);
    return jump_to(c, o, host_ld(p, 8));
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
/* clang-format on */

/* By the number of ops that are left of a run; those of a longer one are like
 * the sixth. */
#define RUN_MAX 6u
static op_handler *const push_runs[RUN_MAX + 1] = {
    fast_push_1, fast_push_2, fast_push_3, fast_push_4,
    fast_push_5, fast_push_6, fast_push_6};
static op_handler *const pop_runs[RUN_MAX + 1] = {
    fast_pop_1, fast_pop_2, fast_pop_3, fast_pop_4,
    fast_pop_5, fast_pop_6, fast_pop_6};
static op_handler *const pop_rets[RUN_MAX] = {fast_pop_1_ret, fast_pop_2_ret,
                                              fast_pop_3_ret, fast_pop_4_ret,
                                              fast_pop_5_ret, fast_pop_6_ret};

/* ---- choice ------------------------------------------------------------- */

bool fast_jump_select(struct op *o, const struct insn *in, u64 next_rip)
{
    if (in->size != 8 || !is_canonical(next_rip + in->imm))
        return false; /* the step tier faults at the right place */
    if (in->fn == op_jcc)
        o->fn = jump_cc[in->opcode & 15];
    else if (in->fn == op_jmp)
        o->fn = fast_jump_direct;
    else if (in->fn == op_call)
        o->fn = fast_call_direct;
    else
        return false;
    o->imm32 = (s32)in->imm;
    return true;
}

bool fast_stack_select(struct op *o, const struct insn *in, unsigned int form)
{
    static const struct fast_row rows[] = {
        {op_push,
         {[3] = {fast_push_1, push_imm, [FORM_RM] = FAST_EA_ROW(push_mem)}}},
        {op_pop, {[3] = {fast_pop_1}}},
        {op_ret, {[3] = {fast_ret_near, fast_ret_near}}},
        {op_call_ind, {[3] = {call_reg, [FORM_RM] = FAST_EA_ROW(call_mem)}}},
        {op_jmp_ind, {[3] = {jump_reg, [FORM_RM] = FAST_EA_ROW(jump_mem)}}},
        {op_leave, {[3] = {leave_frame}}},
        {op_pushf, {[3] = {push_flags}}},
        {0},
    };

    if (!fast_row_select(o, in, form, rows))
        return false;
    if (o->fn == fast_push_1 && o->src == GPR_RSP * 8)
        o->fn = push_reg;
    else if (o->fn == fast_pop_1 && o->dst == GPR_RSP * 8)
        o->fn = pop_reg;
    return true;
}

/* o and those before it, nr at most, are a run of old: they become one of new.
 */
static void jump_fuse_run(struct op *o, unsigned int nr, op_handler *const *old,
                          op_handler *const *new)
{
    for (unsigned int n = 0; n < MIN(nr, RUN_MAX) && o->fn == old[n]; n++, o--)
        o->fn = new[n];
}

void fast_fuse_stack(struct op *op, unsigned int nr)
{
    struct op *last = &op[nr - 1];

    if (last->fn == fast_ret_near)
        jump_fuse_run(last - 1, nr - 1, pop_runs, pop_rets);
    else if (last->fn == fast_push_1)
        jump_fuse_run(last - 1, nr - 1, push_runs, push_runs + 1);
    else if (last->fn == fast_pop_1)
        jump_fuse_run(last - 1, nr - 1, pop_runs, pop_runs + 1);
}
