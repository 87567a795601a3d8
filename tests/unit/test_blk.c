/* SPDX-License-Identifier: Apache-2.0 */
/* blk.c: requests good and bad, in any framing, and what the device offers */
#include <check.h>

#include "blk_rig.h"

/* ---- one request, checked ----------------------------------------------- */

static const struct request_case {
    const char *name;
    u32 type;
    u64 sector;
    u32 header, out, in; /* bytes: of the header, of data each way */
    u8 status;
    u32 used;
    u8 kind; /* 1: read-only, 2: cache Unsafe */
} requests[] = {
    {"read", IN, 1, 16, 0, 1024, OK, 1025, 1},
    {"read the end", IN, END - 1, 16, 0, 512, OK, 513, 0},
    {"read nothing", IN, END, 16, 0, 0, OK, 1, 0},
    {"read past the end", IN, END - 1, 16, 0, 1024, IOERR, 1, 0},
    {"read behind the end", IN, END + 1, 16, 0, 0, IOERR, 1, 0},
    {"read where bytes wrap", IN, 1ull << 55, 16, 0, 512, IOERR, 1, 0},
    {"read where sectors wrap", IN, UINT64_MAX, 16, 0, 512, IOERR, 1, 0},
    {"read half a sector", IN, 0, 16, 0, 256, IOERR, 1, 0},
    {"read a sector and a byte", IN, 0, 16, 0, 513, IOERR, 1, 0},
    {"read with data to write", IN, 0, 16, 512, 512, OK, 513, 0},
    {"write", OUT, 1, 16, 1024, 0, OK, 1, 0},
    {"write the end", OUT, END - 2, 16, 1024, 0, OK, 1, 0},
    {"write past the end", OUT, END - 1, 16, 1024, 0, IOERR, 1, 0},
    {"write where sectors wrap", OUT, UINT64_MAX, 16, 512, 0, IOERR, 1, 0},
    {"write half a sector", OUT, 0, 16, 100, 0, IOERR, 1, 0},
    {"write what is read-only", OUT, 0, 16, 512, 0, IOERR, 1, 1},
    {"write with data to read", OUT, 0, 16, 512, 512, OK, 1, 0},
    {"flush", FLUSH, 0, 16, 0, 0, OK, 1, 0},
    {"flush somewhere", FLUSH, UINT64_MAX, 16, 512, 0, OK, 1, 0},
    {"flush what does not", FLUSH, 0, 16, 0, 0, UNSUPP, 1, 2},
    {"flush what is read-only", FLUSH, 0, 16, 0, 0, OK, 1, 1},
    {"get the id", ID, 0, 16, 0, 20, OK, 21, 0},
    {"get part of the id", ID, 0, 16, 0, 7, OK, 8, 0},
    {"get the id and more", ID, 0, 16, 0, 512, OK, 21, 0},
    {"get no id", ID, 0, 16, 0, 0, OK, 1, 0},
    {"no type of ours", 2, 0, 16, 0, 512, UNSUPP, 1, 0},
    {"all ones", UINT32_MAX, UINT64_MAX, 16, 512, 0, UNSUPP, 1, 0},
    {"a header cut short", IN, 0, 15, 0, 512, IOERR, 1, 0},
    {"a byte of a header", IN, 0, 1, 0, 512, IOERR, 1, 0},
    {"a discard cut short", TRIM, 0, 16, 15, 0, IOERR, 1, 0},
    {"a discard of one and a half", TRIM, 0, 16, 24, 0, IOERR, 1, 0},
    {"a discard of two", TRIM, 0, 16, 32, 0, IOERR, 1, 0},
    {"a discard of nothing", TRIM, 0, 16, 0, 0, IOERR, 1, 0},
    {"a discard of 16 zero bytes", TRIM, 0, 16, 16, 0, OK, 1, 0},
    {"a discard, read-only", TRIM, 0, 16, 16, 0, UNSUPP, 1, 1},
};

START_TEST(test_request)
{
    const struct request_case *t = &requests[_i];
    struct vdrv_buf buf[4];
    unsigned int n = 0;
    struct area a;
    struct vdrv d;
    u32 used;

    memory_up(&d, (struct blk_options){.flush = t->kind != 2}, t->kind == 1);
    a = area_new(&d, t->type, t->sector, 4096);
    buf[n++] = (struct vdrv_buf){a.header, t->header, false};
    if (t->out)
        buf[n++] = (struct vdrv_buf){a.data, t->out, false};
    if (t->in)
        buf[n++] = (struct vdrv_buf){a.data, t->in, true};
    buf[n++] = (struct vdrv_buf){a.status, 1, true};
    vdrv_add(&d, 0, buf, n);
    vdrv_kick(&d, 0);
    ck_assert_msg(vdrv_wait(&d, 0, &used) >= 0, "%s: no answer", t->name);
    ck_assert_msg(area_status(&d, &a) == t->status && used == t->used,
                  "%s: status %u, used %u", t->name, area_status(&d, &a), used);
    if (t->type == ID)
        ck_assert_mem_eq(vdrv_ptr(&d, a.data, 20),
                         "a-drive-with-a-very-\0\0\0\0", MIN(t->in, 20u));
    ck_assert_uint_eq(vdrv_read(&d, VDRV_STATUS) & VDRV_S_NEEDS_RESET, 0);
    vdrv_down(&d);
}
END_TEST

static const struct range_case {
    const char *name;
    u32 type;
    struct range range;
    u8 status;
} ranges[] = {
    {"discard", TRIM, {0, 8, 0}, OK},
    {"discard all", TRIM, {0, END, 0}, OK},
    {"discard past the end", TRIM, {1, END, 0}, IOERR},
    {"discard where it wraps", TRIM, {UINT64_MAX, 2, 0}, IOERR},
    {"discard more than allowed", TRIM, {0, UINT32_MAX, 0}, IOERR},
    {"discard with unmap", TRIM, {0, 8, 1}, UNSUPP},
    {"discard with an unknown flag", TRIM, {0, 8, 2}, UNSUPP},
    {"zeroes", ZERO, {0, 8, 0}, OK},
    {"zeroes with unmap", ZERO, {0, 8, 1}, OK},
    {"zeroes at the end", ZERO, {END - 8, 8, 1}, OK},
    {"zeroes past the end", ZERO, {END - 7, 8, 1}, IOERR},
    {"zeroes with an unknown flag", ZERO, {0, 8, 0x80000000}, UNSUPP},
};

START_TEST(test_range)
{
    const struct range_case *t = &ranges[_i];
    struct range range = t->range;
    u8 byte[512], got[512], status;
    struct vdrv d;

    memory_up(&d, (struct blk_options){.flush = true}, false);
    memset(byte, 0x5a, sizeof(byte));
    ck_assert_uint_eq(request(&d, OUT, END - 1, byte, 512), OK);
    status = request(&d, t->type, 0, &range, sizeof(range));
    ck_assert_msg(status == t->status, "%s: status %u", t->name, status);
    ck_assert_uint_eq(request(&d, IN, END - 1, got, 512), OK);
    if (status == OK && range.sector + range.nr == END)
        memset(byte, 0, sizeof(byte));
    ck_assert_mem_eq(got, byte, sizeof(got));
    vdrv_down(&d);
}
END_TEST

/* A driver that has not accepted them must not use them. */
START_TEST(test_range_not_accepted)
{
    struct range range = {0, 8, 0};
    struct disk *disk;
    struct vdrv d;

    ck_assert_int_eq(memory_disk_new(&disk, SIZE), 0);
    vdrv_up(&d, blk(disk, (struct blk_options){0}), ~(F_DISCARD | F_ZEROES));
    ck_assert_uint_eq(request(&d, TRIM, 0, &range, 16), UNSUPP);
    ck_assert_uint_eq(request(&d, ZERO, 0, &range, 16), UNSUPP);
    vdrv_down(&d);
}
END_TEST

/* Nobody could be told: the driver is told to reset, and then all is well. */
START_TEST(test_no_status)
{
    struct vdrv_buf buf = {0, 16, false};
    u8 data[512];
    struct vdrv d;

    capture_start();
    memory_up(&d, (struct blk_options){0}, false);
    buf.gpa = vdrv_alloc(&d, 16);
    vdrv_add(&d, 0, &buf, 1);
    vdrv_kick(&d, 0);
    ck_assert(vdrv_until(vdrv_read(&d, VDRV_STATUS) & VDRV_S_NEEDS_RESET));
    vdrv_reset(&d);
    vdrv_init(&d, ~0ull);
    ck_assert_uint_eq(request(&d, IN, 0, data, 512), OK);
    ck_assert_ptr_nonnull(strstr(capture_text, "status"));
    vdrv_down(&d);
}
END_TEST

/* Header, data and status cut anywhere, in one table or not: the framing says
 * nothing (virtio 1.2, 2.7.4.1). */
START_TEST(test_framing)
{
    struct vdrv_buf buf[64];
    u32 seed = (u32)_i + 5;
    u8 want[4096];
    struct vdrv d;

    memory_up(&d, (struct blk_options){.flush = true}, false);
    for (unsigned int round = 0; round < 50; round++) {
        bool in = round % 2;
        struct area a = area_new(&d, in ? IN : OUT, 3, sizeof(want));
        u64 out_at = vdrv_alloc(&d, 16 + 4096), in_at = vdrv_alloc(&d, 4097);
        u32 out_len = in ? 16 : 16 + 4096, in_len = in ? 4097 : 1;
        unsigned int n = 0;

        memcpy(vdrv_ptr(&d, out_at, 16), vdrv_ptr(&d, a.header, 16), 16);
        if (!in) {
            rig_pattern(want, sizeof(want), seed);
            memcpy(vdrv_ptr(&d, out_at + 16, 4096), want, 4096);
        }
        for (u32 at = 0, part; at < out_len; at += part) {
            part = MIN(out_len - at, 1 + rig_random(&seed) % 1000);
            part = n > 25 ? out_len - at : part;
            buf[n++] = (struct vdrv_buf){out_at + at, part, false};
        }
        for (u32 at = 0, part; at < in_len; at += part) {
            part = MIN(in_len - at, 1 + rig_random(&seed) % 1000);
            part = n > 55 ? in_len - at : part;
            buf[n++] = (struct vdrv_buf){in_at + at, part, true};
        }
        if (rig_random(&seed) % 2)
            vdrv_add(&d, 0, buf, n);
        else
            vdrv_add_indirect(&d, 0, vdrv_alloc(&d, 4096), buf, n);
        vdrv_kick(&d, 0);
        ck_assert_int_ge(vdrv_wait(&d, 0, NULL), 0);
        ck_assert_uint_eq(*(u8 *)vdrv_ptr(&d, in_at + in_len - 1, 1), OK);
        if (in)
            ck_assert_mem_eq(vdrv_ptr(&d, in_at, 4096), want, 4096);
    }
    vdrv_down(&d);
}
END_TEST

/* ---- the rest ----------------------------------------------------------- */

static const struct offer {
    bool flush, read_only;
    unsigned int queues;
    u64 want;
} offers[] = {
    {true, false, 1, F_FLUSH | F_DISCARD | F_ZEROES},
    {false, false, 1, F_DISCARD | F_ZEROES},
    {true, true, 1, F_FLUSH | F_RO},
    {true, false, 4, F_FLUSH | F_DISCARD | F_ZEROES | F_MQ},
};

START_TEST(test_config)
{
    const struct offer *t = &offers[_i];
    const u64 some = F_FLUSH | F_DISCARD | F_ZEROES | F_MQ | F_RO;
    struct vdrv d;

    memory_up(&d, (struct blk_options){.flush = t->flush, .queues = t->queues},
              t->read_only);
    ck_assert_uint_eq(vdrv_read(&d, VDRV_DEVICE_ID), 2);
    ck_assert_uint_eq(vdrv_offered(&d) & some, t->want);
    ck_assert_uint_eq(vdrv_config(&d, 0, 4), END);
    ck_assert_uint_eq(vdrv_config(&d, 4, 4), 0);
    ck_assert_uint_eq(vdrv_config(&d, 12, 4), 254);
    ck_assert_uint_eq(vdrv_config(&d, 20, 4), 512);
    ck_assert_uint_eq(vdrv_config(&d, 34, 2), t->queues);
    ck_assert_uint_eq(vdrv_config(&d, 40, 4), 1);
    ck_assert_uint_eq(vdrv_config(&d, 56, 1), 1);
    vdrv_down(&d);
}
END_TEST

START_TEST(test_queues)
{
    struct virtio_dev *dev;
    struct disk *disk;

    capture_start();
    ck_assert_int_eq(memory_disk_new(&disk, SIZE), 0);
    ck_assert_int_eq(
        blk_new(&dev, disk, &(struct blk_options){.name = "x", .queues = 17}),
        -EINVAL);
    ck_assert_int_eq(
        blk_new(&dev, disk, &(struct blk_options){.name = "x", .queues = 0}),
        -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "drive x: 17 queues"));
    disk_free(disk);
}
END_TEST

Suite *suite_blk(void);
Suite *suite_blk(void)
{
    Suite *s = suite_create("blk");
    TCase *tc = tcase_create("blk");

    tcase_add_loop_test(tc, test_request, 0, ARRAY_SIZE(requests));
    tcase_add_loop_test(tc, test_range, 0, ARRAY_SIZE(ranges));
    tcase_add_test(tc, test_range_not_accepted);
    tcase_add_test(tc, test_no_status);
    tcase_add_loop_test(tc, test_framing, 0, 2);
    tcase_add_loop_test(tc, test_config, 0, ARRAY_SIZE(offers));
    tcase_add_test(tc, test_queues);
    suite_add_tcase(s, tc);
    return s;
}
