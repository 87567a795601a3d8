/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs.h: what --rootfs names (a directory, a tar archive, a container image)
 * becomes a file that a guest can boot from: an initramfs, or above a size an
 * ext4 image. Host files are only read. All on main, before the sandbox;
 * archives, which are untrusted, are read by a child in a jail of its own.
 */
#ifndef MOTE_ROOTFS_H
#define MOTE_ROOTFS_H

#include "mote/base.h"

enum rootfs_kind {
    ROOTFS_CPIO,  /* "newc", for an initramfs, trailer included; others may be
                   * put before and behind it */
    ROOTFS_IMAGE, /* an ext4 file system without partitions */
    ROOTFS_DISK,  /* path was an image already: ext4, squashfs, erofs, xfs,
                   * btrfs; it is not copied */
};

/* What a container image says of its command; all NULL for anything else.
 * Owned by the product. */
struct rootfs_command {
    char **entrypoint, **cmd, **env; /* NULL-ended */
    char *workdir, *user;
};

struct rootfs {
    enum rootfs_kind kind;
    int fd;           /* readable; a memfd or a file of the cache */
    char *path;       /* ROOTFS_IMAGE, ROOTFS_DISK: its name on the host */
    const char *type; /* ROOTFS_IMAGE, ROOTFS_DISK: "ext4" ...; static */
    u64 size;         /* bytes */
    struct rootfs_command command;
};

struct rootfs_options {
    const char *path;
    u64 cpio_max;          /* more bytes of content than this: an image */
    const char *cache_dir; /* NULL: none; what was made before is found there */
};

/*
 * Make it, with progress on stderr when it takes longer than a second. 0 or a
 * negative errno, already reported with the file's name and what to do.
 */
int rootfs_open(struct rootfs *out, const struct rootfs_options *opt);
void rootfs_close(struct rootfs *r);

/*
 * The tree between sources and sinks. Names have no slash; children are sorted
 * by name, so that the same content always gives the same bytes. Contents stay
 * where they are until a sink asks for them.
 */
struct rootfs_node {
    char *name;
    u32 mode, uid, gid;       /* mode with its type */
    u64 mtime;                /* seconds */
    u32 major, minor;         /* of device nodes */
    u64 size;                 /* of a regular file */
    char *link;               /* target of a symbolic link */
    struct rootfs_node *hard; /* the same file as this one */
    int dir_fd; /* -1, or where the file is to be opened by ->source ... */
    char *source;
    u64 offset; /* ... else its place in the tree's spool */
    struct rootfs_node *parent, *child, *next;
    u32 ino; /* for sinks */
};

struct rootfs_tree {
    struct rootfs_node *root;
    int spool; /* contents of archives, one after the other; -1: none */
    u64 nr, bytes;
};

/* Sources fill an empty tree; sinks write it to fd. 0 or a negative errno,
 * already reported. Limits: ROOTFS_NODES nodes, 255 levels, names of 255 and
 * paths of 4095 bytes. */
#define ROOTFS_NODES (1u << 20)
int rootfs_from_dir(struct rootfs_tree *t, const char *path);
int rootfs_from_archive(struct rootfs_tree *t, const char *path,
                        struct rootfs_command *command);
int rootfs_to_cpio(const struct rootfs_tree *t, int fd);
int rootfs_to_ext4(const struct rootfs_tree *t, int fd);

#endif
