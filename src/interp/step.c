/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.c: the step tier, one instruction at a time; and the executor, which
 * both tiers use, for everything that rows can say. What is common enough for
 * an executor of its own has it in the block tier.
 */
#include "host.h"
#include "insn.h"
#include "ops.h"

enum kind { K_NONE, K_REG, K_MEM };

/* What a register write of that size leaves: nothing for 4 bytes. */
static const u64 step_keep[9] = {[1] = ~0xffull, [2] = ~0xffffull};

/* ---- operands ---------------------------------------------------------- */

/* Always eight bytes, so that a narrow read after a wide write, or the other
 * way round, is still served from the store buffer. The last slot is
 * GPR_NONE, the last one byte into a register is BH: inside gpr both. */
static u64 step_reg_get(const struct cpu *c, unsigned int at, unsigned int size)
{
    u64 val;

    memcpy(&val, (const u8 *)c->s.gpr + at, sizeof(val));
    return val & size_mask(size);
}

static void step_reg_set(struct cpu *c, unsigned int at, unsigned int size,
                         u64 val)
{
    u8 *p = (u8 *)c->s.gpr + at;
    u64 old;

    memcpy(&old, p, sizeof(old));
    val = (old & step_keep[size]) | (val & size_mask(size));
    memcpy(p, &val, sizeof(val));
}

static enum exec step_load(struct cpu *c, u64 la, unsigned int size, u64 *val)
{
    const u8 *p = tlb_hit(c, la, size, ACC_READ);

    if (unlikely(!p))
        return mem_ld(c, la, size, val);
    *val = host_ld(p, size);
    return EXEC_OK;
}

static enum exec step_store(struct cpu *c, u64 la, unsigned int size, u64 val)
{
    u8 *p = tlb_hit(c, la, size, ACC_WRITE);

    if (unlikely(!p))
        return mem_st(c, la, size, val);
    host_st(p, size, val);
    return EXEC_OK;
}

/* ---- read-modify-write ------------------------------------------------- */

/* The destination is MMIO or crosses a page. Every page was translated for
 * writing, so the store cannot fault after the handler has changed flags. Not
 * atomic: MMIO has no use for it, and for LOCK see step_locked_far(). */
static enum exec step_modify_far(struct cpu *c, struct insn *in)
{
    enum exec r = mem_ld(c, in->la, in->msize, &in->dst);

    if (r == EXEC_OK)
        r = in->fn(c, in);
    return r == EXEC_OK ? mem_st(c, in->la, in->msize, in->dst) : r;
}

/* Write permission comes first: a #PF says W, and finds the flags unchanged. */
static enum exec step_modify(struct cpu *c, struct insn *in)
{
    u8 *p = tlb_hit(c, in->la, in->msize, ACC_WRITE);
    enum exec r = EXEC_OK;

    if (unlikely(!p))
        r = mmu_host(c, in->la, in->msize, ACC_WRITE, &p);
    if (r != EXEC_OK)
        return r;
    if (!p)
        return step_modify_far(c, in);
    in->dst = host_ld(p, in->msize);
    r = in->fn(c, in);
    if (r == EXEC_OK)
        host_st(p, in->msize, in->dst);
    return r;
}

/* With the other processors stopped, a LOCK across pages is atomic. */
static enum exec step_locked_far(struct cpu *c, struct insn *in)
{
    enum exec r;

    alone_begin(c);
    r = step_modify_far(c, in);
    alone_end(c);
    return r;
}

/*
 * LOCK, and XCHG with memory: repeated from the start until nobody wrote in
 * between. Flags and RAX (CMPXCHG) are all that such handlers change besides
 * dst and src.
 */
static enum exec step_locked(struct cpu *c, struct insn *in)
{
    u64 rflags = c->s.rflags, rax = c->s.gpr[GPR_RAX], old;
    u8 of = c->of, *p;
    enum exec r = mmu_host(c, in->la, in->msize, ACC_WRITE, &p);

    if (r != EXEC_OK)
        return r;
    if (!p)
        return step_locked_far(c, in);
    for (;;) {
        old = host_ld(p, in->msize);
        in->dst = old;
        r = in->fn(c, in);
        if (r != EXEC_OK || host_cmpxchg(p, in->msize, old, in->dst))
            return r;
        c->s.rflags = rflags;
        c->of = of;
        c->s.gpr[GPR_RAX] = rax;
        if (in->row->flags & R_S_WRITE)
            in->src = step_reg_get(c, in->src_at, in->ssize);
    }
}

/* ---- executors --------------------------------------------------------- */

/* at: where the decoder found a register operand, if it is one */
static enum kind step_kind(const struct insn *in, unsigned int where, u8 at)
{
    if (where == W_M || where == W_O || (where == W_E && in->mem))
        return K_MEM;
    return at == GPR_NONE * sizeof(u64) ? K_NONE : K_REG;
}

/* BT and kin with a register count bits from the operand's address, to both
 * sides: move to the operand that has the bit. */
static void step_bit_offset(struct insn *in)
{
    s64 bit = (s64)sign_extend(in->src, in->size);
    unsigned int bits = in->size * 8;

    in->off += (u64)((bit - (s64)((u64)bit & (bits - 1))) / 8);
    in->off &= size_mask(in->asize);
}

static enum exec step_address(struct cpu *c, struct insn *in, enum access acc)
{
    u32 flags = in->row->flags;

    in->off = insn_offset(c, in);
    if (flags & R_BITOFF)
        step_bit_offset(in);
    if (!(flags & R_OFF))
        return seg_linear(c, in->seg, in->off, in->msize, acc, &in->la);
    in->la = in->off;
    if (in->mode != MODE_64)
        in->la = (u32)(in->off + c->s.seg[in->seg].base);
    else if (in->seg >= SEG_FS)
        in->la += c->s.seg[in->seg].base;
    return EXEC_OK;
}

/* The handler, around which the operands in memory are loaded and stored. */
static enum exec step_operate(struct cpu *c, struct insn *in, enum kind dst,
                              enum kind src)
{
    u32 flags = in->row->flags;
    enum exec r = EXEC_OK;

    if (dst == K_MEM && flags & R_D_READ) {
        if (in->prefix & PFX_LOCK || flags & R_ATOMIC)
            return step_locked(c, in);
        if (flags & R_D_WRITE)
            return step_modify(c, in);
        r = step_load(c, in->la, in->msize, &in->dst);
    } else if (src == K_MEM) {
        r = step_load(c, in->la, in->msize, &in->src);
    }
    if (r == EXEC_OK)
        r = in->fn(c, in);
    if (r == EXEC_OK && dst == K_MEM && flags & R_D_WRITE)
        return step_store(c, in->la, in->msize, in->dst);
    return r;
}

enum exec insn_any(struct cpu *c, struct insn *in)
{
    u32 flags = in->row->flags;
    enum kind dst = step_kind(in, in->row->dst, in->dst_at);
    enum kind src = step_kind(in, in->row->src, in->src_at);
    enum exec r = EXEC_OK;

    if (flags & R_PROT && !(c->s.cr0 & CR0_PE))
        return raise_exc(c, EXC_UD);
    if (flags & R_CPL0 && c->cpl)
        return raise_gp(c);
    if (src == K_REG)
        in->src = step_reg_get(c, in->src_at, in->ssize);
    if (dst == K_REG)
        in->dst = step_reg_get(c, in->dst_at, in->size);
    if (dst == K_MEM || src == K_MEM)
        r = step_address(
            c, in, dst == K_MEM && flags & R_D_WRITE ? ACC_WRITE : ACC_READ);
    if (r != EXEC_OK)
        return r;
    if (flags & (R_ADDR | R_OFF))
        return in->fn(c, in);
    r = step_operate(c, in, dst, src);
    if (r != EXEC_OK)
        return r;
    if (flags & R_S_WRITE) /* first: XADD of a register with itself */
        step_reg_set(c, in->src_at, in->ssize, in->src);
    if (dst == K_REG && flags & R_D_WRITE)
        step_reg_set(c, in->dst_at, in->size, in->dst);
    return EXEC_OK;
}

enum exec insn_exec(struct cpu *c, struct insn *in)
{
    return in->exec(c, in);
}

/* ---- fetch -------------------------------------------------------------- */

/* An instruction across a page: put its bytes, room at most, together from
 * both. */
static enum exec step_decode_far(struct cpu *c, struct insn *in, u64 la,
                                 const u8 *first, unsigned int n,
                                 unsigned int room)
{
    u8 bytes[15];
    const u8 *host;
    enum exec r;
    u64 gpa;

    memcpy(bytes, first, n);
    r = mmu_fetch(c, la + n, &gpa, &host);
    if (r != EXEC_OK)
        return r;
    if (!host)
        return EXEC_UNKNOWN;
    memcpy(bytes + n, host, room - n);
    if (insn_decode(in, bytes, room, c->mode) <= 0)
        return raise_gp(c);
    return EXEC_OK;
}

/* No byte of an instruction may be beyond the limit of CS. */
static enum exec step_decode(struct cpu *c, struct insn *in)
{
    u64 la = c->s.rip, gpa;
    unsigned int n, room = 15;
    const u8 *host;
    enum exec r;
    int len;

    if (c->mode != MODE_64) {
        u32 limit = c->s.seg[SEG_CS].limit;

        if (c->s.rip > limit)
            return raise_gp(c);
        room = (unsigned int)MIN(limit - c->s.rip + 1, 15ull);
        la = (u32)(la + c->s.seg[SEG_CS].base);
    }
    r = mmu_fetch(c, la, &gpa, &host);
    if (r != EXEC_OK)
        return r;
    if (!host)
        return EXEC_UNKNOWN; /* code in MMIO */
    n = (unsigned int)MIN(room, PAGE_SIZE - (la & (PAGE_SIZE - 1)));
    len = insn_decode(in, host, n, c->mode);
    if (len > 0)
        return EXEC_OK;
    if (len < 0 || n == room)
        return raise_gp(c);
    return step_decode_far(c, in, la, host, n, room);
}

enum exec step_one(struct cpu *c)
{
    struct insn in;
    enum exec r = step_decode(c, &in);

    if (r != EXEC_OK)
        return r;
    c->next_rip = c->s.rip + in.len;
    if (c->mode != MODE_64) /* only jumps make 16 bits of it */
        c->next_rip &= 0xffffffff;
    r = insn_exec(c, &in);
    if (r == EXEC_OK) {
        c->s.rip = c->next_rip;
        c->icount++;
    }
    return r;
}
