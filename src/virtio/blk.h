/* SPDX-License-Identifier: Apache-2.0 */
/* blk.h: virtio-blk inside: the device as blk.c and blk_error.c see it */
#ifndef MOTE_VIRTIO_BLK_H
#define MOTE_VIRTIO_BLK_H

#include "mote/disk.h"
#include "mote/limit.h"

#include "dev.h"

#define BLK_VQ_MAX     16u
#define BLK_SERIAL_LEN 20u

enum blk_status { BLK_S_OK, BLK_S_IOERR, BLK_S_UNSUPP };

enum blk_counter {
    BLK_READ_COUNT,
    BLK_READ_BYTES,
    BLK_WRITE_COUNT,
    BLK_WRITE_BYTES,
    BLK_FLUSHES,
    BLK_FAILS,   /* of the host */
    BLK_INVALID, /* of the driver */
    BLK_KICKS,
    BLK_THROTTLED,
    BLK_COUNTERS
};

/* One per slot of a queue, so that taking a chain never allocates. */
struct blk_req {
    struct disk_req dr;
    struct vq_chain c;
    struct vq *vq;
    struct blk *blk;
    u8 *status;           /* in guest memory, the request's last byte */
    bool through;         /* to be flushed before it is answered */
    struct blk_req *next; /* of those that are held */
};

struct blk {
    struct virtio_dev dev;
    struct disk *disk;
    bool flush; /* offered */
    enum blk_error on_error;
    struct power *power; /* or NULL */
    u8 serial[BLK_SERIAL_LEN];

    /* The device thread's. */
    struct limit limit;
    unsigned int inflight; /* in the backend */
    u32 pushed;            /* queues that have something to tell */
    u32 starved;           /* queues that wait for the backend's depth */
    struct disk_req last;  /* the flush of stop() */
    u64 said_ns;           /* when trouble was last told */
    u64 unsaid;

    /* on_error pause: requests the host has failed, oldest first. */
    bool holding; /* the VM is held until they are done */
    u64 held_ns;  /* since when */
    struct blk_req *held, **held_end;
    struct loop_fd again;            /* timerfd: try them again */
    struct loop_fd look;             /* eventfd: at once; any thread writes */
    struct blk_req *req[BLK_VQ_MAX]; /* [queue][slot] */
};

static inline struct blk *blk_of(struct virtio_dev *dev)
{
    return container_of(dev, struct blk, dev);
}

/* ---- blk.c --------------------------------------------------------------- */

/* written: bytes at the front of the writable part, the status is one more. */
DEV_ONLY void blk_answer(struct blk_req *req, enum blk_status status,
                         u32 written);

/* After a batch of answers: interrupts, and room for those who waited. */
DEV_ONLY void blk_batch_end(struct blk *b);

/* ---- blk_error.c --------------------------------------------------------- */

/* The host has failed it. True: it is held, and done later. */
DEV_ONLY bool blk_failed(struct blk_req *req, int err);
void blk_say(struct blk *b, const struct disk_req *dr, int err);

/* Let the VM go on if nothing is held any more. */
DEV_ONLY void blk_hold_over(struct blk *b);

/* The driver resets: held requests go home undone, and the VM goes on. */
DEV_ONLY void blk_give_up(struct blk *b);

/* Main. 0 or a negative errno, already reported. */
int blk_error_init(struct blk *b);
void blk_error_fini(struct blk *b);

#endif
