/* SPDX-License-Identifier: Apache-2.0 */
/* gc.c: "mote rbd-gc": ephemeral clones whose keeper is gone */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/rbd.h"

#include "clone.h"
#include "owner.h"
#include "start.h"

struct gc {
    const struct rbd_gc_options *opt;
    struct rbd_lib lib;
    struct rbd_cluster spec;
    struct cluster cluster;
    rados_ioctx_t io;
    unsigned int failed;
};

/* What the clone's metadata says; false: it is no ephemeral clone. */
static bool gc_owner(struct gc *g, const char *name,
                     char owner[static RBD_NAME_MAX])
{
    const struct rbd_lib *lib = &g->lib;
    char mark[8] = "";
    size_t mark_len = sizeof(mark), owner_len = RBD_NAME_MAX;
    rbd_image_t image;
    bool found;

    if (lib->rbd_open_read_only(g->io, name, &image, NULL) < 0)
        return false;
    found =
        lib->rbd_metadata_get(image, CLONE_META_EPHEMERAL, mark, &mark_len) ==
            0 &&
        strcmp(mark, "1") == 0 &&
        lib->rbd_metadata_get(image, CLONE_META_OWNER, owner, &owner_len) == 0;
    lib->rbd_close(image);
    return found;
}

static void gc_remove(struct gc *g, const char *name)
{
    int r = g->opt->dry_run ? 0 : g->lib.rbd_remove(g->io, name);

    if (r < 0) {
        fail(r, "%s/%s: cannot be removed%s", g->opt->pool, name,
             r == -EBUSY ? "; a client still has it, or had until a moment "
                           "ago: try again in 30 s"
                         : "");
        g->failed++;
        return;
    }
    printf("%s\n", name);
}

static void gc_image(struct gc *g, const char *name)
{
    char owner[RBD_NAME_MAX] = "";

    if (gc_owner(g, name, owner) && owner_is_gone(owner, g->opt->host))
        gc_remove(g, name);
}

static int gc_list(struct gc *g)
{
    struct rbd_spec_entry *list = NULL;
    size_t n = 0;
    int r;

    do {
        free(list);
        list = calloc(n + 1, sizeof(*list));
        if (!list)
            return fail(-ENOMEM, "rbd-gc");
        r = g->lib.rbd_list2(g->io, list, &n);
    } while (r == -ERANGE);
    if (r < 0)
        fail(r, "rbd-gc: images of pool %s", g->opt->pool);
    for (size_t i = 0; r >= 0 && i < n; i++)
        gc_image(g, list[i].name);
    if (r >= 0)
        g->lib.rbd_image_spec_list_cleanup(list, n);
    free(list);
    return r < 0 ? r : 0;
}

static int gc_run(struct gc *g)
{
    const struct rbd_gc_options *o = g->opt;
    int r = rbd_lib_load(&g->lib);

    if (r == 0)
        r = rbd_fill_cluster(&g->spec, o->access);
    if (r == 0)
        r = cluster_prepare(&g->cluster, &g->lib, &g->spec);
    if (r < 0)
        return r;
    r = cluster_connect(&g->cluster);
    if (r == 0)
        r = cluster_pool(&g->cluster, "rbd-gc", o->pool, o->ns ? o->ns : "",
                         &g->io);
    if (r == 0)
        r = gc_list(g);
    if (g->io)
        g->lib.rados_ioctx_destroy(g->io);
    cluster_close(&g->cluster);
    return r;
}

int rbd_gc(const struct rbd_gc_options *opt)
{
    struct gc *g = calloc(1, sizeof(*g));
    int r;

    if (!g) {
        fail(-ENOMEM, "rbd-gc");
        return STATUS_FAILURE;
    }
    g->opt = opt;
    r = gc_run(g);
    if (r == 0 && g->failed > 0)
        r = -EBUSY;
    free(g);
    return r < 0 ? STATUS_FAILURE : STATUS_OK;
}
