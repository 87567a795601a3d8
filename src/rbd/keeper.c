/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.c: the parent of one worker: starts it, starts it anew when it dies,
 * has it finish when the VM has ended, however it ended. It outlives mote, so
 * that a clone goes even after SIGKILL.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/log.h"
#include "mote/rbd.h"

#include "owner.h"
#include "ring.h"
#include "spec.h"

/* How long a worker may take to close and to remove its clones. */
#define KEEPER_FINISH_MS 8000

/* More deaths than this within the span, and the disks stay away. */
#define KEEPER_RESTARTS 3
#define KEEPER_SPAN_S   60

struct keeper {
    struct rbd_spec *spec;
    int spec_fd;
    int stop_fd;   /* end of file: the VM has ended */
    int finish_fd; /* closed to have the worker finish */
    pid_t worker;
    int worker_fd;                   /* pidfd */
    time_t started[KEEPER_RESTARTS]; /* the last ones */
};

static time_t keeper_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* ---- starting ------------------------------------------------------------ */

static int keeper_start_worker(struct keeper *k)
{
    int pipe_fd[2];

    if (pipe2(pipe_fd, O_CLOEXEC) < 0)
        return fail(-errno, "rbd: keeper: pipe2");
    k->spec->gen++;
    k->worker = spec_start(k->spec, k->spec_fd, "rbd-worker", pipe_fd[0]);
    close(pipe_fd[0]);
    k->finish_fd = pipe_fd[1];
    if (k->worker < 0)
        return k->worker;
    k->worker_fd = pidfd_open(k->worker, 0);
    if (k->worker_fd < 0)
        return fail(-errno, "rbd: keeper: pidfd_open");
    return 0;
}

/* Its wait status. */
static int keeper_reap(struct keeper *k)
{
    int status = 0;

    waitpid(k->worker, &status, 0);
    close(k->worker_fd);
    if (k->finish_fd >= 0)
        close(k->finish_fd);
    k->worker = 0;
    k->worker_fd = k->finish_fd = -1;
    return status;
}

/* ---- deaths -------------------------------------------------------------- */

/* Tell every device thread. A disk that has ended stays so. */
static void keeper_tell(const struct keeper *k, enum rbd_state state, int err)
{
    const struct rbd_spec *s = k->spec;

    for (u32 i = 0; i < s->nr_images; i++) {
        struct rbd_ring *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
                                  MAP_SHARED, s->image[i].ring_fd, 0);
        u32 now;

        if (r == MAP_FAILED)
            continue;
        now = atomic_load(&r->state);
        if (now != RBD_FAILED && now != RBD_LATCHED) {
            atomic_store(&r->err, err);
            atomic_store(&r->state, (u32)state);
        }
        (void)!write(s->image[i].done_fd, &(u64){1}, sizeof(u64));
        munmap(r, sizeof(*r));
    }
}

/* Has it died too often? Notes this time. */
static bool keeper_gives_up(struct keeper *k)
{
    time_t now = keeper_now(), oldest = k->started[KEEPER_RESTARTS - 1];

    if (oldest && now - oldest < KEEPER_SPAN_S)
        return true;
    memmove(k->started + 1, k->started,
            sizeof(k->started) - sizeof(k->started[0]));
    k->started[0] = now;
    return false;
}

static void keeper_say(int status, const char *then)
{
    if (WIFSIGNALED(status))
        log_error("rbd: the worker died of SIG%s; %s",
                  sigabbrev_np(WTERMSIG(status)), then);
    else
        log_error("rbd: the worker ended with status %d; %s",
                  WEXITSTATUS(status), then);
}

/* Start another one? */
static bool keeper_bury(struct keeper *k, int status)
{
    if (WIFEXITED(status) && k->spec->gen == 1) {
        keeper_tell(k, RBD_LATCHED, -EIO); /* it has said why */
        return false;
    }
    /* Writes the guest was told are done have died with the cache. */
    if (k->spec->cluster.cache == RBD_CACHE_WRITEBACK) {
        keeper_say(status, "its cache is lost, so its disks stay away");
        keeper_tell(k, RBD_LATCHED, -EIO);
        return false;
    }
    if (keeper_gives_up(k)) {
        keeper_say(status, "that is too often; its disks stay away");
        keeper_tell(k, RBD_LATCHED, -EIO);
        return false;
    }
    keeper_say(status, "starting another");
    keeper_tell(k, RBD_DEAD, 0);
    return true;
}

/* ---- the end ------------------------------------------------------------- */

static void keeper_finish(struct keeper *k)
{
    struct pollfd pf = {.fd = k->worker_fd, .events = POLLIN};

    close(k->finish_fd);
    k->finish_fd = -1;
    if (poll(&pf, 1, KEEPER_FINISH_MS) == 1) {
        keeper_reap(k);
        return;
    }
    kill(k->worker, SIGKILL);
    keeper_reap(k);
    log_error("rbd: the cluster did not answer within %u s at the end; an "
              "ephemeral clone may be left ('mote rbd-gc' removes it)",
              KEEPER_FINISH_MS / 1000);
}

/* True: the worker has died. */
static bool keeper_wait(const struct keeper *k)
{
    struct pollfd pf[] = {{.fd = k->stop_fd, .events = POLLIN},
                          {.fd = k->worker_fd, .events = POLLIN}};

    while (poll(pf, ARRAY_SIZE(pf), -1) < 0)
        ;
    return pf[0].revents == 0;
}

/* The terminal's signals are for mote; its end comes by stop_fd. */
static void keeper_leave_terminal(void)
{
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NAME, OWNER_COMM);
}

int rbd_keeper_main(int spec_fd, int stop_fd)
{
    struct keeper k = {.spec = spec_map(spec_fd),
                       .spec_fd = spec_fd,
                       .stop_fd = stop_fd,
                       .finish_fd = -1,
                       .worker_fd = -1};
    bool again = true;

    if (!k.spec)
        return STATUS_FAILURE;
    fcntl(stop_fd, F_SETFD, FD_CLOEXEC);
    keeper_leave_terminal();
    owner_self(k.spec->owner, sizeof(k.spec->owner));
    while (again && keeper_start_worker(&k) == 0) {
        if (!keeper_wait(&k)) {
            keeper_finish(&k);
            return STATUS_OK;
        }
        again = keeper_bury(&k, keeper_reap(&k));
    }
    keeper_tell(&k, RBD_LATCHED, -EIO);
    return STATUS_FAILURE;
}
