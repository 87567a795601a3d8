/* SPDX-License-Identifier: Apache-2.0 */
/* fast_move.h: forms of widening moves, LEA, one-operand arithmetic, shifts,
 * CMOV and SETcc. */
#ifndef MOTE_INTERP_FAST_MOVE_H
#define MOTE_INTERP_FAST_MOVE_H

#include "fast.h"

/* ---- MOVZX, MOVSX, LEA -------------------------------------------------- */

/* from bytes to a 4- or 8-byte register; zero extension is the same for both.
 */
FAST const struct op *widen(struct cpu *c, const struct op *o,
                            unsigned int from, unsigned int to, bool sign,
                            u64 val, op_handler *then)
{
    reg_st(c, o->dst, to, sign ? sign_extend(val, from) : val);
    return then(c, o + 1);
}

FAST const struct op *widen_reg(struct cpu *c, const struct op *o,
                                unsigned int from, unsigned int to, bool sign,
                                op_handler *then)
{
    return widen(c, o, from, to, sign, reg_ld(c, o->src, from), then);
}

FAST const struct op *widen_mem(struct cpu *c, const struct op *o,
                                unsigned int from, unsigned int to, bool sign,
                                enum ea_kind ea, op_handler *then)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, from, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, from, ACC_READ);
    return widen(c, o, from, to, sign, host_ld(p, from), then);
}

FAST const struct op *lea(struct cpu *c, const struct op *o, unsigned int size,
                          enum ea_kind ea, op_handler *then)
{
    reg_st(c, o->dst, size, fast_ea(c, o, ea));
    return then(c, o + 1);
}

/* ---- INC DEC NEG NOT ---------------------------------------------------- */

enum unary { UN_INC, UN_DEC, UN_NEG, UN_NOT };

FAST u64 unary_do(struct cpu *c, enum unary un, u64 a, unsigned int size)
{
    switch (un) {
    case UN_INC:
        return flags_inc(c, a, 0, size);
    case UN_DEC:
        return flags_dec(c, a, 0, size);
    case UN_NEG:
        return flags_neg(c, a, 0, size);
    default:
        return ~a;
    }
}

FAST const struct op *unary_reg(struct cpu *c, const struct op *o,
                                enum unary un, unsigned int size,
                                op_handler *then)
{
    u64 a = reg_ld(c, o->dst, size);

    reg_st(c, o->dst, size, unary_do(c, un, a, size));
    return then(c, o + 1);
}

FAST const struct op *unary_mem(struct cpu *c, const struct op *o,
                                enum unary un, unsigned int size,
                                enum ea_kind ea, op_handler *then)
{
    u64 la = fast_ea(c, o, ea);
    u8 *p = tlb_hit(c, la, size, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_WRITE);
    host_st(p, size, unary_do(c, un, host_ld(p, size), size));
    return then(c, o + 1);
}

/* ---- shifts, BT, IMUL --------------------------------------------------- */

enum two { TWO_SHL, TWO_SHR, TWO_SAR, TWO_ROL, TWO_ROR, TWO_BT, TWO_IMUL };

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
                              unsigned int size, u64 b, op_handler *then)
{
    u64 a = reg_ld(c, o->dst, size);

    a = two_do(c, two, a, b, size);
    if (two != TWO_BT)
        reg_st(c, o->dst, size, a);
    return then(c, o + 1);
}

FAST const struct op *two_rr(struct cpu *c, const struct op *o, enum two two,
                             unsigned int size, op_handler *then)
{
    return two_reg(c, o, two, size, reg_ld(c, o->src, size), then);
}

FAST const struct op *two_ri(struct cpu *c, const struct op *o, enum two two,
                             unsigned int size, op_handler *then)
{
    return two_reg(c, o, two, size, o->imm, then);
}

/* Of a register with an immediate. */
FAST const struct op *imul3(struct cpu *c, const struct op *o,
                            unsigned int size, op_handler *then)
{
    u64 a = reg_ld(c, o->src, size);

    reg_st(c, o->dst, size, flags_imul(c, a, o->imm, size));
    return then(c, o + 1);
}

FAST const struct op *bswap(struct cpu *c, const struct op *o,
                            unsigned int size, op_handler *then)
{
    u64 a = __builtin_bswap64(reg_ld(c, o->dst, size));

    reg_st(c, o->dst, size, a >> (64 - size * 8));
    return then(c, o + 1);
}

/* ---- CMOVcc, SETcc ------------------------------------------------------ */

/* A 4-byte CMOV clears the upper half also when it does not move. */
FAST const struct op *cmov(struct cpu *c, const struct op *o, unsigned int cc,
                           unsigned int size, op_handler *then)
{
    u64 a = reg_ld(c, o->dst, size), b = reg_ld(c, o->src, size);

    reg_st(c, o->dst, size, flags_cond(c, cc) ? b : a);
    return then(c, o + 1);
}

FAST const struct op *setcc(struct cpu *c, const struct op *o, unsigned int cc,
                            op_handler *then)
{
    reg_st(c, o->dst, 1, flags_cond(c, cc));
    return then(c, o + 1);
}

FAST const struct op *setcc_mem(struct cpu *c, const struct op *o,
                                unsigned int cc, enum ea_kind ea,
                                op_handler *then)
{
    u64 la = fast_ea(c, o, ea);
    u8 *p = tlb_hit(c, la, 1, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, 1, ACC_WRITE);
    host_st(p, 1, flags_cond(c, cc));
    return then(c, o + 1);
}

/* Memory is read, and may fault, also when nothing moves. */
FAST const struct op *cmov_mem(struct cpu *c, const struct op *o,
                               unsigned int cc, unsigned int size,
                               enum ea_kind ea, op_handler *then)
{
    u64 la = fast_ea(c, o, ea), val;
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_READ);
    val = host_ld(p, size);
    reg_st(c, o->dst, size, flags_cond(c, cc) ? val : reg_ld(c, o->dst, size));
    return then(c, o + 1);
}

/* clang-format off */
#define MOVE_WIDEN(X, name, from, to, sign)                                    \
    X(name##_reg, widen_reg, from, to, sign)                                   \
    FAST_BY_EA(X, name, widen_mem, from, to, sign)
#define MOVE_UNARY(X, name, un, size)                                          \
    X(name##_reg, unary_reg, un, size)                                         \
    FAST_BY_EA(X, name, unary_mem, un, size)
#define MOVE_UNARIES(X, name, un)                                              \
    MOVE_UNARY(X, name##1, un, 1) MOVE_UNARY(X, name##2, un, 2)                \
    MOVE_UNARY(X, name##4, un, 4) MOVE_UNARY(X, name##8, un, 8)
#define MOVE_TWO(X, name, two)                                                 \
    X(name##4_rr, two_rr, two, 4) X(name##4_ri, two_ri, two, 4)                \
    X(name##8_rr, two_rr, two, 8) X(name##8_ri, two_ri, two, 8)
#define MOVE_SHIFT(X, name, two)                                               \
    X(name##1_rr, two_rr, two, 1) X(name##1_ri, two_ri, two, 1)                \
    X(name##2_rr, two_rr, two, 2) X(name##2_ri, two_ri, two, 2)                \
    MOVE_TWO(X, name, two)
#define MOVE_CC(X, cc)                                                         \
    X(cmov4_##cc, cmov, 0x##cc, 4) X(cmov8_##cc, cmov, 0x##cc, 8)              \
    X(set_##cc, setcc, 0x##cc)                                                 \
    FAST_BY_EA(X, cmovm4_##cc, cmov_mem, 0x##cc, 4)                            \
    FAST_BY_EA(X, cmovm8_##cc, cmov_mem, 0x##cc, 8)                            \
    FAST_BY_EA(X, setm_##cc, setcc_mem, 0x##cc)
#define FAST_MOVE(X)                                                           \
    MOVE_WIDEN(X, movzx1, 1, 8, false) MOVE_WIDEN(X, movzx2, 2, 8, false)      \
    MOVE_WIDEN(X, movsx14, 1, 4, true) MOVE_WIDEN(X, movsx24, 2, 4, true)      \
    MOVE_WIDEN(X, movsx18, 1, 8, true) MOVE_WIDEN(X, movsx28, 2, 8, true)      \
    MOVE_WIDEN(X, movsx48, 4, 8, true)                                         \
    X(lea4_base, lea, 4, EA_BASE) X(lea4_index, lea, 4, EA_INDEX)              \
    X(lea8_base, lea, 8, EA_BASE) X(lea8_index, lea, 8, EA_INDEX)              \
    MOVE_UNARIES(X, inc, UN_INC) MOVE_UNARIES(X, dec, UN_DEC)                  \
    MOVE_UNARIES(X, neg, UN_NEG) MOVE_UNARIES(X, not, UN_NOT)                  \
    MOVE_SHIFT(X, shl, TWO_SHL) MOVE_SHIFT(X, shr, TWO_SHR)                    \
    MOVE_SHIFT(X, sar, TWO_SAR) MOVE_SHIFT(X, rol, TWO_ROL)                    \
    MOVE_SHIFT(X, ror, TWO_ROR) MOVE_TWO(X, bt, TWO_BT)                        \
    MOVE_TWO(X, imul, TWO_IMUL)                                                \
    X(imul3_4, imul3, 4) X(imul3_8, imul3, 8)                                  \
    X(bswap_4, bswap, 4) X(bswap_8, bswap, 8)                                  \
    FAST_BY_CC(MOVE_CC, X)

FAST_MOVE(FAST_DECLARE)
/* clang-format on */

#endif
