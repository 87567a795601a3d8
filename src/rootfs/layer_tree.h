/* SPDX-License-Identifier: Apache-2.0 */
/* layer_tree.h: inside of struct layers: every name is found by its directory
 * and its bytes, in a table; the file behind it may have other names */
#ifndef MOTE_ROOTFS_LAYER_TREE_H
#define MOTE_ROOTFS_LAYER_TREE_H

#include <sys/stat.h>

#include "layers.h"

#define LAYER_NAME_MAX  255u
#define LAYER_PATH_MAX  4095u
#define LAYER_DEPTH_MAX 255u
#define LAYER_TEXT_MAX  (512 * MIB)

struct layer_node {
    struct layer_node *parent, *child, *prev, *next;
    struct layer_node *chain; /* of its slot in the table */
    struct layer_file *file;
    u64 hash;
    u32 layer; /* that has named it last */
    u16 depth, path_len;
    u16 name_len;
    char name[];
};

struct layers {
    struct layer_node *root;
    struct layer_node **table; /* by parent and name */
    u64 slots, nr, text;
    u64 seed; /* so that nobody can make names that share a slot */
    u32 layer;
    bool whiteouts;
};

static inline bool layer_is_dir(const struct layer_node *n)
{
    return S_ISDIR(n->file->mode);
}

/* One use of the file less; the last one frees it. */
void layer_file_drop(struct layers *t, struct layer_file *f);

/* A directory that no member is about; NULL: no memory. */
struct layer_file *layer_new_dir(void);

/* NULL if dir has no such name. */
struct layer_node *layer_lookup(struct layers *t, const struct layer_node *dir,
                                const char *name, size_t len);

/* A name that dir has not yet, for a file that has one more from here on. 0,
 * -ENAMETOOLONG, -ENOSPC or -ENOMEM. */
int layer_name_add(struct layers *t, struct layer_node *dir, const char *name,
                   size_t len, struct layer_file *file,
                   struct layer_node **out);

/* With all below. */
void layer_remove(struct layers *t, struct layer_node *n);

/* Take away what layers below have of it; what this layer has stays. */
void layer_hide(struct layers *t, struct layer_node *n);

#endif
