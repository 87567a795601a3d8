/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h: a disk behind virtio-blk: an opaque handle and caller-owned
 * requests. Everything but open and free runs on the device thread that owns
 * the disk; nothing is allocated after disk_attach().
 */
#ifndef MOTE_DISK_H
#define MOTE_DISK_H

#include <sys/uio.h>

#include "mote/base.h"
#include "mote/filter.h"
#include "mote/loop.h"

#define DISK_SECTOR 512u

enum disk_op {
    DISK_READ,
    DISK_WRITE,
    DISK_FLUSH,
    DISK_DISCARD, /* contents become undefined; may free space */
    DISK_ZEROES,  /* contents become zero; req->unmap: may free space */
};

struct disk;
struct disk_req;

/* err 0 or a negative errno. On the owner's loop, exactly once per request,
 * perhaps before disk_submit() returns. */
typedef void disk_done_fn(struct disk_req *req, int err);

struct disk_req {
    enum disk_op op;
    bool unmap;
    u64 off, len; /* bytes, multiples of DISK_SECTOR, checked by the caller */
    const struct iovec
        *iov; /* READ, WRITE: len bytes; the caller's until done */
    unsigned int nr_iov;
    disk_done_fn *done;
    u64 priv[6]; /* the backend's while in flight */
};

struct disk_info {
    u64 size; /* bytes, a multiple of DISK_SECTOR; 0: a placeholder */
    bool read_only;
    bool discard, zeroes; /* supported */
    u32 block_size;       /* logical, 512..4096 */
    u32 physical_exp;     /* log2(physical / logical) */
    u32 discard_align;    /* sectors */
    bool flush_last;      /* what is not flushed before the end is lost */
    unsigned int depth;   /* requests it takes at once */
    bool opening;         /* its size is not known before resized() */
    u64 identity; /* another one: the contents were changed; 0: not known */
};

typedef void disk_event_fn(void *ctx);

struct disk_ops {
    const char *name;
    enum filter_kind filter; /* of the thread that it runs on */
    int (*attach)(struct disk *d, struct loop *loop);
    void (*submit)(struct disk *d, struct disk_req *req);
    void (*kick)(struct disk *d);    /* NULL: submit() already does it */
    void (*look)(struct disk *d);    /* NULL: its size never changes */
    void (*abandon)(struct disk *d); /* NULL: it cannot let go of requests */
    void (*free)(struct disk *d);
};

struct disk { /* first member of every backend */
    const struct disk_ops *ops;
    struct disk_info info;
    /* The device's, on the loop; may be NULL. answered: after a batch of done()
     * calls that came neither from submit() nor from kick(). */
    disk_event_fn *resized, *answered;
    disk_event_fn *lost; /* opening, it has failed, which has been told */
    void *ctx;
};

/* Main, in the process that will use the disk, before the device thread runs:
 * watch what needs watching, make a ring. 0 or a negative errno, already
 * reported. */
static inline int disk_attach(struct disk *d, struct loop *loop)
{
    return d->ops->attach(d, loop);
}

/*
 * Start a request, at most info.depth at once. Ranges are inside the size, but
 * a disk that has shrunk since answers -EIO. A FLUSH covers every write that
 * was done before it was submitted; after a flush has failed no later flush
 * succeeds. Nothing is reordered across a FLUSH by the caller.
 */
DEV_ONLY static inline void disk_submit(struct disk *d, struct disk_req *req)
{
    d->ops->submit(d, req);
}

/* After a batch of submits. */
DEV_ONLY static inline void disk_kick(struct disk *d)
{
    if (d->ops->kick)
        d->ops->kick(d);
}

/* Has its size changed? resized() is called if so. */
DEV_ONLY static inline void disk_look(struct disk *d)
{
    if (d->ops->look)
        d->ops->look(d);
}

/*
 * Nobody waits any longer: every request is done with -ECANCELED before this
 * returns, though what was asked may still happen, later, but before any other
 * write to the same place. Its memory is not touched again. A backend that
 * works on the caller's memory cannot, and does nothing.
 */
DEV_ONLY static inline void disk_abandon(struct disk *d)
{
    if (d->ops->abandon)
        d->ops->abandon(d);
}

/* No request is in flight, and what must last was flushed. NULL is fine. */
static inline void disk_free(struct disk *d)
{
    if (d)
        d->ops->free(d);
}

/* ---- backends: src/block. 0 or a negative errno, already reported ------- */

enum disk_engine { DISK_SYNC, DISK_ASYNC }; /* pread/pwrite; io_uring */

struct raw_options {
    const char *path;
    bool read_only;
    bool direct; /* O_DIRECT */
    enum disk_engine engine;
};

/*
 * A raw file or block device. Writable: an exclusive OFD lock, read-only: a
 * shared one; -EBUSY names the file and, if it can be told, the holder. Never
 * probed for other formats. io_uring falls back to DISK_SYNC, with a log line,
 * where the kernel refuses it.
 */
int raw_open(struct disk **out, const struct raw_options *opt);

/*
 * What raw_open() would find, without taking a lock. 0 or a negative errno, not
 * reported: it cannot be opened, or is neither a file nor a block device.
 */
struct raw_peek {
    u64 bytes;
    bool block_dev;
    bool busy;   /* -EBUSY is what raw_open() would say, because of ... */
    long holder; /* ... this process; 0: cannot be told */
};
int raw_peek(struct raw_peek *out, const struct raw_options *opt);

/* Zeros of the given size in memory, for tests and benchmarks. */
int memory_disk_new(struct disk **out, u64 size);

/*
 * Copy on write over base (ours on success, opened read-only): writes go to a
 * layer. path NULL: ephemeral, an unlinked sparse file, gone at exit.
 * quota_bytes bounds the layer's data, 0: none; beyond it -ENOSPC. A persistent
 * layer remembers base's size and identity, is crash-safe (a block is either
 * the old or the new one for flushed data) and locked like a writable disk.
 */
struct overlay_options {
    const char *path;
    u64 quota_bytes;
    bool discard_on_exit;
};
int overlay_open(struct disk **out, struct disk *base,
                 const struct overlay_options *opt);

#endif
