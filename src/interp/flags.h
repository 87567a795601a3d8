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

#define FLAGS_INLINE static inline __attribute__((always_inline))

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

/* clang-format off */

/* One asm per size; suffix and operand modifier follow from it. */
#define FLAGS_SIZES(size, ASM)                                                 \
    switch (size) {                                                            \
    case 1: ASM("b", "b"); break;                                              \
    case 2: ASM("w", "w"); break;                                              \
    case 4: ASM("l", "k"); break;                                              \
    default: ASM("q", "q"); break;                                             \
    }

/* a = a op b; flags are all written and none is read. */
#define FLAGS_BINARY(name, insn)                                               \
    FLAGS_INLINE u64 flags_##name(struct cpu *c, u64 a, u64 b,                 \
                                  unsigned int size)                           \
    {                                                                          \
        u64 ax;                                                                \
        bool of;                                                               \
        FLAGS_SIZES(size, FLAGS_ASM_##insn)                                    \
        flags_keep(c, ax, of);                                                 \
        return a;                                                              \
    }
#define FLAGS_ASM(insn, s, m)                                                  \
    __asm__(insn s " %" m "3, %" m "0\n\tlahf"                                 \
            : "+r"(a), "=a"(ax), "=@cco"(of) : "r"(b))
#define FLAGS_ASM_add(s, m) FLAGS_ASM("add", s, m)
#define FLAGS_ASM_sub(s, m) FLAGS_ASM("sub", s, m)
#define FLAGS_ASM_and(s, m) FLAGS_ASM("and", s, m)
#define FLAGS_ASM_or(s, m)  FLAGS_ASM("or", s, m)
#define FLAGS_ASM_xor(s, m) FLAGS_ASM("xor", s, m)
FLAGS_BINARY(add, add)
FLAGS_BINARY(sub, sub)
FLAGS_BINARY(and, and)
FLAGS_BINARY(or, or)
FLAGS_BINARY(xor, xor)

/* Flags only. */
#define FLAGS_COMPARE(name, insn)                                              \
    FLAGS_INLINE void flags_##name(struct cpu *c, u64 a, u64 b,                \
                                   unsigned int size)                          \
    {                                                                          \
        u64 ax;                                                                \
        bool of;                                                               \
        FLAGS_SIZES(size, FLAGS_ASM_##insn)                                    \
        flags_keep(c, ax, of);                                                 \
    }
#define FLAGS_ASM_COMPARE(insn, s, m)                                          \
    __asm__(insn s " %" m "3, %" m "2\n\tlahf"                                 \
            : "=a"(ax), "=@cco"(of) : "r"(a), "r"(b))
#define FLAGS_ASM_cmp(s, m)  FLAGS_ASM_COMPARE("cmp", s, m)
#define FLAGS_ASM_test(s, m) FLAGS_ASM_COMPARE("test", s, m)
FLAGS_COMPARE(cmp, cmp)
FLAGS_COMPARE(test, test)

/* a = a op b + CF. */
#define FLAGS_CARRY(name, insn)                                                \
    FLAGS_INLINE u64 flags_##name(struct cpu *c, u64 a, u64 b,                 \
                                  unsigned int size)                           \
    {                                                                          \
        u64 ax, low = flags_low(c);                                            \
        bool of;                                                               \
        FLAGS_SIZES(size, FLAGS_ASM_##insn)                                    \
        flags_keep(c, ax, of);                                                 \
        return a;                                                              \
    }
#define FLAGS_ASM_CARRY(insn, s, m)                                            \
    __asm__("btl $0, %k4\n\t" insn s " %" m "3, %" m "0\n\tlahf"               \
            : "+r"(a), "=a"(ax), "=@cco"(of) : "r"(b), "r"(low))
#define FLAGS_ASM_adc(s, m) FLAGS_ASM_CARRY("adc", s, m)
#define FLAGS_ASM_sbb(s, m) FLAGS_ASM_CARRY("sbb", s, m)
FLAGS_CARRY(adc, adc)
FLAGS_CARRY(sbb, sbb)

/* a = op a; CF goes in, because INC and DEC leave it. */
#define FLAGS_UNARY(name, insn)                                                \
    FLAGS_INLINE u64 flags_##name(struct cpu *c, u64 a, unsigned int size)     \
    {                                                                          \
        u64 ax, low = flags_low(c);                                            \
        bool of;                                                               \
        FLAGS_SIZES(size, FLAGS_ASM_##insn)                                    \
        flags_keep(c, ax, of);                                                 \
        return a;                                                              \
    }
#define FLAGS_ASM_UNARY(insn, s, m)                                            \
    __asm__("btl $0, %k3\n\t" insn s " %" m "0\n\tlahf"                        \
            : "+r"(a), "=a"(ax), "=@cco"(of) : "r"(low))
#define FLAGS_ASM_inc(s, m) FLAGS_ASM_UNARY("inc", s, m)
#define FLAGS_ASM_dec(s, m) FLAGS_ASM_UNARY("dec", s, m)
#define FLAGS_ASM_neg(s, m) FLAGS_ASM_UNARY("neg", s, m)
FLAGS_UNARY(inc, inc)
FLAGS_UNARY(dec, dec)
FLAGS_UNARY(neg, neg)

/* Put the guest's flags into the host's: ADD sets OF from o (0 or 1), SAHF
 * leaves it and loads the rest from AH. For asm with operands [o] (changed)
 * and "+a"(ax). */
#define FLAGS_LOAD "addb $127, %b[o]\n\tsahf\n\t"

/* a = a op count, count masked as the host masks it. */
#define FLAGS_SHIFT(name, insn)                                                \
    FLAGS_INLINE u64 flags_##name(struct cpu *c, u64 a, u8 count,              \
                                  unsigned int size)                           \
    {                                                                          \
        u64 ax = (u64)flags_low(c) << 8;                                       \
        u8 o = c->of;                                                          \
        bool of;                                                               \
        FLAGS_SIZES(size, FLAGS_ASM_##insn)                                    \
        flags_keep(c, ax, of);                                                 \
        return a;                                                              \
    }
#define FLAGS_ASM_SHIFT(insn, s, m)                                            \
    __asm__(FLAGS_LOAD insn s " %%cl, %" m "[a]\n\tlahf"                       \
            : [a] "+&r"(a), "+&a"(ax), [o] "+&q"(o), "=@cco"(of) : "c"(count))
#define FLAGS_ASM_shl(s, m) FLAGS_ASM_SHIFT("shl", s, m)
#define FLAGS_ASM_shr(s, m) FLAGS_ASM_SHIFT("shr", s, m)
#define FLAGS_ASM_sar(s, m) FLAGS_ASM_SHIFT("sar", s, m)
#define FLAGS_ASM_rol(s, m) FLAGS_ASM_SHIFT("rol", s, m)
#define FLAGS_ASM_ror(s, m) FLAGS_ASM_SHIFT("ror", s, m)
#define FLAGS_ASM_rcl(s, m) FLAGS_ASM_SHIFT("rcl", s, m)
#define FLAGS_ASM_rcr(s, m) FLAGS_ASM_SHIFT("rcr", s, m)
FLAGS_SHIFT(shl, shl)
FLAGS_SHIFT(shr, shr)
FLAGS_SHIFT(sar, sar)
FLAGS_SHIFT(rol, rol)
FLAGS_SHIFT(ror, ror)
FLAGS_SHIFT(rcl, rcl)
FLAGS_SHIFT(rcr, rcr)

/* a = a op b for sizes 2, 4, 8, with all flags loaded: IMUL, BSF, BSR, POPCNT
 * and the BT family with b below the operand's width. */
#define FLAGS_WIDE(name, insn)                                                 \
    FLAGS_INLINE u64 flags_##name(struct cpu *c, u64 a, u64 b,                 \
                                  unsigned int size)                           \
    {                                                                          \
        u64 ax = (u64)flags_low(c) << 8;                                       \
        u8 o = c->of;                                                          \
        bool of;                                                               \
        switch (size) {                                                        \
        case 2: FLAGS_ASM_WIDE(insn, "w", "w"); break;                         \
        case 4: FLAGS_ASM_WIDE(insn, "l", "k"); break;                         \
        default: FLAGS_ASM_WIDE(insn, "q", "q"); break;                        \
        }                                                                      \
        flags_keep(c, ax, of);                                                 \
        return a;                                                              \
    }
#define FLAGS_ASM_WIDE(insn, s, m)                                             \
    __asm__(FLAGS_LOAD insn s " %" m "[b], %" m "[a]\n\tlahf"                  \
            : [a] "+&r"(a), "+&a"(ax), [o] "+&q"(o), "=@cco"(of) : [b] "r"(b))
FLAGS_WIDE(imul, "imul")
FLAGS_WIDE(bsf, "bsf")
FLAGS_WIDE(bsr, "bsr")
FLAGS_WIDE(rep_bsf, "rep; bsf") /* TZCNT, LZCNT where the host has them */
FLAGS_WIDE(rep_bsr, "rep; bsr")
FLAGS_WIDE(popcnt, "popcnt")
FLAGS_WIDE(bt, "bt")
FLAGS_WIDE(bts, "bts")
FLAGS_WIDE(btr, "btr")
FLAGS_WIDE(btc, "btc")

/* clang-format on */

#endif
