/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c: the registers of virtio over MMIO, on a drive */
#include "hostile.h"

#define READY (S_ACK | S_DRIVER | S_FEATURES_OK)

/* ---- status and features (virtio 1.2, 3.1.1, 6) -------------------------- */

/* Write these, low byte first; the last one must not be taken. */
static enum verdict status_order(struct dev *d, u64 arg)
{
    u32 last = 0;

    for (; arg > 0; arg >>= 8) {
        last = arg & 0xff;
        reg_write(d, R_STATUS, last);
    }
    return (reg_read(d, R_STATUS) & last) == last ? WRONG : REJECT;
}

static enum verdict status_failed_first(struct dev *d, u64 arg)
{
    dev_negotiate(d, dev_offered(d));
    reg_write(d, R_STATUS, READY | S_FAILED);
    reg_write(d, R_STATUS, READY | S_FAILED | S_DRIVER_OK);
    return reg_read(d, R_STATUS) & S_DRIVER_OK ? WRONG : REJECT;
}

/* Bits that the driver takes back, or that are not its own. */
static enum verdict status_write(struct dev *d, u64 arg)
{
    reg_write(d, R_STATUS, (u32)arg);
    if (reg_read(d, R_STATUS) != (READY | S_DRIVER_OK))
        return WRONG;
    return still_works(d);
}

static enum verdict features_bad(struct dev *d, u64 arg)
{
    return dev_negotiate(d, arg) ? WRONG : REJECT;
}

static enum verdict features_more(struct dev *d, u64 arg)
{
    return dev_negotiate(d, dev_offered(d) | arg) ? WRONG : REJECT;
}

static enum verdict features_less(struct dev *d, u64 arg)
{
    return dev_negotiate(d, dev_offered(d) & ~arg) ? WRONG : REJECT;
}

static enum verdict features_alien(struct dev *d, u64 arg)
{
    reg_write(d, R_STATUS, S_ACK | S_DRIVER);
    dev_accept(d, dev_offered(d));
    reg_write(d, R_DRIVER_FEATURES_SEL, (u32)arg);
    reg_write(d, R_DRIVER_FEATURES, 1);
    reg_write(d, R_STATUS, READY);
    return reg_read(d, R_STATUS) & S_FEATURES_OK ? WRONG : REJECT;
}

static enum verdict features_early(struct dev *d, u64 arg)
{
    dev_accept(d, dev_offered(d));
    reg_write(d, R_STATUS, S_ACK | S_DRIVER);
    reg_write(d, R_STATUS, READY);
    return reg_read(d, R_STATUS) & S_FEATURES_OK ? WRONG : REJECT;
}

static enum verdict features_retry(struct dev *d, u64 arg)
{
    dev_negotiate(d, 0);
    return dev_up_without(d, 0) ? still_works(d) : WRONG;
}

static enum verdict features_late(struct dev *d, u64 arg)
{
    u64 was = d->features;

    dev_accept(d, arg);
    d->features = was;
    return still_works(d);
}

static enum verdict features_sel(struct dev *d, u64 arg)
{
    reg_write(d, R_FEATURES_SEL, (u32)arg);
    return reg_read(d, R_FEATURES) == 0 ? PASS : WRONG;
}

/* ---- queues (4.2.3.2) ---------------------------------------------------- */

static enum verdict queue_verdict(struct dev *d)
{
    if (queue_ready(d, 0))
        return WRONG;
    return reg_read(d, R_STATUS) & S_NEEDS_RESET ? NEEDS_RESET : REJECT;
}

static enum verdict queue_num(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    queue_set(d, 0, NUM);
    reg_write(d, R_QUEUE_NUM, (u32)arg);
    return queue_verdict(d);
}

static enum verdict queue_unset(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    return queue_verdict(d);
}

static enum verdict queue_bad_addr(struct dev *d, u32 reg, u64 addr)
{
    dev_negotiate(d, F_VERSION_1);
    queue_set(d, 0, NUM);
    reg_write64(d, reg, addr);
    return queue_verdict(d);
}

static enum verdict queue_desc(struct dev *d, u64 arg)
{
    return queue_bad_addr(d, R_DESC, arg);
}

static enum verdict queue_avail(struct dev *d, u64 arg)
{
    return queue_bad_addr(d, R_AVAIL, arg);
}

static enum verdict queue_used(struct dev *d, u64 arg)
{
    return queue_bad_addr(d, R_USED, arg);
}

/* A driver that goes on as if nothing had been refused. */
static enum verdict queue_insist(struct dev *d, u64 arg)
{
    queue_bad_addr(d, R_DESC, arg);
    dev_ok(d);
    notify(d, 0);
    return reg_read(d, R_STATUS) & S_DRIVER_OK ? WRONG : NEEDS_RESET;
}

/* All three rings in one legal place; the first descriptor is nonsense. */
static enum verdict queue_heap(struct dev *d, u64 arg)
{
    volatile u16 *at = (volatile u16 *)arg;

    dev_negotiate(d, F_VERSION_1);
    queue_set(d, 0, NUM);
    for (u32 i = 1; i < 1024; i++) /* gcc takes *0 for a mistake */
        at[i] = 0;
    reg_write64(d, R_DESC, arg);
    reg_write64(d, R_AVAIL, arg);
    reg_write64(d, R_USED, arg);
    if (!queue_ready(d, 0))
        return WRONG;
    dev_ok(d);
    at[1] = 1; /* both idx, and the address 0x10000 */
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

static enum verdict queue_too_early(struct dev *d, u64 arg)
{
    reg_write(d, R_STATUS, S_ACK | S_DRIVER);
    queue_set(d, 0, NUM);
    return queue_verdict(d);
}

static enum verdict queue_ready_value(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    queue_set(d, 0, NUM);
    reg_write(d, R_QUEUE_READY, (u32)arg);
    return reg_read(d, R_QUEUE_READY) == 0 ? REJECT : WRONG;
}

/* Registers of a queue that is ready. */
static enum verdict queue_change(struct dev *d, u64 arg)
{
    reg_write(d, R_QUEUE_SEL, 0);
    reg_write(d, (u32)arg, 0x1234567);
    return still_works(d);
}

static enum verdict queue_change_cold(struct dev *d, u64 arg)
{
    dev_negotiate(d, dev_offered(d) & ~F_EVENT_IDX);
    queue_set(d, 0, NUM);
    queue_ready(d, 0);
    reg_write(d, R_QUEUE_NUM, 2);
    reg_write64(d, R_USED, 0xfee00000);
    dev_ok(d);
    return still_works(d);
}

static enum verdict queue_take_back(struct dev *d, u64 arg)
{
    reg_write(d, R_QUEUE_SEL, 0);
    reg_write(d, R_QUEUE_READY, 0);
    return reg_read(d, R_QUEUE_READY) ? still_works(d) : PASS;
}

static enum verdict queue_absent(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    reg_write(d, R_QUEUE_SEL, (u32)arg);
    if (reg_read(d, R_QUEUE_MAX) != 0)
        return WRONG;
    reg_write(d, R_QUEUE_NUM, NUM);
    reg_write(d, R_QUEUE_READY, 1);
    return reg_read(d, R_QUEUE_READY) == 0 ? REJECT : WRONG;
}

static enum verdict queue_none(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    dev_ok(d);
    notify(d, 0);
    return reg_read(d, R_STATUS) == (READY | S_DRIVER_OK) ? PASS : WRONG;
}

static enum verdict queue_after_ok(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    dev_ok(d);
    queue_set(d, 0, NUM);
    return queue_verdict(d);
}

/* ---- notifications ------------------------------------------------------- */

static enum verdict notify_early(struct dev *d, u64 arg)
{
    notify(d, 0);
    dev_negotiate(d, dev_offered(d) & ~F_EVENT_IDX);
    notify(d, 0);
    queue_set(d, 0, NUM);
    queue_ready(d, 0);
    notify(d, 0);
    dev_ok(d);
    return still_works(d);
}

static enum verdict notify_other(struct dev *d, u64 arg)
{
    notify(d, (u32)arg);
    return still_works(d);
}

static enum verdict notify_often(struct dev *d, u64 arg)
{
    while (arg-- > 0)
        notify(d, 0);
    return still_works(d);
}

static enum verdict notify_late(struct dev *d, u64 arg)
{
    dev_reset(d);
    notify(d, 0);
    return reg_read(d, R_STATUS) == 0 ? PASS : WRONG;
}

/* ---- accesses that are not of 4 aligned bytes (4.2.2.2) -------------------
 */

static enum verdict read_sizes(struct dev *d, u64 arg)
{
    for (u64 at = d->base; at < d->base + R_CONFIG; at++) {
        if (arg == 1)
            *(volatile u8 *)at;
        else if (arg == 2)
            *(volatile u16 *)at;
        else if (arg == 4)
            *(volatile u32 *)at;
        else
            *(volatile u64 *)at;
    }
    return still_works(d);
}

static enum verdict write_byte(struct dev *d, u64 arg)
{
    *(volatile u8 *)(d->base + arg) = 0;
    return still_works(d);
}

static enum verdict write_word(struct dev *d, u64 arg)
{
    *(volatile u16 *)(d->base + arg) = 0;
    return still_works(d);
}

static enum verdict write_dword(struct dev *d, u64 arg)
{
    *(volatile u32 *)(d->base + arg) = 0;
    return still_works(d);
}

static enum verdict write_qword(struct dev *d, u64 arg)
{
    *(volatile u64 *)(d->base + arg) = 0;
    return still_works(d);
}

static enum verdict write_read_only(struct dev *d, u64 arg)
{
    static const u32 reg[] = {0x00, 0x04, 0x08, 0x0c, 0x10, 0x18, 0x34,
                              0x48, 0x60, 0xac, 0xb0, 0xb8, 0xc0, 0xfc};

    for (size_t i = 0; i < ARRAY_SIZE(reg); i++)
        reg_write(d, reg[i], 0xffffffff);
    return still_works(d);
}

/* The configuration space of a drive has nothing to write (5.2.4). */
static enum verdict config_write(struct dev *d, u64 arg)
{
    u32 was = reg_read(d, R_CONFIG);

    for (u32 off = 0; off < 0xf00; off += 4)
        reg_write(d, R_CONFIG + off, 0xffffffff);
    return reg_read(d, R_CONFIG) == was ? still_works(d) : WRONG;
}

static enum verdict config_read_past(struct dev *d, u64 arg)
{
    for (u64 at = d->base + 0x180; at < d->base + 0xff8; at += 7) {
        if (*(volatile u64 *)at != 0)
            return WRONG;
    }
    *(volatile u64 *)(d->base + 0xffc); /* and into the next device */
    return still_works(d);
}

static enum verdict ack_all(struct dev *d, u64 arg)
{
    reg_write(d, R_ACK, 0xffffffff);
    return reg_read(d, R_ISR) == 0 ? still_works(d) : WRONG;
}

/* ---- reset --------------------------------------------------------------- */

static enum verdict reset_twice(struct dev *d, u64 arg)
{
    while (arg-- > 0)
        reg_write(d, R_STATUS, 0);
    return reg_read(d, R_STATUS) == 0 ? PASS : WRONG;
}

static enum verdict reset_up_many(struct dev *d, u64 arg)
{
    while (arg-- > 0) {
        if (!dev_reset(d) || !dev_up_without(d, 0))
            return WRONG;
    }
    return still_works(d);
}

static enum verdict reset_half_way(struct dev *d, u64 arg)
{
    dev_negotiate(d, F_VERSION_1);
    queue_set(d, 0, NUM);
    queue_ready(d, 0);
    dev_reset(d);
    reg_write(d, R_QUEUE_SEL, 0);
    return reg_read(d, R_QUEUE_READY) == 0 ? PASS : WRONG;
}

static enum verdict ok_twice(struct dev *d, u64 arg)
{
    dev_ok(d);
    dev_ok(d);
    return still_works(d);
}

/* clang-format off */
static const struct test tests[] = {
    {"DRIVER_OK at once", status_order, 0x04, true},
    {"DRIVER_OK without FEATURES_OK", status_order, 0x070301, true},
    {"FEATURES_OK without DRIVER", status_order, 0x0901, true},
    {"all of the status at once", status_order, 0x0f, true},
    {"DRIVER_OK after FAILED", status_failed_first, 0, true},
    {"status bits taken back", status_write, 0x01},
    {"status bits that do not exist", status_write, 0x3f},
    {"NEEDS_RESET set by the driver", status_write, 0x4f},
    {"status above 8 bits", status_write, 0xffffff00},
    {"no features", features_bad, 0, true},
    {"VERSION_1 not accepted", features_less, F_VERSION_1, true},
    {"a feature that is not offered", features_more, 1ull << 40, true},
    {"a device feature that is not offered", features_more, 1ull << 23, true},
    {"all 64 features", features_bad, ~0ull, true},
    {"features above bit 63", features_alien, 2, true},
    {"features at selector 2^32-1", features_alien, 0xffffffff, true},
    {"features before DRIVER", features_early, 0, true},
    {"features again after a refusal", features_retry, 0, true},
    {"features changed while running", features_late, 0},
    {"all features while running", features_late, ~0ull},
    {"offer at selector 2", features_sel, 2, true},
    {"offer at selector 2^32-1", features_sel, 0xffffffff, true},
    {"QueueNum 0", queue_num, 0, true},
    {"QueueNum 3", queue_num, 3, true},
    {"QueueNum 512", queue_num, 512, true},
    {"QueueNum 0x10000", queue_num, 0x10000, true},
    {"QueueNum 0x10040", queue_num, 0x10040, true},
    {"QueueNum 2^31", queue_num, 1u << 31, true},
    {"QueueNum 2^32-1", queue_num, 0xffffffff, true},
    {"QueueReady with nothing set", queue_unset, 0, true},
    {"descriptors behind RAM", queue_desc, RAM_END, true},
    {"descriptors across the end of RAM", queue_desc, RAM_END - 1008, true},
    {"descriptors misaligned", queue_desc, MIB * 8 + 8, true},
    {"descriptors that wrap around", queue_desc, ~0ull - 15, true},
    {"descriptors in registers", queue_desc, MMIO_BASE, true},
    {"descriptors in the local APIC", queue_desc, 0xfee00000, true},
    {"descriptors above 4 GiB", queue_desc, 1ull << 32, true},
    {"descriptors at 2^63", queue_desc, 1ull << 63, true},
    {"avail ring behind RAM", queue_avail, RAM_END, true},
    {"avail ring across the end of RAM", queue_avail, RAM_END - 130, true},
    {"avail ring misaligned", queue_avail, MIB * 8 + 1, true},
    {"avail ring that wraps around", queue_avail, ~0ull - 1, true},
    {"avail ring in registers", queue_avail, MMIO_BASE + 0x1000, true},
    {"avail ring in the I/O APIC", queue_avail, 0xfec00000, true},
    {"used ring behind RAM", queue_used, RAM_END, true},
    {"used ring across the end of RAM", queue_used, RAM_END - 516, true},
    {"used ring misaligned", queue_used, MIB * 8 + 2, true},
    {"used ring that wraps around", queue_used, ~0ull - 3, true},
    {"used ring in registers", queue_used, MMIO_BASE, true},
    {"used ring in the ROM below 4 GiB", queue_used, 0xfffff000, true},
    {"DRIVER_OK after a refused queue", queue_insist, RAM_END, true},
    {"all rings at address 0", queue_heap, 0, true},
    {"all rings in one place", queue_heap, 8 * MIB, true},
    {"queue before FEATURES_OK", queue_too_early, 0, true},
    {"QueueReady 2", queue_ready_value, 2, true},
    {"QueueReady 2^32-1", queue_ready_value, 0xffffffff, true},
    {"QueueNum of a running queue", queue_change, R_QUEUE_NUM},
    {"descriptors of a running queue", queue_change, R_DESC},
    {"avail ring of a running queue", queue_change, R_AVAIL},
    {"used ring of a running queue", queue_change, R_USED},
    {"registers of a ready queue", queue_change_cold, 0, true},
    {"QueueReady 0 while running", queue_take_back},
    {"queue 17", queue_absent, 17, true},
    {"queue 2^32-1", queue_absent, 0xffffffff, true},
    {"DRIVER_OK without a queue", queue_none, 0, true},
    {"queue after DRIVER_OK", queue_after_ok, 0, true},
    {"notification before DRIVER_OK", notify_early, 0, true},
    {"notification of queue 1", notify_other, 1},
    {"notification of queue 200", notify_other, 200},
    {"notification of queue 2^32-1", notify_other, 0xffffffff},
    {"notification of queue 0x10000", notify_other, 0x10000},
    {"notifications for nothing", notify_often, 5000},
    {"notification after a reset", notify_late},
    {"all registers read as bytes", read_sizes, 1},
    {"all registers read as words", read_sizes, 2},
    {"all registers read misaligned", read_sizes, 4},
    {"all registers read as 8 bytes", read_sizes, 8},
    {"status written as a byte", write_byte, R_STATUS},
    {"status written as a word", write_word, R_STATUS},
    {"status written misaligned", write_dword, R_STATUS + 1},
    {"status written as 8 bytes", write_qword, R_STATUS},
    {"notification by a byte", write_byte, R_NOTIFY},
    {"notification by a word", write_word, R_NOTIFY},
    {"notification by 8 bytes", write_qword, R_NOTIFY},
    {"read-only registers written", write_read_only},
    {"configuration written", config_write},
    {"configuration read past its end", config_read_past},
    {"interrupts acknowledged that never were", ack_all},
    {"double reset", reset_twice, 2},
    {"a hundred resets", reset_twice, 100},
    {"up and down fifty times", reset_up_many, 50},
    {"reset half way", reset_half_way, 0, true},
    {"DRIVER_OK three times", ok_twice},
};
/* clang-format on */

const struct suite transport_suite = {"transport", ID_BLK, 0, tests,
                                      ARRAY_SIZE(tests)};
