/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.h: files that were made before, by the print of what they were made of.
 * "SOURCE-PRINT.rootfs" appears when it is complete. Who uses or makes one has
 * a lock on it, shared or exclusive; who removes one has an exclusive lock. So
 * any number of processes may come and go, be killed, or remove all of it.
 */
#ifndef MOTE_ROOTFS_CACHE_H
#define MOTE_ROOTFS_CACHE_H

#include <limits.h>

#include "mote/base.h"

struct cache {
    const char *what; /* for messages; the caller's */
    int dir_fd;       /* -1: files without a name instead */
    char dir[PATH_MAX];
    char name[64], part[72]; /* the file's; while it is made */
    u64 max;                 /* bytes on disk of all files; 0: no limit */
};

/* Never fails: without a usable directory, which is warned of, there is no
 * cache. */
void cache_open(struct cache *c, const char *dir, u64 max, const char *what);

/* Which file it is from now on; print: of all that it depends on. */
void cache_name(struct cache *c, const u8 print[32]);
void cache_close(struct cache *c);

/* The descriptor of the file, in use from now on, or -ENOENT. */
int cache_find(struct cache *c);

/* An empty file to be filled; or, if another process has made it meanwhile,
 * that one: *found. A descriptor or a negative errno, already reported. */
int cache_begin(struct cache *c, bool *found);

/* It is complete; what the cache need not hold any more is removed. The
 * descriptor of the file, in use from now on and only to be read: what faces a
 * guest may inherit it. Or a negative errno, already reported; then fd is open.
 */
int cache_commit(struct cache *c, int fd);

/* It will not be. fd is closed. */
void cache_abort(struct cache *c, int fd);

/* A name by which to open the file again, while fd is open. NULL: no memory. */
char *cache_path(const struct cache *c, int fd);

/* ---- cache_clean.c: after a file was made ---------------------------------
 */

/*
 * Remove what nobody uses and is of c's source, half made, not used for 30 days
 * or, the least recently used first, too much. Never c's own file.
 */
void cache_clean(const struct cache *c);

/* As flock(), with a negative errno. */
int cache_lock(int fd, int how);

/* Is fd still the file of that name? */
bool cache_is_named(const struct cache *c, int fd, const char *name);

#endif
