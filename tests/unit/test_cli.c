/* SPDX-License-Identifier: Apache-2.0 */
/* cli: argument vectors and the exact lines they give */
#include <check.h>
#include <stdlib.h>

#include "cli/parts.h"

#include "capture.h"

#define ARGS_MAX 12

/* A kernel that can be read anywhere: this program. */
#define EXE "/proc/self/exe"

struct cli_case {
    const char *args[ARGS_MAX]; /* behind "mote" */
    const char *want;           /* printed; NULL: nothing, and it runs */
    int status;
};

#define BAD(text)  .want = "mote: " text "\n", .status = STATUS_BAD_ARGS
#define BADC(text) .want = "mote: " text "\n", .status = STATUS_BAD_CONFIG

static const struct cli_case cli_cases[] = {
    {{"run", "--kernel", EXE}, NULL, 0},
    {{"run", "--kernel=" EXE, "--cpus=2", "--memory=2G"}, NULL, 0},
    {{"run", "--kernel", EXE, "--cmdline=--x", "--append", "-y"}, NULL, 0},
    {{"run", "--kernel", EXE, "--level", "debug", "--id", "a_b-1"}, NULL, 0},
    {{"run", "--kernel", EXE, "--console", "file:x", "--boot-timer"}, NULL, 0},
    {{"rnu"}, BAD("rnu: unknown command; did you mean run?")},
    {{"start"}, BAD("start: unknown command; see mote --help")},
    {{"check", "--frobnicate"},
     BAD("--frobnicate: unknown option; see mote check --help")},
    {{"rbd-gc"}, BAD("rbd-gc: which pool? mote rbd-gc POOL[/NAMESPACE]")},
    {{"rbd-gc", "pool", "--mon", "ceph.example"},
     BAD("--rbd mon: \"ceph.example\" is not a monitor's numeric address, such "
         "as 10.1.0.11 or 10.1.0.11:3300; names cannot be looked up")},
    /* Firecracker's. */
    {{"--config-file", "x"},
     BAD("no --no-api: the HTTP API is not supported yet; give --config-file "
         "FILE and --no-api")},
    {{"--api-sock", "s", "--id=a"},
     BAD("--api-sock: the HTTP API is not supported yet; give --config-file "
         "FILE and --no-api")},
    {{"--no-api", "--boot-timer"}, BAD("--no-api: needs --config-file FILE")},
    {{"--no-api", "--config-file=x", "--", "ls"},
     BAD("--: a command is for mote run, or run.cmd in the file")},
    {{"--no-api", "--config-file="}, BAD("--config-file: \"\" is empty")},
    {{"--no-ap"}, BAD("--no-ap: unknown option; did you mean --no-api?")},
    {{"--no-api", "--config-file=x", "--level=inof"},
     BAD("--level: \"inof\" is not one of Off, Error, Warning, Warn, Info, "
         "Debug, Trace")},
    {{"--no-api", "--config-file=x", "--start-time-us", "soon"},
     BAD("--start-time-us and the like: \"soon\" is not a number")},
    {{"--no-api", "--config-file=x", "--metadata="},
     BAD("--metadata: \"\" is empty")},
    {{"--no-api", "--config-file=x", "--mmds-size-limit", "0"},
     BAD("--mmds-size-limit: 0 is out of range 1..1048576")},
    {{"run", "--kernel", EXE, "--metadata", "/dev/null", "--net", "user"},
     BADC("--metadata: /dev/null: not a regular file")},
    {{"run", "--kernel", EXE, "--metadata", EXE "x", "--net", "user"},
     BADC("--metadata: " EXE "x: No such file or directory (ENOENT)")},
    {{"--no-api", "--config-file=x", "--metrics-path", ""},
     BAD("--metrics-path: \"\" is empty")},
    {{"--no-api", "--config-file=x", "--enable-pci"},
     BAD("--enable-pci: mote's devices are on virtio-mmio only")},
    {{"--no-api", "--config-file=x", "--seccomp-filter=f"},
     BAD("--seccomp-filter: mote's own filters fit its threads, and cannot be "
         "replaced")},
    {{"--snapshot-version"},
     BAD("--snapshot-version, --describe-snapshot: snapshots are not supported "
         "yet")},
    {{"--http-api-max-payload-size", "9"},
     BAD("--http-api-max-payload-size: the HTTP API is not supported yet")},
    {{"run", "--kernel", EXE, "--timeout", "1.5s", "-v", "--record=-"},
     NULL,
     0},
    {{"run", "--kernel", EXE, "--timeout", "soon"},
     BAD("--timeout: \"soon\" is not a time, such as 30s or 500ms")},
    {{"run", "--kernel", EXE, "--timeout", "0"},
     BAD("--timeout: 0 is out of range 1ms..24d")},
    {{"run", "--kernel", EXE, "--record", EXE},
     BADC("--record: " EXE " is the kernel already")},
    {{"run", "--kernl", EXE},
     .want = "mote: --kernl: unknown option; did you mean --kernel?\n"
             "mote: " EXE ": not an option, and mote run takes no arguments; a "
             "command goes behind --\n",
     .status = STATUS_BAD_ARGS},
    {{"run", "--kernl=x"},
     BAD("--kernl: unknown option; did you mean --kernel?")},
    {{"run", "--kern", EXE "x"},
     .want = "mote: --kern: unknown option; did you mean --kernel?\n"
             "mote: " EXE "x: not an option, and mote run takes no "
             "arguments; a command goes behind --\n",
     .status = STATUS_BAD_ARGS},
    {{"run", "--frobnicate"},
     BAD("--frobnicate: unknown option; see mote run --help")},
    {{"run", "-k"}, BAD("-k: unknown option; see mote run --help")},
    {{"run", "vmlinuz"},
     BAD("vmlinuz: not an option, and mote run takes no arguments; a command "
         "goes behind --")},
    {{"run", "--kernel"}, BAD("--kernel: needs a value: FILE")},
    {{"run", "--kernel", "--initrd"},
     .want = "mote: --kernel: needs a value; write --kernel=--initrd if that "
             "is it\nmote: --initrd: needs a value: FILE\n",
     .status = STATUS_BAD_ARGS},
    {{"run", "--kernel="}, BAD("--kernel: \"\" is empty")},
    {{"run", "--kernel", "a", "--kernel=b"}, BAD("--kernel: given twice")},
    {{"run", "--boot-timer=1"}, BAD("--boot-timer: takes no value")},
    {{"run", "--vsock=3:s"}, BAD("--vsock: not supported yet")},
    {{"run", "--rootfs", "d", "--"}, BAD("--: there is no command behind it")},
    {{"version", "--", "x"}, BAD("--: mote version takes no command")},
    {{"run", "--env", "=b"}, BAD("--env: \"=b\" is not NAME=VALUE")},
    {{"run", "--user", "www:"},
     BAD("--user: \"www:\" is not USER or USER:GROUP, each a name or a "
         "number")},
    {{"run", "--workdir", "tmp"},
     BAD("--workdir: \"tmp\" is not a path from the root on: /...")},
    {{"run", "--hostname", "a b"},
     BAD("--hostname: \"a b\" is not 1 to 63 letters, digits, - and .")},
    {{"run", "-t", "--tty"}, BAD("--tty: given twice")},
    {{"run", "--kernel", EXE, "--", "/bin/true"},
     BADC("--: a command needs a root file system: give --rootfs PATH "
          "(run.rootfs), or a root drive")},
    {{"run", "--kernel", EXE, "--workdir", "/tmp"},
     BADC("--workdir: is for a command: give one behind --, or run.cmd")},
    {{"run", "--rootfs", "d", "--initrd", EXE, "--", "x"},
     BADC("--initrd: not together with a command, for which mote makes its "
          "own")},
    {{"run", "--rootfs", "d", "--disk", EXE ",root,ro", "--", "x"},
     BADC("--rootfs: drive disk0 is the root already; one of the two")},
    {{"run", "--memory", "512"},
     BAD("--memory: \"512\" is not a size; give a number and K, M, G or T, "
         "such as 512M")},
    {{"run", "--memory", "12Q"},
     BAD("--memory: \"12Q\" is not a size; give a number and K, M, G or T, "
         "such as 512M")},
    {{"run", "--memory", "8M"}, BAD("--memory: 8M is out of range 16M..512G")},
    {{"run", "--memory", "1T"}, BAD("--memory: 1T is out of range 16M..512G")},
    {{"run", "--memory", "99999999999T"},
     BAD("--memory: 99999999999T is out of range 16M..512G")},
    {{"run", "--memory", "131073K"},
     BAD("--memory: 131073K is not a multiple of 1M")},
    {{"run", "--cpus", "0"}, BAD("--cpus: 0 is out of range 1..32")},
    {{"run", "--cpus", "33"}, BAD("--cpus: 33 is out of range 1..32")},
    {{"run", "--cpus", "4294967297"},
     BAD("--cpus: 4294967297 is out of range 1..32")},
    {{"run", "--cpus", "-1"}, BAD("--cpus: \"-1\" is not a number")},
    {{"run", "--cpus", "2x"}, BAD("--cpus: \"2x\" is not a number")},
    {{"run", "--engine", "interpr"},
     BAD("--engine: \"interpr\" is not one of auto, kvm, interp; did you mean "
         "\"interp\"?")},
    {{"run", "--engine", "KVM"},
     BAD("--engine: \"KVM\" is not one of auto, kvm, interp")},
    {{"run", "--console", "file:"},
     BAD("--console: \"file:\" is not one of stdio, file:PATH, unix:PATH, "
         "off")},
    {{"run", "--id", "a/b"},
     BAD("--id: \"a/b\" is not 1 to 64 letters, digits, - and _")},
    {{"run", "--level", "loud"},
     BAD("--level: \"loud\" is not one of Off, Error, Warning, Warn, Info, "
         "Debug, Trace")},
    {{"run", "--config", ""}, BAD("--config: \"\" is empty")},
    {{"version", "--jsn"}, BAD("--jsn: unknown option; did you mean --json?")},
    {{"version", "x"},
     BAD("x: not an option, and mote version takes no "
         "arguments")},
    {{"run"},
     BADC("no kernel: give --kernel FILE, or "
          "boot-source.kernel_image_path in --config FILE")},
    {{"run", "--kernel", "no/such"},
     BADC("--kernel: no/such: No such file or directory (ENOENT)")},
    {{"run", "--kernel", EXE, "--initrd", "/"},
     BADC("--initrd: /: a directory, not a file")},
    {{"run", "--kernel", EXE, "--append", "\xc3\xa4"},
     BADC("--append: byte 0xc3 at offset 0 is not printable ASCII")},
    {{"run", "--config", "no/such"},
     BADC("no/such: No such file or directory (ENOENT)")},
    {{"run", "--kernel", EXE, "--console", "file:x", "--log-path", "x"},
     BADC("--log-path: x is the console's file already")},
};

START_TEST(test_cli)
{
    const struct cli_case *t = &cli_cases[_i];
    char *argv[ARGS_MAX + 2] = {strdup("mote")};
    enum cli_command command;
    struct config c;
    struct cli cli = {.c = &c};
    int argc = 1, status = -1;

    for (; t->args[argc - 1]; argc++)
        argv[argc] = strdup(t->args[argc - 1]);
    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    command = cli_parse(&cli, argc, argv, &status);
    ck_assert_str_eq(capture_text, t->want ? t->want : "");
    ck_assert_int_eq(command, t->want ? CLI_DONE : CLI_RUN);
    if (t->want)
        ck_assert_int_eq(status, t->status);
    config_fini(&c);
    while (argc > 0)
        free(argv[--argc]);
}
END_TEST

START_TEST(test_cli_values)
{
    char *argv[] = {strdup("mote"),
                    strdup("run"),
                    strdup("--kernel"),
                    strdup(EXE),
                    strdup("--initrd"),
                    strdup(EXE),
                    strdup("--cmdline"),
                    strdup("a b"),
                    strdup("--append=c=d"),
                    strdup("--memory=1G"),
                    strdup("--cpus"),
                    strdup("32"),
                    strdup("--engine=kvm"),
                    strdup("--console=file:a:b"),
                    strdup("--log-path"),
                    strdup("l"),
                    strdup("--level=OFF"),
                    strdup("--boot-timer"),
                    strdup("--interp-stats"),
                    strdup("--id"),
                    strdup("x"),
                    NULL};
    struct config c;
    struct cli cli = {.c = &c};
    int status;

    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(cli_parse(&cli, (int)ARRAY_SIZE(argv) - 1, argv, &status),
                     CLI_RUN);
    ck_assert_str_eq(c.boot.kernel, EXE);
    ck_assert_str_eq(c.boot.initrd, EXE);
    ck_assert_str_eq(c.boot.args, "a b");
    ck_assert_str_eq(c.boot.append, "c=d");
    ck_assert_uint_eq(c.machine.mem_bytes, GIB);
    ck_assert_uint_eq(c.machine.vcpus, 32);
    ck_assert_int_eq(c.machine.engine, ENGINE_KVM);
    ck_assert_int_eq(c.console.mode, CHR_FILE);
    ck_assert_str_eq(c.console.path, "a:b");
    ck_assert_str_eq(c.log.path, "l");
    ck_assert_int_eq(c.log.level, LOG_OFF);
    ck_assert(c.boot_timer);
    ck_assert(c.machine.interp_stats);
    ck_assert_str_eq(c.id, "x");
    config_fini(&c);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
}
END_TEST

Suite *suite_cli(void);
Suite *suite_cli(void)
{
    Suite *s = suite_create("cli");
    TCase *tc = tcase_create("cli");

    tcase_add_loop_test(tc, test_cli, 0, ARRAY_SIZE(cli_cases));
    tcase_add_test(tc, test_cli_values);
    suite_add_tcase(s, tc);
    return s;
}
