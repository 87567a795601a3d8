/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c: images and archives that were made before */
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/temporary.h"

#include "cache.h"

#define CACHE_TRIES 10 /* to get one that others are about to replace */

/* ---- the directory --------------------------------------------------------
 */

static void cache_warn(const struct cache *c, const char *why)
{
    log_warn("cache %s: %s; %s is made anew at every start", c->dir, why,
             c->what);
}

/* dir and what is missing above it. */
static void cache_make_dirs(const char *dir)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);

    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i])
            continue;
        path[i] = '\0';
        mkdir(path, 0700); /* what fails here fails once more in open() */
        path[i] = dir[i];
    }
}

/* Who may write there decides what guests run. */
static void cache_open_dir(struct cache *c, const char *dir)
{
    char text[128];
    struct stat st;
    int fd;

    snprintf(c->dir, sizeof(c->dir), "%s", dir);
    cache_make_dirs(c->dir);
    fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(text, sizeof(text), "%s", strerrordesc_np(errno));
        cache_warn(c, text);
    } else if (st.st_uid != geteuid() || st.st_mode & 022) {
        snprintf(text, sizeof(text),
                 "of uid %u, mode %04o: it has to be writable by uid %u alone",
                 st.st_uid, st.st_mode & 07777, geteuid());
        cache_warn(c, text);
    } else {
        c->dir_fd = fd;
        return;
    }
    if (fd >= 0)
        close(fd);
}

/* Of the source, so that what was made of it before can be found; and of its
 * state. */
void cache_name(struct cache *c, const u8 print[32])
{
    char *path = realpath(c->what, NULL);
    const char *source = path ? path : c->what;
    u8 id[SHA256_DIGEST_LENGTH];
    char hex_id[17], hex_print[33];
    SHA2_CTX sha;

    SHA256Init(&sha);
    SHA256Update(&sha, (const u8 *)source, strlen(source));
    SHA256Final(id, &sha);
    *hex_put(hex_id, id, 8) = '\0';
    *hex_put(hex_print, print, 16) = '\0';
    snprintf(c->name, sizeof(c->name), "%s-%s.rootfs", hex_id, hex_print);
    snprintf(c->part, sizeof(c->part), "%s-%s.part", hex_id, hex_print);
    free(path);
}

void cache_open(struct cache *c, const char *dir, u64 max, const char *what)
{
    *c = (struct cache){.what = what, .dir_fd = -1, .max = max};
    if (dir && strlen(dir) < sizeof(c->dir))
        cache_open_dir(c, dir);
}

void cache_close(struct cache *c)
{
    if (c->dir_fd >= 0)
        close(c->dir_fd);
    c->dir_fd = -1;
}

/* ---- finding ---------------------------------------------------------------
 */

int cache_lock(int fd, int how)
{
    int r;

    do
        r = flock(fd, how);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

bool cache_is_named(const struct cache *c, int fd, const char *name)
{
    struct stat ours, there;

    return fstat(fd, &ours) == 0 &&
           fstatat(c->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int cache_find(struct cache *c)
{
    int fd;

    if (c->dir_fd < 0)
        return -ENOENT;
    for (int i = 0; i < CACHE_TRIES; i++) {
        fd = openat(c->dir_fd, c->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return -ENOENT;
        if (cache_lock(fd, LOCK_SH) == 0 && cache_is_named(c, fd, c->name)) {
            futimens(fd, NULL); /* when it was last used */
            return fd;
        }
        close(fd); /* removed, or replaced, before we had it */
    }
    return -ENOENT;
}

/* ---- making ----------------------------------------------------------------
 */

static int cache_temporary(const struct cache *c)
{
    int fd = temporary_file();

    if (fd >= 0)
        return fd;
    return fail(fd,
                "rootfs %s: a file for its image in %s; let $TMPDIR be "
                "elsewhere",
                c->what, temporary_dir());
}

/* Exclusive: another process that makes the same is waited for. */
static int cache_lock_part(const struct cache *c, int fd)
{
    if (cache_lock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    fprintf(stderr,
            "mote: %s: waiting for another mote, which makes the same "
            "image of it\n",
            c->what);
    return cache_lock(fd, LOCK_EX);
}

static int cache_open_part(struct cache *c)
{
    int fd = openat(c->dir_fd, c->part,
                    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return -errno;
    r = cache_lock_part(c, fd);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

int cache_begin(struct cache *c, bool *found)
{
    int fd = -ENOENT;

    *found = false;
    for (int i = 0; c->dir_fd >= 0 && i < CACHE_TRIES; i++) {
        fd = cache_open_part(c);
        if (fd < 0)
            break;
        if (cache_is_named(c, fd, c->part) && ftruncate(fd, 0) == 0)
            return fd;
        close(fd); /* its maker has renamed it, or given up */
        fd = cache_find(c);
        *found = fd >= 0;
        if (*found)
            return fd;
    }
    if (c->dir_fd >= 0)
        cache_warn(c, strerrordesc_np(-fd));
    cache_close(c);
    return cache_temporary(c);
}

/* The lock stays, for the old descriptor is closed last. */
static int cache_read_only(const struct cache *c, int fd)
{
    char path[32];
    int only;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    only = open(path, O_RDONLY | O_CLOEXEC);
    if (only < 0)
        return fail(-errno, "rootfs %s: %s", c->what, path);
    cache_lock(fd, LOCK_SH);
    cache_lock(only, LOCK_SH);
    close(fd);
    return only;
}

int cache_commit(struct cache *c, int fd)
{
    if (c->dir_fd < 0)
        return cache_read_only(c, fd);
    if (fdatasync(fd) < 0 ||
        renameat(c->dir_fd, c->part, c->dir_fd, c->name) < 0)
        return fail(-errno, "cache %s: %s", c->dir, c->part);
    fsync(c->dir_fd); /* if not, it is made again */
    cache_clean(c);
    return cache_read_only(c, fd);
}

void cache_abort(struct cache *c, int fd)
{
    if (c->dir_fd >= 0)
        unlinkat(c->dir_fd, c->part, 0);
    close(fd);
}

char *cache_path(const struct cache *c, int fd)
{
    char *path;
    int n;

    if (c->dir_fd >= 0 && cache_is_named(c, fd, c->name))
        n = asprintf(&path, "%s/%s", c->dir, c->name);
    else
        n = asprintf(&path, "/proc/self/fd/%d", fd);
    return n < 0 ? NULL : path;
}
