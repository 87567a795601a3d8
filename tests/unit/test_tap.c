/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.c on real interfaces, in a network namespace of the test's own (Check
 * forks for each test). Packet sockets are the other end of the cable.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "net_rig.h"

#define TAP       "motetap0"
#define ETHERTYPE 0x88b5 /* for experiments, IEEE 802 */

static const struct net_hdr no_hdr;
static u8 frame[65550];

/* False, and the test is over: no namespace, or no tun driver here. */
static bool netns_enter(void)
{
    int fd;

    if (unshare(CLONE_NEWNET) < 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        unit_skip("netns", "no network namespace to be had");
        return false;
    }
    fd = open("/dev/net/tun", O_RDWR);
    if (fd < 0) {
        unit_skip("netns", "/dev/net/tun cannot be opened");
        return false;
    }
    close(fd);
    fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
    if (fd >= 0) {
        ck_assert_int_eq(write(fd, "1", 1), 1);
        close(fd);
    }
    return true;
}

/* A persistent tap made elsewhere; its own descriptor is closed again. */
static void tap_make(short flags, int owner)
{
    struct ifreq ifr = {.ifr_flags = flags};
    int fd = open("/dev/net/tun", O_RDWR);

    strcpy(ifr.ifr_name, TAP);
    ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
    ck_assert_int_eq(ioctl(fd, TUNSETPERSIST, 1), 0);
    if (owner)
        ck_assert_int_eq(ioctl(fd, TUNSETOWNER, owner), 0);
    close(fd);
}

static void tap_set_up_down(bool up)
{
    struct ifreq ifr = {.ifr_flags = up ? IFF_UP : 0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    strcpy(ifr.ifr_name, TAP);
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
    close(fd);
}

static int tap_index(void)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    strcpy(ifr.ifr_name, TAP);
    ck_assert_int_eq(ioctl(fd, SIOCGIFINDEX, &ifr), 0);
    close(fd);
    return ifr.ifr_ifindex;
}

/* ip link delete */
static void tap_delete(void)
{
    struct {
        struct nlmsghdr nh;
        struct ifinfomsg ifi;
    } req = {
        .nh = {.nlmsg_len = sizeof(req),
               .nlmsg_type = RTM_DELLINK,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .ifi = {.ifi_index = tap_index()},
    };
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    u8 answer[256];

    ck_assert_int_eq(send(fd, &req, sizeof(req), 0), sizeof(req));
    ck_assert_int_gt(recv(fd, answer, sizeof(answer), 0), 0);
    ck_assert_int_eq((int)le32_get(answer + sizeof(struct nlmsghdr)), 0);
    close(fd);
}

/* The network's end of the cable; the interface is up. */
static int peer_open(void)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETHERTYPE)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETHERTYPE));

    tap_set_up_down(true);
    at.sll_ifindex = tap_index();
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static ssize_t peer_recv(int fd, u8 *buf, size_t len)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    poll(&pfd, 1, 2000);
    return recv(fd, buf, len, 0);
}

static void make_frame(u32 len, u32 tag)
{
    static const u8 head[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
                              0,    0,    0,    0,    1,    0x88, 0xb5};

    for (u32 i = 0; i < len; i++)
        frame[i] = (u8)(i * 3 + i / 256 + tag);
    memcpy(frame, head, sizeof(head));
}

static int open_name(struct nic **nic, const char *name, unsigned int pairs)
{
    return tap_open(nic, &(struct tap_options){.name = name, .pairs = pairs});
}

static void rig_up(struct net_rig *r)
{
    struct nic *nic;

    tap_make(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, 0);
    ck_assert_int_eq(open_name(&nic, TAP, 1), 0);
    ck_assert_int_eq(net_rig_new(r, nic), 0);
    net_rig_init(r, ~0ull);
}

/* ---- opening ------------------------------------------------------------ */

static const struct {
    const char *name;
    unsigned int pairs;
    int err;
} bad_names[] = {
    {"", 1, -EINVAL},
    {"tap/0", 1, -EINVAL},
    {"tap%d", 1, -EINVAL},
    {"tap 0", 1, -EINVAL},
    {"sixteen-letters!", 1, -EINVAL},
    {"tap0", 0, -EINVAL},
    {"tap0", 9, -EINVAL},
    {"/dev/nonexistent", 1, -ENOENT},
    {"/dev/null", 1, -ENOTTY},
};

START_TEST(test_bad_name)
{
    struct nic *nic;

    capture_start();
    ck_assert_int_eq(open_name(&nic, bad_names[_i].name, bad_names[_i].pairs),
                     bad_names[_i].err);
    ck_assert_ptr_nonnull(strstr(capture_text, "tap"));
}
END_TEST

/* What the kernel refuses, and what the operator is told to do. */
START_TEST(test_refused)
{
    struct nic *nic, *other;

    if (!netns_enter())
        return;
    capture_start();
    ck_assert_int_eq(open_name(&nic, "lo", 1), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "lo: not a tap"));
    tap_make(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, 12345);
    ck_assert_int_eq(open_name(&nic, TAP, 2), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "multi_queue"));
    ck_assert_int_eq(open_name(&other, TAP, 1), 0);
    ck_assert_int_eq(open_name(&nic, TAP, 1), -EBUSY);
    ck_assert_ptr_nonnull(strstr(capture_text, TAP ": another process"));
    other->ops->free(other);

    /* No longer the namespace's owner: CAP_NET_ADMIN is gone. */
    if (unshare(CLONE_NEWUSER) < 0)
        return;
    capture_start();
    ck_assert_int_eq(open_name(&nic, TAP, 1), -EPERM);
    ck_assert_ptr_nonnull(strstr(capture_text, "belongs to somebody else"));
    ck_assert_int_eq(open_name(&nic, "motetap1", 1), -EPERM);
    ck_assert_ptr_nonnull(
        strstr(capture_text, "ip tuntap add dev motetap1 mode tap user"));
}
END_TEST

START_TEST(test_made)
{
    struct nic *nic;

    if (!netns_enter())
        return;
    capture_start();
    ck_assert_int_eq(open_name(&nic, TAP, 1), 0);
    ck_assert_ptr_nonnull(strstr(capture_text, "made, as there was none"));
    ck_assert_uint_eq(nic->info.offloads, NIC_CSUM | NIC_TSO4 | NIC_TSO6);
    nic->ops->free(nic);
}
END_TEST

/* An inherited descriptor: a tap with headers, or refused and left alone. */
START_TEST(test_descriptor)
{
    static const struct {
        short flags;
        int err;
    } cases[] = {
        {IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, 0},
        {IFF_TAP | IFF_NO_PI, -EINVAL},
        {IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, -EINVAL},
    };
    struct tap_options opt = {.pairs = 1};
    struct nic *nic;

    if (!netns_enter())
        return;
    capture_start();
    for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ifreq ifr = {.ifr_flags = cases[i].flags};

        opt.fd = open("/dev/net/tun", O_RDWR);
        ck_assert_int_eq(ioctl(opt.fd, TUNSETIFF, &ifr), 0);
        ck_assert_msg(tap_open(&nic, &opt) == cases[i].err, "case %u", i);
        if (cases[i].err == 0) {
            ck_assert_int_ne(fcntl(opt.fd, F_GETFL) & O_NONBLOCK, 0);
            nic->ops->free(nic);
        } else {
            ck_assert_int_eq(close(opt.fd), 0);
        }
    }
    opt.fd = open("/dev/net/tun", O_RDWR); /* not attached */
    ck_assert_int_eq(tap_open(&nic, &opt), -EBADFD);
    opt.fd = open("/dev/null", O_RDWR);
    ck_assert_int_eq(tap_open(&nic, &opt), -ENOTTY);
    opt.pairs = 2;
    ck_assert_int_eq(tap_open(&nic, &opt), -EINVAL);
}
END_TEST

/* ---- frames ------------------------------------------------------------- */

START_TEST(test_frames)
{
    static const u32 lens[] = {60, 61, 1000, 1514};
    static struct net_rig r;
    static u8 got[2000];
    int peer;
    u8 *p;

    if (!netns_enter())
        return;
    rig_up(&r);
    peer = peer_open();
    for (u32 i = 0; i < 40; i++) {
        u32 len = lens[i % 4];

        make_frame(len, i);
        ck_assert(net_rig_send(&r, &no_hdr, frame, len));
        ck_assert_int_eq(peer_recv(peer, got, sizeof(got)), len);
        ck_assert_int_eq(memcmp(got, frame, len), 0);
        make_frame(len, i + 100);
        ck_assert_int_eq(send(peer, frame, len, 0), len);
        ck_assert_int_eq(net_rig_recv(&r, &p), (int)len);
        ck_assert_int_eq(memcmp(p + NIC_HDR_LEN, frame, len), 0);
    }
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 0);
    close(peer);
    vdrv_down(&r.d);
}
END_TEST

/* A segment of 60000 bytes leaves in one piece where the other end takes it. */
START_TEST(test_segment)
{
    static const u8 ip[] = {0x45, 0,  0xea, 0x88, 0, 1, 0x40, 0, 64, 6,
                            0,    0,  10,   0,    0, 2, 10,   0, 0,  3,
                            0,    80, 0,    81,   0, 0, 0,    1, 0,  0,
                            0,    1,  0x50, 16,   1, 0, 0,    0, 0,  0};
    struct net_hdr hdr = {.flags = NET_HDR_NEEDS_CSUM,
                          .gso_type = NET_GSO_TCPV4,
                          .hdr_len = 54,
                          .gso_size = 1448,
                          .csum_start = 34,
                          .csum_offset = 16};
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(0x0800)};
    static struct net_rig r;
    static u8 got[65550];
    int peer;

    if (!netns_enter())
        return;
    rig_up(&r);
    peer = peer_open();
    at.sll_ifindex = tap_index();
    ck_assert_int_eq(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    make_frame(60054, 0);
    frame[12] = 8;
    frame[13] = 0;
    memcpy(frame + 14, ip, sizeof(ip));
    ck_assert(net_rig_send(&r, &hdr, frame, 60054));
    ck_assert_int_eq(peer_recv(peer, got, sizeof(got)), 60054);
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 0);
    close(peer);
    vdrv_down(&r.d);
}
END_TEST

/* The network floods a guest that gives no buffers, then gives them: it gets
 * what the kernel has kept, and what comes after. */
START_TEST(test_flood)
{
    static struct net_rig r;
    int peer;
    u8 *p;

    if (!netns_enter())
        return;
    rig_up(&r);
    peer = peer_open();
    for (u32 round = 0; round < 3; round++) {
        make_frame(1000, round);
        for (u32 i = 0; i < 3000; i++) {
            ssize_t n = send(peer, frame, 1000, 0);

            ck_assert(n == 1000 || errno == ENOBUFS || errno == EAGAIN);
        }
        for (u32 i = 0; i < 400; i++) {
            ck_assert_int_eq(net_rig_recv(&r, &p), 1000);
            ck_assert_int_eq(memcmp(p + NIC_HDR_LEN, frame, 1000), 0);
        }
        frame[900] = 0xee; /* the last one */
        ck_assert_int_eq(send(peer, frame, 1000, 0), 1000);
        do {
            ck_assert_int_eq(net_rig_recv(&r, &p), 1000);
        } while (p[NIC_HDR_LEN + 900] != 0xee);
    }
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 0);
    close(peer);
    vdrv_down(&r.d);
}
END_TEST

/* ---- trouble ------------------------------------------------------------ */

/* Deleted while it runs: link down, frames dropped and counted, one line, the
 * device thread asleep; a new driver finds the link down as well. */
START_TEST(test_vanish)
{
    static struct net_rig r;

    if (!netns_enter())
        return;
    capture_start();
    rig_up(&r);
    tap_set_up_down(true);
    if (_i == 1) /* with the receiver armed */
        vdrv_add(&r.d, NET_RIG_RX, &(struct vdrv_buf){r.rx, 2000, true}, 1);
    vdrv_kick(&r.d, NET_RIG_RX);
    make_frame(60, 0);
    ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert(net_rig_link(&r));
    tap_delete();
    if (_i == 0) /* nobody listens: a frame has to find out */
        ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert(vdrv_until(!net_rig_link(&r)));
    ck_assert(vdrv_until(vdrv_read(&r.d, VDRV_ISR) & 2));
    for (int i = 0; i < 100; i++)
        ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert_uint_eq(net_rig_stats(&r).dropped, _i == 0 ? 101 : 100);
    ck_assert_ptr_nonnull(strstr(capture_text, "the interface is gone"));
    ck_assert_ptr_null(strstr(strstr(capture_text, "gone") + 1, "tap"));
    ck_assert(net_rig_sleeps());
    vdrv_reset(&r.d);
    net_rig_init(&r, ~0ull);
    ck_assert(!net_rig_link(&r));
    ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    vdrv_down(&r.d);
}
END_TEST

/* Set down: frames are dropped with a line a second; up again, all is well. */
START_TEST(test_down)
{
    static struct net_rig r;
    unsigned int lines = 0;
    int peer;
    u8 *p;

    if (!netns_enter())
        return;
    rig_up(&r);
    peer = peer_open();
    tap_set_up_down(false);
    capture_start();
    make_frame(60, 1);
    for (unsigned int i = 0; i < 100; i++)
        ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 100);
    for (const char *s = capture_text; (s = strstr(s, "EIO")); s++)
        lines++;
    ck_assert_uint_ge(lines, 1);
    ck_assert_uint_le(lines, 2);
    tap_set_up_down(true);
    ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 100);
    (void)!recv(peer, frame, sizeof(frame), 0); /* ENETDOWN, once */
    ck_assert_int_eq(send(peer, frame, 60, 0), 60);
    ck_assert_int_eq(net_rig_recv(&r, &p), 60);
    close(peer);
    vdrv_down(&r.d);
}
END_TEST

/* ---- several queues ----------------------------------------------------- */

static unsigned int count_frames(struct nic *nic, unsigned int pair)
{
    static u8 buf[4096];
    struct iovec iov = {buf, sizeof(buf)};
    unsigned int n = 0;

    while (nic->ops->recv(nic, pair, &iov, 1) > 0)
        n++;
    return n;
}

/* Frames of many flows: while one pair is on all come to it, then to both; a
 * pair that is off answers, but not with an error. */
START_TEST(test_pairs)
{
    struct loop loop;
    struct nic *nic;
    int peer;

    if (!netns_enter())
        return;
    ck_assert_int_eq(loop_init(&loop), 0);
    tap_make(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, 0);
    ck_assert_int_eq(open_name(&nic, TAP, 1), 0); /* one pair will do */
    nic->ops->free(nic);
    ck_assert_int_eq(open_name(&nic, TAP, 2), 0);
    ck_assert_int_eq(nic->ops->attach(nic, &loop), 0);
    ck_assert_int_eq(nic->ops->set_offloads(nic, NIC_CSUM), 0);
    peer = peer_open();
    for (unsigned int round = 0; round < 4; round++) {
        unsigned int pairs = 1 + round % 2, n[2];

        ck_assert_int_eq(nic->ops->set_pairs(nic, pairs), 0);
        for (u32 i = 0; i < 200; i++) {
            make_frame(60, i);
            frame[11] = (u8)i; /* another flow */
            ck_assert_int_eq(send(peer, frame, 60, 0), 60);
        }
        n[0] = count_frames(nic, 0);
        n[1] = count_frames(nic, 1);
        ck_assert_uint_eq(n[0] + n[1], 200);
        ck_assert_int_eq(n[1] > 0, pairs == 2);
        ck_assert(nic->info.link);
    }
    nic->ops->free(nic);
    loop_fini(&loop);
    close(peer);
}
END_TEST

Suite *suite_tap(void);
Suite *suite_tap(void)
{
    Suite *s = suite_create("tap");
    TCase *tc = tcase_create("tap");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, test_bad_name, 0, ARRAY_SIZE(bad_names));
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_made);
    tcase_add_test(tc, test_descriptor);
    tcase_add_test(tc, test_frames);
    tcase_add_test(tc, test_segment);
    tcase_add_test(tc, test_flood);
    tcase_add_loop_test(tc, test_vanish, 0, 2);
    tcase_add_test(tc, test_down);
    tcase_add_test(tc, test_pairs);
    suite_add_tcase(s, tc);
    return s;
}
