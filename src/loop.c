/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c: one epoll set, one eventfd to wake it, a list of calls to answer */
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/log.h"
#include "mote/loop.h"

#define LOOP_BATCH 16

static void loop_wake(struct loop *loop)
{
    u64 one = 1;

    /* EAGAIN means the counter is full, so the loop is awake anyway. */
    (void)!write(loop->wake_fd, &one, sizeof(one));
}

static struct loop_call *loop_next_call(struct loop *loop)
{
    struct loop_call *call;

    lock_take(&loop->lock);
    call = loop->calls;
    if (call)
        loop->calls = call->next;
    lock_drop(&loop->lock);
    return call;
}

static void loop_on_wake(struct loop_fd *lf, u32 events)
{
    struct loop *loop = container_of(lf, struct loop, wake);
    struct loop_call *call;
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    while ((call = loop_next_call(loop)))
        call->fn(call);
}

int loop_init(struct loop *loop)
{
    int r;

    *loop = (struct loop){.epfd = -1, .wake_fd = -1};
    lock_init(&loop->lock);
    pthread_cond_init(&loop->cond, NULL);
    loop->epfd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epfd < 0 || loop->wake_fd < 0) {
        r = fail(-errno, "event loop");
        goto fini;
    }
    loop->wake = (struct loop_fd){.fd = loop->wake_fd, .fn = loop_on_wake};
    r = loop_add(loop, &loop->wake, EPOLLIN);
    if (r < 0)
        goto fini;
    return 0;

fini:
    loop_fini(loop);
    return r;
}

void loop_fini(struct loop *loop)
{
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epfd >= 0)
        close(loop->epfd);
    loop->wake_fd = loop->epfd = -1;
    pthread_cond_destroy(&loop->cond);
    lock_fini(&loop->lock);
}

static int loop_ctl(struct loop *loop, int op, struct loop_fd *lf, u32 events)
{
    struct epoll_event ev = {.events = events, .data.ptr = lf};

    if (epoll_ctl(loop->epfd, op, lf->fd, &ev) < 0)
        return -errno;
    return 0;
}

int loop_add(struct loop *loop, struct loop_fd *lf, u32 events)
{
    int r = loop_ctl(loop, EPOLL_CTL_ADD, lf, events);

    if (r < 0)
        return fail(r, "event loop: watch fd %d", lf->fd);
    lf->loop = loop;
    return 0;
}

int loop_mod(struct loop_fd *lf, u32 events)
{
    int r = loop_ctl(lf->loop, EPOLL_CTL_MOD, lf, events);

    return r < 0 ? fail(r, "event loop: change fd %d", lf->fd) : 0;
}

void loop_del(struct loop_fd *lf)
{
    if (!lf->loop)
        return;
    loop_ctl(lf->loop, EPOLL_CTL_DEL, lf, 0);
    lf->loop = NULL;
}

static void loop_serve(const struct epoll_event *ev, int n)
{
    for (int i = 0; i < n; i++) {
        struct loop_fd *lf = ev[i].data.ptr;

        /* An earlier handler of this batch may have removed it; owners
         * outlive the loop, so looking is safe. */
        if (lf->loop)
            lf->fn(lf, ev[i].events);
    }
}

void loop_turn(struct loop *loop, int timeout_ms)
{
    struct epoll_event ev[LOOP_BATCH];
    int n = epoll_wait(loop->epfd, ev, LOOP_BATCH, timeout_ms);

    loop_serve(ev, n);
}

/* Look out for events before sleeping, as long as that has paid of late. All
 * kinds of them, so that none is served later than by a thread that sleeps. Who
 * has set a timer has chosen to wait: that says nothing of other waits. */
static int loop_rest(struct loop *loop, struct epoll_event *ev)
{
    u64 start;
    int n = 0;

    if (loop->poll.max_ns == 0 || loop->timed)
        return epoll_wait(loop->epfd, ev, LOOP_BATCH, -1);
    start = monotonic_ns();
    while (n == 0 && monotonic_ns() - start < loop->poll.ns)
        n = epoll_wait(loop->epfd, ev, LOOP_BATCH, 0);
    if (n == 0)
        n = epoll_wait(loop->epfd, ev, LOOP_BATCH, -1);
    poll_waited(&loop->poll, monotonic_ns() - start);
    return n;
}

void loop_run(struct loop *loop)
{
    struct epoll_event ev[LOOP_BATCH];

    while (!atomic_load(&loop->stop)) {
        int n = loop_rest(loop, ev);

        loop_serve(ev, n);
    }
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stop, true);
    loop_wake(loop);
}

void loop_post(struct loop *loop, struct loop_call *call)
{
    struct loop_call **tail = &loop->calls;

    call->done = false;
    call->next = NULL;
    lock_take(&loop->lock);
    while (*tail)
        tail = &(*tail)->next;
    *tail = call;
    loop_wake(loop);
    lock_drop(&loop->lock);
}

int loop_call(struct loop *loop, struct loop_call *call)
{
    loop_post(loop, call);
    lock_take(&loop->lock);
    while (!call->done)
        pthread_cond_wait(&loop->cond, &loop->lock.mutex);
    lock_drop(&loop->lock);
    return call->result;
}

static struct timespec loop_deadline(unsigned int ms)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

int loop_wait(struct loop *loop, struct loop_call *call,
              unsigned int timeout_ms)
{
    struct timespec end = loop_deadline(timeout_ms);
    int r = 0;

    lock_take(&loop->lock);
    while (!call->done && r == 0)
        r = pthread_cond_clockwait(&loop->cond, &loop->lock.mutex,
                                   CLOCK_MONOTONIC, &end);
    r = call->done ? call->result : -ETIMEDOUT;
    lock_drop(&loop->lock);
    return r;
}

void loop_done(struct loop *loop, struct loop_call *call, int result)
{
    lock_take(&loop->lock);
    call->result = result;
    call->done = true;
    pthread_cond_broadcast(&loop->cond);
    lock_drop(&loop->lock);
}
