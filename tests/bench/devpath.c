/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devpath.c: what a device does per second when no guest's instructions stand
 * in the way: this thread is the driver, on rings in RAM of its own, the
 * backend is memory. Prints one JSON object per measurement: requests per
 * second, CPU time and system calls of the device's thread per request, and
 * how many requests one notification, one wake-up and one interrupt were for.
 * usage: devpath [seconds]        each, default 1
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "mote/disk.h"
#include "mote/log.h"
#include "mote/nic.h"

#include "virtio/dev.h"

#include "virtio_driver.h"

#define DISK_SIZE  (16 * MIB)
#define BLOCK      4096u
#define PACKET     64u
#define BLK_T_IN   0u
#define BLK_T_OUT  1u
#define DEPTH_MAX  128u
#define TABLE_SIZE 64u

/* ---- system calls of the device's thread ----------------------------------
 */

static _Atomic(u64) bench_calls;

/* The linker's --wrap (see Makefile) brings every system call here that loop.c
 * and src/virtio make while they serve. */
#define WRAP(type, name, params, args)                                         \
    type __real_##name params;                                                 \
    type __wrap_##name params;                                                 \
    type __wrap_##name params                                                  \
    {                                                                          \
        if (role_get() == ROLE_DEV)                                            \
            counter_add(&bench_calls, 1);                                      \
        return __real_##name args;                                             \
    }

WRAP(int, epoll_wait, (int fd, struct epoll_event *ev, int n, int ms),
     (fd, ev, n, ms))
WRAP(int, epoll_ctl, (int fd, int op, int fd2, struct epoll_event *ev),
     (fd, op, fd2, ev))
WRAP(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP(int, timerfd_settime,
     (int fd, int flags, const struct itimerspec *new, struct itimerspec *old),
     (fd, flags, new, old))

/* ---- the driver -----------------------------------------------------------
 */

/* One measurement: depth requests, each built once and sent again and again. */
struct bench {
    const char *what;
    struct vdrv drv;
    unsigned int queue, depth;
    u64 table[DEPTH_MAX]; /* indirect table of each request */
    u64 header[DEPTH_MAX];
    void (*touch)(struct bench *b, u16 i); /* before it is sent again */
    u64 seed, requests, kicks;
};

/* xorshift64 */
static u64 bench_random(struct bench *b)
{
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 7;
    b->seed ^= b->seed << 17;
    return b->seed;
}

static void blk_touch(struct bench *b, u16 i)
{
    u64 sector = bench_random(b) % (DISK_SIZE / BLOCK) * (BLOCK / DISK_SECTOR);

    le64_put((u8 *)vdrv_ptr(&b->drv, b->header[i], 16) + 8, sector);
}

static void bench_request(struct bench *b, u16 i, const struct vdrv_buf *buf,
                          unsigned int n)
{
    struct vdrv_queue *q = &b->drv.q[b->queue];
    struct vdrv_desc desc = {
        .len = 16 * n, .flags = VDRV_D_INDIRECT, .addr = b->table[i]};

    for (unsigned int k = 0; k < n; k++)
        vdrv_set_desc(&b->drv, b->table[i], k, &buf[k], k + 1 < n,
                      (u16)(k + 1));
    vdrv_put_desc(&b->drv, q->desc, i, &desc);
}

/* Show so many more, and notify if that is wanted. */
static void bench_publish(struct bench *b, u16 n)
{
    struct vdrv_queue *q = &b->drv.q[b->queue];
    u16 old = q->avail_idx;

    q->avail_idx += n;
    vdrv_put16(&b->drv, q->avail + 2, q->avail_idx);
    if (!vdrv_kick_wanted(&b->drv, b->queue, old))
        return;
    vdrv_kick(&b->drv, b->queue);
    b->kicks++;
}

static void bench_offer(struct bench *b, u16 pos, u16 head)
{
    struct vdrv_queue *q = &b->drv.q[b->queue];

    if (b->touch)
        b->touch(b, head);
    le16_put(vdrv_ptr(&b->drv, q->avail + 4 + 2 * (pos & (q->num - 1)), 2),
             head);
}

/* Take what has come back and send it again. */
static void bench_turn(struct bench *b)
{
    struct vdrv_queue *q = &b->drv.q[b->queue];
    u16 now = vdrv_get16(&b->drv, q->used + 2);
    u16 n = (u16)(now - q->used_idx);

    if (n == 0) {
        __builtin_ia32_pause();
        return;
    }
    for (u16 i = 0; i < n; i++) {
        u32 at = q->used_idx++ & (q->num - 1);
        u32 head = le32_get(vdrv_ptr(&b->drv, q->used + 4 + 8 * (u64)at, 8));

        bench_offer(b, (u16)(q->avail_idx + i), (u16)head);
    }
    vdrv_put16(&b->drv, q->avail + 4 + 2 * (u64)q->num, q->used_idx);
    b->requests += n;
    bench_publish(b, n);
}

static u64 bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* CPU time of the device's thread. */
static u64 bench_dev_ns(const struct bench *b)
{
    struct timespec ts = {0};
    clockid_t clock;

    if (pthread_getcpuclockid(b->drv.dev->thread.id, &clock) == 0)
        clock_gettime(clock, &ts);
    return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void bench_run(struct bench *b, double seconds)
{
    struct virtio_stats before, after;
    u64 start, end, now = 0, cpu, calls;

    for (u16 i = 0; i < b->depth; i++)
        bench_offer(b, i, i);
    virtio_stats(b->drv.dev, &before);
    cpu = bench_dev_ns(b);
    calls = atomic_load(&bench_calls);
    start = bench_now();
    end = start + (u64)(seconds * 1e9);
    bench_publish(b, (u16)b->depth);
    for (u32 n = 0; n % 64 || (now = bench_now()) < end; n++)
        bench_turn(b);
    virtio_stats(b->drv.dev, &after);
    cpu = bench_dev_ns(b) - cpu;
    calls = atomic_load(&bench_calls) - calls;
    printf(
        "{\"bench\":\"devpath\",\"what\":\"%s\",\"depth\":%u,"
        "\"per_s\":%.0f,\"dev_ns\":%.1f,\"syscalls\":%.5f,\"kicks\":%.5f,"
        "\"wakeups\":%.5f,"
        "\"interrupts\":%.5f,\"errors\":%llu}\n",
        b->what, b->depth, (double)b->requests / ((double)(now - start) / 1e9),
        (double)cpu / (double)b->requests, (double)calls / (double)b->requests,
        (double)b->kicks / (double)b->requests,
        (double)(after.wakeups - before.wakeups) / (double)b->requests,
        (double)atomic_load(&b->drv.edges) / (double)b->requests,
        (unsigned long long)after.errors);
}

static void bench_alloc(struct bench *b)
{
    u64 tables = vdrv_alloc(&b->drv, TABLE_SIZE * DEPTH_MAX);
    u64 headers = vdrv_alloc(&b->drv, 16 * DEPTH_MAX);

    for (u32 i = 0; i < DEPTH_MAX; i++) {
        b->table[i] = tables + TABLE_SIZE * i;
        b->header[i] = headers + 16 * i;
    }
}

/* ---- blk ------------------------------------------------------------------
 */

static void disk_filled(struct disk_req *req, int err)
{
}

/* Pages that were never written are all one page of the host's. */
TSA(no_thread_safety_analysis) /* before there is a device thread */
static void disk_prefill(struct disk *disk)
{
    struct disk_req req = {
        .op = DISK_ZEROES, .len = DISK_SIZE, .done = disk_filled};

    disk_submit(disk, &req);
}

static int blk_bench(const char *what, u32 type, unsigned int depth,
                     double seconds)
{
    static const struct blk_options opt = {
        .name = "disk", .flush = true, .queues = 1};
    static struct bench b;
    struct virtio_dev *dev;
    struct disk *disk;
    u64 data, status;

    b = (struct bench){
        .what = what, .depth = depth, .touch = blk_touch, .seed = 88172645463};
    if (memory_disk_new(&disk, DISK_SIZE) < 0)
        return 1;
    disk_prefill(disk);
    if (blk_new(&dev, disk, &opt) < 0)
        return 1;
    virtio_set_poll(dev, POLL_MAX_NS); /* as in a VM */
    vdrv_up(&b.drv, dev, ~0ull);
    bench_alloc(&b);
    data = vdrv_alloc(&b.drv, BLOCK * DEPTH_MAX);
    status = vdrv_alloc(&b.drv, DEPTH_MAX);
    for (u16 i = 0; i < depth; i++) {
        const struct vdrv_buf buf[] = {
            {b.header[i], 16, false},
            {data + BLOCK * (u64)i, BLOCK, type == BLK_T_IN},
            {status + i, 1, true}};

        le32_put(vdrv_ptr(&b.drv, b.header[i], 16), type);
        bench_request(&b, i, buf, ARRAY_SIZE(buf));
    }
    bench_run(&b, seconds);
    vdrv_down(&b.drv);
    return 0;
}

/* ---- net ------------------------------------------------------------------
 * The backend swallows what is sent, and always has one more to receive. */

struct null_nic {
    struct nic nic;
};

static int null_attach(struct nic *n, struct loop *loop)
{
    return 0;
}

static ssize_t null_recv(struct nic *n, unsigned int pair,
                         const struct iovec *iov, unsigned int nr)
{
    ssize_t len = 0;

    for (unsigned int i = 0; i < nr; i++) {
        size_t part = MIN(iov[i].iov_len, NIC_HDR_LEN + PACKET - (size_t)len);

        memset(iov[i].iov_base, 0, part);
        len += (ssize_t)part;
    }
    return len;
}

static int null_send(struct nic *n, unsigned int pair, const struct iovec *iov,
                     unsigned int nr)
{
    return 0;
}

static int null_set_offloads(struct nic *n, u32 offloads)
{
    return 0;
}

static void null_want(struct nic *n, unsigned int pair, bool on)
{
}

static void null_free(struct nic *n)
{
}

static const struct nic_ops null_ops = {.name = "null",
                                        .attach = null_attach,
                                        .recv = null_recv,
                                        .send = null_send,
                                        .set_offloads = null_set_offloads,
                                        .want_recv = null_want,
                                        .want_send = null_want,
                                        .free = null_free};

/* Frames to the guest: queue 0, and from it: queue 1. */
static int net_bench(unsigned int queue, unsigned int depth, double seconds)
{
    static const struct net_options opt = {.name = "net"};
    static struct null_nic nic = {
        .nic = {.ops = &null_ops, .info = {.pairs = 1, .link = true}}};
    static struct bench b;
    struct virtio_dev *dev;
    u64 frame;

    b = (struct bench){.what = queue ? "net tx 64" : "net rx 64",
                       .depth = depth,
                       .queue = queue};
    if (net_new(&dev, &nic.nic, &opt) < 0)
        return 1;
    virtio_set_poll(dev, POLL_MAX_NS); /* as in a VM */
    vdrv_up(&b.drv, dev, ~0ull);
    bench_alloc(&b);
    frame = vdrv_alloc(&b.drv, PACKET * DEPTH_MAX);
    for (u16 i = 0; i < depth; i++) {
        const struct vdrv_buf buf[] = {
            {b.header[i], NIC_HDR_LEN, !queue},
            {frame + PACKET * (u64)i, PACKET, !queue}};

        bench_request(&b, i, buf, ARRAY_SIZE(buf));
    }
    bench_run(&b, seconds);
    vdrv_down(&b.drv);
    return 0;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    int r = 0;

    r |= blk_bench("blk write 4096", BLK_T_OUT, 32, seconds); /* warms up */
    for (unsigned int depth = 1; depth <= 128; depth *= depth == 1 ? 32 : 4) {
        r |= blk_bench("blk read 4096", BLK_T_IN, depth, seconds);
        r |= blk_bench("blk write 4096", BLK_T_OUT, depth, seconds);
        r |= net_bench(0, depth, seconds);
        r |= net_bench(1, depth, seconds);
    }
    return r;
}
