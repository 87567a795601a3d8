/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h: what KVM and the interpreter both do. Call order: engine_*_new by
 * main; vcpu_new for each vCPU by main; set_state(CPU_ALL) for the first;
 * then run() again and again on the vCPU's own thread. After every vCPU thread
 * has ended: vcpu_free for each, then free.
 *
 * Devices never include this file.
 */
#ifndef MOTE_ENGINE_H
#define MOTE_ENGINE_H

#include "mote/bus.h"
#include "mote/config.h"
#include "mote/cpu_state.h"
#include "mote/irq.h"
#include "mote/mem.h"

#define ENGINE_VCPU_MAX 32

/* /dev/kvm: opened where there are paths, used where there are none. */
struct kvm_file {
    int fd;        /* or a negative errno */
    char why[160]; /* then: in one line, what is wrong and what to do */
};

/* Borrowed by the engine for its whole life. */
struct engine_env {
    struct mem *mem;
    struct bus *bus;
    unsigned int cpus;          /* 1..ENGINE_VCPU_MAX, APIC ids 0..cpus-1 */
    const struct kvm_file *kvm; /* NULL will do for the interpreter */
    u64 poll_ns; /* a halted vCPU's longest look before it sleeps: poll.h; KVM
                  * goes by the host's halt_poll_ns */
};

enum vcpu_exit_reason {
    VCPU_KICKED,   /* kick() was called; the state is complete */
    VCPU_SHUTDOWN, /* triple fault */
    VCPU_EMULATE,  /* KVM cannot execute the instruction at rip */
    VCPU_FAILED,   /* the engine cannot go on; see text */
};

struct vcpu_exit {
    enum vcpu_exit_reason reason;
    u8 insn[15];   /* VCPU_EMULATE: bytes at rip, for the log only */
    u8 insn_len;   /* how many of them are valid */
    char text[96]; /* VCPU_FAILED, VCPU_SHUTDOWN: what happened, no newline */
};

struct engine;
struct engine_vcpu;

/* Of the process so far; for the exit summary. Any thread. */
struct engine_stats {
    u64 exits; /* KVM_RUN returns; of these, to serve: */
    u64 pio_in, pio_out, mmio_read, mmio_write;
    /* The interpreter: instructions completed, and on its slow paths blocks
     * that were not there, walks of the page tables, stores that hit decoded
     * code, interrupts taken, ends of interrupt written, and moments in which
     * one vCPU was alone. */
    u64 insns, blocks, tlb_miss, smc, irqs, eois, alone;
};

struct engine_ops {
    const char *name; /* "kvm", "interp" */
    bool partial;     /* run() may end with VCPU_EMULATE */

    int (*vcpu_new)(struct engine *e, struct engine_vcpu **out,
                    unsigned int id);
    void (*vcpu_free)(struct engine_vcpu *v);

    /* The filter of its thread. */
    void (*filter)(const struct engine_vcpu *v, struct filter *out);

    /* Run until something needs vcpu.c; port and MMIO accesses were served
     * through the bus. Returns at once if kick() came before. VCPU_ONLY. */
    void (*run)(struct engine_vcpu *v, struct vcpu_exit *x);

    /* Make run() return soon; sticky until it did. Any thread. */
    void (*kick)(struct engine_vcpu *v);

    /* Move the parts (enum cpu_part bits) between the engine and *s. On the
     * vCPU's own thread, or on any thread while that is not started. */
    int (*get_state)(struct engine_vcpu *v, struct cpu_state *s, u32 parts);
    int (*set_state)(struct engine_vcpu *v, const struct cpu_state *s,
                     u32 parts);

    /* Connect a line to the IOAPIC. Main, before the first run(). */
    int (*irq_connect)(struct engine *e, struct irq *irq, u32 gsi);

    /* A 4-byte write of value to gpa means "signal fd": caught by the engine
     * itself (ioeventfd) if it can. Where it cannot, the write reaches the bus
     * and its handler signals. Main, before the first run(). NULL: it never
     * catches any. */
    int (*notify_connect)(struct engine *e, u64 gpa, u32 value, int fd);

    /* Stores of ours may have gone past KVM's shadow of the guest's page
     * tables: drop that shadow. On a vCPU's thread, outside run(); the other
     * vCPUs wait meanwhile. 1: dropped, 0: this KVM has none. NULL: the same.
     */
    int (*page_tables_written)(struct engine *e);

    void (*stats)(struct engine *e, struct engine_stats *out);
    void (*free)(struct engine *e);
};

struct engine {
    const struct engine_ops *ops;
};

/* 0 or a negative errno, already reported. */
int engine_kvm_new(struct engine **out, const struct engine_env *env);
int engine_interp_new(struct engine **out, const struct engine_env *env);

/*
 * The engine for kind: what was asked for, or the better of the two for
 * ENGINE_AUTO, with one line of log that says which and why. 0 or a negative
 * errno, already reported. Main.
 */
int engine_new(struct engine **out, enum engine_kind kind,
               const struct engine_env *env);

enum kvm_kind {
    KVM_NATIVE,   /* hardware virtualisation, or as good as */
    KVM_SOFTWARE, /* works, but runs guest kernels at interpreter speed */
    KVM_NONE,     /* absent, not permitted, busy, or too old */
};

struct kvm_probe {
    enum kvm_kind kind;
    int err;       /* KVM_NONE: negative errno */
    double mips;   /* measured CPL 0 speed, 0 if not measured */
    char why[160]; /* one line: what was found, and what to do about it */
};

/* What engine_new() would take: kind, or for ENGINE_AUTO the better of the two,
 * and why, in a line. A negative errno: there is no such KVM, and *why says
 * what to do. Reports nothing. */
struct engine_choice {
    enum engine_kind kind; /* never ENGINE_AUTO */
    char why[256];
};
int engine_choose(struct engine_choice *out, enum engine_kind kind,
                  const struct kvm_probe *probe);

/* Open /dev/kvm, if this KVM has what mote needs. Reports nothing. Main. */
void kvm_open(struct kvm_file *out);
void kvm_close(struct kvm_file *kvm); /* also when it is not open */

/* Find out what it is good for; under 10 ms. Starts nothing. Main. */
void kvm_probe(const struct kvm_file *kvm, struct kvm_probe *out);

#endif
