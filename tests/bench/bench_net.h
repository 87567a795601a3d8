/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_net.h: what guest_io and host_net say to each other. The guest
 * connects and sends one bench_order; then, by its kind:
 *   TCP_TO_HOST  the guest sends for some time and ends its direction
 *   TCP_TO_GUEST the host does
 *   UDP_TO_HOST  the guest sends datagrams for some time to the host's port,
 *                then ends its direction of the connection
 *   UDP_TO_GUEST the host sends them to the guest's port, then closes. It is
 *                never more than BENCH_WINDOW ahead of what the guest has said
 *                that it received, in a datagram of its own for BENCH_TELL of
 *                them: a flood would measure how a guest drops packets, and
 *                how the host shares two cores between three threads.
 * The receiver counts and takes the time. A host that has received answers
 * with one bench_count.
 */
#ifndef MOTE_BENCH_NET_H
#define MOTE_BENCH_NET_H

#include <stdint.h>
#include <time.h>

#define BENCH_PORT 7171
/* 60 bytes of frame and 4 of check sequence: the smallest of Ethernet. */
#define BENCH_DATAGRAM 18
/* Datagrams; the window fits a socket's usual buffer. */
#define BENCH_WINDOW 192u
#define BENCH_TELL   32u

enum bench_kind { TCP_TO_HOST, TCP_TO_GUEST, UDP_TO_HOST, UDP_TO_GUEST };

struct bench_order {
    uint32_t kind;
    uint32_t ms;
    uint32_t port; /* UDP_TO_GUEST: the guest's */
};

struct bench_count {
    uint64_t n;  /* bytes or datagrams */
    uint64_t ns; /* from the first to the last */
};

static inline uint64_t bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
