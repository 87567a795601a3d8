/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay.c: copy on write over any disk. Blocks of 64 KiB that were written
 * are in a layer file, read and written at once; the others come from the
 * base, which may answer later. A request goes through its blocks one state
 * at a time and may wait for the base in between.
 *
 * Everything here runs on one thread, and only base reads are waited for, so
 * after a wait a block's state is looked at again and nothing needs a lock:
 * of two writes that copy the same block up, the second finds it in the layer.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/disk.h"
#include "mote/log.h"
#include "mote/undo.h"

#include "io.h"
#include "overlay.h"

#define OVERLAY_DEPTH 64u
#define OVERLAY_WAIT  1 /* a step's result: the base has not answered */

struct overlay;

struct overlay_job {
    struct overlay *o;
    struct disk_req *req; /* NULL: free */
    u64 done;             /* bytes of it */
    u64 step;             /* bytes that the base is read for */
    struct disk_req base; /* a read of the base */
    bool running;         /* overlay_run() is on the stack */
    bool answered;        /* base has come back with err */
    int err;
    struct iovec window[IO_WINDOW];
    u8 *block; /* a block that is copied up */
};

struct overlay {
    struct disk disk;
    struct disk *base;
    struct overlay_map map;
    char *path;           /* NULL: ephemeral */
    int fd, dir_fd;       /* the layer; its directory, to discard it */
    struct undo undo;     /* the file, if it is not to stay */
    bool changed;         /* since the last flush */
    u64 max_data;         /* blocks the quota allows */
    int flush_error;      /* latched */
    unsigned int nr_jobs; /* as many as the base takes at once */
    struct overlay_job *job;
    u8 *blocks; /* of the jobs */
};

static struct overlay *overlay_of(struct disk *d)
{
    return container_of(d, struct overlay, disk);
}

/* ---- blocks ------------------------------------------------------------- */

/* Where in the disk the job is, and its block. */
static u64 overlay_at(const struct overlay_job *job)
{
    return job->req->off + job->done;
}

static u64 overlay_left(const struct overlay_job *job)
{
    return job->req->len - job->done;
}

/* The last block may be shorter. */
static u64 overlay_block_len(const struct overlay *o, u64 block)
{
    return MIN(OVERLAY_BLOCK, o->map.base_size - block * OVERLAY_BLOCK);
}

static u64 overlay_place(const struct overlay *o, u64 at)
{
    return o->map.data_off + at;
}

static bool overlay_has_room(const struct overlay *o)
{
    return o->map.nr_data < o->max_data;
}

/* What the request writes, from where the job is: guest data or zeros. */
static int overlay_write(struct overlay_job *job, u64 len)
{
    struct overlay *o = job->o;
    struct io_vec v = {job->req->iov, job->req->nr_iov};
    u64 to = overlay_place(o, overlay_at(job));

    o->changed = true;
    if (job->req->op == DISK_ZEROES)
        return io_write_zeros(o->fd, len, to);
    return io_write(o->fd, v, job->done, len, to);
}

/* The same into memory. */
static void overlay_gather(struct overlay_job *job, u8 *to, u64 len)
{
    struct io_vec v = {job->req->iov, job->req->nr_iov};

    if (job->req->op == DISK_ZEROES) {
        memset(to, 0, len);
        return;
    }
    for (u64 n = 0, bytes; n < len; n += bytes) {
        unsigned int nr =
            io_slice(v, job->done + n, len - n, job->window, IO_WINDOW, &bytes);

        for (unsigned int i = 0; i < nr; i++) {
            memcpy(to, job->window[i].iov_base, job->window[i].iov_len);
            to += job->window[i].iov_len;
        }
    }
}

/* ---- steps: 0: done something, OVERLAY_WAIT, or a negative errno -------- */

/* Read len bytes of the base at off into job->window. */
DEV_ONLY static int overlay_ask_base(struct overlay_job *job, u64 off, u64 len,
                                     unsigned int nr)
{
    job->base.op = DISK_READ;
    job->base.off = off;
    job->base.len = len;
    job->base.iov = job->window;
    job->base.nr_iov = nr;
    job->answered = false;
    disk_submit(job->o->base, &job->base);
    return OVERLAY_WAIT;
}

/* The next vectors of a read, whole sectors of them. */
static unsigned int overlay_window(struct overlay_job *job, u64 len, u64 *bytes)
{
    struct io_vec v = {job->req->iov, job->req->nr_iov};
    unsigned int nr =
        io_slice(v, job->done, len, job->window, IO_WINDOW, bytes);

    *bytes -= *bytes % DISK_SECTOR;
    return *bytes == len
               ? nr
               : io_slice(v, job->done, *bytes, job->window, IO_WINDOW, bytes);
}

DEV_ONLY static int overlay_step_read(struct overlay_job *job)
{
    struct overlay *o = job->o;
    enum overlay_state st;
    u64 at = overlay_at(job), bytes;
    u64 run = overlay_map_run(&o->map, at, overlay_left(job), &st);
    unsigned int nr = overlay_window(job, run, &bytes);
    struct io_vec v = {job->window, nr};
    int r = 0;

    if (bytes == 0)
        return -EINVAL; /* more vectors than sectors */
    job->step = bytes;
    if (st == OVERLAY_BASE)
        return overlay_ask_base(job, at, bytes, nr);
    if (st == OVERLAY_DATA)
        r = io_read(o->fd, v, 0, bytes, overlay_place(o, at));
    for (unsigned int i = 0; st == OVERLAY_ZERO && i < nr; i++)
        memset(job->window[i].iov_base, 0, job->window[i].iov_len);
    job->done += bytes;
    return r;
}

/* Blocks that are in the layer already, or one that is written as a whole. */
static int overlay_write_through(struct overlay_job *job, u64 len)
{
    int r = overlay_write(job, len);

    job->done += r == 0 ? len : 0;
    return r;
}

/* A whole block that was not in the layer. The map says so afterwards: what a
 * failed write has left there is nobody's. */
static int overlay_write_block(struct overlay_job *job, u64 block)
{
    struct overlay *o = job->o;
    int r;

    if (!overlay_has_room(o))
        return -ENOSPC;
    r = overlay_write_through(job, overlay_block_len(o, block));
    if (r == 0)
        overlay_map_set(&o->map, block, OVERLAY_DATA);
    return r;
}

/* Part of a block; job->block has what the base holds, if that still counts. */
static int overlay_write_part(struct overlay_job *job)
{
    struct overlay *o = job->o;
    u64 at = overlay_at(job), block = at / OVERLAY_BLOCK;
    u64 in = at % OVERLAY_BLOCK;
    u64 len = MIN(overlay_left(job), OVERLAY_BLOCK - in);
    int r;

    if (overlay_map_get(&o->map, block) == OVERLAY_DATA)
        return overlay_write_through(job, len);
    if (!overlay_has_room(o))
        return -ENOSPC;
    if (overlay_map_get(&o->map, block) == OVERLAY_ZERO)
        memset(job->block, 0, OVERLAY_BLOCK);
    overlay_gather(job, job->block + in, len);
    o->changed = true;
    r = io_write_buf(o->fd, job->block, overlay_block_len(o, block),
                     overlay_place(o, block * OVERLAY_BLOCK));
    if (r < 0)
        return r;
    overlay_map_set(&o->map, block, OVERLAY_DATA);
    job->done += len;
    return 0;
}

DEV_ONLY static int overlay_copy_up(struct overlay_job *job, u64 block)
{
    u64 len = overlay_block_len(job->o, block);

    if (!overlay_has_room(job->o))
        return -ENOSPC; /* before the base has work with it */
    job->window[0] = (struct iovec){job->block, len};
    return overlay_ask_base(job, block * OVERLAY_BLOCK, len, 1);
}

DEV_ONLY static int overlay_step_write(struct overlay_job *job)
{
    struct overlay *o = job->o;
    enum overlay_state st;
    u64 at = overlay_at(job), block = at / OVERLAY_BLOCK;
    u64 left = overlay_left(job);
    u64 run = overlay_map_run(&o->map, at, left, &st);

    if (st == OVERLAY_DATA)
        return overlay_write_through(job, run);
    if (at % OVERLAY_BLOCK == 0 && left >= overlay_block_len(o, block))
        return overlay_write_block(job, block);
    if (st == OVERLAY_ZERO)
        return overlay_write_part(job);
    return overlay_copy_up(job, block);
}

/* Bytes from at on that are whole blocks. */
static u64 overlay_whole(const struct overlay *o, u64 at, u64 left)
{
    if (at % OVERLAY_BLOCK)
        return 0;
    if (at + left == o->map.base_size)
        return left;
    return left - left % OVERLAY_BLOCK;
}

/* The space goes back at once: before the map is durable the block is zero in
 * the layer, which is one of the two contents it may have after a crash. */
static void overlay_zero_blocks(struct overlay *o, u64 at, u64 len)
{
    u64 end = (at + len + OVERLAY_BLOCK - 1) / OVERLAY_BLOCK;
    u64 had = o->map.nr_data;

    for (u64 b = at / OVERLAY_BLOCK; b < end; b++)
        overlay_map_set(&o->map, b, OVERLAY_ZERO);
    if (o->map.nr_data != had)
        io_fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     overlay_place(o, at), len);
    o->changed = true;
}

/* Whole blocks by the map; the ends of a range are written, if they count. */
DEV_ONLY static int overlay_step_zero(struct overlay_job *job)
{
    struct overlay *o = job->o;
    u64 at = overlay_at(job), left = overlay_left(job);
    u64 whole = overlay_whole(o, at, left);
    u64 part = MIN(left, OVERLAY_BLOCK - at % OVERLAY_BLOCK);
    enum overlay_state st = overlay_map_get(&o->map, at / OVERLAY_BLOCK);

    if (whole) {
        overlay_zero_blocks(o, at, whole);
        job->done += whole;
        return 0;
    }
    if (job->req->op == DISK_DISCARD || st == OVERLAY_ZERO) {
        job->done += part;
        return 0;
    }
    if (st == OVERLAY_DATA)
        return overlay_write_through(job, part);
    return overlay_copy_up(job, at / OVERLAY_BLOCK);
}

DEV_ONLY static int overlay_step(struct overlay_job *job)
{
    switch (job->req->op) {
    case DISK_READ:
        return overlay_step_read(job);
    case DISK_WRITE:
        return overlay_step_write(job);
    default:
        return overlay_step_zero(job);
    }
}

/* ---- jobs --------------------------------------------------------------- */

/* What the base has answered. */
static int overlay_take_base(struct overlay_job *job)
{
    if (job->err < 0)
        return job->err;
    if (job->req->op != DISK_READ)
        return overlay_write_part(job);
    job->done += job->step;
    return 0;
}

/* On until the end or the next wait. A base that answers within its submit()
 * finds us running, so the stack does not grow with the request. */
DEV_ONLY static void overlay_run(struct overlay_job *job, int r)
{
    struct disk_req *req = job->req;

    job->running = true;
    while (r == 0 && job->done < req->len) {
        r = overlay_step(job);
        if (r == OVERLAY_WAIT && job->answered)
            r = overlay_take_base(job);
    }
    job->running = false;
    if (r == OVERLAY_WAIT)
        return;
    job->req = NULL;
    req->done(req, r);
}

DEV_ONLY static void overlay_base_done(struct disk_req *base, int err)
{
    struct overlay_job *job = container_of(base, struct overlay_job, base);

    job->answered = true;
    job->err = err;
    if (job->running)
        return;
    overlay_run(job, overlay_take_base(job));
    disk_kick(job->o->base);
}

/* ---- flush -------------------------------------------------------------- */

/* Data first, then the map that speaks of it. */
static int overlay_commit(struct overlay *o)
{
    int r = io_sync(o->fd);

    if (r < 0 || !overlay_map_dirty(&o->map))
        return r;
    r = overlay_map_write(&o->map);
    return r < 0 ? r : io_sync(o->fd);
}

/* Nothing of an ephemeral layer outlives the monitor, so nothing is made
 * durable. An error is latched, as in raw.c. */
static int overlay_flush(struct overlay *o)
{
    int r;

    if (!o->path || !o->changed || o->flush_error)
        return o->flush_error;
    r = overlay_commit(o);
    if (r < 0)
        o->flush_error = fail(r,
                              "overlay %s: flush: data may be lost, so no "
                              "later flush will succeed",
                              o->path);
    o->changed = false;
    return r;
}

/* ---- hooks -------------------------------------------------------------- */

static struct overlay_job *overlay_free_job(struct overlay *o)
{
    for (unsigned int i = 0; i < o->nr_jobs; i++)
        if (!o->job[i].req)
            return &o->job[i];
    return NULL;
}

DEV_ONLY static void overlay_submit(struct disk *d, struct disk_req *req)
{
    struct overlay *o = overlay_of(d);
    struct overlay_job *job;

    if (req->op == DISK_FLUSH) {
        req->done(req, overlay_flush(o));
        return;
    }
    if (req->off > d->info.size || req->len > d->info.size - req->off) {
        req->done(req, -EIO);
        return;
    }
    job = overlay_free_job(o);
    if (!job) {
        req->done(req, -EAGAIN);
        return;
    }
    job->req = req;
    job->done = 0;
    overlay_run(job, 0);
}

DEV_ONLY static void overlay_kick(struct disk *d)
{
    disk_kick(overlay_of(d)->base);
}

static void overlay_answered(void *ctx)
{
    struct overlay *o = ctx;

    if (o->disk.answered)
        o->disk.answered(o->disk.ctx);
}

static int overlay_attach(struct disk *d, struct loop *loop)
{
    return disk_attach(overlay_of(d)->base, loop);
}

static void overlay_undo(struct undo *u)
{
    struct overlay *o = container_of(u, struct overlay, undo);

    overlay_file_remove(o->path, o->fd, o->dir_fd);
}

static void overlay_free(struct disk *d)
{
    struct overlay *o = overlay_of(d);

    undo_now(&o->undo);
    overlay_map_fini(&o->map);
    disk_free(o->base);
    if (o->dir_fd >= 0)
        close(o->dir_fd);
    if (o->fd >= 0)
        close(o->fd);
    free(o->blocks);
    free(o->job);
    free(o->path);
    free(o);
}

static const struct disk_ops overlay_ops = {
    .name = "overlay",
    .filter = FILTER_BLK,
    .attach = overlay_attach,
    .submit = overlay_submit,
    .kick = overlay_kick,
    .free = overlay_free,
};

/* ---- opening ------------------------------------------------------------ */

static int overlay_start_persistent(struct overlay *o)
{
    int r;

    if (!overlay_map_blank(&o->map))
        return overlay_map_load(&o->map);
    r = overlay_map_format(&o->map);
    if (r == 0 && fsync(o->dir_fd) < 0)
        r = fail(-errno, "overlay %s: sync its directory", o->path);
    return r;
}

static int overlay_start(struct overlay *o)
{
    const struct disk_info *info = &o->base->info;
    int r = o->path ? overlay_file_open(o->path, &o->fd, &o->dir_fd)
                    : overlay_file_temporary(&o->fd);

    if (r < 0)
        return r;
    r = overlay_map_init(&o->map, o->fd, o->path ? o->path : "(ephemeral)",
                         info->size, info->identity);
    if (r < 0)
        return r;
    if (o->path)
        return overlay_start_persistent(o);
    if (ftruncate(o->fd, (off_t)o->map.length) < 0)
        return fail(-errno, "overlay: a sparse file of %llu bytes",
                    (unsigned long long)o->map.length);
    return 0;
}

static int overlay_init_jobs(struct overlay *o)
{
    o->nr_jobs = MIN(o->base->info.depth, OVERLAY_DEPTH);
    o->job = calloc(o->nr_jobs, sizeof(*o->job));
    o->blocks = malloc(o->nr_jobs * OVERLAY_BLOCK);
    if (!o->job || !o->blocks)
        return fail(-ENOMEM, "overlay");
    for (unsigned int i = 0; i < o->nr_jobs; i++)
        o->job[i] =
            (struct overlay_job){.o = o,
                                 .base.done = overlay_base_done,
                                 .block = o->blocks + i * OVERLAY_BLOCK};
    return 0;
}

static void overlay_init_disk(struct overlay *o, bool keep)
{
    struct disk_info *info = &o->disk.info;

    o->disk.ops = &overlay_ops;
    *info = o->base->info;
    info->read_only = false;
    info->discard = info->zeroes = true;
    info->discard_align = (u32)(OVERLAY_BLOCK / DISK_SECTOR);
    info->depth = o->nr_jobs;
    info->identity = 0;
    info->flush_last = keep;
    o->base->answered = overlay_answered;
    o->base->ctx = o;
}

int overlay_open(struct disk **out, struct disk *base,
                 const struct overlay_options *opt)
{
    struct overlay *o = calloc(1, sizeof(*o));
    int r;

    if (!o)
        return fail(-ENOMEM, "overlay");
    o->fd = o->dir_fd = -1;
    o->max_data =
        opt->quota_bytes ? opt->quota_bytes / OVERLAY_BLOCK : UINT64_MAX;
    o->path = opt->path ? strdup(opt->path) : NULL;
    r = opt->path && !o->path ? fail(-ENOMEM, "overlay") : 0;
    o->base = base;
    if (r == 0)
        r = overlay_init_jobs(o);
    if (r == 0)
        r = overlay_start(o);
    if (r < 0) {
        o->base = NULL; /* still the caller's */
        overlay_free(&o->disk);
        return r;
    }
    overlay_init_disk(o, opt->path && !opt->discard_on_exit);
    if (opt->path && opt->discard_on_exit)
        undo_add(&o->undo, overlay_undo);
    *out = &o->disk;
    return 0;
}
