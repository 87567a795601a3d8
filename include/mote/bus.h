/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus.h: port and MMIO ranges, one dispatch for both engines. Ranges are added
 * by main before the first vCPU runs and never change after, so look-ups take
 * no lock. Handlers run on the vCPU thread that made the access; they never
 * block and never fail: a guest that errs reads ones or is ignored.
 */
#ifndef MOTE_BUS_H
#define MOTE_BUS_H

#include "mote/base.h"
#include "mote/thread.h"

enum bus_space {
    BUS_PIO, /* 16-bit port addresses, accesses of 1, 2 or 4 bytes */
    BUS_MMIO /* guest-physical addresses, accesses of 1, 2, 4 or 8 bytes */
};

struct bus_ops {
    /* off is relative to the range; off + size never leaves it. */
    u64 (*read)(void *dev, u64 off, unsigned int size);
    void (*write)(void *dev, u64 off, unsigned int size, u64 val);
};

#define BUS_RANGE_MAX 64

struct bus_range {
    u64 base;
    u64 len;
    const char *name;
    const struct bus_ops *ops;
    void *dev;
};

struct bus {
    struct {
        unsigned int nr;
        struct bus_range range[BUS_RANGE_MAX]; /* sorted by base */
    } space[2];
};

void bus_init(struct bus *bus);

/*
 * Claim [base, base + len). The name is kept, not copied. -EEXIST when it
 * overlaps another range, -ENOSPC when the table is full, -EINVAL when it
 * wraps; all already reported.
 */
int bus_add(struct bus *bus, enum bus_space space, u64 base, u64 len,
            const char *name, const struct bus_ops *ops, void *dev);

/* Nobody there, or an access that leaves its range: reads ones of that size,
 * swallows writes. The value is zero-extended from size bytes. */
VCPU_ONLY u64 bus_read(const struct bus *bus, enum bus_space space, u64 addr,
                       unsigned int size);
VCPU_ONLY void bus_write(const struct bus *bus, enum bus_space space, u64 addr,
                         unsigned int size, u64 val);

#endif
