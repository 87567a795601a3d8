/* SPDX-License-Identifier: Apache-2.0 */
/* rbd_rig.h: the monitor's end of a ring, with a scripted worker at the other
 */
#ifndef MOTE_RBD_RIG_H
#define MOTE_RBD_RIG_H

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rbd/disk.h"

#include "disk_rig.h"

#define SIZE (64 * MIB)

struct worker {
    struct disk_rig rig;
    struct rbd_ring *ring;
    int submit_fd, done_fd;
    u32 head, gen;
    u8 *image;
    s32 err;            /* of all answers */
    unsigned int slots; /* served */
};

/* ---- a worker that does as it should ----------------------------------------
 */

static inline void worker_move(struct worker *w, const struct rbd_slot *s)
{
    u64 at = 0;

    for (unsigned int i = 0; i < s->nr && at < s->len; i++, at += RBD_CHUNK) {
        u64 n = MIN(s->len - at, (u64)RBD_CHUNK);
        u8 *chunk = rbd_chunk(w->ring, s->chunk[i]);

        if (s->op == RBD_READ)
            memcpy(chunk, w->image + s->off + at, n);
        else
            memcpy(w->image + s->off + at, chunk, n);
    }
}

static inline void worker_answer(struct worker *w, u32 id, s32 ret)
{
    if (rbd_ring_done(w->ring, id, ret))
        ck_assert_int_eq(write(w->done_fd, &(u64){1}, 8), 8);
}

/* Serve at most max slots of what waits; returns how many. */
static inline unsigned int worker_serve(struct worker *w, unsigned int max)
{
    unsigned int n = 0;
    int id;

    while (n < max && (id = rbd_ring_next(w->ring, &w->head, w->gen)) >= 0) {
        struct rbd_slot s = w->ring->slot[id];

        ck_assert_uint_le(s.off + s.len, SIZE);
        if (w->err == 0 && (s.op == RBD_READ || s.op == RBD_WRITE))
            worker_move(w, &s);
        worker_answer(w, (u32)id, w->err);
        w->slots++;
        n++;
    }
    return n;
}

static inline void worker_state(struct worker *w, enum rbd_state state, u32 gen)
{
    w->gen = gen;
    atomic_store(&w->ring->size, SIZE);
    atomic_store(&w->ring->gen, gen);
    atomic_store(&w->ring->state, (u32)state);
    ck_assert_int_eq(write(w->done_fd, &(u64){1}, 8), 8);
}

/* The disk's loop, until nothing more happens. */
TSA(no_thread_safety_analysis)
static inline void worker_turn(struct worker *w)
{
    struct epoll_event ev;

    while (epoll_wait(w->rig.loop.epfd, &ev, 1, 0) == 1) {
        struct loop_fd *lf = ev.data.ptr;

        lf->fn(lf, ev.events);
    }
}

static inline void worker_up(struct worker *w)
{
    int ring_fd = memfd_create("ring", MFD_CLOEXEC);
    struct rbd_disk_options opt = {.name = "d", .ring_fd = ring_fd};
    struct disk *disk;

    *w = (struct worker){.submit_fd = eventfd(0, EFD_NONBLOCK),
                         .done_fd = eventfd(0, EFD_NONBLOCK)};
    ck_assert_int_eq(ftruncate(ring_fd, RBD_RING_SIZE), 0);
    w->ring = mmap(NULL, RBD_RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                   ring_fd, 0);
    w->image = calloc(1, SIZE);
    opt.submit_fd = dup(w->submit_fd);
    opt.done_fd = dup(w->done_fd);
    ck_assert_int_eq(rbd_disk_new(&disk, &opt), 0);
    rig_up(&w->rig, disk);
    ck_assert(disk->info.opening);
}

static inline void worker_down(struct worker *w)
{
    rig_down(&w->rig);
    munmap(w->ring, RBD_RING_SIZE);
    free(w->image);
    close(w->submit_fd);
    close(w->done_fd);
}

static inline void worker_ready(struct worker *w)
{
    worker_up(w);
    worker_state(w, RBD_READY, 1);
    worker_turn(w);
    ck_assert_uint_eq(w->rig.disk->info.size, SIZE);
    ck_assert(!w->rig.disk->info.opening);
    ck_assert_uint_eq(w->rig.resized, 1);
}

/* ---- requests
 * ---------------------------------------------------------------- */

static inline struct rig_req request(enum disk_op op, struct iovec *iov,
                                     unsigned int n, u64 off)
{
    struct rig_req req = {
        .dr = {.op = op, .off = off, .iov = iov, .nr_iov = n}};

    for (unsigned int i = 0; i < n; i++)
        req.dr.len += iov[i].iov_len;
    return req;
}

/* Until all are answered, some slots at a time. */
static inline void serve_all(struct worker *w, unsigned int at_once)
{
    for (unsigned int i = 0; i < 10000 && w->rig.waiting; i++) {
        worker_serve(w, at_once);
        worker_turn(w);
    }
    ck_assert_uint_eq(w->rig.waiting, 0);
}

#endif
