/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h: what takes longer than a second says how far it is, on stderr:
 * "mote: making an image of DIR: 120 of 230 MiB". On a terminal the line
 * renews itself, else there is one now and then.
 */
#ifndef MOTE_ROOTFS_PROGRESS_H
#define MOTE_ROOTFS_PROGRESS_H

#include "mote/base.h"

struct progress {
    const char *doing, *what; /* the caller's */
    u64 done, total;          /* bytes */
    u64 next;                 /* when to say something again, ms */
    bool terminal, said;
};

void progress_begin(struct progress *p, const char *doing, const char *what,
                    u64 total);

/* So many bytes more. */
void progress_add(struct progress *p, u64 bytes);
void progress_end(struct progress *p);

#endif
