/* SPDX-License-Identifier: Apache-2.0 */
/* net_dev_rig.h: a net device on a fake backend, for test_net*.c */
#ifndef MOTE_NET_DEV_RIG_H
#define MOTE_NET_DEV_RIG_H

#include <poll.h>

#include "net_rig.h"
#include "nic_rig.h"

#define ALL_OFFLOADS (NIC_CSUM | NIC_TSO4 | NIC_TSO6)
#define RX           0
#define TX           1
#define CTRL         2

struct rig {
    struct vdrv d;
    struct nic_rig nic;
    struct net_options opt;
    u64 gpa; /* scratch of the tests, 4 MiB */
};

static u8 frame[NIC_FRAME_MAX], seen[NIC_FRAME_MAX + 1];

static inline void rig_new(struct rig *r, unsigned int pairs)
{
    struct virtio_dev *dev;

    nic_rig_up(&r->nic, pairs, ALL_OFFLOADS);
    r->opt.name = "eth0";
    ck_assert_int_eq(net_new(&dev, &r->nic.nic, &r->opt), 0);
    vdrv_attach(&r->d, dev);
}

static inline void rig_init(struct rig *r, u64 features)
{
    vdrv_init(&r->d, features);
    r->gpa = vdrv_alloc(&r->d, 4 * MIB);
}

static inline void rig_up(struct rig *r, u64 features)
{
    *r = (struct rig){0};
    rig_new(r, 1);
    rig_init(r, features);
}

static inline void rig_down(struct rig *r)
{
    vdrv_down(&r->d);
    nic_rig_down(&r->nic);
}

static inline struct virtio_stats rig_stats(struct rig *r)
{
    struct virtio_stats s;

    virtio_stats(r->d.dev, &s);
    return s;
}

/* Bytes that tell a frame from others and a byte from its neighbours. */
static inline void make_frame(u32 len, u32 tag)
{
    memset(frame, 0, NIC_HDR_LEN);
    for (u32 i = NIC_HDR_LEN; i < NIC_HDR_LEN + len; i++)
        frame[i] = (u8)(i * 7 + i / 251 + tag * 31);
}

/* From the network. False: the backend's queue is full. */
static inline bool peer_send(struct rig *r, u32 len, u32 tag)
{
    make_frame(len, tag);
    return send(r->nic.peer[0], frame, NIC_HDR_LEN + len, 0) > 0;
}

static inline ssize_t peer_recv(struct rig *r)
{
    struct pollfd pfd = {.fd = r->nic.peer[0], .events = POLLIN};

    poll(&pfd, 1, 2000);
    return recv(r->nic.peer[0], seen, sizeof(seen), 0);
}

static inline void add_rx(struct rig *r, u64 gpa, u32 len)
{
    vdrv_add(&r->d, RX, &(struct vdrv_buf){gpa, len, true}, 1);
}

/* A frame over as many buffers as it needs, each of size bytes. */
static inline void check_rx(struct rig *r, u32 len, u32 size, u32 tag)
{
    u32 total = NIC_HDR_LEN + len, at = 0, got;
    unsigned int nr = (total + size - 1) / size;
    u8 *p = vdrv_ptr(&r->d, r->gpa, 4 * MIB);

    for (unsigned int i = 0; i < nr; i++)
        add_rx(r, r->gpa + (u64)i * size, size);
    vdrv_kick(&r->d, RX);
    ck_assert(peer_send(r, len, tag));
    for (unsigned int i = 0; i < nr; i++) {
        ck_assert_int_ge(vdrv_wait(&r->d, RX, &got), 0);
        ck_assert_uint_eq(got, MIN(size, total - at));
        at += got;
    }
    ck_assert_uint_eq(at, total);
    ck_assert_uint_eq(le16_get(p + offsetof(struct net_hdr, num_buffers)), nr);
    ck_assert_int_eq(memcmp(p + NIC_HDR_LEN, frame + NIC_HDR_LEN, len), 0);
}

#endif
