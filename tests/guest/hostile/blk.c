/* SPDX-License-Identifier: Apache-2.0 */
/* blk.c: virtio-blk (virtio 1.2, 5.2), and rings that change under requests */
#include "hostile.h"

enum { DISCARD = 11, WRITE_ZEROES = 13 };
#define F_FLUSH (1ull << 9)

static u64 capacity(const struct dev *d)
{
    return reg_read(d, R_CONFIG) | (u64)reg_read(d, R_CONFIG + 4) << 32;
}

/* ---- the shape of a request (5.2.6) -------------------------------------- */

static enum verdict type(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], 512, D_WRITE};

    return blk_request(d, (u32)arg, 0, &data);
}

static enum verdict short_header(struct dev *d, u64 arg)
{
    struct buf buf[] = {{&blk_header, (u32)arg, 0}, {&blk_status, 1, D_WRITE}};

    blk_header.type = BLK_FLUSH;
    blk_status = 0xee;
    return blk_verdict(send(d, 0, buf, 2, NULL));
}

/* All in buffers of a byte: framing is the driver's affair (2.7.4.1). */
static enum verdict header_bytes(struct dev *d, u64 arg)
{
    struct buf buf[17];

    blk_header.type = BLK_FLUSH;
    blk_header.sector = 0;
    blk_status = 0xee;
    for (u32 i = 0; i < 16; i++)
        buf[i] = (struct buf){(volatile u8 *)&blk_header + i, 1, 0};
    buf[16] = (struct buf){&blk_status, 1, D_WRITE};
    return blk_verdict(send(d, 0, buf, 17, NULL));
}

static enum verdict no_header(struct dev *d, u64 arg)
{
    struct buf buf = {&blk_status, 1, D_WRITE};

    blk_status = 0xee;
    return blk_verdict(send(d, 0, &buf, 1, NULL));
}

static enum verdict no_status(struct dev *d, u64 arg)
{
    struct buf buf = {&blk_header, sizeof(blk_header), 0};

    send(d, 0, &buf, 1, NULL); /* it comes home all the same */
    return wait_broken(d);
}

static enum verdict header_writable(struct dev *d, u64 arg)
{
    struct buf buf[] = {{&blk_header, sizeof(blk_header), D_WRITE},
                        {&blk_status, 1, D_WRITE}};

    blk_status = 0xee;
    return blk_verdict(send(d, 0, buf, 2, NULL));
}

/* ---- transfers ----------------------------------------------------------- */

static enum verdict read_at(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], 1024, D_WRITE};

    return blk_request(d, BLK_IN, arg, &data);
}

static enum verdict write_at(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], 1024, 0};

    return blk_request(d, BLK_OUT, arg, &data);
}

/* Two sectors, the second of which is behind the end. */
static enum verdict read_across(struct dev *d, u64 arg)
{
    return read_at(d, capacity(d) - 1);
}

static enum verdict write_across(struct dev *d, u64 arg)
{
    return write_at(d, capacity(d) - 1);
}

static enum verdict write_behind(struct dev *d, u64 arg)
{
    return write_at(d, capacity(d) + arg);
}

static enum verdict read_len(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], (u32)arg, D_WRITE};

    return blk_request(d, BLK_IN, 0, &data);
}

static enum verdict write_len(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], (u32)arg, 0};

    return blk_request(d, BLK_OUT, 0, &data);
}

static enum verdict more_than_disk(struct dev *d, u64 arg)
{
    struct buf data = {(void *)(8 * MIB), 16 * MIB, D_WRITE};

    return blk_request(d, BLK_IN, 0, &data);
}

static enum verdict no_data(struct dev *d, u64 arg)
{
    return blk_request(d, (u32)arg, 0, NULL);
}

/* The device has nothing to move; the sector stays as it is. */
static enum verdict wrong_direction(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], 512, arg == BLK_IN ? 0 : D_WRITE};

    return blk_request(d, (u32)arg, 0, &data);
}

static enum verdict flush_data(struct dev *d, u64 arg)
{
    struct buf data = {scratch[0], 512, (u16)arg};

    return blk_request(d, BLK_FLUSH, ~0ull, &data);
}

static enum verdict write_through(struct dev *d, u64 arg)
{
    return dev_up_without(d, F_FLUSH) ? still_works(d) : WRONG;
}

static enum verdict get_id(struct dev *d, u64 arg)
{
    struct buf data = {(void *)(8 * MIB), (u32)arg, D_WRITE};

    return blk_request(d, BLK_GET_ID, 0, &data);
}

/* ---- ranges (5.2.6.2) ---------------------------------------------------- */

struct range {
    u64 sector;
    u32 nr, flags;
};

static enum verdict ranges(struct dev *d, u32 what, struct range range, u32 len)
{
    static volatile struct range two[2];
    struct buf data = {two, len, 0};

    two[0] = two[1] = range;
    return blk_request(d, what, 0, len ? &data : NULL);
}

static enum verdict discard_len(struct dev *d, u64 arg)
{
    return ranges(d, DISCARD, (struct range){8, 8, 0}, (u32)arg);
}

static enum verdict zeroes_len(struct dev *d, u64 arg)
{
    return ranges(d, WRITE_ZEROES, (struct range){8, 8, 0}, (u32)arg);
}

static enum verdict discard_at(struct dev *d, u64 arg)
{
    return ranges(d, DISCARD, (struct range){arg, 8, 0}, 16);
}

static enum verdict zeroes_at(struct dev *d, u64 arg)
{
    return ranges(d, WRITE_ZEROES, (struct range){arg, 8, 0}, 16);
}

static enum verdict discard_nr(struct dev *d, u64 arg)
{
    return ranges(d, DISCARD, (struct range){8, (u32)arg, 0}, 16);
}

static enum verdict zeroes_nr(struct dev *d, u64 arg)
{
    return ranges(d, WRITE_ZEROES, (struct range){8, (u32)arg, 0}, 16);
}

static enum verdict discard_flags(struct dev *d, u64 arg)
{
    return ranges(d, DISCARD, (struct range){8, 8, (u32)arg}, 16);
}

static enum verdict zeroes_flags(struct dev *d, u64 arg)
{
    return ranges(d, WRITE_ZEROES, (struct range){8, 8, (u32)arg}, 16);
}

static enum verdict discard_without(struct dev *d, u64 arg)
{
    if (!dev_up_without(d, 1ull << 13 | 1ull << 14))
        return WRONG;
    return ranges(d, (u32)arg, (struct range){8, 8, 0}, 16);
}

/* ---- rings that change under requests ------------------------------------ */

/* 21 reads of three descriptors each. */
static void put_many(struct dev *d)
{
    struct buf buf[3] = {{&blk_header, sizeof(blk_header), 0},
                         {scratch[0], 4096, D_WRITE},
                         {&blk_status, 1, D_WRITE}};

    blk_header.type = BLK_IN;
    blk_header.sector = 0;
    for (u16 i = 0; i + 3u < NUM; i += 3) {
        chain(&d->q[0], i, buf, 3);
        publish(&d->q[0], i);
    }
    notify(d, 0);
}

/* The harness resets at once. */
static enum verdict reset_in_flight(struct dev *d, u64 arg)
{
    while (arg-- > 0) {
        put_many(d);
        if (!dev_reset(d) || !dev_up_without(d, 0))
            return WRONG;
    }
    put_many(d);
    return PASS;
}

static enum verdict rewrite_desc(struct dev *d, u64 arg)
{
    put_many(d);
    fill(d->q[0].desc, (u8)arg, 16 * NUM);
    return wait_used(d, 0, NULL);
}

static enum verdict rewrite_avail(struct dev *d, u64 arg)
{
    put_many(d);
    fill(d->q[0].avail->ring, (u8)arg, 2 * NUM);
    return wait_used(d, 0, NULL);
}

static enum verdict rewrite_header(struct dev *d, u64 arg)
{
    put_many(d);
    for (u32 i = 0; i < 1000; i++) {
        blk_header.type = i;
        blk_header.sector = ~0ull - i;
    }
    return wait_used(d, 0, NULL);
}

static enum verdict head_in_flight(struct dev *d, u64 arg)
{
    put_many(d);
    for (int i = 0; i < 40; i++)
        publish(&d->q[0], 0);
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

/* clang-format off */
static const struct test tests[] = {
    {"header of 8 bytes", short_header, 8},
    {"header of 15 bytes", short_header, 15},
    {"header in 16 buffers", header_bytes},
    {"no header", no_header},
    {"no status", no_status},
    {"header writable", header_writable},
    {"unknown type 0x77", type, 0x77},
    {"unknown type 2^32-1", type, 0xffffffff},
    {"SCSI command of old", type, 2},
    {"lifetime, not offered", type, 10},
    {"secure erase, not offered", type, 14},
    {"read at the end", read_across},
    {"read far behind the end", read_at, 1ull << 40},
    {"read at sector 2^55", read_at, 1ull << 55},
    {"read at sector 2^63", read_at, 1ull << 63},
    {"read at sector 2^64-1", read_at, ~0ull},
    {"write at the end", write_across},
    {"write behind the end", write_behind, 0},
    {"write at sector 2^55", write_at, 1ull << 55},
    {"write at sector 2^64-1", write_at, ~0ull},
    {"read of 511 bytes", read_len, 511},
    {"read of 1 byte", read_len, 1},
    {"write of 513 bytes", write_len, 513},
    {"write of 1 byte", write_len, 1},
    {"read of more than the disk", more_than_disk},
    {"read of nothing", no_data, BLK_IN},
    {"write of nothing", no_data, BLK_OUT},
    {"read with readable data", wrong_direction, BLK_IN},
    {"write with writable data", wrong_direction, BLK_OUT},
    {"flush with data", flush_data, 0},
    {"flush with room for data", flush_data, D_WRITE},
    {"writes without FLUSH", write_through, 0, true},
    {"GET_ID into 1 byte", get_id, 1},
    {"GET_ID into 16 MiB", get_id, 16 * MIB},
    {"GET_ID into nothing", no_data, BLK_GET_ID},
    {"discard of no range", discard_len, 0},
    {"discard of half a range", discard_len, 8},
    {"discard of 15 bytes", discard_len, 15},
    {"discard of 17 bytes", discard_len, 17},
    {"discard of two ranges", discard_len, 32},
    {"discard behind the end", discard_at, 1ull << 40},
    {"discard at sector 2^64-1", discard_at, ~0ull},
    {"discard of 2^32-1 sectors", discard_nr, 0xffffffff},
    {"discard with UNMAP", discard_flags, 1},
    {"discard with unknown flags", discard_flags, 0x80000000},
    {"discard not accepted", discard_without, DISCARD, true},
    {"write zeroes of no range", zeroes_len, 0},
    {"write zeroes of 17 bytes", zeroes_len, 17},
    {"write zeroes of two ranges", zeroes_len, 32},
    {"write zeroes behind the end", zeroes_at, 1ull << 40},
    {"write zeroes at sector 2^64-1", zeroes_at, ~0ull},
    {"write zeroes of 2^32-1 sectors", zeroes_nr, 0xffffffff},
    {"write zeroes with unknown flags", zeroes_flags, 2},
    {"write zeroes not accepted", discard_without, WRITE_ZEROES, true},
};

static const struct test async_tests[] = {
    {"reset with requests in flight", reset_in_flight, 0},
    {"thirty resets with requests in flight", reset_in_flight, 30},
    {"descriptors cleared in flight", rewrite_desc, 0, false, true},
    {"descriptors of ones in flight", rewrite_desc, 0xff, false, true},
    {"avail ring cleared in flight", rewrite_avail, 0, false, true},
    {"avail ring of ones in flight", rewrite_avail, 0xff, false, true},
    {"header changed in flight", rewrite_header},
    {"a head that is in flight", head_in_flight, 0, false, true},
};

static const struct test readonly_tests[] = {
    {"write", write_at, 0},
    {"write behind the end", write_at, 1ull << 40},
    {"discard", discard_at, 0},
    {"write zeroes", zeroes_at, 0},
    {"flush", no_data, BLK_FLUSH},
};
/* clang-format on */

const struct suite blk_suite = {"blk", ID_BLK, 0, tests, ARRAY_SIZE(tests)};
const struct suite async_suite = {"async", ID_BLK, 2, async_tests,
                                  ARRAY_SIZE(async_tests)};
const struct suite readonly_suite = {"readonly", ID_BLK, 3, readonly_tests,
                                     ARRAY_SIZE(readonly_tests)};
