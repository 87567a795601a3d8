/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioapic.c: 24 pins to LAPIC messages, after the 82093AA data sheet. No lock:
 * a pin is a bit, a redirection entry one atomic word. Every path changes one
 * of the two first and looks at the other then, so whoever comes second sees
 * that a level interrupt is due; remote IRR, taken by compare-exchange, makes
 * it go out once.
 */
#include "platform.h"

#define IOREGSEL 0x00
#define IOWIN    0x10

#define IOAPIC_REG_ID  0
#define IOAPIC_REG_VER 1
#define IOAPIC_REG_ARB 2
#define IOAPIC_REG_RED 0x10
#define IOAPIC_VERSION (0x11 | (IOAPIC_PINS - 1) << 16)

#define RED_VECTOR     0xffull
#define RED_MODE_SHIFT 8
#define RED_LOGICAL    (1ull << 11)
#define RED_REMOTE_IRR (1ull << 14)
#define RED_LEVEL      (1ull << 15)
#define RED_MASKED     (1ull << 16)
#define RED_DEST_SHIFT 56
#define RED_WRITABLE   0xff0000000001afffull /* all but status, remote IRR */

static void ioapic_send(struct machine *m, u64 e)
{
    struct apic_msg msg = {.dest = (u32)(e >> RED_DEST_SHIFT),
                           .vector = (u8)(e & RED_VECTOR),
                           .mode = e >> RED_MODE_SHIFT & 7,
                           .logical = e & RED_LOGICAL,
                           .level = e & RED_LEVEL,
                           .ioapic = true};

    apic_send(m, NULL, &msg);
}

/* A level pin may be due: send unless masked, low or already in service. */
static void ioapic_level_check(struct machine *m, unsigned int pin)
{
    struct ioapic *io = &m->ioapic;
    u64 e = atomic_load(&io->entry[pin]);

    do {
        if (!(e & RED_LEVEL) || e & (RED_MASKED | RED_REMOTE_IRR) ||
            !(atomic_load(&io->levels) >> pin & 1))
            return;
    } while (
        !atomic_compare_exchange_weak(&io->entry[pin], &e, e | RED_REMOTE_IRR));
    ioapic_send(m, e);
}

/* An edge on a masked pin is lost (82093AA, 3.2.4, bit 16). */
static void ioapic_edge(struct machine *m, unsigned int pin)
{
    u64 e = atomic_load(&m->ioapic.entry[pin]);

    if (!(e & (RED_MASKED | RED_LEVEL)))
        ioapic_send(m, e);
}

void ioapic_pin(struct machine *m, unsigned int pin, bool up)
{
    u32 bit = 1u << pin;

    if (!up) {
        atomic_fetch_and(&m->ioapic.levels, ~bit);
        return;
    }
    if (!(atomic_fetch_or(&m->ioapic.levels, bit) & bit))
        ioapic_edge(m, pin);
    ioapic_level_check(m, pin);
}

void ioapic_eoi(struct machine *m, u8 vector)
{
    for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
        u64 e = atomic_load(&m->ioapic.entry[pin]);

        if (!(e & RED_LEVEL) || (e & RED_VECTOR) != vector)
            continue;
        atomic_fetch_and(&m->ioapic.entry[pin], ~RED_REMOTE_IRR);
        ioapic_level_check(m, pin);
    }
}

static u32 ioapic_reg_read(struct ioapic *io, u32 reg)
{
    u32 pin = (reg - IOAPIC_REG_RED) / 2; /* below 10h: too large */

    if (reg == IOAPIC_REG_ID || reg == IOAPIC_REG_ARB)
        return atomic_load(&io->id);
    if (reg == IOAPIC_REG_VER)
        return IOAPIC_VERSION;
    if (pin >= IOAPIC_PINS)
        return 0;
    return (u32)(atomic_load(&io->entry[pin]) >> (reg & 1) * 32);
}

/* Half of an entry. Making it edge-triggered also drops remote IRR: the only
 * way to get rid of a level interrupt whose EOI never comes. */
static void ioapic_entry_write(struct machine *m, u32 reg, u32 val)
{
    u32 pin = (reg - IOAPIC_REG_RED) / 2, shift = (reg & 1) * 32;
    u64 mask = (0xffffffffull << shift) & RED_WRITABLE, old, new;

    if (pin >= IOAPIC_PINS)
        return;
    old = atomic_load(&m->ioapic.entry[pin]);
    do {
        new = (old & ~mask) | ((u64)val << shift & mask);
        if (!(new &RED_LEVEL))
            new &= ~RED_REMOTE_IRR;
    } while (!atomic_compare_exchange_weak(&m->ioapic.entry[pin], &old, new));
    ioapic_level_check(m, pin);
}

static u64 ioapic_read(void *dev, u64 off, unsigned int size)
{
    struct machine *m = dev;
    u32 reg = atomic_load(&m->ioapic.select);

    if (off == IOREGSEL)
        return reg;
    return off == IOWIN ? ioapic_reg_read(&m->ioapic, reg) : 0;
}

static void ioapic_write(void *dev, u64 off, unsigned int size, u64 val)
{
    struct machine *m = dev;
    u32 reg = atomic_load(&m->ioapic.select);

    if (off == IOREGSEL)
        atomic_store(&m->ioapic.select, (u8)val);
    else if (off == IOWIN && reg == IOAPIC_REG_ID)
        atomic_store(&m->ioapic.id, (u32)val & 0x0f000000);
    else if (off == IOWIN)
        ioapic_entry_write(m, reg, (u32)val);
}

const struct bus_ops ioapic_bus_ops = {
    .read = ioapic_read,
    .write = ioapic_write,
};

static void ioapic_raise(struct irq *irq)
{
    ioapic_pin(irq->ctx, irq->gsi, true);
}

static void ioapic_lower(struct irq *irq)
{
    ioapic_pin(irq->ctx, irq->gsi, false);
}

const struct irq_ops ioapic_irq_ops = {
    .raise = ioapic_raise,
    .lower = ioapic_lower,
};

void ioapic_init(struct ioapic *io)
{
    memset(io, 0, sizeof(*io));
    for (unsigned int i = 0; i < IOAPIC_PINS; i++)
        atomic_store(&io->entry[i], RED_MASKED);
}
