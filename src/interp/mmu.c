/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.c: linear to guest-physical to host. A walk (SDM vol. 3A 4.5, APM vol. 2
 * 5.3) fills the soft TLB; loads and stores that the TLB does not serve end
 * here: unaligned, crossing a page, MMIO, first touch.
 *
 * Page tables are shared with other processors, so every entry is read once,
 * atomically, and its A and D bits are set by a host compare-exchange.
 */
#include "cpu.h"
#include "host.h"

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
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define IOAPIC_GPA 0xfec00000ull
#define WALK_TRIES 64

/* One page, translated. */
struct page {
    u64 gpa;  /* of the byte asked for */
    u8 *host; /* of the same byte; NULL: MMIO */
};

/* A table entry on the way down; NULL host: nothing is there to read. */
struct pte {
    _Atomic(u64) *host;
    u64 gpa, val;
};

struct walk {
    struct pte e[4]; /* PML4E first */
    unsigned int nr; /* entries read */
    u64 gpa;         /* of the byte asked for */
    u64 rw, us, nx;  /* accumulated rights */
    bool global, large, dirty;
};

static bool mmu_paging(const struct cpu *c)
{
    return c->s.cr0 & CR0_PG;
}

/* Error code bits that do not depend on the tables. SDM vol. 3A 4.7. */
static u32 mmu_error(const struct cpu *c, enum access acc, bool user)
{
    u32 error = user ? PF_U : 0;

    if (acc == ACC_WRITE)
        error |= PF_W;
    if (acc == ACC_EXEC && (c->s.efer & EFER_NXE || c->s.cr4 & CR4_SMEP))
        error |= PF_I;
    return error;
}

static enum exec mmu_fault(struct cpu *c, u64 la, u32 error)
{
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

static bool pte_read(struct cpu *c, struct pte *e)
{
    e->host = mem_range(c->mem, e->gpa, sizeof(u64));
    if (!e->host)
        return false;
    e->val = atomic_load_explicit(e->host, memory_order_acquire);
    return true;
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
        if (!pte_read(c, e))
            return PF_P | PF_RSVD; /* nobody answers: all ones */
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

/* May a user or supervisor access do this to the page? SDM vol. 3A 4.6.1. */
static bool walk_allows(const struct cpu *c, const struct walk *w,
                        enum access acc, bool user)
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
        if (block_page_has_code(c, e->gpa))
            block_page_written(c, e->gpa);
        w->dirty = want & PTE_D;
    }
    return true;
}

static enum exec mmu_walk(struct cpu *c, u64 la, enum access acc, bool user,
                          struct walk *w)
{
    bool ok;
    u32 p;

    for (unsigned int i = 0; i < WALK_TRIES; i++) {
        p = walk_down(c, la, w, &ok);
        if (!ok || !walk_allows(c, w, acc, user))
            return mmu_fault(c, la, p | mmu_error(c, acc, user));
        if (walk_mark(c, w, acc))
            return EXEC_OK;
    }
    return EXEC_AGAIN; /* somebody keeps rewriting the entry: look later */
}

/* ---- TLB ---------------------------------------------------------------- */

static struct tlb_entry *tlb_half(struct cpu *c, bool user)
{
    return user ? c->tlb_user : c->tlb_kernel;
}

static void tlb_drop(struct cpu *c, bool user, unsigned int i)
{
    struct tlb_entry *e = &tlb_half(c, user)[i];

    e->tag_r = e->tag_w = e->tag_x = TLB_NONE;
    c->tlb_local[user][i / 64] &= ~(1ull << i % 64);
    c->tlb_large[user][i / 64] &= ~(1ull << i % 64);
}

/* The page of la is RAM at host; rights of others than acc are added where
 * the walk allows them. A page with code is never writable here, and a clean
 * one is not, so that the first store sets D; in service mode no page is that
 * was not stored to, so that the first store sets wrote_k. */
static void tlb_fill(struct cpu *c, u64 la, enum access acc, bool user,
                     const struct walk *w, const u8 *host)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);
    struct tlb_entry *e = &tlb_half(c, user)[i];
    u64 tag = la & PAGE_MASK, bit = 1ull << i % 64;
    bool wr = w->dirty && walk_allows(c, w, ACC_WRITE, user) &&
              (acc == ACC_WRITE || !c->service);

    if (!user && w->us && c->s.cr4 & CR4_SMAP)
        return; /* rights follow EFLAGS.AC: look each time */
    tlb_drop(c, user, i);
    e->tag_r = tag;
    e->tag_x = walk_allows(c, w, ACC_EXEC, user) ? tag : TLB_NONE;
    e->tag_w = wr && !block_page_has_code(c, w->gpa) ? tag : TLB_NONE;
    e->addend = (u64)(uintptr_t)host - la;
    c->tlb_gpa[user][i] = w->gpa & PAGE_MASK;
    if (!w->global)
        c->tlb_local[user][i / 64] |= bit;
    if (w->large)
        c->tlb_large[user][i / 64] |= bit;
}

/* Does the TLB answer for this page and access? */
static bool tlb_lookup(struct cpu *c, u64 la, enum access acc, bool user,
                       struct page *pg)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);
    struct tlb_entry *e = &tlb_half(c, user)[i];
    u64 tag = acc == ACC_READ    ? e->tag_r
              : acc == ACC_WRITE ? e->tag_w
                                 : e->tag_x;

    if (tag != (la & PAGE_MASK))
        return false;
    pg->gpa = c->tlb_gpa[user][i] | (la & ~PAGE_MASK);
    pg->host = (u8 *)(uintptr_t)(la + e->addend);
    return true;
}

static bool mmu_is_apic(const struct cpu *c, u64 gpa)
{
    if (c->service)
        return (gpa & PAGE_MASK) == (c->s.apic_base & PTE_ADDR) ||
               (gpa & PAGE_MASK) == IOAPIC_GPA;
    return c->lapic && lapic_is_mmio(c, gpa);
}

static enum exec mmu_linear(struct cpu *c, u64 la, enum access acc, bool user,
                            struct walk *w)
{
    if (mmu_paging(c)) {
        if (!(c->s.efer & EFER_LMA) || c->s.cr4 & CR4_LA57)
            return EXEC_UNKNOWN; /* 32-bit, PAE and 5-level tables */
        if (!is_canonical(la))
            return raise_gp(c);
        return mmu_walk(c, la, acc, user, w);
    }
    *w = (struct walk){
        .gpa = la, .rw = PTE_W, .us = PTE_U, .dirty = true, .global = true};
    return EXEC_OK;
}

/* The TLB did not know. */
static NOINLINE enum exec mmu_miss(struct cpu *c, u64 la, enum access acc,
                                   bool user, struct page *pg)
{
    struct walk w;
    enum exec r;
    u8 *host;

    c->stats->tlb_miss++;
    r = mmu_linear(c, la, acc, user, &w);
    if (r != EXEC_OK)
        return r;
    *pg = (struct page){.gpa = w.gpa};
    if (mmu_is_apic(c, w.gpa))
        return c->service ? EXEC_BOUNDARY : EXEC_OK;
    host = mem_range(c->mem, w.gpa & PAGE_MASK, PAGE_SIZE);
    if (!host)
        return EXEC_OK;
    pg->host = host + (w.gpa & ~PAGE_MASK);
    if (acc == ACC_WRITE) {
        if (block_page_has_code(c, w.gpa))
            block_page_written(c, w.gpa);
        if (!user && c->run)
            c->run->wrote_k = true;
    }
    tlb_fill(c, la, acc, user, &w, pg->host);
    return EXEC_OK;
}

static enum exec mmu_page(struct cpu *c, u64 la, enum access acc, bool user,
                          struct page *pg)
{
    if (likely(tlb_lookup(c, la, acc, user, pg)))
        return EXEC_OK;
    return mmu_miss(c, la, acc, user, pg);
}

/* ---- flushes ------------------------------------------------------------ */

int mmu_new(struct cpu *c)
{
    mmu_flush_all(c);
    mmu_set_cpl(c);
    return 0;
}

/* All ones is TLB_NONE; addends do not matter then. */
void mmu_flush_all(struct cpu *c)
{
    memset(c->tlb_kernel, 0xff, sizeof(c->tlb_kernel));
    memset(c->tlb_user, 0xff, sizeof(c->tlb_user));
    memset(c->tlb_local, 0, sizeof(c->tlb_local));
    memset(c->tlb_large, 0, sizeof(c->tlb_large));
    mmu_new_epoch(c, true);
}

void mmu_flush_nonglobal(struct cpu *c)
{
    for (unsigned int user = 0; user < 2; user++)
        for (unsigned int i = 0; i < TLB_SIZE / 64; i++)
            while (c->tlb_local[user][i])
                tlb_drop(c, user,
                         i * 64 + (unsigned int)__builtin_ctzll(
                                      c->tlb_local[user][i]));
    mmu_new_epoch(c, false);
}

/* Entries are 4 KiB pieces: INVLPG drops all pieces of a large page. Those of
 * its neighbours within 1 GiB go too, which is allowed and saves its size. */
static void mmu_flush_large(struct cpu *c, bool user, u64 la)
{
    for (unsigned int i = 0; i < TLB_SIZE / 64; i++) {
        u64 left = c->tlb_large[user][i];

        for (; left; left &= left - 1) {
            unsigned int n = i * 64 + (unsigned int)__builtin_ctzll(left);

            if ((tlb_half(c, user)[n].tag_r ^ la) >> 30 == 0)
                tlb_drop(c, user, n);
        }
    }
}

void mmu_flush_page(struct cpu *c, u64 la)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);

    for (unsigned int user = 0; user < 2; user++) {
        if (tlb_half(c, user)[i].tag_r == (la & PAGE_MASK))
            tlb_drop(c, user, i);
        mmu_flush_large(c, user, la);
    }
    mmu_new_epoch(c, true);
}

void mmu_set_cpl(struct cpu *c)
{
    c->tlb = tlb_half(c, c->cpl == 3);
}

void mmu_protect_code(struct cpu *c, u64 gpa)
{
    for (unsigned int user = 0; user < 2; user++)
        for (unsigned int i = 0; i < TLB_SIZE; i++)
            if (c->tlb_gpa[user][i] == (gpa & PAGE_MASK))
                tlb_half(c, user)[i].tag_w = TLB_NONE;
}

/* ---- access ------------------------------------------------------------- */

/* LAPIC registers are 32 bits wide, 16 bytes apart (SDM vol. 3A 11.4.1):
 * narrow reads see their part, anything but a whole write is lost. */
static u64 mmio_ld(struct cpu *c, u64 gpa, unsigned int size)
{
    unsigned int off = gpa & 0xfff;

    if (!mmu_is_apic(c, gpa))
        return cpu_bus_read(c, BUS_MMIO, gpa, size);
    return lapic_mmio_read(c, off & ~3u) >> (off & 3) * 8 &
           (size == 8 ? ~0ull : (1ull << size * 8) - 1);
}

static void mmio_st(struct cpu *c, u64 gpa, unsigned int size, u64 val)
{
    if (!mmu_is_apic(c, gpa))
        cpu_bus_write(c, BUS_MMIO, gpa, size, val);
    else if (size == 4 && (gpa & 3) == 0)
        lapic_mmio_write(c, gpa & 0xfff, (u32)val);
}

/* The pages of [la, la + len), len <= 4096: one, or two of which the first
 * holds *head bytes. */
static enum exec mmu_span(struct cpu *c, u64 la, unsigned int len,
                          enum access acc, bool user, struct page pg[2],
                          unsigned int *head)
{
    u64 next = (la & PAGE_MASK) + PAGE_SIZE;
    enum exec r;

    *head = MIN(len, (unsigned int)(next - la));
    r = mmu_page(c, la, acc, user, &pg[0]);
    if (r != EXEC_OK || *head == len)
        return r;
    if (c->mode != MODE_64)
        next &= 0xffffffff;
    return mmu_page(c, next, acc, user, &pg[1]);
}

static void page_get(struct cpu *c, const struct page *pg, u8 *buf,
                     unsigned int len)
{
    if (pg->host) {
        memcpy(buf, pg->host, len);
        return;
    }
    for (unsigned int i = 0; i < len; i++)
        buf[i] = (u8)mmio_ld(c, pg->gpa + i, 1);
}

static void page_put(struct cpu *c, const struct page *pg, const u8 *buf,
                     unsigned int len)
{
    if (pg->host) {
        memcpy(pg->host, buf, len);
        return;
    }
    for (unsigned int i = 0; i < len; i++)
        mmio_st(c, pg->gpa + i, 1, buf[i]);
}

static enum exec mmu_ld(struct cpu *c, u64 la, unsigned int size, bool user,
                        u64 *val)
{
    struct page pg[2];
    unsigned int head;
    enum exec r = mmu_span(c, la, size, ACC_READ, user, pg, &head);

    if (r != EXEC_OK)
        return r;
    if (unlikely(head < size)) {
        *val = 0;
        page_get(c, &pg[0], (u8 *)val, head);
        page_get(c, &pg[1], (u8 *)val + head, size - head);
    } else if (likely(pg[0].host != NULL)) {
        *val = host_ld(pg[0].host, size);
    } else {
        *val = mmio_ld(c, pg[0].gpa, size);
    }
    return EXEC_OK;
}

static enum exec mmu_st(struct cpu *c, u64 la, unsigned int size, bool user,
                        u64 val)
{
    struct page pg[2];
    unsigned int head;
    enum exec r = mmu_span(c, la, size, ACC_WRITE, user, pg, &head);

    if (r != EXEC_OK)
        return r;
    if (unlikely(head < size)) {
        page_put(c, &pg[0], (const u8 *)&val, head);
        page_put(c, &pg[1], (const u8 *)&val + head, size - head);
    } else if (likely(pg[0].host != NULL)) {
        host_st(pg[0].host, size, val);
    } else {
        mmio_st(c, pg[0].gpa, size, val);
    }
    return EXEC_OK;
}

enum exec mem_ld(struct cpu *c, u64 la, unsigned int size, u64 *val)
{
    return mmu_ld(c, la, size, c->cpl == 3, val);
}

enum exec mem_st(struct cpu *c, u64 la, unsigned int size, u64 val)
{
    return mmu_st(c, la, size, c->cpl == 3, val);
}

enum exec sys_ld(struct cpu *c, u64 la, unsigned int size, u64 *val)
{
    return mmu_ld(c, la, size, false, val);
}

enum exec sys_st(struct cpu *c, u64 la, unsigned int size, u64 val)
{
    return mmu_st(c, la, size, false, val);
}

enum exec mem_ld_buf(struct cpu *c, u64 la, void *buf, unsigned int len)
{
    struct page pg[2];
    unsigned int head;
    enum exec r = mmu_span(c, la, len, ACC_READ, c->cpl == 3, pg, &head);

    if (r != EXEC_OK)
        return r;
    page_get(c, &pg[0], buf, head);
    if (head < len)
        page_get(c, &pg[1], (u8 *)buf + head, len - head);
    return EXEC_OK;
}

enum exec mem_st_buf(struct cpu *c, u64 la, const void *buf, unsigned int len)
{
    struct page pg[2];
    unsigned int head;
    enum exec r = mmu_span(c, la, len, ACC_WRITE, c->cpl == 3, pg, &head);

    if (r != EXEC_OK)
        return r;
    page_put(c, &pg[0], buf, head);
    if (head < len)
        page_put(c, &pg[1], (const u8 *)buf + head, len - head);
    return EXEC_OK;
}

enum exec mmu_host(struct cpu *c, u64 la, unsigned int size, enum access acc,
                   u8 **host)
{
    struct page pg[2];
    unsigned int head;
    enum exec r = mmu_span(c, la, size, acc, c->cpl == 3, pg, &head);

    *host = r == EXEC_OK && head == size ? pg[0].host : NULL;
    return r;
}

enum exec mmu_fetch(struct cpu *c, u64 la, u64 *gpa, const u8 **host)
{
    struct page pg;
    enum exec r = mmu_page(c, la, ACC_EXEC, c->cpl == 3, &pg);

    if (r != EXEC_OK)
        return r;
    *gpa = pg.gpa;
    *host = pg.host;
    return EXEC_OK;
}
