/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng.c: any rings. Input: flags, seed of the host's randomness, then memory
 * from the descriptors on. Bit 2 of the flags: with a rate limit, and a clock
 * that brings the pauses to their end.
 */
#include <stdlib.h>

#include "shadow.h"
#include "virtio/dev.h"

#define NUM   8u
#define DESC  0u
#define AVAIL 0x80u
#define USED  0xa0u
#define RAM   (16 * MIB)

static struct mem *ram;
static struct virtio_dev *rng[2]; /* the second is limited */
static struct shadow shadow;

static void fuzz_up(void)
{
    static const struct limit_config none, some = {.bytes = {4096, 100, 0}};

    log_sink_set(fuzz_no_log);
    if (mem_new(&ram, RAM) < 0 || rng_new(&rng[0], &none) < 0 ||
        rng_new(&rng[1], &some) < 0)
        abort();
    rng[0]->mem = rng[1]->mem = ram;
}

static u32 get(u64 gpa, size_t n)
{
    u32 val = 0;

    mem_read(ram, gpa, &val, n);
    return val;
}

/* Writable bytes of the chain at head, as rings without indirect tables have
 * it: chains of any length and shape, of which the device refuses many. */
static u64 writable(u32 head)
{
    u64 sum = 0;

    for (u32 i = head, n = 0; n < NUM; i = get(DESC + 16 * i + 14, 2), n++) {
        u32 flags = get(DESC + 16 * i + 12, 2);

        sum += flags & 2 ? get(DESC + 16 * i + 8, 4) : 0;
        if (!(flags & 1) || get(DESC + 16 * i + 14, 2) >= NUM)
            break;
    }
    return sum;
}

/* False: the guest has the device write over its rings. */
static bool allow_all(void)
{
    bool ok = true;

    shadow_take(&shadow, ram);
    shadow_allow(&shadow, USED, 6 + 8 * NUM);
    for (u32 i = 0; i < NUM; i++) {
        u64 gpa = get(DESC + 16 * i, 4) | (u64)get(DESC + 16 * i + 4, 4) << 32;
        u64 len = get(DESC + 16 * i + 8, 4);

        if (!(get(DESC + 16 * i + 12, 2) & 2))
            continue;
        shadow_allow(&shadow, gpa, len);
        ok &= gpa >= USED + 6 + 8 * NUM;
    }
    return ok;
}

static void check(u32 pushed)
{
    shadow_check(&shadow, ram);
    for (u32 i = 0; i < MIN(pushed, NUM); i++) {
        u32 head = get(USED + 4 + 8 * i, 4), len = get(USED + 8 + 8 * i, 4);

        assert(head < NUM && len <= writable(head));
    }
}

/* Until the queue is empty; a pause ends after its time. */
static int kick(struct virtio_dev *dev, struct vq *vq)
{
    int r, turns = 0;

    do {
        dev->queue[0].resume_ns = 0;
        vq->budget = NUM + 1;
        r = dev->ops->kick(dev, vq);
        assert(vq->inflight == 0 && turns++ <= 2 * (int)NUM);
        fuzz_now += 100000000;
    } while (r == 0 && dev->queue[0].resume_ns);
    return r;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct vq_config cfg = {NUM, DESC, AVAIL, USED};
    struct virtio_dev *dev;
    struct vq *vq;
    u64 flags;
    bool apart;
    int r;

    if (!ram)
        fuzz_up();
    flags = fuzz_take(&in, 1);
    fuzz_seed = fuzz_take(&in, 4);
    fuzz_now += 1000000000; /* the bucket is full again */
    dev = rng[flags >> 2 & 1];
    vq = virtio_vq(dev, 0);
    mem_fill(ram, 0, 0, SHADOW_SIZE);
    mem_write(ram, 0, in.at, MIN(in.left, SHADOW_SIZE));
    mem_fill(ram, USED, 0, 6 + 8 * NUM);
    apart = allow_all() && !(flags & 1);
    dev->features = VIRTIO_F_VERSION_1 | (flags & 3) << 28;
    r = vq_start(vq, ram, &cfg, dev->features);
    assert(r == 0);
    dev->active = true;
    r = kick(dev, vq);
    if (apart)
        check(get(USED + 2, 2));
    assert(r < 0 || vq->next_avail == get(USED + 2, 2) || !apart);
    dev->active = false;
    vq_stop(vq);
    return 0;
}
