/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic.h: a network backend behind virtio-net: Ethernet frames in and out, each
 * with a struct virtio_net_hdr_v1 (12 bytes, little-endian) in front. Owned by
 * one device thread; no call blocks or allocates after nic_attach().
 */
#ifndef MOTE_NIC_H
#define MOTE_NIC_H

#include <sys/uio.h>

#include "mote/base.h"
#include "mote/loop.h"

#define NIC_HDR_LEN   12u
#define NIC_FRAME_MAX 65562u /* 64 KiB of TSO payload and headers */
#define NIC_PAIR_MAX  8u

enum nic_offload { /* what may stand in the vnet header */
                   NIC_CSUM = 1u << 0,
                   NIC_TSO4 = 1u << 1,
                   NIC_TSO6 = 1u << 2,
};

struct nic_info {
    u32 offloads;       /* enum nic_offload bits, both directions */
    unsigned int pairs; /* queue pairs, 1..NIC_PAIR_MAX */
    bool link;          /* up */
};

struct nic;
typedef void nic_event_fn(void *ctx);

struct nic_ops {
    const char *name;
    /* Main, before the device's thread runs. On failure loop is forgotten. */
    int (*attach)(struct nic *n, struct loop *loop);
    /* One frame into iov. Bytes written (header included); -EAGAIN: none now;
     * -EMSGSIZE: dropped, it left no byte of iov free, so perhaps cut;
     * -ENETDOWN: the backend is gone. */
    ssize_t (*recv)(struct nic *n, unsigned int pair, const struct iovec *iov,
                    unsigned int nr);
    /* One frame out. 0 taken; -EAGAIN: full, wait for writable; other errors:
     * dropped. */
    int (*send)(struct nic *n, unsigned int pair, const struct iovec *iov,
                unsigned int nr);
    /* Offloads the guest has accepted for frames towards it. */
    int (*set_offloads)(struct nic *n, u32 offloads);
    /* Pairs 0..pairs-1 carry frames, 1 after attach. NULL: there is only 1. */
    int (*set_pairs)(struct nic *n, unsigned int pairs);
    /* Call readable again for this pair (false: be quiet until re-armed). To be
     * armed when recv() has said -EAGAIN: frames that a backend holds in a
     * buffer of its own wake nobody. Off after attach. */
    void (*want_recv)(struct nic *n, unsigned int pair, bool on);
    void (*want_send)(struct nic *n, unsigned int pair, bool on);
    void (*free)(struct nic *n);
};

struct nic { /* first member of every backend */
    const struct nic_ops *ops;
    struct nic_info info;
    unsigned int nr_fds; /* that the backend's ioctls are for */
    int fd[NIC_PAIR_MAX];
    /* Set by the device before attach; called on its loop. */
    void (*readable)(void *ctx, unsigned int pair);
    void (*writable)(void *ctx, unsigned int pair);
    nic_event_fn *link_changed;
    void *ctx;
};

/* ---- backends: src/net. 0 or a negative errno, already reported --------- */

struct tap_options {
    const char *name; /* interface, or /dev/tapN; NULL: fd */
    int fd;           /* inherited; ours on success */
    unsigned int pairs;
};
int tap_open(struct nic **out, const struct tap_options *opt);

/*
 * What tap_open() would meet; attaches and makes nothing. 0, or a negative
 * errno, and either way *text says what there is, what is wrong and what to do.
 * Reports nothing.
 */
int tap_peek(const struct tap_options *opt, char *text, size_t len);

/*
 * User-mode networking: starts passt on one end of a socket pair (frames
 * behind a 4-byte big-endian length) and stops it with the VM. No privilege.
 * -ENOENT names the Debian package.
 */
struct passt_options {
    const char *program;        /* NULL: passt, by PATH */
    const char *const *forward; /* "tcp:8080:80", "udp:53:53"; NULL-ended */
    const char *address, *gateway, *dns; /* or NULL */
};
int passt_open(struct nic **out, const struct passt_options *opt);

/* Would it start, with the ports it is to forward? *path: the program found,
 * or "". Starts nothing. 0 or a negative errno, already reported. */
int passt_peek(const struct passt_options *opt, char *path, size_t len);

#endif
