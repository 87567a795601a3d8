/* SPDX-License-Identifier: Apache-2.0 */
/* rbd_worker: what a worker and rbd-gc are made of: keyrings, owners */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/base.h"

#include "capture.h"
#include "rbd/keyring.h"
#include "rbd/owner.h"
#include "rbd/start.h"

/* ---- keyrings ---------------------------------------------------------------
 */

static const struct {
    const char *text, *user, *key;
} keyrings[] = {
    {"AQA=\n", "admin", "AQA="},
    {"  AQA= \r\n\n", "admin", "AQA="},
    {"# a comment\nAQA=", "vm", "AQA="},
    {"[client.admin]\n\tkey = AQA=\n", "admin", "AQA="},
    {"[client.admin]\nkey=A\n[client.vm]\n caps mon = \"x\"\n key = B\n", "vm",
     "B"},
    {"[client.vm]\nkey = A\n", "v", NULL},
    {"[client.v]\nkey = A\n", "vm", NULL},
    {"[mon.]\nkey = A\n", "mon.", NULL},
    {"[client.vm]\ncaps = A\n[client.ro]\nkey = B\n", "vm", NULL},
    {"", "vm", NULL},
    {"\n;\n", "vm", NULL},
};

START_TEST(test_keyring)
{
    char text[256];
    const char *key;

    snprintf(text, sizeof(text), "%s", keyrings[_i].text);
    key = keyring_find(text, keyrings[_i].user);
    if (keyrings[_i].key)
        ck_assert_str_eq(key, keyrings[_i].key);
    else
        ck_assert_ptr_null(key);
}
END_TEST

/* ---- owners -----------------------------------------------------------------
 */

START_TEST(test_owner_lives)
{
    char owner[256];

    owner_self(owner, sizeof(owner));
    ck_assert_msg(owner_is_gone(owner, NULL), "this process is no keeper");
    prctl(PR_SET_NAME, OWNER_COMM);
    ck_assert(!owner_is_gone(owner, NULL));
    ck_assert(!owner_is_gone(owner, "other"));
}
END_TEST

/* A keeper that has died but was not waited for is gone. */
START_TEST(test_owner_died)
{
    char owner[256];
    siginfo_t info;
    int fd[2];
    pid_t pid;

    ck_assert_int_eq(pipe(fd), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, OWNER_COMM);
        owner_self(owner, sizeof(owner));
        _exit(write(fd[1], owner, sizeof(owner)) < 0);
    }
    ck_assert_int_eq(read(fd[0], owner, sizeof(owner)), sizeof(owner));
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert(owner_is_gone(owner, NULL));
    waitpid(pid, NULL, 0);
    ck_assert(owner_is_gone(owner, NULL));
    close(fd[0]);
    close(fd[1]);
}
END_TEST

START_TEST(test_owner_elsewhere)
{
    char owner[256], *slash;

    ck_assert(!owner_is_gone("far/0-0-0/1", NULL));
    ck_assert(owner_is_gone("far/0-0-0/1", "far"));
    ck_assert(!owner_is_gone("far/0-0-0/1", "fa"));
    ck_assert(!owner_is_gone("", "far"));
    ck_assert(!owner_is_gone("far", "far"));
    ck_assert(!owner_is_gone("far/1", "far"));
    owner_self(owner, sizeof(owner)); /* this host, another boot */
    slash = strchr(owner, '/');
    snprintf(slash, 16, "/boot/1");
    ck_assert(owner_is_gone(owner, NULL));
}
END_TEST

/* ---- the key ---------------------------------------------------------------
 */

static char mon[] = "10.0.0.1";

/* The same from the start, as often as a worker is started anew. */
static void check_key(int fd)
{
    char text[16] = "";

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 5);
    ck_assert_str_eq(text, "AQA=\n");
}

START_TEST(test_key_of_pipe)
{
    struct rbd_config rc = {.mon_host = {mon}};
    struct rbd_cluster c = {.user = ""};
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(write(fd[1], "AQA=\n", 5), 5);
    close(fd[1]);
    rc.key_fd = (unsigned int)fd[0];
    ck_assert_int_eq(rbd_fill_cluster(&c, &rc), 0);
    check_key(c.key_fd);
    ck_assert_int_eq(c.conf_fd, -1);
    close(c.key_fd);
    close(fd[0]);
}
END_TEST

/* A file, wherever it was read to before; and one that is no key. */
START_TEST(test_key_of_file)
{
    struct rbd_config rc = {.mon_host = {mon}};
    struct rbd_cluster c = {.user = ""};
    int fd = memfd_create("key", 0);

    ck_assert_int_eq(write(fd, "AQA=\n", 5), 5);
    rc.key_fd = (unsigned int)fd;
    ck_assert_int_eq(rbd_fill_cluster(&c, &rc), 0);
    check_key(c.key_fd);
    close(c.key_fd);
    ck_assert_int_eq(ftruncate(fd, 2 << 20), 0);
    capture_start();
    ck_assert_int_eq(rbd_fill_cluster(&c, &rc), -EFBIG);
    ck_assert_str_eq(
        capture_text,
        "mote: rbd.key_fd: cannot be read: File too large (EFBIG)\n");
    close(fd);
}
END_TEST

Suite *suite_rbd_worker(void);
Suite *suite_rbd_worker(void)
{
    Suite *s = suite_create("rbd_worker");
    TCase *tc = tcase_create("worker");

    tcase_add_loop_test(tc, test_keyring, 0, ARRAY_SIZE(keyrings));
    tcase_add_test(tc, test_owner_lives);
    tcase_add_test(tc, test_owner_died);
    tcase_add_test(tc, test_owner_elsewhere);
    tcase_add_test(tc, test_key_of_pipe);
    tcase_add_test(tc, test_key_of_file);
    suite_add_tcase(s, tc);
    return s;
}
