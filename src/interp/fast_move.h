/* SPDX-License-Identifier: Apache-2.0 */
/* fast_move.h: forms of widening moves, LEA, IMUL with three operands, BSWAP,
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

/* ---- IMUL, BSWAP --------------------------------------------------------- */

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
    X(imul3_4, imul3, 4) X(imul3_8, imul3, 8)                                  \
    X(bswap_4, bswap, 4) X(bswap_8, bswap, 8)                                  \
    FAST_BY_CC(MOVE_CC, X)

FAST_MOVE(FAST_DECLARE)
/* clang-format on */

#endif
