/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interp.h: the x86-64 interpreter on one cpu_state. Used by src/vcpu.c to run
 * what KVM refuses (service mode), by the interp engine for whole guests, and
 * by tests.
 */
#ifndef MOTE_INTERP_H
#define MOTE_INTERP_H

#include "mote/bus.h"
#include "mote/cpu_state.h"
#include "mote/mem.h"

struct cpu; /* one vCPU of the interpreter */

enum interp_stop {
    INTERP_BUDGET,   /* ran what was asked for */
    INTERP_EVENT,    /* poked */
    INTERP_BOUNDARY, /* service: the next instruction belongs to KVM */
    INTERP_SHUTDOWN, /* triple fault */
    INTERP_UNKNOWN,  /* not implemented; state untouched, bytes in run->insn */
    INTERP_HALT,     /* halted or waiting for SIPI, and INTERP_NO_WAIT given */
};

enum interp_flags {
    INTERP_STEP = 1u << 0,    /* no blocks: the step tier only */
    INTERP_NO_WAIT = 1u << 1, /* return INTERP_HALT instead of sleeping */
};

struct interp_run {
    u64 budget;   /* in: at most this many instructions */
    u32 flags;    /* in: enum interp_flags */
    u64 done;     /* out: instructions completed */
    u32 dirty;    /* out: enum cpu_part bits that were changed */
    bool wrote_k; /* out: RAM was written at CPL 0 */
    u8 insn[15];  /* out: INTERP_UNKNOWN: the bytes */
    u8 insn_len;
    /* service: make these parts of the state valid, at their first use.
     * NULL: all parts are valid already. */
    int (*fetch)(void *ctx, u32 parts);
    void *ctx;
};

/*
 * mem and bus are borrowed. service: on KVM's behalf; LAPIC, clock and paging
 * control are KVM's, and no translation is kept from one visit to the next. All
 * memory the interpreter will ever use is reserved here (address space; pages
 * come with use). 0 or a negative errno, already reported.
 */
struct interp_env {
    struct mem *mem;
    struct bus *bus;
    unsigned int id; /* APIC id */
    unsigned int cpus;
    bool service;
};
int interp_new(struct cpu **out, const struct interp_env *env);
void interp_free(struct cpu *c);

/* The state it runs on. Complete and writable whenever interp_run() is not
 * active; after changing it call interp_state_changed(). */
struct cpu_state *interp_state(struct cpu *c);
void interp_state_changed(struct cpu *c);

/*
 * Run. On return the state is complete: RIP exact, RFLAGS and the FPU image
 * stored. Always from one and the same thread (the x87 unit and MXCSR of the
 * host thread hold guest values while it runs).
 */
VCPU_ONLY enum interp_stop interp_run(struct cpu *c, struct interp_run *run);

/* Make interp_run() return INTERP_EVENT soon, also from its sleep. Sticky
 * until it did. Any thread, also a signal handler. */
void interp_poke(struct cpu *c);

/* The mnemonic of an instruction of 64-bit code, "xsavec"; NULL: the
 * interpreter does not know it, or needs more bytes. Any thread. */
const char *interp_mnemonic(const u8 *insn, unsigned int len);

/* Reset state of a processor: the BSP's, or an AP waiting for SIPI. */
void cpu_state_reset(struct cpu_state *s, unsigned int id);

#endif
