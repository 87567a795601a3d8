/* SPDX-License-Identifier: Apache-2.0 */
/* bus.c: who answers which address, and what nobody answers */
#include <check.h>

#include "mote/bus.h"
#include "mote/log.h"

static u64 last_off, last_val;

static u64 dev_read(void *dev, u64 off, unsigned int size)
{
    return *(u64 *)dev + off;
}

static void dev_write(void *dev, u64 off, unsigned int size, u64 val)
{
    last_off = off;
    last_val = val;
}

static const struct bus_ops ops = {dev_read, dev_write};
static u64 dev_a = 0x1111111111111100, dev_b = 0x2200;

static void bus_two(struct bus *bus)
{
    bus_init(bus);
    ck_assert_int_eq(bus_add(bus, BUS_PIO, 0x3f8, 8, "b", &ops, &dev_b), 0);
    ck_assert_int_eq(bus_add(bus, BUS_PIO, 0x60, 1, "a", &ops, &dev_a), 0);
}

static const struct read_case {
    u64 addr;
    unsigned int size;
    u64 want;
} reads[] = {
    {0x60, 1, 0x00},        {0x5f, 1, 0xff},  {0x61, 1, 0xff},
    {0x60, 2, 0xffff}, /* leaves the range: nobody */
    {0x3f8, 1, 0x00},       {0x3ff, 1, 0x07}, {0x3fc, 4, 0x2204},
    {0x3fd, 4, 0xffffffff}, {0x400, 1, 0xff}, {0x0, 1, 0xff},
    {0xffff, 2, 0xffff},
};

START_TEST(test_read)
{
    struct bus bus;

    bus_two(&bus);
    ck_assert_uint_eq(bus_read(&bus, BUS_PIO, reads[_i].addr, reads[_i].size),
                      reads[_i].want);
}
END_TEST

START_TEST(test_write)
{
    struct bus bus;

    bus_two(&bus);
    bus_write(&bus, BUS_PIO, 0x3fa, 1, 0xabcd);
    ck_assert_uint_eq(last_off, 2);
    ck_assert_uint_eq(last_val, 0xcd);
    bus_write(&bus, BUS_PIO, 0x3f7, 2, 1);
    ck_assert_uint_eq(last_off, 2);
}
END_TEST

/* Spaces do not see each other; MMIO is 64 bits wide up to the last byte. */
START_TEST(test_spaces)
{
    struct bus bus;

    bus_two(&bus);
    ck_assert_int_eq(bus_add(&bus, BUS_MMIO, ~0xfffull - 0x1000, 0x1000, "top",
                             &ops, &dev_a),
                     0);
    ck_assert_uint_eq(bus_read(&bus, BUS_MMIO, 0x60, 8), ~0ull);
    ck_assert_uint_eq(bus_read(&bus, BUS_MMIO, ~0xfffull - 0x1000, 8), dev_a);
    ck_assert_uint_eq(bus_read(&bus, BUS_MMIO, ~0ull, 8), ~0ull);
}
END_TEST

static char said[256];

static void note_log(const char *text, size_t len)
{
    memcpy(said, text, MIN(len, sizeof(said) - 1));
}

static const struct add_case {
    u64 base, len;
    int want;
} adds[] = {
    {0x3f7, 2, -EEXIST}, {0x3ff, 1, -EEXIST}, {0x3f0, 0x20, -EEXIST},
    {0x3f0, 8, 0},       {0x400, 1, 0},       {0x10, 0, -EINVAL},
    {~0ull, 2, -EINVAL},
};

START_TEST(test_add)
{
    struct bus bus;

    bus_two(&bus);
    log_sink_set(note_log);
    ck_assert_int_eq(bus_add(&bus, BUS_PIO, adds[_i].base, adds[_i].len, "new",
                             &ops, &dev_a),
                     adds[_i].want);
    log_sink_set(NULL);
    if (adds[_i].want < 0)
        ck_assert_msg(strstr(said, "new: ") != NULL, "%s", said);
}
END_TEST

START_TEST(test_full)
{
    struct bus bus;

    bus_init(&bus);
    for (u64 i = 0; i < BUS_RANGE_MAX; i++)
        ck_assert_int_eq(bus_add(&bus, BUS_PIO, i, 1, "n", &ops, &dev_a), 0);
    log_sink_set(note_log);
    ck_assert_int_eq(bus_add(&bus, BUS_PIO, 999, 1, "n", &ops, &dev_a),
                     -ENOSPC);
    log_sink_set(NULL);
}
END_TEST

Suite *suite_bus(void);
Suite *suite_bus(void)
{
    Suite *s = suite_create("bus");
    TCase *tc = tcase_create("bus");

    tcase_add_loop_test(tc, test_read, 0, ARRAY_SIZE(reads));
    tcase_add_test(tc, test_write);
    tcase_add_test(tc, test_spaces);
    tcase_add_loop_test(tc, test_add, 0, ARRAY_SIZE(adds));
    tcase_add_test(tc, test_full);
    suite_add_tcase(s, tc);
    return s;
}
