/* SPDX-License-Identifier: Apache-2.0 */
/* io.c: loops around preadv, pwritev and fallocate that always get on */
#include <fcntl.h>
#include <unistd.h>

#include "io.h"

const u8 io_zeros[IO_ZERO_MAX];

unsigned int io_slice(struct io_vec v, u64 skip, u64 len, struct iovec *out,
                      unsigned int max, u64 *bytes)
{
    unsigned int n = 0;

    *bytes = 0;
    for (unsigned int i = 0; i < v.nr && n < max && *bytes < len; i++) {
        u64 part = v.iov[i].iov_len;

        if (skip >= part) {
            skip -= part;
            continue;
        }
        part = MIN(part - skip, len - *bytes);
        out[n++] = (struct iovec){(u8 *)v.iov[i].iov_base + skip, part};
        *bytes += part;
        skip = 0;
    }
    return n;
}

/* May this error be tried again? Bounded, or a file system with a fault could
 * hold the thread for ever. */
static bool io_again(unsigned int *tries)
{
    return (errno == EINTR || errno == EAGAIN) && (*tries)++ < IO_TRIES;
}

typedef ssize_t io_fn(int fd, const struct iovec *iov, int nr, off_t off);

static int io_all(io_fn *fn, int fd, struct io_vec v, u64 skip, u64 len,
                  u64 off)
{
    struct iovec part[IO_WINDOW];
    unsigned int nr, tries = 0;
    u64 bytes, done = 0;

    while (done < len) {
        ssize_t n;

        nr = io_slice(v, skip + done, len - done, part, IO_WINDOW, &bytes);
        n = fn(fd, part, (int)nr, (off_t)(off + done));
        if (n == 0)
            return -EIO;
        if (n < 0 && !io_again(&tries))
            return -errno;
        if (n > 0) {
            done += (u64)n;
            tries = 0;
        }
    }
    return 0;
}

int io_read(int fd, struct io_vec v, u64 skip, u64 len, u64 off)
{
    return io_all(preadv, fd, v, skip, len, off);
}

int io_write(int fd, struct io_vec v, u64 skip, u64 len, u64 off)
{
    return io_all(pwritev, fd, v, skip, len, off);
}

int io_read_buf(int fd, void *buf, u64 len, u64 off)
{
    struct iovec iov = {buf, len};

    return io_read(fd, (struct io_vec){&iov, 1}, 0, len, off);
}

/* An iovec knows no const; pwritev() only reads. */
static struct iovec io_const(const void *buf, u64 len)
{
    union {
        const void *in;
        void *out;
    } p = {.in = buf};

    return (struct iovec){p.out, len};
}

int io_write_buf(int fd, const void *buf, u64 len, u64 off)
{
    struct iovec iov = io_const(buf, len);

    return io_write(fd, (struct io_vec){&iov, 1}, 0, len, off);
}

int io_write_zeros(int fd, u64 len, u64 off)
{
    int r = 0;

    for (u64 done = 0; done < len && r == 0; done += IO_ZERO_MAX)
        r = io_write_buf(fd, io_zeros, MIN(len - done, IO_ZERO_MAX),
                         off + done);
    return r;
}

int io_fallocate(int fd, int mode, u64 off, u64 len)
{
    unsigned int tries = 0;

    while (fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
        if (!io_again(&tries))
            return errno == ENOSYS ? -EOPNOTSUPP : -errno;
    return 0;
}

int io_sync(int fd)
{
    unsigned int tries = 0;

    while (fdatasync(fd) < 0)
        if (!io_again(&tries))
            return -errno;
    return 0;
}
