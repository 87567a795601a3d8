/* SPDX-License-Identifier: Apache-2.0 */
/* bus.c: sorted tables of port and MMIO ranges, looked up by bisection */
#include "mote/bus.h"
#include "mote/log.h"

void bus_init(struct bus *bus)
{
    *bus = (struct bus){0};
}

static const char *bus_space_name(enum bus_space space)
{
    return space == BUS_PIO ? "port" : "mmio";
}

/* Index of the first range whose base is above addr. */
static unsigned int bus_upper(const struct bus *bus, enum bus_space space,
                              u64 addr)
{
    unsigned int lo = 0, hi = bus->space[space].nr;

    while (lo < hi) {
        unsigned int mid = (lo + hi) / 2;

        if (bus->space[space].range[mid].base > addr)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static bool bus_overlaps(const struct bus_range *a, u64 base, u64 len)
{
    return base < a->base + a->len && a->base < base + len;
}

int bus_add(struct bus *bus, enum bus_space space, u64 base, u64 len,
            const char *name, const struct bus_ops *ops, void *dev)
{
    struct bus_range *range = bus->space[space].range;
    unsigned int nr = bus->space[space].nr;
    unsigned int at = bus_upper(bus, space, base);
    u64 end;

    if (len == 0 || __builtin_add_overflow(base, len, &end))
        return fail_rule(-EINVAL, "%s: bad %s range 0x%llx + 0x%llx", name,
                         bus_space_name(space), (unsigned long long)base,
                         (unsigned long long)len);
    if (nr == BUS_RANGE_MAX)
        return fail_rule(-ENOSPC, "%s: more than %u %s ranges", name,
                         BUS_RANGE_MAX, bus_space_name(space));
    if ((at > 0 && bus_overlaps(&range[at - 1], base, len)) ||
        (at < nr && bus_overlaps(&range[at], base, len)))
        return fail_rule(-EEXIST, "%s: %s range 0x%llx is taken", name,
                         bus_space_name(space), (unsigned long long)base);
    memmove(&range[at + 1], &range[at], (nr - at) * sizeof(*range));
    range[at] = (struct bus_range){
        .base = base, .len = len, .name = name, .ops = ops, .dev = dev};
    bus->space[space].nr = nr + 1;
    return 0;
}

/* The range that holds all of [addr, addr + size), or NULL. */
static const struct bus_range *bus_find(const struct bus *bus,
                                        enum bus_space space, u64 addr,
                                        unsigned int size)
{
    unsigned int at = bus_upper(bus, space, addr);
    const struct bus_range *r;

    if (at == 0)
        return NULL;
    r = &bus->space[space].range[at - 1];
    if (addr - r->base >= r->len || size > r->len - (addr - r->base))
        return NULL;
    return r;
}

static u64 bus_mask(unsigned int size)
{
    return size >= 8 ? ~0ull : (1ull << size * 8) - 1;
}

u64 bus_read(const struct bus *bus, enum bus_space space, u64 addr,
             unsigned int size)
{
    const struct bus_range *r = bus_find(bus, space, addr, size);

    role_assert(ROLE_VCPU);
    if (!r || !r->ops->read)
        return bus_mask(size);
    return r->ops->read(r->dev, addr - r->base, size) & bus_mask(size);
}

void bus_write(const struct bus *bus, enum bus_space space, u64 addr,
               unsigned int size, u64 val)
{
    const struct bus_range *r = bus_find(bus, space, addr, size);

    role_assert(ROLE_VCPU);
    if (r && r->ops->write)
        r->ops->write(r->dev, addr - r->base, size, val & bus_mask(size));
}
