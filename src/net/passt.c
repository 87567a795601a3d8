/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt.c: user-mode networking. passt(1) speaks Ethernet on a stream socket,
 * each frame behind its length in 4 bytes, big-endian, without vnet headers.
 * Checksums the guest has left out are completed here, in the copy, so that an
 * interpreted guest need not sum its own data.
 */
#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mote/frame.h"
#include "mote/log.h"
#include "mote/nic.h"

#include "passt_process.h"

#define LEN_BYTES      4u
#define FRAME_MIN      14u /* an Ethernet header */
#define FRAME_MAX      (NIC_FRAME_MAX - NIC_HDR_LEN)
#define IN_SIZE        (256 * KIB)
#define OUT_SIZE       (LEN_BYTES + FRAME_MAX)
#define READY_MS       2000
#define LAST_WORDS_MS  200
#define LINES_A_SECOND 10

struct passt {
    struct nic nic;
    struct passt_process process;
    struct loop_fd socket, err;
    u32 events;   /* the socket is watched for */
    bool running; /* attached: the device hears of the link */
    bool want_recv, want_send;
    bool data_valid; /* the guest trusts checksums that we call good */

    u32 in_start, in_end;   /* received, not yet handed to the guest */
    u32 out_start, out_end; /* the rest of a frame the socket did not take */
    u8 in[IN_SIZE];
    u8 out[OUT_SIZE];

    time_t line_second; /* of the lines below */
    unsigned int lines;
    u32 line_len;
    char line[256];
    char last[256]; /* line; why it ended, if it did */
};

/* ---- what passt says on stderr ------------------------------------------ */

/* Where there is no syslog, old versions complain with every other line. */
static bool passt_line_is_noise(const char *line)
{
    return strncmp(line, "Failed to send ", 15) == 0 &&
           strstr(line, " bytes to syslog");
}

static void passt_line(struct passt *p)
{
    struct timespec now;

    p->line[p->line_len] = '\0';
    if (p->line_len == 0 || passt_line_is_noise(p->line))
        return;
    memcpy(p->last, p->line, p->line_len + 1);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec != p->line_second)
        p->lines = 0;
    p->line_second = now.tv_sec;
    if (p->lines++ < LINES_A_SECOND)
        log_info("passt: %s", p->line);
}

static void passt_err_byte(struct passt *p, char c)
{
    if (c == '\n') {
        passt_line(p);
        p->line_len = 0;
    } else if (p->line_len < sizeof(p->line) - 1) {
        p->line[p->line_len++] = c >= ' ' && c < 127 ? c : '?';
    }
}

/* False at the end of the pipe. */
static bool passt_read_err(struct passt *p)
{
    char buf[512];
    ssize_t n = read(p->process.err, buf, sizeof(buf));

    for (ssize_t i = 0; i < n; i++)
        passt_err_byte(p, buf[i]);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void passt_on_err(struct loop_fd *lf, u32 events)
{
    struct passt *p = container_of(lf, struct passt, err);

    if (!passt_read_err(p))
        loop_del(lf);
}

/* ---- the socket --------------------------------------------------------- */

static void passt_watch(struct passt *p)
{
    u32 events = p->want_recv ? EPOLLIN : 0;

    if (p->want_send || p->out_start != p->out_end)
        events |= EPOLLOUT;
    if (!p->socket.loop || events == p->events)
        return;
    if (loop_mod(&p->socket, events) == 0)
        p->events = events;
}

/* passt has ended or talks nonsense: the guest sees its cable pulled. */
static int passt_down(struct passt *p, const char *why)
{
    if (!p->nic.info.link)
        return -ENETDOWN;
    p->nic.info.link = false;
    loop_del(&p->socket);
    if (!p->running)
        return -ENETDOWN; /* passt_attach() will say it */
    log_error("passt: %s; link down, frames are dropped", why);
    p->nic.link_changed(p->nic.ctx);
    return -ENETDOWN;
}

/* Read behind what is there already. Bytes, -EAGAIN or -ENETDOWN. */
static ssize_t passt_fill(struct passt *p)
{
    ssize_t n;

    if (p->in_start > 0) {
        memmove(p->in, p->in + p->in_start, p->in_end - p->in_start);
        p->in_end -= p->in_start;
        p->in_start = 0;
    }
    n = read(p->process.socket, p->in + p->in_end, IN_SIZE - p->in_end);
    if (n > 0)
        p->in_end += (u32)n;
    else if (n == 0)
        return passt_down(p, "it has ended");
    else if (errno == EAGAIN || errno == EINTR)
        return -EAGAIN;
    else
        return passt_down(p, errno_name(errno));
    return n;
}

/* Length of the frame at in_start; 0 while it is not complete. -ENETDOWN: no
 * length a frame can have, so the stream is lost. */
static int passt_frame(struct passt *p, u32 *len)
{
    u32 have = p->in_end - p->in_start;
    u32 frame;

    *len = 0;
    if (have < LEN_BYTES)
        return 0;
    frame = ntohl(le32_get(p->in + p->in_start));
    if (frame < FRAME_MIN || frame > FRAME_MAX)
        return passt_down(p, "it sent an impossible length");
    if (have - LEN_BYTES >= frame)
        *len = frame;
    return 0;
}

static ssize_t passt_recv(struct nic *n, unsigned int pair,
                          const struct iovec *iov, unsigned int nr)
{
    struct passt *p = container_of(n, struct passt, nic);
    u8 hdr[NIC_HDR_LEN] = {p->data_valid ? VIRTIO_NET_HDR_F_DATA_VALID : 0};
    const u8 *frame;
    u32 len;
    int r;

    while (true) {
        ssize_t got;

        if (!n->info.link)
            return -ENETDOWN;
        r = passt_frame(p, &len);
        if (r < 0)
            return r;
        if (len > 0)
            break;
        got = passt_fill(p);
        if (got < 0)
            return got;
    }
    frame = p->in + p->in_start + LEN_BYTES;
    p->in_start += LEN_BYTES + len;
    if (frame_scatter(iov, nr, 0, hdr, NIC_HDR_LEN) != NIC_HDR_LEN ||
        frame_scatter(iov, nr, NIC_HDR_LEN, frame, len) != len)
        return -EMSGSIZE;
    return (ssize_t)(NIC_HDR_LEN + len);
}

/* Send what is left. 0: all gone; -EAGAIN; -ENETDOWN. */
static int passt_flush(struct passt *p)
{
    while (p->out_start < p->out_end) {
        ssize_t n = write(p->process.socket, p->out + p->out_start,
                          p->out_end - p->out_start);

        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
            return -EAGAIN;
        if (n < 0 && errno != EINTR)
            return passt_down(p, "it has ended");
        p->out_start += n > 0 ? (u32)n : 0;
    }
    p->out_start = p->out_end = 0;
    return 0;
}

/* What NEEDS_CSUM asks for (virtio 1.2, 5.1.6.2); the field already holds the
 * sum of the pseudo header. */
static int passt_checksum(const u8 *hdr, u8 *frame, u32 len)
{
    u32 start = le16_get(hdr + offsetof(struct virtio_net_hdr_v1, csum_start));
    u32 field =
        start + le16_get(hdr + offsetof(struct virtio_net_hdr_v1, csum_offset));
    u16 sum;

    if (hdr[offsetof(struct virtio_net_hdr_v1, gso_type)] !=
        VIRTIO_NET_HDR_GSO_NONE)
        return -EOPNOTSUPP;
    if (!(hdr[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return 0;
    if (start > len || field + 2 > len)
        return -EINVAL;
    sum = (u16)~frame_sum(frame + start, len - start, 0);
    le16_put(frame + field, sum ? sum : 0xffff); /* 0 is "none" in UDP */
    return 0;
}

static int passt_send(struct nic *n, unsigned int pair, const struct iovec *iov,
                      unsigned int nr)
{
    struct passt *p = container_of(n, struct passt, nic);
    u8 *frame = p->out + LEN_BYTES;
    u8 hdr[NIC_HDR_LEN];
    size_t len = 0;
    u32 wire;
    int r;

    if (!n->info.link)
        return -ENETDOWN;
    r = passt_flush(p);
    if (r < 0)
        return r;
    for (unsigned int i = 0; i < nr; i++)
        len += iov[i].iov_len;
    if (len < NIC_HDR_LEN + FRAME_MIN || len > NIC_FRAME_MAX)
        return -EMSGSIZE;
    len -= NIC_HDR_LEN;
    if (!frame_gather(iov, nr, 0, hdr, NIC_HDR_LEN) ||
        !frame_gather(iov, nr, NIC_HDR_LEN, frame, (u32)len))
        return -EMSGSIZE;
    r = passt_checksum(hdr, frame, (u32)len);
    if (r < 0)
        return r;
    wire = htonl((u32)len);
    le32_put(p->out, wire);
    p->out_end = LEN_BYTES + (u32)len;
    if (passt_flush(p) == -EAGAIN)
        passt_watch(p); /* taken; the rest follows by itself */
    return 0;
}

static int passt_set_offloads(struct nic *n, u32 offloads)
{
    struct passt *p = container_of(n, struct passt, nic);

    p->data_valid = offloads & NIC_CSUM;
    return 0;
}

static void passt_want_recv(struct nic *n, unsigned int pair, bool on)
{
    struct passt *p = container_of(n, struct passt, nic);

    p->want_recv = on;
    passt_watch(p);
}

static void passt_want_send(struct nic *n, unsigned int pair, bool on)
{
    struct passt *p = container_of(n, struct passt, nic);

    p->want_send = on;
    passt_watch(p);
}

static void passt_on_socket(struct loop_fd *lf, u32 events)
{
    struct passt *p = container_of(lf, struct passt, socket);

    if (events & EPOLLOUT) {
        int r = passt_flush(p);

        if (r == 0 && p->want_send)
            p->nic.writable(p->nic.ctx, 0);
        passt_watch(p);
    }
    if (!p->nic.info.link)
        return;
    if (p->want_recv && (events & (EPOLLIN | EPOLLHUP)))
        p->nic.readable(p->nic.ctx, 0);
    else if (events & (EPOLLHUP | EPOLLERR))
        passt_down(p, "it has ended");
}

/* ---- start and end: on main --------------------------------------------- */

/* Who has 169.254.254.254? passt answers for every address but the guest's,
 * and only when it is ready to serve (RFC 5227 probe: no sender address). */
static int passt_probe(struct passt *p)
{
    static const u8 probe[] = {
        0,    0,    0,    42, /* length */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0,   0, 0, 0, 1,
        8,    6,    0,    1,    8,    0,    6,   4,   0, 1, /* ARP request */
        2,    0,    0,    0,    0,    1,    0,   0,   0, 0, 0, 0,
        0,    0,    0,    0,    169,  254,  254, 254,
    };

    if (send(p->process.socket, probe, sizeof(probe), MSG_NOSIGNAL) !=
        sizeof(probe))
        return -EPIPE;
    return 0;
}

/* 1: the answer has come, and is dropped; 0: go on waiting; -EPIPE. */
static int passt_poll_ready(struct passt *p)
{
    struct pollfd pfd[2] = {{.fd = p->process.err, .events = POLLIN},
                            {.fd = p->process.socket, .events = POLLIN}};
    int n = poll(pfd, 2, READY_MS);
    u32 len;

    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0) {
        log_debug("passt: no answer in %d ms; going on", READY_MS);
        return 1;
    }
    if (pfd[0].revents && !passt_read_err(p))
        return -EPIPE;
    if (!pfd[1].revents)
        return 0;
    if (passt_fill(p) == -ENETDOWN || passt_frame(p, &len) < 0)
        return -EPIPE;
    p->in_start += len ? LEN_BYTES + len : 0;
    return len > 0;
}

/* passt reports most of its own trouble on stderr and ends; wait for that or
 * for the answer. Silence is no error: without IPv4 nothing is answered. */
static int passt_wait_ready(struct passt *p)
{
    struct pollfd pfd = {.fd = p->process.err, .events = POLLIN};
    int r = passt_probe(p);

    while (r == 0)
        r = passt_poll_ready(p);
    if (r > 0)
        return 0;
    while (passt_read_err(p) && poll(&pfd, 1, LAST_WORDS_MS) > 0)
        ;
    return fail_rule(-ECONNREFUSED, "passt has ended right away: %s",
                     p->last[0] ? p->last : "no reason given");
}

static int passt_attach(struct nic *n, struct loop *loop)
{
    struct passt *p = container_of(n, struct passt, nic);
    int r = passt_wait_ready(p);

    if (r < 0)
        return r;
    r = loop_add(loop, &p->socket, 0);
    if (r < 0)
        return r;
    r = loop_add(loop, &p->err, EPOLLIN);
    if (r < 0)
        loop_del(&p->socket);
    p->running = r == 0;
    return r;
}

static void passt_free(struct nic *n)
{
    struct passt *p = container_of(n, struct passt, nic);

    loop_del(&p->socket);
    loop_del(&p->err);
    passt_process_stop(&p->process);
    free(p);
}

static const struct nic_ops passt_ops = {
    .name = "passt",
    .attach = passt_attach,
    .recv = passt_recv,
    .send = passt_send,
    .set_offloads = passt_set_offloads,
    .want_recv = passt_want_recv,
    .want_send = passt_want_send,
    .free = passt_free,
};

int passt_open(struct nic **out, const struct passt_options *opt)
{
    struct passt *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return fail(-ENOMEM, "passt");
    p->nic.ops = &passt_ops;
    p->nic.info =
        (struct nic_info){.offloads = NIC_CSUM, .pairs = 1, .link = true};
    r = passt_process_start(&p->process, opt);
    if (r < 0)
        goto free_passt;
    p->socket =
        (struct loop_fd){.fd = p->process.socket, .fn = passt_on_socket};
    p->err = (struct loop_fd){.fd = p->process.err, .fn = passt_on_err};
    *out = &p->nic;
    return 0;

free_passt:
    free(p);
    return r;
}
