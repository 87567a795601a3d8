/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmu.c: linear to guest-physical to host. The walk of walk.c fills the soft
 * TLB; loads and stores that the TLB does not serve end here: those across
 * pages, to MMIO, and the first touch of a page.
 */
#include "host.h"
#include "walk.h"
#include "watch.h"

#define IOAPIC_GPA 0xfec00000ull
#define APIC_ADDR  0x000ffffffffff000ull

/* What of an access is in one page, translated. */
struct page {
    u64 gpa;  /* of its first byte */
    u8 *host; /* of the same byte; NULL: MMIO */
    unsigned int len;
};

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

/* The entry as it can be kept among the victims. */
static struct tlb_victim tlb_take(struct cpu *c, bool user, unsigned int i)
{
    return (struct tlb_victim){
        .e = tlb_half(c, user)[i],
        .gpa = c->tlb_gpa[user][i],
        .local = c->tlb_local[user][i / 64] >> i % 64 & 1,
        .large = c->tlb_large[user][i / 64] >> i % 64 & 1,
    };
}

static void tlb_put(struct cpu *c, bool user, unsigned int i,
                    const struct tlb_victim *v)
{
    u64 bit = 1ull << i % 64;

    tlb_drop(c, user, i);
    tlb_half(c, user)[i] = v->e;
    c->tlb_gpa[user][i] = v->gpa;
    if (v->local)
        c->tlb_local[user][i / 64] |= bit;
    if (v->large)
        c->tlb_large[user][i / 64] |= bit;
}

/* Let the page of la change places with who has its entry. False: it is not
 * among the victims. */
static bool tlb_recall(struct cpu *c, u64 la, bool user)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);

    for (unsigned int n = 0; n < TLB_VICTIMS; n++) {
        struct tlb_victim *v = &c->victim[user][n], back;

        if (v->e.tag_r != (la & PAGE_MASK))
            continue;
        back = *v;
        *v = tlb_take(c, user, i);
        tlb_put(c, user, i, &back);
        return true;
    }
    return false;
}

static void tlb_forget_victims(struct cpu *c)
{
    for (unsigned int user = 0; user < 2; user++)
        for (unsigned int n = 0; n < TLB_VICTIMS; n++)
            c->victim[user][n].e.tag_r = TLB_NONE;
}

/* The page of la is RAM at host; rights of others than acc are added where
 * the walk allows them. A page with code is never writable here, and a clean
 * one is not, so that the first store sets D; in service mode no page is that
 * was not stored to, so that the first store sets wrote_k. */
static void tlb_fill(struct cpu *c, u64 la, enum access acc, bool user,
                     const struct walk *w, const u8 *host)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);
    u64 tag = la & PAGE_MASK, old = tlb_half(c, user)[i].tag_r;
    bool wr = w->dirty && walk_allows(c, w, ACC_WRITE, user) &&
              (acc == ACC_WRITE || !c->service);
    struct tlb_victim v = {
        .e.tag_r = tag,
        .e.tag_w = TLB_NONE,
        .e.tag_x = walk_allows(c, w, ACC_EXEC, user) ? tag : TLB_NONE,
        .e.addend = (u64)(uintptr_t)host - la,
        .gpa = w->gpa & PAGE_MASK,
        .local = !w->global,
        .large = w->large,
    };

    if (!user && w->us && c->s.cr4 & CR4_SMAP)
        return; /* rights follow EFLAGS.AC: look each time */
    if (wr && code_claim(c, w->gpa))
        v.e.tag_w = tag;
    if (old != TLB_NONE && old != tag) /* keep what is there */
        c->victim[user][c->victim_next[user]++ % TLB_VICTIMS] =
            tlb_take(c, user, i);
    tlb_put(c, user, i, &v);
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
        return (gpa & PAGE_MASK) == (c->s.apic_base & APIC_ADDR) ||
               (gpa & PAGE_MASK) == IOAPIC_GPA;
    return c->lapic && lapic_is_mmio(c, gpa);
}

/* The TLB did not know. */
static NOINLINE enum exec mmu_miss(struct cpu *c, u64 la, enum access acc,
                                   bool user, struct page *pg)
{
    struct walk w;
    enum exec r;
    u8 *host;

    c->stats.tlb_miss++;
    r = mmu_walk(c, la, acc, user, &w);
    if (r != EXEC_OK)
        return r;
    pg->gpa = w.gpa;
    pg->host = NULL;
    if (mmu_is_apic(c, w.gpa))
        return c->service ? EXEC_BOUNDARY : EXEC_OK;
    host = mem_range(c->mem, w.gpa & PAGE_MASK, PAGE_SIZE);
    if (!host)
        return EXEC_OK;
    pg->host = host + (w.gpa & ~PAGE_MASK);
    if (acc == ACC_WRITE) {
        if (!code_claim(c, w.gpa))
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
    if (tlb_recall(c, la, user) && tlb_lookup(c, la, acc, user, pg))
        return EXEC_OK;
    return mmu_miss(c, la, acc, user, pg);
}

/* ---- flushes ------------------------------------------------------------ */

/* All ones is TLB_NONE; addends do not matter then. */
void mmu_flush_all(struct cpu *c)
{
    memset(c->tlb_kernel, 0xff, sizeof(c->tlb_kernel));
    memset(c->tlb_user, 0xff, sizeof(c->tlb_user));
    memset(c->tlb_local, 0, sizeof(c->tlb_local));
    memset(c->tlb_large, 0, sizeof(c->tlb_large));
    tlb_forget_victims(c);
    mmu_new_epoch(c, true);
}

/* Drop the marked entries whose linear address is la in the bits `same`. */
static void tlb_drop_marked(struct cpu *c, bool user, const u64 *marks, u64 la,
                            u64 same)
{
    for (unsigned int i = 0; i < TLB_SIZE / 64; i++)
        for (u64 left = marks[i]; left; left &= left - 1) {
            unsigned int n = i * 64 + (unsigned int)__builtin_ctzll(left);

            if (((tlb_half(c, user)[n].tag_r ^ la) & same) == 0)
                tlb_drop(c, user, n);
        }
}

void mmu_flush_nonglobal(struct cpu *c)
{
    for (unsigned int user = 0; user < 2; user++)
        tlb_drop_marked(c, user, c->tlb_local[user], 0, 0);
    tlb_forget_victims(c);
    mmu_new_epoch(c, false);
}

/* Entries are 4 KiB pieces: INVLPG drops all pieces of a large page. Those of
 * its neighbours within 1 GiB go too, which is allowed and saves its size. */
void mmu_flush_page(struct cpu *c, u64 la)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);

    for (unsigned int user = 0; user < 2; user++) {
        if (tlb_half(c, user)[i].tag_r == (la & PAGE_MASK))
            tlb_drop(c, user, i);
        tlb_drop_marked(c, user, c->tlb_large[user], la, ~0ull << 30);
    }
    tlb_forget_victims(c);
    mmu_new_epoch(c, true);
}

void mmu_set_cpl(struct cpu *c)
{
    c->tlb = c->watch ? watch_tlb : tlb_half(c, c->cpl == 3);
}

void mmu_protect_code(struct cpu *c, u64 gpa)
{
    gpa &= PAGE_MASK;
    for (unsigned int user = 0; user < 2; user++) {
        for (unsigned int i = 0; i < TLB_SIZE; i++)
            if (c->tlb_gpa[user][i] == gpa)
                tlb_half(c, user)[i].tag_w = TLB_NONE;
        for (unsigned int n = 0; n < TLB_VICTIMS; n++)
            if (c->victim[user][n].gpa == gpa)
                c->victim[user][n].e.tag_w = TLB_NONE;
    }
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

/* The pages of [la, la + len), len <= 4096. Mostly that is one, and the other
 * has no bytes. */
static enum exec mmu_span(struct cpu *c, u64 la, unsigned int len,
                          enum access acc, bool user, struct page pg[2])
{
    u64 next = (la & PAGE_MASK) + PAGE_SIZE;
    enum exec r;

    pg[0].len = MIN(len, (unsigned int)(next - la));
    pg[1] = (struct page){.len = len - pg[0].len};
    if (unlikely(c->watch)) {
        r = watch_access(c, la, len, acc, user);
        if (r != EXEC_OK)
            return r;
    }
    r = mmu_page(c, la, acc, user, &pg[0]);
    if (r != EXEC_OK || !pg[1].len)
        return r;
    if (c->mode != MODE_64)
        next &= 0xffffffff;
    return mmu_page(c, next, acc, user, &pg[1]);
}

static void page_get(struct cpu *c, const struct page *pg, u8 *buf)
{
    if (pg->host) {
        memcpy(buf, pg->host, pg->len);
        return;
    }
    for (unsigned int i = 0; i < pg->len; i++)
        buf[i] = (u8)mmio_ld(c, pg->gpa + i, 1);
}

static void page_put(struct cpu *c, const struct page *pg, const u8 *buf)
{
    if (pg->host) {
        memcpy(pg->host, buf, pg->len);
        return;
    }
    for (unsigned int i = 0; i < pg->len; i++)
        mmio_st(c, pg->gpa + i, 1, buf[i]);
}

static enum exec mmu_ld(struct cpu *c, u64 la, unsigned int size, bool user,
                        u64 *val)
{
    struct page pg[2];
    enum exec r = mmu_span(c, la, size, ACC_READ, user, pg);

    if (r != EXEC_OK)
        return r;
    if (unlikely(pg[1].len)) {
        *val = 0;
        page_get(c, &pg[0], (u8 *)val);
        page_get(c, &pg[1], (u8 *)val + pg[0].len);
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
    enum exec r = mmu_span(c, la, size, ACC_WRITE, user, pg);

    if (r != EXEC_OK)
        return r;
    if (unlikely(pg[1].len)) {
        page_put(c, &pg[0], (const u8 *)&val);
        page_put(c, &pg[1], (const u8 *)&val + pg[0].len);
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
    enum exec r = mmu_span(c, la, len, ACC_READ, c->cpl == 3, pg);

    if (r != EXEC_OK)
        return r;
    page_get(c, &pg[0], buf);
    page_get(c, &pg[1], (u8 *)buf + pg[0].len);
    return EXEC_OK;
}

enum exec mem_st_buf(struct cpu *c, u64 la, const void *buf, unsigned int len)
{
    struct page pg[2];
    enum exec r = mmu_span(c, la, len, ACC_WRITE, c->cpl == 3, pg);

    if (r != EXEC_OK)
        return r;
    page_put(c, &pg[0], buf);
    page_put(c, &pg[1], (const u8 *)buf + pg[0].len);
    return EXEC_OK;
}

enum exec sys_set_bits(struct cpu *c, u64 la, u8 bits)
{
    struct page pg[2];
    enum exec r = mmu_span(c, la, 1, ACC_WRITE, false, pg);

    if (r == EXEC_OK && pg[0].host)
        __atomic_fetch_or(pg[0].host, bits, __ATOMIC_SEQ_CST);
    return r;
}

enum exec mmu_host(struct cpu *c, u64 la, unsigned int size, enum access acc,
                   u8 **host)
{
    struct page pg[2];
    enum exec r = mmu_span(c, la, size, acc, c->cpl == 3, pg);

    *host = r == EXEC_OK && !pg[1].len ? pg[0].host : NULL;
    return r;
}

enum exec mmu_probe(struct cpu *c, u64 la, unsigned int size, enum access acc)
{
    u8 hits = c->hits, *host;
    enum exec r = mmu_host(c, la, size, acc, &host);

    c->hits = hits;
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
