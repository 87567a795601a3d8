/* SPDX-License-Identifier: Apache-2.0 */
/* console_port: bytes both ways, hosts that are full, slow or absent, clients
 * that come and go. Each test is its own process. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "console_rig.h"

/* ---- one port -------------------------------------------------------------
 */

START_TEST(test_plain)
{
    struct rig r;

    rig_new(&r, CHR_STDIO, CHR_STDIO);
    ck_assert_uint_eq(virtio_nr_vqs(r.dev), 2);
    ck_assert_int_eq(write(r.to, "early", 5), 5);
    vdrv_attach(&r.d, r.dev);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_DEVICE_ID), 3);
    ck_assert_uint_eq(vdrv_offered(&r.d) & 0xff, F_SIZE);
    ck_assert_uint_eq(vdrv_config(&r.d, 4, 4), 1);
    vdrv_init(&r.d, ~0ull);
    say(&r, 0, "hello");
    expect_bytes(r.from, "hello");
    ck_assert(taken(&r, 0));
    post(&r, 0, 16);
    expect_input(&r, 0, "early");
    post(&r, 0, 2);
    post(&r, 0, 16);
    ck_assert(stays(&r, 0));
    ck_assert_int_eq(write(r.to, "abc", 3), 3);
    expect_input(&r, 0, "ab");
    expect_input(&r, 0, "c");
    ck_assert_uint_eq(dropped(&r), 0);
    rig_down(&r);
}
END_TEST

/* Buffers from before DRIVER_OK, for bytes from before: no kick comes. */
START_TEST(test_no_kick)
{
    struct vdrv_buf b = {.len = 16, .write = true};
    struct rig r;

    rig_new(&r, CHR_STDIO, CHR_STDIO);
    ck_assert_int_eq(write(r.to, "early", 5), 5);
    vdrv_attach(&r.d, r.dev);
    ck_assert(vdrv_negotiate(&r.d, VDRV_F_VERSION_1));
    vdrv_queue_up(&r.d, 0, 0);
    b.gpa = vdrv_alloc(&r.d, b.len);
    r.gpa[0][vdrv_add(&r.d, 0, &b, 1)] = b.gpa;
    usleep(20000);
    vdrv_write(&r.d, VDRV_STATUS, 15);
    expect_input(&r, 0, "early");
    rig_down(&r);
}
END_TEST

/* More buffers for one read than are filled in one turn. */
START_TEST(test_small_buffers)
{
    u8 bytes[100] = {0};
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_STDIO);
    for (size_t i = 0; i < sizeof(bytes); i++)
        post(&r, IN(0), 1);
    ck_assert(stays(&r, IN(0)));
    ck_assert_int_eq(write(r.to, bytes, sizeof(bytes)), sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        ck_assert_int_ge(vdrv_wait(&r.d, IN(0), NULL), 0);
    rig_down(&r);
}
END_TEST

static void count_escape(void *ctx)
{
    atomic_fetch_add((_Atomic(int) *)ctx, 1);
}

/* Ctrl-A x must work while the guest takes nothing, or is not even there. */
START_TEST(test_escape)
{
    static _Atomic(int) escapes;
    struct console_port port = {0};
    struct rig r;

    rig_new(&r, CHR_OFF, CHR_OFF);
    virtio_free(r.dev);
    port.chr = rig_stdio(&r);
    chr_on_escape(port.chr, count_escape, &escapes);
    ck_assert_int_eq(console_new(&r.dev, &port, 1), 0);
    vdrv_attach(&r.d, r.dev);
    ck_assert_int_eq(write(r.to, "typed\001x", 7), 7);
    ck_assert(vdrv_until(atomic_load(&escapes) == 1));
    vdrv_init(&r.d, ~0ull);
    post(&r, 0, 16);
    expect_input(&r, 0, "typed");
    rig_down(&r);
}
END_TEST

/* The reader stops: the guest waits a second, then its output is dropped and
 * counted, until the reader is back. */
START_TEST(test_stuck_reader)
{
    static u8 big[MIB];
    struct rig r;
    u64 start;

    rig_up(&r, CHR_STDIO, CHR_STDIO);
    start = vdrv_ms();
    give(&r, 1, big, sizeof(big));
    ck_assert(stays(&r, 1));
    ck_assert_uint_eq(dropped(&r), 0);
    ck_assert(taken(&r, 0));
    ck_assert_uint_ge(vdrv_ms() - start, 900);
    ck_assert_uint_ge(dropped(&r), sizeof(big) / 2);
    ck_assert_uint_lt(dropped(&r), sizeof(big));
    say(&r, 0, "lost");
    ck_assert(taken(&r, 0));
    ck_assert(read_full(r.from, big, sizeof(big) - (dropped(&r) - 4)));
    usleep(20000); /* for the device to see that there is room */
    say(&r, 0, "back");
    expect_bytes(r.from, "back");
    ck_assert(taken(&r, 0));
    rig_down(&r);
}
END_TEST

/* A reader that is gone for good swallows, and is told of once. */
START_TEST(test_closed_reader)
{
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_STDIO);
    close(r.from);
    for (int i = 0; i < 3; i++) {
        say(&r, 0, "lost");
        ck_assert(taken(&r, 0));
    }
    ck_assert_uint_eq(dropped(&r), 12);
    ck_assert_str_eq(capture_text,
                     "mote: console output is lost: Broken pipe (EPIPE)\n");
    rig_down(&r);
}
END_TEST

/* ---- clients of a socket --------------------------------------------------
 */

/* Nobody there: held. Somebody comes: delivered, and the guest is told. */
START_TEST(test_reconnect)
{
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    say(&r, 1, "held");
    ck_assert(stays(&r, OUT(1)));
    for (int i = 0; i < 5; i++) {
        int fd = client();

        expect_message(&r, 1, OPEN, 1, NULL, 0);
        expect_bytes(fd, "held");
        ck_assert(taken(&r, 1));
        post(&r, IN(1), 16);
        ck_assert_int_eq(write(fd, "\001x", 2), 2);
        expect_input(&r, 1, "\001x");
        close(fd);
        expect_message(&r, 1, OPEN, 0, NULL, 0);
        say(&r, 1, "held");
        ck_assert(stays(&r, OUT(1)));
        post(&r, CTL_IN, 64);
        post(&r, CTL_IN, 64);
    }
    ck_assert_uint_eq(dropped(&r), 0);
    rig_down(&r);
}
END_TEST

/* What a client wrote before it left is delivered, also if the guest opens the
 * port later; only then does the next one get its turn. */
START_TEST(test_left_bytes)
{
    struct rig r;
    int a, b;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    control(&r, 1, OPEN, 0);
    a = client();
    expect_message(&r, 1, OPEN, 1, NULL, 0);
    ck_assert_int_eq(write(a, "bye", 3), 3);
    close(a);
    b = client();
    ck_assert_int_eq(write(b, "next", 4), 4);
    post(&r, IN(1), 16);
    post(&r, IN(1), 16);
    ck_assert(stays(&r, IN(1)));
    ck_assert(!vdrv_done(&r.d, CTL_IN));
    control(&r, 1, OPEN, 1);
    expect_input(&r, 1, "bye");
    expect_message(&r, 1, OPEN, 0, NULL, 0);
    expect_message(&r, 1, OPEN, 1, NULL, 0);
    expect_input(&r, 1, "next");
    close(b);
    expect_message(&r, 1, OPEN, 0, NULL, 0);
    rig_down(&r);
}
END_TEST

/* The driver must have heard of the end before there is a new beginning. */
START_TEST(test_untold_end)
{
    struct rig r;
    int a, b;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    a = client();
    greet(&r, true);
    for (u16 i = 1; r.d.q[CTL_IN].nr_free < r.d.q[CTL_IN].num; i++) {
        console_resize(r.dev, i, 1); /* uses up the buffers */
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, NULL), 0);
    }
    close(a);
    b = client();
    usleep(20000);
    post(&r, CTL_IN, 64);
    expect_message(&r, 1, OPEN, 0, NULL, 0);
    post(&r, CTL_IN, 64);
    expect_message(&r, 1, OPEN, 1, NULL, 0);
    say(&r, 1, "x");
    expect_bytes(b, "x");
    close(b);
    rig_down(&r);
}
END_TEST

/* "printf cmd | nc -N": done writing, still reading. */
START_TEST(test_half_close)
{
    struct rig r;
    char c;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    fd = client();
    expect_message(&r, 1, OPEN, 1, NULL, 0);
    ck_assert_int_eq(write(fd, "cmd", 3), 3);
    shutdown(fd, SHUT_WR);
    post(&r, IN(1), 16);
    expect_input(&r, 1, "cmd");
    ck_assert(stays(&r, CTL_IN));
    say(&r, 1, "answer");
    expect_bytes(fd, "answer");
    close(fd);
    expect_message(&r, 1, OPEN, 0, NULL, 0);

    fd = client(); /* and one that does not want to hear */
    expect_message(&r, 1, OPEN, 1, NULL, 0);
    shutdown(fd, SHUT_RD);
    ck_assert(taken(&r, 1));
    say(&r, 1, "kept");
    ck_assert(stays(&r, OUT(1)));
    close(fd);
    expect_message(&r, 1, OPEN, 0, NULL, 0);
    fd = client();
    expect_bytes(fd, "kept");
    shutdown(fd, SHUT_WR);
    ck_assert_int_eq(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    close(fd);
    rig_down(&r);
}
END_TEST

/* One at a time: the second waits. Port 0 without a client does not. */
START_TEST(test_console_socket)
{
    struct rig r;
    u64 start;
    int a, b;
    char c;

    rig_up(&r, CHR_UNIX, CHR_UNIX);
    start = vdrv_ms();
    say(&r, 0, "nobody");
    ck_assert(taken(&r, 0));
    ck_assert_uint_lt(vdrv_ms() - start, 500);
    ck_assert_uint_eq(dropped(&r), 6);
    a = client();
    b = client();
    usleep(20000);
    say(&r, 0, "first");
    expect_bytes(a, "first");
    ck_assert_int_eq(recv(b, &c, 1, MSG_DONTWAIT), -1);
    close(a);
    usleep(20000);
    say(&r, 0, "second");
    expect_bytes(b, "second");
    ck_assert_uint_eq(dropped(&r), 6);
    close(b);
    rig_down(&r);
}
END_TEST

/* ---- flow control ---------------------------------------------------------
 */

#define FLOW_CHUNK  4096u
#define FLOW_TOTAL  (8 * MIB)
#define FLOW_MEMORY (UNDER_TSAN ? 16384 : 4096) /* KiB; its shadow grows */

struct flow {
    pthread_t thread;
    int fd;
    bool writes;
    unsigned int nap_us; /* now and then */
    u64 bad;
    u64 moved;
};

static u8 flow_byte(u64 pos)
{
    return (u8)(pos * 0x9e3779b97f4a7c15ull >> 56);
}

static void flow_fill(u8 *buf, u64 pos, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = flow_byte(pos + i);
}

static u64 flow_check(const u8 *buf, u64 pos, size_t len)
{
    u64 bad = 0;

    for (size_t i = 0; i < len; i++)
        bad += buf[i] != flow_byte(pos + i);
    return bad;
}

static void *flow_host(void *arg)
{
    struct flow *f = arg;
    u8 buf[10000];

    while (f->moved < FLOW_TOTAL) {
        size_t want = MIN(sizeof(buf), (size_t)(FLOW_TOTAL - f->moved));
        ssize_t n;

        if (f->nap_us && f->moved % 7 == 0)
            usleep(f->nap_us);
        if (f->writes)
            flow_fill(buf, f->moved, want);
        n = f->writes ? write(f->fd, buf, want) : read(f->fd, buf, want);
        if (n <= 0)
            break;
        if (!f->writes)
            f->bad += flow_check(buf, f->moved, (size_t)n);
        f->moved += (u64)n;
    }
    return NULL;
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    ck_assert_int_eq(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * 4;
}

/* The guest writes as fast as it can to a reader who naps. */
static void flow_out(struct rig *r, unsigned int port, struct flow *f)
{
    u64 gpa = vdrv_alloc(&r->d, 64 * FLOW_CHUNK), sent = 0;
    unsigned int q = OUT(port);
    long before = resident_kib();

    pthread_create(&f->thread, NULL, flow_host, f);
    for (unsigned int i = 0; sent < FLOW_TOTAL; i++) {
        struct vdrv_buf b = {gpa + i % 64 * FLOW_CHUNK, FLOW_CHUNK, false};

        while (r->d.q[q].num - r->d.q[q].nr_free >= 64)
            ck_assert_int_ge(vdrv_wait(&r->d, q, NULL), 0);
        flow_fill(vdrv_ptr(&r->d, b.gpa, b.len), sent, b.len);
        vdrv_add(&r->d, q, &b, 1);
        vdrv_kick(&r->d, q);
        sent += b.len;
    }
    pthread_join(f->thread, NULL);
    ck_assert_uint_eq(f->moved, FLOW_TOTAL);
    ck_assert_uint_eq(f->bad, 0);
    ck_assert_uint_eq(dropped(r), 0);
    ck_assert_int_lt(resident_kib() - before, FLOW_MEMORY);
}

START_TEST(test_flow_out)
{
    struct flow f = {.nap_us = 50};
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    f.fd = _i == 0 ? r.from : client();
    flow_out(&r, (unsigned int)_i, &f);
    rig_down(&r);
}
END_TEST

/* Input waits with the host until the guest has buffers, and arrives whole. */
START_TEST(test_flow_in)
{
    struct flow f = {.writes = true};
    unsigned int port = (unsigned int)_i, q = IN(port);
    u64 got = 0, bad = 0;
    struct rig r;
    u32 len;
    int head;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    f.fd = port == 0 ? r.to : client();
    pthread_create(&f.thread, NULL, flow_host, &f);
    for (int i = 0; i < 32; i++)
        post(&r, q, 1 + 512u * (u32)i);
    while (got < FLOW_TOTAL) {
        struct vdrv_buf b = {.write = true};

        head = vdrv_wait(&r.d, q, &len);
        ck_assert_int_ge(head, 0);
        b.gpa = r.gpa[q][head];
        bad += flow_check(vdrv_ptr(&r.d, b.gpa, len), got, len);
        got += len;
        b.len = (u32)(1 + got % PAGE_SIZE);
        r.gpa[q][vdrv_add(&r.d, q, &b, 1)] = b.gpa;
        vdrv_kick(&r.d, q);
    }
    pthread_join(f.thread, NULL);
    ck_assert_uint_eq(got, FLOW_TOTAL);
    ck_assert_uint_eq(bad, 0);
    rig_down(&r);
}
END_TEST

/* No buffers: a pipe's or socket's worth and the stage, not more. */
START_TEST(test_input_bounded)
{
    static u8 buf[65536];
    size_t total = 0;
    struct rig r;
    ssize_t n;

    rig_up(&r, CHR_STDIO, CHR_STDIO);
    fcntl(r.to, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100; i++) {
        n = write(r.to, buf, sizeof(buf));
        total += n > 0 ? (size_t)n : 0;
        usleep(200);
    }
    ck_assert_uint_le(total, 65536 + 4096);
    rig_down(&r);
}
END_TEST

/* A flood to where nothing is slow: all of it, in order. The last buffer is
 * more than is written in one turn. */
START_TEST(test_file)
{
    static u8 buf[65536], big[3 * MIB];
    u64 pos = 0;
    struct rig r;
    FILE *f;
    size_t n;

    rig_up(&r, CHR_STDIO, CHR_FILE);
    greet(&r, true);
    for (; pos < FLOW_TOTAL; pos += sizeof(buf)) {
        r.d.heap = 8 * MIB;
        flow_fill(buf, pos, sizeof(buf));
        give(&r, OUT(1), buf, sizeof(buf));
        ck_assert(taken(&r, 1));
    }
    flow_fill(big, pos, sizeof(big));
    give(&r, OUT(1), big, sizeof(big));
    ck_assert(taken(&r, 1));
    f = fopen("file", "r");
    for (pos = 0; (n = fread(buf, 1, sizeof(buf), f)) > 0; pos += n)
        ck_assert_uint_eq(flow_check(buf, pos, n), 0);
    ck_assert_uint_eq(pos, FLOW_TOTAL + sizeof(big));
    fclose(f);
    rig_down(&r);
}
END_TEST

Suite *suite_console_port(void);
Suite *suite_console_port(void)
{
    Suite *s = suite_create("console_port");
    TCase *tc = tcase_create("console_port");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_plain);
    tcase_add_test(tc, test_no_kick);
    tcase_add_test(tc, test_small_buffers);
    tcase_add_test(tc, test_escape);
    tcase_add_test(tc, test_stuck_reader);
    tcase_add_test(tc, test_closed_reader);
    tcase_add_test(tc, test_reconnect);
    tcase_add_test(tc, test_left_bytes);
    tcase_add_test(tc, test_untold_end);
    tcase_add_test(tc, test_half_close);
    tcase_add_test(tc, test_console_socket);
    tcase_add_loop_test(tc, test_flow_out, 0, 2);
    tcase_add_loop_test(tc, test_flow_in, 0, 2);
    tcase_add_test(tc, test_input_bounded);
    tcase_add_test(tc, test_file);
    suite_add_tcase(s, tc);
    return s;
}
