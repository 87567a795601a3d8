/* SPDX-License-Identifier: Apache-2.0 */
/* alu.c: binary and decimal arithmetic, compare and exchange */
#include "flags.h"
#include "host.h"
#include "ops.h"

FLAGS_HANDLER(add)
FLAGS_HANDLER(or)
FLAGS_HANDLER(adc)
FLAGS_HANDLER(sbb)
FLAGS_HANDLER(and)
FLAGS_HANDLER(sub)
FLAGS_HANDLER(xor)
FLAGS_HANDLER(cmp)
FLAGS_HANDLER(test)
FLAGS_HANDLER(inc)
FLAGS_HANDLER(dec)
FLAGS_HANDLER(neg)

enum exec op_not(struct cpu *c, struct insn *in)
{
    in->dst = ~in->dst & size_mask(in->size);
    return EXEC_OK;
}

enum exec op_xadd(struct cpu *c, struct insn *in)
{
    u64 old = in->dst;

    in->dst = flags_add(c, old, in->src, in->size);
    in->src = old;
    return EXEC_OK;
}

/* Compare RAX and the destination; if they differ RAX becomes what that is. */
static bool alu_compare(struct cpu *c, const struct insn *in)
{
    flags_cmp(c, c->s.gpr[GPR_RAX] & size_mask(in->size), in->dst, in->size);
    if (flags_low(c) & RFLAGS_ZF)
        return true;
    reg_set(c, GPR_RAX, in->size, in->dst);
    return false;
}

enum exec op_cmpxchg(struct cpu *c, struct insn *in)
{
    if (alu_compare(c, in))
        in->dst = in->src;
    return EXEC_OK;
}

/* A register that did not match is left alone, its upper half included. */
enum exec op_cmpxchg_reg(struct cpu *c, struct insn *in)
{
    if (alu_compare(c, in))
        reg_set(c, in->rm, in->size, in->src);
    return EXEC_OK;
}

/* ---- CMPXCHG8B and CMPXCHG16B ------------------------------------------ */

/* MMIO, or eight bytes across a page: both halves were translated. The caller
 * sees to it that nobody else is at them. Memory is written in either case. */
static enum exec alu_far_cmpxchg(struct cpu *c, const struct insn *in,
                                 bool *done)
{
    unsigned int half = in->msize / 2;
    u64 *gpr = c->s.gpr, mask = size_mask(half), lo, hi;
    enum exec r = mem_ld(c, in->la, half, &lo);

    if (r == EXEC_OK)
        r = mem_ld(c, in->la + half, half, &hi);
    if (r != EXEC_OK)
        return r;
    *done = lo == (gpr[GPR_RAX] & mask) && hi == (gpr[GPR_RDX] & mask);
    r = mem_st(c, in->la, half, *done ? gpr[GPR_RBX] : lo);
    if (r == EXEC_OK)
        r = mem_st(c, in->la + half, half, *done ? gpr[GPR_RCX] : hi);
    if (r == EXEC_OK && !*done) {
        gpr[GPR_RAX] = lo;
        gpr[GPR_RDX] = hi;
    }
    return r;
}

enum exec op_cmpxchg8b(struct cpu *c, struct insn *in)
{
    enum exec r;
    bool done;
    u8 *p;

    if (in->msize == 16 && in->la & 15) /* before #SS */
        return raise_gp(c);
    r = seg_linear(c, in->seg, in->off, in->msize, ACC_WRITE, &in->la);
    if (r == EXEC_OK)
        r = mmu_host(c, in->la, in->msize, ACC_WRITE, &p);
    if (r != EXEC_OK)
        return r;
    if (!p) {
        alone_begin(c);
        r = alu_far_cmpxchg(c, in, &done);
        alone_end(c);
    } else {
        done = in->msize == 16 ? host_cmpxchg16b(p, c->s.gpr)
                               : host_cmpxchg8b(p, c->s.gpr);
    }
    if (r == EXEC_OK)
        flags_put(c, RFLAGS_ZF, done ? RFLAGS_ZF : 0);
    return r;
}

/* ---- decimal, legacy modes only: SDM vol. 2A and 2B --------------------- */

/* What SDM calls undefined is what an addition or subtraction of the adjustment
 * leaves, of AL or of AX; so it comes out as on the host. */
static u64 alu_adjust(struct cpu *c, u64 val, u64 by, bool down,
                      unsigned int size)
{
    return down ? flags_sub(c, val, by, size) : flags_add(c, val, by, size);
}

static void alu_set_carries(struct cpu *c, bool cf, bool af)
{
    flags_put(c, RFLAGS_CF | RFLAGS_AF,
              (cf ? RFLAGS_CF : 0) | (af ? RFLAGS_AF : 0));
}

/* DAA, and DAS (2F) */
enum exec op_daa(struct cpu *c, struct insn *in)
{
    u8 al = (u8)c->s.gpr[GPR_RAX];
    bool down = in->opcode & 8;
    bool high = al > 0x99 || flags_low(c) & RFLAGS_CF, cf = high;
    bool low = (al & 15) > 9 || flags_low(c) & RFLAGS_AF;

    if (low && (down ? al < 6 : al > 0xf9))
        cf = true;
    reg_set(c, GPR_RAX, 1,
            alu_adjust(c, al, (low ? 6 : 0) + (high ? 0x60 : 0), down, 1));
    alu_set_carries(c, cf, low);
    return EXEC_OK;
}

/* AAA, and AAS (3F): AX moves by 0106h; the high nibble of AL is cleared. */
enum exec op_aaa(struct cpu *c, struct insn *in)
{
    u64 ax = c->s.gpr[GPR_RAX] & 0xffff;
    bool down = in->opcode & 8;
    bool carry = (ax & 15) > 9 || flags_low(c) & RFLAGS_AF;

    ax = alu_adjust(c, ax, carry ? 0x106 : 0, down, 2);
    reg_set(c, GPR_RAX, 2, ax & 0xff0f);
    alu_set_carries(c, carry, carry);
    return EXEC_OK;
}

enum exec op_aam(struct cpu *c, struct insn *in)
{
    u8 al = (u8)c->s.gpr[GPR_RAX], base = (u8)in->imm;

    if (!base)
        return raise_exc(c, EXC_DE);
    reg_set(c, GPR_RAX, 2, (u64)(al / base) << 8 | al % base);
    flags_test(c, al % base, 0xff, 1);
    alu_set_carries(c, false, false);
    return EXEC_OK;
}

enum exec op_aad(struct cpu *c, struct insn *in)
{
    u64 ax = c->s.gpr[GPR_RAX];
    u8 ten = (u8)((ax >> 8) * in->imm);

    reg_set(c, GPR_RAX, 2, flags_add(c, ax & 0xff, ten, 1) & 0xff);
    return EXEC_OK;
}
