/* SPDX-License-Identifier: Apache-2.0 */
/* muldiv.c: multiplication and division */
#include "flags.h"
#include "ops.h"

/* Of the one-operand forms' RDX:RAX, EDX:EAX, DX:AX, or AX for bytes. */
static u64 muldiv_high(const struct cpu *c, unsigned int size)
{
    return size == 1 ? c->s.gpr[GPR_RAX] >> 8 & 0xff
                     : c->s.gpr[GPR_RDX] & size_mask(size);
}

/* Does the quotient fit? Asked before the host divides, which would raise
 * SIGFPE. */
static bool muldiv_fits(const struct cpu *c, const struct insn *in)
{
    return muldiv_high(c, in->size) < in->src;
}

/*
 * The same for signed numbers: |quotient| must be below 2^(bits-1), or equal
 * to it if negative, so compare |n| with |d| times one more than that.
 */
static bool muldiv_fits_signed(const struct cpu *c, const struct insn *in)
{
    unsigned int size = in->size, bits = size * 8;
    s64 d = (s64)sign_extend(in->src, size);
    s64 hi = (s64)sign_extend(muldiv_high(c, size), size);
    u64 lo = c->s.gpr[GPR_RAX] & size_mask(size);
    s128 n = (s128)((u128)hi << bits | lo);
    u128 an = n < 0 ? -(u128)n : (u128)n;
    u128 ad = d < 0 ? -(u64)d : (u64)d;
    u128 limit = (u128)1 << (bits - 1);

    if ((n < 0) != (d < 0))
        limit++;
    return an < ad * limit;
}

/* With the flags loaded, as flags.h explains; AX is taken until SAHF is done
 * and wanted again by LAHF. What the host leaves of RAX and RDX stays. */
#define MULDIV_ASM(insn, m)                                                    \
    __asm__(FLAGS_LOAD "movq %[rax], %%rax\n\t" insn " %" m                    \
                       "[src]\n\tmovq %%rax, %[rax]\n\tlahf"                   \
            : [rax] "+m"(c->s.gpr[GPR_RAX]), "+&d"(c->s.gpr[GPR_RDX]),         \
              "+&a"(ax), "=@cco"(of)                                           \
            : [src] "r"(in->src), [of] "m"(c->of))

#define MULDIV_HANDLER(name, host, fits)                                       \
    enum exec op_##name(struct cpu *c, struct insn *in)                        \
    {                                                                          \
        u64 ax = (u64)flags_low(c) << 8;                                       \
        bool of;                                                               \
                                                                               \
        if (!fits)                                                             \
            return raise_exc(c, EXC_DE);                                       \
        HOST_BY_SIZE(in->size, MULDIV_ASM, host)                               \
        flags_keep(c, ax, of);                                                 \
        return EXEC_OK;                                                        \
    }

MULDIV_HANDLER(mul, "mul", true)
MULDIV_HANDLER(imul1, "imul", true)
MULDIV_HANDLER(div, "div", muldiv_fits(c, in))
MULDIV_HANDLER(idiv, "idiv", muldiv_fits_signed(c, in))

enum exec op_imul2(struct cpu *c, struct insn *in)
{
    in->dst = flags_imul(c, in->dst, in->src, in->size);
    return EXEC_OK;
}

enum exec op_imul3(struct cpu *c, struct insn *in)
{
    in->dst = flags_imul(c, in->src, in->imm, in->size);
    return EXEC_OK;
}
