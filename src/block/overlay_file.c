/* SPDX-License-Identifier: Apache-2.0 */
/* overlay_file.c: where a layer is: a file of the operator's, or one of ours
 * without a name */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/temporary.h"

#include "lock.h"
#include "overlay.h"

int overlay_file_temporary(int *fd)
{
    *fd = temporary_file();
    return *fd < 0 ? fail(*fd, "overlay: a file in %s", temporary_dir()) : 0;
}

static int overlay_file_open_dir(const char *path, int *dir_fd)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int r = 0;

    if (!dir)
        return fail(-ENOMEM, "overlay %s", path);
    *dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        r = fail(-errno, "overlay %s: its directory", path);
    free(dir);
    return r;
}

int overlay_file_open(const char *path, int *fd, int *dir_fd)
{
    struct stat st;
    int r;

    *fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (*fd < 0)
        return fail(-errno, "overlay %s", path);
    if (fstat(*fd, &st) < 0)
        return fail(-errno, "overlay %s: stat", path);
    if (!S_ISREG(st.st_mode))
        return fail_rule(-EINVAL, "overlay %s: not a regular file", path);
    r = overlay_file_open_dir(path, dir_fd);
    return r < 0 ? r : lock_file(*fd, path, true);
}

void overlay_file_remove(const char *path, int fd, int dir_fd)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct stat ours, there;

    if (fstat(fd, &ours) < 0 || fstatat(dir_fd, name, &there, 0) < 0 ||
        ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
        return;
    if (unlinkat(dir_fd, name, 0) < 0)
        fail(-errno, "overlay %s: remove", path);
}
