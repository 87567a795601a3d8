/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast.h: what specialised handlers are made of. Each is an inline function
 * (a form) that takes operation and size as arguments, and is instantiated
 * with constants: fast_alu.h, fast_move.h and fast_jump.h list all those that
 * can be one of a pair.
 *
 * Rules: a handler has no local whose address is taken and makes no call but
 * the last one, so that it compiles to straight code and a jump. It changes
 * nothing before its memory access has succeeded; where the TLB does not serve
 * that, fast_slow() makes it so, or runs the instruction in the step tier.
 *
 * The last argument of a form, then, is what follows: next(), or the form of
 * the op behind, to make one handler of two (fast_pair.c).
 */
#ifndef MOTE_INTERP_FAST_H
#define MOTE_INTERP_FAST_H

#include "block.h"
#include "flags.h"
#include "host.h"

#define FAST FLAGS_INLINE

/* Addresses of memory operands. */
enum ea_kind {
    EA_BASE,  /* base + displacement; RIP-relative: an absolute number */
    EA_INDEX, /* and a scaled index */
    EA_SEG,   /* and FS or GS */
};

FAST const struct op *next(struct cpu *c, const struct op *o)
{
    __asm__("" : "+r"(o)); /* one addition, not one for each use of o */
#ifdef INTERP_LOOP
    return o;
#else
    return o->fn(c, o);
#endif
}

/* Registers by byte offset: AH is one like any other. Not by host_ld(): what is
 * ours alone is not volatile, and the compiler may fold the address. */
FAST u64 reg_ld(const struct cpu *c, unsigned int at, unsigned int size)
{
    const u8 *p = (const u8 *)c->s.gpr + at;

    switch (size) {
    case 1:
        return *p;
    case 2:
        return *(const host_u16 *)p;
    case 4:
        return *(const host_u32 *)p;
    default:
        return *(const host_u64 *)p;
    }
}

FAST void reg_st(struct cpu *c, unsigned int at, unsigned int size, u64 val)
{
    u8 *p = (u8 *)c->s.gpr + at;

    if (size == 1)
        *p = (u8)val;
    else if (size == 2)
        *(host_u16 *)p = (u16)val;
    else
        *(host_u64 *)p = size == 4 ? (u32)val : val;
}

FAST u64 fast_ea(const struct cpu *c, const struct op *o, enum ea_kind ea)
{
    u64 la = o->imm + reg_ld(c, o->base, 8);

    if (ea != EA_BASE)
        la += reg_ld(c, o->index, 8) << o->scale;
    if (ea == EA_SEG)
        la += c->s.seg[o->seg].base;
    return la;
}

/* RIP behind the op. */
FAST u64 fast_next_rip(const struct op *o)
{
    return op_block(o)->rip + o->rip_off + o->len;
}

/* Has the time come to look at what the run loop looks at? */
FAST bool fast_due(struct cpu *c)
{
    return c->icount >= atomic_load_explicit(&c->poll_at, memory_order_relaxed);
}

/* May the rest of the block still be run, or has an instruction that counts as
 * many, or somebody's wish, used up what there was time for? */
FAST bool fast_time_left(struct cpu *c)
{
    return c->icount + BLOCK_INSNS <
           atomic_load_explicit(&c->poll_at, memory_order_relaxed);
}

/* fast.c. The TLB does not serve this access: fill it and do the op again, or
 * run the op in the step tier, or leave with its fault. */
const struct op *fast_slow(struct cpu *c, const struct op *o, u64 la,
                           unsigned int size, enum access acc);

/* Run the op in the step tier, from its bytes. */
const struct op *fast_redo(struct cpu *c, const struct op *o);

/* A branch without a valid link; a jump that the jump cache does not know. */
const struct op *fast_link(struct cpu *c, const struct op *o);
const struct op *fast_find(struct cpu *c, u64 rip);

/* Go back to the run loop between blocks. */
const struct op *fast_poll_link(struct cpu *c, const struct op *o);
const struct op *fast_poll_at(struct cpu *c, u64 rip);

/* The same after o, which is complete and no branch. */
FAST const struct op *fast_poll_next(struct cpu *c, const struct op *o)
{
    c->icount += o->before + 1u;
    return fast_poll_at(c, fast_next_rip(o));
}

/* To the target of a direct branch, n instructions of its block done. */
FAST const struct op *fast_go(struct cpu *c, const struct op *o, unsigned int n)
{
    c->icount += n;
    if (unlikely(fast_due(c)))
        return fast_poll_link(c, o);
    if (unlikely(o->guard != c->epoch[o->which]))
        return fast_link(c, o);
    return next(c, o->to);
}

/* To a canonical address. */
FAST const struct op *fast_jump(struct cpu *c, const struct op *o, u64 rip)
{
    const struct block *b;

    c->icount += o->before + 1u;
    if (unlikely(fast_due(c)))
        return fast_poll_at(c, rip);
    b = block_cached(c, rip);
    if (unlikely(!b))
        return fast_find(c, rip);
    return next(c, b->op);
}

/* A handler: an instance of a form. */
#define FAST_HANDLER(name, form, ...)                                          \
    const struct op *name(struct cpu *c, const struct op *o)                   \
    {                                                                          \
        return form(c, o, ##__VA_ARGS__);                                      \
    }
#define FAST_STATIC(name, ...) static FAST_HANDLER(name, __VA_ARGS__)

/* What a list makes of its X(name, form, arguments...). */
#define FAST_DECLARE(name, ...) op_handler fast_##name;
#define FAST_DEFINE(name, ...)  FAST_HANDLER(fast_##name, __VA_ARGS__, next)
/* The same for a form that says itself what follows, or that nothing does. */
#define FAST_DEFINE_LAST(name, ...) FAST_HANDLER(fast_##name, __VA_ARGS__)
/* And either of them as the second half of a pair; many are in none. */
#define FAST_LAST(name, ...)                                                   \
    __attribute__((unused)) FAST FAST_HANDLER(name##_last, __VA_ARGS__)
#define FAST_LAST_NEXT(name, ...) FAST_LAST(name, __VA_ARGS__, next)

/* By the kind of address of a memory operand, a form's last argument; and the
 * three in a table. */
/* clang-format off */
#define FAST_BY_EA(X, name, ...)                                               \
    X(name##_base, __VA_ARGS__, EA_BASE) X(name##_index, __VA_ARGS__, EA_INDEX) \
    X(name##_seg, __VA_ARGS__, EA_SEG)
#define FAST_EA_ROW(name) name##_base, name##_index, name##_seg

/* By condition code. */
#define FAST_BY_CC(X, ...)                                                     \
    X(__VA_ARGS__, 0) X(__VA_ARGS__, 1) X(__VA_ARGS__, 2) X(__VA_ARGS__, 3)    \
    X(__VA_ARGS__, 4) X(__VA_ARGS__, 5) X(__VA_ARGS__, 6) X(__VA_ARGS__, 7)    \
    X(__VA_ARGS__, 8) X(__VA_ARGS__, 9) X(__VA_ARGS__, a) X(__VA_ARGS__, b)    \
    X(__VA_ARGS__, c) X(__VA_ARGS__, d) X(__VA_ARGS__, e) X(__VA_ARGS__, f)
/* clang-format on */

/* Forms of operands. */
enum fast_form {
    FORM_RR,
    FORM_RI,
    FORM_RM,               /* register, memory: three kinds of address */
    FORM_MR = FORM_RM + 3, /* memory, register */
    FORM_MI = FORM_MR + 3, /* memory, immediate */
    FORM_NR = FORM_MI + 3
};

/* The handlers of an instruction by size (1, 2, 4, 8) and form; NULL: none. A
 * table of them ends in an empty row. */
struct fast_row {
    op_fn *fn;
    op_handler *handler[4][FORM_NR];
};

/* fast.c: the handler that a table of rows has; false: none. */
bool fast_row_select(struct op *o, const struct insn *in, unsigned int form,
                     const struct fast_row *row);

/* fast_move.c, fast_jump.c: likewise, by more than rows. */
bool fast_move_select(struct op *o, const struct insn *in, unsigned int form);
bool fast_stack_select(struct op *o, const struct insn *in, unsigned int form);

extern const struct fast_row fast_alu_rows[], fast_mem_rows[];

/* fast_jump.c: direct branches. */
bool fast_jump_select(struct op *o, const struct insn *in, u64 next_rip);

/* fast_string.c: MOVS and STOS with REP. */
bool fast_string_select(struct op *o, const struct insn *in);

#endif
