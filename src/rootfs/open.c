/* SPDX-License-Identifier: Apache-2.0 */
/* open.c: what a path names, as a file to boot from */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/rootfs.h"

static int rootfs_make_cpio(struct rootfs *out, const struct rootfs_tree *t)
{
    out->kind = ROOTFS_CPIO;
    out->fd = memfd_create("rootfs", MFD_CLOEXEC);
    if (out->fd < 0)
        return fail(-errno, "rootfs");
    return rootfs_to_cpio(t, out->fd);
}

static int rootfs_open_dir(struct rootfs *out, const struct rootfs_options *opt)
{
    struct rootfs_tree t = {.what = opt->path, .dir_fd = -1, .spool = -1};
    int r = rootfs_from_dir(&t, opt->path);

    if (r == 0 && t.bytes > opt->cpio_max)
        r = fail_rule(-EFBIG,
                      "%s: %llu MiB; up to %llu MiB can be unpacked into the "
                      "guest's memory: give more of it with --memory",
                      opt->path, (unsigned long long)(t.bytes / MIB),
                      (unsigned long long)(opt->cpio_max / MIB));
    if (r == 0)
        r = rootfs_make_cpio(out, &t);
    rootfs_tree_fini(&t);
    return r;
}

int rootfs_open(struct rootfs *out, const struct rootfs_options *opt)
{
    struct stat st;

    *out = (struct rootfs){.fd = -1};
    if (stat(opt->path, &st) < 0)
        return fail(-errno, "%s", opt->path);
    if (!S_ISDIR(st.st_mode))
        return fail_rule(-ENOTSUP,
                         "%s: not a directory; archives and images are not "
                         "supported yet",
                         opt->path);
    return rootfs_open_dir(out, opt);
}

void rootfs_close(struct rootfs *r)
{
    if (r->fd >= 0)
        close(r->fd);
    free(r->path);
    *r = (struct rootfs){.fd = -1};
}
