/* SPDX-License-Identifier: Apache-2.0 */
/* image.c: open, lock, watch, close */
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mote/log.h"

#include "clone.h"
#include "image.h"
#include "lock.h"

static void image_wake(const struct image *im)
{
    (void)!write(im->spec->done_fd, &(u64){1}, sizeof(u64));
}

static void image_name(struct image *im)
{
    const struct rbd_image *s = im->spec;

    snprintf(im->who, sizeof(im->who), "drive %s (%s%s%s/%s%s%s)", s->drive,
             s->pool, s->ns[0] ? "/" : "", s->ns, s->image,
             s->snapshot[0] ? "@" : "", s->snapshot);
    im->name = s->clone[0] ? s->clone : s->image;
}

int image_init(struct image *im, struct cluster *cluster,
               struct rbd_image *spec, u32 gen)
{
    *im = (struct image){.cluster = cluster, .spec = spec, .gen = gen};
    image_name(im);
    im->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (im->changed_fd < 0)
        return fail(-errno, "%s: eventfd", im->who);
    im->ring = mmap(NULL, RBD_RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                    spec->ring_fd, 0);
    if (im->ring == MAP_FAILED) {
        im->ring = NULL;
        return fail(-errno, "%s: mmap of its ring", im->who);
    }
    /* What an earlier worker left there is submitted again. */
    im->head = atomic_load(&im->ring->sq_tail);
    atomic_store(&im->ring->serving, 0);
    for (u32 i = 0; i < RBD_SLOTS; i++) {
        im->slot[i].image = im;
        im->slot[i].id = i;
    }
    return 0;
}

void image_fail(struct image *im, enum rbd_state state, int err)
{
    if (!im->ring)
        return;
    atomic_store(&im->ring->err, err);
    atomic_store(&im->ring->state, (u32)state);
    image_wake(im);
}

/* ---- opening ------------------------------------------------------------- */

static bool image_is_read_only(const struct image *im)
{
    const struct rbd_image *s = im->spec;

    return s->read_only || (s->snapshot[0] && !s->clone[0]);
}

static int image_open_error(const struct image *im, int r)
{
    switch (r) {
    case -ENOENT:
        return fail(r, "%s: no such image%s", im->who,
                    im->spec->snapshot[0] ? ", or no such snapshot" : "");
    case -EPERM:
    case -EACCES:
        return fail(r,
                    "%s: client.%s may not open it%s; it needs the "
                    "capabilities mon 'profile rbd', osd 'profile rbd'",
                    im->who, im->cluster->spec->user,
                    image_is_read_only(im) ? "" : " for writing");
    default:
        return fail(r, "%s: cannot be opened", im->who);
    }
}

static int image_open_handle(struct image *im)
{
    const struct rbd_lib *lib = im->cluster->lib;
    const struct rbd_image *s = im->spec;
    const char *snap = s->snapshot[0] && !s->clone[0] ? s->snapshot : NULL;
    int r;

    if (image_is_read_only(im))
        r = lib->rbd_open_read_only(im->io, im->name, &im->rbd, snap);
    else
        r = lib->rbd_open(im->io, im->name, &im->rbd, NULL);
    if (r < 0) {
        im->rbd = NULL;
        return image_open_error(im, r);
    }
    return 0;
}

/* On a thread of librbd's. */
static void image_on_change(void *arg)
{
    struct image *im = arg;

    (void)!write(im->changed_fd, &(u64){1}, sizeof(u64));
}

static int image_watch(struct image *im)
{
    int r;

    if (image_is_read_only(im)) /* librbd does not watch those */
        return 0;
    r = im->cluster->lib->rbd_update_watch(im->rbd, &im->watch, image_on_change,
                                           im);
    if (r < 0)
        return fail(r, "%s: cannot be watched for changes", im->who);
    im->watched = true;
    return 0;
}

/* The size goes out before the state that makes it valid. */
static int image_announce(struct image *im)
{
    const struct rbd_lib *lib = im->cluster->lib;
    struct rbd_ring *ring = im->ring;
    struct rbd_stat st;
    u32 flags = 0;
    int r = lib->rbd_stat(im->rbd, &st, sizeof(st));

    if (r < 0)
        return fail(r, "%s: rbd_stat", im->who);
    if (image_is_read_only(im))
        flags |= RBD_F_READ_ONLY;
    if (lib->rbd_aio_write_zeroes)
        flags |= RBD_F_ZEROES;
    atomic_store(&im->size, st.size);
    atomic_store(&ring->size, st.size);
    atomic_store(&ring->obj_size, st.obj_size);
    atomic_store(&ring->flags, flags);
    atomic_store(&ring->gen, im->gen);
    atomic_store(&ring->state, RBD_READY);
    image_wake(im);
    return 0;
}

static int image_open_steps(struct image *im, const char *owner)
{
    const struct rbd_image *s = im->spec;
    int r = cluster_pool(im->cluster, im->who, s->pool, s->ns, &im->io);

    if (r == 0 && s->clone[0])
        r = clone_make(im);
    if (r == 0)
        r = image_open_handle(im);
    if (r == 0 && !image_is_read_only(im))
        r = lock_take_image(im);
    if (r == 0 && s->clone[0] && !s->keep_clone)
        r = clone_mark(im, owner);
    if (r == 0)
        r = image_watch(im);
    return r;
}

/* r, told to the other side if it is an error. */
static int image_opened(struct image *im, int r)
{
    if (r < 0 && im->gen == 1)
        image_fail(im, RBD_FAILED, r);
    else if (r < 0 && r != -ETIMEDOUT) /* then the keeper tries once more */
        image_fail(im, RBD_LATCHED, r);
    return r;
}

int image_open(struct image *im, const char *owner)
{
    return image_opened(im, image_open_steps(im, owner));
}

int image_ready(struct image *im)
{
    return image_opened(im, image_announce(im));
}

void image_idle(struct image *im)
{
    im->used = false;
    atomic_fetch_or(&im->ring->flags, RBD_F_IDLE);
    image_wake(im);
}

void image_changed(struct image *im)
{
    u64 count, size;

    if (read(im->changed_fd, &count, sizeof(count)) < 0)
        return;
    if (im->cluster->lib->rbd_get_size(im->rbd, &size) < 0 ||
        atomic_exchange(&im->size, size) == size)
        return;
    atomic_store(&im->ring->size, size);
    log_info("%s: its size is %llu bytes now", im->who,
             (unsigned long long)size);
    image_wake(im);
}

/* ---- closing ------------------------------------------------------------- */

/* rbd_close() waits for what is in flight, and flushes. */
void image_close(struct image *im)
{
    const struct rbd_lib *lib = im->cluster->lib;
    int r;

    if (im->rbd) {
        if (im->watched)
            lib->rbd_update_unwatch(im->rbd, im->watch);
        r = lib->rbd_close(im->rbd);
        if (r < 0)
            fail(r, "%s: at its close", im->who);
        im->rbd = NULL;
    }
    if (im->io && im->spec->clone[0] && !im->spec->keep_clone)
        clone_remove(im);
    if (im->io)
        lib->rados_ioctx_destroy(im->io);
    im->io = NULL;
}
