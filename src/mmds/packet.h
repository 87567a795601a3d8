/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h: Ethernet, ARP and IPv4 around TCP: which frames are the service's,
 * what is in them, and how its own are made */
#ifndef MOTE_MMDS_PACKET_H
#define MOTE_MMDS_PACKET_H

#include "tcp.h"

#define PACKET_HEAD 42u /* bytes that packet_is_ours() needs to see */
#define PACKET_IN_MAX                                                          \
    (14u + 60u + 60u + TCP_REQUEST_MAX) /* with all of its options */
#define PACKET_OUT_MAX (14u + 20u + 24u + TCP_PAYLOAD_MAX)

struct arp_question {
    u8 mac[6];
    u32 ip; /* who asks; as in a packet */
};

/* An ARP request for the address, or an IPv4 packet to it? head: the first
 * bytes of a frame, as many of PACKET_HEAD as it has. */
bool packet_is_ours(const u8 *head, u32 len, u32 address);
bool packet_is_arp(const u8 *head, u32 len);

/* 0, or -EBADMSG: broken, or nothing that is answered. trusted: the guest has
 * left out TCP's sum, for others to add. s->data points into frame. */
int packet_parse(struct tcp_segment *s, const u8 *frame, u32 len, u32 address,
                 bool trusted);
int packet_parse_arp(struct arp_question *q, const u8 *frame, u32 len,
                     u32 address);

/* A frame into buf; its length. */
u32 packet_make(u8 buf[static PACKET_OUT_MAX], const struct tcp_segment *s,
                u32 address);
u32 packet_make_arp(u8 buf[static PACKET_OUT_MAX], const struct arp_question *q,
                    u32 address);

#endif
