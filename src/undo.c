/* SPDX-License-Identifier: Apache-2.0 */
/* undo.c: the list of what this process has changed on the host */
#include <pthread.h>

#include "mote/undo.h"

static struct {
    struct undo *last;
    bool hooked;
} undo_state;

/* In the child, which has not done any of it. */
static void undo_forked(void)
{
    undo_state.last = NULL;
}

static void undo_hook(void)
{
    int r = undo_state.hooked ? 0 : pthread_atfork(NULL, NULL, undo_forked);

    assert(r == 0); /* -ENOMEM; a child would undo what is in use */
    (void)r;
    undo_state.hooked = true;
}

void undo_add(struct undo *u, undo_fn *fn)
{
    undo_hook();
    u->fn = fn;
    u->next = undo_state.last;
    undo_state.last = u;
}

void undo_now(struct undo *u)
{
    struct undo **at = &undo_state.last;

    while (*at && *at != u)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = u->next;
    u->fn(u);
}

void undo_all(void)
{
    while (undo_state.last)
        undo_now(undo_state.last);
}
