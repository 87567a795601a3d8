/* SPDX-License-Identifier: Apache-2.0 */
/* fast_move.c: widening moves, LEA, one-operand arithmetic, shifts, CMOV */
#include "fast.h"
#include "ops.h"

/* ---- MOVZX, MOVSX, LEA -------------------------------------------------- */

/* from bytes to a 4- or 8-byte register; zero extension is the same for both.
 */
FAST const struct op *widen(struct cpu *c, const struct op *o,
                            unsigned int from, unsigned int to, bool sign,
                            u64 val)
{
    reg_st(c, o->dst, to, sign ? sign_extend(val, from) : val);
    return next(c, o + 1);
}

FAST const struct op *widen_reg(struct cpu *c, const struct op *o,
                                unsigned int from, unsigned int to, bool sign)
{
    return widen(c, o, from, to, sign, reg_ld(c, o->src, from));
}

FAST const struct op *widen_mem(struct cpu *c, const struct op *o,
                                unsigned int from, unsigned int to, bool sign,
                                enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, from, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, from, ACC_READ);
    return widen(c, o, from, to, sign, host_ld(p, from));
}

FAST const struct op *lea(struct cpu *c, const struct op *o, unsigned int size,
                          enum ea_kind ea)
{
    reg_st(c, o->dst, size, fast_ea(c, o, ea));
    return next(c, o + 1);
}

/* ---- INC DEC NEG NOT ---------------------------------------------------- */

enum unary { UN_INC, UN_DEC, UN_NEG, UN_NOT, UN_NR };

FAST u64 unary_do(struct cpu *c, enum unary un, u64 a, unsigned int size)
{
    switch (un) {
    case UN_INC:
        return flags_inc(c, a, size);
    case UN_DEC:
        return flags_dec(c, a, size);
    case UN_NEG:
        return flags_neg(c, a, size);
    default:
        return ~a;
    }
}

FAST const struct op *unary_reg(struct cpu *c, const struct op *o,
                                enum unary un, unsigned int size)
{
    u64 a = reg_ld(c, o->dst, size);

    reg_st(c, o->dst, size, unary_do(c, un, a, size));
    return next(c, o + 1);
}

FAST const struct op *unary_mem(struct cpu *c, const struct op *o,
                                enum unary un, unsigned int size,
                                enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    u8 *p = tlb_hit(c, la, size, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_WRITE);
    host_st(p, size, unary_do(c, un, host_ld(p, size), size));
    return next(c, o + 1);
}

/* ---- shifts, BT, IMUL --------------------------------------------------- */

enum two {
    TWO_SHL,
    TWO_SHR,
    TWO_SAR,
    TWO_ROL,
    TWO_ROR,
    TWO_BT,
    TWO_IMUL,
    TWO_NR
};

FAST u64 two_do(struct cpu *c, enum two two, u64 a, u64 b, unsigned int size)
{
    switch (two) {
    case TWO_SHL:
        return flags_shl(c, a, (u8)b, size);
    case TWO_SHR:
        return flags_shr(c, a, (u8)b, size);
    case TWO_SAR:
        return flags_sar(c, a, (u8)b, size);
    case TWO_ROL:
        return flags_rol(c, a, (u8)b, size);
    case TWO_ROR:
        return flags_ror(c, a, (u8)b, size);
    case TWO_BT:
        return flags_bt(c, a, b & (size * 8 - 1), size);
    default:
        return flags_imul(c, a, b, size);
    }
}

FAST const struct op *two_reg(struct cpu *c, const struct op *o, enum two two,
                              unsigned int size, u64 b)
{
    u64 a = reg_ld(c, o->dst, size);

    a = two_do(c, two, a, b, size);
    if (two != TWO_BT)
        reg_st(c, o->dst, size, a);
    return next(c, o + 1);
}

FAST const struct op *two_rr(struct cpu *c, const struct op *o, enum two two,
                             unsigned int size)
{
    return two_reg(c, o, two, size, reg_ld(c, o->src, size));
}

FAST const struct op *two_ri(struct cpu *c, const struct op *o, enum two two,
                             unsigned int size)
{
    return two_reg(c, o, two, size, o->imm);
}

/* ---- CMOVcc, SETcc, CBW, CWD -------------------------------------------- */

/* A 4-byte CMOV clears the upper half also when it does not move. */
FAST const struct op *cmov(struct cpu *c, const struct op *o, unsigned int cc,
                           unsigned int size)
{
    u64 a = reg_ld(c, o->dst, size), b = reg_ld(c, o->src, size);

    reg_st(c, o->dst, size, flags_cond(c, cc) ? b : a);
    return next(c, o + 1);
}

FAST const struct op *setcc(struct cpu *c, const struct op *o, unsigned int cc)
{
    reg_st(c, o->dst, 1, flags_cond(c, cc));
    return next(c, o + 1);
}

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
    c->icount += o->before + 1u;
    return fast_poll_at(c, fast_next_rip(o));
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
#define HANDLER(name, form, ...)                                               \
    static const struct op *name(struct cpu *c, const struct op *o)            \
    {                                                                          \
        return form(c, o, __VA_ARGS__);                                        \
    }
#define EA_ROW(name) name##_base, name##_index, name##_seg

#define WIDEN(name, from, to, sign)                                            \
    HANDLER(name##_reg, widen_reg, from, to, sign)                             \
    HANDLER(name##_base, widen_mem, from, to, sign, EA_BASE)                   \
    HANDLER(name##_index, widen_mem, from, to, sign, EA_INDEX)                 \
    HANDLER(name##_seg, widen_mem, from, to, sign, EA_SEG)
#define WIDEN_ROW(name) {name##_reg, EA_ROW(name)}
WIDEN(movzx1, 1, 8, false)
WIDEN(movzx2, 2, 8, false)
WIDEN(movsx14, 1, 4, true)
WIDEN(movsx24, 2, 4, true)
WIDEN(movsx18, 1, 8, true)
WIDEN(movsx28, 2, 8, true)
WIDEN(movsx48, 4, 8, true)

static op_handler *const widen_zero[][4] = {WIDEN_ROW(movzx1),
                                            WIDEN_ROW(movzx2)};
/* By destination 4 or 8, then source 1, 2, 4. */
static op_handler *const widen_sign[2][3][4] = {
    {WIDEN_ROW(movsx14), WIDEN_ROW(movsx24)},
    {WIDEN_ROW(movsx18), WIDEN_ROW(movsx28), WIDEN_ROW(movsx48)},
};

HANDLER(lea4_base, lea, 4, EA_BASE)
HANDLER(lea4_index, lea, 4, EA_INDEX)
HANDLER(lea8_base, lea, 8, EA_BASE)
HANDLER(lea8_index, lea, 8, EA_INDEX)
static op_handler *const lea_handlers[2][2] = {{lea4_base, lea4_index},
                                               {lea8_base, lea8_index}};

#define UNARY(name, un, size)                                                  \
    HANDLER(name##size##_reg, unary_reg, un, size)                             \
    HANDLER(name##size##_base, unary_mem, un, size, EA_BASE)                   \
    HANDLER(name##size##_index, unary_mem, un, size, EA_INDEX)                 \
    HANDLER(name##size##_seg, unary_mem, un, size, EA_SEG)
#define UNARIES(name, un)                                                      \
    UNARY(name, un, 1) UNARY(name, un, 2) UNARY(name, un, 4) UNARY(name, un, 8)
#define UNARY_ROW(name)                                                        \
    {WIDEN_ROW(name##1), WIDEN_ROW(name##2), WIDEN_ROW(name##4),               \
     WIDEN_ROW(name##8)}
UNARIES(inc, UN_INC)
UNARIES(dec, UN_DEC)
UNARIES(neg, UN_NEG)
UNARIES(not, UN_NOT)
static op_handler *const unary_handlers[UN_NR][4][4] = {
    UNARY_ROW(inc), UNARY_ROW(dec), UNARY_ROW(neg), UNARY_ROW(not)};

#define TWO(name, two)                                                         \
    HANDLER(name##4_rr, two_rr, two, 4) HANDLER(name##4_ri, two_ri, two, 4)    \
    HANDLER(name##8_rr, two_rr, two, 8) HANDLER(name##8_ri, two_ri, two, 8)
#define TWO_ROW(name) {{name##4_rr, name##4_ri}, {name##8_rr, name##8_ri}}
TWO(shl, TWO_SHL)
TWO(shr, TWO_SHR)
TWO(sar, TWO_SAR)
TWO(rol, TWO_ROL)
TWO(ror, TWO_ROR)
TWO(bt, TWO_BT)
TWO(imul, TWO_IMUL)
static op_handler *const two_handlers[TWO_NR][2][2] = {
    TWO_ROW(shl), TWO_ROW(shr), TWO_ROW(sar), TWO_ROW(rol),
    TWO_ROW(ror), TWO_ROW(bt), TWO_ROW(imul)};

#define BY_CC(X)                                                               \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)                                    \
    X(8) X(9) X(a) X(b) X(c) X(d) X(e) X(f)
#define CC(cc)                                                                 \
    HANDLER(cmov4_##cc, cmov, 0x##cc, 4)                                       \
    HANDLER(cmov8_##cc, cmov, 0x##cc, 8)                                       \
    HANDLER(set_##cc, setcc, 0x##cc)
#define CC_ROW(cc) {cmov4_##cc, cmov8_##cc, set_##cc},
BY_CC(CC)
static op_handler *const cc_handlers[16][3] = {BY_CC(CC_ROW)};
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

    if (in->size < 4 || (form != FORM_RR && form != FORM_RI))
        return NULL;
    for (unsigned int i = 0; i < TWO_NR; i++)
        if (in->fn == fns[i])
            return two_handlers[i][in->size == 8][form == FORM_RI];
    return NULL;
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
        o->fn = move_two(in, form);
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
