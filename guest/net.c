/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: a DHCP client */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "net.h"
#include "resolv.h"
#include "say.h"
#include "wait.h"

#define NET_TRIES       6
#define NET_PATIENCE_MS 300u /* for the first answer; then twice that, ... */
#define NET_RENEW_MIN   60u  /* seconds until it asks for more time again */
#define NET_FDS         64   /* more than init opens */

/* One exchange after the other with whoever serves DHCP on this wire. */
struct net {
    struct link link;
    struct dhcp_talk talk;
    int fd; /* sees every IPv4 packet of the card */
};

static int net_open(struct net *n)
{
    const struct sockaddr_ll at = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_IP),
                                   .sll_ifindex = n->link.index};

    n->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                   htons(ETH_P_IP));
    if (n->fd < 0)
        return say_error(errno, "DHCP on", n->link.name);
    if (bind(n->fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
        close(n->fd);
        return say_error(errno, "DHCP on", n->link.name);
    }
    return 0;
}

/* Not a secret: it tells conversations on one wire apart. */
static void net_begin_talk(struct net *n)
{
    u32 xid = (u32)wait_now_ms();

    (void)!getrandom(&xid, sizeof(xid), GRND_NONBLOCK);
    n->talk.xid = xid;
    memcpy(n->talk.mac, n->link.mac, sizeof(n->talk.mac));
}

static void net_send(const struct net *n, enum dhcp_type type,
                     const struct dhcp_lease *lease, bool renew)
{
    const struct sockaddr_ll all = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_IP),
        .sll_ifindex = n->link.index,
        .sll_halen = 6,
        .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    u8 packet[DHCP_PACKET_MAX];
    size_t len = dhcp_compose(packet, type, &n->talk, lease, renew);

    /* What is lost here is sent again, as what is lost on its way. */
    (void)!sendto(n->fd, packet, len, 0, (const struct sockaddr *)&all,
                  sizeof(all));
}

/* Until the answer of this type, or a NAK, has come. Its type; 0: none by
 * then, whatever else there was to be read. */
static int net_await(const struct net *n, enum dhcp_type type, u64 until,
                     struct dhcp_lease *lease)
{
    struct pollfd fd = {.fd = n->fd, .events = POLLIN};
    u64 now;

    while ((now = wait_now_ms()) < until) {
        u8 packet[1500];
        ssize_t len;
        int r;

        if (poll(&fd, 1, (int)(until - now)) <= 0)
            continue;
        len = recv(n->fd, packet, sizeof(packet), 0);
        if (len <= 0)
            continue;
        r = dhcp_parse(packet, (size_t)len, &n->talk, lease);
        if (r == (int)type || (r == DHCP_NAK && type == DHCP_ACK))
            return r;
    }
    return 0;
}

static bool net_discover(const struct net *n, u64 ms, struct dhcp_lease *lease)
{
    struct dhcp_lease offer;

    net_send(n, DHCP_DISCOVER, lease, false);
    if (net_await(n, DHCP_OFFER, wait_now_ms() + ms, &offer) != DHCP_OFFER)
        return false;
    net_send(n, DHCP_REQUEST, &offer, false);
    return net_await(n, DHCP_ACK, wait_now_ms() + ms, lease) == DHCP_ACK;
}

static int net_ask(struct net *n, struct dhcp_lease *lease)
{
    u64 ms = NET_PATIENCE_MS;

    for (int tries = 0; tries < NET_TRIES; tries++, ms *= 2) {
        if (net_discover(n, ms, lease))
            return 0;
        net_begin_talk(n);
    }
    return say_error(ETIMEDOUT, "DHCP on", n->link.name);
}

/* ---- more time ------------------------------------------------------------
 */

static bool net_renew(struct net *n, struct dhcp_lease *lease)
{
    struct dhcp_lease more;

    net_begin_talk(n);
    net_send(n, DHCP_REQUEST, lease, true);
    if (net_await(n, DHCP_ACK, wait_now_ms() + 2000, &more) != DHCP_ACK ||
        more.address != lease->address)
        return false;
    *lease = more;
    return true;
}

/* Asks at half of the time, then at half of what is left (RFC 2131, 4.4.5);
 * broadcast, so every server on the wire may answer. */
static _Noreturn void net_keep(struct net *n, struct dhcp_lease *lease)
{
    u32 left = lease->seconds, least = 1;

    while (left > 0) {
        u32 pause = MAX(left / 2, MIN(left, least));

        sleep(pause);
        left -= pause;
        least = NET_RENEW_MIN;
        if (net_renew(n, lease)) {
            left = lease->seconds;
            least = 1;
        }
    }
    say("DHCP on %s: the lease was not renewed", n->link.name);
    link_forget(&n->link);
    _exit(1);
}

/* Init's ports are to close when init closes them. */
static void net_keep_lease(struct net *n, struct dhcp_lease *lease)
{
    if (lease->seconds == UINT32_MAX || fork() != 0)
        return;
    for (int fd = STDERR_FILENO + 1; fd < NET_FDS; fd++) {
        if (fd != n->fd)
            close(fd);
    }
    net_keep(n, lease);
}

void net_loopback(void)
{
    link_up("lo");
}

int net_dhcp(void)
{
    struct dhcp_lease lease = {.address = 0};
    struct net n;
    int r = link_find(&n.link);

    if (r < 0)
        return r;
    r = link_up(n.link.name);
    if (r < 0)
        return say_error(r, "network card", n.link.name);
    r = net_open(&n);
    if (r < 0)
        return r;
    net_begin_talk(&n);
    r = net_ask(&n, &lease);
    if (r == 0)
        r = link_configure(&n.link, &lease);
    if (r == 0) {
        resolv_write(&lease);
        net_keep_lease(&n, &lease);
    }
    close(n.fd);
    return r;
}
