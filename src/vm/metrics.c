/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c: what of a VM goes into a line of metrics, and when */
#include <sys/timerfd.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/metrics.h"

#include "impl.h"

/* ---- when -----------------------------------------------------------------
 */

static void vm_metrics_on_timer(struct loop_fd *lf, u32 events)
{
    struct vm_metrics *m = container_of(lf, struct vm_metrics, timer);
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    m->tell(m->ctx);
}

int vm_metrics_init(struct vm_metrics *m, struct loop *loop,
                    unsigned int period_ms, vm_metrics_fn *tell, void *ctx)
{
    *m = (struct vm_metrics){.timer = {.fd = -1, .fn = vm_metrics_on_timer},
                             .period_ms = period_ms,
                             .tell = tell,
                             .ctx = ctx};
    if (!metrics_wanted())
        return 0;
    m->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (m->timer.fd < 0)
        return fail(-errno, "metrics: timerfd");
    return loop_add(loop, &m->timer, EPOLLIN);
}

void vm_metrics_fini(struct vm_metrics *m)
{
    if (m->timer.fd < 0)
        return;
    loop_del(&m->timer);
    close(m->timer.fd);
    m->timer.fd = -1;
}

void vm_metrics_start(struct vm_metrics *m)
{
    struct timespec every = {.tv_sec = m->period_ms / 1000,
                             .tv_nsec = m->period_ms % 1000 * 1000000L};
    struct itimerspec when = {.it_value = every, .it_interval = every};

    if (m->timer.fd < 0)
        return;
    m->tell(m->ctx);
    timerfd_settime(m->timer.fd, 0, &when, NULL);
}

/* ---- what -----------------------------------------------------------------
 */

static void vm_metrics_group(const struct virtio_counters *c, const char *id)
{
    metrics_group(c->group, id);
    for (unsigned int i = 0; i < c->nr; i++)
        metrics_count(c->name[i], c->value[i]);
}

static void vm_metrics_sum(struct virtio_counters *sum,
                           const struct virtio_counters *c)
{
    if (!sum->group)
        *sum = (struct virtio_counters){
            .group = c->group, .nr = c->nr, .name = c->name};
    for (unsigned int i = 0; i < c->nr; i++)
        sum->value[i] += c->value[i];
}

/* Each drive and interface, and all of a kind together; of what there is one
 * only, that. Devices of a kind are neighbours. */
static void vm_metrics_devices(const struct vm_devices *d)
{
    struct virtio_counters sum = {0}, c;

    for (unsigned int i = 0; i < d->nr; i++) {
        virtio_counters(d->device[i].dev, &c);
        if (!c.group)
            continue;
        if (sum.group && sum.group != c.group) {
            vm_metrics_group(&sum, NULL);
            sum.group = NULL;
        }
        if (d->device[i].id)
            vm_metrics_group(&c, d->device[i].id);
        vm_metrics_sum(&sum, &c);
    }
    if (sum.group)
        vm_metrics_group(&sum, NULL);
}

static void vm_metrics_mmds(const struct mmds *m)
{
    u64 value[MMDS_COUNTERS];

    if (!m)
        return;
    mmds_count(m, value);
    metrics_group("mmds", NULL);
    for (unsigned int i = 0; i < MMDS_COUNTERS; i++)
        metrics_count(mmds_counters[i], value[i]);
}

static void vm_metrics_vcpus(const struct vm *vm)
{
    struct engine_stats s;

    if (!vm_is_kvm(vm))
        return; /* the interpreter exits for nothing */
    vm->engine->ops->stats(vm->engine, &s);
    metrics_group("vcpu", NULL);
    metrics_count("exit_io_in", s.pio_in);
    metrics_count("exit_io_out", s.pio_out);
    metrics_count("exit_mmio_read", s.mmio_read);
    metrics_count("exit_mmio_write", s.mmio_write);
}

static void vm_metrics_serial(struct serial *serial)
{
    struct serial_stats s;

    serial_stats(serial, &s);
    metrics_group("uart", NULL);
    metrics_count("write_count", s.tx_bytes);
    metrics_count("missed_write_count", s.dropped);
}

void vm_metrics_tell(void *ctx)
{
    struct vm *vm = ctx;
    bool hup = vm->reason == POWER_SIGNAL && vm->value == SIGHUP;

    metrics_begin();
    vm_metrics_devices(&vm->devices);
    vm_metrics_mmds(vm->files.mmds);
    vm_metrics_serial(vm->serial);
    vm_metrics_vcpus(vm);
    metrics_group("logger", NULL);
    metrics_count("missed_log_count", log_dropped());
    metrics_count("missed_metrics_count", metrics_missed());
    metrics_group("signals", NULL);
    metrics_count("sighup", hup);
    metrics_group("seccomp", NULL);
    metrics_count("num_faults", 0); /* else metrics_lost() */
    metrics_end();
}
