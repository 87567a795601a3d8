/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c: resource limits, and nothing inherited by name */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

#define LIMITS_NOFILE 1024 /* 19 devices and 32 vCPUs take less than half */

struct limit_row {
    const char *name;
    __rlimit_resource_t id;
    u64 value;
};

/* Below what is set already: nobody may raise a hard limit. */
static int limits_one(const struct limit_row *row)
{
    struct rlimit now, lim = {row->value, row->value};

    if (getrlimit(row->id, &now) == 0 && lim.rlim_max > now.rlim_max)
        lim.rlim_cur = lim.rlim_max = now.rlim_max;
    return setrlimit(row->id, &lim) < 0
               ? fail(-errno, "sandbox: limit %s to %llu", row->name,
                      (unsigned long long)row->value)
               : 0;
}

/* MEMLOCK stays: the kernel counts io_uring's buffers there. AS stays: guest
 * memory is address space; a cgroup limits what is used of it. */
static int limits_all(const struct sandbox_config *c)
{
    const struct limit_row rows[] = {
        {"nofile", RLIMIT_NOFILE,
         c->rlimits.nofile ? c->rlimits.nofile : LIMITS_NOFILE},
        {"fsize", RLIMIT_FSIZE,
         c->rlimits.fsize ? c->rlimits.fsize : RLIM_INFINITY},
        {"core", RLIMIT_CORE, 0},
        {"msgqueue", RLIMIT_MSGQUEUE, 0},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
        r = limits_one(&rows[i]);
    return r;
}

/* The text too: what is in the environment is none of the guest's business. */
static void limits_environment(void)
{
    for (char **e = environ; e && *e; e++)
        explicit_bzero(*e, strlen(*e));
    environ = NULL;
}

int limits_set(const struct sandbox_config *c)
{
    limits_environment();
    umask(077);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond fsize is EFBIG */
    return limits_all(c);
}
