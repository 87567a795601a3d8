/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial.c: COM1, between the vCPUs' port accesses and the host's console.
 * What the host cannot take in time is dropped and counted.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/dev.h"
#include "mote/log.h"
#include "mote/loop.h"
#include "mote/record.h"

#include "uart.h"

#define SERIAL_RING     (64 * KIB)
#define SERIAL_TAIL     (8 * KIB)
#define SERIAL_STAGE    4096u
#define SERIAL_LINES    40
#define SERIAL_BATCH    4096u
#define SERIAL_BATCHES  16  /* before input has its turn */
#define SERIAL_DRAIN_MS 200 /* for the last output, at the end */

struct serial {
    /* Shared by the vCPUs and the device thread, under lock, which nobody
     * holds across a system call that could wait. */
    struct lock lock;
    struct uart uart;
    bool line;            /* level of the interrupt line */
    bool starved;         /* input waits for room in the UART */
    bool asleep;          /* the device thread waits for output */
    u8 ring[SERIAL_RING]; /* output: tx_tail..tx_head, both only grow */
    u64 tx_head, tx_tail;
    u8 tail[SERIAL_TAIL]; /* the last bytes written, dropped or not */
    u64 tail_head;
    struct serial_stats stats;

    /* Fixed by serial_new(). */
    struct irq *irq;
    struct chr *chr;

    /* The device thread's. Input is read ahead of the guest, so that the
     * escape sequence is seen also while the guest takes nothing. */
    struct loop loop;
    struct loop_fd wake; /* eventfd, written by vCPUs */
    struct loop_fd in;
    struct loop_fd out;
    u8 stage[SERIAL_STAGE];
    size_t stage_pos, stage_len;
    struct thread thread;
};

/* ---- port accesses, on vCPU threads ------------------------------------- */

/* The line is edge-triggered at the IOAPIC: every rise is told. */
static void serial_update_irq(struct serial *s)
{
    bool line = uart_pending(&s->uart);

    if (line == s->line)
        return;
    s->line = line;
    if (line)
        irq_raise(s->irq);
    else
        irq_lower(s->irq);
}

static void serial_wake(struct serial *s)
{
    u64 one = 1;

    (void)!write(s->wake.fd, &one, sizeof(one));
}

static void serial_rx_wake(struct serial *s)
{
    if (!s->starved || uart_rx_room(&s->uart) == 0)
        return;
    s->starved = false;
    serial_wake(s);
}

/* A byte leaves for the host: into the ring, if there is room. */
static void serial_tx_push(struct serial *s, u8 byte)
{
    if (s->stats.tx_bytes++ == 0)
        s->stats.first_ns = monotonic_ns();
    s->tail[s->tail_head++ % SERIAL_TAIL] = byte;
    record_console(&byte, 1);
    if (s->tx_head - s->tx_tail == SERIAL_RING) {
        s->stats.dropped++;
        return;
    }
    s->ring[s->tx_head++ % SERIAL_RING] = byte;
    if (s->asleep) {
        s->asleep = false;
        serial_wake(s);
    }
}

/* A wide access to an 8-bit device is one cycle per byte. */
static u64 serial_read(void *dev, u64 off, unsigned int size)
{
    struct serial *s = dev;
    u64 val = 0;

    lock_take(&s->lock);
    for (unsigned int i = 0; i < size; i++)
        val |= (u64)uart_read(&s->uart, (unsigned int)off + i) << (8 * i);
    serial_update_irq(s);
    serial_rx_wake(s);
    lock_drop(&s->lock);
    return val;
}

static void serial_write(void *dev, u64 off, unsigned int size, u64 val)
{
    struct serial *s = dev;

    lock_take(&s->lock);
    for (unsigned int i = 0; i < size; i++) {
        u8 byte = (u8)(val >> (8 * i));

        if (uart_write(&s->uart, (unsigned int)off + i, byte))
            serial_tx_push(s, byte);
    }
    serial_update_irq(s);
    serial_rx_wake(s);
    lock_drop(&s->lock);
}

static const struct bus_ops serial_ops = {
    .read = serial_read,
    .write = serial_write,
};

/* ---- host side, on the device thread ------------------------------------ */

/* The next bytes to write, without taking them; 0: none, and asleep is set. */
static size_t serial_tx_peek(struct serial *s, u8 *buf, size_t max)
{
    size_t n;

    lock_take(&s->lock);
    n = MIN((size_t)(s->tx_head - s->tx_tail), max);
    for (size_t i = 0; i < n; i++)
        buf[i] = s->ring[(s->tx_tail + i) % SERIAL_RING];
    s->asleep = n == 0;
    lock_drop(&s->lock);
    return n;
}

static void serial_tx_done(struct serial *s, size_t n, size_t lost)
{
    lock_take(&s->lock);
    s->tx_tail += n;
    s->stats.dropped += lost;
    lock_drop(&s->lock);
}

enum serial_drained { DRAINED_ALL, DRAINED_SOME, DRAINED_HOST_FULL };

static enum serial_drained serial_drain(struct serial *s)
{
    u8 buf[SERIAL_BATCH];
    size_t n, done;

    for (unsigned int i = 0; i < SERIAL_BATCHES; i++) {
        n = serial_tx_peek(s, buf, sizeof(buf));
        if (n == 0)
            return DRAINED_ALL;
        done = chr_write(s->chr, buf, n);
        serial_tx_done(s, done, chr_lost(s->chr));
        if (done < n)
            return DRAINED_HOST_FULL;
    }
    return DRAINED_SOME;
}

/* Where the host is full, its readiness is waited for, else the guest. */
static void serial_pump_out(struct serial *s)
{
    enum serial_drained how = serial_drain(s);

    if (how == DRAINED_SOME)
        serial_wake(s); /* come back, after the input */
    if (how != DRAINED_HOST_FULL)
        loop_del(&s->out);
    else if (!s->out.loop && s->out.fd >= 0)
        loop_add(&s->loop, &s->out, EPOLLOUT);
}

/* Move staged bytes into the FIFO, as far as there is room. */
static void serial_feed(struct serial *s)
{
    lock_take(&s->lock);
    while (s->stage_pos < s->stage_len && uart_rx_room(&s->uart) > 0)
        uart_rx_push(&s->uart, s->stage[s->stage_pos++]);
    s->starved = s->stage_pos < s->stage_len;
    serial_update_irq(s);
    lock_drop(&s->lock);
    s->stage_len -= s->stage_pos;
    memmove(s->stage, s->stage + s->stage_pos, s->stage_len);
    s->stage_pos = 0;
}

/* As chr_read(); also 0 when the stage is full. */
static int serial_stage_more(struct serial *s)
{
    size_t room = SERIAL_STAGE - s->stage_len;
    int n;

    if (room < 2)
        return 0;
    n = chr_read(s->chr, s->stage + s->stage_len, room);
    s->stage_len += n > 0 ? (size_t)n : 0;
    return n;
}

/* Watch for input only while it can be taken: a descriptor that has hung up
 * would wake the loop for ever. */
static void serial_watch_in(struct serial *s)
{
    bool want = s->in.fd >= 0 && SERIAL_STAGE - s->stage_len >= 2;

    if (want && !s->in.loop && chr_in_polls(s->chr))
        loop_add(&s->loop, &s->in, EPOLLIN);
    else if (!want)
        loop_del(&s->in);
}

static void serial_pump_in(struct serial *s)
{
    int n = 0;

    serial_feed(s);
    while (s->in.fd >= 0 && (n = serial_stage_more(s)) > 0)
        serial_feed(s);
    if (n < 0) {
        loop_del(&s->in);
        s->in.fd = -1;
    }
    serial_watch_in(s);
}

static void serial_on_wake(struct loop_fd *lf, u32 events)
{
    struct serial *s = container_of(lf, struct serial, wake);
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    serial_pump_out(s);
    serial_pump_in(s);
}

static void serial_on_in(struct loop_fd *lf, u32 events)
{
    serial_pump_in(container_of(lf, struct serial, in));
}

static void serial_on_out(struct loop_fd *lf, u32 events)
{
    serial_pump_out(container_of(lf, struct serial, out));
}

static void serial_run(void *arg)
{
    struct serial *s = arg;

    serial_pump_out(s);
    serial_pump_in(s);
    loop_run(&s->loop);
}

/* ---- life ---------------------------------------------------------------- */

int serial_new(struct serial **out, struct bus *bus, struct irq *irq,
               struct chr *chr)
{
    struct serial *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return fail(-ENOMEM, "serial port");
    lock_init(&s->lock);
    s->irq = irq;
    s->chr = chr;
    uart_init(&s->uart);
    s->in = (struct loop_fd){.fd = chr_in_fd(chr), .fn = serial_on_in};
    s->out = (struct loop_fd){.fd = chr_out_fd(chr), .fn = serial_on_out};
    s->wake = (struct loop_fd){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                               .fn = serial_on_wake};
    if (s->wake.fd < 0) {
        r = fail(-errno, "serial port: eventfd");
        goto free_serial;
    }
    r = loop_init(&s->loop);
    if (r < 0)
        goto close_wake;
    r = loop_add(&s->loop, &s->wake, EPOLLIN);
    if (r < 0)
        goto fini_loop;
    r = bus_add(bus, BUS_PIO, SERIAL_PORT, UART_REGS, "serial", &serial_ops, s);
    if (r < 0)
        goto fini_loop;
    *out = s;
    return 0;

fini_loop:
    loop_fini(&s->loop);
close_wake:
    close(s->wake.fd);
free_serial:
    lock_fini(&s->lock);
    free(s);
    return r;
}

int serial_start(struct serial *s)
{
    static const struct filter filter = {.kind = FILTER_CONSOLE};

    return thread_start(&s->thread, "serial", &filter, serial_run, s);
}

static bool serial_has_output(struct serial *s)
{
    bool some;

    lock_take(&s->lock);
    some = s->tx_head != s->tx_tail;
    lock_drop(&s->lock);
    return some;
}

/* The thread has gone: what is left in the ring, for a bounded time. */
static void serial_drain_last(struct serial *s)
{
    u64 end = monotonic_ns() + SERIAL_DRAIN_MS * 1000000ull;
    u64 now;

    serial_pump_out(s);
    while (serial_has_output(s) && (now = monotonic_ns()) < end)
        loop_turn(&s->loop, (int)((end - now) / 1000000u) + 1);
}

void serial_stop(struct serial *s)
{
    if (!s->thread.running)
        return;
    loop_stop(&s->loop);
    thread_join(&s->thread);
    serial_drain_last(s);
}

void serial_free(struct serial *s)
{
    if (!s)
        return;
    serial_stop(s);
    loop_del(&s->in);
    loop_del(&s->out);
    loop_del(&s->wake);
    loop_fini(&s->loop);
    close(s->wake.fd);
    lock_fini(&s->lock);
    free(s);
}

void serial_stats(struct serial *s, struct serial_stats *out)
{
    lock_take(&s->lock);
    *out = s->stats;
    lock_drop(&s->lock);
}

/* Where the last SERIAL_LINES lines begin, not before min. */
static u64 serial_tail_start(const struct serial *s, u64 min)
{
    unsigned int lines = 0;
    u64 pos = s->tail_head;

    while (pos > min) {
        bool end = s->tail[(pos - 1) % SERIAL_TAIL] == '\n';

        if (end && pos != s->tail_head && ++lines == SERIAL_LINES)
            break;
        pos--;
    }
    return pos;
}

size_t serial_tail(struct serial *s, char *buf, size_t len)
{
    size_t n = 0;
    u64 have, pos;

    if (len == 0)
        return 0;
    lock_take(&s->lock);
    have = MIN(s->tail_head, (u64)SERIAL_TAIL);
    have = MIN(have, (u64)len - 1);
    pos = serial_tail_start(s, s->tail_head - have);
    for (; pos < s->tail_head; pos++) {
        u8 c = s->tail[pos % SERIAL_TAIL];

        if (c != '\r')
            buf[n++] = (char)((c >= ' ' && c < 0x7f) || c == '\n' ? c : '.');
    }
    lock_drop(&s->lock);
    buf[n] = '\0';
    return n;
}
