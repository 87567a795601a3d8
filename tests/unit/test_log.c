/* SPDX-License-Identifier: Apache-2.0 */
/* log.c: what an operator reads, and what a guest cannot make it write */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/log.h"

static char said[4096];
static unsigned int lines;

static void note_log(const char *text, size_t len)
{
    ck_assert_uint_lt(len, sizeof(said));
    memcpy(said, text, len);
    said[len] = '\0';
    lines++;
}

static void log_setup(void)
{
    said[0] = '\0';
    lines = 0;
    log_sink_set(note_log);
    log_level_set(LOG_INFO);
}

static void log_teardown(void)
{
    log_sink_set(NULL);
}

START_TEST(test_fail)
{
    ck_assert_int_eq(fail(-ENOENT, "disk %s", "a.img"), -ENOENT);
    ck_assert_str_eq(said,
                     "mote: disk a.img: No such file or directory (ENOENT)\n");
    ck_assert_int_eq(fail_rule(-EINVAL, "x: %d is odd", 3), -EINVAL);
    ck_assert_str_eq(said, "mote: x: 3 is odd\n");
}
END_TEST

/* Whatever a name has in it: one line, and no orders to a terminal. */
START_TEST(test_tame)
{
    fail_rule(-EINVAL, "\"%s\"", "a\nmote: b\r\x1b[2J\x7f\tc\xc3\xa9");
    ck_assert_str_eq(said, "mote: \"a?mote: b??[2J?\tc\xc3\xa9\"\n");
    ck_assert_uint_eq(lines, 1);
}
END_TEST

START_TEST(test_level)
{
    log_debug("not shown");
    ck_assert_uint_eq(lines, 0);
    log_level_set(LOG_DEBUG);
    log_debug("shown");
    ck_assert_str_eq(said, "mote: shown\n");
    log_level_set(LOG_OFF);
    fail(-EIO, "not shown");
    ck_assert_uint_eq(lines, 1);
}
END_TEST

/* A line is cut, never split and never overrun. */
START_TEST(test_long_line)
{
    char text[3000];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fail(-EIO, "%s", text);
    ck_assert_uint_eq(lines, 1);
    ck_assert_uint_lt(strlen(said), 1024);
    ck_assert_int_eq(said[strlen(said) - 1], '\n');
}
END_TEST

START_TEST(test_guest_flood)
{
    for (int i = 0; i < 10000; i++)
        warn_guest("bad descriptor %d", i);
    /* Ten a second and a note of what is missing; three seconds at most. */
    ck_assert_uint_ge(lines, 10);
    ck_assert_uint_le(lines, 33);
}
END_TEST

START_TEST(test_file)
{
    char path[] = "/tmp/mote-log-XXXXXX", buf[256];
    struct log_config cfg = {
        .path = path, .level = LOG_INFO, .show_level = true};
    int fd = mkstemp(path);
    struct log_shared shared;
    char *second;
    ssize_t n;

    log_sink_set(NULL);
    ck_assert_int_eq(log_open(&cfg), 0);
    log_info("hello");
    log_share(&shared);
    shared.fd = dup(shared.fd);
    log_close();
    log_level_set(LOG_ERROR);
    log_join(&shared); /* as another process does */
    log_info("again");
    log_close();
    n = read(fd, buf, sizeof(buf) - 1);
    ck_assert_int_gt(n, 0);
    buf[n] = '\0';
    ck_assert_ptr_nonnull(strstr(buf, "[INFO] hello\n"));
    ck_assert_int_eq(buf[10], 'T');
    second = strchr(buf, '\n') + 1;
    ck_assert_ptr_nonnull(strstr(second, "[INFO] again\n"));
    ck_assert_int_eq(second[10], 'T');
    close(fd);
    unlink(path);
}
END_TEST

/* A FIFO that nobody reads: lines are dropped and counted, nothing blocks. */
START_TEST(test_fifo)
{
    char dir[] = "/tmp/mote-fifo-XXXXXX", path[64];
    struct log_config cfg = {.path = path, .level = LOG_INFO};

    log_sink_set(NULL);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/f", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(log_open(&cfg), 0);
    for (int i = 0; i < 5000; i++)
        log_info("%0200d", i);
    ck_assert_uint_gt(log_dropped(), 0);
    log_close();
    unlink(path);
    rmdir(dir);
}
END_TEST

Suite *suite_log(void);
Suite *suite_log(void)
{
    Suite *s = suite_create("log");
    TCase *tc = tcase_create("log");

    tcase_add_checked_fixture(tc, log_setup, log_teardown);
    tcase_add_test(tc, test_fail);
    tcase_add_test(tc, test_tame);
    tcase_add_test(tc, test_level);
    tcase_add_test(tc, test_long_line);
    tcase_add_test(tc, test_guest_flood);
    tcase_add_test(tc, test_file);
    tcase_add_test(tc, test_fifo);
    suite_add_tcase(s, tc);
    return s;
}
