/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c, vm_metrics.c: lines that are JSON and add up, whoever reads */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "mote/config.h"
#include "mote/metrics.h"
#include "vm/metrics.h"

static char dir[] = "/tmp/mote-metrics-XXXXXX", path[64];

static void setup(void)
{
    capture_start();
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/m", dir);
}

static void teardown(void)
{
    metrics_close();
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
    snprintf(dir, sizeof(dir), "/tmp/mote-metrics-XXXXXX");
}

static void open_metrics(void)
{
    struct metrics_config cfg = {.path = path};

    ck_assert_int_eq(metrics_open(&cfg), 0);
}

/* A FIFO in its place; returns its reader's end. */
static int open_fifo(void)
{
    int fd;

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    open_metrics();
    fd = open(path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void tell(u64 reads, u64 writes)
{
    metrics_begin();
    metrics_group("block", "root");
    metrics_count("read_count", reads);
    metrics_count("write_count", writes);
    metrics_group("logger", NULL);
    metrics_count("missed_metrics_count", metrics_missed());
    metrics_end();
}

/* The next line of f; the caller's. */
static json_t *next_line(FILE *f)
{
    static char line[64 * KIB];
    json_error_t error;
    json_t *root;

    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    root = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root != NULL, "%s: %s", error.text, line);
    return root;
}

static json_int_t number(json_t *root, const char *group, const char *name)
{
    json_t *n = json_object_get(json_object_get(root, group), name);

    ck_assert_msg(json_is_integer(n), "%s.%s", group, name);
    return json_integer_value(n);
}

static void expect(FILE *f, json_int_t reads, json_int_t writes,
                   json_int_t missed)
{
    json_t *root = next_line(f);

    ck_assert_int_eq(number(root, "block_root", "read_count"), reads);
    ck_assert_int_eq(number(root, "block_root", "write_count"), writes);
    ck_assert_int_eq(number(root, "logger", "missed_metrics_count"), missed);
    json_decref(root);
}

START_TEST(test_increments)
{
    json_t *root;
    FILE *f;

    open_metrics();
    ck_assert(metrics_wanted());
    tell(5, 0);
    tell(7, 1);
    tell(7, 1);
    f = fopen(path, "r");
    root = next_line(f);
    ck_assert_int_gt(
        json_integer_value(json_object_get(root, "utc_timestamp_ms")),
        1600000000000);
    ck_assert_int_eq(number(root, "block_root", "read_count"), 5);
    json_decref(root);
    expect(f, 2, 1, 0);
    expect(f, 0, 0, 0);
    fclose(f);
}
END_TEST

/* What is there stays; what nobody wants is not made. */
START_TEST(test_where)
{
    struct metrics_config none = {0}, bad = {.path = dir};
    FILE *f = fopen(path, "w");

    fputs("{\"block_root\":{\"read_count\":1,\"write_count\":2},"
          "\"logger\":{\"missed_metrics_count\":3}}\n",
          f);
    fclose(f);
    ck_assert_int_eq(metrics_open(&none), 0);
    ck_assert(!metrics_wanted());
    tell(1, 1);
    ck_assert_uint_eq(metrics_missed(), 0);
    ck_assert_int_eq(metrics_open(&bad), -EISDIR);
    ck_assert_ptr_nonnull(strstr(capture_text, dir));
    open_metrics();
    tell(9, 9);
    f = fopen(path, "r");
    expect(f, 1, 2, 3);
    expect(f, 9, 9, 0);
    fclose(f);
}
END_TEST

START_TEST(test_properties)
{
    struct config_pair hostile = {(char *)(uintptr_t) "a\"b\n",
                                  (char *)(uintptr_t) "}\\\x7f"};
    struct metrics_config cfg = {
        .path = path, .nr_properties = 1, .property = {hostile}};
    char big[8192];
    json_t *root;
    FILE *f;

    ck_assert_int_eq(metrics_open(&cfg), 0);
    tell(1, 1);
    metrics_close();
    f = fopen(path, "r");
    root = next_line(f);
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(root, "properties"), hostile.name)),
                     hostile.value);
    json_decref(root);
    fclose(f);
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    cfg.property[0].value = big;
    ck_assert_int_eq(metrics_open(&cfg), -E2BIG);
    ck_assert_ptr_nonnull(strstr(capture_text, "metrics.properties: 8"));
}
END_TEST

/* All that is in the FIFO; adds up. */
static void read_fifo(json_int_t *reads, json_int_t *missed)
{
    FILE *f = fdopen(open(path, O_RDONLY | O_NONBLOCK), "r");
    json_t *root;
    int c;

    while ((c = getc(f)) != EOF) {
        ungetc(c, f);
        root = next_line(f);
        *reads += number(root, "block_root", "read_count");
        *missed += number(root, "logger", "missed_metrics_count");
        json_decref(root);
    }
    fclose(f);
}

/* Nobody reads: the first lines fill it, the others are lost, and nothing
 * waits. Who comes then finds whole lines, and the sum of everything. */
START_TEST(test_fifo_unread)
{
    json_int_t reads = 0, missed = 0;
    u64 n;

    close(open_fifo());
    for (n = 1; metrics_missed() < 50; n++) {
        ck_assert_uint_lt(n, 100000);
        tell(n, 0);
    }
    read_fifo(&reads, &missed);
    ck_assert_int_lt(reads, (json_int_t)n - 49);
    tell(n, 0); /* there is room again */
    read_fifo(&reads, &missed);
    ck_assert_int_eq(reads, (json_int_t)n);
    ck_assert_int_eq(missed, 50);
}
END_TEST

/* A line with a hundred groups of this name and others. */
static void tell_much(const char *name, u64 n)
{
    char id[65];

    snprintf(id, sizeof(id), "%s", name);
    metrics_begin();
    for (unsigned int i = 0; i < 100; i++) {
        metrics_group("block", id);
        metrics_count("read_count", n);
        id[i % 64] ^= 1; /* each has another one */
    }
    metrics_end();
}

/* Lines longer than what the pipe takes, read a little at a time: none is
 * torn, none overtakes another. */
START_TEST(test_fifo_slow)
{
    static char text[1 << 20];
    char id[65] = "", group[72];
    json_int_t sum = 0;
    unsigned int lines = 0;
    int fd = open_fifo();
    size_t len = 0;
    json_t *root;
    ssize_t n;
    FILE *f;

    memset(id, 'x', sizeof(id) - 1);
    snprintf(group, sizeof(group), "block_%s", id);
    ck_assert_int_eq(fcntl(fd, F_SETPIPE_SZ, 8192), 8192);
    for (u64 i = 1; i <= 60; i++) {
        tell_much(id, i);
        n = read(fd, text + len, 3000);
        len += (size_t)MAX(n, 0);
    }
    f = fmemopen(text, len, "r");
    while (memchr(text + ftell(f), '\n', len - (size_t)ftell(f))) {
        root = next_line(f);
        sum += number(root, group, "read_count");
        json_decref(root);
        lines++;
    }
    ck_assert_uint_gt(lines, 10);
    ck_assert_uint_lt(lines, 60);
    ck_assert_int_gt(sum, lines); /* a line tells of those that were lost */
    fclose(f);
    close(fd);
}
END_TEST

START_TEST(test_last_words)
{
    json_t *root;
    FILE *f;

    open_metrics();
    metrics_lost("seccomp", "num_faults");
    metrics_lost_signal(SIGSEGV);
    metrics_lost_signal(SIGKILL); /* Firecracker could not count it either */
    f = fopen(path, "r");
    root = next_line(f);
    ck_assert_int_eq(number(root, "seccomp", "num_faults"), 1);
    json_decref(root);
    root = next_line(f);
    ck_assert_int_eq(number(root, "signals", "sigsegv"), 1);
    json_decref(root);
    ck_assert_int_eq(getc(f), EOF);
    fclose(f);
}
END_TEST

static void count_turn(void *ctx)
{
    ++*(unsigned int *)ctx;
}

/* At the start, and every period; without metrics there is no timer. */
START_TEST(test_period)
{
    struct vm_metrics m;
    struct loop loop;
    unsigned int turns = 0;

    ck_assert_int_eq(loop_init(&loop), 0);
    ck_assert_int_eq(vm_metrics_init(&m, &loop, 20, count_turn, &turns), 0);
    ck_assert_int_eq(m.timer.fd, -1);
    vm_metrics_start(&m);
    ck_assert_uint_eq(turns, 0);
    open_metrics();
    ck_assert_int_eq(vm_metrics_init(&m, &loop, 20, count_turn, &turns), 0);
    vm_metrics_start(&m);
    ck_assert_uint_eq(turns, 1);
    for (unsigned int i = 0; i < 3; i++)
        loop_turn(&loop, 10000);
    ck_assert_uint_eq(turns, 4);
    vm_metrics_fini(&m);
    loop_fini(&loop);
}
END_TEST

Suite *suite_metrics(void);
Suite *suite_metrics(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_increments);
    tcase_add_test(t, test_where);
    tcase_add_test(t, test_properties);
    tcase_add_test(t, test_fifo_unread);
    tcase_add_test(t, test_fifo_slow);
    tcase_add_test(t, test_last_words);
    tcase_add_test(t, test_period);
    suite_add_tcase(s, t);
    return s;
}
