/* SPDX-License-Identifier: Apache-2.0 */
/* check.c: rules across blocks, and files that must be readable */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/mem.h"

#include "mote/config.h"

/* Why it cannot be read: who we are, and whose it is. */
static int check_denied(const struct config *c, const void *field,
                        const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return config_fail(c, field,
                           "%s: Permission denied (EACCES); uid %u may not "
                           "search its directory",
                           path, geteuid());
    return config_fail(c, field,
                       "%s: Permission denied (EACCES); uid %u may not read "
                       "it (owner uid %u, mode %04o)",
                       path, geteuid(), st.st_uid, st.st_mode & 07777);
}

static int check_stat(const struct config *c, const void *field,
                      const char *path, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return config_fail(c, field, "%s: %s (%s)", path, strerror(errno),
                           errno_name(errno));
    if (S_ISDIR(st.st_mode))
        return config_fail(c, field, "%s: a directory, not a file", path);
    if (!S_ISREG(st.st_mode))
        return config_fail(c, field, "%s: not a regular file", path);
    if (st.st_size == 0)
        return config_fail(c, field, "%s: the file is empty", path);
    return 0;
}

/* *field is a path that mote is going to read. */
static int check_file(const struct config *c, char *const *field)
{
    const char *path = *field;
    int fd, r;

    if (!path)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == EACCES)
        return check_denied(c, field, path);
    if (fd < 0)
        return config_fail(c, field, "%s: %s (%s)", path, strerror(errno),
                           errno_name(errno));
    r = check_stat(c, field, path, fd);
    close(fd);
    return r;
}

/* The kernel takes bytes; what prints is what an operator can see. */
static int check_printable(const struct config *c, char *const *field)
{
    const char *text = *field ? *field : "";

    for (size_t i = 0; text[i]; i++)
        if (text[i] < ' ' || text[i] > '~')
            return config_fail(c, field,
                               "byte 0x%02x at offset %zu is not printable "
                               "ASCII",
                               (u8)text[i], i);
    return 0;
}

static int check_boot(const struct config *c)
{
    int r = 0;

    if (!c->boot.kernel)
        r = config_fail(c, &c->boot.kernel,
                        "no kernel: give --kernel FILE, or "
                        "boot-source.kernel_image_path in --config FILE");
    r |= check_file(c, &c->boot.kernel);
    r |= check_file(c, &c->boot.initrd);
    r |= check_printable(c, &c->boot.args);
    r |= check_printable(c, &c->boot.append);
    return r;
}

static int check_machine(const struct config *c)
{
    const struct machine_config *m = &c->machine;
    int r = 0;

    if (m->smt && m->vcpus > 1 && m->vcpus % 2)
        r = config_fail(c, &m->smt,
                        "true needs 1 or an even number of vCPUs, not %u",
                        m->vcpus);
    if (m->engine == ENGINE_INTERP && m->vcpus > 1)
        r |= config_fail(c, &m->vcpus,
                         "%u vCPUs are not supported yet by engine interp: "
                         "the interpreter runs one vCPU so far",
                         m->vcpus);
    return r;
}

static int check_paths(const struct config *c)
{
    const struct console_config *k = &c->console;
    int r = 0;

    if (k->mode == CHR_FILE && !k->path)
        r = config_fail(c, &k->mode, "\"file\" needs a path");
    if (k->mode != CHR_FILE && k->path)
        r = config_fail(c, &k->path, "a path is for mode \"file\" only");
    if (k->path && c->log.path && strcmp(k->path, c->log.path) == 0)
        r |= config_fail(c, &c->log.path, "%s is the console's file already",
                         c->log.path);
    return r;
}

int config_check(const struct config *c)
{
    int r = check_boot(c) | check_machine(c) | check_paths(c);

    return r ? -EINVAL : 0;
}
