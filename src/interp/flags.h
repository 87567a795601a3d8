/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags.h: arithmetic by the host's own instruction, keeping its flags as
 * cpu.h says (LAHF to the low byte of s.rflags, SETO to `of`).
 *
 * Every function takes operands zero-extended from size (1, 2, 4 or 8) and
 * returns a result zero-extended likewise; with a constant size only one host
 * instruction and the capture are left. Instructions that leave or read some
 * flags run with the guest's loaded, so that whatever the host does with
 * flags, undefined ones and shift counts of zero included, is what we do.
 *
 * The flag byte is only ever accessed as a byte here: a wider load right
 * after a byte store would miss the store buffer.
 */
#ifndef MOTE_INTERP_FLAGS_H
#define MOTE_INTERP_FLAGS_H

#include "cpu.h"
#include "host.h"

/* Without -O2 gcc does not inline what comes as an argument, and says so. */
#ifdef INTERP_LOOP
#define FLAGS_INLINE static inline
#else
#define FLAGS_INLINE static inline __attribute__((always_inline))
#endif

/* SF ZF AF PF CF, at their places. */
FLAGS_INLINE u8 flags_low(const struct cpu *c)
{
    return *(const u8 *)&c->s.rflags;
}

FLAGS_INLINE void flags_low_set(struct cpu *c, u8 low)
{
    *(u8 *)&c->s.rflags = low;
}

/* ax after LAHF. */
FLAGS_INLINE void flags_keep(struct cpu *c, u64 ax, bool of)
{
    flags_low_set(c, (u8)(ax >> 8));
    c->of = of;
}

/* Of the flags in `which`, those in `set` become 1 and the others 0. */
FLAGS_INLINE void flags_put(struct cpu *c, u64 which, u64 set)
{
    flags_low_set(c, (u8)((flags_low(c) & ~which) | (set & which)));
}

/* a = a op b. */
#define FLAGS_OP(name, BY_SIZE, ASM)                                           \
    FLAGS_INLINE u64 flags_##name(struct cpu *c, u64 a, u64 b,                 \
                                  unsigned int size)                           \
    {                                                                          \
        u64 ax;                                                                \
        bool of;                                                               \
                                                                               \
        BY_SIZE(size, ASM, #name)                                              \
        flags_keep(c, ax, of);                                                 \
        return a;                                                              \
    }

/* All flags are written and none is read. CMP and TEST give back a. */
#define FLAGS_ASM(insn, m)                                                     \
    __asm__(insn " %" m "[b], %" m "[a]\n\tlahf"                               \
            : [a] "+r"(a), "=a"(ax), "=@cco"(of)                               \
            : [b] "r"(b))
FLAGS_OP(add, HOST_BY_SIZE, FLAGS_ASM)
FLAGS_OP(sub, HOST_BY_SIZE, FLAGS_ASM)
FLAGS_OP(and, HOST_BY_SIZE, FLAGS_ASM)
FLAGS_OP(or, HOST_BY_SIZE, FLAGS_ASM)
FLAGS_OP(xor, HOST_BY_SIZE, FLAGS_ASM)
FLAGS_OP(cmp, HOST_BY_SIZE, FLAGS_ASM)
FLAGS_OP(test, HOST_BY_SIZE, FLAGS_ASM)

/* With CF loaded. */
#define FLAGS_ASM_CARRY(insn, m)                                               \
    __asm__("btl $0, %k[low]\n\t" insn " %" m "[b], %" m "[a]\n\tlahf"         \
            : [a] "+r"(a), "=a"(ax), "=@cco"(of)                               \
            : [b] "r"(b), [low] "r"((u64)flags_low(c)))
FLAGS_OP(adc, HOST_BY_SIZE, FLAGS_ASM_CARRY)
FLAGS_OP(sbb, HOST_BY_SIZE, FLAGS_ASM_CARRY)

/* a = op a, with CF loaded because INC and DEC leave it; there is no b. */
#define FLAGS_ASM_UNARY(insn, m)                                               \
    __asm__("btl $0, %k[low]\n\t" insn " %" m "[a]\n\tlahf"                    \
            : [a] "+r"(a), "=a"(ax), "=@cco"(of)                               \
            : [low] "r"((u64)flags_low(c)))
FLAGS_OP(inc, HOST_BY_SIZE, FLAGS_ASM_UNARY)
FLAGS_OP(dec, HOST_BY_SIZE, FLAGS_ASM_UNARY)
FLAGS_OP(neg, HOST_BY_SIZE, FLAGS_ASM_UNARY)

/* Put the guest's flags into the host's: of - -127 overflows if of is 1, SAHF
 * leaves that and loads the rest from AH. For asm with these inputs. */
#define FLAGS_LOAD   "cmpb $-127, %[of]\n\tsahf\n\t"
#define FLAGS_LOADED [of] "m"(c->of), "a"((u64)flags_low(c) << 8)

/* By the count in b, masked as the host masks it. */
#define FLAGS_ASM_SHIFT(insn, m)                                               \
    __asm__(FLAGS_LOAD insn " %%cl, %" m "[a]\n\tlahf"                         \
            : [a] "+r"(a), "=a"(ax), "=@cco"(of)                               \
            : "c"(b), FLAGS_LOADED)
FLAGS_OP(shl, HOST_BY_SIZE, FLAGS_ASM_SHIFT)
FLAGS_OP(shr, HOST_BY_SIZE, FLAGS_ASM_SHIFT)
FLAGS_OP(sar, HOST_BY_SIZE, FLAGS_ASM_SHIFT)
FLAGS_OP(rol, HOST_BY_SIZE, FLAGS_ASM_SHIFT)
FLAGS_OP(ror, HOST_BY_SIZE, FLAGS_ASM_SHIFT)
FLAGS_OP(rcl, HOST_BY_SIZE, FLAGS_ASM_SHIFT)
FLAGS_OP(rcr, HOST_BY_SIZE, FLAGS_ASM_SHIFT)

/* For sizes 2, 4, 8, with all flags loaded. The BT family takes b modulo the
 * operand's width; TZCNT and LZCNT are BSF and BSR to older hosts. */
#define FLAGS_ASM_WIDE(insn, m)                                                \
    __asm__(FLAGS_LOAD insn " %" m "[b], %" m "[a]\n\tlahf"                    \
            : [a] "+r"(a), "=a"(ax), "=@cco"(of)                               \
            : [b] "r"(b), FLAGS_LOADED)
FLAGS_OP(imul, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(bsf, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(bsr, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(tzcnt, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(lzcnt, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(popcnt, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(bt, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(bts, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(btr, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)
FLAGS_OP(btc, HOST_BY_WIDE_SIZE, FLAGS_ASM_WIDE)

/* The handler of an instruction that does no more than that. */
#define FLAGS_HANDLER(name)                                                    \
    enum exec op_##name(struct cpu *c, struct insn *in)                        \
    {                                                                          \
        in->dst = flags_##name(c, in->dst, in->src, in->size);                 \
        return EXEC_OK;                                                        \
    }

#endif
