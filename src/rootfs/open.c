/* SPDX-License-Identifier: Apache-2.0 */
/* open.c: what a path names, as a file to boot from */
#include <sha2.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"

#include "cache.h"
#include "command.h"
#include "kind.h"
#include "saved.h"
#include "tree.h"

/* A file that changes within the tick of its file system's clock in which it
 * was read shows the same time after it. */
#define OPEN_TICK_NS 20000000
#define OPEN_TRIES   5

struct opening {
    struct rootfs *out;
    const struct rootfs_options *opt;
    struct rootfs_tree tree;
    struct cache cache;
};

/* ---- an initramfs -------------------------------------------------------- */

static int open_memory(struct opening *o)
{
    o->out->kind = ROOTFS_CPIO;
    o->out->fd = memfd_create("rootfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return o->out->fd < 0 ? fail(-errno, "rootfs %s", o->opt->path) : 0;
}

static int open_as_cpio(struct opening *o)
{
    int r = open_memory(o);

    if (r == 0)
        r = rootfs_to_cpio(&o->tree, o->out->fd);
    if (r == 0)
        o->out->size = (u64)lseek(o->out->fd, 0, SEEK_CUR);
    return r;
}

static int open_copy(struct opening *o, int fd, u64 size)
{
    off_t at = 0;
    ssize_t n;
    int r = open_memory(o);

    while (r == 0 && (u64)at < size) {
        n = sendfile(o->out->fd, fd, &at, size - (u64)at);
        if (n <= 0)
            r = fail(n < 0 ? -errno : -EIO, "rootfs %s: %s/%s", o->opt->path,
                     o->cache.dir, o->cache.name);
    }
    o->out->size = size;
    return r;
}

/* ---- files of the cache -------------------------------------------------- */

/* Take what is in the file, which is complete; fd is gone or the product's.
 * -ENOENT: it is of no use here. */
static int open_use(struct opening *o, int fd)
{
    struct rootfs *out = o->out;
    struct saved s;
    int r = saved_read(fd, &s);

    if (r == 0 && (s.bytes > o->opt->cpio_max) != (s.kind == ROOTFS_IMAGE))
        r = -ENOENT;
    if (r < 0) {
        command_free(&s.command);
        close(fd);
        return r;
    }
    command_free(&out->command);
    out->command = s.command;
    out->size = s.size;
    if (s.kind == ROOTFS_CPIO) {
        r = open_copy(o, fd, s.size);
        close(fd);
        return r;
    }
    out->kind = ROOTFS_IMAGE;
    out->type = "ext4";
    out->fd = fd;
    out->path = cache_path(&o->cache, fd);
    return out->path ? 0 : fail(-ENOMEM, "rootfs %s", o->opt->path);
}

static int open_cached(struct opening *o)
{
    int fd = cache_find(&o->cache);

    return fd < 0 ? fd : open_use(o, fd);
}

static int open_fill(struct opening *o, int fd)
{
    bool image = o->tree.bytes > o->opt->cpio_max;
    struct saved s = {
        .kind = image ? ROOTFS_IMAGE : ROOTFS_CPIO,
        .bytes = o->tree.bytes,
        .command = o->out->command,
    };
    int r = image ? rootfs_to_ext4(&o->tree, fd) : rootfs_to_cpio(&o->tree, fd);

    if (r < 0)
        return r;
    s.size = (u64)lseek(fd, 0, SEEK_END);
    r = saved_write(fd, &s);
    return r < 0 ? fail(r, "rootfs %s: its image", o->opt->path) : 0;
}

/* Of the tree, into the cache or a file without a name. */
static int open_make(struct opening *o)
{
    bool found;
    int fd = cache_begin(&o->cache, &found), r;

    if (fd < 0)
        return fd;
    if (found) {
        r = open_use(o, fd);
        if (r != -ENOENT)
            return r;
        cache_close(&o->cache); /* made by another one, for other limits */
        return open_make(o);
    }
    r = open_fill(o, fd);
    if (r == 0)
        r = cache_commit(&o->cache, fd);
    if (r >= 0)
        return open_use(o, r);
    cache_abort(&o->cache, fd);
    return r;
}

/* Did the last change come so long ago that another one will be seen? If not,
 * it has when this returns. */
static bool open_settled(s64 changed)
{
    const struct timespec tick = {.tv_nsec = OPEN_TICK_NS};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec * 1000000000 + now.tv_nsec - changed > OPEN_TICK_NS)
        return true;
    nanosleep(&tick, NULL);
    return false;
}

/* ---- what there is ------------------------------------------------------- */

/* A directory that never comes to rest is not kept. */
static int open_dir(struct opening *o)
{
    bool settled = false;
    int r = -ENOENT;

    for (int i = 0; r == -ENOENT && !settled; i++) {
        rootfs_tree_fini(&o->tree);
        r = rootfs_from_dir(&o->tree, o->opt->path);
        if (r < 0)
            return r;
        if (o->tree.bytes <= o->opt->cpio_max)
            return open_as_cpio(o);
        if (i == 0)
            cache_open(&o->cache, o->opt->cache_dir, o->opt->cache_max,
                       o->opt->path);
        if (i == OPEN_TRIES)
            cache_close(&o->cache);
        cache_name(&o->cache, o->tree.print);
        r = open_cached(o);
        if (r == -ENOENT)
            settled = o->cache.dir_fd < 0 || open_settled(o->tree.changed);
    }
    return r == -ENOENT ? open_make(o) : r;
}

/* The archive's, without reading it; of an OCI layout, all files'. */
static int open_archive_print(const struct opening *o, u8 print[32],
                              s64 *changed)
{
    struct rootfs_tree t = {.what = o->opt->path, .dir_fd = -1, .spool = -1};
    struct stat st;
    SHA2_CTX sha;
    int r;

    if (stat(o->opt->path, &st) < 0)
        return fail(-errno, "rootfs %s", o->opt->path);
    if (S_ISDIR(st.st_mode)) {
        r = rootfs_from_dir(&t, o->opt->path);
        memcpy(print, t.print, sizeof(t.print));
        *changed = t.changed;
        rootfs_tree_fini(&t);
        return r;
    }
    const s64 of[] = {(s64)st.st_dev,    (s64)st.st_ino,     st.st_size,
                      st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
                      st.st_ctim.tv_nsec};
    SHA256Init(&sha);
    SHA256Update(&sha, (const u8 *)of, sizeof(of));
    SHA256Final(print, &sha);
    *changed = st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
    return 0;
}

static int open_archive(struct opening *o)
{
    const char *path = o->opt->path;
    s64 changed = 0;
    u8 print[32];
    int r, tries = 0;

    do
        r = open_archive_print(o, print, &changed);
    while (r == 0 && !open_settled(changed) && ++tries < OPEN_TRIES);
    if (r < 0)
        return r;
    cache_open(&o->cache, tries < OPEN_TRIES ? o->opt->cache_dir : NULL,
               o->opt->cache_max, path);
    cache_name(&o->cache, print);
    r = open_cached(o);
    if (r != -ENOENT)
        return r;
    r = rootfs_from_archive(&o->tree, path, o->opt->jail, &o->out->command);
    if (r < 0)
        return r;
    if (o->cache.dir_fd < 0 && o->tree.bytes <= o->opt->cpio_max)
        return open_as_cpio(o);
    return open_make(o);
}

static int open_disk(struct opening *o, const char *type, const struct stat *st)
{
    *o->out = (struct rootfs){
        .kind = ROOTFS_DISK,
        .fd = -1,
        .path = strdup(o->opt->path),
        .type = type,
        .size = (u64)st->st_size,
    };
    return o->out->path ? 0 : fail(-ENOMEM, "rootfs %s", o->opt->path);
}

int rootfs_open(struct rootfs *out, const struct rootfs_options *opt)
{
    struct opening o = {
        .out = out,
        .opt = opt,
        .tree = {.what = opt->path, .dir_fd = -1, .spool = -1},
        .cache = {.dir_fd = -1},
    };
    const char *type;
    struct stat st;
    enum kind kind;
    int r;

    *out = (struct rootfs){.fd = -1};
    r = kind_of(opt->path, &kind, &type, &st);
    if (r < 0)
        return r;
    if (kind == KIND_DISK)
        r = open_disk(&o, type, &st);
    else
        r = kind == KIND_DIR ? open_dir(&o) : open_archive(&o);
    rootfs_tree_fini(&o.tree);
    cache_close(&o.cache);
    if (r < 0)
        rootfs_close(out);
    return r;
}

void rootfs_close(struct rootfs *r)
{
    if (r->fd >= 0)
        close(r->fd);
    free(r->path);
    command_free(&r->command);
    *r = (struct rootfs){.fd = -1};
}
