/* SPDX-License-Identifier: Apache-2.0 */
/* requests.c: of each device one correct thing that proves that it works */
#include "hostile.h"

volatile struct blk_header blk_header;
volatile u8 blk_status;

enum verdict blk_verdict(enum verdict used)
{
    if (used != PASS || blk_status == 0)
        return used;
    return blk_status == 1 || blk_status == 2 ? REJECT : WRONG;
}

enum verdict blk_request(struct dev *d, u32 type, u64 sector,
                         const struct buf *data)
{
    struct buf buf[3] = {{&blk_header, sizeof(blk_header), 0}};
    u16 n = 1;

    blk_header.type = type;
    blk_header.sector = sector;
    blk_status = 0xee;
    if (data)
        buf[n++] = *data;
    buf[n++] = (struct buf){&blk_status, 1, D_WRITE};
    return blk_verdict(send(d, 0, buf, n, NULL));
}

/* What is written is read back; a disk that cannot be written is read. */
static bool blk_works(struct dev *d)
{
    static u8 tag;
    volatile u8 *out = scratch[14], *in = scratch[15];
    struct buf write = {out, 512, 0}, read = {in, 512, D_WRITE};
    bool ro = d->features & 1 << 5;

    fill(out, ++tag, 512);
    fill(in, 0, 512);
    if (!ro && blk_request(d, BLK_OUT, 3, &write) != PASS)
        return false;
    if (blk_request(d, BLK_IN, 3, &read) != PASS)
        return false;
    return ro || (in[0] == tag && in[511] == tag);
}

static bool rng_works(struct dev *d)
{
    volatile u8 *in = scratch[15];
    struct buf buf = {in, 64, D_WRITE};
    u32 len, sum = 0;

    fill(in, 0, 64);
    if (send(d, 0, &buf, 1, &len) != PASS || len == 0 || len > 64)
        return false;
    for (u32 i = 0; i < len; i++)
        sum += in[i];
    return sum > 0;
}

/* Bytes go out on port 0, the control queue answers. */
static bool console_works(struct dev *d)
{
    static const u32 ready[2] = {0xffffffff, 1 << 16}; /* DEVICE_READY, 1 */
    volatile u32 *answer = (volatile u32 *)scratch[15];
    struct buf in = {answer, 64, D_WRITE}, bytes = {"mote", 4, 0};
    struct buf out = {ready, sizeof(ready), 0};
    u32 len;

    fill(answer, 0, 64);
    if (send(d, 1, &bytes, 1, &len) != PASS || len != 0)
        return false;
    chain(&d->q[2], 0, &in, 1);
    publish(&d->q[2], 0);
    notify(d, 2);
    return send(d, 3, &out, 1, NULL) == PASS && wait_used(d, 2, &len) == PASS &&
           len == 8 && (answer[1] & 0xffff) == 1; /* PORT_ADD */
}

/* Someone on the link answers ARP; other frames may come in between. */
static bool net_works(struct dev *d)
{
    static const u8 arp[12 + 42] =
        {[12] = 0xff, 0xff,       0xff, 0xff, 0xff, 0xff,       2, 0, 0,
         0,           0,          9,    8,    6,    [26] = 0,   1, 8, 0,
         6,           4,          0,    1,    2,    0,          0, 0, 0,
         9,           [40] = 192, 0,    2,    2,    [50] = 192, 0, 2, 1};
    volatile u8 *in = scratch[15];
    struct buf rx = {in, 2048, D_WRITE}, tx = {arp, sizeof(arp), 0};

    chain(&d->q[0], 0, &rx, 1);
    publish(&d->q[0], 0);
    notify(d, 0);
    if (send(d, 1, &tx, 1, NULL) != PASS)
        return false;
    for (int tries = 0; tries < 64; tries++) {
        if (wait_used(d, 0, NULL) != PASS)
            return false;
        if (in[24] == 8 && in[25] == 6 && in[33] == 2)
            return true;
        publish(&d->q[0], 0);
        notify(d, 0);
    }
    return false;
}

bool works(struct dev *d)
{
    switch (d->id) {
    case ID_BLK:
        return blk_works(d);
    case ID_RNG:
        return rng_works(d);
    case ID_CONSOLE:
        return console_works(d);
    case ID_NET:
        return net_works(d);
    }
    return false;
}
