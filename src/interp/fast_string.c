/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_string.c: REP MOVS and REP STOS upwards inside one page of source and
 * destination, by the host's own. That is what kernels copy and clear packets,
 * requests and pages with; the step tier does the rest.
 */
#include "fast.h"
#include "ops.h"

/* Bytes of the whole run; 0: nothing to do; more than a page: not for here. */
FAST u64 string_bytes(const struct cpu *c, unsigned int size)
{
    u64 n = c->s.gpr[GPR_RCX];

    if (unlikely(n > PAGE_SIZE / size || c->s.rflags & RFLAGS_DF))
        return PAGE_SIZE + 1;
    return n * size;
}

/* Every iteration is an instruction. */
FAST const struct op *string_next(struct cpu *c, const struct op *o)
{
    c->icount += c->s.gpr[GPR_RCX] - 1;
    c->s.gpr[GPR_RCX] = 0;
    if (likely(fast_time_left(c)))
        return next(c, o + 1);
    return fast_poll_next(c, o);
}

FAST const struct op *rep_stos(struct cpu *c, const struct op *o,
                               unsigned int size)
{
    u64 bytes = string_bytes(c, size), *gpr = c->s.gpr;
    u8 *to;

    if (bytes == 0)
        return next(c, o + 1);
    if (unlikely(bytes > PAGE_SIZE))
        return fast_redo(c, o);
    to = tlb_hit(c, gpr[GPR_RDI], (unsigned int)bytes, ACC_WRITE);
    if (unlikely(!to))
        return fast_redo(c, o);
    host_rep_stos(to, gpr[GPR_RCX], gpr[GPR_RAX], size);
    gpr[GPR_RDI] += bytes;
    return string_next(c, o);
}

FAST const struct op *rep_movs(struct cpu *c, const struct op *o,
                               unsigned int size)
{
    u64 bytes = string_bytes(c, size), *gpr = c->s.gpr;
    const u8 *from;
    u8 *to;

    if (bytes == 0)
        return next(c, o + 1);
    if (unlikely(bytes > PAGE_SIZE))
        return fast_redo(c, o);
    from = tlb_hit(c, gpr[GPR_RSI], (unsigned int)bytes, ACC_READ);
    to = tlb_hit(c, gpr[GPR_RDI], (unsigned int)bytes, ACC_WRITE);
    if (unlikely(!from || !to))
        return fast_redo(c, o);
    host_rep_movs(to, from, gpr[GPR_RCX], size);
    gpr[GPR_RSI] += bytes;
    gpr[GPR_RDI] += bytes;
    return string_next(c, o);
}

/* clang-format off */
#define BOTH(size)                                                             \
    FAST_STATIC(stos##size, rep_stos, size)                                    \
    FAST_STATIC(movs##size, rep_movs, size)
BOTH(1) BOTH(2) BOTH(4) BOTH(8)
static op_handler *const stos[] = {stos1, stos2, stos4, stos8};
static op_handler *const movs[] = {movs1, movs2, movs4, movs8};
/* clang-format on */

bool fast_string_select(struct op *o, const struct insn *in)
{
    unsigned int size = (unsigned int)__builtin_ctz(in->size);

    if (!(in->prefix & PFX_REP) || in->asize != 8 || in->seg >= SEG_FS)
        return false;
    if (in->fn == op_stos)
        o->fn = stos[size];
    else if (in->fn == op_movs)
        o->fn = movs[size];
    else
        return false;
    return true;
}
