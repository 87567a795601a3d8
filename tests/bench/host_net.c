/* SPDX-License-Identifier: Apache-2.0 */
/* host_net.c: the far end of the network benchmark: serves guest_io's orders
 * until it is killed. usage: host_net ADDRESS */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_net.h"

static char buf[256 * 1024];

static int die(const char *what)
{
    perror(what);
    exit(1);
}

static int bound(int type, const char *address, uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, address, &sa.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (void *)&sa, sizeof(sa)) < 0)
        die("host_net: bind");
    return fd;
}

static void tcp_receive(int fd)
{
    struct bench_count c = {0};
    uint64_t from = 0;
    ssize_t n;

    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
        if (!from)
            from = bench_now();
        c.n += (uint64_t)n;
    }
    c.ns = bench_now() - from;
    (void)!write(fd, &c, sizeof(c));
}

static void tcp_send(int fd, uint32_t ms)
{
    uint64_t end = bench_now() + ms * 1000000ull;

    while (bench_now() < end)
        if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) < 0)
            return;
}

/* Until the guest has ended its direction of the connection. */
static void udp_receive(int fd, int udp)
{
    struct pollfd p[2] = {{.fd = udp, .events = POLLIN},
                          {.fd = fd, .events = POLLIN}};
    struct bench_count c = {0};
    uint64_t from = 0, last = 0;

    do {
        while (recv(udp, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
            last = bench_now();
            from = from ? from : last;
            c.n++;
        }
        poll(p, 2, 1000);
    } while (p[0].revents || !p[1].revents);
    c.ns = last - from;
    (void)!write(fd, &c, sizeof(c));
}

/* How many datagrams the guest has received, n of them sent. What it does not
 * tell of for 20 ms is lost. */
static uint64_t udp_told(int udp, uint64_t n, uint64_t told)
{
    struct pollfd p = {.fd = udp, .events = POLLIN};

    while (n - told >= BENCH_WINDOW) {
        if (poll(&p, 1, 20) == 0)
            return n;
        while (recv(udp, &told, sizeof(told), MSG_DONTWAIT) > 0)
            ;
    }
    return told;
}

static void udp_send(int fd, int udp, const struct bench_order *o)
{
    uint64_t end = bench_now() + o->ms * 1000000ull, n = 0, told = 0;
    struct sockaddr_in to;
    socklen_t len = sizeof(to);

    getpeername(fd, (void *)&to, &len);
    to.sin_port = htons((uint16_t)o->port);
    while (bench_now() < end) {
        sendto(udp, buf, BENCH_DATAGRAM, 0, (void *)&to, sizeof(to));
        told = udp_told(udp, ++n, told);
    }
}

static void serve(int fd, int udp)
{
    struct bench_order o;

    if (recv(fd, &o, sizeof(o), MSG_WAITALL) != sizeof(o))
        return;
    switch (o.kind) {
    case TCP_TO_HOST:
        tcp_receive(fd);
        break;
    case TCP_TO_GUEST:
        tcp_send(fd, o.ms);
        break;
    case UDP_TO_HOST:
        udp_receive(fd, udp);
        break;
    case UDP_TO_GUEST:
        udp_send(fd, udp, &o);
        break;
    }
}

int main(int argc, char **argv)
{
    int udp, tcp, fd;

    if (argc != 2)
        return fputs("usage: host_net ADDRESS\n", stderr), 2;
    udp = bound(SOCK_DGRAM, argv[1], BENCH_PORT);
    tcp = bound(SOCK_STREAM, argv[1], BENCH_PORT);
    if (listen(tcp, 4) < 0)
        die("host_net: listen");
    while ((fd = accept(tcp, NULL, NULL)) >= 0 || errno == EINTR) {
        serve(fd, udp);
        close(fd);
    }
    return die("host_net: accept");
}
