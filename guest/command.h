/* SPDX-License-Identifier: Apache-2.0 */
/* command.h: the process that all is about */
#ifndef MOTE_GUEST_COMMAND_H
#define MOTE_GUEST_COMMAND_H

#include <sys/resource.h>
#include <sys/types.h>

#include "mote/base.h"
#include "mote/guest.h"

#include "orders.h"

struct command {
    pid_t pid; /* of its session and process group too; 0: it has ended */
    int in, out, err; /* our ends of its streams; -1: not there */
    int terminal;     /* to resize; -1: none */
    int status;       /* as wait() has it */
    struct rusage usage;
};

/* True: it was executed. False: *why is what to tell the host. SIGCHLD must be
 * blocked, and stays so here, not in the command. */
bool command_start(struct command *c, const struct orders *o,
                   struct guest_message *why);

/* Takes note of all processes that have ended: those whose parents have gone
 * are init's. */
void command_reap(struct command *c);

/* To its whole process group. */
void command_kill(const struct command *c, u32 signal);

/* Replaces this process; PATH is env's. Never returns but for an error, which
 * errno has; *found: there is such a file. */
void command_execute(char **argv, char **env, bool *found);

#endif
