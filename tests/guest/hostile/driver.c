/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c: registers and rings, the driver's side; polled, no interrupts */
#include "hostile.h"

#define PATIENCE (1ull << 33) /* TSC ticks: a few seconds */
#define SLOTS    12

u8 scratch[16][4096] __attribute__((aligned(4096)));

/* Three pages a queue. */
static u8 rings[SLOTS][QUEUES_MAX][3][4096] __attribute__((aligned(4096)));

u64 ticks(void)
{
    u32 low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}

void fill(volatile void *at, u8 byte, size_t len)
{
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(byte) : "memory");
}

/* gcc may call it for the clearing of a structure. */
void *memset(void *at, int byte, size_t len);
void *memset(void *at, int byte, size_t len)
{
    fill(at, (u8)byte, len);
    return at;
}

u32 reg_read(const struct dev *d, u32 reg)
{
    return *(volatile u32 *)(d->base + reg);
}

void reg_write(const struct dev *d, u32 reg, u32 val)
{
    *(volatile u32 *)(d->base + reg) = val;
}

void reg_write64(const struct dev *d, u32 reg, u64 val)
{
    reg_write(d, reg, (u32)val);
    reg_write(d, reg + 4, (u32)(val >> 32));
}

void dev_init(struct dev *d, unsigned int slot)
{
    *d = (struct dev){.base = MMIO_BASE + slot * MMIO_SIZE};
    d->id = reg_read(d, R_DEVICE_ID);
    for (u32 i = 0; i < QUEUES_MAX; i++) {
        d->q[i].desc = (volatile struct desc *)rings[slot][i][0];
        d->q[i].avail = (struct avail *)rings[slot][i][1];
        d->q[i].used = (struct used *)rings[slot][i][2];
    }
}

u64 dev_offered(const struct dev *d)
{
    u64 offer;

    reg_write(d, R_FEATURES_SEL, 1);
    offer = (u64)reg_read(d, R_FEATURES) << 32;
    reg_write(d, R_FEATURES_SEL, 0);
    return offer | reg_read(d, R_FEATURES);
}

void dev_accept(struct dev *d, u64 features)
{
    d->features = features;
    reg_write(d, R_DRIVER_FEATURES_SEL, 0);
    reg_write(d, R_DRIVER_FEATURES, (u32)features);
    reg_write(d, R_DRIVER_FEATURES_SEL, 1);
    reg_write(d, R_DRIVER_FEATURES, (u32)(features >> 32));
}

bool dev_negotiate(struct dev *d, u64 features)
{
    reg_write(d, R_STATUS, S_ACK);
    reg_write(d, R_STATUS, S_ACK | S_DRIVER);
    dev_accept(d, features);
    reg_write(d, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK);
    return reg_read(d, R_STATUS) & S_FEATURES_OK;
}

void queue_set(struct dev *d, u32 i, u32 num)
{
    struct queue *q = &d->q[i];

    q->num = num;
    q->used_idx = 0;
    fill(q->desc, 0, 4096);
    fill(q->avail, 0, 4096);
    fill(q->used, 0, 4096);
    reg_write(d, R_QUEUE_SEL, i);
    reg_write(d, R_QUEUE_NUM, num);
    reg_write64(d, R_DESC, (u64)q->desc);
    reg_write64(d, R_AVAIL, (u64)q->avail);
    reg_write64(d, R_USED, (u64)q->used);
}

bool queue_ready(struct dev *d, u32 i)
{
    reg_write(d, R_QUEUE_SEL, i);
    reg_write(d, R_QUEUE_READY, 1);
    return reg_read(d, R_QUEUE_READY) == 1;
}

void dev_ok(struct dev *d)
{
    reg_write(d, R_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

bool dev_up_without(struct dev *d, u64 without)
{
    if (!dev_negotiate(d, dev_offered(d) & ~(F_EVENT_IDX | without)))
        return false;
    for (u32 i = 0; i < QUEUES_MAX; i++) {
        reg_write(d, R_QUEUE_SEL, i);
        if (reg_read(d, R_QUEUE_MAX) < NUM)
            continue;
        queue_set(d, i, NUM);
        if (!queue_ready(d, i))
            return false;
    }
    dev_ok(d);
    return reg_read(d, R_STATUS) ==
           (S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

bool dev_reset(struct dev *d)
{
    u64 from = ticks();

    reg_write(d, R_STATUS, 0);
    while (reg_read(d, R_STATUS) != 0) {
        if (ticks() - from > PATIENCE)
            return false;
    }
    return true;
}

void chain(struct queue *q, u16 head, const struct buf *buf, u16 n)
{
    for (u16 i = 0; i < n; i++) {
        volatile struct desc *at = &q->desc[head + i];

        at->addr = (u64)buf[i].at;
        at->len = buf[i].len;
        at->flags = buf[i].flags | (i + 1 < n ? D_NEXT : 0);
        at->next = head + i + 1;
    }
}

void publish(struct queue *q, u16 head)
{
    u16 idx = q->avail->idx;

    q->avail->ring[idx % q->num] = head;
    q->avail->idx = idx + 1;
}

void notify(const struct dev *d, u32 i)
{
    reg_write(d, R_NOTIFY, i);
}

enum verdict wait_used(struct dev *d, u32 i, u32 *len)
{
    struct queue *q = &d->q[i];
    u64 from = ticks();

    while (q->used->idx == q->used_idx) {
        if (reg_read(d, R_STATUS) & S_NEEDS_RESET)
            return NEEDS_RESET;
        if (ticks() - from > PATIENCE)
            return SILENT;
    }
    if (len)
        *len = q->used->ring[q->used_idx % q->num].len;
    q->used_idx++;
    return PASS;
}

enum verdict wait_broken(struct dev *d)
{
    u64 from = ticks();

    while (!(reg_read(d, R_STATUS) & S_NEEDS_RESET)) {
        if (ticks() - from > PATIENCE)
            return WRONG;
    }
    return NEEDS_RESET;
}

enum verdict send(struct dev *d, u32 i, const struct buf *buf, u16 n, u32 *len)
{
    chain(&d->q[i], 0, buf, n);
    publish(&d->q[i], 0);
    notify(d, i);
    return wait_used(d, i, len);
}
