/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firecracker.c: Firecracker's own options, for orchestrators that start
 * one process for one file. What is not obeyed is refused by name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"

/* Of the HTTP API whose file form mote takes; clients compare it. */
#define FC_API_LEVEL "1.12.1"

bool cli_is_firecracker(const char *program)
{
    const char *slash = strrchr(program, '/');

    return strcmp(slash ? slash + 1 : program, "firecracker") == 0;
}

/* ---- obeyed ---------------------------------------------------------------
 */

static void fc_config_file(struct cli *cli, const char *value)
{
    if (!*value)
        cli_error(cli, "--config-file: \"\" is empty");
    cli->config = value;
}

static void fc_no_api(struct cli *cli, const char *value)
{
    cli->fc.no_api = true;
}

static void fc_api_sock(struct cli *cli, const char *value)
{
    cli->fc.api_sock = true;
}

static void fc_id(struct cli *cli, const char *value)
{
    cli_set_form(cli, &cli->c->id, "--id", config_form_id, value);
}

static void fc_boot_timer(struct cli *cli, const char *value)
{
    cli->c->boot_timer = true;
}

/* The log's: kept until it is known what the file says. */
static void fc_log_path(struct cli *cli, const char *value)
{
    if (!*value)
        cli_error(cli, "--log-path: \"\" is empty");
    cli->fc.log_path = value;
}

static void fc_metrics(struct cli *cli, const char *value)
{
    if (!*value)
        cli_error(cli, "--metrics-path: \"\" is empty");
    cli->fc.metrics_path = value;
}

static void fc_level(struct cli *cli, const char *value)
{
    cli_set_word(cli, &cli->fc.level, "--level", &config_levels, value);
    cli->fc.has_level = true;
}

static void fc_module(struct cli *cli, const char *value)
{
    cli->fc.module = value;
}

static void fc_show_level(struct cli *cli, const char *value)
{
    cli->fc.show_level = true;
}

static void fc_show_origin(struct cli *cli, const char *value)
{
    cli->fc.show_origin = true;
}

static void fc_no_seccomp(struct cli *cli, const char *value)
{
    log_warn("--no-seccomp: ignored; filters are never off");
}

static void fc_metadata(struct cli *cli, const char *value)
{
    cli_set_path(cli, &cli->c->mmds.path, "--metadata", value);
}

static void fc_mmds_size(struct cli *cli, const char *value)
{
    cli_set_number(cli, &cli->c->mmds.size, "--mmds-size-limit", 1,
                   MMDS_SIZE_MAX, value);
}

/* Firecracker says in its metrics how long the start of its API took. */
static void fc_start_time(struct cli *cli, const char *value)
{
    if (!*value || value[strspn(value, "0123456789")])
        cli_error(cli, "--start-time-us and the like: \"%s\" is not a number",
                  value);
}

/* ---- refused --------------------------------------------------------------
 */

static void fc_payload(struct cli *cli, const char *value)
{
    cli_error(cli, "--http-api-max-payload-size: the HTTP API is not supported "
                   "yet");
}

static void fc_seccomp_filter(struct cli *cli, const char *value)
{
    cli_error(cli, "--seccomp-filter: mote's own filters fit its threads, and "
                   "cannot be replaced");
}

static void fc_pci(struct cli *cli, const char *value)
{
    cli_error(cli, "--enable-pci: mote's devices are on virtio-mmio only");
}

static void fc_snapshot(struct cli *cli, const char *value)
{
    cli_error(cli, "--snapshot-version, --describe-snapshot: snapshots are not "
                   "supported yet");
}

#define NOT_YET "not supported yet"

static const struct cli_option fc_options[] = {
    {"--config-file", "FILE", "the VM, in Firecracker's schema",
     .set = fc_config_file},
    {"--no-api", NULL, "without the HTTP API; needed", .set = fc_no_api},
    {"--id", "S", "name of the VM [anonymous-instance]", .set = fc_id},
    {"--metadata", "FILE", "JSON object that mmds-config serves the guest",
     .set = fc_metadata},
    {"--mmds-size-limit", "N", "bytes that it may have [51200]",
     .set = fc_mmds_size},
    {"--boot-timer", NULL, "log when the guest's init says it has started",
     .set = fc_boot_timer},
    {"--log-path", "PATH", "file or FIFO for the log [stderr]",
     .set = fc_log_path},
    {"--metrics-path", "PATH", "file or FIFO for the metrics",
     .set = fc_metrics},
    {"--level", "L", "Off, Error, Warning, Info, Debug, Trace [Info]",
     .set = fc_level},
    {"--module", "DIR", "log only what src/DIR says", .set = fc_module},
    {"--show-level", NULL, "the level in each line", .set = fc_show_level},
    {"--show-log-origin", NULL, "file and line in each line",
     .set = fc_show_origin},
    {"--start-time-us", "N", "no effect without the API", .set = fc_start_time},
    {"--start-time-cpu-us", "N", "the same", .set = fc_start_time},
    {"--parent-cpu-time-us", "N", "the same", .set = fc_start_time},
    {"--no-seccomp", NULL, "ignored; filters are never off",
     .set = fc_no_seccomp},
    {"--api-sock", "PATH", "ignored with --no-api, else " NOT_YET,
     .set = fc_api_sock},
    {"--http-api-max-payload-size", "N", NOT_YET, .set = fc_payload},
    {"--snapshot-version", NULL, NOT_YET, .set = fc_snapshot},
    {"--describe-snapshot", "FILE", NOT_YET, .set = fc_snapshot},
    {"--seccomp-filter", "FILE", "refused: filters cannot be replaced",
     .set = fc_seccomp_filter},
    {"--enable-pci", NULL, "refused: devices are on virtio-mmio",
     .set = fc_pci},
    {.name = NULL},
};

/* ---- together -------------------------------------------------------------
 */

static int fc_help(void)
{
    return cli_help("usage: mote --config-file FILE --no-api [options]\n"
                    "       firecracker ...     (mote called by that name)\n\n"
                    "Firecracker's options, for what starts Firecracker. The "
                    "file wins over them.\n"
                    "mote run --help: mote's own.\n\n",
                    fc_options, "      --version      the API level\n");
}

/* Line 1, word 2 is what clients parse: a semantic version. */
static int fc_version(void)
{
    printf("mote v" FC_API_LEVEL "+mote." MOTE_VERSION "\n");
    return fflush(stdout) == EOF ? STATUS_FAILURE : STATUS_OK;
}

static void fc_check(struct cli *cli)
{
    if (!cli->fc.no_api)
        cli_error(cli,
                  "%s: the HTTP API is not supported yet; give "
                  "--config-file FILE and --no-api",
                  cli->fc.api_sock ? "--api-sock" : "no --no-api");
    else if (!cli->config)
        cli_error(cli, "--no-api: needs --config-file FILE");
    else if (cli->rest)
        cli_error(cli, "--: a command is for mote run, or run.cmd in the file");
}

static int fc_move(struct config *c, char **field, const char *value)
{
    if (!value || config_given(c, field))
        return 0;
    *field = strdup(value);
    return *field ? 0 : fail(-ENOMEM, "configuration");
}

/* As there: data without an mmds-config are in nobody's way. */
static void fc_look_at_metadata(const struct config *c)
{
    if (c->mmds.path && !c->mmds.given)
        log_warn("--metadata %s: there is no mmds-config in the file, so the "
                 "guest does not get to see it",
                 c->mmds.path);
}

/* The file's logger and metrics blocks win. */
static int fc_log(struct cli *cli)
{
    const struct cli_firecracker *fc = &cli->fc;
    struct config *c = cli->c;
    int r = fc_move(c, &c->log.path, fc->log_path);

    if (r == 0)
        r = fc_move(c, &c->log.module, fc->module);
    if (r == 0)
        r = fc_move(c, &c->metrics.path, fc->metrics_path);
    if (fc->has_level && !config_given(c, &c->log.level))
        c->log.level = (enum log_level)fc->level;
    if (fc->show_level && !config_given(c, &c->log.show_level))
        c->log.show_level = true;
    if (fc->show_origin && !config_given(c, &c->log.show_origin))
        c->log.show_origin = true;
    return r;
}

enum cli_command cli_firecracker(struct cli *cli, char **argv, int *status)
{
    if (argv[0] && strcmp(argv[0], "--version") == 0) {
        *status = fc_version();
        return CLI_DONE;
    }
    if (cli_options(cli, fc_options, "--config-file", argv)) {
        *status = fc_help();
        return CLI_DONE;
    }
    *status = STATUS_BAD_ARGS;
    if (cli->errors == 0)
        fc_check(cli);
    if (cli->errors)
        return CLI_DONE;
    *status = STATUS_BAD_CONFIG;
    if (config_read(cli->c, cli->config) < 0 || fc_log(cli) < 0)
        return CLI_DONE;
    fc_look_at_metadata(cli->c);
    config_complete(cli->c);
    return config_check(cli->c) < 0 ? CLI_DONE : CLI_RUN;
}
