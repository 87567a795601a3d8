/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dev.h: the legacy devices of the machine model, each one call for vm.c.
 * A device owns its state, claims its ranges on the bus and outlives the vCPU
 * threads. All are created and freed by main; port accesses arrive on vCPU
 * threads. 0 or a negative errno, already reported.
 */
#ifndef MOTE_DEV_H
#define MOTE_DEV_H

#include "mote/bus.h"
#include "mote/chr.h"
#include "mote/irq.h"
#include "mote/power.h"

#define SERIAL_PORT     0x3f8 /* COM1 */
#define SERIAL_GSI      4
#define I8042_GSI       1
#define I8042_PORT_DATA 0x60
#define I8042_PORT_CMD  0x64
#define CMOS_PORT       0x70 /* index, +1 data */
#define EXIT_PORT       0xf4
#define SLEEP_PORT      0x600 /* ACPI sleep control, +1 status, +2 reset */
#define BOOT_TIMER_BASE 0xc0000000ull
#define VIRTIO_BASE     0xc0001000ull /* + n * 0x1000, GSI 5 + n */
#define VIRTIO_GSI      5

/*
 * 16550A at COM1 with its own device thread for the host side. Output goes
 * through a fixed ring: a vCPU never waits for the terminal; what does not fit
 * is dropped and counted. irq is connected by the caller before start.
 */
struct serial;
int serial_new(struct serial **out, struct bus *bus, struct irq *irq,
               struct chr *chr);
int serial_start(struct serial *s);
void serial_stop(struct serial *s); /* drains for at most 200 ms, then joins */
void serial_free(struct serial *s); /* stops it first; NULL is fine */

struct serial_stats {
    u64 tx_bytes; /* written by the guest */
    u64 dropped;  /* of these, lost: the ring was full, the host or a limit */
    u64 first_ns; /* CLOCK_MONOTONIC at the first byte, 0 if none yet */
};
void serial_stats(struct serial *s, struct serial_stats *out);

/* The last lines the guest wrote, newest last, at most len - 1 bytes and a
 * NUL, control characters as dots. For reports; any thread. */
size_t serial_tail(struct serial *s, char *buf, size_t len);

/*
 * Keyboard controller: the reset line, and a keyboard for one thing; it answers
 * the commands of a driver's probe at once. irq: I8042_GSI, connected by the
 * caller.
 */
struct i8042;
int i8042_new(struct i8042 **out, struct bus *bus, struct power *power,
              struct irq *irq);
void i8042_free(struct i8042 *k);

/* Somebody types that: the guest is to end itself, if it has a driver for it
 * and listens. Any thread. */
void i8042_ctrl_alt_del(struct i8042 *k);

/* A byte v written to EXIT_PORT ends mote with status (v << 1 | 1) & 0xff. */
int exit_port_new(struct bus *bus, struct power *power);

/* Where an RTC would be: answers so that a driver goes away at once. */
int cmos_new(struct bus *bus);

/* ACPI sleep control (S5) and reset registers, as the FADT describes them. */
int acpi_power_new(struct bus *bus, struct power *power);

/* A write of 123 to BOOT_TIMER_BASE marks "init reached"; the time is logged
 * as Firecracker does when log is set. start_ns: CLOCK_MONOTONIC at start. */
struct boot_timer {
    u64 start_ns;
    u64 start_cpu_ns;
    bool log;
    _Atomic(u64) reached_ns; /* vCPU sets, main reads; 0: not yet */
};
int boot_timer_new(struct bus *bus, struct boot_timer *bt);

#endif
