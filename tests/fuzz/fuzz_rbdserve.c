/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rbd/serve.c: a monitor that writes to the ring what it likes, over a librbd
 * that holds requests back and fails. Input: records of two bytes, what is done
 * and how, and the numbers for it. librbd is only ever asked for bytes inside
 * the image, with memory inside the ring, and each slot once at a time.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "rbd/image.h"

#define SIZE (64 * MIB)

struct completion {
    rbd_callback_fn *fn;
    void *arg;
    ssize_t ret;
    bool used, called;
};

static struct rbd_ring *ring;
static struct rbd_lib lib;
static struct cluster cluster = {.lib = &lib};
static struct rbd_image spec;
static struct image image;
static struct completion pool[RBD_SLOTS];

static int fake_create(void *arg, rbd_callback_fn *fn, rbd_completion_t *c)
{
    u32 i = 0;

    while (i < RBD_SLOTS && pool[i].used)
        i++;
    assert(i < RBD_SLOTS); /* no more than there are slots */
    pool[i] = (struct completion){.fn = fn, .arg = arg, .used = true};
    *c = &pool[i];
    return 0;
}

static ssize_t fake_return(rbd_completion_t c)
{
    return ((struct completion *)c)->ret;
}

static void fake_release(rbd_completion_t c)
{
    assert(((struct completion *)c)->used);
    ((struct completion *)c)->used = false;
}

static int fake_range(u64 off, u64 len, rbd_completion_t c)
{
    assert(off <= SIZE && len <= SIZE - off);
    ((struct completion *)c)->called = off % 7 != 6;
    return off % 7 == 6 ? -ENOMEM : 0;
}

static int fake_move(rbd_image_t rbd, const struct iovec *iov, int n, u64 off,
                     rbd_completion_t c)
{
    const u8 *from = rbd_chunk(ring, 0), *to = rbd_chunk(ring, RBD_CHUNKS);
    u64 len = 0;

    assert(n >= 0 && n <= (int)RBD_SLOT_CHUNKS);
    for (int i = 0; i < n; len += iov[i++].iov_len) {
        const u8 *at = iov[i].iov_base;

        assert(at >= from && iov[i].iov_len <= RBD_CHUNK);
        assert(at + iov[i].iov_len <= to);
    }
    return fake_range(off, len, c);
}

static int fake_discard(rbd_image_t rbd, u64 off, u64 len, rbd_completion_t c)
{
    return fake_range(off, len, c);
}

static int fake_zeroes(rbd_image_t rbd, u64 off, size_t len, rbd_completion_t c,
                       int flags, int op)
{
    return fake_range(off, len, c);
}

static int fake_flush(rbd_image_t rbd, rbd_completion_t c)
{
    return fake_range(0, 0, c);
}

static void fuzz_up(void)
{
    log_sink_set(fuzz_no_log);
    spec.ring_fd = memfd_create("ring", MFD_CLOEXEC);
    spec.done_fd = eventfd(0, EFD_NONBLOCK);
    must(ftruncate(spec.ring_fd, RBD_RING_SIZE) == 0);
    lib = (struct rbd_lib){.rbd_aio_create_completion = fake_create,
                           .rbd_aio_get_return_value = fake_return,
                           .rbd_aio_release = fake_release,
                           .rbd_aio_readv = fake_move,
                           .rbd_aio_writev = fake_move,
                           .rbd_aio_discard = fake_discard,
                           .rbd_aio_write_zeroes = fake_zeroes,
                           .rbd_aio_flush = fake_flush};
    must(image_init(&image, &cluster, &spec, 1) == 0);
    ring = image.ring;
}

/* librbd answers one, in any order. */
static void answer(u8 how, u64 ret)
{
    static const ssize_t err[] = {0, 512, -EIO, -ESHUTDOWN, -ETIMEDOUT};
    struct completion *c = &pool[how];

    if (!c->used || !c->called)
        return;
    c->called = false;
    c->ret = err[ret % ARRAY_SIZE(err)];
    c->fn(c, c->arg);
}

static void put_slot(struct fuzz_input *in, u8 id)
{
    struct rbd_slot *s = &ring->slot[id];

    s->op = (u16)fuzz_take(in, 1) % 7;
    s->nr = (u16)fuzz_take(in, 1) % 20;
    s->off = fuzz_take(in, 4);
    s->len = fuzz_take(in, 3);
    for (u32 i = 0; i < RBD_SLOT_CHUNKS; i++)
        s->chunk[i] = (u16)((s->off + i) % (RBD_CHUNKS + (s->len & 1)));
}

static void step(struct fuzz_input *in, u32 *tail)
{
    u8 what = (u8)fuzz_take(in, 1), how = (u8)fuzz_take(in, 1);

    switch (what % 6) {
    case 0:
    case 1:
        put_slot(in, how);
        rbd_ring_submit(ring, tail, 1, how);
        break;
    case 2:
        rbd_ring_submit(ring, tail, (u32)fuzz_take(in, 1),
                        how | 0x100 * (what & 64));
        break;
    case 3:
        atomic_store(what & 64 ? &ring->sq_tail : &ring->done,
                     (u32)fuzz_take(in, 4));
        break;
    case 4:
        answer(how, fuzz_take(in, 1));
        break;
    default:
        atomic_store(&ring->size, fuzz_take(in, how % 9));
        image_serve(&image);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)1024)};
    u32 tail = 0;

    if (!ring)
        fuzz_up();
    *ring = (struct rbd_ring){.state = RBD_READY, .gen = 1, .size = SIZE};
    image.head = 0;
    image.broken = false;
    atomic_store(&image.size, SIZE);
    while (in.left > 0)
        step(&in, &tail);
    image_serve(&image);
    for (u32 i = 0; i < RBD_SLOTS; i++)
        answer((u8)i, 0);
    assert(atomic_load(&image.in_flight) == 0);
    for (u32 i = 0; i < RBD_SLOTS; i++)
        assert(!atomic_load(&image.slot[i].busy) && !pool[i].used);
    return 0;
}
