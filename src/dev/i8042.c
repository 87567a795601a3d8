/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i8042.c: keyboard controller with a reset line, and a keyboard that says
 * nothing but Ctrl-Alt-Del, when the host wants the guest to end. Every command
 * that a driver waits for is answered at once, so that probing costs no
 * time-out (half a second each in Linux).
 */
#include <stdlib.h>

#include "mote/dev.h"
#include "mote/log.h"

/* Status register. IBF (bit 1) is never set: commands end immediately. */
#define STATUS_OBF 0x01 /* a byte waits in the data port */
#define STATUS_SYS 0x04 /* self-test passed */
#define STATUS_CMD 0x08 /* the last write was a command */
#define STATUS_INH 0x10 /* keyboard not locked */

/* Controller configuration byte. */
#define CTR_KBD_INT 0x01
#define CTR_SYS     0x04
#define CTR_KBD_OFF 0x10
#define CTR_AUX_OFF 0x20

enum i8042_command {
    CMD_READ_CTR = 0x20,
    CMD_WRITE_CTR = 0x60,
    CMD_AUX_DISABLE = 0xa7,
    CMD_AUX_ENABLE = 0xa8,
    CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KBD_TEST = 0xab,
    CMD_KBD_DISABLE = 0xad,
    CMD_KBD_ENABLE = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_AUX_LOOP = 0xd3,
    CMD_PULSE = 0xf0, /* ..0xff: pulse the lines whose bit is 0 */
};

#define OUTPUT_NOT_RESET 0x01 /* output port bit 0; low resets the machine */
#define OUTPUT_A20       0x02

/* Ctrl, Alt and Del go down and up again: scan code set 2, untranslated. */
static const u8 i8042_ctrl_alt_del_codes[] = {
    0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14};

struct i8042 {
    struct power *power;
    struct irq *irq;
    struct lock lock; /* vCPUs and main take it, for a few instructions */
    size_t typed;     /* of the codes above, those that are yet to come */
    u8 ctr;
    u8 data;      /* what the data port reads */
    bool full;    /* data was not read yet */
    u8 operand;   /* command whose operand comes through the data port, or 0 */
    bool command; /* the last write went to the command port */
};

static void i8042_answer(struct i8042 *k, u8 data)
{
    k->data = data;
    k->full = true;
}

/* The keyboard's next byte, if it may send: every byte is an edge. */
static void i8042_send_key(struct i8042 *k)
{
    static const size_t nr = ARRAY_SIZE(i8042_ctrl_alt_del_codes);

    if (k->full || k->typed == 0 || k->ctr & CTR_KBD_OFF)
        return;
    i8042_answer(k, i8042_ctrl_alt_del_codes[nr - k->typed--]);
    if (!(k->ctr & CTR_KBD_INT))
        return;
    irq_lower(k->irq);
    irq_raise(k->irq);
}

void i8042_ctrl_alt_del(struct i8042 *k)
{
    lock_take(&k->lock);
    k->typed = ARRAY_SIZE(i8042_ctrl_alt_del_codes);
    i8042_send_key(k);
    lock_drop(&k->lock);
}

/* Returns true when the machine's reset line is pulled. */
static bool i8042_command(struct i8042 *k, u8 cmd)
{
    k->operand = 0;
    if (cmd >= CMD_PULSE)
        return !(cmd & OUTPUT_NOT_RESET);
    switch (cmd) {
    case CMD_READ_CTR:
        i8042_answer(k, k->ctr);
        break;
    case CMD_SELF_TEST:
        i8042_answer(k, 0x55);
        break;
    case CMD_KBD_TEST:
        i8042_answer(k, 0x00); /* the port is sound, though empty */
        break;
    case CMD_AUX_TEST:
        i8042_answer(k, 0x01); /* clock line stuck: there is no such port */
        break;
    case CMD_READ_INPUT:
        i8042_answer(k, 0x80); /* keyboard not locked */
        break;
    case CMD_READ_OUTPUT:
        i8042_answer(k, OUTPUT_NOT_RESET | OUTPUT_A20);
        break;
    case CMD_AUX_DISABLE:
        k->ctr |= CTR_AUX_OFF;
        break;
    case CMD_AUX_ENABLE:
        k->ctr &= (u8)~CTR_AUX_OFF;
        break;
    case CMD_KBD_DISABLE:
        k->ctr |= CTR_KBD_OFF;
        break;
    case CMD_KBD_ENABLE:
        k->ctr &= (u8)~CTR_KBD_OFF;
        break;
    case CMD_WRITE_CTR:
    case CMD_WRITE_OUTPUT:
    case CMD_AUX_LOOP:
        k->operand = cmd;
        break;
    }
    return false;
}

/* A byte for the data port: an operand, or for the keyboard that is not
 * there. Returns true when the reset line is pulled. */
static bool i8042_data(struct i8042 *k, u8 val)
{
    u8 cmd = k->operand;

    k->operand = 0;
    if (cmd == CMD_WRITE_CTR)
        k->ctr = val;
    else if (cmd == CMD_WRITE_OUTPUT)
        return !(val & OUTPUT_NOT_RESET);
    else if (cmd == CMD_AUX_LOOP)
        i8042_answer(k, val); /* without the aux bit: no such port */
    return false;
}

static void i8042_write_port(struct i8042 *k, bool command, u8 val)
{
    bool reset;

    lock_take(&k->lock);
    k->command = command;
    reset = command ? i8042_command(k, val) : i8042_data(k, val);
    i8042_send_key(k);
    lock_drop(&k->lock);
    if (reset)
        power_end(k->power, POWER_RESET, 0);
}

static u8 i8042_read_port(struct i8042 *k, bool command)
{
    u8 val = STATUS_INH | STATUS_SYS;

    lock_take(&k->lock);
    if (command) {
        val |= k->full ? STATUS_OBF : 0;
        val |= k->command ? STATUS_CMD : 0;
    } else {
        val = k->data;
        k->full = false;
        i8042_send_key(k);
    }
    lock_drop(&k->lock);
    return val;
}

static u64 i8042_data_read(void *dev, u64 off, unsigned int size)
{
    return i8042_read_port(dev, false);
}

static void i8042_data_write(void *dev, u64 off, unsigned int size, u64 val)
{
    i8042_write_port(dev, false, (u8)val);
}

static u64 i8042_command_read(void *dev, u64 off, unsigned int size)
{
    return i8042_read_port(dev, true);
}

static void i8042_command_write(void *dev, u64 off, unsigned int size, u64 val)
{
    i8042_write_port(dev, true, (u8)val);
}

static const struct bus_ops i8042_data_ops = {
    .read = i8042_data_read,
    .write = i8042_data_write,
};

static const struct bus_ops i8042_command_ops = {
    .read = i8042_command_read,
    .write = i8042_command_write,
};

int i8042_new(struct i8042 **out, struct bus *bus, struct power *power,
              struct irq *irq)
{
    struct i8042 *k = malloc(sizeof(*k));
    int r;

    if (!k)
        return fail(-ENOMEM, "i8042");
    *k = (struct i8042){
        .power = power, .irq = irq, .ctr = CTR_SYS | CTR_AUX_OFF};
    lock_init(&k->lock);
    r = bus_add(bus, BUS_PIO, I8042_PORT_DATA, 1, "i8042-data", &i8042_data_ops,
                k);
    if (r == 0)
        r = bus_add(bus, BUS_PIO, I8042_PORT_CMD, 1, "i8042-command",
                    &i8042_command_ops, k);
    if (r < 0) {
        i8042_free(k);
        return r;
    }
    *out = k;
    return 0;
}

void i8042_free(struct i8042 *k)
{
    if (!k)
        return;
    lock_fini(&k->lock);
    free(k);
}
