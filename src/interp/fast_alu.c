/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_alu.c: MOV, TEST and the eight operations of the opcodes 00..3F; CMP and
 * TEST also together with the Jcc behind them. That is still an op of its own,
 * so both instruction boundaries stay what they are: a CMP that has to go to
 * the step tier goes on with it.
 */
#include "fast.h"

#define CC_NONE 16u /* no Jcc */

FAST const struct op *alu_next(struct cpu *c, const struct op *o,
                               unsigned int cc)
{
    if (cc == CC_NONE)
        return next(c, o + 1);
    if (flags_cond(c, cc))
        return fast_go(c, o + 1, o[1].before + 1u);
    return next(c, o + 2);
}

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
        flags_cmp(c, a, b, size);
        return a;
    case ALU_TEST:
        flags_test(c, a, b, size);
        return a;
    default:
        return b;
    }
}

FAST const struct op *alu_reg(struct cpu *c, const struct op *o,
                              enum fast_alu alu, unsigned int size, u64 b,
                              unsigned int cc)
{
    unsigned int at = o->dst;
    u64 a = alu_reads(alu) ? reg_ld(c, at, size) : 0;

    a = alu_do(c, alu, a, b, size);
    if (alu_writes(alu))
        reg_st(c, at, size, a);
    return alu_next(c, o, cc);
}

FAST const struct op *alu_rr(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             unsigned int cc)
{
    return alu_reg(c, o, alu, size, reg_ld(c, o->src, size), cc);
}

FAST const struct op *alu_ri(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             unsigned int cc)
{
    return alu_reg(c, o, alu, size, o->imm, cc);
}

FAST const struct op *alu_rm(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea, unsigned int cc)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_READ);
    return alu_reg(c, o, alu, size, host_ld(p, size), cc);
}

FAST const struct op *alu_mem(struct cpu *c, const struct op *o,
                              enum fast_alu alu, unsigned int size, u64 b,
                              enum ea_kind ea, unsigned int cc)
{
    enum access acc = alu_writes(alu) ? ACC_WRITE : ACC_READ;
    u64 la = fast_ea(c, o, ea), a;
    u8 *p = tlb_hit(c, la, size, acc);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, acc);
    a = alu_do(c, alu, alu_reads(alu) ? host_ld(p, size) : 0, b, size);
    if (alu_writes(alu))
        host_st(p, size, a);
    return alu_next(c, o, cc);
}

FAST const struct op *alu_mr(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea, unsigned int cc)
{
    return alu_mem(c, o, alu, size, reg_ld(c, o->src, size), ea, cc);
}

FAST const struct op *alu_mi(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea, unsigned int cc)
{
    u64 b = (u64)(s64)o->imm32 & size_mask(size);

    return alu_mem(c, o, alu, size, b, ea, cc);
}

/* clang-format off */
#define HANDLER(name, form, ...)                                               \
    static const struct op *name(struct cpu *c, const struct op *o)            \
    {                                                                          \
        return form(c, o, __VA_ARGS__);                                        \
    }
#define HANDLER_EA(name, form, alu, size)                                      \
    HANDLER(name##_base, form, alu, size, EA_BASE, CC_NONE)                    \
    HANDLER(name##_index, form, alu, size, EA_INDEX, CC_NONE)                  \
    HANDLER(name##_seg, form, alu, size, EA_SEG, CC_NONE)
#define FORMS(op, alu, size)                                                   \
    HANDLER(fast_##op##size##_rr, alu_rr, alu, size, CC_NONE)                  \
    HANDLER(fast_##op##size##_ri, alu_ri, alu, size, CC_NONE)                  \
    HANDLER_EA(fast_##op##size##_rm, alu_rm, alu, size)                        \
    HANDLER_EA(fast_##op##size##_mr, alu_mr, alu, size)                        \
    HANDLER_EA(fast_##op##size##_mi, alu_mi, alu, size)
#define SIZES(op, alu)                                                         \
    FORMS(op, alu, 1) FORMS(op, alu, 2) FORMS(op, alu, 4) FORMS(op, alu, 8)

SIZES(add, ALU_ADD)
SIZES(or, ALU_OR)
SIZES(adc, ALU_ADC)
SIZES(sbb, ALU_SBB)
SIZES(and, ALU_AND)
SIZES(sub, ALU_SUB)
SIZES(xor, ALU_XOR)
SIZES(cmp, ALU_CMP)
SIZES(test, ALU_TEST)
SIZES(mov, ALU_MOV)

#define EA_ROW(name) name##_base, name##_index, name##_seg
#define FORMS_ROW(op, size)                                                    \
    {fast_##op##size##_rr, fast_##op##size##_ri, EA_ROW(fast_##op##size##_rm), \
     EA_ROW(fast_##op##size##_mr), EA_ROW(fast_##op##size##_mi)}
#define SIZES_ROW(op)                                                          \
    {FORMS_ROW(op, 1), FORMS_ROW(op, 2), FORMS_ROW(op, 4), FORMS_ROW(op, 8)}

static op_handler *const alu_handlers[ALU_NR][4][FORM_NR] = {
    [ALU_ADD] = SIZES_ROW(add),
    [ALU_OR] = SIZES_ROW(or),
    [ALU_ADC] = SIZES_ROW(adc),
    [ALU_SBB] = SIZES_ROW(sbb),
    [ALU_AND] = SIZES_ROW(and),
    [ALU_SUB] = SIZES_ROW(sub),
    [ALU_XOR] = SIZES_ROW(xor),
    [ALU_CMP] = SIZES_ROW(cmp),
    [ALU_TEST] = SIZES_ROW(test),
    [ALU_MOV] = SIZES_ROW(mov),
};

/* CMP and TEST with a Jcc, for the most frequent forms. */
#define FUSED(op, alu, size, cc)                                               \
    HANDLER(fuse_##op##size##_rr_##cc, alu_rr, alu, size, 0x##cc)              \
    HANDLER(fuse_##op##size##_ri_##cc, alu_ri, alu, size, 0x##cc)              \
    HANDLER(fuse_##op##size##_rm_##cc, alu_rm, alu, size, EA_BASE, 0x##cc)     \
    HANDLER(fuse_##op##size##_mi_##cc, alu_mi, alu, size, EA_BASE, 0x##cc)
#define BY_CC(X, ...)                                                          \
    X(__VA_ARGS__, 0) X(__VA_ARGS__, 1) X(__VA_ARGS__, 2) X(__VA_ARGS__, 3)    \
    X(__VA_ARGS__, 4) X(__VA_ARGS__, 5) X(__VA_ARGS__, 6) X(__VA_ARGS__, 7)    \
    X(__VA_ARGS__, 8) X(__VA_ARGS__, 9) X(__VA_ARGS__, a) X(__VA_ARGS__, b)    \
    X(__VA_ARGS__, c) X(__VA_ARGS__, d) X(__VA_ARGS__, e) X(__VA_ARGS__, f)
BY_CC(FUSED, cmp, ALU_CMP, 1)
BY_CC(FUSED, cmp, ALU_CMP, 4)
BY_CC(FUSED, cmp, ALU_CMP, 8)
BY_CC(FUSED, test, ALU_TEST, 1)
BY_CC(FUSED, test, ALU_TEST, 4)
BY_CC(FUSED, test, ALU_TEST, 8)

#define FUSED_CC(name, cc) name##_##cc,
#define FUSED_ROW(op, size)                                                    \
    {BY_CC(FUSED_CC, fuse_##op##size##_rr)},                                   \
    {BY_CC(FUSED_CC, fuse_##op##size##_ri)},                                   \
    {BY_CC(FUSED_CC, fuse_##op##size##_rm)},                                   \
    {BY_CC(FUSED_CC, fuse_##op##size##_mi)},

/* By operation, size, form and condition: see fuse_row(). */
static op_handler *const fuse_handlers[][16] = {
    FUSED_ROW(cmp, 1) FUSED_ROW(cmp, 4) FUSED_ROW(cmp, 8)
    FUSED_ROW(test, 1) FUSED_ROW(test, 4) FUSED_ROW(test, 8)
};
/* clang-format on */

/* Row of fuse_handlers plus one; 0: no such row. */
static u8 fuse_row(enum fast_alu alu, unsigned int size, unsigned int form)
{
    unsigned int row = alu == ALU_TEST ? 12 : 0;

    if ((alu != ALU_CMP && alu != ALU_TEST) || size == 2)
        return 0;
    row += size / 4 * 4;
    switch (form) {
    case FORM_RR:
        return (u8)(row + 1);
    case FORM_RI:
        return (u8)(row + 2);
    case FORM_RM + EA_BASE:
        return (u8)(row + 3);
    case FORM_MI + EA_BASE:
        return (u8)(row + 4);
    default:
        return 0;
    }
}

void fast_fuse(struct op *o, unsigned int cc)
{
    if (o->fuse)
        o->fn = fuse_handlers[o->fuse - 1][cc];
}

bool fast_alu_select(struct op *o, enum fast_alu alu, unsigned int size,
                     unsigned int form)
{
    o->fn = alu_handlers[alu][__builtin_ctz(size)][form];
    o->fuse = fuse_row(alu, size, form);
    return true;
}
