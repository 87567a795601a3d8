/* SPDX-License-Identifier: Apache-2.0 */
/* console_port.c: the bytes of one console port, and who is at its host end */
#include <stdio.h>

#include "mote/record.h"

#include "console.h"

#define PORT_TURN       (MIB)      /* bytes written in a turn ... */
#define PORT_PIECE      (64 * KIB) /* ... and in one write */
#define PORT_CHAIN_COST 64u        /* what an empty chain counts */

static unsigned int port_queue_in(const struct port *p)
{
    return p->id == 0 ? 0 : 2 * p->id + 2;
}

static struct vq *port_vq_in(struct port *p)
{
    return virtio_vq(&p->con->dev, port_queue_in(p));
}

static struct vq *port_vq_out(struct port *p)
{
    return virtio_vq(&p->con->dev, port_queue_in(p) + 1);
}

/* ---- what to wait for ----------------------------------------------------
 */

static void port_watch_fd(struct port *p, struct port_watch *w, int fd,
                          u32 events)
{
    if (fd < 0)
        events = 0;
    if (w->lf.loop && (events == 0 || w->lf.fd != fd))
        loop_del(&w->lf);
    if (events == 0 || (w->lf.loop && w->events == events))
        return;
    w->lf.fd = fd;
    w->events = events;
    /* Failures are reported; the next turn of the port tries again. */
    if (!w->lf.loop)
        loop_add(&p->con->dev.loop, &w->lf, events);
    else if (loop_mod(&w->lf, events) < 0)
        loop_del(&w->lf);
}

/* A client's one descriptor is also watched for its end, until that has come:
 * level-triggered, it would say so for ever. */
static void port_watch_client(struct port *p, u32 events)
{
    int in = chr_in_fd(p->chr), out = chr_out_fd(p->chr);

    if (in < 0)
        events &= ~(u32)EPOLLIN;
    if (out < 0)
        events &= ~(u32)EPOLLOUT;
    port_watch_fd(p, &p->in, in >= 0 ? in : out,
                  p->hung_up ? 0 : events | EPOLLHUP);
}

void port_watch(struct port *p)
{
    bool client = chr_listen_fd(p->chr) >= 0 && chr_connected(p->chr);
    u32 in = p->stage_len + 2 <= CONSOLE_STAGE ? EPOLLIN : 0;
    u32 out = p->holding || p->gone ? EPOLLOUT : 0;
    /* The driver hears that one has left before the next one comes. */
    bool next = !client && !p->rest && !(p->untold & console_bit(PORT_OPEN));

    if (client) {
        port_watch_client(p, in | out);
    } else {
        if (!chr_in_polls(p->chr))
            in = 0; /* always readable: read when the guest takes it */
        port_watch_fd(p, &p->in, chr_in_fd(p->chr), in);
        port_watch_fd(p, &p->out, chr_out_fd(p->chr), out);
    }
    port_watch_fd(p, &p->listen, chr_listen_fd(p->chr), next ? EPOLLIN : 0);
}

/* ---- host to guest --------------------------------------------------------
 */

/* Linux throws away what comes before PORT_OPEN. */
static bool port_listens(const struct port *p)
{
    if (virtio_has(&p->con->dev, CONSOLE_F_MULTIPORT))
        return p->guest_open;
    return p->id == 0;
}

/* The driver has buffers: fill them with what was read ahead. */
DEV_ONLY static void port_feed(struct port *p)
{
    struct vq *vq = port_vq_in(p);
    unsigned int left = CONSOLE_BATCH;
    struct vq_chain c;
    int r = 1;

    while (p->stage_pos < p->stage_len && port_listens(p) && left-- > 0) {
        u32 n;

        r = vq_pop(vq, &c);
        if (r <= 0)
            break;
        n = vq_put(&c, p->stage + p->stage_pos, p->stage_len - p->stage_pos);
        p->stage_pos += n;
        vq_push(vq, &c, n);
    }
    p->stage_len -= p->stage_pos;
    memmove(p->stage, p->stage + p->stage_pos, p->stage_len);
    p->stage_pos = 0;
    virtio_notify(&p->con->dev, vq);
    if (r < 0)
        virtio_break(&p->con->dev, vq, NULL);
    else if (r > 0 && p->stage_len > 0 && port_listens(p))
        virtio_kick_later(&p->con->dev, vq);
}

/* As chr_read(); also 0 when there is no room. */
static int port_read_ahead(struct port *p)
{
    u32 room = CONSOLE_STAGE - p->stage_len;
    int n;

    if (room < 2 || chr_in_fd(p->chr) < 0)
        return 0;
    n = chr_read(p->chr, p->stage + p->stage_len, room);
    p->stage_len += n > 0 ? (u32)n : 0;
    return n;
}

DEV_ONLY static void port_pump_in(struct port *p)
{
    unsigned int turns = CONSOLE_BATCH;

    port_feed(p);
    while (turns > 0 && port_read_ahead(p) > 0) {
        port_feed(p);
        turns--;
    }
    if (turns == 0)
        virtio_kick_later(&p->con->dev, port_vq_in(p));
}

/* ---- guest to host --------------------------------------------------------
 */

static bool port_drops(const struct port *p)
{
    return p->id == 0 && (p->gone || !chr_connected(p->chr));
}

static size_t port_write(struct port *p, const u8 *buf, size_t len)
{
    size_t n = len, lost = len;

    if (!port_drops(p)) {
        n = chr_write(p->chr, buf, len);
        lost = chr_lost(p->chr);
        p->moved |= n > 0;
    }
    counter_add(&p->con->dev.dropped, lost);
    if (p->id == 0) /* hvc0, whatever the host takes of it */
        record_console(buf, n);
    return n;
}

/* True when all of it is gone; false: the host is full, or the turn is over. */
static bool port_write_held(struct port *p, u32 *left)
{
    struct vq_chain *c = &p->held;

    *left -= MIN(*left, PORT_CHAIN_COST);
    while (c->out_len > 0 && *left > 0) {
        size_t max = MIN(*left, (u32)PORT_PIECE);
        u32 n = (u32)port_write(p, c->out->iov_base, MIN(c->out->iov_len, max));

        if (n == 0)
            return false;
        vq_skip_out(c, n);
        *left -= n;
    }
    return c->out_len == 0;
}

/* Port 0 waits for its reader, but not for ever. */
static void port_note_wait(struct port *p, bool waiting)
{
    if (waiting && (p->moved || !p->stuck)) {
        p->stuck_ns = monotonic_ns();
        console_arm(p->con);
    }
    p->stuck = waiting;
    p->moved = false;
}

DEV_ONLY static void port_pump_out(struct port *p)
{
    struct vq *vq = port_vq_out(p);
    u32 left = PORT_TURN;
    int r = 1;

    while (left > 0) {
        if (!p->holding) {
            r = vq_pop(vq, &p->held);
            if (r <= 0)
                break;
            p->holding = true;
        }
        if (!port_write_held(p, &left))
            break;
        p->holding = false;
        vq_push(vq, &p->held, 0);
    }
    if (p->id == 0)
        port_note_wait(p, p->holding && left > 0);
    virtio_notify(&p->con->dev, vq);
    if (r < 0)
        virtio_break(&p->con->dev, vq, NULL);
    else if (left == 0)
        virtio_kick_later(&p->con->dev, vq);
}

/* ---- a port's host end ----------------------------------------------------
 */

static bool port_is_over(const struct port *p)
{
    bool talks = chr_in_fd(p->chr) >= 0, takes = chr_out_fd(p->chr) >= 0;

    if (chr_listen_fd(p->chr) < 0)
        return chr_over(p->chr);
    return !talks && (!takes || p->hung_up);
}

/* A client that has left stays "connected" until the guest has its bytes. */
DEV_ONLY static void port_settle(struct port *p)
{
    struct chr *chr = p->chr;

    if (!chr_connected(chr) || !port_is_over(p) || p->stage_len > 0)
        return;
    /* That somebody was there is said first. */
    if (chr_listen_fd(chr) < 0 && !p->guest_open)
        return;
    loop_del(&p->in.lf);
    chr_hang_up(chr);
    console_tell(p, PORT_OPEN);
}

void port_serve(struct port *p)
{
    port_pump_in(p);
    port_pump_out(p);
    port_settle(p);
    port_watch(p);
}

void port_kick_in(struct port *p)
{
    port_pump_in(p);
    port_settle(p);
    port_watch(p);
    if (p->stage_len == 0)
        vq_hush(port_vq_in(p)); /* buffers in stock are no news */
}

void port_kick_out(struct port *p)
{
    port_pump_out(p);
    port_settle(p);
    port_watch(p);
}

bool port_has_output(struct port *p)
{
    return p->holding || vq_peek(port_vq_out(p));
}

DEV_ONLY static void port_on_io(struct port *p, u32 events)
{
    counter_add(&p->con->dev.wakeups, 1);
    if (chr_listen_fd(p->chr) >= 0 && events & (EPOLLHUP | EPOLLERR))
        p->hung_up = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        p->gone = false;
    port_serve(p);
    console_check_drained(p->con);
}

DEV_ONLY static void port_on_in(struct loop_fd *lf, u32 events)
{
    port_on_io(container_of(lf, struct port, in.lf), events);
}

DEV_ONLY static void port_on_out(struct loop_fd *lf, u32 events)
{
    port_on_io(container_of(lf, struct port, out.lf), events);
}

DEV_ONLY static void port_on_listen(struct loop_fd *lf, u32 events)
{
    struct port *p = container_of(lf, struct port, listen.lf);
    int r = chr_accept(p->chr);

    counter_add(&p->con->dev.wakeups, 1);
    p->rest = r < 0;
    if (p->rest)
        console_arm(p->con);
    if (r > 0) {
        p->hung_up = p->gone = false;
        console_tell(p, PORT_OPEN);
    }
    port_serve(p);
}

/* Port 0's reader has had his second, or a client is to be tried again. */
void port_on_timer(struct port *p)
{
    if (p->stuck && monotonic_ns() - p->stuck_ns >= CONSOLE_PATIENCE_NS)
        p->gone = true;
    else if (p->stuck)
        console_arm(p->con);
    p->rest = false;
    port_serve(p);
}

/* ---- life -----------------------------------------------------------------
 */

/* The last that the guest has said goes out as far as the host takes it. */
void port_reset(struct port *p)
{
    u32 left = PORT_TURN;

    if (p->holding) {
        port_write_held(p, &left);
        counter_add(&p->con->dev.dropped, p->held.out_len);
        p->holding = false;
        vq_push(port_vq_out(p), &p->held, 0);
    }
    p->ready = p->guest_open = p->stuck = p->gone = false;
    p->untold = 0;
    port_watch(p);
}

void port_init(struct port *p, unsigned int id, const struct console_port *port)
{
    p->id = id;
    p->chr = port->chr;
    if (port->name)
        snprintf(p->name, sizeof(p->name), "%s", port->name);
    p->listen.lf.fn = port_on_listen;
    p->in.lf.fn = port_on_in;
    p->out.lf.fn = port_on_out;
    port_watch(p);
}
