/* SPDX-License-Identifier: Apache-2.0 */
/* untar.h: a tar archive, of any form and compression, into layers and a
 * spool. Of the process that reads archives. */
#ifndef MOTE_ROOTFS_UNTAR_H
#define MOTE_ROOTFS_UNTAR_H

#include "archive_lib.h"
#include "blob.h"
#include "layers.h"

/* Of all archives together: contents, and all that comes out of them. */
#define UNTAR_BYTES_MAX    (64 * GIB)
#define UNTAR_UNPACKED_MAX (2 * UNTAR_BYTES_MAX)

typedef void untar_progress_fn(u64 read);

struct untar {
    const struct archive_lib *lib;
    struct layers *tree;
    untar_progress_fn *progress; /* called once in a while */
    int spool;                   /* contents, one behind the other */
    u64 end;                     /* of the spool */
    u64 unpacked;                /* bytes, with headers */
    u64 read;                    /* bytes, packed */
};

/* Add its members to the tree, its contents to the spool. 0 or a negative
 * errno, already reported. Not twice at a time. */
int untar(struct untar *u, const struct blob *b);

#endif
