/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c: what the guest's init is to do, of a configuration and of what a
 * container image says of its command */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mote/guest.h"
#include "mote/log.h"

#include "prepare.h"

#define ORDERS_COLS 80
#define ORDERS_ROWS 24

/* ---- the command -----------------------------------------------------------
 */

static size_t orders_count(char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

void orders_free_argv(char **argv)
{
    for (char **arg = argv; arg && *arg; arg++)
        free(*arg);
    free(argv);
}

static bool orders_copy(char **out, char *const *list)
{
    for (size_t i = 0; i < orders_count(list); i++) {
        out[i] = strdup(list[i]);
        if (!out[i])
            return false;
    }
    return true;
}

int orders_argv(char ***argv, const struct config *c,
                const struct rootfs_command *image)
{
    char *const *rest = c->run.cmd ? c->run.cmd : image->cmd;
    size_t first = orders_count(image->entrypoint);
    size_t nr = first + orders_count(rest);

    if (nr == 0)
        return config_fail(c, &c->run.rootfs,
                           "%s: names no command of its own: give one behind "
                           "-- (run.cmd)",
                           c->run.rootfs);
    *argv = calloc(nr + 1, sizeof(**argv));
    if (!*argv || !orders_copy(*argv, image->entrypoint) ||
        !orders_copy(*argv + first, rest))
        return fail(-ENOMEM, "command");
    return 0;
}

const char *orders_user(const struct config *c,
                        const struct rootfs_command *image)
{
    if (c->run.user)
        return c->run.user;
    return image->user && *image->user ? image->user : NULL;
}

/* ---- its surroundings ------------------------------------------------------
 */

static void orders_put(FILE *f, const char *word, const char *value)
{
    fprintf(f, "%s=%s", word, value);
    fputc('\0', f);
}

static bool orders_overrides(const struct run_config *r, const char *env)
{
    size_t len = strcspn(env, "=");

    for (unsigned int i = 0; i < r->nr_env; i++)
        if (strlen(r->env[i].name) == len &&
            strncmp(r->env[i].name, env, len) == 0)
            return true;
    return false;
}

/* The image's, then what was given beside it; init adds PATH, HOME and TERM
 * where they are missing. */
static void orders_put_env(FILE *f, const struct command *cmd,
                           const struct run_config *r)
{
    char *const *image = cmd->rootfs.command.env;
    const char *term = getenv("TERM");

    for (size_t i = 0; i < orders_count(image); i++)
        if (!orders_overrides(r, image[i]))
            orders_put(f, "env", image[i]);
    if (cmd->tty && term && !orders_overrides(r, "TERM"))
        fprintf(f, "env=TERM=%s%c", term, '\0');
    for (unsigned int i = 0; i < r->nr_env; i++)
        fprintf(f, "env=%s=%s%c", r->env[i].name, r->env[i].value, '\0');
}

/* Names are looked up in the guest, whose they are. */
static int orders_put_user(FILE *f, const struct command *cmd,
                           const struct config *c)
{
    const char *user = orders_user(c, &cmd->rootfs.command);

    if (user && config_form_user(user))
        return config_fail(c, &c->run.rootfs,
                           "the image's user \"%s\" %s: give --user", user,
                           config_form_user(user));
    orders_put(f, "user", user ? user : "0:0");
    return 0;
}

static void orders_put_tty(FILE *f)
{
    struct winsize ws = {0};

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0 || !ws.ws_col || !ws.ws_row)
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws);
    if (!ws.ws_col || !ws.ws_row)
        ws = (struct winsize){.ws_col = ORDERS_COLS, .ws_row = ORDERS_ROWS};
    fprintf(f, "tty=%ux%u%c", ws.ws_col, ws.ws_row, '\0');
}

static void orders_put_root(FILE *f, const struct orders_root *root)
{
    if (!root->device)
        return;
    orders_put(f, "root", root->device);
    for (const char *const *type = root->type; *type; type++)
        orders_put(f, "rootfstype", *type);
    if (root->read_only)
        orders_put(f, "rootflags", "ro");
}

static int orders_put_all(FILE *f, const struct command *cmd,
                          const struct config *c,
                          const struct orders_root *root)
{
    const struct run_config *r = &c->run;
    const char *workdir = r->workdir ? r->workdir : cmd->rootfs.command.workdir;

    for (char *const *arg = cmd->argv; *arg; arg++)
        orders_put(f, "arg", *arg);
    orders_put_env(f, cmd, r);
    orders_put(f, "workdir", workdir && *workdir ? workdir : "/");
    if (cmd->tty)
        orders_put_tty(f);
    if (cmd->input)
        orders_put(f, "stdin", "1");
    orders_put_root(f, root);
    if (c->nr_nets)
        orders_put(f, "net", "dhcp");
    orders_put(f, "hostname", r->hostname ? r->hostname : "mote");
    return orders_put_user(f, cmd, c);
}

int orders_make(char **text, size_t *len, const struct command *cmd,
                const struct config *c, const struct orders_root *root)
{
    FILE *f = open_memstream(text, len);
    int r;

    if (!f)
        return fail(-errno, "orders");
    r = orders_put_all(f, cmd, c, root);
    if (fclose(f) == EOF && r == 0)
        r = fail(-ENOMEM, "orders");
    return r;
}
