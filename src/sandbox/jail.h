/* SPDX-License-Identifier: Apache-2.0 */
/* jail.h: the layers of the jail, one file each, in the order they are put on
 */
#ifndef MOTE_SANDBOX_JAIL_H
#define MOTE_SANDBOX_JAIL_H

#include <sys/types.h>

#include "mote/sandbox.h"
#include "mote/undo.h"

/* A layer the host refuses: what, why, what to do. Kept for the operator. */
void jail_miss(struct sandbox_report *report, const char *fmt, ...)
    PRINTF(2, 3);

/* ---- namespaces.c ------------------------------------------------------- */

/* Of the processes that are forked next. -1: open no file, join nothing. Join
 * the network namespace first, as only what mote was started as may. All:
 * 0 or a negative errno, already reported. */
int namespaces_open_net(const struct sandbox_config *c, int *fd);
int namespaces_drop_user(const struct sandbox_config *c, int netns);

/* Those that take no time, for the next child; then those that do: a copy of
 * all mounts, a network; and for who was forked in between, into the latter, of
 * the process behind pidfd. */
void namespaces_unshare(struct sandbox_report *report);
void namespaces_unshare_late(const struct sandbox_config *c,
                             struct sandbox_report *report);
int namespaces_join(int pidfd, const struct sandbox_report *report);

/* Of the calling process, which has one thread: all but PID and network. */
void namespaces_unshare_alone(struct sandbox_report *report);

/* ---- root.c, landlock.c, caps.c, limits.c: of the calling process -------- */

/* An empty, read-only file system becomes all that there is in this mount
 * namespace. */
void root_empty(struct sandbox_report *report);

/* Denies every right that the kernel's Landlock knows; connects: but that to
 * connect by TCP. */
void landlock_deny(struct sandbox_report *report, bool connects);

/* No capability in any set, and none to be had by exec. Where that is refused,
 * mote does not run: 0 or a negative errno, already reported. */
int caps_drop(void);

/* Resource limits, the environment and the file mode mask. */
int limits_set(const struct sandbox_config *c);

/* ---- sandbox.c ----------------------------------------------------------- */

/* What no host refuses, and no option turns off: capabilities, no_new_privs,
 * and the like. 0 or a negative errno, already reported. */
int jail_never_optional(struct sandbox_report *report);

/* Set report->level. -EPERM, already reported: it is not the one required. */
int jail_judge(const struct sandbox_config *c, struct sandbox_report *report);

/* ---- cgroup.c: the supervisor's ------------------------------------------ */

struct cgroup {
    const char *path; /* NULL: none */
    int dir;
    bool v2;
    u64 oom_kills; /* before us */
    struct undo undo;
};

/* Make the directory if it is missing, write the limits. 0 or a negative
 * errno, already reported. */
int cgroup_open(struct cgroup *g, const struct sandbox_config *c);
int cgroup_add(struct cgroup *g, pid_t pid);

/* For sandbox_join_cgroup(); -1: there is none. As above. */
int cgroup_open_procs(const struct cgroup *g, int *fd);

/* Has the kernel killed for want of memory since cgroup_open()? */
bool cgroup_was_oom(const struct cgroup *g);

/* ---- fault.c ------------------------------------------------------------- */

#define FAULT_KIND (~0u) /* not an enum filter_kind */

/* A signal that ends the monitor, told to the supervisor in one write: as the
 * first process of its PID namespace the monitor cannot die of raise(). */
struct fault_report {
    u32 kind; /* FAULT_KIND */
    u32 role; /* enum role of the thread */
    s32 signal, code;
    u64 address, rip;
    u64 base; /* of mote's own text */
};

/* Report them to fd, and end with fault_status(). Main, before any thread. */
void fault_init(int fd);

/* What mote exits with when a signal has ended the monitor. */
int fault_status(int signal);

void fault_describe(const struct fault_report *f, char *buf, size_t len);

/* ---- supervisor.c ---------------------------------------------------------
 */

struct supervisor {
    pid_t middle; /* the monitor's parent, until the jail is closed */
    pid_t monitor;
    int report; /* filter_report or fault_report of what went wrong */
    struct cgroup cgroup;
};

/* Block what supervisor_run() waits for; *forwarded is what the monitor keeps
 * blocked, to take it when it is ready. */
void supervisor_block(sigset_t *forwarded);

/* Forward signals until the monitor has ended; returns mote's exit status. */
int supervisor_run(const struct supervisor *s);

#endif
