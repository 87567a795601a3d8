/* SPDX-License-Identifier: Apache-2.0 */
/* raw.h: a file or block device as a disk, shared by its two engines */
#ifndef MOTE_BLOCK_RAW_H
#define MOTE_BLOCK_RAW_H

#include "mote/disk.h"
#include "mote/undo.h"

#define RAW_DEPTH 256u /* requests in flight, io_uring */

struct uring;

struct raw {
    struct disk disk;
    char *path;
    int fd;        /* through the page cache; has the lock */
    int direct_fd; /* the same file with O_DIRECT, or -1 */
    u32 direct_align;
    bool block_dev;
    struct undo undo;        /* the lock */
    enum disk_engine engine; /* asked for */

    /* The device thread's. */
    bool no_punch, no_zero_range; /* the file system has said so */
    int flush_error;              /* latched: what was lost stays lost */
    u64 sized_ms;                 /* when the size was looked at */
    struct uring *uring;          /* since attach; NULL: DISK_SYNC */
};

/* Does this request qualify for O_DIRECT? */
bool raw_is_direct(const struct raw *raw, const struct disk_req *req);

/*
 * The fallocate() mode that does req, a DISCARD or ZEROES, as far as the file
 * system is known; -EOPNOTSUPP: there is none. raw_mode_refused() remembers
 * that one is not known there.
 */
int raw_mode(const struct raw *raw, const struct disk_req *req);
void raw_mode_refused(struct raw *raw, int mode);

/* The result of a flush, with the errors of earlier ones. */
int raw_flushed(struct raw *raw, int err);

/* The disk as it is now: tells the device if it has another size. */
void raw_check_size(struct raw *raw);

/* ---- uring.c ------------------------------------------------------------ */

/* A ring for this file, not yet enabled. 0, or a negative errno that is not
 * reported: the caller falls back. */
int uring_new(struct uring **out, struct raw *raw);
int uring_attach(struct uring *u, struct loop *loop);
void uring_submit(struct uring *u, struct disk_req *req);
void uring_kick(struct uring *u);
void uring_free(struct uring *u); /* NULL is fine */

#endif
