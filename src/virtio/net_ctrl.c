/* SPDX-License-Identifier: Apache-2.0 */
/* net_ctrl.c: the control queue of virtio-net (virtio 1.2, 5.1.6.5) */
#include "net.h"

/* mote filters nothing, so every receive mode is in force already. */
static bool net_ctrl_rx(u8 cmd, struct vq_chain *c)
{
    u8 on;

    return cmd <= NET_CTRL_RX_ALLMULTI && vq_take(c, &on, sizeof(on));
}

/* Two tables of addresses, each behind its count. */
static bool net_ctrl_mac_table(struct vq_chain *c)
{
    for (int i = 0; i < 2; i++) {
        u32 entries;
        u64 bytes;

        if (!vq_take(c, &entries, sizeof(entries)))
            return false;
        bytes = (u64)entries * sizeof(((struct net_config *)NULL)->mac);
        if (bytes > c->out_len)
            return false;
        vq_skip_out(c, (u32)bytes);
    }
    return true;
}

static bool net_ctrl_mac(struct net *n, u8 cmd, struct vq_chain *c)
{
    if (cmd == NET_CTRL_MAC_TABLE_SET)
        return net_ctrl_mac_table(c);
    if (cmd != NET_CTRL_MAC_ADDR_SET ||
        !virtio_has(&n->dev, NET_F_CTRL_MAC_ADDR) ||
        !vq_take(c, n->config.mac, sizeof(n->config.mac)))
        return false;
    virtio_config_set(&n->dev, offsetof(struct net_config, mac), n->config.mac,
                      sizeof(n->config.mac));
    return true;
}

DEV_ONLY static bool net_ctrl_mq(struct net *n, u8 cmd, struct vq_chain *c)
{
    u16 pairs;

    if (cmd != NET_CTRL_MQ_PAIRS_SET || !virtio_has(&n->dev, NET_F_MQ) ||
        !vq_take(c, &pairs, sizeof(pairs)))
        return false;
    return pairs >= 1 && pairs <= n->max_pairs && net_set_pairs(n, pairs) == 0;
}

DEV_ONLY static bool net_ctrl_command(struct net *n, struct vq_chain *c)
{
    struct net_ctrl_hdr hdr;

    if (!vq_take(c, &hdr, sizeof(hdr)))
        return false;
    if (hdr.class == NET_CTRL_RX && virtio_has(&n->dev, NET_F_CTRL_RX))
        return net_ctrl_rx(hdr.cmd, c);
    if (hdr.class == NET_CTRL_MAC)
        return net_ctrl_mac(n, hdr.cmd, c);
    if (hdr.class == NET_CTRL_MQ)
        return net_ctrl_mq(n, hdr.cmd, c);
    return false;
}

int net_ctrl(struct net *n, struct vq *vq)
{
    struct vq_chain c;
    int r;

    while ((r = vq_pop(vq, &c)) > 0) {
        u8 *status = vq_take_status(&c);
        bool ok = status && net_ctrl_command(n, &c);

        if (!ok)
            counter_add(&n->dev.errors, 1);
        if (status)
            *status = ok ? NET_CTRL_OK : NET_CTRL_ERR;
        vq_push(vq, &c, status ? c.in_len + 1 : 0);
    }
    return r;
}
