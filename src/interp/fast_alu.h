/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_alu.h: forms of MOV and of arithmetic, logic, shifts and bit tests; CMP
 * and TEST also together with the Jcc behind them.
 */
#ifndef MOTE_INTERP_FAST_ALU_H
#define MOTE_INTERP_FAST_ALU_H

#include "fast_jump.h"

/* a op b as the host does it: a function of flags.h, or one of these. */
typedef u64 alu_fn(struct cpu *c, u64 a, u64 b, unsigned int size);

FAST u64 flags_mov(struct cpu *c, u64 a, u64 b, unsigned int size)
{
    return b;
}

FAST u64 flags_not(struct cpu *c, u64 a, u64 b, unsigned int size)
{
    return ~a;
}

FAST bool alu_reads(alu_fn *alu)
{
    return alu != flags_mov;
}

FAST bool alu_writes(alu_fn *alu)
{
    return alu != flags_cmp && alu != flags_test && alu != flags_bt;
}

FAST const struct op *alu_reg(struct cpu *c, const struct op *o, alu_fn *alu,
                              unsigned int size, u64 b, op_handler *then)
{
    unsigned int at = o->dst;
    u64 a = alu_reads(alu) ? reg_ld(c, at, size) : 0;

    a = alu(c, a, b, size);
    if (alu_writes(alu))
        reg_st(c, at, size, a);
    return then(c, o + 1);
}

FAST const struct op *alu_rr(struct cpu *c, const struct op *o, alu_fn *alu,
                             unsigned int size, op_handler *then)
{
    return alu_reg(c, o, alu, size, reg_ld(c, o->src, size), then);
}

FAST const struct op *alu_ri(struct cpu *c, const struct op *o, alu_fn *alu,
                             unsigned int size, op_handler *then)
{
    return alu_reg(c, o, alu, size, o->imm, then);
}

FAST const struct op *alu_rm(struct cpu *c, const struct op *o, alu_fn *alu,
                             unsigned int size, enum ea_kind ea,
                             op_handler *then)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_READ);
    return alu_reg(c, o, alu, size, host_ld(p, size), then);
}

FAST const struct op *alu_mem(struct cpu *c, const struct op *o, alu_fn *alu,
                              unsigned int size, u64 b, enum ea_kind ea,
                              op_handler *then)
{
    enum access acc = alu_writes(alu) ? ACC_WRITE : ACC_READ;
    u64 la = fast_ea(c, o, ea), a;
    u8 *p = tlb_hit(c, la, size, acc);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, acc);
    a = alu(c, alu_reads(alu) ? host_ld(p, size) : 0, b, size);
    if (alu_writes(alu))
        host_st(p, size, a);
    return then(c, o + 1);
}

FAST const struct op *alu_mr(struct cpu *c, const struct op *o, alu_fn *alu,
                             unsigned int size, enum ea_kind ea,
                             op_handler *then)
{
    return alu_mem(c, o, alu, size, reg_ld(c, o->src, size), ea, then);
}

FAST const struct op *alu_mi(struct cpu *c, const struct op *o, alu_fn *alu,
                             unsigned int size, enum ea_kind ea,
                             op_handler *then)
{
    u64 b = (u64)(s64)o->imm32 & size_mask(size);

    return alu_mem(c, o, alu, size, b, ea, then);
}

/* clang-format off */
#define ALU_RR(X, op, size) X(op##size##_rr, alu_rr, flags_##op, size)
#define ALU_RI(X, op, size) X(op##size##_ri, alu_ri, flags_##op, size)
#define ALU_RM(X, op, size)                                                    \
    FAST_BY_EA(X, op##size##_rm, alu_rm, flags_##op, size)
#define ALU_MR(X, op, size)                                                    \
    FAST_BY_EA(X, op##size##_mr, alu_mr, flags_##op, size)
#define ALU_MI(X, op, size)                                                    \
    FAST_BY_EA(X, op##size##_mi, alu_mi, flags_##op, size)
/* The forms that operations have; one without a source is as from a register. */
#define ALU_ALL(X, op, size)                                                   \
    ALU_RR(X, op, size) ALU_RI(X, op, size) ALU_RM(X, op, size)                \
    ALU_MR(X, op, size) ALU_MI(X, op, size)
#define ALU_ONE(X, op, size) ALU_RR(X, op, size) ALU_MR(X, op, size)
#define ALU_REG(X, op, size) ALU_RR(X, op, size) ALU_RI(X, op, size)
#define ALU_BIT(X, op, size) ALU_REG(X, op, size) ALU_MI(X, op, size)

#define ALU_4_8(FORMS, X, op) FORMS(X, op, 4) FORMS(X, op, 8)
#define ALU_1_8(FORMS, X, op)                                                  \
    FORMS(X, op, 1) FORMS(X, op, 2) ALU_4_8(FORMS, X, op)
#define FAST_ALU(X)                                                            \
    ALU_1_8(ALU_ALL, X, add) ALU_1_8(ALU_ALL, X, or)                           \
    ALU_1_8(ALU_ALL, X, adc) ALU_1_8(ALU_ALL, X, sbb)                          \
    ALU_1_8(ALU_ALL, X, and) ALU_1_8(ALU_ALL, X, sub)                          \
    ALU_1_8(ALU_ALL, X, xor) ALU_1_8(ALU_ALL, X, cmp)                          \
    ALU_1_8(ALU_ALL, X, test) ALU_1_8(ALU_ALL, X, mov)                         \
    ALU_1_8(ALU_ONE, X, inc) ALU_1_8(ALU_ONE, X, dec)                          \
    ALU_1_8(ALU_ONE, X, neg) ALU_1_8(ALU_ONE, X, not)                          \
    ALU_1_8(ALU_REG, X, shl) ALU_1_8(ALU_REG, X, shr)                          \
    ALU_1_8(ALU_REG, X, sar) ALU_1_8(ALU_REG, X, rol)                          \
    ALU_1_8(ALU_REG, X, ror) ALU_4_8(ALU_REG, X, imul)                         \
    ALU_4_8(ALU_BIT, X, bt) ALU_4_8(ALU_MI, X, bts)                            \
    ALU_4_8(ALU_MI, X, btr) ALU_4_8(ALU_MI, X, btc)

/* With a Jcc behind them, the most frequent forms. X(name, form, arguments,
 * what follows): these end in the Jcc. */
#define ALU_JCC(X, op, size, cc)                                               \
    X(op##size##_rr_##cc, alu_rr, flags_##op, size, jump_##cc##_last)          \
    X(op##size##_ri_##cc, alu_ri, flags_##op, size, jump_##cc##_last)          \
    X(op##size##_rm_##cc, alu_rm, flags_##op, size, EA_BASE, jump_##cc##_last) \
    X(op##size##_mi_##cc, alu_mi, flags_##op, size, EA_BASE, jump_##cc##_last)
#define FAST_ALU_JCC(X)                                                        \
    FAST_BY_CC(ALU_JCC, X, cmp, 1) FAST_BY_CC(ALU_JCC, X, cmp, 4)              \
    FAST_BY_CC(ALU_JCC, X, cmp, 8) FAST_BY_CC(ALU_JCC, X, test, 1)             \
    FAST_BY_CC(ALU_JCC, X, test, 4) FAST_BY_CC(ALU_JCC, X, test, 8)

FAST_ALU(FAST_DECLARE)
FAST_ALU_JCC(FAST_DECLARE)
/* clang-format on */

#endif
