/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code.c: which pages hold code that a vCPU has decoded, and who has to know.
 * A page with code of any vCPU is writable through no TLB. So whoever is the
 * first to decode a page that another vCPU's TLB may write (its claim) is alone
 * for a moment and takes that away; and who stores to a page with code of
 * others does as a device does, when the instruction is over: it writes,
 * fences, looks at the bitmap and marks the page as stale; the owner of the
 * code marks, fences, reads the bytes.
 */
#include <sys/mman.h>

#include "mote/log.h"
#include "platform.h"

#define CODE_MAPS 3 /* code, stale, claim */

/* In bytes: one bit for each page up to the end of RAM, in whole words. */
static size_t code_map_size(const struct mem *m)
{
    const struct mem_region *last = &m->region[m->nr_regions - 1];
    u64 pages = (last->gpa + last->size) / PAGE_SIZE;

    return (size_t)((pages + 63) / 64 * sizeof(u64));
}

int code_new(struct cpu *c)
{
    size_t size = code_map_size(c->mem);
    void *p = mmap(NULL, CODE_MAPS * size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return fail(-ENOMEM, "interpreter: map of code pages");
    c->code_pages = size * 8;
    c->code = p;
    c->stale = c->code + size / sizeof(u64);
    c->claim = c->stale + size / sizeof(u64);
    return 0;
}

void code_free(struct cpu *c)
{
    munmap(c->code, CODE_MAPS * code_map_size(c->mem));
}

/* What another thread set before it looked at ours, we see: both are
 * sequentially consistent. */
static bool code_bit(const _Atomic(u64) *map, u64 pfn)
{
    return atomic_load(&map[pfn / 64]) >> pfn % 64 & 1;
}

static bool code_is_own(const struct cpu *c, u64 pfn)
{
    return pfn < c->code_pages && code_bit(c->code, pfn);
}

static bool code_is_others(const struct cpu *c, u64 pfn)
{
    struct cpu *o = NULL;

    while ((o = cpu_next_other(c, o)) != NULL)
        if (code_is_own(o, pfn))
            return true;
    return false;
}

bool code_is_in(const struct cpu *c, u64 gpa)
{
    u64 pfn = gpa / PAGE_SIZE;

    return code_is_own(c, pfn) || code_is_others(c, pfn);
}

bool code_claim(struct cpu *c, u64 gpa)
{
    u64 pfn = gpa / PAGE_SIZE;

    if (c->nr_cpus > 1 && pfn < c->code_pages && !code_bit(c->claim, pfn))
        atomic_fetch_or(&c->claim[pfn / 64], 1ull << pfn % 64);
    return !code_is_in(c, gpa);
}

/* No other vCPU's TLB may write the page from now on. Its bit of code is set,
 * so there will be no new claim that counts. */
static void code_protect(struct cpu *c, u64 gpa)
{
    u64 pfn = gpa / PAGE_SIZE;
    struct cpu *o = NULL;

    do {
        o = cpu_next_other(c, o);
    } while (o && !code_bit(o->claim, pfn));
    if (!o)
        return;
    alone_begin(c);
    for (; o; o = cpu_next_other(c, o)) {
        mmu_protect_code(o, gpa);
        atomic_fetch_and(&o->claim[pfn / 64], ~(1ull << pfn % 64));
    }
    alone_end(c);
}

/* Before the first byte is decoded, so that whoever writes later sees it. */
void code_mark(struct cpu *c, u64 gpa)
{
    u64 pfn = gpa / PAGE_SIZE;

    if (code_is_own(c, pfn))
        return;
    atomic_fetch_or(&c->code[pfn / 64], 1ull << pfn % 64);
    mmu_protect_code(c, gpa);
    code_protect(c, gpa);
}

void code_unmark(struct cpu *c, u64 gpa)
{
    u64 pfn = gpa / PAGE_SIZE;

    atomic_fetch_and(&c->code[pfn / 64], ~(1ull << pfn % 64));
}

/* The pages of a word of the bitmaps that have code are stale now. */
static bool code_mark_stale(struct cpu *c, u64 word, u64 pages)
{
    u64 hit =
        atomic_load_explicit(&c->code[word], memory_order_relaxed) & pages;

    if (hit)
        atomic_fetch_or(&c->stale[word], hit);
    return hit;
}

void code_written(void *ctx, u64 gpa, u64 len)
{
    struct cpu *c = ctx;
    u64 pfn = gpa / PAGE_SIZE, n;
    u64 end = MIN((gpa + MAX(len, 1ull) - 1) / PAGE_SIZE + 1, c->code_pages);
    bool hit = false;

    atomic_thread_fence(memory_order_seq_cst);
    for (; pfn < end; pfn += n) {
        n = MIN(64 - pfn % 64, end - pfn);
        hit |= code_mark_stale(c, pfn / 64, ~0ull >> (64 - n) << pfn % 64);
    }
    if (!hit)
        return;
    atomic_fetch_or(&c->attn, ATTN_CODE);
    atomic_store(&c->poll_at, 0);
}

void code_note_others(struct cpu *c, u64 gpa)
{
    if (!code_is_others(c, gpa / PAGE_SIZE))
        return;
    if (c->told_nr < TOLD_NR)
        c->told[c->told_nr] = gpa & ~(PAGE_SIZE - 1);
    c->told_nr = MIN(c->told_nr + 1, TOLD_NR + 1u);
}

void code_tell_others(struct cpu *c)
{
    bool all = c->told_nr > TOLD_NR;
    unsigned int nr = all ? 1 : c->told_nr;
    struct cpu *o = NULL;

    while ((o = cpu_next_other(c, o)) != NULL)
        for (unsigned int i = 0; i < nr; i++)
            code_written(o, all ? 0 : c->told[i],
                         all ? c->code_pages * PAGE_SIZE : PAGE_SIZE);
    c->told_nr = 0;
}
