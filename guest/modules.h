/* SPDX-License-Identifier: Apache-2.0 */
/* modules.h: the kernel modules that mote has put into the initramfs */
#ifndef MOTE_GUEST_MODULES_H
#define MOTE_GUEST_MODULES_H

#include "mote/base.h"

/*
 * Loads GUEST_MODULES in the order of their names and removes the files, to
 * free their memory. All are tried. 0, or the error of the first that failed,
 * said, with the number that its name begins with in *which.
 */
int modules_load(u32 *which);

#endif
