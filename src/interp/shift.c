/* SPDX-License-Identifier: Apache-2.0 */
/* shift.c: shifts and rotates; the host masks counts as the guest would */
#include "flags.h"
#include "ops.h"

enum exec op_rol(struct cpu *c, struct insn *in)
{
    in->dst = flags_rol(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

enum exec op_ror(struct cpu *c, struct insn *in)
{
    in->dst = flags_ror(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

enum exec op_rcl(struct cpu *c, struct insn *in)
{
    in->dst = flags_rcl(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

enum exec op_rcr(struct cpu *c, struct insn *in)
{
    in->dst = flags_rcr(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

enum exec op_shl(struct cpu *c, struct insn *in)
{
    in->dst = flags_shl(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

enum exec op_shr(struct cpu *c, struct insn *in)
{
    in->dst = flags_shr(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

enum exec op_sar(struct cpu *c, struct insn *in)
{
    in->dst = flags_sar(c, in->dst, (u8)in->src, in->size);
    return EXEC_OK;
}

/* By CL where bit 0 of the opcode is set, else by the immediate. */
static u8 shift_double_count(const struct cpu *c, const struct insn *in)
{
    return in->opcode & 1 ? (u8)c->s.gpr[GPR_RCX] : (u8)in->imm;
}

#define SHIFT_DOUBLE(insn, m)                                                  \
    __asm__(FLAGS_LOAD insn " %%cl, %" m "[b], %" m "[a]\n\tlahf"              \
            : [a] "+&r"(in->dst), "+&a"(ax), [o] "+&q"(o), "=@cco"(of)         \
            : [b] "r"(in->src), "c"(count))

enum exec op_shld(struct cpu *c, struct insn *in)
{
    u64 ax = (u64)flags_low(c) << 8;
    u8 o = c->of, count = shift_double_count(c, in);
    bool of;

    switch (in->size) {
    case 2:
        SHIFT_DOUBLE("shldw", "w");
        break;
    case 4:
        SHIFT_DOUBLE("shldl", "k");
        break;
    default:
        SHIFT_DOUBLE("shldq", "q");
        break;
    }
    flags_keep(c, ax, of);
    return EXEC_OK;
}

enum exec op_shrd(struct cpu *c, struct insn *in)
{
    u64 ax = (u64)flags_low(c) << 8;
    u8 o = c->of, count = shift_double_count(c, in);
    bool of;

    switch (in->size) {
    case 2:
        SHIFT_DOUBLE("shrdw", "w");
        break;
    case 4:
        SHIFT_DOUBLE("shrdl", "k");
        break;
    default:
        SHIFT_DOUBLE("shrdq", "q");
        break;
    }
    flags_keep(c, ax, of);
    return EXEC_OK;
}
