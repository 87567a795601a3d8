/* SPDX-License-Identifier: Apache-2.0 */
/* blk.c: virtio-blk (virtio 1.2, 5.2) in front of any disk */
#include <stdlib.h>

#include "mote/log.h"

#include "blk.h"

#define BLK_ID             2u
#define BLK_F_SIZE_MAX     (1ull << 1)
#define BLK_F_SEG_MAX      (1ull << 2)
#define BLK_F_RO           (1ull << 5)
#define BLK_F_BLK_SIZE     (1ull << 6)
#define BLK_F_FLUSH        (1ull << 9)
#define BLK_F_TOPOLOGY     (1ull << 10)
#define BLK_F_MQ           (1ull << 12)
#define BLK_F_DISCARD      (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)

#define BLK_SIZE_MAX  MIB /* a hint for drivers, nothing depends on it */
#define BLK_SEG_MAX   (VQ_SIZE_MAX - 2) /* the rest: header and status */
#define BLK_RANGE_MAX (128 * MIB / DISK_SECTOR) /* discard, write zeroes */
#define BLK_OPT_IO    (64 * KIB)

enum blk_type {
    BLK_T_IN = 0,
    BLK_T_OUT = 1,
    BLK_T_FLUSH = 4,
    BLK_T_GET_ID = 8,
    BLK_T_DISCARD = 11,
    BLK_T_WRITE_ZEROES = 13,
};

/* Little-endian, as the host. */
struct blk_header {
    u32 type;
    u32 reserved;
    u64 sector;
};

struct blk_range {
    u64 sector;
    u32 nr_sectors;
    u32 flags;
};
#define BLK_RANGE_UNMAP 1u

/* ---- counters ------------------------------------------------------------ */

static const char *const blk_counters[BLK_COUNTERS] = {
    [BLK_READ_COUNT] = "read_count",
    [BLK_READ_BYTES] = "read_bytes",
    [BLK_WRITE_COUNT] = "write_count",
    [BLK_WRITE_BYTES] = "write_bytes",
    [BLK_FLUSHES] = "flush_count",
    [BLK_FAILS] = "execute_fails",
    [BLK_INVALID] = "invalid_reqs_count",
    [BLK_KICKS] = "queue_event_count",
    [BLK_THROTTLED] = "rate_limiter_throttled_events",
};

static void blk_count(struct blk *b, enum blk_counter which, u64 n)
{
    counter_add(&b->dev.counter[which], n);
}

/* The backend is done with it. */
static void blk_count_done(struct blk *b, const struct disk_req *dr, int err)
{
    if (err == -ECANCELED || err == -EOPNOTSUPP)
        return;
    if (err < 0) {
        blk_count(b, BLK_FAILS, 1);
    } else if (dr->op == DISK_READ) {
        blk_count(b, BLK_READ_COUNT, 1);
        blk_count(b, BLK_READ_BYTES, dr->len);
    } else if (dr->op == DISK_WRITE) {
        blk_count(b, BLK_WRITE_COUNT, 1);
        blk_count(b, BLK_WRITE_BYTES, dr->len);
    } else if (dr->op == DISK_FLUSH) {
        blk_count(b, BLK_FLUSHES, 1);
    }
}

/* ---- answers ------------------------------------------------------------ */

void blk_answer(struct blk_req *req, enum blk_status status, u32 written)
{
    struct blk *b = req->blk;

    *req->status = (u8)status;
    if (status != BLK_S_OK)
        counter_add(&b->dev.errors, 1);
    vq_push(req->vq, &req->c, written + 1);
    b->pushed |= 1u << req->vq->index;
}

static enum blk_status blk_status(int err)
{
    if (err == 0)
        return BLK_S_OK;
    return err == -EOPNOTSUPP ? BLK_S_UNSUPP : BLK_S_IOERR;
}

/* A driver that did not accept FLUSH takes a write that is done for one that
 * is on the disk (5.2.6.2). */
DEV_ONLY static void blk_write_through(struct blk_req *req)
{
    req->through = false;
    req->dr.op = DISK_FLUSH;
    disk_submit(req->blk->disk, &req->dr);
    disk_kick(req->blk->disk);
}

DEV_ONLY static void blk_done(struct disk_req *dr, int err)
{
    struct blk_req *req = container_of(dr, struct blk_req, dr);
    struct blk *b = req->blk;

    blk_count_done(b, dr, err);
    if (err == 0 && req->through) {
        blk_write_through(req);
        return;
    }
    b->inflight--;
    if (err < 0 && err != -EOPNOTSUPP && err != -ECANCELED &&
        blk_failed(req, err))
        return;
    /* Also a failed read may have written all of it. */
    blk_answer(req, blk_status(err), dr->op == DISK_READ ? req->c.in_len : 0);
}

/* While requests are held nothing else is begun. */
static bool blk_has_room(const struct blk *b)
{
    return !b->holding && b->inflight < b->disk->info.depth;
}

void blk_batch_end(struct blk *b)
{
    blk_hold_over(b);
    for (unsigned int q = 0; q < b->dev.nr_vqs; q++) {
        u32 bit = 1u << q;

        if (b->pushed & bit) {
            b->pushed &= ~bit;
            virtio_notify(&b->dev, virtio_vq(&b->dev, q));
        }
        if ((b->starved & bit) && blk_has_room(b)) {
            b->starved &= ~bit;
            virtio_kick_later(&b->dev, virtio_vq(&b->dev, q));
        }
    }
}

DEV_ONLY static void blk_answered(void *ctx)
{
    blk_batch_end(ctx);
}

/* ---- requests ----------------------------------------------------------- */

/*
 * Each of these checks a request and fills req->dr. 0: for the disk. 1: needs
 * no disk, blk_answer() was called. Negative errno: refuse it.
 */
static int blk_range_check(const struct blk *b, u64 sector, u64 nr)
{
    u64 sectors = b->disk->info.size / DISK_SECTOR;

    return sector <= sectors && nr <= sectors - sector ? 0 : -EINVAL;
}

static int blk_parse_transfer(struct blk *b, struct blk_req *req, u64 sector)
{
    struct disk_req *dr = &req->dr;

    dr->len = dr->op == DISK_READ ? req->c.in_len : req->c.out_len;
    if (dr->len % DISK_SECTOR)
        return -EINVAL;
    if (dr->op == DISK_WRITE && b->disk->info.read_only)
        return -EROFS;
    if (blk_range_check(b, sector, dr->len / DISK_SECTOR) < 0)
        return -EINVAL;
    dr->off = sector * DISK_SECTOR;
    dr->iov = dr->op == DISK_READ ? req->c.in : req->c.out;
    dr->nr_iov = dr->op == DISK_READ ? req->c.nr_in : req->c.nr_out;
    req->through =
        dr->op == DISK_WRITE && b->flush && !virtio_has(&b->dev, BLK_F_FLUSH);
    return 0;
}

/* One range a request, as the configuration space says (5.2.6.2). */
static int blk_parse_range(struct blk *b, struct blk_req *req, u64 feature)
{
    struct disk_req *dr = &req->dr;
    struct blk_range range;

    if (!virtio_has(&b->dev, feature))
        return -EOPNOTSUPP;
    if (req->c.out_len != sizeof(range) ||
        !vq_take(&req->c, &range, sizeof(range)))
        return -EINVAL;
    if (b->disk->info.read_only)
        return -EROFS;
    if ((range.flags & ~BLK_RANGE_UNMAP) ||
        (dr->op == DISK_DISCARD && range.flags))
        return -EOPNOTSUPP;
    if (range.nr_sectors > BLK_RANGE_MAX ||
        blk_range_check(b, range.sector, range.nr_sectors) < 0)
        return -EINVAL;
    dr->unmap = range.flags & BLK_RANGE_UNMAP;
    dr->off = range.sector * DISK_SECTOR;
    dr->len = (u64)range.nr_sectors * DISK_SECTOR;
    return 0;
}

DEV_ONLY static int blk_get_id(struct blk *b, struct blk_req *req)
{
    blk_answer(req, BLK_S_OK, vq_put(&req->c, b->serial, sizeof(b->serial)));
    return 1;
}

DEV_ONLY static int blk_parse(struct blk *b, struct blk_req *req,
                              const struct blk_header *h)
{
    switch (h->type) {
    case BLK_T_IN:
        req->dr.op = DISK_READ;
        return blk_parse_transfer(b, req, h->sector);
    case BLK_T_OUT:
        req->dr.op = DISK_WRITE;
        return blk_parse_transfer(b, req, h->sector);
    case BLK_T_FLUSH:
        req->dr.op = DISK_FLUSH;
        return b->flush ? 0 : -EOPNOTSUPP;
    case BLK_T_GET_ID:
        return blk_get_id(b, req);
    case BLK_T_DISCARD:
        req->dr.op = DISK_DISCARD;
        return blk_parse_range(b, req, BLK_F_DISCARD);
    case BLK_T_WRITE_ZEROES:
        req->dr.op = DISK_ZEROES;
        return blk_parse_range(b, req, BLK_F_WRITE_ZEROES);
    default:
        return -EOPNOTSUPP;
    }
}

/* May it go now? Else it goes back to the ring until the limiter has tokens. */
DEV_ONLY static bool blk_limited(struct blk *b, const struct blk_req *req)
{
    u64 bytes, wait;

    if (!limit_active(&b->limit))
        return false;
    bytes =
        req->dr.op == DISK_READ || req->dr.op == DISK_WRITE ? req->dr.len : 0;
    wait = limit_take(&b->limit, bytes, monotonic_ns());
    if (wait == 0)
        return false;
    blk_count(b, BLK_THROTTLED, 1);
    vq_unpop(req->vq, &req->c);
    virtio_pause(&b->dev, req->vq, wait);
    return true;
}

DEV_ONLY static void blk_submit(struct blk *b, struct blk_req *req)
{
    if (req->dr.len == 0 && req->dr.op != DISK_FLUSH) {
        blk_answer(req, BLK_S_OK, 0);
        return;
    }
    b->inflight++;
    disk_submit(b->disk, &req->dr);
}

/* 1: go on with the next, 0: the queue rests, negative errno: it is broken. */
DEV_ONLY static int blk_handle(struct blk *b, struct blk_req *req)
{
    struct blk_header h;
    int r = -EINVAL;

    req->dr = (struct disk_req){.done = blk_done};
    req->through = false;
    req->status = vq_take_status(&req->c);
    if (!req->status) {
        req->vq->why = "a request without a byte for its status";
        vq_push(req->vq, &req->c, 0);
        return -EPROTO;
    }
    if (vq_take(&req->c, &h, sizeof(h)))
        r = blk_parse(b, req, &h);
    if (r < 0) {
        blk_count(b, BLK_INVALID, 1);
        blk_answer(req, blk_status(r), 0);
    }
    if (r != 0)
        return 1;
    if (blk_limited(b, req))
        return 0;
    blk_submit(b, req);
    return 1;
}

/* As blk_handle(). */
DEV_ONLY static int blk_next(struct blk *b, struct vq *vq)
{
    struct blk_req *req;
    struct vq_chain c;
    int r;

    if (!blk_has_room(b)) {
        b->starved |= 1u << vq->index;
        return 0;
    }
    r = vq_pop(vq, &c);
    if (r <= 0)
        return r;
    req = &b->req[vq->index][c.slot];
    req->c = c;
    return blk_handle(b, req);
}

/* ---- hooks -------------------------------------------------------------- */

DEV_ONLY static int blk_kick(struct virtio_dev *dev, struct vq *vq)
{
    struct blk *b = blk_of(dev);
    int r;

    blk_count(b, BLK_KICKS, 1);
    do {
        r = blk_next(b, vq);
    } while (r > 0);
    disk_kick(b->disk);
    blk_batch_end(b);
    return r;
}

static void blk_set_capacity(struct blk *b)
{
    u8 capacity[8];

    le64_put(capacity, b->disk->info.size / DISK_SECTOR);
    virtio_config_set(&b->dev, 0, capacity, sizeof(capacity));
}

DEV_ONLY static void blk_resized(void *ctx)
{
    struct blk *b = ctx;

    blk_set_capacity(b);
    virtio_config_changed(&b->dev);
    virtio_settled(&b->dev);
}

/* A guest that finds no disk would only confuse. */
DEV_ONLY static void blk_lost(void *ctx)
{
    struct blk *b = ctx;

    if (b->power)
        power_end(b->power, POWER_DISK_ERROR, 0);
}

DEV_ONLY static void blk_reset(struct virtio_dev *dev)
{
    blk_give_up(blk_of(dev));
    blk_of(dev)->starved = 0;
}

DEV_ONLY static void blk_abandon(struct virtio_dev *dev)
{
    struct blk *b = blk_of(dev);

    disk_abandon(b->disk);
    blk_batch_end(b);
}

DEV_ONLY static void blk_stop_done(struct disk_req *dr, int err)
{
    struct blk *b = container_of(dr, struct blk, last);

    if (err < 0)
        blk_say(b, dr, err);
    virtio_stopped(&b->dev);
}

DEV_ONLY static void blk_stop(struct virtio_dev *dev)
{
    struct blk *b = blk_of(dev);

    bool flush = b->flush || b->disk->info.flush_last;

    if (!flush || b->disk->info.opening) {
        virtio_stopped(dev);
        return;
    }
    b->last = (struct disk_req){.op = DISK_FLUSH, .done = blk_stop_done};
    disk_submit(b->disk, &b->last);
    disk_kick(b->disk);
}

static void blk_free(struct virtio_dev *dev)
{
    struct blk *b = blk_of(dev);

    disk_free(b->disk);
    blk_error_fini(b);
    for (unsigned int q = 0; q < ARRAY_SIZE(b->req); q++)
        free(b->req[q]);
    virtio_dev_fini(dev);
    free(b);
}

static const struct virtio_ops blk_ops = {
    .name = "blk",
    .id = BLK_ID,
    .filter = FILTER_BLK,
    .group = "block",
    .counters = blk_counters,
    .nr_counters = BLK_COUNTERS,
    .polls = true,
    .kick = blk_kick,
    .reset = blk_reset,
    .abandon = blk_abandon,
    .stop = blk_stop,
    .free = blk_free,
};

/* ---- construction ------------------------------------------------------- */

static u64 blk_features(const struct disk_info *info,
                        const struct blk_options *opt)
{
    u64 f = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY;

    f |= info->read_only ? BLK_F_RO : 0;
    f |= opt->flush ? BLK_F_FLUSH : 0;
    f |= opt->queues > 1 ? BLK_F_MQ : 0;
    f |= info->discard && !info->read_only ? BLK_F_DISCARD : 0;
    f |= info->zeroes && !info->read_only ? BLK_F_WRITE_ZEROES : 0;
    return f;
}

/* struct virtio_blk_config, 5.2.4; offsets are the specification's. */
static void blk_init_config(struct blk *b, unsigned int queues)
{
    const struct disk_info *info = &b->disk->info;
    u8 c[60] = {0};

    le64_put(c, info->size / DISK_SECTOR);
    le32_put(c + 8, BLK_SIZE_MAX);
    le32_put(c + 12, BLK_SEG_MAX);
    le32_put(c + 20, info->block_size);
    c[24] = (u8)info->physical_exp;
    le16_put(c + 26, (u16)(1u << info->physical_exp)); /* min_io_size, blocks */
    le32_put(c + 28, (u32)(BLK_OPT_IO / info->block_size));
    le16_put(c + 34, (u16)queues);
    le32_put(c + 36, BLK_RANGE_MAX);
    le32_put(c + 40, 1); /* max_discard_seg */
    le32_put(c + 44, info->discard_align);
    le32_put(c + 48, BLK_RANGE_MAX);
    le32_put(c + 52, 1); /* max_write_zeroes_seg */
    c[56] = 1;           /* write_zeroes_may_unmap */
    virtio_config_set(&b->dev, 0, c, sizeof(c));
}

static int blk_init_queue(struct blk *b, unsigned int q)
{
    b->req[q] = calloc(VQ_SIZE_MAX, sizeof(*b->req[q]));
    if (!b->req[q])
        return fail(-ENOMEM, "drive %s", b->dev.name);
    for (unsigned int i = 0; i < VQ_SIZE_MAX; i++) {
        b->req[q][i].blk = b;
        b->req[q][i].vq = virtio_vq(&b->dev, q);
    }
    return 0;
}

static void blk_init(struct blk *b, struct disk *disk,
                     const struct blk_options *opt)
{
    b->disk = disk;
    b->flush = opt->flush;
    b->on_error = opt->on_error;
    b->power = opt->power;
    limit_init(&b->limit, &opt->limit, monotonic_ns());
    memcpy(b->serial, opt->name, strnlen(opt->name, sizeof(b->serial)));
    disk->resized = blk_resized;
    disk->answered = blk_answered;
    disk->lost = blk_lost;
    if (disk->info.opening)
        virtio_unsettle(&b->dev);
    disk->ctx = b;
    blk_init_config(b, opt->queues);
}

int blk_new(struct virtio_dev **out, struct disk *disk,
            const struct blk_options *opt)
{
    struct blk *b;
    int r;

    if (opt->queues < 1 || opt->queues > BLK_VQ_MAX)
        return fail_rule(-EINVAL, "drive %s: %u queues: must be 1 to %u",
                         opt->name, opt->queues, BLK_VQ_MAX);
    b = calloc(1, sizeof(*b));
    if (!b)
        return fail(-ENOMEM, "drive %s", opt->name);
    r = virtio_dev_init(&b->dev, &blk_ops, opt->name, opt->queues, VQ_SIZE_MAX,
                        blk_features(&disk->info, opt));
    if (r < 0)
        goto free_blk;
    if (disk->ops->filter != FILTER_NONE)
        b->dev.filter.kind = disk->ops->filter;
    blk_init(b, disk, opt);
    for (unsigned int q = 0; q < opt->queues && r == 0; q++)
        r = blk_init_queue(b, q);
    if (r == 0)
        r = blk_error_init(b);
    if (r < 0)
        goto free_queues;
    r = disk_attach(disk, &b->dev.loop);
    if (r < 0)
        goto close_timer;
    *out = &b->dev;
    return 0;

close_timer:
    blk_error_fini(b);
free_queues:
    for (unsigned int q = 0; q < ARRAY_SIZE(b->req); q++)
        free(b->req[q]);
    virtio_dev_fini(&b->dev);
free_blk:
    free(b);
    return r;
}
