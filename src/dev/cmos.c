/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmos.c: the ports of a real-time clock that is not there. Absent ports read
 * ones, which the MC146818 calls "update in progress": a kernel without ACPI
 * to tell it otherwise then waits a second and more for the end of that. All
 * registers 0 is a clock at rest in 12-hour mode, which Linux declines at
 * once; the time of day comes from kvmclock.
 */
#include "mote/dev.h"

static u64 cmos_read(void *dev, u64 off, unsigned int size)
{
    return 0;
}

static void cmos_write(void *dev, u64 off, unsigned int size, u64 val)
{
}

static const struct bus_ops cmos_ops = {
    .read = cmos_read,
    .write = cmos_write,
};

int cmos_new(struct bus *bus)
{
    return bus_add(bus, BUS_PIO, CMOS_PORT, 2, "cmos", &cmos_ops, NULL);
}
