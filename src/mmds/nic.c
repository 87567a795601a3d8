/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic.c: the service in front of a network backend. What the guest sends to the
 * service's address is taken out of its way to the backend; what the service
 * has to say comes before the backend's frames. Its frames wait until the
 * device asks for one; if it is not about to, the timer that also says when to
 * send again rings at once, so that the device is never called from within its
 * own call.
 */
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/frame.h"
#include "mote/log.h"

#include "packet.h"

#define NS_PER_S 1000000000ull

struct mmds_nic {
    struct nic nic;
    struct nic *below; /* ours */
    const struct mmds *m;
    struct loop_fd timer;
    u64 rings_ns;   /* when; UINT64_MAX: never */
    bool want_recv; /* the device waits for a frame on pair 0 */

    bool arp_due;
    struct arp_question arp;
    struct tcp tcp;
    u8 in[PACKET_IN_MAX], out[NIC_HDR_LEN + PACKET_OUT_MAX];
};

static struct mmds_nic *mmds_nic_of(struct nic *n)
{
    return container_of(n, struct mmds_nic, nic);
}

/* ---- the timer ---------------------------------------------------------- */

static void mmds_ring_at(struct mmds_nic *s, u64 when)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(when / NS_PER_S),
                     .tv_nsec = (long)(when % NS_PER_S)},
    };

    if (when >= s->rings_ns) /* it rings before, and looks again */
        return;
    if (timerfd_settime(s->timer.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        s->rings_ns = when;
}

/* A moment of the past is now; 0 would be never. */
static void mmds_wake_device(struct mmds_nic *s)
{
    if (s->want_recv && (s->arp_due || tcp_pending(&s->tcp)))
        mmds_ring_at(s, 1);
}

static void mmds_on_timer(struct loop_fd *lf, u32 events)
{
    struct mmds_nic *s = container_of(lf, struct mmds_nic, timer);
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    s->rings_ns = UINT64_MAX;
    tcp_tick(&s->tcp, monotonic_ns());
    mmds_ring_at(s, tcp_deadline(&s->tcp));
    if (s->want_recv && (s->arp_due || tcp_pending(&s->tcp)))
        s->nic.readable(s->nic.ctx, 0);
}

/* ---- frames ------------------------------------------------------------- */

/* The next frame of the service's into s->out, behind a header that promises
 * nothing. Its length; 0: none. */
static u32 mmds_next_frame(struct mmds_nic *s)
{
    u8 *frame = s->out + NIC_HDR_LEN;
    struct tcp_segment seg;

    if (s->arp_due) {
        s->arp_due = false;
        return packet_make_arp(frame, &s->arp, s->m->address);
    }
    if (!tcp_next(&s->tcp, monotonic_ns(), &seg))
        return 0;
    mmds_ring_at(s, tcp_deadline(&s->tcp));
    return packet_make(frame, &seg, s->m->address);
}

static ssize_t mmds_recv(struct nic *n, unsigned int pair,
                         const struct iovec *iov, unsigned int nr)
{
    struct mmds_nic *s = mmds_nic_of(n);
    u32 len = pair == 0 ? mmds_next_frame(s) : 0;

    if (len == 0)
        return s->below->ops->recv(s->below, pair, iov, nr);
    mmds_add(s->m, MMDS_SENT, 1);
    mmds_add(s->m, MMDS_SENT_FRAMES, 1);
    mmds_add(s->m, MMDS_SENT_BYTES, len);
    len += NIC_HDR_LEN;
    return frame_scatter(iov, nr, 0, s->out, len) == len ? (ssize_t)len
                                                         : -EMSGSIZE;
}

/* One that is for the service. The copy is looked at, and nothing else: what
 * the guest does to the frame meanwhile changes nothing. */
static void mmds_take_frame(struct mmds_nic *s, u8 flags, u32 len)
{
    struct tcp_segment seg;

    if (packet_is_arp(s->in, len)) {
        s->arp_due |= packet_parse_arp(&s->arp, s->in, len, s->m->address) == 0;
    } else if (packet_parse(&seg, s->in, len, s->m->address,
                            flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) {
        mmds_add(s->m, MMDS_RECEIVED, 1);
        tcp_receive(&s->tcp, &seg, monotonic_ns());
        mmds_ring_at(s, tcp_deadline(&s->tcp));
    } else {
        mmds_add(s->m, MMDS_DROPPED, 1);
    }
}

static u32 mmds_frame_len(const struct iovec *iov, unsigned int nr)
{
    size_t len = 0;

    for (unsigned int i = 0; i < nr; i++)
        len += iov[i].iov_len;
    return len > NIC_FRAME_MAX || len < NIC_HDR_LEN ? 0
                                                    : (u32)len - NIC_HDR_LEN;
}

/* Longer than what is offered as a window: no sum that one could check is in
 * it, and nothing that was asked for. */
static int mmds_send(struct nic *n, unsigned int pair, const struct iovec *iov,
                     unsigned int nr)
{
    struct mmds_nic *s = mmds_nic_of(n);
    u32 len = mmds_frame_len(iov, nr), head = MIN(len, PACKET_HEAD);
    u8 flags = 0;

    if (!frame_gather(iov, nr, NIC_HDR_LEN, s->in, head) ||
        !packet_is_ours(s->in, head, s->m->address))
        return s->below->ops->send(s->below, pair, iov, nr);
    mmds_add(s->m, MMDS_TAKEN, 1);
    if (len > sizeof(s->in) ||
        !frame_gather(iov, nr, 0, &flags, sizeof(flags)) ||
        !frame_gather(iov, nr, NIC_HDR_LEN, s->in, len)) {
        mmds_add(s->m, MMDS_DROPPED, 1);
        return 0;
    }
    mmds_take_frame(s, flags, len);
    mmds_wake_device(s);
    return 0;
}

/* ---- the backend's, handed on ------------------------------------------- */

static int mmds_set_offloads(struct nic *n, u32 offloads)
{
    struct nic *below = mmds_nic_of(n)->below;

    return below->ops->set_offloads(below, offloads);
}

static int mmds_set_pairs(struct nic *n, unsigned int pairs)
{
    struct nic *below = mmds_nic_of(n)->below;

    return below->ops->set_pairs ? below->ops->set_pairs(below, pairs) : 0;
}

static void mmds_want_recv(struct nic *n, unsigned int pair, bool on)
{
    struct mmds_nic *s = mmds_nic_of(n);

    s->below->ops->want_recv(s->below, pair, on);
    if (pair != 0)
        return;
    s->want_recv = on;
    mmds_wake_device(s);
}

static void mmds_want_send(struct nic *n, unsigned int pair, bool on)
{
    struct nic *below = mmds_nic_of(n)->below;

    below->ops->want_send(below, pair, on);
}

static void mmds_on_readable(void *ctx, unsigned int pair)
{
    struct mmds_nic *s = ctx;

    s->nic.readable(s->nic.ctx, pair);
}

static void mmds_on_writable(void *ctx, unsigned int pair)
{
    struct mmds_nic *s = ctx;

    s->nic.writable(s->nic.ctx, pair);
}

static void mmds_on_link(void *ctx)
{
    struct mmds_nic *s = ctx;

    s->nic.info.link = s->below->info.link;
    s->nic.link_changed(s->nic.ctx);
}

/* ---- start and end: on main --------------------------------------------- */

static int mmds_attach(struct nic *n, struct loop *loop)
{
    struct mmds_nic *s = mmds_nic_of(n);
    int r = loop_add(loop, &s->timer, EPOLLIN);

    if (r < 0)
        return r;
    s->below->readable = mmds_on_readable;
    s->below->writable = mmds_on_writable;
    s->below->link_changed = mmds_on_link;
    s->below->ctx = s;
    r = s->below->ops->attach(s->below, loop);
    if (r < 0)
        loop_del(&s->timer);
    return r;
}

/* Where the device has run: in one of the two processes only. */
static void mmds_say(const struct mmds_nic *s)
{
    const struct tcp *t = &s->tcp;

    if (t->clock > 0)
        log_debug(
            "metadata: %llu requests; %llu segments refused, %llu "
            "connections displaced, %llu time-outs",
            (unsigned long long)t->requests, (unsigned long long)t->refused,
            (unsigned long long)t->evicted, (unsigned long long)t->timeouts);
}

static void mmds_nic_free(struct nic *n)
{
    struct mmds_nic *s = mmds_nic_of(n);

    mmds_say(s);
    s->below->ops->free(s->below);
    loop_del(&s->timer);
    close(s->timer.fd);
    free(s);
}

static const struct nic_ops mmds_nic_ops = {
    .name = "mmds",
    .attach = mmds_attach,
    .recv = mmds_recv,
    .send = mmds_send,
    .set_offloads = mmds_set_offloads,
    .set_pairs = mmds_set_pairs,
    .want_recv = mmds_want_recv,
    .want_send = mmds_want_send,
    .free = mmds_nic_free,
};

int mmds_wrap(struct nic **nic, const struct mmds *m)
{
    struct nic *below = *nic;
    struct mmds_nic *s = calloc(1, sizeof(*s));

    if (!s)
        return fail(-ENOMEM, "metadata");
    s->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer.fd < 0) {
        int r = fail(-errno, "metadata: timer");

        free(s);
        return r;
    }
    s->nic = (struct nic){
        .ops = &mmds_nic_ops, .info = below->info, .nr_fds = below->nr_fds};
    memcpy(s->nic.fd, below->fd, sizeof(s->nic.fd));
    s->timer.fn = mmds_on_timer;
    s->rings_ns = UINT64_MAX;
    s->below = below;
    s->m = m;
    tcp_init(&s->tcp, m);
    *nic = &s->nic;
    return 0;
}
