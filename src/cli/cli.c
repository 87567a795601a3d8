/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c: subcommands, and the options they have in common */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"

#define CLI_OPTION_MAX 64

void cli_error(struct cli *cli, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fail_rule(-EINVAL, "%s", text);
    cli->errors++;
}

static void cli_json(struct cli *cli, const char *value)
{
    cli->json = true;
}

static const struct cli_option version_options[] = {
    {"--json", NULL, "as one JSON object", .set = cli_json},
    {.name = NULL},
};

/* ---- help -----------------------------------------------------------------
 */

static const char usage_text[] =
    "usage: mote run [options]           start a virtual machine\n"
    "       mote check FILE | [options]  say what would fail, start nothing\n"
    "       mote rbd-gc POOL [options]   remove clones of crashed hosts\n"
    "       mote version [--json]        version and engines\n"
    "       mote --config-file FILE --no-api   as Firecracker's\n"
    "       mote COMMAND --help          the options of a command\n";

/* Its value, if it has one, is behind a =. */
static bool cli_may_stand_alone(const struct cli_option *o)
{
    return o->value && o->value[0] == '=';
}

int cli_help(const char *head, const struct cli_option *options,
             const char *tail)
{
    char left[40];

    printf("%s", head);
    for (const struct cli_option *o = options; o->name; o++) {
        if (!o->help)
            continue;
        snprintf(left, sizeof(left),
                 cli_may_stand_alone(o) ? "%s%s%s[%s]" : "%s%s%s %s",
                 o->letter ? o->letter : "", o->letter ? ", " : "", o->name,
                 o->value ? o->value : "");
        printf("  %-18s %s\n", left, o->help);
    }
    printf("  %-18s %s\n%s", "-h, --help", "this text", tail);
    return fflush(stdout) == EOF ? STATUS_FAILURE : STATUS_OK;
}

static int cli_help_version(void)
{
    return cli_help("usage: mote version [--json]\n\n", version_options, "");
}

static int cli_help_rbd_gc(void)
{
    return cli_help(
        "usage: mote rbd-gc POOL[/NAMESPACE] [options]\n\n"
        "Removes the ephemeral clones that VMs of this host have left behind, "
        "because\nthe host or all of mote crashed; prints the name of "
        "each.\n\n",
        cli_rbd_gc_options, "");
}

/* ---- parsing --------------------------------------------------------------
 */

/* "--kernel=x" matches --kernel; *value is behind the = then. */
static const struct cli_option *cli_find(const struct cli_option *options,
                                         const char *arg, const char **value)
{
    size_t len = strcspn(arg, "=");

    *value = arg[len] ? arg + len + 1 : NULL;
    for (const struct cli_option *o = options; o->name; o++)
        if ((strlen(o->name) == len && strncmp(o->name, arg, len) == 0) ||
            (o->letter && strcmp(o->letter, arg) == 0))
            return o;
    return NULL;
}

static void cli_unknown(struct cli *cli, const struct cli_option *options,
                        const char *command, const char *arg)
{
    const char *names[CLI_OPTION_MAX] = {NULL};
    char word[64];
    const char *near;
    size_t n = 0;

    if (arg[0] != '-') {
        cli_error(cli, "%s: not an option, and mote %s takes no arguments%s",
                  arg, command,
                  strcmp(command, "run") == 0 ? "; a command goes behind --"
                                              : "");
        return;
    }
    for (const struct cli_option *o = options; o->name; o++)
        if (o->help)
            names[n++] = o->name;
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(arg, "="), arg);
    near = config_nearest(word, names, n);
    if (near)
        cli_error(cli, "%s: unknown option; did you mean %s?", word, near);
    else
        cli_error(cli, "%s: unknown option; see mote %s --help", word, command);
}

/* argv[*i] is o; its value is behind the = or the next argument, on to which
 * *i moves. False: there is none, or one too many, which has been told. */
static bool cli_value(struct cli *cli, const struct cli_option *o, char **argv,
                      int *i, const char **value)
{
    const char *next = argv[*i + 1];

    if (!o->value && *value)
        cli_error(cli, "%s: takes no value", o->name);
    if (!o->value || *value)
        return !*value || o->value;
    if (cli_may_stand_alone(o))
        return true;
    if (!next) {
        cli_error(cli, "%s: needs a value: %s", o->name, o->value);
        return false;
    }
    if (strncmp(next, "--", 2) == 0) {
        cli_error(cli, "%s: needs a value; write %s=%s if that is it", o->name,
                  o->name, next);
        return false;
    }
    *value = next;
    ++*i;
    return true;
}

static bool cli_is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* argv[i] is an option of the command. Returns the last argument used. */
static int cli_option(struct cli *cli, const struct cli_option *options,
                      bool *seen, const char *command, char **argv, int i)
{
    const char *value;
    const struct cli_option *o = cli_find(options, argv[i], &value);

    if (!o) {
        cli_unknown(cli, options, command, argv[i]);
        return i;
    }
    if (!cli_value(cli, o, argv, &i, &value))
        return i;
    if (!o->help)
        cli_error(cli, "%s: not supported yet", o->name);
    else if (seen[o - options] && !o->repeats)
        cli_error(cli, "%s: given twice", o->name);
    else
        o->set(cli, value);
    seen[o - options] = true;
    return i;
}

bool cli_options(struct cli *cli, const struct cli_option *options,
                 const char *command, char **argv)
{
    bool seen[CLI_OPTION_MAX] = {false};

    for (int i = 0; argv[i]; i++)
        if (strcmp(argv[i], "--") == 0)
            break;
        else if (cli_is_help(argv[i]))
            return true;
    for (int i = 0; argv[i]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            cli->rest = argv + i + 1;
            break;
        }
        i = cli_option(cli, options, seen, command, argv, i);
    }
    return false;
}

static void cli_no_rest(struct cli *cli, const char *command)
{
    if (cli->rest)
        cli_error(cli, "--: mote %s takes no command", command);
}

static enum cli_command cli_version(struct cli *cli, char **argv, int *status)
{
    if (cli_options(cli, version_options, "version", argv)) {
        *status = cli_help_version();
        return CLI_DONE;
    }
    cli_no_rest(cli, "version");
    *status = STATUS_BAD_ARGS;
    return cli->errors ? CLI_DONE : CLI_VERSION;
}

static enum cli_command cli_parse_rbd_gc(struct cli *cli, char **argv,
                                         int *status)
{
    char *pool = argv[0] && argv[0][0] != '-' ? *argv++ : NULL;

    if (cli_options(cli, cli_rbd_gc_options, "rbd-gc", argv)) {
        *status = cli_help_rbd_gc();
        return CLI_DONE;
    }
    cli_no_rest(cli, "rbd-gc");
    cli_rbd_gc_pool(cli, pool);
    *status = STATUS_BAD_ARGS;
    return cli->errors ? CLI_DONE : CLI_RBD_GC;
}

/* Not "run" and not "version": say what it may have been meant to be. */
static int cli_no_command(const char *arg)
{
    static const char *const names[] = {"run", "check", "version", "rbd-gc"};
    const char *near;

    if (cli_is_help(arg)) {
        printf("%s", usage_text);
        return fflush(stdout) == EOF ? STATUS_FAILURE : STATUS_OK;
    }
    near = config_nearest(arg, names, ARRAY_SIZE(names));
    if (near)
        fail_rule(-EINVAL, "%s: unknown command; did you mean %s?", arg, near);
    else
        fail_rule(-EINVAL, "%s: unknown command; see mote --help", arg);
    return STATUS_BAD_ARGS;
}

enum cli_command cli_parse(struct cli *cli, int argc, char **argv, int *status)
{
    if (argc > 0 && cli_is_firecracker(argv[0]))
        return cli_firecracker(cli, argv + 1, status);
    if (argc < 2) {
        fprintf(stderr, "%s", usage_text);
        *status = STATUS_BAD_ARGS;
        return CLI_DONE;
    }
    if (strcmp(argv[1], "run") == 0)
        return cli_run(cli, argv + 2, status);
    if (strcmp(argv[1], "check") == 0)
        return cli_check(cli, argv + 2, status);
    if (strcmp(argv[1], "version") == 0)
        return cli_version(cli, argv + 2, status);
    if (strcmp(argv[1], "rbd-gc") == 0)
        return cli_parse_rbd_gc(cli, argv + 2, status);
    if (argv[1][0] == '-' && !cli_is_help(argv[1]))
        return cli_firecracker(cli, argv + 1, status);
    *status = cli_no_command(argv[1]);
    return CLI_DONE;
}
