/* SPDX-License-Identifier: Apache-2.0 */
/* dir.c: a directory of the host as a tree; contents stay in its files */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <sha2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mote/log.h"

#include "tree.h"

struct dir_walk {
    struct rootfs_tree *tree;
    SHA2_CTX sha;
    void *linked; /* tsearch(): first names of files with several */
    uid_t uid;
    gid_t gid;
};

struct dir_entry {
    struct rootfs_node *dir;
    int dir_fd;
    char *name;
    struct stat st;
};

/* What of a file changes whenever its content or its attributes do: st_ctime
 * with everything, and nobody can set it. */
struct dir_print {
    u64 dev, ino, size, mtime, ctime, rdev;
    u32 mode, uid, gid, name_len;
};

static s64 dir_ns(struct timespec t)
{
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void dir_print_add(struct dir_walk *w, const char *name,
                          const struct stat *st)
{
    struct dir_print p = {
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = (u64)st->st_size,
        .mtime = (u64)dir_ns(st->st_mtim),
        .ctime = (u64)dir_ns(st->st_ctim),
        .rdev = st->st_rdev,
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .name_len = (u32)strlen(name),
    };

    SHA256Update(&w->sha, (const u8 *)&p, sizeof(p));
    SHA256Update(&w->sha, (const u8 *)name, p.name_len);
    w->tree->changed = MAX(w->tree->changed, dir_ns(st->st_ctim));
}

/* Its path in the tree, "./etc/shadow", without an end that is too long. */
static void dir_entry_path(const struct dir_entry *e,
                           char path[ROOTFS_PATH + 1])
{
    size_t len, name_len = strlen(e->name);

    rootfs_path(e->dir, path);
    len = strlen(path);
    if (len + 1 + name_len > ROOTFS_PATH)
        return;
    path[len] = '/';
    memcpy(path + len + 1, e->name, name_len + 1);
}

static int dir_fail(const struct dir_walk *w, const struct dir_entry *e,
                    int err)
{
    char path[ROOTFS_PATH + 1];

    dir_entry_path(e, path);
    return fail(err, "rootfs %s: %s", w->tree->what, path);
}

/* Most may be read by all; who is not let in shall know before a long copy. */
static int dir_check_access(const struct dir_walk *w, const struct dir_entry *e)
{
    u32 need = S_ISDIR(e->st.st_mode) ? 0555 : 0444;
    int how = S_ISDIR(e->st.st_mode) ? R_OK | X_OK : R_OK;
    char path[ROOTFS_PATH + 1];

    if ((!S_ISDIR(e->st.st_mode) && !S_ISREG(e->st.st_mode)) ||
        (e->st.st_mode & need) == need ||
        faccessat(e->dir_fd, e->name, how, AT_EACCESS) == 0)
        return 0;
    dir_entry_path(e, path);
    return fail(-errno,
                "rootfs %s: %s (mode %04o of uid %u) may not be read by uid "
                "%u; start mote as who made the directory, or give a tar "
                "archive of it",
                w->tree->what, path, e->st.st_mode & 07777, e->st.st_uid,
                w->uid);
}

static int dir_compare_files(const void *a, const void *b)
{
    const struct rootfs_node *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void dir_fill(const struct dir_walk *w, const struct dir_entry *e,
                     struct rootfs_node *n)
{
    const struct stat *st = &e->st;

    n->name = e->name;
    n->mode = st->st_mode;
    n->uid = st->st_uid == w->uid ? 0 : st->st_uid;
    n->gid = w->uid && st->st_gid == w->gid ? 0 : st->st_gid;
    n->mtime = st->st_mtim.tv_sec > 0 ? (u64)st->st_mtim.tv_sec : 0;
    n->dev = st->st_dev;
    n->inode = st->st_ino;
    if (S_ISREG(st->st_mode))
        n->size = (u64)st->st_size;
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        n->major = major(st->st_rdev);
        n->minor = minor(st->st_rdev);
    }
}

/* A file with several names: the first one found stands for it. */
static int dir_add_linked(struct dir_walk *w, const struct dir_entry *e,
                          struct rootfs_node *like)
{
    struct rootfs_node **found = tfind(like, &w->linked, dir_compare_files);
    struct rootfs_node *n;
    int r;

    like->hard = found ? *found : NULL;
    r = rootfs_add(w->tree, e->dir, like, &n);
    if (r == 0 && !found && !tsearch(n, &w->linked, dir_compare_files))
        r = fail(-ENOMEM, "rootfs %s", w->tree->what);
    return r;
}

static int dir_add(struct dir_walk *w, const struct dir_entry *e)
{
    struct rootfs_node like = {0}, *n;
    char link[PATH_MAX];
    ssize_t len;

    dir_fill(w, e, &like);
    if (S_ISLNK(e->st.st_mode)) {
        len = readlinkat(e->dir_fd, e->name, link, sizeof(link) - 1);
        if (len < 0)
            return dir_fail(w, e, -errno);
        link[len] = '\0';
        like.link = link;
    }
    if (!S_ISDIR(e->st.st_mode) && e->st.st_nlink > 1)
        return dir_add_linked(w, e, &like);
    return rootfs_add(w->tree, e->dir, &like, &n);
}

static int dir_visit(struct dir_walk *w, struct dir_entry *e)
{
    int r;

    if (fstatat(e->dir_fd, e->name, &e->st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : dir_fail(w, e, -errno);
    if (S_ISSOCK(e->st.st_mode))
        return 0;
    dir_print_add(w, e->name, &e->st);
    r = dir_check_access(w, e);
    return r < 0 ? r : dir_add(w, e);
}

static int dir_select(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int dir_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* What is in one directory, without what is in those below. */
static int dir_list(struct dir_walk *w, struct rootfs_node *dir, int fd)
{
    struct dir_entry e = {.dir = dir, .dir_fd = fd, .name = dir->name};
    struct dirent **list;
    int n = scandirat(fd, ".", &list, dir_select, dir_order);
    int r = 0;

    if (n < 0)
        return dir_fail(w, &e, -errno);
    for (int i = 0; i < n; i++) {
        e.name = list[i]->d_name;
        r = r < 0 ? r : dir_visit(w, &e);
        free(list[i]);
    }
    free(list);
    return r;
}

/* What guests have of their own is not missed. */
static void dir_warn_mount(const struct dir_walk *w,
                           const struct rootfs_node *dir)
{
    static const char *const own[] = {"proc", "sys", "dev", "run"};
    char path[ROOTFS_PATH + 1];

    for (unsigned int i = 0; i < ARRAY_SIZE(own); i++)
        if (dir->depth == 1 && strcmp(dir->name, own[i]) == 0)
            return;
    rootfs_path(dir, path);
    log_warn("rootfs %s: %s is another file system; what is in it is left out",
             w->tree->what, path);
}

static int dir_read(struct dir_walk *w, struct rootfs_node *dir)
{
    int fd, r;

    if (dir->dev != w->tree->root->dev) {
        dir_warn_mount(w, dir);
        return 0;
    }
    fd = rootfs_open_below(w->tree, dir, O_DIRECTORY);
    if (fd < 0)
        return fd;
    r = dir_list(w, dir, fd);
    close(fd);
    return r;
}

static int dir_open(struct dir_walk *w, const char *path)
{
    struct rootfs_tree *t = w->tree;
    struct dir_entry root = {.name = (char[]){""}};
    struct rootfs_node like = {0}, *n;

    t->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->dir_fd < 0 || fstat(t->dir_fd, &root.st) < 0)
        return fail(-errno, "rootfs %s", t->what);
    dir_print_add(w, "", &root.st);
    dir_fill(w, &root, &like);
    return rootfs_add(t, NULL, &like, &n);
}

static void dir_forget(void *node)
{
}

int rootfs_from_dir(struct rootfs_tree *t, const char *path)
{
    struct dir_walk w = {.tree = t, .uid = geteuid(), .gid = getegid()};
    int r;

    SHA256Init(&w.sha);
    r = dir_open(&w, path);
    /* Each directory gets its children when its turn comes. */
    for (struct rootfs_node *n = t->root; r == 0 && n; n = rootfs_next(n))
        if (S_ISDIR(n->mode))
            r = dir_read(&w, n);
    if (r == 0 && t->root && !t->root->child)
        r = fail_rule(-ENOENT,
                      "rootfs %s: the directory is empty; give one with a "
                      "system in it, as debootstrap makes it",
                      t->what);
    tdestroy(w.linked, dir_forget);
    SHA256Final(t->print, &w.sha);
    return r;
}
