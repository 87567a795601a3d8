/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo.h: what must be undone on the host when the VM has ended, however it
 * ended: a socket's name, the terminal's mode, a helper process. The process
 * that did it undoes it: a child made by fork(2) starts with nothing to undo,
 * and what its parent has to undo it never does. (Told by fork() and not by
 * process ids, which in two pid namespaces may be the same.) All on main.
 */
#ifndef MOTE_UNDO_H
#define MOTE_UNDO_H

#include "mote/base.h"

struct undo;
typedef void undo_fn(struct undo *u);

/* Embedded in what has something to undo; all zero: nothing. */
struct undo {
    undo_fn *fn;
    struct undo *next; /* done before it */
};

/* From now on fn(u) is due, once; *u stays where it is until then. */
void undo_add(struct undo *u, undo_fn *fn);

/* Undo it now; nothing if it is done, or another process's. */
void undo_now(struct undo *u);

/* All that this process has to undo, the last first. */
void undo_all(void);

#endif
