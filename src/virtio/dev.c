/* SPDX-License-Identifier: Apache-2.0 */
/* dev.c: a virtio device's thread: start, kicks, pauses, interrupts, reset */
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"

#include "dev.h"

#define VIRTIO_BUDGET   1024u /* chains of one kick; then others have a turn */
#define VIRTIO_RESET_MS 5000u
#define VIRTIO_FREE_MS  1000u
#define VIRTIO_PAUSE_NS 3600000000000ull /* at most, then one asks again */
#define ISR_QUEUE       1u
#define ISR_CONFIG      2u

/* ---- to the driver --------------------------------------------------------
 */

/* One edge each time. Only the device's thread does this, so that no edge of
 * another is taken for ours; the driver clears the ISR before it looks. */
static void virtio_interrupt(struct virtio_dev *dev, u32 isr)
{
    atomic_fetch_or(&dev->isr, isr);
    if (!dev->irq.ops)
        return;
    irq_raise(&dev->irq);
    irq_lower(&dev->irq);
}

/* The reset or stop under way is over when the last chain has come home. */
static void virtio_try_drained(struct virtio_dev *dev)
{
    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        if (dev->queue[i].vq.inflight > 0)
            return;
    }
    for (unsigned int i = 0; i < dev->nr_vqs; i++)
        dev->queue[i].vq.ready = false;
    dev->draining = false;
    dev->abandon_ns = 0;
    if (dev->stopping && dev->ops->stop)
        dev->ops->stop(dev);
    else
        loop_done(&dev->loop, &dev->call, 0);
}

void virtio_notify(struct virtio_dev *dev, struct vq *vq)
{
    if (vq_wants_irq(vq))
        virtio_interrupt(dev, ISR_QUEUE);
    if (dev->draining)
        virtio_try_drained(dev);
}

DEV_ONLY static void virtio_quiesce(struct virtio_dev *dev)
{
    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        loop_del(&dev->queue[i].kick);
        vq_stop(&dev->queue[i].vq);
    }
}

void virtio_break(struct virtio_dev *dev, const struct vq *vq, const char *what)
{
    if (!dev->active || dev->broken)
        return;
    dev->broken = true;
    atomic_store(&dev->was_broken, true);
    if (!what)
        what = vq && vq->why ? vq->why : "the device gave up";
    if (vq)
        warn_guest("%s: queue %u: %s; silent until its reset", dev->name,
                   vq->index, what);
    else
        warn_guest("%s: %s; silent until its reset", dev->name, what);
    virtio_quiesce(dev);
    atomic_store(&dev->needs_reset, true);
    virtio_interrupt(dev, ISR_CONFIG);
}

/* Two copies: the one the generation points away from is written, then the
 * generation moves on. A driver that read in between finds it changed. */
void virtio_config_set(struct virtio_dev *dev, u32 off, const void *buf,
                       u32 len)
{
    u32 gen = atomic_load(&dev->generation);
    _Atomic(u8) *from = dev->config[gen % 2], *to = dev->config[(gen + 1) % 2];
    const u8 *bytes = buf;

    assert(off <= VIRTIO_CONFIG_MAX && len <= VIRTIO_CONFIG_MAX - off);
    for (u32 i = 0; i < VIRTIO_CONFIG_MAX; i++)
        to[i] = i - off < len ? bytes[i - off] : from[i];
    if (!dev->thread.running)
        dev->config_len = MAX(dev->config_len, off + len);
    atomic_store(&dev->generation, gen + 1);
}

void virtio_config_changed(struct virtio_dev *dev)
{
    if (dev->active)
        virtio_interrupt(dev, ISR_CONFIG);
}

/* ---- from the driver ------------------------------------------------------
 */

DEV_ONLY static void virtio_kick(struct virtio_queue *q)
{
    struct virtio_dev *dev = q->dev;
    int r;

    role_assert(ROLE_DEV);
    if (!dev->active || dev->broken || !q->vq.ready || q->resume_ns > 0)
        return;
    q->vq.budget = VIRTIO_BUDGET + 1;
    r = dev->ops->kick(dev, &q->vq);
    q->vq.budget = 0;
    virtio_notify(dev, &q->vq);
    if (r < 0)
        virtio_break(dev, &q->vq, NULL);
    if (q->vq.again)
        virtio_kick_later(dev, &q->vq);
    q->vq.again = false;
}

/* A driver that notifies of nothing does not get us to look out for more. */
DEV_ONLY static void virtio_on_kick(struct loop_fd *lf, u32 events)
{
    struct virtio_queue *q = container_of(lf, struct virtio_queue, kick);
    u64 count, before = atomic_load(&q->vq.requests);

    counter_add(&q->dev->wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    virtio_kick(q);
    if (atomic_load(&q->vq.requests) == before)
        poll_fooled(&q->dev->loop.poll);
}

void virtio_kick_later(struct virtio_dev *dev, struct vq *vq)
{
    u64 one = 1;

    (void)!write(dev->queue[vq->index].kick.fd, &one, sizeof(one));
}

/* ---- a configuration space that is not known yet --------------------------
 */

void virtio_unsettle(struct virtio_dev *dev)
{
    atomic_store(&dev->unsettled, true);
}

void virtio_settled(struct virtio_dev *dev)
{
    struct loop_call *call = dev->settle;

    dev->settle = NULL;
    atomic_store(&dev->unsettled, false);
    if (call)
        loop_done(&dev->loop, call, 0);
}

struct virtio_wait {
    struct loop_call call;
    struct virtio_dev *dev;
};

DEV_ONLY static void virtio_on_settle(struct loop_call *call)
{
    struct virtio_wait *w = container_of(call, struct virtio_wait, call);

    w->dev->settle = call;
    if (!atomic_load(&w->dev->unsettled))
        virtio_settled(w->dev);
}

void virtio_settle(struct virtio_dev *dev)
{
    struct virtio_wait w = {.call.fn = virtio_on_settle, .dev = dev};

    if (likely(!atomic_load(&dev->unsettled)))
        return;
    lock_take(&dev->lock); /* one at a time */
    if (atomic_load(&dev->unsettled))
        loop_call(&dev->loop, &w.call);
    lock_drop(&dev->lock);
}

DEV_ONLY static void virtio_on_release(struct loop_call *call)
{
    struct virtio_wait *w = container_of(call, struct virtio_wait, call);

    virtio_settled(w->dev);
    loop_done(&w->dev->loop, call, 0);
}

void virtio_release(struct virtio_dev *dev)
{
    struct virtio_wait w = {.call.fn = virtio_on_release, .dev = dev};

    if (dev->thread.running && atomic_load(&dev->unsettled))
        loop_call(&dev->loop, &w.call);
}

/* The earliest end of a pause, or of a drain's patience; none: off. */
static void virtio_arm_timer(struct virtio_dev *dev)
{
    struct itimerspec at = {0};
    u64 ns = dev->abandon_ns > 0 ? dev->abandon_ns : ~0ull;

    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        if (dev->queue[i].resume_ns > 0)
            ns = MIN(ns, dev->queue[i].resume_ns);
    }
    dev->loop.timed = ns != ~0ull;
    if (dev->loop.timed) {
        at.it_value.tv_sec = (time_t)(ns / 1000000000u);
        at.it_value.tv_nsec = (long)(ns % 1000000000u);
    }
    timerfd_settime(dev->timer.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void virtio_pause(struct virtio_dev *dev, struct vq *vq, u64 ns)
{
    struct virtio_queue *q = container_of(vq, struct virtio_queue, vq);

    if (!dev->active || dev->broken)
        return;
    q->resume_ns = monotonic_ns() + MIN(ns, VIRTIO_PAUSE_NS);
    virtio_arm_timer(dev);
}

DEV_ONLY static void virtio_on_timer(struct loop_fd *lf, u32 events)
{
    struct virtio_dev *dev = container_of(lf, struct virtio_dev, timer);
    u64 now = monotonic_ns(), count;

    counter_add(&dev->wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        struct virtio_queue *q = &dev->queue[i];

        if (q->resume_ns == 0 || q->resume_ns > now)
            continue;
        q->resume_ns = 0;
        virtio_kick(q);
    }
    if (dev->abandon_ns > 0 && dev->abandon_ns <= now) {
        dev->abandon_ns = 0;
        dev->ops->abandon(dev);
    }
    virtio_arm_timer(dev);
}

/* ---- DRIVER_OK ------------------------------------------------------------
 */

struct virtio_order {
    struct loop_call call;
    struct virtio_dev *dev;
    u32 off, len, val; /* a write to the configuration space */
};

DEV_ONLY static int virtio_start_queue(struct virtio_queue *q)
{
    const struct virtio_regs *regs = &q->dev->regs;
    unsigned int i = q->vq.index;
    int r;

    if (!regs->queue_ready[i])
        return 0;
    r = vq_start(&q->vq, q->dev->mem, &regs->queue[i], q->dev->features);
    return r < 0 ? r : loop_add(&q->dev->loop, &q->kick, EPOLLIN);
}

/* The registers hold still: the vCPU that waits for the answer has the lock. */
DEV_ONLY static void virtio_on_activate(struct loop_call *call)
{
    struct virtio_order *o = container_of(call, struct virtio_order, call);
    struct virtio_dev *dev = o->dev;
    int r = 0;

    dev->features = dev->regs.driver_features;
    dev->active = true;
    dev->broken = false;
    for (unsigned int i = 0; i < dev->nr_vqs && r == 0; i++)
        r = virtio_start_queue(&dev->queue[i]);
    if (r == 0 && dev->ops->start)
        r = dev->ops->start(dev);
    if (r < 0)
        virtio_break(dev, NULL, "cannot start with what the driver has set up");
    loop_done(&dev->loop, call, r);
}

void virtio_activate(struct virtio_dev *dev)
{
    struct virtio_order o = {.call.fn = virtio_on_activate, .dev = dev};

    loop_call(&dev->loop, &o.call);
}

DEV_ONLY static void virtio_on_config_write(struct loop_call *call)
{
    struct virtio_order *o = container_of(call, struct virtio_order, call);

    if (o->dev->active && !o->dev->broken)
        o->dev->ops->config_written(o->dev, o->off, o->len, o->val);
    loop_done(&o->dev->loop, call, 0);
}

void virtio_config_write(struct virtio_dev *dev, u32 off, u32 len, u32 val)
{
    struct virtio_order o = {.call.fn = virtio_on_config_write,
                             .dev = dev,
                             .off = off,
                             .len = len,
                             .val = val};

    if (dev->ops->config_written)
        loop_call(&dev->loop, &o.call);
}

/* ---- reset and stop -------------------------------------------------------
 */

/* Notifications of a driver that is gone are not the next one's. */
DEV_ONLY static void virtio_forget_kicks(struct virtio_dev *dev)
{
    u64 count;

    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        (void)!read(dev->queue[i].kick.fd, &count, sizeof(count));
        dev->queue[i].resume_ns = 0;
    }
    virtio_arm_timer(dev);
}

DEV_ONLY static void virtio_drain(struct virtio_dev *dev)
{
    virtio_quiesce(dev);
    virtio_forget_kicks(dev);
    if (dev->active && dev->ops->reset)
        dev->ops->reset(dev);
    dev->active = dev->broken = false;
    dev->features = 0;
    dev->draining = true;
    virtio_try_drained(dev);
    if (dev->draining && dev->ops->abandon) {
        dev->abandon_ns = monotonic_ns() + dev->reset_ms * 1000000ull / 5;
        virtio_arm_timer(dev);
    }
}

DEV_ONLY static void virtio_on_reset(struct loop_call *call)
{
    virtio_drain(container_of(call, struct virtio_dev, call));
}

DEV_ONLY static void virtio_on_stop(struct loop_call *call)
{
    struct virtio_dev *dev = container_of(call, struct virtio_dev, call);

    dev->stopping = true;
    virtio_drain(dev);
}

void virtio_stopped(struct virtio_dev *dev)
{
    loop_done(&dev->loop, &dev->call, 0);
}

/* Until the last order is answered, there can be no other. */
static int virtio_wait(struct virtio_dev *dev, unsigned int timeout_ms)
{
    if (dev->late)
        dev->late = loop_wait(&dev->loop, &dev->call, timeout_ms) < 0;
    return dev->late ? -ETIMEDOUT : 0;
}

static void virtio_post(struct virtio_dev *dev, loop_call_fn *fn)
{
    dev->call = (struct loop_call){.fn = fn};
    dev->late = true;
    loop_post(&dev->loop, &dev->call);
}

int virtio_reset(struct virtio_dev *dev)
{
    if (virtio_wait(dev, dev->reset_ms) < 0)
        return -ETIMEDOUT;
    virtio_post(dev, virtio_on_reset);
    return virtio_wait(dev, dev->reset_ms);
}

void virtio_ask_stop(struct virtio_dev *dev)
{
    if (!dev->thread.running || dev->asked || virtio_wait(dev, 0) < 0)
        return;
    dev->asked = true;
    virtio_post(dev, virtio_on_stop);
}

/* A reset that the guest gave up on may be in the way: wait for both. */
static bool virtio_stopped_in(struct virtio_dev *dev, unsigned int timeout_ms)
{
    if (!dev->asked && virtio_wait(dev, timeout_ms) < 0)
        return false;
    virtio_ask_stop(dev);
    return virtio_wait(dev, timeout_ms) == 0;
}

void virtio_stop(struct virtio_dev *dev, unsigned int timeout_ms)
{
    if (!dev->thread.running)
        return;
    if (!virtio_stopped_in(dev, timeout_ms)) {
        log_error("%s: requests did not end in %u ms", dev->name, timeout_ms);
        return;
    }
    loop_stop(&dev->loop);
    thread_join(&dev->thread);
}

/* ---- life -----------------------------------------------------------------
 */

static int virtio_queue_init(struct virtio_dev *dev, unsigned int i, u16 max)
{
    struct virtio_queue *q = &dev->queue[i];

    q->dev = dev;
    q->kick.fn = virtio_on_kick;
    q->kick.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->kick.fd < 0)
        return fail(-errno, "%s: eventfd", dev->name);
    return vq_init(&q->vq, i, max);
}

static int virtio_timer_init(struct virtio_dev *dev)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd < 0)
        return fail(-errno, "%s: timerfd", dev->name);
    dev->timer = (struct loop_fd){.fd = fd, .fn = virtio_on_timer};
    return loop_add(&dev->loop, &dev->timer, EPOLLIN);
}

int virtio_dev_init(struct virtio_dev *dev, const struct virtio_ops *ops,
                    const char *name, unsigned int nr_vqs, u16 vq_max,
                    u64 features)
{
    int r;

    assert(nr_vqs > 0 && nr_vqs <= VIRTIO_VQ_MAX);
    *dev = (struct virtio_dev){.ops = ops,
                               .filter.kind = ops->filter,
                               .nr_vqs = nr_vqs,
                               .timer.fd = -1,
                               .reset_ms = VIRTIO_RESET_MS};
    snprintf(dev->name, sizeof(dev->name), "%s", name);
    dev->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX |
                   VIRTIO_F_INDIRECT_DESC;
    for (unsigned int i = 0; i < nr_vqs; i++)
        dev->queue[i].kick.fd = -1;
    r = loop_init(&dev->loop);
    if (r < 0)
        return r;
    lock_init(&dev->lock);
    r = virtio_timer_init(dev);
    for (unsigned int i = 0; i < nr_vqs && r == 0; i++)
        r = virtio_queue_init(dev, i, vq_max);
    if (r < 0)
        virtio_dev_fini(dev);
    return r;
}

void virtio_dev_fini(struct virtio_dev *dev)
{
    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        loop_del(&dev->queue[i].kick);
        if (dev->queue[i].kick.fd >= 0)
            close(dev->queue[i].kick.fd);
        vq_fini(&dev->queue[i].vq);
    }
    loop_del(&dev->timer);
    if (dev->timer.fd >= 0)
        close(dev->timer.fd);
    loop_fini(&dev->loop);
    lock_fini(&dev->lock);
}

static void virtio_run(void *arg)
{
    struct virtio_dev *dev = arg;

    loop_run(&dev->loop);
}

enum filter_kind virtio_filter(const struct virtio_dev *dev, const char **name)
{
    *name = dev->name;
    return dev->filter.kind;
}

int virtio_start(struct virtio_dev *dev)
{
    return thread_start(&dev->thread, dev->name, &dev->filter, virtio_run, dev);
}

/* A thread that is stuck in its backend, and had its time, keeps what it uses.
 */
bool virtio_free(struct virtio_dev *dev)
{
    if (!dev)
        return true;
    if (!dev->asked || virtio_wait(dev, 0) == 0)
        virtio_stop(dev, VIRTIO_FREE_MS);
    if (dev->thread.running)
        return false;
    dev->ops->free(dev);
    return true;
}

void virtio_set_poll(struct virtio_dev *dev, u64 max_ns)
{
    poll_init(&dev->loop.poll, dev->ops->polls ? max_ns : 0);
}

struct irq *virtio_irq(struct virtio_dev *dev)
{
    return &dev->irq;
}

unsigned int virtio_nr_vqs(const struct virtio_dev *dev)
{
    return dev->nr_vqs;
}

int virtio_notify_fd(const struct virtio_dev *dev, unsigned int q)
{
    return dev->queue[q].kick.fd;
}

void virtio_stats(const struct virtio_dev *dev, struct virtio_stats *out)
{
    *out = (struct virtio_stats){.errors = atomic_load(&dev->errors),
                                 .dropped = atomic_load(&dev->dropped),
                                 .wakeups = atomic_load(&dev->wakeups),
                                 .broken = atomic_load(&dev->was_broken)};
    for (unsigned int i = 0; i < dev->nr_vqs; i++) {
        const struct vq *vq = &dev->queue[i].vq;

        out->requests += atomic_load(&vq->requests);
        out->bytes_in += atomic_load(&vq->bytes_in);
        out->bytes_out += atomic_load(&vq->bytes_out);
    }
}

void virtio_counters(const struct virtio_dev *dev, struct virtio_counters *out)
{
    const struct virtio_ops *ops = dev->ops;

    *out = (struct virtio_counters){
        .group = ops->group, .nr = ops->nr_counters, .name = ops->counters};
    for (unsigned int i = 0; i < out->nr; i++)
        out->value[i] = atomic_load(&dev->counter[i]);
}
