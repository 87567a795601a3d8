/* SPDX-License-Identifier: Apache-2.0 */
/* sse_table.c: find the row of an MMX or SSE opcode */
#include <cpuid.h>

#include "sse.h"

enum mandatory { NP, P66, F3, F2, MANDATORY_NR };

/* clang-format off */
#define A  SSE_ALIGN
#define FP SSE_MXCSR
#define AF (SSE_ALIGN | SSE_MXCSR)
#define MM (SSE_RM_MM | SSE_REG_MM)

/* The shapes of rows. Stubs on XMM; one stub a value of an immediate: */
#define STUB(map, op, pfx, name, ms, fl)                                       \
    ROW(map, op, pfx, name, op_sse, sse_##name, no_move, W_NONE, ms, fl, 0)
#define IMM(map, op, pfx, name, ms, fl, mask)                                  \
    ROW(map, op, pfx, name, op_sse, sse_##name, no_move, W_IUB, ms, fl, mask)
/* Written in C, to a register or from it, without and with an immediate: */
#define LOAD(map, op, pfx, name, mv, ms, fl)                                   \
    ROW(map, op, pfx, name, op_sse, no_stub, mv, W_NONE, ms, fl, 0)
#define LIMM(map, op, pfx, name, mv, ms, fl)                                   \
    ROW(map, op, pfx, name, op_sse, no_stub, mv, W_IUB, ms, fl, 0)
#define STORE(map, op, pfx, name, mv, ms, fl)                                  \
    ROW(map, op, pfx, name, op_sse_store, no_stub, mv, W_NONE, ms, fl, 0)
#define SIMM(map, op, pfx, name, mv, ms, fl)                                   \
    ROW(map, op, pfx, name, op_sse_store, no_stub, mv, W_IUB, ms, fl, 0)
/* A handler of its own: */
#define OWN(map, op, pfx, name, fn, third, ms, fl)                             \
    ROW(map, op, pfx, name, fn, no_stub, no_move, third, ms, fl, 0)
/* With an MMX register, by a stub, in C, and a store: */
#define MSTUB(map, op, pfx, name, st, ms, fl)                                  \
    ROW(map, op, pfx, name, op_mmx, st, no_move, W_NONE, ms, fl, 0)
#define MMOV(map, op, pfx, name, mv, third, ms, fl)                            \
    ROW(map, op, pfx, name, op_mmx, no_stub, mv, third, ms, fl, 0)
#define MST(map, op, pfx, name, ms, fl)                                        \
    OWN(map, op, pfx, name, op_mmx_store, W_NONE, ms, fl)
/* MMX on ms bytes without a prefix, XMM with 66; on 8 bytes; four in a row: */
#define BOTHN(map, op, name, ms)                                               \
    MSTUB(map, op, NP, name, mmx_##name, ms, MM)                               \
    STUB(map, op, P66, name, 16, A)
#define BOTH(map, op, name) BOTHN(map, op, name, 8)
#define BOTH4(map, op, a, b, c, d)                                             \
    BOTH(map, op, a) BOTH(map, op + 1, b)                                      \
    BOTH(map, op + 2, c) BOTH(map, op + 3, d)
/* ps and pd, and then ss and sd by prefix: */
#define PSPD(op, name, fl)                                                     \
    STUB(1, op, NP, name##ps, 16, fl)                                          \
    STUB(1, op, P66, name##pd, 16, fl)
#define FP4(op, name)                                                          \
    PSPD(op, name, AF)                                                         \
    STUB(1, op, F3, name##ss, 4, FP)                                           \
    STUB(1, op, F2, name##sd, 8, FP)
/* clang-format on */

/* First pass over the rows: declare the stubs. */
#define no_stub sse_no_stub
#define ROW(map, op, pfx, nm, handler, st, mv, third_, ms, fl, mask)           \
    extern sse_stub st;
#include "sse_rows.def"
#undef ROW
#undef no_stub

/* Second pass: the rows. EMMS is the one opcode without a ModRM byte. */
#define no_stub NULL
#define no_move NULL
#define ROW(map, op, pfx, nm, handler, st, mv, third_, ms, fl, mask)           \
    [map - 1][op][pfx] = &(const struct sse_row){                              \
        .row = {.fn = handler,                                                 \
                .name = #nm,                                                   \
                .flags = R_FPU | ((op) == 0x77 ? 0 : R_MODRM),                 \
                .third = third_,                                               \
                .msize = ms},                                                  \
        .stub = st,                                                            \
        .move = mv,                                                            \
        .flags = fl,                                                           \
        .imm_mask = mask,                                                      \
        .feature = FEATURE,                                                    \
    },

static const struct sse_row *const rows[3][256][MANDATORY_NR] = {
#include "sse_rows.def"
};
#undef ROW

/* CPUID.1:ECX of the host. CPUID may be a VM exit, so it is asked once; two
 * threads that race here store the same value. */
static u32 host_features(void)
{
    static _Atomic(u32) cached;
    u32 a, b, c, d;

    c = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!c) {
        __cpuid(1, a, b, c, d);
        c |= 1u << HOST_BASE;
        atomic_store_explicit(&cached, c, memory_order_relaxed);
    }
    return c;
}

/* F2 and F3 beat 66: SDM vol. 2A, 2.1.2 */
static enum mandatory mandatory_prefix(u8 prefix)
{
    if (prefix & PFX_REP)
        return F3;
    if (prefix & PFX_REPNE)
        return F2;
    return prefix & PFX_66 ? P66 : NP;
}

const struct row *sse_row(unsigned int map, u8 opcode, u8 prefix)
{
    const struct sse_row *r = rows[map - 1][opcode][mandatory_prefix(prefix)];

    if (!r || !(host_features() >> r->feature & 1))
        return NULL;
    return &r->row;
}
