/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline.h: when a VM is not to go on. One timer on main's loop, and the
 * kernel's own for CPU time; a VM without deadlines has neither, and one that
 * sleeps is woken by idle_ms only. All on main.
 */
#ifndef MOTE_DEADLINE_H
#define MOTE_DEADLINE_H

#include "mote/config.h"
#include "mote/loop.h"
#include "mote/power.h"

/* What CPU time sends, beside main's other signals. */
#define DEADLINE_SIGNAL SIGVTALRM

/* A number that grows whenever a device of the VM does something. */
typedef u64 deadline_activity_fn(void *ctx);

struct deadline_env {
    const struct deadline_config *cfg;
    struct loop *loop;
    struct power *power;
    deadline_activity_fn *activity; /* or NULL: as if nothing ever moved */
    void *ctx;
    bool command; /* the boot ends with the command's start, not with init's */
};

struct deadline {
    struct deadline_env env;
    struct loop_fd timer;       /* fd -1: there is nothing to wait for */
    u64 boot_ns, wall_ns;       /* CLOCK_MONOTONIC; 0: none, or done */
    u64 look_ns, look_every_ns; /* at idleness */
    u64 busy_ns;                /* when it was last seen to be */
    u64 activity, cpu_ns;       /* as they were then */
    u64 stop_ns;                /* a signal ends it */
    u32 stop_signal;
};

/* 0 or a negative errno, already reported; deadline_fini() is due then, too.
 * In vm_build(): a timer is made. */
int deadline_init(struct deadline *d, const struct deadline_env *env);
void deadline_fini(struct deadline *d);

/* The vCPUs go: time runs. */
void deadline_start(struct deadline *d);

/* DEADLINE_SIGNAL has come. */
void deadline_cpu(struct deadline *d);

/* The guest was asked to end, by this signal: it has stop_ms from now on, if
 * there is such a limit. Only the first time counts. */
void deadline_asked(struct deadline *d, u32 signal);

#endif
