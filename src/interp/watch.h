/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h: breakpoints on data and ports, and alignment checks. While either
 * is in force c->tlb is a half that has nothing, so that every access takes the
 * slow path of mmu.c, which looks at c->watch; and every instruction is
 * stepped. So they cost nothing while they are not.
 */
#ifndef MOTE_INTERP_WATCH_H
#define MOTE_INTERP_WATCH_H

#include "cpu.h"

#define DR7_ENABLED 0xffull      /* L0 G0 .. L3 G3 */
#define DR7_GD      (1ull << 13) /* MOV DR is #DB */

enum watch {
    WATCH_BREAK = 1, /* a breakpoint on data or ports is enabled */
    WATCH_ALIGN = 2, /* CPL 3, CR0.AM and RFLAGS.AC */
};

/* Kinds of breakpoints: R/W fields of DR7, as bits of a set. */
enum watch_kind {
    WATCH_EXEC = 1u << 0,
    WATCH_WRITE = 1u << 1,
    WATCH_PORT = 1u << 2,
    WATCH_ANY = 1u << 3, /* reads and writes */
};

/* What c->tlb is while c->watch is set. */
extern const struct tlb_entry watch_tlb[TLB_SIZE];

/* What registers say now, to c->watch and c->tlb. */
void watch_set(struct cpu *c);

/* Must each instruction be looked at, for breakpoints or alignment? */
static inline bool watch_is_on(const struct cpu *c)
{
    return c->s.dr7 & DR7_ENABLED || c->watch;
}

/* Before an instruction. Those that change DR7, AC, CR0 or CPL end a block. */
static inline void watch_update(struct cpu *c)
{
    if (unlikely(watch_is_on(c) || c->s.rflags & RFLAGS_AC))
        watch_set(c);
}

/*
 * [la, la + size) is about to be translated and accessed; user: with the rights
 * of CPL 3. Notes in c->hits which breakpoints that meets; a fault that comes
 * of it makes void what is noted. #AC(0). For those who saw c->watch.
 */
enum exec watch_access(struct cpu *c, u64 la, unsigned int size,
                       enum access acc, bool user);

/* Breakpoints of a kind (R/W field of DR7) that are enabled and overlap
 * [at, at + size): a bit each, as in DR6. */
u8 watch_match(const struct cpu *c, unsigned int kinds, u64 at,
               unsigned int size);

/* A port is being accessed. */
static inline void watch_port(struct cpu *c, u16 port, unsigned int size)
{
    if (unlikely(c->watch) && c->s.cr4 & CR4_DE)
        c->hits |= watch_match(c, WATCH_PORT, port, size);
}

#endif
