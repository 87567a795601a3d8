/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c: outside the jail: signals go in, the end comes out */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/filter.h"
#include "mote/log.h"
#include "mote/metrics.h"
#include "mote/record.h"

#include "jail.h"

static const int supervisor_forwards[] = {
    SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH, SIGUSR1,
};

void supervisor_block(sigset_t *forwarded)
{
    sigset_t all;

    sigemptyset(forwarded);
    for (size_t i = 0; i < ARRAY_SIZE(supervisor_forwards); i++)
        sigaddset(forwarded, supervisor_forwards[i]);
    all = *forwarded;
    sigaddset(&all, SIGCHLD);
    sigaddset(&all, SIGTSTP);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

/* The monitor is in a session of its own, where no terminal stops it. */
static void supervisor_stop(pid_t monitor)
{
    kill(monitor, SIGSTOP);
    raise(SIGSTOP);
    kill(monitor, SIGCONT);
}

static u64 supervisor_us(const struct timeval *tv)
{
    return (u64)tv->tv_sec * 1000000 + (u64)tv->tv_usec;
}

/* Has it ended? Then what it has used is in the record. */
static bool supervisor_reap(pid_t monitor, int *status)
{
    struct rusage ru;

    if (wait4(monitor, status, WNOHANG, &ru) != monitor)
        return false;
    record_usage(supervisor_us(&ru.ru_utime) + supervisor_us(&ru.ru_stime),
                 (u64)ru.ru_maxrss);
    return true;
}

static int supervisor_wait(pid_t middle, pid_t monitor)
{
    int status, sig;
    sigset_t set;

    supervisor_block(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTSTP);
    for (;;) {
        sig = sigwaitinfo(&set, NULL);
        if (middle && waitpid(middle, NULL, WNOHANG) == middle)
            middle = 0; /* now the monitor is our child */
        if (supervisor_reap(monitor, &status))
            return status;
        if (sig == SIGTSTP)
            supervisor_stop(monitor);
        else if (sig > 0 && sig != SIGCHLD)
            kill(monitor, sig);
    }
}

union supervisor_report {
    u32 kind; /* of both */
    struct filter_report filter;
    struct fault_report fault;
};

/* What the monitor wrote before it ended; the first of several. */
static bool supervisor_say_report(int fd)
{
    union supervisor_report report;
    ssize_t n = read(fd, &report, sizeof(report));
    char text[300];

    if (n == sizeof(report.fault) && report.kind == FAULT_KIND) {
        fault_describe(&report.fault, text, sizeof(text));
        log_error("the VM ended by a fault of mote's own: %s; please report "
                  "it",
                  text);
        record_lost(REASON_HOST_ERROR, report.fault.signal, text);
        metrics_lost_signal(report.fault.signal);
        return true;
    }
    if (n == sizeof(report.filter) && report.kind < FILTER_KINDS) {
        filter_describe(&report.filter, text, sizeof(text));
        log_error("seccomp: %s; status %d", text, STATUS_SECCOMP);
        record_lost(REASON_BAD_SYSCALL, 0, text);
        metrics_lost("seccomp", "num_faults");
        return true;
    }
    return false;
}

static void supervisor_say_signal(const struct supervisor *s, int sig)
{
    bool oom = sig == SIGKILL && cgroup_was_oom(&s->cgroup);
    enum record_reason reason =
        sig == SIGSYS ? REASON_BAD_SYSCALL : REASON_SIGNAL;
    const char *why = "";
    char text[128];

    if (oom)
        why = ": out of memory, by the limit of its cgroup";
    else if (sig == SIGKILL)
        why = ": by hand, or the host is out of memory (see dmesg)";
    else if (sig == SIGSYS)
        why = ", without a report: a system call of a foreign ABI";
    snprintf(text, sizeof(text), "the VM was killed by SIG%s%s",
             sigabbrev_np(sig), why);
    log_error("%s", text);
    record_lost(oom ? REASON_OOM : reason, sig, text);
    metrics_lost_signal(sig);
}

int supervisor_run(const struct supervisor *s)
{
    int status = supervisor_wait(s->middle, s->monitor);
    bool told = supervisor_say_report(s->report);

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (!told)
        supervisor_say_signal(s, WTERMSIG(status));
    return fault_status(WTERMSIG(status));
}
