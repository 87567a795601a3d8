/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c: OFD locks, and a search of /proc for the one who holds one */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"

#include "lock.h"

#define LOCK_PATH     320
#define LOCK_TRIES    100u
#define LOCK_PAUSE_NS 10000000

/* A line such as "lock:  1: OFDLCK  ADVISORY  WRITE -1 08:01:1234 0 EOF" of
 * /proc/PID/fdinfo/N. */
static bool lock_line_matches(const char *line, const struct stat *st)
{
    unsigned int major, minor;
    unsigned long long ino;

    return sscanf(line, "lock: %*d: OFDLCK %*s %*s %*d %x:%x:%llu", &major,
                  &minor, &ino) == 3 &&
           major == major(st->st_dev) && minor == minor(st->st_dev) &&
           ino == st->st_ino;
}

static bool lock_in_fdinfo(const char *path, const struct stat *st)
{
    char line[256];
    bool found = false;
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f))
        found = lock_line_matches(line, st);
    fclose(f);
    return found;
}

static bool lock_held_by(const char *pid, const struct stat *st)
{
    char path[LOCK_PATH];
    struct dirent *e;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%.20s/fdinfo", pid);
    dir = opendir(path);
    if (!dir)
        return false;
    while (!found && (e = readdir(dir))) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", pid,
                 e->d_name);
        found = lock_in_fdinfo(path, st);
    }
    closedir(dir);
    return found;
}

/* The kernel gives no process for an OFD lock (F_OFD_GETLK and /proc/locks
 * say -1), but every descriptor lists the locks it carries. 0: not seen. */
static long lock_holder(int fd)
{
    struct dirent *e;
    struct stat st;
    long pid = 0;
    DIR *dir;

    if (fstat(fd, &st) < 0)
        return 0;
    dir = opendir("/proc");
    if (!dir)
        return 0;
    while (pid == 0 && (e = readdir(dir)))
        if (isdigit((unsigned char)e->d_name[0]) &&
            lock_held_by(e->d_name, &st))
            pid = strtol(e->d_name, NULL, 10);
    closedir(dir);
    return pid;
}

/* -EBUSY and *pid, or another negative errno. What belonged to a process that
 * was killed may be held for a moment by the kernel itself, which is still
 * taking its io_uring apart: nobody is seen then, and it is worth a wait. */
static int lock_try(int fd, bool exclusive, long *pid)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    struct flock fl = {.l_type = exclusive ? F_WRLCK : F_RDLCK,
                       .l_whence = SEEK_SET};

    for (unsigned int i = 0; i < LOCK_TRIES; i++) {
        if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        *pid = lock_holder(fd);
        if (*pid)
            break;
        nanosleep(&pause, NULL);
    }
    return -EBUSY;
}

static int lock_busy(const char *path, bool exclusive, long pid)
{
    const char *hint = exclusive ? "" : " for writing";

    if (pid)
        return fail_rule(-EBUSY, "disk %s: in use%s by process %ld", path, hint,
                         pid);
    return fail_rule(-EBUSY, "disk %s: in use%s by another process", path,
                     hint);
}

int lock_file(int fd, const char *path, bool exclusive)
{
    long pid = 0;
    int r = lock_try(fd, exclusive, &pid);

    if (r == -EBUSY)
        return lock_busy(path, exclusive, pid);
    if (r == 0 || (r != -ENOLCK && r != -EOPNOTSUPP && r != -EINVAL))
        return r < 0 ? fail(r, "disk %s: lock", path) : 0;
    log_warn("disk %s: cannot be locked (%s): nothing keeps another process "
             "from using it",
             path, errno_name(r));
    return 0;
}

bool lock_peek(int fd, bool exclusive, long *pid)
{
    struct flock fl = {.l_type = exclusive ? F_WRLCK : F_RDLCK,
                       .l_whence = SEEK_SET};

    *pid = 0;
    if (fcntl(fd, F_OFD_GETLK, &fl) < 0 || fl.l_type == F_UNLCK)
        return false;
    *pid = lock_holder(fd);
    return true;
}

void lock_release(int fd)
{
    struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    fcntl(fd, F_OFD_SETLK, &fl);
}
