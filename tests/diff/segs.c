/* SPDX-License-Identifier: Apache-2.0 */
/* segs.c: the LDT: 16-bit code, and data whose ends are near the window's. The
 * child asks modify_ldt(2) for it, the guests have it in memory. */
#include "diff.h"
#include "interp/seg.h"

#define DATA_RO            TYPE_ACCESSED /* Linux sets it */
#define DATA_RW16          (TYPE_WRITE | TYPE_ACCESSED)
#define CODE_X             (TYPE_CODE | TYPE_ACCESSED)
#define CODE_XR            (TYPE_CODE | TYPE_WRITE | TYPE_ACCESSED)
#define AT(offset)         ((u32)LOW + (offset))
#define SEG(at, end, what) .base = (at), .limit = (end), .type = (what)
#define WRAP_BASE          (AT(CODE) + PAGE_SIZE - 0x10000)

/* clang-format off */
struct diff_seg ldt[LDT_NR] = {
    [LDT_CODE]    = {SEG(AT(CODE) - CODE16, 0xffff, CODE_XR)},
    [LDT_WRAP]    = {SEG(WRAP_BASE, 0xffff, CODE_XR)},
    [LDT_BEYOND]  = {SEG(WRAP_BASE, 0x1ffff, CODE_XR)},
    [LDT_EXIT]    = {SEG(AT(EXIT), 0xffff, CODE_XR)},
    [LDT_MIDDLE]  = {SEG(AT(DATA) - DATA16, 0xffff, DATA_RW16)},
    [LDT_START]   = {SEG(AT(DATA) + 0x1000, 0xffff, DATA_RW16)},
    [LDT_END]     = {SEG(AT(DATA) + 0x2000 - 0x10000, 0xffff, DATA_RW16)},
    [LDT_SMALL]   = {SEG(AT(DATA) + 0x803, 0x27ff, DATA_RW16)},
    [LDT_DOWN]    = {SEG(AT(DATA) - DATA16, 0x9800, DATA_RW16 | TYPE_DOWN)},
    [LDT_DOWN32]  = {SEG(AT(DATA) - DATA16, 0x97ff, DATA_RW16 | TYPE_DOWN), .db = 1},
    [LDT_BIG]     = {SEG(AT(DATA) - DATA16, 0xffff, DATA_RW16), .db = 1},
    [LDT_READ]    = {SEG(AT(DATA) - DATA16, 0xffff, DATA_RO)},
    [LDT_EXECUTE] = {SEG(AT(CODE) - CODE16, 0xffff, CODE_X)},
    [LDT_ABSENT]  = {SEG(AT(DATA) - DATA16, 0xffff, DATA_RW16), .absent = 1},
    [LDT_ABSENT_CODE] = {SEG(AT(CODE) - CODE16, 0xffff, CODE_XR), .absent = 1},
    [LDT_CODE32]  = {SEG(AT(CODE) - CODE16, 0xffff, CODE_XR), .db = 1},
};
/* clang-format on */

/* Just the page and a hole on either side: jumps come to nothing else. */
void segs_start(void)
{
    for (unsigned int i = 0; i < ENDS_PAGES; i++)
        ldt[LDT_ENDS + i] = (struct diff_seg){
            .base = ENDS_LOW + i * ENDS_STEP - ENDS16,
            .limit = ENDS16 + 2 * PAGE_SIZE - 1,
            .type = CODE_XR,
        };
}

u64 segs_descriptor(unsigned int entry)
{
    const struct diff_seg *s = &ldt[entry];

    return (s->limit & 0xffff) | (u64)(s->base & 0xffffff) << 16 |
           (s->type | 0x70ull | (s->absent ? 0 : 0x80)) << 40 |
           (u64)(s->limit >> 16) << 48 | (u64)s->db << 54 |
           (u64)(s->base >> 24) << 56;
}

void segs_default(struct diff_case *c)
{
    u16 *sel = c->in.sel;

    sel[SEG_CS] = c->mode == MODE_64   ? USER_CS64
                  : c->mode == MODE_32 ? USER_CS32
                                       : LDT_SEL(LDT_CODE);
    sel[SEG_DS] = c->mode == MODE_16 ? LDT_SEL(LDT_MIDDLE) : USER_DS;
    sel[SEG_ES] = sel[SEG_SS] = sel[SEG_DS];
    sel[SEG_FS] = sel[SEG_GS] = 0;
}
