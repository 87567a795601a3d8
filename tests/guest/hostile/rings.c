/* SPDX-License-Identifier: Apache-2.0 */
/* rings.c: split virtqueues (virtio 1.2, 2.7), on a drive */
#include "hostile.h"

/* A correct request in descriptors 0 to 2: read a sector to at. */
static void put_read(struct queue *q, const volatile void *at)
{
    struct buf buf[3] = {{&blk_header, sizeof(blk_header), 0},
                         {at, 512, D_WRITE},
                         {&blk_status, 1, D_WRITE}};

    blk_header.type = BLK_IN;
    blk_header.sector = 0;
    blk_status = 0xee;
    chain(q, 0, buf, 3);
}

static enum verdict go(struct dev *d)
{
    publish(&d->q[0], 0);
    notify(d, 0);
    return blk_verdict(wait_used(d, 0, NULL));
}

/* ---- the avail ring ------------------------------------------------------ */

static enum verdict avail_jump(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].avail->idx += (u16)arg;
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

static enum verdict avail_back(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    if (go(d) != PASS)
        return WRONG;
    d->q[0].avail->idx--;
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

static enum verdict avail_head(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    publish(&d->q[0], (u16)arg);
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

static enum verdict avail_twice(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    while (arg-- > 0)
        publish(&d->q[0], 0);
    notify(d, 0);
    return blk_verdict(wait_used(d, 0, NULL));
}

/* No descriptor but zeroes: an empty buffer at address 0. */
static enum verdict avail_empty(struct dev *d, u64 arg)
{
    return go(d);
}

static enum verdict avail_flags(struct dev *d, u64 arg)
{
    d->q[0].avail->flags = (u16)arg;
    return still_works(d);
}

static enum verdict used_event(struct dev *d, u64 arg)
{
    dev_negotiate(d, dev_offered(d));
    queue_set(d, 0, NUM);
    queue_ready(d, 0);
    dev_ok(d);
    d->q[0].avail->ring[NUM] = (u16)arg;
    return still_works(d);
}

static enum verdict used_scribble(struct dev *d, u64 arg)
{
    fill(d->q[0].used, 0xff, 6 + 8 * NUM);
    d->q[0].used_idx = 0xffff;
    put_read(&d->q[0], scratch[0]);
    publish(&d->q[0], 0);
    notify(d, 0);
    d->q[0].used_idx = 0xffff;
    return blk_verdict(wait_used(d, 0, NULL));
}

/* ---- descriptors --------------------------------------------------------- */

/* A descriptor of the correct chain: another address, length, flags, next. */
static enum verdict desc_addr(struct dev *d, u64 arg)
{
    put_read(&d->q[0], (const void *)arg);
    return go(d);
}

static enum verdict desc_len(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[1].len = (u32)arg;
    return go(d);
}

static enum verdict header_len(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[0].len = (u32)arg;
    return go(d);
}

static enum verdict desc_next(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[1].next = (u16)arg;
    return go(d);
}

static enum verdict last_next(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[2].flags |= D_NEXT;
    d->q[0].desc[2].next = (u16)arg;
    return go(d);
}

static enum verdict desc_flags(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[1].flags ^= (u16)arg;
    return go(d);
}

static enum verdict out_after_in(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[0].flags |= D_WRITE;
    d->q[0].desc[1].flags &= ~D_WRITE;
    return go(d);
}

/* All entries readable, each pointing to the next, the last to the first. */
static enum verdict ring_of_all(struct dev *d, u64 arg)
{
    for (u32 i = 0; i < NUM; i++)
        d->q[0].desc[i] =
            (struct desc){(u64)scratch[0], 1, D_NEXT, (u16)((i + 1) % NUM)};
    return go(d);
}

/* 4 GiB in one chain, each byte of it RAM. */
static enum verdict four_gib(struct dev *d, u64 arg)
{
    dev_negotiate(d, dev_offered(d) & ~F_EVENT_IDX);
    queue_set(d, 0, NUM_MAX);
    if (!queue_ready(d, 0))
        return WRONG;
    dev_ok(d);
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[0].next = 1;
    for (u16 i = 1; i < NUM_MAX; i++)
        d->q[0].desc[i] =
            (struct desc){8 * MIB, 20 * MIB, D_NEXT | D_WRITE, (u16)(i + 1)};
    d->q[0].desc[NUM_MAX - 1].flags = D_WRITE;
    return go(d);
}

/* Into memory that the device reads and writes itself. */
static enum verdict over_desc(struct dev *d, u64 arg)
{
    put_read(&d->q[0], d->q[0].desc);
    return go(d);
}

static enum verdict over_avail(struct dev *d, u64 arg)
{
    put_read(&d->q[0], d->q[0].avail);
    return go(d);
}

static enum verdict over_used(struct dev *d, u64 arg)
{
    put_read(&d->q[0], d->q[0].used);
    return go(d);
}

static enum verdict over_status(struct dev *d, u64 arg)
{
    put_read(&d->q[0], scratch[0]);
    d->q[0].desc[2].addr = (u64)scratch[0];
    publish(&d->q[0], 0);
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

/* ---- indirect tables (2.7.5.3) ------------------------------------------- */

static volatile struct desc table[2 * NUM_MAX + 1];

/* The correct chain, moved to the table. */
static struct queue *put_indirect(struct dev *d)
{
    struct queue *q = &d->q[0];

    put_read(q, scratch[0]);
    for (u32 i = 0; i < 3; i++)
        table[i] = q->desc[i];
    q->desc[0] = (struct desc){(u64)table, 3 * 16, D_INDIRECT, 0};
    return q;
}

static enum verdict indirect_without(struct dev *d, u64 arg)
{
    if (!dev_up_without(d, F_INDIRECT))
        return WRONG;
    put_indirect(d);
    return go(d);
}

static enum verdict indirect_len(struct dev *d, u64 arg)
{
    put_indirect(d)->desc[0].len = (u32)arg;
    return go(d);
}

static enum verdict indirect_addr(struct dev *d, u64 arg)
{
    put_indirect(d)->desc[0].addr = arg;
    return go(d);
}

static enum verdict indirect_flags(struct dev *d, u64 arg)
{
    put_indirect(d)->desc[0].flags |= (u16)arg;
    return go(d);
}

static enum verdict indirect_misaligned(struct dev *d, u64 arg)
{
    volatile u8 *from = (volatile u8 *)table, *to = scratch[1] + arg;

    put_indirect(d)->desc[0].addr = (u64)to;
    for (u32 i = 0; i < 48; i++)
        to[i] = from[i];
    return go(d);
}

static enum verdict indirect_nested(struct dev *d, u64 arg)
{
    put_indirect(d);
    table[1] = (struct desc){(u64)table, 3 * 16, D_INDIRECT | (u16)arg, 2};
    return go(d);
}

static enum verdict indirect_next(struct dev *d, u64 arg)
{
    put_indirect(d);
    table[1].next = (u16)arg;
    return go(d);
}

/* A header in the ring, the rest in a table: its NEXT is of the ring. */
static enum verdict indirect_second(struct dev *d, u64 arg)
{
    struct queue *q = put_indirect(d);

    q->desc[0] = table[0];
    q->desc[0].next = 1;
    table[0] = table[1];
    table[0].next = 1;
    table[1] = table[2];
    q->desc[1] = (struct desc){(u64)table, 2 * 16, D_INDIRECT, 0};
    return go(d);
}

/* So many buffers of a byte in one table. */
static enum verdict indirect_many(struct dev *d, u64 arg)
{
    struct queue *q = put_indirect(d);

    for (u32 i = 0; i < arg; i++)
        table[i] = (struct desc){(u64)scratch[0], 1, D_NEXT, (u16)(i + 1)};
    table[arg - 1].flags = 0;
    q->desc[0].len = (u32)arg * 16;
    return go(d);
}

/* clang-format off */
static const struct test tests[] = {
    {"avail idx beyond the queue", avail_jump, NUM + 1},
    {"avail idx far ahead", avail_jump, 0x8000},
    {"avail idx one back", avail_back},
    {"avail idx at once by 65535", avail_jump, 0xffff},
    {"head beyond the queue", avail_head, NUM},
    {"head 65535", avail_head, 0xffff},
    {"the same head twice", avail_twice, 2},
    {"the same head in the whole ring", avail_twice, NUM},
    {"a descriptor of zeroes", avail_empty},
    {"avail flags of ones", avail_flags, 0xffff},
    {"used_event behind", used_event, 0x8000, true},
    {"used_event ahead", used_event, 0x1234, true},
    {"used ring written by the driver", used_scribble},
    {"buffer at the end of RAM", desc_addr, RAM_END - 512},
    {"buffer across the end of RAM", desc_addr, RAM_END - 511},
    {"buffer behind RAM", desc_addr, RAM_END},
    {"buffer at 3 GiB", desc_addr, 0xc0000000},
    {"buffer in registers", desc_addr, MMIO_BASE},
    {"buffer in the local APIC", desc_addr, 0xfee00000},
    {"buffer above 4 GiB", desc_addr, 1ull << 32},
    {"buffer that wraps around", desc_addr, ~0ull - 100},
    {"buffer at the last byte", desc_addr, ~0ull},
    {"buffer at 2^63", desc_addr, 1ull << 63},
    {"buffer over the BIOS area", desc_addr, 0xf8000},
    {"writable buffer of no bytes", desc_len, 0},
    {"readable buffer of no bytes", header_len, 0},
    {"buffer of 4 GiB - 1", desc_len, 0xffffffff},
    {"buffer of 2 GiB", desc_len, 1u << 31},
    {"header of 4 GiB - 1", header_len, 0xffffffff},
    {"chain of 5 GiB", four_gib, 0, true},
    {"next beyond the queue", desc_next, NUM},
    {"next 65535", desc_next, 0xffff},
    {"a descriptor that follows itself", desc_next, 1},
    {"a loop of two", last_next, 1},
    {"a loop through the head", last_next, 0},
    {"a loop through the whole queue", ring_of_all},
    {"unknown descriptor flags", desc_flags, 0xfff8},
    {"readable behind writable", out_after_in},
    {"buffer over the descriptors", over_desc},
    {"buffer over the avail ring", over_avail, 0, false, true},
    {"buffer over the used ring", over_used, 0, false, true},
    {"status inside the data", over_status},
    {"indirect without the feature", indirect_without, 0, true},
    {"indirect table of no bytes", indirect_len, 0},
    {"indirect table of 15 bytes", indirect_len, 15},
    {"indirect table of 47 bytes", indirect_len, 47},
    {"indirect table of two of three", indirect_len, 32},
    {"indirect table of 4 GiB - 16", indirect_len, 0xfffffff0},
    {"indirect table of 16 MiB", indirect_len, 16 * MIB},
    {"indirect table behind RAM", indirect_addr, RAM_END},
    {"indirect table across the end of RAM", indirect_addr, RAM_END - 32},
    {"indirect table in registers", indirect_addr, MMIO_BASE},
    {"indirect table that wraps around", indirect_addr, ~0ull - 15},
    {"indirect table misaligned", indirect_misaligned, 3},
    {"indirect and NEXT", indirect_flags, D_NEXT},
    {"indirect and WRITE", indirect_flags, D_WRITE},
    {"indirect in indirect", indirect_nested, 0},
    {"indirect in indirect and NEXT", indirect_nested, D_NEXT},
    {"indirect next beyond its table", indirect_next, 3},
    {"indirect next 65535", indirect_next, 0xffff},
    {"indirect loop", indirect_next, 1},
    {"indirect behind a direct one", indirect_second},
    {"indirect longer than the queue", indirect_many, NUM + 1},
    {"indirect longer than any queue", indirect_many, 2 * NUM_MAX + 1},
};
/* clang-format on */

const struct suite rings_suite = {"rings", ID_BLK, 0, tests, ARRAY_SIZE(tests)};
