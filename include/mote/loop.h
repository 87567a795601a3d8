/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h: an epoll loop, level-triggered, run by exactly one thread. Sources
 * are embedded in their owners and added before the loop runs or on the loop's
 * own thread; nothing is allocated after loop_init().
 */
#ifndef MOTE_LOOP_H
#define MOTE_LOOP_H

#include <sys/epoll.h>

#include "mote/base.h"
#include "mote/poll.h"
#include "mote/thread.h"

struct loop;
struct loop_fd;
struct loop_call;

/* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as epoll_wait gave them. */
typedef void loop_fd_fn(struct loop_fd *lf, u32 events);
typedef void loop_call_fn(struct loop_call *call);

struct loop_fd {
    int fd; /* the owner's; the loop never closes it */
    loop_fd_fn *fn;
    struct loop *loop; /* NULL while not added */
};

/* A request to run fn on the loop's thread; on the caller's stack. */
struct loop_call {
    loop_call_fn *fn;
    int result;
    bool done;
    struct loop_call *next;
};

struct loop {
    int epfd;
    int wake_fd;
    struct loop_fd wake;
    struct lock lock; /* guards calls; held for a few instructions */
    pthread_cond_t cond;
    struct loop_call *calls;
    _Atomic(bool) stop;
    struct poll poll; /* of loop_run(): off, but for who calls poll_init() */
    bool timed; /* a timer of the owner's ends this wait: no look. Its thread */
};

int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);

/* Watch lf->fd. 0 or a negative errno, already reported. */
int loop_add(struct loop *loop, struct loop_fd *lf, u32 events);
int loop_mod(struct loop_fd *lf, u32 events);
void loop_del(struct loop_fd *lf);

/* Wait for events, -1: for ever, and serve them. On the loop's thread. */
void loop_turn(struct loop *loop, int timeout_ms);

/* Serve until loop_stop(). The calling thread becomes the loop's. */
void loop_run(struct loop *loop);

/* Any thread, also a signal handler. */
void loop_stop(struct loop *loop);

/*
 * Run call->fn on the loop's thread and wait for loop_done(call, result).
 * Returns that result. Never from the loop's own thread.
 */
int loop_call(struct loop *loop, struct loop_call *call);

/*
 * The same in two steps, for a caller that cannot wait for ever. When
 * loop_wait() gives up with -ETIMEDOUT the call is still under way: it must
 * stay where it is, and may be waited for again.
 */
void loop_post(struct loop *loop, struct loop_call *call);
int loop_wait(struct loop *loop, struct loop_call *call,
              unsigned int timeout_ms);

/* From the loop's thread, in or after fn: the caller goes on. */
void loop_done(struct loop *loop, struct loop_call *call, int result);

#endif
