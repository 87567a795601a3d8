/* SPDX-License-Identifier: Apache-2.0 */
/* mmio.c: any accesses to the registers of a running rng. Input: records of
 * kind, offset, value; odd kinds write, 6 and 7 are to guest memory. */
#include "fuzz.h"
#include "virtio/dev.h"

#define BASE 0xc0001000ull

static struct virtio_dev *dev;
static struct bus bus;
static struct mem *ram;

static u32 reg(u32 off)
{
    return (u32)bus_read(&bus, BUS_MMIO, BASE + off, 4);
}

static bool up(void)
{
    static const struct limit_config none;

    log_sink_set(fuzz_no_log);
    return mem_new(&ram, 16 * MIB) == 0 && rng_new(&dev, &none) == 0 &&
           virtio_attach(dev, ram, &bus, BASE) == 0 && virtio_start(dev) == 0;
}

/* What the driver can read of the state machine makes sense. */
static void check(void)
{
    u32 status = reg(0x70);

    assert(!(status & ~0xcfu));
    assert(!(status & 8) || status & 2);
    assert(!(status & 4) || status & 8);
    assert(!(status & 8) || dev->regs.driver_features & VIRTIO_F_VERSION_1);
    assert(!(dev->regs.driver_features & ~dev->offered) || !(status & 8));
    assert(reg(0x44) <= 1 && reg(0x34) <= VQ_SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)4096)};

    if (!dev && !up())
        return 0;
    mem_fill(ram, 0, 0, 64 * KIB);
    while (in.left > 0) {
        u32 kind = (u32)fuzz_take(&in, 1) & 7, off = (u32)fuzz_take(&in, 1);
        u64 val = fuzz_take(&in, kind >= 5 ? 8 : 4);
        u64 at = BASE + (kind < 4 ? off * 4 : off);

        if (kind >= 6)
            mem_write(ram, off * 16 + (kind & 1) * 8, &val, 8);
        else if (kind & 1)
            bus_write(&bus, BUS_MMIO, at, kind == 5 ? 1u << (off & 3) : 4, val);
        else
            bus_read(&bus, BUS_MMIO, at, kind == 4 ? 1u << (val & 3) : 4);
        check();
    }
    bus_write(&bus, BUS_MMIO, BASE + 0x70, 4, 0);
    assert(reg(0x70) == 0 && reg(0x60) == 0 && reg(0x44) == 0);
    return 0;
}
