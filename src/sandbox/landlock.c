/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.c: no path, no port, no signal, whatever else fails */
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

/* The kernel's struct landlock_ruleset_attr of ABI 6, whatever the headers
 * know; it takes a longer one, if what it does not know is zero. */
struct ruleset {
    u64 fs, net, scoped;
};

#define LANDLOCK_TCP_BIND    1u
#define LANDLOCK_TCP_CONNECT 2u

/* Rights by the ABI that brought them: include/uapi/linux/landlock.h. */
static const struct ruleset landlock_since[] = {
    [1] = {.fs = 0x1fff},  /* execute ... make_sym */
    [2] = {.fs = 1 << 13}, /* refer */
    [3] = {.fs = 1 << 14}, /* truncate */
    [4] = {.net = LANDLOCK_TCP_BIND | LANDLOCK_TCP_CONNECT},
    [5] = {.fs = 1 << 15}, /* ioctl of devices */
    [6] = {.scoped = 3},   /* abstract sockets, signals */
};

static int landlock_restrict(int abi, bool connects)
{
    struct ruleset all = {0};
    long fd;
    int r = 0;

    for (int i = 1; i <= abi && i < (int)ARRAY_SIZE(landlock_since); i++) {
        all.fs |= landlock_since[i].fs;
        all.net |= landlock_since[i].net;
        all.scoped |= landlock_since[i].scoped;
    }
    if (connects)
        all.net &= ~(u64)LANDLOCK_TCP_CONNECT;
    fd = syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (fd < 0)
        return -errno;
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        r = -errno;
    close((int)fd);
    return r;
}

void landlock_deny(struct sandbox_report *report, bool connects)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);
    int r = abi < 0 ? -errno : landlock_restrict((int)abi, connects);

    if (r == 0)
        report->landlock = (int)abi;
    else
        jail_miss(report, "Landlock: %s; boot the host with lsm=landlock,...",
                  errno_name(-r));
}
