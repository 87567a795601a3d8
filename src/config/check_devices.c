/* SPDX-License-Identifier: Apache-2.0 */
/* check_devices.c: rules of drives and network interfaces, alone and together
 */
#include <strings.h>

#include "check.h"

static bool check_equal(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static int check_overlay(const struct config *c, const struct drive_config *d)
{
    const struct overlay_config *o = &d->overlay;

    if (!o->given)
        return 0;
    if (d->read_only)
        return config_fail(c, &o->given,
                           "makes the drive writable: not for a read-only "
                           "one");
    if (!o->ephemeral && !o->path && o->exit != OVERLAY_DISCARD)
        return config_fail(c, &o->given,
                           "needs a path, or \"on_exit\": \"discard\"");
    return 0;
}

static int check_rbd_keys(const struct config *c, const struct rbd_config *r)
{
    int bad = 0;

    if (r->clone.given && !r->snapshot)
        bad |= config_fail(c, &r->clone.given,
                           "needs a snapshot to be the clone of");
    if (r->key_file && r->key_fd)
        bad |= config_fail(c, &r->key_fd, "key_file names a key already");
    if (r->conf)
        bad |= check_file(c, &r->conf);
    if (r->key_file)
        bad |= check_file(c, &r->key_file);
    return bad;
}

static int check_rbd(const struct config *c, const struct drive_config *d)
{
    const struct rbd_config *r = &d->rbd;
    int bad = check_rbd_keys(c, r);

    if (d->path)
        bad |= config_fail(c, &d->path,
                           "rbd names the disk already; one of the two");
    if (r->clone.given && d->read_only)
        bad |=
            config_fail(c, &d->read_only, "a clone is there to be written to");
    if (r->cache != RBD_CACHE_NONE && d->cache == CACHE_UNSAFE)
        bad |= config_fail(c, &d->cache,
                           "\"Unsafe\" does not go with an rbd.cache, which "
                           "needs the guest's flushes");
    if (d->overlay.given)
        bad |= config_fail(c, &d->overlay.given,
                           "is for path_on_host; an rbd drive has clone");
    if (d->direct)
        bad |= config_fail(c, &d->direct, "is for path_on_host");
    return bad;
}

static int check_backing(const struct config *c, const struct drive_config *d)
{
    if (d->rbd.given)
        return check_rbd(c, d);
    if (!d->path)
        return config_fail(c, &d->id,
                           "drive %s has neither path_on_host nor "
                           "rbd",
                           d->id);
    return check_image(c, d);
}

static int check_drive(const struct config *c, unsigned int i)
{
    const struct drive_config *d = &c->drive[i];
    int r = check_overlay(c, d) | check_backing(c, d);

    for (unsigned int j = 0; j < i; j++) {
        const struct drive_config *o = &c->drive[j];

        if (check_equal(o->id, d->id))
            r |= config_fail(c, &d->id, "\"%s\" is another drive's id", d->id);
        if (o->root && d->root)
            r |= config_fail(c, &d->root, "drive %s is the root device already",
                             o->id);
    }
    return r;
}

/* Each backend has its keys, and takes no other's. */
static int check_backend(const struct config *c, const struct net_config *n)
{
    int r = 0;

    if (n->backend == NET_TAP && !n->tap)
        r |= config_fail(c, &n->id, "backend \"tap\" needs a host_dev_name");
    if (n->backend != NET_TAP && n->tap)
        r |= config_fail(c, &n->tap, "is for backend \"tap\" only");
    if (n->backend == NET_FD && !n->fd)
        r |= config_fail(c, &n->backend, "\"fd\" needs an fd");
    if (n->backend != NET_FD && n->fd)
        r |= config_fail(c, &n->fd, "is for backend \"fd\" only");
    if (n->backend != NET_USER && n->user.given)
        r |= config_fail(c, &n->user.given, "is for backend \"user\" only");
    if (n->backend != NET_TAP && n->pairs > 1)
        r |= config_fail(c, &n->pairs,
                         "%u pairs: backend \"tap\" only has more than one",
                         n->pairs);
    return r;
}

static int check_net(const struct config *c, unsigned int i)
{
    const struct net_config *n = &c->net[i];
    int r = check_backend(c, n);

    for (unsigned int j = 0; j < i; j++) {
        const struct net_config *o = &c->net[j];

        if (check_equal(o->id, n->id))
            r |= config_fail(c, &n->id, "\"%s\" is another interface's id",
                             n->id);
        if (o->mac && n->mac && strcasecmp(o->mac, n->mac) == 0)
            r |= config_fail(c, &n->mac, "%s is the MAC of %s already", n->mac,
                             o->id);
        if (check_equal(o->tap, n->tap))
            r |= config_fail(c, &n->tap, "%s is in use by %s already", n->tap,
                             o->id);
        if (n->fd && o->fd == n->fd)
            r |= config_fail(c, &n->fd, "%u is in use by %s already", n->fd,
                             o->id);
    }
    return r;
}

static int check_count(const struct config *c)
{
    /* The root file system may become a drive. */
    unsigned int drives = c->nr_drives + (c->run.rootfs ? 1 : 0);
    unsigned int n =
        drives + c->nr_nets + c->entropy.given + config_has_virtio_console(c);

    if (n <= CONFIG_DEVICE_MAX)
        return 0;
    return fail_rule(-EINVAL,
                     "%u virtio devices (%u drives, %u network interfaces, %u "
                     "entropy, %u console); %u are possible",
                     n, drives, c->nr_nets, c->entropy.given,
                     config_has_virtio_console(c), CONFIG_DEVICE_MAX);
}

int check_devices(const struct config *c)
{
    int r = check_count(c);

    for (unsigned int i = 0; i < c->nr_drives; i++)
        r |= check_drive(c, i);
    for (unsigned int i = 0; i < c->nr_nets; i++)
        r |= check_net(c, i);
    return r;
}
