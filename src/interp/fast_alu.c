/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_alu.c: MOV, arithmetic, logic, shifts and bit tests; CMP and TEST also
 * together with the Jcc behind them. That is still an op of its own,
 * so both instruction boundaries stay what they are: a CMP that has to go to
 * the step tier goes on with it.
 */
#include "fast_alu.h"
#include "ops.h"

/* clang-format off */
FAST_ALU(FAST_DEFINE)
FAST_ALU_JCC(FAST_DEFINE_LAST)

#define ALL_FORMS(name)                                                        \
    {name##_rr, name##_ri, FAST_EA_ROW(name##_rm), FAST_EA_ROW(name##_mr),     \
     FAST_EA_ROW(name##_mi)}
#define ONE_FORMS(name) {name##_rr, [FORM_MR] = FAST_EA_ROW(name##_mr)}
#define REG_FORMS(name) {name##_rr, name##_ri}
#define MI_FORMS(name)  {[FORM_MI] = FAST_EA_ROW(name##_mi)}
#define BIT_FORMS(name) {name##_rr, name##_ri, [FORM_MI] = FAST_EA_ROW(name##_mi)}
#define ROW_1_8(FORMS, op)                                                     \
    {op_##op, {FORMS(fast_##op##1), FORMS(fast_##op##2), FORMS(fast_##op##4),  \
               FORMS(fast_##op##8)}}
#define ROW_4_8(FORMS, op, fn)                                                 \
    {fn, {[2] = FORMS(fast_##op##4), FORMS(fast_##op##8)}}

/* The most frequent ones first. */
const struct fast_row fast_alu_rows[] = {
    ROW_1_8(ALL_FORMS, mov),
    ROW_1_8(ALL_FORMS, cmp),
    ROW_1_8(ALL_FORMS, add),
    ROW_1_8(ALL_FORMS, sub),
    ROW_1_8(ALL_FORMS, test),
    ROW_1_8(ALL_FORMS, and),
    ROW_1_8(ALL_FORMS, or),
    ROW_1_8(ALL_FORMS, xor),
    ROW_1_8(ALL_FORMS, adc),
    ROW_1_8(ALL_FORMS, sbb),
    ROW_1_8(ONE_FORMS, inc),
    ROW_1_8(ONE_FORMS, dec),
    ROW_1_8(ONE_FORMS, neg),
    ROW_1_8(ONE_FORMS, not),
    ROW_1_8(REG_FORMS, shl),
    ROW_1_8(REG_FORMS, shr),
    ROW_1_8(REG_FORMS, sar),
    ROW_1_8(REG_FORMS, rol),
    ROW_1_8(REG_FORMS, ror),
    ROW_4_8(REG_FORMS, imul, op_imul2),
    ROW_4_8(BIT_FORMS, bt, op_bt),
    ROW_4_8(MI_FORMS, bts, op_bts),
    ROW_4_8(MI_FORMS, btr, op_btr),
    ROW_4_8(MI_FORMS, btc, op_btc),
    {0}};

#define FUSED_CC(name, cc) name##_##cc,
#define FUSED(plain, name) {fast_##plain, {FAST_BY_CC(FUSED_CC, fast_##name)}},
#define FUSED_ROWS(op, size)                                                   \
    FUSED(op##size##_rr, op##size##_rr) FUSED(op##size##_ri, op##size##_ri)    \
    FUSED(op##size##_rm_base, op##size##_rm)                                   \
    FUSED(op##size##_mi_base, op##size##_mi)

static const struct {
    op_handler *plain, *fused[16]; /* by condition code */
} fuse_rows[] = {
    FUSED_ROWS(cmp, 1) FUSED_ROWS(cmp, 4) FUSED_ROWS(cmp, 8)
    FUSED_ROWS(test, 1) FUSED_ROWS(test, 4) FUSED_ROWS(test, 8)
};
/* clang-format on */

void fast_fuse(struct op *o, unsigned int cc)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(fuse_rows); i++) {
        if (o->fn == fuse_rows[i].plain)
            o->fn = fuse_rows[i].fused[cc];
    }
}
