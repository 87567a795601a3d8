/* SPDX-License-Identifier: Apache-2.0 */
/* ext4.c: a tree as an ext4 file system, the same bytes for the same tree */
#include <et/com_err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "ext4.h"

/* "mote root fs": that of every image, for nobody mounts it beside another. */
static const u8 ext4_uuid[16] = {0x6d, 0x6f, 0x74, 0x65, 0x20, 0x72,
                                 0x4f, 0x6f, 0xb4, 0x20, 0x66, 0x73,
                                 0x20, 0x20, 0x20, 0x31};

int ext4_check(const struct ext4 *e, const struct rootfs_node *n, errcode_t err)
{
    char path[ROOTFS_PATH + 1] = "the image";

    if (err == 0)
        return 0;
    if (n)
        rootfs_path(n, path);
    if (err == ENOSPC || err == EDQUOT || err == EFBIG)
        return fail(-(int)err,
                    "rootfs %s: no room for its image of %llu MiB; free some, "
                    "or let the cache or $TMPDIR be elsewhere",
                    e->tree->what, (unsigned long long)(e->tree->bytes / MIB));
    if (err < 4096) /* the library's own are far above */
        return fail(-(int)err, "rootfs %s: %s", e->tree->what, path);
    return fail_rule(-EIO, "rootfs %s: %s: %s", e->tree->what, path,
                     error_message(err));
}

/* Of the root only; else it is a directory like others. */
static bool ext4_needs_found(const struct rootfs_tree *t)
{
    return !rootfs_find(t, "lost+found");
}

/* Numbers for all files, in the tree's order. Returns one more than the last.
 */
static u32 ext4_number(const struct rootfs_tree *t)
{
    u32 ino = EXT4_FOUND + 1;

    for (struct rootfs_node *n = t->root; n; n = rootfs_next(n))
        n->ino = !n->parent ? EXT2_ROOT_INO : n->hard ? 0 : ino++;
    return ino;
}

/* Of all contents, and of what describes extents that do not fit an inode. */
static u64 ext4_count_blocks(const struct rootfs_tree *t)
{
    u64 blocks = 8, n_blocks;

    for (const struct rootfs_node *n = t->root; n; n = rootfs_next(n)) {
        n_blocks = 0;
        if (S_ISDIR(n->mode))
            n_blocks = ext4_dir_blocks(n, !n->parent, NULL);
        else if (S_ISREG(n->mode) && !n->hard)
            n_blocks = ext4_blocks(n->size);
        else if (S_ISLNK(n->mode) && n->link && strlen(n->link) >= EXT4_LINK)
            n_blocks = 1;
        blocks += n_blocks + (n_blocks > 4 * EXT4_EXTENT ? 8 : 0);
    }
    return blocks;
}

/*
 * Room for the guest, who may write into an overlay: half as much again, and a
 * gigabyte; it costs nothing, for the file has a hole there. Whole groups, as
 * inodes and bitmaps are counted by the group.
 */
static void ext4_size(struct ext2_super_block *sb, u64 blocks, u32 inodes)
{
    u64 data = blocks + blocks / 2 + GIB / EXT4_BLOCK;
    u64 groups, per_group, spare = inodes + inodes / 4 + 1024u;

    inodes = (u32)MAX(spare, data / 4);
    groups = data / EXT4_GROUP + 1;
    per_group = inodes / groups * EXT4_INODE / EXT4_BLOCK + 16;
    groups = (data + groups * per_group) / EXT4_GROUP + 1;
    ext2fs_blocks_count_set(sb, groups * EXT4_GROUP);
    sb->s_inodes_count = inodes;
}

/* No journal: who stops in the middle throws the overlay away. */
static int ext4_init(struct ext4 *e, u64 blocks, u32 inodes)
{
    struct ext2_super_block sb = {
        .s_rev_level = EXT2_DYNAMIC_REV,
        .s_log_block_size = 2,
        .s_inode_size = EXT4_INODE,
        .s_log_groups_per_flex = 4,
        .s_feature_compat =
            EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX,
        .s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE |
                              EXT3_FEATURE_INCOMPAT_EXTENTS |
                              EXT4_FEATURE_INCOMPAT_FLEX_BG,
        .s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER |
                               EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
                               EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
                               EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE,
    };
    char name[16];
    int fd = dup(e->fd); /* the library closes what it was given */

    if (fd < 0)
        return ext4_check(e, NULL, errno);
    ext4_size(&sb, blocks, inodes);
    snprintf(name, sizeof(name), "%d", fd);
    return ext4_check(e, NULL,
                      ext2fs_initialize(name, EXT2_FLAG_64BITS, &sb,
                                        unixfd_io_manager, &e->fs));
}

static void ext4_set_super(struct ext2_super_block *sb)
{
    memcpy(sb->s_uuid, ext4_uuid, sizeof(ext4_uuid));
    memcpy(sb->s_hash_seed, ext4_uuid, sizeof(ext4_uuid));
    memcpy(sb->s_volume_name, "mote", sizeof("mote"));
    sb->s_def_hash_version = EXT2_HASH_HALF_MD4;
    sb->s_flags |= EXT2_FLAGS_SIGNED_HASH;
    sb->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
    sb->s_min_extra_isize = sb->s_want_extra_isize =
        sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
    sb->s_max_mnt_count = -1;
    sb->s_mkfs_time = sb->s_lastcheck = EXT4_EPOCH;
}

/* An empty file system, whose reserved inodes are taken. */
static int ext4_format(struct ext4 *e, u64 blocks, u32 inodes)
{
    u64 size;
    int r = ext4_init(e, blocks, inodes);

    if (r < 0)
        return r;
    e->fs->now = EXT4_EPOCH;
    ext4_set_super(e->fs->super);
    size = ext2fs_blocks_count(e->fs->super) * EXT4_BLOCK;
    if (ftruncate(e->fd, 0) < 0 || ftruncate(e->fd, (off_t)size) < 0)
        return ext4_check(e, NULL, errno);
    r = ext4_check(e, NULL, ext2fs_allocate_tables(e->fs));
    for (u32 i = 1; r == 0 && i < EXT4_FOUND; i++)
        if (i != EXT2_ROOT_INO)
            ext2fs_inode_alloc_stats2(e->fs, i, +1, 0);
    return r;
}

static int ext4_make(struct ext4 *e)
{
    bool with_found = ext4_needs_found(e->tree);
    u32 inodes = ext4_number(e->tree);
    int r, end;

    r = ext4_format(e, ext4_count_blocks(e->tree), inodes);
    if (r == 0)
        r = ext4_add_nodes(e, with_found);
    if (r < 0) {
        if (e->fs)
            ext2fs_free(e->fs);
        return r;
    }
    end = ext4_check(e, NULL, ext2fs_close_free(&e->fs));
    if (end < 0 && e->fs)
        ext2fs_free(e->fs);
    return end;
}

int rootfs_to_ext4(const struct rootfs_tree *t, int fd)
{
    struct ext4 e = {.tree = t, .fd = fd, .buf = malloc(EXT4_BUF)};
    int r;

    if (!e.buf)
        return ext4_check(&e, NULL, ENOMEM);
    initialize_ext2_error_table();
    progress_begin(&e.progress, "making an image of", t->what, t->bytes);
    r = ext4_make(&e);
    progress_end(&e.progress);
    free(e.buf);
    return r;
}
