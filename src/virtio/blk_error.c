/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk_error.c: requests that the host has failed: told to the guest, the end of
 * the VM, or held until they succeed, with the VM at rest meanwhile.
 *
 * A held request has left the backend and keeps its chain, so the guest sees
 * a slow disk. What was in flight beside it comes home, or is held too; nothing
 * new is begun. All of them are tried again each second, and at blk_look().
 */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "mote/log.h"

#include "blk.h"

#define BLK_SAY_NS  1000000000u /* one line of trouble a second */
#define BLK_RETRY_S 1

static const char *blk_verb(enum disk_op op)
{
    static const char *const verb[] = {[DISK_READ] = "read",
                                       [DISK_WRITE] = "write",
                                       [DISK_FLUSH] = "flush",
                                       [DISK_DISCARD] = "discard",
                                       [DISK_ZEROES] = "write zeroes"};

    return verb[op];
}

/* The host has failed, as often as the guest likes to ask: once a second. */
void blk_say(struct blk *b, const struct disk_req *dr, int err)
{
    u64 now = monotonic_ns();

    if (b->said_ns && now - b->said_ns < BLK_SAY_NS) {
        b->unsaid++;
        return;
    }
    if (b->unsaid)
        log_error("drive %s: %llu more errors", b->dev.name,
                  (unsigned long long)b->unsaid);
    fail(err, "drive %s: %s of %llu bytes at %llu", b->dev.name,
         blk_verb(dr->op), (unsigned long long)dr->len,
         (unsigned long long)dr->off);
    b->said_ns = now;
    b->unsaid = 0;
}

/* ---- holding ------------------------------------------------------------ */

static void blk_arm(struct blk *b)
{
    struct itimerspec in = {.it_value.tv_sec = BLK_RETRY_S};

    timerfd_settime(b->again.fd, 0, &in, NULL);
}

static void blk_say_held(struct blk *b, const struct disk_req *dr, int err)
{
    log_error("drive %s: %s of %llu bytes at %llu: %s (%s): the VM is paused; "
              "%s; the request is tried again every second, or at once on "
              "SIGUSR1",
              b->dev.name, blk_verb(dr->op), (unsigned long long)dr->len,
              (unsigned long long)dr->off, strerrordesc_np(-err),
              errno_name(err),
              err == -ENOSPC || err == -EDQUOT ? "make room for its image"
                                               : "see to its image");
}

DEV_ONLY static void blk_hold(struct blk_req *req, int err)
{
    struct blk *b = req->blk;

    if (!b->held) {
        b->held_end = &b->held;
        blk_arm(b);
    }
    req->next = NULL;
    *b->held_end = req;
    b->held_end = &req->next;
    if (b->holding)
        return;
    blk_say_held(b, &req->dr, err);
    b->holding = true;
    b->held_ns = monotonic_ns();
    power_hold(b->power);
}

/* A driver that is gone waits for nothing. What a flush has lost is lost, and
 * the disk fails all later ones: the guest has to know. */
bool blk_failed(struct blk_req *req, int err)
{
    struct blk *b = req->blk;

    if (b->on_error == BLK_PAUSE && req->dr.op != DISK_FLUSH && b->dev.active &&
        !b->dev.broken) {
        blk_hold(req, err);
        return true;
    }
    blk_say(b, &req->dr, err);
    if (b->on_error == BLK_STOP)
        power_end(b->power, POWER_DISK_ERROR, 0);
    return false;
}

void blk_hold_over(struct blk *b)
{
    if (!b->holding || b->held || b->inflight > 0)
        return;
    b->holding = false;
    power_release(b->power);
    log_warn("drive %s: the VM goes on after %.1f s", b->dev.name,
             (double)(monotonic_ns() - b->held_ns) / 1e9);
}

/* The list is taken first: what fails again begins a new one. */
DEV_ONLY static void blk_try_again(struct blk *b)
{
    struct blk_req *req = b->held, *next;

    disk_look(b->disk);
    for (b->held = NULL; req; req = next) {
        next = req->next;
        b->inflight++;
        disk_submit(b->disk, &req->dr);
    }
    disk_kick(b->disk);
    blk_batch_end(b);
}

void blk_give_up(struct blk *b)
{
    struct blk_req *req = b->held, *next;

    for (b->held = NULL; req; req = next) {
        next = req->next;
        blk_answer(req, BLK_S_IOERR, 0);
    }
    if (!b->holding)
        return;
    b->holding = false;
    power_release(b->power);
    log_warn("drive %s: its requests were given up; the VM goes on",
             b->dev.name);
}

/* ---- events ------------------------------------------------------------- */

DEV_ONLY static void blk_on_again(struct loop_fd *lf, u32 events)
{
    struct blk *b = container_of(lf, struct blk, again);
    u64 count;

    counter_add(&b->dev.wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    blk_try_again(b);
}

DEV_ONLY static void blk_on_look(struct loop_fd *lf, u32 events)
{
    struct blk *b = container_of(lf, struct blk, look);
    u64 count;

    counter_add(&b->dev.wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    blk_try_again(b);
}

void blk_look(struct virtio_dev *dev)
{
    u64 one = 1;

    (void)!write(blk_of(dev)->look.fd, &one, sizeof(one));
}

int blk_error_init(struct blk *b)
{
    int r;

    b->again = (struct loop_fd){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
        .fn = blk_on_again};
    b->look = (struct loop_fd){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                               .fn = blk_on_look};
    if (b->again.fd < 0 || b->look.fd < 0)
        r = fail(-errno, "drive %s: timerfd, eventfd", b->dev.name);
    else
        r = loop_add(&b->dev.loop, &b->again, EPOLLIN);
    if (r == 0)
        r = loop_add(&b->dev.loop, &b->look, EPOLLIN);
    if (r < 0)
        blk_error_fini(b);
    return r;
}

static void blk_close(struct loop_fd *lf)
{
    loop_del(lf);
    if (lf->fd >= 0)
        close(lf->fd);
    lf->fd = -1;
}

void blk_error_fini(struct blk *b)
{
    blk_close(&b->again);
    blk_close(&b->look);
}
