/* SPDX-License-Identifier: Apache-2.0 */
/* console.c: virtio-console (virtio 1.2, 5.3): bytes of ports, and the messages
 * about them */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "mote/log.h"

#include "console.h"

#define CONSOLE_ID    3
#define CONSOLE_QUEUE 128u

struct console_control {
    u32 id;
    u16 event, value;
};

struct console_config {
    struct console_size size;
    u32 max_nr_ports;
    u32 emerg_wr;
};

/* The largest message: a name, which comes without a NUL. */
struct console_message {
    struct console_control head;
    u8 body[CONSOLE_NAME_MAX];
};

static struct console *console_of(struct virtio_dev *dev)
{
    return container_of(dev, struct console, dev);
}

static bool console_has_size(const struct console *con)
{
    return con->size.cols != 0 || con->size.rows != 0;
}

/* ---- control messages to the driver --------------------------------------
 * What is to be said is a bit of the port's, so a driver that takes nothing, or
 * asks for ever, makes nothing grow. */

/* Events in this order: the lowest bit is sent first. */
static const enum console_event console_order[] = {
    PORT_ADD, CONSOLE_PORT, PORT_NAME, RESIZE, PORT_OPEN,
};

/* Returns its length. */
static u32 console_compose(const struct port *p, enum console_event event,
                           struct console_message *m)
{
    size_t len = 0;

    m->head =
        (struct console_control){.id = p->id, .event = (u16)event, .value = 1};
    if (event == PORT_OPEN) {
        m->head.value = chr_connected(p->chr);
    } else if (event == PORT_NAME) {
        len = strlen(p->name);
        memcpy(m->body, p->name, len);
    } else if (event == RESIZE) {
        len = sizeof(p->con->size);
        memcpy(m->body, &p->con->size, len);
    }
    return (u32)(sizeof(m->head) + len);
}

/* The next message of a port. A buffer too small for it comes back empty.
 * As vq_pop(). */
DEV_ONLY static int console_tell_one(struct port *p)
{
    struct vq *vq = virtio_vq(&p->con->dev, CONTROL_IN);
    const enum console_event *event = console_order;
    struct console_message m;
    struct vq_chain c;
    u32 len;
    int r = vq_pop(vq, &c);

    if (r <= 0)
        return r;
    while (!(p->untold & console_bit(*event)))
        event++;
    len = console_compose(p, *event, &m);
    if (c.in_len < len) {
        vq_push(vq, &c, 0);
        return 1;
    }
    vq_push(vq, &c, vq_put(&c, &m, len));
    p->untold &= ~console_bit(*event);
    return 1;
}

DEV_ONLY static void console_tell_all(struct console *con)
{
    struct vq *vq = virtio_vq(&con->dev, CONTROL_IN);
    unsigned int left = CONSOLE_BATCH;
    int r = 1;

    for (unsigned int i = 0; i < con->nr_ports && r > 0; i++) {
        while (con->port[i].untold && left > 0 && r > 0) {
            r = console_tell_one(&con->port[i]);
            left--;
        }
    }
    virtio_notify(&con->dev, vq);
    if (r < 0)
        virtio_break(&con->dev, vq, NULL);
    else if (left == 0)
        virtio_kick_later(&con->dev, vq);
}

void console_tell(struct port *p, enum console_event event)
{
    if (!p->ready)
        return;
    p->untold |= console_bit(event);
    console_tell_all(p->con);
}

/* ---- control messages from the driver -------------------------------------
 */

DEV_ONLY static void console_port_ready(struct port *p, bool ok)
{
    p->ready = ok;
    p->guest_open = false;
    p->untold = 0;
    if (!ok)
        return;
    if (p->id == 0)
        p->untold = console_bit(CONSOLE_PORT);
    else if (p->name[0])
        p->untold = console_bit(PORT_NAME);
    if (p->id == 0 && console_has_size(p->con))
        p->untold |= console_bit(RESIZE);
    if (chr_connected(p->chr))
        p->untold |= console_bit(PORT_OPEN);
}

DEV_ONLY static void console_add_ports(struct console *con)
{
    for (unsigned int i = 0; i < con->nr_ports; i++)
        con->port[i].untold |= console_bit(PORT_ADD);
}

DEV_ONLY static void console_obey(struct console *con,
                                  const struct console_control *m)
{
    struct port *p = &con->port[m->id % CONSOLE_PORT_MAX];

    if (m->event == DEVICE_READY && m->value == 1)
        console_add_ports(con);
    else if (m->event == DEVICE_READY)
        warn_guest("%s: the driver could not start", con->dev.name);
    else if (m->id >= con->nr_ports)
        warn_guest("%s: event %u for port %u, which is not there",
                   con->dev.name, m->event, m->id);
    else if (m->event == PORT_READY)
        console_port_ready(p, m->value == 1);
    else if (m->event == PORT_OPEN && p->ready)
        p->guest_open = m->value != 0;
    else
        warn_guest("%s: port %u: event %u is not for the driver to send now",
                   con->dev.name, m->id, m->event);
}

DEV_ONLY static int console_control(struct console *con, struct vq *vq)
{
    struct console_control m;
    struct vq_chain c;
    int r;

    while ((r = vq_pop(vq, &c)) > 0) {
        if (vq_take(&c, &m, sizeof(m)))
            console_obey(con, &m);
        else
            warn_guest("%s: a control message of %u bytes", con->dev.name,
                       c.out_len);
        vq_push(vq, &c, 0);
    }
    console_tell_all(con);
    for (unsigned int i = 0; i < con->nr_ports; i++)
        port_serve(&con->port[i]);
    return r;
}

/* ---- the end of output ----------------------------------------------------
 */

void console_drain(struct virtio_dev *dev, int done_fd)
{
    struct console *con = console_of(dev);
    u64 one = 1;

    atomic_store(&con->drained, done_fd);
    (void)!write(con->drain.fd, &one, sizeof(one));
}

/* Port 0's output may be dropped, and is nobody's result. */
void console_check_drained(struct console *con)
{
    u64 one = 1;

    for (unsigned int i = 1; con->draining && i < con->nr_ports; i++)
        if (port_has_output(&con->port[i]))
            return;
    if (con->draining)
        (void)!write(atomic_load(&con->drained), &one, sizeof(one));
    con->draining = false;
}

/* What the guest has sent may not have been looked at yet. */
DEV_ONLY static void console_on_drain(struct loop_fd *lf, u32 events)
{
    struct console *con = container_of(lf, struct console, drain);
    u64 count;

    counter_add(&con->dev.wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    con->draining = true;
    for (unsigned int i = 1; i < con->nr_ports; i++)
        port_serve(&con->port[i]);
    console_check_drained(con);
}

/* ---- hooks ----------------------------------------------------------------
 */

DEV_ONLY static void console_watch_all(struct console *con)
{
    for (unsigned int i = 0; i < con->nr_ports; i++)
        port_watch(&con->port[i]);
}

/* A driver without MULTIPORT has queues 0 and 1 only (5.3.2). */
DEV_ONLY static int console_kick(struct virtio_dev *dev, struct vq *vq)
{
    struct console *con = console_of(dev);
    unsigned int i = vq->index;
    int r = 0;

    if (i >= CONTROL_IN && !virtio_has(dev, CONSOLE_F_MULTIPORT))
        return 0;
    if (i == CONTROL_OUT) {
        r = console_control(con, vq);
    } else if (i == CONTROL_IN) {
        console_tell_all(con);
        console_watch_all(con);
    } else if (i % 2 == 0) {
        port_kick_in(&con->port[i < CONTROL_IN ? 0 : (i - 2) / 2]);
    } else {
        port_kick_out(&con->port[i < CONTROL_IN ? 0 : (i - 2) / 2]);
    }
    console_check_drained(con);
    return r;
}

/* What was typed before the guest was there, and a size from then: without
 * MULTIPORT Linux reads that only when it changes. */
DEV_ONLY static int console_start(struct virtio_dev *dev)
{
    struct console *con = console_of(dev);

    port_serve(&con->port[0]);
    if (virtio_has(dev, CONSOLE_F_SIZE) && console_has_size(con))
        virtio_config_changed(dev);
    return 0;
}

DEV_ONLY static void console_reset(struct virtio_dev *dev)
{
    struct console *con = console_of(dev);

    for (unsigned int i = 0; i < con->nr_ports; i++)
        port_reset(&con->port[i]);
    console_check_drained(con);
}

static void console_free(struct virtio_dev *dev)
{
    struct console *con = console_of(dev);

    for (unsigned int i = 0; i < con->nr_ports; i++)
        chr_close(con->port[i].chr);
    if (con->timer.fd >= 0)
        close(con->timer.fd);
    if (con->resized.fd >= 0)
        close(con->resized.fd);
    if (con->drain.fd >= 0)
        close(con->drain.fd);
    virtio_dev_fini(dev);
    free(con);
}

static const struct virtio_ops console_ops = {
    .name = "console",
    .id = CONSOLE_ID,
    .filter = FILTER_CONSOLE,
    .start = console_start,
    .kick = console_kick,
    .reset = console_reset,
    .free = console_free,
};

/* ---- window size ----------------------------------------------------------
 */

void console_resize(struct virtio_dev *dev, u16 cols, u16 rows)
{
    struct console *con = console_of(dev);
    u64 one = 1;

    atomic_store(&con->new_size, (u32)cols << 16 | rows);
    (void)!write(con->resized.fd, &one, sizeof(one));
}

/* With one port the driver reads it in the configuration space, with more it
 * waits for a message (5.3.4, 5.3.6). */
DEV_ONLY static void console_on_resized(struct loop_fd *lf, u32 events)
{
    struct console *con = container_of(lf, struct console, resized);
    u32 packed = atomic_load(&con->new_size);
    struct console_size size = {.cols = (u16)(packed >> 16),
                                .rows = (u16)packed};
    u64 count;

    counter_add(&con->dev.wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    if (memcmp(&size, &con->size, sizeof(size)) == 0)
        return;
    con->size = size;
    virtio_config_set(&con->dev, 0, &size, sizeof(size));
    if (virtio_has(&con->dev, CONSOLE_F_SIZE))
        virtio_config_changed(&con->dev);
    console_tell(&con->port[0], RESIZE);
}

/* ---- timer ----------------------------------------------------------------
 */

/* One shot. A port that it is too early for asks again. */
void console_arm(struct console *con)
{
    struct itimerspec in = {
        .it_value = {.tv_sec = CONSOLE_PATIENCE_NS / 1000000000u}};

    if (!con->timing)
        timerfd_settime(con->timer.fd, 0, &in, NULL);
    con->timing = true;
}

DEV_ONLY static void console_on_timer(struct loop_fd *lf, u32 events)
{
    struct console *con = container_of(lf, struct console, timer);
    u64 count;

    counter_add(&con->dev.wakeups, 1);
    (void)!read(lf->fd, &count, sizeof(count));
    con->timing = false;
    for (unsigned int i = 0; i < con->nr_ports; i++)
        port_on_timer(&con->port[i]);
}

/* ---- constructor ----------------------------------------------------------
 */

static int console_init_events(struct console *con)
{
    con->resized = (struct loop_fd){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = console_on_resized};
    con->timer = (struct loop_fd){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
        .fn = console_on_timer};
    con->drain = (struct loop_fd){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                  .fn = console_on_drain};
    if (con->resized.fd < 0 || con->timer.fd < 0 || con->drain.fd < 0)
        return fail(-errno, "console: eventfd or timerfd");
    if (loop_add(&con->dev.loop, &con->resized, EPOLLIN) < 0 ||
        loop_add(&con->dev.loop, &con->drain, EPOLLIN) < 0 ||
        loop_add(&con->dev.loop, &con->timer, EPOLLIN) < 0)
        return -EINVAL;
    return 0;
}

int console_new(struct virtio_dev **out, const struct console_port *port,
                unsigned int nr_ports)
{
    struct console *con = calloc(1, sizeof(*con));
    struct console_config cfg = {.max_nr_ports = nr_ports};
    bool multi = nr_ports > 1;
    int r;

    assert(nr_ports > 0 && nr_ports <= CONSOLE_PORT_MAX);
    if (!con)
        return fail(-ENOMEM, "console");
    r = virtio_dev_init(&con->dev, &console_ops, "console",
                        multi ? 2 * nr_ports + 2 : 2, CONSOLE_QUEUE,
                        CONSOLE_F_SIZE | (multi ? CONSOLE_F_MULTIPORT : 0));
    if (r < 0) {
        free(con);
        return r;
    }
    r = console_init_events(con);
    if (r < 0) {
        console_free(&con->dev); /* without ports, so the chrs stay */
        return r;
    }
    virtio_config_set(&con->dev, 0, &cfg, sizeof(cfg));
    con->nr_ports = nr_ports;
    for (unsigned int i = 0; i < nr_ports; i++) {
        con->port[i].con = con;
        port_init(&con->port[i], i, &port[i]);
    }
    *out = &con->dev;
    return 0;
}
