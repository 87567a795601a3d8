/* SPDX-License-Identifier: Apache-2.0 */
/* mmio.c: every register in every state */
#include <check.h>

#include "virtio_toy.h"

/* ---- registers ------------------------------------------------------------
 */

static const u32 state_status[NR_STATES] = {0, 1, 3, 11, 15, 0x4f};

static bool is_in(const u32 *list, u32 off)
{
    for (u32 i = 0; list[i] != ~0u; i++) {
        if (list[i] == off)
            return true;
    }
    return false;
}

static const u32 readable[] = {0x00, 0x04, 0x08, 0x0c, 0x10, 0x34, 0x44, 0x60,
                               0x70, 0xb0, 0xb4, 0xb8, 0xbc, 0xfc, ~0u};
static const u32 writable[] = {0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64,
                               0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, ~0u};
static const unsigned int widths[] = {1, 2, 4, 8};

/* Whatever is not a register, or not accessed as one, reads 0. */
START_TEST(test_read_all)
{
    go_to((enum state)_i);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), state_status[_i]);
    for (u32 off = 0; off < 0x1000; off++) {
        for (unsigned int w = 0; w < ARRAY_SIZE(widths); w++) {
            u64 val = bus_read(&drv.bus, BUS_MMIO, VDRV_BASE + off, widths[w]);

            if (off + widths[w] > 0x1000)
                ck_assert_uint_ne(val, 0); /* nobody's: ones */
            else if (off > 0x10c ||
                     (off < 0x100 && (widths[w] != 4 || !is_in(readable, off))))
                ck_assert_msg(val == 0, "%#x/%u: %#lx", off, widths[w], val);
        }
    }
    vdrv_down(&drv);
}
END_TEST

static void snapshot(u64 *out)
{
    *out++ = vdrv_read(&drv, VDRV_STATUS);
    *out++ = vdrv_offered(&drv);
    *out++ = vdrv_read(&drv, VDRV_ISR);
    for (u32 q = 0; q < TOY_VQS; q++) {
        vdrv_write(&drv, VDRV_QUEUE_SEL, q);
        *out++ = vdrv_read(&drv, VDRV_QUEUE_MAX);
        *out++ = vdrv_read(&drv, VDRV_QUEUE_READY);
        *out++ = toy.dev.regs.queue[q].num;
        *out++ = toy.dev.regs.queue[q].desc;
        *out++ = toy.dev.regs.queue[q].avail;
        *out++ = toy.dev.regs.queue[q].used;
    }
    *out++ = toy.dev.regs.driver_features;
    *out = vdrv_config(&drv, 0, 8);
}

/* Writes that are not to a register, or not as to one, change nothing. */
START_TEST(test_write_all)
{
    u64 before[20] = {0}, after[20] = {0};

    go_to((enum state)_i);
    snapshot(before);
    for (u32 off = 0; off < 0x100; off++) {
        for (unsigned int w = 0; w < ARRAY_SIZE(widths); w++) {
            if (widths[w] == 4 && is_in(writable, off))
                continue;
            bus_write(&drv.bus, BUS_MMIO, VDRV_BASE + off, widths[w], 0);
            bus_write(&drv.bus, BUS_MMIO, VDRV_BASE + off, widths[w], ~0ull);
        }
    }
    snapshot(after);
    ck_assert_mem_eq(before, after, sizeof(before));
    vdrv_down(&drv);
}
END_TEST

/* Real registers out of their time: only selectors and the ISR's ack move. */
START_TEST(test_write_early)
{
    static const u32 timed[] = {0x20, 0x38, 0x44, 0x80, 0x84,
                                0x90, 0x94, 0xa0, 0xa4};
    u64 before[20] = {0}, after[20] = {0};

    go_to((enum state)_i);
    snapshot(before);
    for (u32 i = _i == DRIVER; i < ARRAY_SIZE(timed); i++) {
        vdrv_write(&drv, timed[i], 0xffffffff);
        vdrv_write(&drv, timed[i], 1);
        vdrv_write(&drv, timed[i], 0);
    }
    snapshot(after);
    if (_i == FEATURES) /* their time: all but 0x20 count */
        ck_assert_mem_ne(before, after, sizeof(before));
    else
        ck_assert_mem_eq(before, after, sizeof(before));
    ck_assert_uint_eq(before[15], after[15]);
    vdrv_down(&drv);
}
END_TEST

START_TEST(test_identity)
{
    toy_new();
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_MAGIC), 0x74726976);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_VERSION), 2);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_DEVICE_ID), TOY_ID);
    ck_assert_uint_eq(vdrv_offered(&drv), OFFER);
    vdrv_write(&drv, VDRV_FEATURES_SEL, 2);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_FEATURES), 0);
    vdrv_write(&drv, VDRV_FEATURES_SEL, 0x80000000);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_FEATURES), 0);
    ck_assert_uint_eq(vdrv_read(&drv, 0xb0), ~0u); /* no shared memory */
    for (u32 q = 0; q < 40; q++) {
        vdrv_write(&drv, VDRV_QUEUE_SEL, q);
        ck_assert_uint_eq(vdrv_read(&drv, VDRV_QUEUE_MAX),
                          q < TOY_VQS ? 16 : 0);
    }
    vdrv_write(&drv, VDRV_QUEUE_SEL, ~0u);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_QUEUE_MAX), 0);
    vdrv_down(&drv);
}
END_TEST

static const struct status_case {
    const char *name;
    unsigned int n;
    u32 write[6];
    u32 want;
} statuses[] = {
    {"in order", 4, {1, 3, 11, 15}, 15},
    {"all at once", 1, {15}, 3}, /* no features are accepted yet */
    {"all but driver", 2, {3, 15}, 15},
    {"driver_ok too early", 3, {1, 3, 7}, 3},
    {"features_ok without driver", 2, {1, 9}, 1},
    {"bits stay", 3, {1, 3, 2}, 3},
    {"bits stay, running", 4, {3, 11, 15, 11}, 15},
    {"reset", 3, {3, 15, 0}, 0},
    {"reset twice", 4, {3, 15, 0, 0}, 0},
    {"again", 5, {3, 15, 0, 3, 15}, 15},
    {"failed", 2, {1, 0x81}, 0x81},
    {"failed is final", 3, {3, 0x83, 0x8f}, 0x8b},
    {"failed while running", 3, {3, 15, 0x8f}, 0x8f},
    {"needs_reset is ours", 2, {1, 0x41}, 1},
    {"no such bits", 3, {0x10, 0x31, 0xffffff03}, 3},
};

START_TEST(test_status)
{
    const struct status_case *t = &statuses[_i];

    toy_new();
    for (unsigned int i = 0; i < t->n; i++) {
        vdrv_accept(&drv, OFFER); /* counts where it may */
        vdrv_write(&drv, VDRV_STATUS, t->write[i]);
    }
    ck_assert_msg(vdrv_read(&drv, VDRV_STATUS) == t->want, "%s: %#x", t->name,
                  vdrv_read(&drv, VDRV_STATUS));
    vdrv_down(&drv);
}
END_TEST

static const struct feature_case {
    u64 accept;
    u32 alien; /* to a third word */
    bool want;
} features[] = {
    {OFFER, 0, true},      {VDRV_F_VERSION_1, 0, true},
    {0, 0, false},         {OFFER & ~VDRV_F_VERSION_1, 0, false}, /* legacy */
    {OFFER | 1, 0, false}, {OFFER | 1ull << 63, 0, false},
    {~0ull, 0, false},     {OFFER, 1, false},
};

START_TEST(test_features)
{
    const struct feature_case *t = &features[_i];

    toy_new();
    vdrv_write(&drv, VDRV_STATUS, 3);
    vdrv_write(&drv, VDRV_DRIVER_FEATURES_SEL, 2);
    vdrv_write(&drv, VDRV_DRIVER_FEATURES, t->alien);
    vdrv_accept(&drv, t->accept);
    vdrv_write(&drv, VDRV_STATUS, 11);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), t->want ? 11 : 3);
    vdrv_accept(&drv, VDRV_F_VERSION_1);
    if (t->want) { /* too late to change one's mind */
        vdrv_write(&drv, VDRV_STATUS, 15);
        ck_assert_uint_eq(toy.dev.features, t->accept);
    }
    vdrv_down(&drv);
}
END_TEST

/* ---- queues ---------------------------------------------------------------
 */

static const struct queue_case {
    const char *name;
    u32 reg, val;
} bad_queues[] = {
    {"none", VDRV_QUEUE_NUM, 0},          {"not 2^n", VDRV_QUEUE_NUM, 12},
    {"too many", VDRV_QUEUE_NUM, 32},     {"17 bits", VDRV_QUEUE_NUM, 0x10010},
    {"desc odd", VDRV_DESC, 0x2008},      {"avail odd", VDRV_AVAIL, 0x2001},
    {"used odd", VDRV_USED, 0x2002},      {"desc out", VDRV_DESC + 4, 1},
    {"avail out", VDRV_AVAIL + 4, ~0u},   {"used out", VDRV_USED + 4, 0x80},
    {"used in the hole", VDRV_USED, ~3u},
};

/* A queue that cannot be is found when it is declared ready. */
START_TEST(test_bad_queue)
{
    const struct queue_case *t = &bad_queues[_i];

    toy_new();
    ck_assert(vdrv_negotiate(&drv, OFFER));
    vdrv_queue_up(&drv, 0, 0);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_QUEUE_READY), 1);
    vdrv_write(&drv, VDRV_QUEUE_READY, 0);
    vdrv_write(&drv, t->reg, t->val);
    vdrv_write(&drv, VDRV_QUEUE_READY, 1);
    ck_assert_msg(vdrv_read(&drv, VDRV_QUEUE_READY) == 0, "%s", t->name);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0x4b);
    vdrv_write(&drv, VDRV_STATUS, 0x4f); /* no way on but the reset */
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 0x4b);
    ck_assert(strstr(said, "toy: queue 0") != NULL);
    vdrv_reset(&drv);
    vdrv_init(&drv, ~0ull);
    ck_assert_uint_eq(vdrv_read(&drv, VDRV_STATUS), 15);
    vdrv_down(&drv);
}
END_TEST

/* Ready queues do not change: the rings of before are used. */
START_TEST(test_immutable)
{
    toy_up();
    vdrv_write(&drv, VDRV_QUEUE_SEL, 0);
    vdrv_write(&drv, VDRV_QUEUE_READY, 0);
    vdrv_write(&drv, VDRV_QUEUE_NUM, 1);
    vdrv_write64(&drv, VDRV_DESC, 0x5000);
    vdrv_write64(&drv, VDRV_AVAIL, 0x6000);
    vdrv_write64(&drv, VDRV_USED, 0x7000);
    vdrv_write(&drv, VDRV_QUEUE_READY, 1);
    for (int i = 0; i < 20; i++) {
        add_one(0);
        vdrv_kick(&drv, 0);
        ck_assert_int_ge(vdrv_wait(&drv, 0, NULL), 0);
    }
    vdrv_down(&drv);
}
END_TEST

/* A notification of before DRIVER_OK is not lost, one of another queue or of
 * none does no harm. */
START_TEST(test_notify)
{
    toy_new();
    ck_assert(vdrv_negotiate(&drv, OFFER));
    vdrv_queue_up(&drv, 0, 4);
    add_one(0);
    vdrv_kick(&drv, 0);
    vdrv_kick(&drv, 1);
    vdrv_kick(&drv, 2);
    vdrv_kick(&drv, ~0u);
    vdrv_kick(&drv, 0x10000);
    vdrv_write(&drv, VDRV_STATUS, 15);
    ck_assert_int_ge(vdrv_wait(&drv, 0, NULL), 0);
    vdrv_down(&drv);
}
END_TEST

/* ---- configuration space --------------------------------------------------
 */

START_TEST(test_config)
{
    static const u8 patch[2] = {0xaa, 0xbb};
    u32 gen;

    toy_up();
    ck_assert_uint_eq(vdrv_config(&drv, 4, 1), 4);
    ck_assert_uint_eq(vdrv_config(&drv, 4, 2), 0x0504);
    ck_assert_uint_eq(vdrv_config(&drv, 4, 4), 0x07060504);
    ck_assert_uint_eq(vdrv_config(&drv, 10, 4), 0x0b0a);
    ck_assert_uint_eq(vdrv_config(&drv, 12, 4), 0);
    ck_assert_uint_eq(vdrv_config(&drv, 0xeff, 1), 0);
    gen = vdrv_read(&drv, VDRV_GENERATION);
    virtio_config_set(&toy.dev, 5, patch, sizeof(patch));
    ck_assert_uint_ne(vdrv_read(&drv, VDRV_GENERATION), gen);
    ck_assert_uint_eq(vdrv_config(&drv, 4, 4), 0x07bbaa04);
    virtio_config_set(&toy.dev, 12, patch, 2); /* beyond what it was */
    ck_assert_uint_eq(vdrv_config(&drv, 12, 2), 0);
    vdrv_down(&drv);
}
END_TEST

static const struct config_write {
    u32 off;
    unsigned int size;
    u64 val;
    bool seen;
} config_writes[] = {
    {0, 1, 0x11, true}, {4, 2, 0x2211, true}, {8, 4, 0x44332211, true},
    {11, 1, 1, true},   {12, 1, 1, false},    {10, 4, 1, false},
    {0, 8, 1, false},   {0xefc, 4, 1, false},
};

START_TEST(test_config_write)
{
    const struct config_write *t = &config_writes[_i];
    u64 at = VDRV_BASE + VDRV_CONFIG + t->off;

    toy_new();
    bus_write(&drv.bus, BUS_MMIO, at, t->size, t->val);
    ck_assert_uint_eq(toy.len, 0); /* nobody there yet */
    vdrv_init(&drv, ~0ull);
    bus_write(&drv.bus, BUS_MMIO, at, t->size, t->val);
    ck_assert_uint_eq(toy.len, t->seen ? t->size : 0);
    ck_assert_uint_eq(toy.val, t->seen ? t->val : 0);
    ck_assert_uint_eq(toy.off, t->seen ? t->off : 0);
    ck_assert_uint_eq(vdrv_config(&drv, 0, 4), 0x03020100);
    vdrv_down(&drv);
}
END_TEST

Suite *suite_mmio(void);
Suite *suite_mmio(void)
{
    Suite *s = suite_create("mmio");
    TCase *tc = tcase_create("mmio");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, test_read_all, 0, NR_STATES);
    tcase_add_loop_test(tc, test_write_all, 0, NR_STATES);
    tcase_add_loop_test(tc, test_write_early, 0, NR_STATES);
    tcase_add_test(tc, test_identity);
    tcase_add_loop_test(tc, test_status, 0, ARRAY_SIZE(statuses));
    tcase_add_loop_test(tc, test_features, 0, ARRAY_SIZE(features));
    tcase_add_loop_test(tc, test_bad_queue, 0, ARRAY_SIZE(bad_queues));
    tcase_add_test(tc, test_immutable);
    tcase_add_test(tc, test_notify);
    tcase_add_test(tc, test_config);
    tcase_add_loop_test(tc, test_config_write, 0, ARRAY_SIZE(config_writes));
    suite_add_tcase(s, tc);
    return s;
}
