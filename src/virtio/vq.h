/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vq.h: split virtqueues (virtio 1.2, 2.7), the device's side. The one walker
 * of guest rings: what it hands out has been checked, was read from guest
 * memory once, and lies in RAM.
 *
 * A queue belongs to one device thread. Every chain popped is pushed exactly
 * once, or unpopped; while a reset drains the same calls are made, they only
 * no longer reach the guest. Nothing here allocates but vq_init().
 */
#ifndef MOTE_VQ_H
#define MOTE_VQ_H

#include <sys/uio.h>

#include "mote/mem.h"
#include "mote/thread.h"

#define VQ_SIZE_MAX 256u /* entries of a ring, buffers of a chain */

#define VQ_ALIGN_DESC  16u /* virtio 1.2, 2.7 */
#define VQ_ALIGN_AVAIL 2u
#define VQ_ALIGN_USED  4u

struct vq_slot;

/* What the driver has set up; the transport's until QueueReady, then fixed. */
struct vq_config {
    u32 num; /* a power of two <= the queue's max */
    u64 desc, avail, used;
};

struct vq {
    /* Fixed by vq_init(). */
    unsigned int index;
    u16 max;
    struct vq_slot *slots; /* max of them */

    /* Fixed from vq_start() to vq_stop(). */
    const struct mem *mem;
    struct vq_config cfg;
    bool ready;     /* the driver has set this queue up */
    bool event_idx; /* VIRTIO_F_EVENT_IDX accepted */
    bool indirect;  /* VIRTIO_F_INDIRECT_DESC accepted */

    u16 next_avail; /* entry of the avail ring to look at next */
    u16 next_used;  /* entry of the used ring to write next */
    u16 shown_used; /* as published in used->idx */
    u16 told_used;  /* used->idx at the last interrupt decision */
    u16 seen_avail; /* avail->idx when last read */
    u16 inflight;   /* chains popped and not pushed */
    u16 nr_free;    /* slots on the stack below */
    u16 free[VQ_SIZE_MAX];
    u64 busy[VQ_SIZE_MAX / 64]; /* heads in flight */
    bool quiet;                 /* the driver was asked not to notify */
    bool stopped;               /* reset or broken: the guest is not told */
    bool again;                 /* the budget ran out before the ring */
    u32 budget;                 /* chains left and one; 0: no limit */
    const char *why;            /* of the breach, if one was met */

    _Atomic(u64) requests, bytes_in, bytes_out; /* dev adds, any reads */
};

/*
 * A request: nr_out readable buffers, then nr_in writable ones. The iovecs are
 * the holder's to shorten and advance until the push; the struct may be copied.
 */
struct vq_chain {
    struct iovec *out, *in; /* in == out + nr_out when popped */
    u16 nr_out, nr_in;
    u16 head, slot;
    u32 out_len, in_len; /* bytes left in each */
};

/* Main. max: a power of two <= VQ_SIZE_MAX. 0 or -ENOMEM, already reported. */
int vq_init(struct vq *vq, unsigned int index, u16 max);
void vq_fini(struct vq *vq);

/* Would vq_start() take it? 0 or -EINVAL. Any thread. */
int vq_check(const struct vq *vq, const struct mem *mem,
             const struct vq_config *cfg);

/* Begin with empty rings. features: as accepted. 0, or -EINVAL as above. */
DEV_ONLY int vq_start(struct vq *vq, const struct mem *mem,
                      const struct vq_config *cfg, u64 features);

/* Take and tell nothing more; chains in flight still come home. */
DEV_ONLY void vq_stop(struct vq *vq);

/*
 * The next chain. 1: *c is filled. 0: none now, and the driver will notify (or
 * this batch is used up and the transport comes back). -EPROTO: the driver has
 * broken the rules, vq->why says which; return that from the hook, or tell
 * virtio_break(). Also 0 for a queue that is not ready, or broken.
 */
DEV_ONLY int vq_pop(struct vq *vq, struct vq_chain *c);

/* Would vq_pop() find something (if only a breach)? It does not make the driver
 * notify if not: the caller looks again by itself. */
DEV_ONLY bool vq_peek(struct vq *vq);

/* Put back the chain popped last (again for the one before it, ...). */
DEV_ONLY void vq_unpop(struct vq *vq, const struct vq_chain *c);

/*
 * Give the chain back with len bytes written to its writable part. vq_fill()
 * keeps it hidden until the next vq_push(), so that several chains appear at
 * once. Neither interrupts: see virtio_notify().
 */
DEV_ONLY void vq_fill(struct vq *vq, const struct vq_chain *c, u32 len);
DEV_ONLY void vq_push(struct vq *vq, const struct vq_chain *c, u32 len);

/* Does the driver want an interrupt for what was pushed since the last call?
 * The transport's; devices call virtio_notify(). */
DEV_ONLY bool vq_wants_irq(struct vq *vq);

/* Ask the driver not to notify, where it has buffers enough and nobody waits
 * for more; vq_pop() undoes it when it finds the ring empty. */
DEV_ONLY void vq_hush(struct vq *vq);

/* ---- the bytes of a chain ------------------------------------------------ */

/* Copy the first len readable bytes to buf and drop them from c->out: the one
 * read of a header. False, and nothing done, if there are fewer. */
bool vq_take(struct vq_chain *c, void *buf, u32 len);

/* Drop len bytes from the front of c->out or of c->in; len at most out_len or
 * in_len. */
void vq_skip_out(struct vq_chain *c, u32 len);
void vq_skip_in(struct vq_chain *c, u32 len);

/* Drop the last writable byte from c->in and return its address, for a status;
 * NULL if nothing is writable. */
u8 *vq_take_status(struct vq_chain *c);

/* Copy buf into the writable part from its start and drop what was written.
 * Returns the bytes copied: len, or in_len if that is less. */
u32 vq_put(struct vq_chain *c, const void *buf, u32 len);

#endif
