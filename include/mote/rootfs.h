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
    ROOTFS_CPIO,  /* "newc", for an initramfs, trailer included: a memfd, not
                   * sealed, to whose end, its position, others may be appended
                   */
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
    int fd;           /* of this process; nobody removes the file while it is
                       * open. ROOTFS_DISK: -1 */
    char *path;       /* ROOTFS_IMAGE, ROOTFS_DISK: a name to open it by, maybe
                       * /proc/self/fd/N */
    const char *type; /* ROOTFS_IMAGE, ROOTFS_DISK: "ext4" ...; static */
    u64 size;         /* bytes; of a ROOTFS_DISK's device: 0 */
    struct rootfs_command command;
};

struct sandbox_config; /* config.h */

struct rootfs_options {
    const char *path;
    u64 cpio_max;          /* more bytes of content than this: an image */
    const char *cache_dir; /* NULL: none; what was made before is found there */
    u64 cache_max; /* bytes; what is beyond goes, if unused. 0: no limit */
    /* Of who reads an archive; its require and log_denials count. NULL: the
     * default. */
    const struct sandbox_config *jail;
};

/*
 * Make it, with progress on stderr when it takes longer than a second. 0 or a
 * negative errno, already reported with the file's name and what to do.
 */
int rootfs_open(struct rootfs *out, const struct rootfs_options *opt);
void rootfs_close(struct rootfs *r);

/* What rootfs_open() would take it for: "directory", "archive", or the type of
 * a file system; static. 0 or a negative errno, already reported. */
int rootfs_peek(const char *path, const char **what);

/*
 * The tree between sources and sinks. Names have no slash; children are sorted
 * by name, so that the same content always gives the same bytes. Contents stay
 * where they are until a sink asks for them.
 */
struct rootfs_node {
    char *name;               /* "" of the root */
    u32 mode, uid, gid;       /* mode with its type */
    u64 mtime;                /* seconds */
    u32 major, minor;         /* of device nodes */
    u64 size;                 /* of a regular file */
    char *link;               /* target of a symbolic link */
    struct rootfs_node *hard; /* the name that stands for this file if it has
                               * several; NULL: this one */
    u32 names;                /* of this file, counted there */
    u64 offset;               /* its place in the tree's spool, or ... */
    u64 dev, inode;           /* ... what the host's file was */
    struct rootfs_node *parent, *child, *last, *next;
    u16 depth, path_len;
    u32 ino; /* for sinks */
};

/* One source fills an empty tree: {.what = path, .dir_fd = -1, .spool = -1}. */
struct rootfs_tree {
    const char *what; /* for messages: --rootfs as given; the caller's */
    struct rootfs_node *root;
    int dir_fd; /* contents are files below it, or ... */
    int spool;  /* ... lie in it one after the other */
    u64 nr, bytes;
    u8 print[32]; /* of a directory: SHA-256 of what tells that a file below
                   * has changed */
    s64 changed;  /* when the last one of them did, ns */
};

#define ROOTFS_NODES (1u << 20)
#define ROOTFS_DEPTH 255u
#define ROOTFS_NAME  255u
#define ROOTFS_PATH  4095u

/*
 * The next child of dir, with copies of what is in like; NULL: the root, which
 * is first. Names of one directory come in ascending order of their bytes, and
 * like->hard was added before and has none. 0 or a negative errno,
 * already reported: a limit, a name that cannot be, or no memory.
 */
int rootfs_add(struct rootfs_tree *t, struct rootfs_node *dir,
               const struct rootfs_node *like, struct rootfs_node **out);

/* What path leads to, without following links; NULL if there is nothing. */
struct rootfs_node *rootfs_find(const struct rootfs_tree *t, const char *path);

/* The one that comes after n: first what is in it. NULL: n was the last. */
struct rootfs_node *rootfs_next(const struct rootfs_node *n);

/* "usr/bin/env"; "." is the root. */
void rootfs_path(const struct rootfs_node *n, char path[ROOTFS_PATH + 1]);

/* Frees nodes and closes descriptors. */
void rootfs_tree_fini(struct rootfs_tree *t);

/*
 * The content of a regular file: n->size bytes of *fd from *offset on. It is
 * given back after use. 0 or a negative errno, already reported: the file may
 * not be read, or is another one meanwhile.
 */
int rootfs_content_open(const struct rootfs_tree *t,
                        const struct rootfs_node *n, int *fd, u64 *offset);
void rootfs_content_close(const struct rootfs_tree *t, int fd);

/*
 * Sources fill the tree, sinks write it to fd. 0 or a negative errno, already
 * reported; the tree is the caller's to free also then.
 *
 * A directory is read as it is, with hard links and device nodes; sockets are
 * left out, and so is what is mounted on directories of it. Who is not root has
 * no files of root's: his own belong to root in the guest.
 */
int rootfs_from_dir(struct rootfs_tree *t, const char *path);
int rootfs_from_archive(struct rootfs_tree *t, const char *path,
                        const struct sandbox_config *jail,
                        struct rootfs_command *command);
int rootfs_to_cpio(const struct rootfs_tree *t, int fd);
int rootfs_to_ext4(const struct rootfs_tree *t, int fd);

#endif
