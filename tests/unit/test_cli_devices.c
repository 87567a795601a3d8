/* SPDX-License-Identifier: Apache-2.0 */
/* cli_devices: --disk, --net, --rng, --console, --port and what they refuse */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/parts.h"

#include "capture.h"

#define ARGS_MAX 24

/* A file that can be read anywhere: this program. */
#define EXE "/proc/self/exe"

static struct config config;

/* mote run --kernel EXE, and these; returns the status, or 0 to run. */
static int parse(const char *const *args)
{
    char *argv[ARGS_MAX + 5] = {strdup("mote"), strdup("run"),
                                strdup("--kernel"), strdup(EXE)};
    struct cli cli = {.c = &config};
    int argc = 4, status = -1;

    for (; args[argc - 4]; argc++)
        argv[argc] = strdup(args[argc - 4]);
    capture_start();
    ck_assert_int_eq(config_init(&config), 0);
    if (cli_parse(&cli, argc, argv, &status) == CLI_RUN)
        status = 0;
    while (argc > 0)
        free(argv[--argc]);
    return status;
}

struct device_case {
    const char *args[ARGS_MAX];
    const char *want; /* NULL: it runs */
    int status;
};

#define BAD(text)  .want = "mote: " text "\n", .status = STATUS_BAD_ARGS
#define BADC(text) .want = "mote: " text "\n", .status = STATUS_BAD_CONFIG

static const struct device_case cases[] = {
    {{"--disk", EXE ",ro"}, NULL, 0},
    {{"--disk", EXE ",overlay=ephemeral,quota=64M"}, NULL, 0},
    {{"--disk", EXE ",root,ro,direct,io=async,cache=unsafe,on_error=stop,"
                    "partuuid=ab-01,id=x"},
     NULL,
     0},
    {{"--disk", EXE ",ro", "--disk=" EXE ",ro"}, NULL, 0},
    {{"--disk", ""}, BAD("--disk: \"\" is empty")},
    {{"--disk", ",ro"}, BAD("--disk: \"\" is empty")},
    {{"--disk", "d,rot"},
     BAD("--disk: \"rot\" is not one of root, ro, overlay=, quota=, direct, "
         "io=, cache=, on_error=, partuuid=, id=; did you mean \"root\"?")},
    {{"--disk", "d,xyzzy=1"},
     BAD("--disk: \"xyzzy\" is not one of root, ro, overlay=, quota=, direct, "
         "io=, cache=, on_error=, partuuid=, id=")},
    {{"--disk", "d,ro=1"}, BAD("--disk: ro takes no value")},
    {{"--disk", "d,overlay"},
     BAD("--disk: overlay needs a value: overlay=ephemeral|FILE")},
    {{"--disk", "d,overlay="},
     BAD("--disk: overlay needs a value: overlay=ephemeral|FILE")},
    {{"--disk", "d,ro,ro"}, BAD("--disk: ro is given twice")},
    {{"--disk", "d,io=uring"},
     BAD("--disk io: \"uring\" is not one of Sync, Async")},
    {{"--disk", "d,cache=unsave"},
     BAD("--disk cache: \"unsave\" is not one of Writeback, Unsafe; did you "
         "mean \"Unsafe\"?")},
    {{"--disk", EXE ",ro,on_error=pause"}, NULL, 0},
    {{"--disk", "d,on_error=paus"},
     BAD("--disk on_error: \"paus\" is not one of report, stop, pause; did you "
         "mean \"pause\"?")},
    {{"--disk", "d,overlay=o,quota=1"},
     BAD("--disk quota: \"1\" is not a size in whole MiB, such as 512M")},
    {{"--disk", "d,overlay=o,quota=1K"},
     BAD("--disk quota: \"1K\" is not a size in whole MiB, such as 512M")},
    {{"--disk", "d,quota=1M"}, BAD("--disk quota: is for an overlay")},
    {{"--disk", "d,id=a/b"},
     BAD("--disk id: \"a/b\" is not 1 to 64 letters, digits, - and _")},
    {{"--disk", "d,partuuid=x y"},
     BAD("--disk partuuid: \"x y\" is not a partition's UUID: hex digits and "
         "-")},
    {{"--disk", "no/such"},
     BADC("--disk: no/such: No such file or directory (ENOENT)")},
    {{"--disk", "/dev/zero"},
     BADC("--disk: /dev/zero: neither a file nor a block device")},
    {{"--disk", EXE ",ro,root", "--disk", EXE ",ro,root"},
     BADC("--disk root: drive disk0 is the root device already")},
    {{"--disk", EXE ",ro,id=a", "--disk", EXE ",ro,id=a"},
     BADC("--disk id: \"a\" is another drive's id")},
    {{"--disk", EXE ",ro,overlay=ephemeral"},
     BADC("--disk overlay: makes the drive writable: not for a read-only "
          "one")},
    {{"--net", "tap=tap0,mac=06:00:ac:10:00:02,mtu=1500,pairs=2,id=x"},
     NULL,
     0},
    {{"--net", "fd=7"}, NULL, 0},
    {{"--net", "user,tcp=8080:80,tcp=8443:443,udp=53:53"}, NULL, 0},
    {{"--net", "user", "--net", "user"}, NULL, 0},
    {{"--net", "mtu=1500"},
     BAD("--net: \"mtu=1500\" has no backend: tap=NAME, fd=N or user")},
    {{"--net", "tap"}, BAD("--net: tap needs a value: tap=NAME")},
    {{"--net", "usr"},
     BAD("--net: \"usr\" is not one of tap=, fd=, user, tcp=, udp=, mac=, "
         "mtu=, pairs=, id=; did you mean \"user\"?")},
    {{"--net", "tap=t,user"},
     BAD("--net: tap=, fd= and user exclude each other")},
    {{"--net", "tap=t,tcp=1:2"}, BAD("--net: tcp= and udp= are for user")},
    {{"--net", "user,tcp=80"},
     BAD("--net tcp: \"80\" is not HOST:GUEST with ports 1..65535")},
    {{"--net", "fd=2"}, BAD("--net fd: 2 is out of range 3..1048576")},
    {{"--net", "fd=x"}, BAD("--net fd: \"x\" is not a number")},
    {{"--net", "tap=t,mtu=67"}, BAD("--net mtu: 67 is out of range 68..65535")},
    {{"--net", "tap=t,pairs=9"}, BAD("--net pairs: 9 is out of range 1..8")},
    {{"--net", "tap=t,mac=1"},
     BAD("--net mac: \"1\" is not six hex pairs, such as 06:00:ac:10:00:02")},
    {{"--net", "tap=t,mac=06:00:ac:10:00:02", "--net",
      "user,mac=06:00:AC:10:00:02"},
     BADC("--net mac: 06:00:AC:10:00:02 is the MAC of net0 already")},
    {{"--net", "tap=t", "--net", "tap=t"},
     BADC("--net tap: t is in use by net0 already")},
    {{"--net", "user,pairs=2"},
     BADC("--net pairs: 2 pairs: backend \"tap\" only has more than one")},
    {{"--rng"}, NULL, 0},
    {{"--rng", "--rng"}, BAD("--rng: given twice")},
    {{"--rng=1"}, BAD("--rng: takes no value")},
    {{"--console", "stdio,device=virtio"}, NULL, 0},
    {{"--console", "unix:s,device=virtio"}, NULL, 0},
    {{"--console", "unix:s"},
     BADC("--console: \"unix\" is for \"device\": \"virtio\" only; the serial "
          "port takes no clients")},
    {{"--console", "stdio:x"},
     BAD("--console: \"stdio:x\" is not one of stdio, file:PATH, unix:PATH, "
         "off")},
    {{"--console", "tty"},
     BAD("--console: \"tty\" is not one of stdio, file:PATH, unix:PATH, off")},
    {{"--console", "off,device=virtoi"},
     BAD("--console device: \"virtoi\" is not one of serial, virtio; did you "
         "mean \"virtio\"?")},
    {{"--console", "off,devise=virtio"},
     BAD("--console: \"devise\" is not one of noinput, device=; did you mean "
         "\"device\"?")},
    {{"--port", "a=file:x", "--port", "b=unix:y", "--port", "c=off"}, NULL, 0},
    {{"--port", "org.qemu.guest_agent.0=off"}, NULL, 0},
    {{"--console", "off", "--port", "a=stdio"}, NULL, 0},
    {{"--port", "a"},
     BAD("--port: \"a\" is not NAME=file:PATH, NAME=unix:PATH, NAME=stdio or "
         "NAME=off")},
    {{"--port", "a=file"},
     BAD("--port: \"a=file\" is not NAME=file:PATH, NAME=unix:PATH, "
         "NAME=stdio or NAME=off")},
    {{"--port", "a b=off"},
     BAD("--port: \"a b\" is not 1 to 64 letters, digits, -, _ and .")},
    {{"--port", "a=stdio"},
     BADC("--port: stdio is the console's already; give that another mode")},
    {{"--port", "a=off", "--port", "a=off"},
     BADC("--port: \"a\" is another port's name")},
    {{"--port", "a=file:x", "--console", "file:x"},
     BADC("--port: x is the console's file already")},
    {{"--port=1=off", "--port=2=off", "--port=3=off", "--port=4=off",
      "--port=5=off", "--port=6=off", "--port=7=off", "--port=8=off"},
     BAD("--port: given more than 7 times")},
};

START_TEST(test_devices)
{
    const struct device_case *t = &cases[_i];
    int status = parse(t->args);

    ck_assert_str_eq(capture_text, t->want ? t->want : "");
    ck_assert_int_eq(status, t->status);
    config_fini(&config);
}
END_TEST

START_TEST(test_disk_values)
{
    static const char *const args[] = {
        "--disk",
        EXE ",root,ro,direct,io=async,cache=unsafe,on_error=stop,"
            "partuuid=ab-01,id=x",
        "--disk",
        EXE ",overlay=some/file,quota=64M",
        "--disk",
        EXE ",overlay=ephemeral",
        NULL};
    const struct drive_config *d = config.drive;

    ck_assert_int_eq(parse(args), 0);
    ck_assert_uint_eq(config.nr_drives, 3);
    ck_assert_uint_eq(config.option_drives, 3);
    ck_assert_str_eq(d->path, EXE);
    ck_assert_str_eq(d->id, "x");
    ck_assert_str_eq(d->partuuid, "ab-01");
    ck_assert(d->root && d->read_only && d->direct && !d->overlay.given);
    ck_assert_int_eq(d->engine, DISK_ASYNC);
    ck_assert_int_eq(d->cache, CACHE_UNSAFE);
    ck_assert_int_eq(d->on_error, ERROR_STOP);
    d++;
    ck_assert_str_eq(d->id, "disk1");
    ck_assert(!d->root && !d->read_only && !d->direct && d->overlay.given);
    ck_assert(!d->overlay.ephemeral);
    ck_assert_str_eq(d->overlay.path, "some/file");
    ck_assert_uint_eq(d->overlay.quota, 64 * MIB);
    ck_assert_int_eq(d->engine, DISK_SYNC);
    ck_assert_int_eq(d->cache, CACHE_WRITEBACK);
    d++;
    ck_assert(d->overlay.given && d->overlay.ephemeral && !d->overlay.path);
    config_fini(&config);
}
END_TEST

START_TEST(test_net_values)
{
    static const char *const args[] = {
        "--net",
        "tap=t0,mac=06:00:ac:10:00:02,mtu=9000,pairs=4",
        "--net",
        "fd=9,id=x",
        "--net",
        "user,tcp=1:2,udp=3:4",
        "--rng",
        "--console",
        "unix:s,device=virtio,noinput",
        "--port",
        "p=file:a=b:c",
        NULL};
    const struct net_config *n = config.net;

    ck_assert_int_eq(parse(args), 0);
    ck_assert_uint_eq(config.nr_nets, 3);
    ck_assert_int_eq(n[0].backend, NET_TAP);
    ck_assert_str_eq(n[0].tap, "t0");
    ck_assert_str_eq(n[0].id, "net0");
    ck_assert_str_eq(n[0].mac, "06:00:ac:10:00:02");
    ck_assert_uint_eq(n[0].mtu, 9000);
    ck_assert_uint_eq(n[0].pairs, 4);
    ck_assert_int_eq(n[1].backend, NET_FD);
    ck_assert_uint_eq(n[1].fd, 9);
    ck_assert_str_eq(n[1].id, "x");
    ck_assert_int_eq(n[2].backend, NET_USER);
    ck_assert_str_eq(n[2].user.forward[0], "tcp:1:2");
    ck_assert_str_eq(n[2].user.forward[1], "udp:3:4");
    ck_assert_ptr_null(n[2].user.forward[2]);
    ck_assert(config.entropy.given);
    ck_assert_int_eq(config.console.mode, CHR_UNIX);
    ck_assert_int_eq(config.console.device, CONSOLE_VIRTIO);
    ck_assert_str_eq(config.console.path, "s");
    ck_assert(!config.console.input);
    ck_assert_str_eq(config.port[0].name, "p");
    ck_assert_int_eq(config.port[0].mode, CHR_FILE);
    ck_assert_str_eq(config.port[0].path, "a=b:c");
    config_fini(&config);
}
END_TEST

/* As many as there is room for, and one more. */
START_TEST(test_too_many)
{
    const char *args[CONFIG_DEVICE_MAX + 2] = {NULL};

    for (unsigned int i = 0; i <= CONFIG_DEVICE_MAX; i++)
        args[i] = "--disk=" EXE ",ro";
    ck_assert_int_eq(parse(args), STATUS_BAD_ARGS);
    ck_assert_str_eq(capture_text, "mote: --disk: given more than 19 times\n");
    config_fini(&config);
    args[CONFIG_DEVICE_MAX] = NULL;
    ck_assert_int_eq(parse(args), 0);
    config_fini(&config);
}
END_TEST

Suite *suite_cli_devices(void);
Suite *suite_cli_devices(void)
{
    Suite *s = suite_create("cli_devices");
    TCase *tc = tcase_create("cli_devices");

    tcase_add_loop_test(tc, test_devices, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_disk_values);
    tcase_add_test(tc, test_net_values);
    tcase_add_test(tc, test_too_many);
    suite_add_tcase(s, tc);
    return s;
}
