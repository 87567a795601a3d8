/* SPDX-License-Identifier: Apache-2.0 */
/* lock.h: one writer or many readers of an image, across processes */
#ifndef MOTE_BLOCK_LOCK_H
#define MOTE_BLOCK_LOCK_H

#include "mote/base.h"

/*
 * An OFD lock on the whole file, which ends with the last copy of fd: shared,
 * or exclusive, which needs fd to be writable. 0; -EBUSY: somebody else has
 * it, told with the process if /proc shows it; or another negative errno. All
 * reported. A file system without locks is warned of and let through.
 */
int lock_file(int fd, const char *path, bool exclusive);

#endif
