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

/*
 * What the monitor got. Everything is tried, whatever of it the host refuses;
 * "best" runs with what there is, "full" with nothing less than the first two.
 */
enum sandbox_level {
    SANDBOX_LEVEL_FULL,      /* own namespaces, empty root, Landlock ... */
    SANDBOX_LEVEL_SHAREDNET, /* full, in the network namespace it was given */
    SANDBOX_LEVEL_LITE,      /* one wall is missing: namespaces with the empty
                              * root, or Landlock */
    SANDBOX_LEVEL_BARE,      /* both are */
    SANDBOX_LEVEL_OFF,       /* asked for: no jail. Capabilities and
                              * no_new_privs are dropped all the same */
};

struct sandbox_report {
    enum sandbox_level level;
    u32 namespaces; /* CLONE_NEW* bits */
    int landlock;   /* ABI in force; 0: none */
    bool empty_root, mdwe;
    char missing[256]; /* what was refused, why, and what to do; or "" */
};

#define SANDBOX_OUTSIDE 1

/*
 * Split in two. Returns 0 in the monitor, and SANDBOX_OUTSIDE in the
 * supervisor, where sandbox_wait() is next. No descriptor is closed. The
 * monitor begins with signals blocked that end mote, and SIGWINCH. Main, once,
 * before any thread; config stays. A negative errno, already reported, in
 * whichever of both it is that cannot go on.
 */
int sandbox_enter(const struct sandbox_config *config);

/* Supervisor: until the monitor has ended. A signal that ends mote, and
 * SIGWINCH, reaches it once, from here. Returns what mote exits with. */
int sandbox_wait(void);

/*
 * Make the cgroup of the configuration, for processes that start before
 * sandbox_enter(), which does it otherwise. *fd: what they join it by; the
 * caller's; -1: none was asked for. 0 or a negative errno, already reported.
 * Main, where undo_all() will be.
 */
int sandbox_open_cgroup(const struct sandbox_config *config, int *fd);

/* The calling process is in it from now on, with all that it starts. 0 or a
 * negative errno, already reported. */
int sandbox_join_cgroup(int fd);

/*
 * Close the jail: behind this the monitor opens nothing, and before it nothing
 * untrusted may be read. What takes long is done beside the monitor, which can
 * build its VM in between. Monitor, once, before any thread. 0, or a negative
 * errno, already reported: also where the level asked for cannot be had.
 */
int sandbox_seal(struct sandbox_report *report);

/*
 * The jail of a process that locks itself in, alone: an RBD worker, which must
 * keep its network (connects), or a reader of archives. What needs files is
 * done between both steps; no thread may be started before the second one, for
 * that would be outside. Of the configuration only require, uid, gid and
 * rlimits count. Main; both: 0 or a negative errno, already reported.
 */
int sandbox_alone_begin(const struct sandbox_config *config,
                        struct sandbox_report *report);
int sandbox_alone_seal(const struct sandbox_config *config, bool connects,
                       struct sandbox_report *report);

/*
 * The jail that a VM of this configuration would get here, found by a process
 * that enters it, and ends: sandbox_enter() and sandbox_seal() without the
 * cgroup, and content with what there is. 0 or a negative errno, already
 * reported. Main, before any thread.
 */
int sandbox_preview(const struct sandbox_config *config,
                    struct sandbox_report *report);

/* Could the cgroup of the configuration be had, with its limits? Makes and
 * changes nothing. 0 or a negative errno, already reported. */
int sandbox_peek_cgroup(const struct sandbox_config *config);

/* The layers in force, in words: "user+mount namespaces, empty root ..." */
void sandbox_layers(const struct sandbox_report *report, char *buf, size_t len);

/* "full", "lite" ... */
const char *sandbox_level_name(enum sandbox_level level);

/* Name i of the namespaces that are the monitor's own; NULL behind the last. */
const char *sandbox_namespace(const struct sandbox_report *report,
                              unsigned int i);

/* The calling thread's capabilities, as the kernel has them, a bit each:
 * effective, permitted, inheritable, bounding, ambient. */
#define SANDBOX_CAP_SETS 5
void sandbox_caps(u64 set[SANDBOX_CAP_SETS]);

/* The one line at start. Monitor, after sandbox_seal(). */
void sandbox_say(const struct sandbox_report *report);

/* Where the monitor's SIGSYS handler writes its filter_report. */
int sandbox_report_fd(void);

/* What config->netns says. */
enum sandbox_netns sandbox_netns(const struct sandbox_config *config);

#endif
