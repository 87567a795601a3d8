/* SPDX-License-Identifier: Apache-2.0 */
/* pump.h: one stream of the command's, from a descriptor to another */
#ifndef MOTE_GUEST_PUMP_H
#define MOTE_GUEST_PUMP_H

#include <poll.h>

#include "mote/base.h"

#define PUMP_ROOM (64 * 1024) /* a pipe's capacity */

/*
 * Reads no more than it can write, so who writes too much waits, and each pump
 * for itself. Descriptors must not block; it owns them.
 *
 * Bytes are copied, not spliced: virtio_console's splice_write takes pages out
 * of the pipe before it looks for room in its ring, and loses them where a ring
 * without indirect descriptors has too little.
 */
struct pump {
    int from; /* -1: there will be no more */
    int to;   /* -1: the pump has ended */
    size_t pos, len;
    bool tty;         /* to is a terminal, which has an end of input */
    bool unsure;      /* from is a port that the host has not opened, or ... */
    u64 sure_at;      /* ... has closed; the latter, at this time (ms) */
    bool last_orders; /* no more than this is to be read: */
    size_t left;
    u8 buf[PUMP_ROOM];
};

/* p is zero. A pump without one of its ends has ended. */
void pump_init(struct pump *p, int from, int to);

/* From is a port, whose host end may be late. */
void pump_init_port(struct pump *p, int from, int to);

/* What it waits for. Unsure pumps are to be moved from time to time. */
void pump_poll(const struct pump *p, struct pollfd fd[2]);

/* Moves what can be moved. */
void pump_move(struct pump *p, const struct pollfd fd[2]);

/* Who has written the most important is gone: what is there now is still to be
 * moved, and no more. */
void pump_finish(struct pump *p);

/* At once. Whoever writes to it is told so by a signal or the end of a port. */
void pump_end(struct pump *p);

static inline bool pump_ended(const struct pump *p)
{
    return p->to < 0;
}

#endif
