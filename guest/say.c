/* SPDX-License-Identifier: Apache-2.0 */
/* say.c: messages into the kernel's log */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "say.h"

#define SAY_PREFIX "<3>mote-init: " /* KERN_ERR */
#define SAY_LEVEL  3                /* characters of the prefix that are it */

void say(const char *fmt, ...)
{
    char line[256] = SAY_PREFIX;
    const size_t room = sizeof(line) - sizeof(SAY_PREFIX);
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    size_t skip = fd < 0 ? SAY_LEVEL : 0;
    va_list args;
    size_t len;

    va_start(args, fmt);
    vsnprintf(line + sizeof(SAY_PREFIX) - 1, room, fmt, args);
    va_end(args);
    len = strlen(line);
    line[len++] = '\n';
    (void)!write(fd < 0 ? STDERR_FILENO : fd, line + skip, len - skip);
    if (fd >= 0)
        close(fd);
}

int say_error(int err, const char *what, const char *which)
{
    say("%s %s: %s", what, which, strerror(abs(err)));
    return -abs(err);
}
