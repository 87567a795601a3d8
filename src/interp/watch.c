/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c: breakpoints on data and ports, SDM vol. 3B 17.2 and 17.3, APM vol. 2
 * 13.1; alignment checks, SDM vol. 3A 6.15, APM vol. 2 8.2.
 */
#include "watch.h"

const struct tlb_entry watch_tlb[TLB_SIZE] = {
    [0 ... TLB_SIZE - 1] = {TLB_NONE, TLB_NONE, TLB_NONE, 0},
};

/* What breakpoint i is for, as a set; of nothing if it is not enabled. */
static unsigned int watch_kind(const struct cpu *c, unsigned int i)
{
    return c->s.dr7 >> 2 * i & 3 ? 1u << (c->s.dr7 >> (16 + 4 * i) & 3) : 0;
}

void watch_set(struct cpu *c)
{
    bool align = c->cpl == 3 && c->s.cr0 & CR0_AM && c->s.rflags & RFLAGS_AC;

    c->watch = align ? WATCH_ALIGN : 0;
    for (unsigned int i = 0; i < 4; i++)
        if (watch_kind(c, i) & ~(unsigned int)WATCH_EXEC)
            c->watch |= WATCH_BREAK;
    mmu_set_cpl(c);
}

/* The address counts as a multiple of the length. */
u8 watch_match(const struct cpu *c, unsigned int kinds, u64 at,
               unsigned int size)
{
    static const u8 len[4] = {1, 2, 8, 4};
    u8 hits = 0;

    for (unsigned int i = 0; i < 4; i++) {
        u64 n = len[c->s.dr7 >> (18 + 4 * i) & 3];
        u64 first = c->s.dr[i] & ~(n - 1);

        if (watch_kind(c, i) & kinds && (first - at < size || at - first < n))
            hits |= (u8)(1u << i);
    }
    return hits;
}

/* SDM vol. 3A table 6-7. The x87 unit's numbers of 10 bytes go by 8; what is
 * beyond 16 are its environments, of words or dwords. */
static unsigned int watch_natural(unsigned int size)
{
    if (size == 10)
        return 8;
    return size <= 16 ? size & -size : MIN(size & -size, 4u);
}

enum exec watch_access(struct cpu *c, u64 la, unsigned int size,
                       enum access acc, bool user)
{
    unsigned int kinds = acc == ACC_WRITE ? WATCH_WRITE | WATCH_ANY : WATCH_ANY;

    if (c->watch & WATCH_ALIGN && user && la & (watch_natural(size) - 1))
        return raise_err(c, EXC_AC, 0);
    if (c->watch & WATCH_BREAK)
        c->hits |= watch_match(c, kinds, la, size);
    return EXEC_OK;
}
