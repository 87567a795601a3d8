/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs.c: a command, and the files that it is among */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/rootfs.h"

#include "check.h"

#define ROOTFS_SEARCH                                                          \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* As the guest will see it, for which a link to /bin leads to its own. False:
 * it is not there, or no program. */
static bool rootfs_has(int root, const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                                 .resolve = RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    struct stat st = {0};

    if (fd < 0)
        return false;
    fstat(fd, &st);
    close(fd);
    return S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

static const char *rootfs_search_path(const struct run_config *run)
{
    for (unsigned int i = 0; i < run->nr_env; i++)
        if (strcmp(run->env[i].name, "PATH") == 0)
            return run->env[i].value;
    return ROOTFS_SEARCH;
}

/* In one directory of PATH after the other, as mote's init will. */
static bool rootfs_finds(int root, const struct run_config *run)
{
    const char *name = run->cmd[0], *dirs = rootfs_search_path(run);
    const char *workdir = run->workdir ? run->workdir : "/";
    char path[4096];
    size_t n;

    if (strchr(name, '/')) {
        snprintf(path, sizeof(path), "%s/%s", name[0] == '/' ? "" : workdir,
                 name);
        return rootfs_has(root, path);
    }
    for (; *dirs; dirs += n + (dirs[n] == ':')) {
        n = strcspn(dirs, ":");
        snprintf(path, sizeof(path), "%.*s/%s", (int)n, dirs, name);
        if (rootfs_has(root, path))
            return true;
    }
    return false;
}

static void rootfs_directory(struct checking *k, const char *path)
{
    const struct run_config *run = &k->c->run;
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        finding_add(k->f, FINDING_FAIL, "rootfs", "%s: %s (%s)", path,
                    strerrordesc_np(errno), strerrorname_np(errno));
    else if (!run->cmd)
        finding_add(k->f, FINDING_FAIL, "command",
                    "none: give one behind --, or as run.cmd");
    else if (rootfs_finds(root, run))
        finding_add(k->f, FINDING_OK, "command", "%s: in %s", run->cmd[0],
                    path);
    else
        finding_add(k->f, FINDING_FAIL, "command",
                    "%s: no such program in %s; paths are those of the guest",
                    run->cmd[0], path);
    if (root >= 0)
        close(root);
}

/* What is not a directory or an archive is a file system. */
void host_rootfs(struct checking *k)
{
    const char *path = k->c->run.rootfs, *what = NULL;

    if (!path || findings_listen() < 0)
        return;
    rootfs_peek(path, &what);
    findings_heard(k->f, FINDING_FAIL, "rootfs");
    if (!what)
        return;
    if (strcmp(what, "directory") == 0) {
        rootfs_directory(k, path);
        return;
    }
    finding_add(k->f, FINDING_OK, "rootfs", "%s: %s", path, what);
    if (strcmp(what, "archive") != 0)
        k->root_type = what;
}
