/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: frames towards the guest, floods and limits */
#include <check.h>

#include "net_dev_rig.h"

/* ---- towards the guest -------------------------------------------------- */

static const u64 rx_features[] = {
    ~0ull,
    VDRV_F_VERSION_1 | NET_F_MRG_RXBUF,
    VDRV_F_VERSION_1 | VDRV_F_EVENT_IDX | NET_F_MRG_RXBUF,
};

START_TEST(test_rx_merge)
{
    static const u32 lens[] = {14, 60, 1514, 1524, 1525, 9000, 65550};
    static const u32 sizes[] = {12, 13, 300, 1536, 4096, 65562};
    static struct rig r;

    rig_up(&r, rx_features[_i]);
    for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
        for (u32 k = 0; k < ARRAY_SIZE(sizes); k++) {
            if ((NIC_HDR_LEN + lens[i]) / sizes[k] < 256)
                check_rx(&r, lens[i], sizes[k], i + k);
        }
    }
    ck_assert_uint_eq(rig_stats(&r).dropped, 0);
    rig_down(&r);
}
END_TEST

/* Without mergeable buffers a frame has one chain, of several buffers. */
START_TEST(test_rx_single)
{
    static struct rig r;
    struct vdrv_buf buf[3];
    u32 len;
    u8 *p;

    rig_up(&r, VDRV_F_VERSION_1);
    p = vdrv_ptr(&r.d, r.gpa, 8192);
    buf[0] = (struct vdrv_buf){r.gpa, 5, true};
    buf[1] = (struct vdrv_buf){r.gpa + 5, 507, true};
    buf[2] = (struct vdrv_buf){r.gpa + 512, 1014, true};
    vdrv_add(&r.d, RX, buf, 3);
    vdrv_kick(&r.d, RX);
    ck_assert(peer_send(&r, 1515, 1)); /* one byte too long */
    ck_assert(peer_send(&r, 1514, 2));
    ck_assert_int_ge(vdrv_wait(&r.d, RX, &len), 0);
    ck_assert_uint_eq(len, 1526);
    ck_assert_uint_eq(le16_get(p + 10), 1);
    ck_assert_int_eq(memcmp(p + 12, frame + 12, 1514), 0);
    ck_assert_uint_eq(rig_stats(&r).dropped, 1);
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "rx_fails"), 1);
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "rx_packets_count"), 1);
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "rx_bytes_count"), 1514);
    rig_down(&r);
}
END_TEST

/* Frames wait for buffers that come one by one, and stay in order. */
START_TEST(test_rx_waits)
{
    static struct rig r;
    u32 len;

    rig_up(&r, ~0ull);
    for (u32 i = 0; i < 3; i++)
        ck_assert(peer_send(&r, 3000, i));
    for (u32 i = 0; i < 3; i++) {
        u8 *p = vdrv_ptr(&r.d, r.gpa, 4096);
        u16 old = r.d.q[RX].avail_idx;

        for (u32 k = 0; k < 4; k++) {
            ck_assert_int_lt(vdrv_poll(&r.d, RX, NULL), 0);
            add_rx(&r, r.gpa + k * 1000, 1000);
            if (vdrv_kick_wanted(&r.d, RX, old))
                vdrv_kick(&r.d, RX);
            old = r.d.q[RX].avail_idx;
        }
        for (u32 k = 0; k < 4; k++) {
            ck_assert_int_ge(vdrv_wait(&r.d, RX, &len), 0);
            ck_assert_uint_eq(len, k < 3 ? 1000 : 12);
        }
        make_frame(3000, i);
        ck_assert_int_eq(memcmp(p + 12, frame + 12, 3000), 0);
    }
    ck_assert_uint_eq(rig_stats(&r).dropped, 0);
    rig_down(&r);
}
END_TEST

/* No room for a header: the driver's fault, until its reset. */
START_TEST(test_rx_tiny)
{
    static struct rig r;

    rig_up(&r, ~0ull);
    add_rx(&r, r.gpa, 11);
    vdrv_kick(&r.d, RX);
    ck_assert(peer_send(&r, 60, 0));
    ck_assert(vdrv_until(vdrv_read(&r.d, VDRV_STATUS) & VDRV_S_NEEDS_RESET));
    vdrv_reset(&r.d);
    rig_init(&r, ~0ull);
    add_rx(&r, r.gpa, 100);
    vdrv_kick(&r.d, RX);
    ck_assert_int_ge(vdrv_wait(&r.d, RX, NULL), 0);
    rig_down(&r);
}
END_TEST

/* A frame that the whole ring cannot hold must not stop those behind it. */
START_TEST(test_rx_hopeless)
{
    static struct rig r;
    u32 len;

    rig_up(&r, ~0ull);
    for (u32 i = 0; i < 256; i++)
        add_rx(&r, r.gpa + i * 100, 100);
    vdrv_kick(&r.d, RX);
    ck_assert(peer_send(&r, 256 * 100 - 11, 0));
    ck_assert(peer_send(&r, 60, 1));
    ck_assert_int_ge(vdrv_wait(&r.d, RX, &len), 0);
    ck_assert_uint_eq(len, 72);
    ck_assert_uint_eq(rig_stats(&r).dropped, 1);
    rig_down(&r);
}
END_TEST

/* What a backend claims is checked against what the driver took. */
START_TEST(test_rx_header)
{
    static const struct {
        struct net_hdr hdr;
        u64 without;
        bool ok;
        u8 flags;
    } cases[] = {
        {{.flags = NET_HDR_NEEDS_CSUM}, 0, true, NET_HDR_NEEDS_CSUM},
        {{.flags = NET_HDR_NEEDS_CSUM}, NET_F_GUEST_CSUM, false, 0},
        {{.flags = NET_HDR_DATA_VALID}, 0, true, NET_HDR_DATA_VALID},
        {{.flags = NET_HDR_DATA_VALID}, NET_F_GUEST_CSUM, true, 0},
        {{.gso_type = NET_GSO_TCPV4}, 0, true, 0},
        {{.gso_type = NET_GSO_TCPV4}, NET_F_GUEST_TSO4, false, 0},
        {{.gso_type = NET_GSO_TCPV6}, NET_F_GUEST_TSO6, false, 0},
        {{.gso_type = 3}, 0, false, 0},
    };
    static struct rig r;

    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        rig_up(&r, ~cases[i].without);
        make_frame(60, 0);
        memcpy(frame, &cases[i].hdr, NIC_HDR_LEN);
        ck_assert_int_eq(send(r.nic.peer[0], frame, 72, 0), 72);
        ck_assert(peer_send(&r, 100, 0));
        add_rx(&r, r.gpa, 200);
        vdrv_kick(&r.d, RX);
        ck_assert_int_ge(vdrv_wait(&r.d, RX, NULL), 0);
        ck_assert_uint_eq(rig_stats(&r).bytes_in, cases[i].ok ? 72 : 112);
        ck_assert_uint_eq(*(u8 *)vdrv_ptr(&r.d, r.gpa, 1), cases[i].flags);
        ck_assert_uint_eq(rig_stats(&r).dropped, !cases[i].ok);
        rig_down(&r);
    }
}
END_TEST

/* ---- both sides full ---------------------------------------------------- */

/*
 * The network floods while the guest has no buffer, the guest floods while the
 * network does not read: both queues are full to the brim. Then both drain a
 * little at a time; every frame arrives once and in order, on notifications
 * that the device asked for alone.
 */
START_TEST(test_flood)
{
    static struct rig r;
    u32 in = 0, out = 0, got_in = 0, got_out = 0, len;
    u8 *p;

    rig_up(&r, rx_features[_i]);
    p = vdrv_ptr(&r.d, r.gpa, MIB);
    for (unsigned int round = 0; round < 3; round++) {
        while (peer_send(&r, 1000, in))
            in++;
        while (r.d.q[TX].nr_free > 0 && out < got_out + 1000) {
            u16 old = r.d.q[TX].avail_idx;

            make_frame(1000, out++);
            memcpy(p + MIB / 2, frame, 1012);
            vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa + MIB / 2, 1012, false},
                     1);
            if (vdrv_kick_wanted(&r.d, TX, old))
                vdrv_kick(&r.d, TX);
            sched_yield();
            while (vdrv_poll(&r.d, TX, NULL) >= 0)
                ;
        }
        ck_assert(vdrv_until(atomic_load(&r.nic.full) > round));
        while (got_in < in) {
            u16 old = r.d.q[RX].avail_idx;

            add_rx(&r, r.gpa, 1536);
            if (vdrv_kick_wanted(&r.d, RX, old))
                vdrv_kick(&r.d, RX);
            ck_assert_int_ge(vdrv_wait(&r.d, RX, &len), 0);
            make_frame(1000, got_in++);
            ck_assert_uint_eq(len, 1012);
            ck_assert_int_eq(memcmp(p + 12, frame + 12, 1000), 0);
        }
        while (got_out < out) {
            ck_assert_int_eq(peer_recv(&r), 1012);
            got_out++;
        }
        ck_assert(vdrv_until(vdrv_poll(&r.d, TX, NULL) >= 0 ||
                             r.d.q[TX].nr_free == 256));
        while (r.d.q[TX].nr_free < 256)
            ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
    }
    ck_assert_uint_gt(in, 200);
    ck_assert_uint_eq(rig_stats(&r).dropped, 0);
    ck_assert_uint_eq(atomic_load(&r.nic.sent), out);
    rig_down(&r);
}
END_TEST

/* ---- limits ------------------------------------------------------------- */

/* 10 frames at once, then 10 each 40 ms: 50 take 160 ms, none is lost. */
START_TEST(test_limit)
{
    static struct rig r;
    bool rx = _i == 0;
    u64 start, ms;

    r = (struct rig){0};
    *(rx ? &r.opt.rx : &r.opt.tx) =
        (struct limit_config){.ops = {.size = 10, .refill_ms = 40}};
    rig_new(&r, 1);
    rig_init(&r, ~0ull);
    start = vdrv_ms();
    for (u32 i = 0; i < 50; i++) {
        if (rx)
            ck_assert(peer_send(&r, 60, i));
        vdrv_add(&r.d, rx ? RX : TX,
                 &(struct vdrv_buf){r.gpa + i * 128, 72, rx}, 1);
    }
    vdrv_kick(&r.d, rx ? RX : TX);
    for (u32 i = 0; i < 50; i++) {
        ck_assert_int_ge(vdrv_wait(&r.d, rx ? RX : TX, NULL), 0);
        if (!rx)
            ck_assert_int_eq(peer_recv(&r), 72);
    }
    ms = vdrv_ms() - start;
    ck_assert_uint_ge(ms, 140);
    ck_assert_uint_lt(ms, 1000);
    ck_assert_uint_eq(rig_stats(&r).dropped, 0);
    rig_down(&r);
}
END_TEST

START_TEST(test_limit_once)
{
    static struct rig r;

    r = (struct rig){
        .opt = {.tx = {.ops = {.size = 10, .refill_ms = 1000000}}}};
    rig_new(&r, 1);
    rig_init(&r, ~0ull);
    atomic_store(&r.nic.send_error, EAGAIN);
    for (u32 i = 0; i < 10; i++)
        vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 72, false}, 1);
    vdrv_kick(&r.d, TX);
    usleep(20000);
    ck_assert_int_lt(vdrv_poll(&r.d, TX, NULL), 0);
    atomic_store(&r.nic.send_error, 0);
    for (u32 i = 0; i < 10; i++)
        ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
    rig_down(&r);
}
END_TEST

Suite *suite_net_rx(void);
Suite *suite_net_rx(void)
{
    Suite *s = suite_create("net_rx");
    TCase *tc = tcase_create("net");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, test_rx_merge, 0, ARRAY_SIZE(rx_features));
    tcase_add_test(tc, test_rx_single);
    tcase_add_test(tc, test_rx_waits);
    tcase_add_test(tc, test_rx_tiny);
    tcase_add_test(tc, test_rx_hopeless);
    tcase_add_test(tc, test_rx_header);
    tcase_add_loop_test(tc, test_flood, 0, ARRAY_SIZE(rx_features));
    tcase_add_loop_test(tc, test_limit, 0, 2);
    tcase_add_test(tc, test_limit_once);
    suite_add_tcase(s, tc);
    return s;
}
