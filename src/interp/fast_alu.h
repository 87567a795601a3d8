/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_alu.h: forms of MOV, TEST and the eight operations of the opcodes
 * 00..3F; CMP and TEST also together with the Jcc behind them.
 */
#ifndef MOTE_INTERP_FAST_ALU_H
#define MOTE_INTERP_FAST_ALU_H

#include "fast_jump.h"

enum fast_alu {
    ALU_ADD,
    ALU_OR,
    ALU_ADC,
    ALU_SBB,
    ALU_AND,
    ALU_SUB,
    ALU_XOR,
    ALU_CMP,
    ALU_TEST,
    ALU_MOV
};

FAST bool alu_reads(enum fast_alu alu)
{
    return alu != ALU_MOV;
}

FAST bool alu_writes(enum fast_alu alu)
{
    return alu != ALU_CMP && alu != ALU_TEST;
}

FAST u64 alu_do(struct cpu *c, enum fast_alu alu, u64 a, u64 b,
                unsigned int size)
{
    switch (alu) {
    case ALU_ADD:
        return flags_add(c, a, b, size);
    case ALU_OR:
        return flags_or(c, a, b, size);
    case ALU_ADC:
        return flags_adc(c, a, b, size);
    case ALU_SBB:
        return flags_sbb(c, a, b, size);
    case ALU_AND:
        return flags_and(c, a, b, size);
    case ALU_SUB:
        return flags_sub(c, a, b, size);
    case ALU_XOR:
        return flags_xor(c, a, b, size);
    case ALU_CMP:
        return flags_cmp(c, a, b, size);
    case ALU_TEST:
        return flags_test(c, a, b, size);
    default:
        return b;
    }
}

FAST const struct op *alu_reg(struct cpu *c, const struct op *o,
                              enum fast_alu alu, unsigned int size, u64 b,
                              op_handler *then)
{
    unsigned int at = o->dst;
    u64 a = alu_reads(alu) ? reg_ld(c, at, size) : 0;

    a = alu_do(c, alu, a, b, size);
    if (alu_writes(alu))
        reg_st(c, at, size, a);
    return then(c, o + 1);
}

FAST const struct op *alu_rr(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             op_handler *then)
{
    return alu_reg(c, o, alu, size, reg_ld(c, o->src, size), then);
}

FAST const struct op *alu_ri(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             op_handler *then)
{
    return alu_reg(c, o, alu, size, o->imm, then);
}

FAST const struct op *alu_rm(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea, op_handler *then)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_READ);
    return alu_reg(c, o, alu, size, host_ld(p, size), then);
}

FAST const struct op *alu_mem(struct cpu *c, const struct op *o,
                              enum fast_alu alu, unsigned int size, u64 b,
                              enum ea_kind ea, op_handler *then)
{
    enum access acc = alu_writes(alu) ? ACC_WRITE : ACC_READ;
    u64 la = fast_ea(c, o, ea), a;
    u8 *p = tlb_hit(c, la, size, acc);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, acc);
    a = alu_do(c, alu, alu_reads(alu) ? host_ld(p, size) : 0, b, size);
    if (alu_writes(alu))
        host_st(p, size, a);
    return then(c, o + 1);
}

FAST const struct op *alu_mr(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea, op_handler *then)
{
    return alu_mem(c, o, alu, size, reg_ld(c, o->src, size), ea, then);
}

FAST const struct op *alu_mi(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea, op_handler *then)
{
    u64 b = (u64)(s64)o->imm32 & size_mask(size);

    return alu_mem(c, o, alu, size, b, ea, then);
}

/* clang-format off */
#define ALU_FORMS(X, name, alu, size)                                          \
    X(name##_rr, alu_rr, alu, size)                                            \
    X(name##_ri, alu_ri, alu, size)                                            \
    FAST_BY_EA(X, name##_rm, alu_rm, alu, size)                                \
    FAST_BY_EA(X, name##_mr, alu_mr, alu, size)                                \
    FAST_BY_EA(X, name##_mi, alu_mi, alu, size)
#define ALU_SIZES(X, name, alu)                                                \
    ALU_FORMS(X, name##1, alu, 1) ALU_FORMS(X, name##2, alu, 2)                \
    ALU_FORMS(X, name##4, alu, 4) ALU_FORMS(X, name##8, alu, 8)
#define FAST_ALU(X)                                                            \
    ALU_SIZES(X, add, ALU_ADD) ALU_SIZES(X, or, ALU_OR)                        \
    ALU_SIZES(X, adc, ALU_ADC) ALU_SIZES(X, sbb, ALU_SBB)                      \
    ALU_SIZES(X, and, ALU_AND) ALU_SIZES(X, sub, ALU_SUB)                      \
    ALU_SIZES(X, xor, ALU_XOR) ALU_SIZES(X, cmp, ALU_CMP)                      \
    ALU_SIZES(X, test, ALU_TEST) ALU_SIZES(X, mov, ALU_MOV)

/* With a Jcc behind them, the most frequent forms. X(name, form, arguments,
 * what follows): these end in the Jcc. */
#define ALU_JCC(X, name, alu, size, cc)                                        \
    X(name##_rr_##cc, alu_rr, alu, size, jump_##cc##_last)                     \
    X(name##_ri_##cc, alu_ri, alu, size, jump_##cc##_last)                     \
    X(name##_rm_##cc, alu_rm, alu, size, EA_BASE, jump_##cc##_last)            \
    X(name##_mi_##cc, alu_mi, alu, size, EA_BASE, jump_##cc##_last)
#define FAST_ALU_JCC(X)                                                        \
    FAST_BY_CC(ALU_JCC, X, cmp1, ALU_CMP, 1)                                   \
    FAST_BY_CC(ALU_JCC, X, cmp4, ALU_CMP, 4)                                   \
    FAST_BY_CC(ALU_JCC, X, cmp8, ALU_CMP, 8)                                   \
    FAST_BY_CC(ALU_JCC, X, test1, ALU_TEST, 1)                                 \
    FAST_BY_CC(ALU_JCC, X, test4, ALU_TEST, 4)                                 \
    FAST_BY_CC(ALU_JCC, X, test8, ALU_TEST, 8)

FAST_ALU(FAST_DECLARE)
FAST_ALU_JCC(FAST_DECLARE)
/* clang-format on */

#endif
