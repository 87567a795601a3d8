/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.h: what the files about kernels share */
#ifndef MOTE_RUN_KERNEL_H
#define MOTE_RUN_KERNEL_H

#include "mote/run.h"

/*
 * Of the files that match a glob pattern and may be read, the one of the newest
 * version, to be freed, or NULL; *denied counts those that may not.
 */
char *kernel_newest(const char *pattern, unsigned int *denied);

/* The file of a module, to be freed; NULL: it is not there. */
char *kernel_module_file(const struct kernel_info *k, const char *module);

/*
 * The path in a list of modules' files that is this module's: *len bytes, or
 * NULL. Lines are "kernel/fs/ext4/ext4.ko.xz", and may go on behind a colon.
 */
const char *kernel_list_find(const char *list, const char *module, size_t *len);

#endif
