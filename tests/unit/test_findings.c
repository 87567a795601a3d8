/* SPDX-License-Identifier: Apache-2.0 */
/* findings.c, child.c, peek.c: what is found, heard, and only looked at */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/check.h"
#include "kernel_rig.h"
#include "mote/disk.h"
#include "mote/sandbox.h"

static struct findings f;

static void setup(void)
{
    lt_setup();
    f = (struct findings){0};
}

START_TEST(test_add)
{
    finding_add(&f, FINDING_WARN, "a", "%s", "one\nline\x7f");
    ck_assert_str_eq(f.finding[0].text, "one?line?");
    ck_assert(!f.failed);
    for (unsigned int i = 1; i < FINDING_MAX; i++)
        finding_add(&f, FINDING_OK, "a", "b");
    ck_assert_uint_eq(f.lost, 0);
    finding_add(&f, FINDING_FAIL, "a", "b");
    ck_assert_uint_eq(f.nr, FINDING_MAX);
    ck_assert_uint_eq(f.lost, 1);
    ck_assert(f.failed); /* also if it is not kept */
}
END_TEST

/* Of this process and of a child, in their order, without the prefix. */
START_TEST(test_heard)
{
    pid_t pid;

    ck_assert_int_eq(findings_listen(), 0);
    fail(-ENOENT, "first");
    pid = fork();
    if (pid == 0) {
        fail_rule(-EINVAL, "second");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_eq(findings_heard(&f, FINDING_FAIL, "x"), 2);
    ck_assert_str_eq(f.finding[0].text,
                     "first: No such file or directory (ENOENT)");
    ck_assert_str_eq(f.finding[1].text, "second");
    ck_assert_int_eq(findings_listen(), 0);
    ck_assert_uint_eq(findings_heard(&f, FINDING_FAIL, "x"), 0);
}
END_TEST

static int child_reads(void *ctx)
{
    return open("/dev/null", O_RDONLY) < 0 ? -EPERM : 0;
}

static int child_dies(void *ctx)
{
    raise(SIGKILL);
    return 0;
}

/* Before the jail a file can be opened; in it, where it can be had, none. */
START_TEST(test_child)
{
    const struct check_child before = {.enter = child_reads};
    const struct check_child inside = {.fn = child_reads};
    const struct check_child dies = {.enter = child_dies};
    const struct sandbox_config best = {.require = SANDBOX_BEST};
    struct sandbox_report report;

    ck_assert_int_eq(check_in_child(&before), 0);
    ck_assert_int_eq(sandbox_preview(&best, &report), 0);
    if (report.level == SANDBOX_LEVEL_BARE)
        unit_skip("jail", "this host has neither namespaces nor Landlock");
    else
        ck_assert_int_eq(check_in_child(&inside), -EINVAL);
    ck_assert_int_eq(findings_listen(), 0);
    ck_assert_int_eq(check_in_child(&dies), -ECHILD);
    ck_assert_uint_eq(findings_heard(&f, FINDING_FAIL, "x"), 1);
    ck_assert_ptr_nonnull(strstr(f.finding[0].text, "ended by SIGKILL"));
}
END_TEST

/* ---- images ----------------------------------------------------------------
 */

static void lock(const char *path, short type, int *fd)
{
    struct flock fl = {.l_type = type, .l_whence = SEEK_SET};

    *fd = open(path, O_RDWR);
    ck_assert_int_eq(fcntl(*fd, F_OFD_SETLK, &fl), 0);
}

static const struct peek_case {
    short lock; /* somebody else's; F_UNLCK: none */
    bool read_only, busy;
} peeks[] = {
    {F_UNLCK, false, false}, {F_UNLCK, true, false}, {F_RDLCK, true, false},
    {F_RDLCK, false, true},  {F_WRLCK, true, true},  {F_WRLCK, false, true},
};

START_TEST(test_peek)
{
    const struct peek_case *t = &peeks[_i];
    struct raw_options opt = {.read_only = t->read_only};
    struct raw_peek peek;
    int fd = -1;

    kr_text("disk", "1234567");
    opt.path = kr_path("disk");
    if (t->lock != F_UNLCK)
        lock(opt.path, t->lock, &fd);
    ck_assert_int_eq(raw_peek(&peek, &opt), 0);
    ck_assert_uint_eq(peek.bytes, 7);
    ck_assert_int_eq(peek.busy, t->busy);
    ck_assert(!t->busy || peek.holder == getpid());
    close(fd);
    lock(opt.path, F_WRLCK, &fd); /* what was peeked at is free */
    close(fd);
}
END_TEST

START_TEST(test_peek_wrong)
{
    struct raw_options opt = {.path = lt_dir};
    struct raw_peek peek;

    ck_assert_int_eq(raw_peek(&peek, &opt), -EINVAL);
    opt.path = kr_path("none");
    ck_assert_int_eq(raw_peek(&peek, &opt), -ENOENT);
}
END_TEST

Suite *suite_findings(void);
Suite *suite_findings(void)
{
    Suite *s = suite_create("findings");
    TCase *tc = tcase_create("findings");

    tcase_add_checked_fixture(tc, setup, kr_teardown);
    tcase_add_test(tc, test_add);
    tcase_add_test(tc, test_heard);
    tcase_add_test(tc, test_child);
    tcase_add_loop_test(tc, test_peek, 0, ARRAY_SIZE(peeks));
    tcase_add_test(tc, test_peek_wrong);
    suite_add_tcase(s, tc);
    return s;
}
