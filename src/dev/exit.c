/* SPDX-License-Identifier: Apache-2.0 */
/* exit.c: the port by which guest test programs end mote with a status */
#include "mote/dev.h"

static u64 exit_port_read(void *dev, u64 off, unsigned int size)
{
    return 0;
}

static void exit_port_write(void *dev, u64 off, unsigned int size, u64 val)
{
    power_end(dev, POWER_EXIT_PORT, (u8)val);
}

static const struct bus_ops exit_port_ops = {
    .read = exit_port_read,
    .write = exit_port_write,
};

int exit_port_new(struct bus *bus, struct power *power)
{
    return bus_add(bus, BUS_PIO, EXIT_PORT, 1, "exit", &exit_port_ops, power);
}
