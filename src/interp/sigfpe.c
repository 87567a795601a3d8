/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigfpe.c: unmasked floating-point exceptions of the guest arrive as SIGFPE
 * of the host, at the stub that raised them. Stubs keep no stack frame, so to
 * continue at stub_raise is to return -1 from the stub. The state of the x87
 * unit and MXCSR comes back with the signal frame: flags set, nothing else
 * done. A SIGFPE from anywhere else is a bug of ours and kills the process.
 */
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "cpu.h"

/* The linker's names. NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl*) */
extern const char __start_mote_stubs[], __stop_mote_stubs[];
int stub_raise(void);

static void sigfpe_handle(int sig, siginfo_t *info, void *ctx)
{
    greg_t *rip = &((ucontext_t *)ctx)->uc_mcontext.gregs[REG_RIP];

    if (info->si_code > 0 && *rip >= (greg_t)__start_mote_stubs &&
        *rip < (greg_t)__stop_mote_stubs)
        *rip = (greg_t)stub_raise;
    else
        signal(sig, SIG_DFL); /* and the instruction faults again */
}

void sigfpe_install(void)
{
    struct sigaction sa = {
        .sa_sigaction = sigfpe_handle,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
    };

    sigemptyset(&sa.sa_mask);
    sigaction(SIGFPE, &sa, NULL);
}
