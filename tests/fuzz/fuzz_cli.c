/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.c: any arguments, one a line. What runs has had options only that --help
 * names, each with a value or without as it says there, and can be printed as
 * a configuration. What does not run says why, or printed what was asked for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/parts.h"
#include "fuzz.h"
#include "printed.h"

#define ARGS_MAX 40

struct known {
    char name[32], letter[4]; /* "--verbose", "-v" or "" */
    bool takes;
};

/* Of mote run, and of mote as Firecracker. */
static struct table {
    struct known known[64];
    size_t nr;
} ours, firecracker;

static unsigned int said;

int __wrap_config_read(struct config *c, const char *source);

/* --config opens what it names, a terminal perhaps. */
int __wrap_config_read(struct config *c, const char *source)
{
    static const char text[] =
        "{\"boot-source\": {\"kernel_image_path\": \"/proc/self/exe\"},\n"
        " \"machine-config\": {\"vcpu_count\": 2, \"mem_size_mib\": 64}}\n";

    return config_parse(c, source, text, strlen(text));
}

static void count_line(const char *text, size_t len)
{
    said++;
}

/* One run, its standard output into *out, the caller's to free. */
static enum cli_command run(struct config *c, char **argv, int *status,
                            char **out)
{
    struct cli cli = {.c = c};
    FILE *tty = stdout;
    enum cli_command r;
    int argc = 0;
    size_t len;

    while (argv[argc])
        argc++;
    if (config_init(c) < 0)
        abort();
    said = 0;
    stdout = open_memstream(out, &len);
    assert(stdout);
    r = cli_parse(&cli, argc, argv, status);
    fclose(stdout);
    stdout = tty;
    return r;
}

/* "  --name VALUE  help", "  --name  help", "  -n, --name  help". */
static void learn_option(struct table *t, const char *line)
{
    struct known *k = &t->known[t->nr];
    const char *name = strstr(line, "--");

    if (strncmp(line, "  -", 3) != 0 || !name || name - line > 6)
        return;
    *k = (struct known){0};
    if (sscanf(name, "%31s", k->name) != 1 || strcmp(k->name, "--help") == 0)
        return;
    if (name - line == 6)
        memcpy(k->letter, line + 2, 2);
    k->takes = name[strlen(k->name) + 1] != ' ';
    t->nr++;
}

static void learn_options(struct table *t, const char *command)
{
    static struct config c;
    char *argv[] = {(char[]){"mote"}, strdup(command), (char[]){"--help"}, 0};
    char *text, *rest, *line;
    int status;

    run(&c, argv, &status, &text);
    config_fini(&c);
    for (rest = text; (line = strsep(&rest, "\n"));)
        learn_option(t, line);
    free(text);
    free(argv[1]);
    assert(t->nr > 15);
}

static const struct known *find(const struct table *t, const char *arg)
{
    for (size_t i = 0; i < t->nr; i++) {
        const struct known *k = &t->known[i];

        if ((strlen(k->name) == strcspn(arg, "=") &&
             strncmp(k->name, arg, strlen(k->name)) == 0) ||
            (k->letter[0] && strcmp(k->letter, arg) == 0))
            return k;
    }
    return NULL;
}

/* Every argument is an option that is known, or the value of one; what is
 * behind -- is a command's. */
static void check_known(const struct table *t, char **argv)
{
    for (; *argv && strcmp(*argv, "--") != 0; argv++) {
        const struct known *k = find(t, *argv);

        assert(k && (k->takes || !strchr(*argv, '=')));
        if (k->takes && !strchr(*argv, '='))
            must(*++argv);
    }
}

static void check(struct config *c, enum cli_command r, int status, char **argv,
                  const char *out)
{
    struct config again;
    char *text;

    assert(r != CLI_DONE || status == STATUS_OK ||
           (said > 0 &&
            (status == STATUS_BAD_ARGS || status == STATUS_BAD_CONFIG)));
    assert(r != CLI_DONE || status != STATUS_OK || strlen(out) > 0);
    if (r != CLI_RUN)
        return;
    assert(said <= 1); /* --no-seccomp is ignored aloud */
    if (strcmp(argv[1], "run") == 0)
        check_known(&ours, argv + 2);
    else
        check_known(&firecracker, argv + 1);
    said = 0;
    text = printed(c);
    if (!text) {
        assert(said == 1);
        return;
    }
    if (config_init(&again) < 0)
        abort();
    said = 0;
    must(config_parse(&again, "f", text, strlen(text)) == 0 && said == 0);
    config_fini(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    char *argv[ARGS_MAX + 1] = {(char[]){"mote"}};
    char *copy = malloc(len + 1), *rest = copy, *out = NULL;
    static struct config c;
    enum cli_command r;
    int status = -1;

    log_sink_set(count_line);
    if (!ours.nr) {
        learn_options(&ours, "run");
        learn_options(&firecracker, "--no-api");
    }
    memcpy(copy, data, len);
    copy[len] = '\0';
    for (int n = 1; n < ARGS_MAX && rest; n++)
        argv[n] = strsep(&rest, "\n");
    r = run(&c, argv, &status, &out);
    check(&c, r, status, argv, out);
    config_fini(&c);
    free(out);
    free(copy);
    return 0;
}
