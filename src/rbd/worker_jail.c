/* SPDX-License-Identifier: Apache-2.0 */
/* worker_jail.c: around librbd, which has a network and the cluster's key */
#include <sys/stat.h>
#include <unistd.h>

#include "mote/filter.h"
#include "mote/log.h"

#include "worker_jail.h"

/* A connection to every OSD; the caller's hard limit, if that is lower. */
#define WORKER_NOFILE 65536

/* Before it takes memory. The keeper stays outside: it removes clones also
 * after a want of memory. */
static int worker_jail_join(const struct rbd_jail *s)
{
    int r = s->cgroup_fd < 0 ? 0 : sandbox_join_cgroup(s->cgroup_fd);

    if (s->cgroup_fd >= 0)
        close(s->cgroup_fd);
    return r;
}

int worker_jail_begin(struct worker_jail *j, const struct rbd_spec *spec,
                      int spec_fd, int stop_fd)
{
    const struct rbd_jail *s = &spec->jail;
    int r = spec_close_others(spec, spec_fd, stop_fd);

    *j = (struct worker_jail){
        .config = {.require = (enum sandbox_require)s->require,
                   .uid = s->uid,
                   .gid = s->gid,
                   .rlimits = {.nofile = WORKER_NOFILE}},
        .mode = s->log_denials ? FILTER_LOG : FILTER_ENFORCE};
    if (r == 0)
        r = log_take_stderr();
    if (r == 0)
        r = worker_jail_join(s);
    return r < 0 ? r : sandbox_alone_begin(&j->config, &j->report);
}

/* Capabilities and Landlock are of a thread, and those it starts: one that is
 * there already would be outside. A directory has two links, and one more for
 * each thread. */
static int worker_jail_check_threads(void)
{
    struct stat st;

    if (stat("/proc/self/task", &st) < 0)
        return fail(-errno, "rbd: worker: /proc/self/task");
    if (st.st_nlink != 3)
        return fail_rule(-EBUSY,
                         "rbd: worker: this librados starts threads before "
                         "they can be locked in; please report its version");
    return 0;
}

static void worker_jail_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* All that was read or mapped. */
static void worker_jail_close_files(const struct rbd_spec *spec, int spec_fd)
{
    worker_jail_close(spec_fd);
    worker_jail_close(spec->cluster.key_fd);
    worker_jail_close(spec->cluster.conf_fd);
    for (u32 i = 0; i < spec->nr_images; i++)
        worker_jail_close(spec->image[i].ring_fd);
}

int worker_jail_seal(struct worker_jail *j, const struct rbd_spec *spec,
                     int spec_fd)
{
    int r = worker_jail_check_threads();

    if (r < 0)
        return r;
    worker_jail_close_files(spec, spec_fd);
    r = sandbox_alone_seal(&j->config, true, &j->report);
    if (r < 0)
        return r;
    if (j->report.missing[0] && spec->gen == 1)
        log_warn("rbd: the worker's isolation: %s; missing: %s",
                 sandbox_level_name(j->report.level), j->report.missing);
    return filter_load_process(FILTER_RBD_WORKER_WIDE, j->mode);
}

int worker_jail_narrow(const struct worker_jail *j)
{
    return filter_load_process(FILTER_RBD_WORKER, j->mode);
}
