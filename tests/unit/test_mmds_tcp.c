/* SPDX-License-Identifier: Apache-2.0 */
/* mmds_tcp: connections of a guest, well-behaved and hostile */
#include "mmds_rig.h"

/* ---- the usual ---------------------------------------------------------- */

/* Two requests, and the guest ends it. */
START_TEST(test_keep_alive)
{
    up();
    connect_peer();
    put_text("GET /small HTTP/1.1\r\n\r\n");
    ck_assert(get());
    ck_assert_uint_eq(seg.flags, TCP_ACK | TCP_PSH);
    heard("\r\n\r\ns");
    put(TCP_ACK, NULL, 0);
    at_rest(1);
    put_text(REQUEST);
    peer.len = 0;
    hear_all();
    heard_big();
    at_rest(1);
    put(TCP_FIN | TCP_ACK, NULL, 0);
    expect(TCP_FIN | TCP_ACK, 0);
    put(TCP_ACK, NULL, 0);
    at_rest(0);
    ck_assert_uint_eq(tcp.requests, 2);
    down();
}
END_TEST

/* We end it, with the last byte. */
START_TEST(test_close)
{
    up();
    connect_peer();
    put_text("GET /small HTTP/1.0\r\n\r\n");
    ck_assert(get());
    ck_assert_uint_eq(seg.flags, TCP_ACK | TCP_PSH | TCP_FIN);
    put(TCP_ACK, NULL, 0);
    put(TCP_FIN | TCP_ACK, NULL, 0);
    expect(TCP_ACK, 0);
    at_rest(0);
    down();
}
END_TEST

/* Nothing more comes from the guest, but it listens: its requests, all that
 * are there, are answered. */
START_TEST(test_half_closed)
{
    static const char two[] =
        "GET /small HTTP/1.1\r\n\r\nGET /nope HTTP/1.1\r\n\r\n";

    up();
    connect_peer();
    put(TCP_FIN | TCP_ACK, two, sizeof(two) - 1);
    hear_all();
    heard(" 200 OK");
    heard(" 404 Not Found");
    at_rest(0);
    ck_assert_uint_eq(tcp.requests, 2);
    /* An end in the middle of a request is an end. */
    peer.port++;
    connect_peer();
    put(TCP_FIN | TCP_ACK, "GET", 3);
    expect(TCP_FIN | TCP_ACK, 0);
    put(TCP_ACK, NULL, 0);
    at_rest(0);
    down();
}
END_TEST

START_TEST(test_byte_by_byte)
{
    up();
    connect_peer();
    for (const char *c = REQUEST; *c; c++) {
        put(TCP_ACK, c, 1);
        if (c[1])
            expect(TCP_ACK, 0);
    }
    hear_all();
    heard_big();
    at_rest(1);
    down();
}
END_TEST

/* The second waits until the first is answered. */
START_TEST(test_pipelined)
{
    up();
    connect_peer();
    put_text("GET /small HTTP/1.1\r\n\r\nGET /no HTTP/1.1\r\n\r\n");
    ck_assert(get());
    heard("\r\n\r\ns");
    expect_nothing();
    put(TCP_ACK, NULL, 0);
    ck_assert(get());
    heard(" 404 ");
    put(TCP_ACK, NULL, 0);
    at_rest(1);
    down();
}
END_TEST

/* Segments of any size in windows of any size. */
static const struct size_case {
    u16 mss;
    u32 window, most; /* most: bytes of a segment */
} sizes[] = {
    {0, 65535, 536},    {1460, 65535, 1460}, {9000, 65535, 1460},
    {1, 65535, 48},     {536, 1, 1},         {1460, 700, 700},
    {1460, 2000, 1460}, {1000, 1000, 1000},
};

START_TEST(test_sizes)
{
    const struct size_case *t = &sizes[_i];
    u32 under_way = 0;

    up();
    peer.window = t->window;
    tcp_receive(&tcp,
                &(struct tcp_segment){.peer = {.port = peer.port, .ip = 7},
                                      .port = TCP_PORT,
                                      .flags = TCP_SYN,
                                      .mss = t->mss,
                                      .window = t->window,
                                      .seq = peer.seq++},
                now);
    expect(TCP_SYN | TCP_ACK, 0);
    put_text(REQUEST);
    while (tcp_pending(&tcp) || under_way > 0) {
        if (get()) {
            ck_assert_uint_le(seg.len, t->most);
            under_way += seg.len;
            ck_assert_uint_le(under_way, t->window);
        } else {
            put(TCP_ACK, NULL, 0);
            under_way = 0;
        }
    }
    heard_big();
    at_rest(1);
    down();
}
END_TEST

/* ---- who does not belong ------------------------------------------------ */

START_TEST(test_refused)
{
    struct tcp_segment s = {.peer = {.port = 9, .ip = 7},
                            .port = 81,
                            .flags = TCP_SYN,
                            .seq = 5,
                            .len = 2};

    up();
    tcp_receive(&tcp, &s, now);
    expect(TCP_RST | TCP_ACK, 0);
    ck_assert_uint_eq(seg.port, 81);
    ck_assert_uint_eq(seg.seq, 0);
    ck_assert_uint_eq(seg.ack, 8);
    s.port = TCP_PORT;
    s.flags = TCP_ACK;
    s.ack = 99;
    tcp_receive(&tcp, &s, now);
    expect(TCP_RST, 0);
    ck_assert_uint_eq(seg.seq, 99);
    s.flags = TCP_RST | TCP_ACK;
    tcp_receive(&tcp, &s, now);
    s.flags = 0;
    tcp_receive(&tcp, &s, now);
    expect(TCP_RST | TCP_ACK, 0);
    /* Of many at once some are forgotten, and none is kept. */
    s.flags = TCP_ACK;
    for (unsigned int i = 0; i < 100; i++)
        tcp_receive(&tcp, &s, now);
    for (unsigned int i = 0; i < TCP_RESETS; i++)
        expect(TCP_RST, 0);
    at_rest(0);
    down();
}
END_TEST

START_TEST(test_reset)
{
    up();
    connect_peer();
    put_at(peer.seq - 1, TCP_RST, NULL, 0); /* not of now */
    at_rest(1);
    put_at(peer.seq + 5000, TCP_RST, NULL, 0);
    at_rest(1);
    put_at(peer.seq + 1, TCP_RST, NULL, 0); /* perhaps: it may say so again */
    expect(TCP_ACK, 0);
    at_rest(1);
    put_at(peer.seq, TCP_RST, NULL, 0);
    at_rest(0);
    down();
}
END_TEST

START_TEST(test_syn)
{
    u32 first;

    up();
    /* Twice the same: the same answer. */
    put_at(peer.seq, TCP_SYN, NULL, 0);
    expect(TCP_SYN | TCP_ACK, 0);
    first = seg.seq;
    now += MS;
    put_at(peer.seq++, TCP_SYN, NULL, 0);
    expect(TCP_SYN | TCP_ACK, 0);
    ck_assert_uint_eq(seg.seq, first);
    put(TCP_ACK, NULL, 0);
    at_rest(1);
    put_at(peer.seq - 1, TCP_SYN, NULL, 0);
    expect(TCP_ACK, 0);
    /* From the same port, but a guest that has started again. */
    now += MS;
    peer.seq += 100000;
    connect_peer();
    ck_assert_uint_ne(seg.seq, first);
    put_text("GET /small HTTP/1.1\r\n\r\n");
    hear_all();
    heard("\r\n\r\ns");
    at_rest(1);
    /* SYN and ACK, in a connection that is there. */
    put_at(peer.seq, TCP_SYN | TCP_ACK, NULL, 0);
    expect(TCP_ACK, 0);
    at_rest(1);
    down();
}
END_TEST

/* What was never sent cannot have come. */
START_TEST(test_bad_ack)
{
    up();
    put(TCP_SYN, NULL, 0);
    expect(TCP_SYN | TCP_ACK, 0);
    for (u32 wrong = 1; wrong <= 3; wrong += 2) {
        peer.ack += wrong - 2;
        put(TCP_ACK, NULL, 0);
        expect(TCP_RST, 0);
        ck_assert_uint_eq(seg.seq, peer.ack);
        peer.ack -= wrong - 2;
    }
    put(TCP_ACK, NULL, 0);
    at_rest(1);
    peer.ack += 1000;
    put(TCP_ACK, "GET", 3);
    expect(TCP_ACK, 0);
    ck_assert_uint_eq(seg.ack, peer.seq - 3);
    peer.ack -= 1000;
    peer.seq -= 3;
    put_text("GET /small HTTP/1.1\r\n\r\n");
    hear_all();
    heard("\r\n\r\ns");
    down();
}
END_TEST

/* More than there is room for: whoever has been silent longest goes, and is
 * told. */
START_TEST(test_crowd)
{
    up();
    for (unsigned int i = 0; i < TCP_CONNS; i++) {
        peer = (struct peer){.port = (u16)(100 + i), .window = 65535};
        connect_peer();
    }
    ck_assert_uint_eq(connections(), TCP_CONNS);
    /* The first one says something. */
    for (unsigned int i = 0; i < TCP_CONNS; i++)
        if (tcp.conn[i].peer.port == 100)
            peer = (struct peer){.port = 100,
                                 .seq = tcp.conn[i].expect,
                                 .ack = tcp.conn[i].next,
                                 .window = 65535};
    put_text("GET /small");
    expect(TCP_ACK, 0);
    peer = (struct peer){.port = 200, .window = 65535};
    put(TCP_SYN, NULL, 0);
    expect(TCP_RST | TCP_ACK, 0);
    ck_assert_uint_eq(seg.peer.port, 101);
    expect(TCP_SYN | TCP_ACK, 0);
    ck_assert_uint_eq(connections(), TCP_CONNS);
    ck_assert_uint_eq(tcp.evicted, 1);
    down();
}
END_TEST

/* A request that never ends is ended, and what still comes is dropped. */
START_TEST(test_endless)
{
    static char junk[1000];

    up();
    memset(junk, 'x', sizeof(junk));
    connect_peer();
    for (unsigned int i = 0; i < 4; i++) {
        put(TCP_ACK, junk, sizeof(junk));
        expect(TCP_ACK, 0);
    }
    /* An end behind what there is no room for has not come. */
    put_at(peer.seq, TCP_FIN | TCP_ACK, junk, sizeof(junk));
    ck_assert(get());
    ck_assert_uint_eq(seg.flags, TCP_ACK | TCP_PSH | TCP_FIN);
    heard(" 431 ");
    ck_assert_uint_eq(seg.ack, peer.seq - 4 * 1000 + TCP_REQUEST_MAX);
    peer.seq = seg.ack;
    put(TCP_ACK, junk, sizeof(junk));
    expect(TCP_ACK, 0);
    ck_assert_uint_eq(seg.ack, peer.seq);
    put(TCP_FIN | TCP_ACK, NULL, 0);
    expect(TCP_ACK, 0);
    at_rest(0);
    down();
}
END_TEST

Suite *suite_mmds_tcp(void);
Suite *suite_mmds_tcp(void)
{
    Suite *s = suite_create("mmds_tcp");
    TCase *tc = tcase_create("mmds_tcp");

    tcase_add_test(tc, test_keep_alive);
    tcase_add_test(tc, test_close);
    tcase_add_test(tc, test_half_closed);
    tcase_add_test(tc, test_byte_by_byte);
    tcase_add_test(tc, test_pipelined);
    tcase_add_loop_test(tc, test_sizes, 0, ARRAY_SIZE(sizes));
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_syn);
    tcase_add_test(tc, test_bad_ack);
    tcase_add_test(tc, test_crowd);
    tcase_add_test(tc, test_endless);
    suite_add_tcase(s, tc);
    return s;
}
