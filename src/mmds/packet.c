/* SPDX-License-Identifier: Apache-2.0 */
/* packet.c: headers of the guest's frames, each length checked before what it
 * is the length of; then headers of ours */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include "mote/frame.h"

#include "packet.h"

#define ETH_LEN     14u
#define IP_LEN      20u
#define TCP_LEN     20u
#define ARP_LEN     28u
#define MSS_OPT_LEN 4u

static_assert(sizeof(struct ether_header) == ETH_LEN &&
                  sizeof(struct iphdr) == IP_LEN &&
                  sizeof(struct tcphdr) == TCP_LEN &&
                  sizeof(struct ether_arp) == ARP_LEN,
              "headers as they are in a frame");
static_assert(PACKET_HEAD == ETH_LEN + ARP_LEN, "the longer one");

/* Firecracker's; a guest may have it written down. */
static const u8 own_mac[6] = {0x06, 0x01, 0x23, 0x45, 0x67, 0x01};

/* ---- in ----------------------------------------------------------------- */

static u16 packet_type(const u8 *frame)
{
    return ntohs(le16_get(frame + offsetof(struct ether_header, ether_type)));
}

bool packet_is_arp(const u8 *head, u32 len)
{
    return len >= ETH_LEN + ARP_LEN && packet_type(head) == ETHERTYPE_ARP;
}

bool packet_is_ours(const u8 *head, u32 len, u32 address)
{
    struct arp_question q;

    if (packet_is_arp(head, len))
        return packet_parse_arp(&q, head, len, address) == 0;
    return len >= ETH_LEN + IP_LEN && packet_type(head) == ETHERTYPE_IP &&
           le32_get(head + ETH_LEN + offsetof(struct iphdr, daddr)) == address;
}

int packet_parse_arp(struct arp_question *q, const u8 *frame, u32 len,
                     u32 address)
{
    struct ether_arp arp;

    if (!packet_is_arp(frame, len))
        return -EBADMSG;
    memcpy(&arp, frame + ETH_LEN, sizeof(arp));
    if (arp.ea_hdr.ar_hrd != htons(ARPHRD_ETHER) ||
        arp.ea_hdr.ar_pro != htons(ETHERTYPE_IP) || arp.ea_hdr.ar_hln != 6 ||
        arp.ea_hdr.ar_pln != 4 || arp.ea_hdr.ar_op != htons(ARPOP_REQUEST) ||
        le32_get(arp.arp_tpa) != address)
        return -EBADMSG;
    memcpy(q->mac, arp.arp_sha, sizeof(q->mac));
    q->ip = le32_get(arp.arp_spa);
    return 0;
}

/* Addresses that nobody can be answered at. */
static bool packet_is_nobody(u32 ip, u32 address)
{
    u32 host = ntohl(ip);

    return ip == address || host >> 24 == 0 || host >> 24 == 127 ||
           host >> 28 >= 14;
}

/* The sum over TCP's pseudo header (RFC 9293, 3.1). */
static u16 packet_pseudo(u32 from, u32 to, u32 len)
{
    struct {
        u32 from, to;
        u8 zero, protocol;
        u16 len;
    } pseudo = {from, to, 0, IPPROTO_TCP, htons((u16)len)};

    return frame_sum(&pseudo, sizeof(pseudo), 0);
}

/* The maximum segment size among the options; 0: not there, or garbage. */
static u16 packet_mss(const u8 *opt, u32 len)
{
    u32 i = 0;

    while (i < len && opt[i] != TCPOPT_EOL) {
        if (opt[i] == TCPOPT_NOP) {
            i++;
            continue;
        }
        if (i + 1 >= len || opt[i + 1] < 2 || opt[i + 1] > len - i)
            return 0;
        if (opt[i] == TCPOPT_MAXSEG && opt[i + 1] == TCPOLEN_MAXSEG)
            return ntohs(le16_get(opt + i + 2));
        i += opt[i + 1];
    }
    return 0;
}

static int packet_parse_tcp(struct tcp_segment *s, const u8 *p, u32 len)
{
    struct tcphdr h;
    u32 head;

    if (len < TCP_LEN)
        return -EBADMSG;
    memcpy(&h, p, sizeof(h));
    head = h.th_off * 4u;
    if (head < TCP_LEN || head > len || h.th_sport == 0)
        return -EBADMSG;
    s->peer.port = h.th_sport;
    s->port = ntohs(h.th_dport);
    s->seq = ntohl(h.th_seq);
    s->ack = ntohl(h.th_ack);
    s->flags = h.th_flags;
    s->window = ntohs(h.th_win);
    s->mss = packet_mss(p + TCP_LEN, head - TCP_LEN);
    s->data = p + head;
    s->len = len - head;
    return 0;
}

int packet_parse(struct tcp_segment *s, const u8 *frame, u32 len, u32 address,
                 bool trusted)
{
    struct iphdr ip;
    u32 head, all;

    if (len < ETH_LEN + IP_LEN || packet_type(frame) != ETHERTYPE_IP)
        return -EBADMSG;
    memcpy(&ip, frame + ETH_LEN, sizeof(ip));
    head = ip.ihl * 4u;
    all = ntohs(ip.tot_len);
    if (ip.version != 4 || head < IP_LEN || all < head || all > len - ETH_LEN ||
        frame_sum(frame + ETH_LEN, head, 0) != 0xffff)
        return -EBADMSG;
    /* Fragments are not put together. */
    if (ip.daddr != address || ip.protocol != IPPROTO_TCP ||
        (ntohs(ip.frag_off) & (IP_MF | IP_OFFMASK)) ||
        packet_is_nobody(ip.saddr, address))
        return -EBADMSG;
    *s = (struct tcp_segment){.peer.ip = ip.saddr};
    memcpy(s->peer.mac, frame + offsetof(struct ether_header, ether_shost),
           sizeof(s->peer.mac));
    frame += ETH_LEN + head;
    len = all - head;
    if (!trusted &&
        frame_sum(frame, len, packet_pseudo(ip.saddr, address, len)) != 0xffff)
        return -EBADMSG;
    return packet_parse_tcp(s, frame, len);
}

/* ---- out ---------------------------------------------------------------- */

static void packet_put_eth(u8 *buf, const u8 *mac, u16 type)
{
    struct ether_header eth = {.ether_type = htons(type)};

    memcpy(eth.ether_dhost, mac, sizeof(eth.ether_dhost));
    memcpy(eth.ether_shost, own_mac, sizeof(eth.ether_shost));
    memcpy(buf, &eth, sizeof(eth));
}

u32 packet_make_arp(u8 buf[static PACKET_OUT_MAX], const struct arp_question *q,
                    u32 address)
{
    struct ether_arp arp = {
        .ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                   .ar_pro = htons(ETHERTYPE_IP),
                   .ar_hln = 6,
                   .ar_pln = 4,
                   .ar_op = htons(ARPOP_REPLY)},
    };

    memcpy(arp.arp_sha, own_mac, sizeof(arp.arp_sha));
    memcpy(arp.arp_tha, q->mac, sizeof(arp.arp_tha));
    le32_put(arp.arp_spa, address);
    le32_put(arp.arp_tpa, q->ip);
    packet_put_eth(buf, q->mac, ETHERTYPE_ARP);
    memcpy(buf + ETH_LEN, &arp, sizeof(arp));
    return ETH_LEN + ARP_LEN;
}

static void packet_put_ip(u8 *buf, const struct tcp_segment *s, u32 address,
                          u32 len)
{
    struct iphdr ip = {
        .version = 4,
        .ihl = IP_LEN / 4,
        .tot_len = htons((u16)(IP_LEN + len)),
        .frag_off = htons(IP_DF),
        .ttl = 64,
        .protocol = IPPROTO_TCP,
        .saddr = address,
        .daddr = s->peer.ip,
    };

    ip.check = (u16)~frame_sum(&ip, sizeof(ip), 0);
    memcpy(buf, &ip, sizeof(ip));
}

/* TCP's header, options and data; their length. */
static u32 packet_put_tcp(u8 *buf, const struct tcp_segment *s, u32 address)
{
    const u8 mss[MSS_OPT_LEN] = {TCPOPT_MAXSEG, TCPOLEN_MAXSEG,
                                 (u8)(s->mss >> 8), (u8)s->mss};
    u32 head = TCP_LEN + (s->mss ? MSS_OPT_LEN : 0), len = head + s->len;
    struct tcphdr h = {
        .th_sport = htons(s->port),
        .th_dport = s->peer.port,
        .th_seq = htonl(s->seq),
        .th_ack = htonl(s->ack),
        .th_off = head / 4 & 15,
        .th_flags = (u8)s->flags,
        .th_win = htons((u16)s->window),
    };

    memcpy(buf, &h, sizeof(h));
    memcpy(buf + TCP_LEN, mss, head - TCP_LEN);
    if (s->len > 0)
        memcpy(buf + head, s->data, s->len);
    h.th_sum =
        (u16)~frame_sum(buf, len, packet_pseudo(address, s->peer.ip, len));
    memcpy(buf, &h, sizeof(h));
    return len;
}

u32 packet_make(u8 buf[static PACKET_OUT_MAX], const struct tcp_segment *s,
                u32 address)
{
    u32 len = packet_put_tcp(buf + ETH_LEN + IP_LEN, s, address);

    packet_put_eth(buf, s->peer.mac, ETHERTYPE_IP);
    packet_put_ip(buf + ETH_LEN, s, address, len);
    return ETH_LEN + IP_LEN + len;
}
