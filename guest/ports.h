/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h: the ports of the virtio console that lead to mote */
#ifndef MOTE_GUEST_PORTS_H
#define MOTE_GUEST_PORTS_H

#include "mote/base.h"
#include "mote/guest.h"

enum port { PORT_CONTROL, PORT_IN, PORT_OUT, PORT_ERR, PORT_COUNT };

/* Descriptors, which do not block; -1: not there. */
struct ports {
    int fd[PORT_COUNT];
};

/* Waits for those of the set (1 << enum port) to appear, and opens them; then,
 * but for PORT_IN, until the host has opened its ends. 0 or -ETIMEDOUT, or why
 * one cannot be opened, said; the others are open. */
int ports_open(struct ports *p, unsigned int set);

/* Is the host's end not open, or not yet? */
bool ports_host_gone(int fd);

/* Sends a message. What the host does not take in time is lost. */
void ports_tell(const struct ports *p, enum guest_to_host type, u32 a, u32 b,
                u32 c);

#endif
