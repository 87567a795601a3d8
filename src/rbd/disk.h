/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h: the monitor's end of a ring */
#ifndef MOTE_RBD_DISK_H
#define MOTE_RBD_DISK_H

#include "mote/disk.h"

#include "ring.h"

struct rbd_disk_options {
    const char *name; /* drive_id; copied */
    bool read_only;
    int ring_fd, submit_fd, done_fd; /* ours on success */
};

/* A disk whose size is 0 until its worker is ready. 0 or a negative errno,
 * already reported. Main. */
int rbd_disk_new(struct disk **out, const struct rbd_disk_options *opt);

#endif
