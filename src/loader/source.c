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

static int loader_file_check(struct loader_file *f)
{
    struct stat st;

    if (fstat(f->fd, &st) < 0)
        return fail(-errno, "%s %s", f->what, f->path);
    if (!S_ISREG(st.st_mode))
        return fail_rule(-EINVAL, "%s %s: is %s; a regular file is needed",
                         f->what, f->path, source_kind(st.st_mode));
    if (st.st_size == 0)
        return fail_rule(-ENOEXEC, "%s %s: the file is empty", f->what,
                         f->path);
    f->size = (u64)st.st_size;
    return 0;
}

int loader_file_open(struct loader_file *out, const char *what,
                     const char *path)
{
    int r;

    *out = (struct loader_file){.what = what, .path = path};
    /* Not to hang in open() on a FIFO nobody writes to. */
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (out->fd < 0)
        return fail(-errno, "%s %s", what, path);
    r = loader_file_check(out);
    if (r < 0)
        loader_file_close(out);
    return r;
}

void loader_file_close(struct loader_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

void source_init(struct source *src, const struct loader_file *file)
{
    *src = (struct source){
        .fd = file->fd,
        .what = file->what,
        .path = file->path,
        .end = file->size,
    };
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
