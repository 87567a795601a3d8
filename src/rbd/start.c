/* SPDX-License-Identifier: Apache-2.0 */
/* start.c: from drives to keepers: drives of one cluster, user and key share a
 * worker. All of it in the process that was started, before the sandbox. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/rbd.h"
#include "mote/sandbox.h"
#include "mote/undo.h"

#include "disk.h"
#include "start.h"

#define RBD_CONF     "/etc/ceph/ceph.conf"
#define RBD_FILE_MAX (1 << 20) /* of a key or a configuration */

struct rbd_group {
    const struct rbd_config *access; /* of its first drive */
    struct rbd_spec *spec;
    int spec_fd;
    int stop_fd; /* ours; the keeper sees it close */
    pid_t keeper;
    struct undo undo;
};

static struct rbd_group rbd_group[RBD_IMAGE_MAX];
static unsigned int rbd_nr_groups;

/* ---- groups -------------------------------------------------------------- */

static bool rbd_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool rbd_same_cluster(const struct rbd_config *a,
                             const struct rbd_config *b)
{
    for (unsigned int i = 0; a->mon_host[i] || b->mon_host[i]; i++)
        if (!rbd_same_text(a->mon_host[i], b->mon_host[i]))
            return false;
    if (a->nr_options != b->nr_options)
        return false;
    for (unsigned int i = 0; i < a->nr_options; i++)
        if (!rbd_same_text(a->option[i].name, b->option[i].name) ||
            !rbd_same_text(a->option[i].value, b->option[i].value))
            return false;
    return rbd_same_text(a->conf, b->conf) && rbd_same_text(a->user, b->user) &&
           rbd_same_text(a->key_file, b->key_file) &&
           rbd_same_text(a->fsid, b->fsid) && a->key_fd == b->key_fd &&
           a->cache == b->cache && a->timeout_s == b->timeout_s &&
           a->connect_timeout_s == b->connect_timeout_s;
}

static int rbd_set_text(char *to, size_t size, const char *text,
                        const char *key)
{
    if (text && (size_t)snprintf(to, size, "%s", text) >= size)
        return fail_rule(-EINVAL, "rbd.%s: longer than %zu bytes", key,
                         size - 1);
    return 0;
}

static int rbd_open_file(const char *path, const char *key)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? fail(-errno, "rbd.%s: %s", key, path) : fd;
}

/* The kernel copies: nothing of it is in this process's memory. */
static ssize_t rbd_copy_some(int to, int from, off_t *at, bool pipe)
{
    return pipe ? splice(from, NULL, to, NULL, RBD_FILE_MAX, 0)
                : sendfile(to, from, at, RBD_FILE_MAX);
}

/*
 * All of fd, in a memfd: the worker's successor reads it again, which it could
 * not of a pipe; and any user may open it by its number.
 */
static int rbd_copy(int fd, const char *key)
{
    int copy = memfd_create("mote-rbd-file", MFD_CLOEXEC), r;
    struct stat st;
    off_t at = 0;
    ssize_t n;

    if (copy < 0 || fstat(fd, &st) < 0) {
        r = -errno;
        goto close_copy;
    }
    do {
        n = rbd_copy_some(copy, fd, &at, S_ISFIFO(st.st_mode));
        r = n < 0 ? -errno : 0;
        if (lseek(copy, 0, SEEK_END) > RBD_FILE_MAX)
            r = -EFBIG;
    } while (n > 0 && r == 0);
    if (r == 0)
        return copy;

close_copy:
    if (copy >= 0)
        close(copy);
    return fail(r, "rbd.%s: cannot be read", key);
}

static int rbd_copy_file(const char *path, const char *key)
{
    int fd = rbd_open_file(path, key), copy;

    if (fd < 0)
        return fd;
    copy = rbd_copy(fd, key);
    close(fd);
    return copy;
}

/* Only the worker looks at what is in them. */
static int rbd_open_files(struct rbd_cluster *c, const struct rbd_config *rc)
{
    bool found = !rc->mon_host[0] && access(RBD_CONF, R_OK) == 0;
    const char *conf = rc->conf ? rc->conf : found ? RBD_CONF : NULL;

    c->key_fd = c->conf_fd = -1;
    if (rc->key_file)
        c->key_fd = rbd_copy_file(rc->key_file, "key_file");
    else if (rc->key_fd)
        c->key_fd = rbd_copy((int)rc->key_fd, "key_fd");
    if ((rc->key_file || rc->key_fd) && c->key_fd < 0)
        return c->key_fd;
    if (conf)
        c->conf_fd = rbd_copy_file(conf, "conf");
    return conf && c->conf_fd < 0 ? c->conf_fd : 0;
}

int rbd_fill_cluster(struct rbd_cluster *c, const struct rbd_config *rc)
{
    size_t n = 0;
    int r;

    c->cache = rc->cache;
    c->timeout_s = rc->timeout_s;
    c->connect_timeout_s =
        rc->connect_timeout_s ? rc->connect_timeout_s : CONFIG_CONNECT_S;
    r = rbd_set_text(c->user, sizeof(c->user), rc->user ? rc->user : "admin",
                     "user");
    if (r == 0)
        r = rbd_set_text(c->fsid, sizeof(c->fsid), rc->fsid, "fsid");
    for (unsigned int i = 0; r == 0 && rc->mon_host[i];
         i++, n = strlen(c->mon_host)) {
        r = rbd_set_text(c->mon_host + n, sizeof(c->mon_host) - n, i ? "," : "",
                         "mon_host");
        n = strlen(c->mon_host);
        if (r == 0)
            r = rbd_set_text(c->mon_host + n, sizeof(c->mon_host) - n,
                             rc->mon_host[i], "mon_host");
    }
    for (unsigned int i = 0; r == 0 && i < rc->nr_options; i++) {
        r = rbd_set_text(c->option[i][0], RBD_NAME_MAX, rc->option[i].name,
                         "options");
        if (r == 0)
            r = rbd_set_text(c->option[i][1], RBD_NAME_MAX, rc->option[i].value,
                             "options");
    }
    c->nr_options = rc->nr_options;
    return r == 0 ? rbd_open_files(c, rc) : r;
}

static int rbd_new_group(struct rbd_group *g, const struct rbd_config *rc)
{
    *g = (struct rbd_group){.access = rc, .stop_fd = -1};
    g->spec_fd = memfd_create("mote-rbd-spec", MFD_CLOEXEC);
    if (g->spec_fd < 0 || ftruncate(g->spec_fd, sizeof(*g->spec)) < 0)
        return fail(-errno, "rbd: memfd");
    g->spec = mmap(NULL, sizeof(*g->spec), PROT_READ | PROT_WRITE, MAP_SHARED,
                   g->spec_fd, 0);
    if (g->spec == MAP_FAILED)
        return fail(-errno, "rbd: memfd");
    return rbd_fill_cluster(&g->spec->cluster, rc);
}

static int rbd_find_group(struct rbd_group **out, const struct rbd_config *rc)
{
    int r;

    for (unsigned int i = 0; i < rbd_nr_groups; i++)
        if (rbd_same_cluster(rbd_group[i].access, rc)) {
            *out = &rbd_group[i];
            return 0;
        }
    assert(rbd_nr_groups < ARRAY_SIZE(rbd_group));
    *out = &rbd_group[rbd_nr_groups];
    r = rbd_new_group(*out, rc);
    if (r == 0)
        rbd_nr_groups++;
    return r;
}

/* ---- drives -------------------------------------------------------------- */

/* VMs without an id must not meet in one clone. */
static int rbd_name_clone(struct rbd_image *im, const struct drive_config *dc,
                          const char *vm_id)
{
    char random[16] = "";
    u32 bits;

    if (dc->rbd.clone.name)
        return rbd_set_text(im->clone, sizeof(im->clone), dc->rbd.clone.name,
                            "clone.name");
    if (!vm_id) {
        if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
            return fail(-errno, "getrandom");
        snprintf(random, sizeof(random), "%08x", bits);
    }
    snprintf(im->clone, sizeof(im->clone), "mote-%s-%s", vm_id ? vm_id : random,
             dc->id);
    return 0;
}

static int rbd_fill_image(struct rbd_image *im, const struct drive_config *dc,
                          const char *vm_id)
{
    const struct rbd_config *rc = &dc->rbd;
    int r;

    im->read_only = dc->read_only;
    im->lock = rc->lock;
    im->keep_clone = rc->clone.exit == CLONE_KEEP;
    r = rbd_set_text(im->drive, sizeof(im->drive), dc->id, "drive_id");
    if (r == 0)
        r = rbd_set_text(im->pool, sizeof(im->pool), rc->pool, "pool");
    if (r == 0)
        r = rbd_set_text(im->ns, sizeof(im->ns), rc->ns, "namespace");
    if (r == 0)
        r = rbd_set_text(im->image, sizeof(im->image), rc->image, "image");
    if (r == 0)
        r = rbd_set_text(im->snapshot, sizeof(im->snapshot), rc->snapshot,
                         "snapshot");
    if (r == 0 && rc->clone.given)
        r = rbd_name_clone(im, dc, vm_id);
    return r;
}

/* Sealed: neither side can take the ground from under the other. */
static int rbd_new_ring(struct rbd_image *im)
{
    im->ring_fd = memfd_create("mote-rbd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    im->submit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    im->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (im->ring_fd < 0 || im->submit_fd < 0 || im->done_fd < 0 ||
        ftruncate(im->ring_fd, RBD_RING_SIZE) < 0 ||
        fcntl(im->ring_fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return fail(-errno, "drive %s: shared memory", im->drive);
    return 0;
}

static void rbd_close_ring(struct rbd_image *im)
{
    if (im->ring_fd >= 0)
        close(im->ring_fd);
    if (im->submit_fd >= 0)
        close(im->submit_fd);
    if (im->done_fd >= 0)
        close(im->done_fd);
}

/* The disk has descriptors of its own: it lives longer than the group. */
static int rbd_new_disk(struct disk **out, const struct rbd_image *im)
{
    struct rbd_disk_options opt = {
        .name = im->drive,
        .read_only = im->read_only || (im->snapshot[0] && !im->clone[0]),
        .ring_fd = fcntl(im->ring_fd, F_DUPFD_CLOEXEC, 0),
        .submit_fd = fcntl(im->submit_fd, F_DUPFD_CLOEXEC, 0),
        .done_fd = fcntl(im->done_fd, F_DUPFD_CLOEXEC, 0),
    };

    if (opt.ring_fd < 0 || opt.submit_fd < 0 || opt.done_fd < 0)
        return fail(-errno, "drive %s: descriptors", im->drive);
    return rbd_disk_new(out, &opt);
}

int rbd_open(struct disk **out, const struct drive_config *dc,
             const char *vm_id)
{
    struct rbd_group *g;
    struct rbd_image *im;
    int r = rbd_find_group(&g, &dc->rbd);

    if (r < 0)
        return r;
    im = &g->spec->image[g->spec->nr_images];
    r = rbd_fill_image(im, dc, vm_id);
    if (r < 0)
        return r;
    r = rbd_new_ring(im);
    if (r == 0)
        r = rbd_new_disk(out, im);
    if (r < 0) {
        rbd_close_ring(im);
        return r;
    }
    g->spec->nr_images++;
    return 0;
}

/* ---- keepers ------------------------------------------------------------- */

static void rbd_close_group(struct rbd_group *g)
{
    struct rbd_spec *s = g->spec;

    for (u32 i = 0; i < s->nr_images; i++)
        rbd_close_ring(&s->image[i]);
    if (s->cluster.key_fd >= 0)
        close(s->cluster.key_fd);
    if (s->cluster.conf_fd >= 0)
        close(s->cluster.conf_fd);
    close(g->spec_fd);
    munmap(s, sizeof(*s));
    g->spec = NULL;
    g->spec_fd = -1;
}

/* The keeper has deadlines of its own. */
static void rbd_stop(struct undo *u)
{
    struct rbd_group *g = container_of(u, struct rbd_group, undo);

    close(g->stop_fd);
    g->stop_fd = -1;
    waitpid(g->keeper, NULL, 0);
}

static int rbd_start_group(struct rbd_group *g, const struct sandbox_config *c,
                           int cgroup_fd)
{
    int pipe_fd[2];

    g->spec->jail = (struct rbd_jail){.require = c->require,
                                      .uid = c->uid,
                                      .gid = c->gid,
                                      .log_denials = c->log_denials,
                                      .cgroup_fd = cgroup_fd};
    log_share(&g->spec->log);
    if (pipe2(pipe_fd, O_CLOEXEC) < 0)
        return fail(-errno, "rbd: pipe2");
    g->keeper = spec_start(g->spec, g->spec_fd, "rbd-keeper", pipe_fd[0]);
    close(pipe_fd[0]);
    g->stop_fd = pipe_fd[1];
    if (g->keeper < 0)
        return g->keeper;
    undo_add(&g->undo, rbd_stop);
    rbd_close_group(g);
    return 0;
}

int rbd_start(const struct sandbox_config *sandbox)
{
    int cgroup_fd = -1, r = 0;

    if (rbd_nr_groups)
        r = sandbox_open_cgroup(sandbox, &cgroup_fd);
    for (unsigned int i = 0; r == 0 && i < rbd_nr_groups; i++)
        r = rbd_start_group(&rbd_group[i], sandbox, cgroup_fd);
    if (cgroup_fd >= 0)
        close(cgroup_fd);
    /* Copied; several drives may name the same one. */
    for (unsigned int i = 0; i < rbd_nr_groups; i++)
        if (rbd_group[i].access->key_fd)
            close((int)rbd_group[i].access->key_fd);
    return r;
}

void rbd_forget(void)
{
    for (unsigned int i = 0; i < rbd_nr_groups; i++)
        if (rbd_group[i].stop_fd >= 0) {
            close(rbd_group[i].stop_fd);
            rbd_group[i].stop_fd = -1;
        }
}
