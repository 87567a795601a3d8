/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: one process, one VM; the only place where mote exits */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/thread.h"
#include "mote/undo.h"
#include "mote/vm.h"

#include "cli.h"

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

static int main_vm(const struct config *c)
{
    struct vm *vm;
    int status;

    if (log_open(&c->log) < 0)
        return STATUS_BAD_CONFIG;
    if (vm_new(&vm, c, &status) == 0) {
        status = vm_run(vm);
        vm_free(vm);
    }
    undo_all(); /* of a start that failed */
    log_close();
    return status;
}

int main(int argc, char **argv)
{
    struct config c;
    struct cli cli = {.c = &c};
    int status = STATUS_FAILURE;

    main_fill_stdio();
    signal(SIGPIPE, SIG_IGN); /* a reader that went away ends no VM */
    role_set(ROLE_MAIN);
    if (config_init(&c) < 0)
        return STATUS_FAILURE;
    switch (cli_parse(&cli, argc, argv, &status)) {
    case CLI_RUN:
        status = main_vm(&c);
        break;
    case CLI_VERSION:
        status = cli_print_version(cli.json);
        break;
    case CLI_DONE:
        break;
    }
    config_fini(&c);
    return status;
}
