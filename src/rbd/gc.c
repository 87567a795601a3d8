/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c: "mote rbd-gc": ephemeral clones whose keeper is gone. Two processes:
 * the one with librbd is locked in as a worker is; so it cannot see which
 * processes there are, and asks the other one.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/filter.h"
#include "mote/log.h"
#include "mote/rbd.h"
#include "mote/sandbox.h"

#include "clone.h"
#include "owner.h"
#include "start.h"

struct gc {
    const struct rbd_gc_options *opt;
    struct rbd_lib lib;
    struct rbd_cluster spec;
    struct cluster cluster;
    rados_ioctx_t io;
    int ask[2];    /* pipe: an owner, RBD_NAME_MAX bytes */
    int answer[2]; /* pipe: a byte, 1: it is gone */
    unsigned int failed;
};

/* ---- the process with librbd --------------------------------------------- */

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
    fflush(stdout); /* it is gone, whatever becomes of the rest */
}

static void gc_image(struct gc *g, const char *name)
{
    char owner[RBD_NAME_MAX] = "", gone = 0;

    if (gc_owner(g, name, owner) &&
        write(g->ask[1], owner, sizeof(owner)) == sizeof(owner) &&
        read(g->answer[0], &gone, 1) == 1 && gone)
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

/* What needs files, then a jail: as good as it gets. */
static int gc_prepare(struct gc *g)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST};
    struct sandbox_report report;
    int r = rbd_fill_cluster(&g->spec, g->opt->access);

    if (r == 0)
        r = sandbox_alone_begin(&c, &report);
    if (r == 0)
        r = rbd_lib_load(&g->lib);
    if (r == 0)
        r = cluster_prepare(&g->cluster, &g->lib, &g->spec);
    if (r == 0)
        r = sandbox_alone_seal(&c, true, &report);
    return r < 0 ? r
                 : filter_load_process(FILTER_RBD_WORKER_WIDE, FILTER_ENFORCE);
}

static int gc_run(struct gc *g)
{
    const struct rbd_gc_options *o = g->opt;
    int r = gc_prepare(g);

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

_Noreturn static void gc_child(struct gc *g)
{
    int r;

    close(g->ask[0]);
    close(g->answer[1]);
    r = gc_run(g);
    _exit(r < 0 || g->failed > 0 ? STATUS_FAILURE : STATUS_OK);
}

/* ---- the one that sees processes ------------------------------------------
 */

static int gc_answer(struct gc *g, pid_t child)
{
    char owner[RBD_NAME_MAX], gone;
    int status;

    while (read(g->ask[0], owner, sizeof(owner)) == sizeof(owner)) {
        owner[sizeof(owner) - 1] = '\0';
        gone = owner_is_gone(owner, g->opt->host);
        if (write(g->answer[1], &gone, 1) != 1)
            break;
    }
    if (waitpid(child, &status, 0) < 0)
        return fail(-errno, "rbd-gc");
    if (WIFSIGNALED(status))
        return fail_rule(-ECHILD, "rbd-gc: librbd's process died of SIG%s",
                         sigabbrev_np(WTERMSIG(status)));
    return WEXITSTATUS(status) == STATUS_OK ? 0 : -ECANCELED; /* told why */
}

static int gc_split(struct gc *g)
{
    pid_t child;

    if (pipe2(g->ask, O_CLOEXEC) < 0 || pipe2(g->answer, O_CLOEXEC) < 0)
        return fail(-errno, "rbd-gc");
    child = fork();
    if (child < 0)
        return fail(-errno, "rbd-gc");
    if (child == 0)
        gc_child(g);
    close(g->ask[1]);
    close(g->answer[0]);
    return gc_answer(g, child);
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
    r = gc_split(g);
    free(g);
    return r < 0 ? STATUS_FAILURE : STATUS_OK;
}
