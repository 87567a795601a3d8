/* SPDX-License-Identifier: Apache-2.0 */
/* console_rig.h: a virtio-console between a driver of ours and host ends of
 * ours, in a directory of its own */
#ifndef MOTE_TEST_CONSOLE_RIG_H
#define MOTE_TEST_CONSOLE_RIG_H

#include <poll.h>
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

static inline struct chr *rig_stdio(struct rig *r)
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

static inline struct chr *rig_chr(struct rig *r, enum chr_mode mode)
{
    struct chr *chr;

    if (mode == CHR_STDIO)
        return rig_stdio(r);
    ck_assert_int_eq(chr_open(&chr, mode, mode == CHR_UNIX ? SOCK : "file"), 0);
    return chr;
}

static inline int client(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = SOCK};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
    return fd;
}

/* Exactly len bytes, or two seconds have passed. */
static inline bool read_full(int fd, void *buf, size_t len)
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

static inline void expect_bytes(int fd, const char *text)
{
    char buf[64] = "";

    ck_assert(read_full(fd, buf, strlen(text)));
    ck_assert_str_eq(buf, text);
}

/* ---- the driver -----------------------------------------------------------
 */

static inline void rig_new(struct rig *r, enum chr_mode zero, enum chr_mode one)
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

static inline void rig_up(struct rig *r, enum chr_mode zero, enum chr_mode one)
{
    rig_new(r, zero, one);
    vdrv_up(&r->d, r->dev, ~0ull);
}

static inline void rig_down(struct rig *r)
{
    ck_assert_int_eq(vdrv_read(&r->d, VDRV_STATUS) & VDRV_S_NEEDS_RESET, 0);
    vdrv_down(&r->d);
    ck_assert_int_ne(access(SOCK, F_OK), 0);
    unlink("file");
    ck_assert_int_eq(rmdir(r->dir), 0);
}

/* A buffer with text for the device. */
static inline void give(struct rig *r, unsigned int q, const void *data,
                        u32 len)
{
    struct vdrv_buf b = {.gpa = vdrv_alloc(&r->d, len), .len = len};

    memcpy(vdrv_ptr(&r->d, b.gpa, len), data, len);
    vdrv_add(&r->d, q, &b, 1);
    vdrv_kick(&r->d, q);
}

static inline void say(struct rig *r, unsigned int port, const char *text)
{
    give(r, OUT(port), text, (u32)strlen(text));
}

/* A buffer for the device to fill. */
static inline void post(struct rig *r, unsigned int q, u32 len)
{
    struct vdrv_buf b = {vdrv_alloc(&r->d, len), len, true};

    r->gpa[q][vdrv_add(&r->d, q, &b, 1)] = b.gpa;
    vdrv_kick(&r->d, q);
}

static inline void expect_input(struct rig *r, unsigned int port,
                                const char *text)
{
    u32 len = 0;
    int head = vdrv_wait(&r->d, IN(port), &len);

    ck_assert_int_ge(head, 0);
    ck_assert_uint_eq(len, strlen(text));
    ck_assert_mem_eq(vdrv_ptr(&r->d, r->gpa[IN(port)][head], len), text, len);
}

static inline bool taken(struct rig *r, unsigned int port)
{
    return vdrv_wait(&r->d, OUT(port), NULL) >= 0;
}

/* Nothing comes back for as long as the device needs for anything else. */
static inline bool stays(struct rig *r, unsigned int q)
{
    usleep(20000);
    return !vdrv_done(&r->d, q);
}

static inline void control(struct rig *r, u32 id, u16 event, u16 value)
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
static inline void expect_message(struct rig *r, u32 id, u16 event, u16 value,
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

static inline void stock_control(struct rig *r)
{
    for (int i = 0; i < 16; i++)
        post(r, CTL_IN, 128);
}

/* As Linux does it, up to two ports that are open. */
static inline void greet(struct rig *r, bool connected)
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

static inline u64 dropped(struct rig *r)
{
    struct virtio_stats st;

    virtio_stats(r->dev, &st);
    return st.dropped;
}

#endif
