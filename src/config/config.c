/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: the life of a configuration, and where its values came from */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/poll.h"

#include "origin.h"

int config_init(struct config *c)
{
    *c = (struct config){
        .machine = {.vcpus = 1, .mem_bytes = 128 * MIB, .poll_ns = POLL_MAX_NS},
        .console.mode = CHR_STDIO,
        .console.input = true,
        .log.level = LOG_INFO,
    };
    c->origins = calloc(1, sizeof(*c->origins));
    return c->origins ? 0 : fail(-ENOMEM, "configuration");
}

static void config_free_net(struct net_config *n)
{
    free(n->id);
    free(n->tap);
    free(n->mac);
    free(n->user.program);
    for (size_t i = 0; n->user.forward[i]; i++)
        free(n->user.forward[i]);
    free(n->user.address);
    free(n->user.gateway);
    free(n->user.dns);
}

static void config_free_rbd(struct rbd_config *r)
{
    free(r->pool);
    free(r->ns);
    free(r->image);
    free(r->snapshot);
    free(r->clone.name);
    for (size_t i = 0; r->mon_host[i]; i++)
        free(r->mon_host[i]);
    free(r->conf);
    free(r->user);
    free(r->key_file);
    free(r->fsid);
    for (unsigned int i = 0; i < r->nr_options; i++) {
        free(r->option[i].name);
        free(r->option[i].value);
    }
}

static void config_free_mmds(struct mmds_config *m)
{
    for (size_t i = 0; m->net[i]; i++)
        free(m->net[i]);
    free(m->address);
    free(m->path);
}

static void config_free_devices(struct config *c)
{
    for (unsigned int i = 0; i < c->nr_drives; i++) {
        free(c->drive[i].id);
        free(c->drive[i].path);
        free(c->drive[i].partuuid);
        free(c->drive[i].overlay.path);
        config_free_rbd(&c->drive[i].rbd);
    }
    for (unsigned int i = 0; i < c->nr_nets; i++)
        config_free_net(&c->net[i]);
    config_free_mmds(&c->mmds);
    for (unsigned int i = 0; i < c->nr_ports; i++) {
        free(c->port[i].name);
        free(c->port[i].path);
    }
}

static void config_free_pairs(struct config_pair *pair, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        free(pair[i].name);
        free(pair[i].value);
    }
}

static void config_free_run(struct run_config *r)
{
    for (char **arg = r->cmd; arg && *arg; arg++)
        free(*arg);
    free(r->cmd);
    free(r->rootfs);
    free(r->workdir);
    free(r->user);
    free(r->hostname);
    config_free_pairs(r->env, r->nr_env);
}

void config_fini(struct config *c)
{
    free(c->id);
    free(c->boot.kernel);
    free(c->boot.initrd);
    free(c->boot.args);
    free(c->boot.append);
    free(c->console.path);
    free(c->log.path);
    free(c->log.module);
    free(c->metrics.path);
    config_free_pairs(c->metrics.property, c->metrics.nr_properties);
    free(c->sandbox.netns);
    free(c->sandbox.cgroup);
    free(c->record.path);
    config_free_run(&c->run);
    config_free_devices(c);
    if (c->origins) {
        free(c->origins->name);
        free(c->origins->text);
    }
    free(c->origins);
    *c = (struct config){0};
}

/* The i-th, counted from first on and around. */
static unsigned int config_turn(unsigned int i, unsigned int first,
                                unsigned int nr)
{
    return (i + first) % nr;
}

const struct drive_config *config_drive(const struct config *c, unsigned int i)
{
    const struct drive_config *d;
    unsigned int others = 0;

    for (unsigned int j = 0; j < c->nr_drives; j++)
        if (c->drive[j].root && i-- == 0)
            return &c->drive[j];
    for (unsigned int j = 0; j < c->nr_drives; j++) {
        d = &c->drive[config_turn(j, c->option_drives, c->nr_drives)];
        if (!d->root && others++ == i)
            return d;
    }
    return NULL;
}

bool config_drive_read_only(const struct drive_config *d)
{
    const struct rbd_config *r = &d->rbd;

    return d->read_only || (r->snapshot && !r->clone.given);
}

const struct net_config *config_net(const struct config *c, unsigned int i)
{
    return &c->net[config_turn(i, c->option_nets, c->nr_nets)];
}

bool config_net_has_mmds(const struct config *c, const struct net_config *n)
{
    const struct mmds_config *m = &c->mmds;

    for (size_t i = 0; m->given && m->net[i]; i++)
        if (strcmp(m->net[i], n->id) == 0)
            return true;
    return m->given && !m->net[0];
}

struct mmds_options config_mmds(const struct config *c)
{
    const struct mmds_config *m = &c->mmds;

    return (struct mmds_options){
        .path = m->path,
        .address = m->address,
        .size = m->size,
        .version = m->version,
        .text_only = m->text_only,
    };
}

bool config_has_command(const struct config *c)
{
    return c->run.cmd || c->run.rootfs;
}

bool config_given(const struct config *c, const void *field)
{
    return origin_find(c, field);
}

/* A root file system is unpacked in memory; stderr and stdout are the
 * command's. */
void config_complete(struct config *c)
{
    if (!config_has_command(c))
        return;
    if (!config_given(c, &c->machine.mem_bytes))
        c->machine.mem_bytes = CONFIG_COMMAND_MEM;
    if (!config_given(c, &c->log.level))
        c->log.level = LOG_WARN;
    if (!config_given(c, &c->console.mode) && !c->console.path)
        c->console.mode = CHR_OFF;
    c->console.input &= c->console.mode == CHR_UNIX;
}

bool config_has_virtio_console(const struct config *c)
{
    return c->nr_ports > 0 || config_has_command(c) ||
           (c->console.device == CONSOLE_VIRTIO && c->console.mode != CHR_OFF);
}

const struct origin *origin_find(const struct config *c, const void *field)
{
    for (unsigned int i = 0; i < c->origins->nr; i++)
        if (c->origins->origin[i].field == field)
            return &c->origins->origin[i];
    return NULL;
}

static struct origin *origin_add(struct config *c, const void *field)
{
    struct config_origins *o = c->origins;

    assert(o->nr < ORIGIN_MAX);
    o->origin[o->nr] = (struct origin){.field = field};
    return &o->origin[o->nr++];
}

void origin_set_file(struct config *c, const void *field,
                     const struct json_path *path, const char *key)
{
    struct origin *o = origin_add(c, field);

    o->path = *path;
    snprintf(o->key, sizeof(o->key), "%s", key);
}

void config_set_option(struct config *c, const void *field, const char *option)
{
    origin_add(c, field)->option = option;
}

/* "vm.json:3:27: boot-source.kernel_image_path: ", "--kernel: " or "". */
static void origin_text(const struct config *c, const void *field, char *buf,
                        size_t len)
{
    const struct origin *o = origin_find(c, field);
    const struct config_origins *all = c->origins;
    struct position at;

    buf[0] = '\0';
    if (o && o->option) {
        snprintf(buf, len, "%s: ", o->option);
    } else if (o) {
        at = position_find(all->text, all->len, &o->path, SPOT_VALUE);
        snprintf(buf, len, "%s:%u:%u: %s: ", all->name, at.line, at.column,
                 o->key);
    }
}

/* Paths are the operator's or his orchestrator's, and may hold anything. */
static void origin_make_printable(char *text)
{
    for (; *text; text++)
        if ((u8)*text < ' ' || *text == 0x7f)
            *text = '?';
}

int config_fail(const struct config *c, const void *field, const char *fmt, ...)
{
    char where[512], what[512];
    va_list ap;

    origin_text(c, field, where, sizeof(where));
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    origin_make_printable(where);
    origin_make_printable(what);
    return fail_rule(-EINVAL, "%s%s", where, what);
}
