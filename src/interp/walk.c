/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c: page tables, SDM vol. 3A 4.5, APM vol. 2 5.3. They are shared with
 * other processors, so every entry is read once, atomically, and its A and D
 * bits are set by a host compare-exchange.
 */
#include "walk.h"

#define PTE_P    (1ull << 0)
#define PTE_W    (1ull << 1)
#define PTE_U    (1ull << 2)
#define PTE_A    (1ull << 5)
#define PTE_D    (1ull << 6)
#define PTE_PS   (1ull << 7)
#define PTE_G    (1ull << 8)
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

#define PHYS_BITS  40 /* CPUID 80000008.EAX */
#define WALK_TRIES 64

/* tables: error code bits that depend on them. SDM vol. 3A 4.7. */
static enum exec mmu_fault(struct cpu *c, u64 la, enum access acc, bool user,
                           u32 tables)
{
    u32 error = tables | (user ? PF_U : 0);

    if (acc == ACC_WRITE)
        error |= PF_W;
    if (acc == ACC_EXEC && (c->s.efer & EFER_NXE || c->s.cr4 & CR4_SMEP))
        error |= PF_I;
    raise_err(c, EXC_PF, error);
    c->exc.cr2 = la;
    return EXEC_FAULT;
}

/* Reserved bits of an entry at a level (0: PML4E .. 3: PTE). In service mode
 * the physical address width is the host's, and KVM has checked it. */
static u64 pte_reserved(const struct cpu *c, u64 val, unsigned int level)
{
    u64 mask = c->service ? 0 : PTE_ADDR & ~((1ull << PHYS_BITS) - 1);

    if (!(c->s.efer & EFER_NXE))
        mask |= PTE_NX;
    if (level == 0)
        mask |= PTE_PS;
    if (level == 1 && val & PTE_PS)
        mask |= 0x3fffe000;
    if (level == 2 && val & PTE_PS)
        mask |= 0x1fe000;
    return val & mask;
}

/* Down the four levels. Returns the error bits P and RSVD of a fault, with
 * *ok false, or sets rights and gpa. */
static u32 walk_down(struct cpu *c, u64 la, struct walk *w, bool *ok)
{
    u64 table = c->s.cr3 & PTE_ADDR, span;

    *ok = false;
    *w = (struct walk){.rw = PTE_W, .us = PTE_U};
    for (unsigned int level = 0;; level++) {
        unsigned int shift = 39 - 9 * level;
        struct pte *e = &w->e[w->nr];

        e->gpa = table + (la >> shift & 511) * 8;
        e->host = mem_range(c->mem, e->gpa, sizeof(u64));
        if (!e->host)
            return PF_P | PF_RSVD; /* nobody answers: all ones */
        e->val = atomic_load_explicit(e->host, memory_order_acquire);
        if (!(e->val & PTE_P))
            return 0;
        if (pte_reserved(c, e->val, level))
            return PF_P | PF_RSVD;
        w->nr++;
        w->rw &= e->val;
        w->us &= e->val;
        w->nx |= e->val & PTE_NX;
        table = e->val & PTE_ADDR;
        if (level < 3 && !(e->val & PTE_PS))
            continue;
        span = (1ull << shift) - 1;
        w->gpa = (table & ~span) | (la & span);
        w->global = e->val & PTE_G && c->s.cr4 & CR4_PGE;
        w->dirty = e->val & PTE_D;
        w->large = level < 3;
        *ok = true;
        return PF_P;
    }
}

bool walk_allows(const struct cpu *c, const struct walk *w, enum access acc,
                 bool user)
{
    if (user && !w->us)
        return false;
    if (acc == ACC_EXEC)
        return !w->nx && (user || !w->us || !(c->s.cr4 & CR4_SMEP));
    if (!user && w->us && c->s.cr4 & CR4_SMAP &&
        (c->cpl == 3 || !(c->s.rflags & RFLAGS_AC)))
        return false;
    return acc == ACC_READ || w->rw || (!user && !(c->s.cr0 & CR0_WP));
}

/* Set A everywhere, and D in the leaf. False: an entry has changed since it
 * was read, walk again. */
static bool walk_mark(struct cpu *c, struct walk *w, enum access acc)
{
    for (unsigned int i = 0; i < w->nr; i++) {
        struct pte *e = &w->e[i];
        u64 want = e->val | PTE_A;

        if (i + 1 == w->nr && acc == ACC_WRITE)
            want |= PTE_D;
        if (want == e->val)
            continue;
        if (!atomic_compare_exchange_strong(e->host, &e->val, want))
            return false;
        if (code_is_in(c, e->gpa))
            block_page_written(c, e->gpa);
        w->dirty = want & PTE_D;
    }
    return true;
}

static enum exec walk_tables(struct cpu *c, u64 la, enum access acc, bool user,
                             struct walk *w)
{
    bool ok;
    u32 error;

    for (unsigned int i = 0; i < WALK_TRIES; i++) {
        error = walk_down(c, la, w, &ok);
        if (!ok || !walk_allows(c, w, acc, user))
            return mmu_fault(c, la, acc, user, error);
        if (walk_mark(c, w, acc))
            return EXEC_OK;
    }
    return EXEC_AGAIN; /* somebody keeps rewriting the entry: look later */
}

enum exec mmu_walk(struct cpu *c, u64 la, enum access acc, bool user,
                   struct walk *w)
{
    if (c->s.cr0 & CR0_PG) {
        if (!(c->s.efer & EFER_LMA) || c->s.cr4 & CR4_LA57)
            return EXEC_UNKNOWN; /* 32-bit, PAE and 5-level tables */
        if (!is_canonical(la))
            return raise_gp(c);
        return walk_tables(c, la, acc, user, w);
    }
    *w = (struct walk){
        .gpa = la, .rw = PTE_W, .us = PTE_U, .dirty = true, .global = true};
    return EXEC_OK;
}
