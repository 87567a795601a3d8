/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seg.h: descriptors and stacks, for those who transfer control or load
 * system segments: seg.c offers them to exc.c, far.c and sys_desc.c.
 */
#ifndef MOTE_INTERP_SEG_H
#define MOTE_INTERP_SEG_H

#include "cpu.h"

/* Segment types, descriptor bits 40..43. SDM vol. 3A 3.4.5.1, 3.5 */
enum seg_type {
    TYPE_ACCESSED = 1,
    TYPE_WRITE = 2, /* data; of code: may be read */
    TYPE_DOWN = 4,  /* data: expands down; code: conforming */
    TYPE_CODE = 8,
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_TSS = 9,
    SYS_TSS_BUSY = 11,
    SYS_CALL = 12,
};
#define TSS_BUSY 2 /* the bit that makes the difference */

/* Where the vendors differ: which one has the guest been told? */
bool cpu_is_intel(const struct cpu *c);

/* An entry of the GDT or LDT as it was read, once. */
struct desc {
    u64 la; /* where it is */
    u64 raw;
    struct cpu_seg seg;
};

static inline bool seg_is_code(const struct cpu_seg *s)
{
    return s->s && s->type & TYPE_CODE;
}

static inline bool seg_is_conforming(const struct cpu_seg *s)
{
    return seg_is_code(s) && s->type & TYPE_DOWN;
}

static inline bool seg_is_writable(const struct cpu_seg *s)
{
    return s->s && !(s->type & TYPE_CODE) && s->type & TYPE_WRITE;
}

static inline bool seg_is_readable(const struct cpu_seg *s)
{
    return s->s && (!(s->type & TYPE_CODE) || s->type & TYPE_WRITE);
}

static inline bool sel_is_null(u16 sel)
{
    return (sel & ~3) == 0;
}

/* An exception whose error code is a selector. SDM vol. 3A 6.13 */
static inline enum exec raise_sel(struct cpu *c, u8 vector, u16 sel)
{
    return raise_err(c, vector, sel & 0xfffcu);
}

/* Read the descriptor of a selector that is not null. Outside its table:
 * exception `vector` with the selector. */
enum exec desc_read(struct cpu *c, u16 sel, u8 vector, struct desc *d);

/* The same for LDT and TSS, which have 16 bytes and a 64-bit base in long
 * mode. */
enum exec desc_read_system(struct cpu *c, u16 sel, struct desc *d);

/* Set bits of the type in the table, locked: accessed, busy. */
enum exec desc_set_type(struct cpu *c, struct desc *d, u8 bits);

/* A segment register in real mode: limit and attributes stay. */
void seg_set_real(struct cpu_seg *s, u16 sel);

/* A null selector; of SS, dpl keeps the CPL. */
void seg_set_null(struct cpu_seg *s, u16 sel, u8 dpl);

/*
 * A new SS for CPL `cpl`, with its accessed bit. Exceptions are `vector` and,
 * if it is not present, #SS. It may be null for 64-bit code below CPL 3: SDM
 * vol. 2B, MOV. Shared by MOV SS, IRET, RETF and interrupts that switch.
 */
enum exec seg_read_ss(struct cpu *c, u16 sel, u8 cpl, bool code64, u8 vector,
                      struct cpu_seg *ss);

/* Can code run at rip in this segment: within its limit (legacy) or canonical
 * (64-bit)? #GP(0). */
enum exec seg_check_rip(struct cpu *c, const struct cpu_seg *cs, u64 rip);

/* A stack being written before it becomes (or stays) the processor's. */
struct stack {
    struct cpu_seg ss;
    u64 sp;
    u8 width; /* bytes of the stack pointer */
    u8 cpl;   /* with whose rights */
};

struct stack stack_now(const struct cpu *c);

/* Push one item; EXEC_FAULT with #SS(0) or #PF, the stack pointer of st then
 * being as before. */
enum exec stack_put(struct cpu *c, struct stack *st, unsigned int size,
                    u64 val);

/* Read the item off bytes above the top of the current stack. */
enum exec stack_peek(struct cpu *c, u64 off, unsigned int size, u64 *val);

#endif
