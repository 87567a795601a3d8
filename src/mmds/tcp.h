/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp.h: the listening end of TCP (RFC 9293) for one address and port, towards
 * a guest that may send anything. A fixed number of connections, none of which
 * holds more than one request and one answer; whoever has been silent longest
 * makes room for a new one, so that nobody can keep others out. What is out of
 * order is not kept: the link loses nothing, and the guest sends it again.
 *
 * Segments out are asked for, one at a time, when there is room for a frame.
 * One device thread.
 */
#ifndef MOTE_MMDS_TCP_H
#define MOTE_MMDS_TCP_H

#include "service.h"

#define TCP_PORT        80
#define TCP_CONNS       16u
#define TCP_RESETS      8u    /* that wait to be sent; others are forgotten */
#define TCP_REQUEST_MAX 4096u /* also the window that is offered */
#define TCP_PAYLOAD_MAX 1460u

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u

struct tcp_peer {
    u8 mac[6];
    u16 port; /* this and the address as in a packet */
    u32 ip;
};

struct tcp_segment {
    struct tcp_peer peer;
    u16 port; /* of ours that it is for, or from */
    u16 mss;  /* 0: not said */
    u32 seq, ack, window;
    u32 flags;
    const u8 *data;
    u32 len;
};

enum tcp_state {
    TCP_FREE,
    TCP_ASKED, /* SYN has come */
    TCP_OPEN,
};

struct tcp_conn {
    enum tcp_state state;
    struct tcp_peer peer;
    u64 used; /* of tcp.clock, when it was last heard of */

    u32 expect;    /* from the peer; all before has been taken */
    bool ack_due;  /* which the peer has not been told */
    bool peer_end; /* nothing more comes from it: FIN */

    u32 acked, next, sent; /* known to be there; to be sent; ever sent */
    u32 base;              /* where the answer begins */
    u32 window, mss;       /* the peer's */
    bool answering;        /* there is an answer, not all of it acked */
    bool end;              /* behind it, FIN */
    bool probing;          /* a byte into a window of none */

    u64 timer_ns;       /* when to send again; 0: nothing waits */
    unsigned int tries; /* in a row without an answer */

    struct mmds_answer answer;
    u32 in_len;
    char in[TCP_REQUEST_MAX];
};

struct tcp {
    const struct mmds *m;
    u64 clock;
    u64 requests, refused, evicted, timeouts; /* counted */
    unsigned int turn;                        /* who is asked first */
    unsigned int nr_resets;
    struct tcp_segment reset[TCP_RESETS];
    struct tcp_conn conn[TCP_CONNS];
    u8 out[TCP_PAYLOAD_MAX]; /* what the last segment carries */
};

void tcp_init(struct tcp *t, const struct mmds *m);

/* A segment whose lengths and sums are right. */
void tcp_receive(struct tcp *t, const struct tcp_segment *s, u64 now_ns);

/* The next segment out; false: none. Its data are there until the next call. */
bool tcp_next(struct tcp *t, u64 now_ns, struct tcp_segment *s);

/* Would there be one? */
bool tcp_pending(const struct tcp *t);

/* Time has passed: what has not been answered is sent again, or given up. */
void tcp_tick(struct tcp *t, u64 now_ns);

/* When tcp_tick() has something to do; UINT64_MAX: never. */
u64 tcp_deadline(const struct tcp *t);

#endif
