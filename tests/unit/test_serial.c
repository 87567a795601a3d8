/* SPDX-License-Identifier: Apache-2.0 */
/* serial: bytes between a guest's ports and the host, with the real thread */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/dev.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

struct guest {
    struct bus bus;
    struct irq irq;
    struct chr *chr;
    struct serial *serial;
    _Atomic(int) line;
    _Atomic(unsigned int) rises;
    _Atomic(unsigned int) escapes;
    int to, from; /* host side */
};

static void guest_raise(struct irq *irq)
{
    struct guest *g = irq->ctx;

    ck_assert_int_eq(atomic_exchange(&g->line, 1), 0);
    atomic_fetch_add(&g->rises, 1);
}

static void guest_lower(struct irq *irq)
{
    struct guest *g = irq->ctx;

    ck_assert_int_eq(atomic_exchange(&g->line, 0), 1);
}

static const struct irq_ops guest_irq_ops = {
    .raise = guest_raise,
    .lower = guest_lower,
};

static void guest_escape(void *ctx)
{
    struct guest *g = ctx;

    atomic_fetch_add(&g->escapes, 1);
}

static void guest_up(struct guest *g)
{
    int in[2], out[2];

    signal(SIGPIPE, SIG_IGN);
    *g = (struct guest){.irq = {.ops = &guest_irq_ops}};
    g->irq.ctx = g;
    bus_init(&g->bus);
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[0]);
    close(out[1]);
    g->to = in[1];
    g->from = out[0];
    ck_assert_int_eq(chr_open(&g->chr, CHR_STDIO, NULL), 0);
    chr_on_escape(g->chr, guest_escape, g);
    ck_assert_int_eq(serial_new(&g->serial, &g->bus, &g->irq, g->chr), 0);
}

static void guest_down(struct guest *g)
{
    serial_free(g->serial);
    chr_close(g->chr);
    close(g->to);
    close(g->from);
}

static u8 guest_in(struct guest *g, unsigned int reg)
{
    return (u8)bus_read(&g->bus, BUS_PIO, SERIAL_PORT + reg, 1);
}

static void guest_out(struct guest *g, unsigned int reg, u8 val)
{
    bus_write(&g->bus, BUS_PIO, SERIAL_PORT + reg, 1, val);
}

static void guest_print(struct guest *g, const char *text)
{
    for (; *text; text++)
        guest_out(g, DATA, (u8)*text);
}

static void host_expect(struct guest *g, const char *want)
{
    char buf[256] = "";
    size_t n = 0;

    while (n < strlen(want)) {
        ssize_t r = read(g->from, buf + n, strlen(want) - n);

        ck_assert_int_gt(r, 0);
        n += (size_t)r;
    }
    ck_assert_str_eq(buf, want);
}

START_TEST(test_output)
{
    struct guest g;
    struct serial_stats st;

    guest_up(&g);
    guest_print(&g, "before, ");
    ck_assert_int_eq(serial_start(g.serial), 0);
    guest_print(&g, "after\n");
    host_expect(&g, "before, after\n");
    bus_write(&g.bus, BUS_PIO, SERIAL_PORT, 2, 0x0041); /* THR, IER */
    host_expect(&g, "A");
    serial_stats(g.serial, &st);
    ck_assert_uint_eq(st.tx_bytes, 15);
    ck_assert_uint_eq(st.dropped, 0);
    ck_assert_uint_ne(st.first_ns, 0);
    guest_down(&g);
}
END_TEST

/* Waits for the line like a guest in HLT. */
static void guest_wait_irq(struct guest *g)
{
    for (int i = 0; i < 5000 && !atomic_load(&g->line); i++)
        usleep(1000);
    ck_assert_int_eq(atomic_load(&g->line), 1);
}

/* All bytes arrive in order through a FIFO of 16, whatever their number. */
START_TEST(test_input)
{
    static char sent[20000], got[20001];
    struct guest g;
    size_t n = 0, w = 0;

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)('a' + i % 26);
    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    w = (size_t)write(g.to, sent, sizeof(sent));
    ck_assert_uint_eq(w, sizeof(sent));
    usleep(20000);
    ck_assert_int_eq(guest_in(&g, LSR), 0x60); /* nobody listens yet */
    guest_out(&g, MCR, 0x0b);
    guest_out(&g, IIR, 0xc1);
    guest_out(&g, IER, 0x01);
    while (n < w) {
        guest_wait_irq(&g);
        ck_assert_uint_eq(guest_in(&g, IIR) & 0x04, 0x04);
        while (guest_in(&g, LSR) & 1)
            got[n++] = (char)guest_in(&g, DATA);
    }
    ck_assert_uint_eq(n, w);
    ck_assert_mem_eq(sent, got, n);
    ck_assert_int_eq(atomic_load(&g.line), 0);
    guest_down(&g);
}
END_TEST

/* Without interrupts, by polling LSR. */
START_TEST(test_polled_input)
{
    u64 end = monotonic_ns() + 5000000000ull;
    struct guest g;
    char got[16] = "";
    size_t n = 0;

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    ck_assert_int_eq(write(g.to, "polled", 6), 6);
    while (n < 6 && monotonic_ns() < end)
        if (guest_in(&g, LSR) & 1)
            got[n++] = (char)guest_in(&g, DATA);
    ck_assert_str_eq(got, "polled");
    ck_assert_uint_eq(atomic_load(&g.rises), 0);
    guest_down(&g);
}
END_TEST

/* A host that does not read: the guest goes on, the loss is counted, and what
 * the ring held comes out unharmed. */
START_TEST(test_overflow)
{
    static char buf[65536];
    struct guest g;
    struct serial_stats st;
    u64 got = 0;
    ssize_t r;

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    for (int i = 0; i < 400000; i++)
        guest_out(&g, DATA, (u8)('a' + i % 26));
    serial_stats(g.serial, &st);
    ck_assert_uint_eq(st.tx_bytes, 400000);
    ck_assert_uint_gt(st.dropped, 400000 - 64 * 1024 - 1024 * 1024 / 4);
    fcntl(g.from, F_SETFL, O_NONBLOCK);
    for (int idle = 0; idle < 100;) {
        r = read(g.from, buf, sizeof(buf));
        for (u64 i = 0; r > 0 && i < (u64)r && got + i < 65536; i++)
            ck_assert_int_eq(buf[i], 'a' + (char)((got + i) % 26));
        got += r > 0 ? (u64)r : 0;
        idle = r > 0 ? 0 : idle + 1;
        if (r <= 0)
            usleep(1000);
    }
    ck_assert_uint_eq(got, 400000 - st.dropped);
    guest_down(&g);
}
END_TEST

/* Beyond the limit the guest goes on, and the loss is counted. */
START_TEST(test_limited)
{
    struct serial_stats st;
    char buf[128];
    struct guest g;

    guest_up(&g);
    chr_limit(g.chr, &(struct limit_bucket_config){50, 1000000, 0});
    ck_assert_int_eq(serial_start(g.serial), 0);
    for (int i = 0; i < 80; i++)
        guest_out(&g, DATA, 'x');
    serial_stop(g.serial);
    serial_stats(g.serial, &st);
    ck_assert_uint_eq(st.tx_bytes, 80);
    ck_assert_uint_eq(st.dropped, 30);
    ck_assert_int_eq(read(g.from, buf, sizeof(buf)), 50);
    guest_down(&g);
}
END_TEST

/* Ctrl-A x ends also a guest that never reads its port. */
START_TEST(test_escape_of_deaf_guest)
{
    struct guest g;

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    ck_assert_int_eq(write(g.to, "help me\001x", 9), 9);
    for (int i = 0; i < 5000 && atomic_load(&g.escapes) == 0; i++)
        usleep(1000);
    ck_assert_uint_eq(atomic_load(&g.escapes), 1);
    guest_down(&g);
}
END_TEST

/* The last words come out, but a full pipe does not hold up the end. */
START_TEST(test_stop)
{
    static char buf[100000];
    struct guest g;
    struct timespec a, b;

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    guest_print(&g, "last words\n");
    serial_stop(g.serial);
    host_expect(&g, "last words\n");
    guest_down(&g);

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    for (size_t i = 0; i < sizeof(buf); i++)
        guest_out(&g, DATA, 'x');
    clock_gettime(CLOCK_MONOTONIC, &a);
    serial_stop(g.serial);
    clock_gettime(CLOCK_MONOTONIC, &b);
    ck_assert_int_lt(
        (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, 900);
    guest_down(&g);
}
END_TEST

/* At end of input the thread sleeps instead of spinning on the hang-up. */
START_TEST(test_idle_after_eof)
{
    struct timespec a, b;
    struct guest g;

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    close(g.to);
    g.to = -1;
    usleep(20000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    usleep(100000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    ck_assert_int_lt((b.tv_sec - a.tv_sec) * 1000000 +
                         (b.tv_nsec - a.tv_nsec) / 1000,
                     20000);
    guest_down(&g);
}
END_TEST

START_TEST(test_tail)
{
    struct guest g;
    char buf[8192], line[32];

    guest_up(&g);
    ck_assert_uint_eq(serial_tail(g.serial, buf, sizeof(buf)), 0);
    ck_assert_str_eq(buf, "");
    guest_print(&g, "one\r\n\033[1mtwo\t\r\n");
    ck_assert_uint_eq(serial_tail(g.serial, buf, sizeof(buf)), 13);
    ck_assert_str_eq(buf, "one\n.[1mtwo.\n");
    ck_assert_uint_eq(serial_tail(g.serial, buf, 4), 2); /* \t\r\n */
    ck_assert_str_eq(buf, ".\n");
    ck_assert_uint_eq(serial_tail(g.serial, buf, 0), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        guest_print(&g, line);
    }
    serial_tail(g.serial, buf, sizeof(buf));
    ck_assert_int_eq(strncmp(buf, "line 60\nline 61\n", 16), 0);
    guest_print(&g, "half");
    serial_tail(g.serial, buf, sizeof(buf));
    ck_assert_int_eq(strncmp(buf, "line 61\n", 8), 0);
    ck_assert_str_eq(buf + strlen(buf) - 12, "line 99\nhalf");
    for (int i = 0; i < 20000; i++)
        guest_out(&g, DATA, 'y');
    ck_assert_uint_eq(serial_tail(g.serial, buf, sizeof(buf)), 8191);
    guest_down(&g);
}
END_TEST

static void vcpu_print(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        guest_out(arg, DATA, 'v');
        guest_in(arg, IIR);
        guest_in(arg, LSR);
    }
}

/* Several vCPUs and the device thread at once (also under tsan). */
START_TEST(test_vcpus)
{
    struct thread t[3] = {0};
    struct serial_stats st;
    const struct filter vcpu = {.kind = FILTER_VCPU_INTERP};
    struct guest g;

    guest_up(&g);
    ck_assert_int_eq(serial_start(g.serial), 0);
    guest_out(&g, MCR, 0x0b);
    guest_out(&g, IER, 0x03);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        ck_assert_int_eq(thread_start(&t[i], "vcpu", &vcpu, vcpu_print, &g), 0);
    ck_assert_int_gt(write(g.to, "typed meanwhile", 15), 0);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        thread_join(&t[i]);
    serial_stats(g.serial, &st);
    ck_assert_uint_eq(st.tx_bytes, 15000);
    guest_down(&g);
}
END_TEST

Suite *suite_serial(void);
Suite *suite_serial(void)
{
    Suite *s = suite_create("serial");
    TCase *tc = tcase_create("serial");

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_output);
    tcase_add_test(tc, test_input);
    tcase_add_test(tc, test_polled_input);
    tcase_add_test(tc, test_overflow);
    tcase_add_test(tc, test_limited);
    tcase_add_test(tc, test_escape_of_deaf_guest);
    tcase_add_test(tc, test_stop);
    tcase_add_test(tc, test_idle_after_eof);
    tcase_add_test(tc, test_tail);
    tcase_add_test(tc, test_vcpus);
    suite_add_tcase(s, tc);
    return s;
}
