/* SPDX-License-Identifier: Apache-2.0 */
/* text.h: reading small texts; the C library's ways would be half of init */
#ifndef MOTE_GUEST_TEXT_H
#define MOTE_GUEST_TEXT_H

#include <fcntl.h>
#include <unistd.h>

#include "mote/base.h"

/* Decimal digits from text to end, and nothing else, up to max. */
static inline bool text_number(const char *text, const char *end, u32 max,
                               u32 *out)
{
    u64 v = 0;

    if (text == end)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (u64)(*text - '0');
        if (v > max)
            return false;
    }
    *out = (u32)v;
    return true;
}

/* As much of a file as fits, ended by a NUL; empty if it cannot be read. */
static inline void text_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    while (fd >= 0 && len < size - 1 &&
           (n = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    if (fd >= 0)
        close(fd);
}

/* Cuts the first line off *rest; NULL: there is none. */
static inline char *text_line(char **rest)
{
    char *line = *rest;

    if (*line == '\0')
        return NULL;
    *rest += strcspn(line, "\n");
    if (**rest)
        *(*rest)++ = '\0';
    return line;
}

#endif
