/* SPDX-License-Identifier: Apache-2.0 */
/* kind.c: recognises directories, archives and file systems */
#include <fcntl.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/rootfs.h"

#include "kind.h"

#define KIND_HEAD (68 * KIB) /* holds what all of them are known by */
#define KIND_TAR  512u       /* bytes of the header of a member */

static const struct kind_magic {
    u32 offset, len;
    const char *bytes;
    enum kind kind;
    const char *type;
} kind_magics[] = {
    {1080, 2, "\x53\xef", KIND_DISK, "ext4"}, /* which mounts ext2, ext3 */
    {0, 4, "hsqs", KIND_DISK, "squashfs"},
    {1024, 4, "\xe2\xe1\xf5\xe0", KIND_DISK, "erofs"},
    {0, 4, "XFSB", KIND_DISK, "xfs"},
    {65600, 8, "_BHRfS_M", KIND_DISK, "btrfs"},
    {257, 5, "ustar", KIND_ARCHIVE, NULL},
    {0, 2, "\x1f\x8b", KIND_ARCHIVE, NULL}, /* gzip */
    {0, 6,
     "\xfd"
     "7zXZ",
     KIND_ARCHIVE, NULL},                           /* with its NUL */
    {0, 4, "\x28\xb5\x2f\xfd", KIND_ARCHIVE, NULL}, /* zstd */
    {0, 3, "BZh", KIND_ARCHIVE, NULL},              /* bzip2 */
    {0, 4, "\x04\x22\x4d\x18", KIND_ARCHIVE, NULL}, /* lz4 */
};

/* What looks as if it could be one: why it is none. */
static const struct kind_refusal {
    u32 offset, len;
    const char *bytes, *says;
} kind_refusals[] = {
    {0, 4, "QFI\xfb",
     "a QCOW image; make a raw one (qemu-img convert -O raw), without "
     "partitions"},
    {0, 5, "07070", "a cpio archive; boot it with --initrd"},
    {510, 2, "\x55\xaa",
     "a disk with partitions; give one file system of it, or the disk as "
     "--disk"},
    {0, 2, "PK", "a zip archive; a tar archive is needed"},
};

static bool kind_has(const u8 *head, size_t len, u32 offset, u32 n,
                     const char *bytes)
{
    return offset + n <= len && memcmp(head + offset, bytes, n) == 0;
}

/* Archives older than "ustar" have no magic, but the sum of their header, with
 * spaces where it stands. */
static bool kind_is_old_tar(const u8 *head, size_t len)
{
    unsigned int sum = 0, said = 0;

    if (len < KIND_TAR || !head[0])
        return false;
    for (u32 i = 0; i < KIND_TAR; i++)
        sum += i >= 148 && i < 156 ? ' ' : head[i];
    for (u32 i = 148; i < 156; i++)
        if (head[i] >= '0' && head[i] <= '7')
            said = said * 8 + head[i] - '0';
    return sum == said;
}

static int kind_refuse(const char *path, const u8 *head, size_t len)
{
    const char *says = "neither a directory, nor a tar archive, nor a file "
                       "system that mote knows (ext4, squashfs, erofs, xfs, "
                       "btrfs)";

    for (size_t i = 0; i < ARRAY_SIZE(kind_refusals); i++) {
        const struct kind_refusal *f = &kind_refusals[i];

        if (kind_has(head, len, f->offset, f->len, f->bytes))
            return fail_rule(-EINVAL, "rootfs %s: is %s", path, f->says);
    }
    return fail_rule(-EINVAL, "rootfs %s: is %s", path,
                     len ? says : "an empty file");
}

static int kind_of_content(const char *path, int fd, enum kind *kind,
                           const char **type)
{
    u8 head[KIND_HEAD];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(head)) {
        n = pread(fd, head + len, sizeof(head) - len, (off_t)len);
        if (n < 0)
            return fail(-errno, "rootfs %s: read", path);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kind_magics); i++) {
        const struct kind_magic *m = &kind_magics[i];

        if (!kind_has(head, len, m->offset, m->len, m->bytes))
            continue;
        *kind = m->kind;
        *type = m->type;
        return 0;
    }
    *kind = KIND_ARCHIVE;
    return kind_is_old_tar(head, len) ? 0 : kind_refuse(path, head, len);
}

static int kind_of_dir(int fd, enum kind *kind)
{
    bool oci = faccessat(fd, "oci-layout", F_OK, 0) == 0;

    *kind = oci ? KIND_ARCHIVE : KIND_DIR;
    return 0;
}

int kind_of(const char *path, enum kind *kind, const char **type,
            struct stat *st)
{
    /* Not to hang on a FIFO. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int r;

    *type = NULL;
    if (fd < 0 || fstat(fd, st) < 0)
        r = fail(-errno, "rootfs %s", path);
    else if (S_ISDIR(st->st_mode))
        r = kind_of_dir(fd, kind);
    else if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
        r = kind_of_content(path, fd, kind, type);
    else
        r = fail_rule(-EINVAL,
                      "rootfs %s: is neither a directory nor a file with an "
                      "archive or a file system",
                      path);
    if (fd >= 0)
        close(fd);
    return r;
}

int rootfs_peek(const char *path, const char **what)
{
    enum kind kind = KIND_ARCHIVE;
    const char *type;
    struct stat st;
    int r = kind_of(path, &kind, &type, &st);

    if (r < 0)
        return r;
    *what = kind == KIND_DIR    ? "directory"
            : kind == KIND_DISK ? type
                                : "archive";
    return 0;
}
