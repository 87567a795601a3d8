/* SPDX-License-Identifier: Apache-2.0 */
/* ioapic.c: registers, edge and level pins, masking, remote IRR */
#include "platform_fixture.h"

#define PIN    5u
#define LEVEL  0x8000u
#define MASKED 0x10000u
#define RIRR   0x4000u

static u32 io_read(u32 reg)
{
    ioapic_bus_ops.write(&fix_machine, 0x00, 4, reg);
    return (u32)ioapic_bus_ops.read(&fix_machine, 0x10, 4);
}

static void io_write(u32 reg, u32 val)
{
    ioapic_bus_ops.write(&fix_machine, 0x00, 4, reg);
    ioapic_bus_ops.write(&fix_machine, 0x10, 4, val);
}

static void pin(bool up)
{
    ioapic_pin(&fix_machine, PIN, up);
}

static u32 entry(void)
{
    return io_read(0x10 + 2 * PIN);
}

static void entry_set(u32 low)
{
    io_write(0x10 + 2 * PIN, low);
}

/* Deliver what is pending on vCPU 0 and end it; -1 if nothing was. */
static int serve(void)
{
    int v = fix_pending(0);

    if (v >= 0) {
        lapic_accept(fix_cpu(0), (u8)v);
        lapic_mmio_write(fix_cpu(0), LAPIC_EOI, 0);
    }
    return v;
}

static const struct {
    u32 reg, write, want;
} regs[] = {
    {0x00, 0xffffffff, 0x0f000000}, {0x01, 0xffffffff, 0x00170011},
    {0x02, 0xffffffff, 0},          {0x03, 0xffffffff, 0},
    {0x0f, 0xffffffff, 0},          {0x10, 0xffffffff, 0x0001afff},
    {0x11, 0xffffffff, 0xff000000}, {0x3e, 0xfffeffff, 0x0000afff},
    {0x3f, 0x01000000, 0x01000000}, {0x40, 0xffffffff, 0},
    {0xff, 0xffffffff, 0},
};

START_TEST(test_reg)
{
    ck_assert_uint_eq(io_read(0x10), MASKED);
    io_write(regs[_i].reg, regs[_i].write);
    ck_assert_msg(io_read(regs[_i].reg) == regs[_i].want, "%#x: %#x",
                  regs[_i].reg, io_read(regs[_i].reg));
    ck_assert_uint_eq(ioapic_bus_ops.read(&fix_machine, 0x20, 4), 0);
}
END_TEST

START_TEST(test_edge)
{
    entry_set(0x35);
    pin(true);
    ck_assert_int_eq(serve(), 0x35);
    pin(true); /* no second edge */
    ck_assert_int_eq(serve(), -1);
    pin(false);
    ck_assert_int_eq(serve(), -1);
    pin(true);
    ck_assert_int_eq(serve(), 0x35);
    ck_assert_uint_eq(entry() & RIRR, 0);
}
END_TEST

/* An edge on a masked pin is lost, also when the pin stays high. */
START_TEST(test_edge_masked)
{
    entry_set(0x35 | MASKED);
    pin(true);
    entry_set(0x35);
    ck_assert_int_eq(serve(), -1);
    pin(false);
    pin(true);
    ck_assert_int_eq(serve(), 0x35);
}
END_TEST

START_TEST(test_level)
{
    entry_set(0x46 | LEVEL);
    pin(true);
    ck_assert_uint_eq(entry(), 0x46 | LEVEL | RIRR);
    pin(false);
    pin(true); /* still in service: nothing new */
    ck_assert_int_eq(serve(), 0x46);
    ck_assert_int_eq(serve(), 0x46); /* was up at EOI: again */
    pin(false);
    ck_assert_int_eq(serve(), 0x46); /* it had been posted at EOI */
    ck_assert_int_eq(serve(), -1);
    ck_assert_uint_eq(entry(), 0x46 | LEVEL);
}
END_TEST

/* While remote IRR is set the pin may move: nothing is sent. */
START_TEST(test_level_in_service)
{
    entry_set(0x46 | LEVEL);
    pin(true);
    ck_assert_int_eq(fix_pending(0), 0x46);
    lapic_accept(fix_cpu(0), 0x46);
    pin(false);
    pin(true);
    lapic_take(fix_cpu(0));
    ck_assert_uint_eq(lapic_get(fix_cpu(0), LAPIC_IRR + 0x20), 0);
}
END_TEST

/* A level is not lost by masking: unmasking sends it. */
START_TEST(test_level_masked)
{
    entry_set(0x46 | LEVEL | MASKED);
    pin(true);
    ck_assert_int_eq(serve(), -1);
    entry_set(0x46 | LEVEL);
    pin(false);
    ck_assert_int_eq(serve(), 0x46);
    ck_assert_int_eq(serve(), -1);
}
END_TEST

/* EOI of another vector, or while masked, leaves things as they are. */
START_TEST(test_eoi)
{
    entry_set(0x46 | LEVEL);
    pin(true);
    ioapic_eoi(&fix_machine, 0x47);
    ck_assert_uint_eq(entry() & RIRR, RIRR);
    entry_set(0x46 | LEVEL | MASKED);
    ck_assert_uint_eq(entry() & RIRR, RIRR); /* read-only */
    ck_assert_int_eq(serve(), 0x46);
    ck_assert_uint_eq(entry(), 0x46 | LEVEL | MASKED);
    ck_assert_int_eq(serve(), -1);
    entry_set(0x46 | LEVEL);
    ck_assert_int_eq(serve(), 0x46);
}
END_TEST

/* Linux ends a stuck level interrupt by making the pin edge for a moment. */
START_TEST(test_edge_clears_remote_irr)
{
    entry_set(0x46 | LEVEL);
    pin(true);
    pin(false);
    ck_assert_uint_eq(entry() & RIRR, RIRR);
    entry_set(0x46 | MASKED);
    ck_assert_uint_eq(entry() & RIRR, 0);
}
END_TEST

START_TEST(test_destination)
{
    io_write(0x11 + 2 * PIN, 3u << 24);
    entry_set(0x35);
    pin(true);
    ck_assert_int_eq(fix_pending(0), -1);
    ck_assert_int_eq(fix_pending(3), 0x35);
    ck_assert_uint_eq(lapic_get(fix_cpu(3), LAPIC_TMR + 0x10), 0);
}
END_TEST

START_TEST(test_irq_ops)
{
    struct irq irq = {
        .ops = &ioapic_irq_ops, .ctx = &fix_machine, .gsi = PIN, .fd = -1};

    entry_set(0x35);
    irq_raise(&irq);
    irq_lower(&irq);
    ck_assert_int_eq(serve(), 0x35);
    irq_raise(&irq);
    ck_assert_int_eq(serve(), 0x35);
}
END_TEST

Suite *suite_ioapic(void);
Suite *suite_ioapic(void)
{
    Suite *s = suite_create("ioapic");
    TCase *tc = fix_tcase(s);

    tcase_add_loop_test(tc, test_reg, 0, ARRAY_SIZE(regs));
    tcase_add_test(tc, test_edge);
    tcase_add_test(tc, test_edge_masked);
    tcase_add_test(tc, test_level);
    tcase_add_test(tc, test_level_in_service);
    tcase_add_test(tc, test_level_masked);
    tcase_add_test(tc, test_eoi);
    tcase_add_test(tc, test_edge_clears_remote_irr);
    tcase_add_test(tc, test_destination);
    tcase_add_test(tc, test_irq_ops);
    return s;
}
