/* SPDX-License-Identifier: Apache-2.0 */
/* nets.c: network interfaces */
#include <stdio.h>

#include "mote/mmds.h"

#include "check.h"

static void net_tap(struct checking *k, const struct net_config *n,
                    const char *what)
{
    struct tap_options opt = {
        .name = n->backend == NET_TAP ? n->tap : NULL,
        .fd = (int)n->fd,
        .pairs = MAX(n->pairs, 1u),
    };
    char text[300];
    int r = tap_peek(&opt, text, sizeof(text));

    finding_add(k->f, r < 0 ? FINDING_FAIL : FINDING_OK, what, "tap %s%s%s",
                opt.name ? opt.name : "", opt.name ? ": " : "", text);
}

static void net_user(struct checking *k, const struct net_config *n,
                     const char *what)
{
    struct passt_options opt = {
        .program = n->user.program,
        .forward = (const char *const *)n->user.forward,
        .address = n->user.address,
        .gateway = n->user.gateway,
        .dns = n->user.dns,
    };
    char path[4096];
    int r;

    if (findings_listen() < 0)
        return;
    r = passt_peek(&opt, path, sizeof(path));
    findings_heard(k->f, FINDING_FAIL, what);
    if (r == 0)
        finding_add(k->f, FINDING_OK, what, "user-mode, by %s", path);
}

static void net_mmds(struct checking *k, const char *what)
{
    const struct mmds_config *m = &k->c->mmds;
    struct mmds_options opt = config_mmds(k->c);
    char text[256];
    u32 bytes;

    if (!m->path)
        finding_add(k->f, FINDING_WARN, what,
                    "metadata: there are none: give --metadata FILE, or "
                    "mmds-config.metadata_path");
    else if (mmds_peek(&opt, &bytes, text, sizeof(text)) == 0)
        finding_add(k->f, FINDING_OK, what,
                    "metadata: %u bytes at %s, version %d", bytes,
                    m->address ? m->address : MMDS_ADDRESS,
                    m->version == MMDS_V1 ? 1 : 2);
}

void host_nets(struct checking *k)
{
    char what[80];

    for (unsigned int i = 0; i < k->c->nr_nets; i++) {
        const struct net_config *n = config_net(k->c, i);

        snprintf(what, sizeof(what), "network %s", n->id);
        if (n->backend == NET_USER)
            net_user(k, n, what);
        else if (n->backend == NET_FD ? n->fd > 0 : n->tap != NULL)
            net_tap(k, n, what);
        if (config_net_has_mmds(k->c, n))
            net_mmds(k, what);
    }
}
