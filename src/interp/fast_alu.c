/* SPDX-License-Identifier: Apache-2.0 */
/* fast_alu.c: MOV, TEST and the eight operations of the opcodes 00..3F */
#include "fast.h"

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
                              enum fast_alu alu, unsigned int size, u64 b)
{
    u64 a = alu_reads(alu) ? reg_ld(c, o->dst, size) : 0;

    a = alu_do(c, alu, a, b, size);
    if (alu_writes(alu))
        reg_st(c, o->dst, size, a);
    return next(c, o + 1);
}

FAST const struct op *alu_rr(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size)
{
    return alu_reg(c, o, alu, size, reg_ld(c, o->src, size));
}

FAST const struct op *alu_ri(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size)
{
    return alu_reg(c, o, alu, size, o->imm);
}

FAST const struct op *alu_rm(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_READ);
    return alu_reg(c, o, alu, size, host_ld(p, size));
}

FAST const struct op *alu_mem(struct cpu *c, const struct op *o,
                              enum fast_alu alu, unsigned int size, u64 b,
                              enum ea_kind ea)
{
    enum access acc = alu_writes(alu) ? ACC_WRITE : ACC_READ;
    u64 la = fast_ea(c, o, ea), a;
    u8 *p = tlb_hit(c, la, size, acc);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, acc);
    a = alu_do(c, alu, alu_reads(alu) ? host_ld(p, size) : 0, b, size);
    if (alu_writes(alu))
        host_st(p, size, a);
    return next(c, o + 1);
}

FAST const struct op *alu_mr(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea)
{
    return alu_mem(c, o, alu, size, reg_ld(c, o->src, size), ea);
}

FAST const struct op *alu_mi(struct cpu *c, const struct op *o,
                             enum fast_alu alu, unsigned int size,
                             enum ea_kind ea)
{
    u64 b = (u64)(s64)o->imm32 & size_mask(size);

    return alu_mem(c, o, alu, size, b, ea);
}

/* clang-format off */
#define HANDLER(name, form, ...)                                               \
    static const struct op *name(struct cpu *c, const struct op *o)            \
    {                                                                          \
        return form(c, o, __VA_ARGS__);                                        \
    }
#define HANDLER_EA(name, form, alu, size)                                      \
    HANDLER(name##_base, form, alu, size, EA_BASE)                             \
    HANDLER(name##_index, form, alu, size, EA_INDEX)                           \
    HANDLER(name##_seg, form, alu, size, EA_SEG)
#define FORMS(op, alu, size)                                                   \
    HANDLER(fast_##op##size##_rr, alu_rr, alu, size)                           \
    HANDLER(fast_##op##size##_ri, alu_ri, alu, size)                           \
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
/* clang-format on */

op_handler *fast_alu_handler(enum fast_alu alu, unsigned int size,
                             unsigned int form)
{
    return alu_handlers[alu][__builtin_ctz(size)][form];
}
