/* SPDX-License-Identifier: Apache-2.0 */
/* boottimer.c: the page a guest writes to when its init has started */

#include "mote/clock.h"
#include "mote/dev.h"
#include "mote/log.h"
#include "mote/record.h"

#define BOOT_TIMER_MAGIC 123

static u64 boot_timer_read(void *dev, u64 off, unsigned int size)
{
    return 0;
}

/* Only the first write counts, so a guest cannot fill the log. */
static void boot_timer_write(void *dev, u64 off, unsigned int size, u64 val)
{
    struct boot_timer *bt = dev;
    u64 now = monotonic_ns();
    u64 us = (now - bt->start_ns) / 1000;
    u64 cpu_us;
    u64 none = 0;

    if (off != 0 || size != 1 || val != BOOT_TIMER_MAGIC)
        return;
    if (!atomic_compare_exchange_strong(&bt->reached_ns, &none, now))
        return;
    record_stamp(RECORD_INIT);
    cpu_us = (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) - bt->start_cpu_ns) / 1000;
    if (bt->log) /* Firecracker's words, which scripts look for */
        log_info("Guest-boot-time = %6llu us %llu ms, %6llu CPU us %llu CPU ms",
                 (unsigned long long)us, (unsigned long long)us / 1000,
                 (unsigned long long)cpu_us, (unsigned long long)cpu_us / 1000);
}

static const struct bus_ops boot_timer_ops = {
    .read = boot_timer_read,
    .write = boot_timer_write,
};

int boot_timer_new(struct bus *bus, struct boot_timer *bt)
{
    return bus_add(bus, BUS_MMIO, BOOT_TIMER_BASE, PAGE_SIZE, "boot-timer",
                   &boot_timer_ops, bt);
}
