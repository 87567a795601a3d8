/* SPDX-License-Identifier: Apache-2.0 */
/* lock.h: the exclusive lock of a writable image */
#ifndef MOTE_RBD_LOCK_H
#define MOTE_RBD_LOCK_H

#include "image.h"

/*
 * Take the lock as the drive's rbd.lock says, and note in the spec who we are.
 * A worker that follows a dead one breaks the dead one's lock, whose writes
 * must not land after ours; with lock "none" it shuts the dead one out of the
 * cluster. -EROFS: somebody else has it; other errors; already reported.
 */
int lock_take_image(struct image *im);

#endif
