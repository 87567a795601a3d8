/* SPDX-License-Identifier: Apache-2.0 */
/* rbd.c: --rbd and the options of mote rbd-gc */
#include <stdio.h>
#include <stdlib.h>

#include "parts.h"

const char cli_rbd_help[] =
    "POOL[/NAMESPACE]/IMAGE[@SNAPSHOT][,root][,ro]\n"
    "                     "
    "[,clone[=NAME]][,user=NAME][,key=FILE][,mon=ADDRESS]\n"
    "                     [,conf=FILE][,lock=none|break][,timeout=SEC]\n"
    "                     "
    "[,cache=writethrough|writeback][,on_error=stop|pause]\n"
    "                     [,id=NAME]: an image in a Ceph cluster; repeats";

/* ---- words ----------------------------------------------------------------
 */

static struct drive_config *rbd_drive(void *device)
{
    return device;
}

static void cli_rbd_root(struct cli *cli, void *device, const char *value)
{
    rbd_drive(device)->root = true;
    config_set_option(cli->c, &rbd_drive(device)->root, "--rbd root");
}

static void cli_rbd_ro(struct cli *cli, void *device, const char *value)
{
    rbd_drive(device)->read_only = true;
}

/* A clone with a name of its own is there to stay. */
static void cli_rbd_clone(struct cli *cli, void *device, const char *value)
{
    struct rbd_clone_config *k = &rbd_drive(device)->rbd.clone;

    k->given = true;
    config_set_option(cli->c, &k->given, "--rbd clone");
    if (!value)
        return;
    k->exit = CLONE_KEEP;
    cli_set_form(cli, &k->name, "--rbd clone", config_form_image, value);
}

static void cli_rbd_user(struct cli *cli, void *device, const char *value)
{
    cli_set_form(cli, &rbd_drive(device)->rbd.user, "--rbd user",
                 config_form_image, value);
}

static void cli_rbd_key(struct cli *cli, void *device, const char *value)
{
    cli_set_path(cli, &rbd_drive(device)->rbd.key_file, "--rbd key", value);
}

static void cli_rbd_conf(struct cli *cli, void *device, const char *value)
{
    cli_set_path(cli, &rbd_drive(device)->rbd.conf, "--rbd conf", value);
}

static void cli_rbd_mon(struct cli *cli, void *device, const char *value)
{
    char **mon = rbd_drive(device)->rbd.mon_host;
    unsigned int n = 0;

    while (mon[n])
        n++;
    if (cli_room(cli, "--rbd mon", n, CONFIG_MON_MAX))
        cli_set_form(cli, &mon[n], "--rbd mon", config_form_mon, value);
}

static void cli_rbd_lock(struct cli *cli, void *device, const char *value)
{
    cli_set_word(cli, &rbd_drive(device)->rbd.lock, "--rbd lock",
                 &config_rbd_locks, value);
}

static void cli_rbd_cache(struct cli *cli, void *device, const char *value)
{
    cli_set_word(cli, &rbd_drive(device)->rbd.cache, "--rbd cache",
                 &config_rbd_caches, value);
}

static void cli_rbd_timeout(struct cli *cli, void *device, const char *value)
{
    cli_set_number(cli, &rbd_drive(device)->rbd.timeout_s, "--rbd timeout", 0,
                   86400, value);
}

static void cli_rbd_on_error(struct cli *cli, void *device, const char *value)
{
    cli_set_word(cli, &rbd_drive(device)->on_error, "--rbd on_error",
                 &config_on_errors, value);
}

static void cli_rbd_id(struct cli *cli, void *device, const char *value)
{
    cli_set_form(cli, &rbd_drive(device)->id, "--rbd id", config_form_id,
                 value);
}

static const struct cli_word rbd_words[] = {
    {"root", NULL, .set = cli_rbd_root},
    {"ro", NULL, .set = cli_rbd_ro},
    {"clone", "NAME", .set = cli_rbd_clone, .optional = true},
    {"user", "NAME", .set = cli_rbd_user},
    {"key", "FILE", .set = cli_rbd_key},
    {"conf", "FILE", .set = cli_rbd_conf},
    {"mon", "ADDRESS", .set = cli_rbd_mon, .repeats = true},
    {"lock", "exclusive|none|break", .set = cli_rbd_lock},
    {"cache", "none|writethrough|writeback", .set = cli_rbd_cache},
    {"timeout", "SEC", .set = cli_rbd_timeout},
    {"on_error", "report|stop|pause", .set = cli_rbd_on_error},
    {"id", "NAME", .set = cli_rbd_id},
    {.name = NULL},
};

/* ---- --rbd ----------------------------------------------------------------
 */

static void cli_rbd_name(struct cli *cli, char **field, const char *name)
{
    cli_set_form(cli, field, "--rbd", config_form_image, name);
}

/* POOL/IMAGE, POOL/NAMESPACE/IMAGE; text is cut to pieces. */
static void cli_rbd_image(struct cli *cli, struct rbd_config *r, char *text)
{
    char *snapshot = text, *image, *last;
    const char *head = strsep(&snapshot, "@");

    (void)head;
    last = strrchr(text, '/');
    image = strchr(text, '/');
    if (!image) {
        cli_error(cli, "--rbd: \"%s\" is not POOL/IMAGE", text);
        return;
    }
    *image++ = '\0';
    if (last != image - 1) {
        *last = '\0';
        cli_rbd_name(cli, &r->ns, image);
        image = last + 1;
    }
    cli_rbd_name(cli, &r->pool, text);
    cli_rbd_name(cli, &r->image, image);
    if (snapshot)
        cli_rbd_name(cli, &r->snapshot, snapshot);
}

void cli_rbd(struct cli *cli, const char *value)
{
    struct config *c = cli->c;
    struct drive_config *d = &c->drive[c->nr_drives];
    char *text, *image, *words;

    if (!cli_room(cli, "--rbd", c->nr_drives, CONFIG_DEVICE_MAX))
        return;
    c->option_drives = ++c->nr_drives;
    text = words = strdup(value);
    if (!text) {
        cli_error(cli, "--rbd: no memory");
        return;
    }
    d->rbd.given = true;
    config_set_option(c, &d->rbd.given, "--rbd");
    image = strsep(&words, ",");
    cli_rbd_image(cli, &d->rbd, image);
    if (words)
        cli_words(cli, "--rbd", rbd_words, d, words);
    cli_name(cli, &d->id, "--rbd", "disk", c->nr_drives - 1);
    free(text);
}

/* ---- rbd-gc ---------------------------------------------------------------
 */

static void cli_gc_user(struct cli *cli, const char *value)
{
    cli_rbd_user(cli, &cli->c->drive[0], value);
}

static void cli_gc_key(struct cli *cli, const char *value)
{
    cli_rbd_key(cli, &cli->c->drive[0], value);
}

static void cli_gc_conf(struct cli *cli, const char *value)
{
    cli_rbd_conf(cli, &cli->c->drive[0], value);
}

static void cli_gc_mon(struct cli *cli, const char *value)
{
    cli_rbd_mon(cli, &cli->c->drive[0], value);
}

static void cli_gc_host(struct cli *cli, const char *value)
{
    cli->gc.host = value;
}

static void cli_gc_dry_run(struct cli *cli, const char *value)
{
    cli->gc.dry_run = true;
}

const struct cli_option cli_rbd_gc_options[] = {
    {"--user", "NAME", "cephx user [admin]", .set = cli_gc_user},
    {"--key", "FILE", "its key, or a keyring", .set = cli_gc_key},
    {"--mon", "ADDRESS", "of a monitor; repeats", .set = cli_gc_mon,
     .repeats = true},
    {"--conf", "FILE", "of Ceph [/etc/ceph/ceph.conf, without --mon]",
     .set = cli_gc_conf},
    {"--host", "NAME", "clones of this other host, too: it is surely down",
     .set = cli_gc_host},
    {"--dry-run", NULL, "print them, remove nothing", .set = cli_gc_dry_run},
    {.name = NULL},
};

/* POOL or POOL/NAMESPACE. */
void cli_rbd_gc_pool(struct cli *cli, const char *pool)
{
    struct rbd_config *r = &cli->c->drive[0].rbd;
    char *text = strdup(pool ? pool : ""), *ns;

    cli->c->nr_drives = 1; /* so that config_fini() finds it */
    if (!text || !*text) {
        cli_error(cli, "rbd-gc: which pool? mote rbd-gc POOL[/NAMESPACE]");
        free(text);
        return;
    }
    ns = strchr(text, '/');
    if (ns) {
        *ns++ = '\0';
        cli_set_form(cli, &r->ns, "rbd-gc", config_form_image, ns);
    }
    cli_set_form(cli, &r->pool, "rbd-gc", config_form_image, text);
    free(text);
}
