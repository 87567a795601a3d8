/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-console: messages both ways, window size, resets, and guests that
 * misbehave. Each test is its own process. */
#include <stdlib.h>

#include "console_rig.h"

START_TEST(test_resize)
{
    struct rig r;
    u32 gen;

    rig_up(&r, CHR_OFF, CHR_STDIO);
    greet(&r, true);
    ck_assert_uint_eq(vdrv_config(&r.d, 0, 4), 0);
    gen = vdrv_read(&r.d, VDRV_GENERATION);
    vdrv_write(&r.d, VDRV_ACK, 3);
    console_resize(r.dev, 80, 25);
    expect_message(&r, 0, RESIZE, 1, "\120\0\031\0", 4);
    ck_assert_uint_eq(vdrv_config(&r.d, 0, 2), 80);
    ck_assert_uint_eq(vdrv_config(&r.d, 2, 2), 25);
    ck_assert_uint_ne(vdrv_read(&r.d, VDRV_GENERATION), gen);
    ck_assert_uint_eq(vdrv_read(&r.d, VDRV_ISR) & 2, 2);
    console_resize(r.dev, 80, 25); /* no news */
    ck_assert(stays(&r, CTL_IN));
    control(&r, 0, PORT_READY, 1); /* a new driver hears of it at once */
    expect_message(&r, 0, CONSOLE, 1, NULL, 0);
    expect_message(&r, 0, RESIZE, 1, "\120\0\031\0", 4);
    expect_message(&r, 0, OPEN, 1, NULL, 0);
    rig_down(&r);
}
END_TEST

/* ---- control messages -----------------------------------------------------
 */

struct bad_control {
    u8 bytes[16];
    u32 len;
    unsigned int answers; /* messages that come of it */
    const char *log;
};

/* After greet(), so both ports are known; the port that is meant goes first. */
static const struct bad_control bad_controls[] = {
    {{0}, 1, 0, "a control message of 1 bytes"},
    {{0}, 7, 0, "a control message of 7 bytes"},
    {{0, 0, 0, 0, READY, 0, 0}, 8, 0, "the driver could not start"},
    {{0, 0, 0, 0, READY, 0, 2}, 8, 0, "the driver could not start"},
    {{9, 9, 9, 9, READY, 0, 1}, 8, 2, ""}, /* id counts for nothing */
    {{0, 0, 0, 0, READY, 0, 1}, 16, 2, ""},
    {{2, 0, 0, 0, PORT_READY, 0, 1}, 8, 0, "port 2, which is not there"},
    {{8, 0, 0, 0, OPEN, 0, 1}, 8, 0, "port 8, which is not there"},
    {{0, 0, 0, 128, OPEN, 0, 1}, 8, 0, "port 2147483648, which is not"},
    {{255, 255, 255, 255, OPEN, 0, 1}, 8, 0, "port 4294967295, which is"},
    {{1, 0, 0, 0, PORT_READY, 0, 1}, 8, 2, ""},
    {{1, 0, 0, 0, PORT_READY, 0, 0}, 8, 0, ""},
    {{1, 0, 0, 0, OPEN, 0, 9}, 8, 0, ""},
    {{1, 0, 0, 0, ADD, 0, 1}, 8, 0, "event 1 is not for the driver"},
    {{1, 0, 0, 0, REMOVE, 0, 1}, 8, 0, "event 2 is not for the driver"},
    {{0, 0, 0, 0, CONSOLE, 0, 1}, 8, 0, "event 4 is not for the driver"},
    {{0, 0, 0, 0, RESIZE, 0, 1}, 8, 0, "event 5 is not for the driver"},
    {{1, 0, 0, 0, NAME, 0, 1}, 8, 0, "event 7 is not for the driver"},
    {{1, 0, 0, 0, 8, 0, 1}, 8, 0, "event 8 is not for the driver"},
    {{1, 0, 0, 0, 255, 255, 1}, 8, 0, "event 65535 is not for the driver"},
};

START_TEST(test_bad_control)
{
    const struct bad_control *t = &bad_controls[_i];
    u32 len = 1;
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    greet(&r, true);
    give(&r, CTL_OUT, t->bytes, t->len);
    ck_assert_int_ge(vdrv_wait(&r.d, CTL_OUT, &len), 0);
    ck_assert_uint_eq(len, 0);
    for (unsigned int i = 0; i < t->answers; i++)
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, NULL), 0);
    ck_assert(stays(&r, CTL_IN));
    ck_assert_ptr_nonnull(strstr(capture_text, t->log));
    ck_assert_uint_eq(capture_len == 0, t->log[0] == 0);
    say(&r, 0, "alive");
    expect_bytes(r.from, "alive");
    rig_down(&r);
}
END_TEST

/* A driver that asks for ever and takes no answer: two ports, so at most a few
 * messages, each once. */
START_TEST(test_control_flood)
{
    static const u8 flood[][8] = {{0, 0, 0, 0, READY, 0, 1},
                                  {0, 0, 0, 0, PORT_READY, 0, 1},
                                  {1, 0, 0, 0, PORT_READY, 0, 1},
                                  {0, 0, 0, 0, READY, 0, 1}};
    struct vdrv_buf b = {.len = 8};
    unsigned int answers = 0;
    u64 gpa;
    struct rig r;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    gpa = vdrv_alloc(&r.d, sizeof(flood));
    memcpy(vdrv_ptr(&r.d, gpa, sizeof(flood)), flood, sizeof(flood));
    for (int i = 0; i < 4000; i++) {
        b.gpa = gpa + 8 * (u64)(i % 4);
        vdrv_add(&r.d, CTL_OUT, &b, 1);
        vdrv_kick(&r.d, CTL_OUT);
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_OUT, NULL), 0);
    }
    for (int i = 0; i < 64; i++)
        post(&r, CTL_IN, 64);
    while (!stays(&r, CTL_IN)) {
        ck_assert_int_ge(vdrv_poll(&r.d, CTL_IN, NULL), 0);
        answers++;
    }
    ck_assert_uint_eq(answers, 2 + 2 + 2); /* ADD, CONSOLE or NAME, OPEN */
    rig_down(&r);
}
END_TEST

/* Buffers too small come back empty, the message waits for one that is not. */
START_TEST(test_small_control_buffer)
{
    struct rig r;
    u32 len = 1;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    control(&r, 1, PORT_READY, 1);
    for (u32 size = 1; size < 13; size++) {
        post(&r, CTL_IN, size);
        ck_assert_int_ge(vdrv_wait(&r.d, CTL_IN, &len), 0);
        ck_assert_uint_eq(len, 0);
    }
    post(&r, CTL_IN, 13);
    expect_message(&r, 1, NAME, 1, "agent", 5);
    rig_down(&r);
}
END_TEST

/* Without MULTIPORT queues 0 and 1 are all there is. */
START_TEST(test_no_multiport)
{
    struct rig r;

    rig_new(&r, CHR_STDIO, CHR_FILE);
    vdrv_attach(&r.d, r.dev);
    ck_assert_uint_eq(vdrv_offered(&r.d) & 0xff, F_SIZE | F_MULTI);
    ck_assert_uint_eq(vdrv_config(&r.d, 4, 4), 2);
    vdrv_init(&r.d, ~F_MULTI);
    say(&r, 0, "plain");
    expect_bytes(r.from, "plain");
    post(&r, 0, 16);
    ck_assert_int_eq(write(r.to, "in", 2), 2);
    expect_input(&r, 0, "in");
    give(&r, CTL_OUT, "\0\0\0\0\0\0\1", 8);
    say(&r, 1, "none");
    ck_assert(stays(&r, CTL_OUT));
    ck_assert(stays(&r, OUT(1)));
    rig_down(&r);
}
END_TEST

/* ---- resets and breaches --------------------------------------------------
 */

/* Output is held, input is staged, a client is connected: all survives. */
START_TEST(test_reset)
{
    static u8 big[MIB];
    struct rig r;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    fd = client();
    ck_assert_int_eq(write(fd, "kept", 4), 4);
    for (int i = 0; i < 20; i++) {
        greet(&r, true);
        give(&r, OUT(1), big, sizeof(big));
        give(&r, OUT(0), big, sizeof(big));
        vdrv_reset(&r.d);
        ck_assert_uint_eq(vdrv_read(&r.d, VDRV_STATUS), 0);
        vdrv_reset(&r.d);
        vdrv_init(&r.d, ~0ull);
    }
    greet(&r, true);
    post(&r, IN(1), 16);
    expect_input(&r, 1, "kept");
    close(fd);
    rig_down(&r);
}
END_TEST

/* A chain of the wrong kind is no breach, but a broken one is; afterwards the
 * device is silent, and a reset repairs it. */
START_TEST(test_broken_queue)
{
    unsigned int q = (unsigned int)_i;
    struct vdrv_buf b = {0xf0000000, 64, true};
    struct rig r;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    ck_assert_int_eq(write(r.to, "in", 2), 2);
    fd = client();
    ck_assert_int_eq(write(fd, "in", 2), 2);
    vdrv_add(&r.d, q, &b, 1); /* no RAM there */
    vdrv_kick(&r.d, q);
    /* This one is popped only when there is something to say. */
    for (u16 i = 1; q == CTL_IN && i < 32; i++) {
        console_resize(r.dev, i, 1);
        usleep(500);
    }
    ck_assert(vdrv_until(vdrv_read(&r.d, VDRV_STATUS) & VDRV_S_NEEDS_RESET));
    close(fd);
    vdrv_reset(&r.d);
    vdrv_init(&r.d, ~0ull);
    say(&r, 0, "again");
    expect_bytes(r.from, "again");
    rig_down(&r);
}
END_TEST

START_TEST(test_wrong_way)
{
    struct rig r;
    u32 len = 1;

    rig_up(&r, CHR_STDIO, CHR_OFF);
    greet(&r, true);
    post(&r, OUT(0), 16); /* nothing to read in it */
    ck_assert(taken(&r, 0));
    post(&r, CTL_OUT, 16);
    ck_assert_int_ge(vdrv_wait(&r.d, CTL_OUT, &len), 0);
    ck_assert_uint_eq(len, 0);
    give(&r, IN(0), "?", 1); /* nothing to write in it */
    post(&r, IN(0), 8);
    ck_assert_int_eq(write(r.to, "in", 2), 2);
    ck_assert_int_ge(vdrv_wait(&r.d, IN(0), &len), 0);
    ck_assert_uint_eq(len, 0);
    expect_input(&r, 0, "in");
    say(&r, 0, "alive");
    expect_bytes(r.from, "alive");
    rig_down(&r);
}
END_TEST

/* The VM ends while a client does not read. */
START_TEST(test_stop_held)
{
    static u8 big[MIB];
    struct rig r;
    u64 start;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    fd = client();
    give(&r, OUT(1), big, sizeof(big));
    give(&r, OUT(1), big, sizeof(big));
    ck_assert(stays(&r, OUT(1)));
    start = vdrv_ms();
    rig_down(&r);
    ck_assert_uint_lt(vdrv_ms() - start, 500);
    close(fd);
}
END_TEST

/* Nothing to do, nothing woken: not by a pipe at its end, a client that has
 * left bytes, nor one that does not read. */
START_TEST(test_idle)
{
    static u8 big[MIB];
    struct virtio_stats a, b;
    struct rig r;
    int fd;

    rig_up(&r, CHR_STDIO, CHR_UNIX);
    greet(&r, false);
    close(r.to);
    fd = client();
    ck_assert_int_gt(send(fd, big, sizeof(big), MSG_DONTWAIT), 4096);
    if (_i == 0)
        close(fd);
    else if (_i == 1)
        shutdown(fd, SHUT_WR);
    if (_i != 2)
        give(&r, OUT(1), big, sizeof(big));
    usleep(20000);
    virtio_stats(r.dev, &a);
    usleep(50000);
    virtio_stats(r.dev, &b);
    ck_assert_uint_eq(a.wakeups, b.wakeups);
    rig_down(&r);
}
END_TEST

Suite *suite_console(void);
Suite *suite_console(void)
{
    Suite *s = suite_create("console");
    TCase *tc = tcase_create("console");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_resize);
    tcase_add_loop_test(tc, test_bad_control, 0, ARRAY_SIZE(bad_controls));
    tcase_add_test(tc, test_control_flood);
    tcase_add_test(tc, test_small_control_buffer);
    tcase_add_test(tc, test_no_multiport);
    tcase_add_test(tc, test_reset);
    tcase_add_loop_test(tc, test_broken_queue, 0, 6);
    tcase_add_test(tc, test_wrong_way);
    tcase_add_test(tc, test_stop_held);
    tcase_add_loop_test(tc, test_idle, 0, 3);
    suite_add_tcase(s, tc);
    return s;
}
