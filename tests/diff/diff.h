/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.h: the same code from the same registers, flags, FPU and memory on the
 * host CPU and in both tiers of the interpreter; everything must come out the
 * same, faults included.
 *
 * All see the same linear addresses, at CPL 3, twice: at LOW, which 32-bit code
 * and 67 prefixes reach, and at HIGH:
 *
 *   + CODE   two pages of slots, one for each piece of code; not writable
 *   + EXIT   natively, jumps back to the harness; in the interpreter no code,
 *            so that the fetch there faults: both tell how the code ended
 *   + DATA   the window: four pages, and one that is read-only
 *   + ENDS   HIGH only: pages with nothing behind them, for lengths (bytes.c);
 *            ENDS_LOW are the same for 32-bit and 16-bit code
 *
 * Nothing else is mapped near CODE and DATA, and the others are farther away
 * than offsets reach. The code in a slot is followed by a jump to EXIT + END,
 * and TAKEN bytes into the slot is one to EXIT + BRANCH: where branches go;
 * those that change the mode go to EXIT.
 *
 * 16-bit code and its data are at LOW too, in segments of the LDT, which both
 * sides have (segs.c). What is called its address is linear; RIP, where it is
 * compared, is the offset.
 *
 * A batch is made of some pieces of code with several sets of operands each.
 * It begins with a window of random contents, which all of its cases share:
 * registers are compared after each of them, the window at the end. Where that
 * differs the batch is repeated case by case.
 */
#ifndef TESTS_DIFF_H
#define TESTS_DIFF_H

#include <stdio.h>

#include "interp/insn.h"

#define LOW  0x20000000ull
#define HIGH 0x310000000000ull

#define CODE       0x10000u
#define CODE_SIZE  0x2000u
#define EXIT       0x4567000u
#define DATA       0x20000u
#define DATA_RW    0x4000u
#define DATA_SIZE  0x5000u
#define ENDS       0x1234567000u
#define ENDS_LOW   0xd4c5b000u
#define ENDS_PAGES 64u
#define ENDS_STEP  0x2000u

#define SLOT     128u
#define SLOTS    (CODE_SIZE / SLOT)
#define TAKEN    112u
#define CODE_MAX 96u

/* The code of this slot crosses into the second page, and slot 32. */
#define SLOT_CROSS 31u

/* FAR16: 64-bit or 32-bit code came to 16-bit code. */
enum exit_offset {
    END = 0,
    BRANCH = 16,
    END32 = 32,
    BRANCH32 = 48,
    END16 = 64,
    BRANCH16 = 80,
    FAR16 = 96,
    EXITS = 112,
};

/* Linux's code segments for programs */
#define USER_CS32 0x23
#define USER_CS64 0x33
#define USER_DS   0x2b

#define BATCH  256u
#define PLANTS 2u

/* Vectors of what is no exception, and of SYSCALL */
#define NONE        0xffu
#define VEC_SYSCALL 0x100u

#define LINUX_SYSCALL 0x80 /* INT n of 32-bit programs, and of any */

struct diff_regs {
    u64 gpr[16];
    u64 rflags, fs, gs; /* bases */
    u64 rip;            /* from here on: results only */
    u64 vector, error, cr2;
    u16 sel[8]; /* by enum seg_id; before the case too */
};

/* Bytes of the window that are set just before a case. */
struct diff_plant {
    u32 off, len;
    u8 bytes[40];
};

/* Bytes that are zeroed after it, as they need not be the same. */
struct diff_blank {
    u32 off, len;
};

struct diff_case {
    struct diff_regs in;
    u8 fx[512] __attribute__((aligned(16)));
    u64 at; /* of the code: in CODE of LOW or HIGH, or in ENDS */
    u8 code[CODE_MAX];
    u8 len;
    u8 mode;         /* enum code_mode; at is LOW's unless MODE_64 */
    bool fpu;        /* fx matters */
    bool fresh;      /* other code than the case before */
    bool seq;        /* more than one instruction */
    u32 undef_flags; /* not compared */
    struct diff_plant plant[PLANTS];
    struct diff_blank blank[PLANTS];
};

struct diff_out {
    struct diff_regs r;
    u8 fx[512] __attribute__((aligned(16)));
};

/* ---- segs.c: segments of the LDT ------------------------------------------
 */

enum ldt_entry {
    LDT_CODE,    /* slots begin at CODE16 */
    LDT_WRAP,    /* the second page of slots is beyond 64 KiB and the limit */
    LDT_BEYOND,  /* the same, but within the limit */
    LDT_EXIT,    /* EXIT */
    LDT_MIDDLE,  /* data: the window begins at DATA16 */
    LDT_START,   /* begins in the window */
    LDT_END,     /* ends in the window */
    LDT_SMALL,   /* both, at odd places */
    LDT_DOWN,    /* expands down to the middle of the window */
    LDT_DOWN32,  /* likewise, from 4 GiB */
    LDT_BIG,     /* LDT_MIDDLE, but a stack there has 32 bits */
    LDT_READ,    /* LDT_MIDDLE, not writable */
    LDT_EXECUTE, /* LDT_CODE, not readable */
    LDT_ABSENT,
    LDT_ABSENT_CODE,
    LDT_CODE32, /* LDT_CODE, of 32 bits */
    LDT_ENDS,   /* one for each page of ENDS_LOW, which is at ENDS16 */
    LDT_NR = LDT_ENDS + ENDS_PAGES,
};

#define LDT_SEL(entry) ((u16)((entry) << 3 | 7))
#define CODE16         0x4000u
#define DATA16         0x8000u
#define ENDS16         0x1000u

struct diff_seg {
    u32 base, limit;
    u8 type; /* descriptor bits 40..43 */
    bool db, absent;
};

extern struct diff_seg ldt[LDT_NR];

void segs_start(void);
u64 segs_descriptor(unsigned int entry);

/* NULL: not of the LDT. */
static inline __attribute__((always_inline)) const struct diff_seg *
sel_ldt(u16 sel)
{
    return sel & 4 && sel >> 3 < LDT_NR ? &ldt[sel >> 3] : NULL;
}

static inline __attribute__((always_inline)) u64 sel_base(u16 sel)
{
    const struct diff_seg *s = sel_ldt(sel);

    return s ? s->base : 0;
}

/* What a case of this mode has in its segment registers unless it says
 * something else. */
void segs_default(struct diff_case *c);

/* RIP of the case's code. */
static inline __attribute__((always_inline)) u64
case_rip(const struct diff_case *c)
{
    return c->at - sel_base(c->in.sel[SEG_CS]);
}

static inline __attribute__((always_inline)) u64
case_base(const struct diff_case *c)
{
    return c->at >= HIGH ? HIGH : LOW;
}

/* Linear address of its slot. */
static inline __attribute__((always_inline)) u64
case_slot(const struct diff_case *c)
{
    u64 base = case_base(c) + CODE;

    if (c->at - base < PAGE_SIZE && c->at - base >= SLOT_CROSS * SLOT)
        return base + PAGE_SIZE;
    return c->at & ~(u64)(SLOT - 1);
}

/* Where that is of what begins at offset base of LOW or of HIGH, if it is. */
static inline u64 regs_offset(u16 cs, u64 rip, u64 base)
{
    u64 la = rip + sel_base(cs);

    return la - (la >= HIGH ? HIGH : LOW) - base;
}

/* What is reported as RIP of the end of the code, or of where branches go. */
static inline __attribute__((always_inline)) u64
case_end(const struct diff_case *c, bool end)
{
    return (end ? c->at + c->len : case_slot(c) + TAKEN) -
           sel_base(c->in.sel[SEG_CS]);
}

/* ---- values.c: random numbers of a seed, and operands that are worth it ---
 */

extern u64 rnd_seed;
u64 rnd(void); /* splitmix64 */
u64 rnd_int(void);
u64 rnd_float(void); /* two floats or a double */
void rnd_fpu(u8 *fx);
void rnd_window(u8 *window);

static inline bool rnd_one_in(unsigned int n)
{
    return rnd() % n == 0;
}

/* ---- native.c: the host CPU, in a child without system calls --------------
 */

struct diff_shared { /* of the child and us */
    _Atomic(u32) go, done, next;
    u32 nr;
    int ldt; /* errno of modify_ldt() */
    struct diff_case c[BATCH];
    struct diff_out out[BATCH];
    u8 code[CODE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    u8 window[DATA_SIZE] __attribute__((aligned(PAGE_SIZE)));
    u8 exits[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    u8 ends[ENDS_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
};

/* There is no child, and the step tier stands in for the host: where code
 * cannot be at LOW and HIGH, and with sanitizers, which have memory where cases
 * have nothing. */
extern bool native_off;
extern const bool native_sanitized;
extern struct diff_shared *shared;
extern bool native_fsgs; /* programs may use RDFSBASE and kin */
extern bool native_no16; /* the host has no LDTs for programs */

/* 0, or -1: the host does not let us (said why). */
int native_start(void);
void native_stop(void);

/* shared->c[0..nr) one after the other. False: the child died or hung at
 * shared->next; there is a new one. */
bool native_run(unsigned int nr);

/* ---- guest.c: the interpreter ---------------------------------------------
 */

enum tier { TIER_STEP, TIER_BLOCK, TIER_NR };

void guest_start(void);
void guest_stop(void);
u8 *guest_window(enum tier t);
void guest_code(const u8 *code); /* CODE_SIZE bytes, all new */
void guest_ends(void);           /* shared->ends, likewise */
void guest_forget(enum tier t);  /* TLB, A and D bits */
bool guest_is_ud(const u8 *bytes, enum code_mode mode); /* 15 */
void guest_run(enum tier t, const struct diff_case *c, struct diff_out *out);

/* Does the case come to instructions that cannot be compared, to memory that
 * the host's process has for itself, or to no end? A jump of a sequence may go
 * into the middle of any code of its batch, and so may one to any 16 bits. */
bool guest_strays(const struct diff_case *c);

/* ---- gen.c, gen_state.c: cases --------------------------------------------
 */

void gen_start(void); /* from the tables of the decoder */
unsigned int gen_count(void);

/* Code for a slot; false: try again. All of a batch has one mode, as one piece
 * may come to return into another. */
void gen_batch(enum code_mode mode);
bool gen_insn(struct diff_case *c, unsigned int slot);
bool gen_sequence(struct diff_case *c, unsigned int slot);

/* Can it not be compared? */
bool insn_excluded(const struct insn *in);

/* The instruction at RIP, if that is in a batch's code. */
bool code_decode(struct insn *in, u16 cs, u64 rip, enum code_mode mode);

/* Operands for code that is there. */
void gen_state(struct diff_case *c);

/* Where instruction in, at in c, has its operand: into registers. */
void gen_solve(struct diff_case *c, const struct insn *in);
u64 gen_address(const struct diff_case *c, unsigned int size);

/* Base of a segment that the case begins with. */
u64 case_seg(const struct diff_case *c, unsigned int seg);

/* Where a far branch may go, with this selector and an offset of size bytes. */
u16 gen_selector(const struct diff_case *c);
u64 gen_far(const struct diff_case *c, u16 sel, unsigned int size);

/* Its code into an image of CODE, with the jumps behind it. */
void case_place(const struct diff_case *c, u8 *image);
void case_plant(const struct diff_case *c, u8 *window);
void case_blank(const struct diff_case *c, u8 *window);

/* What follows from the rest: blank. */
void case_finish(struct diff_case *c);

/* ---- compare.c ------------------------------------------------------------
 */

extern bool compare_strict; /* also flags that manuals leave undefined */

u32 undefined_flags(const struct row *row);
bool compare_out(const struct diff_case *c, struct diff_out *host,
                 struct diff_out *mote);

/* ---- solo.c, text.c: one case with the window it needs --------------------
 */

struct solo {
    struct diff_case c;
    u8 window[DATA_SIZE];
};

/* What differs, or NULL. tell: print both sides. */
const char *solo_fails(struct solo *s, bool tell);
void solo_shrink(struct solo *s);
void solo_print(FILE *f, const struct solo *s);
bool solo_parse(struct solo *s, const char *line);

/* ---- batch.c, bytes.c -----------------------------------------------------
 */

enum corpus_kind { SINGLE, SEQUENCE, KINDS };

#define ANY_MODE (-1)
extern int batch_mode; /* or enum code_mode: all batches have this one */

/* Mostly MODE_64. */
enum code_mode batch_pick_mode(void);

struct diff_totals {
    u64 cases, faults, bytes, hidden, strayed, failed;
};
extern struct diff_totals totals;

/* Batch nr of a seed. */
void batch_run(enum corpus_kind kind, u64 seed, u64 nr);
void bytes_run(u64 seed, u64 nr);
void bytes_registers(struct diff_case *c);

#endif
