/* SPDX-License-Identifier: Apache-2.0 */
/* uart.h: the register model of a 16550A; the caller serialises */
#ifndef MOTE_DEV_UART_H
#define MOTE_DEV_UART_H

#include "mote/base.h"

#define UART_REGS 8
#define UART_FIFO 16u

struct uart {
    u8 ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    bool overrun;       /* LSR.OE */
    bool thr_empty;     /* the THRI condition; reading IIR clears it */
    unsigned int polls; /* reads of LSR since anything else */
    unsigned int rx_pos, rx_len;
    u8 fifo[UART_FIFO];
};

void uart_init(struct uart *u);

u8 uart_read(struct uart *u, unsigned int reg);

/* Returns true when val leaves for the host. */
bool uart_write(struct uart *u, unsigned int reg, u8 val);

/* Level of the interrupt line. */
bool uart_pending(const struct uart *u);

/* How many bytes the guest can take now, and one of them. */
unsigned int uart_rx_room(const struct uart *u);
void uart_rx_push(struct uart *u, u8 byte);

#endif
