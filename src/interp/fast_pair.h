/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_pair.h: one handler for two ops that often follow each other. The jump
 * from handler to handler is what costs most where a guest runs through much
 * code: a processor remembers the targets of a few thousand indirect jumps, and
 * a kernel's way from a packet to a socket has more instructions than that.
 *
 * Both ops stay what they are: the second one's own handler takes over when the
 * first has to go to the step tier, or the second itself has.
 */
#ifndef MOTE_INTERP_FAST_PAIR_H
#define MOTE_INTERP_FAST_PAIR_H

#include "block.h"

#define PAIR_SLOTS 2048

/* By handlers of the two; an empty slot has none. */
struct pair_slot {
    op_handler *first, *second, *both;
};

/* A hash table with open addressing, written once: about 48 KiB a vCPU. */
struct pair_table {
    struct pair_slot slot[PAIR_SLOTS];
};

/* t: all zero. */
void pair_table_fill(struct pair_table *t);

/* The nr ops of a block that is complete: those that are the first of a pair
 * become it. */
void pair_ops(const struct pair_table *t, struct op *op, unsigned int nr);

#endif
