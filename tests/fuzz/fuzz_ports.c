/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports.c: any accesses to COM1, the i8042, the exit port, the boot timer, the
 * ACPI registers and the clock that is not there, while a host talks to COM1.
 * Input: records of where, offset and size, value; or bytes of the host's.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

/* For its rings: the archive's copy is left out. */
#include "dev/serial.c"

#include "chr/impl.h"

#define TEXT 256u  /* bytes of serial_tail() */
#define ROOM 2048u /* of the host's ends */

static const struct place {
    enum bus_space space;
    u64 base;
    unsigned int len;
} places[8] = {
    {BUS_PIO, SERIAL_PORT, 8}, {BUS_PIO, I8042_PORT_DATA, 5},
    {BUS_PIO, EXIT_PORT, 1},   {BUS_MMIO, BOOT_TIMER_BASE, 4096},
    {BUS_PIO, SLEEP_PORT, 3},  {BUS_PIO, CMOS_PORT, 2},
    {BUS_PIO, SERIAL_PORT, 8}, {BUS_PIO, 0, 65536},
};

static struct machine {
    struct bus bus;
    struct chr chr;
    struct serial *serial;
    struct i8042 *i8042;
    struct boot_timer timer;
    struct power power;
    struct irq irq, i8042_irq;
    bool line;
    enum power_reason ended; /* during the last access */
    u32 value;
    int keys, screen; /* who talks to COM1 */
    u64 heard;
} m;

static void on_end(struct power *p, enum power_reason reason, u32 value)
{
    m.ended = reason;
    m.value = value;
}

static void on_raise(struct irq *irq)
{
    assert(!m.line);
    m.line = true;
}

static void on_lower(struct irq *irq)
{
    assert(m.line);
    m.line = false;
}

static void on_key(struct irq *irq)
{
}

static void fuzz_up(void)
{
    static const struct irq_ops irq_ops = {on_raise, on_lower};
    static const struct irq_ops key_ops = {on_key, on_key};
    int in[2], out[2];

    log_sink_set(fuzz_no_log);
    m = (struct machine){
        .power.end = on_end, .irq.ops = &irq_ops, .i8042_irq.ops = &key_ops};
    bus_init(&m.bus);
    fuzz_pair(in, ROOM);
    fuzz_pair(out, ROOM);
    m.keys = in[1];
    m.screen = out[1];
    m.chr.mode = CHR_STDIO;
    m.chr.in = (struct chr_end){.fd = in[0], .polls = true};
    m.chr.out = (struct chr_end){.fd = out[0], .polls = true};
    if (serial_new(&m.serial, &m.bus, &m.irq, &m.chr) < 0 ||
        i8042_new(&m.i8042, &m.bus, &m.power, &m.i8042_irq) < 0 ||
        exit_port_new(&m.bus, &m.power) < 0 || cmos_new(&m.bus) < 0 ||
        acpi_power_new(&m.bus, &m.power) < 0 ||
        boot_timer_new(&m.bus, &m.timer) < 0)
        abort();
    i8042_ctrl_alt_del(m.i8042); /* meets whatever the guest does */
    serial_pump_out(m.serial);
    serial_pump_in(m.serial);
}

static void fuzz_down(void)
{
    serial_free(m.serial);
    i8042_free(m.i8042);
    close(m.chr.in.fd);
    close(m.chr.out.fd);
    close(m.keys);
    close(m.screen);
}

/* Everything has its bounds, and the line says what the UART does. */
static void check_serial(void)
{
    const struct serial *s = m.serial;
    char text[TEXT];

    assert(s->tx_head - s->tx_tail <= SERIAL_RING);
    assert(s->stage_pos <= s->stage_len && s->stage_len <= SERIAL_STAGE);
    assert(s->uart.rx_len <= UART_FIFO && s->uart.rx_pos < UART_FIFO);
    assert(s->stats.dropped <= s->stats.tx_bytes);
    assert(s->tx_head == s->stats.tx_bytes - s->stats.dropped);
    assert(m.line == uart_pending(&s->uart));
    assert(serial_tail(m.serial, text, sizeof(text)) == strlen(text));
}

/* Only these writes end a VM, and only so. */
static void check_end(enum bus_space space, u64 addr, u64 val, u64 timer)
{
    bool port = space == BUS_PIO;

    assert(m.ended != POWER_EXIT_PORT ||
           (port && addr == EXIT_PORT && m.value == (u8)val));
    assert(m.ended != POWER_OFF ||
           (port && addr == SLEEP_PORT && (val & 0x3c) == 0x34));
    assert(m.ended != POWER_RESET ||
           (port && ((addr == SLEEP_PORT + 2) ||
                     (addr == I8042_PORT_DATA && !(val & 1)) ||
                     (addr == I8042_PORT_CMD && (val & 0xf1) == 0xf0))));
    assert(m.timer.reached_ns == timer ||
           (!port && addr == BOOT_TIMER_BASE && val == 123));
}

static void guest_access(struct fuzz_input *in, u8 kind)
{
    const struct place *p = &places[kind & 7];
    unsigned int size = 1u << (kind >> 3 & 3);
    u64 addr = p->base + fuzz_take(in, p->len > 256 ? 2 : 1) % p->len;
    u64 val, timer = m.timer.reached_ns;

    m.ended = POWER_NONE;
    if (p->space == BUS_PIO)
        size = MIN(size, 4u);
    if (kind & 0x40) {
        val = fuzz_take(in, size);
        bus_write(&m.bus, p->space, addr, size, val);
        check_end(p->space, addr, val, timer);
    } else {
        val = bus_read(&m.bus, p->space, addr, size);
        assert(size == 8 || val >> 8 * size == 0);
        assert(m.ended == POWER_NONE && m.timer.reached_ns == timer);
        assert(p->space != BUS_PIO || addr != I8042_PORT_CMD || size != 1 ||
               (val & 0xe6) == 4);
    }
}

static void host_talks(struct fuzz_input *in)
{
    size_t n = fuzz_take(in, 1);
    const u8 *bytes = fuzz_bytes(in, &n);
    static u8 buf[ROOM];
    ssize_t got;

    (void)!send(m.keys, bytes, n, MSG_NOSIGNAL);
    fuzz_pump(&m.serial->loop, 256);
    while ((got = recv(m.screen, buf, sizeof(buf), 0)) > 0)
        m.heard += (u64)got;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};

    fuzz_up();
    while (in.left > 0) {
        u8 kind = (u8)fuzz_take(&in, 1);

        if (kind & 0x80)
            host_talks(&in);
        else
            guest_access(&in, kind);
        check_serial();
    }
    host_talks(&in);
    host_talks(&in); /* all is out now, and nothing twice */
    assert(m.heard == m.serial->stats.tx_bytes - m.serial->stats.dropped);
    fuzz_down();
    return 0;
}
