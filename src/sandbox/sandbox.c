/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c: one process becomes two, and the second one locks itself in */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

/*
 * Of all three processes; of pipes [0] is read, [1] is written. What takes long
 * is done by the one in the middle while the monitor builds its VM.
 */
static struct split {
    const struct sandbox_config *config;
    struct supervisor supervisor;
    int report[2]; /* monitor to supervisor: how it went wrong */
    int pid[2];    /* middle to supervisor: who the monitor is */
    int go[2];     /* supervisor to monitor: a byte; its end is our end */
    int walls[2];  /* middle to monitor: a sandbox_report */
    int done[2];   /* monitor to middle: its end lets the middle go */
    int netns;
    int middle; /* a pidfd */
    sigset_t forwarded;
    struct sandbox_report jail;
} split;

int sandbox_report_fd(void)
{
    return split.report[1];
}

enum sandbox_netns sandbox_netns(const struct sandbox_config *c)
{
    if (!c->netns || strcmp(c->netns, "new") == 0)
        return NETNS_NEW;
    return strcmp(c->netns, "none") == 0 ? NETNS_NONE : NETNS_PATH;
}

void jail_miss(struct sandbox_report *report, const char *fmt, ...)
{
    size_t n = strlen(report->missing);
    va_list ap;

    if (n)
        n += (size_t)snprintf(report->missing + n, sizeof(report->missing) - n,
                              "; ");
    if (n >= sizeof(report->missing))
        return;
    va_start(ap, fmt);
    vsnprintf(report->missing + n, sizeof(report->missing) - n, fmt, ap);
    va_end(ap);
}

static void split_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the monitor --------------------------------------------------------- */

static enum sandbox_level jail_level(const struct sandbox_config *c,
                                     const struct sandbox_report *report)
{
    bool walls = report->empty_root && (report->namespaces & CLONE_NEWUSER);

    if (c->require == SANDBOX_OFF)
        return SANDBOX_LEVEL_OFF;
    if (!report->missing[0])
        return report->namespaces & CLONE_NEWNET ? SANDBOX_LEVEL_FULL
                                                 : SANDBOX_LEVEL_SHAREDNET;
    return walls || report->landlock ? SANDBOX_LEVEL_LITE : SANDBOX_LEVEL_BARE;
}

/*
 * The supervisor's death is the monitor's; but it may have died before. A
 * parent's death is meant, and the parent was the middle process, until that
 * has left.
 */
static int jail_bind(void)
{
    struct pollfd left = {.fd = split.middle, .events = POLLIN};
    struct pollfd gone = {.fd = split.go[0]};

    poll(&left, 1, -1);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return fail(-errno, "sandbox: PR_SET_PDEATHSIG");
    if (poll(&gone, 1, 0) > 0)
        return fail_rule(-ESRCH, "sandbox: the supervisor is gone");
    return 0;
}

int jail_never_optional(struct sandbox_report *report)
{
    int r = caps_drop();

    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(-errno, "sandbox: no_new_privs");
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return fail(-errno, "sandbox: PR_SET_DUMPABLE");
    report->mdwe = prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0;
    return 0;
}

/* Into what the middle process has made, which then leaves. */
static int jail_walls(void)
{
    int r = 0;

    if (read(split.walls[0], &split.jail, sizeof(split.jail)) !=
        sizeof(split.jail))
        return fail_rule(-ECHILD, "sandbox: no namespaces were made");
    r = namespaces_join(split.middle, &split.jail);
    split_close(&split.done[1]);
    return r;
}

static int jail_layers(const struct sandbox_config *c,
                       struct sandbox_report *jail)
{
    bool on = c->require != SANDBOX_OFF;
    int r = jail_walls();

    if (r == 0 && on)
        r = limits_set(c);
    if (r == 0)
        r = jail_never_optional(jail);
    if (r == 0 && on)
        landlock_deny(jail, false);
    return r < 0 ? r : jail_bind();
}

int jail_judge(const struct sandbox_config *c, struct sandbox_report *report)
{
    report->level = jail_level(c, report);
    if (c->require == SANDBOX_FULL && report->missing[0])
        return fail_rule(-EPERM, "sandbox.require is \"full\", but: %s",
                         report->missing);
    return 0;
}

int sandbox_seal(struct sandbox_report *report)
{
    const struct sandbox_config *c = split.config;
    int r = jail_layers(c, &split.jail);

    split_close(&split.walls[0]);
    split_close(&split.done[1]);
    split_close(&split.middle);
    split_close(&split.go[0]);
    if (r < 0)
        return r;
    r = jail_judge(c, &split.jail);
    *report = split.jail;
    return r;
}

/* ---- the three processes --------------------------------------------------
 */

static void split_close_supervisor(void)
{
    split_close(&split.report[0]);
    split_close(&split.pid[0]);
    split_close(&split.go[1]);
    split_close(&split.supervisor.cgroup.dir);
}

/* What the supervisor has not got to hold. */
static void split_close_others(void)
{
    split_close(&split.report[1]);
    split_close(&split.pid[1]);
    split_close(&split.go[0]);
    for (size_t i = 0; i < 2; i++) {
        split_close(&split.walls[i]);
        split_close(&split.done[i]);
    }
    split_close(&split.netns);
}

/* Once. */
static int split_open_cgroup(const struct sandbox_config *c)
{
    struct cgroup *g = &split.supervisor.cgroup;

    return g->path ? 0 : cgroup_open(g, c);
}

int sandbox_open_cgroup(const struct sandbox_config *c, int *fd)
{
    int r = split_open_cgroup(c);

    return r < 0 ? r : cgroup_open_procs(&split.supervisor.cgroup, fd);
}

static int split_open(const struct sandbox_config *c)
{
    int r;

    split = (struct split){
        .config = c,
        .report = {-1, -1},
        .pid = {-1, -1},
        .go = {-1, -1},
        .walls = {-1, -1},
        .done = {-1, -1},
        .netns = -1,
        .middle = -1,
        .supervisor.cgroup = split.supervisor.cgroup,
    };
    r = split_open_cgroup(c);
    if (r == 0)
        r = namespaces_open_net(c, &split.netns);
    if (r < 0)
        return r;
    /* Packets: one read is one report. */
    if (pipe2(split.report, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0 ||
        pipe2(split.pid, O_CLOEXEC) < 0 || pipe2(split.go, O_CLOEXEC) < 0 ||
        pipe2(split.walls, O_CLOEXEC) < 0 || pipe2(split.done, O_CLOEXEC) < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return fail(-errno, "sandbox");
    return 0;
}

/* Behind the fork: the walls, told to the monitor; then stay until it is
 * inside. It has the supervisor for a parent when this one is gone. */
static _Noreturn void split_middle_rest(pid_t monitor)
{
    char none;

    split_close(&split.done[1]);
    if (write(split.pid[1], &monitor, sizeof(monitor)) != sizeof(monitor))
        _exit(1);
    if (split.config->require != SANDBOX_OFF) {
        namespaces_unshare_late(split.config, &split.jail);
        root_empty(&split.jail);
    }
    if (write(split.walls[1], &split.jail, sizeof(split.jail)) > 0)
        (void)!read(split.done[0], &none, 1);
    _exit(0);
}

static int split_monitor(void)
{
    char go;

    split_close(&split.pid[1]);
    split_close(&split.netns);
    split_close(&split.walls[1]);
    split_close(&split.done[0]);
    setsid(); /* what a terminal sends is for the supervisor to forward */
    pthread_sigmask(SIG_SETMASK, &split.forwarded, NULL);
    fault_init(split.report[1]);
    return read(split.go[0], &go, 1) == 1 ? 0 : -ECANCELED; /* told why */
}

/*
 * A PID namespace begins with the next child, so there is a process in the
 * middle. Returns in the monitor.
 */
static int split_middle(void)
{
    int r = namespaces_drop_user(split.config, split.netns);
    pid_t pid;

    if (r < 0)
        return r;
    if (split.config->require != SANDBOX_OFF)
        namespaces_unshare(&split.jail);
    split.middle = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (split.middle < 0)
        return fail(-errno, "sandbox: pidfd_open");
    pid = fork();
    if (pid < 0)
        return fail(-errno, "sandbox: fork");
    if (pid > 0)
        split_middle_rest(pid);
    return split_monitor();
}

/* The middle process has forked, or failed and told why. */
static int split_meet(struct supervisor *s)
{
    ssize_t n = read(split.pid[0], &s->monitor, sizeof(pid_t));
    int r;

    if (n != sizeof(pid_t)) {
        waitpid(s->middle, NULL, 0);
        return -ECHILD;
    }
    r = cgroup_add(&s->cgroup, s->monitor);
    if (r == 0 && write(split.go[1], "", 1) != 1)
        r = fail(-errno, "sandbox");
    if (r < 0) { /* it waits for a byte that never comes */
        split_close(&split.go[1]);
        waitpid(s->middle, NULL, 0);
        waitpid(s->monitor, NULL, 0);
    }
    return r;
}

int sandbox_enter(const struct sandbox_config *config)
{
    struct supervisor *s = &split.supervisor;
    int r = split_open(config);

    if (r < 0)
        return r;
    fflush(NULL); /* or both would write it */
    supervisor_block(&split.forwarded);
    s->middle = fork();
    if (s->middle < 0)
        return fail(-errno, "sandbox: fork");
    if (s->middle == 0) {
        split_close_supervisor();
        return split_middle();
    }
    split_close_others();
    r = split_meet(s);
    if (r < 0)
        return r;
    s->report = split.report[0];
    return SANDBOX_OUTSIDE;
}

int sandbox_wait(void)
{
    return supervisor_run(&split.supervisor);
}
