/* SPDX-License-Identifier: Apache-2.0 */
/* vq_ring.h: one virtqueue in RAM of the test's, written by hand */
#ifndef MOTE_TEST_VQ_RING_H
#define MOTE_TEST_VQ_RING_H

#include "virtio/dev.h"

/* Comparisons without Check's bookkeeping, which would take the time. */
#define must(cond)                                                             \
    do {                                                                       \
        if (!(cond))                                                           \
            ck_abort_msg("%s", #cond);                                         \
    } while (0)

#define NEXT     1
#define WRITE    2
#define INDIRECT 4

#define DESC  0x1000ull
#define AVAIL 0x3000ull
#define USED  0x4000ull
#define TABLE 0x6000ull /* an indirect one */
#define BUF   0x10000ull
#define RAM   (16 * MIB)

struct desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};

struct ring {
    struct mem *mem;
    struct vq vq;
    u32 num;
};

static inline void ring_up(struct ring *r, u64 ram, u16 num, u64 features)
{
    struct vq_config cfg = {
        .num = num, .desc = DESC, .avail = AVAIL, .used = USED};

    r->num = num;
    ck_assert_int_eq(mem_new(&r->mem, ram), 0);
    ck_assert_int_eq(vq_init(&r->vq, 0, num), 0);
    ck_assert_int_eq(vq_start(&r->vq, r->mem, &cfg, features), 0);
}

static inline void ring_down(struct ring *r)
{
    vq_fini(&r->vq);
    mem_free(r->mem);
}

/* Rings as after a reset, without new memory. */
static inline void ring_again(struct ring *r, u64 features)
{
    struct vq_config cfg = r->vq.cfg;

    mem_fill(r->mem, AVAIL, 0, 6 + 2 * r->num);
    mem_fill(r->mem, USED, 0, 6 + 8 * r->num);
    must(vq_start(&r->vq, r->mem, &cfg, features) == 0);
}

static inline void put16(struct ring *r, u64 gpa, u16 val)
{
    must(mem_write(r->mem, gpa, &val, sizeof(val)) == 0);
}

static inline u16 get16(struct ring *r, u64 gpa)
{
    u16 val;

    must(mem_read(r->mem, gpa, &val, sizeof(val)) == 0);
    return val;
}

static inline void put_desc(struct ring *r, u64 table, u32 i,
                            const struct desc *d)
{
    must(mem_write(r->mem, table + 16 * i, d, sizeof(*d)) == 0);
}

/* Make head available, as the driver's entry number pos. */
static inline void offer(struct ring *r, u16 pos, u16 head)
{
    put16(r, AVAIL + 4 + 2 * (pos % r->num), head);
    put16(r, AVAIL + 2, pos + 1);
}

#endif
