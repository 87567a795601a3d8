/* SPDX-License-Identifier: Apache-2.0 */
/* tty.h: the command's pseudo-terminal */
#ifndef MOTE_GUEST_TTY_H
#define MOTE_GUEST_TTY_H

#include <sys/types.h>

#include "mote/base.h"

struct tty {
    int master; /* does not block */
    int slave;
};

/* Both close on exec. The slave is owner's. 0 or a negative errno, said. */
int tty_open(struct tty *t, u16 cols, u16 rows, uid_t owner);

void tty_resize(int master, u16 cols, u16 rows);

/* What ends the input of a program that reads lines, after what was typed last:
 * up to two characters into text, their number is returned. */
size_t tty_end_of_input(int master, char last, char text[2]);

#endif
