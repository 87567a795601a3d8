/* SPDX-License-Identifier: Apache-2.0 */
/* check.c: "mote check": what would fail, as text or JSON */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/check.h"

#include "parts.h"

static const char *const check_level[] = {
    [FINDING_OK] = "ok",
    [FINDING_HINT] = "hint",
    [FINDING_WARN] = "warn",
    [FINDING_FAIL] = "fail",
};

static int check_help(void)
{
    return cli_help(
        "usage: mote check [--json] FILE\n"
        "       mote check [--json] [options of mote run] [-- COMMAND ...]\n\n"
        "Says what would fail, and starts nothing: no VM, no program; no file "
        "is made or\nlocked. Each line is ok, hint, warn or fail, what it is "
        "about, and what to do.\n\n  --json             as one JSON object\n",
        cli_run_options,
        "\nExit status: 0 nothing would fail; 152 something would; 153 bad "
        "arguments.\n");
}

/* --json, and a FILE in front, are ours; the rest is as for mote run. */
static void check_take(struct cli *cli, char **argv)
{
    size_t n = 0;
    bool rest = false;

    for (size_t i = 0; argv[i]; i++) {
        rest = rest || strcmp(argv[i], "--") == 0;
        if (!rest && strcmp(argv[i], "--json") == 0)
            cli->json = true;
        else if (n == 0 && argv[i][0] != '-' && !cli->config)
            cli->config = argv[i];
        else
            argv[n++] = argv[i];
    }
    argv[n] = NULL;
}

enum cli_command cli_check(struct cli *cli, char **argv, int *status)
{
    check_take(cli, argv);
    if (cli_run_parse(cli, argv, "check")) {
        *status = check_help();
        return CLI_DONE;
    }
    *status = STATUS_BAD_ARGS;
    return cli->errors ? CLI_DONE : CLI_CHECK;
}

/* ---- output --------------------------------------------------------------
 */

static int check_print_json(const struct findings *f)
{
    json_t *list = json_array(), *root;
    int r;

    for (unsigned int i = 0; i < f->nr; i++) {
        const struct finding *one = &f->finding[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s+}", "level",
                                        check_level[one->level], "what",
                                        one->what, "text", one->text, ""));
    }
    root = json_pack("{s:s, s:b, s:o}", "version", MOTE_VERSION, "ok",
                     !f->failed, "findings", list);
    r = root ? json_dumpf(root, stdout, JSON_COMPACT) : -1;
    json_decref(root);
    return r < 0 || putchar('\n') == EOF ? -1 : 0;
}

static int check_print_text(const struct findings *f)
{
    int width = 0, r = 0;

    for (unsigned int i = 0; i < f->nr; i++)
        width = MAX(width, (int)strlen(f->finding[i].what));
    for (unsigned int i = 0; r >= 0 && i < f->nr; i++)
        r = printf("%-4s  %-*s  %s\n", check_level[f->finding[i].level], width,
                   f->finding[i].what, f->finding[i].text);
    if (r >= 0 && f->lost)
        r = printf("...   and %u more\n", f->lost);
    return r;
}

/* Its errors are findings like others, and the first. False: there is none
 * that could be looked at. */
static bool check_configuration(struct findings *f, struct cli *cli)
{
    int r, bad;

    if (findings_listen() < 0)
        return false;
    r = cli_configure(cli);
    bad = r < 0 ? r : config_check(cli->c);
    findings_heard(f, bad < 0 ? FINDING_FAIL : FINDING_WARN, "configuration");
    return r == 0;
}

int cli_print_check(struct cli *cli)
{
    struct findings *f = calloc(1, sizeof(*f));
    int r, status;

    if (!f) {
        fail(-ENOMEM, "check");
        return STATUS_FAILURE;
    }
    if (check_configuration(f, cli))
        check_host(f, cli->c);
    r = cli->json ? check_print_json(f) : check_print_text(f);
    status = f->failed ? STATUS_BAD_CONFIG : STATUS_OK;
    free(f);
    if (r >= 0 && fflush(stdout) != EOF)
        return status;
    fail(-EIO, "stdout");
    return STATUS_FAILURE;
}
