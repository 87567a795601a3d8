/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: the parts of check_host(), in the order in which they are said */
#ifndef MOTE_CHECK_CHECK_H
#define MOTE_CHECK_CHECK_H

#include "mote/check.h"
#include "mote/run.h"

/* What one part finds and another one wants to know. */
struct checking {
    struct findings *f;
    const struct config *c;
    enum engine_kind engine;
    struct kernel_info kernel;
    bool kernel_known;
    const char *root_type; /* of file system; NULL: not known */
};

typedef void check_fn(struct checking *k);
check_fn host_engine, host_memory, host_drives, host_rootfs, host_kernel,
    host_parts, host_nets, host_paths, host_jail;

/* Of one drive's image in a Ceph cluster. */
void host_rbd(struct checking *k, const struct drive_config *d,
              const char *what);

/*
 * In a child: enter(ctx), then, in a jail where nothing untrusted can do harm,
 * fn(ctx), if there is one. What is reported there is heard here. 0, or a
 * negative errno: it failed, which may have been told, or was killed.
 */
struct check_child {
    int (*enter)(void *ctx); /* opens what fn needs, or cannot be jailed */
    int (*fn)(void *ctx);
    void *ctx; /* of which what is to come back is in shared memory */
};
int check_in_child(const struct check_child *child);

/* Is it a file that can be read, and has something in it? If not, and the
 * configuration names it, config_check() has told. */
bool check_is_file(const char *path);

/* Can a file of this name be made? False: *why says why not. */
bool check_can_make(const char *path, char *why, size_t len);

/* The type of file system, or "partitions", that an image begins with; NULL:
 * none that is known. Static text. */
const char *check_probe(const char *path);

#endif
