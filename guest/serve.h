/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h: while the command runs */
#ifndef MOTE_GUEST_SERVE_H
#define MOTE_GUEST_SERVE_H

#include "command.h"
#include "ports.h"

/*
 * Carries the command's streams, obeys the host and reaps, until the command
 * has ended and what it had written is in the ports; the streams' ports are
 * closed then. SIGCHLD must be blocked. False: the host has closed the control
 * port, and nobody is interested any more.
 */
bool serve(struct ports *ports, struct command *c);

#endif
