/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h: what KVM refuses, the interpreter runs. One service per vCPU,
 * owned by its thread.
 */
#ifndef MOTE_SERVICE_H
#define MOTE_SERVICE_H

#include "mote/interp.h"
#include "mote/vcpu.h"

/* Upper bounds of a visit, as powers of two of instructions: interrupts wait
 * that long while the LAPIC is KVM's. The second where a visit ends with
 * dropping KVM's shadow page tables, which has to pay. */
#define SERVICE_BITS        16u
#define SERVICE_BITS_SHADOW 20u

#define SERVICE_OPCODES 64

/* Refused opcodes and how often; the last slot takes what finds no room. */
struct service_opcode {
    const char *name;
    u64 count;
};

/* How long the next visit may be; see service_budget(). */
struct service_backoff {
    u64 len;     /* budget of the last visit */
    u64 back_ns; /* when KVM got the vCPU back */
    u64 cost_ns; /* of a visit, moving average */
    u32 near;    /* visits in a row that came straight back */
    u32 hold;    /* visits that stay at one instruction */
    u32 penalty; /* the last hold */
    bool shadow; /* more than one instruction costs KVM's shadow */
};

struct service {
    struct cpu *cpu;
    struct engine *engine;
    struct engine_vcpu *vcpu; /* of the engine */
    unsigned int id;
    struct service_backoff backoff;
    u64 window_ns; /* start of the second that is being looked at */
    u64 busy_ns;   /* spent in visits within it */
    bool warned;
    struct vcpu_stats stats;
    struct service_opcode opcode[SERVICE_OPCODES];
};

enum service_end {
    SERVICE_BACK,     /* KVM goes on */
    SERVICE_SHUTDOWN, /* triple fault */
    SERVICE_FAILED,   /* already reported */
};

int service_init(struct service *s, const struct vcpu_env *env,
                 struct engine_vcpu *vcpu, unsigned int id);
void service_fini(struct service *s);

/* After VCPU_EMULATE: take the state, run, give it back. */
VCPU_ONLY enum service_end service_visit(struct service *s,
                                         const struct vcpu_exit *x);

/* Any thread: a visit under way ends soon. */
void service_poke(struct service *s);

/* "int3 17, xsave 3": the most frequent first. */
void service_why(const struct service *s, char *buf, size_t len);

/* Budget of a visit that begins at now_ns, and what has become of it. */
u64 service_budget(struct service_backoff *b, u64 now_ns);
void service_spent(struct service_backoff *b, u64 start_ns, u64 end_ns,
                   u64 done);

#endif
