/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: one VM, one process outside its jail and one inside; the only place
 * where mote exits */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/filter.h"
#include "mote/metrics.h"
#include "mote/rbd.h"
#include "mote/record.h"
#include "mote/sandbox.h"
#include "mote/thread.h"
#include "mote/undo.h"
#include "mote/vm.h"

#include "mote/cli.h"

/* A caller that closed stdin, stdout or stderr must not have guest memory or
 * a log file take their numbers. */
static void main_fill_stdio(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* The lowest descriptor from from on that the configuration names, or ~0. */
static unsigned int main_next_fd(const struct config *c, unsigned int from)
{
    unsigned int keep = ~0u;

    for (unsigned int i = 0; i < c->nr_nets; i++)
        if (c->net[i].backend == NET_FD && c->net[i].fd >= from)
            keep = MIN(keep, c->net[i].fd);
    for (unsigned int i = 0; i < c->nr_drives; i++)
        if (c->drive[i].rbd.key_fd >= from)
            keep = MIN(keep, c->drive[i].rbd.key_fd);
    return keep;
}

/* What the caller left open is not for the guest, but for what the
 * configuration names. */
static void main_close_inherited(const struct config *c)
{
    unsigned int from = STDERR_FILENO + 1, keep;

    do {
        keep = main_next_fd(c, from);
        if (keep > from)
            close_range(from, keep - 1, 0);
        from = keep + 1;
    } while (keep != ~0u);
}

/* From here on threads are filtered. report_fd: where denials are told; -1:
 * here. */
static int main_filter(const struct config *c, int report_fd)
{
    return filter_init(c->sandbox.log_denials ? FILTER_LOG : FILTER_ENFORCE,
                       report_fd);
}

static bool main_in_jail;

/* Asked by the leak checker of sanitized builds, at exit: it needs /proc and a
 * thread of its own, of which there is neither in the jail nor behind a filter.
 */
int __lsan_is_turned_off(void); /* NOLINT: its name */
int __lsan_is_turned_off(void)  /* NOLINT */
{
    return main_in_jail || filter_on();
}

/* The last thread to be filtered is this one; then come the kernel and what is
 * in it. */
static int main_monitor(const struct cli *cli, struct vm *vm)
{
    static const struct filter filter = {.kind = FILTER_MAIN};
    struct sandbox_report jail;

    main_in_jail = true;
    rbd_forget();
    if (vm_build(vm) < 0 || sandbox_seal(&jail) < 0)
        return STATUS_FAILURE;
    sandbox_say(&jail);
    if (cli->print_isolation)
        return cli_print_isolation(cli, vm, &jail);
    if (main_filter(cli->c, sandbox_report_fd()) < 0 || vm_start(vm) < 0 ||
        filter_load(&filter, "main") < 0 || vm_load(vm) < 0)
        return STATUS_FAILURE;
    return vm_run(vm);
}

/* What it would be denied, it does not wait for: the monitor is then killed. */
static int main_supervisor(const struct config *c, struct vm *vm)
{
    static const struct filter filter = {.kind = FILTER_SUPERVISOR};

    vm_let_go(vm);
    if (main_filter(c, -1) < 0 || filter_load(&filter, "supervisor") < 0)
        return STATUS_FAILURE;
    return sandbox_wait();
}

static int main_open_record(const struct config *c)
{
    const char *why;
    int r = record_open(c->record.path, &why);

    if (r < 0)
        config_fail(c, &c->record.path, "%s: %s (%s)", c->record.path, why,
                    errno_name(r));
    return r;
}

/* The last thing of all: when it is there, nothing else is left. */
static int main_write_record(const struct config *c, int status)
{
    struct record_facts facts = {
        .id = c->id ? c->id : "anonymous-instance",
        .status = status,
        .verbose = c->verbose,
    };
    int r = record_write(&facts);

    return r < 0 && status == STATUS_OK ? STATUS_FAILURE : status;
}

/* Of a VM that never was, if it is known where to. */
static void main_record_refusal(const struct config *c, int status)
{
    const char *why;

    if (status != STATUS_BAD_CONFIG && status != STATUS_BAD_ARGS)
        return;
    if (!config_may_record(c) || record_open(c->record.path, &why) < 0)
        return;
    record_end(REASON_CONFIG_ERROR, 0);
    main_write_record(c, status);
}

/* From sandbox_enter() on it is two processes that get here, each for its own
 * part. */
static int main_vm(struct cli *cli)
{
    const struct config *c = cli->c;
    struct command cmd = {.initrd.fd = -1, .rootfs.fd = -1};
    bool has_command = config_has_command(c);
    struct vm *vm = NULL;
    int status = STATUS_FAILURE, r;

    main_close_inherited(c);
    if (!cli->print_isolation && main_open_record(c) < 0)
        return STATUS_BAD_CONFIG;
    if (log_open(&c->log) < 0 ||
        (!cli->print_isolation && metrics_open(&c->metrics) < 0)) {
        record_end(REASON_CONFIG_ERROR, 0);
        return main_write_record(c, STATUS_BAD_CONFIG);
    }
    if (cli->print_isolation)
        cli->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    r = has_command ? command_prepare(&cmd, cli->c) : 0;
    if (r < 0)
        status = STATUS_BAD_CONFIG;
    if (r == 0)
        r = vm_open(&vm, c, has_command ? &cmd : NULL);
    record_stamp(RECORD_OPENED);
    if (r == 0)
        r = sandbox_enter(&c->sandbox);
    if (r == SANDBOX_OUTSIDE)
        status = main_supervisor(c, vm);
    else if (r == 0)
        status = main_monitor(cli, vm);
    vm_free(vm);
    command_close(&cmd);
    undo_all();
    metrics_close();
    log_close();
    return main_in_jail ? status : main_write_record(c, status);
}

static int main_rbd_gc(const struct cli *cli)
{
    const struct rbd_config *r = &cli->c->drive[0].rbd;
    struct rbd_gc_options opt = {.pool = r->pool,
                                 .ns = r->ns,
                                 .access = r,
                                 .dry_run = cli->gc.dry_run,
                                 .host = cli->gc.host};

    return rbd_gc(&opt);
}

/* mote started by mote: no command line, no configuration. -1: it is not. */
static int main_role(int argc, char **argv)
{
    long spec_fd, stop_fd;

    if (argc != 4)
        return -1;
    spec_fd = strtol(argv[2], NULL, 10);
    stop_fd = strtol(argv[3], NULL, 10);
    if (strcmp(argv[1], "rbd-keeper") == 0)
        return rbd_keeper_main((int)spec_fd, (int)stop_fd);
    if (strcmp(argv[1], "rbd-worker") == 0)
        return rbd_worker_main((int)spec_fd, (int)stop_fd);
    return -1;
}

int main(int argc, char **argv)
{
    struct config c;
    struct cli cli = {.c = &c, .proc = -1};
    int status;

    main_fill_stdio();
    signal(SIGPIPE, SIG_IGN); /* a reader that went away ends no VM */
    status = main_role(argc, argv);
    if (status >= 0)
        return status;
    status = STATUS_FAILURE;
    record_init();
    role_set(ROLE_MAIN);
    if (config_init(&c) < 0)
        return STATUS_FAILURE;
    switch (cli_parse(&cli, argc, argv, &status)) {
    case CLI_RUN:
        record_stamp(RECORD_CONFIG);
        status = main_vm(&cli);
        break;
    case CLI_CHECK:
        status = cli_print_check(&cli);
        break;
    case CLI_VERSION:
        status = cli_print_version(cli.json);
        break;
    case CLI_RBD_GC:
        status = main_rbd_gc(&cli);
        break;
    case CLI_DONE:
        main_record_refusal(&c, status);
        break;
    }
    config_fini(&c);
    return status;
}
