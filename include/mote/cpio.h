/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpio.h: writes archives of the form "newc", which is what a kernel unpacks as
 * its initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same entries always give the same bytes. Several archives may follow one
 * another in a file, in which a later entry replaces an earlier one of its
 * name. Main, before the sandbox.
 *
 * An error is reported where it happens, then kept: what follows does nothing,
 * and cpio_end() returns it.
 */
#ifndef MOTE_CPIO_H
#define MOTE_CPIO_H

#include "mote/base.h"

struct cpio {
    int fd;
    int err;
    u32 nr;      /* entries so far */
    u64 written; /* bytes of this archive, those in buf included */
    u8 *buf;
    size_t used;
};

struct cpio_attr {
    u32 mode; /* with its type; what is no directory, symbolic link, device or
               * FIFO is a regular file */
    u32 uid, gid;
    u64 mtime;        /* seconds */
    u32 major, minor; /* of device nodes */
    u32 ino;          /* 0: a number of its own */
    u32 nlink; /* 0: 1. Names of one file have the same ino, and all but one
                * of them no bytes */
};

/* Archive to be appended to fd, which stays the caller's, from its position
 * on. */
void cpio_begin(struct cpio *c, int fd);

/*
 * One entry, after those of the directories it is in. name is relative
 * (".mote/init"), "." the root itself. The bytes are a file's content, or
 * the target of a symbolic link; a file has less than 4 GiB.
 */
void cpio_add(struct cpio *c, const char *name, const struct cpio_attr *attr,
              const void *bytes, u64 len);

/* The same with len bytes of the file from, from offset on. If it has become
 * shorter, the rest is zeros, and a warning. */
void cpio_add_fd(struct cpio *c, const char *name, const struct cpio_attr *attr,
                 int from, u64 offset, u64 len);

/* The trailer. Returns 0 or the first error; the position of fd is the
 * archive's end, a multiple of 4. */
int cpio_end(struct cpio *c);

#endif
