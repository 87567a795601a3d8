/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h: what a path given as --rootfs is, told by its content */
#ifndef MOTE_ROOTFS_KIND_H
#define MOTE_ROOTFS_KIND_H

#include <sys/stat.h>

#include "mote/base.h"

enum kind {
    KIND_DIR,
    KIND_ARCHIVE, /* tar, compressed or not; a directory with an OCI layout */
    KIND_DISK,    /* a file system, in a file or on a block device */
};

/* *type: of the file system, static. 0 or a negative errno, already reported:
 * absent, not readable, or nothing of these. */
int kind_of(const char *path, enum kind *kind, const char **type,
            struct stat *st);

#endif
