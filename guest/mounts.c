/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.c: devtmpfs, proc, sysfs and the like; taking disks out at the end */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mounts.h"
#include "say.h"
#include "text.h"

#define MOUNTS_MAX  64          /* taken out one by one */
#define MOUNTS_TEXT (64 * 1024) /* of /proc/self/mounts */

struct mounts_row {
    const char *dir, *type;
    unsigned long flags;
    const char *data;
};

static const struct mounts_row mounts_needed[] = {
    {"/dev", "devtmpfs", MS_NOSUID, "mode=755"},
    {"/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
};

static const struct mounts_row mounts_wanted[] = {
    {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
     "mode=620,ptmxmode=666,gid=5"},
    {"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
};

static const struct mounts_row mounts_writable[] = {
    {"/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"},
    {"/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
};

/* What udev would make. */
static const struct {
    const char *to, *name;
} mounts_links[] = {
    {"/proc/self/fd", "/dev/fd"},
    {"/proc/self/fd/0", "/dev/stdin"},
    {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"},
};

int mounts_at(const char *dir, const char *type, unsigned long flags,
              const char *data)
{
    mkdir(dir, 0755);
    return mount(type, dir, type, flags, data) < 0 ? -errno : 0;
}

/* EBUSY: the kernel has mounted it itself. ENODEV: it has no such type. */
static int mounts_rows(const struct mounts_row *row, size_t n, bool must)
{
    for (; n > 0; n--, row++) {
        int r = mounts_at(row->dir, row->type, row->flags, row->data);

        if (r == 0 || r == -EBUSY || (!must && (r == -ENOENT || r == -ENODEV)))
            continue;
        return say_error(r, "mount of", row->dir);
    }
    return 0;
}

int mounts_first(void)
{
    return mounts_rows(mounts_needed, ARRAY_SIZE(mounts_needed), true);
}

int mounts_rest(void)
{
    struct statvfs root;
    int r = mounts_rows(mounts_wanted, ARRAY_SIZE(mounts_wanted), false);

    for (size_t i = 0; i < ARRAY_SIZE(mounts_links); i++)
        (void)!symlink(mounts_links[i].to, mounts_links[i].name);
    if (r == 0 && statvfs("/", &root) == 0 && root.f_flag & ST_RDONLY)
        r = mounts_rows(mounts_writable, ARRAY_SIZE(mounts_writable), false);
    return r;
}

/* ---- the end --------------------------------------------------------------
 */

/* In place: /proc/self/mounts writes blanks and the like as \040. */
static void mounts_unescape(char *s)
{
    char *to = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
            s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            *to++ =
                (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* Mount points of devices, in the order of their mounting. */
static size_t mounts_of_devices(char *text, char *dir[MOUNTS_MAX])
{
    char *line;
    size_t n = 0;

    while (n < MOUNTS_MAX && (line = text_line(&text))) {
        char *end = strchr(line, ' ');

        if (!end || strncmp(line, "/dev/", 5) != 0)
            continue;
        dir[n] = end + 1;
        dir[n][strcspn(dir[n], " ")] = '\0';
        mounts_unescape(dir[n++]);
    }
    return n;
}

/* Later mounts may lie in earlier ones. What is still in use, as the root is,
 * becomes read-only: for a journal that is as good. */
void mounts_leave(void)
{
    static char text[MOUNTS_TEXT];
    char *dir[MOUNTS_MAX];
    size_t n;

    sync();
    text_read("/proc/self/mounts", text, sizeof(text));
    n = mounts_of_devices(text, dir);
    while (n-- > 0) {
        if (umount2(dir[n], UMOUNT_NOFOLLOW) < 0)
            mount(NULL, dir[n], NULL, MS_REMOUNT | MS_RDONLY, NULL);
    }
}
