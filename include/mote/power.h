/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power.h: how a VM ends, or holds still. Devices, engines and main all report
 * the end through one call; the first report wins and is what the exit line and
 * status say.
 */
#ifndef MOTE_POWER_H
#define MOTE_POWER_H

#include "mote/base.h"

enum power_reason {
    POWER_NONE,
    POWER_OFF,          /* ACPI S5 */
    POWER_RESET,        /* i8042 reset line or ACPI reset register */
    POWER_TRIPLE_FAULT, /* shutdown cycle of a vCPU */
    POWER_EXIT_PORT,    /* a guest program wrote the exit port */
    POWER_SIGNAL,       /* the operator: SIGTERM, SIGINT, SIGHUP */
    POWER_ESCAPE,       /* the operator: Ctrl-A x */
    POWER_ENGINE_ERROR, /* the engine cannot go on; already reported */
    POWER_DISK_ERROR,   /* the host failed a disk's request; already reported */
    POWER_COMMAND,      /* the command has ended, and its output is out */
    POWER_DEADLINE,     /* value: which */
};

enum power_deadline {
    DEADLINE_BOOT,
    DEADLINE_WALL,
    DEADLINE_CPU,
    DEADLINE_IDLE,
};

struct power {
    /* Any thread; never blocks. value: exit port's byte, signal number,
     * enum power_deadline. */
    void (*end)(struct power *p, enum power_reason reason, u32 value);
    /* The vCPUs run, from soon on, while nobody holds them: a release for
     * every hold. Any thread; does not wait. */
    void (*hold)(struct power *p);
    void (*release)(struct power *p);
};

static inline void power_end(struct power *p, enum power_reason reason,
                             u32 value)
{
    p->end(p, reason, value);
}

static inline void power_hold(struct power *p)
{
    p->hold(p);
}

static inline void power_release(struct power *p)
{
    p->release(p);
}

#endif
