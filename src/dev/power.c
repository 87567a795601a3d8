/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power.c: the sleep and reset registers of hardware-reduced ACPI (ACPI 6.4,
 * 4.8.3.7 sleep control and status, 4.8.3.6 reset register)
 */
#include "mote/dev.h"
#include "mote/log.h"

enum { SLEEP_CONTROL, SLEEP_STATUS, RESET_CONTROL, SLEEP_PORTS };

#define SLP_EN     (1u << 5)
#define SLP_TYP(v) (((v) >> 2) & 7)
#define SLP_TYP_S5 5 /* as _S5 in the DSDT says */

/* WAK_STS stays clear: nothing here ever wakes up. */
static u64 acpi_power_read(void *dev, u64 off, unsigned int size)
{
    return 0;
}

static void acpi_power_write(void *dev, u64 off, unsigned int size, u64 val)
{
    if (off == RESET_CONTROL) {
        power_end(dev, POWER_RESET, 0);
    } else if (off == SLEEP_CONTROL && (val & SLP_EN)) {
        if (SLP_TYP(val) == SLP_TYP_S5)
            power_end(dev, POWER_OFF, 0);
        else
            warn_guest("ACPI sleep type %u is not offered",
                       (unsigned int)SLP_TYP(val));
    }
}

static const struct bus_ops acpi_power_ops = {
    .read = acpi_power_read,
    .write = acpi_power_write,
};

int acpi_power_new(struct bus *bus, struct power *power)
{
    return bus_add(bus, BUS_PIO, SLEEP_PORT, SLEEP_PORTS, "acpi-power",
                   &acpi_power_ops, power);
}
