/* SPDX-License-Identifier: Apache-2.0 */
/* chr_unix: the socket's name, its clients one by one, and what each end may do
 * to the other */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/chr.h"
#include "mote/undo.h"

#include "capture.h"

#define SOCK "sock"

static char dir[32];

static void enter(void)
{
    signal(SIGPIPE, SIG_IGN);
    capture_start();
    snprintf(dir, sizeof(dir), "/tmp/mote-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void leave(struct chr *chr)
{
    chr_close(chr);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing is left behind */
}

static struct chr *open_sock(void)
{
    struct chr *chr;

    ck_assert_int_eq(chr_open(&chr, CHR_UNIX, SOCK), 0);
    return chr;
}

static int client(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = SOCK};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
    return fd;
}

static void expect(int fd, const char *text)
{
    char buf[32] = "";

    ck_assert_int_eq(recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT),
                     strlen(text));
    ck_assert_str_eq(buf, text);
}

static size_t put(struct chr *chr, const char *text)
{
    return chr_write(chr, (const u8 *)text, strlen(text));
}

/* Whatever the umask, only the owner may connect. */
START_TEST(test_name)
{
    struct stat st;
    struct chr *chr;

    enter();
    umask(_i == 0 ? 0 : 022);
    chr = open_sock();
    ck_assert_int_eq(lstat(SOCK, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    leave(chr);
}
END_TEST

struct bad_path {
    const char *path; /* "exists" does */
    int err;
    const char *log;
};

static const struct bad_path bad_paths[] = {
    {"exists", -EADDRINUSE, "mote: console exists: exists; remove it if no"},
    {"no/such", -ENOENT, "mote: console no/such: No such file or directory"},
    {"", -ENAMETOOLONG, "a socket's path has 1 to 107 bytes"},
    {"0123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567",
     -ENAMETOOLONG, "a socket's path has 1 to 107 bytes"},
};

START_TEST(test_bad_path)
{
    const struct bad_path *t = &bad_paths[_i];
    struct chr *chr;

    enter();
    close(open("exists", O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(chr_open(&chr, CHR_UNIX, t->path), t->err);
    ck_assert_ptr_nonnull(strstr(capture_text, t->log));
    ck_assert_int_eq(unlink("exists"), 0); /* still there */
    leave(NULL);
}
END_TEST

/* Somebody has put his own socket where ours was. */
START_TEST(test_replaced)
{
    struct chr *chr, *other;

    enter();
    chr = open_sock();
    ck_assert_int_eq(rename(SOCK, "ours"), 0);
    other = open_sock();
    chr_close(chr);
    ck_assert_int_eq(access(SOCK, F_OK), 0);
    unlink("ours");
    leave(other);
}
END_TEST

START_TEST(test_nobody)
{
    struct chr *chr;
    u8 buf[4];

    enter();
    chr = open_sock();
    ck_assert_int_ge(chr_listen_fd(chr), 0);
    ck_assert(!chr_connected(chr));
    ck_assert_int_eq(chr_in_fd(chr), -1);
    ck_assert_int_eq(chr_out_fd(chr), -1);
    ck_assert_int_eq(chr_read(chr, buf, sizeof(buf)), -ENODATA);
    ck_assert_uint_eq(put(chr, "held"), 0);
    ck_assert(!chr_lost(chr));
    ck_assert_int_eq(chr_accept(chr), 0);
    leave(chr);
}
END_TEST

static void escaped(void *ctx)
{
    ck_abort_msg("a client has ended the VM");
}

START_TEST(test_clients)
{
    struct chr *chr;
    u8 buf[16];

    enter();
    chr = open_sock();
    chr_on_escape(chr, escaped, NULL);
    for (int i = 0; i < 100; i++) {
        int fd = client();

        ck_assert_int_eq(chr_accept(chr), 1);
        ck_assert(chr_connected(chr));
        ck_assert_int_eq(chr_in_fd(chr), chr_out_fd(chr));
        ck_assert(chr_in_polls(chr));
        ck_assert_int_eq(fcntl(chr_in_fd(chr), F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(chr_read(chr, buf, sizeof(buf)), 0);
        ck_assert_int_eq(write(fd, "\001x\001", 3), 3);
        ck_assert_int_eq(chr_read(chr, buf, sizeof(buf)), 3);
        ck_assert_mem_eq(buf, "\001x\001", 3);
        ck_assert_uint_eq(put(chr, "hello"), 5);
        expect(fd, "hello");
        close(fd);
        ck_assert_int_eq(chr_read(chr, buf, sizeof(buf)), -ENODATA);
        ck_assert_int_eq(chr_in_fd(chr), -1);
        ck_assert(chr_connected(chr));
        ck_assert_uint_eq(put(chr, "held"), 0);
        ck_assert_int_eq(chr_out_fd(chr), -1);
        chr_hang_up(chr);
        ck_assert(!chr_connected(chr));
    }
    ck_assert_uint_eq(capture_len, 0);
    leave(chr);
}
END_TEST

/* Those that come too early are served in turn. */
START_TEST(test_turns)
{
    struct chr *chr;
    int fd[3];

    enter();
    chr = open_sock();
    for (int i = 0; i < 3; i++)
        fd[i] = client();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(chr_accept(chr), 1);
        ck_assert_uint_eq(put(chr, "your turn"), 9);
        expect(fd[i], "your turn");
        chr_hang_up(chr);
        ck_assert_int_eq(read(fd[i], &(char){0}, 1), 0);
        close(fd[i]);
    }
    ck_assert_int_eq(chr_accept(chr), 0);
    leave(chr);
}
END_TEST

START_TEST(test_half)
{
    struct chr *chr;
    u8 buf[4];
    int fd;

    enter();
    chr = open_sock();
    fd = client();
    ck_assert_int_eq(chr_accept(chr), 1);
    shutdown(fd, SHUT_WR);
    ck_assert_int_eq(chr_read(chr, buf, sizeof(buf)), -ENODATA);
    ck_assert_int_ge(chr_out_fd(chr), 0);
    ck_assert_uint_eq(put(chr, "yes"), 3);
    expect(fd, "yes");
    close(fd);
    leave(chr);
}
END_TEST

/* A client that does not read: short writes, no block, and on again. */
START_TEST(test_full)
{
    static u8 buf[65536];
    size_t n, total = 0;
    struct chr *chr;
    int fd;

    enter();
    chr = open_sock();
    fd = client();
    ck_assert_int_eq(chr_accept(chr), 1);
    while ((n = chr_write(chr, buf, sizeof(buf))) > 0)
        total += n;
    ck_assert_uint_lt(total, 4 * MIB);
    ck_assert_int_ge(chr_out_fd(chr), 0);
    while (total > 0) {
        ssize_t got = read(fd, buf, sizeof(buf));

        ck_assert_int_gt(got, 0);
        total -= (size_t)got;
    }
    ck_assert_uint_gt(chr_write(chr, buf, sizeof(buf)), 0);
    close(fd);
    leave(chr);
}
END_TEST

/* With no descriptor to spare the first client is served all the same; what
 * goes wrong later is said once, and may go right again. */
START_TEST(test_no_descriptors)
{
    struct rlimit lim;
    struct chr *chr;
    int a, b, spare;

    enter();
    chr = open_sock();
    a = client();
    b = client();
    spare = open("/dev/null", O_RDONLY);
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = (rlim_t)spare + 1;
    setrlimit(RLIMIT_NOFILE, &lim);
    while (dup(spare) >= 0)
        ;
    ck_assert_int_eq(chr_accept(chr), 1);
    chr_hang_up(chr);
    ck_assert_int_ge(dup(spare), 0);
    ck_assert_int_eq(chr_accept(chr), -EMFILE);
    ck_assert_int_eq(chr_accept(chr), -EMFILE);
    ck_assert_str_eq(capture_text, "mote: console sock: a client waits: Too "
                                   "many open files (EMFILE)\n");
    close(spare);
    ck_assert_int_eq(chr_accept(chr), 1);
    close(a);
    close(b);
    leave(chr);
}
END_TEST

/* A child that closes leaves the name to its parent. */
START_TEST(test_fork)
{
    struct chr *chr;
    int status;
    pid_t pid;

    enter();
    chr = open_sock();
    pid = fork();
    if (pid == 0) {
        chr_close(chr);
        _exit(access(SOCK, F_OK));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    undo_all();
    ck_assert_int_ne(access(SOCK, F_OK), 0);
    leave(chr);
}
END_TEST

Suite *suite_chr_unix(void);
Suite *suite_chr_unix(void)
{
    Suite *s = suite_create("chr_unix");
    TCase *tc = tcase_create("chr_unix");

    tcase_add_loop_test(tc, test_name, 0, 2);
    tcase_add_loop_test(tc, test_bad_path, 0, ARRAY_SIZE(bad_paths));
    tcase_add_test(tc, test_replaced);
    tcase_add_test(tc, test_nobody);
    tcase_add_test(tc, test_clients);
    tcase_add_test(tc, test_turns);
    tcase_add_test(tc, test_half);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_no_descriptors);
    tcase_add_test(tc, test_fork);
    suite_add_tcase(s, tc);
    return s;
}
