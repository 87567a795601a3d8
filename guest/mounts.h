/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.h: the file systems that every command expects, and the way back */
#ifndef MOTE_GUEST_MOUNTS_H
#define MOTE_GUEST_MOUNTS_H

#include "mote/base.h"

/* /dev, /proc and /sys of the initramfs, without which nothing else can be
 * done. 0 or a negative errno, said. */
int mounts_first(void);

/* What else belongs into /dev, and where nothing can be written, /run and /tmp,
 * in the command's root. A mount point that is not there and cannot be made is
 * no error. 0 or a negative errno, said. */
int mounts_rest(void);

/* A mount, at a directory that is made if it can be. 0 or a negative errno. */
int mounts_at(const char *dir, const char *type, unsigned long flags,
              const char *data);

/* At the end, when nobody uses them: everything written is on the disks, and
 * those are clean. */
void mounts_leave(void);

#endif
