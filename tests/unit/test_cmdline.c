/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline.c: what goes where, and what does not fit */
#include "loader_test.h"

#define BASE                                                                   \
    "reboot=k panic=1 i8042.noaux i8042.nomux i8042.dumbkbd swiotlb=noforce"

#define COMMAND                                                                \
    "reboot=k panic=-1 i8042.noaux i8042.nomux i8042.dumbkbd "                 \
    "swiotlb=noforce cryptomgr.notests"

static const struct loader_device devices[] = {
    {.base = 0xc0001000, .gsi = 5},
    {.base = 0xc0002000, .gsi = 6},
};

static const struct cmdline_case {
    const char *name;
    struct cmdline_spec spec;
    const char *want;
} cases[] = {
    {"default", {.serial = true}, BASE " console=ttyS0 pci=off"},
    {"no console", {0}, BASE " 8250.nr_uarts=0 pci=off"},
    {"virtio console",
     {.serial = true, .hvc = true},
     BASE " console=hvc0 pci=off"},
    {"root",
     {.args = "x", .root = "root=/dev/vda ro"},
     "x pci=off root=/dev/vda ro"},
    {"root before devices and init",
     {.args = "x -- i",
      .append = "y",
      .root = "root=PARTUUID=1-2 rw",
      .nr_devices = 1,
      .device = devices},
     "x pci=off root=PARTUUID=1-2 rw virtio_mmio.device=4K@0xc0001000:5 y -- "
     "i"},
    {"a command",
     {.command = true},
     COMMAND " console=ttyS0 quiet pci=off rdinit=/.mote/init"},
    {"a command's console",
     {.command = true, .serial = true},
     COMMAND " console=ttyS0 pci=off rdinit=/.mote/init"},
    {"a command's virtio console",
     {.command = true, .serial = true, .hvc = true},
     COMMAND " console=hvc0 pci=off rdinit=/.mote/init"},
    {"a command, given words",
     {.command = true, .args = "x -- y", .root = "root=/dev/vda ro"},
     "x pci=off rdinit=/.mote/init root=/dev/vda ro -- y"},
    {"given", {.args = "quiet"}, "quiet pci=off"},
    {"empty", {.args = ""}, "pci=off"},
    {"devices",
     {.args = "x", .nr_devices = 2, .device = devices},
     "x pci=off virtio_mmio.device=4K@0xc0001000:5 "
     "virtio_mmio.device=4K@0xc0002000:6"},
    {"append", {.args = "x", .append = "y z"}, "x pci=off y z"},
    {"to the default",
     {.serial = true, .append = "quiet"},
     BASE " console=ttyS0 pci=off quiet"},
    {"for init", {.args = "x -- a b"}, "x pci=off -- a b"},
    {"only init", {.args = "-- a"}, "pci=off -- a"},
    {"nothing for init", {.args = "x --"}, "x pci=off --"},
    {"append before init",
     {.args = "x -- a", .append = "y"},
     "x pci=off y -- a"},
    {"both for init",
     {.args = "x -- a", .append = "y -- b"},
     "x pci=off y -- a b"},
    {"append for init", {.args = "x", .append = "-- b"}, "x pci=off -- b"},
    {"second -- is init's", {.args = "x -- a -- b"}, "x pci=off -- a -- b"},
    {"option with dashes", {.args = "x --y z--"}, "x --y z-- pci=off"},
    {"quoted", {.args = "x=\"a -- b\" c"}, "x=\"a -- b\" c pci=off"},
    {"spaces", {.args = "  x  ", .append = " y "}, "x pci=off y"},
};

START_TEST(test_line)
{
    const struct cmdline_case *t = &cases[_i];
    char out[LOADER_CMDLINE_MAX];

    ck_assert_int_eq(loader_cmdline(out, &t->spec), 0);
    ck_assert_msg(!strcmp(out, t->want), "%s: %s", t->name, out);
}
END_TEST

/* 2047 bytes and a NUL fit, one more does not; either half may be too long. */
START_TEST(test_length)
{
    char out[LOADER_CMDLINE_MAX + 1], args[4096], append[4096];
    struct cmdline_spec spec = {.args = args, .append = append};
    const size_t room = LOADER_CMDLINE_MAX - 1 - strlen(" pci=off");

    memset(out, 0x5a, sizeof(out));
    memset(args, 'a', sizeof(args));
    memset(append, 'b', sizeof(append));
    args[room] = '\0';
    append[0] = '\0';
    ck_assert_int_eq(loader_cmdline(out, &spec), 0);
    ck_assert_uint_eq(strlen(out), LOADER_CMDLINE_MAX - 1);
    args[room] = 'a';
    args[room + 1] = '\0';
    ck_assert_int_eq(loader_cmdline(out, &spec), -E2BIG);
    lt_said("args", "2048 bytes, 2047 are allowed (boot arguments 2040, "
                    "devices 8, appended 0)");
    lt_log[0] = '\0';
    args[4095] = append[4095] = '\0';
    memset(args + 10, 'a', 4000);
    ck_assert_int_eq(loader_cmdline(out, &spec), -E2BIG);
    lt_said("both", "appended 0");
    lt_log[0] = '\0';
    append[0] = 'b';
    ck_assert_int_eq(loader_cmdline(out, &spec), -E2BIG);
    lt_said("both", "appended 4095");
    ck_assert_uint_eq((u8)out[LOADER_CMDLINE_MAX], 0x5a);
}
END_TEST

static const char *const bad[] = {"a\tb", "a\nb", "caf\xc3\xa9", "\x7f"};

START_TEST(test_bytes)
{
    char out[LOADER_CMDLINE_MAX];
    struct cmdline_spec args = {.args = bad[_i]};
    struct cmdline_spec append = {.append = bad[_i]};

    ck_assert_int_eq(loader_cmdline(out, &args), -EINVAL);
    lt_said(bad[_i], "is not printable ASCII");
    lt_log[0] = '\0';
    ck_assert_int_eq(loader_cmdline(out, &append), -EINVAL);
    lt_said(bad[_i], "appended kernel command line: byte 0x");
}
END_TEST

Suite *suite_cmdline(void);
Suite *suite_cmdline(void)
{
    Suite *s = suite_create("cmdline");
    TCase *tc = tcase_create("cmdline");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_add_loop_test(tc, test_line, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_length);
    tcase_add_loop_test(tc, test_bytes, 0, ARRAY_SIZE(bad));
    suite_add_tcase(s, tc);
    return s;
}
