/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt.c: framing, checksums, a hostile and a dying child. Most tests put a
 * small shell script in passt's place: `cat` on the socket is a network that
 * sends everything back.
 */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "net_rig.h"
#include "slow_sum.h"

static const char echo[] = "exec cat <&3 >&3";
static const struct net_hdr no_hdr;
static char dir[] = "/tmp/mote-passt-XXXXXX";
static char path[64];
static u8 frame[65550];

static void script_write(const char *text)
{
    FILE *f;

    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/passt", dir);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    ck_assert_int_eq(chmod(path, 0700), 0);
}

static void script_remove(void)
{
    unlink(path);
    rmdir(dir);
}

static void rig_up(struct net_rig *r, const char *script)
{
    struct passt_options opt = {.program = path};
    struct nic *nic;

    script_write(script);
    ck_assert_int_eq(passt_open(&nic, &opt), 0);
    ck_assert_int_eq(net_rig_new(r, nic), 0);
    net_rig_init(r, ~0ull);
}

/* No child is left, not even as a zombie. */
static void rig_down(struct net_rig *r)
{
    vdrv_down(&r->d);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    script_remove();
}

static void make_frame(u32 len, u32 tag)
{
    for (u32 i = 0; i < len; i++)
        frame[i] = (u8)(i * 5 + i / 256 + tag);
}

START_TEST(test_echo)
{
    static const u32 lens[] = {14, 15, 60, 1514, 9000, 65535, 65550};
    static struct net_rig r;
    u8 *p;

    rig_up(&r, echo);
    for (u32 i = 0; i < 5 * ARRAY_SIZE(lens); i++) {
        u32 len = lens[i % ARRAY_SIZE(lens)];

        make_frame(len, i);
        ck_assert(net_rig_send(&r, &no_hdr, frame, len));
        ck_assert_int_eq(net_rig_recv(&r, &p), (int)len);
        ck_assert_uint_eq(p[0], NET_HDR_DATA_VALID);
        ck_assert_int_eq(memcmp(p + NIC_HDR_LEN, frame, len), 0);
    }
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 0);
    rig_down(&r);
}
END_TEST

/* More than the socket takes at once, before anything is read: what was cut
 * goes on where it stopped. */
START_TEST(test_full)
{
    static struct net_rig r;
    u8 *p;

    rig_up(&r, echo);
    for (u32 round = 0; round < 2; round++) {
        make_frame(60000, round);
        for (u32 i = 0; i < 40; i++)
            net_rig_add(&r, &no_hdr, frame, 60000);
        vdrv_kick(&r.d, NET_RIG_TX);
        usleep(50000);
        ck_assert_uint_gt(r.d.q[NET_RIG_TX].avail_idx,
                          vdrv_get16(&r.d, r.d.q[NET_RIG_TX].used + 2));
        for (u32 i = 0; i < 40; i++) {
            ck_assert_int_eq(net_rig_recv(&r, &p), 60000);
            ck_assert_int_eq(memcmp(p + NIC_HDR_LEN, frame, 60000), 0);
        }
        for (u32 i = 0; i < 40; i++)
            ck_assert_int_ge(vdrv_wait(&r.d, NET_RIG_TX, NULL), 0);
    }
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 0);
    rig_down(&r);
}
END_TEST

/* A last frame that the socket has cut follows when there is room, without
 * another behind it and without a word from the driver: one of these numbers
 * of frames ends with a cut one. */
START_TEST(test_tail)
{
    static struct net_rig r;

    rig_up(&r, "head -c 46 <&3 >&3; sleep 0.05; exec cat <&3 >&3");
    make_frame(65550, 1);
    for (int i = 0; i < _i; i++)
        vdrv_add(&r.d, NET_RIG_RX, &(struct vdrv_buf){r.rx, NET_RIG_SIZE, true},
                 1);
    vdrv_kick(&r.d, NET_RIG_RX);
    usleep(5000);
    for (int i = 0; i < _i; i++)
        net_rig_add(&r, &no_hdr, frame, 65550);
    vdrv_kick(&r.d, NET_RIG_TX);
    for (int i = 0; i < _i; i++)
        ck_assert_int_ge(vdrv_wait(&r.d, NET_RIG_RX, NULL), 0);
    rig_down(&r);
}
END_TEST

/* A receiver sums pseudo header (here: already folded into the field), data
 * and checksum, and gets 0xffff. */
START_TEST(test_checksum)
{
    static const u32 lens[] = {36, 37, 38, 39, 40, 61, 1514, 1515, 65535};
    static struct net_rig r;
    u8 *p;

    rig_up(&r, echo);
    for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
        struct net_hdr hdr = {
            .flags = NET_HDR_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6};
        u32 len = lens[i], sum;
        u8 field[2];

        make_frame(len, i);
        memcpy(field, frame + 26, 2);
        ck_assert(net_rig_send(&r, &hdr, frame, len));
        ck_assert_int_eq(net_rig_recv(&r, &p), (int)len);
        p += NIC_HDR_LEN;
        ck_assert_int_eq(memcmp(p, frame, 26), 0);
        ck_assert_int_eq(memcmp(p + 28, frame + 28, len - 28), 0);
        sum = slow_sum(p + 20, len - 20, 0) + slow_sum(field, 2, 0);
        ck_assert_uint_eq((sum & 0xffff) + (sum >> 16), 0xffff);
    }
    memset(frame, 0xff, 60); /* sums to 0xffff, whose complement is "none" */
    ck_assert(net_rig_send(
        &r, &(struct net_hdr){.flags = NET_HDR_NEEDS_CSUM, .csum_start = 20},
        frame, 60));
    ck_assert_int_eq(net_rig_recv(&r, &p), 60);
    ck_assert_uint_eq(le16_get(p + NIC_HDR_LEN + 20), 0xffff);
    rig_down(&r);
}
END_TEST

/* Lengths no frame has, after one good frame: the link goes down, the device
 * lives, the child is stopped with it. */
static const char *const hostile[] = {
    "\\0\\0\\0\\0",         "\\0\\0\\0\\015", "\\0\\001\\0\\017",
    "\\377\\377\\377\\377", "\\177\\0\\0\\0",
};

START_TEST(test_hostile)
{
    static struct net_rig r;
    char script[256];
    u8 *p;

    snprintf(script, sizeof(script),
             "head -c 46 <&3 >&3; head -c 64 <&3 >&3\n"
             "printf '%s0123456789' >&3; exec sleep 100",
             hostile[_i]);
    capture_start();
    rig_up(&r, script);
    make_frame(60, 1);
    ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert_int_eq(net_rig_recv(&r, &p), 60);
    ck_assert(net_rig_link(&r));
    vdrv_add(&r.d, NET_RIG_RX, &(struct vdrv_buf){r.rx, 2000, true}, 1);
    vdrv_kick(&r.d, NET_RIG_RX);
    ck_assert(vdrv_until(!net_rig_link(&r)));
    ck_assert(capture_has("impossible length"));
    for (u32 i = 0; i < 5; i++)
        ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 5);
    rig_down(&r);
}
END_TEST

static pid_t only_child(void)
{
    char children[64], text[32] = "";
    FILE *f;

    snprintf(children, sizeof(children), "/proc/self/task/%d/children",
             getpid());
    f = fopen(children, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
    fclose(f);
    return atoi(text);
}

/* The child dies: link down, one line, no busy loop, guest frames dropped. */
START_TEST(test_death)
{
    static struct net_rig r;

    capture_start();
    rig_up(&r, echo);
    kill(only_child(), SIGKILL);
    ck_assert(vdrv_until(!net_rig_link(&r)));
    ck_assert(capture_has("link down"));
    ck_assert(net_rig_sleeps());
    ck_assert(net_rig_send(&r, &no_hdr, frame, 60));
    ck_assert_uint_eq(net_rig_stats(&r).dropped, 1);
    vdrv_reset(&r.d);
    net_rig_init(&r, ~0ull);
    ck_assert(!net_rig_link(&r));
    rig_down(&r);
}
END_TEST

/* A child that ignores SIGTERM and its socket is killed. */
START_TEST(test_stubborn)
{
    static struct net_rig r;
    u64 start;

    rig_up(&r, "trap '' TERM; head -c 46 <&3 >&3; while :; do sleep 1; done");
    start = vdrv_ms();
    rig_down(&r);
    ck_assert_uint_lt(vdrv_ms() - start, 1500);
}
END_TEST

/* What the child is given: three descriptors and the socket, no environment,
 * no signal blocked. */
START_TEST(test_child)
{
    static struct net_rig r;

    setenv("SECRET", "1", 1);
    fcntl(dup(0), F_SETFD, 0);
    capture_start();
    rig_up(&r,
           "head -c 46 <&3 >&3\n"
           "for f in /proc/$$/fd/*; do [ -e $f ] && s=\"$s ${f##*/}\"; done\n"
           "echo FDS$s >&2\n"
           "echo SECRET=$SECRET >&2\n"
           "grep SigBlk /proc/self/status >&2; exec cat <&3");
    ck_assert(vdrv_until(capture_has("0000000000000000\n")));
    ck_assert(capture_has("FDS 0 1 10 2 3\n"));
    ck_assert(capture_has("SECRET=\n"));
    ck_assert(capture_has("SigBlk"));
    rig_down(&r);
}
END_TEST

/* A child that ends at once is an error at start, with its last words. */
START_TEST(test_early_end)
{
    struct passt_options opt = {.program = path};
    static struct net_rig r;
    struct nic *nic;

    script_write("echo Failed to send 9 bytes to syslog >&2\n"
                 "echo no such address >&2; exit 1");
    capture_start();
    ck_assert_int_eq(passt_open(&nic, &opt), 0);
    ck_assert_int_eq(net_rig_new(&r, nic), -ECONNREFUSED);
    ck_assert(capture_has("no such address"));
    nic->ops->free(nic);
    script_remove();
}
END_TEST

START_TEST(test_missing)
{
    struct passt_options opt = {.program = "/nonexistent/passt"};
    struct nic *nic;

    capture_start();
    ck_assert_int_eq(passt_open(&nic, &opt), -ENOENT);
    ck_assert(capture_has("Debian package is passt"));
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static const char *const bad_forwards[] = {
    "",           "80:80",         "tcp:",       "tcp:80",
    "tcp:80:",    "tcp:0:80",      "tcp:80:0",   "tcp:65536:80",
    "tcp:80:80x", "tcp:80:80:80",  "sctp:80:80", "udp:-1:80",
    "tcp:a/80:1", "tcp:1.2.3/8:1", "tcp: 80:80", "tcp:1.2.3.4.5.6.7.8.9/8:1",
};

START_TEST(test_bad_forward)
{
    const char *forward[] = {bad_forwards[_i], NULL};
    struct passt_options opt = {.program = "/bin/false", .forward = forward};
    struct nic *nic;

    capture_start();
    ck_assert_int_eq(passt_open(&nic, &opt), -EINVAL);
    ck_assert(capture_has("HOSTPORT:GUESTPORT"));
}
END_TEST

/* passt would go on without the port; mote does not. */
START_TEST(test_port_taken)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    bool tcp = _i == 0;
    char spec[64];
    const char *forward[] = {spec, NULL};
    struct passt_options opt = {.program = path, .forward = forward};
    struct nic *nic;
    int fd = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    if (tcp)
        ck_assert_int_eq(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(spec, sizeof(spec), "%s:127.0.0.1/%u:80", tcp ? "tcp" : "udp",
             ntohs(at.sin_port));
    script_write("head -c 46 <&3 >&3; echo ARGS $* >&2; exec cat <&3");
    capture_start();
    ck_assert_int_eq(passt_open(&nic, &opt), -EADDRINUSE);
    ck_assert(capture_has(spec));
    close(fd);
    ck_assert_int_eq(passt_open(&nic, &opt), 0);
    nic->ops->free(nic);
    script_remove();
}
END_TEST

/* How options reach the program. */
START_TEST(test_arguments)
{
    const char *forward[] = {"tcp:48080:80", "udp:127.0.0.1/48053:53", NULL};
    struct passt_options opt = {.program = path,
                                .forward = forward,
                                .address = "10.0.2.15",
                                .gateway = "10.0.2.2",
                                .dns = "10.0.2.3"};
    static struct net_rig r;
    struct nic *nic;

    script_write("head -c 46 <&3 >&3; echo ARGS $* >&2; exec cat <&3");
    capture_start();
    ck_assert_int_eq(passt_open(&nic, &opt), 0);
    ck_assert_int_eq(net_rig_new(&r, nic), 0);
    ck_assert(vdrv_until(capture_has("48053:53\n")));
    ck_assert_ptr_nonnull(strstr(
        capture_text,
        "--no-map-gw --fd 3 --address 10.0.2.15 --gateway 10.0.2.2 --dns "
        "10.0.2.3 --tcp-ports 48080:80 --udp-ports 127.0.0.1/48053:53"));
    rig_down(&r);
}
END_TEST

/* passt jails itself, which needs a user namespace: not to be had in a chroot
 * and in many containers. */
static bool user_namespaces(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) < 0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The real program answers who has the address of a router. */
START_TEST(test_real)
{
    static const u8 ask[42] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  9, 8, 6,
        0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 9,
        10,   9,    9,    5,    0,    0,    0, 0, 0, 0, 10, 9, 9, 1,
    };
    struct passt_options opt = {.address = "10.9.9.5", .gateway = "10.9.9.1"};
    static struct net_rig r;
    struct nic *nic;
    u8 *p;
    int len;

    if (access("/usr/bin/passt", X_OK) < 0) {
        unit_skip("passt", "no passt here");
        return;
    }
    if (!user_namespaces()) {
        unit_skip("userns", "no user namespace, which passt needs");
        return;
    }
    ck_assert_int_eq(passt_open(&nic, &opt), 0);
    ck_assert_int_eq(net_rig_new(&r, nic), 0);
    net_rig_init(&r, ~0ull);
    ck_assert(net_rig_send(&r, &no_hdr, ask, sizeof(ask)));
    do {
        len = net_rig_recv(&r, &p);
        ck_assert_int_ge(len, 14);
    } while (len < 42 || p[12 + 12] != 8 || p[12 + 13] != 6);
    ck_assert_uint_eq(p[12 + 21], 2);                      /* a reply, */
    ck_assert_int_eq(memcmp(p + 12 + 28, ask + 38, 4), 0); /* from 10.9.9.1 */
    ck_assert_int_eq(memcmp(p + 12, ask + 6, 6), 0);       /* to us */
    vdrv_down(&r.d);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

Suite *suite_passt(void);
Suite *suite_passt(void)
{
    Suite *s = suite_create("passt");
    TCase *tc = tcase_create("passt");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_echo);
    tcase_add_test(tc, test_full);
    tcase_add_loop_test(tc, test_tail, 3, 6);
    tcase_add_test(tc, test_checksum);
    tcase_add_loop_test(tc, test_hostile, 0, ARRAY_SIZE(hostile));
    tcase_add_test(tc, test_death);
    tcase_add_test(tc, test_stubborn);
    tcase_add_test(tc, test_child);
    tcase_add_test(tc, test_early_end);
    tcase_add_test(tc, test_missing);
    tcase_add_loop_test(tc, test_bad_forward, 0, ARRAY_SIZE(bad_forwards));
    tcase_add_loop_test(tc, test_port_taken, 0, 2);
    tcase_add_test(tc, test_arguments);
    tcase_add_test(tc, test_real);
    suite_add_tcase(s, tc);
    return s;
}
