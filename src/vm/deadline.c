/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.c: boot, wall clock, CPU time, idleness, and patience at the end */
#include <signal.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/log.h"
#include "mote/record.h"

#include "deadline.h"

#define NS_PER_MS 1000000ull

/* An idle guest has its clock ticks: this part of the time may be theirs. */
#define IDLE_CPU_PART 20

/* Looks at idleness, within one deadline; and never more often. */
#define IDLE_LOOKS       8u
#define IDLE_LOOK_MIN_MS 10u
#define IDLE_LOOK_MAX_MS 1000u

/* ---- the timer ------------------------------------------------------------
 */

static void deadline_min(u64 *next, u64 at)
{
    if (at && (!*next || at < *next))
        *next = at;
}

static void deadline_arm(struct deadline *d)
{
    struct itimerspec when = {0};
    u64 next = 0;

    deadline_min(&next, d->boot_ns);
    deadline_min(&next, d->wall_ns);
    deadline_min(&next, d->look_ns);
    deadline_min(&next, d->stop_ns);
    when.it_value.tv_sec = (time_t)(next / 1000000000u);
    when.it_value.tv_nsec = (long)(next % 1000000000u);
    timerfd_settime(d->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void deadline_end(struct deadline *d, enum power_deadline which)
{
    power_end(d->env.power, POWER_DEADLINE, which);
}

/* ---- idleness -------------------------------------------------------------
 */

static u64 deadline_activity(const struct deadline *d)
{
    return d->env.activity ? d->env.activity(d->env.ctx) : 0;
}

static void deadline_note_busy(struct deadline *d, u64 now)
{
    d->busy_ns = now;
    d->activity = deadline_activity(d);
    d->cpu_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Since it was last seen to be busy, no device moved and the processor was
 * nearly free. A short burst in a long quiet time is not idle either: what is
 * looked at is the time since the last look that found something. */
static void deadline_look(struct deadline *d, u64 now)
{
    u64 cpu = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) - d->cpu_ns;
    u64 quiet = now - d->busy_ns;

    if (deadline_activity(d) != d->activity || cpu > quiet / IDLE_CPU_PART)
        deadline_note_busy(d, now);
    else if (quiet >= d->env.cfg->idle_ms * NS_PER_MS)
        deadline_end(d, DEADLINE_IDLE);
    d->look_ns = now + d->look_every_ns;
}

/* ---- what is due ----------------------------------------------------------
 */

static void deadline_boot(struct deadline *d)
{
    d->boot_ns = 0;
    if (!record_stamped(d->env.command ? RECORD_COMMAND : RECORD_INIT))
        deadline_end(d, DEADLINE_BOOT);
}

static bool deadline_due(u64 at, u64 now)
{
    return at && at <= now;
}

/* The first end counts: the shorter deadlines come first. */
static void deadline_on_timer(struct loop_fd *lf, u32 events)
{
    struct deadline *d = container_of(lf, struct deadline, timer);
    u64 now = monotonic_ns(), count;

    (void)!read(lf->fd, &count, sizeof(count));
    if (deadline_due(d->stop_ns, now))
        power_end(d->env.power, POWER_SIGNAL, d->stop_signal);
    if (deadline_due(d->boot_ns, now))
        deadline_boot(d);
    if (deadline_due(d->wall_ns, now))
        deadline_end(d, DEADLINE_WALL);
    if (deadline_due(d->look_ns, now))
        deadline_look(d, now);
    deadline_arm(d);
}

void deadline_cpu(struct deadline *d)
{
    deadline_end(d, DEADLINE_CPU);
}

void deadline_asked(struct deadline *d, u32 signal)
{
    u64 ms = d->env.cfg->stop_ms;

    if (ms == 0 || d->stop_ns)
        return;
    d->stop_ns = monotonic_ns() + ms * NS_PER_MS;
    d->stop_signal = signal;
    deadline_arm(d);
}

/* ---- the start ------------------------------------------------------------
 */

void deadline_start(struct deadline *d)
{
    const struct deadline_config *c = d->env.cfg;
    u64 now = monotonic_ns(), every;

    if (d->timer.fd < 0)
        return;
    d->boot_ns = c->boot_ms ? now + c->boot_ms * NS_PER_MS : 0;
    d->wall_ns = c->wall_ms ? now + c->wall_ms * NS_PER_MS : 0;
    if (c->idle_ms) {
        every = MIN(MAX(c->idle_ms / IDLE_LOOKS, IDLE_LOOK_MIN_MS),
                    IDLE_LOOK_MAX_MS);
        d->look_every_ns = every * NS_PER_MS;
        d->look_ns = now + d->look_every_ns;
        deadline_note_busy(d, now);
    }
    deadline_arm(d);
}

/* The kernel counts: nobody is woken before it is used up. It goes with the
 * process. */
static int deadline_new_cpu(const struct deadline_config *c)
{
    struct sigevent se = {.sigev_notify = SIGEV_SIGNAL,
                          .sigev_signo = DEADLINE_SIGNAL};
    struct itimerspec when = {.it_value.tv_sec = c->cpu_ms / 1000,
                              .it_value.tv_nsec =
                                  (long)(c->cpu_ms % 1000 * NS_PER_MS)};
    timer_t timer;
    sigset_t set;

    if (c->cpu_ms == 0)
        return 0;
    sigemptyset(&set);
    sigaddset(&set, DEADLINE_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* main's loop reads it */
    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &se, &timer) < 0 ||
        timer_settime(timer, TIMER_ABSTIME, &when, NULL) < 0)
        return fail(-errno, "run.deadlines.cpu_ms: timer");
    return 0;
}

static int deadline_new_timer(struct deadline *d)
{
    const struct deadline_config *c = d->env.cfg;

    if (!c->boot_ms && !c->wall_ms && !c->idle_ms && !c->stop_ms)
        return 0;
    d->timer.fn = deadline_on_timer;
    d->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (d->timer.fd < 0)
        return fail(-errno, "run.deadlines: timerfd");
    return loop_add(d->env.loop, &d->timer, EPOLLIN);
}

int deadline_init(struct deadline *d, const struct deadline_env *env)
{
    int r;

    *d = (struct deadline){.env = *env, .timer.fd = -1};
    r = deadline_new_timer(d);
    return r < 0 ? r : deadline_new_cpu(env->cfg);
}

void deadline_fini(struct deadline *d)
{
    if (d->timer.fd < 0)
        return;
    loop_del(&d->timer);
    close(d->timer.fd);
    d->timer.fd = -1;
}
