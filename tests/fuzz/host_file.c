/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_file.c: a regular file without a kernel: bytes in memory, zeros where
 * nobody has written. overlay_file_open() finds it under any path, unlocked.
 * Descriptors that are none of ours go on to the kernel.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

#define FILE_ROOM (512 * KIB)

static struct {
    u64 size;
    u64 used; /* from here on all is zero */
    u8 data[FILE_ROOM];
} file;

ssize_t __real_preadv(int fd, const struct iovec *iov, int nr, off_t off);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int nr, off_t off);
int __real_fallocate(int fd, int mode, off_t off, off_t len);
int __real_ftruncate(int fd, off_t size);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_fstat(int fd, struct stat *st);
ssize_t __wrap_preadv(int fd, const struct iovec *iov, int nr, off_t off);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int nr, off_t off);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_overlay_file_open(const char *path, int *fd, int *dir_fd);

static void file_zero(u64 from, u64 to)
{
    to = MIN(to, file.used);
    if (from < to)
        memset(file.data + from, 0, to - from);
}

void fuzz_file_clear(void)
{
    file_zero(0, file.used);
    file.size = file.used = 0;
}

int __wrap_overlay_file_open(const char *path, int *fd, int *dir_fd)
{
    *fd = fuzz_file();
    *dir_fd = fuzz_file();
    return 0;
}

int __wrap_fstat(int fd, struct stat *st)
{
    if (!fuzz_is_file(fd))
        return __real_fstat(fd, st);
    *st = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)file.size};
    return 0;
}

int __wrap_ftruncate(int fd, off_t size)
{
    if (!fuzz_is_file(fd))
        return __real_ftruncate(fd, size);
    assert((u64)size <= FILE_ROOM);
    file_zero((u64)size, file.used);
    file.size = (u64)size;
    return 0;
}

int __wrap_fallocate(int fd, int mode, off_t off, off_t len)
{
    if (!fuzz_is_file(fd))
        return __real_fallocate(fd, mode, off, len);
    assert(mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
    file_zero((u64)off, (u64)off + (u64)len);
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return fuzz_is_file(fd) ? 0 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    return fuzz_is_file(fd) ? 0 : __real_fsync(fd);
}

ssize_t __wrap_preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
    u64 at = (u64)off, n;

    if (!fuzz_is_file(fd))
        return __real_preadv(fd, iov, nr, off);
    for (int i = 0; i < nr && at < file.size; i++, at += n) {
        n = MIN((u64)iov[i].iov_len, file.size - at);
        memcpy(iov[i].iov_base, file.data + at, n);
    }
    return (ssize_t)(at - (u64)off);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int nr, off_t off)
{
    u64 at = (u64)off;

    if (!fuzz_is_file(fd))
        return __real_pwritev(fd, iov, nr, off);
    for (int i = 0; i < nr; at += iov[i++].iov_len) {
        assert(at <= FILE_ROOM && iov[i].iov_len <= FILE_ROOM - at);
        memcpy(file.data + at, iov[i].iov_base, iov[i].iov_len);
    }
    file.size = MAX(file.size, at);
    file.used = MAX(file.used, at);
    return (ssize_t)(at - (u64)off);
}
