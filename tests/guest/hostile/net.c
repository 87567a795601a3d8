/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: virtio-net (virtio 1.2, 5.1), with somebody on the link */
#include "hostile.h"

#define F_MRG_RXBUF (1ull << 15)
#define F_CTRL_VQ   (1ull << 17)

enum { RX = 0, TX = 1, CTRL = 2 };

struct net_header {
    u8 flags, gso_type;
    u16 hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

/* ---- frames from the guest: dropped, and the buffer comes back ----------- */

static enum verdict tx(struct dev *d, struct net_header h, u32 len)
{
    volatile struct net_header *at = (volatile struct net_header *)(8 * MIB);
    struct buf buf = {at, len, 0};
    u32 used;
    enum verdict v;

    *at = h;
    v = send(d, TX, &buf, 1, &used);
    if (v != PASS)
        return v;
    return used == 0 ? still_works(d) : WRONG;
}

static enum verdict tx_len(struct dev *d, u64 arg)
{
    return tx(d, (struct net_header){0}, (u32)arg);
}

static enum verdict tx_gso(struct dev *d, u64 arg)
{
    return tx(d,
              (struct net_header){.flags = 1,
                                  .gso_type = (u8)arg,
                                  .gso_size = 1000,
                                  .csum_start = 34,
                                  .csum_offset = 16,
                                  .hdr_len = 54},
              2000);
}

static enum verdict tx_gso_size(struct dev *d, u64 arg)
{
    return tx(d,
              (struct net_header){.flags = 1,
                                  .gso_type = 1,
                                  .gso_size = (u16)arg,
                                  .csum_start = 34,
                                  .csum_offset = 16},
              60000);
}

static enum verdict tx_hdr_len(struct dev *d, u64 arg)
{
    return tx(
        d,
        (struct net_header){
            .flags = 1, .gso_type = 1, .gso_size = 1000, .hdr_len = (u16)arg},
        2000);
}

static enum verdict tx_csum(struct dev *d, u64 arg)
{
    return tx(d,
              (struct net_header){.flags = 1,
                                  .csum_start = (u16)arg,
                                  .csum_offset = (u16)(arg >> 16)},
              112);
}

static enum verdict tx_flags(struct dev *d, u64 arg)
{
    return tx(d, (struct net_header){.flags = (u8)arg}, 112);
}

static enum verdict tx_writable(struct dev *d, u64 arg)
{
    struct buf buf[] = {{scratch[0], 112, arg ? 0 : D_WRITE},
                        {scratch[1], 4096, D_WRITE}};
    enum verdict v;
    u32 len;

    fill(scratch[0], 0, 112);
    v = send(d, TX, buf, 2, &len);
    if (v != PASS)
        return v;
    return len == 0 ? still_works(d) : WRONG;
}

/* A ring full of frames again and again. */
static enum verdict tx_flood(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 112, 0};

    fill(scratch[0], 0, 112);
    while (arg-- > 0) {
        for (u16 i = 0; i < NUM; i++) {
            chain(&d->q[TX], i, &buf, 1);
            publish(&d->q[TX], i);
        }
        notify(d, TX);
        for (u16 i = 0; i < NUM; i++) {
            if (wait_used(d, TX, NULL) != PASS)
                return SILENT;
        }
    }
    return still_works(d);
}

/* ---- buffers for frames to the guest ------------------------------------- */

static enum verdict rx_len(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], (u32)arg, D_WRITE};

    return send(d, RX, &buf, 1, NULL);
}

static enum verdict rx_readable(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 2048, 0};

    return send(d, RX, &buf, 1, NULL);
}

static enum verdict rx_outside(struct dev *d, u64 arg)
{
    struct buf buf = {(void *)MMIO_BASE, 2048, D_WRITE};

    return send(d, RX, &buf, 1, NULL);
}

/* Too small for any frame, and a frame is not to be split. */
static enum verdict rx_small(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], (u32)arg, D_WRITE};
    static const u8 arp[12 + 42];
    struct buf out = {arp, sizeof(arp), 0};

    if (!dev_up_without(d, F_MRG_RXBUF))
        return WRONG;
    for (u16 i = 0; i < NUM; i++) {
        chain(&d->q[RX], i, &buf, 1);
        publish(&d->q[RX], i);
    }
    notify(d, RX);
    return send(d, TX, &out, 1, NULL);
}

/* ---- control (5.1.6.5) --------------------------------------------------- */

static enum verdict ctrl(struct dev *d, const void *command, u32 len)
{
    static volatile u8 ack;
    struct buf buf[] = {{command, len, 0}, {&ack, 1, D_WRITE}};
    enum verdict v;

    ack = 0xee;
    v = len ? send(d, CTRL, buf, 2, NULL) : send(d, CTRL, buf + 1, 1, NULL);
    if (v != PASS || ack == 0)
        return v;
    return ack == 1 ? REJECT : WRONG;
}

/* Class, command, and four bytes of ones. */
static enum verdict ctrl_ones(struct dev *d, u64 arg)
{
    static u8 command[6] = {0, 0, 0xff, 0xff, 0xff, 0xff};

    command[0] = (u8)(arg >> 8);
    command[1] = (u8)arg;
    return ctrl(d, command, sizeof(command));
}

static enum verdict ctrl_len(struct dev *d, u64 arg)
{
    static const u8 command[16];

    return ctrl(d, command, (u32)arg);
}

static enum verdict ctrl_pairs(struct dev *d, u64 arg)
{
    static u8 command[4] = {4, 0};

    command[2] = (u8)arg;
    command[3] = (u8)(arg >> 8);
    return ctrl(d, command, sizeof(command));
}

static enum verdict ctrl_no_ack(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 16, 0};
    enum verdict v = send(d, CTRL, &buf, 1, NULL);

    return v == PASS ? still_works(d) : v;
}

static enum verdict ctrl_without(struct dev *d, u64 arg)
{
    if (!dev_up_without(d, F_CTRL_VQ))
        return WRONG;
    notify(d, CTRL);
    return still_works(d);
}

/* clang-format off */
static const struct test tests[] = {
    {"frame of a byte of header", tx_len, 1},
    {"frame of 11 bytes of header", tx_len, 11},
    {"frame without a byte", tx_len, 12},
    {"frame of 13 bytes", tx_len, 12 + 13},
    {"frame of 64 KiB + 200", tx_len, 65536 + 200},
    {"frame of 16 MiB", tx_len, 16 * MIB},
    {"frame of unknown flags", tx_flags, 0xfe},
    {"checksum behind the frame", tx_csum, 99},
    {"checksum at 65535", tx_csum, 0xffff},
    {"checksum offset 65535", tx_csum, 0xffff0000},
    {"checksum offset and start 65535", tx_csum, 0xffffffff},
    {"segmentation of unknown type", tx_gso, 0x55},
    {"segmentation of UDP", tx_gso, 3},
    {"segmentation with ECN", tx_gso, 0x81},
    {"segments of 0 bytes", tx_gso_size, 0},
    {"segments of 1 byte", tx_gso_size, 1},
    {"headers longer than the frame", tx_hdr_len, 65535},
    {"frame in a writable buffer", tx_writable, 0},
    {"frame with a writable buffer behind", tx_writable, 1},
    {"frame outside RAM", rx_outside},
    {"thousands of frames", tx_flood, 50},
    {"receive buffer of a byte", rx_len, 1},
    {"receive buffer of 11 bytes", rx_len, 11},
    {"receive buffer that is readable", rx_readable},
    {"receive buffers too small to split", rx_small, 20},
    {"control without a command", ctrl_len, 0},
    {"control of a byte", ctrl_len, 1},
    {"control without its argument", ctrl_len, 2},
    {"control without a status", ctrl_no_ack},
    {"control of unknown class", ctrl_ones, 0x7700},
    {"control of unknown command", ctrl_ones, 0x0077},
    {"control: 2^32-1 addresses", ctrl_ones, 0x0100},
    {"control: address of 4 bytes", ctrl_ones, 0x0101},
    {"control: 0 pairs", ctrl_pairs, 0},
    {"control: 65535 pairs", ctrl_pairs, 65535},
    {"control queue not accepted", ctrl_without, 0, true},
};
/* clang-format on */

const struct suite net_suite = {"net", ID_NET, 0, tests, ARRAY_SIZE(tests)};
