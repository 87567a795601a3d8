/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio.c: the registers of virtio over MMIO (virtio 1.2, 4.2.2), version 2.
 * One table says who may be read and written how and when; all else reads 0
 * and swallows writes.
 */
#include <unistd.h>

#include "mote/log.h"

#include "dev.h"

/* virtio 1.2, 4.2.2. */
#define MMIO_MAGIC               0x000
#define MMIO_VERSION             0x004
#define MMIO_DEVICE_ID           0x008
#define MMIO_VENDOR_ID           0x00c
#define MMIO_DEVICE_FEATURES     0x010
#define MMIO_DEVICE_FEATURES_SEL 0x014
#define MMIO_DRIVER_FEATURES     0x020
#define MMIO_DRIVER_FEATURES_SEL 0x024
#define MMIO_QUEUE_SEL           0x030
#define MMIO_QUEUE_NUM_MAX       0x034
#define MMIO_QUEUE_NUM           0x038
#define MMIO_QUEUE_READY         0x044
#define MMIO_QUEUE_NOTIFY        VIRTIO_MMIO_NOTIFY
#define MMIO_INTERRUPT_STATUS    0x060
#define MMIO_INTERRUPT_ACK       0x064
#define MMIO_STATUS              0x070
#define MMIO_QUEUE_DESC          0x080 /* each low, then high */
#define MMIO_QUEUE_DRIVER        0x090
#define MMIO_QUEUE_DEVICE        0x0a0
#define MMIO_SHM_LEN             0x0b0
#define MMIO_SHM_BASE            0x0b8
#define MMIO_GENERATION          0x0fc
#define MMIO_CONFIG              0x100

#define MAGIC_VALUE 0x74726976u /* "virt" */
#define VENDOR_ID   0x65746f6du /* "mote" */

#define STATUS_ACKNOWLEDGE 0x01u
#define STATUS_DRIVER      0x02u
#define STATUS_DRIVER_OK   0x04u
#define STATUS_FEATURES_OK 0x08u
#define STATUS_NEEDS_RESET 0x40u
#define STATUS_FAILED      0x80u
#define STATUS_WRITABLE                                                        \
    (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK |                   \
     STATUS_FEATURES_OK | STATUS_FAILED)

struct mmio_reg {
    u32 (*read)(struct virtio_dev *dev, u32 off);
    void (*write)(struct virtio_dev *dev, u32 off, u32 val);
    /* A write counts only with all of must in the status, none of refuse. */
    u32 must, refuse;
    bool unlocked; /* touches nothing but atomics and what is fixed */
};

/* ---- identity and features ------------------------------------------------
 */

static u32 mmio_magic(struct virtio_dev *dev, u32 off)
{
    return MAGIC_VALUE;
}

static u32 mmio_version(struct virtio_dev *dev, u32 off)
{
    return 2;
}

static u32 mmio_device_id(struct virtio_dev *dev, u32 off)
{
    return dev->ops->id;
}

static u32 mmio_vendor_id(struct virtio_dev *dev, u32 off)
{
    return VENDOR_ID;
}

static u32 mmio_features(struct virtio_dev *dev, u32 off)
{
    u32 sel = dev->regs.features_sel;

    return sel < 2 ? (u32)(dev->offered >> sel * 32) : 0;
}

static void mmio_features_sel(struct virtio_dev *dev, u32 off, u32 val)
{
    dev->regs.features_sel = val;
}

static void mmio_driver_features(struct virtio_dev *dev, u32 off, u32 val)
{
    struct virtio_regs *r = &dev->regs;
    u32 sel = r->driver_features_sel;

    if (sel >= 2) {
        r->alien_features |= val != 0;
        return;
    }
    r->driver_features &= ~(0xffffffffull << sel * 32);
    r->driver_features |= (u64)val << sel * 32;
}

static void mmio_driver_features_sel(struct virtio_dev *dev, u32 off, u32 val)
{
    dev->regs.driver_features_sel = val;
}

/* ---- queues ---------------------------------------------------------------
 */

static bool mmio_queue_exists(const struct virtio_dev *dev)
{
    return dev->regs.queue_sel < dev->nr_vqs;
}

/* The selected queue, if there is one and it can still be changed. */
static struct vq_config *mmio_queue(struct virtio_dev *dev)
{
    struct virtio_regs *r = &dev->regs;

    if (!mmio_queue_exists(dev) || r->queue_ready[r->queue_sel])
        return NULL;
    return &r->queue[r->queue_sel];
}

static void mmio_queue_sel(struct virtio_dev *dev, u32 off, u32 val)
{
    dev->regs.queue_sel = val;
}

static u32 mmio_queue_num_max(struct virtio_dev *dev, u32 off)
{
    return mmio_queue_exists(dev) ? virtio_vq(dev, dev->regs.queue_sel)->max
                                  : 0;
}

static void mmio_queue_num(struct virtio_dev *dev, u32 off, u32 val)
{
    struct vq_config *q = mmio_queue(dev);

    if (q)
        q->num = val;
}

static void mmio_queue_addr(struct virtio_dev *dev, u32 off, u32 val)
{
    struct vq_config *q = mmio_queue(dev);
    u32 shift = off & 4 ? 32 : 0;
    u64 *addr;

    if (!q)
        return;
    addr = off < MMIO_QUEUE_DRIVER   ? &q->desc
           : off < MMIO_QUEUE_DEVICE ? &q->avail
                                     : &q->used;
    *addr &= ~(0xffffffffull << shift);
    *addr |= (u64)val << shift;
}

static u32 mmio_queue_is_ready(struct virtio_dev *dev, u32 off)
{
    return mmio_queue_exists(dev) && dev->regs.queue_ready[dev->regs.queue_sel];
}

/* What is wrong with a queue is found here, before anybody depends on it. */
static void mmio_queue_ready(struct virtio_dev *dev, u32 off, u32 val)
{
    struct virtio_regs *r = &dev->regs;
    u32 sel = r->queue_sel;

    if (!mmio_queue_exists(dev) || val > 1 || r->queue_ready[sel] == val)
        return;
    if (val && vq_check(virtio_vq(dev, sel), dev->mem, &r->queue[sel]) < 0) {
        warn_guest("%s: queue %u: %u entries, rings at 0x%llx 0x%llx 0x%llx: "
                   "refused",
                   dev->name, sel, r->queue[sel].num,
                   (unsigned long long)r->queue[sel].desc,
                   (unsigned long long)r->queue[sel].avail,
                   (unsigned long long)r->queue[sel].used);
        atomic_store(&dev->needs_reset, true);
        atomic_store(&dev->was_broken, true);
        return;
    }
    r->queue_ready[sel] = val;
}

/* Under KVM an ioeventfd is faster, so this is the interpreter's way only. */
static void mmio_queue_notify(struct virtio_dev *dev, u32 off, u32 val)
{
    u64 one = 1;

    if (val < dev->nr_vqs)
        (void)!write(virtio_notify_fd(dev, val), &one, sizeof(one));
}

/* ---- interrupts and status ------------------------------------------------
 */

static u32 mmio_interrupt_status(struct virtio_dev *dev, u32 off)
{
    return atomic_load(&dev->isr);
}

static void mmio_interrupt_ack(struct virtio_dev *dev, u32 off, u32 val)
{
    atomic_fetch_and(&dev->isr, ~val);
}

static u32 mmio_status(struct virtio_dev *dev, u32 off)
{
    return dev->regs.status |
           (atomic_load(&dev->needs_reset) ? STATUS_NEEDS_RESET : 0);
}

/* Registers of a device that has started: only when the thread has let go. */
VCPU_ONLY static void mmio_reset(struct virtio_dev *dev)
{
    if ((dev->regs.status & STATUS_DRIVER_OK || dev->late) &&
        virtio_reset(dev) < 0) {
        warn_guest("%s: requests in flight do not end; reset incomplete",
                   dev->name);
        atomic_store(&dev->needs_reset, true);
        return;
    }
    dev->regs = (struct virtio_regs){0};
    atomic_store(&dev->isr, 0);
    atomic_store(&dev->needs_reset, false);
}

/* virtio 1.2, 2.2.1 and 6.1: a subset of the offer, and no legacy driver. */
static bool mmio_features_fit(const struct virtio_dev *dev)
{
    const struct virtio_regs *r = &dev->regs;

    return !r->alien_features && !(r->driver_features & ~dev->offered) &&
           r->driver_features & VIRTIO_F_VERSION_1;
}

/* The driver adds bits, in the order of virtio 1.2, 3.1.1; a step that comes
 * too early is not taken, and it reads so. Only a reset clears bits (2.1.1). */
VCPU_ONLY static void mmio_status_write(struct virtio_dev *dev, u32 off,
                                        u32 val)
{
    struct virtio_regs *r = &dev->regs;
    u32 set = val & STATUS_WRITABLE & ~r->status;

    if (val == 0) {
        mmio_reset(dev);
        return;
    }
    r->status |= set & (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FAILED);
    if (set & STATUS_FEATURES_OK && r->status & STATUS_DRIVER &&
        mmio_features_fit(dev))
        r->status |= STATUS_FEATURES_OK;
    if (!(set & STATUS_DRIVER_OK) || !(r->status & STATUS_FEATURES_OK) ||
        mmio_status(dev, off) & (STATUS_FAILED | STATUS_NEEDS_RESET))
        return;
    r->status |= STATUS_DRIVER_OK;
    virtio_activate(dev);
}

static u32 mmio_generation(struct virtio_dev *dev, u32 off)
{
    return atomic_load(&dev->generation);
}

/* A shared memory region that is not there (virtio 1.2, 4.2.2). */
static u32 mmio_no_shm(struct virtio_dev *dev, u32 off)
{
    return ~0u;
}

/* ---- the table ------------------------------------------------------------
 */

#define WHEN_DRIVER .must = STATUS_DRIVER, .refuse = STATUS_FEATURES_OK
#define WHEN_QUEUES                                                            \
    .must = STATUS_FEATURES_OK, .refuse = STATUS_DRIVER_OK | STATUS_FAILED

/* clang-format off */
static const struct mmio_reg mmio_regs[MMIO_CONFIG / 4] = {
    [MMIO_MAGIC / 4] = {.read = mmio_magic, .unlocked = true},
    [MMIO_VERSION / 4] = {.read = mmio_version, .unlocked = true},
    [MMIO_DEVICE_ID / 4] = {.read = mmio_device_id, .unlocked = true},
    [MMIO_VENDOR_ID / 4] = {.read = mmio_vendor_id, .unlocked = true},
    [MMIO_DEVICE_FEATURES / 4] = {.read = mmio_features},
    [MMIO_DEVICE_FEATURES_SEL / 4] = {.write = mmio_features_sel},
    [MMIO_DRIVER_FEATURES / 4] = {.write = mmio_driver_features, WHEN_DRIVER},
    [MMIO_DRIVER_FEATURES_SEL / 4] = {.write = mmio_driver_features_sel},
    [MMIO_QUEUE_SEL / 4] = {.write = mmio_queue_sel},
    [MMIO_QUEUE_NUM_MAX / 4] = {.read = mmio_queue_num_max},
    [MMIO_QUEUE_NUM / 4] = {.write = mmio_queue_num, WHEN_QUEUES},
    [MMIO_QUEUE_READY / 4] = {.read = mmio_queue_is_ready,
                              .write = mmio_queue_ready, WHEN_QUEUES},
    [MMIO_QUEUE_NOTIFY / 4] = {.write = mmio_queue_notify, .unlocked = true},
    [MMIO_INTERRUPT_STATUS / 4] = {.read = mmio_interrupt_status,
                                   .unlocked = true},
    [MMIO_INTERRUPT_ACK / 4] = {.write = mmio_interrupt_ack, .unlocked = true},
    [MMIO_STATUS / 4] = {.read = mmio_status, .write = mmio_status_write},
    [MMIO_QUEUE_DESC / 4] = {.write = mmio_queue_addr, WHEN_QUEUES},
    [MMIO_QUEUE_DESC / 4 + 1] = {.write = mmio_queue_addr, WHEN_QUEUES},
    [MMIO_QUEUE_DRIVER / 4] = {.write = mmio_queue_addr, WHEN_QUEUES},
    [MMIO_QUEUE_DRIVER / 4 + 1] = {.write = mmio_queue_addr, WHEN_QUEUES},
    [MMIO_QUEUE_DEVICE / 4] = {.write = mmio_queue_addr, WHEN_QUEUES},
    [MMIO_QUEUE_DEVICE / 4 + 1] = {.write = mmio_queue_addr, WHEN_QUEUES},
    [MMIO_SHM_LEN / 4] = {.read = mmio_no_shm, .unlocked = true},
    [MMIO_SHM_LEN / 4 + 1] = {.read = mmio_no_shm, .unlocked = true},
    [MMIO_SHM_BASE / 4] = {.read = mmio_no_shm, .unlocked = true},
    [MMIO_SHM_BASE / 4 + 1] = {.read = mmio_no_shm, .unlocked = true},
    [MMIO_GENERATION / 4] = {.read = mmio_generation, .unlocked = true},
};
/* clang-format on */

/* Registers are 32 bits wide and are accessed so (virtio 1.2, 4.2.2.2). */
static const struct mmio_reg *mmio_find(u64 off, unsigned int size)
{
    static const struct mmio_reg none;

    return size == 4 && off % 4 == 0 ? &mmio_regs[off / 4] : &none;
}

VCPU_ONLY static u64 mmio_config_read(struct virtio_dev *dev, u64 off,
                                      unsigned int size)
{
    const _Atomic(u8) *c;
    u64 val = 0;

    virtio_settle(dev);
    c = dev->config[atomic_load(&dev->generation) % 2];
    for (unsigned int i = 0; i < size; i++) {
        if (off + i < dev->config_len)
            val |= (u64)c[off + i] << 8 * i;
    }
    return val;
}

VCPU_ONLY static u64 mmio_read(void *arg, u64 off, unsigned int size)
{
    struct virtio_dev *dev = arg;
    const struct mmio_reg *r;
    u64 val;

    if (off >= MMIO_CONFIG)
        return mmio_config_read(dev, off - MMIO_CONFIG, size);
    r = mmio_find(off, size);
    if (!r->read)
        return 0;
    if (r->unlocked)
        return r->read(dev, (u32)off);
    lock_take(&dev->lock);
    val = r->read(dev, (u32)off);
    lock_drop(&dev->lock);
    return val;
}

VCPU_ONLY static void mmio_config_write(struct virtio_dev *dev, u64 off,
                                        unsigned int size, u64 val)
{
    if (off >= dev->config_len || size > dev->config_len - off || size > 4)
        return;
    lock_take(&dev->lock);
    if (dev->regs.status & STATUS_DRIVER_OK)
        virtio_config_write(dev, (u32)off, size, (u32)val);
    lock_drop(&dev->lock);
}

VCPU_ONLY static void mmio_write(void *arg, u64 off, unsigned int size, u64 val)
{
    struct virtio_dev *dev = arg;
    const struct mmio_reg *r;
    u32 status;

    if (off >= MMIO_CONFIG) {
        mmio_config_write(dev, off - MMIO_CONFIG, size, val);
        return;
    }
    r = mmio_find(off, size);
    if (!r->write)
        return;
    if (r->unlocked) {
        r->write(dev, (u32)off, (u32)val);
        return;
    }
    lock_take(&dev->lock);
    status = dev->regs.status;
    if ((status & r->must) == r->must && !(status & r->refuse))
        r->write(dev, (u32)off, (u32)val);
    lock_drop(&dev->lock);
}

static const struct bus_ops mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
};

int virtio_attach(struct virtio_dev *dev, struct mem *mem, struct bus *bus,
                  u64 base)
{
    dev->mem = mem;
    return bus_add(bus, BUS_MMIO, base, VIRTIO_MMIO_SIZE, dev->name, &mmio_ops,
                   dev);
}
