/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq.h: one interrupt line into the IOAPIC. Both engines write an eventfd or
 * set an atomic pin, so a device of any thread may call these; neither blocks.
 */
#ifndef MOTE_IRQ_H
#define MOTE_IRQ_H

#include "mote/base.h"

struct irq;

struct irq_ops {
    void (*raise)(struct irq *irq);
    void (*lower)(struct irq *irq);
};

/* Filled by the engine's irq_connect(); lives inside the device. */
struct irq {
    const struct irq_ops *ops;
    void *ctx;
    u32 gsi; /* = IOAPIC pin */
    int fd;  /* irqfd under KVM, -1 under the interpreter */
};

/* Edge-triggered lines: a raise is one edge; raising a line that is already
 * up is no second edge under the interpreter, so lower it in between. */
static inline void irq_raise(struct irq *irq)
{
    irq->ops->raise(irq);
}

static inline void irq_lower(struct irq *irq)
{
    irq->ops->lower(irq);
}

#endif
