/* SPDX-License-Identifier: Apache-2.0 */
/* record*.c: from a monitor's notes, honest or not, to what is told */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "record/impl.h"

static char dir[] = "/tmp/mote-record-XXXXXX", path[64];

static void setup(void)
{
    capture_start();
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/r.json", dir);
    record_init();
}

static void teardown(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0); /* and nothing temporary is left */
    snprintf(dir, sizeof(dir), "/tmp/mote-record-XXXXXX");
}

static void open_record(void)
{
    const char *why = "";

    ck_assert_msg(record_open(path, &why) == 0, "%s", why);
}

static void write_record(int status)
{
    struct record_facts facts = {.id = "vm-1", .status = status};

    ck_assert_int_eq(record_write(&facts), 0);
}

/* What the file holds; the caller's. */
static json_t *read_record(void)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);

    ck_assert_msg(root != NULL, "%s", error.text);
    return root;
}

static const char *text_of(json_t *root, const char *key)
{
    return json_string_value(json_object_get(root, key));
}

static void say(const char *text)
{
    record_console((const u8 *)text, strlen(text));
}

START_TEST(test_whole)
{
    json_t *root, *at;

    open_record();
    record_stamp(RECORD_INIT);
    record_engine("interp", "asked for");
    record_level("full", "");
    record_layer("landlock");
    record_thread("main");
    record_counts(&(struct record_counts){
        .insns = 5, .emulated = 6, .interp_stats = true, .smc = 4});
    record_device(&(struct record_device){
        .kind = "drive", .name = "root", .requests = 3, .bytes_in = 4096});
    record_error("disk: first\n");
    record_error("disk: second\n");
    record_command(7);
    record_end(REASON_COMMAND_EXIT, 0);
    record_usage(1234, 5678);
    say("one\r\ntwo\x1b[0m\n");
    write_record(7);

    root = read_record();
    ck_assert_str_eq(text_of(root, "id"), "vm-1");
    ck_assert_str_eq(text_of(root, "reason"), "command-exit");
    ck_assert_str_eq(text_of(root, "error"), "disk: first");
    ck_assert_str_eq(text_of(root, "engine_reason"), "asked for");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "exit_status")),
                     7);
    ck_assert_int_eq(
        json_integer_value(json_object_get(root, "command_status")), 7);
    ck_assert_int_eq(json_integer_value(json_object_get(root, "emulated")), 6);
    at = json_object_get(root, "interp_stats");
    ck_assert_int_eq(json_integer_value(json_object_get(at, "smc_hits")), 4);
    at = json_object_get(root, "boot_us");
    ck_assert(json_is_integer(json_object_get(at, "init")));
    ck_assert(json_is_null(json_object_get(at, "command")));
    at = json_object_get(root, "usage");
    ck_assert_int_eq(json_integer_value(json_object_get(at, "host_cpu_us")),
                     1234);
    ck_assert(json_is_integer(
        json_object_get(json_object_get(at, "thread_cpu_us"), "main")));
    at = json_array_get(json_object_get(root, "devices"), 0);
    ck_assert_str_eq(text_of(at, "name"), "root");
    ck_assert_int_eq(json_integer_value(json_object_get(at, "bytes_in")), 4096);
    at = json_object_get(root, "console_tail");
    ck_assert_uint_eq(json_array_size(at), 2);
    ck_assert_str_eq(json_string_value(json_array_get(at, 0)), "one");
    ck_assert_str_eq(json_string_value(json_array_get(at, 1)), "two.[0m");
    json_decref(root);
}
END_TEST

/* Every reason has a word of its own, but for that of a monitor that gave
 * none. */
START_TEST(test_reasons)
{
    for (int i = REASON_COMMAND_EXIT; i < REASONS; i++) {
        const char *name = record_reason_name((enum record_reason)i);

        ck_assert_ptr_nonnull(name);
        for (int j = REASON_COMMAND_EXIT; j < i; j++)
            ck_assert_str_ne(name, record_reason_name((enum record_reason)j));
    }
}
END_TEST

static const struct {
    enum record_reason reason;
    const char *console, *want, *panic;
} ends[] = {
    {REASON_GUEST_REBOOT, "bye\n", "guest-reboot", NULL},
    {REASON_GUEST_REBOOT,
     "[ 1.2] Kernel panic - not syncing: VFS: Unable to mount root fs on "
     "unknown-block(0,0)\n[ 1.2] CPU: 0\n",
     "guest-panic", "VFS: Unable to mount root fs on unknown-block(0,0)"},
    {REASON_TRIPLE_FAULT, "Kernel panic - not syncing: a\r\n", "guest-panic",
     "a"},
    {REASON_COMMAND_LOST, "Kernel panic - not syncing: x", "guest-panic", "x"},
    {REASON_DEADLINE_WALL, "Kernel panic - not syncing: hangs\n",
     "deadline-wall", "hangs"},
    {REASON_NONE, "", "host-error", NULL},
};

START_TEST(test_panic)
{
    json_t *root;

    open_record();
    say(ends[_i].console);
    record_end(ends[_i].reason, 0);
    write_record(0);
    root = read_record();
    ck_assert_str_eq(text_of(root, "reason"), ends[_i].want);
    ck_assert_pstr_eq(text_of(root, "panic"), ends[_i].panic);
    if (strcmp(ends[_i].want, "guest-panic") == 0)
        ck_assert_ptr_nonnull(text_of(root, "hint"));
    json_decref(root);
}
END_TEST

/* The ring goes round: the last 40 lines, each whole. */
START_TEST(test_tail)
{
    json_t *root, *tail;
    char line[64];

    open_record();
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof(line), "line %d of many\n", i);
        say(line);
    }
    write_record(0);
    root = read_record();
    tail = json_object_get(root, "console_tail");
    ck_assert_uint_eq(json_array_size(tail), RECORD_LINES);
    ck_assert_str_eq(json_string_value(json_array_get(tail, 0)),
                     "line 1960 of many");
    ck_assert_str_eq(json_string_value(json_array_get(tail, 39)),
                     "line 1999 of many");
    json_decref(root);
}
END_TEST

/* More than the ring holds, in one piece. */
START_TEST(test_tail_long)
{
    static u8 bytes[3 * RECORD_TAIL + 5];
    json_t *root, *tail;

    open_record();
    memset(bytes, 'x', sizeof(bytes));
    bytes[sizeof(bytes) - 1] = 'y';
    record_console(bytes, sizeof(bytes));
    write_record(0);
    root = read_record();
    tail = json_object_get(root, "console_tail");
    ck_assert_uint_eq(json_array_size(tail), 1);
    ck_assert_uint_eq(json_string_length(json_array_get(tail, 0)), RECORD_TAIL);
    json_decref(root);
}
END_TEST

/* A monitor that was taken over writes what it likes. */
START_TEST(test_hostile)
{
    json_t *root;

    open_record();
    memset(record_pages(), _i, sizeof(*record_pages()));
    write_record(1);
    root = read_record();
    ck_assert_ptr_nonnull(text_of(root, "reason"));
    ck_assert_str_eq(text_of(root, "id"), "vm-1");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "exit_status")),
                     1);
    json_decref(root);
}
END_TEST

START_TEST(test_lost)
{
    json_t *root;

    open_record();
    record_end(REASON_GUEST_SHUTDOWN, 0); /* it said so; then it was killed */
    record_error("before\n");
    record_lost(REASON_OOM, SIGKILL, "out of memory");
    write_record(137);
    root = read_record();
    ck_assert_str_eq(text_of(root, "reason"), "oom");
    ck_assert_str_eq(text_of(root, "signal"), "SIGKILL");
    ck_assert_str_eq(text_of(root, "error"), "out of memory");
    json_decref(root);
}
END_TEST

static const struct {
    const char *path, *why;
    int err;
} refused[] = {
    {"/", "a directory, not a file", -EISDIR},
    {"/tmp/", "a directory, not a file", -EISDIR},
    {"/nowhere/r.json", "No such file or directory", -ENOENT},
    {"/proc/self/status/r.json", "Not a directory", -ENOTDIR},
};

START_TEST(test_refused)
{
    const char *why = "";

    ck_assert_int_eq(record_open(refused[_i].path, &why), refused[_i].err);
    ck_assert_str_eq(why, refused[_i].why);
}
END_TEST

/* What is there stays until there is something whole. */
START_TEST(test_replaces)
{
    json_t *root;
    FILE *f = fopen(path, "w");
    struct stat st;

    fputs("old", f);
    fclose(f);
    open_record();
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 3);
    write_record(0);
    root = read_record();
    json_decref(root);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* A FIFO is written to, and stays one. */
START_TEST(test_fifo)
{
    char buf[4096];
    struct stat st;
    int fd;

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_NONBLOCK);
    open_record();
    write_record(0);
    ck_assert_int_gt(read(fd, buf, sizeof(buf)), 100);
    close(fd);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* The monitor, and whoever else is forked, holds no directory. */
START_TEST(test_child_writes_nothing)
{
    struct record_facts facts = {.id = "x", .verbose = true};
    int status;
    pid_t pid;

    open_record();
    pid = fork();
    if (pid == 0)
        _exit(record_write(&facts) == 0 && access(path, F_OK) < 0 ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    write_record(0);
    ck_assert_int_eq(access(path, R_OK), 0);
}
END_TEST

Suite *suite_record(void);
Suite *suite_record(void)
{
    Suite *s = suite_create("record");
    TCase *tc = tcase_create("record");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_whole);
    tcase_add_test(tc, test_reasons);
    tcase_add_loop_test(tc, test_panic, 0, ARRAY_SIZE(ends));
    tcase_add_test(tc, test_tail);
    tcase_add_test(tc, test_tail_long);
    tcase_add_loop_test(tc, test_hostile, 1, 256);
    tcase_add_test(tc, test_lost);
    tcase_add_loop_test(tc, test_refused, 0, ARRAY_SIZE(refused));
    tcase_add_test(tc, test_replaces);
    tcase_add_test(tc, test_fifo);
    tcase_add_test(tc, test_child_writes_nothing);
    suite_add_tcase(s, tc);
    return s;
}
