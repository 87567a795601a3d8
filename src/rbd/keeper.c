/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.c: the parent of one worker: starts it, starts it anew when it dies,
 * has it finish when the VM has ended, however it ended. It outlives mote, so
 * that a clone goes even after SIGKILL.
 *
 * It is outside of its worker's jail, as the supervisor is outside of the
 * monitor's: the worker makes namespaces with what rights mote was started
 * with, and may be another user's. So it keeps those, but the descriptors are
 * only the worker's, and it listens to nobody: what it takes from a worker is
 * its end, and two texts for the next one.
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
    struct rbd_spec *spec; /* its own: what a worker cannot have changed */
    struct rbd_spec *shared;
    int spec_fd;   /* of shared */
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

static void keeper_take_text(char to[static RBD_NAME_MAX], const char *from)
{
    memcpy(to, from, RBD_NAME_MAX);
    to[RBD_NAME_MAX - 1] = '\0';
}

/* A worker notes who it is to the cluster, for the next one to fence it. All
 * else that it may have written is gone. */
static void keeper_renew_spec(struct keeper *k)
{
    struct rbd_spec *own = k->spec;

    keeper_take_text(own->cluster.address, k->shared->cluster.address);
    for (u32 i = 0; i < own->nr_images; i++)
        keeper_take_text(own->image[i].holder, k->shared->image[i].holder);
    own->gen++;
    *k->shared = *own;
}

static int keeper_start_worker(struct keeper *k)
{
    int pipe_fd[2];

    if (pipe2(pipe_fd, O_CLOEXEC) < 0)
        return fail(-errno, "rbd: keeper: pipe2");
    keeper_renew_spec(k);
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
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        log_error("rbd: the worker made a system call that its filter does not "
                  "allow (--seccomp=log lets the kernel's log name it); %s",
                  then);
    else if (WIFSIGNALED(status))
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

static int keeper_init(struct keeper *k)
{
    int r;

    k->shared = spec_map(k->spec_fd);
    if (!k->shared)
        return -EINVAL;
    k->spec = malloc(sizeof(*k->spec));
    if (!k->spec)
        return fail(-ENOMEM, "rbd: keeper");
    *k->spec = *k->shared;
    log_join(&k->spec->log);
    r = spec_close_others(k->spec, k->spec_fd, k->stop_fd);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0) < 0)
        return fail(-errno, "rbd: keeper: prctl");
    fcntl(k->stop_fd, F_SETFD, FD_CLOEXEC);
    keeper_leave_terminal();
    owner_self(k->spec->owner, sizeof(k->spec->owner));
    return 0;
}

static int keeper_run(struct keeper *k)
{
    bool again = true;

    while (again && keeper_start_worker(k) == 0) {
        if (!keeper_wait(k)) {
            keeper_finish(k);
            return STATUS_OK;
        }
        again = keeper_bury(k, keeper_reap(k));
    }
    keeper_tell(k, RBD_LATCHED, -EIO);
    return STATUS_FAILURE;
}

int rbd_keeper_main(int spec_fd, int stop_fd)
{
    struct keeper k = {.spec_fd = spec_fd,
                       .stop_fd = stop_fd,
                       .finish_fd = -1,
                       .worker_fd = -1};
    int status = keeper_init(&k) < 0 ? STATUS_FAILURE : keeper_run(&k);

    free(k.spec);
    return status;
}
