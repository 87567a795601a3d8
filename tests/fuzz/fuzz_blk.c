/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk.c: any requests in any framing, over a disk that fails, holds back and
 * answers out of order. Input: a byte of flags, then records: the header, the
 * bytes to write and to read, and how the chain is cut.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "mote/disk.h"
#include "virtio/dev.h"

#define DISK_SIZE (64 * KIB)
#define DEPTH     3u
#define NUM       64u
#define DESC      0x1000u
#define AVAIL     0x2000u
#define USED      0x3000u
#define BUF       0x10000u /* one area of AREA bytes per chain */
#define AREA      0x10000u
#define STATUS    0xa5u /* not a status of the device's */

struct fake {
    struct disk disk;
    struct disk_req *held[DEPTH];
    unsigned int nr_held;
};

static struct mem *ram;
static struct fake fake[2]; /* the second is read-only */
static struct virtio_dev *blk[2];

/* What the device must have checked. */
static void fake_check(const struct disk *d, const struct disk_req *req)
{
    u64 bytes = 0;

    assert(req->off <= DISK_SIZE && req->len <= DISK_SIZE - req->off);
    assert(req->off % DISK_SECTOR == 0 && req->len % DISK_SECTOR == 0);
    for (unsigned int i = 0; i < req->nr_iov; i++)
        bytes += req->iov[i].iov_len;
    if (req->op == DISK_READ || req->op == DISK_WRITE)
        assert(bytes == req->len && bytes > 0);
    if (req->op != DISK_READ && req->op != DISK_FLUSH)
        assert(!d->info.read_only);
}

static void fake_answer(struct disk_req *req)
{
    static const int err[4] = {0, 0, -EIO, -EOPNOTSUPP};

    for (unsigned int i = 0; req->op == DISK_READ && i < req->nr_iov; i++)
        memset(req->iov[i].iov_base, 0x77, req->iov[i].iov_len);
    req->done(req, err[req->off / DISK_SECTOR % 4]);
}

static void fake_submit(struct disk *d, struct disk_req *req)
{
    struct fake *f = container_of(d, struct fake, disk);

    fake_check(d, req);
    if (req->off / DISK_SECTOR % 3 == 0) {
        fake_answer(req);
        return;
    }
    assert(f->nr_held < DEPTH);
    f->held[f->nr_held++] = req;
}

static int fake_attach(struct disk *d, struct loop *loop)
{
    return 0;
}

static void fake_free(struct disk *d)
{
}

static const struct disk_ops fake_ops = {
    .name = "fake",
    .attach = fake_attach,
    .submit = fake_submit,
    .free = fake_free,
};

static void fuzz_up(void)
{
    struct blk_options opt = {.name = "fuzz", .flush = true, .queues = 1};

    log_sink_set(fuzz_no_log);
    if (mem_new(&ram, 16 * MIB) < 0)
        abort();
    for (unsigned int i = 0; i < 2; i++) {
        fake[i].disk = (struct disk){.ops = &fake_ops,
                                     .info = {.size = DISK_SIZE,
                                              .read_only = i == 1,
                                              .discard = true,
                                              .zeroes = true,
                                              .block_size = 512,
                                              .depth = DEPTH}};
        if (blk_new(&blk[i], &fake[i].disk, &opt) < 0)
            abort();
        blk[i]->mem = ram;
    }
}

static void put_desc(u32 i, u64 addr, u32 len, bool write, bool more)
{
    u8 d[16] = {0};

    le64_put(d, addr);
    le32_put(d + 8, len);
    le16_put(d + 12, (u16)((write ? 2 : 0) | (more ? 1 : 0)));
    le16_put(d + 14, (u16)(i + 1));
    mem_write(ram, DESC + 16 * i, d, sizeof(d));
}

/* From one record, the chain that begins at descriptor *at. */
static void add_chain(struct fuzz_input *in, u32 n, u32 *at)
{
    static const u8 type[16] = {0, 0, 0, 1, 1, 1, 4, 8, 11, 11, 13, 13, 2, 255};
    u64 area = BUF + (u64)n * AREA;
    u8 kind = (u8)fuzz_take(in, 1), cut = (u8)fuzz_take(in, 1);
    u64 sector = fuzz_take(in, kind & 0x10 ? 8 : 1);
    u32 out = (u32)fuzz_take(in, 1) * (kind & 0x20 ? 512 : 1);
    u32 back = (u32)fuzz_take(in, 1) * (kind & 0x40 ? 512 : 1);
    u64 range = fuzz_take(in, 2), flags = fuzz_take(in, 1);
    u8 header[32] = {type[kind & 15]};

    out = MIN(out, 0x7000u);
    back = MIN(back, 0x7000u);
    le64_put(header + 8, sector);
    le64_put(header + 16, range & 0xff);
    le64_put(header + 24, range >> 8 | flags << 32);
    mem_write(ram, area, header, sizeof(header));
    mem_fill(ram, area + 16 + out, STATUS, 1);
    mem_fill(ram, area + 0x8000, STATUS, back + 1);
    le16_put(header, (u16)*at);
    mem_write(ram, AVAIL + 4 + 2 * n, header, 2);
    out = kind & 0x80 ? out : out + 16; /* without a whole header */
    cut = (u8)MIN(cut, out);
    if (cut)
        put_desc((*at)++, area, cut, false, out > cut || cut % 5);
    if (out > cut)
        put_desc((*at)++, area + cut, out - cut, false, cut % 5);
    if (cut % 5 || (!cut && out <= cut))
        put_desc((*at)++, area + 0x8000, back + 1, true, false);
}

/* As the backend likes: the last one first. */
static int settle(struct virtio_dev *dev, struct fake *f)
{
    struct vq *vq = virtio_vq(dev, 0);
    int r;

    do {
        vq->budget = NUM + 1;
        r = dev->ops->kick(dev, vq);
        while (f->nr_held)
            fake_answer(f->held[--f->nr_held]);
        f->disk.answered(f->disk.ctx);
    } while (r == 0 && vq->next_avail != vq->seen_avail);
    return r;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)1024)};
    struct vq_config cfg = {NUM, DESC, AVAIL, USED};
    struct virtio_dev *dev;
    u32 n = 0, at = 0;
    struct vq *vq;
    u8 used[4];
    u64 flags;
    int r;

    if (!ram)
        fuzz_up();
    flags = fuzz_take(&in, 1);
    dev = blk[flags & 1];
    vq = virtio_vq(dev, 0);
    mem_fill(ram, 0, 0, BUF);
    while (in.left > 0 && n < NUM && at + 3 <= NUM)
        add_chain(&in, n++, &at);
    le16_put(used, (u16)n);
    mem_write(ram, AVAIL + 2, used, 2);
    dev->features = VIRTIO_F_VERSION_1 | (flags & 2 ? dev->offered : 0);
    dev->features &= ~VIRTIO_F_EVENT_IDX;
    r = vq_start(vq, ram, &cfg, dev->features);
    assert(r == 0);
    dev->active = true;
    r = settle(dev, &fake[flags & 1]);
    assert(vq->inflight == 0);
    mem_read(ram, USED, used, sizeof(used));
    assert(r < 0 || le16_get(used + 2) == n);
    dev->active = false;
    vq_stop(vq);
    return 0;
}
