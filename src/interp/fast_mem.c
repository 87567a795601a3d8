/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_mem.c: CMPXCHG and XADD with memory, which kernels keep lists and
 * reference counts with. None with LOCK: kernels on one processor have patched
 * theirs out.
 */
#include "fast.h"
#include "ops.h"

/* ---- handlers ----------------------------------------------------------- */

/* RAX is written only if it differs, so that a 4-byte one keeps its upper half
 * otherwise. */
FAST const struct op *cmpxchg_mem(struct cpu *c, const struct op *o,
                                  unsigned int size, enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea), acc = reg_ld(c, GPR_RAX * 8, size), old;
    u8 *p = tlb_hit(c, la, size, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_WRITE);
    old = host_ld(p, size);
    flags_cmp(c, acc, old, size);
    if (old == acc)
        host_st(p, size, reg_ld(c, o->src, size));
    else
        reg_st(c, GPR_RAX * 8, size, old);
    return next(c, o + 1);
}

/* CMPXCHG16B: what kernels keep their free lists with. */
FAST const struct op *cmpxchg16b_mem(struct cpu *c, const struct op *o,
                                     unsigned int size, enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    u8 *p = tlb_hit(c, la, size, ACC_WRITE);

    if (unlikely(la % size))
        return fast_redo(c, o);
    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_WRITE);
    flags_put(c, RFLAGS_ZF, host_cmpxchg16b(p, c->s.gpr) ? RFLAGS_ZF : 0);
    return next(c, o + 1);
}

FAST const struct op *xadd_mem(struct cpu *c, const struct op *o,
                               unsigned int size, enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea), old;
    u8 *p = tlb_hit(c, la, size, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_WRITE);
    old = host_ld(p, size);
    host_st(p, size, flags_add(c, old, reg_ld(c, o->src, size), size));
    reg_st(c, o->src, size, old);
    return next(c, o + 1);
}

/* ---- instances ---------------------------------------------------------- */

/* clang-format off */
#define BOTH(name, ...)                                                        \
    FAST_BY_EA(FAST_STATIC, name##4, __VA_ARGS__, 4)                           \
    FAST_BY_EA(FAST_STATIC, name##8, __VA_ARGS__, 8)
BOTH(cmpxchg, cmpxchg_mem)
BOTH(xadd, xadd_mem)
FAST_BY_EA(FAST_STATIC, cmpxchg16b, cmpxchg16b_mem, 16)
/* clang-format on */

#define ROW_8(name, form) [3] = {[form] = FAST_EA_ROW(name)}
#define ROW_4_8(name, form)                                                    \
    [2] = {[form] = FAST_EA_ROW(name##4)}, ROW_8(name##8, form)

const struct fast_row fast_mem_rows[] = {
    {op_cmpxchg, {ROW_4_8(cmpxchg, FORM_MR)}},
    {op_cmpxchg8b, {ROW_8(cmpxchg16b, FORM_MR)}},
    {op_xadd, {ROW_4_8(xadd, FORM_MR)}},
    {0},
};
