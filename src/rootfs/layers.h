/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.h: the members of tar archives, one layer over the other, as one tree.
 * Paths are resolved inside of it: nothing here knows the host's files. Of the
 * process that reads archives; members are hostile.
 */
#ifndef MOTE_ROOTFS_LAYERS_H
#define MOTE_ROOTFS_LAYERS_H

#include "mote/base.h"

/* One member, as the archive has it. */
struct layer_member {
    const char *path;
    u32 mode; /* with its type */
    s64 uid, gid, mtime;
    u64 major, minor; /* of a device */
    u64 size, offset; /* of a regular file: its place in the spool */
    const char *link; /* target of a symbolic link */
    const char *hard; /* not NULL: another name for the file of this path */
};

/* What a name stands for; several names may share one. */
struct layer_file {
    u32 mode, uid, gid, major, minor;
    u64 mtime, size, offset;
    char *link; /* target of a symbolic link, or NULL */
    u32 names;
    u32 number; /* of the first name in layers_walk(), if first */
    bool first; /* it has been there */
};

struct layers;

/* An empty root. 0 or -ENOMEM, already reported. */
int layers_new(struct layers **out);
void layers_free(struct layers *t);

/* What is added from now on lies over all there is. whiteouts: names that begin
 * with ".wh." take away what layers below have. */
void layers_begin(struct layers *t, bool whiteouts);

/*
 * Add a member. 1: its content is wanted; 0: it has none, or none that counts;
 * or a negative errno, already reported with the member's path.
 */
int layers_add(struct layers *t, const struct layer_member *m);

/* The file behind a path, through symbolic links; NULL if there is none. */
const struct layer_file *layers_find(struct layers *t, const char *path);

/*
 * Every name, a directory before what is in it, children sorted by their bytes;
 * the root first, without a name. hard: the number of an earlier name of the
 * same file, counted from the root, which is 0; ~0: this is the first. Stops at
 * what is not 0, and returns it; -ENOMEM, already reported. Once.
 */
struct layer_name {
    const char *name;
    unsigned int depth; /* of the root: 0 */
    u32 hard;
    const struct layer_file *file;
};
typedef int layer_name_fn(void *arg, const struct layer_name *name);
int layers_walk(struct layers *t, layer_name_fn *fn, void *arg);

#endif
