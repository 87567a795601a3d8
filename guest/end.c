/* SPDX-License-Identifier: Apache-2.0 */
/* end.c: no processes, clean disks, power off */
#include <poll.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "end.h"
#include "mounts.h"
#include "wait.h"

#define END_KILL_MS 2000            /* for processes to go */
#define END_HOST_MS (3600u * 1000u) /* for a host whose reader is slow */

/* A kernel that cannot switch off would halt, for ever. */
static bool end_can_switch_off;

void end_prepare(void)
{
    end_can_switch_off = access("/sys/firmware/acpi", F_OK) == 0;
}

void end_processes(void)
{
    u64 since = wait_now_ms();
    pid_t pid;

    kill(-1, SIGKILL);
    do
        pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0 || (pid == 0 && wait_a_little(since, since + END_KILL_MS)));
    mounts_leave();
}

_Noreturn void end_machine(const struct ports *p)
{
    struct pollfd host = {.fd = p->fd[PORT_CONTROL]};

    if (host.fd >= 0)
        poll(&host, 1, END_HOST_MS);
    sync();
    reboot(end_can_switch_off ? RB_POWER_OFF : RB_AUTOBOOT);
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
