/* SPDX-License-Identifier: Apache-2.0 */
/* fast_move.c: widening moves, LEA, one-operand arithmetic, shifts, CMOV */
#include "fast_move.h"
#include "ops.h"

/* ---- CBW, CWD, CLI, STI ------------------------------------------------- */

static const struct op *cbw4(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RAX] = (u32)(s32)(s16)c->s.gpr[GPR_RAX];
    return next(c, o + 1);
}

static const struct op *cbw8(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RAX] = (u64)(s64)(s32)c->s.gpr[GPR_RAX];
    return next(c, o + 1);
}

static const struct op *cwd4(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RDX] = (u32)((s32)c->s.gpr[GPR_RAX] >> 31);
    return next(c, o + 1);
}

static const struct op *cwd8(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RDX] = (u64)((s64)c->s.gpr[GPR_RAX] >> 63);
    return next(c, o + 1);
}

/* The step tier knows what to do where it is not allowed. */
static const struct op *cli(struct cpu *c, const struct op *o)
{
    if (unlikely(c->cpl > (c->s.rflags >> 12 & 3)))
        return fast_redo(c, o);
    c->s.rflags &= ~RFLAGS_IF;
    return next(c, o + 1);
}

/*
 * STI holds interrupts off for one more instruction. Nobody looks for them
 * between two ops of a block, so with none waiting the next op just follows. To
 * the run loop with one that waits, or one instruction later a CLI would hide
 * it again; in service mode, where KVM may want to go on; and from the end of a
 * block (see fast_sti_last()), as the run loop looks there.
 */
static const struct op *sti_leave(struct cpu *c, const struct op *o)
{
    if (unlikely(c->cpl))
        return fast_redo(c, o);
    c->s.event.shadow_sti |= !(c->s.rflags & RFLAGS_IF);
    c->s.rflags |= RFLAGS_IF;
    cpu_dirty(c, CPU_EVENTS);
    return fast_poll_next(c, o);
}

static const struct op *sti(struct cpu *c, const struct op *o)
{
    u32 attn = atomic_load_explicit(&c->attn, memory_order_relaxed);

    if (unlikely(c->cpl || c->service || attn & ATTN_IRQ))
        return sti_leave(c, o);
    c->sti_set = !(c->s.rflags & RFLAGS_IF);
    c->s.rflags |= RFLAGS_IF;
    return next(c, o + 1);
}

void fast_keep_shadow(struct cpu *c, const struct op *o)
{
    if (o->idx > 0 && o[-1].fn == sti)
        c->s.event.shadow_sti |= c->sti_set;
}

void fast_sti_last(struct op *o)
{
    if (o->fn == sti)
        o->fn = sti_leave;
}

/* ---- instances ---------------------------------------------------------- */

/* clang-format off */
FAST_MOVE(FAST_DEFINE)

#define WIDEN_ROW(name)                                                        \
    {fast_##name##_reg, fast_##name##_base, fast_##name##_index,               \
     fast_##name##_seg}
static op_handler *const widen_zero[][4] = {WIDEN_ROW(movzx1),
                                            WIDEN_ROW(movzx2)};
/* By destination 4 or 8, then source 1, 2, 4. */
static op_handler *const widen_sign[2][3][4] = {
    {WIDEN_ROW(movsx14), WIDEN_ROW(movsx24)},
    {WIDEN_ROW(movsx18), WIDEN_ROW(movsx28), WIDEN_ROW(movsx48)},
};
static op_handler *const lea_handlers[2][2] = {
    {fast_lea4_base, fast_lea4_index}, {fast_lea8_base, fast_lea8_index}};

#define UNARY_ROW(name)                                                        \
    {WIDEN_ROW(name##1), WIDEN_ROW(name##2), WIDEN_ROW(name##4),               \
     WIDEN_ROW(name##8)}
static op_handler *const unary_handlers[UN_NR][4][4] = {
    UNARY_ROW(inc), UNARY_ROW(dec), UNARY_ROW(neg), UNARY_ROW(not)};

#define TWO_ROW(name)                                                          \
    [2] = {fast_##name##4_rr, fast_##name##4_ri},                              \
    [3] = {fast_##name##8_rr, fast_##name##8_ri}
#define SHIFT_ROW(name)                                                        \
    {fast_##name##1_rr, fast_##name##1_ri},                                    \
    {fast_##name##2_rr, fast_##name##2_ri}, TWO_ROW(name)
static op_handler *const two_handlers[TWO_NR][4][2] = {
    {SHIFT_ROW(shl)}, {SHIFT_ROW(shr)}, {SHIFT_ROW(sar)}, {SHIFT_ROW(rol)},
    {SHIFT_ROW(ror)}, {TWO_ROW(bt)}, {TWO_ROW(imul)}};

#define CC_ROW(none, cc) {fast_cmov4_##cc, fast_cmov8_##cc, fast_set_##cc},
static op_handler *const cc_handlers[16][3] = {FAST_BY_CC(CC_ROW, )};
/* clang-format on */

/* ---- choice ------------------------------------------------------------- */

/* Forms register (0) or memory by kind (1..3); -1: another. */
static int form_load(unsigned int form)
{
    if (form == FORM_RR)
        return 0;
    return form >= FORM_RM && form < FORM_MR ? (int)(form - FORM_RM) + 1 : -1;
}

static int form_store(unsigned int form)
{
    if (form == FORM_RR)
        return 0;
    return form >= FORM_MR && form < FORM_MI ? (int)(form - FORM_MR) + 1 : -1;
}

static op_handler *move_widen(const struct insn *in, unsigned int form)
{
    int i = form_load(form);

    if (i < 0 || in->size < 4 || in->ssize > 4)
        return NULL;
    if (in->fn == op_movzx)
        return in->ssize < 4 ? widen_zero[in->ssize / 2][i] : NULL;
    return widen_sign[in->size == 8][in->ssize / 2][i];
}

static op_handler *move_lea(const struct insn *in, unsigned int form)
{
    if (in->size < 4 || form < FORM_RM || form - FORM_RM > EA_INDEX)
        return NULL;
    return lea_handlers[in->size == 8][form - FORM_RM];
}

static op_handler *move_unary(const struct insn *in, unsigned int form)
{
    static op_fn *const fns[UN_NR] = {op_inc, op_dec, op_neg, op_not};
    int f = form_store(form);

    for (unsigned int i = 0; i < UN_NR && f >= 0; i++)
        if (in->fn == fns[i])
            return unary_handlers[i][__builtin_ctz(in->size)][f];
    return NULL;
}

static op_handler *move_two(const struct insn *in, unsigned int form)
{
    static op_fn *const fns[TWO_NR] = {op_shl, op_shr, op_sar,  op_rol,
                                       op_ror, op_bt,  op_imul2};

    if (form != FORM_RR && form != FORM_RI)
        return NULL;
    for (unsigned int i = 0; i < TWO_NR; i++)
        if (in->fn == fns[i])
            return two_handlers[i][__builtin_ctz(in->size)][form == FORM_RI];
    return NULL;
}

static op_handler *move_register(struct op *o, const struct insn *in,
                                 unsigned int form)
{
    bool wide = in->size == 8;

    if (in->size < 4 || form != FORM_RR)
        return NULL;
    if (in->fn == op_bswap)
        return wide ? fast_bswap_8 : fast_bswap_4;
    if (in->fn != op_imul3)
        return NULL;
    o->imm = in->imm;
    return wide ? fast_imul3_8 : fast_imul3_4;
}

static op_handler *move_cc(const struct insn *in, unsigned int form)
{
    unsigned int cc = in->opcode & 15;

    if (form != FORM_RR)
        return NULL;
    if (in->fn == op_setcc)
        return cc_handlers[cc][2];
    if (in->fn == op_cmov && in->size >= 4)
        return cc_handlers[cc][in->size == 8];
    return NULL;
}

bool fast_move_select(struct op *o, const struct insn *in, unsigned int form)
{
    if (in->fn == op_movzx || in->fn == op_movsx)
        o->fn = move_widen(in, form);
    else if (in->fn == op_lea)
        o->fn = move_lea(in, form);
    else if (in->fn == op_setcc || in->fn == op_cmov)
        o->fn = move_cc(in, form);
    else
        o->fn = move_unary(in, form);
    if (!o->fn)
        o->fn = move_two(in, form) ?: move_register(o, in, form);
    return o->fn != NULL;
}

bool fast_convert_select(struct op *o, const struct insn *in)
{
    bool wide = in->size == 8;

    if (in->fn == op_cli)
        o->fn = cli;
    else if (in->fn == op_sti)
        o->fn = sti;
    else if (in->size >= 4 && in->fn == op_cbw)
        o->fn = wide ? cbw8 : cbw4;
    else if (in->size >= 4 && in->fn == op_cwd)
        o->fn = wide ? cwd8 : cwd4;
    else
        return false;
    return true;
}
