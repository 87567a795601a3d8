/* SPDX-License-Identifier: Apache-2.0 */
/* net_rig.h: virtio-net over any backend: one frame out, one frame in */
#ifndef MOTE_TEST_NET_RIG_H
#define MOTE_TEST_NET_RIG_H

#include <stdio.h>
#include <unistd.h>

#include "virtio/net.h"

#include "virtio_driver.h"

#define NET_RIG_RX   0
#define NET_RIG_TX   1
#define NET_RIG_SIZE (64 * KIB + 1024) /* of a buffer */

struct net_rig {
    struct vdrv d;
    u64 tx, rx; /* a buffer each */
};

static inline int net_rig_new(struct net_rig *r, struct nic *nic)
{
    struct net_options opt = {.name = "eth0"};
    struct virtio_dev *dev;
    int err = net_new(&dev, nic, &opt);

    *r = (struct net_rig){0};
    if (err < 0)
        return err;
    vdrv_attach(&r->d, dev);
    return 0;
}

/* Accept what is offered and give one buffer for a frame. */
static inline void net_rig_init(struct net_rig *r, u64 features)
{
    vdrv_init(&r->d, features);
    r->tx = vdrv_alloc(&r->d, NET_RIG_SIZE);
    r->rx = vdrv_alloc(&r->d, NET_RIG_SIZE);
}

/* Queue hdr and len bytes of frame, without a word to the device. */
static inline void net_rig_add(struct net_rig *r, const struct net_hdr *hdr,
                               const void *frame, u32 len)
{
    u8 *p = vdrv_ptr(&r->d, r->tx, NET_RIG_SIZE);

    memcpy(p, hdr, sizeof(*hdr));
    memcpy(p + sizeof(*hdr), frame, len);
    vdrv_add(&r->d, NET_RIG_TX,
             &(struct vdrv_buf){r->tx, (u32)sizeof(*hdr) + len, false}, 1);
}

/* Send a frame and wait until the device is done with it. */
static inline bool net_rig_send(struct net_rig *r, const struct net_hdr *hdr,
                                const void *frame, u32 len)
{
    net_rig_add(r, hdr, frame, len);
    vdrv_kick(&r->d, NET_RIG_TX);
    return vdrv_wait(&r->d, NET_RIG_TX, NULL) >= 0;
}

/* The next frame's length, -1 if there is none in time; *p points to its
 * header until the next call. */
static inline int net_rig_recv(struct net_rig *r, u8 **p)
{
    u32 len;

    vdrv_add(&r->d, NET_RIG_RX, &(struct vdrv_buf){r->rx, NET_RIG_SIZE, true},
             1);
    vdrv_kick(&r->d, NET_RIG_RX);
    *p = vdrv_ptr(&r->d, r->rx, NET_RIG_SIZE);
    if (vdrv_wait(&r->d, NET_RIG_RX, &len) < 0)
        return -1;
    return (int)len - (int)NIC_HDR_LEN;
}

static inline bool net_rig_link(struct net_rig *r)
{
    return vdrv_config(&r->d, offsetof(struct net_config, status), 2) &
           NET_S_LINK_UP;
}

static inline struct virtio_stats net_rig_stats(struct net_rig *r)
{
    struct virtio_stats s;

    virtio_stats(r->d.dev, &s);
    return s;
}

/* Is the device's thread asleep? 50 ms of a busy loop would show. */
static inline bool net_rig_sleeps(void)
{
    struct timespec from, to;

    usleep(5000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    usleep(50000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec <
           10000000;
}

#endif
