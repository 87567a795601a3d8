/* SPDX-License-Identifier: Apache-2.0 */
/* mmds_rig.h: a guest's end of TCP towards the metadata service's, segment by
 * segment, and a clock that the test moves */
#ifndef MOTE_TEST_MMDS_RIG_H
#define MOTE_TEST_MMDS_RIG_H

#include "mmds/tcp.h"

#define MS      1000000ull
#define REQUEST "GET /big HTTP/1.1\r\n\r\n"
#define BIG     40000u

/* One end in the guest. */
struct peer {
    u16 port;
    u32 seq, ack; /* next to say, next to hear */
    u32 window;
    u32 len; /* heard so far */
    u8 heard[BIG + 4096];
};

static struct mmds m;
static _Atomic(u64) counters[MMDS_COUNTERS];
static struct tcp tcp;
static struct tcp_segment seg; /* the last one out */
static u64 now;
static struct peer peer;

static inline void up(void)
{
    static char data[BIG + 64];
    char why[64];

    strcpy(data, "{\"big\": \"");
    for (u32 i = 0; i < BIG; i++)
        data[9 + i] = (char)('a' + i % 23);
    strcpy(data + 9 + BIG, "\", \"small\": \"s\"}");
    m = (struct mmds){.counter = counters};
    memset(counters, 0, sizeof(counters));
    ck_assert_int_eq(mmds_store_init(&m.store, data, strlen(data), MMDS_SIZE,
                                     why, sizeof(why)),
                     0);
    tcp_init(&tcp, &m);
    now = 1000 * MS;
    peer = (struct peer){.port = 1000, .seq = 0xfffffff0, .window = 65535};
}

static inline void down(void)
{
    mmds_store_fini(&m.store);
}

/* A segment of the peer's, from a copy that is exactly as long. */
static inline void put_at(u32 seq, u32 flags, const void *data, u32 len)
{
    struct tcp_segment s = {
        .peer = {.mac = {2, 0, 0, 0, 0, 1}, .port = peer.port, .ip = 7},
        .port = TCP_PORT,
        .seq = seq,
        .ack = flags & TCP_ACK ? peer.ack : 0,
        .window = peer.window,
        .flags = flags,
        .len = len,
    };
    u8 *copy = malloc(len + !len);

    if (len > 0)
        memcpy(copy, data, len);
    s.data = copy;
    tcp_receive(&tcp, &s, now);
    free(copy);
}

static inline void put(u32 flags, const void *data, u32 len)
{
    put_at(peer.seq, flags, data, len);
    peer.seq += len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
}

static inline void put_text(const char *text)
{
    put(TCP_ACK | TCP_PSH, text, (u32)strlen(text));
}

/* The next segment out, which is kept where it is in order. */
static inline bool get(void)
{
    bool pending = tcp_pending(&tcp);

    if (!tcp_next(&tcp, now, &seg)) {
        ck_assert(!pending);
        return false;
    }
    ck_assert(pending);
    ck_assert_uint_le(seg.len, TCP_PAYLOAD_MAX);
    ck_assert_uint_le(seg.window, TCP_REQUEST_MAX);
    if (seg.flags & TCP_RST || seg.peer.port != peer.port ||
        (seg.seq != peer.ack && !(seg.flags & TCP_SYN)))
        return true;
    ck_assert_uint_le(peer.len + seg.len, sizeof(peer.heard));
    if (seg.len > 0)
        memcpy(peer.heard + peer.len, seg.data, seg.len);
    peer.len += seg.len;
    if (seg.flags & TCP_SYN)
        peer.ack = seg.seq;
    peer.ack += seg.len + ((seg.flags & (TCP_SYN | TCP_FIN)) != 0);
    return true;
}

static inline void expect(u32 flags, u32 len)
{
    ck_assert(get());
    ck_assert_msg(seg.flags == flags && seg.len == len,
                  "flags %#x, %u bytes; not %#x, %u", seg.flags, seg.len, flags,
                  len);
}

static inline void expect_nothing(void)
{
    ck_assert_msg(!get(), "flags %#x, %u bytes", seg.flags, seg.len);
}

static inline void connect_peer(void)
{
    put(TCP_SYN, NULL, 0);
    expect(TCP_SYN | TCP_ACK, 0);
    ck_assert_uint_eq(seg.mss, TCP_PAYLOAD_MAX);
    ck_assert_uint_eq(seg.ack, peer.seq);
    put(TCP_ACK, NULL, 0);
    expect_nothing();
}

static inline void heard(const char *want)
{
    peer.heard[peer.len] = '\0';
    ck_assert_msg(strstr((char *)peer.heard, want), "%s", (char *)peer.heard);
}

/* Everything that comes, each segment acknowledged. */
static inline void hear_all(void)
{
    while (get())
        if (seg.len > 0 || seg.flags & TCP_FIN)
            put(TCP_ACK, NULL, 0);
}

/* The whole of /big, no matter in which pieces. */
static inline void heard_big(void)
{
    const u8 *body = memmem(peer.heard, peer.len, "\r\n\r\n", 4);

    ck_assert_ptr_nonnull(body);
    body += 4;
    ck_assert_uint_eq((size_t)(peer.heard + peer.len - body), BIG);
    for (u32 i = 0; i < BIG; i++)
        ck_assert_uint_eq(body[i], (u8)('a' + i % 23));
}

static inline unsigned int connections(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < TCP_CONNS; i++)
        n += tcp.conn[i].state != TCP_FREE;
    return n;
}

/* Nothing more to say, and no timer that would ever ring. */
static inline void at_rest(unsigned int open)
{
    expect_nothing();
    ck_assert_uint_eq(connections(), open);
    ck_assert_uint_eq(counters[MMDS_CREATED] - counters[MMDS_DESTROYED], open);
    ck_assert_uint_eq(tcp_deadline(&tcp), UINT64_MAX);
}

/* To the next moment at which something happens. */
static inline void pass_time(void)
{
    u64 next = tcp_deadline(&tcp);

    ck_assert_uint_ne(next, UINT64_MAX);
    ck_assert_uint_gt(next, now);
    now = next;
    tcp_tick(&tcp, now);
}

#endif
