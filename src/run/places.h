/* SPDX-License-Identifier: Apache-2.0 */
/* places.h: where mote keeps what it has made, or was given */
#ifndef MOTE_RUN_PLACES_H
#define MOTE_RUN_PLACES_H

#include "mote/base.h"

/*
 * The directory below of the user's cache: $MOTE_CACHE, $XDG_CACHE_HOME/mote or
 * $HOME/.cache/mote, the first that is absolute: what is not does not count,
 * as the XDG Base Directory Specification has it. Nothing is made. NULL: there
 * is none, or no memory. The caller frees it.
 */
char *places_cache(const char *below);

/* What the images there may take: $MOTE_CACHE_MAX, or 4 GiB; 0: no limit. 0 or
 * -EINVAL, already reported. */
int places_cache_max(u64 *bytes);

#endif
