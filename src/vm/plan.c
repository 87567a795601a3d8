/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c: what the guest is told of its machine, known before there is one
 */
#include <stdio.h>

#include "mote/vm.h"

#include "devices.h"

/* Too long: loader_cmdline() has said so before it matters. */
static const char *plan_words(const struct boot_config *bc, char *buf,
                              size_t len)
{
    snprintf(buf, len, "%s%s%s", bc->args ? bc->args : "",
             bc->args && bc->append ? " " : "", bc->append ? bc->append : "");
    return buf[0] ? buf : NULL;
}

int vm_plan(struct vm_plan *p, const struct config *cfg)
{
    const struct boot_config *bc = &cfg->boot;
    const struct console_config *cc = &cfg->console;
    struct loader_spec *spec = &p->spec;
    char root[64];
    struct cmdline_spec cs = {
        .args = bc->args,
        .append = bc->append,
        .command = config_has_command(cfg),
        .serial = cc->mode != CHR_OFF,
        .hvc = cc->mode != CHR_OFF && cc->device == CONSOLE_VIRTIO,
        .root = vm_devices_root(cfg, root, sizeof(root)),
    };

    *spec = (struct loader_spec){
        .cmdline = p->cmdline,
        .words = plan_words(bc, p->words, sizeof(p->words)),
        .cpus = cfg->machine.vcpus,
    };
    spec->nr_devices = vm_devices_plan(cfg, spec->device);
    cs.nr_devices = spec->nr_devices;
    cs.device = spec->device;
    return loader_cmdline(p->cmdline, &cs);
}
