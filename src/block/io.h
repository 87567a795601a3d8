/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h: whole transfers on files: what the kernel does in parts, or not at
 * all, is gone on with until it is done or has failed. Everything returns 0 or
 * a negative errno and reports nothing.
 */
#ifndef MOTE_BLOCK_IO_H
#define MOTE_BLOCK_IO_H

#include <sys/uio.h>

#include "mote/base.h"

#define IO_WINDOW   128u       /* vectors of one system call */
#define IO_ZERO_MAX (64 * KIB) /* zeros at hand */
#define IO_TRIES    1000u      /* interruptions in a row */

extern const u8 io_zeros[IO_ZERO_MAX];

struct io_vec {
    const struct iovec *iov;
    unsigned int nr;
};

/* The bytes [skip, skip + len) of v, or their first part, as at most max
 * vectors in out. Returns the vectors; *bytes: what they cover. */
unsigned int io_slice(struct io_vec v, u64 skip, u64 len, struct iovec *out,
                      unsigned int max, u64 *bytes);

/* len bytes of v from skip on, at off of fd. Reading past the end: -EIO. */
int io_read(int fd, struct io_vec v, u64 skip, u64 len, u64 off);
int io_write(int fd, struct io_vec v, u64 skip, u64 len, u64 off);

int io_read_buf(int fd, void *buf, u64 len, u64 off);
int io_write_buf(int fd, const void *buf, u64 len, u64 off);
int io_write_zeros(int fd, u64 len, u64 off);

/* fallocate(2); -EOPNOTSUPP where the file system does not know the mode. */
int io_fallocate(int fd, int mode, u64 off, u64 len);
int io_sync(int fd);

#endif
