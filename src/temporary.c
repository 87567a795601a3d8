/* SPDX-License-Identifier: Apache-2.0 */
/* temporary.c: files without a name */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/temporary.h"

const char *temporary_dir(void)
{
    const char *dir = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */

    return dir && *dir ? dir : "/var/tmp";
}

/* Not every file system has O_TMPFILE. */
int temporary_file(void)
{
    const char *dir = temporary_dir();
    char path[PATH_MAX];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);

    if (fd >= 0)
        return fd;
    if ((size_t)snprintf(path, sizeof(path), "%s/mote-XXXXXX", dir) >=
        sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}
