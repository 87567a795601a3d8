/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_fd.c: descriptors without a kernel, for devices that wait for them:
 * eventfds, timerfds on the clock of host.c, epoll sets of these, and streams
 * between a device and the target that plays its host. The Makefile's FUZZWRAP
 * diverts the calls to here; descriptors that are none of ours go on to the
 * kernel. Nothing ever waits.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fuzz.h"

#define FD_FIRST 10000 /* no process here has that many */
#define FD_MAX   256
#define ROOM     (64 * KIB) /* of a stream's buffer */
#define CALLERS  4          /* who wait at a door */

struct stream {
    struct host_fd *peer; /* NULL: it has closed */
    int err;              /* told once */
    u32 start, end, room;
    u8 *buf; /* what the peer has sent; kept for the next user */
};

struct host_fd {
    enum {
        FD_FREE,
        FD_EVENT,
        FD_TIMER,
        FD_SET,
        FD_STREAM,
        FD_DOOR,
        FD_FILE
    } kind;
    u64 count;    /* of an event */
    u64 ns, each; /* of a timer: when it is due, 0: never; and again */
    int caller[CALLERS];
    unsigned int nr_callers;
    struct stream s;
    int set; /* that watches it, 0: none */
    struct epoll_event watch;
};

static struct host_fd fds[FD_MAX];
static unsigned int nr_fds; /* that were ever used */

int __real_close(int fd);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __wrap_eventfd(unsigned int count, int flags);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *at,
                           struct itimerspec *old);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int max, int ms);
int __wrap_close(int fd);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);

static struct host_fd *fd_ours(int fd)
{
    struct host_fd *h;

    if (fd < FD_FIRST || fd >= FD_FIRST + FD_MAX)
        return NULL;
    h = &fds[fd - FD_FIRST];
    assert(h->kind != FD_FREE); /* closed twice, or used after */
    return h;
}

static int host_fd_new(unsigned int kind)
{
    int fd = FD_FIRST;
    struct host_fd *h = fds;

    while (h->kind != FD_FREE && fd < FD_FIRST + FD_MAX - 1)
        h++, fd++;
    assert(h->kind == FD_FREE); /* a leak of descriptors */
    *h = (struct host_fd){.kind = kind, .s.buf = h->s.buf};
    nr_fds = MAX(nr_fds, (unsigned int)(fd - FD_FIRST + 1));
    return fd;
}

static ssize_t host_fail(int err)
{
    errno = err;
    return -1;
}

int fuzz_file(void)
{
    return host_fd_new(FD_FILE);
}

bool fuzz_is_file(int fd)
{
    struct host_fd *h = fd_ours(fd);

    return h && h->kind == FD_FILE;
}

/* ---- events and timers -------------------------------------------------- */

int __wrap_eventfd(unsigned int count, int flags)
{
    int fd = host_fd_new(FD_EVENT);

    fd_ours(fd)->count = count;
    return fd;
}

int __wrap_timerfd_create(int clock, int flags)
{
    return host_fd_new(FD_TIMER);
}

static u64 host_ns(const struct timespec *ts)
{
    return (u64)ts->tv_sec * 1000000000u + (u64)ts->tv_nsec;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *at,
                           struct itimerspec *old)
{
    struct host_fd *h = fd_ours(fd);

    assert(h && h->kind == FD_TIMER);
    h->ns = host_ns(&at->it_value);
    h->each = host_ns(&at->it_interval);
    if (h->ns && !(flags & TFD_TIMER_ABSTIME))
        h->ns += fuzz_now;
    return 0;
}

/* Both are read as a number of times. */
static ssize_t host_count(struct host_fd *h, void *buf, size_t len)
{
    bool due = h->kind == FD_TIMER && h->ns && h->ns <= fuzz_now;
    u64 count = h->kind == FD_EVENT ? h->count : due;

    assert(len == sizeof(count));
    if (count == 0)
        return host_fail(EAGAIN);
    if (due)
        h->ns = h->each ? fuzz_now + h->each : 0;
    h->count = 0;
    memcpy(buf, &count, sizeof(count));
    return sizeof(count);
}

/* ---- streams ------------------------------------------------------------ */

static void host_stream(struct host_fd *h, struct host_fd *peer, u32 room)
{
    if (!h->s.buf)
        h->s.buf = malloc(ROOM);
    assert(h->s.buf && room <= ROOM);
    h->s.peer = peer;
    h->s.room = room;
}

void fuzz_pair(int fd[2], u32 room)
{
    struct host_fd *a, *b;

    fd[0] = host_fd_new(FD_STREAM);
    fd[1] = host_fd_new(FD_STREAM);
    a = fd_ours(fd[0]);
    b = fd_ours(fd[1]);
    host_stream(a, b, room);
    host_stream(b, a, room);
}

int fuzz_door(void)
{
    return host_fd_new(FD_DOOR);
}

int fuzz_call(int door, u32 room)
{
    struct host_fd *h = fd_ours(door);
    int fd[2];

    assert(h && h->kind == FD_DOOR);
    if (h->nr_callers == CALLERS)
        return -1;
    fuzz_pair(fd, room);
    h->caller[h->nr_callers++] = fd[0];
    return fd[1];
}

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct host_fd *h = fd_ours(fd);
    int caller;

    if (!h)
        return __real_accept4(fd, addr, len, flags);
    if (h->nr_callers == 0)
        return (int)host_fail(EAGAIN);
    caller = h->caller[0];
    memmove(h->caller, h->caller + 1, --h->nr_callers * sizeof(caller));
    return caller;
}

static int host_take_error(struct host_fd *h)
{
    int err = h->s.err;

    h->s.err = 0;
    return err;
}

static ssize_t host_recv(struct host_fd *h, void *buf, size_t len)
{
    struct stream *s = &h->s;
    size_t n = MIN(len, (size_t)(s->end - s->start));

    if (s->err)
        return host_fail(host_take_error(h));
    if (n == 0)
        return s->peer && len > 0 ? host_fail(EAGAIN) : 0;
    memcpy(buf, s->buf + s->start, n);
    s->start += (u32)n;
    return (ssize_t)n;
}

static ssize_t host_send(struct host_fd *h, const void *buf, size_t len)
{
    struct stream *to = h->s.peer ? &h->s.peer->s : NULL;
    u32 have = to ? to->end - to->start : 0;

    if (h->s.err)
        return host_fail(host_take_error(h));
    if (!to)
        return host_fail(EPIPE);
    len = MIN(len, (size_t)(to->room - have));
    if (len == 0)
        return host_fail(EAGAIN);
    if (to->end + len > to->room) {
        memmove(to->buf, to->buf + to->start, have);
        to->start = 0;
        to->end = have;
    }
    memcpy(to->buf + to->end, buf, len);
    to->end += (u32)len;
    return (ssize_t)len;
}

/* As unix(7): who has not read all breaks the connection. */
static void host_hang_up(struct host_fd *h)
{
    struct host_fd *peer = h->s.peer;

    if (!peer)
        return;
    peer->s.peer = NULL;
    peer->s.err = h->s.end > h->s.start ? ECONNRESET : 0;
}

/* ---- all of them -------------------------------------------------------- */

int __wrap_close(int fd)
{
    struct host_fd *h = fd_ours(fd);

    if (!h)
        return __real_close(fd);
    host_hang_up(h);
    for (unsigned int i = 0; i < h->nr_callers; i++)
        __wrap_close(h->caller[i]);
    h->kind = FD_FREE;
    h->set = 0;
    return 0;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    struct host_fd *h = fd_ours(fd);

    if (!h)
        return __real_read(fd, buf, len);
    return h->kind == FD_STREAM ? host_recv(h, buf, len)
                                : host_count(h, buf, len);
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    struct host_fd *h = fd_ours(fd);
    u64 count;

    if (!h)
        return __real_write(fd, buf, len);
    if (h->kind == FD_STREAM)
        return host_send(h, buf, len);
    assert(h->kind == FD_EVENT && len == sizeof(count));
    memcpy(&count, buf, sizeof(count));
    h->count += count;
    return sizeof(count);
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
    struct host_fd *h = fd_ours(fd);

    return h ? host_send(h, buf, len) : __real_send(fd, buf, len, flags);
}

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
    struct host_fd *h = fd_ours(fd);

    return h ? host_recv(h, buf, len) : __real_recv(fd, buf, len, flags);
}

/* ---- sets --------------------------------------------------------------- */

int __wrap_epoll_create1(int flags)
{
    return host_fd_new(FD_SET);
}

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
    struct host_fd *h = fd_ours(fd);

    if (!h) /* as of files that are always ready */
        return (int)host_fail(EPERM);
    if (h->set && (op == EPOLL_CTL_ADD || h->set != epfd))
        return (int)host_fail(op == EPOLL_CTL_ADD ? EEXIST : ENOENT);
    if (!h->set && op != EPOLL_CTL_ADD)
        return (int)host_fail(ENOENT);
    h->set = op == EPOLL_CTL_DEL ? 0 : epfd;
    h->watch = *ev;
    return 0;
}

static u32 host_stream_ready(const struct stream *s)
{
    if (!s->peer)
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP |
               (s->err ? (u32)EPOLLERR : 0);
    return (s->end > s->start ? (u32)EPOLLIN : 0) |
           (s->peer->s.end - s->peer->s.start < s->peer->s.room ? (u32)EPOLLOUT
                                                                : 0);
}

static u32 host_ready(const struct host_fd *h)
{
    switch (h->kind) {
    case FD_EVENT:
        return h->count ? EPOLLIN | EPOLLOUT : EPOLLOUT;
    case FD_TIMER:
        return h->ns && h->ns <= fuzz_now ? EPOLLIN : 0;
    case FD_DOOR:
        return h->nr_callers ? EPOLLIN : 0;
    default:
        return host_stream_ready(&h->s);
    }
}

int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int max, int ms)
{
    int n = 0;

    for (unsigned int i = 0; i < nr_fds && n < max; i++) {
        struct host_fd *h = &fds[i];
        u32 ready;

        if (h->kind == FD_FREE || h->set != epfd)
            continue;
        ready = host_ready(h) & (h->watch.events | EPOLLHUP | EPOLLERR);
        if (ready)
            ev[n++] =
                (struct epoll_event){.events = ready, .data = h->watch.data};
    }
    return n;
}
