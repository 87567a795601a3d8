/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h: the command line into a configuration */
#ifndef MOTE_CLI_H
#define MOTE_CLI_H

#include "mote/config.h"

enum cli_command {
    CLI_DONE,    /* all is said and done: exit with *status */
    CLI_RUN,     /* *c is complete and checked */
    CLI_VERSION, /* print it; json says how */
};

struct cli {
    struct config *c;   /* from config_init() */
    const char *config; /* --config */
    bool print_config;
    bool json;
    unsigned int errors;
};

/* argv as main() got it. Errors have been printed; *status is set for
 * CLI_DONE. */
enum cli_command cli_parse(struct cli *cli, int argc, char **argv, int *status);

/* "mote version", to stdout; returns the status. */
int cli_print_version(bool json);

#endif
