/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_alu.c: MOV, TEST and the eight operations of the opcodes 00..3F; CMP and
 * TEST also together with the Jcc behind them. That is still an op of its own,
 * so both instruction boundaries stay what they are: a CMP that has to go to
 * the step tier goes on with it.
 */
#include "fast_alu.h"
#include "ops.h"

/* clang-format off */
FAST_ALU(FAST_DEFINE)
FAST_ALU_JCC(FAST_DEFINE_LAST)

#define FORMS_ROW(op, size)                                                    \
    {fast_##op##size##_rr, fast_##op##size##_ri,                               \
     FAST_EA_ROW(fast_##op##size##_rm), FAST_EA_ROW(fast_##op##size##_mr),     \
     FAST_EA_ROW(fast_##op##size##_mi)}
#define ALU_ROW(op)                                                            \
    {op_##op,                                                                  \
     {FORMS_ROW(op, 1), FORMS_ROW(op, 2), FORMS_ROW(op, 4), FORMS_ROW(op, 8)}}

/* The most frequent ones first. */
static const struct fast_row alu_rows[] = {
    ALU_ROW(mov), ALU_ROW(cmp), ALU_ROW(add), ALU_ROW(sub), ALU_ROW(test),
    ALU_ROW(and), ALU_ROW(or),  ALU_ROW(xor), ALU_ROW(adc), ALU_ROW(sbb),
    {0}};

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
static u8 fuse_row(const struct insn *in, unsigned int form)
{
    static const u8 nth[FORM_NR] = {[FORM_RR] = 1,
                                    [FORM_RI] = 2,
                                    [FORM_RM + EA_BASE] = 3,
                                    [FORM_MI + EA_BASE] = 4};
    bool test = in->fn == op_test;

    if ((!test && in->fn != op_cmp) || in->size == 2 || !nth[form])
        return 0;
    return (u8)((test ? 12 : 0) + in->size / 4 * 4 + nth[form]);
}

void fast_fuse(struct op *o, unsigned int cc)
{
    if (o->fuse)
        o->fn = fuse_handlers[o->fuse - 1][cc];
}

bool fast_alu_select(struct op *o, const struct insn *in, unsigned int form)
{
    o->fuse = fuse_row(in, form);
    return fast_row_select(o, in, form, alu_rows);
}
