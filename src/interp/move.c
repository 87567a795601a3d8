/* SPDX-License-Identifier: Apache-2.0 */
/* move.c: moves, the stack, segment registers, flag bits */
#include "flags.h"
#include "ops.h"
#include "seg.h"

enum exec op_mov(struct cpu *c, struct insn *in)
{
    in->dst = in->src;
    return EXEC_OK;
}

enum exec op_movzx(struct cpu *c, struct insn *in)
{
    in->dst = in->src;
    return EXEC_OK;
}

enum exec op_movsx(struct cpu *c, struct insn *in)
{
    in->dst = sign_extend(in->src, in->ssize);
    return EXEC_OK;
}

/* The executor has its own shortcut. */
enum exec op_lea(struct cpu *c, struct insn *in)
{
    reg_set(c, in->reg, in->size, in->off);
    return EXEC_OK;
}

enum exec op_xchg(struct cpu *c, struct insn *in)
{
    u64 old = in->dst;

    in->dst = in->src;
    in->src = old;
    return EXEC_OK;
}

/* A false condition still zero-extends a 32-bit register. */
enum exec op_cmov(struct cpu *c, struct insn *in)
{
    if (flags_cond(c, in->opcode & 15))
        in->dst = in->src;
    return EXEC_OK;
}

enum exec op_setcc(struct cpu *c, struct insn *in)
{
    in->dst = flags_cond(c, in->opcode & 15);
    return EXEC_OK;
}

/* Of 16 bits: undefined, and zero on the processors at hand. */
enum exec op_bswap(struct cpu *c, struct insn *in)
{
    in->dst = __builtin_bswap64(in->dst) >> (64 - in->size * 8);
    if (in->size == 2)
        in->dst = 0;
    return EXEC_OK;
}

enum exec op_movbe(struct cpu *c, struct insn *in)
{
    in->dst = __builtin_bswap64(in->src) >> (64 - in->size * 8);
    return EXEC_OK;
}

/* CBW, CWDE, CDQE */
enum exec op_cbw(struct cpu *c, struct insn *in)
{
    reg_set(c, GPR_RAX, in->size, sign_extend(c->s.gpr[GPR_RAX], in->size / 2));
    return EXEC_OK;
}

/* CWD, CDQ, CQO */
enum exec op_cwd(struct cpu *c, struct insn *in)
{
    bool sign = c->s.gpr[GPR_RAX] >> (in->size * 8 - 1) & 1;

    reg_set(c, GPR_RDX, in->size, sign ? ~0ull : 0);
    return EXEC_OK;
}

enum exec op_xlat(struct cpu *c, struct insn *in)
{
    u64 off = c->s.gpr[GPR_RBX] + (c->s.gpr[GPR_RAX] & 0xff), la, val;
    enum exec r =
        seg_linear(c, in->seg, off & size_mask(in->asize), 1, ACC_READ, &la);

    if (r == EXEC_OK)
        r = mem_ld(c, la, 1, &val);
    if (r == EXEC_OK)
        reg_set(c, GPR_RAX, 1, val);
    return r;
}

enum exec op_nop(struct cpu *c, struct insn *in)
{
    return EXEC_OK;
}

/* AVX and later: hidden from the guest, but a guest on KVM may have been given
 * them by its host, and their registers are there. */
enum exec op_vex(struct cpu *c, struct insn *in)
{
    if (c->service)
        return cpu_boundary(c) ? EXEC_BOUNDARY : EXEC_UNKNOWN;
    return raise_exc(c, EXC_UD);
}

/* ---- flags ------------------------------------------------------------- */

enum exec op_lahf(struct cpu *c, struct insn *in)
{
    u64 rax = c->s.gpr[GPR_RAX] & ~0xff00ull;

    c->s.gpr[GPR_RAX] = rax | (u64)flags_low(c) << 8;
    return EXEC_OK;
}

enum exec op_sahf(struct cpu *c, struct insn *in)
{
    u64 ah = c->s.gpr[GPR_RAX] >> 8 & FLAGS_ARITH;

    flags_low_set(c, (u8)(ah | RFLAGS_ONE));
    return EXEC_OK;
}

/* SETALC: SBB AL, AL without its flags. In no manual, but on all processors. */
enum exec op_salc(struct cpu *c, struct insn *in)
{
    reg_set(c, GPR_RAX, 1, flags_low(c) & RFLAGS_CF ? 0xff : 0);
    return EXEC_OK;
}

enum exec op_clc(struct cpu *c, struct insn *in)
{
    flags_put(c, RFLAGS_CF, 0);
    return EXEC_OK;
}

enum exec op_stc(struct cpu *c, struct insn *in)
{
    flags_put(c, RFLAGS_CF, RFLAGS_CF);
    return EXEC_OK;
}

enum exec op_cmc(struct cpu *c, struct insn *in)
{
    flags_low_set(c, (u8)(flags_low(c) ^ RFLAGS_CF));
    return EXEC_OK;
}

enum exec op_cld(struct cpu *c, struct insn *in)
{
    c->s.rflags &= ~RFLAGS_DF;
    return EXEC_OK;
}

enum exec op_std(struct cpu *c, struct insn *in)
{
    c->s.rflags |= RFLAGS_DF;
    return EXEC_OK;
}

/* RF and VM are pushed clear. */
enum exec op_pushf(struct cpu *c, struct insn *in)
{
    return stack_push(c, in->size, flags_get(c) & ~(RFLAGS_RF | RFLAGS_VM));
}

/* SDM vol. 2B, POPF: what may change depends on CPL and IOPL; the rest is
 * ignored, without a fault. RF is cleared, VM VIF VIP stay. */
enum exec op_popf(struct cpu *c, struct insn *in)
{
    u64 can =
        FLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID;
    u64 val;
    enum exec r = stack_pop(c, in->size, &val);

    if (r != EXEC_OK)
        return r;
    if (c->cpl == 0)
        can |= RFLAGS_IOPL;
    if (c->cpl <= (c->s.rflags >> 12 & 3))
        can |= RFLAGS_IF;
    can &= size_mask(in->size);
    flags_set(c, (flags_get(c) & ~can & ~RFLAGS_RF) | (val & can));
    return EXEC_OK;
}

/* ---- stack ------------------------------------------------------------- */

enum exec op_push(struct cpu *c, struct insn *in)
{
    return stack_push(c, in->size, in->src);
}

enum exec op_pop(struct cpu *c, struct insn *in)
{
    return stack_pop(c, in->size, &in->dst);
}

/* POP r/m: an address with RSP as base uses RSP after the pop (SDM vol. 2B).
 */
enum exec op_pop_rm(struct cpu *c, struct insn *in)
{
    u64 off = in->off, val, la;
    enum exec r = stack_peek(c, 0, in->size, &val);

    if (r == EXEC_OK && in->mem) {
        if (in->base == GPR_RSP)
            off = (off + in->size) & size_mask(in->asize);
        r = seg_linear(c, in->seg, off, in->size, ACC_WRITE, &la);
        if (r == EXEC_OK)
            r = mem_st(c, la, in->size, val);
    }
    if (r != EXEC_OK)
        return r;
    stack_set(c, c->s.gpr[GPR_RSP] + in->size);
    if (!in->mem)
        reg_set(c, in->rm, in->size, val);
    return EXEC_OK;
}

/* RAX RCX RDX RBX, RSP as it was, RBP RSI RDI */
enum exec op_pusha(struct cpu *c, struct insn *in)
{
    u64 rsp = c->s.gpr[GPR_RSP];
    enum exec r = EXEC_OK;

    for (unsigned int n = GPR_RAX; n <= GPR_RDI && r == EXEC_OK; n++)
        r = stack_push(c, in->size, n == GPR_RSP ? rsp : c->s.gpr[n]);
    if (r != EXEC_OK)
        c->s.gpr[GPR_RSP] = rsp;
    return r;
}

enum exec op_popa(struct cpu *c, struct insn *in)
{
    u64 rsp = c->s.gpr[GPR_RSP], val;
    enum exec r = EXEC_OK;

    for (unsigned int n = GPR_RDI; n <= GPR_RDI && r == EXEC_OK; n--) {
        r = stack_pop(c, in->size, &val);
        if (r == EXEC_OK && n != GPR_RSP)
            reg_set(c, n, in->size, val);
    }
    if (r != EXEC_OK) /* with what is loaded already, as processors do */
        c->s.gpr[GPR_RSP] = rsp;
    return r;
}

/* The frame pointers of the enclosing procedures, then the new one. */
static enum exec move_enter_display(struct cpu *c, const struct insn *in,
                                    unsigned int level, u64 frame)
{
    u64 rbp = c->s.gpr[GPR_RBP], val;
    enum exec r = EXEC_OK;

    for (unsigned int i = 1; i < level && r == EXEC_OK; i++) {
        rbp -= in->size;
        r = stack_peek(c, rbp - c->s.gpr[GPR_RSP], in->size, &val);
        if (r == EXEC_OK)
            r = stack_push(c, in->size, val);
    }
    return r == EXEC_OK ? stack_push(c, in->size, frame) : r;
}

enum exec op_enter(struct cpu *c, struct insn *in)
{
    unsigned int level = in->imm2 & 31;
    u64 rsp = c->s.gpr[GPR_RSP], frame;
    enum exec r = stack_push(c, in->size, c->s.gpr[GPR_RBP]);

    if (r != EXEC_OK)
        return r;
    frame = c->s.gpr[GPR_RSP];
    if (level)
        r = move_enter_display(c, in, level, frame);
    if (r == EXEC_OK) /* the new frame must be there: SDM vol. 2A, ENTER */
        r = stack_room(c, c->s.gpr[GPR_RSP] - in->imm, in->size);
    if (r != EXEC_OK) {
        c->s.gpr[GPR_RSP] = rsp;
        return r;
    }
    reg_set(c, GPR_RBP, in->size, frame);
    stack_set(c, c->s.gpr[GPR_RSP] - in->imm);
    return EXEC_OK;
}

enum exec op_leave(struct cpu *c, struct insn *in)
{
    u64 *gpr = c->s.gpr, val;
    enum exec r = stack_peek(c, gpr[GPR_RBP] - gpr[GPR_RSP], in->size, &val);

    if (r != EXEC_OK)
        return r;
    stack_set(c, gpr[GPR_RBP] + in->size);
    reg_set(c, GPR_RBP, in->size, val);
    return EXEC_OK;
}

/* ---- segment registers ------------------------------------------------- */

/* A load of SS holds off interrupts for one instruction; but not LSS, which
 * loads the stack pointer too. */
static enum exec move_load_seg(struct cpu *c, unsigned int seg, u16 sel)
{
    enum exec r = seg_load(c, seg, sel);

    if (r == EXEC_OK && seg == SEG_SS)
        c->s.event.shadow_mov_ss = 1;
    return r;
}

/* 06 .. 1F by bits 3 and 4 of the opcode, 0F A0 .. A9 by bit 3 */
static unsigned int move_sreg(const struct insn *in)
{
    return in->opcode >> 3 & 7;
}

enum exec op_push_sreg(struct cpu *c, struct insn *in)
{
    return stack_push(c, in->size, c->s.seg[move_sreg(in)].sel);
}

enum exec op_pop_sreg(struct cpu *c, struct insn *in)
{
    u64 rsp = c->s.gpr[GPR_RSP], val;
    enum exec r = stack_pop(c, in->size, &val);

    if (r != EXEC_OK)
        return r;
    r = move_load_seg(c, move_sreg(in), (u16)val);
    if (r != EXEC_OK)
        c->s.gpr[GPR_RSP] = rsp;
    return r;
}

enum exec op_mov_from_sreg(struct cpu *c, struct insn *in)
{
    in->dst = c->s.seg[in->reg].sel;
    return EXEC_OK;
}

enum exec op_mov_to_sreg(struct cpu *c, struct insn *in)
{
    return move_load_seg(c, in->reg, (u16)in->src);
}

/* LES LDS (C4 C5), LSS LFS LGS (0F B2 B4 B5) */
static unsigned int move_lxs_seg(const struct insn *in)
{
    if (in->map == 0)
        return in->opcode == 0xc4 ? SEG_ES : SEG_DS;
    return in->opcode & 7;
}

enum exec op_lxs(struct cpu *c, struct insn *in)
{
    u64 off, sel;
    enum exec r = mem_ld(c, in->la, in->size, &off);

    if (r == EXEC_OK)
        r = mem_ld(c, in->la + in->size, 2, &sel);
    if (r == EXEC_OK)
        r = seg_load(c, move_lxs_seg(in), (u16)sel);
    if (r == EXEC_OK)
        reg_set(c, in->reg, in->size, off);
    return r;
}
