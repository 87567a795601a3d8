/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: what is untrusted, or might stay loaded, is done in a process that
 * ends */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/sandbox.h"

#include "check.h"

#define CHILD_SECONDS 30

static int child_work(const struct check_child *child)
{
    const struct sandbox_config jail = {.require = SANDBOX_BEST};
    struct sandbox_report report;
    int r = child->enter ? child->enter(child->ctx) : 0;

    if (r < 0 || !child->fn)
        return r;
    r = sandbox_alone_begin(&jail, &report);
    if (r == 0)
        r = sandbox_alone_seal(&jail, false, &report);
    return r < 0 ? r : child->fn(child->ctx);
}

int check_in_child(const struct check_child *child)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        _exit(child_work(child) < 0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0)
        return fail(-errno, "check: fork");
    if (WIFSIGNALED(status))
        return fail_rule(-ECHILD,
                         "the process that looked at it ended by "
                         "SIG%s",
                         sigabbrev_np(WTERMSIG(status)));
    return WEXITSTATUS(status) ? -EINVAL : 0;
}
