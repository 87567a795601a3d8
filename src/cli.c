/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c: subcommands and options; short forms of the configuration's keys */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/mem.h"

#include "cli.h"

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

/* ---- what the options set -------------------------------------------------
 */

void cli_set_string(struct cli *cli, char **field, const char *option,
                    const char *value)
{
    free(*field);
    *field = strdup(value);
    if (!*field)
        cli_error(cli, "%s: no memory", option);
    config_set_option(cli->c, field, option);
}

void cli_set_path(struct cli *cli, char **field, const char *option,
                  const char *value)
{
    if (!*value)
        cli_error(cli, "%s: \"\" is empty", option);
    else
        cli_set_string(cli, field, option, value);
}

void cli_set_form(struct cli *cli, char **field, const char *option,
                  config_form_fn *form, const char *value)
{
    const char *wrong = form(value);

    if (wrong)
        cli_error(cli, "%s: \"%s\" %s", option, value, wrong);
    else
        cli_set_string(cli, field, option, value);
}

void cli_set_word(struct cli *cli, void *field, const char *option,
                  const struct config_words *words, const char *value)
{
    unsigned int *out = field, found;
    const char *near = NULL;
    char list[128];
    int r = config_find_word(words, value, &found, &near);

    config_set_option(cli->c, field, option);
    config_list_words(words, list, sizeof(list));
    if (r == 0)
        *out = found;
    else if (r == -ENOTSUP)
        cli_error(cli, "%s: \"%s\" is not supported yet; use %s", option, value,
                  list);
    else if (near)
        cli_error(cli, "%s: \"%s\" is not one of %s; did you mean \"%s\"?",
                  option, value, list, near);
    else
        cli_error(cli, "%s: \"%s\" is not one of %s", option, value, list);
}

void cli_set_number(struct cli *cli, unsigned int *field, const char *option,
                    unsigned int min, unsigned int max, const char *value)
{
    size_t digits = strspn(value, "0123456789");

    config_set_option(cli->c, field, option);
    if (digits == 0 || value[digits])
        cli_error(cli, "%s: \"%s\" is not a number", option, value);
    else if (digits > 9 || strtoul(value, NULL, 10) < min ||
             strtoul(value, NULL, 10) > max)
        cli_error(cli, "%s: %s is out of range %u..%u", option, value, min,
                  max);
    else
        *field = (unsigned int)strtoul(value, NULL, 10);
}

static void cli_kernel(struct cli *cli, const char *value)
{
    cli_set_path(cli, &cli->c->boot.kernel, "--kernel", value);
}

static void cli_initrd(struct cli *cli, const char *value)
{
    cli_set_path(cli, &cli->c->boot.initrd, "--initrd", value);
}

static void cli_cmdline(struct cli *cli, const char *value)
{
    cli_set_string(cli, &cli->c->boot.args, "--cmdline", value);
}

static void cli_append(struct cli *cli, const char *value)
{
    cli_set_string(cli, &cli->c->boot.append, "--append", value);
}

static void cli_memory(struct cli *cli, const char *value)
{
    u64 *bytes = &cli->c->machine.mem_bytes;
    int r = config_parse_size(value, bytes);

    config_set_option(cli->c, bytes, "--memory");
    if (r == -EINVAL)
        cli_error(cli,
                  "--memory: \"%s\" is not a size; give a number and K, M, G "
                  "or T, such as 512M",
                  value);
    else if (r < 0 || *bytes < MEM_SIZE_MIN || *bytes > MEM_SIZE_MAX)
        cli_error(cli, "--memory: %s is out of range %lluM..%lluG", value,
                  MEM_SIZE_MIN / MIB, MEM_SIZE_MAX / GIB);
    else if (*bytes % MIB)
        cli_error(cli, "--memory: %s is not a multiple of 1M", value);
}

static void cli_cpus(struct cli *cli, const char *value)
{
    cli_set_number(cli, &cli->c->machine.vcpus, "--cpus", 1, 32, value);
}

static void cli_engine(struct cli *cli, const char *value)
{
    cli_set_word(cli, &cli->c->machine.engine, "--engine", &config_engines,
                 value);
}

static void cli_config(struct cli *cli, const char *value)
{
    if (!*value)
        cli_error(cli, "--config: \"\" is empty");
    cli->config = value;
}

static void cli_id(struct cli *cli, const char *value)
{
    cli_set_form(cli, &cli->c->id, "--id", config_form_id, value);
}

static void cli_log_path(struct cli *cli, const char *value)
{
    cli_set_path(cli, &cli->c->log.path, "--log-path", value);
}

static void cli_level(struct cli *cli, const char *value)
{
    cli_set_word(cli, &cli->c->log.level, "--level", &config_levels, value);
}

static void cli_boot_timer(struct cli *cli, const char *value)
{
    cli->c->boot_timer = true;
}

static void cli_print_config(struct cli *cli, const char *value)
{
    cli->print_config = true;
}

static void cli_sandbox(struct cli *cli, const char *value)
{
    cli_set_word(cli, &cli->c->sandbox.require, "--sandbox", &config_requires,
                 value);
}

static void cli_isolation(struct cli *cli, const char *value)
{
    cli->print_isolation = true;
    cli->json = value && strcmp(value, "json") == 0;
    if (value && !cli->json && strcmp(value, "text") != 0)
        cli_error(cli, "--print-isolation: \"%s\" is not one of text, json",
                  value);
}

static void cli_seccomp(struct cli *cli, const char *value)
{
    cli->c->sandbox.log_denials = strcmp(value, "log") == 0;
    if (!cli->c->sandbox.log_denials && strcmp(value, "on") != 0)
        cli_error(cli, "--seccomp: \"%s\" is not one of on, log", value);
}

/* Firecracker's. */
static void cli_no_seccomp(struct cli *cli, const char *value)
{
    log_warn("--no-seccomp: ignored; filters are never off");
}

static void cli_json(struct cli *cli, const char *value)
{
    cli->json = true;
}

static const struct cli_option run_options[] = {
    {"--kernel", "FILE", "bzImage or vmlinux", .set = cli_kernel},
    {"--initrd", "FILE", "initial RAM disk", .set = cli_initrd},
    {"--cmdline", "S", "kernel command line, instead of the default",
     .set = cli_cmdline},
    {"--append", "S", "add to the kernel command line", .set = cli_append},
    {"--memory", "SIZE", "guest memory, such as 512M or 2G [128M]",
     .set = cli_memory},
    {"--cpus", "N", "vCPUs, 1..32 [1]", .set = cli_cpus},
    {"--engine", "E", "auto, kvm or interp [auto]", .set = cli_engine},
    {"--disk", "SPEC", cli_disk_help, .set = cli_disk, .repeats = true},
    {"--rbd", "SPEC", cli_rbd_help, .set = cli_rbd, .repeats = true},
    {"--net", "SPEC", cli_net_help, .set = cli_net, .repeats = true},
    {"--rng", NULL, "give the guest a source of entropy", .set = cli_rng},
    {"--console", "SPEC", cli_console_help, .set = cli_console},
    {"--port", "SPEC", cli_port_help, .set = cli_port, .repeats = true},
    {"--config", "FILE", "JSON file; - is stdin, fd:N a descriptor",
     .set = cli_config},
    {"--id", "S", "name of the VM [anonymous-instance]", .set = cli_id},
    {"--log-path", "PATH", "file or FIFO for the log [stderr]",
     .set = cli_log_path},
    {"--level", "L", "Off, Error, Warning, Info, Debug, Trace [Info]",
     .set = cli_level},
    {"--boot-timer", NULL, "log when the guest's init says it has started",
     .set = cli_boot_timer},
    {"--print-config", NULL, "print the configuration as JSON, start nothing",
     .set = cli_print_config},
    {"--sandbox", "MODE", "best, full or off [best]; filters are never off",
     .set = cli_sandbox},
    {"--print-isolation", "=F",
     "print what the VM could do, as text or json; "
     "run nothing",
     .set = cli_isolation},
    {"--seccomp", "MODE", "on, or log: note what filters would deny [on]",
     .set = cli_seccomp},
    {"--no-seccomp", NULL, "ignored; for scripts written for Firecracker",
     .set = cli_no_seccomp},
    {"--vsock", "SPEC", NULL, .set = NULL},
    {"--rootfs", "PATH", NULL, .set = NULL},
    {"--env", "K=V", NULL, .set = NULL},
    {"--workdir", "PATH", NULL, .set = NULL},
    {"--timeout", "SEC", NULL, .set = NULL},
    {"--record", "PATH", NULL, .set = NULL},
    {.name = NULL},
};

static const struct cli_option version_options[] = {
    {"--json", NULL, "as one JSON object", .set = cli_json},
    {.name = NULL},
};

/* ---- help -----------------------------------------------------------------
 */

static const char usage_text[] =
    "usage: mote run [options]           start a virtual machine\n"
    "       mote rbd-gc POOL [options]   remove clones of crashed hosts\n"
    "       mote version [--json]        version and engines\n"
    "       mote COMMAND --help          the options of a command\n";

/* Its value, if it has one, is behind a =. */
static bool cli_may_stand_alone(const struct cli_option *o)
{
    return o->value && o->value[0] == '=';
}

static int cli_help(const char *head, const struct cli_option *options,
                    const char *tail)
{
    char left[40];

    printf("%s", head);
    for (const struct cli_option *o = options; o->name; o++) {
        if (!o->help)
            continue;
        snprintf(left, sizeof(left),
                 cli_may_stand_alone(o) ? "%s[%s]" : "%s %s", o->name,
                 o->value ? o->value : "");
        printf("  %-18s %s\n", left, o->help);
    }
    printf("  %-18s %s\n%s", "-h, --help", "this text", tail);
    return fflush(stdout) == EOF ? STATUS_FAILURE : STATUS_OK;
}

static int cli_help_run(void)
{
    return cli_help(
        "usage: mote run --kernel FILE [options]\n"
        "       mote run --config FILE [options]\n\n"
        "Starts a virtual machine and ends with it. Options win over the "
        "file.\n\n",
        run_options,
        "\nOn a terminal Ctrl-A x ends the VM; Ctrl-A Ctrl-A sends one "
        "Ctrl-A.\n"
        "Exit status: 0 the guest ended or SIGTERM; 152 bad configuration; "
        "153 bad\narguments; 1 any other failure.\n");
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
        if (strlen(o->name) == len && strncmp(o->name, arg, len) == 0)
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
        cli_error(cli, "%s: not an option, and mote %s takes no arguments", arg,
                  command);
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

/* True: help was asked for. */
static bool cli_options(struct cli *cli, const struct cli_option *options,
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
            cli_error(cli, "-- command: one-shot commands are not supported "
                           "yet");
            break;
        }
        i = cli_option(cli, options, seen, command, argv, i);
    }
    return false;
}

static enum cli_command cli_run(struct cli *cli, char **argv, int *status)
{
    if (cli_options(cli, run_options, "run", argv)) {
        *status = cli_help_run();
        return CLI_DONE;
    }
    *status = STATUS_BAD_ARGS;
    if (cli->errors)
        return CLI_DONE;
    *status = STATUS_BAD_CONFIG;
    if (cli->config && config_read(cli->c, cli->config) < 0)
        return CLI_DONE;
    if (config_check(cli->c) < 0)
        return CLI_DONE;
    if (!cli->print_config)
        return CLI_RUN;
    *status = config_print(cli->c) < 0 ? STATUS_FAILURE : STATUS_OK;
    return CLI_DONE;
}

static enum cli_command cli_version(struct cli *cli, char **argv, int *status)
{
    if (cli_options(cli, version_options, "version", argv)) {
        *status = cli_help_version();
        return CLI_DONE;
    }
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
    cli_rbd_gc_pool(cli, pool);
    *status = STATUS_BAD_ARGS;
    return cli->errors ? CLI_DONE : CLI_RBD_GC;
}

/* Not "run" and not "version": say what it may have been meant to be. */
static int cli_no_command(const char *arg)
{
    static const char *const names[] = {"run", "version", "rbd-gc"};
    const char *near;

    if (cli_is_help(arg)) {
        printf("%s", usage_text);
        return fflush(stdout) == EOF ? STATUS_FAILURE : STATUS_OK;
    }
    near = config_nearest(arg, names, ARRAY_SIZE(names));
    if (strcmp(arg, "check") == 0)
        fail_rule(-EINVAL, "%s: not supported yet", arg);
    else if (arg[0] == '-')
        fail_rule(-EINVAL,
                  "%s: Firecracker's own options are not supported yet; use "
                  "mote run --config FILE",
                  arg);
    else if (near)
        fail_rule(-EINVAL, "%s: unknown command; did you mean %s?", arg, near);
    else
        fail_rule(-EINVAL, "%s: unknown command; see mote --help", arg);
    return STATUS_BAD_ARGS;
}

enum cli_command cli_parse(struct cli *cli, int argc, char **argv, int *status)
{
    if (argc < 2) {
        fprintf(stderr, "%s", usage_text);
        *status = STATUS_BAD_ARGS;
        return CLI_DONE;
    }
    if (strcmp(argv[1], "run") == 0)
        return cli_run(cli, argv + 2, status);
    if (strcmp(argv[1], "version") == 0)
        return cli_version(cli, argv + 2, status);
    if (strcmp(argv[1], "rbd-gc") == 0)
        return cli_parse_rbd_gc(cli, argv + 2, status);
    if (strcmp(argv[1], "--version") == 0 && argc == 2)
        return CLI_VERSION;
    *status = cli_no_command(argv[1]);
    return CLI_DONE;
}
