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
    char *path;         /* the file's */
    const char *format; /* "bzImage, zstd", "vmlinux" ...; static */
    char version[128];  /* "6.1.0-56-cloud-amd64 (...) #1 SMP ...", or "" */
    char release[65];   /* "6.1.0-56-cloud-amd64": of uname and /lib/modules;
                         * "" if the image does not say */
    char *modules;      /* the directory of this release, if there is one */
    char *builtin;      /* its modules.builtin, and ... */
    char *index;        /* ... modules.dep or modules.order: NULL if absent */
    char *config;       /* text of config-RELEASE beside the kernel; NULL: none
                         * is known */
};

/*
 * Without a name: $MOTE_KERNEL, the newest of the cache, then of /boot whose
 * file can be read. *path is the caller's. 0, or a negative errno, already
 * reported with what to do.
 */
int kernel_find(char **path);

/*
 * 0 or a negative errno, already reported (absent, not a kernel ...). The image
 * is untrusted: its header is read, bounded, and nothing is unpacked; so a
 * configuration embedded in it (IKCONFIG) is not found here.
 */
int kernel_inspect(struct kernel_info *out, const char *path);
void kernel_info_fini(struct kernel_info *k);

/* Is this option y (1), m (2), known to be unset (0), or not known (-ENOENT)?
 * "VIRTIO_BLK", without CONFIG_. */
int kernel_option(const struct kernel_info *k, const char *option);

enum kernel_part {
    PART_UNKNOWN, /* neither modules nor a configuration tell */
    PART_BUILTIN,
    PART_MODULE, /* and its file is there */
    PART_LOST,   /* a module, but its file is not there */
    PART_ABSENT, /* configured out */
};

/* What became of a module: "virtio_blk", by any of - and _. */
enum kernel_part kernel_part(const struct kernel_info *k, const char *module);

/*
 * The files of these modules and of what they need, in the order of their
 * loading; those that are built in, or not known to be modules, are left out.
 * The list ends with NULL and is freed by kernel_modules_free(). -ENOENT,
 * already reported: one that is neither built in nor there.
 */
int kernel_modules(const struct kernel_info *k, const char *const *names,
                   char ***files);
void kernel_modules_free(char **files);

/* One of these files as the kernel wants it: unpacked. The caller frees *data.
 * 0 or a negative errno, already reported. */
int kernel_module_read(const char *file, u8 **data, u64 *len);

#endif
