/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: what is known of a VM when it has ended. One page, shared by the
 * monitor, which fills it in as it goes, and the supervisor, which writes it
 * out as JSON however the monitor ended. The supervisor believes nothing in it:
 * strings are cut and escaped, numbers are numbers.
 */
#ifndef MOTE_RECORD_H
#define MOTE_RECORD_H

#include "mote/base.h"

/* The timeline; microseconds of CLOCK_MONOTONIC since RECORD_EXEC. */
enum record_stamp {
    RECORD_EXEC,   /* main() begins */
    RECORD_CONFIG, /* the configuration is read and checked */
    RECORD_OPENED,
    RECORD_LOADED,       /* the kernel is in memory */
    RECORD_FIRST_INSN,   /* the first vCPU goes */
    RECORD_FIRST_BYTE,   /* of the console */
    RECORD_INIT,         /* the guest's init says so: boot timer, mote's init */
    RECORD_COMMAND,      /* the command was executed */
    RECORD_FIRST_OUTPUT, /* of the command */
    RECORD_END,
    RECORD_STAMPS
};

/* Why it ended, in the record's and the documentation's words. */
enum record_reason {
    REASON_NONE,
    REASON_COMMAND_EXIT,
    REASON_COMMAND_SIGNAL,
    REASON_COMMAND_LOST, /* it could not be run, or the guest ended without */
    REASON_GUEST_SHUTDOWN,
    REASON_GUEST_REBOOT,
    REASON_GUEST_PANIC,
    REASON_TRIPLE_FAULT,
    REASON_EXIT_PORT,
    REASON_DEADLINE_BOOT,
    REASON_DEADLINE_WALL,
    REASON_DEADLINE_CPU,
    REASON_DEADLINE_IDLE,
    REASON_SIGNAL,
    REASON_ESCAPE,
    REASON_DISK_ERROR,
    REASON_BAD_SYSCALL,
    REASON_HOST_ERROR,
    REASON_CONFIG_ERROR,
    REASON_OOM,
    REASONS
};

/* The first of its kind counts; later ones are ignored. Any thread, any time
 * from record_init() on; never blocks. */
void record_stamp(enum record_stamp which);

#endif
