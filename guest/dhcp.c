/* SPDX-License-Identifier: Apache-2.0 */
/* dhcp.c: DHCP messages in UDP in IPv4 */
#include <arpa/inet.h>

#include "dhcp.h"

#define DHCP_COOKIE     0x63825363u /* RFC 2131, 3 */
#define DHCP_BROADCAST  0x8000u     /* we have no address to be reached at */
#define DHCP_LENGTH_MIN 300u        /* of BOOTP (RFC 1542, 2.1) */
#define DHCP_MTU_MIN    576u
#define DHCP_CLIENT     68
#define DHCP_SERVER     67
#define DHCP_UDP        17

enum dhcp_option {
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_ROUTER = 3,
    OPTION_DNS = 6,
    OPTION_DOMAIN = 15,
    OPTION_MTU = 26,
    OPTION_ADDRESS = 50,
    OPTION_LEASE = 51,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_WANTED = 55,
    OPTION_END = 255,
};

struct dhcp_ip {
    u8 version_length, service;
    u16 length, id, fragment;
    u8 ttl, protocol;
    u16 sum;
    u32 from, to;
} __attribute__((packed));

struct dhcp_udp {
    u16 from, to, length, sum;
} __attribute__((packed));

struct dhcp_bootp {
    u8 op, htype, hlen, hops;
    u32 xid;
    u16 seconds, flags;
    u32 client, yours, next, relay;
    u8 hardware[16], server_name[64], file[128];
    u32 cookie;
} __attribute__((packed));

struct dhcp_packet {
    struct dhcp_ip ip;
    struct dhcp_udp udp;
    struct dhcp_bootp bootp;
} __attribute__((packed));

/* ---- ours -----------------------------------------------------------------
 */

/* RFC 1071; memory order is network order. */
static u16 dhcp_sum(const void *data, size_t len)
{
    const u8 *p = data;
    u32 sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2)
        sum += le16_get(p + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (u16)~sum;
}

static u8 *dhcp_put(u8 *to, enum dhcp_option option, const void *data, u8 len)
{
    to[0] = (u8)option;
    to[1] = len;
    memcpy(to + 2, data, len);
    return to + 2 + len;
}

static u8 *dhcp_put_options(u8 *to, enum dhcp_type type,
                            const struct dhcp_lease *lease, bool renew)
{
    static const u8 wanted[] = {OPTION_MASK, OPTION_ROUTER, OPTION_DNS,
                                OPTION_DOMAIN, OPTION_MTU};

    to = dhcp_put(to, OPTION_TYPE, &(u8){(u8)type}, 1);
    if (type == DHCP_REQUEST && !renew) {
        to = dhcp_put(to, OPTION_ADDRESS, &lease->address, 4);
        to = dhcp_put(to, OPTION_SERVER, &lease->server, 4);
    }
    to = dhcp_put(to, OPTION_WANTED, wanted, sizeof(wanted));
    *to++ = OPTION_END;
    return to;
}

size_t dhcp_compose(u8 packet[DHCP_PACKET_MAX], enum dhcp_type type,
                    const struct dhcp_talk *talk,
                    const struct dhcp_lease *lease, bool renew)
{
    struct dhcp_packet p = {
        .ip = {.version_length = 0x45,
               .ttl = 64,
               .protocol = DHCP_UDP,
               .from = renew ? lease->address : 0,
               .to = UINT32_MAX},
        .udp = {.from = htons(DHCP_CLIENT), .to = htons(DHCP_SERVER)},
        .bootp = {.op = 1,
                  .htype = 1,
                  .hlen = 6,
                  .xid = htonl(talk->xid),
                  .flags = htons(DHCP_BROADCAST),
                  .client = renew ? lease->address : 0,
                  .cookie = htonl(DHCP_COOKIE)}};
    const size_t least = sizeof(p.ip) + sizeof(p.udp) + DHCP_LENGTH_MIN;
    size_t len;

    memset(packet, 0, DHCP_PACKET_MAX);
    len = (size_t)(dhcp_put_options(packet + sizeof(p), type, lease, renew) -
                   packet);
    len = MAX(len, least);
    memcpy(p.bootp.hardware, talk->mac, sizeof(talk->mac));
    p.ip.length = htons((u16)len);
    p.udp.length = htons((u16)(len - sizeof(p.ip)));
    p.ip.sum = dhcp_sum(&p.ip, sizeof(p.ip));
    memcpy(packet, &p, sizeof(p));
    return len;
}

/* ---- theirs ---------------------------------------------------------------
 */

/* A single host's: not of this network, loopback, multicast or reserved. */
static bool dhcp_is_host(u32 address)
{
    u32 first = ntohl(address) >> 24;

    return first > 0 && first != 127 && first < 224;
}

static bool dhcp_is_mask(u32 mask)
{
    u32 zeros = ~ntohl(mask);

    return mask != 0 && (zeros & (zeros + 1)) == 0;
}

/* The one that its class says (RFC 950). */
static u32 dhcp_default_mask(u32 address)
{
    u32 first = ntohl(address) >> 24;

    if (first < 128)
        return htonl(0xff000000);
    return htonl(first < 192 ? 0xffff0000 : 0xffffff00);
}

static u32 dhcp_get(const u8 *data, u8 len)
{
    return len >= 4 ? le32_get(data) : 0;
}

static u32 dhcp_get_host(const u8 *data, u8 len)
{
    u32 address = dhcp_get(data, len);

    return dhcp_is_host(address) ? address : 0;
}

static void dhcp_get_dns(struct dhcp_lease *l, const u8 *data, u8 len)
{
    unsigned int n = 0;

    for (; len >= 4 && n < DHCP_DNS_MAX; len -= 4, data += 4) {
        l->dns[n] = dhcp_get_host(data, 4);
        n += l->dns[n] != 0;
    }
}

/* It goes into a file that others read line by line. */
static void dhcp_get_domain(struct dhcp_lease *l, const u8 *data, u8 len)
{
    if (len >= sizeof(l->domain))
        return;
    for (u8 i = 0; i < len; i++) {
        u8 c = data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return;
    }
    memcpy(l->domain, data, len);
    l->domain[len] = '\0';
}

static void dhcp_get_option(struct dhcp_lease *l, int *type, u8 option,
                            const u8 *data, u8 len)
{
    u16 mtu = len == 2 ? (u16)(data[0] << 8 | data[1]) : 0;

    if (option == OPTION_TYPE && len == 1)
        *type = data[0];
    else if (option == OPTION_MASK && dhcp_is_mask(dhcp_get(data, len)))
        l->mask = dhcp_get(data, len);
    else if (option == OPTION_ROUTER)
        l->router = dhcp_get_host(data, len);
    else if (option == OPTION_SERVER)
        l->server = dhcp_get(data, len);
    else if (option == OPTION_LEASE)
        l->seconds = ntohl(dhcp_get(data, len));
    else if (option == OPTION_MTU && mtu >= DHCP_MTU_MIN)
        l->mtu = mtu;
    else if (option == OPTION_DNS)
        dhcp_get_dns(l, data, len);
    else if (option == OPTION_DOMAIN)
        dhcp_get_domain(l, data, len);
}

/* Options beyond the end of the packet end them all. Those that a server has
 * put into the fields for names (RFC 2132, 9.3) are not needed. */
static int dhcp_get_options(struct dhcp_lease *l, const u8 *data, size_t len)
{
    size_t i = 0;
    int type = 0;

    while (i < len && data[i] != OPTION_END) {
        u8 option = data[i++];

        if (option == OPTION_PAD)
            continue;
        if (i == len || data[i] > len - i - 1)
            break;
        dhcp_get_option(l, &type, option, data + i + 1, data[i]);
        i += 1u + data[i];
    }
    return type;
}

/* Where the UDP payload begins, *len its length; NULL: not from a DHCP server,
 * or a fragment. The checksum may still be the network card's to fill in. */
static const u8 *dhcp_payload(const u8 *packet, size_t *len)
{
    struct dhcp_udp udp;
    struct dhcp_ip ip;
    size_t head;

    if (*len < sizeof(ip))
        return NULL;
    memcpy(&ip, packet, sizeof(ip));
    head = (ip.version_length & 15u) * 4u;
    if (ip.version_length >> 4 != 4 || head < sizeof(ip) ||
        ntohs(ip.length) > *len || ntohs(ip.length) < head + sizeof(udp) ||
        ip.protocol != DHCP_UDP || ntohs(ip.fragment) & 0x3fff)
        return NULL;
    memcpy(&udp, packet + head, sizeof(udp));
    *len = ntohs(ip.length) - head;
    if (ntohs(udp.to) != DHCP_CLIENT || ntohs(udp.from) != DHCP_SERVER ||
        ntohs(udp.length) > *len || ntohs(udp.length) < sizeof(udp))
        return NULL;
    *len = ntohs(udp.length) - sizeof(udp);
    return packet + head + sizeof(udp);
}

int dhcp_parse(const u8 *packet, size_t len, const struct dhcp_talk *talk,
               struct dhcp_lease *lease)
{
    const u8 *payload = dhcp_payload(packet, &len);
    struct dhcp_bootp b;
    int type;

    if (!payload || len < sizeof(b))
        return 0;
    memcpy(&b, payload, sizeof(b));
    if (b.op != 2 || b.htype != 1 || b.hlen != 6 || ntohl(b.xid) != talk->xid ||
        ntohl(b.cookie) != DHCP_COOKIE ||
        memcmp(b.hardware, talk->mac, sizeof(talk->mac)) != 0)
        return 0;
    *lease = (struct dhcp_lease){.address = b.yours};
    type = dhcp_get_options(lease, payload + sizeof(b), len - sizeof(b));
    if (type == DHCP_NAK)
        return type;
    if ((type != DHCP_OFFER && type != DHCP_ACK) || !dhcp_is_host(b.yours))
        return 0;
    if (lease->mask == 0)
        lease->mask = dhcp_default_mask(lease->address);
    if (lease->seconds == 0)
        lease->seconds = UINT32_MAX;
    return type;
}
