/* SPDX-License-Identifier: Apache-2.0 */
/* drives.c: images, who has them, and what is in them */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mote/disk.h"
#include "mote/rbd.h"
#include "mote/temporary.h"

#include "check.h"

/* ---- what is in it -------------------------------------------------------
 */

static const struct probe {
    u64 offset;
    const char *magic;
    size_t len;
    const char *type;
} probes[] = {
    {0, "hsqs", 4, "squashfs"},
    {0, "XFSB", 4, "xfs"},
    {0x400, "\xe2\xe1\xf5\xe0", 4, "erofs"},
    {0x438, "\x53\xef", 2, "ext4"},
    {0x10040, "_BHRfS_M", 8, "btrfs"},
    {0x200, "EFI PART", 8, "partitions"},
    {0x1fe, "\x55\xaa", 2, "partitions"},
};

const char *check_probe(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *type = NULL;
    char buf[8];

    if (fd < 0)
        return NULL;
    for (size_t i = 0; !type && i < ARRAY_SIZE(probes); i++) {
        const struct probe *p = &probes[i];

        if (pread(fd, buf, p->len, (off_t)p->offset) == (ssize_t)p->len &&
            memcmp(buf, p->magic, p->len) == 0)
            type = p->type;
    }
    close(fd);
    return type;
}

/* ---- who has it ----------------------------------------------------------
 */

/* "process 123 (mote)" */
static void drive_holder(long pid, char *buf, size_t len)
{
    char path[48], name[32] = "";
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    fd = pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        n = read(fd, name, sizeof(name) - 1);
        close(fd);
    }
    name[MAX(n, 0)] = '\0';
    name[strcspn(name, "\n")] = '\0';
    if (pid)
        snprintf(buf, len, "process %ld%s%s%s", pid, n > 0 ? " (" : "", name,
                 n > 0 ? ")" : "");
    else
        snprintf(buf, len, "another process");
}

static void drive_busy(struct checking *k, const struct raw_options *opt,
                       const struct raw_peek *peek, const char *what)
{
    char who[96];

    drive_holder(peek->holder, who, sizeof(who));
    finding_add(k->f, FINDING_FAIL, what,
                "%s: in use%s by %s; end it, or give this VM an overlay or a "
                "copy",
                opt->path, opt->read_only ? " for writing" : "", who);
}

/* ---- overlays ------------------------------------------------------------
 */

bool check_can_make(const char *path, char *why, size_t len)
{
    const char *slash = strrchr(path, '/');
    char dir[4096];

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)MAX(slash - path, 1) : 1,
             slash ? path : ".");
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    snprintf(why, len, "cannot be made in %s: %s (%s)", dir,
             strerrordesc_np(errno), strerrorname_np(errno));
    return false;
}

static void overlay_ephemeral(struct checking *k, const char *what)
{
    const char *dir = temporary_dir();
    struct statvfs fs;

    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0)
        finding_add(k->f, FINDING_FAIL, what,
                    "its layer cannot be made in %s: %s (%s); set TMPDIR", dir,
                    strerrordesc_np(errno), strerrorname_np(errno));
    else if (statvfs(dir, &fs) == 0)
        finding_add(k->f, FINDING_OK, what,
                    "its layer is made in %s, which has %llu MiB free", dir,
                    (unsigned long long)fs.f_bavail * fs.f_frsize / MIB);
}

static void overlay_kept(struct checking *k, const char *path, const char *what)
{
    struct raw_options opt = {.path = path};
    struct raw_peek peek;
    char why[4200];

    if (access(path, F_OK) < 0) {
        if (!check_can_make(path, why, sizeof(why)))
            finding_add(k->f, FINDING_FAIL, what, "layer %s: %s", path, why);
        else
            finding_add(k->f, FINDING_OK, what, "layer %s: to be made", path);
    } else if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0 ||
               raw_peek(&peek, &opt) < 0 || peek.block_dev) {
        finding_add(k->f, FINDING_FAIL, what,
                    "layer %s: not a file that uid %u may write", path,
                    geteuid());
    } else if (peek.busy) {
        drive_busy(k, &opt, &peek, what);
    } else {
        finding_add(k->f, FINDING_OK, what, "layer %s: there", path);
    }
}

/* ---- one drive -----------------------------------------------------------
 */

static void drive_say(struct checking *k, const struct drive_config *d,
                      const struct raw_peek *peek, const char *what)
{
    const char *type = check_probe(d->path);
    u64 odd = peek->bytes % DISK_SECTOR;

    if (d->root)
        k->root_type = type;
    if (odd || peek->bytes == 0)
        finding_add(k->f, FINDING_WARN, what,
                    peek->bytes ? "%s: the last %llu bytes are no whole sector "
                                  "of 512 and not shown to the guest"
                                : "%s: is empty",
                    d->path, (unsigned long long)odd);
    else
        finding_add(k->f, FINDING_OK, what, "%s: %llu MiB, %s%s", d->path,
                    (unsigned long long)(peek->bytes / MIB),
                    type ? type : "content not known",
                    config_drive_read_only(d) ? ", read-only" : "");
    if (d->root && type && strcmp(type, "partitions") == 0 && !d->partuuid &&
        !k->c->boot.args)
        finding_add(k->f, FINDING_WARN, what,
                    "has partitions, and root=/dev/vda is the whole of it; "
                    "give its partuuid, or --append root=/dev/vda1");
}

static void drive_file(struct checking *k, const struct drive_config *d,
                       const char *what)
{
    const struct overlay_config *o = &d->overlay;
    struct raw_options opt = {.path = d->path,
                              .read_only = d->read_only || o->given};
    struct raw_peek peek;

    if (raw_peek(&peek, &opt) < 0)
        return; /* config_check() has told */
    if (peek.busy)
        drive_busy(k, &opt, &peek, what);
    else
        drive_say(k, d, &peek, what);
    if (o->given && o->path)
        overlay_kept(k, o->path, what);
    else if (o->given)
        overlay_ephemeral(k, what);
}

void host_drives(struct checking *k)
{
    char what[80];

    for (unsigned int i = 0; i < k->c->nr_drives; i++) {
        const struct drive_config *d = config_drive(k->c, i);

        snprintf(what, sizeof(what), "drive %s", d->id);
        if (d->rbd.given)
            host_rbd(k, d, what);
        else if (d->path)
            drive_file(k, d, what);
    }
}

/* ---- Ceph ----------------------------------------------------------------
 */

/* To load them takes files, and what is loaded is not to stay here. */
static int rbd_libraries(void *ctx)
{
    return rbd_peek_libraries();
}

void host_rbd(struct checking *k, const struct drive_config *d,
              const char *what)
{
    const struct check_child child = {.enter = rbd_libraries};
    const struct rbd_config *r = &d->rbd;

    if (findings_listen() < 0)
        return;
    check_in_child(&child);
    if (findings_heard(k->f, FINDING_FAIL, what) > 0)
        return;
    finding_add(k->f, FINDING_OK, what,
                "%s/%s: Ceph's libraries are there; the cluster is not asked",
                r->pool, r->image);
}
