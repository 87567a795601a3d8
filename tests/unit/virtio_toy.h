/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_toy.h: a virtio device that does nothing, for tests of what all have
 * in common */
#ifndef MOTE_TEST_VIRTIO_TOY_H
#define MOTE_TEST_VIRTIO_TOY_H

#include <unistd.h>

#include "mote/log.h"
#include "virtio/dev.h"

#include "virtio_driver.h"

#define TOY_ID   42
#define TOY_VQS  2
#define TOY_F    (1ull << 5)
#define TOY_F_HI (1ull << 40)
#define OFFER                                                                  \
    (TOY_F | TOY_F_HI | VDRV_F_VERSION_1 | VDRV_F_EVENT_IDX | VDRV_F_INDIRECT)

/* A device that answers at once, or when it is told to. */
struct toy {
    struct virtio_dev dev;
    bool hold, no_start, no_stop;
    struct vdrv *refill; /* a driver that is faster than the device */
    struct vq_chain held[64];
    _Atomic(unsigned int) nr_held;
    unsigned int starts, resets, stops; /* calls of the hooks */
    u32 off, len, val;                  /* the last config_written() */
};

static inline int toy_start(struct virtio_dev *dev)
{
    struct toy *toy = container_of(dev, struct toy, dev);

    toy->starts++;
    return toy->no_start ? -EINVAL : 0;
}

/* As many chains as fit are there again, seen from the device's side. */
static inline void toy_refill(struct vdrv *d)
{
    vdrv_put16(d, d->q[0].avail + 2,
               (u16)(vdrv_get16(d, d->q[0].used + 2) + d->q[0].num));
}

static inline int toy_kick(struct virtio_dev *dev, struct vq *vq)
{
    struct toy *toy = container_of(dev, struct toy, dev);
    struct vq_chain c;
    int r;

    while ((r = vq_pop(vq, &c)) > 0) {
        if (toy->hold && toy->nr_held < ARRAY_SIZE(toy->held)) {
            toy->held[toy->nr_held] = c;
            toy->nr_held++;
        } else {
            vq_push(vq, &c, 0);
        }
        if (toy->refill)
            toy_refill(toy->refill);
    }
    return r;
}

static inline void toy_reset(struct virtio_dev *dev)
{
    container_of(dev, struct toy, dev)->resets++;
}

static inline void toy_config_written(struct virtio_dev *dev, u32 off, u32 len,
                                      u32 val)
{
    struct toy *toy = container_of(dev, struct toy, dev);

    toy->off = off;
    toy->len = len;
    toy->val = val;
}

static inline void toy_stop(struct virtio_dev *dev)
{
    struct toy *toy = container_of(dev, struct toy, dev);

    toy->stops++;
    if (!toy->no_stop)
        virtio_stopped(dev);
}

static inline void toy_free(struct virtio_dev *dev)
{
    virtio_dev_fini(dev);
}

static const struct virtio_ops toy_ops = {
    .name = "toy",
    .id = TOY_ID,
    .filter = FILTER_RNG,
    .start = toy_start,
    .kick = toy_kick,
    .reset = toy_reset,
    .config_written = toy_config_written,
    .stop = toy_stop,
    .free = toy_free,
};

static struct toy toy;
static struct vdrv drv;
static char said[1024];

static inline void note_log(const char *text, size_t len)
{
    size_t at = strlen(said);

    memcpy(said + at, text, MIN(len, sizeof(said) - 1 - at));
}

static inline void toy_new(void)
{
    static const u8 config[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

    log_sink_set(note_log);
    toy = (struct toy){0};
    ck_assert_int_eq(virtio_dev_init(&toy.dev, &toy_ops, "toy", TOY_VQS, 16,
                                     TOY_F | TOY_F_HI),
                     0);
    virtio_config_set(&toy.dev, 0, config, sizeof(config));
    vdrv_attach(&drv, &toy.dev);
}

static inline void toy_up(void)
{
    toy_new();
    vdrv_init(&drv, ~0ull);
}

/* What was held goes back, on the device's thread, one interrupt for all. */
static inline void toy_on_release(struct loop_call *call)
{
    for (unsigned int i = 0; i < toy.nr_held; i++)
        vq_push(virtio_vq(&toy.dev, 0), &toy.held[i], 0);
    toy.nr_held = 0;
    virtio_notify(&toy.dev, virtio_vq(&toy.dev, 0));
    loop_done(&toy.dev.loop, call, 0);
}

static inline void toy_release(void *arg)
{
    struct loop_call call = {.fn = toy_on_release};

    usleep(20000);
    loop_call(&toy.dev.loop, &call);
}

/* A one-buffer request, not notified of. */
static inline void add_one(unsigned int q)
{
    struct vdrv_buf buf = {vdrv_alloc(&drv, 16), 16, true};

    vdrv_add(&drv, q, &buf, 1);
}

static inline bool held(unsigned int n)
{
    return vdrv_until(toy.nr_held == n);
}

/* How far the driver has come; each includes the ones before. */
enum state { RESET, ACK, DRIVER, FEATURES, RUNNING, BROKEN, NR_STATES };

static inline void go_to(enum state state)
{
    static const struct vdrv_buf bad = {~0ull, 1, false};

    toy_new();
    if (state >= ACK)
        vdrv_write(&drv, VDRV_STATUS, VDRV_S_ACK);
    if (state >= DRIVER)
        vdrv_write(&drv, VDRV_STATUS, VDRV_S_ACK | VDRV_S_DRIVER);
    if (state >= FEATURES)
        ck_assert(vdrv_negotiate(&drv, OFFER));
    if (state >= RUNNING)
        vdrv_init(&drv, ~0ull);
    if (state < BROKEN)
        return;
    vdrv_add(&drv, 0, &bad, 1);
    vdrv_kick(&drv, 0);
    ck_assert(vdrv_until(vdrv_read(&drv, VDRV_STATUS) & VDRV_S_NEEDS_RESET));
}

#endif
