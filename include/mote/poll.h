/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll.h: how long to look out for something before sleeping for it. A thread
 * that sleeps is back tens of microseconds after its wake-up, as its core has
 * gone to rest too; and whoever wakes it pays for a system call. Where waits
 * are shorter than that, looking is better than sleeping; where they are not,
 * it is a waste. So a wait begins with a look that is as long as the waits
 * before it suggest: KVM's adaptive halt polling (Linux,
 * Documentation/virt/kvm/halt-polling.rst), for vCPUs of the interpreter and
 * for device threads. Owned by one thread; no clock in here.
 */
#ifndef MOTE_POLL_H
#define MOTE_POLL_H

#include "mote/base.h"

/* The longest look of whoever waits for the other side of a device: KVM's
 * default. An answer mostly takes the guest tens of microseconds. */
#define POLL_MAX_NS 200000u

struct poll {
    u64 max_ns; /* of one look, and of a wait that is called short; 0: never */
    u64 ns;     /* of the next look; the owner reads it */
    u32 misses; /* looks in vain since the last that was not */
    u32 rest;   /* short waits to let pass before the next attempt */
    u32 pause;  /* the last rest's length */
};

/* Begins without looking. */
static inline void poll_init(struct poll *p, u64 max_ns)
{
    *p = (struct poll){.max_ns = max_ns};
}

/* A wait is over that has taken waited_ns, the look of p->ns included: settle
 * how long the next one looks. */
void poll_waited(struct poll *p, u64 waited_ns);

/* The wait was for nothing: whoever ended it had nothing for us. */
static inline void poll_fooled(struct poll *p)
{
    p->ns = 0;
}

#endif
