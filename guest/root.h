/* SPDX-License-Identifier: Apache-2.0 */
/* root.h: the command's root file system */
#ifndef MOTE_GUEST_ROOT_H
#define MOTE_GUEST_ROOT_H

#include "orders.h"

/*
 * Removes what mote has put into the initramfs, and makes that the root, or the
 * device that the orders name, with /dev, /proc and /sys moved into it. 0 or a
 * negative errno, said.
 */
int root_enter(const struct orders *o);

#endif
