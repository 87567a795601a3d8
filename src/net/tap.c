/* SPDX-License-Identifier: Apache-2.0 */
/* tap.c: a tap or macvtap interface as a network backend, vnet headers on */
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/nic.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

struct tap;

struct tap_pair {
    struct loop_fd lf; /* watched while the pair is on */
    struct tap *tap;
    u32 events; /* what the device wants to hear of */
    bool on;
};

struct tap {
    struct nic nic;
    struct loop *loop;
    char name[64];         /* for messages */
    bool gone;             /* deleted under us, for good */
    unsigned int offloads; /* TUN_F_ bits, of every queue that is on */
    time_t reported;
    struct tap_pair pair[NIC_PAIR_MAX];
};

static unsigned int tap_offload_flags(u32 offloads)
{
    unsigned int flags = 0;

    if (offloads & NIC_CSUM)
        flags |= TUN_F_CSUM;
    /* The kernel wants TUN_F_CSUM with each of these. */
    if ((offloads & (NIC_CSUM | NIC_TSO4)) == (NIC_CSUM | NIC_TSO4))
        flags |= TUN_F_TSO4;
    if ((offloads & (NIC_CSUM | NIC_TSO6)) == (NIC_CSUM | NIC_TSO6))
        flags |= TUN_F_TSO6;
    return flags;
}

/* ---- the running side: on the device thread ----------------------------- */

/* The same trouble with every frame makes one line a second. */
static bool tap_may_report(struct tap *t)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec == t->reported)
        return false;
    t->reported = now.tv_sec;
    return true;
}

/* A deleted interface never comes back to its descriptors, and epoll would
 * report their error for ever: stop watching, take the link down. */
static void tap_vanish(struct tap *t, int err)
{
    if (t->gone)
        return;
    t->gone = true;
    for (unsigned int i = 0; i < t->nic.info.pairs; i++)
        loop_del(&t->pair[i].lf);
    t->nic.info.link = false;
    log_error("%s: the interface is gone (%s); link down, frames are dropped",
              t->name, errno_name(err));
    if (t->nic.link_changed)
        t->nic.link_changed(t->nic.ctx);
}

/* An error of one frame, or the end of the interface? */
static int tap_error(struct tap *t, const char *what)
{
    int err = errno;

    if (err == EAGAIN || err == EINTR)
        return -EAGAIN;
    if (err == EBADFD || err == ENODEV || err == ENXIO) {
        tap_vanish(t, err);
        return -ENETDOWN;
    }
    if (tap_may_report(t))
        log_warn("%s: %s: %s; frames are dropped%s", t->name, what,
                 errno_name(err), err == EIO ? " (is the interface up?)" : "");
    return -err;
}

static size_t tap_iov_len(const struct iovec *iov, unsigned int nr)
{
    size_t len = 0;

    for (unsigned int i = 0; i < nr; i++)
        len += iov[i].iov_len;
    return len;
}

static ssize_t tap_recv(struct nic *n, unsigned int pair,
                        const struct iovec *iov, unsigned int nr)
{
    struct tap *t = container_of(n, struct tap, nic);
    ssize_t r;

    if (t->gone || !t->pair[pair].on)
        return t->gone ? -ENETDOWN : -EAGAIN;
    r = readv(t->pair[pair].lf.fd, iov, (int)MIN(nr, (unsigned int)IOV_MAX));
    if (r < 0)
        return tap_error(t, "receive");
    /* The kernel cuts a frame without a word; a filled buffer is a cut one. */
    if (r < (ssize_t)NIC_HDR_LEN || (size_t)r == tap_iov_len(iov, nr))
        return -EMSGSIZE;
    return r;
}

static int tap_send(struct nic *n, unsigned int pair, const struct iovec *iov,
                    unsigned int nr)
{
    struct tap *t = container_of(n, struct tap, nic);

    if (t->gone || !t->pair[pair].on)
        return -ENETDOWN;
    if (nr > IOV_MAX)
        return -EMSGSIZE;
    if (writev(t->pair[pair].lf.fd, iov, (int)nr) < 0)
        return tap_error(t, "send");
    return 0;
}

static int tap_set_offloads(struct nic *n, u32 offloads)
{
    struct tap *t = container_of(n, struct tap, nic);

    t->offloads = tap_offload_flags(offloads & n->info.offloads);
    if (t->gone)
        return -ENETDOWN;
    for (unsigned int i = 0; i < n->info.pairs; i++)
        if (t->pair[i].on &&
            ioctl(t->pair[i].lf.fd, TUNSETOFFLOAD, t->offloads) < 0)
            return tap_error(t, "set offloads");
    return 0;
}

static void tap_want(struct nic *n, unsigned int pair, u32 event, bool on)
{
    struct tap *t = container_of(n, struct tap, nic);
    struct tap_pair *p = &t->pair[pair];
    u32 events = on ? p->events | event : p->events & ~event;

    if (t->gone || events == p->events)
        return;
    if (p->on && loop_mod(&p->lf, events) < 0)
        return;
    p->events = events;
}

static void tap_want_recv(struct nic *n, unsigned int pair, bool on)
{
    tap_want(n, pair, EPOLLIN, on);
}

static void tap_want_send(struct nic *n, unsigned int pair, bool on)
{
    tap_want(n, pair, EPOLLOUT, on);
}

static void tap_event(struct loop_fd *lf, u32 events)
{
    struct tap_pair *p = container_of(lf, struct tap_pair, lf);
    struct tap *t = p->tap;
    unsigned int index = (unsigned int)(p - t->pair);

    if (events & (EPOLLERR | EPOLLHUP)) {
        tap_vanish(t, ENODEV);
        return;
    }
    if (events & p->events & EPOLLIN)
        t->nic.readable(t->nic.ctx, index);
    if (events & p->events & EPOLLOUT)
        t->nic.writable(t->nic.ctx, index);
}

/* A queue the kernel shall not use is detached from the interface; its
 * descriptor then only knows errors. */
static int tap_switch(struct tap_pair *p, bool on)
{
    struct ifreq ifr = {.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

    if (p->on == on)
        return 0;
    if (!on)
        loop_del(&p->lf);
    p->on = false;
    if (ioctl(p->lf.fd, TUNSETQUEUE, &ifr) < 0 ||
        (on && ioctl(p->lf.fd, TUNSETOFFLOAD, p->tap->offloads) < 0))
        return tap_error(p->tap, on ? "attach queue" : "detach queue");
    p->on = on;
    return on ? loop_add(p->tap->loop, &p->lf, p->events) : 0;
}

static int tap_set_pairs(struct nic *n, unsigned int pairs)
{
    struct tap *t = container_of(n, struct tap, nic);
    int r = t->gone ? -ENETDOWN : 0;

    for (unsigned int i = 0; i < n->info.pairs && r == 0; i++)
        r = tap_switch(&t->pair[i], i < pairs);
    return r;
}

static void tap_unwatch(struct tap *t)
{
    for (unsigned int i = 0; i < t->nic.info.pairs; i++)
        loop_del(&t->pair[i].lf);
}

static int tap_attach(struct nic *n, struct loop *loop)
{
    struct tap *t = container_of(n, struct tap, nic);
    int r = 0;

    t->loop = loop;
    for (unsigned int i = 0; i < n->info.pairs && r == 0; i++)
        r = loop_add(loop, &t->pair[i].lf, 0);
    if (r == 0)
        r = tap_set_pairs(n, 1);
    if (r < 0)
        tap_unwatch(t);
    return r;
}

static void tap_free(struct nic *n)
{
    struct tap *t = container_of(n, struct tap, nic);

    tap_unwatch(t);
    for (unsigned int i = 0; i < n->info.pairs; i++)
        close(t->pair[i].lf.fd);
    free(t);
}

static const struct nic_ops tap_ops = {
    .name = "tap",
    .attach = tap_attach,
    .recv = tap_recv,
    .send = tap_send,
    .set_offloads = tap_set_offloads,
    .set_pairs = tap_set_pairs,
    .want_recv = tap_want_recv,
    .want_send = tap_want_send,
    .free = tap_free,
};

/* ---- opening: on main --------------------------------------------------- */

/* Asked of a socket: a mounted /sys may show another network namespace. */
static bool tap_exists(const char *name)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool there;

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    there = fd >= 0 && ioctl(fd, SIOCGIFINDEX, &ifr) == 0;
    if (fd >= 0)
        close(fd);
    return there;
}

/* What the operator can do about a refused TUNSETIFF. */
static int tap_explain(const struct tap *t, const char *name, int err)
{
    bool there = tap_exists(name);

    if (err == EPERM && !there)
        return fail(-err,
                    "%s: no such interface, and no right to make one; as "
                    "root: ip tuntap add dev %s mode tap user $USER",
                    t->name, name);
    if (err == EPERM)
        return fail(-err,
                    "%s: belongs to somebody else; make it anew, as root: ip "
                    "tuntap add dev %s mode tap user $USER",
                    t->name, name);
    if (err == EBUSY)
        return fail(-err, "%s: another process has it", t->name);
    if (err == EINVAL && t->nic.info.pairs > 1)
        return fail(-err,
                    "%s: not a tap of several queues; ip tuntap add dev %s "
                    "mode tap multi_queue makes one",
                    t->name, name);
    if (err == EINVAL)
        return fail(-err, "%s: not a tap interface", t->name);
    return fail(-err, "%s", t->name);
}

/*
 * Attach fd to the interface. The kernel insists that IFF_MULTI_QUEUE says
 * what the interface was made with, so one pair is tried both ways.
 */
static int tap_attach_fd(struct tap *t, int fd, const char *name)
{
    struct ifreq ifr = {.ifr_flags = TAP_FLAGS};
    bool one = t->nic.info.pairs == 1;

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (!one)
        ifr.ifr_flags |= IFF_MULTI_QUEUE;
    if (ioctl(fd, TUNSETIFF, &ifr) == 0)
        return 0;
    if (errno != EINVAL || !one)
        return tap_explain(t, name, errno);
    ifr.ifr_flags = TAP_FLAGS | IFF_MULTI_QUEUE;
    if (ioctl(fd, TUNSETIFF, &ifr) < 0)
        return tap_explain(t, name, errno);
    return 0;
}

static int tap_open_device(const struct tap *t, const char *path)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == ENOENT && strcmp(path, "/dev/net/tun") == 0)
        return fail(-errno, "%s: %s (modprobe tun, as root)", t->name, path);
    return fail(-errno, "%s: %s", t->name, path);
}

static int tap_open_name(struct tap *t, const char *name)
{
    bool there = tap_exists(name);

    for (unsigned int i = 0; i < t->nic.info.pairs; i++) {
        int r, fd = tap_open_device(t, "/dev/net/tun");

        if (fd < 0)
            return fd;
        t->pair[i].lf.fd = fd;
        r = tap_attach_fd(t, fd, name);
        if (r < 0)
            return r;
    }
    if (!there)
        log_warn("%s: made, as there was none; it is down until you set it up",
                 t->name);
    return 0;
}

/* A macvtap is attached by its device node; the name is the kernel's. */
static int tap_open_path(struct tap *t, const char *path)
{
    struct ifreq ifr = {.ifr_flags = TAP_FLAGS};

    if (t->nic.info.pairs > 1)
        ifr.ifr_flags |= IFF_MULTI_QUEUE;
    for (unsigned int i = 0; i < t->nic.info.pairs; i++) {
        int fd = tap_open_device(t, path);

        if (fd < 0)
            return fd;
        t->pair[i].lf.fd = fd;
        if (ioctl(fd, TUNSETIFF, &ifr) < 0)
            return fail(-errno, "%s: not a macvtap device", t->name);
    }
    return 0;
}

static int tap_check_fd(struct tap *t, int fd)
{
    struct ifreq ifr = {0};
    int flags;

    if (t->nic.info.pairs > 1)
        return fail_rule(-EINVAL, "%s: one descriptor is one queue pair",
                         t->name);
    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return fail(-errno, "%s: not an attached tap", t->name);
    if ((ifr.ifr_flags & TAP_FLAGS) != TAP_FLAGS)
        return fail_rule(-EINVAL,
                         "%s: %s was not opened with IFF_TAP, IFF_NO_PI and "
                         "IFF_VNET_HDR",
                         t->name, ifr.ifr_name);
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return fail(-errno, "%s", t->name);
    return 0;
}

/* The header's length, and which offloads this kernel knows. They stay off
 * until the guest has accepted them. */
static int tap_set_up(struct tap *t)
{
    static const u32 sets[] = {NIC_CSUM | NIC_TSO4 | NIC_TSO6, NIC_CSUM};
    int len = NIC_HDR_LEN;

    for (unsigned int i = 0; i < t->nic.info.pairs; i++) {
        t->nic.fd[t->nic.nr_fds++] = t->pair[i].lf.fd;
        if (ioctl(t->pair[i].lf.fd, TUNSETVNETHDRSZ, &len) < 0)
            return fail(-errno, "%s: vnet headers of 12 bytes", t->name);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(sets) && !t->nic.info.offloads; i++)
        if (ioctl(t->pair[0].lf.fd, TUNSETOFFLOAD,
                  tap_offload_flags(sets[i])) == 0)
            t->nic.info.offloads = sets[i];
    return tap_set_offloads(&t->nic, 0);
}

static int tap_check_options(const struct tap_options *opt)
{
    if (opt->pairs < 1 || opt->pairs > NIC_PAIR_MAX)
        return fail_rule(-EINVAL, "tap: %u queue pairs; 1 to %u are possible",
                         opt->pairs, NIC_PAIR_MAX);
    if (!opt->name || strncmp(opt->name, "/dev/", 5) == 0)
        return 0;
    if (!opt->name[0] || strlen(opt->name) >= IFNAMSIZ ||
        strpbrk(opt->name, "/% \t\n"))
        return fail_rule(-EINVAL,
                         "tap \"%s\": neither an interface name of 1 to %d "
                         "characters nor a path below /dev",
                         opt->name, IFNAMSIZ - 1);
    return 0;
}

static void tap_init(struct tap *t, const struct tap_options *opt)
{
    *t = (struct tap){
        .nic = {.ops = &tap_ops, .info = {.pairs = opt->pairs, .link = true}},
        .reported = -1,
    };
    if (opt->name)
        snprintf(t->name, sizeof(t->name), "tap %s", opt->name);
    else
        snprintf(t->name, sizeof(t->name), "tap descriptor %d", opt->fd);
    for (unsigned int i = 0; i < NIC_PAIR_MAX; i++)
        t->pair[i] = (struct tap_pair){
            .lf = {.fd = -1, .fn = tap_event}, .tap = t, .on = true};
}

int tap_open(struct nic **out, const struct tap_options *opt)
{
    struct tap *t;
    int r = tap_check_options(opt);

    if (r < 0)
        return r;
    t = malloc(sizeof(*t));
    if (!t)
        return fail(-ENOMEM, "tap");
    tap_init(t, opt);
    if (!opt->name) {
        r = tap_check_fd(t, opt->fd);
        t->pair[0].lf.fd = r < 0 ? -1 : opt->fd;
    } else if (opt->name[0] == '/') {
        r = tap_open_path(t, opt->name);
    } else {
        r = tap_open_name(t, opt->name);
    }
    if (r == 0)
        r = tap_set_up(t);
    if (r < 0)
        goto free_tap;
    *out = &t->nic;
    return 0;

free_tap:
    if (!opt->name)
        t->pair[0].lf.fd = -1; /* still the caller's */
    for (unsigned int i = 0; i < opt->pairs; i++)
        if (t->pair[i].lf.fd >= 0)
            close(t->pair[i].lf.fd);
    free(t);
    return r;
}
