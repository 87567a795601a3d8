/* SPDX-License-Identifier: Apache-2.0 */
/* temporary.h: files without a name, whose bytes go with the last descriptor.
 * Main. */
#ifndef MOTE_TEMPORARY_H
#define MOTE_TEMPORARY_H

/* $TMPDIR, else /var/tmp: /tmp is often memory. */
const char *temporary_dir(void);

/* A descriptor, readable and writable, or a negative errno; nothing is
 * reported. */
int temporary_file(void);

#endif
