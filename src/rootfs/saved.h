/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved.h: what else is to be known of a file of the cache: it stands behind
 * the file's content, in the same file, so that both appear at once.
 */
#ifndef MOTE_ROOTFS_SAVED_H
#define MOTE_ROOTFS_SAVED_H

#include "mote/rootfs.h"

struct saved {
    enum rootfs_kind kind;
    u64 size;  /* of the content: that much of the file, from its start */
    u64 bytes; /* of the tree it was made of */
    struct rootfs_command command; /* of an archive */
};

/* Append it to the content. 0 or a negative errno, not reported. */
int saved_write(int fd, const struct saved *s);

/* -ENOENT: it is not there, or not whole. The command is the caller's, to be
 * freed by command_free(). */
int saved_read(int fd, struct saved *s);

#endif
