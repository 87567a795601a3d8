/* SPDX-License-Identifier: Apache-2.0 */
/* archive_child.h: the process that reads an archive: it is locked in before
 * the first byte, for the archive may be made to take it over */
#ifndef MOTE_ROOTFS_ARCHIVE_CHILD_H
#define MOTE_ROOTFS_ARCHIVE_CHILD_H

#include "mote/base.h"

/* What it gets; all else is closed. */
struct archive_job {
    int source; /* the archive, or index.json of an image layout */
    u64 size;   /* of source */
    bool layout;
    int spool;  /* contents are written here */
    int sock;   /* records of wire.h; the way of blobs */
    int report; /* struct filter_report of a call that was denied */
    const struct sandbox_config *jail; /* as rootfs_options have it */
};

/* The answer to WIRE_OPEN, with a descriptor unless err is negative. */
struct archive_answer {
    s32 err;
    u64 size;
};

/* Forked, alone. */
_Noreturn void archive_child(const struct archive_job *job);

#endif
