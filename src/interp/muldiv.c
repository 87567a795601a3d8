/* SPDX-License-Identifier: Apache-2.0 */
/* muldiv.c: multiplication and division */
#include "flags.h"
#include "ops.h"

/* The one-operand forms: RDX:RAX, EDX:EAX, DX:AX, or AX for bytes. */
struct muldiv {
    u64 lo, hi;
};

static struct muldiv muldiv_get(const struct cpu *c, unsigned int size)
{
    u64 rax = c->s.gpr[GPR_RAX], mask = size_mask(size);

    if (size == 1)
        return (struct muldiv){rax & 0xff, rax >> 8 & 0xff};
    return (struct muldiv){rax & mask, c->s.gpr[GPR_RDX] & mask};
}

static void muldiv_set(struct cpu *c, const struct insn *in, struct muldiv v)
{
    if (in->size == 1) {
        reg_set(c, in, GPR_RAX, 2, (v.hi & 0xff) << 8 | (v.lo & 0xff));
        return;
    }
    reg_set(c, in, GPR_RAX, in->size, v.lo);
    reg_set(c, in, GPR_RDX, in->size, v.hi);
}

/* With the flags loaded, as flags.h explains; AX is taken until SAHF is done
 * and wanted again by LAHF. */
#define MULDIV_ASM(op, m)                                                      \
    __asm__(FLAGS_LOAD "movq %[lo], %%rax\n\t" op " %" m                       \
                       "[src]\n\tmovq %%rax, %[lo]\n\tlahf"                    \
            : [lo] "+&r"(v.lo), "+&d"(v.hi), "+&a"(ax), [o] "+&q"(o),          \
              "=@cco"(of)                                                      \
            : [src] "r"(in->src))

/* Byte forms have everything in AX. */
#define MULDIV_RUN(name, op)                                                   \
    static void muldiv_##name(struct cpu *c, struct insn *in)                  \
    {                                                                          \
        struct muldiv v = muldiv_get(c, in->size);                             \
        u64 ax = (u64)flags_low(c) << 8;                                       \
        u8 o = c->of;                                                          \
        bool of;                                                               \
                                                                               \
        switch (in->size) {                                                    \
        case 1:                                                                \
            v.lo |= v.hi << 8;                                                 \
            MULDIV_ASM(op "b", "b");                                           \
            v.hi = v.lo >> 8;                                                  \
            break;                                                             \
        case 2:                                                                \
            MULDIV_ASM(op "w", "w");                                           \
            break;                                                             \
        case 4:                                                                \
            MULDIV_ASM(op "l", "k");                                           \
            break;                                                             \
        default:                                                               \
            MULDIV_ASM(op "q", "q");                                           \
            break;                                                             \
        }                                                                      \
        muldiv_set(c, in, v);                                                  \
        flags_keep(c, ax, of);                                                 \
    }

MULDIV_RUN(host_mul, "mul")
MULDIV_RUN(host_imul, "imul")
MULDIV_RUN(host_div, "div")
MULDIV_RUN(host_idiv, "idiv")

enum exec op_mul(struct cpu *c, struct insn *in)
{
    muldiv_host_mul(c, in);
    return EXEC_OK;
}

enum exec op_imul1(struct cpu *c, struct insn *in)
{
    muldiv_host_imul(c, in);
    return EXEC_OK;
}

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

/* Does the quotient fit? Asked before the host divides, which would raise
 * SIGFPE. */
static bool muldiv_fits(struct muldiv n, u64 d)
{
    return n.hi < d;
}

/*
 * The same for signed numbers: |quotient| must be below 2^(bits-1), or equal
 * to it if negative, so compare |n| with |d| times one more than that.
 */
static bool muldiv_fits_signed(struct muldiv n, u64 d, unsigned int size)
{
    unsigned int bits = size * 8;
    s64 sd = (s64)sign_extend(d, size);
    s64 hi = (s64)sign_extend(n.hi, size);
    s128 sn = (s128)((u128)hi << bits | n.lo);
    u128 an = sn < 0 ? -(u128)sn : (u128)sn;
    u128 ad = sd < 0 ? -(u64)sd : (u64)sd;
    u128 limit = (u128)1 << (bits - 1);

    if ((sn < 0) != (sd < 0))
        limit++;
    return an < ad * limit;
}

enum exec op_div(struct cpu *c, struct insn *in)
{
    if (!muldiv_fits(muldiv_get(c, in->size), in->src))
        return raise_exc(c, EXC_DE);
    muldiv_host_div(c, in);
    return EXEC_OK;
}

enum exec op_idiv(struct cpu *c, struct insn *in)
{
    if (!muldiv_fits_signed(muldiv_get(c, in->size), in->src, in->size))
        return raise_exc(c, EXC_DE);
    muldiv_host_idiv(c, in);
    return EXEC_OK;
}
