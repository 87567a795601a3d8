/* SPDX-License-Identifier: Apache-2.0 */
/* layers.c: members of archives into a tree, with whiteouts and hard links */
#include <stdlib.h>

#include "mote/log.h"

#include "layer_tree.h"

#define LAYER_LINKS_MAX 40 /* as the kernel's */

/* OCI image specification 1.0, layer.md, "Whiteouts". */
#define WHITEOUT        ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* ---- paths -------------------------------------------------------------- */

struct layer_way {
    struct layer_node *at;
    int links;
    bool make; /* directories that are missing */
};

/* The next part of *path but "."; its length, 0 behind the last. */
static size_t layer_part(const char **path, const char *end)
{
    size_t len;

    do {
        while (*path < end && **path == '/')
            (*path)++;
        for (len = 0; *path + len < end && (*path)[len] != '/'; len++)
            ;
        if (len != 1 || **path != '.')
            return len;
        (*path)++;
    } while (true);
}

static bool layer_is_up(const char *part, size_t len)
{
    return len == 2 && part[0] == '.' && part[1] == '.';
}

static int layer_make_dir(struct layers *t, struct layer_node *dir,
                          const char *name, size_t len, struct layer_node **out)
{
    struct layer_file *f = layer_new_dir();
    int r = f ? layer_name_add(t, dir, name, len, f, out) : -ENOMEM;

    if (r < 0)
        free(f);
    return r;
}

static int layer_walk_to(struct layers *t, struct layer_way *way,
                         const char *path, const char *end);

/* Into a directory, through symbolic links; the root is the tree's. */
static int layer_enter(struct layers *t, struct layer_way *way,
                       const char *name, size_t len)
{
    struct layer_node *n = layer_lookup(t, way->at, name, len);
    const char *link;
    int r;

    if (!n) {
        r = way->make ? layer_make_dir(t, way->at, name, len, &n) : -ENOENT;
        if (r < 0)
            return r;
    }
    link = n->file->link;
    if (link) {
        if (++way->links > LAYER_LINKS_MAX)
            return -ELOOP;
        if (*link == '/')
            way->at = t->root;
        return layer_walk_to(t, way, link, link + strlen(link));
    }
    if (!layer_is_dir(n))
        return -ENOTDIR;
    way->at = n;
    return 0;
}

static int layer_walk_to(struct layers *t, struct layer_way *way,
                         const char *path, const char *end)
{
    size_t len;
    int r = 0;

    while (r == 0 && (len = layer_part(&path, end)) > 0) {
        if (!layer_is_up(path, len))
            r = layer_enter(t, way, path, len);
        else if (way->at->parent)
            way->at = way->at->parent;
        path += len;
    }
    return r;
}

/* A member's path: the last part, which is not followed, and where it begins.
 * -EXDEV: it has ".."; 0 as length: the root itself. */
static int layer_split(const char *path, const char **name, size_t *name_len)
{
    const char *end = path + strlen(path);
    size_t len;

    *name = path;
    *name_len = 0;
    if ((size_t)(end - path) > LAYER_PATH_MAX)
        return -ENAMETOOLONG;
    for (; (len = layer_part(&path, end)) > 0; path += len) {
        if (layer_is_up(path, len))
            return -EXDEV;
        *name = path;
        *name_len = len;
    }
    return 0;
}

/* The directory that a path's last part is in. */
static int layer_parent(struct layers *t, const char *path, bool make,
                        struct layer_node **dir, const char **name, size_t *len)
{
    struct layer_way way = {.at = t->root, .make = make};
    int r = layer_split(path, name, len);

    if (r == 0)
        r = layer_walk_to(t, &way, path, *name);
    *dir = way.at;
    return r;
}

const struct layer_file *layers_find(struct layers *t, const char *path)
{
    struct layer_node *dir, *n = NULL;
    const char *name;
    size_t len;

    for (int links = 0; links <= LAYER_LINKS_MAX; links++) {
        struct layer_way way = {.at = n ? n->parent : t->root};
        const char *end = path + strlen(path);

        /* Where the target of a link begins, but for one from the root. */
        if (*path == '/')
            way.at = t->root;
        for (name = end; name > path && name[-1] != '/';)
            name--;
        len = (size_t)(end - name);
        if (len == 0 || layer_walk_to(t, &way, path, name) < 0)
            return NULL;
        dir = way.at;
        n = layer_lookup(t, dir, name, len);
        if (!n || !n->file->link)
            return n ? n->file : NULL;
        path = n->file->link;
    }
    return NULL;
}

/* ---- members ------------------------------------------------------------ */

static const char *layer_words(int r)
{
    switch (r) {
    case -EXDEV:
        return "has \"..\" in its path";
    case -ELOOP:
        return "lies behind more than 40 symbolic links";
    case -ENOTDIR:
        return "lies below something that is not a directory";
    case -ENAMETOOLONG:
        return "has a name of more than 255 bytes, a path of more than 4095, "
               "or more than 255 directories above it";
    case -ENOSPC:
        return "is one too many: at most 1048576 entries, with 512 MiB of "
               "names, are taken";
    case -EISDIR:
        return "would take the place of the root directory";
    case -ERANGE:
        return "has an owner or a device number that does not fit 32 bits";
    case -ENOTSUP:
        return "is of a type that no file system here has";
    case -ENOENT:
        return "is another name for a file that is not there";
    case -EPERM:
        return "is another name for a directory";
    case -EINVAL:
        return "is a symbolic link to nothing";
    default:
        return strerrordesc_np(-r);
    }
}

static bool layer_fits(s64 v)
{
    return v >= 0 && v <= UINT32_MAX;
}

static int layer_check_member(const struct layer_member *m)
{
    if (!layer_fits(m->uid) || !layer_fits(m->gid) || m->major > UINT32_MAX ||
        m->minor > UINT32_MAX)
        return -ERANGE;
    switch (m->mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
        return 0;
    case S_IFLNK:
        if (!m->link || !m->link[0])
            return -EINVAL;
        return strlen(m->link) > LAYER_PATH_MAX ? -ENAMETOOLONG : 0;
    default:
        return -ENOTSUP;
    }
}

static struct layer_file *layer_file_new(struct layers *t,
                                         const struct layer_member *m)
{
    u32 type = m->mode & S_IFMT;
    bool device = type == S_IFCHR || type == S_IFBLK;
    struct layer_file *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    *f = (struct layer_file){.mode = m->mode & (S_IFMT | 07777),
                             .uid = (u32)m->uid,
                             .gid = (u32)m->gid,
                             .mtime = (u64)MAX(m->mtime, (s64)0),
                             .major = device ? (u32)m->major : 0,
                             .minor = device ? (u32)m->minor : 0,
                             .size = type == S_IFREG ? m->size : 0,
                             .offset = type == S_IFREG ? m->offset : 0};
    if (type == S_IFLNK) {
        f->mode = S_IFLNK | 0777;
        f->link = strdup(m->link);
        if (!f->link) {
            free(f);
            return NULL;
        }
        t->text += strlen(f->link);
    }
    return f;
}

/* A directory over one that is there: it takes what is new of it. */
static void layer_renew(struct layers *t, struct layer_node *n,
                        struct layer_file *f)
{
    layer_file_drop(t, n->file);
    n->file = f;
    f->names++;
    n->layer = t->layer;
}

/* Put file there, in place of what has the name. */
static int layer_put(struct layers *t, struct layer_node *dir, const char *name,
                     size_t len, struct layer_file *f)
{
    struct layer_node *old =
        len > 0 ? layer_lookup(t, dir, name, len) : t->root;

    if (old && layer_is_dir(old) && S_ISDIR(f->mode)) {
        layer_renew(t, old, f);
        return 0;
    }
    if (old == t->root)
        return -EISDIR;
    if (old)
        layer_remove(t, old);
    return layer_name_add(t, dir, name, len, f, &old);
}

/* ".wh.NAME", or what is said of the whole directory. */
static void layer_whiteout(struct layers *t, struct layer_node *dir,
                           const char *name, size_t len)
{
    struct layer_node *n;

    if (len == strlen(WHITEOUT_OPAQUE) &&
        memcmp(name, WHITEOUT_OPAQUE, len) == 0) {
        for (struct layer_node *c = dir->child, *next; c; c = next) {
            next = c->next;
            layer_hide(t, c);
        }
        return;
    }
    if (len >= strlen(WHITEOUT_META) &&
        memcmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
        return; /* notes of AUFS to itself */
    n = layer_lookup(t, dir, name + strlen(WHITEOUT), len - strlen(WHITEOUT));
    if (n)
        layer_hide(t, n);
}

static int layer_find_hard(struct layers *t, const char *path,
                           struct layer_file **out)
{
    struct layer_node *dir, *n;
    const char *name;
    size_t len;
    int r = layer_parent(t, path, false, &dir, &name, &len);

    if (r < 0)
        return r == -ENOTDIR ? -ENOENT : r;
    n = len > 0 ? layer_lookup(t, dir, name, len) : dir;
    if (!n)
        return -ENOENT;
    *out = n->file;
    return layer_is_dir(n) ? -EPERM : 0;
}

/* The file is held while its old name may go. */
static int layer_add_hard(struct layers *t, const struct layer_member *m)
{
    struct layer_node *dir, *old;
    struct layer_file *f;
    const char *name;
    size_t len;
    int r = layer_find_hard(t, m->hard, &f);

    if (r < 0)
        return r;
    r = layer_parent(t, m->path, true, &dir, &name, &len);
    if (r < 0)
        return r;
    old = len > 0 ? layer_lookup(t, dir, name, len) : NULL;
    if (old && old->file == f) {
        old->layer = t->layer;
        return 0;
    }
    f->names++;
    r = layer_put(t, dir, name, len, f);
    layer_file_drop(t, f);
    return r;
}

static int layer_add_file(struct layers *t, const struct layer_member *m)
{
    struct layer_node *dir = t->root;
    struct layer_file *f;
    const char *name = m->path;
    size_t len = 0;
    int r = layer_check_member(m);

    if (r == 0)
        r = layer_parent(t, m->path, true, &dir, &name, &len);
    if (r < 0)
        return r;
    f = layer_file_new(t, m);
    if (!f)
        return -ENOMEM;
    f->names++;
    r = layer_put(t, dir, name, len, f);
    if (r == 0 && S_ISREG(f->mode) && f->size > 0)
        r = 1;
    layer_file_drop(t, f);
    return r;
}

static bool layer_is_whiteout(const struct layers *t, const char *name,
                              size_t len)
{
    return t->whiteouts && len > strlen(WHITEOUT) &&
           memcmp(name, WHITEOUT, strlen(WHITEOUT)) == 0;
}

static int layer_add(struct layers *t, const struct layer_member *m)
{
    struct layer_node *dir;
    const char *name;
    size_t len;
    int r = layer_split(m->path, &name, &len);

    if (r < 0)
        return r;
    if (layer_is_whiteout(t, name, len)) {
        r = layer_parent(t, m->path, false, &dir, &name, &len);
        if (r == 0)
            layer_whiteout(t, dir, name, len);
        return r == -ENOENT || r == -ENOTDIR ? 0 : r; /* nothing to hide */
    }
    return m->hard ? layer_add_hard(t, m) : layer_add_file(t, m);
}

int layers_add(struct layers *t, const struct layer_member *m)
{
    int r = layer_add(t, m);

    if (r < 0 && m->hard)
        return fail_rule(r, "entry %.200s -> %.200s: %s", m->path, m->hard,
                         layer_words(r));
    return r < 0 ? fail_rule(r, "entry %.200s: %s", m->path, layer_words(r))
                 : r;
}

void layers_begin(struct layers *t, bool whiteouts)
{
    t->layer++;
    t->whiteouts = whiteouts;
}
