/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.c: --disk, --net, --console, --port, --rng. A value is a head and
 * words behind commas, "d.img,ro,cache=unsafe"; a path with a comma needs the
 * configuration file.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mote/mem.h"

#include "parts.h"

#define CLI_WORD_MAX 24

const char cli_disk_help[] =
    "PATH[,root][,ro][,overlay=ephemeral|FILE][,quota=SIZE]\n"
    "                     [,direct][,io=sync|async][,cache=unsafe]\n"
    "                     [,on_error=stop|pause][,partuuid=ID][,id=NAME]; "
    "repeats";
const char cli_net_help[] =
    "tap=NAME|fd=N|user[,tcp=8080:80][,udp=HOST:GUEST]\n"
    "                     [,mac=MAC][,mtu=N][,pairs=N][,id=NAME]; repeats";
const char cli_console_help[] =
    "stdio, file:PATH, unix:PATH or off; ,device=virtio: hvc0,\n"
    "                     not ttyS0; ,noinput: output only [stdio]";
const char cli_port_help[] =
    "NAME=file:PATH|unix:PATH|stdio|off: a named port of\n"
    "                     a virtio console; repeats";

/* ---- words behind commas --------------------------------------------------
 */

static void cli_unknown_word(struct cli *cli, const char *option,
                             const struct cli_word *words, const char *name)
{
    const char *names[CLI_WORD_MAX] = {NULL}, *near;
    char list[256] = "";
    size_t n = 0, len = 0;

    for (const struct cli_word *w = words; w->name; w++) {
        names[n++] = w->name;
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s%s",
                                len ? ", " : "", w->name, w->takes ? "=" : "");
    }
    near = config_nearest(name, names, n);
    if (near)
        cli_error(cli, "%s: \"%s\" is not one of %s; did you mean \"%s\"?",
                  option, name, list, near);
    else
        cli_error(cli, "%s: \"%s\" is not one of %s", option, name, list);
}

static void cli_word(struct cli *cli, const char *option,
                     const struct cli_word *words, u32 *seen, void *device,
                     char *text)
{
    char *value = strchr(text, '=');

    if (value)
        *value++ = '\0';
    for (const struct cli_word *w = words; w->name; w++) {
        u32 bit = 1u << (w - words);

        if (strcmp(w->name, text) != 0)
            continue;
        if (*seen & bit && !w->repeats)
            cli_error(cli, "%s: %s is given twice", option, text);
        else if (w->takes && (value ? !*value : !w->optional))
            cli_error(cli, "%s: %s needs a value: %s=%s", option, text, text,
                      w->takes);
        else if (!w->takes && value)
            cli_error(cli, "%s: %s takes no value", option, text);
        else
            w->set(cli, device, value);
        *seen |= bit;
        return;
    }
    cli_unknown_word(cli, option, words, text);
}

void cli_words(struct cli *cli, const char *option,
               const struct cli_word *words, void *device, char *text)
{
    char *word;
    u32 seen = 0;

    while ((word = strsep(&text, ",")))
        cli_word(cli, option, words, &seen, device, word);
}

void cli_name(struct cli *cli, char **id, const char *option, const char *kind,
              unsigned int n)
{
    char name[16];

    snprintf(name, sizeof(name), "%s%u", kind, n);
    if (!*id)
        cli_set_string(cli, id, option, name);
}

bool cli_room(struct cli *cli, const char *option, unsigned int nr,
              unsigned int max)
{
    if (nr >= max)
        cli_error(cli, "%s: given more than %u times", option, max);
    return nr < max;
}

/* ---- --disk ---------------------------------------------------------------
 */

static void cli_disk_root(struct cli *cli, void *device, const char *value)
{
    struct drive_config *d = device;

    d->root = true;
    config_set_option(cli->c, &d->root, "--disk root");
}

static void cli_disk_ro(struct cli *cli, void *device, const char *value)
{
    ((struct drive_config *)device)->read_only = true;
}

static void cli_disk_overlay(struct cli *cli, void *device, const char *value)
{
    struct overlay_config *o = &((struct drive_config *)device)->overlay;

    o->given = true;
    config_set_option(cli->c, &o->given, "--disk overlay");
    if (strcmp(value, "ephemeral") == 0)
        o->ephemeral = true;
    else
        cli_set_string(cli, &o->path, "--disk overlay", value);
}

static void cli_disk_quota(struct cli *cli, void *device, const char *value)
{
    struct overlay_config *o = &((struct drive_config *)device)->overlay;

    if (config_parse_size(value, &o->quota) < 0 || o->quota % MIB)
        cli_error(cli,
                  "--disk quota: \"%s\" is not a size in whole MiB, such "
                  "as 512M",
                  value);
}

static void cli_disk_direct(struct cli *cli, void *device, const char *value)
{
    ((struct drive_config *)device)->direct = true;
}

static void cli_disk_io(struct cli *cli, void *device, const char *value)
{
    struct drive_config *d = device;

    cli_set_word(cli, &d->engine, "--disk io", &config_io_engines, value);
}

static void cli_disk_cache(struct cli *cli, void *device, const char *value)
{
    struct drive_config *d = device;

    cli_set_word(cli, &d->cache, "--disk cache", &config_caches, value);
}

static void cli_disk_on_error(struct cli *cli, void *device, const char *value)
{
    struct drive_config *d = device;

    cli_set_word(cli, &d->on_error, "--disk on_error", &config_on_errors,
                 value);
}

static void cli_disk_partuuid(struct cli *cli, void *device, const char *value)
{
    struct drive_config *d = device;

    cli_set_form(cli, &d->partuuid, "--disk partuuid", config_form_partuuid,
                 value);
}

static void cli_disk_id(struct cli *cli, void *device, const char *value)
{
    struct drive_config *d = device;

    cli_set_form(cli, &d->id, "--disk id", config_form_id, value);
}

static const struct cli_word disk_words[] = {
    {"root", NULL, .set = cli_disk_root},
    {"ro", NULL, .set = cli_disk_ro},
    {"overlay", "ephemeral|FILE", .set = cli_disk_overlay},
    {"quota", "SIZE", .set = cli_disk_quota},
    {"direct", NULL, .set = cli_disk_direct},
    {"io", "sync|async", .set = cli_disk_io},
    {"cache", "writeback|unsafe", .set = cli_disk_cache},
    {"on_error", "report|stop|pause", .set = cli_disk_on_error},
    {"partuuid", "ID", .set = cli_disk_partuuid},
    {"id", "NAME", .set = cli_disk_id},
    {.name = NULL},
};

void cli_disk(struct cli *cli, const char *value)
{
    struct config *c = cli->c;
    struct drive_config *d = &c->drive[c->nr_drives];
    char *text, *path, *words;

    if (!cli_room(cli, "--disk", c->nr_drives, CONFIG_DEVICE_MAX))
        return;
    c->option_drives = ++c->nr_drives;
    text = words = strdup(value);
    if (!text) {
        cli_error(cli, "--disk: no memory");
        return;
    }
    path = strsep(&words, ",");
    cli_set_path(cli, &d->path, "--disk", path);
    if (words)
        cli_words(cli, "--disk", disk_words, d, words);
    if (d->overlay.quota && !d->overlay.given)
        cli_error(cli, "--disk quota: is for an overlay");
    cli_name(cli, &d->id, "--disk", "disk", c->nr_drives - 1);
    free(text);
}

/* ---- --net ----------------------------------------------------------------
 */

static void cli_net_backend(struct cli *cli, struct net_config *n,
                            enum net_backend backend)
{
    if (n->tap || n->fd || n->user.given)
        cli_error(cli, "--net: tap=, fd= and user exclude each other");
    n->backend = backend;
}

static void cli_net_tap(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_net_backend(cli, n, NET_TAP);
    cli_set_string(cli, &n->tap, "--net tap", value);
}

static void cli_net_fd(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_net_backend(cli, n, NET_FD);
    cli_set_number(cli, &n->fd, "--net fd", 3, 1048576, value);
}

static void cli_net_user(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_net_backend(cli, n, NET_USER);
    n->user.given = true;
}

static void cli_net_forward(struct cli *cli, struct net_config *n,
                            const char *option, const char *value)
{
    unsigned int i = 0;
    char text[64];

    while (n->user.forward[i])
        i++;
    if (!cli_room(cli, option, i, CONFIG_FORWARD_MAX))
        return;
    snprintf(text, sizeof(text), "%s:%s", option + strlen("--net "), value);
    if (config_form_forward(text))
        cli_error(cli, "%s: \"%s\" is not HOST:GUEST with ports 1..65535",
                  option, value);
    else
        cli_set_string(cli, &n->user.forward[i], option, text);
}

static void cli_net_tcp(struct cli *cli, void *device, const char *value)
{
    cli_net_forward(cli, device, "--net tcp", value);
}

static void cli_net_udp(struct cli *cli, void *device, const char *value)
{
    cli_net_forward(cli, device, "--net udp", value);
}

static void cli_net_mac(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_set_form(cli, &n->mac, "--net mac", config_form_mac, value);
}

static void cli_net_mtu(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_set_number(cli, &n->mtu, "--net mtu", 68, 65535, value);
}

static void cli_net_pairs(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_set_number(cli, &n->pairs, "--net pairs", 1, NIC_PAIR_MAX, value);
}

static void cli_net_id(struct cli *cli, void *device, const char *value)
{
    struct net_config *n = device;

    cli_set_form(cli, &n->id, "--net id", config_form_id, value);
}

static const struct cli_word net_words[] = {
    {"tap", "NAME", .set = cli_net_tap},
    {"fd", "N", .set = cli_net_fd},
    {"user", NULL, .set = cli_net_user},
    {"tcp", "HOST:GUEST", .set = cli_net_tcp, .repeats = true},
    {"udp", "HOST:GUEST", .set = cli_net_udp, .repeats = true},
    {"mac", "MAC", .set = cli_net_mac},
    {"mtu", "N", .set = cli_net_mtu},
    {"pairs", "N", .set = cli_net_pairs},
    {"id", "NAME", .set = cli_net_id},
    {.name = NULL},
};

void cli_net(struct cli *cli, const char *value)
{
    struct config *c = cli->c;
    struct net_config *n = &c->net[c->nr_nets];
    unsigned int errors = cli->errors;
    char *text;

    if (!cli_room(cli, "--net", c->nr_nets, CONFIG_DEVICE_MAX))
        return;
    c->option_nets = ++c->nr_nets;
    text = strdup(value);
    if (!text) {
        cli_error(cli, "--net: no memory");
        return;
    }
    cli_words(cli, "--net", net_words, n, text);
    if (cli->errors == errors && !n->tap && !n->fd && !n->user.given)
        cli_error(cli, "--net: \"%s\" has no backend: tap=NAME, fd=N or user",
                  value);
    if (n->user.forward[0] && !n->user.given)
        cli_error(cli, "--net: tcp= and udp= are for user");
    cli_name(cli, &n->id, "--net", "net", c->nr_nets - 1);
    free(text);
}

/* ---- --rng, --console, --port ---------------------------------------------
 */

void cli_rng(struct cli *cli, const char *value)
{
    cli->c->entropy.given = true;
    config_set_option(cli->c, &cli->c->entropy.given, "--rng");
}

/* MODE or MODE:PATH; mode and path stand and fall together. False: not one. */
static bool cli_mode(struct cli *cli, const char *option, const char *value,
                     enum chr_mode *mode, char **path)
{
    size_t len = strcspn(value, ":");
    unsigned int found;
    const char *near;
    char name[16];
    bool wants;

    snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name)), value);
    config_set_option(cli->c, mode, option);
    if (config_find_word(&config_modes, name, &found, &near) < 0)
        return false;
    wants = found == CHR_FILE || found == CHR_UNIX;
    if (wants != (value[len] != '\0') || (wants && !value[len + 1]))
        return false;
    *mode = found;
    if (wants)
        cli_set_string(cli, path, option, value + len + 1);
    else
        config_set_option(cli->c, path, option);
    return true;
}

static void cli_console_device(struct cli *cli, void *device, const char *value)
{
    struct console_config *k = device;

    cli_set_word(cli, &k->device, "--console device", &config_console_devices,
                 value);
}

static void cli_console_noinput(struct cli *cli, void *device,
                                const char *value)
{
    struct console_config *k = device;

    k->input = false;
    config_set_option(cli->c, &k->input, "--console noinput");
}

static const struct cli_word console_words[] = {
    {"noinput", NULL, .set = cli_console_noinput},
    {"device", "serial|virtio", .set = cli_console_device},
    {.name = NULL},
};

void cli_console(struct cli *cli, const char *value)
{
    struct console_config *k = &cli->c->console;
    char *text = strdup(value), *words = text, *head;

    if (!text) {
        cli_error(cli, "--console: no memory");
        return;
    }
    head = strsep(&words, ",");
    if (!cli_mode(cli, "--console", head, &k->mode, &k->path))
        cli_error(
            cli,
            "--console: \"%s\" is not one of stdio, file:PATH, unix:PATH, "
            "off",
            head);
    if (words)
        cli_words(cli, "--console", console_words, k, words);
    free(text);
}

void cli_port(struct cli *cli, const char *value)
{
    struct config *c = cli->c;
    struct port_config *p = &c->port[c->nr_ports];
    size_t len = strcspn(value, "=");
    char name[80];

    if (!cli_room(cli, "--port", c->nr_ports, CONFIG_PORT_MAX))
        return;
    c->nr_ports++;
    snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name)), value);
    cli_set_form(cli, &p->name, "--port", config_form_port, name);
    if (!value[len] ||
        !cli_mode(cli, "--port", value + len + 1, &p->mode, &p->path))
        cli_error(cli,
                  "--port: \"%s\" is not NAME=file:PATH, NAME=unix:PATH, "
                  "NAME=stdio or NAME=off",
                  value);
}
