/* SPDX-License-Identifier: Apache-2.0 */
/* clone.h: copy-on-write clones made at start and removed at the end */
#ifndef MOTE_RBD_CLONE_H
#define MOTE_RBD_CLONE_H

#include "image.h"

/* What marks an ephemeral clone, in its metadata. */
#define CLONE_META_EPHEMERAL "mote.ephemeral"
#define CLONE_META_OWNER     "mote.owner" /* host/boot id/pid of the keeper */

/* Clone the snapshot under the spec's name. One that is there already is taken
 * if it is to be kept, or a dead worker's. 0 or a negative errno, already
 * reported. */
int clone_make(struct image *im);

/* Note in the open clone that it is ephemeral, and whose. The same results. */
int clone_mark(struct image *im, const char *owner);

/* The closed clone goes; what stands in the way is reported. */
void clone_remove(struct image *im);

#endif
