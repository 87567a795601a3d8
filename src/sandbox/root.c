/* SPDX-License-Identifier: Apache-2.0 */
/* root.c: an empty root file system, and nothing else mounted */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

static int root_configure(int fs)
{
    if (fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    return 0;
}

/* A descriptor of the mount, or a negative errno. */
static int root_make(void)
{
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    int r, fd = -1;

    if (fs < 0)
        return -errno;
    r = root_configure(fs);
    if (r == 0) {
        fd = fsmount(fs, FSMOUNT_CLOEXEC,
                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                         MOUNT_ATTR_NOEXEC);
        r = fd < 0 ? -errno : fd;
    }
    close(fs);
    return r;
}

/*
 * On top of the old root, then in its place, then without it. All is private
 * first: what is taken down here must stay where it is elsewhere.
 */
static int root_pivot(int fd)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        fchdir(fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

void root_empty(struct sandbox_report *report)
{
    int fd, r;

    if (!(report->namespaces & CLONE_NEWNS))
        return;
    fd = root_make();
    r = fd < 0 ? fd : root_pivot(fd);
    if (fd >= 0)
        close(fd);
    report->empty_root = r == 0;
    if (r < 0)
        jail_miss(report, "empty root: %s; mounts are not to be had here",
                  errno_name(-r));
}
