/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h: one command in a VM of its own. Before the sandbox a configuration
 * that has a command is completed: a kernel is found, its modules, the root
 * file system, and mote's init for the guest; from then on it is a VM like
 * others, with a session between the guest's init and mote's own streams.
 */
#ifndef MOTE_RUN_H
#define MOTE_RUN_H

#include "mote/config.h"

/* ---- the kernel ------------------------------------------------------------
 */

/* What is known of a kernel file without running it. */
struct kernel_info {
    char *path;       /* the file's */
    char release[65]; /* "6.1.0-56-cloud-amd64": of uname and /lib/modules; ""
                       * if the image does not say */
    char *modules;    /* its directory, with modules.dep or without; NULL */
    char *config;     /* text of IKCONFIG, or of the file config-RELEASE beside
                       * it; NULL: none is known */
};

/*
 * Without a name: $MOTE_KERNEL, the newest of the cache, then of /boot whose
 * file can be read. *path is the caller's. 0, or a negative errno, already
 * reported with what to do.
 */
int kernel_find(char **path);

/* 0 or a negative errno, already reported (absent, not a kernel ...). The
 * image is untrusted: it is read as the loader does, bounded. */
int kernel_inspect(struct kernel_info *out, const char *path);
void kernel_info_fini(struct kernel_info *k);

/* Is this option y (1), m (2), known to be unset (0), or not known (-ENOENT)?
 * "VIRTIO_BLK", without CONFIG_. */
int kernel_option(const struct kernel_info *k, const char *option);

/*
 * The files of these modules and of what they need, in the order of their
 * loading; those that are built in are left out. Both lists end with NULL; the
 * caller frees the result. -ENOENT, already reported: one that is neither
 * built in nor there.
 */
int kernel_modules(const struct kernel_info *k, const char *const *names,
                   char ***files);

#endif
