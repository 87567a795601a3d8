/* SPDX-License-Identifier: Apache-2.0 */
/* passt_process.h: passt(1) as a child, its socket and its stderr */
#ifndef MOTE_NET_PASST_PROCESS_H
#define MOTE_NET_PASST_PROCESS_H

#include <sys/types.h>

#include "mote/nic.h"
#include "mote/undo.h"

#define PASST_SOCKET_FD 3 /* where the child finds its end of the socket */

struct passt_process {
    pid_t pid;
    int socket;       /* our end, non-blocking */
    int err;          /* what it says on stderr, non-blocking */
    struct undo undo; /* it runs */
};

/*
 * Start passt, looked for in PATH, with nothing open but its socket and stderr
 * and nothing in its environment. Main, before other threads run. 0 or a
 * negative errno, already reported.
 */
int passt_process_start(struct passt_process *p,
                        const struct passt_options *opt);

/* Close what leads to it; end it if it is this process's child (it has 500 ms
 * to go by itself), and reap it. */
void passt_process_stop(struct passt_process *p);

#endif
