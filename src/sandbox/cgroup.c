/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c: the control group named in the configuration, of version 2 or 1 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "jail.h"

#define CPU_PERIOD_US 100000

static int cgroup_write(const struct cgroup *g, const char *file,
                        const char *text)
{
    int fd = openat(g->dir, file, O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* One limit; the file's name differs between versions. */
static int cgroup_limit(const struct cgroup *g, const char *key,
                        const char *file, const char *text)
{
    int r = cgroup_write(g, file, text);

    if (r == -ENOENT)
        return fail_rule(r,
                         "sandbox.limits.%s: no %s in %s: enable the "
                         "controller in the cgroup above",
                         key, file, g->path);
    return r < 0 ? fail(r, "sandbox.limits.%s: %s/%s", key, g->path, file) : 0;
}

static int cgroup_limit_cpu(const struct cgroup *g, unsigned int percent)
{
    u64 us = (u64)percent * (CPU_PERIOD_US / 100);
    char text[48];

    snprintf(text, sizeof(text), g->v2 ? "%llu %u" : "%llu",
             (unsigned long long)us, CPU_PERIOD_US);
    return cgroup_limit(g, "cpu_percent",
                        g->v2 ? "cpu.max" : "cpu.cfs_quota_us", text);
}

static int cgroup_limits(const struct cgroup *g,
                         const struct sandbox_limits *limits)
{
    char text[32];
    int r = 0;

    snprintf(text, sizeof(text), "%llu",
             (unsigned long long)limits->memory_max);
    if (limits->memory_max)
        r = cgroup_limit(g, "memory_mib",
                         g->v2 ? "memory.max" : "memory.limit_in_bytes", text);
    snprintf(text, sizeof(text), "%u", limits->pids_max);
    if (r == 0 && limits->pids_max)
        r = cgroup_limit(g, "pids", "pids.max", text);
    if (r == 0 && limits->cpu_percent)
        r = cgroup_limit_cpu(g, limits->cpu_percent);
    return r;
}

/* "oom_kill 3" in memory.events, or memory.oom_control of version 1. */
static u64 cgroup_oom_kills(const struct cgroup *g)
{
    const char *file = g->v2 ? "memory.events" : "memory.oom_control";
    int fd = openat(g->dir, file, O_RDONLY | O_CLOEXEC);
    char text[512];
    const char *at;
    ssize_t n;

    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strstr(text, "oom_kill ");
    return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

static void cgroup_remove(struct undo *u)
{
    struct cgroup *g = container_of(u, struct cgroup, undo);

    if (rmdir(g->path) < 0)
        log_warn("sandbox.cgroup: %s: %s", g->path, errno_name(errno));
}

int cgroup_open(struct cgroup *g, const struct sandbox_config *c)
{
    *g = (struct cgroup){.path = c->cgroup, .dir = -1};
    if (!g->path)
        return 0;
    if (mkdir(g->path, 0755) == 0)
        undo_add(&g->undo, cgroup_remove);
    g->dir = open(g->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (g->dir < 0)
        return fail(-errno, "sandbox.cgroup: %s", g->path);
    if (faccessat(g->dir, "cgroup.procs", F_OK, 0) < 0)
        return fail_rule(-EINVAL, "sandbox.cgroup: %s is not a cgroup",
                         g->path);
    g->v2 = faccessat(g->dir, "cgroup.controllers", F_OK, 0) == 0;
    g->oom_kills = cgroup_oom_kills(g);
    return cgroup_limits(g, &c->limits);
}

/* ---- without making it --------------------------------------------------- */

static int peek_access(const char *dir, const char *file)
{
    char path[4200];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return 0;
    if (errno == ENOENT && strcmp(file, "cgroup.procs") == 0)
        return fail_rule(-EINVAL, "sandbox.cgroup: %s is not a cgroup", dir);
    return fail(-errno, "sandbox.cgroup: %s", path);
}

/* A cgroup that is to be made is made in this one, with its files. */
static int peek_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[4096];

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)MAX(slash - path, 1) : 1,
             slash ? path : ".");
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0)
        return fail(-errno, "sandbox.cgroup: %s cannot be made in %s", path,
                    dir);
    return peek_access(dir, "cgroup.procs");
}

static int peek_limits(const struct sandbox_config *c)
{
    char path[4200];
    bool v2;
    int r = 0;

    snprintf(path, sizeof(path), "%s/cgroup.controllers", c->cgroup);
    v2 = access(path, F_OK) == 0;
    if (c->limits.memory_max)
        r = peek_access(c->cgroup, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (r == 0 && c->limits.pids_max)
        r = peek_access(c->cgroup, "pids.max");
    if (r == 0 && c->limits.cpu_percent)
        r = peek_access(c->cgroup, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    return r;
}

int sandbox_peek_cgroup(const struct sandbox_config *c)
{
    int r;

    if (!c->cgroup)
        return 0;
    if (access(c->cgroup, F_OK) < 0)
        return peek_parent(c->cgroup);
    r = peek_access(c->cgroup, "cgroup.procs");
    return r < 0 ? r : peek_limits(c);
}

/* ---- its processes -------------------------------------------------------
 */

int cgroup_add(struct cgroup *g, pid_t pid)
{
    char text[16];
    int r;

    if (!g->path)
        return 0;
    snprintf(text, sizeof(text), "%d", pid);
    r = cgroup_write(g, "cgroup.procs", text);
    return r < 0 ? fail(r, "sandbox.cgroup: join %s", g->path) : 0;
}

int cgroup_open_procs(const struct cgroup *g, int *fd)
{
    *fd = -1;
    if (!g->path)
        return 0;
    *fd = openat(g->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    return *fd < 0 ? fail(-errno, "sandbox.cgroup: %s/cgroup.procs", g->path)
                   : 0;
}

/* "0" is who writes; the rights are those of who has opened it. */
int sandbox_join_cgroup(int fd)
{
    return write(fd, "0", 1) != 1 ? fail(-errno, "sandbox.cgroup: join it") : 0;
}

bool cgroup_was_oom(const struct cgroup *g)
{
    return g->path && cgroup_oom_kills(g) > g->oom_kills;
}
