/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h: what the parts of the command line have of each other */
#ifndef MOTE_CLI_PARTS_H
#define MOTE_CLI_PARTS_H

#include "mote/cli.h"

struct cli_option {
    const char *name;
    const char *value; /* how help calls it; NULL: takes none; with = in
                        * front: may be left out */
    const char *help;  /* NULL: known, but not supported yet */
    void (*set)(struct cli *cli, const char *value);
    bool repeats;
    const char *letter; /* "-v", or NULL: the same in short */
};

/* Everything behind "mote COMMAND". True: help was asked for. */
bool cli_options(struct cli *cli, const struct cli_option *options,
                 const char *command, char **argv);

/* Of these options, to stdout; returns the status. */
int cli_help(const char *head, const struct cli_option *options,
             const char *tail);

/* "mote run"; argv is what is behind it. */
enum cli_command cli_run(struct cli *cli, char **argv, int *status);
enum cli_command cli_check(struct cli *cli, char **argv, int *status);
extern const struct cli_option cli_run_options[];

/* Options of mote run, and a command. True: help was asked for. */
bool cli_run_parse(struct cli *cli, char **argv, const char *command);

/* Then: read the file, if there is one, and complete what was given. 0 or
 * -EINVAL, already reported; config_check() is due. */
int cli_configure(struct cli *cli);

/* Without a subcommand, or called firecracker; argv is all behind the
 * program's name. */
enum cli_command cli_firecracker(struct cli *cli, char **argv, int *status);
bool cli_is_firecracker(const char *program);

/* Of "mote rbd-gc", whose argument is not an option. */
extern const struct cli_option cli_rbd_gc_options[];
void cli_rbd_gc_pool(struct cli *cli, const char *pool);

typedef void cli_option_fn(struct cli *cli, const char *value);
cli_option_fn cli_disk, cli_rbd, cli_net, cli_rng, cli_console, cli_port;
extern const char cli_disk_help[], cli_rbd_help[], cli_net_help[],
    cli_console_help[], cli_port_help[];

/* A word behind a comma: NAME, or NAME=VALUE if takes is not NULL. */
struct cli_word {
    const char *name; /* NULL: end */
    const char *takes;
    void (*set)(struct cli *cli, void *device, const char *value);
    bool repeats;
    bool optional; /* the value, which is NULL then */
};

/* "ro,cache=unsafe" into a device; text is cut to pieces. */
void cli_words(struct cli *cli, const char *option,
               const struct cli_word *words, void *device, char *text);

/* Into *id "disk0" or so, if it has none. */
void cli_name(struct cli *cli, char **id, const char *option, const char *kind,
              unsigned int n);

/* False, with an error, when an option was given too often. */
bool cli_room(struct cli *cli, const char *option, unsigned int nr,
              unsigned int max);

/* Prints and counts. */
void cli_error(struct cli *cli, const char *fmt, ...) PRINTF(2, 3);

/* *field, a member of *c, becomes value, if that is right; option is what
 * errors call it, now and later. */
void cli_set_string(struct cli *cli, char **field, const char *option,
                    const char *value);
void cli_set_path(struct cli *cli, char **field, const char *option,
                  const char *value); /* not empty */
void cli_set_form(struct cli *cli, char **field, const char *option,
                  config_form_fn *form, const char *value);
void cli_set_word(struct cli *cli, void *field, const char *option,
                  const struct config_words *words, const char *value);
void cli_set_number(struct cli *cli, unsigned int *field, const char *option,
                    unsigned int min, unsigned int max, const char *value);

#endif
