/* SPDX-License-Identifier: Apache-2.0 */
/* sse_table.c: find the row of an MMX or SSE opcode */
#include <cpuid.h>

#include "sse.h"

enum mandatory { NP, P66, F3, F2, MANDATORY_NR };

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
                .flags = R_FPU | (op == 0x77 ? 0 : R_MODRM),                   \
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
