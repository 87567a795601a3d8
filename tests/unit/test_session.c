/* SPDX-License-Identifier: Apache-2.0 */
/* session: a command's streams and control port, on a real console whose driver
 * is ours. Each test is its own process, so it may replace stdio. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>

#include "mote/command.h"
#include "mote/guest.h"

#include "console_rig.h"

/* Ports, in the order of session_open(). */
enum { HVC, STDIN, CONTROL, STDOUT, STDERR, PORTS };

struct srig {
    struct rig r;
    struct command cmd;
    struct session *s;
    struct loop loop;
    struct power power;
    unsigned int ends;
    enum power_reason reason;
    int to, from, err; /* the far ends of stdin, stdout, stderr */
};

static char *srig_argv[] = {(char[]){"cmd"}, NULL};

static char srig_root[] = "the root";

static void srig_end(struct power *p, enum power_reason reason, u32 value)
{
    struct srig *s = container_of(p, struct srig, power);

    s->ends++;
    s->reason = reason;
}

static int srig_pipe(int fd, bool input)
{
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    dup2(p[input ? 0 : 1], fd);
    close(p[input ? 0 : 1]);
    return p[input ? 1 : 0];
}

static void srig_greet(struct srig *s)
{
    static const char *const names[] = {NULL, GUEST_PORT_IN, GUEST_PORT_CONTROL,
                                        GUEST_PORT_OUT, GUEST_PORT_ERR};
    struct rig *r = &s->r;

    stock_control(r);
    stock_control(r);
    control(r, 0, READY, 1);
    for (u32 i = 0; i < PORTS; i++)
        expect_message(r, i, ADD, 1, NULL, 0);
    for (u32 i = STDIN; i < PORTS; i++) {
        control(r, i, PORT_READY, 1);
        expect_message(r, i, NAME, 1, names[i], (u32)strlen(names[i]));
        expect_message(r, i, OPEN, 1, NULL, 0);
        control(r, i, OPEN, 1);
    }
}

static void srig_up(struct srig *s)
{
    struct console_port port[1 + SESSION_PORT_MAX] = {{0}};
    struct session_env env;
    unsigned int nr;

    *s = (struct srig){.power.end = srig_end};
    signal(SIGPIPE, SIG_IGN);
    capture_start();
    s->to = srig_pipe(STDIN_FILENO, true);
    s->from = srig_pipe(STDOUT_FILENO, false);
    s->err = srig_pipe(STDERR_FILENO, false);
    s->cmd =
        (struct command){.argv = srig_argv, .root = srig_root, .input = true};
    ck_assert_int_eq(chr_open(&port[0].chr, CHR_OFF, NULL), 0);
    ck_assert_int_eq(session_open(&s->s, &s->cmd, port + 1, &nr), 0);
    ck_assert_uint_eq(nr, PORTS - 1);
    ck_assert_int_eq(console_new(&s->r.dev, port, PORTS), 0);
    ck_assert_int_eq(loop_init(&s->loop), 0);
    env = (struct session_env){&s->loop, &s->power, s->r.dev};
    ck_assert_int_eq(session_start(s->s, &env), 0);
    vdrv_up(&s->r.d, s->r.dev, ~0ull);
    srig_greet(s);
}

static void srig_down(struct srig *s)
{
    vdrv_down(&s->r.d);
    session_free(s->s);
    loop_fini(&s->loop);
}

static void srig_tell(struct srig *s, u32 type, u32 a, u32 b)
{
    const struct guest_message m = {type, a, b, 0};

    give(&s->r, OUT(CONTROL), &m, sizeof(m));
    ck_assert_int_ge(vdrv_wait(&s->r.d, OUT(CONTROL), NULL), 0);
}

/* Turns of main's loop: until it is over, or for a tenth of a second. */
static bool srig_ends(struct srig *s)
{
    u64 end = vdrv_ms() + 100;

    while (s->ends == 0 && vdrv_ms() < end)
        loop_turn(&s->loop, 10);
    return s->ends > 0;
}

struct result_case {
    u32 type, a, b;
    int status;
    const char *said;
};

static const struct result_case result_cases[] = {
    {GUEST_EXITED, 0, 0, 0, ""},
    {GUEST_EXITED, 7, 0, 7, ""},
    {GUEST_EXITED, 0xffffff03, 0, 3, ""},
    {GUEST_SIGNALED, 9, 0, 137, ""},
    {GUEST_NOT_FOUND, 0, 0, 127, "mote: cmd: not found in the root\n"},
    {GUEST_NOT_RUN, EACCES, 0, 126,
     "mote: cmd: cannot be executed: Permission denied (EACCES)\n"},
    {GUEST_SETUP_LOST, GUEST_STEP_WORKDIR, ENOENT, 125,
     "mote: cmd: was not started: the guest could not enter the working "
     "directory: No such file or directory (ENOENT)\n"},
    {GUEST_SETUP_LOST, GUEST_STEP_ROOT, EIO, 125,
     "mote: cmd: was not started: the guest could not mount the root file "
     "system: Input/output error (EIO)\nmote: guest: last words\n"},
    {GUEST_SETUP_LOST, 77, EIO, 125,
     "mote: cmd: was not started: the guest could not start: Input/output "
     "error (EIO)\nmote: guest: last words\n"},
};

/* The first result counts. */
START_TEST(test_result)
{
    const struct result_case *t = &result_cases[_i];
    struct srig s;

    srig_up(&s);
    srig_tell(&s, GUEST_READY, 0, 0);
    srig_tell(&s, GUEST_STARTED, 0, 0);
    ck_assert(!srig_ends(&s));
    ck_assert(!session_ended(s.s));
    srig_tell(&s, t->type, t->a, t->b);
    srig_tell(&s, GUEST_EXITED, 42, 0);
    ck_assert(srig_ends(&s));
    ck_assert_int_eq(s.reason, POWER_COMMAND);
    ck_assert(session_ended(s.s) && session_drained(s.s));
    ck_assert_int_eq(session_status(s.s), t->status);
    session_say(s.s, "\r\nlast words\r\n");
    ck_assert_str_eq(capture_text, t->said);
    srig_down(&s);
}
END_TEST

/* A guest that ends without a word, or with words that mean nothing. */
START_TEST(test_no_result)
{
    struct srig s;

    srig_up(&s);
    srig_tell(&s, 0, 1, 2);
    srig_tell(&s, 99, 1, 2);
    ck_assert(!srig_ends(&s));
    session_drain(s.s);
    ck_assert(srig_ends(&s));
    ck_assert(!session_ended(s.s));
    ck_assert_int_eq(session_status(s.s), 125);
    session_say(s.s, "Kernel panic\x1b[2J\n");
    ck_assert_ptr_nonnull(strstr(capture_text,
                                 "mote: cmd: the guest ended before it did; "
                                 "the last lines of its console:\n"
                                 "mote: guest: Kernel panic [2J\n"));
    srig_down(&s);
}
END_TEST

/* A message in pieces is one all the same. */
START_TEST(test_pieces)
{
    const struct guest_message m = {GUEST_EXITED, 5, 0, 0};
    struct srig s;

    srig_up(&s);
    for (size_t i = 0; i < sizeof(m); i++) {
        ck_assert(!session_ended(s.s));
        give(&s.r, OUT(CONTROL), (const u8 *)&m + i, 1);
        ck_assert_int_ge(vdrv_wait(&s.r.d, OUT(CONTROL), NULL), 0);
        loop_turn(&s.loop, 100);
    }
    ck_assert(srig_ends(&s));
    ck_assert_int_eq(session_status(s.s), 5);
    srig_down(&s);
}
END_TEST

/* It ends when the slow reader has everything, and not before. */
START_TEST(test_slow_reader)
{
    static u8 out[16384], in[12 * sizeof(out)];
    struct srig s;
    size_t have = 0;

    srig_up(&s);
    for (size_t i = 0; i < 12; i++) {
        memset(out, (int)i, sizeof(out));
        give(&s.r, OUT(STDOUT), out, sizeof(out));
    }
    srig_tell(&s, GUEST_EXITED, 0, 0);
    ck_assert(!srig_ends(&s));
    ck_assert(session_ended(s.s) && !session_drained(s.s));
    while (have < sizeof(in)) {
        ssize_t n =
            read(s.from, in + have, MIN(sizeof(in) - have, (size_t)10000));

        ck_assert_int_gt(n, 0);
        have += (size_t)n;
    }
    for (size_t i = 0; i < 12; i++) {
        memset(out, (int)i, sizeof(out));
        ck_assert_mem_eq(in + i * sizeof(out), out, sizeof(out));
    }
    ck_assert(srig_ends(&s));
    ck_assert_int_eq(session_status(s.s), 0);
    srig_down(&s);
}
END_TEST

/* The guest hears of it; it is no failure. */
START_TEST(test_reader_gone)
{
    struct srig s;

    srig_up(&s);
    close(s.from);
    say(&s.r, STDOUT, "lost");
    ck_assert(taken(&s.r, STDOUT));
    expect_message(&s.r, STDOUT, OPEN, 0, NULL, 0);
    say(&s.r, STDOUT, "lost, too");
    ck_assert(taken(&s.r, STDOUT));
    say(&s.r, STDERR, "kept");
    expect_bytes(s.err, "kept");
    srig_tell(&s, GUEST_EXITED, 0, 0);
    ck_assert(srig_ends(&s));
    ck_assert_int_eq(session_status(s.s), 0);
    ck_assert_str_eq(capture_text, "");
    srig_down(&s);
}
END_TEST

/* All bytes, then the end. */
START_TEST(test_stdin_ends)
{
    struct srig s;

    srig_up(&s);
    ck_assert_int_eq(write(s.to, "last", 4), 4);
    close(s.to);
    ck_assert(stays(&s.r, CTL_IN));
    post(&s.r, IN(STDIN), 3);
    expect_input(&s.r, STDIN, "las");
    ck_assert(stays(&s.r, CTL_IN));
    post(&s.r, IN(STDIN), 3);
    expect_input(&s.r, STDIN, "t");
    expect_message(&s.r, STDIN, OPEN, 0, NULL, 0);
    srig_down(&s);
}
END_TEST

static void srig_expect_kill(struct srig *s, u32 sig)
{
    const struct guest_message want = {GUEST_KILL, sig, 0, 0};
    u32 len = 0;
    int head;

    post(&s->r, IN(CONTROL), sizeof(want));
    head = vdrv_wait(&s->r.d, IN(CONTROL), &len);
    ck_assert_int_ge(head, 0);
    ck_assert_uint_eq(len, sizeof(want));
    ck_assert_mem_eq(vdrv_ptr(&s->r.d, s->r.gpa[IN(CONTROL)][head], len), &want,
                     len);
}

START_TEST(test_signals)
{
    struct srig s;

    srig_up(&s);
    ck_assert(!session_signal(s.s, SIGTERM)); /* nobody is there yet */
    srig_tell(&s, GUEST_STARTED, 0, 0);
    ck_assert(!srig_ends(&s));
    ck_assert(session_signal(s.s, SIGINT));
    srig_expect_kill(&s, SIGINT);
    ck_assert(session_signal(s.s, SIGINT));
    srig_expect_kill(&s, SIGINT);
    ck_assert(!session_signal(s.s, SIGINT)); /* a third one at once */
    ck_assert(session_signal(s.s, SIGTERM));
    srig_expect_kill(&s, SIGTERM);
    ck_assert(!session_signal(s.s, SIGTERM));
    srig_tell(&s, GUEST_SIGNALED, SIGTERM, 0);
    ck_assert(srig_ends(&s));
    ck_assert(!session_signal(s.s, SIGUSR1)); /* nobody any more */
    ck_assert_int_eq(session_status(s.s), 143);
    srig_down(&s);
}
END_TEST

/* A guest that talks and never listens holds nothing up. */
START_TEST(test_deaf_guest)
{
    struct srig s;

    srig_up(&s);
    srig_tell(&s, GUEST_STARTED, 0, 0);
    ck_assert(!srig_ends(&s));
    for (int i = 0; i < 10000; i++)
        ck_assert(session_signal(s.s, SIGUSR1));
    srig_tell(&s, GUEST_EXITED, 1, 0);
    ck_assert(srig_ends(&s));
    srig_down(&s);
}
END_TEST

/* Not what a reader who leaves is: output that the host cannot keep. */
START_TEST(test_full_disk)
{
    struct srig s;
    int full = open("/dev/full", O_WRONLY);
    struct chr *chr;

    srig_up(&s);
    dup2(full, STDOUT_FILENO);
    ck_assert_int_eq(
        chr_open_streams(
            &chr,
            &(struct chr_streams){"stdout", -1, STDOUT_FILENO, false, false}),
        0);
    ck_assert(!chr_over(chr));
    ck_assert_uint_eq(chr_write(chr, (const u8 *)"x", 1), 1);
    ck_assert_uint_eq(chr_lost(chr), 1);
    ck_assert(chr_over(chr));
    ck_assert_int_eq(chr_error(chr), -ENOSPC);
    ck_assert_str_eq(capture_text,
                     "mote: stdout: No space left on device (ENOSPC)\n");
    ck_assert_uint_eq(chr_write(chr, (const u8 *)"xy", 2), 2);
    ck_assert_uint_eq(chr_lost(chr), 2);
    ck_assert(chr_connected(chr));
    chr_hang_up(chr);
    ck_assert(!chr_connected(chr));
    chr_close(chr);
    close(full);
    srig_down(&s);
}
END_TEST

Suite *suite_session(void);
Suite *suite_session(void)
{
    Suite *s = suite_create("session");
    TCase *tc = tcase_create("session");

    tcase_add_loop_test(tc, test_result, 0, ARRAY_SIZE(result_cases));
    tcase_add_test(tc, test_no_result);
    tcase_add_test(tc, test_pieces);
    tcase_add_test(tc, test_slow_reader);
    tcase_add_test(tc, test_reader_gone);
    tcase_add_test(tc, test_stdin_ends);
    tcase_add_test(tc, test_signals);
    tcase_add_test(tc, test_deaf_guest);
    tcase_add_test(tc, test_full_disk);
    suite_add_tcase(s, tc);
    return s;
}
