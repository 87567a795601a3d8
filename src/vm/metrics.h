/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h: the counters of a VM, told when it starts, every minute, and
 * when it ends. One timer on main's loop; a VM without metrics has none. All on
 * main.
 */
#ifndef MOTE_VM_METRICS_H
#define MOTE_VM_METRICS_H

#include "mote/loop.h"

#define VM_METRICS_MS 60000u /* Firecracker's */

typedef void vm_metrics_fn(void *ctx);

struct vm_metrics {
    struct loop_fd timer; /* fd -1: nobody wants any */
    unsigned int period_ms;
    vm_metrics_fn *tell;
    void *ctx;
};

/* 0 or a negative errno, already reported; vm_metrics_fini() is due then, too.
 * In vm_build(): a timer is made. */
int vm_metrics_init(struct vm_metrics *m, struct loop *loop,
                    unsigned int period_ms, vm_metrics_fn *tell, void *ctx);
void vm_metrics_fini(struct vm_metrics *m);

/* The vCPUs go: tell, and again every period. */
void vm_metrics_start(struct vm_metrics *m);

struct vm;

/* One line of metrics; a vm_metrics_fn. */
void vm_metrics_tell(void *vm);

#endif
