/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c: namespaces of the monitor's own, with and without privilege */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

#define NS_CHEAP                                                               \
    (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |              \
     CLONE_NEWCGROUP)

/* A PID namespace is for children. */
#define NS_ALONE ((NS_CHEAP & ~CLONE_NEWPID) | CLONE_NEWNS)

int namespaces_open_net(const struct sandbox_config *c, int *fd)
{
    *fd = -1;
    if (sandbox_netns(c) != NETNS_PATH)
        return 0;
    *fd = open(c->netns, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? fail(-errno, "sandbox.netns: %s", c->netns) : 0;
}

int namespaces_drop_user(const struct sandbox_config *c, int netns)
{
    if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
        return fail(-errno,
                    "sandbox.netns: %s: only root may join it, and "
                    "only a network namespace",
                    c->netns);
    /* Not for everybody, nor for every container's root. */
    if (setgroups(0, NULL) < 0 && c->uid)
        return fail(-errno, "sandbox: leave the supplementary groups");
    if (c->uid == 0)
        return 0;
    if (setresgid(c->gid, c->gid, c->gid) < 0 ||
        setresuid(c->uid, c->uid, c->uid) < 0)
        return fail(-errno, "sandbox: become uid %u, gid %u", c->uid, c->gid);
    /* Or the files below /proc/self that map ids would belong to root. */
    prctl(PR_SET_DUMPABLE, 1);
    return 0;
}

static int ns_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* Each id stands for itself, and there is no other. */
static int ns_map(uid_t uid, gid_t gid)
{
    char map[48];
    int r;

    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    r = ns_write("/proc/self/uid_map", map);
    if (r == 0)
        r = ns_write("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return r < 0 ? r : ns_write("/proc/self/gid_map", map);
}

/* Why the kernel may have refused, and the way out. */
static const char *ns_hint(void)
{
    static const struct {
        const char *path, *hint;
        char off;
    } table[] = {
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
         "kernel.apparmor_restrict_unprivileged_userns=1: give mote an "
         "AppArmor profile that allows userns",
         '1'},
        {"/proc/sys/kernel/unprivileged_userns_clone",
         "set kernel.unprivileged_userns_clone=1", '0'},
        {"/proc/sys/user/max_user_namespaces",
         "user.max_user_namespaces is 0: raise it", '0'},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        int fd = open(table[i].path, O_RDONLY | O_CLOEXEC);
        char value = 0;
        ssize_t n = fd < 0 ? 0 : read(fd, &value, 1);

        if (fd >= 0)
            close(fd);
        if (n == 1 && value == table[i].off)
            return table[i].hint;
    }
    return "a chroot or a container forbids them: run mote outside of it, or "
           "allow them there";
}

static void ns_unshare(struct sandbox_report *report, int flags)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int r = unshare(flags) < 0 ? -errno : 0;

    if (r == 0) {
        report->namespaces = (u32)flags;
        r = ns_map(uid, gid);
        if (r < 0)
            jail_miss(report, "id maps: %s", errno_name(-r));
        return;
    }
    jail_miss(report, "user namespaces: %s; %s", errno_name(-r), ns_hint());
    /* Root may have the others without one. */
    flags &= ~CLONE_NEWUSER;
    if (unshare(flags) == 0)
        report->namespaces = (u32)flags;
}

void namespaces_unshare(struct sandbox_report *report)
{
    ns_unshare(report, NS_CHEAP);
}

void namespaces_unshare_alone(struct sandbox_report *report)
{
    ns_unshare(report, NS_ALONE);
}

void namespaces_unshare_late(const struct sandbox_config *c,
                             struct sandbox_report *report)
{
    int flags =
        CLONE_NEWNS | (sandbox_netns(c) == NETNS_NEW ? CLONE_NEWNET : 0);

    if (!report->namespaces) /* refused, and told */
        return;
    if (unshare(flags) == 0)
        report->namespaces |= (u32)flags;
    else
        jail_miss(report, "mount and net namespaces: %s", errno_name(errno));
}

int namespaces_join(int pidfd, const struct sandbox_report *report)
{
    int flags = (int)report->namespaces & (CLONE_NEWNS | CLONE_NEWNET);

    if (!flags || setns(pidfd, flags) == 0)
        return 0;
    return fail(-errno, "sandbox: join the namespaces made for the VM");
}
