/* SPDX-License-Identifier: Apache-2.0 */
/* tree_cpio.c: a tree as an initramfs */
#include <sys/stat.h>

#include "mote/cpio.h"

#include "progress.h"
#include "tree.h"

static int tree_cpio_content(struct cpio *c, const struct rootfs_tree *t,
                             const struct rootfs_node *n, const char *path,
                             const struct cpio_attr *attr)
{
    u64 offset;
    int fd, r;

    r = rootfs_content_open(t, n, &fd, &offset);
    if (r < 0)
        return r;
    cpio_add_fd(c, path, attr, fd, offset, n->size);
    rootfs_content_close(t, fd);
    return c->err;
}

/* The content comes with the name that stands for the file. */
static int tree_cpio_add(struct cpio *c, const struct rootfs_tree *t,
                         const struct rootfs_node *n)
{
    const struct rootfs_node *file = n->hard ? n->hard : n;
    const struct cpio_attr attr = {
        .mode = n->mode,
        .uid = n->uid,
        .gid = n->gid,
        .mtime = n->mtime,
        .major = n->major,
        .minor = n->minor,
        .ino = file->ino,
        .nlink = file->names,
    };
    char path[ROOTFS_PATH + 1];

    rootfs_path(n, path);
    if (S_ISREG(n->mode) && n->size && !n->hard)
        return tree_cpio_content(c, t, n, path, &attr);
    cpio_add(c, path, &attr, file->link, file->link ? strlen(file->link) : 0);
    return c->err;
}

int rootfs_to_cpio(const struct rootfs_tree *t, int fd)
{
    struct progress p;
    struct cpio c;
    u32 ino = 0;
    int r = 0, end;

    progress_begin(&p, "making an initramfs of", t->what, t->bytes);
    cpio_begin(&c, fd);
    for (struct rootfs_node *n = t->root; n; n = rootfs_next(n))
        n->ino = ++ino;
    for (struct rootfs_node *n = t->root; r == 0 && n; n = rootfs_next(n)) {
        r = tree_cpio_add(&c, t, n);
        progress_add(&p, n->hard ? 0 : n->size);
    }
    progress_end(&p);
    end = cpio_end(&c);
    return r < 0 ? r : end;
}
