/* SPDX-License-Identifier: Apache-2.0 */
/* check_run.c: rules of a VM that runs one command */
#include "check.h"

/* Its control port, stdin, stdout and stderr. */
#define CHECK_RUN_PORTS 4

static const struct drive_config *check_root_drive(const struct config *c)
{
    for (unsigned int i = 0; i < c->nr_drives; i++)
        if (c->drive[i].root)
            return &c->drive[i];
    return NULL;
}

static int check_run_root(const struct config *c)
{
    const struct drive_config *root = check_root_drive(c);
    int r = 0;

    if (!c->run.rootfs && !root)
        r = config_fail(c, &c->run.cmd,
                        "a command needs a root file system: give --rootfs "
                        "PATH (run.rootfs), or a root drive");
    if (c->run.rootfs && root)
        r |= config_fail(c, &c->run.rootfs,
                         "drive %s is the root already; one of the two",
                         root->id);
    if (root && root->partuuid)
        r |= config_fail(c, &root->partuuid,
                         "is not supported with a command; give a drive whose "
                         "whole is the file system");
    return r;
}

static int check_run_ports(const struct config *c)
{
    int r = 0;

    if (c->nr_ports + CHECK_RUN_PORTS > CONFIG_PORT_MAX)
        r = config_fail(c, &c->port[CONFIG_PORT_MAX - CHECK_RUN_PORTS].name,
                        "one port too many: beside a command's streams there "
                        "is room for %u",
                        CONFIG_PORT_MAX - CHECK_RUN_PORTS);
    for (unsigned int i = 0; i < c->nr_ports; i++)
        if (c->port[i].mode == CHR_STDIO)
            r |= config_fail(c, &c->port[i].mode,
                             "stdio is the command's already");
    return r;
}

/* What says how to run it, without it. */
static int check_no_command(const struct config *c)
{
    const struct run_config *n = &c->run;
    const void *field = NULL;

    if (n->nr_env)
        field = &n->env[0].value;
    else if (n->workdir)
        field = &n->workdir;
    else if (n->user)
        field = &n->user;
    else if (n->hostname)
        field = &n->hostname;
    else if (n->input)
        field = &n->input;
    else if (n->tty)
        field = &n->tty;
    if (!field)
        return 0;
    return config_fail(c, field,
                       "is for a command: give one behind --, or run.cmd");
}

int check_run(const struct config *c)
{
    int r;

    if (!config_has_command(c))
        return check_no_command(c);
    r = check_run_root(c) | check_run_ports(c);
    if (c->boot.initrd)
        r |= config_fail(c, &c->boot.initrd,
                         "not together with a command, for which mote makes "
                         "its own");
    return r;
}
