/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c: the kernel's file, by loading it as the VM would */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/loader.h"
#include "mote/vm.h"

#include "check.h"

#define LOAD_CONFIG_MAX (4 * MIB)

/* Shared with the child that loads. */
struct load {
    const struct config *c;
    struct loader_file kernel, initrd;
    struct mem *mem;
    bool has_config;
    char config[LOAD_CONFIG_MAX];
};

static int load_enter(void *ctx)
{
    struct load *l = ctx;
    int r = loader_file_open(&l->kernel, "kernel", l->kernel.path);

    if (r == 0 && l->initrd.path)
        r = loader_file_open(&l->initrd, "initrd", l->initrd.path);
    return r < 0 ? r : mem_new(&l->mem, l->c->machine.mem_bytes);
}

static int load_run(void *ctx)
{
    struct load *l = ctx;
    struct loader_result loaded;
    struct vm_plan plan;
    int r = vm_plan(&plan, l->c);

    plan.spec.kernel = &l->kernel;
    plan.spec.initrd = l->initrd.path ? &l->initrd : NULL;
    if (r == 0)
        r = loader_load(l->mem, &plan.spec, &loaded);
    if (r == 0)
        l->has_config =
            loader_config(l->mem, &loaded, l->config, sizeof(l->config)) == 0;
    return r;
}

bool check_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
           faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0;
}

/* Its configuration, if it brings one, is better than a file's beside it. */
static void kernel_load(struct checking *k)
{
    struct load *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct check_child child = {.enter = load_enter, .fn = load_run, .ctx = l};

    if (l == MAP_FAILED)
        return;
    l->c = k->c;
    l->kernel.path = k->kernel.path;
    if (k->c->boot.initrd && check_is_file(k->c->boot.initrd))
        l->initrd.path = k->c->boot.initrd;
    if (findings_listen() == 0) {
        check_in_child(&child);
        findings_heard(k->f, FINDING_FAIL, "kernel");
    }
    if (l->has_config) {
        free(k->kernel.config);
        k->kernel.config = strdup(l->config);
    }
    munmap(l, sizeof(*l));
}

/* The named one, or the one that a command would get. */
static char *kernel_path(struct checking *k)
{
    char *path = NULL;

    if (k->c->boot.kernel)
        return check_is_file(k->c->boot.kernel) ? strdup(k->c->boot.kernel)
                                                : NULL;
    if (!config_has_command(k->c) || findings_listen() < 0)
        return NULL;
    kernel_find(&path);
    findings_heard(k->f, FINDING_FAIL, "kernel");
    return path;
}

static void kernel_say(struct checking *k)
{
    const struct kernel_info *i = &k->kernel;

    finding_add(k->f, FINDING_OK, "kernel", "%s: %s, %s", i->path, i->format,
                i->version[0] ? i->version : "version not known");
    if (i->modules)
        finding_add(k->f, FINDING_OK, "modules", "%s", i->modules);
}

void host_kernel(struct checking *k)
{
    char *path = kernel_path(k);

    if (!path || findings_listen() < 0) {
        free(path);
        return;
    }
    k->kernel_known = kernel_inspect(&k->kernel, path) == 0;
    free(path);
    findings_heard(k->f, FINDING_FAIL, "kernel");
    if (!k->kernel_known)
        return;
    kernel_say(k);
    kernel_load(k);
}
