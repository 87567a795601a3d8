/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uart.c: the registers of a 16550A (National PC16550D data sheet). The line
 * is infinitely fast: a byte written has left at once, so THRE and TEMT always
 * read 1. No host, no locks: serial.c has those.
 */
#include "uart.h"

enum uart_reg { /* offsets; the second name is for writes or DLAB = 1 */
                REG_DATA = 0, /* RBR, THR; DLL */
                REG_IER = 1,  /* DLM */
                REG_IIR = 2,  /* FCR */
                REG_LCR = 3,
                REG_MCR = 4,
                REG_LSR = 5,
                REG_MSR = 6,
                REG_SCR = 7,
};

#define IER_RDI  0x01 /* received data available */
#define IER_THRI 0x02 /* transmitter holding register empty */
#define IER_RLSI 0x04 /* receiver line status */
#define IER_MSI  0x08 /* modem status */
#define IER_MASK 0x0f

#define IIR_MSI     0x00
#define IIR_NONE    0x01
#define IIR_THRI    0x02
#define IIR_RDI     0x04
#define IIR_RLSI    0x06
#define IIR_TIMEOUT 0x0c /* data below the trigger level */
#define IIR_FIFO    0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB     0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DR   0x01
#define LSR_OE   0x02
#define LSR_IDLE 0x60 /* THRE and TEMT */

#define MSR_TERI  0x04 /* low half: changes since the last read */
#define MSR_DELTA 0x0f
#define MSR_CTS   0x10
#define MSR_DSR   0x20
#define MSR_RI    0x40
#define MSR_DCD   0x80

#define UART_POLLS 16 /* reads of LSR in a row: the guest polls */

static unsigned int uart_fifo_size(const struct uart *u)
{
    return u->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

static unsigned int uart_trigger(const struct uart *u)
{
    static const u8 level[4] = {1, 4, 8, 14}; /* FCR bits 7:6 */

    return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/* IIR without the FIFO bits: the highest-priority cause that is enabled. */
static u8 uart_cause(const struct uart *u)
{
    if (u->overrun && (u->ier & IER_RLSI))
        return IIR_RLSI;
    if (u->rx_len > 0 && (u->ier & IER_RDI))
        return u->rx_len >= uart_trigger(u) ? IIR_RDI : IIR_TIMEOUT;
    if (u->thr_empty && (u->ier & IER_THRI))
        return IIR_THRI;
    if ((u->msr & MSR_DELTA) && (u->ier & IER_MSI))
        return IIR_MSI;
    return IIR_NONE;
}

void uart_rx_push(struct uart *u, u8 byte)
{
    if (u->rx_len == uart_fifo_size(u)) {
        u->overrun = true;
        return;
    }
    u->fifo[(u->rx_pos + u->rx_len++) % UART_FIFO] = byte;
}

/*
 * May the host's input come in? Not in loopback mode, where the receiver is
 * cut off, and only to a guest that listens: by interrupt, which on a PC takes
 * OUT2 as well, or by polling. Linux enables all interrupts for a moment when
 * it probes, and reads RBR for luck when it opens the port; bytes that were
 * piped in before that would be lost.
 */
unsigned int uart_rx_room(const struct uart *u)
{
    bool irq = (u->ier & IER_RDI) && (u->mcr & MCR_OUT2);
    bool listens = irq || u->polls >= UART_POLLS;

    if ((u->mcr & MCR_LOOP) || !listens)
        return 0;
    return uart_fifo_size(u) - u->rx_len;
}

static u8 uart_rx_pop(struct uart *u)
{
    u8 byte = u->fifo[u->rx_pos];

    if (u->rx_len == 0)
        return 0;
    u->rx_pos = (u->rx_pos + 1) % UART_FIFO;
    u->rx_len--;
    return byte;
}

static void uart_rx_clear(struct uart *u)
{
    u->rx_pos = u->rx_len = 0;
}

/* Returns true when the byte is for the host. */
static bool uart_write_thr(struct uart *u, u8 byte)
{
    u->thr_empty = true; /* it was filled, and is empty again already */
    if (!(u->mcr & MCR_LOOP))
        return true;
    uart_rx_push(u, byte);
    return false;
}

/* Modem inputs: a terminal that is there and ready, or the own outputs. */
static u8 uart_modem_lines(const struct uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (u8)((u->mcr & MCR_RTS ? MSR_CTS : 0) |
                (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
                (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void uart_write_mcr(struct uart *u, u8 val)
{
    u8 old = u->msr & (u8)~MSR_DELTA;
    u8 now, changed;

    u->mcr = val & MCR_MASK;
    now = uart_modem_lines(u);
    changed = (u8)((old ^ now) >> 4);
    if (!(old & MSR_RI)) /* TERI tells the falling edge only */
        changed &= (u8)~MSR_TERI;
    u->msr = now | (u->msr & MSR_DELTA) | changed;
}

static void uart_write_ier(struct uart *u, u8 val)
{
    /* Enabling THRI while the register is empty is a cause of its own. */
    if ((val & IER_THRI) && !(u->ier & IER_THRI))
        u->thr_empty = true;
    u->ier = val & IER_MASK;
}

static void uart_write_fcr(struct uart *u, u8 val)
{
    /* Switching the FIFO off empties it. So does switching it on, in a real
     * one; Linux does that after it has enabled the receiver's interrupt. */
    if ((val & FCR_CLEAR_RX) || !(val & FCR_ENABLE))
        uart_rx_clear(u);
    u->fcr = val & FCR_ENABLE ? val : 0;
}

static u8 uart_read_iir(struct uart *u)
{
    u8 cause = uart_cause(u);

    if (cause == IIR_THRI)
        u->thr_empty = false;
    return cause | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static u8 uart_read_lsr(struct uart *u)
{
    u8 val = LSR_IDLE;

    val |= u->rx_len > 0 ? LSR_DR : 0;
    val |= u->overrun ? LSR_OE : 0;
    u->overrun = false;
    return val;
}

static u8 uart_read_msr(struct uart *u)
{
    u8 val = u->msr;

    u->msr &= (u8)~MSR_DELTA;
    return val;
}

static u8 uart_read_reg(struct uart *u, unsigned int reg)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (reg) {
    case REG_DATA:
        return dlab ? u->dll : uart_rx_pop(u);
    case REG_IER:
        return dlab ? u->dlm : u->ier;
    case REG_IIR:
        return uart_read_iir(u);
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        return uart_read_lsr(u);
    case REG_MSR:
        return uart_read_msr(u);
    default:
        return u->scr;
    }
}

/* Reading RBR keeps the count: a polling guest alternates the two. */
static void uart_count_polls(struct uart *u, unsigned int reg)
{
    if (reg == REG_LSR)
        u->polls += u->polls < UART_POLLS;
    else if (reg != REG_DATA)
        u->polls = 0;
}

u8 uart_read(struct uart *u, unsigned int reg)
{
    uart_count_polls(u, reg);
    return uart_read_reg(u, reg);
}

bool uart_write(struct uart *u, unsigned int reg, u8 val)
{
    bool dlab = u->lcr & LCR_DLAB;

    u->polls = 0;
    switch (reg) {
    case REG_DATA:
        if (!dlab)
            return uart_write_thr(u, val);
        u->dll = val;
        break;
    case REG_IER:
        if (dlab)
            u->dlm = val;
        else
            uart_write_ier(u, val);
        break;
    case REG_IIR:
        uart_write_fcr(u, val);
        break;
    case REG_LCR:
        u->lcr = val;
        break;
    case REG_MCR:
        uart_write_mcr(u, val);
        break;
    case REG_SCR:
        u->scr = val;
        break;
    default: /* LSR and MSR: factory test only */
        break;
    }
    return false;
}

bool uart_pending(const struct uart *u)
{
    return uart_cause(u) != IIR_NONE;
}

void uart_init(struct uart *u)
{
    *u = (struct uart){.thr_empty = true, .dll = 1}; /* 115200 baud */
    u->msr = uart_modem_lines(u);
}
