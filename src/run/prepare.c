/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.c: a configuration with a command becomes one that boots: kernel,
 * root file system, initramfs */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/cpio.h"
#include "mote/guest.h"
#include "mote/log.h"
#include "mote/run.h"

#include "guest_init.h"
#include "places.h"
#include "prepare.h"

/* With more content than this a root file system is a disk, and no longer
 * unpacked into the guest's memory, of which it would take half as long as it
 * is unpacked. */
#define PREPARE_CPIO_MAX (64 * MIB)

#define PREPARE_ROOT "/dev/vda" /* the root drive is the first */

#define PREPARE_MODULE_MAX 16

struct prepare {
    struct command *cmd;
    struct config *c;
    struct kernel_info kernel;
    const struct drive_config *drive; /* the root, or NULL */
    const char *type[5];              /* of its file system */
    const char *want[PREPARE_MODULE_MAX + 1];
    unsigned int nr_want;
};

/* ---- the root file system --------------------------------------------------
 */

static const struct drive_config *prepare_find_root(const struct config *c)
{
    const struct drive_config *d = c->nr_drives ? config_drive(c, 0) : NULL;

    return d && d->root ? d : NULL;
}

/* The file is only read: what the guest writes ends with it. */
static int prepare_add_drive(struct config *c, const struct rootfs *root)
{
    struct drive_config *d = &c->drive[c->nr_drives++];

    *d = (struct drive_config){
        .id = strdup("rootfs"),
        .path = strdup(root->path),
        .root = true,
        .overlay = {.given = true, .ephemeral = true},
    };
    return d->id && d->path ? 0 : fail(-ENOMEM, "rootfs");
}

/* Types of a disk that cannot be looked into from here. */
static void prepare_guess_types(struct prepare *p)
{
    static const char *const types[] = {"ext4", "xfs", "btrfs"};
    unsigned int n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        enum kernel_part part = kernel_part(&p->kernel, types[i]);

        if (part != PART_LOST && part != PART_ABSENT)
            p->type[n++] = types[i];
    }
}

static int prepare_open(struct prepare *p, const char *path)
{
    char *cache = places_cache("rootfs"); /* or NULL: there is none */
    struct rootfs_options opt = {
        .path = path,
        .cpio_max = MIN(PREPARE_CPIO_MAX, p->c->machine.mem_bytes / 8),
        .cache_dir = cache,
        .jail = &p->c->sandbox,
    };
    int r = places_cache_max(&opt.cache_max);

    if (r == 0)
        r = rootfs_open(&p->cmd->rootfs, &opt);
    free(cache);
    return r;
}

/* What --rootfs names, or the root drive. */
static int prepare_root(struct prepare *p)
{
    struct config *c = p->c;
    struct rootfs *root = &p->cmd->rootfs;
    const char *path = c->run.rootfs;
    int r = 0;

    p->drive = prepare_find_root(c);
    assert(path || p->drive); /* config_check() has seen to it */
    if (!path)
        path = p->drive->path;
    if (path)
        r = prepare_open(p, path);
    if (r < 0)
        return r;
    if (path && root->kind != ROOTFS_CPIO)
        p->type[0] = root->type;
    else if (!path)
        prepare_guess_types(p);
    if (!c->run.rootfs || root->kind == ROOTFS_CPIO)
        return 0;
    r = prepare_add_drive(c, root);
    p->drive = prepare_find_root(c);
    return r;
}

static int prepare_name_root(struct prepare *p)
{
    const char *rootfs = p->c->run.rootfs;
    int n;

    assert(rootfs || p->drive);
    if (rootfs)
        n = asprintf(&p->cmd->root, "the root file system %s", rootfs);
    else
        n = asprintf(&p->cmd->root, "root drive %s", p->drive->id);
    if (n >= 0)
        return 0;
    p->cmd->root = NULL;
    return fail(-ENOMEM, "rootfs");
}

/* ---- modules ---------------------------------------------------------------
 */

static void prepare_want(struct prepare *p, const char *module)
{
    assert(p->nr_want < PREPARE_MODULE_MAX);
    p->want[p->nr_want++] = module;
}

/* What drives the devices that this VM is going to have. */
static void prepare_want_all(struct prepare *p)
{
    prepare_want(p, "virtio_mmio");
    prepare_want(p, "virtio_console");
    if (p->c->nr_drives)
        prepare_want(p, "virtio_blk");
    for (size_t i = 0; p->type[i]; i++)
        prepare_want(p, p->type[i]);
    if (p->c->nr_nets)
        prepare_want(p, "virtio_net");
    if (p->c->nr_nets && kernel_part(&p->kernel, "af_packet") == PART_MODULE)
        prepare_want(p, "af_packet"); /* for DHCP */
    if (p->c->entropy.given)
        prepare_want(p, "virtio_rng");
}

/* Their order is that of their names. */
static void prepare_add_module(struct cpio *cpio, unsigned int i,
                               const char *file)
{
    const struct cpio_attr attr = {.mode = S_IFREG | 0400};
    const char *base = strrchr(file, '/');
    char name[256];
    u8 *data;
    u64 len;
    int r = kernel_module_read(file, &data, &len);

    if (r < 0) {
        cpio->err = r;
        return;
    }
    base = base ? base + 1 : file;
    snprintf(name, sizeof(name), "%s/%03u-%.*s.ko", &GUEST_MODULES[1], i,
             (int)strcspn(base, "."), base);
    cpio_add(cpio, name, &attr, data, len);
    free(data);
}

static int prepare_add_modules(struct prepare *p, struct cpio *cpio)
{
    const struct cpio_attr dir = {.mode = S_IFDIR | 0700};
    char **files;
    int r;

    prepare_want_all(p);
    r = kernel_modules(&p->kernel, p->want, &files);
    if (r < 0)
        return r;
    cpio_add(cpio, &GUEST_MODULES[1], &dir, NULL, 0);
    for (unsigned int i = 0; files[i]; i++)
        prepare_add_module(cpio, i, files[i]);
    kernel_modules_free(files);
    return 0;
}

/* ---- the initramfs ---------------------------------------------------------
 */

static int prepare_add_orders(struct prepare *p, struct cpio *cpio)
{
    const struct cpio_attr attr = {.mode = S_IFREG | 0400};
    struct orders_root root = {
        .device = p->drive ? PREPARE_ROOT : NULL,
        .type = p->type,
        .read_only = p->drive && config_drive_read_only(p->drive),
    };
    char *text = NULL;
    size_t len = 0;
    int r = orders_make(&text, &len, p->cmd, p->c, &root);

    if (r == 0)
        cpio_add(cpio, &GUEST_ORDERS[1], &attr, text, len);
    free(text);
    return r;
}

/* init, its orders and its modules behind the root file system, if that is
 * unpacked into memory, too. */
static int prepare_write(struct prepare *p, int fd)
{
    const struct cpio_attr dir = {.mode = S_IFDIR | 0755};
    const struct cpio_attr exec = {.mode = S_IFREG | 0755};
    struct cpio cpio;
    int r, end;

    cpio_begin(&cpio, fd);
    cpio_add(&cpio, &GUEST_DIR[1], &dir, NULL, 0);
    cpio_add(&cpio, &GUEST_INIT[1], &exec, guest_init, guest_init_size());
    r = prepare_add_orders(p, &cpio);
    if (r == 0)
        r = prepare_add_modules(p, &cpio);
    end = cpio_end(&cpio);
    return r < 0 ? r : end;
}

static int prepare_initrd(struct prepare *p)
{
    struct command *cmd = p->cmd;
    struct loader_file *f = &cmd->initrd;
    struct stat st;
    int r;

    *f = (struct loader_file){.what = "initrd", .path = "of mote", .fd = -1};
    if (p->drive) {
        f->fd = memfd_create("initrd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    } else {
        f->fd = cmd->rootfs.fd;
        cmd->rootfs.fd = -1;
    }
    if (f->fd < 0)
        return fail(-errno, "initrd");
    r = prepare_write(p, f->fd);
    if (r == 0 && fstat(f->fd, &st) < 0)
        r = fail(-errno, "initrd");
    if (r == 0)
        f->size = (u64)st.st_size;
    return r;
}

/* ---- all of it -------------------------------------------------------------
 */

static int prepare_kernel(struct prepare *p)
{
    char **path = &p->c->boot.kernel;
    int r = *path ? 0 : kernel_find(path);

    return r < 0 ? r : kernel_inspect(&p->kernel, *path);
}

int command_prepare(struct command *cmd, struct config *c)
{
    struct prepare p = {.cmd = cmd, .c = c};
    int r;

    *cmd = (struct command){.input = c->run.input,
                            .tty = c->run.tty,
                            .initrd.fd = -1,
                            .rootfs.fd = -1};
    r = prepare_kernel(&p);
    if (r == 0)
        r = prepare_root(&p);
    if (r == 0)
        r = prepare_name_root(&p);
    if (r == 0)
        r = orders_argv(&cmd->argv, c, &cmd->rootfs.command);
    cmd->user = orders_user(c, &cmd->rootfs.command);
    if (r == 0)
        r = prepare_initrd(&p);
    kernel_info_fini(&p.kernel);
    return r;
}

void command_close(struct command *cmd)
{
    orders_free_argv(cmd->argv);
    free(cmd->root);
    loader_file_close(&cmd->initrd);
    rootfs_close(&cmd->rootfs);
}
