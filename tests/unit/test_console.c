/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-console: messages, bytes both ways, full and absent hosts, clients
 * that come and go, guests that misbehave. Each test is its own process. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mote/chr.h"

#include "capture.h"
#include "virtio_driver.h"

enum {
    READY = 0,
    ADD = 1,
    REMOVE = 2,
    PORT_READY = 3,
    CONSOLE = 4,
    RESIZE = 5,
    OPEN = 6,
    NAME = 7,
};

#define F_SIZE    1ull
#define F_MULTI   2ull
#define CTL_IN    2u
#define CTL_OUT   3u
#define IN(port)  ((port) == 0 ? 0u : 2u * (port) + 2u)
#define OUT(port) (IN(port) + 1u)
#define SOCK      "port.sock"

struct rig {
    struct vdrv d;
    struct virtio_dev *dev;
    u64 gpa[VIRTIO_VQ_MAX][VDRV_NUM_MAX]; /* of the buffer at a head */
    int to, from;                         /* the far ends of stdio */
    char dir[32];
};

/* ---- host ends ------------------------------------------------------------
 */

static struct chr *rig_stdio(struct rig *r)
{
    int in[2], out[2];
    struct chr *chr;

    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(out), 0);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[0]);
    close(out[1]);
    r->to = in[1];
    r->from = out[0];
    ck_assert_int_eq(chr_open(&chr, CHR_STDIO, NULL), 0);
    return chr;
}

static struct chr *rig_chr(struct rig *r, enum chr_mode mode)
{
    struct chr *chr;

    if (mode == CHR_STDIO)
        return rig_stdio(r);
    ck_assert_int_eq(chr_open(&chr, mode, mode == CHR_UNIX ? SOCK : "file"), 0);
    return chr;
}

static int client(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = SOCK};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
    return fd;
}

/* Exactly len bytes, or two seconds have passed. */
static bool read_full(int fd, void *buf, size_t len)
{
    u64 end = vdrv_ms() + 2000;
    size_t have = 0;

    while (have < len && vdrv_ms() < end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = 0;

        if (poll(&p, 1, 100) > 0)
            n = read(fd, (u8 *)buf + have, len - have);
        if (n < 0)
            return false;
        have += (size_t)n;
    }
    return have == len;
}

static void expect_bytes(int fd, const char *text)
{
    char buf[64] = "";

    ck_assert(read_full(fd, buf, strlen(text)));
    ck_assert_str_eq(buf, text);
}

/* ---- the driver -----------------------------------------------------------
 */

static void rig_new(struct rig *r, enum chr_mode zero, enum chr_mode one)
{
    struct console_port port[2] = {{0}};
    bool two = one != zero;

    *r = (struct rig){.to = -1, .from = -1};
    signal(SIGPIPE, SIG_IGN);
    capture_start();
    snprintf(r->dir, sizeof(r->dir), "/tmp/mote-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(r->dir));
    ck_assert_int_eq(chdir(r->dir), 0);
    port[0].chr = rig_chr(r, zero);
    if (two)
        port[1] = (struct console_port){"agent", rig_chr(r, one)};
    ck_assert_int_eq(console_new(&r->dev, port, two ? 2 : 1), 0);
}

static void rig_up(struct rig *r, enum chr_mode zero, enum chr_mode one)
{
    rig_new(r, zero, one);
    vdrv_up(&r->d, r->dev, ~0ull);
}

static void rig_down(struct rig *r)
{
    ck_assert_int_eq(vdrv_read(&r->d, VDRV_STATUS) & VDRV_S_NEEDS_RESET, 0);
    vdrv_down(&r->d);
    ck_assert_int_ne(access(SOCK, F_OK), 0);
    unlink("file");
    ck_assert_int_eq(rmdir(r->dir), 0);
}

/* A buffer with text for the device. */
static void give(struct rig *r, unsigned int q, const void *data, u32 len)
{
    struct vdrv_buf b = {.gpa = vdrv_alloc(&r->d, len), .len = len};

    memcpy(vdrv_ptr(&r->d, b.gpa, len), data, len);
    vdrv_add(&r->d, q, &b, 1);
    vdrv_kick(&r->d, q);
}

static void say(struct rig *r, unsigned int port, const char *text)
{
    give(r, OUT(port), text, (u32)strlen(text));
}

/* A buffer for the device to fill. */
static void post(struct rig *r, unsigned int q, u32 len)
{
    struct vdrv_buf b = {vdrv_alloc(&r->d, len), len, true};

    r->gpa[q][vdrv_add(&r->d, q, &b, 1)] = b.gpa;
    vdrv_kick(&r->d, q);
}

static void expect_input(struct rig *r, unsigned int port, const char *text)
{
    u32 len = 0;
    int head = vdrv_wait(&r->d, IN(port), &len);

    ck_assert_int_ge(head, 0);
    ck_assert_uint_eq(len, strlen(text));
    ck_assert_mem_eq(vdrv_ptr(&r->d, r->gpa[IN(port)][head], len), text, len);
}

static bool taken(struct rig *r, unsigned int port)
{
    return vdrv_wait(&r->d, OUT(port), NULL) >= 0;
}

/* Nothing comes back for as long as the device needs for anything else. */
static bool stays(struct rig *r, unsigned int q)
{
    usleep(20000);
    return !vdrv_done(&r->d, q);
}

static void control(struct rig *r, u32 id, u16 event, u16 value)
{
    u8 m[8];
    u32 len = 1;

    le32_put(m, id);
    le16_put(m + 4, event);
    le16_put(m + 6, value);
    give(r, CTL_OUT, m, sizeof(m));
    ck_assert_int_ge(vdrv_wait(&r->d, CTL_OUT, &len), 0);
    ck_assert_uint_eq(len, 0);
}

/* The device's next message: for port id, event, value, then body. */
static void expect_message(struct rig *r, u32 id, u16 event, u16 value,
                           const void *body, u32 body_len)
{
    u32 len = 0;
    int head = vdrv_wait(&r->d, CTL_IN, &len);
    const u8 *m;

    ck_assert_int_ge(head, 0);
    ck_assert_uint_eq(len, 8 + body_len);
    m = vdrv_ptr(&r->d, r->gpa[CTL_IN][head], len);
    ck_assert_uint_eq(le16_get(m + 4), event);
    ck_assert_uint_eq(le32_get(m), id);
    ck_assert_uint_eq(le16_get(m + 6), value);
    if (body_len > 0)
        ck_assert_mem_eq(m + 8, body, body_len);
}

static void stock_control(struct rig *r)
{
    for (int i = 0; i < 16; i++)
        post(r, CTL_IN, 128);
}

/* As Linux does it, up to two ports that are open. */
static void greet(struct rig *r, bool connected)
{
    stock_control(r);
    control(r, 0, READY, 1);
    expect_message(r, 0, ADD, 1, NULL, 0);
    expect_message(r, 1, ADD, 1, NULL, 0);
    control(r, 0, PORT_READY, 1);
    expect_message(r, 0, CONSOLE, 1, NULL, 0);
    expect_message(r, 0, OPEN, 1, NULL, 0);
    control(r, 0, OPEN, 1);
    control(r, 1, PORT_READY, 1);
    expect_message(r, 1, NAME, 1, "agent", 5);
    if (connected)
        expect_message(r, 1, OPEN, 1, NULL, 0);
    control(r, 1, OPEN, 1);
}

static u64 dropped(struct rig *r)
{
    struct virtio_stats st;

    virtio_stats(r->dev, &st);
    return st.dropped;
}

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

START_TEST(test_resize)
{
    struct rig r;
    u32 gen;

    rig_up(&r, CHR_OFF, CHR_STDIO);
    greet(&r, true);
    ck_assert_uint_eq(vdrv_config(&r.d, 0, 4), 0);
    gen = vdrv_read(&r.d, VDRV_GENERATION);
    vdrv_write(&r.d, VDRV_ACK, 3);
    console_resize(r.dev, 80, 25);
    expect_message(&r, 0, RESIZE, 1, "\120\0\031\0", 4);
    ck_assert_uint_eq(vdrv_config(&r.d, 0, 2), 80);
    ck_assert_uint_eq(vdrv_config(&r.d, 2, 2), 25);
    ck_assert_uint_ne(vdrv_read(&r.d, VDRV_GENERATION), gen);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_ISR) & 2, 2);
    console_resize(r.dev, 80, 25); /* no news */
    ck_assert(stays(&r, CTL_IN));
    control(&r, 0, PORT_READY, 1); /* a new driver hears of it at once */
    expect_message(&r, 0, CONSOLE, 1, NULL, 0);
    expect_message(&r, 0, RESIZE, 1, "\120\0\031\0", 4);
    expect_message(&r, 0, OPEN, 1, NULL, 0);
    rig_down(&r);
}
END_TEST

/* ---- control messages -----------------------------------------------------
 */

struct bad_control {
    u8 bytes[16];
    u32 len;
    unsigned int answers; /* messages that come of it */
    const char *log;
};

/* After greet(), so both ports are known; the port that is meant goes first. */
static const struct bad_control bad_controls[] = {
    {{0}, 1, 0, "a control message of 1 bytes"},
    {{0}, 7, 0, "a control message of 7 bytes"},
    {{0, 0, 0, 0, READY, 0, 0}, 8, 0, "the driver could not start"},
    {{0, 0, 0, 0, READY, 0, 2}, 8, 0, "the driver could not start"},
    {{9, 9, 9, 9, READY, 0, 1}, 8, 2, ""}, /* id counts for nothing */
    {{0, 0, 0, 0, READY, 0, 1}, 16, 2, ""},
    {{2, 0, 0, 0, PORT_READY, 0, 1}, 8, 0, "port 2, which is not there"},
    {{8, 0, 0, 0, OPEN, 0, 1}, 8, 0, "port 8, which is not there"},
    {{0, 0, 0, 128, OPEN, 0, 1}, 8, 0, "port 2147483648, which is not"},
    {{255, 255, 255, 255, OPEN, 0, 1}, 8, 0, "port 4294967295, which is"},
    {{1, 0, 0, 0, PORT_READY, 0, 1}, 8, 2, ""},
    {{1, 0, 0, 0, PORT_READY, 0, 0}, 8, 0, ""},
    {{1, 0, 0, 0, OPEN, 0, 9}, 8, 0, ""},
    {{1, 0, 0, 0, ADD, 0, 1}, 8, 0, "event 1 is not for the driver"},
    {{1, 0, 0, 0, REMOVE, 0, 1}, 8, 0, "event 2 is not for the driver"},
    {{0, 0, 0, 0, CONSOLE, 0, 1}, 8, 0, "event 4 is not for the driver"},
    {{0, 0, 0, 0, RESIZE, 0, 1}, 8, 0, "event 5 is not for the driver"},
    {{1, 0, 0, 0, NAME, 0, 1}, 8, 0, "event 7 is not for the driver"},
    {{1, 0, 0, 0, 8, 0, 1}, 8, 0, "event 8 is not for the driver"},
    {{1, 0, 0, 0, 255, 255, 1}, 8, 0, "event 65535 is not for the driver"},
};

START_TEST(test_bad_control)
{
    const struct bad_control *t = &bad_controls[_i];
    u32 len = 1;
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    greet(&r, true);
    give(&r, CTL_OUT, t->bytes, t->len);
    ck_assert_int_ge(vdrv_wait(&r.d, CTL_OUT, &len), 0);
    ck_assert_uint_eq(len, 0);
    for (unsigned int i = 0; i < t->answers; i++)
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, NULL), 0);
    ck_assert(stays(&r, CTL_IN));
    ck_assert_ptr_nonnull(strstr(capture_text, t->log));
    ck_assert_uint_eq(capture_len == 0, t->log[0] == 0);
    say(&r, 0, "alive");
    expect_bytes(r.from, "alive");
    rig_down(&r);
}
END_TEST

/* A driver that asks for ever and takes no answer: two ports, so at most a few
 * messages, each once. */
START_TEST(test_control_flood)
{
    static const u8 flood[][8] = {{0, 0, 0, 0, READY, 0, 1},
                                  {0, 0, 0, 0, PORT_READY, 0, 1},
                                  {1, 0, 0, 0, PORT_READY, 0, 1},
                                  {0, 0, 0, 0, READY, 0, 1}};
    struct vdrv_buf b = {.len = 8};
    unsigned int answers = 0;
    u64 gpa;
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    gpa = vdrv_alloc(&r.d, sizeof(flood));
    memcpy(vdrv_ptr(&r.d, gpa, sizeof(flood)), flood, sizeof(flood));
    for (int i = 0; i < 4000; i++) {
        b.gpa = gpa + 8 * (u64)(i % 4);
        vdrv_add(&r.d, CTL_OUT, &b, 1);
        vdrv_kick(&r.d, CTL_OUT);
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_OUT, NULL), 0);
    }
    for (int i = 0; i < 64; i++)
        post(&r, CTL_IN, 64);
    while (!stays(&r, CTL_IN)) {
        ck_assert_int_ge(vdrv_poll(&r.d, CTL_IN, NULL), 0);
        answers++;
    }
    ck_assert_uint_eq(answers, 2 + 2 + 2); /* ADD, CONSOLE or NAME, OPEN */
    rig_down(&r);
}
END_TEST

/* Buffers too small come back empty, the message waits for one that is not. */
START_TEST(test_small_control_buffer)
{
    struct rig r;
    u32 len = 1;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    control(&r, 1, PORT_READY, 1);
    for (u32 size = 1; size < 13; size++) {
        post(&r, CTL_IN, size);
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, &len), 0);
        ck_assert_uint_eq(len, 0);
    }
    post(&r, CTL_IN, 13);
    expect_message(&r, 1, NAME, 1, "agent", 5);
    rig_down(&r);
}
END_TEST

/* Without MULTIPORT queues 0 and 1 are all there is. */
START_TEST(test_no_multiport)
{
    struct rig r;

    rig_new(&r, CHR_STDIO, CHR_FILE);
    vdrv_attach(&r.d, r.dev);
    ck_assert_uint_eq(vdrv_offered(&r.d) & 0xff, F_SIZE | F_MULTI);
    ck_assert_uint_eq(vdrv_config(&r.d, 4, 4), 2);
    vdrv_init(&r.d, ~F_MULTI);
    say(&r, 0, "plain");
    expect_bytes(r.from, "plain");
    post(&r, 0, 16);
    ck_assert_int_eq(write(r.to, "in", 2), 2);
    expect_input(&r, 0, "in");
    give(&r, CTL_OUT, "\0\0\0\0\0\0\1", 8);
    say(&r, 1, "none");
    ck_assert(stays(&r, CTL_OUT));
    ck_assert(stays(&r, OUT(1)));
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
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    while (r.d.q[CTL_IN].nr_free < r.d.q[CTL_IN].num) {
        close(client()); /* uses up the buffers, two each */
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, NULL), 0);
        if (r.d.q[CTL_IN].nr_free < r.d.q[CTL_IN].num)
            ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, NULL), 0);
    }
    fd = client();
    usleep(20000);
    post(&r, CTL_IN, 64);
    post(&r, CTL_IN, 64);
    post(&r, CTL_IN, 64);
    for (int i = 0, open = -1; i < 3 && !stays(&r, CTL_IN); i++) {
        int head = vdrv_poll(&r.d, CTL_IN, NULL), was = open;

        open = le16_get(vdrv_ptr(&r.d, r.gpa[CTL_IN][head] + 6, 2));
        ck_assert_int_ne(open, was); /* open and closed take turns */
    }
    say(&r, 1, "x");
    expect_bytes(fd, "x");
    close(fd);
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
    int a, b;
    char c;

    rig_up(&r, CHR_UNIX, CHR_UNIX);
    say(&r, 0, "nobody");
    ck_assert(taken(&r, 0));
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

#define FLOW_CHUNK 4096u
#define FLOW_TOTAL (8 * MIB)

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
    ck_assert_int_lt(resident_kib() - before, 4096);
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

/* A flood to where nothing is slow: all of it, in order, and no memory. */
START_TEST(test_file)
{
    static u8 buf[65536];
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
    f = fopen("file", "r");
    for (pos = 0; (n = fread(buf, 1, sizeof(buf), f)) > 0; pos += n)
        ck_assert_uint_eq(flow_check(buf, pos, n), 0);
    ck_assert_uint_eq(pos, FLOW_TOTAL);
    fclose(f);
    rig_down(&r);
}
END_TEST

/* ---- resets and breaches --------------------------------------------------
 */

/* Output is held, input is staged, a client is connected: all survives. */
START_TEST(test_reset)
{
    static u8 big[MIB];
    struct rig r;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    fd = client();
    ck_assert_int_eq(write(fd, "kept", 4), 4);
    for (int i = 0; i < 20; i++) {
        greet(&r, true);
        give(&r, OUT(1), big, sizeof(big));
        give(&r, OUT(0), big, sizeof(big));
        vdrv_reset(&r.d);
        ck_assert_uint_eq(vdrv_read(&r.d, VDRV_STATUS), 0);
        vdrv_reset(&r.d);
        vdrv_init(&r.d, ~0ull);
    }
    greet(&r, true);
    post(&r, IN(1), 16);
    expect_input(&r, 1, "kept");
    close(fd);
    rig_down(&r);
}
END_TEST

/* A chain of the wrong kind is no breach, but a broken one is; afterwards the
 * device is silent, and a reset repairs it. */
START_TEST(test_broken_queue)
{
    unsigned int q = (unsigned int)_i;
    struct vdrv_buf b = {0xf0000000, 64, true};
    struct rig r;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    ck_assert_int_eq(write(r.to, "in", 2), 2);
    fd = client();
    ck_assert_int_eq(write(fd, "in", 2), 2);
    vdrv_add(&r.d, q, &b, 1); /* no RAM there */
    vdrv_kick(&r.d, q);
    /* This one is popped only when there is something to say. */
    for (u16 i = 1; q == CTL_IN && i < 32; i++) {
        console_resize(r.dev, i, 1);
        usleep(500);
    }
    ck_assert(vdrv_until(vdrv_read(&r.d, VDRV_STATUS) & VDRV_S_NEEDS_RESET));
    close(fd);
    vdrv_reset(&r.d);
    vdrv_init(&r.d, ~0ull);
    say(&r, 0, "again");
    expect_bytes(r.from, "again");
    rig_down(&r);
}
END_TEST

START_TEST(test_wrong_way)
{
    struct rig r;
    u32 len = 1;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    greet(&r, true);
    post(&r, OUT(0), 16); /* nothing to read in it */
    ck_assert(taken(&r, 0));
    post(&r, CTL_OUT, 16);
    ck_assert_int_ge(vdrv_wait(&r.d, CTL_OUT, &len), 0);
    ck_assert_uint_eq(len, 0);
    give(&r, IN(0), "?", 1); /* nothing to write in it */
    post(&r, IN(0), 8);
    ck_assert_int_eq(write(r.to, "in", 2), 2);
    ck_assert_int_ge(vdrv_wait(&r.d, IN(0), &len), 0);
    ck_assert_uint_eq(len, 0);
    expect_input(&r, 0, "in");
    say(&r, 0, "alive");
    expect_bytes(r.from, "alive");
    rig_down(&r);
}
END_TEST

/* The VM ends while a client does not read. */
START_TEST(test_stop_held)
{
    static u8 big[MIB];
    struct rig r;
    u64 start;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    fd = client();
    give(&r, OUT(1), big, sizeof(big));
    give(&r, OUT(1), big, sizeof(big));
    ck_assert(stays(&r, OUT(1)));
    start = vdrv_ms();
    rig_down(&r);
    ck_assert_uint_lt(vdrv_ms() - start, 500);
    close(fd);
}
END_TEST

/* Nothing to do, nothing woken: not by a pipe at its end, a client that has
 * left bytes, nor one that does not read. */
START_TEST(test_idle)
{
    static u8 big[MIB];
    struct virtio_stats a, b;
    struct rig r;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    close(r.to);
    fd = client();
    ck_assert_int_gt(send(fd, big, sizeof(big), MSG_DONTWAIT), 4096);
    if (_i == 0)
        close(fd);
    else if (_i == 1)
        shutdown(fd, SHUT_WR);
    if (_i != 2)
        give(&r, OUT(1), big, sizeof(big));
    usleep(20000);
    virtio_stats(r.dev, &a);
    usleep(50000);
    virtio_stats(r.dev, &b);
    ck_assert_uint_eq(a.wakeups, b.wakeups);
    rig_down(&r);
}
END_TEST

Suite *suite_console(void);
Suite *suite_console(void)
{
    Suite *s = suite_create("console");
    TCase *tc = tcase_create("console");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_plain);
    tcase_add_test(tc, test_escape);
    tcase_add_test(tc, test_stuck_reader);
    tcase_add_test(tc, test_closed_reader);
    tcase_add_test(tc, test_resize);
    tcase_add_loop_test(tc, test_bad_control, 0, ARRAY_SIZE(bad_controls));
    tcase_add_test(tc, test_control_flood);
    tcase_add_test(tc, test_small_control_buffer);
    tcase_add_test(tc, test_no_multiport);
    tcase_add_test(tc, test_reconnect);
    tcase_add_test(tc, test_left_bytes);
    tcase_add_test(tc, test_untold_end);
    tcase_add_test(tc, test_half_close);
    tcase_add_test(tc, test_console_socket);
    tcase_add_loop_test(tc, test_flow_out, 0, 2);
    tcase_add_loop_test(tc, test_flow_in, 0, 2);
    tcase_add_test(tc, test_input_bounded);
    tcase_add_test(tc, test_file);
    tcase_add_test(tc, test_reset);
    tcase_add_loop_test(tc, test_broken_queue, 0, 6);
    tcase_add_test(tc, test_wrong_way);
    tcase_add_test(tc, test_stop_held);
    tcase_add_loop_test(tc, test_idle, 0, 3);
    suite_add_tcase(s, tc);
    return s;
}
