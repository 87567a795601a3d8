/* SPDX-License-Identifier: Apache-2.0 */
/* console.c: virtio-console (virtio 1.2, 5.3) with a named port that nobody is
 * connected to; virtio-rng (5.4) */
#include "hostile.h"

#define F_MULTIPORT (1ull << 1)

enum { IN0, OUT0, CTRL_IN, CTRL_OUT, IN1, OUT1 };
enum {
    DEVICE_READY,
    PORT_ADD,
    PORT_REMOVE,
    PORT_READY,
    CONSOLE_PORT,
    RESIZE,
    PORT_OPEN,
    PORT_NAME
};

struct control {
    u32 id;
    u16 event, value;
};

static enum verdict tell(struct dev *d, u32 id, u16 event, u16 value)
{
    static volatile struct control m;
    struct buf buf = {&m, sizeof(m), 0};

    m = (struct control){id, event, value};
    return send(d, CTRL_OUT, &buf, 1, NULL);
}

/* The message is taken and nothing comes of it. */
static enum verdict ignored(struct dev *d, enum verdict v)
{
    return v == PASS ? still_works(d) : v;
}

/* Port in the upper half, event in the lower, value 1. */
static enum verdict control(struct dev *d, u64 arg)
{
    return ignored(d, tell(d, (u32)(arg >> 16), (u16)arg, 1));
}

static enum verdict control_len(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], (u32)arg, 0};

    return ignored(d, send(d, CTRL_OUT, &buf, 1, NULL));
}

static enum verdict control_writable(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 8, D_WRITE};

    return ignored(d, send(d, CTRL_OUT, &buf, 1, NULL));
}

static enum verdict control_failed(struct dev *d, u64 arg)
{
    return ignored(d, tell(d, 0, DEVICE_READY, 0));
}

/* Questions for ever, and never a buffer for an answer. */
static enum verdict control_flood(struct dev *d, u64 arg)
{
    while (arg-- > 0) {
        if (tell(d, 0, DEVICE_READY, 1) != PASS ||
            tell(d, (u32)arg % 2, PORT_READY, 1) != PASS)
            return SILENT;
    }
    return PASS;
}

/* The answer does not fit: the buffer comes back empty. */
static enum verdict answer_small(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], (u32)arg, D_WRITE};
    enum verdict v;
    u32 len;

    chain(&d->q[CTRL_IN], 0, &buf, 1);
    publish(&d->q[CTRL_IN], 0);
    notify(d, CTRL_IN);
    if (tell(d, 0, DEVICE_READY, 1) != PASS)
        return WRONG;
    v = wait_used(d, CTRL_IN, &len);
    return v == PASS && len != 0 ? WRONG : v;
}

static enum verdict answer_readable(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 64, 0};
    u32 len;

    chain(&d->q[CTRL_IN], 0, &buf, 1);
    publish(&d->q[CTRL_IN], 0);
    if (tell(d, 0, DEVICE_READY, 1) != PASS)
        return WRONG;
    return wait_used(d, CTRL_IN, &len) == PASS && len == 0 ? PASS : WRONG;
}

static enum verdict output(struct dev *d, const void *at, u32 len, u16 flags)
{
    struct buf buf = {at, len, flags};

    return ignored(d, send(d, OUT0, &buf, 1, NULL));
}

static enum verdict output_len(struct dev *d, u64 arg)
{
    return output(d, (void *)(8 * MIB), (u32)arg, 0);
}

static enum verdict output_writable(struct dev *d, u64 arg)
{
    return output(d, scratch[0], 100, D_WRITE);
}

static enum verdict output_outside(struct dev *d, u64 arg)
{
    return output(d, (void *)arg, 100, 0);
}

static enum verdict output_flood(struct dev *d, u64 arg)
{
    struct buf buf = {(void *)(8 * MIB), MIB, 0};

    while (arg-- > 0) {
        if (send(d, OUT0, &buf, 1, NULL) != PASS)
            return SILENT;
    }
    return still_works(d);
}

/* Nobody takes it: it is in flight when the reset comes. */
static enum verdict port_in_flight(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 4096, 0};

    tell(d, 0, DEVICE_READY, 1);
    tell(d, 1, PORT_READY, 1);
    tell(d, 1, PORT_OPEN, (u16)arg);
    for (u16 i = 0; i < NUM; i++) {
        chain(&d->q[OUT1], i, &buf, 1);
        publish(&d->q[OUT1], i);
    }
    notify(d, OUT1);
    if (!works(d))
        return WRONG;
    return d->q[OUT1].used->idx == 0 ? PASS : WRONG;
}

static enum verdict input_readable(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 100, 0};

    chain(&d->q[arg], 0, &buf, 1);
    publish(&d->q[arg], 0);
    notify(d, (u32)arg);
    return still_works(d);
}

static enum verdict input_head(struct dev *d, u64 arg)
{
    publish(&d->q[arg], 0xffff);
    notify(d, (u32)arg);
    return still_works(d);
}

static enum verdict output_head(struct dev *d, u64 arg)
{
    publish(&d->q[arg], 0xffff);
    notify(d, (u32)arg);
    return wait_used(d, (u32)arg, NULL);
}

/* Queues 2 and 3 are not there then; port 0 works. */
static enum verdict without_multiport(struct dev *d, u64 arg)
{
    struct buf bytes = {"mote", 4, 0};

    if (!dev_up_without(d, F_MULTIPORT))
        return WRONG;
    chain(&d->q[CTRL_OUT], 0, &bytes, 1);
    publish(&d->q[CTRL_OUT], 0);
    notify(d, CTRL_OUT);
    return send(d, OUT0, &bytes, 1, NULL);
}

/* EMERG_WRITE is not offered. */
static enum verdict emergency(struct dev *d, u64 arg)
{
    reg_write(d, R_CONFIG + 8, 'x');
    return still_works(d);
}

/* ---- rng ----------------------------------------------------------------- */

static enum verdict rng_readable(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 64, 0};
    u32 len;
    enum verdict v = send(d, 0, &buf, 1, &len);

    if (v != PASS)
        return v;
    return len == 0 ? REJECT : WRONG;
}

static enum verdict rng_both(struct dev *d, u64 arg)
{
    struct buf buf[] = {{scratch[0], 64, 0}, {scratch[1], 64, D_WRITE}};
    u32 len;
    enum verdict v = send(d, 0, buf, 2, &len);

    if (v != PASS)
        return v;
    return len <= 64 ? still_works(d) : WRONG;
}

static enum verdict rng_at(struct dev *d, u64 arg)
{
    struct buf buf = {(void *)arg, 64, D_WRITE};

    return send(d, 0, &buf, 1, NULL);
}

static enum verdict rng_len(struct dev *d, u64 arg)
{
    struct buf buf = {(void *)(8 * MIB), (u32)arg, D_WRITE};
    u32 len = 0;
    enum verdict v = send(d, 0, &buf, 1, &len);

    return v == PASS && (len == 0 || len > arg) ? WRONG : v;
}

static enum verdict rng_loop(struct dev *d, u64 arg)
{
    struct buf buf = {scratch[0], 64, D_WRITE};

    chain(&d->q[0], 0, &buf, 1);
    d->q[0].desc[0].flags |= D_NEXT;
    d->q[0].desc[0].next = 0;
    publish(&d->q[0], 0);
    notify(d, 0);
    return wait_used(d, 0, NULL);
}

static enum verdict rng_flood(struct dev *d, u64 arg)
{
    struct buf buf = {(void *)(8 * MIB), MIB, D_WRITE};

    chain(&d->q[0], 0, &buf, 1);
    while (arg-- > 0) {
        publish(&d->q[0], 0);
        notify(d, 0);
        if (wait_used(d, 0, NULL) != PASS)
            return SILENT;
    }
    return still_works(d);
}

/* clang-format off */
static const struct test tests[] = {
    {"message of a byte", control_len, 1},
    {"message of 7 bytes", control_len, 7},
    {"message of 16 MiB", control_len, 16 * MIB},
    {"message of no bytes", control_len, 0},
    {"message in a writable buffer", control_writable},
    {"unknown event 99", control, 99},
    {"unknown event 65535", control, 65535},
    {"the device's PORT_ADD", control, PORT_ADD},
    {"the device's PORT_REMOVE", control, PORT_REMOVE},
    {"the device's CONSOLE_PORT", control, CONSOLE_PORT},
    {"the device's RESIZE", control, RESIZE},
    {"the device's PORT_NAME", control, PORT_NAME},
    {"port 2 is ready", control, 2 << 16 | PORT_READY},
    {"port 8 is ready", control, 8 << 16 | PORT_READY},
    {"port 2^32-1 is open", control, 0xffffffffull << 16 | PORT_OPEN},
    {"port open before it is ready", control, 1 << 16 | PORT_OPEN},
    {"DEVICE_READY 0", control_failed},
    {"messages for ever, no buffers", control_flood, 500},
    {"answers into a byte", answer_small, 1},
    {"answers into 7 bytes", answer_small, 7},
    {"answers into a readable buffer", answer_readable},
    {"output of no bytes", output_len, 0},
    {"output of 16 MiB", output_len, 16 * MIB},
    {"output of 4 GiB - 1", output_len, 0xffffffff},
    {"output that is writable", output_writable},
    {"output from registers", output_outside, MMIO_BASE},
    {"output from behind RAM", output_outside, RAM_END},
    {"output flood of 100 MiB", output_flood, 100},
    {"output that nobody takes", port_in_flight, 1},
    {"output of a port that is not open", port_in_flight, 0},
    {"readable input on port 0", input_readable, IN0},
    {"readable input on port 1", input_readable, IN1},
    {"head 65535 for input", input_head, IN0},
    {"head 65535 for output", output_head, OUT1},
    {"messages without MULTIPORT", without_multiport, 0, true},
    {"emergency write, not offered", emergency},
};

static const struct test rng_tests[] = {
    {"readable buffer", rng_readable},
    {"readable and writable", rng_both},
    {"buffer of no bytes", rng_len, 0},
    {"buffer of 1 byte", rng_len, 1},
    {"buffer of 16 MiB", rng_len, 16 * MIB},
    {"buffer of 4 GiB - 1", rng_len, 0xffffffff},
    {"buffer in registers", rng_at, MMIO_BASE},
    {"buffer at 2^64-1", rng_at, ~0ull},
    {"loop", rng_loop},
    {"flood of 100 MiB", rng_flood, 100},
};
/* clang-format on */

const struct suite console_suite = {"console", ID_CONSOLE, 0, tests,
                                    ARRAY_SIZE(tests)};
const struct suite rng_suite = {"rng", ID_RNG, 0, rng_tests,
                                ARRAY_SIZE(rng_tests)};
