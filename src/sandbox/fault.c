/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c: the monitor's deadly signals, told to the supervisor */
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

#include "mote/thread.h"

#include "jail.h"

static int fault_fd;
static u64 fault_base;

/* Firecracker's numbers, then the shell's. */
int fault_status(int sig)
{
    switch (sig) {
    case SIGSYS:
        return STATUS_SECCOMP;
    case SIGBUS:
        return STATUS_SIGBUS;
    case SIGSEGV:
        return STATUS_SIGSEGV;
    case SIGXFSZ:
        return STATUS_SIGXFSZ;
    case SIGXCPU:
        return STATUS_SIGXCPU;
    case SIGPIPE:
        return STATUS_SIGPIPE;
    case SIGHUP:
        return STATUS_SIGHUP;
    case SIGILL:
        return STATUS_SIGILL;
    case SIGABRT:
        return STATUS_BUG;
    default:
        return 128 + sig;
    }
}

/* Allowed by every filter: write and exit_group. */
static void fault_on_signal(int sig, siginfo_t *si, void *context)
{
    const ucontext_t *uc = context;
    struct fault_report f = {
        .kind = FAULT_KIND,
        .role = role_get(),
        .signal = sig,
        .code = si->si_code,
        .address = (u64)(uintptr_t)si->si_addr,
        .rip = (u64)uc->uc_mcontext.gregs[REG_RIP],
        .base = fault_base,
    };

    (void)!write(fault_fd, &f, sizeof(f));
    _exit(fault_status(sig));
}

/* Whoever is there already, a sanitizer, stays. SIGFPE is the interpreter's. */
void fault_init(int fd)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT};
    struct sigaction old, sa = {
                              .sa_sigaction = fault_on_signal,
                              .sa_flags = SA_SIGINFO,
                          };

    fault_fd = fd;
    /* Program headers are in the first page of mote. */
    fault_base = getauxval(AT_PHDR) & ~(PAGE_SIZE - 1);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[i], &sa, NULL);
}

void fault_describe(const struct fault_report *f, char *buf, size_t len)
{
    static const char *const roles[] = {"", "main", "vcpu", "device"};
    const char *role = f->role < ARRAY_SIZE(roles) ? roles[f->role] : "";
    const char *name = sigabbrev_np(f->signal);

    /* Somebody's kill(), or raise(): the address is no address. */
    if (f->code <= 0)
        snprintf(buf, len, "SIG%s, sent to a %s thread", name ? name : "?",
                 role);
    else
        snprintf(buf, len, "SIG%s on a %s thread at mote%+lld, address 0x%llx",
                 name ? name : "?", role, (long long)(f->rip - f->base),
                 (unsigned long long)f->address);
}
