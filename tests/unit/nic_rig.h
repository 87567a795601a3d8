/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic_rig.h: a network backend of socket pairs: one message is one frame with
 * its vnet header, and both directions have an end, as a tap's have. The test
 * holds the peers. A peer that is closed takes the link down.
 */
#ifndef MOTE_TEST_NIC_RIG_H
#define MOTE_TEST_NIC_RIG_H

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mote/nic.h"

struct nic_rig;

struct nic_rig_pair {
    struct loop_fd lf;
    struct nic_rig *rig;
    u32 events;
};

struct nic_rig {
    struct nic nic;
    int peer[NIC_PAIR_MAX];
    struct nic_rig_pair pair[NIC_PAIR_MAX];
    /* What the device has asked for; it writes, the test reads. */
    _Atomic(u32) offloads, pairs;
    _Atomic(u32) sent, full; /* frames taken, and refused as full */
    _Atomic(int) send_error; /* errno to answer with; the test writes */
    _Atomic(bool) freed;
};

static inline ssize_t nic_rig_recv(struct nic *n, unsigned int pair,
                                   const struct iovec *iov, unsigned int nr)
{
    struct nic_rig *rig = container_of(n, struct nic_rig, nic);
    ssize_t r = readv(rig->pair[pair].lf.fd, iov, (int)nr);

    if (r > 0)
        return r;
    if (r < 0)
        return -errno;
    if (n->info.link) {
        n->info.link = false;
        loop_del(&rig->pair[pair].lf);
        n->link_changed(n->ctx);
    }
    return -ENETDOWN;
}

static inline int nic_rig_send(struct nic *n, unsigned int pair,
                               const struct iovec *iov, unsigned int nr)
{
    struct nic_rig *rig = container_of(n, struct nic_rig, nic);
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                         .msg_iovlen = nr};

    if (atomic_load(&rig->send_error))
        return -atomic_load(&rig->send_error);
    if (sendmsg(rig->pair[pair].lf.fd, &msg, MSG_NOSIGNAL) < 0) {
        if (errno == EAGAIN)
            atomic_fetch_add(&rig->full, 1);
        return -errno;
    }
    atomic_fetch_add(&rig->sent, 1);
    return 0;
}

static inline int nic_rig_set_offloads(struct nic *n, u32 offloads)
{
    atomic_store(&container_of(n, struct nic_rig, nic)->offloads, offloads);
    return 0;
}

static inline int nic_rig_set_pairs(struct nic *n, unsigned int pairs)
{
    atomic_store(&container_of(n, struct nic_rig, nic)->pairs, pairs);
    return 0;
}

static inline void nic_rig_want(struct nic *n, unsigned int pair, u32 event,
                                bool on)
{
    struct nic_rig *rig = container_of(n, struct nic_rig, nic);
    struct nic_rig_pair *p = &rig->pair[pair];

    p->events = on ? p->events | event : p->events & ~event;
    if (p->lf.loop)
        loop_mod(&p->lf, p->events);
}

static inline void nic_rig_want_recv(struct nic *n, unsigned int pair, bool on)
{
    nic_rig_want(n, pair, EPOLLIN, on);
}

static inline void nic_rig_want_send(struct nic *n, unsigned int pair, bool on)
{
    nic_rig_want(n, pair, EPOLLOUT, on);
}

static inline void nic_rig_event(struct loop_fd *lf, u32 events)
{
    struct nic_rig_pair *p = container_of(lf, struct nic_rig_pair, lf);
    struct nic *n = &p->rig->nic;

    if (events & p->events & EPOLLIN)
        n->readable(n->ctx, (unsigned int)(p - p->rig->pair));
    if (events & p->events & EPOLLOUT)
        n->writable(n->ctx, (unsigned int)(p - p->rig->pair));
}

static inline int nic_rig_attach(struct nic *n, struct loop *loop)
{
    struct nic_rig *rig = container_of(n, struct nic_rig, nic);

    for (unsigned int i = 0; i < n->info.pairs; i++)
        if (loop_add(loop, &rig->pair[i].lf, 0) < 0)
            return -EIO;
    return 0;
}

static inline void nic_rig_free(struct nic *n)
{
    struct nic_rig *rig = container_of(n, struct nic_rig, nic);

    for (unsigned int i = 0; i < n->info.pairs; i++) {
        loop_del(&rig->pair[i].lf);
        close(rig->pair[i].lf.fd);
    }
    atomic_store(&rig->freed, true);
}

static const struct nic_ops nic_rig_ops = {
    .name = "rig",
    .attach = nic_rig_attach,
    .recv = nic_rig_recv,
    .send = nic_rig_send,
    .set_offloads = nic_rig_set_offloads,
    .set_pairs = nic_rig_set_pairs,
    .want_recv = nic_rig_want_recv,
    .want_send = nic_rig_want_send,
    .free = nic_rig_free,
};

static inline void nic_rig_up(struct nic_rig *rig, unsigned int pairs,
                              u32 offloads)
{
    *rig = (struct nic_rig){
        .nic = {.ops = &nic_rig_ops,
                .info = {.offloads = offloads, .pairs = pairs, .link = true}}};
    for (unsigned int i = 0; i < pairs; i++) {
        int fd[2], r;

        r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       0, fd);
        assert(r == 0);
        (void)r;
        rig->peer[i] = fd[0];
        rig->pair[i] = (struct nic_rig_pair){
            .lf = {.fd = fd[1], .fn = nic_rig_event}, .rig = rig};
    }
}

/* The device has freed its end. */
static inline void nic_rig_down(struct nic_rig *rig)
{
    assert(atomic_load(&rig->freed));
    for (unsigned int i = 0; i < rig->nic.info.pairs; i++)
        if (rig->peer[i] >= 0)
            close(rig->peer[i]);
}

#endif
