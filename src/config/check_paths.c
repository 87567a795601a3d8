/* SPDX-License-Identifier: Apache-2.0 */
/* check_paths.c: files that must be there, and who else uses them */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

/* Boot 2, console, log, metrics, metadata, record; a drive's image and overlay;
 * ports. */
#define CHECK_USE_MAX (7 + CONFIG_DEVICE_MAX * 2 + CONFIG_PORT_MAX)

/* One mention of a path. */
struct use {
    char *const *field;
    bool writes;
    char what[96]; /* "drive data's image" */
};

struct uses {
    unsigned int nr;
    struct use use[CHECK_USE_MAX];
};

/* Why it cannot be opened: who we are, and whose it is. */
static int check_denied(const struct config *c, const void *field,
                        const char *path, const char *what)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return config_fail(c, field,
                           "%s: Permission denied (EACCES); uid %u may not "
                           "search its directory",
                           path, geteuid());
    return config_fail(c, field,
                       "%s: Permission denied (EACCES); uid %u may not %s it "
                       "(owner uid %u, mode %04o)",
                       path, geteuid(), what, st.st_uid, st.st_mode & 07777);
}

static int check_stat(const struct config *c, const void *field,
                      const char *path, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return config_fail(c, field, "%s: %s (%s)", path,
                           strerrordesc_np(errno), errno_name(errno));
    if (S_ISDIR(st.st_mode))
        return config_fail(c, field, "%s: a directory, not a file", path);
    if (!S_ISREG(st.st_mode))
        return config_fail(c, field, "%s: not a regular file", path);
    if (st.st_size == 0)
        return config_fail(c, field, "%s: the file is empty", path);
    return 0;
}

static int check_failed(const struct config *c, const void *field,
                        const char *path, const char *what)
{
    if (errno == EACCES)
        return check_denied(c, field, path, what);
    return config_fail(c, field, "%s: %s (%s)", path, strerrordesc_np(errno),
                       errno_name(errno));
}

/* A descriptor, or -EINVAL. Not opened for writing: udev would take the end of
 * that for news of a block device. */
static int check_open(const struct config *c, const void *field,
                      const char *path, bool writes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return check_failed(c, field, path, "read");
    if (!writes || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return fd;
    close(fd);
    return check_failed(c, field, path, "write");
}

int check_file(const struct config *c, char *const *field)
{
    const char *path = *field;
    int fd, r;

    if (!path)
        return 0;
    fd = check_open(c, field, path, false);
    if (fd < 0)
        return fd;
    r = check_stat(c, field, path, fd);
    close(fd);
    return r;
}

/* An image below an overlay is only read. */
static bool check_writes(const struct drive_config *d)
{
    return !d->read_only && !d->overlay.given;
}

int check_image(const struct config *c, const struct drive_config *d)
{
    struct stat st = {0};
    int fd;

    if (!d->path)
        return 0; /* an error already */
    fd = check_open(c, &d->path, d->path, check_writes(d));
    if (fd < 0)
        return fd;
    fstat(fd, &st);
    close(fd);
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
        return 0;
    return config_fail(c, &d->path, "%s: neither a file nor a block device",
                       d->path);
}

/* Also by another name. */
static bool check_same(const char *a, const char *b)
{
    struct stat sa, sb;

    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && S_ISREG(sa.st_mode) &&
           sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* owner's what is in *field, which may be NULL. */
static void uses_add(struct uses *all, char *const *field, bool writes,
                     const char *owner, const char *what)
{
    struct use *u = &all->use[all->nr];

    if (!*field)
        return;
    all->nr++;
    *u = (struct use){.field = field, .writes = writes};
    snprintf(u->what, sizeof(u->what), "%s%s%s", what, owner ? " " : "",
             owner ? owner : "");
}

static void uses_add_drive(struct uses *all, const struct drive_config *d)
{
    uses_add(all, &d->path, check_writes(d), d->id, "the image of drive");
    uses_add(all, &d->overlay.path, true, d->id, "the overlay of drive");
}

/* Whether the exit record is a file, and not stdout. */
static bool uses_record(const struct config *c)
{
    return c->record.path && strcmp(c->record.path, "-") != 0;
}

static void uses_collect(struct uses *all, const struct config *c)
{
    uses_add(all, &c->boot.kernel, false, NULL, "the kernel");
    uses_add(all, &c->boot.initrd, false, NULL, "the initrd");
    uses_add(all, &c->console.path, true, NULL, "the console's file");
    uses_add(all, &c->log.path, true, NULL, "the log");
    uses_add(all, &c->metrics.path, true, NULL, "the metrics' file");
    uses_add(all, &c->mmds.path, false, NULL, "the metadata");
    for (unsigned int i = 0; i < c->nr_drives; i++)
        uses_add_drive(all, &c->drive[i]);
    for (unsigned int i = 0; i < c->nr_ports; i++)
        uses_add(all, &c->port[i].path, true, c->port[i].name,
                 "the file of port");
    if (uses_record(c))
        uses_add(all, &c->record.path, true, NULL, "the exit record");
}

/* An earlier use of the same file that excludes it, or NULL. */
static const struct use *uses_conflict(const struct uses *all,
                                       const struct use *u)
{
    for (const struct use *o = all->use; o < u; o++)
        if ((o->writes || u->writes) && check_same(*o->field, *u->field))
            return o;
    return NULL;
}

int check_paths(const struct config *c)
{
    struct uses all = {0};
    int r = 0;

    uses_collect(&all, c);
    for (const struct use *u = all.use; u < all.use + all.nr; u++) {
        const struct use *other = uses_conflict(&all, u);

        if (other)
            r |= config_fail(c, u->field, "%s is %s already", *u->field,
                             other->what);
    }
    return r;
}

bool config_may_record(const struct config *c)
{
    struct uses all = {0};

    if (!uses_record(c))
        return c->record.path;
    uses_collect(&all, c);
    return !uses_conflict(&all, &all.use[all.nr - 1]);
}
