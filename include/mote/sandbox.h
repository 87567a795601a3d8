/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h: the two processes of a running VM. The supervisor is the one that
 * was started: it has read the configuration and opened everything; it stays
 * outside to forward signals, to name the monitor's end, and to do what needs
 * a path. The monitor is its child in the jail: it builds the VM, and the
 * guest can reach nothing but it.
 */
#ifndef MOTE_SANDBOX_H
#define MOTE_SANDBOX_H

#include "mote/base.h"
#include "mote/config.h"

/* From strong to weak; the first that the host can give is taken. */
enum sandbox_level {
    SANDBOX_LEVEL_FULL,      /* own namespaces, empty root, Landlock ... */
    SANDBOX_LEVEL_SHAREDNET, /* full, in the network namespace it was given */
    SANDBOX_LEVEL_LITE,      /* no user namespaces: no namespaces, no root */
    SANDBOX_LEVEL_BARE,      /* nor Landlock */
    SANDBOX_LEVEL_OFF,       /* asked for: no jail. Capabilities and
                              * no_new_privs are dropped all the same */
};

/* What the monitor got; for the log line and --print-isolation. */
struct sandbox_report {
    enum sandbox_level level;
    u32 namespaces; /* CLONE_NEW* bits */
    int landlock;   /* ABI in force; 0: none */
    bool empty_root, mdwe;
    char missing[160]; /* what was refused, why, and what to do; or "" */
};

struct sandbox;

/*
 * Split in two: returns in the monitor with *report filled, jailed, with no
 * thread but its own; the supervisor does not return but ends with the VM's
 * exit status. Nothing that was opened O_CLOEXEC is closed; every other
 * descriptor above 2 is. A signal that ends mote reaches the monitor once,
 * from the supervisor; SIGWINCH too. Main, once, before any thread. A negative
 * errno, already reported, when the level asked for cannot be had.
 */
int sandbox_enter(const struct sandbox_config *config,
                  struct sandbox_report *report);

/* Where the monitor's SIGSYS handler writes its filter_report. */
int sandbox_report_fd(void);

#endif
