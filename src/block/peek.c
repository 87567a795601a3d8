/* SPDX-License-Identifier: Apache-2.0 */
/* peek.c: an image is looked at, and nobody notices */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/disk.h"

#include "lock.h"

/* A block device has its size at its end, as a file. */
static int peek_fd(struct raw_peek *out, int fd, bool read_only)
{
    struct stat st;
    off_t end;

    if (fstat(fd, &st) < 0)
        return -errno;
    out->block_dev = S_ISBLK(st.st_mode);
    if (!out->block_dev && !S_ISREG(st.st_mode))
        return -EINVAL;
    end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        return -errno;
    out->bytes = (u64)end;
    out->busy = lock_peek(fd, !read_only, &out->holder);
    return 0;
}

/* Never opened for writing: udev would take the end of that for news of a block
 * device. */
int raw_peek(struct raw_peek *out, const struct raw_options *opt)
{
    int fd = open(opt->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int r;

    *out = (struct raw_peek){0};
    if (fd < 0)
        return -errno;
    r = peek_fd(out, fd, opt->read_only);
    close(fd);
    return r;
}
