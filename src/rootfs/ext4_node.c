/* SPDX-License-Identifier: Apache-2.0 */
/* ext4_node.c: the files of a tree as inodes of an ext4 file system */
#include <stdlib.h>
#include <sys/stat.h>

#include "mote/log.h"

#include "ext4.h"

/* Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps": 34 bits, of
 * which the upper ones are beside the nanoseconds, and the lower 32 signed. */
static u32 ext4_time_extra(u64 seconds)
{
    return (u32)((seconds + (1ull << 31)) >> 32) & 3;
}

static void ext4_set_times(union ext4_inode *inode, u64 seconds)
{
    u64 t = MIN(seconds, (3ull << 32) + INT32_MAX);
    u32 extra = ext4_time_extra(t);

    inode->small.i_atime = inode->small.i_ctime = inode->small.i_mtime = (u32)t;
    inode->large.i_crtime = (u32)t;
    inode->large.i_extra_isize =
        sizeof(inode->large) - EXT2_GOOD_OLD_INODE_SIZE;
    inode->large.i_atime_extra = inode->large.i_ctime_extra = extra;
    inode->large.i_mtime_extra = inode->large.i_crtime_extra = extra;
}

static void ext4_set_owner(union ext4_inode *inode, u32 uid, u32 gid)
{
    inode->small.i_uid = (u16)uid;
    inode->small.i_gid = (u16)gid;
    inode->small.osd2.linux2.l_i_uid_high = (u16)(uid >> 16);
    inode->small.osd2.linux2.l_i_gid_high = (u16)(gid >> 16);
}

/* Small numbers in the old form, others in the new one. */
static void ext4_set_device(union ext4_inode *inode, u32 major, u32 minor)
{
    if (major < 256 && minor < 256)
        inode->small.i_block[0] = major << 8 | minor;
    else
        inode->small.i_block[1] =
            (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xfff00) << 12;
}

static int ext4_set_size(struct ext4 *e, const struct rootfs_node *n,
                         union ext4_inode *inode, u64 size)
{
    return ext4_check(
        e, n, ext2fs_inode_size_set(e->fs, &inode->small, (ext2_off64_t)size));
}

static int ext4_put_inode(struct ext4 *e, const struct rootfs_node *n,
                          union ext4_inode *inode)
{
    ext2fs_inode_alloc_stats2(e->fs, n->ino, +1, S_ISDIR(n->mode));
    return ext4_check(
        e, n,
        ext2fs_write_inode_full(e->fs, n->ino, &inode->small, sizeof(*inode)));
}

static int ext4_add_file(struct ext4 *e, const struct rootfs_node *n,
                         union ext4_inode *inode)
{
    struct ext4_source src = {.len = n->size};
    int r;

    r = ext4_set_size(e, n, inode, n->size);
    if (r < 0)
        return r;
    if (n->size == 0)
        return ext4_write(e, n, inode, &src);
    r = rootfs_content_open(e->tree, n, &src.fd, &src.offset);
    if (r < 0)
        return r;
    r = ext4_write(e, n, inode, &src);
    rootfs_content_close(e->tree, src.fd);
    return r;
}

static int ext4_add_link(struct ext4 *e, const struct rootfs_node *n,
                         union ext4_inode *inode)
{
    const struct ext4_source src = {
        .bytes = (const u8 *)n->link,
        .len = strlen(n->link),
    };

    inode->small.i_size = (u32)src.len;
    if (src.len >= EXT4_LINK)
        return ext4_write(e, n, inode, &src);
    memcpy(inode->small.i_block, n->link, src.len);
    return 0;
}

static int ext4_add_dir(struct ext4 *e, const struct rootfs_node *n,
                        bool with_found, union ext4_inode *inode)
{
    u64 blocks = ext4_dir_blocks(n, with_found, NULL);
    u32 links = with_found ? 3 : 2;
    u8 *bytes = calloc(blocks, EXT4_BLOCK);
    struct ext4_source src = {.bytes = bytes, .len = blocks * EXT4_BLOCK};
    int r;

    if (!bytes)
        return ext4_check(e, n, ENOMEM);
    ext4_dir_blocks(n, with_found, bytes);
    for (const struct rootfs_node *c = n->child; c; c = c->next)
        links += S_ISDIR(c->mode);
    /* More than fit count as 1, "many" (EXT4_FEATURE_RO_COMPAT_DIR_NLINK). */
    inode->small.i_links_count = (u16)(links > EXT2_LINK_MAX ? 1 : links);
    r = ext4_set_size(e, n, inode, src.len);
    if (r == 0)
        r = ext4_write(e, n, inode, &src);
    free(bytes);
    return r;
}

static int ext4_add(struct ext4 *e, const struct rootfs_node *n,
                    bool with_found)
{
    union ext4_inode inode = {.small.i_mode = (u16)n->mode};
    int r = 0;

    if (n->names > EXT2_LINK_MAX)
        return ext4_check(e, n, EMLINK);
    inode.small.i_links_count = (u16)n->names;
    ext4_set_times(&inode, n->mtime);
    ext4_set_owner(&inode, n->uid, n->gid);
    if (S_ISREG(n->mode))
        r = ext4_add_file(e, n, &inode);
    else if (S_ISLNK(n->mode))
        r = ext4_add_link(e, n, &inode);
    else if (S_ISDIR(n->mode))
        r = ext4_add_dir(e, n, with_found, &inode);
    else
        ext4_set_device(&inode, n->major, n->minor);
    return r < 0 ? r : ext4_put_inode(e, n, &inode);
}

/* fsck wants to have one. */
static int ext4_add_found(struct ext4 *e)
{
    const struct rootfs_node found = {
        .name = (char[]){"lost+found"},
        .depth = 1,
        .path_len = sizeof("lost+found") - 1,
        .ino = EXT4_FOUND,
        .mode = S_IFDIR | 0700,
        .mtime = e->tree->root->mtime,
        .names = 1,
        .parent = e->tree->root,
    };

    return ext4_add(e, &found, false);
}

int ext4_add_nodes(struct ext4 *e, bool with_found)
{
    int r = with_found ? ext4_add_found(e) : 0;

    for (const struct rootfs_node *n = e->tree->root; r == 0 && n;
         n = rootfs_next(n)) {
        if (n->hard)
            continue;
        r = ext4_add(e, n, with_found && !n->parent);
        progress_add(&e->progress, n->size);
    }
    return r;
}
