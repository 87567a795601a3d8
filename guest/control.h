/* SPDX-License-Identifier: Apache-2.0 */
/* control.h: the messages of the host */
#ifndef MOTE_GUEST_CONTROL_H
#define MOTE_GUEST_CONTROL_H

#include "mote/base.h"
#include "mote/guest.h"

/* A message may come in pieces. Zero at first. */
struct control {
    u8 part[sizeof(struct guest_message)];
    size_t len;
};

/* The next whole message of what can be read from fd. 1: *m is one; 0: none
 * now; -ENODATA: the host has closed the port. */
int control_read(struct control *c, int fd, struct guest_message *m);

#endif
