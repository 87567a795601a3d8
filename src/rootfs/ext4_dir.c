/* SPDX-License-Identifier: Apache-2.0 */
/* ext4_dir.c: the content of a directory of an ext4 file system
 * (Documentation/filesystems/ext4/directory.rst, "linear directories") */
#include <sys/stat.h>

#include "ext4.h"

struct ext4_packer {
    u8 *bytes; /* NULL: only counts */
    u64 at;    /* where the next entry goes */
    u64 last;  /* the one before it: in the same block, at is behind it */
};

static u8 ext4_dir_type(u32 mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return EXT2_FT_DIR;
    case S_IFLNK:
        return EXT2_FT_SYMLINK;
    case S_IFCHR:
        return EXT2_FT_CHRDEV;
    case S_IFBLK:
        return EXT2_FT_BLKDEV;
    case S_IFIFO:
        return EXT2_FT_FIFO;
    default:
        return EXT2_FT_REG_FILE;
    }
}

/* The last entry of a block reaches to its end. */
static void ext4_dir_close_block(struct ext4_packer *p)
{
    u64 end = (p->last / EXT4_BLOCK + 1) * EXT4_BLOCK;

    if (p->bytes)
        le16_put(p->bytes + p->last + 4, (u16)(end - p->last));
    p->at = end;
}

static void ext4_dir_entry(struct ext4_packer *p, u32 ino, u32 mode,
                           const char *name)
{
    size_t name_len = strlen(name), len = (8 + name_len + 3) & ~(size_t)3;
    u8 *to;

    if (p->at % EXT4_BLOCK && p->at % EXT4_BLOCK + len > EXT4_BLOCK)
        ext4_dir_close_block(p);
    p->last = p->at;
    p->at += len;
    if (!p->bytes)
        return;
    to = p->bytes + p->last;
    le32_put(to, ino);
    le16_put(to + 4, (u16)len);
    to[6] = (u8)name_len;
    to[7] = ext4_dir_type(mode);
    memcpy(to + 8, name, name_len);
}

u64 ext4_dir_blocks(const struct rootfs_node *dir, bool with_found, u8 *bytes)
{
    const struct rootfs_node *up = dir->parent ? dir->parent : dir;
    struct ext4_packer p = {.bytes = bytes};

    ext4_dir_entry(&p, dir->ino, S_IFDIR, ".");
    ext4_dir_entry(&p, up->ino, S_IFDIR, "..");
    if (with_found)
        ext4_dir_entry(&p, EXT4_FOUND, S_IFDIR, "lost+found");
    for (const struct rootfs_node *n = dir->child; n; n = n->next)
        ext4_dir_entry(&p, n->hard ? n->hard->ino : n->ino, n->mode, n->name);
    ext4_dir_close_block(&p);
    return p.at / EXT4_BLOCK;
}
