/* SPDX-License-Identifier: Apache-2.0 */
/* impl.h: the machine, for the parts of vm.c */
#ifndef MOTE_VM_IMPL_H
#define MOTE_VM_IMPL_H

#include <signal.h>

#include "mote/dev.h"
#include "mote/engine.h"
#include "mote/loop.h"
#include "mote/vcpu.h"
#include "mote/vm.h"

#include "deadline.h"
#include "devices.h"
#include "metrics.h"

struct vm {
    const struct config *cfg;
    struct vm_files files;
    sigset_t ends; /* the signals that main's loop is there for */
    struct power power;
    _Atomic(u32) reason; /* enum power_reason; the first report wins */
    u32 value;           /* written once, by whoever won */
    _Atomic(u32) cut; /* the same in one, of an end while output is drained */

    struct mem *mem;
    struct bus bus;
    struct engine *engine;

    struct irq serial_irq;
    struct serial *serial;
    struct irq i8042_irq;
    struct i8042 *i8042;
    bool asked; /* the guest, by Ctrl-Alt-Del, to end */
    struct boot_timer boot_timer;
    struct vm_devices devices;

    unsigned int nr_vcpus;
    struct vcpu *vcpu[ENGINE_VCPU_MAX];
    u64 initrd_gpa; /* where it is in mem already, or 0 */
    struct loader_result loaded;

    struct loop loop; /* main's: signals, until somebody reports the end */
    bool loop_ready;
    struct loop_fd signals;
    struct deadline deadline;
    struct vm_metrics metrics;
    bool stopped;           /* every thread was told to end */
    _Atomic(u32) holds;     /* of power_hold(); any thread counts */
    struct loop_fd on_hold; /* eventfd: that has changed */
    bool held;              /* main's: the vCPUs were told to */
    u64 held_looks;         /* of the idle deadline, meanwhile */
    u64 start_ns;
};

/* The documented exit status of its end: docs/exit-status.md. */
int vm_status(const struct vm *vm);

/* Is it KVM that runs it, and counts? */
bool vm_is_kvm(const struct vm *vm);

/* All of it into the exit record. */
void vm_record(const struct vm *vm);

/* Why it has ended, in one line. */
void vm_say_reason(const struct vm *vm);

/* Why its command has no status, if so. */
void vm_say_command(const struct vm *vm);

/* What it has done in the ns that it ran. */
void vm_say_summary(const struct vm *vm, u64 ns);

#endif
