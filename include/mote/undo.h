/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo.h: what must be undone on the host when the VM has ended, however it
 * ended: a socket's name, the terminal's mode, a helper process. The process
 * that did it undoes it; in a child of that process every call here does
 * nothing. All on main.
 */
#ifndef MOTE_UNDO_H
#define MOTE_UNDO_H

#include <sys/types.h>

struct undo;
typedef void undo_fn(struct undo *u);

/* Embedded in what has something to undo; all zero: nothing. */
struct undo {
    undo_fn *fn;
    pid_t pid; /* who did it */
    struct undo *next;
};

/* From now on fn(u) is due, once. */
void undo_add(struct undo *u, undo_fn *fn);

/* Undo it now, or nothing if it is done, or another process's. */
void undo_now(struct undo *u);

/* All that this process has to undo, the last first. */
void undo_all(void);

#endif
