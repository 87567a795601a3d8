/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dev.h: what blk.c, net.c, console.c and rng.c are written against. A device
 * embeds struct virtio_dev, fills a struct virtio_ops and keeps three rules:
 * hooks run on the device's thread and do not block, every popped chain is
 * pushed exactly once, chains pushed outside a kick are followed by one
 * virtio_notify() per queue and batch.
 *
 *     static const struct virtio_ops rng_ops = {
 *         .name = "rng", .id = 4, .filter = FILTER_RNG,
 *         .kick = rng_kick, .free = rng_free};
 *
 *     r = virtio_dev_init(&rng->dev, &rng_ops, "rng", 1, 64, 0);
 *
 * A device that waits for its host keeps chains and pushes them later. When a
 * reset comes no more is popped, reset() is called, and the reset is over when
 * every chain has come home; only then may start() come again. A device thus
 * needs no state for "draining": it goes on pushing, and the guest sees none.
 */
#ifndef MOTE_VIRTIO_DEV_H
#define MOTE_VIRTIO_DEV_H

#include "mote/clock.h"
#include "mote/loop.h"
#include "mote/thread.h"
#include "mote/virtio.h"

#include "vq.h"

#define VIRTIO_CONFIG_MAX 256u

/* Feature bits of every device (virtio 1.2, 6). */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

struct virtio_ops {
    const char *name; /* of the kind: "blk" */
    u32 id;           /* device ID, virtio 1.2, 5 */
    enum filter_kind filter;

    /* For virtio_counters(); all NULL or 0 of a device without. */
    const char *group;
    const char *const *counters; /* names of virtio_dev.counter[] */
    unsigned int nr_counters;    /* at most VIRTIO_COUNTERS */

    /* Its requests may follow each other so closely that its thread had better
     * look out for the next one before it sleeps. */
    bool polls;

    /* DRIVER_OK: dev->features and the queues are valid from here to reset().
     * Negative errno: NEEDS_RESET. May be NULL. */
    int (*start)(struct virtio_dev *dev);

    /* The driver has notified vq, or a pause of it is over: take chains until
     * vq_pop() says 0. Negative errno (vq_pop()'s): NEEDS_RESET. The transport
     * interrupts for what was pushed to vq. */
    int (*kick)(struct virtio_dev *dev, struct vq *vq);

    /* The driver resets, or the VM stops: push every chain that is held and
     * not at work in the backend; those come home by themselves. Forget what
     * the driver has configured. May be NULL. */
    void (*reset)(struct virtio_dev *dev);

    /* A reset or stop has waited for a fifth of reset_ms: push what the
     * backend has, if it can let go of it. May be NULL. */
    void (*abandon)(struct virtio_dev *dev);

    /* The driver has written to its configuration space between start() and
     * reset(); len is 1, 2 or 4. NULL: such writes are ignored. */
    void (*config_written)(struct virtio_dev *dev, u32 off, u32 len, u32 val);

    /* virtio_stop(), after the drain: last things such as a flush. Calls
     * virtio_stopped() when done, now or later. May be NULL. */
    void (*stop)(struct virtio_dev *dev);

    /* Main, thread ended: free the backend, virtio_dev_fini(), free(). */
    void (*free)(struct virtio_dev *dev);
};

/* Registers as the driver has written them; guarded by dev->lock. */
struct virtio_regs {
    u32 status;
    u32 features_sel, driver_features_sel, queue_sel;
    u64 driver_features;
    bool alien_features; /* accepted one above bit 63 */
    struct vq_config queue[VIRTIO_VQ_MAX];
    bool queue_ready[VIRTIO_VQ_MAX];
};

/* A queue's notification and its pause. */
struct virtio_queue {
    struct vq vq;
    struct virtio_dev *dev;
    struct loop_fd kick; /* eventfd */
    u64 resume_ns;       /* paused until then; 0: not paused */
};

struct virtio_dev {
    /* Fixed by virtio_dev_init() and virtio_attach(). */
    const struct virtio_ops *ops;
    char name[32];
    u64 offered; /* feature bits */
    unsigned int nr_vqs;
    struct filter filter; /* of the device thread; the device adds to fd */
    u32 config_len;
    struct mem *mem;
    struct irq irq;
    unsigned int reset_ms; /* a vCPU's patience with requests in flight */

    /* vCPUs', under lock, which nobody else takes. */
    struct lock lock;
    struct virtio_regs regs;

    /* Between dev and vCPUs. */
    _Atomic(u32) isr;          /* dev sets bits, vCPUs clear them */
    _Atomic(bool) needs_reset; /* dev sets, vCPUs clear by a reset */
    _Atomic(bool) unsettled;   /* dev clears */
    _Atomic(u32) generation; /* dev: of config[generation % 2], the valid one */
    _Atomic(u8) config[2][VIRTIO_CONFIG_MAX];

    /* The device thread's. */
    struct loop loop; /* for the backend's descriptors, from dev_init on */
    struct thread thread;
    struct virtio_queue queue[VIRTIO_VQ_MAX];
    u64 features;         /* accepted */
    bool active;          /* from start() to reset() */
    bool broken;          /* NEEDS_RESET: nothing is popped until the reset */
    struct loop_fd timer; /* timerfd of the pauses */
    struct loop_call *settle; /* a vCPU waits for virtio_settled() */
    bool draining;            /* call is answered when the last chain is home */
    u64 abandon_ns;           /* ... or given up then; 0: never */
    bool stopping;            /* ... and the hook stop() is done */

    /* Of the reset or stop under way; posted by a vCPU or by main, answered by
     * the device thread. late: nobody has seen the answer yet. asked: the order
     * to stop was given. */
    struct loop_call call;
    bool late, asked;

    _Atomic(u64) errors, dropped, wakeups; /* dev adds, any reads */
    _Atomic(u64) counter[VIRTIO_COUNTERS]; /* the same; the kind's own */
    _Atomic(bool) was_broken;              /* ever; for virtio_stats() */
};

/*
 * Main, first in a constructor: names, queues, loop. Afterwards the device may
 * add to dev->loop and set its configuration space. VERSION_1, EVENT_IDX and
 * INDIRECT_DESC are added to features. vq_max: a power of two <= VQ_SIZE_MAX.
 * 0 or a negative errno, already reported. name is copied.
 */
int virtio_dev_init(struct virtio_dev *dev, const struct virtio_ops *ops,
                    const char *name, unsigned int nr_vqs, u16 vq_max,
                    u64 features);
void virtio_dev_fini(struct virtio_dev *dev);

static inline struct vq *virtio_vq(struct virtio_dev *dev, unsigned int q)
{
    return &dev->queue[q].vq;
}

static inline bool virtio_has(const struct virtio_dev *dev, u64 features)
{
    return (dev->features & features) == features;
}

/* Interrupt the driver if it wants to hear of what was pushed to vq. */
DEV_ONLY void virtio_notify(struct virtio_dev *dev, struct vq *vq);

/* The driver broke a rule outside a kick(): one line, NEEDS_RESET, silence
 * until the reset. vq may be NULL; what: the rule, NULL: vq->why. */
DEV_ONLY void virtio_break(struct virtio_dev *dev, const struct vq *vq,
                           const char *what);

/* Kick vq again in so many ns and ignore notifications until then: the answer
 * to limit_take(). The chain in hand goes back by vq_unpop() before. */
DEV_ONLY void virtio_pause(struct virtio_dev *dev, struct vq *vq, u64 ns);

/* Kick vq after the other events that wait, as if the driver had notified. */
DEV_ONLY void virtio_kick_later(struct virtio_dev *dev, struct vq *vq);

/* Change the configuration space in one step a driver can detect. Main before
 * virtio_start(), then the device thread. off + len <= VIRTIO_CONFIG_MAX; the
 * space ends where the furthest of these before virtio_start() ended. */
void virtio_config_set(struct virtio_dev *dev, u32 off, const void *buf,
                       u32 len);
/*
 * The configuration space is not yet what it will be: a disk is being opened.
 * Who reads it first waits for virtio_settled(), or virtio_release(). Main,
 * before virtio_start().
 */
void virtio_unsettle(struct virtio_dev *dev);
DEV_ONLY void virtio_settled(struct virtio_dev *dev);

/* Tell the driver. */
DEV_ONLY void virtio_config_changed(struct virtio_dev *dev);

/* The hook stop() is done. */
DEV_ONLY void virtio_stopped(struct virtio_dev *dev);

/* ---- for mmio.c: a vCPU's orders to the device thread, dev->lock held ---- */

/* DRIVER_OK: start with the queues of dev->regs. */
VCPU_ONLY void virtio_activate(struct virtio_dev *dev);
/* Drain and forget. -ETIMEDOUT: requests are still out; try again. */
VCPU_ONLY int virtio_reset(struct virtio_dev *dev);
/* Before a read of the configuration space, without the lock: wait until it is
 * valid. */
VCPU_ONLY void virtio_settle(struct virtio_dev *dev);
VCPU_ONLY void virtio_config_write(struct virtio_dev *dev, u32 off, u32 len,
                                   u32 val);

#endif
