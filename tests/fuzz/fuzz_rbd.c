/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rbd/disk.c: a worker that writes to the ring what it likes. Input: records of
 * two bytes, what is done and how, and the numbers for it. Whatever the ring
 * says, each request is done once, and no byte beside its buffer is touched.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "rbd/disk.h"

#define REQS  48u
#define AREA  (1200 * KIB) /* longer than a part */
#define GUARD 0x5au

struct asked {
    struct disk_req req;
    struct iovec iov[2];
    bool waits;
};

static struct rbd_ring *ring;
static int ring_fd, done_fd;
static u8 *area; /* of every request, and a guard behind it */
static struct asked asked[REQS];
static struct disk *disk;
static struct loop loop;

static void fuzz_up(void)
{
    log_sink_set(fuzz_no_log);
    ring_fd = memfd_create("ring", MFD_CLOEXEC);
    must(ftruncate(ring_fd, RBD_RING_SIZE) == 0);
    ring = mmap(NULL, RBD_RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                ring_fd, 0);
    area = malloc(AREA + 1);
    assert(ring != MAP_FAILED && area);
    area[AREA] = GUARD;
}

static void on_done(struct disk_req *req, int err)
{
    struct asked *a = container_of(req, struct asked, req);

    assert(a->waits && err <= 0);
    a->waits = false;
}

static void ask(struct fuzz_input *in, u8 how)
{
    struct asked *a = &asked[how % REQS];
    u64 op = fuzz_take(in, 1), sector = fuzz_take(in, 2);
    u64 size = fuzz_take(in, 2); /* seldom longer than a part */
    u64 len =
        (size % (size >> 12 ? 260 : AREA / DISK_SECTOR) + 1) * DISK_SECTOR;
    u64 cut = fuzz_take(in, 2) % (len + 1);

    if (a->waits || disk->info.opening)
        return;
    a->waits = true;
    a->iov[0] = (struct iovec){area, cut};
    a->iov[1] = (struct iovec){area + AREA - (len - cut), len - cut};
    a->req = (struct disk_req){.op = (enum disk_op)(op % 5),
                               .off = sector * DISK_SECTOR,
                               .len = op % 5 == DISK_FLUSH ? 0 : len,
                               .iov = cut ? a->iov : a->iov + 1,
                               .nr_iov = cut && cut < len ? 2 : 1,
                               .done = on_done};
    disk_submit(disk, &a->req);
    disk_kick(disk);
}

/* As it should, but for the answer. */
static void serve(u32 *head, u8 how)
{
    u32 gen = atomic_load(&ring->gen);
    int id = 0;

    for (u8 n = how; n > 0 && id >= 0; n /= 2) {
        id = rbd_ring_next(ring, head, gen);
        if (id >= 0)
            rbd_ring_done(ring, (u32)id, how & 1 ? -EIO : 0);
    }
}

static void lie(struct fuzz_input *in, u8 how)
{
    u32 slot = (u32)fuzz_take(in, 1), val = (u32)fuzz_take(in, 2);

    switch (how % 6) {
    case 0:
        atomic_store(&ring->done, val);
        break;
    case 1:
        atomic_store(&ring->next[slot], val);
        break;
    case 2:
        rbd_ring_done(ring, slot, (s32)(val << 16));
        break;
    case 3:
        atomic_store(&ring->gen, val);
        break;
    case 4:
        memset(&ring->slot[slot], (int)val, sizeof(ring->slot[0]));
        break;
    default:
        atomic_store(&ring->err, (s32)(val << 16));
    }
}

static void step(struct fuzz_input *in, u32 *head)
{
    u8 what = (u8)fuzz_take(in, 1), how = (u8)fuzz_take(in, 1);

    switch (what % 8) {
    case 0:
    case 1:
        ask(in, how);
        break;
    case 2:
        serve(head, how);
        break;
    case 3:
        lie(in, how);
        break;
    case 4:
        atomic_store(&ring->state, how % 6);
        break;
    case 5:
        atomic_store(&ring->size, fuzz_take(in, how % 9));
        break;
    case 6:
        disk_abandon(disk);
        break;
    default:
        must(write(done_fd, &(u64){1}, 8) == 8);
        fuzz_pump(&loop, 4);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)1024)};
    struct rbd_disk_options opt = {.name = "fuzz"};
    u32 head = 0;

    if (!ring)
        fuzz_up();
    *ring = (struct rbd_ring){.state = RBD_READY, .gen = 1, .size = 64 * MIB};
    opt.ring_fd = dup(ring_fd);
    fuzz_mapped = (struct fuzz_mapped){opt.ring_fd, ring};
    opt.submit_fd = eventfd(0, EFD_NONBLOCK);
    opt.done_fd = done_fd = eventfd(0, EFD_NONBLOCK);
    must(loop_init(&loop) == 0 && rbd_disk_new(&disk, &opt) == 0);
    must(disk_attach(disk, &loop) == 0);
    must(write(done_fd, &(u64){1}, 8) == 8);
    fuzz_pump(&loop, 4);
    while (in.left > 0)
        step(&in, &head);
    disk_abandon(disk);
    for (u32 i = 0; i < REQS; i++)
        assert(!asked[i].waits);
    assert(area[AREA] == GUARD);
    disk_free(disk);
    loop_fini(&loop);
    fuzz_mapped = (struct fuzz_mapped){-1, NULL};
    return 0;
}
