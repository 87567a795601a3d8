/* SPDX-License-Identifier: Apache-2.0 */
/* vq.c: hostile chains, event indices, chains that come and go */
#include <check.h>

#include "vq_ring.h"

/* ---- one breach at a time -------------------------------------------------
 */

#define LOW_END 0xc0000000ull

static const struct hostile {
    const char *name;
    struct desc d[4];
    struct desc t[4];
    u16 head, ahead; /* avail idx - 1 */
    bool no_indirect;
    const char *why; /* NULL: fine */
} hostiles[] = {
    {"good", {{BUF, 16, 0, 0}}, .why = NULL},
    {"unknown flags", {{BUF, 16, 0xfff8, 0}}, .why = NULL},
    {"read, write",
     {{BUF, 16, NEXT, 3}, {0}, {0}, {BUF + 16, 4096, WRITE, 9}},
     .why = NULL},
    {"whole low RAM end", {{LOW_END - 16, 16, WRITE, 0}}, .why = NULL},
    {"zero length", {{BUF, 0, 0, 0}}, .why = "zero bytes"},
    {"zero length last",
     {{BUF, 1, NEXT, 1}, {BUF, 0, WRITE, 0}},
     .why = "zero bytes"},
    {"one byte too far", {{LOW_END - 16, 17, 0, 0}}, .why = "outside RAM"},
    {"in the hole", {{LOW_END, 1, 0, 0}}, .why = "outside RAM"},
    {"over the hole",
     {{LOW_END - 4096, 0x50000000, 0, 0}},
     .why = "outside RAM"},
    {"address wraps", {{~0ull, 2, 0, 0}}, .why = "outside RAM"},
    {"address wraps to 0", {{~0ull - 15, 32, WRITE, 0}}, .why = "outside RAM"},
    {"device register", {{0xfee00000, 4, WRITE, 0}}, .why = "outside RAM"},
    {"4 GiB",
     {{0, 1u << 31, NEXT, 1}, {0, 1u << 31, 0, 0}},
     .why = "4 GiB or more"},
    {"4 GiB - 1",
     {{0, 1u << 31, NEXT, 1}, {0, (1u << 31) - 1, WRITE, 0}},
     .why = NULL},
    {"readable after writable",
     {{BUF, 1, NEXT | WRITE, 1}, {BUF, 1, 0, 0}},
     .why = "after a writable"},
    {"loop of one", {{BUF, 1, NEXT, 0}}, .why = "longer than the queue"},
    {"loop of three",
     {{BUF, 1, NEXT, 1}, {BUF, 1, NEXT, 2}, {BUF, 1, NEXT, 0}},
     .why = "longer than the queue"},
    {"next beyond", {{BUF, 1, NEXT, 4}}, .why = "beyond its table"},
    {"next far beyond", {{BUF, 1, NEXT, 0xffff}}, .why = "beyond its table"},
    {"head beyond", {{BUF, 1, 0, 0}}, .head = 4, .why = "head beyond"},
    {"head far beyond", {{BUF, 1, 0, 0}}, .head = 65535, .why = "head beyond"},
    {"index too far", {{BUF, 1, 0, 0}}, .ahead = 4, .why = "too far ahead"},
    {"index back", {{BUF, 1, 0, 0}}, .ahead = 65534, .why = "too far ahead"},
    {"same head twice", {{BUF, 1, 0, 0}}, .ahead = 1, .why = "in flight"},
    {"indirect", {{TABLE, 16, INDIRECT, 0}}, {{BUF, 1, 0, 0}}, .why = NULL},
    {"indirect, write bit ignored",
     {{TABLE, 16, INDIRECT | WRITE, 0}},
     {{BUF, 1, 0, 0}},
     .why = NULL},
    {"direct, then indirect",
     {{BUF, 1, NEXT, 1}, {TABLE, 32, INDIRECT, 0}},
     {{BUF, 1, NEXT, 1}, {BUF, 1, WRITE, 0}},
     .why = NULL},
    {"indirect not offered",
     {{TABLE, 16, INDIRECT, 0}},
     {{BUF, 1, 0, 0}},
     .no_indirect = true,
     .why = "without the feature"},
    {"indirect and next",
     {{TABLE, 16, INDIRECT | NEXT, 0}},
     {{BUF, 1, 0, 0}},
     .why = "not the last"},
    {"indirect in indirect",
     {{TABLE, 32, INDIRECT, 0}},
     {{TABLE, 32, INDIRECT, 0}},
     .why = "inside another"},
    {"empty table", {{TABLE, 0, INDIRECT, 0}}, .why = "odd size"},
    {"table of 15", {{TABLE, 15, INDIRECT, 0}}, .why = "odd size"},
    {"table of 17", {{TABLE, 17, INDIRECT, 0}}, .why = "odd size"},
    {"table of 257 entries",
     {{TABLE, 257 * 16, INDIRECT, 0}},
     .why = "odd size"},
    {"table of 4 GiB - 16",
     {{TABLE, 0xfffffff0, INDIRECT, 0}},
     .why = "odd size"},
    {"table outside RAM",
     {{LOW_END - 16, 32, INDIRECT, 0}},
     .why = "table outside RAM"},
    {"table leads out",
     {{TABLE, 16, INDIRECT, 0}},
     {{BUF, 1, NEXT, 1}},
     .why = "beyond its table"},
    {"loop in a table",
     {{TABLE, 64, INDIRECT, 0}},
     {{BUF, 1, NEXT, 1}, {BUF, 1, NEXT, 0}},
     .why = "longer than the queue"},
    {"table longer than the queue",
     {{BUF, 1, NEXT, 1}, {TABLE, 64, INDIRECT, 0}},
     {{BUF, 1, NEXT, 1}, {BUF, 1, NEXT, 2}, {BUF, 1, NEXT, 3}, {BUF, 1, 0, 0}},
     .why = "longer than the queue"},
    {"order across the table",
     {{BUF, 1, NEXT | WRITE, 1}, {TABLE, 16, INDIRECT, 0}},
     {{BUF, 1, 0, 0}},
     .why = "after a writable"},
};

START_TEST(test_hostile)
{
    const struct hostile *h = &hostiles[_i];
    u64 features = h->no_indirect ? 0 : VIRTIO_F_INDIRECT_DESC;
    struct vq_chain c;
    struct ring r;
    int got;

    ring_up(&r, 5 * GIB, 4, features);
    for (u32 i = 0; i < 4; i++) {
        put_desc(&r, DESC, i, &h->d[i]);
        put_desc(&r, TABLE, i, &h->t[i]);
        offer(&r, (u16)i, h->head);
    }
    put16(&r, AVAIL + 2, h->ahead + 1);
    got = vq_pop(&r.vq, &c);
    if (got > 0 && h->ahead > 0)
        got = vq_pop(&r.vq, &c);
    if (h->why) {
        ck_assert_msg(got == -EPROTO, "%s: %d", h->name, got);
        ck_assert_msg(strstr(r.vq.why, h->why) != NULL, "%s: %s", h->name,
                      r.vq.why);
    } else {
        ck_assert_msg(got == 1, "%s: %s", h->name, r.vq.why);
        ck_assert_int_eq(vq_pop(&r.vq, &c), 0);
    }
    ring_down(&r);
}
END_TEST

static const struct setup {
    u32 num;
    u64 desc, avail, used;
    int want;
} setups[] = {
    {8, DESC, AVAIL, USED, 0},
    {1, DESC, AVAIL, USED, 0},
    {16, DESC, AVAIL, USED, 0},
    {0, DESC, AVAIL, USED, -EINVAL},
    {3, DESC, AVAIL, USED, -EINVAL},
    {32, DESC, AVAIL, USED, -EINVAL},
    {0x10000, DESC, AVAIL, USED, -EINVAL},
    {0x80000000, DESC, AVAIL, USED, -EINVAL},
    {0xffffffff, DESC, AVAIL, USED, -EINVAL},
    {8, DESC + 8, AVAIL, USED, -EINVAL},
    {8, DESC, AVAIL + 1, USED, -EINVAL},
    {8, DESC, AVAIL + 2, USED, 0},
    {8, DESC, AVAIL, USED + 2, -EINVAL},
    {8, RAM - 128, AVAIL, USED, 0},
    {8, RAM - 112, AVAIL, USED, -EINVAL},
    {8, DESC, RAM - 22, USED, 0},
    {8, DESC, RAM - 20, USED, -EINVAL},
    {8, DESC, AVAIL, RAM - 72, 0},
    {8, DESC, AVAIL, RAM - 68, -EINVAL},
    {8, ~0ull - 15, AVAIL, USED, -EINVAL},
    {8, DESC, ~0ull - 1, USED, -EINVAL},
    {8, DESC, AVAIL, 1ull << 63, -EINVAL},
};

START_TEST(test_setup)
{
    const struct setup *t = &setups[_i];
    struct vq_config cfg = {t->num, t->desc, t->avail, t->used};
    struct ring r;

    ring_up(&r, RAM, 16, 0);
    ck_assert_int_eq(vq_check(&r.vq, r.mem, &cfg), t->want);
    ck_assert_int_eq(vq_start(&r.vq, r.mem, &cfg, 0), t->want);
    ring_down(&r);
}
END_TEST

/* ---- pop, unpop, push -----------------------------------------------------
 */

static void one_desc(struct ring *r)
{
    for (u32 i = 0; i < r->num; i++)
        put_desc(r, DESC, i, &(struct desc){BUF + 16 * i, 16, WRITE, 0});
}

/* Both indices wrap, out of order, with something always in flight. */
START_TEST(test_wrap)
{
    struct vq_chain c[4];
    struct ring r;
    u16 avail = 0, used = 0;

    ring_up(&r, RAM, 4, VIRTIO_F_EVENT_IDX);
    one_desc(&r);
    for (u16 i = 0; i < 4; i++)
        offer(&r, avail++, i);
    ck_assert_int_eq(vq_pop(&r.vq, &c[0]), 1);
    for (u32 n = 0; n < 70000; n++) {
        ck_assert_int_eq(vq_pop(&r.vq, &c[1]), 1);
        vq_push(&r.vq, &c[n & 1], 16);
        ck_assert_uint_eq(get16(&r, USED + 2), ++used);
        offer(&r, avail++, c[n & 1].head);
        c[0] = c[~n & 1];
    }
    ring_down(&r);
}
END_TEST

/* What was put back comes again, in the same order, and counts once. */
START_TEST(test_unpop)
{
    struct vq_chain a, b;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    one_desc(&r);
    offer(&r, 0, 2);
    offer(&r, 1, 3);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(vq_pop(&r.vq, &a), 1);
        ck_assert_int_eq(vq_pop(&r.vq, &b), 1);
        ck_assert_uint_eq(a.head, 2);
        ck_assert_uint_eq(b.head, 3);
        vq_unpop(&r.vq, &b);
        vq_unpop(&r.vq, &a);
    }
    ck_assert_uint_eq(r.vq.requests, 0);
    ck_assert_uint_eq(r.vq.inflight, 0);
    ring_down(&r);
}
END_TEST

START_TEST(test_fill_is_hidden)
{
    struct vq_chain a, b;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    one_desc(&r);
    offer(&r, 0, 2);
    offer(&r, 1, 3);
    ck_assert_int_eq(vq_pop(&r.vq, &a), 1);
    ck_assert_int_eq(vq_pop(&r.vq, &b), 1);
    vq_fill(&r.vq, &a, 5);
    ck_assert_uint_eq(get16(&r, USED + 2), 0);
    ck_assert(!vq_wants_irq(&r.vq));
    vq_push(&r.vq, &b, 6);
    ck_assert_uint_eq(get16(&r, USED + 2), 2);
    ck_assert_uint_eq(get16(&r, USED + 4), 2);
    ck_assert_uint_eq(get16(&r, USED + 8), 5);
    ck_assert_uint_eq(get16(&r, USED + 12), 3);
    ck_assert_uint_eq(get16(&r, USED + 16), 6);
    ck_assert(vq_wants_irq(&r.vq));
    ck_assert_uint_eq(r.vq.bytes_in, 11);
    ring_down(&r);
}
END_TEST

/* After a stop nothing is taken and nothing is told; chains still come home. */
START_TEST(test_stop)
{
    struct vq_chain a, b;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    one_desc(&r);
    offer(&r, 0, 2);
    offer(&r, 1, 3);
    ck_assert_int_eq(vq_pop(&r.vq, &a), 1);
    vq_stop(&r.vq);
    ck_assert_int_eq(vq_pop(&r.vq, &b), 0);
    vq_push(&r.vq, &a, 16);
    ck_assert_uint_eq(get16(&r, USED + 2), 0);
    ck_assert_uint_eq(r.vq.inflight, 0);
    ck_assert(!vq_wants_irq(&r.vq));
    ring_down(&r);
}
END_TEST

/* A kick takes so many chains and no more; the next one goes on. */
START_TEST(test_budget)
{
    struct vq_chain c;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    one_desc(&r);
    for (u16 i = 0; i < 3; i++)
        offer(&r, i, i);
    r.vq.budget = 2 + 1;
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert(!r.vq.again);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 0);
    ck_assert(r.vq.again);
    r.vq.again = false;
    r.vq.budget = 0;
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 0);
    ring_down(&r);
}
END_TEST

/* A look ahead leaves a wrong index for the pop to find. */
START_TEST(test_hostile_peek)
{
    struct vq_chain c;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    one_desc(&r);
    put16(&r, AVAIL + 2, 5);
    ck_assert(vq_peek(&r.vq));
    ck_assert_int_eq(vq_pop(&r.vq, &c), -EPROTO);
    ck_assert_str_eq(r.vq.why, "an avail index too far ahead");
    ring_down(&r);
}
END_TEST

/* ---- notifications and interrupts -----------------------------------------
 */

/* Busy: the driver is asked for quiet. Empty: to tell of the next. */
START_TEST(test_notify_flag)
{
    struct vq_chain c;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    one_desc(&r);
    offer(&r, 0, 0);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert_uint_eq(get16(&r, USED), 1);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 0);
    ck_assert_uint_eq(get16(&r, USED), 0);
    vq_hush(&r.vq);
    ck_assert_uint_eq(get16(&r, USED), 1);
    ck_assert(!vq_peek(&r.vq));
    ck_assert_uint_eq(get16(&r, USED), 1);
    ring_down(&r);
}
END_TEST

START_TEST(test_notify_event)
{
    struct vq_chain c;
    struct ring r;

    ring_up(&r, RAM, 4, VIRTIO_F_EVENT_IDX);
    one_desc(&r);
    offer(&r, 0, 0);
    offer(&r, 1, 1);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert_uint_eq(get16(&r, USED + 4 + 32), 0);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 0);
    ck_assert_uint_eq(get16(&r, USED + 4 + 32), 2);
    ck_assert_uint_eq(get16(&r, USED), 0);
    offer(&r, 2, 2);
    ck_assert(vq_peek(&r.vq));
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    ck_assert(!vq_peek(&r.vq));
    ck_assert_uint_eq(get16(&r, USED + 4 + 32), 2);
    ring_down(&r);
}
END_TEST

static const struct irq_case {
    u64 features;
    u16 flags, event, start, pushes;
    bool want;
} irqs[] = {
    {0, 0, 0, 0, 1, true},
    {0, 0, 0, 0, 0, false},
    {0, 1, 0, 0, 1, false},
    {0, 0, 77, 0, 4, true},
    {VIRTIO_F_EVENT_IDX, 0, 0, 0, 1, true},
    {VIRTIO_F_EVENT_IDX, 1, 0, 0, 1, true}, /* 2.7.7.1: flags do not count */
    {VIRTIO_F_EVENT_IDX, 0, 0, 0, 0, false},
    {VIRTIO_F_EVENT_IDX, 0, 1, 0, 1, false},
    {VIRTIO_F_EVENT_IDX, 0, 1, 0, 2, true},
    {VIRTIO_F_EVENT_IDX, 0, 3, 0, 3, false},
    {VIRTIO_F_EVENT_IDX, 0, 3, 0, 4, true},
    {VIRTIO_F_EVENT_IDX, 0, 65535, 0, 4, false},
    {VIRTIO_F_EVENT_IDX, 0, 65535, 65534, 1, false},
    {VIRTIO_F_EVENT_IDX, 0, 65535, 65534, 2, true},
    {VIRTIO_F_EVENT_IDX, 0, 0, 65534, 2, false},
    {VIRTIO_F_EVENT_IDX, 0, 0, 65534, 3, true},
    {VIRTIO_F_EVENT_IDX, 0, 65533, 65534, 4, false}, /* passed long ago */
};

START_TEST(test_irq)
{
    const struct irq_case *t = &irqs[_i];
    struct vq_chain c;
    struct ring r;

    ring_up(&r, RAM, 4, t->features);
    one_desc(&r);
    r.vq.next_used = r.vq.shown_used = r.vq.told_used = t->start;
    put16(&r, AVAIL, t->flags);
    put16(&r, AVAIL + 4 + 8, t->event);
    for (u16 i = 0; i < t->pushes; i++) {
        offer(&r, i, i);
        ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
        vq_push(&r.vq, &c, 0);
    }
    ck_assert_int_eq(vq_wants_irq(&r.vq), t->want);
    ck_assert(!vq_wants_irq(&r.vq)); /* once */
    ring_down(&r);
}
END_TEST

/* ---- the interpreter is told what was written -----------------------------
 */

static struct {
    u64 gpa, len;
} told[4];
static unsigned int nr_told;

static void on_written(void *ctx, u64 gpa, u64 len)
{
    ck_assert_uint_lt(nr_told, ARRAY_SIZE(told));
    told[nr_told].gpa = gpa;
    told[nr_told++].len = len;
}

START_TEST(test_code_written)
{
    static const struct desc d[] = {{BUF, 8, NEXT, 1},
                                    {BUF + 100, 10, NEXT | WRITE, 2},
                                    {BUF + 300, 30, WRITE, 0}};
    struct vq_chain c;
    struct ring r;

    ring_up(&r, RAM, 4, 0);
    for (u32 i = 0; i < 3; i++)
        put_desc(&r, DESC, i, &d[i]);
    offer(&r, 0, 0);
    ck_assert_int_eq(vq_pop(&r.vq, &c), 1);
    vq_skip_in(&c, 15);
    nr_told = 0;
    r.mem->written = on_written;
    vq_push(&r.vq, &c, 15);
    r.mem->written = NULL;
    ck_assert_uint_eq(nr_told, 2);
    ck_assert_uint_eq(told[0].gpa, BUF + 100);
    ck_assert_uint_eq(told[0].len, 10);
    ck_assert_uint_eq(told[1].gpa, BUF + 300);
    ck_assert_uint_eq(told[1].len, 30);
    ring_down(&r);
}
END_TEST

/* ---- the bytes of a chain -------------------------------------------------
 */

struct bytes {
    u8 out[12], in[12];
    struct iovec iov[6];
    struct vq_chain c;
};

/* 12 readable bytes in 5 + 1 + 6, 12 writable ones in 4 + 7 + 1. */
static void bytes_up(struct bytes *b)
{
    *b = (struct bytes){0};
    for (u8 i = 0; i < 12; i++)
        b->out[i] = i;
    b->iov[0] = (struct iovec){b->out, 5};
    b->iov[1] = (struct iovec){b->out + 5, 1};
    b->iov[2] = (struct iovec){b->out + 6, 6};
    b->iov[3] = (struct iovec){b->in, 4};
    b->iov[4] = (struct iovec){b->in + 4, 7};
    b->iov[5] = (struct iovec){b->in + 11, 1};
    b->c = (struct vq_chain){.out = b->iov,
                             .in = b->iov + 3,
                             .nr_out = 3,
                             .nr_in = 3,
                             .out_len = 12,
                             .in_len = 12};
}

START_TEST(test_take)
{
    u8 buf[12] = {0};
    struct bytes b;

    bytes_up(&b);
    ck_assert(vq_take(&b.c, buf, (u32)_i));
    ck_assert_int_eq(memcmp(buf, b.out, (size_t)_i), 0);
    ck_assert_uint_eq(b.c.out_len, 12 - (u32)_i);
    ck_assert(!vq_take(&b.c, buf, 13 - (u32)_i));
    ck_assert(vq_take(&b.c, buf + _i, 12 - (u32)_i));
    ck_assert_int_eq(memcmp(buf, b.out, 12), 0);
    ck_assert_uint_eq(b.c.nr_out, 0);
    ck_assert_uint_eq(b.c.in_len, 12);
}
END_TEST

START_TEST(test_put)
{
    static const u8 data[16] = "0123456789abcdef";
    struct bytes b;

    bytes_up(&b);
    ck_assert_uint_eq(vq_put(&b.c, data, (u32)_i), (u32)_i);
    ck_assert_uint_eq(vq_put(&b.c, data + _i, 16), 12 - (u32)_i);
    ck_assert_int_eq(memcmp(b.in, data, 12), 0);
    ck_assert_uint_eq(b.c.nr_in, 0);
    ck_assert_uint_eq(vq_put(&b.c, data, 1), 0);
}
END_TEST

START_TEST(test_skip)
{
    struct bytes b;
    u8 byte;

    bytes_up(&b);
    vq_skip_out(&b.c, 7);
    ck_assert(vq_take(&b.c, &byte, 1));
    ck_assert_uint_eq(byte, 7);
    vq_skip_out(&b.c, 4);
    ck_assert_uint_eq(b.c.nr_out, 0);
    vq_skip_in(&b.c, 4);
    ck_assert_uint_eq(b.c.nr_in, 2);
    ck_assert_ptr_eq(b.c.in[0].iov_base, b.in + 4);
}
END_TEST

START_TEST(test_status)
{
    struct bytes b;

    bytes_up(&b);
    for (int i = 11; i >= 0; i--) {
        ck_assert_ptr_eq(vq_take_status(&b.c), &b.in[i]);
        ck_assert_uint_eq(b.c.in_len, (u32)i);
    }
    ck_assert_uint_eq(b.c.nr_in, 0);
    ck_assert_ptr_null(vq_take_status(&b.c));
}
END_TEST

Suite *suite_vq(void);
Suite *suite_vq(void)
{
    Suite *s = suite_create("vq");
    TCase *tc = tcase_create("vq");

    tcase_add_loop_test(tc, test_hostile, 0, ARRAY_SIZE(hostiles));
    tcase_add_test(tc, test_hostile_peek);
    tcase_add_loop_test(tc, test_setup, 0, ARRAY_SIZE(setups));
    tcase_add_test(tc, test_wrap);
    tcase_add_test(tc, test_unpop);
    tcase_add_test(tc, test_fill_is_hidden);
    tcase_add_test(tc, test_stop);
    tcase_add_test(tc, test_budget);
    tcase_add_test(tc, test_notify_flag);
    tcase_add_test(tc, test_notify_event);
    tcase_add_loop_test(tc, test_irq, 0, ARRAY_SIZE(irqs));
    tcase_add_test(tc, test_code_written);
    tcase_add_loop_test(tc, test_take, 0, 13);
    tcase_add_loop_test(tc, test_put, 0, 13);
    tcase_add_test(tc, test_skip);
    tcase_add_test(tc, test_status);
    suite_add_tcase(s, tc);
    return s;
}
