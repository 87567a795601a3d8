/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio.c: any accesses to the registers of an rng, beside a model of what a
 * device's state may do. Input: records of kind, offset, value; odd kinds
 * write, 6 and 7 are to guest memory, where the rings can be.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "virtio/dev.h"

#define BASE   0xc0001000ull
#define EVENTS 16u /* until the device sleeps: one queue, one notification */

enum { ACK = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { NEEDS_RESET = 0x40, FAILED = 0x80 };

/* What the driver has done, by virtio 1.2, 2.1, 3.1.1 and 4.2.2. */
static struct model {
    u32 status; /* without NEEDS_RESET, which is the device's to set */
    u32 sel, driver_sel, queue_sel;
    u64 features;
    bool alien, ready;
} m;

static struct virtio_dev *dev;
static struct bus bus;
static struct mem *ram;

static u32 reg(u32 off)
{
    return (u32)bus_read(&bus, BUS_MMIO, BASE + off, 4);
}

static void fuzz_up(void)
{
    static const struct limit_config none;

    log_sink_set(fuzz_no_log);
    if (mem_new(&ram, 16 * MIB) < 0 || rng_new(&dev, &none) < 0 ||
        virtio_attach(dev, ram, &bus, BASE) < 0)
        abort();
}

static void model_features(u32 val)
{
    u32 shift = m.driver_sel * 32;

    if ((m.status & (DRIVER | FEATURES_OK)) != DRIVER)
        return;
    if (m.driver_sel > 1)
        m.alien |= val != 0;
    else
        m.features = (m.features & ~(0xffffffffull << shift)) | (u64)val
                                                                    << shift;
}

/* Bits are only ever added, each in its turn. */
static void model_status(u32 val, u32 before)
{
    bool fits = !m.alien && !(m.features & ~dev->offered) &&
                m.features & VIRTIO_F_VERSION_1;

    if (val == 0) {
        m = (struct model){0};
        return;
    }
    m.status |= val & (ACK | DRIVER | FAILED);
    if (m.status & DRIVER && fits)
        m.status |= val & FEATURES_OK;
    if (m.status & FEATURES_OK && !(m.status & FAILED) &&
        !(before & NEEDS_RESET))
        m.status |= val & DRIVER_OK;
}

/* Whether rings are good is vq_check()'s to say; then they are ready. */
static void model_ready(u32 val)
{
    struct vq_config *q = &dev->regs.queue[0];

    if ((m.status & (FEATURES_OK | DRIVER_OK | FAILED)) != FEATURES_OK ||
        m.queue_sel != 0 || val > 1)
        return;
    m.ready = val && (m.ready || vq_check(virtio_vq(dev, 0), ram, q) == 0);
}

static void model_write(u64 off, u32 val, u32 before)
{
    switch (off) {
    case 0x14:
        m.sel = val;
        break;
    case 0x20:
        model_features(val);
        break;
    case 0x24:
        m.driver_sel = val;
        break;
    case 0x30:
        m.queue_sel = val;
        break;
    case 0x44:
        model_ready(val);
        break;
    case 0x70:
        model_status(val, before);
        break;
    }
}

/* Only the reset takes NEEDS_RESET away. */
static void check(u32 before)
{
    u32 status = reg(0x70), offer = 0;

    assert((status & ~(u32)NEEDS_RESET) == m.status);
    assert(!(before & NEEDS_RESET) || status & NEEDS_RESET || status == 0);
    assert(reg(0x44) == (m.queue_sel == 0 && m.ready));
    assert(reg(0x34) == (m.queue_sel == 0 ? virtio_vq(dev, 0)->max : 0));
    if (m.sel < 2)
        offer = (u32)(dev->offered >> 32 * m.sel);
    assert(reg(0x10) == offer && reg(0x00) == 0x74726976 && reg(0x04) == 2);
    assert(dev->active == !!(m.status & DRIVER_OK) || status & NEEDS_RESET);
}

static void access_register(u32 kind, u64 off, u64 val)
{
    unsigned int size = kind >= 4 ? 1u << (val & 3) : 4;
    u32 before = reg(0x70);

    if (kind & 1) {
        bus_write(&bus, BUS_MMIO, BASE + off, size, val >> 8 * (kind >> 2));
        if (size == 4)
            model_write(off, (u32)(val >> 8 * (kind >> 2)), before);
    } else {
        bus_read(&bus, BUS_MMIO, BASE + off, size);
    }
    fuzz_pump(&dev->loop, EVENTS);
    check(before);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)1024)};

    if (!dev)
        fuzz_up();
    mem_fill(ram, 0, 0, 8 * KIB);
    while (in.left > 0) {
        u32 kind = (u32)fuzz_take(&in, 1) & 7, off = (u32)fuzz_take(&in, 1);
        u64 val = fuzz_take(&in, kind >= 5 ? 8 : 4);

        if (kind >= 6)
            mem_write(ram, off * 16 + (kind & 1) * 8, &val, 8);
        else
            access_register(kind, kind < 4 ? off * 4 : off, val);
    }
    access_register(1, 0x70, 0);
    assert(reg(0x70) == 0 && reg(0x60) == 0 &&
           virtio_vq(dev, 0)->inflight == 0);
    return 0;
}
