/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c: from options and a key to a connection */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/log.h"

#include "cluster.h"
#include "keyring.h"

static int cluster_set(struct cluster *c, const char *name, const char *value)
{
    int r = c->lib->rados_conf_set(c->rados, name, value);

    if (r < 0)
        return fail_rule(r, "rbd.options.%s: librados does not take '%s'", name,
                         value);
    return 0;
}

static int cluster_set_seconds(struct cluster *c, const char *name, u32 seconds)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", seconds);
    return cluster_set(c, name, text);
}

/* ---- the key ------------------------------------------------------------- */

/* All of fd, from its start, as text; the caller frees it. */
static char *cluster_read(int fd)
{
    char *text = calloc(1, KEYRING_SIZE_MAX + 1);
    ssize_t n = text ? pread(fd, text, KEYRING_SIZE_MAX, 0) : -1;

    if (n > 0)
        return text;
    free(text);
    return NULL;
}

/* 1: taken, 0: not there. */
static int cluster_take_key(struct cluster *c, int fd)
{
    char *text = cluster_read(fd), *key = NULL;
    int r = 0;

    if (text)
        key = keyring_find(text, c->spec->user);
    if (key && *key) {
        r = c->lib->rados_conf_set(c->rados, "key", key);
        r = r < 0 ? r : 1;
    }
    if (text)
        explicit_bzero(text, KEYRING_SIZE_MAX);
    free(text);
    return r;
}

/* The keyrings that the configuration or Ceph's defaults name. */
static int cluster_search_keyrings(struct cluster *c)
{
    char list[4096], *save, *path;
    int r = c->lib->rados_conf_get(c->rados, "keyring", list, sizeof(list));

    if (r < 0)
        return 0;
    for (path = strtok_r(list, ",; ", &save); path;
         path = strtok_r(NULL, ",; ", &save)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            continue;
        r = cluster_take_key(c, fd);
        close(fd);
        if (r != 0)
            return r;
    }
    return 0;
}

static int cluster_key(struct cluster *c)
{
    const struct rbd_cluster *s = c->spec;
    int r = s->key_fd >= 0 ? cluster_take_key(c, s->key_fd)
                           : cluster_search_keyrings(c);

    if (r < 0)
        return fail_rule(r, "rbd: librados does not take the key of user %s",
                         s->user);
    if (r == 0)
        return fail_rule(-ENOENT,
                         "rbd: no key of client.%s %s; name one with "
                         "rbd.key_file",
                         s->user,
                         s->key_fd >= 0
                             ? "in the key file"
                             : "in any keyring of the configuration");
    return 0;
}

/* ---- options ------------------------------------------------------------- */

static int cluster_read_conf(struct cluster *c)
{
    char path[32];
    int r;

    if (c->spec->conf_fd < 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", c->spec->conf_fd);
    r = c->lib->rados_conf_read_file(c->rados, path);
    return r < 0 ? fail(r, "rbd.conf: librados cannot read it") : 0;
}

/*
 * What the configuration and rbd.options can change. Requests are submitted by
 * the worker's own thread, which nobody waits for: handing each to a thread of
 * librbd's only costs. So does a second thread for answers. Submitting must not
 * block, though, while the worker may have something to say: what all drives of
 * a VM can have in flight is within these limits.
 */
static int cluster_set_defaults(struct cluster *c)
{
    static const char *const value[][2] = {
        {"rbd_non_blocking_aio", "false"},
        {"librados_thread_count", "1"},
        {"objecter_inflight_ops", "16384"},
        {"objecter_inflight_op_bytes", "536870912"},
    };
    int r = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(value) && r >= 0; i++) {
        r = c->lib->rados_conf_set(c->rados, value[i][0], value[i][1]);
        if (r == -ENOENT) /* another version's */
            r = 0;
    }
    return r < 0 ? fail(r, "rbd: librados does not take mote's defaults") : 0;
}

/* Nothing on disk, nothing on the terminal: the worker has neither. */
static int cluster_set_quiet(struct cluster *c)
{
    static const char *const quiet[][2] = {
        {"log_file", ""},           {"log_to_stderr", "false"},
        {"err_to_stderr", "false"}, {"admin_socket", ""},
        {"log_max_recent", "10"},
    };
    int r = 0;

    for (unsigned int i = 0; r == 0 && i < ARRAY_SIZE(quiet); i++)
        r = cluster_set(c, quiet[i][0], quiet[i][1]);
    return r;
}

static int cluster_set_cache(struct cluster *c)
{
    static const char *const policy[] = {
        [RBD_CACHE_WRITETHROUGH] = "writethrough",
        [RBD_CACHE_WRITEBACK] = "writeback",
    };
    u32 cache = c->spec->cache;
    int r;

    if (cache == RBD_CACHE_NONE)
        return cluster_set(c, "rbd_cache", "false");
    r = cluster_set(c, "rbd_cache", "true");
    return r < 0 ? r : cluster_set(c, "rbd_cache_policy", policy[cache]);
}

static int cluster_options(struct cluster *c)
{
    const struct rbd_cluster *s = c->spec;
    int r = cluster_set_defaults(c);

    if (r == 0)
        r = cluster_read_conf(c);
    for (u32 i = 0; r == 0 && i < s->nr_options; i++)
        r = cluster_set(c, s->option[i][0], s->option[i][1]);
    if (r == 0)
        r = cluster_set_quiet(c);
    if (r == 0 && s->mon_host[0])
        r = cluster_set(c, "mon_host", s->mon_host);
    if (r == 0)
        r = cluster_set_cache(c);
    /* Its default is 300 s; an operator waits for the answer. */
    if (r == 0)
        r = cluster_set_seconds(c, "client_mount_timeout",
                                s->connect_timeout_s);
    if (r == 0 && s->timeout_s)
        r = cluster_set_seconds(c, "rados_osd_op_timeout", s->timeout_s);
    return r < 0 ? r : cluster_key(c);
}

/* ---- life ---------------------------------------------------------------- */

int cluster_prepare(struct cluster *c, const struct rbd_lib *lib,
                    struct rbd_cluster *spec)
{
    int r;

    *c = (struct cluster){.lib = lib, .spec = spec};
    memcpy(c->before, spec->address, sizeof(c->before));
    r = lib->rados_create(&c->rados, spec->user);
    if (r < 0)
        return fail(r, "rbd: rados_create for client.%s", spec->user);
    r = cluster_options(c);
    if (r < 0)
        cluster_close(c);
    return r;
}

static int cluster_connect_error(const struct cluster *c, int r)
{
    const struct rbd_cluster *s = c->spec;
    const char *mon = s->mon_host[0] ? s->mon_host : "of the configuration";

    switch (r) {
    case -EACCES:
    case -EPERM:
        return fail(r,
                    "rbd: the monitors refuse client.%s: no such user, or "
                    "another key",
                    s->user);
    case -ETIMEDOUT:
        return fail(
            r,
            "rbd: no monitor (%s) lets client.%s in within %u s; are the "
            "address, the user and the key right, is the cluster up?",
            mon, s->user, s->connect_timeout_s);
    case -ENOENT:
        return fail(r,
                    "rbd: no monitor is known; name some with rbd.mon_host or "
                    "a configuration with rbd.conf");
    default:
        return fail(r, "rbd: cannot connect to the monitors (%s)", mon);
    }
}

int cluster_connect(struct cluster *c)
{
    char fsid[64] = "";
    int r = c->lib->rados_connect(c->rados);

    if (r < 0)
        return cluster_connect_error(c, r);
    if (!c->spec->fsid[0])
        return 0;
    r = c->lib->rados_cluster_fsid(c->rados, fsid, sizeof(fsid));
    if (r < 0)
        return fail(r, "rbd.fsid: the cluster does not tell its own");
    if (strcasecmp(fsid, c->spec->fsid) != 0)
        return fail_rule(-EXDEV,
                         "rbd.fsid: this is cluster %s, not %s; nothing was "
                         "opened",
                         fsid, c->spec->fsid);
    return 0;
}

int cluster_pool(struct cluster *c, const char *who, const char *pool,
                 const char *ns, rados_ioctx_t *out)
{
    int r = c->lib->rados_ioctx_create(c->rados, pool, out);

    if (r == -ENOENT)
        return fail(r, "%s: rbd.pool: no pool %s in the cluster", who, pool);
    if (r < 0)
        return fail(r, "%s: rbd.pool: %s", who, pool);
    if (ns[0])
        c->lib->rados_ioctx_set_namespace(*out, ns);
    return 0;
}

void cluster_note_address(const struct cluster *c, char to[RBD_NAME_MAX])
{
    char *text;

    if (!c->lib->rados_getaddrs || c->lib->rados_getaddrs(c->rados, &text) < 0)
        return;
    snprintf(to, RBD_NAME_MAX, "%s", text);
    free(text);
}

void cluster_close(struct cluster *c)
{
    if (c->rados)
        c->lib->rados_shutdown(c->rados);
    c->rados = NULL;
}
