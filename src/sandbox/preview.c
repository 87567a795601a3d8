/* SPDX-License-Identifier: Apache-2.0 */
/* preview.c: what the jail would be, by being in it */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

#define PREVIEW_SECONDS 20

/* Two processes come back from sandbox_enter(); the report is in memory that
 * they share with who asked. */
static _Noreturn void preview_child(const struct sandbox_config *config,
                                    struct sandbox_report *report)
{
    struct sandbox_config c = *config;
    int status = STATUS_FAILURE, r;

    c.cgroup = NULL;
    if (c.require == SANDBOX_FULL)
        c.require = SANDBOX_BEST;
    alarm(PREVIEW_SECONDS);
    r = sandbox_enter(&c);
    if (r == SANDBOX_OUTSIDE)
        status = sandbox_wait();
    else if (r == 0 && sandbox_seal(report) == 0)
        status = STATUS_OK;
    _exit(status);
}

int sandbox_preview(const struct sandbox_config *config,
                    struct sandbox_report *report)
{
    struct sandbox_report *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t pid;

    if (shared == MAP_FAILED)
        return fail(-errno, "sandbox");
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        preview_child(config, shared);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *report = *shared;
    munmap(shared, sizeof(*shared));
    if (pid < 0)
        return fail(-errno, "sandbox: fork");
    if (WIFEXITED(status))
        return WEXITSTATUS(status) ? -EPERM : 0; /* told */
    return fail_rule(-ECHILD, "sandbox: a trial ended by SIG%s",
                     sigabbrev_np(WTERMSIG(status)));
}
