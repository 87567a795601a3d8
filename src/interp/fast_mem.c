/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_mem.c: memory forms of what kernels do to page flags, reference counts
 * and lists: bit tests, CMPXCHG, XADD, SETcc, CMOV. None with LOCK: kernels on
 * one processor have patched theirs out.
 */
#include "fast.h"
#include "ops.h"

/* ---- handlers ----------------------------------------------------------- */

enum bit { BIT_BT, BIT_BTS, BIT_BTR, BIT_BTC, BIT_NR };

FAST u64 bit_do(struct cpu *c, enum bit bit, u64 a, u64 n, unsigned int size)
{
    switch (bit) {
    case BIT_BTS:
        return flags_bts(c, a, n, size);
    case BIT_BTR:
        return flags_btr(c, a, n, size);
    case BIT_BTC:
        return flags_btc(c, a, n, size);
    default:
        return flags_bt(c, a, n, size);
    }
}

/* The bit is an immediate: with a register it may be in another place. */
FAST const struct op *bit_mem(struct cpu *c, const struct op *o, enum bit bit,
                              unsigned int size, enum ea_kind ea)
{
    enum access acc = bit == BIT_BT ? ACC_READ : ACC_WRITE;
    u64 la = fast_ea(c, o, ea), n = (u64)o->imm32 & (size * 8 - 1), a;
    u8 *p = tlb_hit(c, la, size, acc);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, acc);
    a = bit_do(c, bit, host_ld(p, size), n, size);
    if (bit != BIT_BT)
        host_st(p, size, a);
    return next(c, o + 1);
}

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

FAST const struct op *setcc_mem(struct cpu *c, const struct op *o,
                                unsigned int cc, enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea);
    u8 *p = tlb_hit(c, la, 1, ACC_WRITE);

    if (unlikely(!p))
        return fast_slow(c, o, la, 1, ACC_WRITE);
    host_st(p, 1, flags_cond(c, cc));
    return next(c, o + 1);
}

/* Memory is read, and may fault, also when nothing moves. */
FAST const struct op *cmov_mem(struct cpu *c, const struct op *o,
                               unsigned int cc, unsigned int size,
                               enum ea_kind ea)
{
    u64 la = fast_ea(c, o, ea), val;
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return fast_slow(c, o, la, size, ACC_READ);
    val = host_ld(p, size);
    reg_st(c, o->dst, size, flags_cond(c, cc) ? val : reg_ld(c, o->dst, size));
    return next(c, o + 1);
}

/* ---- instances ---------------------------------------------------------- */

/* clang-format off */
#define BIT(name, bit)                                                         \
    FAST_BY_EA(name##4_mem, bit_mem, bit, 4) FAST_BY_EA(name##8_mem, bit_mem, bit, 8)
BIT(bt, BIT_BT)
BIT(bts, BIT_BTS)
BIT(btr, BIT_BTR)
BIT(btc, BIT_BTC)
#define BIT_ROW(name) {FAST_EA_ROW(name##4_mem), FAST_EA_ROW(name##8_mem)}
static op_handler *const bit_handlers[BIT_NR][2][3] = {
    BIT_ROW(bt), BIT_ROW(bts), BIT_ROW(btr), BIT_ROW(btc)};

FAST_BY_EA(cmpxchg4, cmpxchg_mem, 4)
FAST_BY_EA(cmpxchg8, cmpxchg_mem, 8)
static op_handler *const cmpxchg_handlers[2][3] = {FAST_EA_ROW(cmpxchg4),
                                                   FAST_EA_ROW(cmpxchg8)};
FAST_BY_EA(cmpxchg16b, cmpxchg16b_mem, 16)
static op_handler *const cmpxchg16b_handlers[3] = FAST_EA_ROW(cmpxchg16b);
FAST_BY_EA(xadd4, xadd_mem, 4)
FAST_BY_EA(xadd8, xadd_mem, 8)
static op_handler *const xadd_handlers[2][3] = {FAST_EA_ROW(xadd4), FAST_EA_ROW(xadd8)};

#define CC(none, cc)                                                           \
    FAST_BY_EA(setm_##cc, setcc_mem, 0x##cc)                                        \
    FAST_BY_EA(cmovm4_##cc, cmov_mem, 0x##cc, 4)                                    \
    FAST_BY_EA(cmovm8_##cc, cmov_mem, 0x##cc, 8)
FAST_BY_CC(CC, )
#define SET_ROW(none, cc) FAST_EA_ROW(setm_##cc),
#define CMOV_ROW(none, cc) {FAST_EA_ROW(cmovm4_##cc), FAST_EA_ROW(cmovm8_##cc)},
static op_handler *const setcc_handlers[16][3] = {FAST_BY_CC(SET_ROW, )};
static op_handler *const cmov_handlers[16][2][3] = {FAST_BY_CC(CMOV_ROW, )};
/* clang-format on */

/* ---- choice ------------------------------------------------------------- */

/* Kind of address if form is one of the three from first on; else -1. */
static int mem_ea(unsigned int form, unsigned int first)
{
    return form >= first && form < first + 3 ? (int)(form - first) : -1;
}

static op_handler *mem_bit(const struct insn *in, unsigned int form)
{
    static op_fn *const fns[BIT_NR] = {op_bt, op_bts, op_btr, op_btc};
    int ea = mem_ea(form, FORM_MI);

    for (unsigned int i = 0; i < BIT_NR && ea >= 0; i++)
        if (in->fn == fns[i])
            return bit_handlers[i][in->size == 8][ea];
    return NULL;
}

/* Memory is the destination, a register (or nothing) the source. */
static op_handler *mem_modify(const struct insn *in, unsigned int form)
{
    int ea = mem_ea(form, FORM_MR);

    if (ea < 0)
        return NULL;
    if (in->fn == op_cmpxchg)
        return cmpxchg_handlers[in->size == 8][ea];
    if (in->fn == op_cmpxchg8b && in->msize == 16)
        return cmpxchg16b_handlers[ea];
    if (in->fn == op_xadd)
        return xadd_handlers[in->size == 8][ea];
    return NULL;
}

bool fast_mem_select(struct op *o, const struct insn *in, unsigned int form)
{
    unsigned int cc = in->opcode & 15;
    int load = mem_ea(form, FORM_RM), store = mem_ea(form, FORM_MR);

    if (in->fn == op_setcc && store >= 0)
        o->fn = setcc_handlers[cc][store];
    else if (in->size < 4)
        return false;
    else if (in->fn == op_cmov && load >= 0)
        o->fn = cmov_handlers[cc][in->size == 8][load];
    else
        o->fn = mem_modify(in, form) ?: mem_bit(in, form);
    return o->fn != NULL;
}
