/* SPDX-License-Identifier: Apache-2.0 */
/* dhcp.h: the packets of DHCP (RFC 2131, 2132): written, and read with distrust
 */
#ifndef MOTE_GUEST_DHCP_H
#define MOTE_GUEST_DHCP_H

#include "mote/base.h"

#define DHCP_PACKET_MAX 576u /* of ours; what every server takes */
#define DHCP_DNS_MAX    3u   /* as many as resolv.conf may have */
#define DHCP_DOMAIN_MAX 128u

enum dhcp_type { /* RFC 2132, 9.6 */
                 DHCP_DISCOVER = 1,
                 DHCP_OFFER = 2,
                 DHCP_REQUEST = 3,
                 DHCP_ACK = 5,
                 DHCP_NAK = 6,
};

/* Which conversation: what all its packets have in common. */
struct dhcp_talk {
    u32 xid;
    u8 mac[6];
};

/* Addresses are in network order; 0: not given. All were looked at: they are
 * addresses of single hosts, the mask is one, the MTU is in range, the domain
 * has no other characters than names have. */
struct dhcp_lease {
    u32 address, mask, router, server;
    u32 dns[DHCP_DNS_MAX];
    u32 seconds; /* UINT32_MAX: for ever */
    u16 mtu;
    char domain[DHCP_DOMAIN_MAX];
};

/* An IPv4 packet to everybody, into packet; returns its length. A REQUEST is
 * for lease's address, chosen by its server; or, with renew, for more time. */
size_t dhcp_compose(u8 packet[DHCP_PACKET_MAX], enum dhcp_type type,
                    const struct dhcp_talk *talk,
                    const struct dhcp_lease *lease, bool renew);

/* Type of the reply, an IPv4 packet, with *lease filled; 0: it is none of this
 * conversation, or not well formed. An OFFER or ACK has an address. */
int dhcp_parse(const u8 *packet, size_t len, const struct dhcp_talk *talk,
               struct dhcp_lease *lease);

#endif
