/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c: the files of a root file system, sorted, without their contents */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/log.h"

#include "tree.h"

static int tree_bad_name(const struct rootfs_tree *t,
                         const struct rootfs_node *dir, const char *name)
{
    char path[ROOTFS_PATH + 1];

    rootfs_path(dir, path);
    return fail_rule(-EINVAL,
                     "rootfs %s: \"%.255s\" in %s: not a name, or one out of "
                     "order",
                     t->what, name, path);
}

static int tree_check_limits(const struct rootfs_tree *t,
                             const struct rootfs_node *dir, size_t name_len)
{
    char path[ROOTFS_PATH + 1];

    if (t->nr >= ROOTFS_NODES)
        return fail_rule(-E2BIG,
                         "rootfs %s: more than %u files; make an image of it "
                         "(mkfs.ext4 -d) and give that",
                         t->what, ROOTFS_NODES);
    if (name_len <= ROOTFS_NAME && dir->depth < ROOTFS_DEPTH &&
        dir->path_len + 1u + name_len <= ROOTFS_PATH)
        return 0;
    rootfs_path(dir, path);
    return fail_rule(-ENAMETOOLONG,
                     "rootfs %s: below %.64s...: names have at most %u bytes, "
                     "paths %u bytes and %u levels",
                     t->what, path, ROOTFS_NAME, ROOTFS_PATH, ROOTFS_DEPTH);
}

static int tree_check(const struct rootfs_tree *t,
                      const struct rootfs_node *dir,
                      const struct rootfs_node *like)
{
    const char *name = like->name;

    if (!dir)
        return 0;
    if (!S_ISDIR(dir->mode) || !*name || strchr(name, '/') ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        (dir->last && strcmp(dir->last->name, name) >= 0))
        return tree_bad_name(t, dir, name);
    if (S_ISLNK(like->mode) &&
        (!like->link || strlen(like->link) > ROOTFS_PATH))
        return tree_bad_name(t, dir, name);
    return tree_check_limits(t, dir, strlen(name));
}

static struct rootfs_node *tree_copy(const struct rootfs_node *like,
                                     const struct rootfs_node *dir)
{
    struct rootfs_node *n = malloc(sizeof(*n));

    if (!n)
        return NULL;
    *n = *like;
    n->parent = n->child = n->last = n->next = NULL;
    n->names = 1;
    n->name = strdup(dir ? like->name : "");
    n->link = like->link ? strdup(like->link) : NULL;
    if (n->name && (n->link || !like->link))
        return n;
    free(n->name);
    free(n->link);
    free(n);
    return NULL;
}

static void tree_put(struct rootfs_tree *t, struct rootfs_node *dir,
                     struct rootfs_node *n)
{
    n->parent = dir;
    if (!dir) {
        n->depth = n->path_len = 0;
        t->root = n;
        return;
    }
    n->depth = (u16)(dir->depth + 1);
    n->path_len =
        (u16)(dir->path_len + (dir->depth ? 1u : 0u) + strlen(n->name));
    if (dir->last)
        dir->last->next = n;
    else
        dir->child = n;
    dir->last = n;
}

int rootfs_add(struct rootfs_tree *t, struct rootfs_node *dir,
               const struct rootfs_node *like, struct rootfs_node **out)
{
    struct rootfs_node *n;
    int r = tree_check(t, dir, like);

    if (r < 0)
        return r;
    n = tree_copy(like, dir);
    if (!n)
        return fail(-ENOMEM, "rootfs %s", t->what);
    tree_put(t, dir, n);
    t->nr++;
    if (n->hard)
        n->hard->names++;
    else if (S_ISREG(n->mode))
        t->bytes += n->size;
    *out = n;
    return 0;
}

struct rootfs_node *rootfs_find(const struct rootfs_tree *t, const char *path)
{
    struct rootfs_node *n = t->root;
    size_t len;

    for (; n && *path; path += len) {
        path += strspn(path, "/");
        len = strcspn(path, "/");
        if (len == 0)
            break;
        n = n->child;
        while (n && (strncmp(n->name, path, len) != 0 || n->name[len]))
            n = n->next;
    }
    return n;
}

struct rootfs_node *rootfs_next(const struct rootfs_node *n)
{
    if (n->child)
        return n->child;
    while (n && !n->next)
        n = n->parent;
    return n ? n->next : NULL;
}

void rootfs_path(const struct rootfs_node *n, char path[ROOTFS_PATH + 1])
{
    size_t at = n->path_len, len;

    if (!n->parent) {
        memcpy(path, ".", sizeof("."));
        return;
    }
    path[at] = '\0';
    for (; n->parent; n = n->parent) {
        len = strlen(n->name);
        at -= len;
        memcpy(path + at, n->name, len);
        if (at)
            path[--at] = '/';
    }
}

void rootfs_tree_fini(struct rootfs_tree *t)
{
    struct rootfs_node *n = t->root, *next;

    /* Children first, for each is a step to the next one. */
    while (n) {
        if (n->child) {
            next = n->child;
            n->child = NULL;
        } else {
            next = n->next ? n->next : n->parent;
            free(n->name);
            free(n->link);
            free(n);
        }
        n = next;
    }
    if (t->dir_fd >= 0)
        close(t->dir_fd);
    if (t->spool >= 0)
        close(t->spool);
    *t = (struct rootfs_tree){.what = t->what, .dir_fd = -1, .spool = -1};
}

int rootfs_open_below(const struct rootfs_tree *t, const struct rootfs_node *n,
                      int flags)
{
    struct open_how how = {
        .flags = (unsigned int)(flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
                                O_NOCTTY | O_CLOEXEC),
        .resolve =
            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    char path[ROOTFS_PATH + 1];
    struct stat st;
    int fd;

    rootfs_path(n, path);
    fd = (int)syscall(SYS_openat2, t->dir_fd, path, &how, sizeof(how));
    if (fd < 0)
        return fail(-errno, "rootfs %s: %s", t->what, path);
    if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == (n->mode & S_IFMT) &&
        st.st_dev == n->dev && st.st_ino == n->inode)
        return fd;
    close(fd);
    return fail_rule(-ESTALE,
                     "rootfs %s: %s: was replaced while the directory was "
                     "read; start again when nobody changes it",
                     t->what, path);
}

int rootfs_content_open(const struct rootfs_tree *t,
                        const struct rootfs_node *n, int *fd, u64 *offset)
{
    *fd = t->dir_fd < 0 ? t->spool : rootfs_open_below(t, n, 0);
    *offset = t->dir_fd < 0 ? n->offset : 0;
    return *fd < 0 ? *fd : 0;
}

void rootfs_content_close(const struct rootfs_tree *t, int fd)
{
    if (t->dir_fd >= 0)
        close(fd);
}
