/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.c: virtio-net (virtio 1.2, 5.1) over a backend of nic.h.
 *
 * Towards the guest a frame is read straight into the first chain of buffers;
 * what does not fit there lands in the pair's spill and is copied on, so no
 * frame's length has to be known before. A frame in hand is kept until there
 * are buffers (and tokens) for all of it, and nothing is read meanwhile: what
 * can be delivered is never dropped here.
 *
 * Who wakes a pair up: with buffers but no frame, the backend (want_recv);
 * with a frame but no buffers, the driver's notification, which vq_pop() asks
 * for when it finds the ring empty; without tokens, the pause. Each of them
 * looks at everything again, so that none can be missed (rule R10).
 *
 * A guest that sends and sends while nothing comes back waits for no answer:
 * then its frames are fetched every NET_COALESCE_NS, without notifications, so
 * that it and we are disturbed once for many frames. The first frame that
 * comes in, or a look that finds less than two, ends this; and so does one that
 * finds many, as then we are the slower one and need no rest.
 */
#include <stdlib.h>

#include "mote/log.h"

#include "net.h"

#define NET_ID        1
#define NET_QUEUE_MAX 256
#define NET_BATCH     256u /* frames before others have a turn */
#define NET_FRAME_MIN 14u  /* an Ethernet header */
#define NET_FRAME_MAX (NIC_FRAME_MAX - NIC_HDR_LEN)
#define NET_MTU_MIN   68 /* RFC 791 */

/* Rounds of sending in one direction only that make a stream, and how long its
 * frames may wait for each other; with so many at once it is not worth it. */
#define NET_STREAM       8u
#define NET_COALESCE_NS  100000u
#define NET_COALESCE_MAX 16u

/* Less payload a segment makes thousands of frames of one: no TCP does. */
#define NET_GSO_MIN 48

static_assert(2 * NIC_PAIR_MAX + 1 <= VIRTIO_VQ_MAX, "queues");

static void net_want_recv(struct net *n, unsigned int pair, bool on)
{
    n->nic->ops->want_recv(n->nic, pair, on);
}

static void net_drop(struct net *n)
{
    counter_add(&n->dev.dropped, 1);
}

static u64 net_limit(struct limit *l, u32 bytes)
{
    return limit_active(l) ? limit_take(l, bytes, monotonic_ns()) : 0;
}

/* ---- towards the guest -------------------------------------------------- */

/* Does a header of the backend promise only what the driver has accepted?
 * Frames that a former driver's offloads have shaped may still be queued. */
static bool net_rx_hdr_ok(const struct net *n, struct net_hdr *hdr)
{
    u64 need = 0;

    if (!virtio_has(&n->dev, NET_F_GUEST_CSUM))
        hdr->flags &= (u8)~NET_HDR_DATA_VALID;
    if (hdr->flags & NET_HDR_NEEDS_CSUM)
        need |= NET_F_GUEST_CSUM;
    if (hdr->gso_type == NET_GSO_TCPV4)
        need |= NET_F_GUEST_TSO4;
    else if (hdr->gso_type == NET_GSO_TCPV6)
        need |= NET_F_GUEST_TSO6;
    else if (hdr->gso_type != NET_GSO_NONE)
        return false;
    return virtio_has(&n->dev, need);
}

/* The header apart, the chain's buffers behind it, then the spill. */
static unsigned int net_rx_iov(struct net *n, struct net_pair *p)
{
    const struct vq_chain *c = &p->first;
    size_t skip = NIC_HDR_LEN;
    unsigned int nr = 0;

    n->iov[nr++] = (struct iovec){&p->hdr, NIC_HDR_LEN};
    for (unsigned int i = 0; i < c->nr_in; i++) {
        size_t cut = MIN(skip, c->in[i].iov_len);

        skip -= cut;
        if (cut < c->in[i].iov_len)
            n->iov[nr++] = (struct iovec){(u8 *)c->in[i].iov_base + cut,
                                          c->in[i].iov_len - cut};
    }
    n->iov[nr++] = (struct iovec){p->spill, sizeof(p->spill)};
    return nr;
}

DEV_ONLY static void net_rx_unpop(struct vq *vq, const struct vq_chain *c,
                                  unsigned int nr)
{
    while (nr > 0)
        vq_unpop(vq, &c[--nr]);
}

/* Pop chains for bytes more of the frame in hand. Their number; 0 and none
 * popped: not enough yet; -E2BIG: not even the whole ring is; or -EPROTO. */
DEV_ONLY static int net_rx_more(struct net *n, struct vq *vq, u32 bytes)
{
    unsigned int nr = 0;
    u64 room = 0;
    int r = 1;

    while (room < bytes && r > 0) {
        if (nr + 1 >= vq->cfg.num)
            r = -E2BIG;
        else
            r = vq_pop(vq, &n->more[nr]);
        if (r > 0)
            room += n->more[nr++].in_len;
    }
    if (r > 0)
        return (int)nr;
    net_rx_unpop(vq, n->more, nr);
    return r;
}

/* All of a frame's buffers become visible at once (virtio 1.2, 5.1.6.3.2). */
DEV_ONLY static void net_rx_push(struct net *n, struct net_pair *p,
                                 struct vq *vq, u32 direct, unsigned int nr)
{
    u32 done = 0, rest = p->len - direct;

    n->one_way = 0;
    net_count(n, NET_RX_PACKETS, 1);
    net_count(n, NET_RX_BYTES, p->len);
    p->hdr.num_buffers = (u16)(1 + nr);
    vq_put(&p->first, &p->hdr, NIC_HDR_LEN);
    if (nr == 0)
        vq_push(vq, &p->first, NIC_HDR_LEN + direct);
    else
        vq_fill(vq, &p->first, NIC_HDR_LEN + direct);
    for (unsigned int i = 0; i < nr; i++) {
        u32 got = vq_put(&n->more[i], p->spill + done, rest - done);

        done += got;
        if (i + 1 < nr)
            vq_fill(vq, &n->more[i], got);
        else
            vq_push(vq, &n->more[i], got);
    }
}

/* Bring the frame in hand to the guest. 1: done with it; 0: somebody will
 * kick; -EPROTO. */
DEV_ONLY static int net_rx_deliver(struct net *n, unsigned int pair)
{
    struct net_pair *p = &n->pair[pair];
    struct vq *vq = net_rx_vq(n, pair);
    u32 direct = MIN(p->len, p->first.in_len - NIC_HDR_LEN);
    u64 wait = p->paid ? 0 : net_limit(&n->rx_limit, p->len);
    int nr = 0;

    if (wait > 0) {
        net_count(n, NET_RX_THROTTLED, 1);
        virtio_pause(&n->dev, vq, wait);
        return 0;
    }
    p->paid = true;
    if (direct < p->len && !virtio_has(&n->dev, NET_F_MRG_RXBUF))
        nr = -E2BIG;
    else if (direct < p->len)
        nr = net_rx_more(n, vq, p->len - direct);
    if (nr == 0 && direct < p->len)
        return 0;
    if (nr < 0 && nr != -E2BIG)
        return nr;
    p->pending = false;
    if (nr >= 0) {
        net_rx_push(n, p, vq, direct, (unsigned int)nr);
    } else {
        vq_unpop(vq, &p->first);
        net_drop(n);
        net_count(n, NET_RX_FAILS, 1);
    }
    return 1;
}

/* One frame from the backend into the chain just popped. 1: it is in hand;
 * 0: there is none. */
DEV_ONLY static int net_rx_fetch(struct net *n, unsigned int pair)
{
    struct net_pair *p = &n->pair[pair];
    ssize_t r = n->nic->ops->recv(n->nic, pair, n->iov, net_rx_iov(n, p));

    if (r > (ssize_t)NIC_FRAME_MAX || (r >= 0 && r < (ssize_t)NIC_HDR_LEN))
        r = -EMSGSIZE;
    if (r >= 0 && !net_rx_hdr_ok(n, &p->hdr))
        r = -EBADMSG;
    if (r < 0) {
        vq_unpop(net_rx_vq(n, pair), &p->first);
        if (r != -EAGAIN && r != -ENETDOWN) {
            net_drop(n);
            net_count(n, NET_RX_FAILS, 1);
        }
        return r == -EMSGSIZE || r == -EBADMSG;
    }
    p->pending = true;
    p->paid = false;
    p->len = (u32)r - NIC_HDR_LEN;
    return 1;
}

/* 1: try again; 0: nothing to do until somebody calls; -EPROTO. */
DEV_ONLY static int net_rx_one(struct net *n, unsigned int pair)
{
    struct net_pair *p = &n->pair[pair];
    struct vq *vq = net_rx_vq(n, pair);
    int r;

    if (p->pending)
        return net_rx_deliver(n, pair);
    r = vq_pop(vq, &p->first);
    if (r <= 0)
        return r;
    if (p->first.in_len < NIC_HDR_LEN) {
        vq_unpop(vq, &p->first);
        vq->why = "a receive buffer smaller than its header";
        return -EPROTO;
    }
    if (net_rx_fetch(n, pair) > 0)
        return 1;
    net_want_recv(n, pair, true);
    return 2; /* idle, but listening */
}

DEV_ONLY static int net_rx(struct net *n, unsigned int pair)
{
    int r = 1;

    for (unsigned int i = 0; i < 2 * NET_BATCH && r == 1; i++)
        r = net_rx_one(n, pair);
    if (r == 2)
        return 0;
    net_want_recv(n, pair, false);
    if (r == 1)
        virtio_kick_later(&n->dev, net_rx_vq(n, pair));
    return MIN(r, 0);
}

DEV_ONLY static void net_on_readable(void *ctx, unsigned int pair)
{
    struct net *n = ctx;
    struct vq *vq = net_rx_vq(n, pair);
    int r;

    counter_add(&n->dev.wakeups, 1);
    net_count(n, NET_RX_READY, 1);
    r = net_rx(n, pair);
    virtio_notify(&n->dev, vq);
    if (r < 0)
        virtio_break(&n->dev, vq, NULL);
}

/* ---- from the guest ----------------------------------------------------- */

/* Checksum and segmentation as the driver may ask for them (virtio 1.2,
 * 5.1.6.2); flags that are not for us are cleared. len: of the frame. */
static bool net_tx_hdr_ok(const struct net *n, struct net_hdr *hdr, u32 len)
{
    u64 need = 0;

    hdr->num_buffers = 0;
    hdr->flags &= NET_HDR_NEEDS_CSUM;
    if (hdr->flags) {
        if ((u32)hdr->csum_start + hdr->csum_offset + 2 > len)
            return false;
        need |= NET_F_CSUM;
    }
    if (hdr->gso_type == NET_GSO_NONE) {
        hdr->gso_size = hdr->hdr_len = 0;
        return virtio_has(&n->dev, need);
    }
    if (hdr->gso_type == NET_GSO_TCPV4)
        need |= NET_F_HOST_TSO4;
    else if (hdr->gso_type == NET_GSO_TCPV6)
        need |= NET_F_HOST_TSO6;
    else
        return false;
    return hdr->flags && hdr->gso_size >= NET_GSO_MIN && hdr->hdr_len <= len &&
           virtio_has(&n->dev, need);
}

/* The frame that c holds. 0, -EAGAIN, or why it is dropped. */
static int net_tx_send(struct net *n, unsigned int pair, struct vq_chain *c)
{
    struct net_hdr hdr;
    int r;

    if (!vq_take(c, &hdr, NIC_HDR_LEN) || c->out_len < NET_FRAME_MIN ||
        c->out_len > NET_FRAME_MAX || !net_tx_hdr_ok(n, &hdr, c->out_len)) {
        counter_add(&n->dev.errors, 1);
        net_count(n, NET_TX_MALFORMED, 1);
        return -EINVAL;
    }
    n->iov[0] = (struct iovec){&hdr, NIC_HDR_LEN};
    memcpy(n->iov + 1, c->out, c->nr_out * sizeof(*c->out));
    r = n->nic->ops->send(n->nic, pair, n->iov, 1u + c->nr_out);
    if (r == 0) {
        net_count(n, NET_TX_PACKETS, 1);
        net_count(n, NET_TX_BYTES, c->out_len);
    } else if (r != -EAGAIN) {
        net_count(n, NET_TX_FAILS, 1);
    }
    return r;
}

/* 1: go on; 0: nothing to do until somebody calls; -EPROTO. */
DEV_ONLY static int net_tx_one(struct net *n, unsigned int pair)
{
    struct net_pair *p = &n->pair[pair];
    struct vq *vq = net_tx_vq(n, pair);
    struct vq_chain c;
    u64 wait;
    int r = vq_pop(vq, &c);

    if (r <= 0)
        return r;
    wait = p->tx_paid ? 0 : net_limit(&n->tx_limit, c.out_len);
    p->tx_paid = wait == 0;
    if (wait > 0) {
        vq_unpop(vq, &c);
        net_count(n, NET_TX_THROTTLED, 1);
        virtio_pause(&n->dev, vq, wait);
        return 0;
    }
    r = net_tx_send(n, pair, &c);
    if (r == -EAGAIN) {
        vq_unpop(vq, &c);
        p->tx_full = true;
        n->nic->ops->want_send(n->nic, pair, true);
        return 0;
    }
    if (r < 0)
        net_drop(n);
    p->tx_paid = false;
    vq_push(vq, &c, 0);
    return 1;
}

/* After so many frames of this round, which may be a look of ours: is it worth
 * waiting for more? */
static bool net_tx_gathers(const struct net *n, unsigned int frames, bool look)
{
    return n->one_way == NET_STREAM && frames >= (look ? 2 : 1) &&
           frames < NET_COALESCE_MAX;
}

DEV_ONLY static int net_tx(struct net *n, unsigned int pair)
{
    struct net_pair *p = &n->pair[pair];
    struct vq *vq = net_tx_vq(n, pair);
    bool look = p->tx_look;
    unsigned int i;
    int r = !p->tx_full;

    for (i = 0; i < NET_BATCH && r > 0; i++) {
        p->tx_look = net_tx_gathers(n, i, look) && !vq_peek(vq);
        if (p->tx_look) {
            virtio_pause(&n->dev, vq, NET_COALESCE_NS);
            return 0;
        }
        r = net_tx_one(n, pair);
    }
    if (look || i >= NET_COALESCE_MAX)
        n->one_way = 0;
    else if (n->one_way < NET_STREAM)
        n->one_way++;
    if (r > 0)
        virtio_kick_later(&n->dev, vq);
    return MIN(r, 0);
}

DEV_ONLY static void net_on_writable(void *ctx, unsigned int pair)
{
    struct net *n = ctx;
    struct vq *vq = net_tx_vq(n, pair);
    int r;

    counter_add(&n->dev.wakeups, 1);
    n->pair[pair].tx_full = false;
    r = net_tx(n, pair);
    if (!n->pair[pair].tx_full)
        n->nic->ops->want_send(n->nic, pair, false);
    virtio_notify(&n->dev, vq);
    if (r < 0)
        virtio_break(&n->dev, vq, NULL);
}

/* ---- the device --------------------------------------------------------- */

static struct net *net_of(struct virtio_dev *dev)
{
    return container_of(dev, struct net, dev);
}

DEV_ONLY static int net_kick(struct virtio_dev *dev, struct vq *vq)
{
    struct net *n = net_of(dev);
    unsigned int pairs = virtio_has(dev, NET_F_MQ) ? n->max_pairs : 1;

    if (vq->index == 2 * pairs && virtio_has(dev, NET_F_CTRL_VQ))
        return net_ctrl(n, vq);
    if (vq->index >= 2 * pairs)
        return 0;
    net_count(n, vq->index % 2 ? NET_TX_KICKS : NET_RX_KICKS, 1);
    return vq->index % 2 ? net_tx(n, vq->index / 2) : net_rx(n, vq->index / 2);
}

/* Offloads of frames towards the guest. Without checksums no segmentation
 * (virtio 1.2, 5.1.3.1). */
static u32 net_offloads(const struct net *n)
{
    u32 offloads = NIC_CSUM;

    if (!virtio_has(&n->dev, NET_F_GUEST_CSUM))
        return 0;
    if (virtio_has(&n->dev, NET_F_GUEST_TSO4))
        offloads |= NIC_TSO4;
    if (virtio_has(&n->dev, NET_F_GUEST_TSO6))
        offloads |= NIC_TSO6;
    return offloads;
}

int net_set_pairs(struct net *n, unsigned int pairs)
{
    int r = n->nic->ops->set_pairs ? n->nic->ops->set_pairs(n->nic, pairs) : 0;

    for (unsigned int i = 0; i < pairs && r == 0; i++)
        virtio_kick_later(&n->dev, net_rx_vq(n, i));
    return r;
}

/* A backend that is gone does not keep a driver from starting. */
DEV_ONLY static int net_start(struct virtio_dev *dev)
{
    struct net *n = net_of(dev);

    (void)n->nic->ops->set_offloads(n->nic, net_offloads(n));
    (void)net_set_pairs(n, 1);
    return 0;
}

DEV_ONLY static void net_reset(struct virtio_dev *dev)
{
    struct net *n = net_of(dev);

    for (unsigned int i = 0; i < n->max_pairs; i++) {
        struct net_pair *p = &n->pair[i];

        net_want_recv(n, i, false);
        n->nic->ops->want_send(n->nic, i, false);
        if (p->pending) {
            net_drop(n);
            vq_push(net_rx_vq(n, i), &p->first, 0);
        }
        p->pending = p->tx_full = p->tx_paid = p->tx_look = false;
    }
    n->one_way = 0;
    (void)n->nic->ops->set_offloads(n->nic, 0);
    if (n->nic->ops->set_pairs)
        (void)n->nic->ops->set_pairs(n->nic, 1);
}

static void net_free(struct virtio_dev *dev)
{
    struct net *n = net_of(dev);

    n->nic->ops->free(n->nic);
    virtio_dev_fini(dev);
    free(n);
}

static const struct virtio_ops net_ops = {
    .name = "net",
    .id = NET_ID,
    .filter = FILTER_NET,
    .group = "net",
    .counters = net_counters,
    .nr_counters = NET_COUNTERS,
    .polls = true,
    .start = net_start,
    .kick = net_kick,
    .reset = net_reset,
    .free = net_free,
};

static void net_set_link(struct net *n)
{
    n->config.status = n->nic->info.link ? NET_S_LINK_UP : 0;
    virtio_config_set(&n->dev, offsetof(struct net_config, status),
                      &n->config.status, sizeof(n->config.status));
}

DEV_ONLY static void net_on_link(void *ctx)
{
    struct net *n = ctx;

    net_set_link(n);
    virtio_config_changed(&n->dev);
}

static u64 net_features(const struct nic *nic, const struct net_options *opt)
{
    u64 f = NET_F_MRG_RXBUF | NET_F_STATUS | NET_F_CTRL_VQ | NET_F_CTRL_RX;

    if (opt->has_mac)
        f |= NET_F_MAC | NET_F_CTRL_MAC_ADDR;
    if (opt->mtu)
        f |= NET_F_MTU;
    if (nic->info.pairs > 1)
        f |= NET_F_MQ;
    if (nic->info.offloads & NIC_CSUM)
        f |= NET_F_CSUM | NET_F_GUEST_CSUM;
    if (nic->info.offloads & NIC_TSO4)
        f |= NET_F_HOST_TSO4 | NET_F_GUEST_TSO4;
    if (nic->info.offloads & NIC_TSO6)
        f |= NET_F_HOST_TSO6 | NET_F_GUEST_TSO6;
    return f;
}

static void net_init_config(struct net *n, const struct net_options *opt)
{
    if (opt->has_mac)
        memcpy(n->config.mac, opt->mac, sizeof(n->config.mac));
    n->config.max_pairs = (u16)n->max_pairs;
    n->config.mtu = opt->mtu;
    virtio_config_set(&n->dev, 0, &n->config, sizeof(n->config));
    net_set_link(n);
}

static int net_init(struct net *n, struct nic *nic,
                    const struct net_options *opt)
{
    int r =
        virtio_dev_init(&n->dev, &net_ops, opt->name, 2 * nic->info.pairs + 1,
                        NET_QUEUE_MAX, net_features(nic, opt));

    if (r < 0)
        return r;
    _Static_assert(sizeof(nic->fd) == sizeof(n->dev.filter.fd), "one each");
    n->nic = nic;
    n->max_pairs = nic->info.pairs;
    n->dev.filter.nr_fds = nic->nr_fds;
    memcpy(n->dev.filter.fd, nic->fd, sizeof(nic->fd));
    net_init_config(n, opt);
    limit_init(&n->rx_limit, &opt->rx, monotonic_ns());
    limit_init(&n->tx_limit, &opt->tx, monotonic_ns());
    nic->ctx = n;
    nic->readable = net_on_readable;
    nic->writable = net_on_writable;
    nic->link_changed = net_on_link;
    r = nic->ops->attach(nic, &n->dev.loop);
    if (r < 0)
        virtio_dev_fini(&n->dev);
    return r;
}

int net_new(struct virtio_dev **out, struct nic *nic,
            const struct net_options *opt)
{
    struct net *n;
    int r;

    if (opt->mtu && opt->mtu < NET_MTU_MIN)
        return fail_rule(-EINVAL, "%s: an MTU of %u; at least %d", opt->name,
                         opt->mtu, NET_MTU_MIN);
    n = calloc(1, sizeof(*n));
    if (!n)
        return fail(-ENOMEM, "%s", opt->name);
    r = net_init(n, nic, opt);
    if (r < 0)
        goto free_net;
    *out = &n->dev;
    return 0;

free_net:
    free(n);
    return r;
}
