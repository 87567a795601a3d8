/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu.h: a vCPU thread. It runs its engine, hands what KVM refuses to the
 * interpreter with exponential back-off, and reports the end of the guest.
 */
#ifndef MOTE_VCPU_H
#define MOTE_VCPU_H

#include "mote/engine.h"
#include "mote/power.h"

struct vcpu;

struct vcpu_stats {
    u64 visits;    /* hand-overs from KVM to the interpreter */
    u64 emulated;  /* instructions the interpreter ran for KVM */
    u64 unknown;   /* answered with #UD: no engine could run them */
    char why[160]; /* most frequent refused opcodes with counts, "" if none */
};

/* Text for reports beyond the registers: the console's tail. */
typedef size_t vcpu_tail_fn(void *ctx, char *buf, size_t len);

struct vcpu_env {
    struct engine *engine;
    struct engine_env env;
    struct power *power;
    vcpu_tail_fn *tail; /* or NULL */
    void *tail_ctx;
};

/* Create vCPU id in its engine. 0 or a negative errno, already reported.
 * Main. */
int vcpu_new(struct vcpu **out, const struct vcpu_env *env, unsigned int id);

/* Start its thread, which allocates nothing and waits for vcpu_go(). */
int vcpu_start(struct vcpu *v);

/* Let it run: from this state, the caller's until the thread has ended, or as
 * an AP that waits for INIT/SIPI (NULL). Main, once. */
void vcpu_go(struct vcpu *v, const struct cpu_state *boot);

/* The calling thread's vCPU, if it has one, runs no further instruction. */
void vcpu_leave(void);

/* The kind of filter of its thread. */
enum filter_kind vcpu_filter(const struct vcpu *v);

/* Ask the thread to end, any thread; then wait for it, main. */
void vcpu_stop(struct vcpu *v);
void vcpu_join(struct vcpu *v);

/*
 * Ask the thread to run no guest code until vcpu_resume(); a vCPU that waits
 * for a device comes back from that first. vcpu_wait_paused() returns when it
 * holds still with its state complete, or has ended. A guest sees that the
 * clock went on. Main; only the last one waits.
 */
void vcpu_pause(struct vcpu *v);
void vcpu_resume(struct vcpu *v);
void vcpu_wait_paused(struct vcpu *v);
void vcpu_stats(const struct vcpu *v, struct vcpu_stats *out);
void vcpu_free(struct vcpu *v);

/* Registers, instruction bytes and the console tail, as log_error lines. */
void vcpu_report(const struct vcpu_env *env, unsigned int id,
                 const char *reason, const struct cpu_state *s, const u8 *insn,
                 unsigned int len);

#endif
