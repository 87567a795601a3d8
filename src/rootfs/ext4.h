/* SPDX-License-Identifier: Apache-2.0 */
/* ext4.h: what the files of the ext4 sink share */
#ifndef MOTE_ROOTFS_EXT4_H
#define MOTE_ROOTFS_EXT4_H

#include <ext2fs/ext2fs.h>

#include "progress.h"
#include "tree.h"

#define EXT4_BLOCK  4096u
#define EXT4_GROUP  (8 * EXT4_BLOCK) /* blocks: as many as bits in one */
#define EXT4_FOUND  11u              /* the inode of lost+found */
#define EXT4_BUF    (256 * KIB)
#define EXT4_EXTENT 32768u /* blocks of the longest one */
#define EXT4_LINK   60u    /* shorter targets are in the inode itself */
#define EXT4_INODE  256u
#define EXT4_EPOCH  1u /* when the file system was made: not when it was */

/* One being made. Metadata go through the library; contents, of files and of
 * directories, are written to fd beside it. */
struct ext4 {
    const struct rootfs_tree *tree;
    ext2_filsys fs;
    int fd;
    u64 next; /* where to look for free blocks: all below are taken */
    u8 *buf;  /* EXT4_BUF */
    struct progress progress;
};

/* As it lies in the inode table. */
union ext4_inode {
    struct ext2_inode small;
    struct ext2_inode_large large;
    u8 bytes[EXT4_INODE];
};

/* Where len bytes of content come from. */
struct ext4_source {
    const u8 *bytes; /* NULL: of the file */
    int fd;
    u64 offset, len;
};

static inline u64 ext4_blocks(u64 bytes)
{
    return bytes / EXT4_BLOCK + (bytes % EXT4_BLOCK != 0);
}

/* Report what the library says of a node, or of the image when n is NULL.
 * Returns a negative errno, 0 for 0. */
int ext4_check(const struct ext4 *e, const struct rootfs_node *n,
               errcode_t err);

/* Blocks for the content, the content in them, and what of the inode says where
 * they are. 0 or a negative errno, already reported. */
int ext4_write(struct ext4 *e, const struct rootfs_node *n,
               union ext4_inode *inode, const struct ext4_source *src);

/*
 * The blocks of a directory: entries for itself, for its parent and for its
 * children, whose ->ino are set. Returns their number; bytes, if not NULL, has
 * room for that many. with_found: it has a lost+found besides.
 */
u64 ext4_dir_blocks(const struct rootfs_node *dir, bool with_found, u8 *bytes);

/* Every name's file, in the tree's order. 0 or a negative errno, already
 * reported. */
int ext4_add_nodes(struct ext4 *e, bool with_found);

#endif
