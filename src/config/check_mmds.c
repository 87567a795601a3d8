/* SPDX-License-Identifier: Apache-2.0 */
/* check_mmds.c: who serves metadata, and whether they can be served */
#include "check.h"

static bool check_has_net(const struct config *c, const char *id)
{
    for (unsigned int i = 0; i < c->nr_nets; i++)
        if (c->net[i].id && strcmp(c->net[i].id, id) == 0)
            return true;
    return false;
}

static int check_mmds_nets(const struct config *c)
{
    const struct mmds_config *m = &c->mmds;
    int r = 0;

    if (c->nr_nets == 0)
        return config_fail(c, &m->given,
                           "metadata are served on a network interface, and "
                           "there is none: add --net, or network-interfaces");
    for (size_t i = 0; m->net[i]; i++)
        if (!check_has_net(c, m->net[i]))
            r |= config_fail(c, &m->net, "\"%s\" is no interface's iface_id",
                             m->net[i]);
    return r;
}

/* What is wrong with the data is an error of the configuration: it comes from
 * the same hands. */
static int check_mmds_data(const struct config *c)
{
    struct mmds_options opt = config_mmds(c);
    char why[256];
    u32 bytes;
    int r = check_file(c, &c->mmds.path);

    if (r < 0 || !c->mmds.path ||
        mmds_peek(&opt, &bytes, why, sizeof(why)) == 0)
        return r;
    return config_fail(c, &c->mmds.path, "%s: %s", c->mmds.path, why);
}

int check_mmds(const struct config *c)
{
    return (c->mmds.given ? check_mmds_nets(c) : 0) | check_mmds_data(c);
}
