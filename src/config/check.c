/* SPDX-License-Identifier: Apache-2.0 */
/* check.c: rules across blocks */
#include <unistd.h>

#include "mote/mem.h"

#include "check.h"

#define CHECK_SOCKET_MAX 108 /* sun_path, with its NUL */

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

    if (!c->boot.kernel && !config_has_command(c))
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
    return r;
}

/* Of the console and of each port: files and sockets have a path. */
static int check_mode(const struct config *c, const enum chr_mode *mode,
                      char *const *path)
{
    bool wants = *mode == CHR_FILE || *mode == CHR_UNIX;

    if (wants && !*path)
        return config_fail(c, mode, "\"%s\" needs a path",
                           *mode == CHR_FILE ? "file" : "unix");
    if (!wants && *path)
        return config_fail(c, path,
                           "a path is for modes \"file\" and \"unix\" only");
    if (*mode == CHR_UNIX && strlen(*path) >= CHECK_SOCKET_MAX)
        return config_fail(c, path, "%zu bytes; a socket's path has at most %d",
                           strlen(*path), CHECK_SOCKET_MAX - 1);
    return 0;
}

static int check_port(const struct config *c, unsigned int i)
{
    const struct port_config *p = &c->port[i];
    int r = check_mode(c, &p->mode, &p->path);

    if (p->mode == CHR_STDIO && c->console.mode == CHR_STDIO)
        r |= config_fail(c, &p->mode,
                         "stdio is the console's already; give that another "
                         "mode");
    for (unsigned int j = 0; j < i && p->name; j++) {
        if (strcmp(c->port[j].name, p->name) == 0)
            r |= config_fail(c, &p->name, "\"%s\" is another port's name",
                             p->name);
        if (p->mode == CHR_STDIO && c->port[j].mode == CHR_STDIO)
            r |= config_fail(c, &p->mode, "stdio is port %s's already",
                             c->port[j].name);
    }
    return r;
}

static int check_console(const struct config *c)
{
    const struct console_config *k = &c->console;
    int r = check_mode(c, &k->mode, &k->path);

    if (k->mode == CHR_UNIX && k->device == CONSOLE_SERIAL)
        r |= config_fail(c, &k->mode,
                         "\"unix\" is for \"device\": \"virtio\" only; the "
                         "serial port takes no clients");
    for (unsigned int i = 0; i < c->nr_ports; i++)
        r |= check_port(c, i);
    return r;
}

/* A limit that was given, or NULL. */
static const void *check_limit_given(const struct sandbox_limits *l)
{
    if (l->memory_max)
        return &l->memory_max;
    if (l->pids_max)
        return &l->pids_max;
    return l->cpu_percent ? &l->cpu_percent : NULL;
}

static int check_sandbox(const struct config *c)
{
    const struct sandbox_config *s = &c->sandbox;
    const void *limit = check_limit_given(&s->limits);
    int r = 0;

    if (limit && !s->cgroup)
        r = config_fail(c, limit,
                        "a limit of the cgroup: give sandbox.cgroup, too");
    if (!s->uid != !s->gid)
        r |= config_fail(c, s->uid ? &s->uid : &s->gid,
                         "uid and gid are given together");
    else if (s->uid && geteuid() != 0)
        r |= config_fail(c, &s->uid,
                         "only root can become another user; mote runs as "
                         "uid %u",
                         geteuid());
    return r;
}

int config_check(const struct config *c)
{
    int r = check_boot(c) | check_machine(c) | check_console(c) |
            check_devices(c) | check_mmds(c) | check_paths(c) |
            check_sandbox(c) | check_run(c);

    return r ? -EINVAL : 0;
}
