/* SPDX-License-Identifier: Apache-2.0 */
/* source.c: the bytes of a configuration, from a file, stdin or a descriptor */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/config.h"

#define SOURCE_MAX MIB

/* "fd:7" is 7; -EINVAL for a number that is none. */
static int source_fd(const char *text)
{
    unsigned long fd;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    fd = strtoul(text, &end, 10);
    return errno || *end || fd > 1048576 ? -EINVAL : (int)fd;
}

/* The descriptor to read; *own: to be closed after. */
static int source_open(const char *source, const char **name, bool *own)
{
    int fd;

    *name = source;
    *own = false;
    if (strcmp(source, "-") == 0) {
        *name = "stdin";
        return STDIN_FILENO;
    }
    *own = true;
    if (strncmp(source, "fd:", 3) == 0) {
        fd = source_fd(source + 3);
        if (fd < 0)
            return fail_rule(fd, "%s: not a descriptor number", source);
        return fd;
    }
    fd = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? fail(-errno, "%s", source) : fd;
}

/* Up to SOURCE_MAX + 1 bytes, so that too long a text is seen. */
static ssize_t source_slurp(int fd, const char *name, char *buf)
{
    size_t len = 0;
    ssize_t n;

    while (len <= SOURCE_MAX) {
        n = read(fd, buf + len, SOURCE_MAX + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(-errno, "%s", name);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

int config_read(struct config *c, const char *source)
{
    char *buf = malloc(SOURCE_MAX + 1);
    const char *name;
    ssize_t len;
    bool own;
    int fd, r = -EINVAL;

    if (!buf)
        return fail(-ENOMEM, "%s", source);
    fd = source_open(source, &name, &own);
    if (fd < 0)
        goto free_buf;
    len = source_slurp(fd, name, buf);
    if (len >= 0)
        r = config_parse(c, name, buf, (size_t)len);
    if (own && fd > STDERR_FILENO)
        close(fd);
free_buf:
    free(buf);
    return r;
}
