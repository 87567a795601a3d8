/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: the process that talks to Ceph: one cluster, some images */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/rbd.h"

#include "image.h"
#include "worker_jail.h"

/* Without an answer for this long a cluster is called stalled. */
#define WORKER_STALL_S 5
#define WORKER_TICK_MS 1000 /* while requests are in flight */
#define WORKER_IDLE_S  1
#define WORKER_EVENTS  16

struct worker {
    struct rbd_spec *spec; /* the keeper's memory, too */
    struct rbd_lib lib;
    struct cluster cluster;
    struct worker_jail jail;
    int epfd, spec_fd, stop_fd;
    bool stop;
    u64 answers; /* as last counted */
    time_t answered_at;
    bool stalled;
    struct image image[RBD_IMAGE_MAX];
};

static time_t worker_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* ---- is the cluster there? ----------------------------------------------- */

static void worker_set_stalled(struct worker *w, bool stalled, time_t now)
{
    long seconds = (long)(now - w->answered_at);

    w->stalled = stalled;
    for (u32 i = 0; i < w->spec->nr_images; i++) {
        struct image *im = &w->image[i];

        if (stalled)
            atomic_fetch_or(&im->ring->flags, RBD_F_STALLED);
        else
            atomic_fetch_and(&im->ring->flags, ~(u32)RBD_F_STALLED);
    }
    if (stalled)
        log_warn("rbd: the cluster has not answered for %ld s; requests wait",
                 seconds);
    else
        log_info("rbd: the cluster answers again, after %ld s", seconds);
}

/* Called at least once a second while anything is in flight. */
static void worker_watch_answers(struct worker *w)
{
    time_t now = worker_now();
    u64 answers = 0;
    u32 waiting = 0;

    for (u32 i = 0; i < w->spec->nr_images; i++) {
        answers += atomic_load(&w->image[i].answers);
        waiting += atomic_load(&w->image[i].in_flight);
    }
    if (answers != w->answers || waiting == 0) {
        if (w->stalled)
            worker_set_stalled(w, false, now);
        w->answers = answers;
        w->answered_at = now;
    } else if (!w->stalled && now - w->answered_at >= WORKER_STALL_S) {
        worker_set_stalled(w, true, now);
    }
}

/* The same. */
static void worker_watch_idle(struct worker *w)
{
    time_t now = worker_now();

    for (u32 i = 0; i < w->spec->nr_images; i++) {
        struct image *im = &w->image[i];

        if (im->used && now - im->used_at > WORKER_IDLE_S &&
            atomic_load(&im->in_flight) == 0)
            image_idle(im);
    }
}

/* For ever, while nobody waits for an answer, or for the idle. */
static int worker_timeout(const struct worker *w)
{
    int timeout = -1;

    for (u32 i = 0; i < w->spec->nr_images; i++) {
        if (w->image[i].more)
            return 0;
        if (w->image[i].used || atomic_load(&w->image[i].in_flight) > 0)
            timeout = WORKER_TICK_MS;
    }
    return timeout;
}

/* ---- serving ------------------------------------------------------------- */

/* What an event is about: nothing (stop), or two numbers for each image. */
enum { WORKER_SUBMIT, WORKER_CHANGED, WORKER_KINDS };

/* Each write is an event; so that of these nothing need be read. */
static int worker_watch_fd(struct worker *w, int fd, u32 tag)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u32 = tag};

    if (epoll_ctl(w->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return fail(-errno, "rbd: worker: epoll_ctl");
    return 0;
}

static int worker_watch_all(struct worker *w)
{
    int r;

    w->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (w->epfd < 0)
        return fail(-errno, "rbd: worker: epoll_create1");
    r = worker_watch_fd(w, w->stop_fd, 0);
    for (u32 i = 0; r == 0 && i < w->spec->nr_images; i++) {
        struct image *im = &w->image[i];
        u32 tag = 1 + i * WORKER_KINDS;

        r = worker_watch_fd(w, im->spec->submit_fd, tag + WORKER_SUBMIT);
        if (r == 0)
            r = worker_watch_fd(w, im->changed_fd, tag + WORKER_CHANGED);
    }
    return r;
}

static void worker_event(struct worker *w, u32 tag)
{
    struct image *im = &w->image[(tag - 1) / WORKER_KINDS];

    if ((tag - 1) % WORKER_KINDS == WORKER_CHANGED)
        image_changed(im);
    else
        im->more = true;
}

static void worker_serve_all(struct worker *w)
{
    for (u32 i = 0; i < w->spec->nr_images; i++)
        if (w->image[i].more) {
            w->image[i].more = image_serve(&w->image[i]) == 1;
            w->image[i].used = true;
            w->image[i].used_at = worker_now();
        }
}

static void worker_serve(struct worker *w)
{
    struct epoll_event ev[WORKER_EVENTS];

    while (!w->stop) {
        int timeout = worker_timeout(w);
        int n = epoll_wait(w->epfd, ev, WORKER_EVENTS, timeout);

        if (timeout < 0) /* nobody was waiting until now */
            w->answered_at = worker_now();
        for (int i = 0; i < n; i++) {
            if (ev[i].data.u32 == 0)
                w->stop = true;
            else
                worker_event(w, ev[i].data.u32);
        }
        worker_serve_all(w);
        worker_watch_answers(w);
        worker_watch_idle(w);
    }
}

/* ---- start and end ------------------------------------------------------- */

/* Everybody waits for an image that cannot come: tell them. */
static void worker_fail_all(struct worker *w, int err)
{
    for (u32 i = 0; i < w->spec->nr_images; i++)
        if (w->spec->gen == 1 || err != -ETIMEDOUT)
            image_fail(&w->image[i], RBD_FAILED, err);
}

/* All that needs files, then the door is shut. */
static int worker_prepare(struct worker *w)
{
    int r = worker_jail_begin(&w->jail, w->spec, w->spec_fd, w->stop_fd);

    for (u32 i = 0; r == 0 && i < w->spec->nr_images; i++)
        r = image_init(&w->image[i], &w->cluster, &w->spec->image[i],
                       w->spec->gen);
    if (r == 0)
        r = rbd_lib_load(&w->lib);
    if (r == 0)
        r = cluster_prepare(&w->cluster, &w->lib, &w->spec->cluster);
    return r < 0 ? r : worker_jail_seal(&w->jail, w->spec, w->spec_fd);
}

/* No image is READY before the last filter: requests are the first thing that
 * a guest has a say in. */
static int worker_open(struct worker *w)
{
    int r = worker_prepare(w);

    if (r == 0)
        r = cluster_connect(&w->cluster);
    if (r < 0)
        worker_fail_all(w, r);
    for (u32 i = 0; r == 0 && i < w->spec->nr_images; i++)
        r = image_open(&w->image[i], w->spec->owner);
    if (r == 0)
        r = worker_watch_all(w);
    if (r == 0)
        r = worker_jail_narrow(&w->jail);
    for (u32 i = 0; r == 0 && i < w->spec->nr_images; i++)
        r = image_ready(&w->image[i]);
    return r;
}

static void worker_close(struct worker *w)
{
    for (u32 i = 0; i < w->spec->nr_images; i++)
        image_close(&w->image[i]);
    cluster_close(&w->cluster);
}

int rbd_worker_main(int spec_fd, int stop_fd)
{
    struct worker *w = calloc(1, sizeof(*w));
    int r;

    if (!w) {
        fail(-ENOMEM, "rbd: worker");
        return STATUS_FAILURE;
    }
    prctl(PR_SET_NAME, "mote-rbd-worker"); /* not "exe" */
    w->spec_fd = spec_fd;
    w->stop_fd = stop_fd;
    w->spec = spec_map(spec_fd);
    if (w->spec)
        log_join(&w->spec->log);
    r = w->spec ? worker_open(w) : -EINVAL;
    if (r == 0)
        worker_serve(w);
    if (w->spec)
        worker_close(w);
    free(w);
    return r == 0 ? STATUS_OK : STATUS_FAILURE;
}
