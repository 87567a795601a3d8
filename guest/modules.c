/* SPDX-License-Identifier: Apache-2.0 */
/* modules.c: load kernel modules, in order */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/guest.h"

#include "modules.h"
#include "say.h"

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

int modules_load(u32 *which)
{
    int dir = open(GUEST_MODULES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent **entry;
    int n, first = 0;

    if (dir < 0)
        return 0; /* a kernel that has all built in */
    n = scandir(GUEST_MODULES, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entry[i]->d_name;
        int r = name[0] == '.' ? 0 : modules_load_one(dir, name);

        if (first == 0 && r < 0) {
            first = r;
            *which = (u32)strtoul(name, NULL, 10);
        }
    }
    close(dir);
    rmdir(GUEST_MODULES);
    return n < 0 ? say_error(ENOMEM, "list of", GUEST_MODULES) : first;
}
