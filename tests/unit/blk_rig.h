/* SPDX-License-Identifier: Apache-2.0 */
/* blk_rig.h: a virtio disk under a driver of the test's, request by request */
#ifndef MOTE_BLK_RIG_H
#define MOTE_BLK_RIG_H

#include "capture.h"
#include "disk_rig.h"
#include "virtio_driver.h"

#define SIZE  MIB
#define NAME  "a-drive-with-a-very-long-name"
#define IN    0u
#define OUT   1u
#define FLUSH 4u
#define ID    8u
#define TRIM  11u
#define ZERO  13u
#define END   (SIZE / 512)
#define SENT  0xee /* a status nobody has written */

#define F_RO      (1ull << 5)
#define F_FLUSH   (1ull << 9)
#define F_MQ      (1ull << 12)
#define F_DISCARD (1ull << 13)
#define F_ZEROES  (1ull << 14)

enum { OK, IOERR, UNSUPP };

struct header {
    u32 type, reserved;
    u64 sector;
};

struct range {
    u64 sector;
    u32 nr, flags;
};

/* A request's guest memory, and where its parts are. */
struct area {
    u64 header, data, status;
};

static inline struct virtio_dev *blk(struct disk *disk, struct blk_options opt)
{
    struct virtio_dev *dev;

    opt.name = NAME;
    opt.queues = opt.queues ? opt.queues : 1;
    ck_assert_int_eq(blk_new(&dev, disk, &opt), 0);
    return dev;
}

static inline struct area area_new(struct vdrv *d, u32 type, u64 sector,
                                   u64 data_len)
{
    struct area a = {vdrv_alloc(d, 64), vdrv_alloc(d, MAX(data_len, 1ull)),
                     vdrv_alloc(d, 1)};
    struct header h = {.type = type, .sector = sector};

    memcpy(vdrv_ptr(d, a.header, sizeof(h)), &h, sizeof(h));
    *(u8 *)vdrv_ptr(d, a.status, 1) = SENT;
    return a;
}

static inline u8 area_status(struct vdrv *d, const struct area *a)
{
    return *(volatile u8 *)vdrv_ptr(d, a->status, 1);
}

/* Header, data, status in a descriptor each; not yet notified. */
static inline void area_add(struct vdrv *d, unsigned int q,
                            const struct area *a, u32 len, bool write)
{
    struct vdrv_buf buf[3] = {
        {a->header, 16, false}, {a->data, len, write}, {a->status, 1, true}};

    if (len == 0)
        buf[1] = buf[2];
    vdrv_add(d, q, buf, len ? 3 : 2);
}

/* One request to its end; its status. */
static inline u8 request(struct vdrv *d, u32 type, u64 sector, void *data,
                         u32 len)
{
    u64 heap = d->heap;
    struct area a = area_new(d, type, sector, len);
    bool in = type == IN || type == ID;
    u8 status;

    if (len && !in)
        memcpy(vdrv_ptr(d, a.data, len), data, len);
    area_add(d, 0, &a, len, in);
    vdrv_kick(d, 0);
    ck_assert_int_ge(vdrv_wait(d, 0, NULL), 0);
    status = area_status(d, &a);
    if (len && in)
        memcpy(data, vdrv_ptr(d, a.data, len), len);
    d->heap = heap;
    return status;
}

static inline void memory_up(struct vdrv *d, struct blk_options opt,
                             bool read_only)
{
    struct disk *disk;

    ck_assert_int_eq(memory_disk_new(&disk, SIZE), 0);
    disk->info.read_only = read_only;
    vdrv_up(d, blk(disk, opt), ~0ull);
}

#endif
