/* SPDX-License-Identifier: Apache-2.0 */
/* undo: once, the last first, and never by the child */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/undo.h"

struct deed {
    struct undo undo;
    char name;
};

static char done[16];

static void deed_undo(struct undo *u)
{
    done[strlen(done)] = container_of(u, struct deed, undo)->name;
}

static struct deed a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};

static void do_three(void)
{
    undo_add(&a.undo, deed_undo);
    undo_add(&b.undo, deed_undo);
    undo_add(&c.undo, deed_undo);
}

START_TEST(test_order)
{
    do_three();
    undo_all();
    ck_assert_str_eq(done, "cba");
    undo_all();
    undo_now(&b.undo);
    ck_assert_str_eq(done, "cba");
}
END_TEST

/* One before its turn; nothing for what was never done; and done again. */
START_TEST(test_now)
{
    struct deed never = {.name = 'n'};

    do_three();
    undo_now(&b.undo);
    undo_now(&b.undo);
    undo_now(&never.undo);
    ck_assert_str_eq(done, "b");
    undo_add(&b.undo, deed_undo);
    undo_all();
    ck_assert_str_eq(done, "bbca");
}
END_TEST

/* The child has deeds of its own, and its parent those of before. */
START_TEST(test_fork)
{
    struct deed own = {.name = 'o'};
    int status;
    pid_t pid;

    do_three();
    pid = fork();
    if (pid == 0) {
        undo_now(&c.undo);
        undo_add(&own.undo, deed_undo);
        undo_all();
        _exit(strcmp(done, "o") != 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    undo_all();
    ck_assert_str_eq(done, "cba");
}
END_TEST

Suite *suite_undo(void);
Suite *suite_undo(void)
{
    Suite *s = suite_create("undo");
    TCase *tc = tcase_create("undo");

    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_now);
    tcase_add_test(tc, test_fork);
    suite_add_tcase(s, tc);
    return s;
}
