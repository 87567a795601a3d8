/* SPDX-License-Identifier: Apache-2.0 */
/* say.h: what the guest's init has to tell a person */
#ifndef MOTE_GUEST_SAY_H
#define MOTE_GUEST_SAY_H

#include "mote/base.h"

/*
 * One line, "mote-init: ...", in the kernel's log, as an error, so that it is
 * also on the console of a kernel that was told to be quiet. Before /dev is
 * there it goes to the console that the kernel has opened.
 */
void say(const char *fmt, ...) PRINTF(1, 2);

/* The same with the name of an error, which may be negative; returns -err. */
int say_error(int err, const char *what, const char *which);

#endif
