/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_alu.c: MOV, TEST and the eight operations of the opcodes 00..3F; CMP and
 * TEST also together with the Jcc behind them. That is still an op of its own,
 * so both instruction boundaries stay what they are: a CMP that has to go to
 * the step tier goes on with it.
 */
#include "fast_alu.h"

/* clang-format off */
FAST_ALU(FAST_DEFINE)
FAST_ALU_JCC(FAST_DEFINE_LAST)

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

#define FUSED_CC(name, cc) name##_##cc,
#define FUSED_ROW(op, size)                                                    \
    {FAST_BY_CC(FUSED_CC, fast_##op##size##_rr)},                              \
    {FAST_BY_CC(FUSED_CC, fast_##op##size##_ri)},                              \
    {FAST_BY_CC(FUSED_CC, fast_##op##size##_rm)},                              \
    {FAST_BY_CC(FUSED_CC, fast_##op##size##_mi)},

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
