/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_driver.h: the driver's side of a virtio device, without a guest: rings
 * in RAM of the test's, registers through the bus, interrupts counted.
 *
 *     vdrv_up(&d, dev, ~0ull);          // the device is running, queues set up
 *     gpa = vdrv_alloc(&d, 512);
 *     vdrv_add(&d, 0, buf, 2);          // a chain; vdrv_add_indirect() too
 *     vdrv_kick(&d, 0);
 *     head = vdrv_wait(&d, 0, &len);    // < 0: nothing came in two seconds
 *     vdrv_down(&d);                    // frees the device too
 */
#ifndef MOTE_TEST_VIRTIO_DRIVER_H
#define MOTE_TEST_VIRTIO_DRIVER_H

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "mote/bus.h"
#include "mote/mem.h"
#include "mote/virtio.h"

#define VDRV_BASE    0xc0001000ull
#define VDRV_RAM     (64 * MIB)
#define VDRV_HEAP    MIB /* where vdrv_alloc() begins */
#define VDRV_NUM_MAX 256u

/* Registers (virtio 1.2, 4.2.2) and status bits. */
enum {
    VDRV_MAGIC = 0x00,
    VDRV_VERSION = 0x04,
    VDRV_DEVICE_ID = 0x08,
    VDRV_FEATURES = 0x10,
    VDRV_FEATURES_SEL = 0x14,
    VDRV_DRIVER_FEATURES = 0x20,
    VDRV_DRIVER_FEATURES_SEL = 0x24,
    VDRV_QUEUE_SEL = 0x30,
    VDRV_QUEUE_MAX = 0x34,
    VDRV_QUEUE_NUM = 0x38,
    VDRV_QUEUE_READY = 0x44,
    VDRV_NOTIFY = 0x50,
    VDRV_ISR = 0x60,
    VDRV_ACK = 0x64,
    VDRV_STATUS = 0x70,
    VDRV_DESC = 0x80,
    VDRV_AVAIL = 0x90,
    VDRV_USED = 0xa0,
    VDRV_GENERATION = 0xfc,
    VDRV_CONFIG = 0x100,

    VDRV_S_ACK = 1,
    VDRV_S_DRIVER = 2,
    VDRV_S_DRIVER_OK = 4,
    VDRV_S_FEATURES_OK = 8,
    VDRV_S_NEEDS_RESET = 0x40,
    VDRV_S_FAILED = 0x80,

    VDRV_D_NEXT = 1,
    VDRV_D_WRITE = 2,
    VDRV_D_INDIRECT = 4,
};

#define VDRV_F_INDIRECT  (1ull << 28)
#define VDRV_F_EVENT_IDX (1ull << 29)
#define VDRV_F_VERSION_1 (1ull << 32)

struct vdrv_desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};

struct vdrv_buf {
    u64 gpa;
    u32 len;
    bool write; /* for the device */
};

struct vdrv_queue {
    u32 num;
    u64 desc, avail, used;
    u16 avail_idx, used_idx; /* ours: next to fill, next to look at */
    u16 free, nr_free;       /* list of descriptors, linked by next[] */
    u16 next[VDRV_NUM_MAX], count[VDRV_NUM_MAX]; /* of the chain at a head */
};

struct vdrv {
    struct mem *mem;
    struct bus bus;
    struct virtio_dev *dev;
    u64 features; /* accepted */
    u64 heap;     /* next free guest address */
    struct vdrv_queue q[VIRTIO_VQ_MAX];
    _Atomic(bool) line;
    _Atomic(u32) edges; /* interrupts so far */
};

/* ---- registers and memory -------------------------------------------------
 */

TSA(no_thread_safety_analysis)
static inline u32 vdrv_read(struct vdrv *d, u32 reg)
{
    return (u32)bus_read(&d->bus, BUS_MMIO, VDRV_BASE + reg, 4);
}

TSA(no_thread_safety_analysis)
static inline void vdrv_write(struct vdrv *d, u32 reg, u32 val)
{
    bus_write(&d->bus, BUS_MMIO, VDRV_BASE + reg, 4, val);
}

/* Configuration space, as a driver reads fields of size 1, 2, 4. */
TSA(no_thread_safety_analysis)
static inline u64 vdrv_config(struct vdrv *d, u32 off, unsigned int size)
{
    return bus_read(&d->bus, BUS_MMIO, VDRV_BASE + VDRV_CONFIG + off, size);
}

static inline void *vdrv_ptr(struct vdrv *d, u64 gpa, u64 len)
{
    void *p = mem_range(d->mem, gpa, len);

    assert(p);
    return p;
}

/* Zeroed, page-aligned guest memory; never given back. */
static inline u64 vdrv_alloc(struct vdrv *d, u64 len)
{
    u64 gpa = d->heap;

    memset(vdrv_ptr(d, gpa, len), 0, len);
    d->heap += (len + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    return gpa;
}

static inline u16 vdrv_get16(struct vdrv *d, u64 gpa)
{
    return atomic_load((_Atomic(u16) *)vdrv_ptr(d, gpa, 2));
}

static inline void vdrv_put16(struct vdrv *d, u64 gpa, u16 val)
{
    atomic_store((_Atomic(u16) *)vdrv_ptr(d, gpa, 2), val);
}

static inline void vdrv_put_desc(struct vdrv *d, u64 table, u32 i,
                                 const struct vdrv_desc *desc)
{
    memcpy(vdrv_ptr(d, table + 16 * (u64)i, 16), desc, 16);
}

/* ---- life -----------------------------------------------------------------
 */

static inline void vdrv_irq_raise(struct irq *irq)
{
    struct vdrv *d = irq->ctx;

    if (!atomic_exchange(&d->line, true))
        atomic_fetch_add(&d->edges, 1);
}

static inline void vdrv_irq_lower(struct irq *irq)
{
    atomic_store(&((struct vdrv *)irq->ctx)->line, false);
}

/* Memory, bus, thread; the device is attached and untouched. */
static inline void vdrv_attach(struct vdrv *d, struct virtio_dev *dev)
{
    static const struct irq_ops irq_ops = {vdrv_irq_raise, vdrv_irq_lower};
    int r;

    *d = (struct vdrv){.dev = dev, .heap = VDRV_HEAP};
    r = mem_new(&d->mem, VDRV_RAM);
    assert(r == 0);
    bus_init(&d->bus);
    r = virtio_attach(dev, d->mem, &d->bus, VDRV_BASE);
    assert(r == 0);
    *virtio_irq(dev) = (struct irq){.ops = &irq_ops, .ctx = d, .fd = -1};
    r = virtio_start(dev);
    assert(r == 0);
    (void)r;
}

static inline u64 vdrv_offered(struct vdrv *d)
{
    u64 offer;

    vdrv_write(d, VDRV_FEATURES_SEL, 1);
    offer = (u64)vdrv_read(d, VDRV_FEATURES) << 32;
    vdrv_write(d, VDRV_FEATURES_SEL, 0);
    return offer | vdrv_read(d, VDRV_FEATURES);
}

static inline void vdrv_accept(struct vdrv *d, u64 features)
{
    d->features = features;
    vdrv_write(d, VDRV_DRIVER_FEATURES_SEL, 0);
    vdrv_write(d, VDRV_DRIVER_FEATURES, (u32)features);
    vdrv_write(d, VDRV_DRIVER_FEATURES_SEL, 1);
    vdrv_write(d, VDRV_DRIVER_FEATURES, (u32)(features >> 32));
}

/* Up to FEATURES_OK; false if the device did not take it. */
static inline bool vdrv_negotiate(struct vdrv *d, u64 features)
{
    vdrv_write(d, VDRV_STATUS, VDRV_S_ACK);
    vdrv_write(d, VDRV_STATUS, VDRV_S_ACK | VDRV_S_DRIVER);
    vdrv_accept(d, features);
    vdrv_write(d, VDRV_STATUS, VDRV_S_ACK | VDRV_S_DRIVER | VDRV_S_FEATURES_OK);
    return vdrv_read(d, VDRV_STATUS) & VDRV_S_FEATURES_OK;
}

static inline void vdrv_write64(struct vdrv *d, u32 reg, u64 val)
{
    vdrv_write(d, reg, (u32)val);
    vdrv_write(d, reg + 4, (u32)(val >> 32));
}

/* Fresh rings of num entries (0: the queue's maximum), ready. */
static inline void vdrv_queue_up(struct vdrv *d, unsigned int i, u32 num)
{
    struct vdrv_queue *q = &d->q[i];

    vdrv_write(d, VDRV_QUEUE_SEL, i);
    if (num == 0)
        num = vdrv_read(d, VDRV_QUEUE_MAX);
    assert(num > 0 && num <= VDRV_NUM_MAX);
    *q = (struct vdrv_queue){.num = num, .nr_free = (u16)num};
    for (u32 n = 0; n < num; n++)
        q->next[n] = (u16)(n + 1);
    q->desc = vdrv_alloc(d, 16 * (u64)num);
    q->avail = vdrv_alloc(d, 6 + 2 * (u64)num);
    q->used = vdrv_alloc(d, 6 + 8 * (u64)num);
    vdrv_write(d, VDRV_QUEUE_NUM, num);
    vdrv_write64(d, VDRV_DESC, q->desc);
    vdrv_write64(d, VDRV_AVAIL, q->avail);
    vdrv_write64(d, VDRV_USED, q->used);
    vdrv_write(d, VDRV_QUEUE_READY, 1);
}

/* From reset to DRIVER_OK with those of features that are offered. */
static inline void vdrv_init(struct vdrv *d, u64 features)
{
    bool ok = vdrv_negotiate(d, vdrv_offered(d) & features);

    assert(ok);
    (void)ok;
    for (unsigned int i = 0; i < virtio_nr_vqs(d->dev); i++)
        vdrv_queue_up(d, i, 0);
    vdrv_write(d, VDRV_STATUS,
               VDRV_S_ACK | VDRV_S_DRIVER | VDRV_S_FEATURES_OK |
                   VDRV_S_DRIVER_OK);
}

static inline void vdrv_up(struct vdrv *d, struct virtio_dev *dev, u64 features)
{
    vdrv_attach(d, dev);
    vdrv_init(d, features);
}

/* Status 0; the heap starts afresh. vdrv_init() may follow. */
static inline void vdrv_reset(struct vdrv *d)
{
    vdrv_write(d, VDRV_STATUS, 0);
    d->heap = VDRV_HEAP;
}

static inline void vdrv_down(struct vdrv *d)
{
    virtio_stop(d->dev, 2000);
    virtio_free(d->dev);
    mem_free(d->mem);
}

/* ---- chains ---------------------------------------------------------------
 */

/* Show the chain at head; the device may take it before the kick. */
static inline void vdrv_publish(struct vdrv *d, unsigned int i, u16 head)
{
    struct vdrv_queue *q = &d->q[i];

    vdrv_put16(d, q->avail + 4 + 2 * (q->avail_idx & (q->num - 1)), head);
    vdrv_put16(d, q->avail + 2, ++q->avail_idx);
}

static inline u16 vdrv_take_free(struct vdrv_queue *q)
{
    u16 at = q->free;

    assert(q->nr_free > 0);
    q->free = q->next[at];
    q->nr_free--;
    return at;
}

static inline void vdrv_set_desc(struct vdrv *d, u64 table, u32 at,
                                 const struct vdrv_buf *b, bool more, u16 next)
{
    struct vdrv_desc desc = {.addr = b->gpa, .len = b->len, .next = next};

    desc.flags =
        (u16)((more ? VDRV_D_NEXT : 0) | (b->write ? VDRV_D_WRITE : 0));
    vdrv_put_desc(d, table, at, &desc);
}

/* A chain of n buffers, one descriptor each. Returns its head. */
static inline u16 vdrv_add(struct vdrv *d, unsigned int i,
                           const struct vdrv_buf *buf, unsigned int n)
{
    struct vdrv_queue *q = &d->q[i];
    u16 head = q->free;

    assert(n > 0 && n <= q->nr_free);
    for (unsigned int k = 0; k < n; k++) {
        u16 at = vdrv_take_free(q);

        vdrv_set_desc(d, q->desc, at, &buf[k], k + 1 < n, q->next[at]);
    }
    q->count[head] = (u16)n;
    vdrv_publish(d, i, head);
    return head;
}

/* The same through a table of its own at guest address table. */
static inline u16 vdrv_add_indirect(struct vdrv *d, unsigned int i, u64 table,
                                    const struct vdrv_buf *buf, unsigned int n)
{
    struct vdrv_queue *q = &d->q[i];
    u16 head = vdrv_take_free(q);
    struct vdrv_desc desc = {
        .addr = table, .len = 16 * n, .flags = VDRV_D_INDIRECT};

    for (unsigned int k = 0; k < n; k++)
        vdrv_set_desc(d, table, k, &buf[k], k + 1 < n, (u16)(k + 1));
    vdrv_put_desc(d, q->desc, head, &desc);
    q->count[head] = 1;
    vdrv_publish(d, i, head);
    return head;
}

static inline void vdrv_kick(struct vdrv *d, unsigned int i)
{
    vdrv_write(d, VDRV_NOTIFY, i);
}

/* Does the device want to hear of what was added since avail_idx was old?
 * (virtio 1.2, 2.7.10.1) */
static inline bool vdrv_kick_wanted(struct vdrv *d, unsigned int i, u16 old)
{
    struct vdrv_queue *q = &d->q[i];
    u16 event;

    if (!(d->features & VDRV_F_EVENT_IDX))
        return !(vdrv_get16(d, q->used) & 1);
    event = vdrv_get16(d, q->used + 4 + 8 * (u64)q->num);
    return (u16)(q->avail_idx - event - 1) < (u16)(q->avail_idx - old);
}

static inline bool vdrv_done(struct vdrv *d, unsigned int i)
{
    struct vdrv_queue *q = &d->q[i];

    return vdrv_get16(d, q->used + 2) != q->used_idx;
}

/* Take the next used element: its head, or -1. An interrupt is asked for what
 * comes after it. */
static inline int vdrv_poll(struct vdrv *d, unsigned int i, u32 *len)
{
    struct vdrv_queue *q = &d->q[i];
    u32 e[2];

    if (!vdrv_done(d, i))
        return -1;
    memcpy(e,
           vdrv_ptr(d, q->used + 4 + 8 * (u64)(q->used_idx & (q->num - 1)), 8),
           8);
    assert(e[0] < q->num && q->count[e[0]] > 0);
    for (u16 at = (u16)e[0], n = q->count[e[0]]; n > 0; n--) {
        u16 next = q->next[at];

        q->next[at] = q->free;
        q->free = at;
        q->nr_free++;
        at = next;
    }
    q->count[e[0]] = 0;
    q->used_idx++;
    vdrv_put16(d, q->avail + 4 + 2 * (u64)q->num, q->used_idx);
    if (len)
        *len = e[1];
    return (int)e[0];
}

static inline u64 vdrv_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* What the device has counted under this name of the metrics. */
static inline u64 vdrv_counter(const struct virtio_dev *dev, const char *name)
{
    struct virtio_counters c;

    virtio_counters(dev, &c);
    for (unsigned int i = 0; i < c.nr; i++)
        if (strcmp(c.name[i], name) == 0)
            return c.value[i];
    assert(!"a counter of this name");
    return 0;
}

/* Wait until cond holds, or two seconds. */
#define vdrv_until(cond)                                                       \
    ({                                                                         \
        u64 until_end = vdrv_ms() + 2000;                                      \
        while (!(cond) && vdrv_ms() < until_end)                               \
            sched_yield();                                                     \
        (cond);                                                                \
    })

static inline int vdrv_wait(struct vdrv *d, unsigned int i, u32 *len)
{
    (void)vdrv_until(vdrv_done(d, i));
    return vdrv_poll(d, i, len);
}

#endif
