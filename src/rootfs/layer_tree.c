/* SPDX-License-Identifier: Apache-2.0 */
/* layer_tree.c: names, the files behind them, and the walk over all */
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "mote/log.h"
#include "mote/rootfs.h"

#include "layer_tree.h"

#define LAYER_NO_NUMBER (~0u)

/* ---- files and names ---------------------------------------------------- */

void layer_file_drop(struct layers *t, struct layer_file *f)
{
    if (!f || --f->names > 0)
        return;
    t->text -= f->link ? strlen(f->link) : 0;
    free(f->link);
    free(f);
}

static u64 layer_hash(const struct layers *t, const struct layer_node *dir,
                      const char *name, size_t len)
{
    u64 h = t->seed ^ (u64)(uintptr_t)dir;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ (u8)name[i]) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return h;
}

static struct layer_node **layer_slot(struct layers *t, u64 hash)
{
    return &t->table[hash & (t->slots - 1)];
}

struct layer_node *layer_lookup(struct layers *t, const struct layer_node *dir,
                                const char *name, size_t len)
{
    u64 hash = layer_hash(t, dir, name, len);
    struct layer_node *n = *layer_slot(t, hash);

    while (n && (n->hash != hash || n->parent != dir || n->name_len != len ||
                 memcmp(n->name, name, len) != 0))
        n = n->chain;
    return n;
}

/* Twice as many slots. 0 or -ENOMEM. */
static int layer_grow(struct layers *t)
{
    u64 had = t->slots, slots = had ? 2 * had : 1024;
    struct layer_node **old = t->table;
    struct layer_node **table = calloc(slots, sizeof(struct layer_node *));

    if (!table)
        return -ENOMEM;
    t->table = table;
    t->slots = slots;
    for (u64 i = 0; i < had; i++) {
        for (struct layer_node *n = old[i], *next; n; n = next) {
            struct layer_node **slot = layer_slot(t, n->hash);

            next = n->chain;
            n->chain = *slot;
            *slot = n;
        }
    }
    free(old);
    return 0;
}

static void layer_unchain(struct layers *t, const struct layer_node *n)
{
    struct layer_node **at = layer_slot(t, n->hash);

    while (*at != n)
        at = &(*at)->chain;
    *at = n->chain;
}

static void layer_link(struct layers *t, struct layer_node *dir,
                       struct layer_node *n)
{
    struct layer_node **slot = layer_slot(t, n->hash);

    n->chain = *slot;
    *slot = n;
    n->next = dir->child;
    if (dir->child)
        dir->child->prev = n;
    dir->child = n;
}

/* Are there more of them than sinks take? */
static int layer_check_room(const struct layers *t,
                            const struct layer_node *dir, size_t len)
{
    if (len > LAYER_NAME_MAX || dir->depth >= LAYER_DEPTH_MAX ||
        dir->path_len + 1u + len > LAYER_PATH_MAX)
        return -ENAMETOOLONG;
    return t->nr >= ROOTFS_NODES || t->text > LAYER_TEXT_MAX ? -ENOSPC : 0;
}

int layer_name_add(struct layers *t, struct layer_node *dir, const char *name,
                   size_t len, struct layer_file *file, struct layer_node **out)
{
    struct layer_node *n;
    int r = layer_check_room(t, dir, len);

    if (r == 0 && t->nr >= t->slots)
        r = layer_grow(t);
    if (r < 0)
        return r;
    n = calloc(1, sizeof(*n) + len + 1);
    if (!n)
        return -ENOMEM;
    memcpy(n->name, name, len);
    n->name_len = (u16)len;
    n->parent = dir;
    n->depth = (u16)(dir->depth + 1);
    n->path_len = (u16)(dir->path_len + 1u + len);
    n->hash = layer_hash(t, dir, name, len);
    n->layer = t->layer;
    n->file = file;
    file->names++;
    layer_link(t, dir, n);
    t->nr++;
    t->text += len;
    *out = n;
    return 0;
}

/* As deep as LAYER_DEPTH_MAX. */
void layer_remove(struct layers *t, struct layer_node *n)
{
    while (n->child)
        layer_remove(t, n->child);
    layer_unchain(t, n);
    if (n->prev)
        n->prev->next = n->next;
    else
        n->parent->child = n->next;
    if (n->next)
        n->next->prev = n->prev;
    layer_file_drop(t, n->file);
    t->nr--;
    t->text -= n->name_len;
    free(n);
}

void layer_hide(struct layers *t, struct layer_node *n)
{
    for (struct layer_node *c = n->child, *next; c; c = next) {
        next = c->next;
        layer_hide(t, c);
    }
    if (n->layer < t->layer && !n->child)
        layer_remove(t, n);
}

struct layer_file *layer_new_dir(void)
{
    struct layer_file *f = calloc(1, sizeof(*f));

    if (f)
        f->mode = S_IFDIR | 0755;
    return f;
}

int layers_new(struct layers **out)
{
    struct layers *t = calloc(1, sizeof(*t));

    if (!t)
        return fail(-ENOMEM, "tree");
    t->root = calloc(1, sizeof(*t->root) + 1);
    if (t->root)
        t->root->file = layer_new_dir();
    if (!t->root || !t->root->file || layer_grow(t) < 0) {
        layers_free(t);
        return fail(-ENOMEM, "tree");
    }
    t->root->file->names = 1;
    t->nr = 1;
    (void)!getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK);
    *out = t;
    return 0;
}

void layers_free(struct layers *t)
{
    if (!t)
        return;
    while (t->root && t->root->child)
        layer_remove(t, t->root->child);
    if (t->root)
        layer_file_drop(t, t->root->file);
    free(t->root);
    free(t->table);
    free(t);
}

/* ---- the walk ----------------------------------------------------------- */

struct layer_visit {
    layer_name_fn *fn;
    void *arg;
    u32 number;
};

static int layer_compare(const void *a, const void *b)
{
    const struct layer_node *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static struct layer_node **layer_sorted(const struct layer_node *dir, size_t *n)
{
    struct layer_node **list;

    *n = 0;
    for (const struct layer_node *c = dir->child; c; c = c->next)
        (*n)++;
    list = calloc(*n + 1, sizeof(struct layer_node *));
    if (!list)
        return NULL;
    *n = 0;
    for (struct layer_node *c = dir->child; c; c = c->next)
        list[(*n)++] = c;
    qsort(list, *n, sizeof(struct layer_node *), layer_compare);
    return list;
}

static int layer_visit(struct layer_visit *v, struct layer_node *n)
{
    struct layer_file *f = n->file;
    struct layer_name out = {.name = n->name,
                             .depth = n->depth,
                             .hard = f->first ? f->number : LAYER_NO_NUMBER,
                             .file = f};
    struct layer_node **list;
    size_t nr;
    int r;

    if (!f->first) {
        f->first = true;
        f->number = v->number;
    }
    v->number++;
    r = v->fn(v->arg, &out);
    if (r != 0 || !n->child)
        return r;
    list = layer_sorted(n, &nr);
    if (!list)
        return fail(-ENOMEM, "tree");
    for (size_t i = 0; r == 0 && i < nr; i++)
        r = layer_visit(v, list[i]);
    free(list);
    return r;
}

int layers_walk(struct layers *t, layer_name_fn *fn, void *arg)
{
    struct layer_visit v = {.fn = fn, .arg = arg};

    return layer_visit(&v, t->root);
}
