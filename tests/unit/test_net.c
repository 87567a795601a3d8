/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: what is offered, frames from the guest, control, link, reset */
#include <check.h>

#include "net_dev_rig.h"

/* ---- what is offered ---------------------------------------------------- */

struct offer_case {
    u32 offloads;
    unsigned int pairs;
    bool has_mac;
    u16 mtu;
    u64 yes, no;
};

static const struct offer_case offer_cases[] = {
    {0, 1, false, 0, NET_F_MRG_RXBUF | NET_F_STATUS | NET_F_CTRL_VQ,
     NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MAC | NET_F_MTU | NET_F_MQ |
         NET_F_HOST_TSO4 | NET_F_GUEST_TSO4},
    {NIC_CSUM, 2, true, 1400,
     NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MAC | NET_F_MTU | NET_F_MQ,
     NET_F_HOST_TSO4 | NET_F_GUEST_TSO6},
    {ALL_OFFLOADS, 8, false, 0,
     NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6,
     NET_F_MAC | NET_F_MTU},
};

START_TEST(test_offer)
{
    const struct offer_case *c = &offer_cases[_i];
    static struct rig r;
    struct virtio_dev *dev;
    u64 offered;

    r = (struct rig){.opt = {.name = "eth0",
                             .has_mac = c->has_mac,
                             .mac = {2, 1, 2, 3, 4, 5},
                             .mtu = c->mtu}};
    nic_rig_up(&r.nic, c->pairs, c->offloads);
    ck_assert_int_eq(net_new(&dev, &r.nic.nic, &r.opt), 0);
    vdrv_attach(&r.d, dev);
    offered = vdrv_offered(&r.d);
    ck_assert_uint_eq(offered & c->yes, c->yes);
    ck_assert_uint_eq(offered & c->no, 0);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_DEVICE_ID), 1);
    ck_assert_uint_eq(vdrv_config(&r.d, 0, 1), c->has_mac ? 2 : 0);
    ck_assert_uint_eq(vdrv_config(&r.d, 5, 1), c->has_mac ? 5 : 0);
    ck_assert_uint_eq(vdrv_config(&r.d, 6, 2), NET_S_LINK_UP);
    ck_assert_uint_eq(vdrv_config(&r.d, 8, 2), c->pairs);
    ck_assert_uint_eq(vdrv_config(&r.d, 10, 2), c->mtu);
    ck_assert_uint_eq(virtio_nr_vqs(dev), 2 * c->pairs + 1);
    rig_down(&r);
}
END_TEST

/* The backend learns what the driver takes, and forgets it with a reset. */
START_TEST(test_offloads)
{
    static const struct {
        u64 features;
        u32 offloads;
    } cases[] = {
        {NET_F_GUEST_CSUM, NIC_CSUM},
        {NET_F_GUEST_CSUM | NET_F_GUEST_TSO4, NIC_CSUM | NIC_TSO4},
        {NET_F_GUEST_CSUM | NET_F_GUEST_TSO6, NIC_CSUM | NIC_TSO6},
        {NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6, 0},
        {NET_F_CSUM | NET_F_HOST_TSO4, 0},
    };
    static struct rig r;

    r = (struct rig){0};
    rig_new(&r, 1);
    for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
        rig_init(&r, VDRV_F_VERSION_1 | cases[i].features);
        ck_assert_uint_eq(atomic_load(&r.nic.offloads), cases[i].offloads);
        vdrv_reset(&r.d);
        ck_assert_uint_eq(atomic_load(&r.nic.offloads), 0);
    }
    rig_down(&r);
}
END_TEST

/* ---- from the guest ----------------------------------------------------- */

/* Frames cut into buffers in any way arrive whole, behind a clean header. */
START_TEST(test_tx)
{
    static const u32 cuts[][3] = {
        {12, 60, 0}, {72, 0, 0}, {5, 67, 0}, {1, 11, 60}, {20, 50, 2},
    };
    static struct rig r;

    rig_up(&r, ~0ull);
    for (u32 i = 0; i < ARRAY_SIZE(cuts); i++) {
        struct vdrv_buf buf[3];
        unsigned int nr = 0;
        u32 at = 0;

        make_frame(60, i);
        frame[10] = 0xff; /* num_buffers: the driver's is ignored */
        memcpy(vdrv_ptr(&r.d, r.gpa, 72), frame, 72);
        for (; nr < 3 && cuts[i][nr]; at += cuts[i][nr++])
            buf[nr] = (struct vdrv_buf){r.gpa + at, cuts[i][nr], false};
        ck_assert_uint_eq(at, 72);
        vdrv_add(&r.d, TX, buf, nr);
        vdrv_kick(&r.d, TX);
        ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
        ck_assert_int_eq(peer_recv(&r), 72);
        frame[10] = 0;
        ck_assert_int_eq(memcmp(seen, frame, 72), 0);
    }
    ck_assert_uint_eq(rig_stats(&r).bytes_out, 72 * ARRAY_SIZE(cuts));
    ck_assert_uint_eq(rig_stats(&r).dropped, 0);
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "tx_packets_count"),
                      ARRAY_SIZE(cuts));
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "tx_bytes_count"),
                      60 * ARRAY_SIZE(cuts));
    rig_down(&r);
}
END_TEST

struct tx_case {
    struct net_hdr hdr;
    u32 len;     /* of the frame */
    u64 without; /* features not accepted */
    bool ok;
};

#define CSUM(start, off)                                                       \
    .flags = NET_HDR_NEEDS_CSUM, .csum_start = (start), .csum_offset = (off)

static const struct tx_case tx_cases[] = {
    {{.flags = 0}, 14, 0, true},
    {{.flags = 0}, 13, 0, false},
    {{.flags = 0}, 0, 0, false},
    {{.flags = 0}, NIC_FRAME_MAX - NIC_HDR_LEN, 0, true},
    {{.flags = 0}, NIC_FRAME_MAX - NIC_HDR_LEN + 1, 0, false},
    {{CSUM(34, 16)}, 54, 0, true},
    {{CSUM(34, 18)}, 54, 0, true},
    {{CSUM(34, 19)}, 54, 0, false},
    {{CSUM(54, 0)}, 54, 0, false},
    {{CSUM(0xffff, 0xffff)}, 54, 0, false},
    {{CSUM(34, 16)}, 54, NET_F_CSUM, false},
    {{CSUM(34, 16), .gso_type = 1, .gso_size = 1448, .hdr_len = 54},
     3000,
     0,
     true},
    {{CSUM(34, 16), .gso_type = 4, .gso_size = 1428, .hdr_len = 74},
     3000,
     0,
     true},
    {{CSUM(34, 16), .gso_type = 1, .gso_size = 47, .hdr_len = 54},
     3000,
     0,
     false},
    {{CSUM(34, 16), .gso_type = 1, .gso_size = 1448, .hdr_len = 3001},
     3000,
     0,
     false},
    {{.gso_type = 1, .gso_size = 1448, .hdr_len = 54}, 3000, 0, false},
    {{CSUM(34, 16), .gso_type = 1, .gso_size = 1448, .hdr_len = 54},
     3000,
     NET_F_HOST_TSO4,
     false},
    {{CSUM(34, 16), .gso_type = 4, .gso_size = 1448, .hdr_len = 54},
     3000,
     NET_F_HOST_TSO6,
     false},
    {{CSUM(34, 16), .gso_type = 0x81, .gso_size = 1448}, 3000, 0, false},
    {{CSUM(34, 16), .gso_type = 3, .gso_size = 1448}, 3000, 0, false},
    {{CSUM(34, 16), .gso_type = 5, .gso_size = 1448}, 3000, 0, false},
    {{.flags = 0xfe}, 60, 0, true}, /* flags that are not for the device */
};

/* A header that asks for what it may not drops its frame, nothing else. */
START_TEST(test_tx_header)
{
    const struct tx_case *c = &tx_cases[_i];
    static struct rig r;
    u32 len = NIC_HDR_LEN + c->len;

    rig_up(&r, ~c->without);
    for (unsigned int i = 0; i < 2; i++) {
        struct vdrv_buf buf = {r.gpa, i ? 72 : len, false};

        make_frame(i ? 60 : MIN(c->len, NIC_FRAME_MAX - NIC_HDR_LEN), i);
        if (i == 0)
            memcpy(frame, &c->hdr, sizeof(c->hdr));
        memcpy(vdrv_ptr(&r.d, r.gpa, sizeof(frame)), frame, sizeof(frame));
        vdrv_add(&r.d, TX, &buf, 1);
        vdrv_kick(&r.d, TX);
        ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
        if (i == 0 && !c->ok)
            continue;
        ck_assert_int_eq(peer_recv(&r), buf.len);
        ck_assert_int_eq(
            memcmp(seen + NIC_HDR_LEN, frame + NIC_HDR_LEN, buf.len - 12), 0);
        ck_assert_uint_eq(seen[0], i ? 0 : c->hdr.flags & NET_HDR_NEEDS_CSUM);
    }
    ck_assert_uint_eq(rig_stats(&r).errors, !c->ok);
    ck_assert_uint_eq(rig_stats(&r).dropped, !c->ok);
    ck_assert(!rig_stats(&r).broken);
    rig_down(&r);
}
END_TEST

/* Chains that hold no header, or only writable buffers. */
START_TEST(test_tx_short)
{
    static struct rig r;

    rig_up(&r, ~0ull);
    vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 11, false}, 1);
    vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 100, true}, 1);
    vdrv_kick(&r.d, TX);
    ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
    ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
    ck_assert_uint_eq(rig_stats(&r).dropped, 2);
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "tx_malformed_frames"), 2);
    rig_down(&r);
}
END_TEST

/* The backend refuses a frame: dropped, counted, the chain comes back. */
START_TEST(test_tx_error)
{
    static struct rig r;

    rig_up(&r, ~0ull);
    atomic_store(&r.nic.send_error, EIO);
    for (unsigned int i = 0; i < 300; i++) {
        vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 72, false}, 1);
        vdrv_kick(&r.d, TX);
        ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
    }
    ck_assert_uint_eq(rig_stats(&r).dropped, 300);
    ck_assert_uint_eq(vdrv_counter(r.d.dev, "tx_fails"), 300);
    rig_down(&r);
}
END_TEST

/* A frame to the network, kicked if that is wanted. Was it? */
static bool send_one(struct rig *r)
{
    u16 old = r->d.q[TX].avail_idx;
    bool kick;

    vdrv_add(&r->d, TX, &(struct vdrv_buf){r->gpa, 72, false}, 1);
    kick = vdrv_kick_wanted(&r->d, TX, old);
    if (kick)
        vdrv_kick(&r->d, TX);
    ck_assert_int_ge(vdrv_wait(&r->d, TX, NULL), 0);
    ck_assert_int_eq(peer_recv(r), 72);
    return kick;
}

/* With and without event indices: frames in a row go out without a kick each,
 * and the device sleeps when there are no more. */
START_TEST(test_tx_stream)
{
    static struct rig r;
    unsigned int kicks = 0;
    u64 before;

    rig_up(&r, _i ? ~0ull : ~VDRV_F_EVENT_IDX);
    for (unsigned int i = 0; i < 200; i++)
        kicks += send_one(&r);
    ck_assert_uint_lt(kicks, 200);
    usleep(20000);
    before = rig_stats(&r).wakeups;
    ck_assert(send_one(&r));
    usleep(20000);
    ck_assert_uint_le(rig_stats(&r).wakeups, before + 3);
    rig_down(&r);
}
END_TEST

/* Who gets answers is not kept waiting: there is no wake-up but for the kick
 * and for the frame that comes in. */
START_TEST(test_tx_answers)
{
    static struct rig r;
    u64 before;

    rig_up(&r, ~0ull);
    for (unsigned int i = 0; i < 40; i++)
        add_rx(&r, r.gpa + 4096 + i * 2048ull, 2048);
    vdrv_kick(&r.d, RX);
    for (unsigned int i = 0; i < 2; i++)
        send_one(&r);
    before = rig_stats(&r).wakeups;
    for (unsigned int i = 0; i < 40; i++) {
        send_one(&r);
        ck_assert(peer_send(&r, 60, i));
        ck_assert_int_ge(vdrv_wait(&r.d, RX, NULL), 0);
    }
    ck_assert_uint_le(rig_stats(&r).wakeups, before + 2 * 40);
    rig_down(&r);
}
END_TEST

/* ---- control queue ------------------------------------------------------ */

struct ctrl_case {
    u8 bytes[24];
    u32 len;
    u8 answer;
};

static const struct ctrl_case ctrl_cases[] = {
    {{0, 0, 1}, 3, 0},              /* promiscuous */
    {{0, 1, 0}, 3, 0},              /* all multicast */
    {{0, 0}, 2, 1},                 /* without its argument */
    {{0, 2, 1}, 3, 1},              /* of a feature not offered */
    {{1, 0, 0, 0, 0, 0, 0}, 10, 0}, /* empty tables */
    {{1, 0, 1, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0}, 16, 0},
    {{1, 0, 1, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0}, 15, 1},
    {{1, 0, 255, 255, 255, 255, 2, 2}, 16, 1},
    {{1, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 10, 1},
    {{1, 1, 6, 5, 4, 3, 2, 1}, 8, 0}, /* a new address */
    {{1, 1, 6, 5, 4, 3, 2}, 7, 1},
    {{2, 0, 1, 0}, 4, 1}, /* VLANs */
    {{4, 0, 1, 0}, 4, 1}, /* pairs, without the feature */
    {{9, 9, 9}, 3, 1},
    {{0}, 1, 1},
};

static int ctrl(struct rig *r, unsigned int q, const u8 *bytes, u32 len)
{
    u8 *p = vdrv_ptr(&r->d, r->gpa, 64);
    struct vdrv_buf buf[] = {{r->gpa, len, false}, {r->gpa + 63, 1, true}};
    u32 used;

    memcpy(p, bytes, len);
    p[63] = 0x55;
    vdrv_add(&r->d, q, buf, 2);
    vdrv_kick(&r->d, q);
    if (vdrv_wait(&r->d, q, &used) < 0 || used != 1)
        return -1;
    return p[63];
}

START_TEST(test_ctrl)
{
    static struct rig r;
    u64 errors = 0;

    r = (struct rig){.opt = {.has_mac = true, .mac = {2}}};
    rig_new(&r, 1);
    rig_init(&r, ~0ull);
    for (u32 i = 0; i < ARRAY_SIZE(ctrl_cases); i++) {
        const struct ctrl_case *c = &ctrl_cases[i];

        ck_assert_msg(ctrl(&r, CTRL, c->bytes, c->len) == c->answer, "case %u",
                      i);
        errors += c->answer;
    }
    ck_assert_uint_eq(vdrv_config(&r.d, 0, 4), 0x03040506);
    vdrv_add(&r.d, CTRL, &(struct vdrv_buf){r.gpa, 3, false}, 1);
    vdrv_kick(&r.d, CTRL); /* nowhere to answer */
    ck_assert_int_ge(vdrv_wait(&r.d, CTRL, NULL), 0);
    ck_assert_uint_eq(rig_stats(&r).errors, errors + 1);
    rig_down(&r);
}
END_TEST

/* Several pairs: the control queue is the last one, and each pair works. */
START_TEST(test_pairs)
{
    static const u8 cmd[][4] = {{4, 0, 3, 0}, {4, 0, 0, 0}, {4, 0, 4, 0}};
    static struct rig r;

    r = (struct rig){0};
    rig_new(&r, 3);
    rig_init(&r, ~0ull);
    ck_assert_uint_eq(atomic_load(&r.nic.pairs), 1);
    ck_assert_int_eq(ctrl(&r, 6, cmd[1], 4), 1);
    ck_assert_int_eq(ctrl(&r, 6, cmd[2], 4), 1);
    ck_assert_int_eq(ctrl(&r, 6, cmd[0], 4), 0);
    ck_assert_uint_eq(atomic_load(&r.nic.pairs), 3);
    for (unsigned int i = 0; i < 3; i++) {
        make_frame(60, i);
        ck_assert_int_eq(send(r.nic.peer[i], frame, 72, 0), 72);
        vdrv_add(&r.d, 2 * i, &(struct vdrv_buf){r.gpa, 100, true}, 1);
        vdrv_kick(&r.d, 2 * i);
        ck_assert_int_ge(vdrv_wait(&r.d, 2 * i, NULL), 0);
        vdrv_add(&r.d, 2 * i + 1, &(struct vdrv_buf){r.gpa, 72, false}, 1);
        vdrv_kick(&r.d, 2 * i + 1);
        ck_assert_int_ge(vdrv_wait(&r.d, 2 * i + 1, NULL), 0);
        ck_assert_int_eq(recv(r.nic.peer[i], seen, sizeof(seen), 0), 72);
        ck_assert_int_eq(memcmp(seen + 12, frame + 12, 60), 0);
    }
    vdrv_reset(&r.d);
    ck_assert_uint_eq(atomic_load(&r.nic.pairs), 1);
    rig_init(&r, ~NET_F_MQ); /* now the control queue is number 2 */
    ck_assert_int_eq(ctrl(&r, 2, ctrl_cases[0].bytes, 3), 0);
    ck_assert_int_eq(ctrl(&r, 2, cmd[0], 4), 1);
    rig_down(&r);
}
END_TEST

/* ---- link and reset ----------------------------------------------------- */

START_TEST(test_link)
{
    static struct rig r;

    rig_up(&r, ~0ull);
    add_rx(&r, r.gpa, 100);
    vdrv_kick(&r.d, RX);
    close(r.nic.peer[0]);
    r.nic.peer[0] = -1;
    ck_assert(vdrv_until(vdrv_config(&r.d, 6, 2) == 0));
    ck_assert(vdrv_until(vdrv_read(&r.d, VDRV_ISR) & 2));
    for (unsigned int i = 0; i < 10; i++) {
        vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 72, false}, 1);
        vdrv_kick(&r.d, TX);
        ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
    }
    ck_assert_uint_eq(rig_stats(&r).dropped, 10);
    rig_down(&r);
}
END_TEST

/* A reset with a frame in hand and the backend full; then all is new. */
START_TEST(test_reset)
{
    static struct rig r;
    u32 len;

    rig_up(&r, ~0ull);
    for (unsigned int i = 0; i < 20; i++) {
        atomic_store(&r.nic.send_error, EAGAIN);
        ck_assert(peer_send(&r, 3000, i));
        add_rx(&r, r.gpa, 1000);
        vdrv_kick(&r.d, RX);
        vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 72, false}, 1);
        vdrv_kick(&r.d, TX);
        ck_assert(vdrv_until(rig_stats(&r).dropped == i));
        ck_assert(vdrv_until(
            recv(r.nic.pair[0].lf.fd, seen, 1, MSG_PEEK | MSG_DONTWAIT) < 0));
        vdrv_reset(&r.d);
        ck_assert_uint_eq(vdrv_read(&r.d, VDRV_STATUS), 0);
        atomic_store(&r.nic.send_error, 0);
        rig_init(&r, ~0ull);
        while (recv(r.nic.pair[0].lf.fd, seen, sizeof(seen), MSG_DONTWAIT) > 0)
            ;
        ck_assert(peer_send(&r, 60, i));
        add_rx(&r, r.gpa, 1000);
        vdrv_kick(&r.d, RX);
        ck_assert_int_ge(vdrv_wait(&r.d, RX, &len), 0);
        ck_assert_uint_eq(len, 72);
        ck_assert_int_lt(vdrv_poll(&r.d, TX, NULL), 0);
    }
    rig_down(&r);
}
END_TEST

/* A device with buffers and no frame sleeps, and one that has frames but no
 * buffers, and one whose backend is full. */
START_TEST(test_idle)
{
    static struct rig r;

    rig_up(&r, ~0ull);
    check_rx(&r, 60, 100, 0);
    add_rx(&r, r.gpa, 100);
    vdrv_kick(&r.d, RX);
    ck_assert(net_rig_sleeps());
    for (u32 i = 0; i < 3; i++)
        ck_assert(peer_send(&r, 60, i));
    ck_assert(net_rig_sleeps());
    for (u32 i = 0; i < 256; i++)
        vdrv_add(&r.d, TX, &(struct vdrv_buf){r.gpa, 4096, false}, 1);
    vdrv_kick(&r.d, TX);
    ck_assert(net_rig_sleeps());
    ck_assert_uint_eq(atomic_load(&r.nic.full), 1);
    rig_down(&r);
}
END_TEST

/* A frame that waits for the backend pays once, however often it is tried. */

START_TEST(test_options)
{
    static struct nic_rig nic;
    struct net_options opt = {.name = "eth0", .mtu = 67};
    struct virtio_dev *dev;

    nic_rig_up(&nic, 1, 0);
    ck_assert_int_eq(net_new(&dev, &nic.nic, &opt), -EINVAL);
    opt.mtu = 68;
    ck_assert_int_eq(net_new(&dev, &nic.nic, &opt), 0);
    virtio_free(dev);
    nic_rig_down(&nic);
}
END_TEST

Suite *suite_net(void);
Suite *suite_net(void)
{
    Suite *s = suite_create("net");
    TCase *tc = tcase_create("net");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, test_offer, 0, ARRAY_SIZE(offer_cases));
    tcase_add_test(tc, test_offloads);
    tcase_add_test(tc, test_tx);
    tcase_add_loop_test(tc, test_tx_header, 0, ARRAY_SIZE(tx_cases));
    tcase_add_test(tc, test_tx_short);
    tcase_add_test(tc, test_tx_error);
    tcase_add_loop_test(tc, test_tx_stream, 0, 2);
    tcase_add_test(tc, test_tx_answers);
    tcase_add_test(tc, test_ctrl);
    tcase_add_test(tc, test_pairs);
    tcase_add_test(tc, test_link);
    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_idle);
    tcase_add_test(tc, test_options);
    suite_add_tcase(s, tc);
    return s;
}
