/* SPDX-License-Identifier: Apache-2.0 */
/* i8042, exit port, ACPI power registers and boot timer, through the bus */
#include <check.h>

#include "mote/dev.h"

#include "capture.h"

struct machine {
    struct bus bus;
    struct power power;
    struct i8042 *i8042;
    struct irq irq;
    unsigned int edges;
    bool line;
    struct boot_timer timer;
    unsigned int ends;
    enum power_reason reason;
    u32 value;
};

static void machine_end(struct power *p, enum power_reason reason, u32 value)
{
    struct machine *m = container_of(p, struct machine, power);

    m->ends++;
    m->reason = reason;
    m->value = value;
}

static void machine_raise(struct irq *irq)
{
    struct machine *m = container_of(irq, struct machine, irq);

    m->edges += !m->line;
    m->line = true;
}

static void machine_lower(struct irq *irq)
{
    container_of(irq, struct machine, irq)->line = false;
}

static void machine_up(struct machine *m)
{
    static const struct irq_ops irq_ops = {machine_raise, machine_lower};

    *m = (struct machine){.power.end = machine_end, .irq.ops = &irq_ops};
    bus_init(&m->bus);
    ck_assert_int_eq(i8042_new(&m->i8042, &m->bus, &m->power, &m->irq), 0);
    ck_assert_int_eq(cmos_new(&m->bus), 0);
    ck_assert_int_eq(exit_port_new(&m->bus, &m->power), 0);
    ck_assert_int_eq(acpi_power_new(&m->bus, &m->power), 0);
    ck_assert_int_eq(boot_timer_new(&m->bus, &m->timer), 0);
}

struct end_case {
    u16 port;
    u8 val;
    int first; /* written to the command port before; -1: nothing */
    enum power_reason reason;
    u32 value;
};

static const struct end_case end_cases[] = {
    {I8042_PORT_CMD, 0xfe, -1, POWER_RESET, 0}, /* what Linux writes */
    {I8042_PORT_CMD, 0xf0, -1, POWER_RESET, 0},
    {I8042_PORT_CMD, 0xff, -1, POWER_NONE, 0}, /* pulses nothing */
    {I8042_PORT_CMD, 0xfd, -1, POWER_NONE, 0},
    {I8042_PORT_DATA, 0xfe, 0xd1, POWER_RESET, 0}, /* output port, bit 0 low */
    {I8042_PORT_DATA, 0xdf, 0xd1, POWER_NONE, 0},  /* A20 on */
    {I8042_PORT_DATA, 0xfe, -1, POWER_NONE, 0},    /* for the keyboard */
    {I8042_PORT_DATA, 0xfe, 0x60, POWER_NONE, 0},  /* the CTR */
    {EXIT_PORT, 0x21, -1, POWER_EXIT_PORT, 0x21},
    {SLEEP_PORT, 0x34, -1, POWER_OFF, 0},  /* SLP_EN, S5 */
    {SLEEP_PORT, 0x14, -1, POWER_NONE, 0}, /* not SLP_EN */
    {SLEEP_PORT, 0x2c, -1, POWER_NONE, 0}, /* S3 is not offered */
    {SLEEP_PORT + 1, 0x34, -1, POWER_NONE, 0},
    {SLEEP_PORT + 2, 0x01, -1, POWER_RESET, 0},
};

START_TEST(test_end)
{
    const struct end_case *t = &end_cases[_i];
    struct machine m;

    capture_start();
    machine_up(&m);
    if (t->first >= 0)
        bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, (u64)t->first);
    bus_write(&m.bus, BUS_PIO, t->port, 1, t->val);
    ck_assert_int_eq(m.reason, t->reason);
    ck_assert_uint_eq(m.value, t->value);
    ck_assert_uint_eq(m.ends, t->reason != POWER_NONE);
    i8042_free(m.i8042);
}
END_TEST

/* -1 in answer: there is none. */
struct command_case {
    int command;
    int operand; /* -1: none */
    int answer;
};

static const struct command_case command_cases[] = {
    {0x20, -1, 0x24}, /* the CTR after reset */
    {0xaa, -1, 0x55}, {0xab, -1, 0x00},   {0xa9, -1, 0x01}, {0xd0, -1, 0x03},
    {0xc0, -1, 0x80}, {0xd3, 0x5a, 0x5a}, {0x60, 0x47, -1}, {0xad, -1, -1},
    {0xd4, 0xf4, -1}, {0x01, -1, -1},
};

START_TEST(test_i8042_command)
{
    const struct command_case *t = &command_cases[_i];
    struct machine m;
    u64 status;

    machine_up(&m);
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_CMD, 1) & 3, 0);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, (u64)t->command);
    if (t->operand >= 0)
        bus_write(&m.bus, BUS_PIO, I8042_PORT_DATA, 1, (u64)t->operand);
    status = bus_read(&m.bus, BUS_PIO, I8042_PORT_CMD, 1);
    ck_assert_uint_eq(status & 0x22, 0); /* never busy, never from a mouse */
    ck_assert_uint_eq(status & 1, t->answer >= 0);
    if (t->answer >= 0)
        ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_DATA, 1),
                          (u64)t->answer);
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_CMD, 1) & 1, 0);
    i8042_free(m.i8042);
}
END_TEST

START_TEST(test_i8042_ctr)
{
    struct machine m;

    machine_up(&m);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0x60);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_DATA, 1, 0x47);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0xad);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0xa7);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0x20);
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_DATA, 1), 0x77);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0xae);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0xa8);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0x20);
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_DATA, 1), 0x47);
    i8042_free(m.i8042);
}
END_TEST

static const u8 ctrl_alt_del[] = {0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0,
                                  0x71, 0xf0, 0x11, 0xf0, 0x14};

/* One byte at a time, each with an edge if the driver wants it; nothing while
 * the keyboard is off. */
START_TEST(test_i8042_keys)
{
    struct machine m;

    machine_up(&m);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0x60);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_DATA, 1, _i ? 0x45 : 0x44);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0xad);
    i8042_ctrl_alt_del(m.i8042);
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_CMD, 1) & 1, 0);
    ck_assert_uint_eq(m.edges, 0);
    bus_write(&m.bus, BUS_PIO, I8042_PORT_CMD, 1, 0xae);
    for (unsigned int i = 0; i < sizeof(ctrl_alt_del); i++) {
        ck_assert_uint_eq(m.edges, _i ? i + 1 : 0);
        ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_CMD, 1) & 0x21,
                          1);
        ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_DATA, 1),
                          ctrl_alt_del[i]);
    }
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, I8042_PORT_CMD, 1) & 1, 0);
    ck_assert_uint_eq(m.edges, _i ? sizeof(ctrl_alt_del) : 0);
    i8042_free(m.i8042);
}
END_TEST

START_TEST(test_boot_timer)
{
    struct machine m;

    capture_start();
    machine_up(&m);
    m.timer.log = true;
    bus_write(&m.bus, BUS_MMIO, BOOT_TIMER_BASE, 1, 122);
    bus_write(&m.bus, BUS_MMIO, BOOT_TIMER_BASE + 1, 1, 123);
    bus_write(&m.bus, BUS_MMIO, BOOT_TIMER_BASE, 4, 123);
    ck_assert_uint_eq(m.timer.reached_ns, 0);
    ck_assert_str_eq(capture_text, "");
    bus_write(&m.bus, BUS_MMIO, BOOT_TIMER_BASE, 1, 123);
    ck_assert_uint_ne(m.timer.reached_ns, 0);
    ck_assert_ptr_nonnull(strstr(capture_text, "Guest-boot-time = "));
    ck_assert_ptr_nonnull(strstr(capture_text, " CPU ms\n"));
    capture_start();
    bus_write(&m.bus, BUS_MMIO, BOOT_TIMER_BASE, 1, 123);
    ck_assert_str_eq(capture_text, ""); /* once */
    i8042_free(m.i8042);
}
END_TEST

/* Register A: no update in progress. Register B: not 24-hour mode. */
START_TEST(test_cmos)
{
    struct machine m;

    machine_up(&m);
    bus_write(&m.bus, BUS_PIO, CMOS_PORT, 1, 10 + (u64)_i);
    ck_assert_uint_eq(bus_read(&m.bus, BUS_PIO, CMOS_PORT + 1, 1), 0);
    i8042_free(m.i8042);
}
END_TEST

Suite *suite_legacy(void);
Suite *suite_legacy(void)
{
    Suite *s = suite_create("legacy");
    TCase *tc = tcase_create("legacy");

    tcase_add_loop_test(tc, test_end, 0, ARRAY_SIZE(end_cases));
    tcase_add_loop_test(tc, test_i8042_command, 0, ARRAY_SIZE(command_cases));
    tcase_add_test(tc, test_i8042_ctr);
    tcase_add_loop_test(tc, test_i8042_keys, 0, 2);
    tcase_add_test(tc, test_boot_timer);
    tcase_add_loop_test(tc, test_cmos, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
