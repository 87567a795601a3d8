/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: what is known of a VM when it has ended. Some pages, shared by the
 * monitor, which fills them in as it goes, and the supervisor, which writes
 * them out as JSON however the monitor ended. The supervisor believes nothing
 * in them: strings are cut and escaped, numbers are numbers.
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

/* Make the pages, and stamp RECORD_EXEC. Before it (in a unit test) all of the
 * functions below do nothing. Main, before sandbox_enter(). */
void record_init(void);

/* ---- the monitor's; any thread, and they never block --------------------- */

/* The first of its kind counts; later ones are ignored. */
void record_stamp(enum record_stamp which);

/* CLOCK_MONOTONIC in ns of a stamp; 0: not yet. */
u64 record_stamped(enum record_stamp which);

/* Bytes the guest wrote to its console: what a panic's text and the last lines
 * are taken from. */
void record_console(const u8 *bytes, size_t len);

/* The CPU time of the calling thread, which ends. */
void record_thread(const char *name);

/* A line that reports an error, for log.c; the first one counts. Also the
 * supervisor's. */
void record_error(const char *line);

/* ---- the monitor's, on main ---------------------------------------------- */

void record_engine(const char *name, const char *why);

/* One layer of the isolation in force: "landlock". */
void record_layer(const char *name);
void record_level(const char *name, const char *missing);

struct record_device {
    const char *kind, *name;
    u64 requests, bytes_in, bytes_out, errors, dropped;
};
void record_device(const struct record_device *d);

struct record_counts {
    u64 insns;    /* of the interpreter, with KVM's part */
    u64 emulated; /* for KVM, which refused them */
    u64 kvm_exits;
    u64 interp_stats; /* not 0: the rest is to be told: see engine_stats */
    u64 blocks, tlb_misses, smc, irqs, eois, alone;
};
void record_counts(const struct record_counts *c);

/* What the command ended with: its status, or 128 and the signal it died of. */
void record_command(int status);

/* The VM has ended; by this signal, or 0. */
void record_end(enum record_reason reason, int signal);

/* ---- the supervisor's, main ---------------------------------------------- */

/* The monitor did not end by itself: this counts for more than what it said.
 * signal: that killed it, or 0; error: in one line. */
void record_lost(enum record_reason reason, int signal, const char *error);

/* What the kernel says of the monitor that has ended. */
void record_usage(u64 cpu_us, u64 max_rss_kib);

/*
 * Open the directory that the record goes to; nothing is created. path "-":
 * stdout; NULL: nowhere. 0, or a negative errno and what is wrong in *why.
 */
int record_open(const char *path, const char **why);

struct record_facts { /* what the supervisor knows by itself */
    const char *id;
    int status;
    bool verbose; /* one line to stderr, too */
};

/* Write it out, whole or not at all. Not in a child of who has opened it. 0, or
 * a negative errno, already reported. */
int record_write(const struct record_facts *facts);

#endif
