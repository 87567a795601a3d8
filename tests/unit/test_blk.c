/* SPDX-License-Identifier: Apache-2.0 */
/* blk.c: requests good and bad, by a driver in RAM, over honest and failing
 * disks */
#include <check.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "capture.h"
#include "disk_rig.h"
#include "mote/log.h"
#include "virtio_driver.h"

#define SIZE  MIB
#define NAME  "a-drive-with-a-very-long-name"
#define IN    0u
#define OUT   1u
#define FLUSH 4u
#define ID    8u
#define TRIM  11u
#define ZERO  13u
#define SENT  0xee /* a status nobody has written */

#define F_RO      (1ull << 5)
#define F_FLUSH   (1ull << 9)
#define F_MQ      (1ull << 12)
#define F_DISCARD (1ull << 13)
#define F_ZEROES  (1ull << 14)

enum { OK, IOERR, UNSUPP };

struct header {
    u32 type, reserved;
    u64 sector;
};

struct range {
    u64 sector;
    u32 nr, flags;
};

/* A request's guest memory, and where its parts are. */
struct area {
    u64 header, data, status;
};

static struct virtio_dev *blk(struct disk *disk, struct blk_options opt)
{
    struct virtio_dev *dev;

    opt.name = NAME;
    opt.queues = opt.queues ? opt.queues : 1;
    ck_assert_int_eq(blk_new(&dev, disk, &opt), 0);
    return dev;
}

static struct area area_new(struct vdrv *d, u32 type, u64 sector, u64 data_len)
{
    struct area a = {vdrv_alloc(d, 64), vdrv_alloc(d, MAX(data_len, 1ull)),
                     vdrv_alloc(d, 1)};
    struct header h = {.type = type, .sector = sector};

    memcpy(vdrv_ptr(d, a.header, sizeof(h)), &h, sizeof(h));
    *(u8 *)vdrv_ptr(d, a.status, 1) = SENT;
    return a;
}

static u8 area_status(struct vdrv *d, const struct area *a)
{
    return *(volatile u8 *)vdrv_ptr(d, a->status, 1);
}

/* Header, data, status in a descriptor each; not yet notified. */
static void area_add(struct vdrv *d, unsigned int q, const struct area *a,
                     u32 len, bool write)
{
    struct vdrv_buf buf[3] = {
        {a->header, 16, false}, {a->data, len, write}, {a->status, 1, true}};

    if (len == 0)
        buf[1] = buf[2];
    vdrv_add(d, q, buf, len ? 3 : 2);
}

/* One request to its end; its status. */
static u8 request(struct vdrv *d, u32 type, u64 sector, void *data, u32 len)
{
    u64 heap = d->heap;
    struct area a = area_new(d, type, sector, len);
    bool in = type == IN || type == ID;
    u8 status;

    if (len && !in)
        memcpy(vdrv_ptr(d, a.data, len), data, len);
    area_add(d, 0, &a, len, in);
    vdrv_kick(d, 0);
    ck_assert_int_ge(vdrv_wait(d, 0, NULL), 0);
    status = area_status(d, &a);
    if (len && in)
        memcpy(data, vdrv_ptr(d, a.data, len), len);
    d->heap = heap;
    return status;
}

static void memory_up(struct vdrv *d, struct blk_options opt, bool read_only)
{
    struct disk *disk;

    ck_assert_int_eq(memory_disk_new(&disk, SIZE), 0);
    disk->info.read_only = read_only;
    vdrv_up(d, blk(disk, opt), ~0ull);
}

/* ---- one request, checked --------------------------------------------------
 */

#define END (SIZE / 512)

static const struct request_case {
    const char *name;
    u32 type;
    u64 sector;
    u32 header, out, in; /* bytes: of the header, of data each way */
    u8 status;
    u32 used;
    u8 kind; /* 1: read-only, 2: cache Unsafe */
} requests[] = {
    {"read", IN, 1, 16, 0, 1024, OK, 1025, 1},
    {"read the end", IN, END - 1, 16, 0, 512, OK, 513, 0},
    {"read nothing", IN, END, 16, 0, 0, OK, 1, 0},
    {"read past the end", IN, END - 1, 16, 0, 1024, IOERR, 1, 0},
    {"read behind the end", IN, END + 1, 16, 0, 0, IOERR, 1, 0},
    {"read where bytes wrap", IN, 1ull << 55, 16, 0, 512, IOERR, 1, 0},
    {"read where sectors wrap", IN, UINT64_MAX, 16, 0, 512, IOERR, 1, 0},
    {"read half a sector", IN, 0, 16, 0, 256, IOERR, 1, 0},
    {"read a sector and a byte", IN, 0, 16, 0, 513, IOERR, 1, 0},
    {"read with data to write", IN, 0, 16, 512, 512, OK, 513, 0},
    {"write", OUT, 1, 16, 1024, 0, OK, 1, 0},
    {"write the end", OUT, END - 2, 16, 1024, 0, OK, 1, 0},
    {"write past the end", OUT, END - 1, 16, 1024, 0, IOERR, 1, 0},
    {"write where sectors wrap", OUT, UINT64_MAX, 16, 512, 0, IOERR, 1, 0},
    {"write half a sector", OUT, 0, 16, 100, 0, IOERR, 1, 0},
    {"write what is read-only", OUT, 0, 16, 512, 0, IOERR, 1, 1},
    {"write with data to read", OUT, 0, 16, 512, 512, OK, 1, 0},
    {"flush", FLUSH, 0, 16, 0, 0, OK, 1, 0},
    {"flush somewhere", FLUSH, UINT64_MAX, 16, 512, 0, OK, 1, 0},
    {"flush what does not", FLUSH, 0, 16, 0, 0, UNSUPP, 1, 2},
    {"flush what is read-only", FLUSH, 0, 16, 0, 0, OK, 1, 1},
    {"get the id", ID, 0, 16, 0, 20, OK, 21, 0},
    {"get part of the id", ID, 0, 16, 0, 7, OK, 8, 0},
    {"get the id and more", ID, 0, 16, 0, 512, OK, 21, 0},
    {"get no id", ID, 0, 16, 0, 0, OK, 1, 0},
    {"no type of ours", 2, 0, 16, 0, 512, UNSUPP, 1, 0},
    {"all ones", UINT32_MAX, UINT64_MAX, 16, 512, 0, UNSUPP, 1, 0},
    {"a header cut short", IN, 0, 15, 0, 512, IOERR, 1, 0},
    {"a byte of a header", IN, 0, 1, 0, 512, IOERR, 1, 0},
    {"a discard cut short", TRIM, 0, 16, 15, 0, IOERR, 1, 0},
    {"a discard of one and a half", TRIM, 0, 16, 24, 0, IOERR, 1, 0},
    {"a discard of two", TRIM, 0, 16, 32, 0, IOERR, 1, 0},
    {"a discard of nothing", TRIM, 0, 16, 0, 0, IOERR, 1, 0},
    {"a discard of 16 zero bytes", TRIM, 0, 16, 16, 0, OK, 1, 0},
    {"a discard, read-only", TRIM, 0, 16, 16, 0, UNSUPP, 1, 1},
};

START_TEST(test_request)
{
    const struct request_case *t = &requests[_i];
    struct vdrv_buf buf[4];
    unsigned int n = 0;
    struct area a;
    struct vdrv d;
    u32 used;

    memory_up(&d, (struct blk_options){.flush = t->kind != 2}, t->kind == 1);
    a = area_new(&d, t->type, t->sector, 4096);
    buf[n++] = (struct vdrv_buf){a.header, t->header, false};
    if (t->out)
        buf[n++] = (struct vdrv_buf){a.data, t->out, false};
    if (t->in)
        buf[n++] = (struct vdrv_buf){a.data, t->in, true};
    buf[n++] = (struct vdrv_buf){a.status, 1, true};
    vdrv_add(&d, 0, buf, n);
    vdrv_kick(&d, 0);
    ck_assert_msg(vdrv_wait(&d, 0, &used) >= 0, "%s: no answer", t->name);
    ck_assert_msg(area_status(&d, &a) == t->status && used == t->used,
                  "%s: status %u, used %u", t->name, area_status(&d, &a), used);
    if (t->type == ID)
        ck_assert_mem_eq(vdrv_ptr(&d, a.data, 20),
                         "a-drive-with-a-very-\0\0\0\0", MIN(t->in, 20u));
    ck_assert_uint_eq(vdrv_read(&d, VDRV_STATUS) & VDRV_S_NEEDS_RESET, 0);
    vdrv_down(&d);
}
END_TEST

static const struct range_case {
    const char *name;
    u32 type;
    struct range range;
    u8 status;
} ranges[] = {
    {"discard", TRIM, {0, 8, 0}, OK},
    {"discard all", TRIM, {0, END, 0}, OK},
    {"discard past the end", TRIM, {1, END, 0}, IOERR},
    {"discard where it wraps", TRIM, {UINT64_MAX, 2, 0}, IOERR},
    {"discard more than allowed", TRIM, {0, UINT32_MAX, 0}, IOERR},
    {"discard with unmap", TRIM, {0, 8, 1}, UNSUPP},
    {"discard with an unknown flag", TRIM, {0, 8, 2}, UNSUPP},
    {"zeroes", ZERO, {0, 8, 0}, OK},
    {"zeroes with unmap", ZERO, {0, 8, 1}, OK},
    {"zeroes at the end", ZERO, {END - 8, 8, 1}, OK},
    {"zeroes past the end", ZERO, {END - 7, 8, 1}, IOERR},
    {"zeroes with an unknown flag", ZERO, {0, 8, 0x80000000}, UNSUPP},
};

START_TEST(test_range)
{
    const struct range_case *t = &ranges[_i];
    struct range range = t->range;
    u8 byte[512], got[512], status;
    struct vdrv d;

    memory_up(&d, (struct blk_options){.flush = true}, false);
    memset(byte, 0x5a, sizeof(byte));
    ck_assert_uint_eq(request(&d, OUT, END - 1, byte, 512), OK);
    status = request(&d, t->type, 0, &range, sizeof(range));
    ck_assert_msg(status == t->status, "%s: status %u", t->name, status);
    ck_assert_uint_eq(request(&d, IN, END - 1, got, 512), OK);
    if (status == OK && range.sector + range.nr == END)
        memset(byte, 0, sizeof(byte));
    ck_assert_mem_eq(got, byte, sizeof(got));
    vdrv_down(&d);
}
END_TEST

/* A driver that has not accepted them must not use them. */
START_TEST(test_range_not_accepted)
{
    struct range range = {0, 8, 0};
    struct disk *disk;
    struct vdrv d;

    ck_assert_int_eq(memory_disk_new(&disk, SIZE), 0);
    vdrv_up(&d, blk(disk, (struct blk_options){0}), ~(F_DISCARD | F_ZEROES));
    ck_assert_uint_eq(request(&d, TRIM, 0, &range, 16), UNSUPP);
    ck_assert_uint_eq(request(&d, ZERO, 0, &range, 16), UNSUPP);
    vdrv_down(&d);
}
END_TEST

/* Nobody could be told: the driver is told to reset, and then all is well. */
START_TEST(test_no_status)
{
    struct vdrv_buf buf = {0, 16, false};
    u8 data[512];
    struct vdrv d;

    capture_start();
    memory_up(&d, (struct blk_options){0}, false);
    buf.gpa = vdrv_alloc(&d, 16);
    vdrv_add(&d, 0, &buf, 1);
    vdrv_kick(&d, 0);
    ck_assert(vdrv_until(vdrv_read(&d, VDRV_STATUS) & VDRV_S_NEEDS_RESET));
    vdrv_reset(&d);
    vdrv_init(&d, ~0ull);
    ck_assert_uint_eq(request(&d, IN, 0, data, 512), OK);
    ck_assert_ptr_nonnull(strstr(capture_text, "status"));
    vdrv_down(&d);
}
END_TEST

/* Header, data and status cut anywhere, in one table or not: the framing says
 * nothing (virtio 1.2, 2.7.4.1). */
START_TEST(test_framing)
{
    struct vdrv_buf buf[64];
    u32 seed = (u32)_i + 5;
    u8 want[4096];
    struct vdrv d;

    memory_up(&d, (struct blk_options){.flush = true}, false);
    for (unsigned int round = 0; round < 50; round++) {
        bool in = round % 2;
        struct area a = area_new(&d, in ? IN : OUT, 3, sizeof(want));
        u64 out_at = vdrv_alloc(&d, 16 + 4096), in_at = vdrv_alloc(&d, 4097);
        u32 out_len = in ? 16 : 16 + 4096, in_len = in ? 4097 : 1;
        unsigned int n = 0;

        memcpy(vdrv_ptr(&d, out_at, 16), vdrv_ptr(&d, a.header, 16), 16);
        if (!in) {
            rig_pattern(want, sizeof(want), seed);
            memcpy(vdrv_ptr(&d, out_at + 16, 4096), want, 4096);
        }
        for (u32 at = 0, part; at < out_len; at += part) {
            part = MIN(out_len - at, 1 + rig_random(&seed) % 1000);
            part = n > 25 ? out_len - at : part;
            buf[n++] = (struct vdrv_buf){out_at + at, part, false};
        }
        for (u32 at = 0, part; at < in_len; at += part) {
            part = MIN(in_len - at, 1 + rig_random(&seed) % 1000);
            part = n > 55 ? in_len - at : part;
            buf[n++] = (struct vdrv_buf){in_at + at, part, true};
        }
        if (rig_random(&seed) % 2)
            vdrv_add(&d, 0, buf, n);
        else
            vdrv_add_indirect(&d, 0, vdrv_alloc(&d, 4096), buf, n);
        vdrv_kick(&d, 0);
        ck_assert_int_ge(vdrv_wait(&d, 0, NULL), 0);
        ck_assert_uint_eq(*(u8 *)vdrv_ptr(&d, in_at + in_len - 1, 1), OK);
        if (in)
            ck_assert_mem_eq(vdrv_ptr(&d, in_at, 4096), want, 4096);
    }
    vdrv_down(&d);
}
END_TEST

/* ---- a disk of the test's making -------------------------------------------
 */

struct fake {
    struct disk disk;
    struct loop_fd event; /* eventfd: let go of so many */
    struct disk_req *held[64];
    _Atomic(unsigned int) nr_held, most_held, flushes, ops;
    int err;   /* of every request */
    bool hold; /* keep them until told */
    bool *freed;
};

static void fake_answer(struct fake *f, struct disk_req *req)
{
    atomic_fetch_add(req->op == DISK_FLUSH ? &f->flushes : &f->ops, 1);
    req->done(req, f->err);
}

static void fake_submit(struct disk *d, struct disk_req *req)
{
    struct fake *f = container_of(d, struct fake, disk);

    if (!f->hold) {
        fake_answer(f, req);
        return;
    }
    ck_assert_uint_lt(f->nr_held, ARRAY_SIZE(f->held));
    f->held[f->nr_held++] = req;
    f->most_held = MAX(f->most_held, f->nr_held);
}

static void fake_event(struct loop_fd *lf, u32 events)
{
    struct fake *f = container_of(lf, struct fake, event);
    u64 n;

    ck_assert_int_eq(read(lf->fd, &n, sizeof(n)), sizeof(n));
    for (; n && f->nr_held; n--) {
        struct disk_req *req = f->held[0];

        f->nr_held--;
        memmove(f->held, f->held + 1, f->nr_held * sizeof(f->held[0]));
        fake_answer(f, req);
    }
    f->disk.answered(f->disk.ctx);
}

static int fake_attach(struct disk *d, struct loop *loop)
{
    return loop_add(loop, &container_of(d, struct fake, disk)->event, EPOLLIN);
}

static void fake_free(struct disk *d)
{
    struct fake *f = container_of(d, struct fake, disk);

    loop_del(&f->event);
    close(f->event.fd);
}

static void fake_let_go(struct fake *f, u64 n)
{
    ck_assert_int_eq(write(f->event.fd, &n, sizeof(n)), sizeof(n));
}

static const struct disk_ops fake_ops = {
    .name = "fake",
    .attach = fake_attach,
    .submit = fake_submit,
    .free = fake_free,
};

static void fake_init(struct fake *f)
{
    *f = (struct fake){
        .disk = {.ops = &fake_ops,
                 .info = {.size = SIZE,
                          .discard = true,
                          .zeroes = true,
                          .block_size = 512,
                          .depth = 4}},
        .event = {.fd = eventfd(0, 0), .fn = fake_event},
    };
}

static const struct trouble {
    int err;
    u8 status;
} troubles[] = {{0, OK},          {-EIO, IOERR},         {-ENOSPC, IOERR},
                {-EDQUOT, IOERR}, {-EOPNOTSUPP, UNSUPP}, {-ENOMEM, IOERR},
                {-EAGAIN, IOERR}};

/* What the host says is what the guest hears; the operator hears it once. */
START_TEST(test_trouble)
{
    const struct trouble *t = &troubles[_i];
    struct virtio_stats stats;
    u8 data[512] = {0};
    struct vdrv d;
    struct fake f;
    char *first;

    capture_start();
    fake_init(&f);
    f.err = t->err;
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.flush = true}), ~0ull);
    for (unsigned int i = 0; i < 5; i++)
        ck_assert_uint_eq(request(&d, OUT, 7, data, 512), t->status);
    ck_assert_uint_eq(request(&d, FLUSH, 0, NULL, 0), t->status);
    virtio_stats(d.dev, &stats);
    ck_assert_uint_eq(stats.errors, t->status == OK ? 0 : 6);
    first = strstr(capture_text, "drive " NAME ": write of 512 bytes at 3584");
    if (t->status == IOERR) {
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_nonnull(strstr(first, errno_name(t->err)));
        ck_assert_ptr_null(strstr(first + 1, "drive "));
    } else {
        ck_assert_ptr_null(first);
    }
    f.err = 0;
    vdrv_down(&d);
}
END_TEST

/* The backend never gets more than it takes, and nothing is forgotten. */
START_TEST(test_depth)
{
    struct area a[20];
    struct vdrv d;
    struct fake f;

    fake_init(&f);
    f.hold = true;
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.queues = 2}), ~0ull);
    for (unsigned int i = 0; i < 20; i++) {
        a[i] = area_new(&d, IN, i, 512);
        area_add(&d, i % 2, &a[i], 512, true);
    }
    vdrv_kick(&d, 0);
    vdrv_kick(&d, 1);
    ck_assert(vdrv_until(f.nr_held == 4));
    for (unsigned int i = 0; i < 20; i++)
        fake_let_go(&f, 1);
    ck_assert(vdrv_until((fake_let_go(&f, 4), f.ops == 20)));
    for (unsigned int i = 0; i < 20; i++) {
        ck_assert_int_ge(vdrv_wait(&d, i % 2, NULL), 0);
        ck_assert_uint_eq(area_status(&d, &a[i]), OK);
    }
    ck_assert_uint_eq(f.most_held, 4);
    f.hold = false;
    vdrv_down(&d);
}
END_TEST

struct later {
    struct fake *f;
    unsigned int ms;
};

static void later_main(void *arg)
{
    struct later *l = arg;

    usleep(l->ms * 1000);
    fake_let_go(l->f, 64);
}

/* A reset waits for what the backend has; the guest sees nothing of it, and
 * the next driver gets answers for its own requests only. */
START_TEST(test_reset)
{
    struct thread t = {0};
    struct vdrv d;
    struct fake f;
    struct later later = {&f, 30};
    u64 used;
    u16 seen;

    fake_init(&f);
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.flush = true}), ~0ull);
    for (unsigned int round = 0; round < 3; round++) {
        u8 data[512];

        f.hold = true;
        for (unsigned int i = 0; i < 10; i++) {
            struct area a = area_new(&d, IN, i, 512);

            area_add(&d, 0, &a, 512, true);
        }
        vdrv_kick(&d, 0);
        ck_assert(vdrv_until(f.nr_held == 4));
        used = d.q[0].used + 2;
        seen = vdrv_get16(&d, used);
        thread_start(&t, "later", ROLE_NONE, later_main, &later);
        vdrv_reset(&d);
        ck_assert_uint_eq(f.nr_held, 0);
        ck_assert_uint_eq(vdrv_get16(&d, used), seen);
        ck_assert_uint_eq(vdrv_read(&d, VDRV_STATUS), 0);
        vdrv_reset(&d);
        thread_join(&t);
        f.hold = false;
        vdrv_init(&d, ~0ull);
        ck_assert_uint_eq(request(&d, IN, 0, data, 512), OK);
    }
    vdrv_down(&d);
}
END_TEST

/* Without FLUSH accepted, a write that is done is on the disk; stop flushes,
 * unless the operator has said that it need not. */
START_TEST(test_write_through)
{
    bool offered = _i & 1, accepted = _i & 2;
    u8 data[512] = {0};
    struct vdrv d;
    struct fake f;

    fake_init(&f);
    vdrv_up(&d, blk(&f.disk, (struct blk_options){.flush = offered}),
            accepted ? ~0ull : ~F_FLUSH);
    ck_assert_uint_eq(request(&d, OUT, 0, data, 512), OK);
    ck_assert_uint_eq(request(&d, IN, 0, data, 512), OK);
    ck_assert_uint_eq(f.flushes, offered && !accepted ? 1 : 0);
    f.flushes = 0;
    vdrv_down(&d);
    ck_assert_uint_eq(f.flushes, offered ? 1 : 0);
}
END_TEST

/* ---- the rest -------------------------------------------------------------
 */

static const struct offer {
    bool flush, read_only;
    unsigned int queues;
    u64 want;
} offers[] = {
    {true, false, 1, F_FLUSH | F_DISCARD | F_ZEROES},
    {false, false, 1, F_DISCARD | F_ZEROES},
    {true, true, 1, F_FLUSH | F_RO},
    {true, false, 4, F_FLUSH | F_DISCARD | F_ZEROES | F_MQ},
};

START_TEST(test_config)
{
    const struct offer *t = &offers[_i];
    const u64 some = F_FLUSH | F_DISCARD | F_ZEROES | F_MQ | F_RO;
    struct vdrv d;

    memory_up(&d, (struct blk_options){.flush = t->flush, .queues = t->queues},
              t->read_only);
    ck_assert_uint_eq(vdrv_read(&d, VDRV_DEVICE_ID), 2);
    ck_assert_uint_eq(vdrv_offered(&d) & some, t->want);
    ck_assert_uint_eq(vdrv_config(&d, 0, 4), END);
    ck_assert_uint_eq(vdrv_config(&d, 4, 4), 0);
    ck_assert_uint_eq(vdrv_config(&d, 12, 4), 254);
    ck_assert_uint_eq(vdrv_config(&d, 20, 4), 512);
    ck_assert_uint_eq(vdrv_config(&d, 34, 2), t->queues);
    ck_assert_uint_eq(vdrv_config(&d, 40, 4), 1);
    ck_assert_uint_eq(vdrv_config(&d, 56, 1), 1);
    vdrv_down(&d);
}
END_TEST

START_TEST(test_queues)
{
    struct virtio_dev *dev;
    struct disk *disk;

    capture_start();
    ck_assert_int_eq(memory_disk_new(&disk, SIZE), 0);
    ck_assert_int_eq(
        blk_new(&dev, disk, &(struct blk_options){.name = "x", .queues = 17}),
        -EINVAL);
    ck_assert_int_eq(
        blk_new(&dev, disk, &(struct blk_options){.name = "x", .queues = 0}),
        -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "drive x: 17 queues"));
    disk_free(disk);
}
END_TEST

/* Ten operations at once, then one every 2 ms, whoever asks. */
START_TEST(test_limit)
{
    struct blk_options opt = {.limit.ops = {.size = 10, .refill_ms = 20}};
    struct area a[30];
    struct vdrv d;
    u64 start;

    memory_up(&d, opt, false);
    start = vdrv_ms();
    for (unsigned int i = 0; i < 30; i++) {
        a[i] = area_new(&d, IN, i, 512);
        area_add(&d, 0, &a[i], 512, true);
    }
    vdrv_kick(&d, 0);
    for (unsigned int i = 0; i < 30; i++) {
        vdrv_kick(&d, 0); /* does not help */
        ck_assert_int_ge(vdrv_wait(&d, 0, NULL), 0);
        ck_assert_uint_eq(area_status(&d, &a[i]), OK);
    }
    ck_assert_uint_ge(vdrv_ms() - start, 38);
    vdrv_down(&d);
}
END_TEST

static struct disk *file_disk(char path[64], int *file, enum disk_engine engine)
{
    struct disk *disk;

    *file = rig_file(path, SIZE);
    ck_assert_int_eq(
        raw_open(&disk, &(struct raw_options){.path = path, .engine = engine}),
        0);
    return disk;
}

/* Four queues, many requests in flight, a file behind: what is read is what
 * was written. */
START_TEST(test_file)
{
    enum { QUEUES = 4, DEPTH = 32, LEN = 4096 };
    struct area a[QUEUES][DEPTH];
    u8 *mirror = calloc(1, SIZE);
    u32 seed = 99;
    char path[64];
    struct vdrv d;
    int file;

    vdrv_up(&d,
            blk(file_disk(path, &file, _i ? DISK_ASYNC : DISK_SYNC),
                (struct blk_options){.flush = true, .queues = QUEUES}),
            ~0ull);
    for (unsigned int q = 0; q < QUEUES; q++)
        for (unsigned int i = 0; i < DEPTH; i++)
            a[q][i] = area_new(&d, OUT, 0, LEN);
    for (unsigned int round = 0; round < 8; round++) {
        u32 type = round % 2 ? IN : OUT;

        for (unsigned int n = 0; n < QUEUES * DEPTH; n++) {
            struct area *at = &a[n % QUEUES][n / QUEUES];
            struct header *h = vdrv_ptr(&d, at->header, 16);

            h->type = type;
            h->sector = (u64)(n + round / 2 * 3) % (QUEUES * DEPTH) * 8;
            if (type == OUT) {
                rig_pattern(vdrv_ptr(&d, at->data, LEN), LEN,
                            rig_random(&seed));
                memcpy(mirror + h->sector * 512, vdrv_ptr(&d, at->data, LEN),
                       LEN);
            }
            area_add(&d, n % QUEUES, at, LEN, type == IN);
        }
        for (unsigned int q = 0; q < QUEUES; q++)
            vdrv_kick(&d, q);
        for (unsigned int n = 0; n < QUEUES * DEPTH; n++)
            ck_assert_int_ge(vdrv_wait(&d, n % QUEUES, NULL), 0);
        for (unsigned int n = 0; n < QUEUES * DEPTH; n++) {
            struct area *at = &a[n % QUEUES][n / QUEUES];
            struct header *h = vdrv_ptr(&d, at->header, 16);

            ck_assert_uint_eq(area_status(&d, at), OK);
            ck_assert_mem_eq(vdrv_ptr(&d, at->data, LEN),
                             mirror + h->sector * 512, LEN);
        }
    }
    ck_assert_uint_eq(request(&d, FLUSH, 0, NULL, 0), OK);
    vdrv_down(&d);
    close(file);
    unlink(path);
    free(mirror);
}
END_TEST

/* The image grows: seen at a flush, told by a configuration interrupt. */
START_TEST(test_resize)
{
    char path[64];
    struct vdrv d;
    u32 before;
    int file;

    capture_start();
    vdrv_up(&d,
            blk(file_disk(path, &file, DISK_SYNC),
                (struct blk_options){.flush = true}),
            ~0ull);
    before = vdrv_read(&d, VDRV_GENERATION);
    ck_assert_int_eq(ftruncate(file, 2 * SIZE), 0);
    ck_assert_uint_eq(request(&d, FLUSH, 0, NULL, 0), OK);
    ck_assert_uint_eq(vdrv_config(&d, 0, 4), 2 * END);
    ck_assert_uint_ne(vdrv_read(&d, VDRV_GENERATION), before);
    ck_assert_uint_eq(vdrv_read(&d, VDRV_ISR) & 2, 2);
    vdrv_down(&d);
    close(file);
    unlink(path);
}
END_TEST

Suite *suite_blk(void);
Suite *suite_blk(void)
{
    Suite *s = suite_create("blk");
    TCase *tc = tcase_create("blk");

    tcase_add_loop_test(tc, test_request, 0, ARRAY_SIZE(requests));
    tcase_add_loop_test(tc, test_range, 0, ARRAY_SIZE(ranges));
    tcase_add_test(tc, test_range_not_accepted);
    tcase_add_test(tc, test_no_status);
    tcase_add_loop_test(tc, test_framing, 0, 2);
    tcase_add_loop_test(tc, test_trouble, 0, ARRAY_SIZE(troubles));
    tcase_add_test(tc, test_depth);
    tcase_add_test(tc, test_reset);
    tcase_add_loop_test(tc, test_write_through, 0, 4);
    tcase_add_loop_test(tc, test_config, 0, ARRAY_SIZE(offers));
    tcase_add_test(tc, test_queues);
    tcase_add_test(tc, test_limit);
    tcase_add_loop_test(tc, test_file, 0, 2);
    tcase_add_test(tc, test_resize);
    suite_add_tcase(s, tc);
    return s;
}
