/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw.c: a file or block device as a disk: opening it, and the plain engine,
 * which does each request at once on the device thread.
 *
 * A resized image is noticed by lseek(2) when the guest flushes, at most once a
 * second with other requests, and when the operator asks for it: no watch and
 * no timer, so an idle disk sleeps. (inotify would tell of a file's new size,
 * but also of each write of ours, and never of a block device's.)
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"

#include "io.h"
#include "lock.h"
#include "raw.h"

#define RAW_SYNC_DEPTH 1024u
#define RAW_DIRECT     4096u /* alignment of O_DIRECT that always does */
#define RAW_SIZE_MS    1000u
#define RAW_MODE_PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define RAW_MODE_ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)
#define RAW_BLOCK_EXP  3u /* files: 4 KiB are physical */

static struct raw *raw_of(struct disk *d)
{
    return container_of(d, struct raw, disk);
}

/* ---- requests, also io_uring's ------------------------------------------- */

bool raw_is_direct(const struct raw *raw, const struct disk_req *req)
{
    u64 bits = req->off | req->len;

    if (raw->direct_fd < 0)
        return false;
    for (unsigned int i = 0; i < req->nr_iov; i++)
        bits |= (uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len;
    return bits % raw->direct_align == 0;
}

int raw_mode(const struct raw *raw, const struct disk_req *req)
{
    bool unmap = req->op == DISK_DISCARD || req->unmap;

    if (unmap && !raw->no_punch)
        return RAW_MODE_PUNCH;
    if (req->op == DISK_ZEROES && !raw->no_zero_range)
        return RAW_MODE_ZERO;
    return -EOPNOTSUPP;
}

void raw_mode_refused(struct raw *raw, int mode)
{
    if (mode == RAW_MODE_PUNCH)
        raw->no_punch = true;
    else
        raw->no_zero_range = true;
}

/* The kernel tells of lost writes once and then calls the pages clean, so the
 * next fdatasync() would succeed without them. */
int raw_flushed(struct raw *raw, int err)
{
    if (err < 0 && raw->flush_error == 0) {
        raw->flush_error = err;
        fail(err,
             "disk %s: flush: data may be lost, so no later flush will "
             "succeed",
             raw->path);
    }
    return raw->flush_error;
}

static u64 raw_size(const struct raw *raw)
{
    off_t end = lseek(raw->fd, 0, SEEK_END); /* of block devices, too */

    return end < 0 ? 0 : (u64)end / DISK_SECTOR * DISK_SECTOR;
}

void raw_check_size(struct raw *raw)
{
    u64 size = raw_size(raw);

    if (size == raw->disk.info.size)
        return;
    log_info("disk %s: now %llu bytes, was %llu", raw->path,
             (unsigned long long)size, (unsigned long long)raw->disk.info.size);
    raw->disk.info.size = size;
    if (raw->disk.resized)
        raw->disk.resized(raw->disk.ctx);
}

static void raw_check_size_rarely(struct raw *raw)
{
    struct timespec ts;
    u64 now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    now = (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
    if (now - raw->sized_ms < RAW_SIZE_MS)
        return;
    raw->sized_ms = now;
    raw_check_size(raw);
}

/* ---- the plain engine --------------------------------------------------- */

static int raw_transfer(struct raw *raw, const struct disk_req *req)
{
    int fd = raw_is_direct(raw, req) ? raw->direct_fd : raw->fd;
    struct io_vec v = {req->iov, req->nr_iov};

    if (req->op == DISK_READ)
        return io_read(fd, v, 0, req->len, req->off);
    return io_write(fd, v, 0, req->len, req->off);
}

static int raw_fallocate(struct raw *raw, const struct disk_req *req)
{
    int mode, r;

    while ((mode = raw_mode(raw, req)) > 0) {
        r = io_fallocate(raw->fd, mode, req->off, req->len);
        if (r != -EOPNOTSUPP)
            return r;
        raw_mode_refused(raw, mode);
    }
    if (req->op == DISK_ZEROES)
        return io_write_zeros(raw->fd, req->len, req->off);
    return -EOPNOTSUPP;
}

static int raw_do(struct raw *raw, const struct disk_req *req)
{
    switch (req->op) {
    case DISK_READ:
    case DISK_WRITE:
        return raw_transfer(raw, req);
    case DISK_FLUSH:
        return raw_flushed(raw, io_sync(raw->fd));
    case DISK_DISCARD:
    case DISK_ZEROES:
        return raw_fallocate(raw, req);
    }
    return -EINVAL;
}

static bool raw_allowed(const struct raw *raw, const struct disk_req *req)
{
    const struct disk_info *info = &raw->disk.info;

    if (req->op == DISK_FLUSH)
        return true;
    return req->off <= info->size && req->len <= info->size - req->off &&
           (req->op == DISK_READ || !info->read_only);
}

static void raw_submit(struct disk *d, struct disk_req *req)
{
    struct raw *raw = raw_of(d);

    if (req->op == DISK_FLUSH)
        raw_check_size(raw);
    else
        raw_check_size_rarely(raw);
    if (!raw_allowed(raw, req))
        req->done(req, -EIO); /* it has shrunk */
    else if (req->op == DISK_FLUSH && d->info.read_only)
        req->done(req, 0);
    else if (raw->uring)
        uring_submit(raw->uring, req);
    else
        req->done(req, raw_do(raw, req));
}

static void raw_kick(struct disk *d)
{
    struct raw *raw = raw_of(d);

    if (raw->uring)
        uring_kick(raw->uring);
}

static void raw_look(struct disk *d)
{
    raw_check_size(raw_of(d));
}

/* The ring is made by the process that uses it, and not before. */
static int raw_attach(struct disk *d, struct loop *loop)
{
    struct raw *raw = raw_of(d);
    int r;

    if (raw->engine != DISK_ASYNC)
        return 0;
    r = uring_new(&raw->uring, raw);
    if (r == 0)
        return uring_attach(raw->uring, loop);
    log_info("disk %s: no io_uring here (%s): using the Sync engine", raw->path,
             errno_name(r));
    return 0;
}

static void raw_free(struct disk *d)
{
    struct raw *raw = raw_of(d);

    uring_free(raw->uring);
    if (raw->direct_fd >= 0)
        close(raw->direct_fd);
    undo_now(&raw->undo);
    if (raw->fd >= 0)
        close(raw->fd);
    free(raw->path);
    free(raw);
}

static const struct disk_ops raw_ops = {
    .name = "raw",
    .filter = FILTER_BLK,
    .attach = raw_attach,
    .submit = raw_submit,
    .kick = raw_kick,
    .look = raw_look,
    .free = raw_free,
};

/* ---- opening ------------------------------------------------------------ */

static void raw_undo_lock(struct undo *u)
{
    lock_release(container_of(u, struct raw, undo)->fd);
}

/* O_NONBLOCK: a FIFO must not hold us; it means nothing to what we accept, but
 * io_uring would fail requests where it has to wait. */
static int raw_open_file(struct raw *raw, bool read_only)
{
    int mode = read_only ? O_RDONLY : O_RDWR;
    struct stat st;
    int r;

    raw->fd = open(raw->path, mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (raw->fd < 0 && errno == EROFS)
        return fail(-errno, "disk %s (is_read_only is false)", raw->path);
    if (raw->fd < 0)
        return fail(-errno, "disk %s", raw->path);
    if (fstat(raw->fd, &st) < 0)
        return fail(-errno, "disk %s: stat", raw->path);
    raw->block_dev = S_ISBLK(st.st_mode);
    if (!S_ISREG(st.st_mode) && !raw->block_dev)
        return fail_rule(-EINVAL,
                         "disk %s: neither a regular file nor a block device",
                         raw->path);
    /* Who overlays this image wants to know whether it is still the same. */
    if (!raw->block_dev)
        raw->disk.info.identity =
            (u64)st.st_mtim.tv_sec * 1000000000u + (u64)st.st_mtim.tv_nsec;
    if (fcntl(raw->fd, F_SETFL, 0) < 0)
        return fail(-errno, "disk %s: clear O_NONBLOCK", raw->path);
    r = lock_file(raw->fd, raw->path, !read_only);
    if (r == 0)
        undo_add(&raw->undo, raw_undo_lock);
    return r;
}

/* Of offsets, lengths and addresses alike. */
static u32 raw_direct_align(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx sx;
    u32 align;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
        (sx.stx_mask & STATX_DIOALIGN) && sx.stx_dio_offset_align) {
        align = MAX(sx.stx_dio_offset_align, sx.stx_dio_mem_align);
        return MAX(DISK_SECTOR, align);
    }
#endif
    return RAW_DIRECT;
}

/* A second open file description: requests that are not aligned go through the
 * page cache, which the kernel keeps in step. */
static int raw_open_direct(struct raw *raw, bool read_only)
{
    int mode = read_only ? O_RDONLY : O_RDWR;
    char self[32];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", raw->fd);
    raw->direct_fd = open(self, mode | O_CLOEXEC | O_DIRECT);
    if (raw->direct_fd < 0)
        return fail(-errno, "disk %s: O_DIRECT", raw->path);
    raw->direct_align = raw_direct_align(raw->direct_fd);
    return 0;
}

static void raw_block_info(struct raw *raw)
{
    struct disk_info *info = &raw->disk.info;
    unsigned int physical = 0;
    int logical = 0;

    info->block_size = DISK_SECTOR;
    if (!raw->block_dev) {
        info->physical_exp = RAW_BLOCK_EXP;
        return;
    }
    if (ioctl(raw->fd, BLKSSZGET, &logical) == 0 && logical >= 512 &&
        logical <= 4096)
        info->block_size = (u32)logical;
    if (ioctl(raw->fd, BLKPBSZGET, &physical) == 0)
        while (info->physical_exp < RAW_BLOCK_EXP &&
               info->block_size << (info->physical_exp + 1) <= physical)
            info->physical_exp++;
}

static void raw_info(struct raw *raw, bool read_only)
{
    struct disk_info *info = &raw->disk.info;
    off_t end = lseek(raw->fd, 0, SEEK_END);

    raw_block_info(raw);
    info->size = raw_size(raw);
    info->read_only = read_only;
    info->zeroes = !read_only;
    /* Not tried out, as that would change the file's mtime; where there are
     * no holes the first refusal reaches the guest. */
    info->discard = !read_only;
    info->discard_align =
        (info->block_size << info->physical_exp) / DISK_SECTOR;
    info->depth = raw->engine == DISK_ASYNC ? RAW_DEPTH : RAW_SYNC_DEPTH;
    raw->no_punch = !info->discard;
    if (end == 0)
        log_info("disk %s: is empty", raw->path);
    else if (end > 0 && (u64)end != info->size)
        log_warn("disk %s: %lld bytes: the last %llu are no whole sector and "
                 "not shown to the guest",
                 raw->path, (long long)end,
                 (unsigned long long)end - info->size);
}

int raw_open(struct disk **out, const struct raw_options *opt)
{
    struct raw *raw = calloc(1, sizeof(*raw));
    int r;

    if (!raw)
        return fail(-ENOMEM, "disk %s", opt->path);
    raw->disk.ops = &raw_ops;
    raw->fd = raw->direct_fd = -1;
    raw->path = strdup(opt->path);
    if (!raw->path) {
        r = fail(-ENOMEM, "disk %s", opt->path);
        goto free_raw;
    }
    r = raw_open_file(raw, opt->read_only);
    if (r == 0 && opt->direct)
        r = raw_open_direct(raw, opt->read_only);
    if (r < 0)
        goto free_raw;
    raw->engine = opt->engine;
    raw_info(raw, opt->read_only);
    *out = &raw->disk;
    return 0;

free_raw:
    raw_free(&raw->disk);
    return r;
}
