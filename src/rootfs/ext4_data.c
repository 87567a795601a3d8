/* SPDX-License-Identifier: Apache-2.0 */
/* ext4_data.c: blocks for contents, and contents into blocks */
#include <unistd.h>

#include "mote/log.h"

#include "ext4.h"

static int ext4_pwrite(const struct ext4 *e, const u8 *bytes, u64 len, u64 to)
{
    ssize_t n;

    while (len) {
        n = pwrite(e->fd, bytes, len, (off_t)to);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ext4_check(e, NULL, errno);
        bytes += n;
        len -= (u64)n;
        to += (u64)n;
    }
    return 0;
}

/* Without a copy through this process, and without any where the host's file
 * system can share blocks. Returns the bytes it did; what is left is copied. */
static u64 ext4_copy_range(const struct ext4 *e, int fd, u64 from, u64 to,
                           u64 len)
{
    off_t in = (off_t)from, out = (off_t)to;
    u64 done = 0;
    ssize_t n;

    while (done < len) {
        n = copy_file_range(fd, &in, e->fd, &out, len - done, 0);
        if (n <= 0)
            break;
        done += (u64)n;
    }
    return done;
}

/* s64: the bytes there were before the file ended, or a negative errno. */
static s64 ext4_copy(const struct ext4 *e, const struct rootfs_node *n, int fd,
                     u64 from, u64 to, u64 len)
{
    u64 done = 0;
    ssize_t got;
    int r = 0;

    if (len >= EXT4_BUF)
        done = ext4_copy_range(e, fd, from, to, len);
    while (r == 0 && done < len) {
        got =
            pread(fd, e->buf, MIN(len - done, EXT4_BUF), (off_t)(from + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ext4_check(e, n, errno);
        if (got == 0)
            break;
        r = ext4_pwrite(e, e->buf, (u64)got, to + done);
        done += (u64)got;
    }
    return r < 0 ? r : (s64)done;
}

/* What is not a hole in the file; the image is one where nothing was written.
 * *data: where it begins, at the end if there is no more. Returns its end. */
static u64 ext4_next_data(int fd, u64 from, u64 end, u64 *data)
{
    off_t start = lseek(fd, (off_t)from, SEEK_DATA), hole;

    *data = from;
    if (start < 0 && errno == ENXIO)
        *data = end;
    if (start < 0)
        return end;
    *data = MIN((u64)start, end);
    hole = lseek(fd, start, SEEK_HOLE);
    return hole < 0 ? end : MIN((u64)hole, end);
}

static void ext4_warn_short(const struct ext4 *e, const struct rootfs_node *n,
                            u64 len)
{
    char path[ROOTFS_PATH + 1];

    rootfs_path(n, path);
    log_warn("rootfs %s: %s: became shorter while it was read; zeros follow "
             "byte %llu",
             e->tree->what, path, (unsigned long long)len);
}

/* len bytes of the content, from its byte at on. */
static int ext4_copy_file(const struct ext4 *e, const struct rootfs_node *n,
                          const struct ext4_source *src, u64 at, u64 to,
                          u64 len)
{
    u64 from = src->offset + at, end = from + len, data, stop;
    s64 done;

    for (u64 pos = from; pos < end; pos = stop) {
        data = pos;
        stop = end;
        if (src->len >= EXT4_BUF)
            stop = ext4_next_data(src->fd, pos, end, &data);
        done = ext4_copy(e, n, src->fd, data, to + (data - from), stop - data);
        if (done < 0)
            return (int)done;
        if ((u64)done < stop - data) {
            ext4_warn_short(e, n, data - src->offset + (u64)done);
            return 0;
        }
    }
    return 0;
}

/* A run of free blocks, at most want; they are taken. */
static int ext4_take(struct ext4 *e, const struct rootfs_node *n, u64 want,
                     struct ext2fs_extent *run)
{
    ext2fs_block_bitmap map = e->fs->block_map;
    u64 end = ext2fs_blocks_count(e->fs->super) - 1;
    blk64_t start, stop;

    if (e->next > end ||
        ext2fs_find_first_zero_block_bitmap2(map, e->next, end, &start) != 0)
        return ext4_check(e, n, EXT2_ET_BLOCK_ALLOC_FAIL);
    want = MIN(want, (u64)EXT4_EXTENT);
    end = MIN(end, start + want - 1);
    if (ext2fs_find_first_set_block_bitmap2(map, start, end, &stop) != 0)
        stop = end + 1;
    run->e_pblk = start;
    run->e_len = (u32)(stop - start);
    e->next = stop;
    ext2fs_block_alloc_stats_range(e->fs, start, run->e_len, +1);
    return 0;
}

static int ext4_write_run(struct ext4 *e, const struct rootfs_node *n,
                          const struct ext4_source *src,
                          const struct ext2fs_extent *run)
{
    u64 at = run->e_lblk * EXT4_BLOCK, to = run->e_pblk * EXT4_BLOCK;
    u64 len = MIN(src->len - at, (u64)run->e_len * EXT4_BLOCK);

    if (src->bytes)
        return ext4_pwrite(e, src->bytes + at, len, to);
    return ext4_copy_file(e, n, src, at, to, len);
}

int ext4_write(struct ext4 *e, const struct rootfs_node *n,
               union ext4_inode *inode, const struct ext4_source *src)
{
    u64 blocks = ext4_blocks(src->len);
    struct ext2fs_extent run = {0};
    ext2_extent_handle_t handle;
    int r;

    inode->small.i_flags |= EXT4_EXTENTS_FL;
    ext2fs_iblk_set(e->fs, &inode->small, blocks);
    r = ext4_check(e, n,
                   ext2fs_extent_open2(e->fs, n->ino, &inode->small, &handle));
    if (r < 0)
        return r;
    for (; r == 0 && run.e_lblk < blocks; run.e_lblk += run.e_len) {
        r = ext4_take(e, n, blocks - run.e_lblk, &run);
        if (r == 0)
            r = ext4_check(
                e, n,
                ext2fs_extent_insert(handle, EXT2_EXTENT_INSERT_AFTER, &run));
        if (r == 0)
            r = ext4_write_run(e, n, src, &run);
    }
    ext2fs_extent_free(handle);
    return r;
}
