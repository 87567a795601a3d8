/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: mote run: short forms of the configuration's keys */
#include <stdlib.h>
#include <unistd.h>

#include "mote/mem.h"

#include "parts.h"

static void cli_metadata(struct cli *cli, const char *value)
{
    struct mmds_config *m = &cli->c->mmds;

    cli_set_path(cli, &m->path, "--metadata", value);
    config_set_option(cli->c, &m->given, "--metadata");
    m->given = true;
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

static void cli_interp_stats(struct cli *cli, const char *value)
{
    cli->c->machine.interp_stats = true;
    config_set_option(cli->c, &cli->c->machine.interp_stats, "--interp-stats");
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

static void cli_timeout(struct cli *cli, const char *value)
{
    unsigned int *ms = &cli->c->run.deadlines.wall_ms;
    int r = config_parse_time(value, ms);

    config_set_option(cli->c, ms, "--timeout");
    if (r == -EINVAL)
        cli_error(cli, "--timeout: \"%s\" is not a time, such as 30s or 500ms",
                  value);
    else if (r < 0)
        cli_error(cli, "--timeout: %s is out of range 1ms..24d", value);
}

static void cli_record(struct cli *cli, const char *value)
{
    cli_set_path(cli, &cli->c->record.path, "--record", value);
}

static void cli_verbose(struct cli *cli, const char *value)
{
    cli->c->verbose = true;
}

static void cli_rootfs(struct cli *cli, const char *value)
{
    cli_set_path(cli, &cli->c->run.rootfs, "--rootfs", value);
}

/* NAME=VALUE, or NAME with the value that it has here. */
static void cli_env(struct cli *cli, const char *value)
{
    struct run_config *r = &cli->c->run;
    struct config_pair *pair = &r->env[r->nr_env];
    size_t len = strcspn(value, "=");
    const char *text = value[len] ? value + len + 1 : getenv(value);

    if (!cli_room(cli, "--env", r->nr_env, CONFIG_ENV_MAX) || !text)
        return; /* not set here: not set there */
    if (len == 0) {
        cli_error(cli, "--env: \"%s\" is not NAME=VALUE", value);
        return;
    }
    r->nr_env++;
    cli_set_string(cli, &pair->value, "--env", text);
    pair->name = strndup(value, len);
    if (!pair->name)
        cli_error(cli, "--env: no memory");
}

static void cli_workdir(struct cli *cli, const char *value)
{
    cli_set_form(cli, &cli->c->run.workdir, "--workdir", config_form_absolute,
                 value);
}

static void cli_user(struct cli *cli, const char *value)
{
    cli_set_form(cli, &cli->c->run.user, "--user", config_form_user, value);
}

static void cli_hostname(struct cli *cli, const char *value)
{
    cli_set_form(cli, &cli->c->run.hostname, "--hostname", config_form_hostname,
                 value);
}

static void cli_tty(struct cli *cli, const char *value)
{
    cli->c->run.tty = true;
    config_set_option(cli->c, &cli->c->run.tty, "--tty");
}

static void cli_no_tty(struct cli *cli, const char *value)
{
    cli->c->run.tty = false;
    config_set_option(cli->c, &cli->c->run.tty, "--no-tty");
}

const struct cli_option cli_run_options[] = {
    {"--rootfs", "PATH", "directory, tar archive, container or disk image",
     .set = cli_rootfs},
    {"--env", "K=V", "variable of the command; K: as it is here",
     .set = cli_env, .repeats = true},
    {"--workdir", "DIR", "where the command starts [/]", .set = cli_workdir},
    {"--user", "USER[:GROUP]", "who it is, by name or number [0:0]",
     .set = cli_user},
    {"--hostname", "NAME", "of the guest [mote]", .set = cli_hostname},
    {"--tty", NULL, "give it a terminal, as if mote had three", .set = cli_tty,
     .letter = "-t"},
    {"--no-tty", NULL, "give it none", .set = cli_no_tty},
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
    {"--metadata", "FILE",
     "JSON object that the guest gets from 169.254.169.254",
     .set = cli_metadata},
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
    {"--interp-stats", NULL, "tell at the end what the interpreter counted",
     .set = cli_interp_stats},
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
    {"--timeout", "TIME", "end the VM after 30s, 500ms, 5m ... [never]",
     .set = cli_timeout},
    {"--record", "FILE", "write how it ended as JSON; - is stdout",
     .set = cli_record},
    {"--verbose", NULL, "say how it ended in one line on stderr",
     .set = cli_verbose, .letter = "-v"},
    {"--vsock", "SPEC", NULL, .set = NULL},
    {.name = NULL},
};

static int cli_help_run(void)
{
    return cli_help(
        "usage: mote run --rootfs PATH [options] [-- COMMAND [ARG...]]\n"
        "       mote run --kernel FILE [options]\n"
        "       mote run --config FILE [options]\n\n"
        "Runs a command in a virtual machine of its own, or starts a machine, "
        "and ends\nwith it. Options win over the file.\n\n"
        "  mote run --rootfs /srv/debian -- cat /etc/os-release\n"
        "  mote run --rootfs image.tar --net user --timeout 30s\n"
        "  make data | mote run --rootfs /srv/tools -- sort -u >sorted\n\n",
        cli_run_options,
        "\nOn a terminal Ctrl-A x ends the VM; Ctrl-A Ctrl-A sends one "
        "Ctrl-A.\n"
        "Exit status: the command's, or 128 and the signal that it died of; "
        "124 timeout;\n125 the guest ended without a status; 126 not "
        "executable; 127 not found.\nWithout a command: 0 the guest ended or "
        "SIGTERM. 152 bad configuration; 153 bad\narguments; 1 any other "
        "failure.\n");
}

static void cli_command(struct cli *cli)
{
    struct run_config *r = &cli->c->run;
    size_t nr = 0;

    while (cli->rest[nr])
        nr++;
    if (nr == 0 || nr > CONFIG_ARG_MAX) {
        cli_error(cli, "--: %s",
                  nr ? "too many arguments" : "there is no command behind it");
        return;
    }
    r->cmd = calloc(nr + 1, sizeof(*r->cmd));
    config_set_option(cli->c, &r->cmd, "--");
    for (size_t i = 0; r->cmd && i < nr; i++)
        r->cmd[i] = strdup(cli->rest[i]);
    if (!r->cmd || !r->cmd[nr - 1])
        cli_error(cli, "--: no memory");
}

/* Who types a command means it to be like any other: it reads what he types,
 * and if all three streams are terminals, so are its. */
static void cli_command_streams(struct cli *cli)
{
    struct run_config *r = &cli->c->run;

    if (!config_given(cli->c, &r->input))
        r->input = true;
    if (!config_given(cli->c, &r->tty))
        r->tty = r->input && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
                 isatty(STDERR_FILENO);
}

bool cli_run_parse(struct cli *cli, char **argv, const char *command)
{
    if (cli_options(cli, cli_run_options, command, argv))
        return true;
    if (cli->rest)
        cli_command(cli);
    cli->typed = cli->c->run.cmd || cli->c->run.rootfs;
    return false;
}

int cli_configure(struct cli *cli)
{
    if (cli->config && config_read(cli->c, cli->config) < 0)
        return -EINVAL;
    if (cli->typed)
        cli_command_streams(cli);
    config_complete(cli->c);
    return 0;
}

enum cli_command cli_run(struct cli *cli, char **argv, int *status)
{
    int r;

    if (cli_run_parse(cli, argv, "run")) {
        *status = cli_help_run();
        return CLI_DONE;
    }
    *status = STATUS_BAD_ARGS;
    if (cli->errors)
        return CLI_DONE;
    *status = STATUS_BAD_CONFIG;
    if (cli_configure(cli) < 0 || config_check(cli->c) < 0)
        return CLI_DONE;
    if (!cli->print_config)
        return CLI_RUN;
    r = config_print(cli->c);
    if (r != -EILSEQ)
        *status = r < 0 ? STATUS_FAILURE : STATUS_OK;
    return CLI_DONE;
}
