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

/* Would lock_file() find somebody else's lock? *pid: whose, 0: cannot be told.
 * Takes none, for which fd need not be writable. */
bool lock_peek(int fd, bool exclusive, long *pid);

/* At once, also while a closing io_uring has the file in its hands. */
void lock_release(int fd);

#endif
