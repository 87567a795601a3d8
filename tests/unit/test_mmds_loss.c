/* SPDX-License-Identifier: Apache-2.0 */
/* mmds_loss: segments that come late, twice or never, and windows that shut */
#include "mmds_rig.h"

/* What comes too early is asked for again, what comes twice is taken once. */
START_TEST(test_order)
{
    const char *text = REQUEST;
    u32 len = (u32)strlen(text);

    up();
    connect_peer();
    put_at(peer.seq + 5, TCP_ACK, text + 5, len - 5);
    expect(TCP_ACK, 0);
    ck_assert_uint_eq(seg.ack, peer.seq);
    put_at(peer.seq, TCP_ACK, text, 10);
    expect(TCP_ACK, 0);
    ck_assert_uint_eq(seg.ack, peer.seq + 10);
    put_at(peer.seq + 2, TCP_ACK, text + 2, 4);
    expect(TCP_ACK, 0);
    ck_assert_uint_eq(seg.ack, peer.seq + 10);
    put_at(peer.seq + 5, TCP_ACK, text + 5, len - 5);
    peer.seq += len;
    hear_all();
    heard_big();
    ck_assert_uint_eq(tcp.requests, 1);
    /* A FIN of the past is answered, and no other end. */
    put(TCP_FIN | TCP_ACK, NULL, 0);
    expect(TCP_FIN | TCP_ACK, 0);
    put_at(peer.seq - 1, TCP_FIN | TCP_ACK, NULL, 0);
    expect(TCP_ACK, 0);
    put(TCP_ACK, NULL, 0);
    at_rest(0);
    down();
}
END_TEST

/* Every segment is lost once: the handshake's, data, the end. */
START_TEST(test_loss)
{
    u32 lost;

    up();
    put(TCP_SYN, NULL, 0);
    ck_assert(tcp_next(&tcp, now, &seg));
    lost = seg.seq;
    expect_nothing();
    pass_time();
    expect(TCP_SYN | TCP_ACK, 0);
    ck_assert_uint_eq(seg.seq, lost);
    put(TCP_ACK, NULL, 0);
    put_text("GET /small HTTP/1.0\r\n\r\n");
    ck_assert(tcp_next(&tcp, now, &seg));
    lost = seg.seq;
    expect_nothing();
    pass_time();
    ck_assert(get());
    ck_assert_uint_eq(seg.seq, lost);
    ck_assert_uint_eq(seg.flags, TCP_ACK | TCP_PSH | TCP_FIN);
    heard("\r\n\r\ns");
    put(TCP_FIN | TCP_ACK, NULL, 0);
    expect(TCP_ACK, 0);
    at_rest(0);
    ck_assert_uint_eq(tcp.timeouts, 2);
    down();
}
END_TEST

/* Of a large answer the middle is lost: from there on it comes again, and what
 * had come is not sent a third time. */
START_TEST(test_loss_in_the_middle)
{
    up();
    connect_peer();
    put_text(REQUEST);
    ck_assert(get());
    ck_assert(tcp_next(&tcp, now, &seg)); /* lost */
    while (tcp_next(&tcp, now, &seg))
        put(TCP_ACK, NULL, 0); /* of the first, again and again */
    pass_time();
    hear_all();
    heard_big();
    at_rest(1);
    down();
}
END_TEST

/* A guest that has gone away is given up, and the time between tries grows. */
START_TEST(test_gives_up)
{
    u64 start, last = 0, step;

    up();
    connect_peer();
    put_text(REQUEST);
    while (tcp_next(&tcp, now, &seg))
        ;
    start = now;
    for (unsigned int i = 0; i < 8; i++) {
        step = now;
        pass_time();
        step = now - step;
        ck_assert_uint_ge(step, last);
        last = step;
        ck_assert(tcp_next(&tcp, now, &seg));
        while (tcp_next(&tcp, now, &seg))
            ;
    }
    pass_time();
    ck_assert(tcp_next(&tcp, now, &seg));
    ck_assert_uint_eq(seg.flags, TCP_RST | TCP_ACK);
    at_rest(0);
    ck_assert_uint_lt(now - start, 60000 * MS);
    down();
}
END_TEST

/* A window that shuts is asked for, a byte at a time, as long as there is an
 * answer; and when it opens everything comes, without a wait. */
START_TEST(test_shut_window)
{
    up();
    connect_peer();
    peer.window = 0;
    put_text(REQUEST);
    expect(TCP_ACK, 0);
    for (unsigned int i = 0; i < 50; i++) {
        expect_nothing();
        pass_time();
        ck_assert(tcp_next(&tcp, now, &seg)); /* which does not take it */
        ck_assert_uint_eq(seg.len, 1);
        ck_assert_uint_eq(seg.seq, peer.ack);
        put(TCP_ACK, NULL, 0);
    }
    peer.window = 65535;
    put(TCP_ACK, NULL, 0);
    hear_all();
    heard_big();
    at_rest(1);
    /* One that takes the byte, and shuts again. */
    peer.len = 0;
    peer.window = 0;
    put_text(REQUEST);
    expect(TCP_ACK, 0);
    for (unsigned int i = 0; i < 5; i++) {
        pass_time();
        ck_assert(get());
        ck_assert_uint_eq(seg.len, 1);
        put(TCP_ACK, NULL, 0);
        expect_nothing();
    }
    peer.window = 1000;
    put(TCP_ACK, NULL, 0);
    hear_all();
    heard_big();
    at_rest(1);
    down();
}
END_TEST

/* A shut window that nobody answers for. */
START_TEST(test_shut_and_gone)
{
    up();
    connect_peer();
    peer.window = 0;
    put_text(REQUEST);
    expect(TCP_ACK, 0);
    for (unsigned int i = 0; i < 9; i++) {
        pass_time();
        ck_assert(tcp_next(&tcp, now, &seg));
    }
    ck_assert_uint_eq(seg.flags, TCP_RST | TCP_ACK);
    at_rest(0);
    down();
}
END_TEST

Suite *suite_mmds_loss(void);
Suite *suite_mmds_loss(void)
{
    Suite *s = suite_create("mmds_loss");
    TCase *tc = tcase_create("mmds_loss");

    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_loss);
    tcase_add_test(tc, test_loss_in_the_middle);
    tcase_add_test(tc, test_gives_up);
    tcase_add_test(tc, test_shut_window);
    tcase_add_test(tc, test_shut_and_gone);
    suite_add_tcase(s, tc);
    return s;
}
