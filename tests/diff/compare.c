/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c: are two results the same, but for what no manual promises? */
#include "diff.h"
#include "interp/ops.h"
#include "interp/sse.h"

#define FLAGS_SEEN (FLAGS_ARITH | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)
#define KERNEL     0x7ffffffff000ull /* where the host's user space ends */

bool compare_strict;

/* SDM vol. 2: "undefined" for some operands at least. By their names in the
 * tables. */
u32 undefined_flags(const struct row *row)
{
    static const struct {
        const char *name;
        u32 flags;
    } undefined[] = {
        {"and", RFLAGS_AF},
        {"or", RFLAGS_AF},
        {"xor", RFLAGS_AF},
        {"test", RFLAGS_AF},
        {"shl", RFLAGS_AF | RFLAGS_OF | RFLAGS_CF},
        {"shr", RFLAGS_AF | RFLAGS_OF | RFLAGS_CF},
        {"sar", RFLAGS_AF | RFLAGS_OF | RFLAGS_CF},
        {"rol", RFLAGS_OF},
        {"ror", RFLAGS_OF},
        {"rcl", RFLAGS_OF},
        {"rcr", RFLAGS_OF},
        {"shld", FLAGS_ARITH},
        {"shrd", FLAGS_ARITH},
        {"mul", RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF},
        {"imul1", RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF},
        {"imul2", RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF},
        {"imul3", RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF},
        {"div", FLAGS_ARITH},
        {"idiv", FLAGS_ARITH},
        {"bsf", FLAGS_ARITH & ~RFLAGS_ZF},
        {"bsr", FLAGS_ARITH & ~RFLAGS_ZF},
        {"bt", RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF},
        {"bts", RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF},
        {"btr", RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF},
        {"btc", RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF},
        {"aam", RFLAGS_OF | RFLAGS_AF | RFLAGS_CF},
        {"aad", RFLAGS_OF | RFLAGS_AF | RFLAGS_CF},
        {"aaa", RFLAGS_OF | RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF},
        {"aas", RFLAGS_OF | RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF},
        {"daa", RFLAGS_OF},
        {"das", RFLAGS_OF},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(undefined); i++)
        if (strcmp(row->name, undefined[i].name) == 0)
            return undefined[i].flags;
    return 0;
}

/* FOP, FIP, FDP are not kept, the mask of MXCSR differs, and so may what is
 * reserved. */
static void compare_normalize_fx(u8 *fx)
{
    memset(fx + FX_FTW + 1, 0, FX_MXCSR - FX_FTW - 1);
    memset(fx + FX_MXCSR_MASK, 0, 4);
    memset(fx + FX_USED, 0, FX_SIZE - FX_USED);
    for (unsigned int i = 0; i < 8; i++)
        memset(fx + FX_ST + 16 * i + 10, 0, 6);
}

/*
 * Operands that processors access in parts of their own choice: which of them
 * faults, and how, is not architecture. Nor is it which operand of CMPS or
 * BOUND does.
 */
static bool compare_has_parts(const struct insn *in)
{
    if (in->fn == op_cmps || in->fn == op_bound || in->fn == op_lxs)
        return true;
    if (in->fn == op_sse_maskmov || in->fn == op_mmx_maskmov)
        return true;
    return in->mem && in->msize > 8 &&
           (in->fn == op_x87 || in->fn == op_fxsave || in->fn == op_fxrstor);
}

/* Offset and selector, or what a return pops: likewise, if it is not the fault
 * of a selector. */
static bool compare_has_items(const struct insn *in)
{
    return in->fn == op_jmp_far || in->fn == op_call_far ||
           in->fn == op_ret_far || in->fn == op_iret;
}

/* A fault of the memory of such an instruction. */
static bool compare_is_vague(const struct diff_case *c,
                             const struct diff_regs *r)
{
    bool far = r->sel[SEG_CS] == USER_CS64; /* from code of another mode */
    struct insn in;

    if (r->vector != EXC_PF && r->vector != EXC_GP && r->vector != EXC_SS &&
        r->vector != EXC_AC)
        return false;
    return code_decode(&in, r->sel[SEG_CS], r->rip, far ? MODE_64 : c->mode) &&
           (compare_has_parts(&in) ||
            (compare_has_items(&in) && (r->vector == EXC_PF || !r->error)));
}

/* What the host's kernel has mapped beyond user space is its own affair. */
static void compare_normalize(const struct diff_case *c, struct diff_out *o)
{
    u64 flags = FLAGS_SEEN;

    if (!compare_strict)
        flags &= ~(u64)c->undef_flags;
    o->r.rflags &= flags;
    if (o->r.vector == EXC_PF && o->r.cr2 >= KERNEL)
        o->r.error &= ~1ull;
    for (unsigned int i = 0; i < SEG_NR; i++)
        if (o->r.sel[i] < 4) /* null: any way through the kernel clears RPL */
            o->r.sel[i] = 0;
    if (o->r.vector == LINUX_SYSCALL) /* Linux has made 32 bits of it */
        o->r.gpr[GPR_RAX] = (u32)o->r.gpr[GPR_RAX];
    if (compare_is_vague(c, &o->r)) {
        o->r.vector = EXC_PF;
        o->r.error = o->r.cr2 = 0;
    }
    if (c->mode != MODE_64 || o->r.sel[SEG_CS] != USER_CS64)
        for (unsigned int i = 0; i < 16; i++)
            o->r.gpr[i] = i < 8 ? (u32)o->r.gpr[i] : 0;
    if (c->mode != MODE_64 || !native_fsgs)
        o->r.fs = o->r.gs = 0;
    if (c->fpu)
        compare_normalize_fx(o->fx);
}

bool compare_out(const struct diff_case *c, struct diff_out *host,
                 struct diff_out *mote)
{
    compare_normalize(c, host);
    compare_normalize(c, mote);
    return memcmp(&host->r, &mote->r, sizeof(host->r)) == 0 &&
           (!c->fpu || memcmp(host->fx, mote->fx, FX_USED) == 0);
}
