/* SPDX-License-Identifier: Apache-2.0 */
/* config, the run block: rows, rules, defaults, and the way to the command */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/parts.h"
#include "config_rig.h"

struct run_case {
    const char *text, *want;
};

static const struct run_case row_cases[] = {
    {"{\"run\": {\"cmd\": [\"a\", \"\"], \"rootfs\": \"d\", \"env\": {\"A\": "
     "\"\"}, \"workdir\": \"/\", \"user\": \"0:4294967294\", \"stdin\": true, "
     "\"tty\": false, \"hostname\": \"h-1.x\"}}",
     NULL},
    {"{\"run\": {}}", NULL},
    {"{\"run\": {\"cmd\": []}}",
     "mote: t:1:17: run.cmd: [] is not an array of strings\n"},
    {"{\"run\": {\"cmd\": \"sh\"}}",
     "mote: t:1:17: run.cmd: a string is not an array of strings\n"},
    {"{\"run\": {\"cmd\": [\"sh\", 1]}}",
     "mote: t:1:24: run.cmd[1]: 1 is not a string\n"},
    {"{\"run\": {\"rootfs\": \"\"}}",
     "mote: t:1:20: run.rootfs: \"\" is empty\n"},
    {"{\"run\": {\"env\": {\"A=B\": \"\"}}}",
     "mote: t:1:18: run.env.A=B: is no name of a variable\n"},
    {"{\"run\": {\"env\": {\"A\": 1}}}",
     "mote: t:1:23: run.env.A: 1 is not a string\n"},
    {"{\"run\": {\"workdir\": \"tmp\"}}",
     "mote: t:1:21: run.workdir: \"tmp\" is not a path from the root on: "
     "/...\n"},
    {"{\"run\": {\"user\": \"4294967295\"}}",
     "mote: t:1:18: run.user: \"4294967295\" is not USER or USER:GROUP, "
     "each a name or a number\n"},
    {"{\"run\": {\"user\": \"1:\"}}",
     "mote: t:1:18: run.user: \"1:\" is not USER or USER:GROUP, each a name "
     "or a number\n"},
    {"{\"run\": {\"hostname\": \"\"}}",
     "mote: t:1:22: run.hostname: \"\" is not 1 to 63 letters, digits, - and "
     ".\n"},
    {"{\"run\": {\"stdin\": \"yes\"}}",
     "mote: t:1:19: run.stdin: \"yes\" is not true or false\n"},
    {"{\"run\": {\"comand\": []}}",
     "mote: t:1:10: run.comand: unknown key; known here: cmd, rootfs, env, "
     "workdir, user, hostname, stdin, tty, deadlines\n"},
};

START_TEST(test_rows)
{
    config_rig_case(row_cases[_i].text, row_cases[_i].want);
}
END_TEST

/* Rules across blocks, behind {"boot-source": ..., that has a kernel. */
static const struct run_case rule_cases[] = {
    {"\"run\": {\"cmd\": [\"a\"], \"rootfs\": \"d\"}", ""},
    {"\"run\": {\"rootfs\": \"d\"}", ""},
    {"\"run\": {\"deadlines\": {\"wall_ms\": 5}}", ""},
    {"\"run\": {\"cmd\": [\"a\"]}",
     "run.cmd: a command needs a root file system: give --rootfs PATH "
     "(run.rootfs), or a root drive\n"},
    {"\"run\": {\"tty\": true}",
     "run.tty: is for a command: give one behind --, or run.cmd\n"},
    {"\"run\": {\"env\": {\"A\": \"b\"}}",
     "is for a command: give one behind --, or run.cmd\n"},
    {"\"run\": {\"rootfs\": \"d\"}, \"ports\": [{\"name\": \"a\", \"mode\": "
     "\"stdio\"}]",
     "ports[0].mode: stdio is the command's already\n"},
    {"\"run\": {\"rootfs\": \"d\"}, \"ports\": [{\"name\": \"a\", \"mode\": "
     "\"off\"}, {\"name\": \"b\", \"mode\": \"off\"}, {\"name\": \"c\", "
     "\"mode\": \"off\"}, {\"name\": \"d\", \"mode\": \"off\"}]",
     "ports[3].name: one port too many: beside a command's streams there is "
     "room for 3\n"},
    {"\"run\": {\"cmd\": [\"a\"]}, \"drives\": [{\"drive_id\": \"r\", "
     "\"path_on_host\": \"/proc/self/exe\", \"is_root_device\": true, "
     "\"is_read_only\": true, \"partuuid\": \"1\"}]",
     "drives[0].partuuid: is not supported with a command; give a drive whose "
     "whole is the file system\n"},
};

/* Each breach in one line, which names the key. */
START_TEST(test_rules)
{
    const struct run_case *t = &rule_cases[_i];
    struct config c;
    char text[1024];

    snprintf(text, sizeof(text),
             "{\"boot-source\": {\"kernel_image_path\": \"/proc/self/exe\"}, "
             "%s}",
             t->text);
    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    config_complete(&c);
    ck_assert_int_eq(config_check(&c), *t->want ? -EINVAL : 0);
    ck_assert_msg(*t->want ? strstr(capture_text, t->want) != NULL
                           : capture_text[0] == '\0',
                  "%s", capture_text);
    config_fini(&c);
}
END_TEST

START_TEST(test_defaults)
{
    struct config c;

    ck_assert_int_eq(config_rig_parse(&c, "{\"run\": {\"rootfs\": \"d\"}}"), 0);
    config_complete(&c);
    ck_assert(config_has_command(&c) && config_has_virtio_console(&c));
    ck_assert_uint_eq(c.machine.mem_bytes, 512 * MIB);
    ck_assert_int_eq(c.log.level, LOG_WARN);
    ck_assert_int_eq(c.console.mode, CHR_OFF);
    ck_assert(!c.run.input && !c.run.tty && !c.run.cmd);
    config_fini(&c);

    ck_assert_int_eq(
        config_rig_parse(&c, "{\"run\": {\"rootfs\": \"d\"}, "
                             "\"machine-config\": {\"vcpu_count\": 1, "
                             "\"mem_size_mib\": 64}, \"logger\": {\"level\": "
                             "\"Info\"}, \"console\": {\"mode\": \"stdio\"}}"),
        0);
    config_complete(&c);
    ck_assert_uint_eq(c.machine.mem_bytes, 64 * MIB);
    ck_assert_int_eq(c.log.level, LOG_INFO);
    ck_assert_int_eq(c.console.mode, CHR_STDIO);
    ck_assert(!c.console.input);
    config_fini(&c);

    ck_assert_int_eq(config_rig_parse(&c, "{}"), 0);
    config_complete(&c);
    ck_assert_uint_eq(c.machine.mem_bytes, 128 * MIB);
    ck_assert_int_eq(c.console.mode, CHR_STDIO);
    config_fini(&c);
}
END_TEST

/* What is printed is what was read. */
START_TEST(test_print)
{
    static const char text[] =
        "{\"run\": {\"cmd\": [\"a\", \"b c\"], \"rootfs\": \"d\", \"env\": "
        "{\"A\": \"1\"}, \"stdin\": true}}";
    struct config c, again;
    char *printed, *twice;

    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    printed = config_text(&c);
    ck_assert_ptr_nonnull(strstr(printed, "\"b c\""));
    ck_assert_ptr_nonnull(strstr(printed, "\"A\": \"1\""));
    config_fini(&c);
    ck_assert_int_eq(config_rig_parse(&again, printed), 0);
    ck_assert_str_eq(again.run.cmd[1], "b c");
    ck_assert_ptr_null(again.run.cmd[2]);
    ck_assert(again.run.input);
    twice = config_text(&again);
    ck_assert_str_eq(printed, twice);
    config_fini(&again);
    free(printed);
    free(twice);
}
END_TEST

/* What cannot be printed says that, and nothing besides. */
START_TEST(test_print_unsayable)
{
    struct config c;

    ck_assert_int_eq(config_rig_parse(&c, "{\"run\": {\"rootfs\": \"d\"}}"), 0);
    c.boot.append = strdup("quiet");
    c.run.rootfs[0] = '\376';
    capture_start();
    ck_assert_ptr_null(config_text(&c));
    ck_assert_ptr_nonnull(strstr(capture_text, "is not UTF-8"));
    ck_assert_ptr_eq(strchr(capture_text, '\n'),
                     capture_text + capture_len - 1);
    config_fini(&c);
}
END_TEST

/* Options win over the file; a command that is typed reads what is typed. */
START_TEST(test_options)
{
    char *argv[] = {strdup("mote"),
                    strdup("run"),
                    strdup("--config=f"),
                    strdup("--env"),
                    strdup("A=1"),
                    strdup("--env=B"),
                    strdup("--rootfs"),
                    strdup("other"),
                    strdup("--print-config"),
                    strdup("--"),
                    strdup("x"),
                    strdup("--help"),
                    NULL};
    struct config c;
    struct cli cli = {.c = &c};
    int status = -1;

    capture_start();
    unsetenv("B");
    write_file("f", "{\"run\": {\"cmd\": [\"y\"], \"env\": {\"A\": \"2\", "
                    "\"C\": \"3\"}, \"rootfs\": \"d\"}}");
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(cli_parse(&cli, 12, argv, &status), CLI_DONE);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_str_eq(c.run.cmd[0], "x");
    ck_assert_str_eq(c.run.cmd[1], "--help");
    ck_assert_str_eq(c.run.rootfs, "other");
    ck_assert_uint_eq(c.run.nr_env, 2);
    ck_assert_str_eq(c.run.env[0].value, "1");
    ck_assert_str_eq(c.run.env[1].name, "C");
    config_fini(&c);
    unlink("f");
    for (char **arg = argv; *arg; arg++)
        free(*arg);
}
END_TEST

Suite *suite_config_run(void);
Suite *suite_config_run(void)
{
    Suite *s = suite_create("config_run");
    TCase *tc = tcase_create("config_run");

    tcase_add_loop_test(tc, test_rows, 0, ARRAY_SIZE(row_cases));
    tcase_add_loop_test(tc, test_rules, 0, ARRAY_SIZE(rule_cases));
    tcase_add_test(tc, test_defaults);
    tcase_add_test(tc, test_print);
    tcase_add_test(tc, test_print_unsayable);
    tcase_add_test(tc, test_options);
    suite_add_tcase(s, tc);
    return s;
}
