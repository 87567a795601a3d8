/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive.h: the records of a process that has read an archive, checked, into a
 * tree and a command. Nothing they say is believed: whoever has written the
 * archive may have written them.
 */
#ifndef MOTE_ROOTFS_RECEIVE_H
#define MOTE_ROOTFS_RECEIVE_H

#include "mote/rootfs.h"

#include "wire.h"

struct receive {
    struct rootfs_tree *tree;
    struct rootfs_command *command;
    u64 bytes_max;             /* of all contents */
    struct rootfs_node **node; /* by their numbers */
    u32 room;
    struct rootfs_node *way[ROOTFS_DEPTH + 1]; /* to the last one */
    u32 ways;
    u64 spool_end; /* where the last content ends: the spool must be as long */
};

void receive_begin(struct receive *rc, struct rootfs_tree *t,
                   struct rootfs_command *command, u64 bytes_max);

/* A WIRE_NODE; a WIRE_TEXT. 0 or a negative errno, already reported. */
int receive_node(struct receive *rc, const struct wire_record *rec);
int receive_text(struct receive *rc, const struct wire_record *rec);

/* What is kept of the tree stays. */
void receive_end(struct receive *rc);

#endif
