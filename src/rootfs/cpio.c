/* SPDX-License-Identifier: Apache-2.0 */
/* cpio.c: archives of the form "newc" */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/cpio.h"
#include "mote/log.h"

#define CPIO_BUF    (256 * KIB)
#define CPIO_HEADER 110 /* "070701" and 13 numbers of 8 digits */
#define CPIO_BIG    (64 * KIB)

static void cpio_flush(struct cpio *c)
{
    size_t done = 0;
    ssize_t n;

    while (c->err == 0 && done < c->used) {
        n = write(c->fd, c->buf + done, c->used - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            c->err = fail(-errno, "initramfs: write");
    }
    c->used = 0;
}

static void cpio_put(struct cpio *c, const void *bytes, u64 len)
{
    while (c->err == 0 && len) {
        size_t n = MIN(len, CPIO_BUF - c->used);

        memcpy(c->buf + c->used, bytes, n);
        c->used += n;
        c->written += n;
        bytes = (const u8 *)bytes + n;
        len -= n;
        if (c->used == CPIO_BUF)
            cpio_flush(c);
    }
}

static void cpio_zeros(struct cpio *c, u64 len)
{
    static const u8 zeros[4096];

    for (; c->err == 0 && len; len -= MIN(len, sizeof(zeros)))
        cpio_put(c, zeros, MIN(len, sizeof(zeros)));
}

/* Headers and contents begin at multiples of 4, counted from the start of the
 * archive. */
static void cpio_align(struct cpio *c)
{
    cpio_zeros(c, -c->written & 3);
}

/* What the format, or the kernel's reader of it, cannot take. */
static bool cpio_check(struct cpio *c, const char *name, u32 mode, u64 len)
{
    if (c->err)
        return false;
    if (strlen(name) >= PATH_MAX)
        c->err = fail_rule(-ENAMETOOLONG,
                           "initramfs: %.64s...: a name of %zu bytes; %d are "
                           "the most",
                           name, strlen(name), PATH_MAX - 1);
    else if (S_ISLNK(mode) && len >= PATH_MAX)
        c->err = fail_rule(-ENAMETOOLONG,
                           "initramfs: %s: a symbolic link of %llu bytes", name,
                           (unsigned long long)len);
    else if (len > UINT32_MAX)
        c->err = fail_rule(-EFBIG,
                           "initramfs: %s: has %llu MiB; files of an initramfs "
                           "are below 4096",
                           name, (unsigned long long)(len / MIB));
    return c->err == 0;
}

static void cpio_header(struct cpio *c, const char *name,
                        const struct cpio_attr *a, u64 len)
{
    char text[CPIO_HEADER + 1];
    size_t name_size = strlen(name) + 1;

    c->nr++;
    snprintf(text, sizeof(text),
             "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             a->ino ? a->ino : c->nr, a->mode, a->uid, a->gid,
             a->nlink ? a->nlink : 1, (u32)MIN(a->mtime, (u64)UINT32_MAX),
             (u32)len, 0, 0, a->major, a->minor, (u32)name_size, 0);
    cpio_put(c, text, CPIO_HEADER);
    cpio_put(c, name, name_size);
    cpio_align(c);
}

void cpio_begin(struct cpio *c, int fd)
{
    *c = (struct cpio){.fd = fd, .buf = malloc(CPIO_BUF)};
    if (!c->buf)
        c->err = fail(-ENOMEM, "initramfs");
}

void cpio_add(struct cpio *c, const char *name, const struct cpio_attr *attr,
              const void *bytes, u64 len)
{
    if (!cpio_check(c, name, attr->mode, len))
        return;
    cpio_header(c, name, attr, len);
    cpio_put(c, bytes, len);
    cpio_align(c);
}

/* Without a copy through this process; what could not be sent is left to
 * cpio_copy(). Returns the bytes sent. */
static u64 cpio_send(struct cpio *c, int from, u64 offset, u64 len)
{
    off_t at = (off_t)offset;
    u64 done = 0;
    ssize_t n = 1;

    cpio_flush(c);
    while (c->err == 0 && done < len && n > 0) {
        n = sendfile(c->fd, from, &at, len - done);
        done += n > 0 ? (u64)n : 0;
    }
    c->written += done;
    return done;
}

/* Returns the bytes copied: fewer where the file ends. */
static u64 cpio_copy(struct cpio *c, const char *name, int from, u64 offset,
                     u64 len)
{
    u64 done = 0;
    ssize_t n;

    while (c->err == 0 && done < len) {
        n = pread(from, c->buf + c->used, MIN(len - done, CPIO_BUF - c->used),
                  (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            c->err = fail(-errno, "initramfs: %s: read", name);
        if (n <= 0)
            break;
        done += (u64)n;
        c->used += (size_t)n;
        c->written += (u64)n;
        if (c->used == CPIO_BUF)
            cpio_flush(c);
    }
    return done;
}

void cpio_add_fd(struct cpio *c, const char *name, const struct cpio_attr *attr,
                 int from, u64 offset, u64 len)
{
    u64 done = 0;

    if (!cpio_check(c, name, attr->mode, len))
        return;
    cpio_header(c, name, attr, len);
    if (len >= CPIO_BIG)
        done = cpio_send(c, from, offset, len);
    done += cpio_copy(c, name, from, offset + done, len - done);
    if (c->err == 0 && done < len)
        log_warn("%s: became shorter while it was read; zeros follow byte %llu",
                 name, (unsigned long long)done);
    cpio_zeros(c, len - done);
    cpio_align(c);
}

int cpio_end(struct cpio *c)
{
    static const struct cpio_attr none;

    if (c->err == 0) {
        cpio_header(c, "TRAILER!!!", &none, 0);
        cpio_flush(c);
    }
    free(c->buf);
    c->buf = NULL;
    return c->err;
}
