/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.c: the cache of decoded blocks. All of its memory is one mapping made
 * with the vCPU: tables, and a pool that only grows until it is full and then
 * starts over empty. Nothing in it is freed one by one, so a dropped block
 * stays readable until its last op has returned.
 *
 * A page with code is never writable through the TLB. A store to it comes to
 * block_page_written(), which drops all blocks of the page; the storing block
 * ends after that instruction (c->smc). Who else writes there: code.c.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "block.h"
#include "fast_pair.h"
#include "mote/log.h"
#include "ops.h"

#define POOL_SIZE (16 * MIB)
#define PAGES_MAX 16384
#ifndef HASH_SIZE
#define HASH_SIZE  16384
#define PAGES_HASH 4096
#endif

/* Conditional jumps in a block, the last of which ends it. */
#define BLOCK_JUMPS 3

/* Pages that are rewritten all the time are stepped for a while: after
 * SMC_HITS drops within SMC_SPAN instructions, for SMC_SKIP look-ups. */
#define SMC_HITS 64
#define SMC_SPAN (1u << 20)
#define SMC_SKIP 4096

struct code_page {
    u64 gpa;
    struct code_page *next;
    struct block *blocks;
    u64 since; /* icount of the first hit counted */
    u32 hits;
    u32 skip; /* look-ups left that are answered by stepping */
};

/* A block under construction. */
struct draft {
    unsigned int nr, nr_slow, insns;
    unsigned int jumps; /* conditional ones, not taken as far as we go on */
    bool falls;         /* its end can be reached from the last op */
    struct op op[BLOCK_INSNS + 1];
    struct insn slow[BLOCK_INSNS];
};

struct block_cache {
    struct block *jump[JUMP_SIZE];
    struct block *hash[HASH_SIZE];
    struct code_page *page_hash[PAGES_HASH];
    struct code_page page[PAGES_MAX];
    unsigned int nr_pages;
    u64 flushes;
    struct draft draft;
    struct pair_table pairs;
    size_t used;
    u8 pool[POOL_SIZE] __attribute__((aligned(64)));
};

/* What an empty slot of the jump cache holds: it is at no RIP. */
static struct block block_none = {.at = BLOCK_DEAD};

int block_cache_new(struct cpu *c)
{
    int r = code_new(c);
    struct block_cache *bc;

    if (r < 0)
        return r;
    bc = mmap(NULL, sizeof(*bc), PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bc == MAP_FAILED) {
        code_free(c);
        return fail(-ENOMEM, "interpreter: block cache");
    }
    madvise(bc, sizeof(*bc), MADV_HUGEPAGE);
    pair_table_fill(&bc->pairs);
    c->blocks = bc;
    c->jump = bc->jump;
    for (unsigned int i = 0; i < JUMP_SIZE; i++)
        c->jump[i] = &block_none;
    return 0;
}

void block_cache_free(struct cpu *c)
{
    munmap(c->blocks, sizeof(*c->blocks));
    code_free(c);
}

u64 block_flushes(const struct cpu *c)
{
    return c->blocks->flushes;
}

void block_cache_flush(struct cpu *c)
{
    struct block_cache *bc = c->blocks;

    if (bc->nr_pages == 0)
        return;
    for (unsigned int i = 0; i < bc->nr_pages; i++)
        code_unmark(c, bc->page[i].gpa);
    for (unsigned int i = 0; i < JUMP_SIZE; i++)
        bc->jump[i] = &block_none;
    memset(bc->hash, 0, sizeof(bc->hash));
    memset(bc->page_hash, 0, sizeof(bc->page_hash));
    bc->nr_pages = 0;
    bc->used = 0;
    bc->flushes++;
    mmu_new_epoch(c, true);
}

/* ---- pages with code ---------------------------------------------------- */

static struct code_page **page_slot(struct block_cache *bc, u64 gpa)
{
    return &bc->page_hash[gpa / PAGE_SIZE % PAGES_HASH];
}

static struct code_page *page_find(struct block_cache *bc, u64 gpa)
{
    struct code_page *p = *page_slot(bc, gpa);

    gpa &= ~(PAGE_SIZE - 1);
    while (p && p->gpa != gpa)
        p = p->next;
    return p;
}

/* Room was made sure of by block_reserve(). */
static struct code_page *page_add(struct block_cache *bc, u64 gpa)
{
    struct code_page **slot = page_slot(bc, gpa);
    struct code_page *p = &bc->page[bc->nr_pages++];

    *p = (struct code_page){.gpa = gpa & ~(PAGE_SIZE - 1), .next = *slot};
    *slot = p;
    return p;
}

static unsigned int block_hash(u64 gpa, u64 rip, bool user)
{
    u64 h = (gpa ^ rip >> 12 << 5 ^ user) * 0x9e3779b97f4a7c15ull;

    return h >> 50 & (HASH_SIZE - 1);
}

static void block_drop(struct block_cache *bc, struct block *b)
{
    struct block **at = &bc->hash[block_hash(b->gpa, b->rip, b->user)];

    while (*at != b)
        at = &(*at)->hash_next;
    *at = b->hash_next;
    b->at = BLOCK_DEAD;
}

static void page_drop(struct cpu *c, struct code_page *p)
{
    for (struct block *b = p->blocks; b; b = b->page_next)
        block_drop(c->blocks, b);
    p->blocks = NULL;
    code_unmark(c, p->gpa);
}

static void page_hit(struct cpu *c, struct code_page *p)
{
    if (c->icount - p->since > SMC_SPAN) {
        p->since = c->icount;
        p->hits = 0;
    }
    if (++p->hits < SMC_HITS)
        return;
    p->hits = 0;
    p->skip = SMC_SKIP;
}

void block_page_written(struct cpu *c, u64 gpa)
{
    struct code_page *p = page_find(c->blocks, gpa);

    c->stats.smc++;
    c->smc = true;
    mmu_new_epoch(c, true);
    code_note_others(c, gpa);
    if (!p)
        return;
    page_drop(c, p);
    page_hit(c, p);
}

/* Bits of pages that are not in the list any more stay: at worst such a page
 * is dropped once too often. */
void block_drop_stale(struct cpu *c)
{
    struct block_cache *bc = c->blocks;

    for (unsigned int i = 0; i < bc->nr_pages; i++) {
        u64 pfn = bc->page[i].gpa / PAGE_SIZE, bit = 1ull << pfn % 64;

        if (!(atomic_load(&c->stale[pfn / 64]) & bit))
            continue;
        atomic_fetch_and(&c->stale[pfn / 64], ~bit);
        page_drop(c, &bc->page[i]);
    }
    mmu_new_epoch(c, true);
}

/* ---- decoding ----------------------------------------------------------- */

static void draft_op(struct draft *d, struct op o, unsigned int off,
                     unsigned int len)
{
    o.idx = (u8)d->nr;
    o.before = (u8)d->insns;
    o.rip_off = (u8)off;
    o.len = (u8)len;
    d->op[d->nr++] = o;
}

/* CLFLUSH is a NOP that loads, and may fault. */
static bool insn_is_nop(const struct insn *in)
{
    return in->fn == op_nop &&
           (in->row->src == W_NONE || in->row->flags & R_OFF);
}

/* One instruction. True: it ends the block. */
static bool draft_insn(struct draft *d, const struct insn *in, u64 rip,
                       unsigned int off)
{
    struct op o = {.seg = in->seg, .which = EPOCH_FIXED, .guard = 1};
    bool end = in->row->flags & R_END;

    if (insn_is_nop(in)) {
        d->insns++;
        return false;
    }
    d->falls = !end;
    if (!fast_select(&o, in, rip + off + in->len)) {
        o = (struct op){.fn = end ? op_generic_end : op_generic};
        o.imm = d->nr_slow; /* a pointer when its place is known */
        d->slow[d->nr_slow++] = *in;
    } else if (in->fn == op_jcc) {
        end = ++d->jumps == BLOCK_JUMPS;
        d->falls = true;
        if (d->nr)
            fast_fuse(&d->op[d->nr - 1], in->opcode & 15);
    } else if (in->fn == op_sti) {
        end = false;
        d->falls = true;
    } else if (in->fn == op_call || in->fn == op_call_ind) {
        d->falls = true; /* into the link for its return */
    }
    draft_op(d, o, off, in->len);
    fast_fuse_stack(d->op, d->nr);
    d->insns++;
    return end;
}

static void draft_begin(struct draft *d)
{
    d->nr = d->nr_slow = d->insns = d->jumps = 0;
    d->falls = true;
}

/* Room is there for fast_fall: the last op, where the block's end is
 * reached. */
static void draft_end(struct draft *d, unsigned int off)
{
    if (d->nr > 0)
        fast_sti_last(&d->op[d->nr - 1]);
    if (d->falls && d->insns > 0)
        draft_op(d,
                 (struct op){.fn = fast_fall, .which = EPOCH_FIXED, .guard = 1},
                 off, 0);
}

/* Instructions from host up to the end of the page at most. */
static void draft_fill(struct draft *d, u64 rip, const u8 *host)
{
    unsigned int room = (unsigned int)(PAGE_SIZE - (rip & (PAGE_SIZE - 1)));
    unsigned int off = 0;
    bool end = false;

    draft_begin(d);
    while (!end && d->insns < BLOCK_INSNS && off < BLOCK_BYTES - 15) {
        unsigned int len = MIN(room - off, 15u);
        struct insn in;
        u8 bytes[15];
        int n;

        memcpy(bytes, host + off, len); /* others may be writing there */
        n = insn_decode(&in, bytes, len, MODE_64);
        if (n <= 0)
            break; /* over the page's end, or too long */
        end = draft_insn(d, &in, rip, off);
        off += (unsigned int)n;
    }
    draft_end(d, off);
}

/*
 * One instruction that goes on in the next page. Its bytes there, rest, are
 * kept in the op_cross before it and compared each time: the block belongs to
 * the page it begins in, and nobody tells it of changes in the other one.
 */
static void draft_cross(struct draft *d, u64 rip, const u8 *host,
                        const u8 *next)
{
    unsigned int room = (unsigned int)(PAGE_SIZE - (rip & (PAGE_SIZE - 1)));
    struct op o = {.fn = op_cross, .which = EPOCH_FIXED};
    struct insn in;
    u8 bytes[15];
    int n;

    memcpy(&o.imm, next, sizeof(o.imm)); /* as above */
    memcpy(bytes, host, room);
    memcpy(bytes + room, &o.imm, MIN(sizeof(o.imm), sizeof(bytes) - room));
    draft_begin(d);
    n = insn_decode(&in, bytes, MIN(room + 8, 15u), MODE_64);
    if (n <= (int)room)
        return;
    o.scale = (u8)(n - (int)room);
    draft_op(d, o, 0, (unsigned int)n);
    draft_insn(d, &in, rip, 0);
    draft_end(d, (unsigned int)n);
}

/* The page behind that of rip is not RAM, or fetching there faults: step_one()
 * will do what is right. */
static void draft_fill_cross(struct cpu *c, struct draft *d, u64 rip,
                             const u8 *host)
{
    u64 next_rip = (rip | (PAGE_SIZE - 1)) + 1, gpa;
    const u8 *next;

    if (next_rip - rip < 15 && mmu_fetch(c, next_rip, &gpa, &next) == EXEC_OK &&
        next)
        draft_cross(d, rip, host, next);
}

/* Room for the largest block and one more page. */
static void block_reserve(struct cpu *c)
{
    struct block_cache *bc = c->blocks;
    size_t most = sizeof(struct block) + sizeof(struct draft) + 64;

    if (bc->used + most > POOL_SIZE || bc->nr_pages == PAGES_MAX)
        block_cache_flush(c);
}

/* From the draft into the pool. */
static struct block *block_place(struct block_cache *bc)
{
    struct draft *d = &bc->draft;
    struct block *b = (struct block *)(void *)&bc->pool[bc->used];
    struct insn *slow = (struct insn *)(void *)&b->op[d->nr];

    memcpy(b->op, d->op, d->nr * sizeof(struct op));
    memcpy(slow, d->slow, d->nr_slow * sizeof(*slow));
    for (unsigned int i = 0; i < d->nr; i++)
        if (b->op[i].fn == op_generic || b->op[i].fn == op_generic_end)
            b->op[i].slow = &slow[b->op[i].imm];
    pair_ops(&bc->pairs, b->op, d->nr);
    bc->used = (size_t)((u8 *)(slow + d->nr_slow) - bc->pool + 63) & ~63ull;
    return b;
}

static struct block *block_decode(struct cpu *c, u64 rip, u64 gpa,
                                  const u8 *host)
{
    struct block_cache *bc = c->blocks;
    struct code_page *p;
    struct block *b, **slot;

    block_reserve(c);
    p = page_find(bc, gpa);
    if (!p)
        p = page_add(bc, gpa);
    if (p->skip) {
        p->skip--;
        return NULL;
    }
    code_mark(c, gpa);
    draft_fill(&bc->draft, rip, host);
    if (bc->draft.insns == 0)
        draft_fill_cross(c, &bc->draft, rip, host);
    if (bc->draft.insns == 0)
        return NULL;
    b = block_place(bc);
    slot = &bc->hash[block_hash(gpa, rip, c->cpl == 3)];
    b->at = b->rip = rip;
    b->gpa = gpa;
    b->host = host;
    b->user = c->cpl == 3;
    b->hash_next = *slot;
    b->page_next = p->blocks;
    *slot = p->blocks = b;
    c->stats.blocks++;
    return b;
}

static struct block *block_find(struct cpu *c, u64 rip, u64 gpa)
{
    bool user = c->cpl == 3;
    struct block *b = c->blocks->hash[block_hash(gpa, rip, user)];

    while (b && (b->gpa != gpa || b->rip != rip || b->user != user))
        b = b->hash_next;
    return b;
}

struct block *block_get(struct cpu *c, u64 rip)
{
    struct block *b = block_cached(c, rip);
    const u8 *host;
    u64 gpa;

    if (b)
        return b;
    if (mmu_fetch(c, rip, &gpa, &host) != EXEC_OK || !host)
        return NULL;
    b = block_find(c, rip, gpa);
    if (!b)
        b = block_decode(c, rip, gpa, host);
    if (b)
        c->jump[jump_index(rip)] = b;
    return b;
}
