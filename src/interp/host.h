/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h: accesses to guest memory through a host pointer. Each is exactly one
 * host access of its size, at any alignment: x86 order and atomicity are the
 * host's own.
 */
#ifndef MOTE_INTERP_HOST_H
#define MOTE_INTERP_HOST_H

#include "mote/cpu_state.h"

typedef u16 host_u16 __attribute__((aligned(1)));
typedef u32 host_u32 __attribute__((aligned(1)));
typedef u64 host_u64 __attribute__((aligned(1)));

static inline __attribute__((always_inline)) u64 host_ld(const u8 *p,
                                                         unsigned int size)
{
    switch (size) {
    case 1:
        return *(const volatile u8 *)p;
    case 2:
        return *(const volatile host_u16 *)p;
    case 4:
        return *(const volatile host_u32 *)p;
    default:
        return *(const volatile host_u64 *)p;
    }
}

static inline __attribute__((always_inline)) void
host_st(u8 *p, unsigned int size, u64 val)
{
    switch (size) {
    case 1:
        *(volatile u8 *)p = (u8)val;
        break;
    case 2:
        *(volatile host_u16 *)p = (u16)val;
        break;
    case 4:
        *(volatile host_u32 *)p = (u32)val;
        break;
    default:
        *(volatile host_u64 *)p = val;
        break;
    }
}

/* clang-format off */

/* The host's instruction for an operand size: ASM(insn, m) runs it, m being
 * the modifier of its operands. */
#define HOST_BY_SIZE(size, ASM, insn)                                          \
    switch (size) {                                                            \
    case 1: ASM(insn "b", "b"); break;                                         \
    case 2: ASM(insn "w", "w"); break;                                         \
    case 4: ASM(insn "l", "k"); break;                                         \
    default: ASM(insn "q", "q"); break;                                        \
    }

/* The same where there is no form for bytes. */
#define HOST_BY_WIDE_SIZE(size, ASM, insn)                                     \
    switch (size) {                                                            \
    case 2: ASM(insn "w", "w"); break;                                         \
    case 4: ASM(insn "l", "k"); break;                                         \
    default: ASM(insn "q", "q"); break;                                        \
    }

/* clang-format on */

/* In assembly, because the compilers' builtins want natural alignment. */
#define HOST_CMPXCHG(insn, m)                                                  \
    __asm__ volatile(insn " %" m "[val], %[at]"                                \
                     : "=@ccz"(done), [at] "+m"(*(host_u64 *)p), "+a"(old)     \
                     : [val] "r"(val)                                          \
                     : "memory")

/* If *p is old, make it val; full barrier. */
static inline bool host_cmpxchg(u8 *p, unsigned int size, u64 old, u64 val)
{
    bool done;

    HOST_BY_SIZE(size, HOST_CMPXCHG, "lock cmpxchg")
    return done;
}

/* CMPXCHG8B and CMPXCHG16B of a guest's registers. Other processors may be
 * native, so it is always the host's own, LOCK or not. p: of 16 bytes, a
 * multiple of 16. */
#define HOST_CMPXCHG_PAIR(insn, type)                                          \
    __asm__ volatile("lock " insn " %[at]"                                     \
                     : "=@ccz"(done), [at] "+m"(*(type *)(void *)p),           \
                       "+a"(gpr[GPR_RAX]), "+d"(gpr[GPR_RDX])                  \
                     : "b"(gpr[GPR_RBX]), "c"(gpr[GPR_RCX])                    \
                     : "memory")

static inline bool host_cmpxchg8b(u8 *p, u64 *gpr)
{
    bool done;

    HOST_CMPXCHG_PAIR("cmpxchg8b", host_u64);
    return done;
}

static inline bool host_cmpxchg16b(u8 *p, u64 *gpr)
{
    bool done;

    HOST_CMPXCHG_PAIR("cmpxchg16b", u128);
    return done;
}

/* n elements of size bytes, upwards. */
#define HOST_REP_STOS(insn, m)                                                 \
    __asm__ volatile(insn : "+D"(to), "+c"(n) : "a"(val) : "memory")

static inline __attribute__((always_inline)) void
host_rep_stos(u8 *to, u64 n, u64 val, unsigned int size)
{
    HOST_BY_SIZE(size, HOST_REP_STOS, "rep stos")
}

/* Where the two overlap it does what a guest asks for. */
#define HOST_REP_MOVS(insn, m)                                                 \
    __asm__ volatile(insn : "+D"(to), "+S"(from), "+c"(n)::"memory")

static inline __attribute__((always_inline)) void
host_rep_movs(u8 *to, const u8 *from, u64 n, unsigned int size)
{
    HOST_BY_SIZE(size, HOST_REP_MOVS, "rep movs")
}

#endif
