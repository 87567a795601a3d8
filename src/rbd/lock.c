/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c: one writer, and the fence before a dead one */
#include <stdio.h>
#include <string.h>

#include "mote/config.h"
#include "mote/log.h"

#include "lock.h"

/* How long the cluster refuses a dead worker that had no lock: librados' own
 * default for broken locks. */
#define LOCK_BLOCKLIST_S 3600

/* The address of who holds the lock, or "". */
static int lock_owner(struct image *im, char owner[static RBD_NAME_MAX])
{
    const struct rbd_lib *lib = im->cluster->lib;
    char *list[8];
    size_t n = ARRAY_SIZE(list);
    int mode, r = lib->rbd_lock_get_owners(im->rbd, &mode, list, &n);

    owner[0] = '\0';
    if (r == -ENOENT || (r == 0 && n == 0))
        return 0;
    if (r < 0)
        return fail(r, "%s: who holds its lock?", im->who);
    snprintf(owner, RBD_NAME_MAX, "%s", list[0]);
    lib->rbd_lock_get_owners_cleanup(list, n);
    return 0;
}

static int lock_break(struct image *im, const char *owner)
{
    int r = im->cluster->lib->rbd_lock_break(im->rbd, RBD_LOCK_MODE_EXCLUSIVE,
                                             owner);

    if (r < 0 && r != -ENOENT)
        return fail(r,
                    "%s: the lock of %s cannot be broken; client.%s needs the "
                    "capability mon 'profile rbd'",
                    im->who, owner, im->cluster->spec->user);
    log_info("%s: broke the lock of %s", im->who, owner);
    return 0;
}

static int lock_held(const struct image *im, const char *owner)
{
    return fail_rule(-EROFS,
                     "%s: is locked by %s; if that is surely dead, start with "
                     "rbd.lock \"break\"",
                     im->who, owner[0] ? owner : "another client");
}

/* Is it ours to break? */
static int lock_clear(struct image *im, const char *owner)
{
    const struct rbd_image *s = im->spec;

    if (owner[0] == '\0')
        return 0;
    if (im->gen > 1 && strcmp(owner, s->holder) == 0)
        return lock_break(im, owner);
    if (im->gen > 1)
        return lock_held(im, owner);
    if (s->lock == RBD_LOCK_BREAK)
        return lock_break(im, owner);
    log_info("%s: asks %s for the lock; that of a dead client falls within "
             "30 s",
             im->who, owner);
    return 0;
}

/* The lock is nobody's when this is called: who it will be is noted first, for
 * a worker that dies having it, and could not say so, has to be known to the
 * next one. */
static int lock_acquire(struct image *im)
{
    const struct rbd_lib *lib = im->cluster->lib;

    cluster_note_address(im->cluster, im->spec->holder);
    return lib->rbd_lock_acquire(im->rbd, RBD_LOCK_MODE_EXCLUSIVE);
}

static int lock_exclusive(struct image *im)
{
    char owner[RBD_NAME_MAX];
    int r = lock_owner(im, owner);

    if (r == 0)
        r = lock_clear(im, owner);
    if (r < 0)
        return r;
    r = lock_acquire(im);
    if (r == -EROFS || r == -EBUSY)
        return lock_held(im, owner);
    if (r < 0)
        return fail(r, "%s: cannot be locked", im->who);
    return lock_owner(im, im->spec->holder); /* in the cluster's own words */
}

/* Without a lock to break: nobody may hear the dead worker any more. */
static int lock_fence(struct image *im)
{
    struct cluster *c = im->cluster;
    int r = -ENOTSUP;

    if (c->before[0] && c->lib->rados_blocklist_add)
        r = c->lib->rados_blocklist_add(c->rados, c->before, LOCK_BLOCKLIST_S);
    if (r < 0)
        return fail(r,
                    "%s: the dead worker cannot be shut out of the cluster, so "
                    "its disk stays away",
                    im->who);
    return 0;
}

static int lock_none(struct image *im)
{
    int r = im->gen > 1 ? lock_fence(im) : 0;

    if (r == 0)
        cluster_note_address(im->cluster, im->cluster->spec->address);
    return r;
}

int lock_take_image(struct image *im)
{
    u64 features;
    int r;

    if (im->spec->lock == RBD_LOCK_NONE)
        return lock_none(im);
    r = im->cluster->lib->rbd_get_features(im->rbd, &features);
    if (r < 0)
        return fail(r, "%s: rbd_get_features", im->who);
    if (!(features & RBD_FEATURE_EXCLUSIVE_LOCK))
        return fail_rule(-ENOTSUP,
                         "%s: has no lock to take; enable it (rbd feature "
                         "enable ... exclusive-lock) or set rbd.lock to "
                         "\"none\"",
                         im->who);
    return lock_exclusive(im);
}
