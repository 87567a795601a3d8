/* SPDX-License-Identifier: Apache-2.0 */
/* term.h: the raw mode of one terminal, and its way back */
#ifndef MOTE_TERM_H
#define MOTE_TERM_H

/*
 * Put the terminal fd into raw mode; the old mode comes back by term_restore(),
 * at exit, or when a signal ends the process. Once per process at a time; the
 * child of a fork has no part in it.
 * 0 or a negative errno, already reported.
 */
int term_raw(int fd);

/* Nothing happens without term_raw(). Async-signal-safe. */
void term_restore(void);

#endif
