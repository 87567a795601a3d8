/* SPDX-License-Identifier: Apache-2.0 */
/* root.c: mount the root device, leave the initramfs */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/guest.h"

#include "root.h"
#include "say.h"
#include "text.h"
#include "wait.h"

#define ROOT_DIR   "/mote-root"
#define ROOT_TYPES 4096 /* of /proc/filesystems */

/* A device that cannot be written is mounted as it can be. */
static int root_mount_as(const struct orders *o, const char *type)
{
    unsigned long flags = o->root_ro ? MS_RDONLY : 0;

    if (mount(o->root, ROOT_DIR, type, flags, NULL) == 0)
        return 0;
    if ((errno == EACCES || errno == EROFS) && flags == 0 &&
        mount(o->root, ROOT_DIR, type, MS_RDONLY, NULL) == 0)
        return 0;
    return -errno;
}

/* EINVAL: not of this type. ENODEV: this kernel does not know the type. */
static bool root_try_next(int r)
{
    return r == -EINVAL || r == -ENODEV;
}

static int root_mount_listed(const struct orders *o)
{
    int r = -EINVAL;

    for (size_t i = 0; i < o->nr_types && root_try_next(r); i++)
        r = root_mount_as(o, o->rootfstype[i]);
    return r;
}

/* All types that this kernel knows and that need a device: "\text4\n". */
static int root_mount_known(const struct orders *o)
{
    char text[ROOT_TYPES], *rest = text, *line;
    int r = -EINVAL;

    text_read("/proc/filesystems", text, sizeof(text));
    while (root_try_next(r) && (line = text_line(&rest))) {
        if (line[0] == '\t')
            r = root_mount_as(o, line + 1);
    }
    return r;
}

/* The driver may still be looking for the device. */
static int root_mount(const struct orders *o)
{
    u64 since = wait_now_ms();
    int r;

    do
        r = o->nr_types > 0 ? root_mount_listed(o) : root_mount_known(o);
    while ((r == -ENOENT || r == -ENXIO) &&
           wait_a_little(since, since + WAIT_DEVICE_MS));
    return r;
}

/* A read-only root without the directory does without. */
static void root_take_along(const char *dir)
{
    char to[64];

    snprintf(to, sizeof(to), ROOT_DIR "%s", dir);
    mkdir(to, 0755);
    if (mount(dir, to, NULL, MS_MOVE, NULL) < 0)
        umount2(dir, MNT_DETACH);
}

/* What was moved onto "/" is seen by those who look for it from now on. */
static int root_switch(void)
{
    if (chdir(ROOT_DIR) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
        chroot(".") < 0 || chdir("/") < 0)
        return say_error(errno, "switch to", ROOT_DIR);
    return 0;
}

/* The initramfs itself is at the bottom of all mounts, where pivot_root(2) and
 * so what makes containers refuse to work. A second view of it is not. */
static int root_mount_initramfs(void)
{
    return mount("/", ROOT_DIR, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int root_enter(const struct orders *o)
{
    int r;

    unlink(GUEST_INIT);
    unlink(GUEST_ORDERS);
    rmdir(GUEST_DIR);
    mkdir(ROOT_DIR, 0755);
    r = o->root ? root_mount(o) : root_mount_initramfs();
    if (r < 0)
        return say_error(r, "root", o->root ? o->root : "/");
    root_take_along("/dev");
    root_take_along("/proc");
    root_take_along("/sys");
    r = root_switch();
    if (r == 0 && !o->root)
        rmdir(ROOT_DIR);
    return r;
}
