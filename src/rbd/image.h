/* SPDX-License-Identifier: Apache-2.0 */
/* image.h: one image of a worker: opened, locked, served, closed. All on the
 * worker's main thread, but for librbd's callbacks. */
#ifndef MOTE_RBD_IMAGE_H
#define MOTE_RBD_IMAGE_H

#include <time.h>

#include "cluster.h"
#include "ring.h"

struct image;

struct image_io { /* of one slot */
    struct image *image;
    u32 id, len;
    _Atomic(bool) busy;
    struct iovec iov[RBD_SLOT_CHUNKS];
};

struct image {
    struct cluster *cluster;
    struct rbd_image *spec;     /* the worker's and its keeper's */
    char who[6 * RBD_NAME_MAX]; /* "drive root (vms/golden@v7)" */
    const char *name;           /* of what is open: the image or its clone */
    u32 gen;
    rados_ioctx_t io;
    rbd_image_t rbd; /* NULL: not open */
    bool watched;
    u64 watch;
    int changed_fd; /* eventfd: librbd says that the header has changed */

    _Atomic(u64) size; /* bytes; the ring's is for the other side */

    struct rbd_ring *ring;
    u32 head;  /* of sq */
    bool used; /* since the other side was told that it is idle */
    time_t used_at;
    bool more; /* slots wait; there may be no event that says so */
    bool broken;
    _Atomic(u32) in_flight;
    _Atomic(u64) answers; /* a counter, to see whether the cluster lives */
    struct image_io slot[RBD_SLOTS];
};

/* Map the ring. 0 or a negative errno, already reported. */
int image_init(struct image *im, struct cluster *cluster,
               struct rbd_image *spec, u32 gen);

/* Clone, open, lock and watch; or FAILED. owner is noted in a new ephemeral
 * clone. 0 or a negative errno, already reported. */
int image_open(struct image *im, const char *owner);

/* READY; or FAILED. The same results. */
int image_ready(struct image *im);

/* Start some of what waits in the ring. 1: there is more. -EPROTO: the other
 * side broke the rules; this image is served no more. */
int image_serve(struct image *im);

/* Tell the other side that nothing was asked for a while. */
void image_idle(struct image *im);

/* The header has changed: tell a new size. */
void image_changed(struct image *im);

/* Not openable, or no longer: tell the other side. */
void image_fail(struct image *im, enum rbd_state state, int err);

/* Flush, close, remove an ephemeral clone. May take as long as the cluster. */
void image_close(struct image *im);

#endif
