/* SPDX-License-Identifier: Apache-2.0 */
/* net.h: virtio-net inside: what guest and device agree on (virtio 1.2, 5.1),
 * and the device as net.c and net_ctrl.c see it */
#ifndef MOTE_VIRTIO_NET_H
#define MOTE_VIRTIO_NET_H

#include "mote/limit.h"
#include "mote/nic.h"

#include "dev.h"

/* ---- feature bits (5.1.3) ----------------------------------------------- */

#define NET_F_CSUM          (1ull << 0)
#define NET_F_GUEST_CSUM    (1ull << 1)
#define NET_F_MTU           (1ull << 3)
#define NET_F_MAC           (1ull << 5)
#define NET_F_GUEST_TSO4    (1ull << 7)
#define NET_F_GUEST_TSO6    (1ull << 8)
#define NET_F_HOST_TSO4     (1ull << 11)
#define NET_F_HOST_TSO6     (1ull << 12)
#define NET_F_MRG_RXBUF     (1ull << 15)
#define NET_F_STATUS        (1ull << 16)
#define NET_F_CTRL_VQ       (1ull << 17)
#define NET_F_CTRL_RX       (1ull << 18)
#define NET_F_MQ            (1ull << 22)
#define NET_F_CTRL_MAC_ADDR (1ull << 23)

/* ---- configuration space (5.1.4), as far as features make it valid ------- */

struct net_config {
    u8 mac[6];
    u16 status;
    u16 max_pairs;
    u16 mtu;
};

#define NET_S_LINK_UP 1

/* ---- in front of each frame (5.1.6) ------------------------------------- */

struct net_hdr {
    u8 flags;
    u8 gso_type;
    u16 hdr_len;
    u16 gso_size;
    u16 csum_start;
    u16 csum_offset;
    u16 num_buffers;
};
static_assert(sizeof(struct net_hdr) == NIC_HDR_LEN, "vnet header");

#define NET_HDR_NEEDS_CSUM 1
#define NET_HDR_DATA_VALID 2
#define NET_GSO_NONE       0
#define NET_GSO_TCPV4      1
#define NET_GSO_TCPV6      4

/* ---- control commands (5.1.6.5) ----------------------------------------- */

struct net_ctrl_hdr {
    u8 class;
    u8 cmd;
};

#define NET_CTRL_OK            0
#define NET_CTRL_ERR           1
#define NET_CTRL_RX            0
#define NET_CTRL_RX_ALLMULTI   1 /* and 0, PROMISC */
#define NET_CTRL_MAC           1
#define NET_CTRL_MAC_TABLE_SET 0
#define NET_CTRL_MAC_ADDR_SET  1
#define NET_CTRL_MQ            4
#define NET_CTRL_MQ_PAIRS_SET  0

/* ---- the device --------------------------------------------------------- */

enum net_counter {
    NET_RX_PACKETS,
    NET_RX_BYTES,
    NET_RX_FAILS, /* frames of the host that could not be delivered */
    NET_RX_KICKS,
    NET_RX_THROTTLED,
    NET_RX_READY, /* the backend has called */
    NET_TX_PACKETS,
    NET_TX_BYTES,
    NET_TX_FAILS,
    NET_TX_MALFORMED,
    NET_TX_KICKS,
    NET_TX_THROTTLED,
    NET_COUNTERS
};

extern const char *const net_counters[NET_COUNTERS];

struct net_pair {
    bool pending;          /* a frame for the guest is in hand: */
    bool paid;             /* its tokens are taken */
    u32 len;               /* its bytes */
    struct net_hdr hdr;    /* its header */
    struct vq_chain first; /* its start, popped */

    bool tx_full; /* the backend is; it will call */
    bool tx_paid; /* the next chain's tokens are taken */
    bool tx_look; /* the next round comes from a pause, not from a kick */
    u8 spill[NIC_FRAME_MAX];
};

struct net {
    struct virtio_dev dev;
    struct nic *nic;
    unsigned int max_pairs;
    struct net_config config;
    struct limit rx_limit, tx_limit;
    unsigned int one_way; /* rounds of sending since a frame came in */

    /* Scratch of one frame: its header, a chain, the spill. */
    struct iovec iov[VQ_SIZE_MAX + 2];
    struct vq_chain more[VQ_SIZE_MAX];

    struct net_pair pair[NIC_PAIR_MAX];
};

static inline struct vq *net_rx_vq(struct net *n, unsigned int pair)
{
    return virtio_vq(&n->dev, 2 * pair);
}

static inline struct vq *net_tx_vq(struct net *n, unsigned int pair)
{
    return virtio_vq(&n->dev, 2 * pair + 1);
}

static inline void net_count(struct net *n, enum net_counter which, u64 by)
{
    counter_add(&n->dev.counter[which], by);
}

/* Let so many pairs carry frames. 0 or the backend's negative errno. */
DEV_ONLY int net_set_pairs(struct net *n, unsigned int pairs);

/* Serve the control queue, as a kick(). */
DEV_ONLY int net_ctrl(struct net *n, struct vq *vq);

#endif
