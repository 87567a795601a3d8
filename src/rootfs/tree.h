/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h: what sources need of a tree besides its contract */
#ifndef MOTE_ROOTFS_TREE_H
#define MOTE_ROOTFS_TREE_H

#include "mote/rootfs.h"

/*
 * The host's file of a node below dir_fd, wherever links and mounts that were
 * made meanwhile lead. Its descriptor or a negative errno, already reported,
 * also if it is not the file that the tree was made of.
 */
int rootfs_open_below(const struct rootfs_tree *t, const struct rootfs_node *n,
                      int flags);

#endif
