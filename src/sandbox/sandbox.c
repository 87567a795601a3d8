/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c: one process becomes two, and the second one locks itself in */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static int sandbox_report_end = -1;

/* Between the three processes; [0] is read, [1] is written. */
struct split {
    const struct sandbox_config *config;
    struct supervisor supervisor;
    int report[2]; /* monitor to supervisor: how it went wrong */
    int pid[2];    /* middle to supervisor: who the monitor is */
    int go[2];     /* supervisor to monitor: a byte; its end is our end */
    int netns;
    sigset_t forwarded;
};

int sandbox_report_fd(void)
{
    return sandbox_report_end;
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

/* The supervisor's death is the monitor's; but it may have died before. */
static int jail_bind(const struct split *s)
{
    struct pollfd gone = {.fd = s->go[0]};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return fail(-errno, "sandbox: PR_SET_PDEATHSIG");
    if (poll(&gone, 1, 0) > 0)
        return fail_rule(-ESRCH, "sandbox: the supervisor is gone");
    return 0;
}

/* What no host refuses, and no option turns off. */
static int jail_never_optional(struct sandbox_report *report)
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

static int jail_monitor(struct split *s, struct sandbox_report *report)
{
    const struct sandbox_config *c = s->config;
    bool jail = c->require != SANDBOX_OFF;
    int r;

    setsid(); /* what a terminal sends is for the supervisor to forward */
    sigprocmask(SIG_SETMASK, &s->forwarded, NULL);
    fault_init(s->report[1]);
    r = jail ? limits_set(c) : 0;
    if (r == 0 && jail)
        root_empty(report);
    if (r == 0)
        r = jail_never_optional(report);
    if (r == 0 && jail)
        landlock_deny(report);
    if (r == 0)
        r = jail_bind(s);
    if (r < 0)
        return r;
    report->level = jail_level(c, report);
    if (c->require == SANDBOX_FULL && report->missing[0])
        return fail_rule(-EPERM, "sandbox.require is \"full\", but: %s",
                         report->missing);
    return 0;
}

/* ---- the three processes --------------------------------------------------
 */

static void split_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void split_close_supervisor(struct split *s)
{
    split_close(&s->report[0]);
    split_close(&s->pid[0]);
    split_close(&s->go[1]);
    split_close(&s->supervisor.cgroup.dir);
}

static void split_close_monitor(struct split *s)
{
    split_close(&s->report[1]);
    split_close(&s->pid[1]);
    split_close(&s->go[0]);
    split_close(&s->netns);
}

static int split_open(struct split *s, const struct sandbox_config *c)
{
    int r;

    *s = (struct split){
        .config = c,
        .report = {-1, -1},
        .pid = {-1, -1},
        .go = {-1, -1},
        .netns = -1,
    };
    r = cgroup_open(&s->supervisor.cgroup, c);
    if (r == 0)
        r = namespaces_open_net(c, &s->netns);
    if (r < 0)
        return r;
    /* Packets: one read is one report. */
    if (pipe2(s->report, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0 ||
        pipe2(s->pid, O_CLOEXEC) < 0 || pipe2(s->go, O_CLOEXEC) < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return fail(-errno, "sandbox");
    return 0;
}

/*
 * A PID namespace begins with the next child, so there is a process in the
 * middle, which leaves at once: its child is then the supervisor's. Returns in
 * the monitor.
 */
static int split_middle(struct split *s, struct sandbox_report *report)
{
    int r = namespaces_drop_user(s->config, s->netns);
    pid_t pid;
    char go;

    if (r < 0)
        return r;
    if (s->config->require != SANDBOX_OFF)
        namespaces_unshare(s->config, report);
    pid = fork();
    if (pid < 0)
        return fail(-errno, "sandbox: fork");
    if (pid > 0)
        _exit(write(s->pid[1], &pid, sizeof(pid)) != sizeof(pid));
    split_close(&s->pid[1]);
    split_close(&s->netns);
    if (read(s->go[0], &go, 1) != 1) /* it has said why */
        return -ECANCELED;
    r = jail_monitor(s, report);
    split_close(&s->go[0]);
    sandbox_report_end = s->report[1];
    return r;
}

/* The middle process has left, or failed and told why. */
static int split_meet(struct split *s, pid_t middle)
{
    ssize_t n = read(s->pid[0], &s->supervisor.monitor, sizeof(pid_t));
    int r;

    waitpid(middle, NULL, 0);
    if (n != sizeof(pid_t))
        return -ECHILD;
    r = cgroup_add(&s->supervisor.cgroup, s->supervisor.monitor);
    if (r == 0 && write(s->go[1], "", 1) != 1)
        r = fail(-errno, "sandbox");
    if (r < 0) { /* it waits for a byte that never comes */
        split_close(&s->go[1]);
        waitpid(s->supervisor.monitor, NULL, 0);
    }
    return r;
}

int sandbox_enter(const struct sandbox_config *config,
                  struct sandbox_report *report, int *status)
{
    static struct split s; /* the undo list knows its cgroup */
    pid_t middle;
    int r = split_open(&s, config);

    *report = (struct sandbox_report){.level = SANDBOX_LEVEL_OFF};
    *status = STATUS_FAILURE;
    if (r < 0)
        return r;
    fflush(NULL); /* or both would write it */
    supervisor_block(&s.forwarded);
    middle = fork();
    if (middle < 0)
        return fail(-errno, "sandbox: fork");
    if (middle == 0) {
        split_close_supervisor(&s);
        return split_middle(&s, report);
    }
    split_close_monitor(&s);
    r = split_meet(&s, middle);
    if (r < 0)
        return r;
    s.supervisor.report = s.report[0];
    *status = supervisor_run(&s.supervisor);
    return SANDBOX_ENDED;
}
