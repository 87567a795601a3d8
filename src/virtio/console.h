/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console.h: virtio-console in two halves. console.c is the device: messages
 * about ports, window size, hooks. console_port.c moves the bytes of one port
 * and knows who is at its host end.
 */
#ifndef MOTE_VIRTIO_CONSOLE_H
#define MOTE_VIRTIO_CONSOLE_H

#include "mote/chr.h"

#include "dev.h"

#define CONSOLE_F_SIZE      (1ull << 0)
#define CONSOLE_F_MULTIPORT (1ull << 1)

#define CONSOLE_STAGE    4096u /* bytes read ahead of the guest */
#define CONSOLE_BATCH    64u   /* chains filled, reads made in one turn */
#define CONSOLE_NAME_MAX 64u

/* Queues (virtio 1.2, 5.3.2): port 0's pair, the control pair, the others'. */
#define CONTROL_IN  2u
#define CONTROL_OUT 3u

/* Control messages (5.3.6). */
enum console_event {
    DEVICE_READY,
    PORT_ADD,
    PORT_REMOVE,
    PORT_READY,
    CONSOLE_PORT,
    RESIZE,
    PORT_OPEN,
    PORT_NAME,
};

struct console_size {
    u16 cols, rows;
};

/* A descriptor of the host's, and what it is watched for. */
struct port_watch {
    struct loop_fd lf;
    u32 events;
};

/* All the device thread's. */
struct port {
    struct console *con;
    unsigned int id;
    char name[CONSOLE_NAME_MAX + 1];
    struct chr *chr;

    /* A socket's one descriptor is in's, as long as it has not hung up. */
    struct port_watch listen, in, out;
    bool rest;    /* no client can be taken now; the timer asks again */
    bool hung_up; /* the client has left; some of its bytes may be here */

    bool ready;      /* the driver knows it: PORT_READY */
    bool guest_open; /* someone in the guest does: PORT_OPEN */
    u32 untold;      /* messages to send, a bit per event */

    u8 stage[CONSOLE_STAGE]; /* input: from stage_pos to stage_len */
    u32 stage_pos, stage_len;

    struct vq_chain held; /* output that the host has not yet taken */
    bool holding;
    bool moved; /* some of it was, since stuck_ns */
    bool stuck; /* port 0: waiting since stuck_ns */
    bool gone;  /* port 0: nobody takes anything */
    u64 stuck_ns;
};

struct console {
    struct virtio_dev dev;
    unsigned int nr_ports;
    struct port port[CONSOLE_PORT_MAX];
    struct console_size size; /* as told to the driver */
    _Atomic(u32) new_size;    /* main sets, dev reads: cols << 16 | rows */
    struct loop_fd resized;   /* eventfd */
    _Atomic(int) drained;     /* main sets: an eventfd to tell it by; or -1 */
    struct loop_fd drain;     /* eventfd */
    bool draining;
    struct loop_fd timer; /* timerfd: patience, and rests */
    bool timing;
};

static inline u32 console_bit(enum console_event event)
{
    return 1u << event;
}

/* Tell the driver of an event of p, now or when it has a buffer. Nothing while
 * it does not know the port. */
DEV_ONLY void console_tell(struct port *p, enum console_event event);

/* Have port_on_timer() called in CONSOLE_PATIENCE_NS, perhaps earlier. */
#define CONSOLE_PATIENCE_NS 1000000000u
void console_arm(struct console *con);

/* If main waits for it: has the host taken all that the guest has sent? */
DEV_ONLY void console_check_drained(struct console *con);

/* p is zero but for con. Main. */
void port_init(struct port *p, unsigned int id,
               const struct console_port *port);

/* Move all that can be moved, then wait for the rest. */
DEV_ONLY void port_serve(struct port *p);

/* The same after a notification of the queue to, or from, the guest. */
DEV_ONLY void port_kick_in(struct port *p);
DEV_ONLY void port_kick_out(struct port *p);

/* Wait for what p's state asks for; port_serve() has done it. */
void port_watch(struct port *p);

DEV_ONLY void port_on_timer(struct port *p);

/* Is there any that the host has not taken yet? */
DEV_ONLY bool port_has_output(struct port *p);

/* Send home the chain that is held, forget what the driver has said. */
DEV_ONLY void port_reset(struct port *p);

#endif
