/* SPDX-License-Identifier: Apache-2.0 */
/* cache_clean.c: the cache does not grow without end */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/clock.h"

#include "cache.h"

#define CLEAN_SOURCE                                                           \
    17u                  /* bytes of a name that tell the source: "0123...-"   \
                          */
#define CLEAN_DAYS  30   /* without use, then a file goes */
#define CLEAN_FILES 4096 /* of more the rest waits for the next time */

struct clean_file {
    char name[sizeof((struct cache *)0)->part];
    s64 used; /* ns; its mtime says so */
    u64 bytes;
};

struct clean {
    const struct cache *c;
    unsigned int nr;
    struct clean_file *file;
    u64 bytes; /* of all, c's own file, too */
};

static s64 clean_ns(s64 sec, s64 ns)
{
    return sec * 1000000000 + ns;
}

/* Who uses or makes it holds a lock. */
static bool clean_remove(const struct cache *c, const char *name)
{
    int fd = openat(c->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool gone = false;

    if (fd < 0)
        return false;
    if (cache_lock(fd, LOCK_EX | LOCK_NB) == 0 && cache_is_named(c, fd, name))
        gone = unlinkat(c->dir_fd, name, 0) == 0;
    close(fd);
    return gone;
}

static bool clean_ends(const char *name, const char *end)
{
    const char *dot = strrchr(name, '.');

    return dot && strcmp(dot, end) == 0;
}

/* Of the same source in another state; of one who died making it; or not used
 * for long. */
static bool clean_is_old(const struct cache *c, const struct clean_file *f)
{
    return strncmp(f->name, c->name, CLEAN_SOURCE) == 0 ||
           clean_ends(f->name, ".part") ||
           clean_ns(CLEAN_DAYS * 86400, 0) <
               (s64)clock_now_ns(CLOCK_REALTIME) - f->used;
}

static void clean_add(struct clean *clean, const char *name)
{
    const struct cache *c = clean->c;
    struct clean_file *f = &clean->file[clean->nr];
    struct stat st;

    if ((!clean_ends(name, ".rootfs") && !clean_ends(name, ".part")) ||
        strlen(name) >= sizeof(f->name) ||
        fstatat(c->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    *f = (struct clean_file){
        .used = clean_ns(st.st_mtim.tv_sec, st.st_mtim.tv_nsec),
        .bytes = (u64)st.st_blocks * 512};
    memcpy(f->name, name, strlen(name));
    clean->bytes += f->bytes;
    if (strcmp(name, c->name) != 0 && strcmp(name, c->part) != 0)
        clean->nr++;
}

static void clean_list(struct clean *clean)
{
    int fd = openat(clean->c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (clean->nr < CLEAN_FILES &&
           (d = readdir(dir))) /* NOLINT(concurrency-mt-unsafe): of our own */
        clean_add(clean, d->d_name);
    closedir(dir);
}

static int clean_by_use(const void *a, const void *b)
{
    const struct clean_file *x = a, *y = b;

    return (x->used > y->used) - (x->used < y->used);
}

void cache_clean(const struct cache *c)
{
    struct clean clean = {.c = c};

    clean.file = calloc(CLEAN_FILES, sizeof(*clean.file));
    if (!clean.file)
        return;
    clean_list(&clean);
    qsort(clean.file, clean.nr, sizeof(*clean.file), clean_by_use);
    for (unsigned int i = 0; i < clean.nr; i++) {
        const struct clean_file *f = &clean.file[i];
        bool over = c->max && clean.bytes > c->max;

        if ((over || clean_is_old(c, f)) && clean_remove(c, f->name))
            clean.bytes -= f->bytes;
    }
    free(clean.file);
}
