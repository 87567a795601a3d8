/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.h: the interpreter's private view of one vCPU, and what its files offer
 * each other. All of it runs on the vCPU's thread unless said otherwise.
 *
 * Flags. Arithmetic runs the host's own instruction and keeps its flags: AH of
 * LAHF goes to the low byte of s.rflags (SF ZF AF PF CF and bit 1 sit at the
 * same places), SETO to `of`. So flags are always there, exact even where the
 * manual calls them undefined, and no reader needs to know which instruction
 * made them. Bit 11 of s.rflags is kept 0 while running; flags_get() and
 * flags_set() are the only places that join the two.
 *
 * RIP. In the step tier s.rip is the instruction being executed and next_rip
 * the one after; a handler that branches sets next_rip. In the block tier
 * s.rip is only brought up to date before something can look at it.
 *
 * Faults are return codes: raise_exc() notes the exception and the handler
 * returns EXEC_FAULT having changed nothing; the run loop delivers it.
 */
#ifndef MOTE_INTERP_CPU_H
#define MOTE_INTERP_CPU_H

#include "mote/engine.h"
#include "mote/interp.h"

enum exec {
    EXEC_OK,       /* retired: rip = next_rip */
    EXEC_FAULT,    /* c->exc holds the exception; nothing was changed */
    EXEC_AGAIN,    /* REP: registers are at an iteration, rip stays */
    EXEC_BOUNDARY, /* service: KVM must run this one; nothing was changed */
    EXEC_UNKNOWN,  /* a gap of ours; nothing was changed */
    EXEC_SHUTDOWN, /* triple fault */
};

/* SDM vol. 3A table 6-1 */
enum exc_vector {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_BR = 5,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_MF = 16,
    EXC_AC = 17,
    EXC_XM = 19,
};

enum pf_error { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

struct exc {
    u8 vector;
    bool has_error;
    u32 error;
    u64 cr2; /* #PF only */
    u64 dr6; /* #DB only: bits to OR in */
};

enum access { ACC_READ, ACC_WRITE, ACC_EXEC };

/* Soft TLB, direct-mapped by linear page. A tag is the linear page address, or
 * TLB_NONE; host address = linear address + addend. Layout is fixed: block
 * handlers, and a later translator, address it by constant offsets. */
#ifndef TLB_SIZE
#define TLB_SIZE 2048
#endif
#define TLB_NONE (~0ull) /* no page address has low bits set */
struct tlb_entry {
    u64 tag_r, tag_w, tag_x;
    u64 addend;
};

/* Entries that others took the place of, searched before the page tables are:
 * a stack and a heap 512 pages apart would walk them at every access. */
#define TLB_VICTIMS 8
struct tlb_victim {
    struct tlb_entry e;
    u64 gpa;
    bool local, large;
};

enum code_mode { MODE_16, MODE_32, MODE_64 };

/* Reasons to leave the fast path at the next block exit. */
enum attn {
    ATTN_POKE = 1u << 0, /* interp_poke() */
    ATTN_IRQ = 1u << 1,  /* the LAPIC has something posted or deliverable */
    ATTN_NMI = 1u << 2,
    ATTN_INIT = 1u << 3,
    ATTN_SIPI = 1u << 4,
    ATTN_CODE = 1u << 5, /* somebody else wrote a page with code in it */
    ATTN_STOP = 1u << 6, /* another vCPU wants to be alone: alone.c */
};

/* What plat_wait() is doing. Only who sleeps needs a system call to wake up. */
enum asleep { CPU_AWAKE, CPU_SLEEPS, CPU_LOOKS };

/* Where calls of the block tier will return to, the last one at ret_top: rip is
 * that of op to, for code at tlb's privilege, while EPOCH_LOCAL is epoch. Only
 * a guess: a return looks whether it is the one. */
#define RET_NR 16
struct ret_entry {
    u64 rip;
    const struct op *to;
    const struct tlb_entry *tlb;
    u32 epoch;
};

#define TOLD_NR 8

enum epoch { EPOCH_LOCAL, EPOCH_GLOBAL, EPOCH_FIXED };

struct op;
struct insn;
struct block;
struct block_cache; /* block.c */
struct lapic;       /* lapic.c */
struct machine;     /* engine.c: IOAPIC and the other vCPUs; NULL in service */

struct cpu {
    struct cpu_state s; /* first: handlers reach it at small offsets */
    u8 of;              /* OF, 0 or 1 */
    u8 cpl;
    u8 mode;       /* enum code_mode */
    u8 long_mode;  /* EFER.LMA */
    u8 stack_size; /* 2, 4 or 8: bytes of the stack pointer in use */
    bool service;
    bool smc;      /* a store hit decoded code: leave the current block */
    bool fpu_live; /* x87 and MXCSR of this host thread hold the guest's */
    bool no_trap;  /* INT n, SYSCALL: TF makes no #DB after this one */
    bool sti_set;  /* block tier: the last STI did set IF */
    u8 pauses;     /* PAUSEs since the last time we gave way */
    u8 watch;      /* enum watch: what accesses are looked at for */
    u8 hits;       /* breakpoints on data met by now: bits as in DR6 */
    u64 next_rip;
    struct exc exc;

    const struct tlb_entry *tlb; /* the half for CPL, or watch_tlb */
    u64 icount;                  /* instructions completed, ever */
    _Atomic(u64) poll_at;        /* leave blocks when icount reaches it; others
                                  * store 0 after setting attn */
    _Atomic(u32) attn;           /* enum attn; others set, the owner clears */
    _Atomic(u32) asleep; /* enum asleep: in plat_wait(); a waker clears it */
    _Atomic(u32) inside; /* between alone_enter() and alone_leave() */

    struct interp_run *run; /* of the visit under way */
    u32 have;               /* service: parts of s fetched in this visit */

    struct mem *mem;
    struct bus *bus;
    struct lapic *lapic; /* NULL in service mode */
    struct machine *machine;
    struct block_cache *blocks;
    unsigned int id, nr_cpus;

    /* Block tier. A link holds while its epoch does: [EPOCH_LOCAL] moves with
     * every change of translations, [EPOCH_GLOBAL] not with CR3, and
     * [EPOCH_FIXED], for links within a page, never. */
    u32 epoch[3];
    u8 leave; /* enum exec: why the handlers went back to the run loop */
    struct block **jump; /* blocks by RIP, JUMP_SIZE of them */
    _Atomic(u64) *code;  /* bitmap of pages with code; all threads read */
    u64 code_pages;      /* its size in bits */
    _Atomic(u64) *stale; /* likewise: pages with code that others wrote */
    _Atomic(u64) *claim; /* likewise: pages this TLB may have as writable */
    u64 told[TOLD_NR];   /* pages with code of others, written meanwhile */
    u32 told_nr;         /* of them; TOLD_NR + 1: more than can be kept */
    struct ret_entry ret[RET_NR];
    u32 ret_top;

    struct engine_stats stats; /* counted on slow paths */

    struct tlb_entry tlb_kernel[TLB_SIZE] __attribute__((aligned(64)));
    struct tlb_entry tlb_user[TLB_SIZE];
    /* Of both halves, kernel first: page of each entry, entries that a CR3
     * write drops, and entries that are part of a large page. */
    u64 tlb_gpa[2][TLB_SIZE];
    u64 tlb_local[2][TLB_SIZE / 64];
    u64 tlb_large[2][TLB_SIZE / 64];
    struct tlb_victim victim[2][TLB_VICTIMS];
    u8 victim_next[2];
};

/* ---- flags ---------------------------------------------------------- */

#define FLAGS_ARITH                                                            \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static inline u64 flags_get(const struct cpu *c)
{
    return c->s.rflags | (u64)c->of << 11;
}

static inline void flags_set(struct cpu *c, u64 rflags)
{
    c->of = rflags >> 11 & 1;
    c->s.rflags = (rflags & ~RFLAGS_OF) | RFLAGS_ONE;
}

/* Condition of Jcc, SETcc, CMOVcc: cc is the low four bits of the opcode. */
static inline bool flags_cond(const struct cpu *c, unsigned int cc)
{
    /* one of these, or the sign of a comparison, or OF */
    static const u8 any[8] = {
        [1] = RFLAGS_CF, [2] = RFLAGS_ZF, [3] = RFLAGS_CF | RFLAGS_ZF,
        [4] = RFLAGS_SF, [5] = RFLAGS_PF, [7] = RFLAGS_ZF,
    };
    u8 f = *(const u8 *)&c->s.rflags; /* as a byte: see flags.h */
    bool r = f & any[cc >> 1];

    if (cc >> 1 == 0)
        r = c->of;
    else if (cc >> 1 >= 6)
        r |= f >> 7 != c->of;
    return r != (cc & 1);
}

/* ---- exc.c: exceptions and interrupts --------------------------------- */

static inline enum exec raise_exc(struct cpu *c, u8 vector)
{
    c->exc = (struct exc){.vector = vector};
    return EXEC_FAULT;
}

static inline enum exec raise_err(struct cpu *c, u8 vector, u32 error)
{
    c->exc = (struct exc){.vector = vector, .has_error = true, .error = error};
    return EXEC_FAULT;
}

/* #GP(0), by far the most frequent. */
static inline enum exec raise_gp(struct cpu *c)
{
    return raise_err(c, EXC_GP, 0);
}

/* Deliver c->exc through the IDT; s.rip is the faulting instruction. Builds
 * #DF from contributory pairs; EXEC_SHUTDOWN for the third. */
enum exec exc_deliver(struct cpu *c);

/* INT3, INT n, INTO, ICEBP: gate DPL is checked unless the vector is ICEBP's
 * (#DB); pushes next_rip and sets next_rip to the handler. */
enum exec exc_software(struct cpu *c, u8 vector, bool check_dpl);

/* External interrupt or NMI at an instruction boundary; s.rip is pushed. A
 * fault while delivering is delivered instead. */
enum exec exc_interrupt(struct cpu *c, u8 vector);

/* Events that s.event carries in from KVM or a snapshot. */
enum exec exc_inject(struct cpu *c);

/* After step_one() came to r when cpu_must_step() held before it: TF,
 * breakpoints, shadows. r, or EXEC_FAULT: deliver #DB. */
enum exec exc_after_insn(struct cpu *c, u64 rflags_before, enum exec r);

/* Breakpoints on data that the delivery of an event has met: EXEC_FAULT. */
enum exec exc_after_event(struct cpu *c);

/* True while interrupt shadows, TF, NMI windows, armed DR7 breakpoints or
 * alignment checks (watch_update() has been called) need one instruction at a
 * time. */
bool cpu_must_step(const struct cpu *c);

/* ---- seg.c: segments, modes, stack ------------------------------------ */

/* Recompute mode, cpl, long_mode, stack_size, tlb after any change of CS, SS,
 * CR0, EFER. */
void cpu_update_mode(struct cpu *c);

static inline bool is_canonical(u64 va)
{
    return (u64)((s64)(va << 16) >> 16) == va;
}

/* Linear address of seg:off for size bytes outside 64-bit mode, with limit
 * and type checks: #GP(0), or #SS(0) for SEG_SS. */
enum exec seg_linear_legacy(struct cpu *c, unsigned int seg, u64 off,
                            unsigned int size, enum access acc, u64 *la);

/*
 * Linear address of seg:off. In 64-bit mode only FS and GS have a base, and
 * the address must be canonical: #SS(0) if the segment is SS (the default of
 * RSP and RBP bases, which prefixes do not change there), else #GP(0).
 */
static inline enum exec seg_linear(struct cpu *c, unsigned int seg, u64 off,
                                   unsigned int size, enum access acc, u64 *la)
{
    u64 a = off;

    if (unlikely(c->mode != MODE_64))
        return seg_linear_legacy(c, seg, off, size, acc, la);
    if (seg >= SEG_FS)
        a += c->s.seg[seg].base;
    if (unlikely(!is_canonical(a) || !is_canonical(a + size - 1)))
        return raise_err(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
    *la = a;
    return EXEC_OK;
}

/* Load a segment register by MOV, POP, LxS: all checks, accessed bit. Not CS.
 */
enum exec seg_load(struct cpu *c, unsigned int seg, u16 sel);

/* Push and pop size bytes (2, 4, 8) on the stack with the current stack_size;
 * RSP changes only when the access succeeded. */
enum exec stack_push(struct cpu *c, unsigned int size, u64 val);
enum exec stack_pop(struct cpu *c, unsigned int size, u64 *val);

/* RSP takes a value as the stack has it: of 16 bits, it leaves the others to
 * whoever can see them; of 32, it clears them. */
void stack_set(struct cpu *c, u64 sp);

/* Could size bytes be stored at stack pointer sp? Nothing is. */
enum exec stack_room(struct cpu *c, u64 sp, unsigned int size);

/* CR0, CR4, EFER, CR3 with all their checks (#GP) and side effects: TLB
 * flushes, mode changes. Used by MOV CRn, LMSW, CLTS and msr.c. */
enum exec cr0_write(struct cpu *c, u64 val);
enum exec cr3_write(struct cpu *c, u64 val);
enum exec cr4_write(struct cpu *c, u64 val);
enum exec efer_write(struct cpu *c, u64 val);

/* ---- mmu.c: translation, TLB, guest memory ---------------------------- */

void mmu_flush_all(struct cpu *c);          /* including global pages */
void mmu_flush_nonglobal(struct cpu *c);    /* CR3 write */
void mmu_flush_page(struct cpu *c, u64 la); /* INVLPG */

/* Select the TLB half for c->cpl and c->watch. */
void mmu_set_cpl(struct cpu *c);

/* Links to blocks are void: translations or code have changed. */
static inline void mmu_new_epoch(struct cpu *c, bool global)
{
    c->epoch[EPOCH_LOCAL]++;
    c->epoch[EPOCH_GLOBAL] += global;
}

/* Would the TLB entry of this code page survive a CR3 write? */
static inline bool mmu_is_global(const struct cpu *c, u64 la)
{
    unsigned int i = la >> 12 & (TLB_SIZE - 1);

    return !(c->tlb_local[c->cpl == 3][i / 64] >> i % 64 & 1);
}

/* Code was decoded from this page: no TLB entry may write it any more. The
 * owner, or another vCPU that is alone. */
void mmu_protect_code(struct cpu *c, u64 gpa);

/*
 * Loads and stores at a linear address, size 1, 2, 4 or 8, at CPL's rights;
 * crossing pages, MMIO and the LAPIC page are all served. A store that crosses
 * pages translates both before it writes a byte.
 */
enum exec mem_ld(struct cpu *c, u64 la, unsigned int size, u64 *val);
enum exec mem_st(struct cpu *c, u64 la, unsigned int size, u64 val);

/* The same with the rights of CPL 0: descriptor tables, TSS, stacks that a
 * delivery switches to. */
enum exec sys_ld(struct cpu *c, u64 la, unsigned int size, u64 *val);
enum exec sys_st(struct cpu *c, u64 la, unsigned int size, u64 val);

/* Likewise, and locked: set bits of the byte at la; of MMIO none. */
enum exec sys_set_bits(struct cpu *c, u64 la, u8 bits);

/* Blocks of up to 4096 bytes (FXSAVE, XSAVE, XMM, x87): all pages are
 * translated before the first byte moves. Alignment is the caller's check. */
enum exec mem_ld_buf(struct cpu *c, u64 la, void *buf, unsigned int len);
enum exec mem_st_buf(struct cpu *c, u64 la, const void *buf, unsigned int len);

/*
 * Translate [la, la + size), size <= 4096, for acc. EXEC_OK with *host set:
 * all of it is RAM in one page. EXEC_OK with *host NULL: it crosses a page or
 * is MMIO; every page was translated, so mem_ld/mem_st will not fault. A write
 * translation of a page with decoded code drops that code and sets c->smc;
 * the pointer is good until the next call of anything in mmu.c.
 */
enum exec mmu_host(struct cpu *c, u64 la, unsigned int size, enum access acc,
                   u8 **host);

/* Could it be accessed? Nothing is. */
enum exec mmu_probe(struct cpu *c, u64 la, unsigned int size, enum access acc);

/* Code page of a linear address: its physical address, and the host address
 * of la itself. EXEC_FAULT: #PF (or #GP) as an instruction fetch. *host NULL:
 * not RAM. Marks nothing. */
enum exec mmu_fetch(struct cpu *c, u64 la, u64 *gpa, const u8 **host);

/*
 * Inline fast path for accesses that hit, at any alignment. The entry is that
 * of the first byte and the comparison is with the last one's page, so what
 * crosses into another page misses.
 */
static inline u8 *tlb_hit(struct cpu *c, u64 la, unsigned int size,
                          enum access acc)
{
    const struct tlb_entry *e = &c->tlb[la >> 12 & (TLB_SIZE - 1)];
    u64 tag = acc == ACC_WRITE ? e->tag_w : e->tag_r;
    u8 *host;

    if (unlikely(((la + (size - 1)) & ~0xfffull) != tag))
        return NULL;
    host = (u8 *)(la + e->addend);
    if (!host)
        __builtin_unreachable(); /* so that callers test once */
    return host;
}

/* ---- block.c, run.c: decoded blocks and the run loop ------------------ */

int block_cache_new(struct cpu *c); /* part of interp_new */
void block_cache_free(struct cpu *c);
void block_cache_flush(struct cpu *c);
void block_drop_stale(struct cpu *c); /* at ATTN_CODE */

/* Bytes of a page with code are about to change: drop its blocks, and remember
 * it for code_tell_others(). The owner's thread only; other threads set
 * ATTN_CODE through mem_code_written(). */
void block_page_written(struct cpu *c, u64 gpa);

/* ---- code.c: pages with decoded code ----------------------------------- */

int code_new(struct cpu *c);
void code_free(struct cpu *c);

/* Has a vCPU decoded code from this guest page? */
bool code_is_in(const struct cpu *c, u64 gpa);

/* Code of this page is about to be decoded: before its first byte is read, so
 * that whoever writes later sees it. And: there is none any more. */
void code_mark(struct cpu *c, u64 gpa);
void code_unmark(struct cpu *c, u64 gpa);

/* The TLB is about to make this page writable; false: it must not, for the
 * page has code. */
bool code_claim(struct cpu *c, u64 gpa);

/* This vCPU is about to write to a page with code; when the instruction is
 * over, the others whose code it is hear of it. */
void code_note_others(struct cpu *c, u64 gpa);
void code_tell_others(struct cpu *c);

/* Somebody has written there: c, as ctx, is to drop what it has decoded. Also
 * mem.written: any thread. */
void code_written(void *ctx, u64 gpa, u64 len);

/* ---- alone.c: one vCPU, and the others between two instructions -------- */

/* From here on c may execute and change its TLB; waits while another vCPU is
 * alone. alone_leave(): no more. Around visits, and not in a sleep. */
void alone_enter(struct cpu *c);
void alone_leave(struct cpu *c);

/* At ATTN_STOP: let the other one. */
void alone_yield(struct cpu *c);

/* Between these no other vCPU of the machine is within an instruction. While
 * another one has that, c waits and counts as being between two itself. */
void alone_begin(struct cpu *c);
void alone_end(struct cpu *c);

/* ---- step.c ----------------------------------------------------------- */

/* Fetch, decode and execute one instruction at s.rip; on EXEC_OK rip has
 * advanced and icount counted. Faults are not delivered. */
enum exec step_one(struct cpu *c);

/* Execute a decoded instruction; s.rip and next_rip are set by the caller. */
enum exec insn_exec(struct cpu *c, struct insn *in);

/* ---- lapic.c, time.c, engine.c: the platform, absent in service mode --- */

/* Deliverable fixed interrupt: vector, or -1. lapic_accept() moves it from
 * IRR to ISR. */
int lapic_pending(struct cpu *c);
void lapic_accept(struct cpu *c, u8 vector);

/* xAPIC page at apic_base, 32-bit registers. */
u32 lapic_mmio_read(struct cpu *c, unsigned int off);
void lapic_mmio_write(struct cpu *c, unsigned int off, u32 val);
bool lapic_is_mmio(const struct cpu *c, u64 gpa);

u8 lapic_tpr_get(const struct cpu *c); /* CR8: TPR >> 4 */
void lapic_tpr_set(struct cpu *c, u8 cr8);

/* x2APIC MSRs 0x800..0x83f; false: #GP. */
bool lapic_msr_read(struct cpu *c, u32 msr, u64 *val);
bool lapic_msr_write(struct cpu *c, u32 msr, u64 val);

/*
 * At every poll_at: expire timers, take in posted interrupts, set the next
 * poll_at. icount horizon: 4096 instructions.
 */
void plat_poll(struct cpu *c);

/* Halted or waiting for SIPI: look out, then sleep, until the next deadline or
 * a poke. */
void plat_wait(struct cpu *c);

u64 time_tsc(struct cpu *c); /* guest TSC now */
void time_tsc_set(struct cpu *c, u64 tsc);
void time_kvmclock_set(struct cpu *c, u64 msr_value);  /* MSR 4B564D01 */
void time_wallclock_set(struct cpu *c, u64 msr_value); /* MSR 4B564D00 */

/* VMCALL, VMMCALL: RAX and its arguments. */
enum exec plat_hypercall(struct cpu *c);

/* ---- msr.c, cpuid.c --------------------------------------------------- */

enum exec msr_read(struct cpu *c, u32 msr, u64 *val); /* #GP if unknown */
enum exec msr_write(struct cpu *c, u32 msr, u64 val);
void cpuid_query(struct cpu *c, u32 leaf, u32 sub, u32 out[4]);

/* ---- fpu.c ------------------------------------------------------------ */

/* Before the first x87/SSE instruction of a visit: make s.xsave valid and put
 * MXCSR and the x87 unit into the host thread. */
void fpu_enter(struct cpu *c);

/* Store them back; called when interp_run() returns and before anybody reads
 * or replaces s.xsave. Cheap when nothing is live. */
void fpu_leave(struct cpu *c);

/* sigfpe.c: catch the unmasked exceptions of the stubs; process-wide, any
 * number of calls. A thread that runs guests must not block SIGFPE. */
void sigfpe_install(void);

/* Service mode: fetch parts (enum cpu_part bits) of the state at first use.
 * False: the host failed, treat as EXEC_UNKNOWN. */
static inline bool cpu_need(struct cpu *c, u32 parts)
{
    if (likely((c->have & parts) == parts))
        return true;
    if (c->run->fetch && c->run->fetch(c->run->ctx, parts & ~c->have) < 0)
        return false;
    c->have |= parts;
    return true;
}

/* Service: is an instruction that KVM should run better left to it? Not if it
 * is the first of the visit, which KVM has refused. */
static inline bool cpu_boundary(const struct cpu *c)
{
    return c->service && c->run->done > 0;
}

/* I/O permission: IOPL, then the bitmap of the TSS. #GP(0). */
enum exec io_check(struct cpu *c, u16 port, unsigned int size);

/*
 * The bus. All of src/interp runs on the vCPU's thread but is reached through
 * tables of handlers, which carry no attributes; the role is asserted by the
 * bus itself.
 */
TSA(no_thread_safety_analysis)
static inline u64 cpu_bus_read(struct cpu *c, enum bus_space space, u64 addr,
                               unsigned int size)
{
    return bus_read(c->bus, space, addr, size);
}

TSA(no_thread_safety_analysis)
static inline void cpu_bus_write(struct cpu *c, enum bus_space space, u64 addr,
                                 unsigned int size, u64 val)
{
    bus_write(c->bus, space, addr, size, val);
}

/* A handler has changed these parts. */
static inline void cpu_dirty(struct cpu *c, u32 parts)
{
    c->run->dirty |= parts;
}

#endif
