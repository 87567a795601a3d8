/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h: the command line into a configuration. All on main. */
#ifndef MOTE_CLI_H
#define MOTE_CLI_H

#include "mote/config.h"
#include "mote/sandbox.h"

enum cli_command {
    CLI_DONE,    /* all is said and done: exit with *status */
    CLI_RUN,     /* *c is complete and checked */
    CLI_CHECK,   /* of *c, which is to be configured */
    CLI_VERSION, /* print it; json says how */
    CLI_RBD_GC,  /* of gc; the access is that of *c's first drive */
};

struct cli_rbd_gc {
    bool dry_run;
    const char *host;
};

struct cli_firecracker { /* options that wait for what the file says */
    bool no_api, api_sock;
    const char *log_path, *module, *metrics_path;
    bool has_level, show_level, show_origin;
    unsigned int level; /* enum log_level */
};

struct cli {
    struct config *c;   /* from config_init() */
    const char *config; /* --config */
    bool print_config, print_isolation;
    bool json;
    char **rest; /* what is behind --, or NULL */
    bool typed;  /* a command or its files, not only in the file */
    int proc;    /* --print-isolation: /proc, to name descriptors in the jail */
    struct cli_rbd_gc gc;
    struct cli_firecracker fc;
    unsigned int errors;
};

/* argv as main() got it. Errors have been printed; *status is set for
 * CLI_DONE. */
enum cli_command cli_parse(struct cli *cli, int argc, char **argv, int *status);

struct vm;

/* --print-isolation: of a VM that is built, in its jail, to stdout; returns
 * the status. */
int cli_print_isolation(const struct cli *cli, const struct vm *vm,
                        const struct sandbox_report *jail);

/* "mote check", to stdout; returns the status. */
int cli_print_check(struct cli *cli);

/* "mote version", to stdout; returns the status. */
int cli_print_version(bool json);

#endif
