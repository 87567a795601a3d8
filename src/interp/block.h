/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block.h: decoded blocks. A block is a run of instructions from one page in
 * 64-bit mode, predecoded into 32-byte ops that call each other's handlers. It
 * is found by guest-physical address, linear RIP and privilege, so addresses
 * relative to RIP are constants of the block.
 *
 * A handler ends in next(), which is a tail call; built with INTERP_LOOP (for
 * compilers that do not elide tail calls, i.e. without -O2) it returns the op
 * to call next. NULL goes back to the run loop: s.rip is then exact, icount
 * counted, and c->leave says why.
 */
#ifndef MOTE_INTERP_BLOCK_H
#define MOTE_INTERP_BLOCK_H

#include "insn.h"

#define BLOCK_INSNS 32  /* at most, per block */
#define BLOCK_BYTES 240 /* likewise; fits rip_off */
#ifndef JUMP_SIZE
#define JUMP_SIZE 8192
#endif

struct op;
typedef const struct op *op_handler(struct cpu *c, const struct op *o);

struct op {
    op_handler *fn;
    union {
        u64 imm;             /* immediate, or displacement with memory */
        const struct op *to; /* branches: first op of the linked block */
        struct insn *slow;   /* op_generic */
    };
    s32 imm32; /* immediate beside a displacement; branches: displacement */
    union {
        struct { /* byte offsets into struct cpu: gpr comes first */
            u8 dst, src, base, index;
        };
        u32 guard; /* branches: epoch the link was made in */
    };
    u8 scale;   /* of the index, 0..3 */
    u8 seg;     /* enum seg_id of the memory operand */
    u8 idx;     /* position in the block: see op_block() */
    u8 before;  /* instructions completed before this one in the block */
    u8 rip_off; /* of this instruction, from the block's first */
    u8 len;
    u8 which; /* branches: which of c->epoch[] guards the link */
};
_Static_assert(sizeof(struct op) == 32, "two ops per cache line");

struct block {
    u64 at;         /* what the jump cache compares: rip, or BLOCK_DEAD */
    u64 rip;        /* linear = RIP in 64-bit mode */
    const u8 *host; /* of the first byte */
    u64 gpa;
    bool user; /* decoded for CPL 3 */
    struct block *hash_next, *page_next;
    u64 pad;
    struct op op[];
};
_Static_assert(sizeof(struct block) == 64, "ops start on a cache line");

/* Dropped, though its last op may not have returned. Not canonical: no RIP. */
#define BLOCK_DEAD 0x8000000000000000ull

static inline struct block *op_block(const struct op *o)
{
    return (struct block *)((uintptr_t)(o - o->idx) -
                            offsetof(struct block, op));
}

static inline unsigned int jump_index(u64 rip)
{
    return (rip ^ rip >> 12) & (JUMP_SIZE - 1);
}

/* The block at rip if it is in the jump cache and its page is still mapped
 * there, executable at this CPL. */
static inline struct block *block_cached(struct cpu *c, u64 rip)
{
    struct block *b = c->jump[jump_index(rip)];
    const struct tlb_entry *e = &c->tlb[rip >> 12 & (TLB_SIZE - 1)];

    if (likely(b->at == rip && e->tag_x == (rip & ~0xfffull) &&
               (u64)(uintptr_t)b->host == rip + e->addend &&
               b->user == (c->cpl == 3)))
        return b;
    return NULL;
}

/*
 * The block at rip, decoded if need be. NULL: there is none, because fetching
 * faults, the page is not RAM, the first instruction leaves the page, or the
 * page is being rewritten all the time; step_one() will do what is right.
 */
struct block *block_get(struct cpu *c, u64 rip);

/* How often everything was dropped: ops from before are gone. */
u64 block_flushes(const struct cpu *c);

/*
 * Fill *o from *in with a specialised handler. False: none exists. rip is of
 * the next instruction. Memory, immediates and registers only; o's position
 * and length are the caller's.
 */
bool fast_select(struct op *o, const struct insn *in, u64 next_rip);

/* o is followed by a Jcc: let it do that too, if it can. */
void fast_fuse(struct op *o, unsigned int cc);

/* nr ops of a block, the last of them just added: if it goes on
 * with a run of PUSH or POP, each of these does all that is left of it. */
void fast_fuse_stack(struct op *op, unsigned int nr);

/* o is the last instruction of its block: should it be STI, let it leave. */
void fast_sti_last(struct op *o);

/* The block is left before o, to be done again: should the one before be STI,
 * then its shadow goes on. */
void fast_keep_shadow(struct cpu *c, const struct op *o);

/* The handlers that block.c places itself. */
op_handler op_generic;     /* runs o->slow through insn_exec() */
op_handler op_generic_end; /* the same; goes back to the run loop after it */
op_handler fast_fall;      /* the block is over, o is its end: no instruction */
op_handler op_cross;       /* first op, before one that crosses pages */

/* From the run loop: run blocks from b until a handler leaves. */
static inline void block_run(struct cpu *c, const struct block *b)
{
    const struct op *o = b->op;

    while (o)
        o = o->fn(c, o);
}

#endif
