/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.h: what KVM has inside and the interpreter therefore brings along:
 * clock, LAPICs, IOAPIC. Private to clock.c time.c lapic.c smp.c ioapic.c
 * msr.c engine.c and their tests.
 *
 * Who touches what. A vCPU's registers (s.lapic, struct lapic below its line)
 * belong to its own thread. Everybody else posts: OR into an atomic of the
 * target, then cpu_notify(). Two exceptions read across threads: destination
 * matching loads ID, LDR, DFR, SVR and APIC_BASE of the target. Those are
 * single aligned words, and a guest that changes them while interrupts are
 * on their way has the same race on hardware.
 */
#ifndef MOTE_INTERP_PLATFORM_H
#define MOTE_INTERP_PLATFORM_H

#include "cpu.h"
#include "mote/poll.h"

#define NSEC_PER_SEC 1000000000ull

/* ---- clock.c: the time base of a machine ------------------------------- */

/*
 * Ticks are those of the host's TSC where it is invariant, else nanoseconds of
 * CLOCK_MONOTONIC. Constant after clock_settle(). Tests replace the functions.
 */
struct clock {
    u64 (*now)(void);     /* ticks */
    u64 (*wall_ns)(void); /* since 1970 */
    u64 hz;               /* of ticks; 0 until settled */
    u64 base;             /* ticks when the machine was made: kvmclock's zero */
    u64 ref_ns;           /* CLOCK_MONOTONIC_RAW at base */
    bool host_tsc;        /* ticks are the host's TSC */
};

void clock_init(struct clock *clk);

/* Fix hz. Measured from clock_init() to now, at least 3 ms: so it is cheap when
 * a kernel was loaded in between. Before the first vCPU runs. */
void clock_settle(struct clock *clk);

u64 clock_to_ns(const struct clock *clk, u64 ticks); /* rounds down */
u64 clock_to_ticks(const struct clock *clk, u64 ns); /* rounds up */

/* ---- lapic.c ----------------------------------------------------------- */

enum lapic_reg { /* xAPIC offsets; x2APIC MSR 0x800 + offset / 16 */
                 LAPIC_ID = 0x20,
                 LAPIC_VER = 0x30,
                 LAPIC_TPR = 0x80,
                 LAPIC_APR = 0x90,
                 LAPIC_PPR = 0xa0,
                 LAPIC_EOI = 0xb0,
                 LAPIC_RRD = 0xc0,
                 LAPIC_LDR = 0xd0,
                 LAPIC_DFR = 0xe0,
                 LAPIC_SVR = 0xf0,
                 LAPIC_ISR = 0x100,
                 LAPIC_TMR = 0x180,
                 LAPIC_IRR = 0x200,
                 LAPIC_ESR = 0x280,
                 LAPIC_ICR = 0x300,
                 LAPIC_ICR2 = 0x310,
                 LAPIC_LVT_TIMER = 0x320,
                 LAPIC_LVT_THERMAL = 0x330,
                 LAPIC_LVT_PC = 0x340,
                 LAPIC_LVT_LINT0 = 0x350,
                 LAPIC_LVT_LINT1 = 0x360,
                 LAPIC_LVT_ERROR = 0x370,
                 LAPIC_TMICT = 0x380,
                 LAPIC_TMCCT = 0x390,
                 LAPIC_TDCR = 0x3e0,
                 LAPIC_SELF = 0x3f0, /* x2APIC only */
};

#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_EXTD   (1ull << 10) /* x2APIC */
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_ADDR   0xfffffff000ull /* 40 physical bits */
#define APIC_BASE_RESET  0xfee00000ull

#define LAPIC_SVR_ENABLE (1u << 8)
#define LVT_MASKED       (1u << 16)

enum apic_mode { /* delivery modes of ICR, LVT and redirection entries */
                 APIC_FIXED,
                 APIC_LOWEST,
                 APIC_SMI,
                 APIC_RESERVED,
                 APIC_NMI,
                 APIC_INIT,
                 APIC_SIPI,
                 APIC_EXTINT,
};

#define TIMER_OFF (~0ull)

/* One per vCPU: what the register page does not hold. */
struct lapic {
    /* Anybody sets, the owner takes. Interrupts: [0] edge, [1] level. */
    _Atomic(u32) posted[2][8];
    _Atomic(u32) sipi;   /* vector of the last SIPI */
    _Atomic(u32) kicked; /* KVM_HC_KICK_CPU: the next HLT ends at once */

    /* ---- the owner's alone ---- */
    u32 esr;        /* errors since the last write of ESR */
    u64 expires;    /* timer: ticks, or TIMER_OFF */
    u64 tsc_offset; /* guest TSC = ticks + this */
    u32 pv_version; /* of the kvmclock page */
    bool pv_eoi;    /* the guest may end its interrupt by its word */
    struct poll halt;
};

static inline u32 lapic_get(const struct cpu *c, unsigned int reg)
{
    return __atomic_load_n((const u32 *)(const void *)(c->s.lapic + reg),
                           __ATOMIC_RELAXED);
}

static inline void lapic_set(struct cpu *c, unsigned int reg, u32 val)
{
    __atomic_store_n((u32 *)(void *)(c->s.lapic + reg), val, __ATOMIC_RELAXED);
}

/* Any thread; the owner writes it. */
static inline u64 lapic_base(const struct cpu *c)
{
    return __atomic_load_n(&c->s.apic_base, __ATOMIC_RELAXED);
}

static inline bool lapic_is_x2(const struct cpu *c)
{
    return lapic_base(c) & APIC_BASE_EXTD;
}

/* Registers as after RESET; s.apic_base says in which mode. */
void lapic_regs_reset(struct cpu_state *s, unsigned int id);

/* The same with what was posted, and the timer off; at INIT, and when the APIC
 * is switched off. */
void lapic_reset(struct cpu *c);

/* MSR 1B; false: #GP. */
bool lapic_base_write(struct cpu *c, u64 val);

/* A local source (a LVT register) wants attention. */
void lapic_lvt_fire(struct cpu *c, unsigned int lvt);

/* Take in what others have posted. */
void lapic_take(struct cpu *c);

/* Set or clear ATTN_IRQ by what is deliverable now. */
void lapic_update(struct cpu *c);

/* End the interrupt in service of the highest priority. */
void lapic_retire(struct cpu *c);

/* s.lapic, s.cr8 <-> what runs. Around the engine's get_state, set_state. */
void lapic_save(struct cpu *c);
void lapic_load(struct cpu *c);

/* ---- pv_eoi.c ---------------------------------------------------------- */

/* Has the guest ended its interrupt by its word? wanted: if not, it shall do so
 * by a write of EOI. */
void pv_eoi_sync(struct cpu *c, bool wanted);

/* An interrupt is delivered whose end may be told by the word. */
void pv_eoi_offer(struct cpu *c);

/* MSR 4B564D04; false: #GP. */
bool pv_eoi_set(struct cpu *c, u64 msr);

/* ---- smp.c: messages between APICs, any thread ------------------------- */

enum apic_shorthand { APIC_DEST, APIC_SELF, APIC_ALL, APIC_OTHERS };

struct apic_msg {
    u32 dest;
    u8 vector;
    u8 mode; /* enum apic_mode */
    bool logical;
    bool level;
    bool ioapic;  /* dest has 8 bits: ff is broadcast in x2APIC mode too */
    u8 shorthand; /* enum apic_shorthand */
};

/* from: the sending vCPU, NULL for the IOAPIC. */
void apic_send(struct machine *m, const struct cpu *from,
               const struct apic_msg *msg);

/* Is this vCPU addressed (shorthand aside)? */
bool apic_matches(const struct cpu *c, const struct apic_msg *msg);

/* Set attn bits of a vCPU, end its block soon, and its sleep. */
void cpu_notify(struct cpu *c, u32 attn);

/* INIT: as after RESET, but for what SDM vol. 3A table 10-1 keeps; waits for
 * SIPI. The first vCPU's would be the machine's reset. */
void cpu_init(struct cpu *c);
void cpu_sipi(struct cpu *c);

/* ---- ioapic.c ---------------------------------------------------------- */

#define IOAPIC_BASE 0xfec00000ull
#define IOAPIC_LEN  0x1000ull
#define IOAPIC_PINS 24

struct ioapic {
    _Atomic(u32) select; /* IOREGSEL */
    _Atomic(u32) id;
    _Atomic(u32) levels;             /* of the pins */
    _Atomic(u64) entry[IOAPIC_PINS]; /* the redirection table */
};

extern const struct bus_ops ioapic_bus_ops; /* dev is the struct machine */
extern const struct irq_ops ioapic_irq_ops; /* ctx is the struct machine */

void ioapic_init(struct ioapic *io);
void ioapic_pin(struct machine *m, unsigned int pin, bool up); /* any thread */
void ioapic_eoi(struct machine *m, u8 vector); /* broadcast by a LAPIC */

/* ---- time.c ------------------------------------------------------------ */

void timer_start(struct cpu *c, u32 count);      /* write of TMICT */
u32 timer_current(const struct cpu *c);          /* read of TMCCT */
void timer_set_divide(struct cpu *c, u32 tdcr);  /* write of TDCR */
void timer_set_lvt(struct cpu *c, u32 lvt);      /* write of the timer's LVT */
void timer_set_deadline(struct cpu *c, u64 tsc); /* MSR 6E0 */
void timer_load(struct cpu *c);                  /* from s: re-arm */

/* ---- the machine ------------------------------------------------------- */

struct machine {
    struct clock clock;
    struct ioapic ioapic;
    _Atomic(u32) arb;   /* turns lowest-priority arbitration round */
    _Atomic(u32) alone; /* a vCPU is, or becomes so; the others wait for 0 */
    unsigned int nr_cpus;
    struct cpu *cpu[ENGINE_VCPU_MAX]; /* set before anything runs */
};

/* The vCPU after o, other than c; o NULL: the first. NULL: no more. */
static inline struct cpu *cpu_next_other(const struct cpu *c,
                                         const struct cpu *o)
{
    unsigned int i = o ? o->id + 1 : 0;

    for (; c->machine && i < c->machine->nr_cpus; i++)
        if (c->machine->cpu[i] != c && c->machine->cpu[i])
            return c->machine->cpu[i];
    return NULL;
}

#endif
