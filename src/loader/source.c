/* SPDX-License-Identifier: Apache-2.0 */
/* source.c: kernel and initrd files, read in order, never past their end */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "load.h"

static const char *source_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFBLK:
    case S_IFCHR:
        return "a device";
    default:
        return "not a regular file";
    }
}

int source_open(struct source *src, const char *what, const char *path)
{
    struct stat st;
    int r;

    *src = (struct source){.what = what, .path = path};
    /* Not to hang in open() on a FIFO nobody writes to. */
    src->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (src->fd < 0)
        return fail(-errno, "%s %s", what, path);
    if (fstat(src->fd, &st) < 0) {
        r = fail(-errno, "%s %s", what, path);
        goto close_fd;
    }
    if (!S_ISREG(st.st_mode)) {
        r = fail_rule(-EINVAL, "%s %s: is %s; a regular file is needed", what,
                      path, source_kind(st.st_mode));
        goto close_fd;
    }
    if (st.st_size == 0) {
        r = source_bad(src, "the file is empty");
        goto close_fd;
    }
    src->end = (u64)st.st_size;
    return 0;

close_fd:
    source_close(src);
    return r;
}

void source_close(struct source *src)
{
    close(src->fd);
    src->fd = -1;
}

s64 source_read(struct source *src, void *buf, u64 len)
{
    u64 want = MIN(len, src->end - src->pos);
    u64 done = 0;
    ssize_t n;

    while (done < want) {
        n = pread(src->fd, (u8 *)buf + done, want - done, (off_t)src->pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(-errno, "%s %s: reading at byte %llu", src->what,
                        src->path, (unsigned long long)src->pos);
        if (n == 0)
            return source_bad(src, "shrank to %llu bytes while being read",
                              (unsigned long long)src->pos);
        done += (u64)n;
        src->pos += (u64)n;
    }
    return (s64)done;
}

int source_bad(const struct source *src, const char *fmt, ...)
{
    char text[256];
    va_list va;

    va_start(va, fmt);
    vsnprintf(text, sizeof(text), fmt, va);
    va_end(va);
    return fail_rule(-ENOEXEC, "%s %s: %s", src->what, src->path, text);
}
