/* SPDX-License-Identifier: Apache-2.0 */
/* link.c: find, raise and configure a network card */
#include <dirent.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "say.h"
#include "wait.h"

#define LINK_CLASS "/sys/class/net"

/* ioctl() of a request about an interface. 0 or a negative errno. */
static int link_call(int request, void *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = 0;

    if (fd < 0)
        return -errno;
    if (ioctl(fd, request, ifr) < 0)
        r = -errno;
    close(fd);
    return r;
}

static struct ifreq link_request(const char *name)
{
    struct ifreq ifr = {.ifr_flags = 0};

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    return ifr;
}

int link_up(const char *name)
{
    struct ifreq ifr = link_request(name);
    int r = link_call(SIOCGIFFLAGS, &ifr);

    if (r < 0)
        return r;
    ifr.ifr_flags |= IFF_UP;
    return link_call(SIOCSIFFLAGS, &ifr);
}

/* A card has a device; bridges, tunnels and the like have none. */
static bool link_is_card(const char *name)
{
    char path[sizeof(LINK_CLASS) + 256 + 16];

    snprintf(path, sizeof(path), LINK_CLASS "/%s/device", name);
    return access(path, F_OK) == 0;
}

/* Fills *l if name is an Ethernet card that comes before it. */
static void link_consider(struct link *l, const char *name)
{
    struct ifreq ifr = link_request(name);
    int index;

    if (strlen(name) >= IFNAMSIZ || !link_is_card(name) ||
        link_call(SIOCGIFINDEX, &ifr) < 0)
        return;
    index = ifr.ifr_ifindex;
    if ((l->index != 0 && l->index < index) ||
        link_call(SIOCGIFHWADDR, &ifr) < 0 ||
        ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return;
    l->index = index;
    memcpy(l->name, ifr.ifr_name, sizeof(l->name));
    memcpy(l->mac, ifr.ifr_hwaddr.sa_data, sizeof(l->mac));
}

int link_find(struct link *l)
{
    u64 since = wait_now_ms();

    *l = (struct link){.index = 0};
    do {
        DIR *dir = opendir(LINK_CLASS);
        const struct dirent *e;

        while (dir && (e = readdir(dir)))
            link_consider(l, e->d_name);
        if (dir)
            closedir(dir);
        if (l->index != 0)
            return 0;
    } while (wait_a_little(since, since + WAIT_DEVICE_MS));
    return say_error(ENODEV, "network", "card");
}

static struct sockaddr link_address(u32 address)
{
    const struct sockaddr_in in = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = address};
    struct sockaddr sa;

    memcpy(&sa, &in, sizeof(sa));
    return sa;
}

static int link_set_address(const struct link *l, int request, u32 address)
{
    struct ifreq ifr = link_request(l->name);

    ifr.ifr_addr = link_address(address);
    return link_call(request, &ifr);
}

static int link_add_route(const struct link *l, u32 to, u32 mask, u32 gateway)
{
    char name[IFNAMSIZ];
    struct rtentry route = {.rt_dst = link_address(to),
                            .rt_genmask = link_address(mask),
                            .rt_gateway = link_address(gateway),
                            .rt_flags = RTF_UP,
                            .rt_dev = name};
    int r;

    memcpy(name, l->name, sizeof(name));
    if (gateway != 0)
        route.rt_flags |= RTF_GATEWAY;
    if (mask == UINT32_MAX)
        route.rt_flags |= RTF_HOST;
    r = link_call(SIOCADDRT, &route);
    return r == -EEXIST ? 0 : r;
}

/* A router outside of the subnet, as clouds have it, is on this wire too. */
static int link_set_router(const struct link *l, const struct dhcp_lease *lease)
{
    int r = 0;

    if (lease->router == 0)
        return 0;
    if ((lease->router ^ lease->address) & lease->mask)
        r = link_add_route(l, lease->router, UINT32_MAX, 0);
    return r == 0 ? link_add_route(l, 0, 0, lease->router) : r;
}

int link_configure(const struct link *l, const struct dhcp_lease *lease)
{
    struct ifreq ifr = link_request(l->name);
    int r = link_set_address(l, SIOCSIFADDR, lease->address);

    if (r == 0)
        r = link_set_address(l, SIOCSIFNETMASK, lease->mask);
    if (r == 0)
        r = link_set_router(l, lease);
    /* Advice, which the card may not be able to follow. */
    ifr.ifr_mtu = lease->mtu;
    if (lease->mtu != 0)
        link_call(SIOCSIFMTU, &ifr);
    return r < 0 ? say_error(r, "addresses of", l->name) : 0;
}

void link_forget(const struct link *l)
{
    link_set_address(l, SIOCSIFADDR, 0);
}
