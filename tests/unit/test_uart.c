/* SPDX-License-Identifier: Apache-2.0 */
/* uart: the registers as Linux's 8250 driver probes and uses them */
#include <check.h>

#include "dev/uart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

START_TEST(test_reset)
{
    struct uart u;

    uart_init(&u);
    ck_assert_uint_eq(uart_read(&u, IER), 0);
    ck_assert_uint_eq(uart_read(&u, IIR), 0x01);
    ck_assert_uint_eq(uart_read(&u, LSR), 0x60);
    ck_assert_uint_eq(uart_read(&u, MSR), 0xb0);
    ck_assert_uint_eq(uart_read(&u, DATA), 0);
    ck_assert(!uart_pending(&u));
}
END_TEST

/* autoconfig() of the driver: existence, loopback, 16550A and nothing newer. */
START_TEST(test_linux_probe)
{
    struct uart u;

    uart_init(&u);
    uart_write(&u, IER, 0);
    ck_assert_uint_eq(uart_read(&u, IER) & 0x0f, 0);
    uart_write(&u, IER, 0x0f);
    ck_assert_uint_eq(uart_read(&u, IER) & 0x0f, 0x0f);
    uart_write(&u, IER, 0);
    uart_write(&u, MCR, 0x1a); /* LOOP, OUT2, RTS */
    ck_assert_uint_eq(uart_read(&u, MSR) & 0xf0, 0x90);
    uart_write(&u, MCR, 0);
    uart_write(&u, LCR, 0xbf);
    uart_write(&u, IIR, 0);
    uart_write(&u, LCR, 0);
    uart_write(&u, IIR, 0x01);
    ck_assert_uint_eq(uart_read(&u, IIR) >> 6, 3);
    uart_write(&u, LCR, 0x80);
    ck_assert_uint_ne(uart_read(&u, IIR), 0); /* no EFR: not a 16650 */
    uart_write(&u, LCR, 0);
    uart_write(&u, IIR, 0x21);
    ck_assert_uint_eq(uart_read(&u, IIR) >> 5, 6); /* no 64-byte FIFO */
    uart_write(&u, IER, 0x40);
    ck_assert_uint_eq(uart_read(&u, IER), 0); /* no UUE: not an XScale */
}
END_TEST

/* The THRE test of serial8250_do_startup(): enabling THRI twice tells twice. */
START_TEST(test_thre)
{
    struct uart u;

    uart_init(&u);
    for (int i = 0; i < 2; i++) {
        uart_write(&u, IER, 0x02);
        ck_assert(uart_pending(&u));
        ck_assert_uint_eq(uart_read(&u, IIR), 0x02);
        ck_assert(!uart_pending(&u));
        ck_assert_uint_eq(uart_read(&u, IIR), 0x01);
        uart_write(&u, IER, 0);
    }
    uart_write(&u, IER, 0x02);
    uart_read(&u, IIR);
    ck_assert(uart_write(&u, DATA, 'a')); /* for the host */
    ck_assert(uart_pending(&u));          /* sent already: next one, please */
    ck_assert_uint_eq(uart_read(&u, LSR), 0x60);
}
END_TEST

START_TEST(test_divisor)
{
    struct uart u;

    uart_init(&u);
    uart_write(&u, LCR, 0x83);
    ck_assert(!uart_write(&u, DATA, 0x34));
    uart_write(&u, IER, 0x12);
    ck_assert_uint_eq(uart_read(&u, DATA), 0x34);
    ck_assert_uint_eq(uart_read(&u, IER), 0x12);
    uart_write(&u, LCR, 0x03);
    ck_assert_uint_eq(uart_read(&u, LCR), 0x03);
    ck_assert_uint_eq(uart_read(&u, IER), 0);
    uart_write(&u, SCR, 0x5a);
    ck_assert_uint_eq(uart_read(&u, SCR), 0x5a);
}
END_TEST

/* Trigger level, time-out, overrun, priority, clear. */
START_TEST(test_receive)
{
    struct uart u;

    uart_init(&u);
    uart_write(&u, MCR, 0x08);
    uart_write(&u, IIR, 0xc1); /* FIFO on, trigger 14 */
    uart_write(&u, IER, 0x07);
    uart_read(&u, IIR); /* THRI */
    ck_assert_uint_eq(uart_rx_room(&u), 16);
    for (u8 i = 0; i < 13; i++)
        uart_rx_push(&u, i);
    ck_assert_uint_eq(uart_read(&u, IIR), 0xcc);
    uart_rx_push(&u, 13);
    ck_assert_uint_eq(uart_read(&u, IIR), 0xc4);
    uart_rx_push(&u, 14);
    uart_rx_push(&u, 15);
    ck_assert_uint_eq(uart_rx_room(&u), 0);
    uart_rx_push(&u, 99); /* lost */
    ck_assert_uint_eq(uart_read(&u, IIR), 0xc6);
    ck_assert_uint_eq(uart_read(&u, LSR), 0x63);
    ck_assert_uint_eq(uart_read(&u, LSR), 0x61);
    for (u8 i = 0; i < 16; i++)
        ck_assert_uint_eq(uart_read(&u, DATA), i);
    ck_assert_uint_eq(uart_read(&u, LSR), 0x60);
    ck_assert(!uart_pending(&u));
    uart_rx_push(&u, 1);
    ck_assert(uart_pending(&u));
    uart_write(&u, IIR, 0xc3);
    ck_assert(!uart_pending(&u));
}
END_TEST

START_TEST(test_no_fifo)
{
    struct uart u;

    uart_init(&u);
    uart_write(&u, MCR, 0x08);
    uart_write(&u, IER, 0x01);
    ck_assert_uint_eq(uart_rx_room(&u), 1);
    uart_rx_push(&u, 'x');
    ck_assert_uint_eq(uart_rx_room(&u), 0);
    ck_assert_uint_eq(uart_read(&u, IIR), 0x04);
    uart_write(&u, IIR, 0x01); /* the FIFO comes on: x stays */
    ck_assert_uint_eq(uart_rx_room(&u), 15);
    ck_assert_uint_eq(uart_read(&u, DATA), 'x');
    uart_rx_push(&u, 'y');
    uart_write(&u, IIR, 0x00);
    ck_assert_uint_eq(uart_read(&u, LSR), 0x60);
}
END_TEST

/* Host input waits until somebody listens: an interrupt, or a polling loop. */
START_TEST(test_gate)
{
    struct uart u;

    uart_init(&u);
    ck_assert_uint_eq(uart_rx_room(&u), 0);
    for (int i = 0; i < 16; i++) {
        ck_assert_uint_eq(uart_rx_room(&u), 0);
        uart_read(&u, LSR);
    }
    ck_assert_uint_eq(uart_rx_room(&u), 1);
    uart_write(&u, DATA, 'a'); /* it polls for its output: Linux's printk */
    ck_assert_uint_eq(uart_rx_room(&u), 0);
    uart_write(&u, IER, 0x0f); /* Linux probes: OUT2 is not set */
    ck_assert_uint_eq(uart_rx_room(&u), 0);
    uart_write(&u, MCR, 0x0b);
    ck_assert_uint_eq(uart_rx_room(&u), 1);
    uart_write(&u, IER, 0x02);
    ck_assert_uint_eq(uart_rx_room(&u), 0);
    uart_write(&u, IER, 0x01);
    uart_write(&u, MCR, 0x1b);
    ck_assert_uint_eq(uart_rx_room(&u), 0);
}
END_TEST

START_TEST(test_loopback)
{
    struct uart u;

    uart_init(&u);
    uart_read(&u, MSR);
    uart_write(&u, IIR, 0x01);
    uart_write(&u, MCR, 0x10);
    ck_assert_uint_eq(uart_read(&u, MSR), 0x0b); /* all inputs fell */
    ck_assert_uint_eq(uart_read(&u, MSR), 0x00);
    ck_assert(!uart_write(&u, DATA, 'q'));
    ck_assert_uint_eq(uart_read(&u, LSR), 0x61);
    ck_assert_uint_eq(uart_read(&u, DATA), 'q');
    uart_write(&u, IER, 0x08);
    uart_write(&u, MCR, 0x14); /* OUT1: RI rises, which is no event */
    ck_assert(!uart_pending(&u));
    uart_write(&u, MCR, 0x10);
    ck_assert(uart_pending(&u));
    ck_assert_uint_eq(uart_read(&u, IIR), 0xc0);
    ck_assert_uint_eq(uart_read(&u, MSR), 0x04);
    ck_assert(!uart_pending(&u));
    uart_write(&u, MCR, 0xff);
    ck_assert_uint_eq(uart_read(&u, MCR), 0x1f);
}
END_TEST

Suite *suite_uart(void);
Suite *suite_uart(void)
{
    Suite *s = suite_create("uart");
    TCase *tc = tcase_create("uart");

    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_linux_probe);
    tcase_add_test(tc, test_thre);
    tcase_add_test(tc, test_divisor);
    tcase_add_test(tc, test_receive);
    tcase_add_test(tc, test_no_fifo);
    tcase_add_test(tc, test_gate);
    tcase_add_test(tc, test_loopback);
    suite_add_tcase(s, tc);
    return s;
}
