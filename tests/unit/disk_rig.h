/* SPDX-License-Identifier: Apache-2.0 */
/* disk_rig.h: a disk, its loop, and requests that are waited for */
#ifndef MOTE_DISK_RIG_H
#define MOTE_DISK_RIG_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/disk.h"

struct disk_rig {
    struct loop loop;
    struct disk *disk;
    unsigned int waiting; /* requests in flight */
    unsigned int resized;
};

struct rig_req {
    struct disk_req dr;
    struct disk_rig *rig;
    unsigned int answers;
    int err;
};

static inline void rig_done(struct disk_req *dr, int err)
{
    struct rig_req *req = container_of(dr, struct rig_req, dr);

    req->answers++;
    req->err = err;
    req->rig->waiting--;
    loop_stop(&req->rig->loop);
}

static inline void rig_resized(void *ctx)
{
    struct disk_rig *rig = ctx;

    rig->resized++;
}

/* Serve the disk until nothing is in flight. The test's thread is the
 * device's. */
TSA(no_thread_safety_analysis)
static inline void rig_wait(struct disk_rig *rig)
{
    disk_kick(rig->disk);
    while (rig->waiting) {
        atomic_store(&rig->loop.stop, false);
        loop_run(&rig->loop);
    }
    atomic_store(&rig->loop.stop, false);
}

static inline void rig_up(struct disk_rig *rig, struct disk *disk)
{
    *rig = (struct disk_rig){.disk = disk};
    ck_assert_int_eq(loop_init(&rig->loop), 0);
    disk->resized = rig_resized;
    disk->ctx = rig;
    ck_assert_int_eq(disk_attach(disk, &rig->loop), 0);
}

static inline void rig_down(struct disk_rig *rig)
{
    disk_free(rig->disk);
    loop_fini(&rig->loop);
}

TSA(no_thread_safety_analysis)
static inline void rig_submit(struct disk_rig *rig, struct rig_req *req)
{
    req->rig = rig;
    req->answers = 0;
    req->dr.done = rig_done;
    rig->waiting++;
    disk_submit(rig->disk, &req->dr);
}

/* One request over one buffer, to its end. */
static inline int rig_do(struct disk_rig *rig, enum disk_op op, void *buf,
                         u64 off, u64 len)
{
    struct iovec iov = {buf, len};
    struct rig_req req = {
        .dr = {.op = op, .off = off, .len = len, .iov = &iov, .nr_iov = 1}};

    if (op != DISK_READ && op != DISK_WRITE)
        req.dr.iov = NULL, req.dr.nr_iov = 0;
    rig_submit(rig, &req);
    rig_wait(rig);
    ck_assert_uint_eq(req.answers, 1);
    return req.err;
}

/* Space that ends with the test: path becomes its name, in a directory that
 * the kernel keeps out of memory where it can (O_DIRECT needs a real one). */
static inline int rig_file(char path[64], u64 size)
{
    int fd;

    strcpy(path, "/var/tmp/mote-unit-XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static inline u32 rig_random(u32 *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Bytes that tell who wrote them. */
static inline void rig_pattern(u8 *buf, u64 len, u32 seed)
{
    for (u64 i = 0; i < len; i++)
        buf[i] = (u8)(seed * 131 + i * 7 + (i >> 9));
}

#endif
