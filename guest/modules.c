/* SPDX-License-Identifier: Apache-2.0 */
/* modules.c: load kernel modules, in order */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/guest.h"

#include "modules.h"
#include "say.h"
#include "text.h"

#define MODULES_NAME 256 /* as readdir() has it */

/* EEXIST: it is built in or there already. ENODEV: nothing here for it to do,
 * as those say that drive a processor's instructions. */
static int modules_load_one(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    int r = 0;

    if (fd < 0)
        return say_error(errno, "module", name);
    if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST &&
        errno != ENODEV)
        r = say_error(errno, "module", name);
    close(fd);
    unlinkat(dir, name, 0);
    return r;
}

/* The name that comes after last; false: there is none. */
static bool modules_next(const char *last, char next[MODULES_NAME])
{
    DIR *dir = opendir(GUEST_MODULES);
    const struct dirent *e;

    next[0] = '\0';
    while (dir && (e = readdir(dir))) {
        if (e->d_name[0] != '.' && strcmp(e->d_name, last) > 0 &&
            (next[0] == '\0' || strcmp(e->d_name, next) < 0))
            snprintf(next, MODULES_NAME, "%s", e->d_name);
    }
    if (dir)
        closedir(dir);
    return next[0] != '\0';
}

int modules_load(u32 *which)
{
    int dir = open(GUEST_MODULES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char last[MODULES_NAME] = "", name[MODULES_NAME];
    int first = 0;

    if (dir < 0)
        return 0; /* a kernel that has all built in */
    while (modules_next(last, name)) {
        int r = modules_load_one(dir, name);

        if (first == 0 && r < 0) {
            first = r;
            *which = 0;
            text_number(name, name + strcspn(name, "-"), UINT32_MAX, which);
        }
        memcpy(last, name, sizeof(last));
    }
    close(dir);
    rmdir(GUEST_MODULES);
    return first;
}
