/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h: the memory that a device thread of the monitor and an RBD worker
 * share, one for each drive: a memfd, sealed against shrinking and growing.
 * Either side takes the other for hostile: it copies once, checks the copy, and
 * keeps its own table of what is in flight.
 *
 * The device thread owns the slots: it fills a free one and its chunks, then
 * publishes the slot's number in sq. The worker answers by putting the number
 * on the list done, from any of librbd's threads.
 */
#ifndef MOTE_RBD_RING_H
#define MOTE_RBD_RING_H

#include <stdatomic.h>

#include "mote/base.h"

#define RBD_SLOTS       256u        /* requests in flight */
#define RBD_CHUNK       (64u << 10) /* bytes */
#define RBD_CHUNKS      256u        /* 16 MiB: the cap on bytes in flight */
#define RBD_SLOT_CHUNKS 16u         /* longer requests are split */
#define RBD_DATA_OFFSET (32u << 10) /* of the chunks in the memfd */
#define RBD_RING_SIZE   (RBD_DATA_OFFSET + (u64)RBD_CHUNKS * RBD_CHUNK)

/* Stored by the worker, but DEAD by its keeper. */
enum rbd_state {
    RBD_STARTING, /* the device thread submits nothing */
    RBD_READY,    /* size and obj_size are valid */
    RBD_FAILED,   /* could not be opened, already reported: err */
    RBD_DEAD,     /* the worker ended; perhaps there will be another */
    RBD_LATCHED,  /* fenced, or the image is gone: err, for good */
};

enum rbd_op {
    RBD_READ,
    RBD_WRITE,
    RBD_FLUSH,
    RBD_DISCARD,
    RBD_ZEROES,
    RBD_RELEASE, /* the chunks' memory, to the host */
    RBD_OPS
};

struct rbd_slot {
    u64 off, len; /* bytes; READ and WRITE: at most nr * RBD_CHUNK */
    u16 op;       /* enum rbd_op */
    u16 nr;       /* chunks */
    u16 chunk[RBD_SLOT_CHUNKS];
};

struct rbd_ring {
    _Atomic(u32) state; /* enum rbd_state */
    _Atomic(u32) gen;   /* of the worker; another one knows no slots */
    _Atomic(s32) err;   /* negative errno */
    _Atomic(u64) size;  /* bytes; changes when the image is resized */
    _Atomic(u64) obj_size;
    _Atomic(u32) flags; /* enum rbd_flag */

    /* Device thread to worker. An entry of another generation is none. */
    _Alignas(64) _Atomic(u32) sq_tail;
    _Atomic(u32) reaping;       /* it looks at done again: need not be woken */
    _Atomic(u32) sq[RBD_SLOTS]; /* generation << 16 | slot */

    /* Worker to device thread: a list by slot number + 1, 0 ends it. */
    _Alignas(64) _Atomic(u32) done;
    _Atomic(u32) serving; /* it looks at sq again: the same */
    _Atomic(u32) next[RBD_SLOTS];
    _Atomic(s32) ret[RBD_SLOTS]; /* 0 or a negative errno */

    struct rbd_slot slot[RBD_SLOTS];
};

enum rbd_flag {
    RBD_F_READ_ONLY = 1u << 0,
    RBD_F_ZEROES = 1u << 1,  /* librbd can */
    RBD_F_STALLED = 1u << 2, /* the cluster does not answer */
    RBD_F_IDLE = 1u << 3,    /* nothing was asked for a second */
};

_Static_assert(sizeof(struct rbd_ring) <= RBD_DATA_OFFSET,
               "the ring ends before the chunks");

static inline u8 *rbd_chunk(struct rbd_ring *r, unsigned int chunk)
{
    return (u8 *)r + RBD_DATA_OFFSET + (u64)chunk * RBD_CHUNK;
}

/*
 * A side that is at work looks once more before it rests, so the other one need
 * not wake it. That one publishes, then looks whether the side rests; the side
 * says that it rests, then looks at what is published: of the two at least one
 * sees the other's store.
 */
static inline void rbd_ring_rest(_Atomic(u32) *working)
{
    atomic_store_explicit(working, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

static inline bool rbd_ring_rests(_Atomic(u32) *working)
{
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(working, memory_order_relaxed) == 0;
}

/* Device thread: hand slot id to the worker of generation gen. */
static inline void rbd_ring_submit(struct rbd_ring *r, u32 *tail, u32 gen,
                                   u32 id)
{
    atomic_store_explicit(&r->sq[*tail % RBD_SLOTS], gen << 16 | id,
                          memory_order_relaxed);
    atomic_store_explicit(&r->sq_tail, ++*tail, memory_order_release);
}

/*
 * Worker: the next slot to serve, or -1; -2: no slot has this number. *head is
 * the worker's own place. Of its own generation at most RBD_SLOTS entries can
 * wait; what is further behind was overwritten and is none of them.
 */
static inline int rbd_ring_next(struct rbd_ring *r, u32 *head, u32 gen)
{
    u32 tail = atomic_load_explicit(&r->sq_tail, memory_order_acquire), e;

    if (tail - *head > RBD_SLOTS)
        *head = tail - RBD_SLOTS;
    while (*head != tail) {
        e = atomic_load_explicit(&r->sq[*head % RBD_SLOTS],
                                 memory_order_relaxed);
        ++*head;
        if (e >> 16 == (gen & 0xffff))
            return (e & 0xffff) < RBD_SLOTS ? (int)(e & 0xffff) : -2;
    }
    return -1;
}

/* Worker: is there a next slot? */
static inline bool rbd_ring_waits(struct rbd_ring *r, u32 head)
{
    return atomic_load_explicit(&r->sq_tail, memory_order_relaxed) != head;
}

/* Worker, any thread: slot id is answered. True: the device thread must be
 * woken; not so if the list was not empty. */
static inline bool rbd_ring_done(struct rbd_ring *r, u32 id, s32 ret)
{
    u32 head = atomic_load_explicit(&r->done, memory_order_relaxed);

    atomic_store_explicit(&r->ret[id], ret, memory_order_relaxed);
    do
        atomic_store_explicit(&r->next[id], head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &r->done, &head, id + 1, memory_order_release, memory_order_relaxed));
    return head == 0 && rbd_ring_rests(&r->reaping);
}

/* Device thread: is there an answer? */
static inline bool rbd_ring_answered(struct rbd_ring *r)
{
    return atomic_load_explicit(&r->done, memory_order_relaxed) != 0;
}

/* Device thread: the whole list, as rbd_ring_walk() reads it. */
static inline u32 rbd_ring_take(struct rbd_ring *r)
{
    return atomic_exchange_explicit(&r->done, 0, memory_order_acquire);
}

/* The slot at *list and its answer; *list moves on. -1: the end; -2: no slot
 * has this number. The caller checks that the slot is in flight, and ends a
 * list that runs in a circle. */
static inline int rbd_ring_walk(struct rbd_ring *r, u32 *list, s32 *ret)
{
    u32 id = *list - 1;

    if (*list == 0)
        return -1;
    if (id >= RBD_SLOTS)
        return -2;
    *list = atomic_load_explicit(&r->next[id], memory_order_relaxed);
    *ret = atomic_load_explicit(&r->ret[id], memory_order_relaxed);
    return (int)id;
}

#endif
