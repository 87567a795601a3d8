/* SPDX-License-Identifier: Apache-2.0 */
/* chr: escapes, full and closed pipes, files, and a terminal's way back. Each
 * test runs in a process of its own (Check forks), so it may replace stdio. */
#include <check.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/chr.h"
#include "mote/undo.h"

#include "capture.h"

/* stdin and stdout of the test, seen from the other side. */
struct peer {
    struct chr *chr;
    int to;
    int from;
    unsigned int escapes;
};

static void peer_escape(void *ctx)
{
    struct peer *p = ctx;

    p->escapes++;
}

static void peer_open(struct peer *p)
{
    ck_assert_int_eq(chr_open(&p->chr, CHR_STDIO, NULL), 0);
    chr_on_escape(p->chr, peer_escape, p);
}

static void peer_stdio(struct peer *p)
{
    int in[2], out[2];

    signal(SIGPIPE, SIG_IGN);
    *p = (struct peer){0};
    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(out), 0);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[0]);
    close(out[1]);
    p->to = in[1];
    p->from = out[0];
}

static void peer_pipes(struct peer *p)
{
    peer_stdio(p);
    peer_open(p);
}

static void peer_down(struct peer *p)
{
    chr_close(p->chr);
    close(p->to);
    close(p->from);
}

struct escape_case {
    const char *typed;
    const char *seen;
    unsigned int escapes;
};

static const struct escape_case escape_cases[] = {
    {"plain", "plain", 0},        {"a\001\001b", "a\001b", 0},
    {"a\001xb", "ab", 1},         {"\001x\001x", "", 2},
    {"\001c", "\001c", 0},        {"\001\001x", "\001x", 0},
    {"\001\001\001x", "\001", 1}, {"x\001", "x", 0},
};

static size_t read_all(struct peer *p, char *buf)
{
    size_t n = 0;
    int r;

    while ((r = chr_read(p->chr, (u8 *)buf + n, 2)) > 0)
        n += (size_t)r;
    ck_assert_int_eq(r, 0);
    buf[n] = '\0';
    return n;
}

/* The whole at once, and a byte at a time: the state outlives a read. */
START_TEST(test_escape)
{
    const struct escape_case *t = &escape_cases[_i];
    struct peer p;
    char buf[64];
    size_t n = 0;

    peer_pipes(&p);
    ck_assert_int_gt(write(p.to, t->typed, strlen(t->typed)), 0);
    read_all(&p, buf);
    ck_assert_str_eq(buf, t->seen);
    ck_assert_uint_eq(p.escapes, t->escapes);
    peer_down(&p);

    peer_pipes(&p);
    for (const char *s = t->typed; *s; s++) {
        ck_assert_int_eq(write(p.to, s, 1), 1);
        n += read_all(&p, buf + n);
    }
    buf[n] = '\0';
    ck_assert_str_eq(buf, t->seen);
    ck_assert_uint_eq(p.escapes, t->escapes);
    peer_down(&p);
}
END_TEST

START_TEST(test_end_of_input)
{
    struct peer p;
    u8 buf[8];

    peer_pipes(&p);
    ck_assert(chr_in_polls(p.chr));
    ck_assert_int_ge(chr_in_fd(p.chr), 0);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), 0);
    ck_assert_int_eq(write(p.to, "z", 1), 1);
    close(p.to);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), 1);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), -ENODATA);
    ck_assert_int_eq(chr_in_fd(p.chr), -1);
    chr_close(p.chr);
}
END_TEST

START_TEST(test_dev_null)
{
    int fd = open("/dev/null", O_RDWR);
    struct peer p = {0};
    u8 buf[8];

    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    peer_open(&p);
    ck_assert(!chr_in_polls(p.chr));
    ck_assert_int_eq(chr_out_fd(p.chr), -1);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), -ENODATA);
    ck_assert_uint_eq(chr_write(p.chr, buf, sizeof(buf)), sizeof(buf));
    chr_close(p.chr);
    close(fd);
}
END_TEST

/* A full pipe gives short writes; the shared description stays blocking. */
START_TEST(test_full_pipe)
{
    static u8 buf[65536];
    struct peer p;
    size_t n, total = 0;

    peer_pipes(&p);
    ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
    while ((n = chr_write(p.chr, buf, sizeof(buf))) > 0)
        total += n;
    ck_assert_uint_ge(total, 4096);
    ck_assert_int_ge(chr_out_fd(p.chr), 0);
    ck_assert_int_eq(read(p.from, buf, 8192), 8192);
    ck_assert_uint_gt(chr_write(p.chr, buf, sizeof(buf)), 0);
    peer_down(&p);
    ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

/* Another user's terminal or pipe cannot be opened again: polled instead. */
START_TEST(test_not_reopened)
{
    static u8 buf[65536];
    struct peer p;
    size_t n, total = 0;

    if (geteuid() != 0) {
        printf("skip - only root can become somebody else\n");
        return;
    }
    peer_stdio(&p);
    ck_assert_int_eq(seteuid(65534), 0);
    peer_open(&p);
    ck_assert_int_eq(chr_in_fd(p.chr), STDIN_FILENO); /* the original */
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), 0);
    ck_assert_int_eq(write(p.to, "a\001xb", 4), 4);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), 2);
    ck_assert_uint_eq(p.escapes, 1);
    while ((n = chr_write(p.chr, buf, sizeof(buf))) > 0)
        total += n;
    ck_assert_uint_ge(total, 4096);
    peer_down(&p);
    ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(test_closed_pipe)
{
    struct peer p;

    capture_start();
    peer_pipes(&p);
    close(p.from);
    ck_assert_uint_eq(chr_write(p.chr, (const u8 *)"abc", 3), 3);
    ck_assert_uint_eq(chr_write(p.chr, (const u8 *)"abc", 3), 3);
    ck_assert_str_eq(capture_text,
                     "mote: console output is lost: Broken pipe (EPIPE)\n");
    close(p.to);
    chr_close(p.chr);
}
END_TEST

START_TEST(test_socket)
{
    struct peer p = {0};
    static u8 buf[65536];
    int sv[2];
    size_t n;

    signal(SIGPIPE, SIG_IGN);
    capture_start();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
    dup2(sv[0], STDIN_FILENO);
    dup2(sv[0], STDOUT_FILENO);
    close(sv[0]);
    peer_open(&p);
    ck_assert_int_eq(write(sv[1], "in", 2), 2);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), 2);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), 0);
    do {
        n = chr_write(p.chr, buf, sizeof(buf));
    } while (n > 0);
    ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
    close(sv[1]);
    ck_assert_uint_eq(chr_write(p.chr, buf, 7), 7);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), -ENODATA);
    chr_close(p.chr);
}
END_TEST

/* Files are made for their owner only and appended to; FIFOs open at once. */
START_TEST(test_file)
{
    char dir[] = "/tmp/mote-test-XXXXXX", buf[16] = "";
    struct stat st;
    struct chr *chr;
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    umask(0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(chr_open(&chr, CHR_FILE, "out"), 0);
        ck_assert_int_eq(chr_in_fd(chr), -1);
        ck_assert_int_eq(chr_out_fd(chr), -1);
        ck_assert_uint_eq(chr_write(chr, (const u8 *)"ab", 2), 2);
        chr_close(chr);
    }
    ck_assert_int_eq(stat("out", &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    fd = open("out", O_RDONLY);
    ck_assert_int_eq(read(fd, buf, sizeof(buf)), 4);
    close(fd);
    ck_assert_str_eq(buf, "abab");

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert_int_eq(chr_open(&chr, CHR_FILE, "fifo"), 0);
    while (chr_write(chr, (const u8 *)buf, sizeof(buf)) > 0)
        ; /* until it is full: no reader, no block, no error */
    chr_close(chr);
    capture_start();
    ck_assert_int_eq(chr_open(&chr, CHR_FILE, "no/such"), -ENOENT);
    ck_assert_str_eq(capture_text, "mote: console no/such: No such file or "
                                   "directory (ENOENT)\n");
    unlink("out");
    unlink("fifo");
    rmdir(dir);
}
END_TEST

/* To the byte; what the host does not take counts for nothing. */
START_TEST(test_limited)
{
    static const u8 data[100];
    char buf[200];
    struct peer p;

    peer_pipes(&p);
    chr_limit(p.chr, &(struct limit_bucket_config){60, 1000000, 30});
    ck_assert_uint_eq(chr_write(p.chr, data, 10), 10);
    ck_assert_uint_eq(chr_lost(p.chr), 0);
    ck_assert_uint_eq(chr_write(p.chr, data, 100), 100);
    ck_assert_uint_eq(chr_lost(p.chr), 20);
    ck_assert_uint_eq(chr_write(p.chr, data, 7), 7);
    ck_assert_uint_eq(chr_lost(p.chr), 7);
    ck_assert_int_eq(read(p.from, buf, sizeof(buf)), 90);
    chr_limit(p.chr, &(struct limit_bucket_config){60, 0, 0});
    while (chr_write(p.chr, data, 100) == 100)
        ck_assert_uint_eq(chr_lost(p.chr), 0); /* no limit, until full */
    chr_limit(p.chr, &(struct limit_bucket_config){100, 1000000, 0});
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(chr_write(p.chr, data, 100), 0);
    fcntl(p.from, F_SETFL, O_NONBLOCK);
    while (read(p.from, buf, sizeof(buf)) > 0)
        ;
    ck_assert_uint_eq(chr_write(p.chr, data, 100), 100);
    ck_assert_uint_eq(chr_lost(p.chr), 0);
    peer_down(&p);
}
END_TEST

/* Nothing is read, not even the escape. */
START_TEST(test_no_input)
{
    struct peer p;
    u8 buf[8];

    peer_pipes(&p);
    chr_no_input(p.chr);
    ck_assert_int_eq(write(p.to, "\001x", 2), 2);
    ck_assert_int_eq(chr_in_fd(p.chr), -1);
    ck_assert_int_eq(chr_read(p.chr, buf, sizeof(buf)), -ENODATA);
    ck_assert_uint_eq(p.escapes, 0);
    ck_assert_uint_eq(chr_write(p.chr, buf, 2), 2);
    peer_down(&p);
}
END_TEST

START_TEST(test_off)
{
    struct chr *chr;

    ck_assert_int_eq(chr_open(&chr, CHR_OFF, NULL), 0);
    ck_assert_int_eq(chr_in_fd(chr), -1);
    ck_assert_int_eq(chr_out_fd(chr), -1);
    ck_assert_uint_eq(chr_write(chr, (const u8 *)"ab", 2), 2);
    chr_close(chr);
    chr_close(NULL);
}
END_TEST

/* ---- a terminal -----------------------------------------------------------
 */

/* How the child leaves with the terminal in raw mode. */
enum leave {
    LEAVE_CLOSE = -1,
    LEAVE_EXIT = -2,
    LEAVE_FAULT = -3,
    LEAVE_UNDO = -4,
};

static const int leaves[] = {
    LEAVE_CLOSE, LEAVE_EXIT, LEAVE_FAULT, LEAVE_UNDO, SIGTERM, SIGINT,
    SIGHUP,      SIGQUIT,    SIGSEGV,     SIGABRT,    SIGBUS,  SIGILL,
    SIGFPE,      SIGXCPU,    SIGXFSZ,     SIGUSR1,
};

/* A page that may not be written: a fault of the kernel's, not a kill(). */
static void child_fault(void)
{
    volatile char *p =
        mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *p = 1;
}

/* The terminal is not the business of a child, however that ends. */
static void leave_undo(struct chr *chr)
{
    struct termios now;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        chr_close(chr);
        raise(SIGTERM);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
        tcgetattr(STDIN_FILENO, &now) < 0 || now.c_lflag & ICANON)
        _exit(97);
    undo_all();
}

static void child_leave(int how)
{
    struct chr *chr;

    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL); /* not the test runner's */
    if (chr_open(&chr, CHR_STDIO, NULL) < 0)
        _exit(99);
    if (write(STDOUT_FILENO, "R", 1) != 1)
        _exit(98);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    if (how == LEAVE_CLOSE)
        chr_close(chr);
    else if (how == LEAVE_EXIT)
        exit(0);
    else if (how == LEAVE_UNDO)
        leave_undo(chr);
    else if (how == LEAVE_FAULT)
        child_fault();
    else
        pause(); /* for the signal from outside */
    _exit(0);
}

START_TEST(test_terminal)
{
    int how = leaves[_i], status, master, slave;
    struct termios before = {0}, during, after = {0};
    char c = 0;
    pid_t pid;

    ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
    ck_assert_int_eq(tcgetattr(slave, &before), 0);
    pid = fork();
    if (pid == 0) {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        dup2(slave, STDIN_FILENO);
        dup2(slave, STDOUT_FILENO);
        child_leave(how);
    }
    ck_assert_int_eq(read(master, &c, 1), 1);
    ck_assert_int_eq(c, 'R');
    if (how > 0) {
        tcgetattr(slave, &during);
        ck_assert_uint_eq(during.c_lflag & (ICANON | ECHO | ISIG), 0);
        ck_assert_uint_ne(during.c_oflag & OPOST, 0);
        kill(pid, how);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    tcgetattr(slave, &after);
    ck_assert_mem_eq(&before, &after, sizeof(before));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (how > 0)
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == how);
    else if (how == LEAVE_FAULT)
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    else
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
    close(master);
    close(slave);
}
END_TEST

/* The window is closed under us: end of input, output lost, no crash. */
START_TEST(test_hangup)
{
    int status, master, slave;
    pid_t pid;
    char c;

    ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
    pid = fork();
    if (pid == 0) {
        u8 buf[8];
        struct chr *chr;
        int r;

        close(master);
        setsid();
        signal(SIGHUP, SIG_IGN);
        ioctl(slave, TIOCSCTTY, 0);
        dup2(slave, STDIN_FILENO);
        dup2(slave, STDOUT_FILENO);
        capture_start();
        if (chr_open(&chr, CHR_STDIO, NULL) < 0 ||
            write(STDOUT_FILENO, "R", 1) != 1)
            _exit(1);
        while ((r = chr_read(chr, buf, sizeof(buf))) == 0)
            usleep(1000);
        if (r != -ENODATA || chr_write(chr, buf, 4) != 4)
            _exit(2);
        chr_close(chr);
        _exit(0);
    }
    close(slave);
    ck_assert_int_eq(read(master, &c, 1), 1);
    close(master);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *suite_chr(void);
Suite *suite_chr(void)
{
    Suite *s = suite_create("chr");
    TCase *tc = tcase_create("chr");

    tcase_add_loop_test(tc, test_escape, 0, ARRAY_SIZE(escape_cases));
    tcase_add_test(tc, test_end_of_input);
    tcase_add_test(tc, test_dev_null);
    tcase_add_test(tc, test_full_pipe);
    tcase_add_test(tc, test_not_reopened);
    tcase_add_test(tc, test_closed_pipe);
    tcase_add_test(tc, test_socket);
    tcase_add_test(tc, test_file);
    tcase_add_test(tc, test_limited);
    tcase_add_test(tc, test_no_input);
    tcase_add_test(tc, test_off);
    tcase_add_loop_test(tc, test_terminal, 0, ARRAY_SIZE(leaves));
    tcase_add_test(tc, test_hangup);
    suite_add_tcase(s, tc);
    return s;
}
