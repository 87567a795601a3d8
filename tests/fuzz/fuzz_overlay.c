/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: any layer file, and any requests on a good one. Input: flags, then
 * records: patches of the file's first pages while it is closed (bit 0 of the
 * flags: with check sums made right again), or requests. The base is only ever
 * read. A layer nobody has patched holds what was written to it, before and
 * after it was closed.
 */
#include <unistd.h>

#include "block/crc.h"
#include "block/io.h"
#include "block/overlay.h"
#include "fuzz.h"
#include "mote/disk.h"

#define SECTORS (2u * 128u + 5u) /* the last block is a short one */
#define SIZE    (SECTORS * 512u)
#define PAGES   3u                 /* header, and the map's one page twice */
#define OPENS   8u                 /* in one input: they are what takes long */
#define CRC     (OVERLAY_PAGE - 4) /* where the header has its own */

static bool up;
static u8 base_data[SIZE], model[SIZE], buf[SIZE];
static struct disk *disk;
static int answers, answer;

static void base_submit(struct disk *d, struct disk_req *req)
{
    u64 off = req->off;

    assert(req->op == DISK_READ);
    assert(off <= SIZE && req->len <= SIZE - off);
    for (unsigned int i = 0; i < req->nr_iov; i++) {
        memcpy(req->iov[i].iov_base, base_data + off, req->iov[i].iov_len);
        off += req->iov[i].iov_len;
    }
    req->done(req, 0);
}

static int base_attach(struct disk *d, struct loop *loop)
{
    return 0;
}

static void base_free(struct disk *d)
{
}

static struct disk *base_new(void)
{
    static const struct disk_ops ops = {.name = "base",
                                        .attach = base_attach,
                                        .submit = base_submit,
                                        .free = base_free};
    static struct disk base;

    base = (struct disk){.ops = &ops,
                         .info = {.size = SIZE,
                                  .read_only = true,
                                  .block_size = 512,
                                  .depth = 1,
                                  .identity = 0x1234}};
    return &base;
}

static void fuzz_up(void)
{
    log_sink_set(fuzz_no_log);
    for (unsigned int i = 0; i < SIZE; i++)
        base_data[i] = (u8)(i >> 9 | 1);
    up = true;
}

static int open_layer(u64 quota)
{
    struct overlay_options opt = {.path = "layer", .quota_bytes = quota};
    int r;

    disk = NULL;
    r = overlay_open(&disk, base_new(), &opt);
    assert((r == 0) == (disk != NULL));
    return r;
}

static void on_done(struct disk_req *req, int err)
{
    answers++;
    answer = err;
}

TSA(no_thread_safety_analysis)
static int request(enum disk_op op, u64 off, u64 len)
{
    struct iovec iov = {buf + off, len};
    struct disk_req req = {.op = op,
                           .off = off,
                           .len = len,
                           .iov = &iov,
                           .nr_iov = 1,
                           .done = on_done};

    answers = 0;
    disk_submit(disk, &req);
    assert(answers == 1);
    return answer;
}

/* One request; the model does it too. After an error the range may hold
 * anything, and the model takes what is there. */
static void random_request(struct fuzz_input *in, bool good)
{
    static const enum disk_op ops[8] = {DISK_READ,   DISK_WRITE,  DISK_WRITE,
                                        DISK_ZEROES, DISK_ZEROES, DISK_DISCARD,
                                        DISK_FLUSH};
    enum disk_op op = ops[fuzz_take(in, 1) & 7];
    u64 off = fuzz_take(in, 2) % SECTORS * 512;
    u64 len = MIN((1 + fuzz_take(in, 1) * 2) * 512, SIZE - off);
    int r;

    if (op == DISK_WRITE)
        memset(buf + off, (int)fuzz_take(in, 1), len);
    r = request(op, off, len);
    if (!good)
        return;
    assert(r == 0 || (r == -ENOSPC && op != DISK_READ && op != DISK_FLUSH));
    if (op == DISK_READ)
        assert(memcmp(buf + off, model + off, len) == 0);
    else if (r == 0 && op == DISK_WRITE)
        memcpy(model + off, buf + off, len);
    else if (r == 0 && op == DISK_ZEROES)
        memset(model + off, 0, len);
    else if (op != DISK_FLUSH && request(DISK_READ, off, len) == 0)
        memcpy(model + off, buf + off, len);
}

/* As virtio-blk does at the end; without it the layer would be as it was at
 * the last flush, which is what a crash leaves. */
static void close_layer(void)
{
    if (disk->info.flush_last)
        must(request(DISK_FLUSH, 0, 0) == 0);
    disk_free(disk);
}

static void check_content(void)
{
    must(request(DISK_READ, 0, SIZE) == 0);
    assert(memcmp(buf, model, SIZE) == 0);
}

/* Check sums as the one who forges the file would make them. */
static void repair(int fd)
{
    u8 page[OVERLAY_PAGE];

    for (unsigned int i = 0; i < PAGES; i++) {
        if (io_read_buf(fd, page, sizeof(page), i * OVERLAY_PAGE) < 0)
            return;
        if (i == 0)
            le32_put(page + CRC, crc32c(page, CRC));
        else
            le32_put(page, crc32c(page + 4, OVERLAY_PAGE - 4));
        must(io_write_buf(fd, page, sizeof(page), i * OVERLAY_PAGE) == 0);
    }
}

static void patch(struct fuzz_input *in, bool right)
{
    int fd = fuzz_file();
    u64 at = fuzz_take(in, 1) % PAGES * OVERLAY_PAGE;
    u8 how = (u8)fuzz_take(in, 1);
    size_t n = how & 15;
    const u8 *bytes;

    at += how & 0x20 ? fuzz_take(in, 2) % OVERLAY_PAGE : how >> 4 & 12;
    bytes = fuzz_bytes(in, &n);
    if (how & 0x10)
        must(ftruncate(fd, (off_t)(at + n)) == 0);
    must(io_write_buf(fd, bytes, n, at) == 0);
    if (right)
        repair(fd);
    close(fd);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)512)};
    u8 flags = (u8)fuzz_take(&in, 1), kind;
    u64 quota = flags & 2 ? 2 * OVERLAY_BLOCK : 0;
    unsigned int opens = 0;
    bool good = true;

    if (!up)
        fuzz_up();
    fuzz_file_clear();
    memcpy(model, base_data, SIZE);
    must(open_layer(quota) == 0);
    while (in.left > 0) {
        kind = (u8)fuzz_take(&in, 1);
        if (kind & 0xf0 || opens == OPENS) {
            random_request(&in, good);
            continue;
        }
        opens++;
        close_layer();
        if (kind & 1)
            good = false, patch(&in, flags & 1);
        if (open_layer(quota) < 0 && !good)
            return 0; /* refused */
        assert(disk);
    }
    if (good)
        check_content();
    close_layer();
    return 0;
}
