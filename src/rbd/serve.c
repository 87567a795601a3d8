/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c: from the ring to librbd and back. The ring is hostile: a slot is
 * copied once, and only the copy is looked at. */
#include <sys/mman.h>
#include <unistd.h>

#include "mote/log.h"

#include "image.h"

#define SERVE_MAX 64

/* ---- the way back -------------------------------------------------------- */

/* These will not go away: the image is gone, or another client's. */
static bool serve_is_final(ssize_t ret)
{
    return ret == -ESHUTDOWN || ret == -EROFS || ret == -ENOENT;
}

static void serve_done(struct image_io *io, s32 ret)
{
    struct image *im = io->image;

    if (serve_is_final(ret) &&
        atomic_exchange(&im->ring->state, RBD_LATCHED) != RBD_LATCHED) {
        atomic_store(&im->ring->err, ret);
        fail(ret, "%s: %s; this disk stays away until the VM is started anew",
             im->who,
             ret == -ENOENT ? "the image is gone"
                            : "fenced: another client has taken the image");
    }
    atomic_fetch_sub(&im->in_flight, 1);
    atomic_fetch_add(&im->answers, 1);
    atomic_store_explicit(&io->busy, false, memory_order_release);
    if (rbd_ring_done(im->ring, io->id, ret))
        (void)!write(im->spec->done_fd, &(u64){1}, sizeof(u64));
}

/* A read that ends early has met the end of an image that shrank. */
static void serve_zero_rest(struct image_io *io, size_t got)
{
    for (unsigned int i = 0; i < RBD_SLOT_CHUNKS && io->iov[i].iov_len; i++) {
        size_t len = io->iov[i].iov_len;

        if (got < len)
            memset((u8 *)io->iov[i].iov_base + got, 0, len - got);
        got = got > len ? got - len : 0;
    }
}

/* On a thread of librbd's. */
static void serve_on_completion(rbd_completion_t c, void *arg)
{
    struct image_io *io = arg;
    const struct rbd_lib *lib = io->image->cluster->lib;
    ssize_t ret = lib->rbd_aio_get_return_value(c);

    lib->rbd_aio_release(c);
    if (ret >= 0 && (size_t)ret < io->len)
        serve_zero_rest(io, (size_t)ret);
    serve_done(io, ret < 0 ? (s32)ret : 0);
}

/* ---- the way out --------------------------------------------------------- */

/* The copy of a slot against the rules of ring.h. librbd clips a write beyond
 * the end without a word, so the size is checked here. */
static bool serve_is_valid(const struct image *im, const struct rbd_slot *s)
{
    u64 size = atomic_load_explicit(&im->size, memory_order_relaxed);
    bool data = s->op == RBD_READ || s->op == RBD_WRITE;

    if (s->op >= RBD_OPS || s->nr > RBD_SLOT_CHUNKS)
        return false;
    if (data && s->len > (u64)s->nr * RBD_CHUNK)
        return false;
    for (unsigned int i = 0; i < s->nr; i++)
        if (s->chunk[i] >= RBD_CHUNKS)
            return false;
    return s->off <= size && s->len <= size - s->off;
}

static int serve_fill_iov(struct image_io *io, const struct rbd_slot *s)
{
    u64 left = s->len;
    int n = 0;

    for (unsigned int i = 0; i < s->nr && left > 0; i++, n++) {
        io->iov[i] =
            (struct iovec){.iov_base = rbd_chunk(io->image->ring, s->chunk[i]),
                           .iov_len = MIN(left, (u64)RBD_CHUNK)};
        left -= io->iov[i].iov_len;
    }
    if (n < (int)RBD_SLOT_CHUNKS)
        io->iov[n].iov_len = 0;
    return n;
}

static int serve_call(struct image_io *io, const struct rbd_slot *s,
                      rbd_completion_t c)
{
    struct image *im = io->image;
    const struct rbd_lib *lib = im->cluster->lib;
    int n = serve_fill_iov(io, s);

    switch ((enum rbd_op)s->op) {
    case RBD_READ:
        io->len = (u32)s->len;
        return lib->rbd_aio_readv(im->rbd, io->iov, n, s->off, c);
    case RBD_WRITE:
        return lib->rbd_aio_writev(im->rbd, io->iov, n, s->off, c);
    case RBD_FLUSH:
        return lib->rbd_aio_flush(im->rbd, c);
    case RBD_DISCARD:
        return lib->rbd_aio_discard(im->rbd, s->off, s->len, c);
    case RBD_ZEROES:
        if (!lib->rbd_aio_write_zeroes)
            return -EOPNOTSUPP;
        return lib->rbd_aio_write_zeroes(im->rbd, s->off, s->len, c, 0, 0);
    case RBD_RELEASE:
    case RBD_OPS:
        break;
    }
    return -EINVAL;
}

/* Nothing else is in these chunks: they are the slot's. Where it does not work
 * they stay. */
static void serve_release(struct image *im, const struct rbd_slot *s)
{
    for (unsigned int i = 0; i < s->nr; i++)
        (void)madvise(rbd_chunk(im->ring, s->chunk[i]), RBD_CHUNK, MADV_REMOVE);
}

/* A call that fails has no completion. */
static void serve_start(struct image_io *io, const struct rbd_slot *s)
{
    const struct rbd_lib *lib = io->image->cluster->lib;
    rbd_completion_t c;
    int r = lib->rbd_aio_create_completion(io, serve_on_completion, &c);

    if (r == 0) {
        r = serve_call(io, s, c);
        if (r < 0)
            lib->rbd_aio_release(c);
    }
    if (r < 0)
        serve_done(io, r);
}

static int serve_slot(struct image *im, u32 id)
{
    struct image_io *io = &im->slot[id];
    struct rbd_slot s;

    if (atomic_load_explicit(&io->busy, memory_order_acquire))
        return -EPROTO;
    memcpy(&s, &im->ring->slot[id], sizeof(s));
    atomic_signal_fence(memory_order_seq_cst); /* the copy is the copy */
    atomic_store_explicit(&io->busy, true, memory_order_relaxed);
    atomic_fetch_add(&im->in_flight, 1);
    io->len = 0;
    if (!serve_is_valid(im, &s)) {
        serve_done(io, -EINVAL);
    } else if (s.op == RBD_RELEASE) {
        serve_release(im, &s);
        serve_done(io, 0);
    } else {
        serve_start(io, &s);
    }
    return 0;
}

/* As many as SERVE_MAX: other images of the worker wait, too. */
static int serve_some(struct image *im)
{
    int id = 0, r = 0;

    atomic_store_explicit(&im->ring->serving, 1, memory_order_relaxed);
    for (unsigned int n = 0; n < SERVE_MAX && id >= 0 && r == 0; n++) {
        id = rbd_ring_next(im->ring, &im->head, im->gen);
        r = id == -2 ? -EPROTO : id >= 0 ? serve_slot(im, (u32)id) : 0;
    }
    rbd_ring_rest(&im->ring->serving);
    return r < 0 ? r : rbd_ring_waits(im->ring, im->head);
}

int image_serve(struct image *im)
{
    int r = im->broken ? -EPROTO : serve_some(im);

    if (r < 0 && !im->broken) {
        im->broken = true;
        log_error("%s: the monitor broke the rules of the ring; it is served "
                  "no more",
                  im->who);
        image_fail(im, RBD_LATCHED, r);
    }
    return r;
}
