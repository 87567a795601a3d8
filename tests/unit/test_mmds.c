/* SPDX-License-Identifier: Apache-2.0 */
/* mmds: the service in front of a backend: which frames it takes out of the
 * guest's, what it makes of them, and that all others pass */
#include <arpa/inet.h>

#include "mmds/packet.h"

#include "capture.h"
#include "net_dev_rig.h"
#include "slow_sum.h"

#define ADDRESS 0xfea9fea9u /* 169.254.169.254, as in a packet */
#define GUEST   0x0200000au /* 10.0.0.2 */
#define SYN_LEN 58u

static const u8 guest_mac[6] = {2, 0, 0, 0, 0, 5};

/* ---- frames ------------------------------------------------------------- */

static void put16(u8 *p, unsigned int v)
{
    p[0] = (u8)(v >> 8);
    p[1] = (u8)v;
}

static u32 tcp_sum(const u8 *f, u32 len)
{
    return slow_sum(f + 34, len, slow_sum(f + 26, 8, 6 + len));
}

static void fix_sums(u8 *f)
{
    u32 head = (f[14] & 15u) * 4, len = (u32)(f[16] << 8 | f[17]) - head;

    put16(f + 24, 0);
    put16(f + 24, ~slow_sum(f + 14, head, 0));
    put16(f + 14 + head + 16, 0);
    put16(f + 14 + head + 16,
          ~slow_sum(f + 14 + head, len, slow_sum(f + 26, 8, 6 + len)));
}

/* A SYN of the guest's, with the option of a segment size; 58 bytes. */
static void make_syn(u8 *f)
{
    static const u8 tcp_head[] = {0x30, 0x39, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0,
                                  0x60, 2,    4, 0,  0, 0, 0, 0, 2, 4, 4, 0};

    memset(f, 0, SYN_LEN);
    memset(f, 0xff, 6);
    memcpy(f + 6, guest_mac, 6);
    put16(f + 12, 0x800);
    f[14] = 0x45;
    put16(f + 16, SYN_LEN - 14);
    put16(f + 20, 0x4000);
    f[22] = 64;
    f[23] = 6;
    le32_put(f + 26, GUEST);
    le32_put(f + 30, ADDRESS);
    memcpy(f + 34, tcp_head, sizeof(tcp_head));
    fix_sums(f);
}

static void make_arp(u8 f[42])
{
    static const u8 ask[] = {0, 1, 8, 0, 6, 4, 0, 1};

    memset(f, 0, 42);
    memset(f, 0xff, 6);
    memcpy(f + 6, guest_mac, 6);
    put16(f + 12, 0x806);
    memcpy(f + 14, ask, sizeof(ask));
    memcpy(f + 22, guest_mac, 6);
    le32_put(f + 28, GUEST);
    le32_put(f + 38, ADDRESS);
}

static int parse(struct tcp_segment *s, const u8 *f, u32 len, bool trusted)
{
    u8 *copy = malloc(len + !len);
    int r;

    if (len > 0)
        memcpy(copy, f, len);
    r = packet_parse(s, copy, len, ADDRESS, trusted);
    free(copy);
    return r;
}

START_TEST(test_parse)
{
    struct tcp_segment s;
    u8 f[SYN_LEN + 6] = {0};

    make_syn(f);
    ck_assert(packet_is_ours(f, SYN_LEN, ADDRESS));
    ck_assert_int_eq(parse(&s, f, SYN_LEN, false), 0);
    ck_assert_mem_eq(s.peer.mac, guest_mac, 6);
    ck_assert_uint_eq(s.peer.ip, GUEST);
    ck_assert_uint_eq(ntohs(s.peer.port), 12345);
    ck_assert_uint_eq(s.port, 80);
    ck_assert_uint_eq(s.seq, 0x01020304);
    ck_assert_uint_eq(s.flags, TCP_SYN);
    ck_assert_uint_eq(s.window, 1024);
    ck_assert_uint_eq(s.mss, 1024);
    ck_assert_uint_eq(s.len, 0);
    /* What is behind the packet is padding, and every byte of it counts. */
    ck_assert_int_eq(parse(&s, f, SYN_LEN + 6, false), 0);
    ck_assert_uint_eq(s.len, 0);
    for (u32 len = 0; len < SYN_LEN; len++)
        ck_assert_int_eq(parse(&s, f, len, true), -EBADMSG);
    for (u32 i = 14; i < SYN_LEN; i++) {
        f[i] ^= 0x40;
        ck_assert_int_eq(parse(&s, f, SYN_LEN, false), -EBADMSG);
        f[i] ^= 0x40;
    }
    /* But for TCP's sum, if others were to make it. */
    f[50] ^= 1;
    ck_assert_int_eq(parse(&s, f, SYN_LEN, true), 0);
}
END_TEST

static const struct byte_case {
    const char *name;
    u32 at;
    u8 value;
    int err;
} bytes[] = {
    {"IPv6's version", 14, 0x65, -EBADMSG},
    {"a header too short", 14, 0x44, -EBADMSG},
    {"a header longer than the packet", 14, 0x4f, -EBADMSG},
    {"UDP", 23, 17, -EBADMSG},
    {"ICMP", 23, 1, -EBADMSG},
    {"a fragment with more", 20, 0x20, -EBADMSG},
    {"a fragment's rest", 21, 1, -EBADMSG},
    {"from a group", 26, 224, -EBADMSG},
    {"from everybody", 26, 255, -EBADMSG},
    {"from nobody", 26, 0, -EBADMSG},
    {"from itself", 26, 127, -EBADMSG},
    {"to somebody else", 33, 253, -EBADMSG},
    {"a TCP header too short", 46, 0x40, -EBADMSG},
    {"a TCP header too long", 46, 0x70, -EBADMSG},
    {"no options", 46, 0x50, 0},
    {"the reserved bits", 46, 0x6f, 0},
    {"every flag", 47, 0xff, 0},
    {"an option of no length", 55, 0, 0},
    {"an option of one", 55, 1, 0},
    {"an option too long", 55, 5, 0},
    {"another option", 54, 9, 0},
};

START_TEST(test_bytes)
{
    const struct byte_case *t = &bytes[_i];
    struct tcp_segment s;
    u8 f[SYN_LEN + 40] = {0};

    make_syn(f);
    f[t->at] = t->value;
    if (t->at != 14)
        fix_sums(f);
    ck_assert_msg(parse(&s, f, SYN_LEN, false) == t->err, "%s", t->name);
    if (t->err == 0)
        ck_assert_uint_eq(s.mss, t->at == 46 && t->value == 0x6f ? 1024
                                 : t->at == 47                   ? 1024
                                                                 : 0);
}
END_TEST

/* From its own address. */
START_TEST(test_own_address)
{
    struct tcp_segment s;
    u8 f[SYN_LEN];

    make_syn(f);
    le32_put(f + 26, ADDRESS);
    fix_sums(f);
    ck_assert_int_eq(parse(&s, f, SYN_LEN, false), -EBADMSG);
    /* No port of its own. */
    make_syn(f);
    put16(f + 34, 0);
    fix_sums(f);
    ck_assert_int_eq(parse(&s, f, SYN_LEN, false), -EBADMSG);
}
END_TEST

/* IP options are skipped. */
START_TEST(test_ip_options)
{
    struct tcp_segment s;
    u8 f[SYN_LEN + 8];

    make_syn(f);
    memmove(f + 42, f + 34, SYN_LEN - 34);
    memset(f + 34, 1, 8);
    f[14] = 0x47;
    put16(f + 16, sizeof(f) - 14);
    fix_sums(f);
    ck_assert_int_eq(parse(&s, f, sizeof(f), false), 0);
    ck_assert_uint_eq(s.mss, 1024);
}
END_TEST

START_TEST(test_arp)
{
    static const u8 at[] = {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 38, 41};
    struct arp_question q;
    u8 f[42];

    make_arp(f);
    for (u32 len = 0; len < sizeof(f); len++)
        ck_assert(!packet_is_ours(f, len, ADDRESS));
    ck_assert(packet_is_ours(f, sizeof(f), ADDRESS));
    ck_assert_int_eq(packet_parse_arp(&q, f, sizeof(f), ADDRESS), 0);
    ck_assert_mem_eq(q.mac, guest_mac, 6);
    ck_assert_uint_eq(q.ip, GUEST);
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        f[at[i]] ^= 2;
        ck_assert(!packet_is_ours(f, sizeof(f), ADDRESS));
        f[at[i]] ^= 2;
    }
}
END_TEST

/* ---- in front of a backend ---------------------------------------------- */

static struct rig r;
static struct mmds *m;

static void mmds_up(u64 features)
{
    struct mmds_options opt = {.address = NULL};
    struct virtio_dev *dev;
    struct nic *nic = &r.nic.nic;

    r = (struct rig){.opt.name = "eth0"};
    nic_rig_up(&r.nic, 2, ALL_OFFLOADS);
    ck_assert_int_eq(mmds_open(&m, &opt), 0);
    ck_assert_int_eq(mmds_wrap(&nic, m), 0);
    ck_assert_uint_eq(nic->info.pairs, 2);
    ck_assert_uint_eq(nic->info.offloads, ALL_OFFLOADS);
    ck_assert_int_eq(net_new(&dev, nic, &r.opt), 0);
    vdrv_attach(&r.d, dev);
    rig_init(&r, features);
}

static void mmds_down(void)
{
    rig_down(&r);
    mmds_free(m);
}

/* The guest's frame, in two pieces of which the first ends anywhere. */
static void guest_sends(const u8 *f, u32 len, u8 flags, u32 cut)
{
    u64 at = r.gpa + 2 * MIB;
    u8 *p = vdrv_ptr(&r.d, at, NIC_HDR_LEN + len);
    struct vdrv_buf buf[2] = {{at, NIC_HDR_LEN + cut, false},
                              {at + NIC_HDR_LEN + cut, len - cut, false}};

    memset(p, 0, NIC_HDR_LEN);
    p[0] = flags;
    memcpy(p + NIC_HDR_LEN, f, len);
    vdrv_add(&r.d, TX, buf, cut < len ? 2 : 1);
    vdrv_kick(&r.d, TX);
    ck_assert_int_ge(vdrv_wait(&r.d, TX, NULL), 0);
}

static void guest_listens(void)
{
    add_rx(&r, r.gpa, 2048);
    vdrv_kick(&r.d, RX);
}

/* The next frame to the guest, behind a header that says nothing; its length.
 */
static u32 guest_hears(const u8 **f)
{
    static const u8 plain[10];
    u8 *p = vdrv_ptr(&r.d, r.gpa, 2048);
    u32 len;

    ck_assert_int_ge(vdrv_wait(&r.d, RX, &len), 0);
    ck_assert_uint_gt(len, NIC_HDR_LEN);
    ck_assert_mem_eq(p, plain, sizeof(plain));
    *f = p + NIC_HDR_LEN;
    return len - NIC_HDR_LEN;
}

static void check_tcp(const u8 *f, u32 len, u8 flags)
{
    ck_assert_mem_eq(f, guest_mac, 6);
    ck_assert_uint_eq(f[12] << 8 | f[13], 0x800);
    ck_assert_uint_eq(slow_sum(f + 14, 20, 0), 0xffff);
    ck_assert_uint_eq(f[16] << 8 | f[17], len - 14);
    ck_assert_uint_eq(le32_get(f + 26), ADDRESS);
    ck_assert_uint_eq(le32_get(f + 30), GUEST);
    ck_assert_uint_eq(tcp_sum(f, len - 34), 0xffff);
    ck_assert_uint_eq(f[47], flags);
}

/* ARP, a handshake, an answer; none of it reaches the backend. */
START_TEST(test_conversation)
{
    static const char get[] = "GET / HTTP/1.0\r\n\r\n";
    u64 counted[MMDS_COUNTERS];
    u8 f[256], arp[42];
    const u8 *p;
    u32 len;

    mmds_up(~0ull);
    make_arp(arp);
    guest_listens();
    guest_sends(arp, sizeof(arp), 0, (u32)_i);
    ck_assert_uint_eq(guest_hears(&p), sizeof(arp));
    ck_assert_uint_eq(p[21], 2);
    ck_assert_mem_eq(p, guest_mac, 6);
    ck_assert_mem_eq(p + 6, p + 22, 6);
    ck_assert_uint_eq(le32_get(p + 28), ADDRESS);
    ck_assert_mem_eq(p + 32, guest_mac, 6);
    ck_assert_uint_eq(le32_get(p + 38), GUEST);

    make_syn(f);
    guest_listens();
    guest_sends(f, SYN_LEN, 0, (u32)_i);
    len = guest_hears(&p);
    ck_assert_uint_eq(len, 58);
    check_tcp(p, len, TCP_SYN | TCP_ACK);
    ck_assert_uint_eq(le32_get(p + 42), htonl(0x01020305));
    ck_assert_uint_eq(le32_get(p + 54), htonl(0x020405b4));

    /* ACK with the request; its sum is left out. */
    le32_put(f + 42, htonl(ntohl(le32_get(p + 38)) + 1));
    le32_put(f + 38, htonl(0x01020305));
    put16(f + 46, 0x5018);
    memcpy(f + 54, get, sizeof(get) - 1);
    put16(f + 16, 40 + sizeof(get) - 1);
    fix_sums(f);
    put16(f + 50, 0);
    guest_listens();
    guest_sends(f, 54 + sizeof(get) - 1, NET_HDR_NEEDS_CSUM, (u32)_i);
    len = guest_hears(&p);
    check_tcp(p, len, TCP_ACK | TCP_PSH | TCP_FIN);
    ck_assert_ptr_nonnull(memmem(p, len, "HTTP/1.1 404 Not Found", 22));
    ck_assert_uint_eq(atomic_load(&r.nic.sent), 0);
    mmds_count(m, counted);
    ck_assert_uint_eq(counted[MMDS_TAKEN], 3);
    ck_assert_uint_eq(counted[MMDS_DROPPED], 0);
    ck_assert_uint_eq(counted[MMDS_RECEIVED], 2);
    ck_assert_uint_eq(counted[MMDS_NO_TOKEN], 1);
    ck_assert_uint_eq(counted[MMDS_SENT], 3);
    ck_assert_uint_eq(counted[MMDS_SENT_BYTES], sizeof(arp) + 58 + len);
    ck_assert_uint_eq(counted[MMDS_CREATED], 1);
    ck_assert_uint_eq(counted[MMDS_DESTROYED], 0);
    mmds_down();
}
END_TEST

/* Frames of others, there and back, on each pair. */
START_TEST(test_passes)
{
    u8 f[SYN_LEN], arp[42];

    mmds_up(~0ull);
    make_syn(f);
    put16(f + 32, 1); /* to 169.254.0.1 */
    guest_sends(f, SYN_LEN, 0, 20);
    ck_assert_int_eq(peer_recv(&r), NIC_HDR_LEN + SYN_LEN);
    ck_assert_mem_eq(seen + NIC_HDR_LEN, f, SYN_LEN);
    make_arp(arp);
    arp[41]--;
    guest_sends(arp, sizeof(arp), 0, 1);
    ck_assert_int_eq(peer_recv(&r), NIC_HDR_LEN + sizeof(arp));
    make_arp(arp);
    arp[21] = 2; /* an answer, which nobody has asked for */
    guest_sends(arp, sizeof(arp), 0, 1);
    ck_assert_int_eq(peer_recv(&r), NIC_HDR_LEN + sizeof(arp));
    guest_sends(f, 14, 0, 3); /* no more than its head */
    ck_assert_int_eq(peer_recv(&r), NIC_HDR_LEN + 14);
    check_rx(&r, 1500, 2048, 1);
    check_rx(&r, 3000, 700, 2);
    ck_assert_uint_eq(atomic_load(&r.nic.sent), 4);
    ck_assert_uint_eq(atomic_load(&r.nic.offloads), ALL_OFFLOADS);
    mmds_down();
}
END_TEST

/* To the address, but not what is answered: it goes nowhere at all. */
START_TEST(test_dropped)
{
    static u8 large[9000];
    u64 counted[MMDS_COUNTERS];
    u8 f[SYN_LEN];

    mmds_up(~0ull);
    make_syn(f);
    f[23] = 17;
    fix_sums(f);
    guest_sends(f, SYN_LEN, 0, 30);
    make_syn(f);
    f[50] ^= 1;
    guest_sends(f, SYN_LEN, 0, 30);
    make_syn(large);
    guest_sends(large, sizeof(large), NET_HDR_NEEDS_CSUM, 30);
    ck_assert_uint_eq(rig_stats(&r).dropped, 0);
    ck_assert_uint_eq(atomic_load(&r.nic.sent), 0);
    mmds_count(m, counted);
    ck_assert_uint_eq(counted[MMDS_TAKEN], 3);
    ck_assert_uint_eq(counted[MMDS_DROPPED], 3);
    guest_listens();
    usleep(20000);
    ck_assert(!atomic_load(&r.d.line));
    ck_assert(net_rig_sleeps());
    mmds_down();
}
END_TEST

/* The guest asks before it has a buffer for the answer; and what is not
 * acknowledged comes again by itself. */
START_TEST(test_patience)
{
    u8 f[SYN_LEN];
    const u8 *p;
    u32 len, seq;

    mmds_up(~0ull);
    make_syn(f);
    guest_sends(f, SYN_LEN, 0, SYN_LEN);
    usleep(10000);
    ck_assert(net_rig_sleeps());
    guest_listens();
    len = guest_hears(&p);
    check_tcp(p, len, TCP_SYN | TCP_ACK);
    seq = le32_get(p + 38);
    guest_listens();
    len = guest_hears(&p); /* after a quarter of a second */
    check_tcp(p, len, TCP_SYN | TCP_ACK);
    ck_assert_uint_eq(le32_get(p + 38), seq);
    vdrv_reset(&r.d);
    rig_init(&r, ~0ull);
    guest_listens();
    len = guest_hears(&p); /* another driver hears it as well */
    check_tcp(p, len, TCP_SYN | TCP_ACK);
    mmds_down();
}
END_TEST

START_TEST(test_open)
{
    struct mmds_options opt = {.address = "1.2.3"};

    capture_start();
    ck_assert_int_eq(mmds_open(&m, &opt), -EINVAL);
    ck_assert_str_eq(capture_text,
                     "mote: metadata: 1.2.3 is not an IPv4 address\n");
    capture_start();
    opt = (struct mmds_options){.path = "/nonexistent/m"};
    ck_assert_int_eq(mmds_open(&m, &opt), -ENOENT);
    ck_assert_str_eq(capture_text, "mote: metadata /nonexistent/m: No such "
                                   "file or directory (ENOENT)\n");
    capture_start();
    opt.path = "/dev/zero";
    ck_assert_int_eq(mmds_open(&m, &opt), -EFBIG);
    ck_assert_str_eq(capture_text,
                     "mote: metadata /dev/zero: longer than 4 MiB\n");
}
END_TEST

Suite *suite_mmds(void);
Suite *suite_mmds(void)
{
    Suite *s = suite_create("mmds");
    TCase *tc = tcase_create("mmds");

    tcase_add_test(tc, test_parse);
    tcase_add_loop_test(tc, test_bytes, 0, ARRAY_SIZE(bytes));
    tcase_add_test(tc, test_own_address);
    tcase_add_test(tc, test_ip_options);
    tcase_add_test(tc, test_arp);
    tcase_add_loop_test(tc, test_conversation, 14, 42);
    tcase_add_test(tc, test_passes);
    tcase_add_test(tc, test_dropped);
    tcase_add_test(tc, test_patience);
    tcase_add_test(tc, test_open);
    suite_add_tcase(s, tc);
    return s;
}
