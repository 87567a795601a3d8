/* SPDX-License-Identifier: Apache-2.0 */
/* files.c: opens what the configuration names */
#include <unistd.h>

#include "mote/log.h"
#include "mote/rbd.h"

#include "files.h"

static int files_open_disk(struct disk **out, const struct drive_config *dc,
                           const char *vm_id)
{
    const struct overlay_config *oc = &dc->overlay;
    struct raw_options raw = {
        .path = dc->path,
        .read_only = dc->read_only || oc->given,
        .direct = dc->direct,
        .engine = dc->engine,
    };
    struct overlay_options over = {
        .path = oc->path,
        .quota_bytes = oc->quota,
        .discard_on_exit = oc->exit == OVERLAY_DISCARD,
    };
    struct disk *base;
    int r;

    if (dc->rbd.given)
        return rbd_open(out, dc, vm_id);
    r = raw_open(&base, &raw);
    if (r < 0)
        return r;
    if (!oc->given) {
        *out = base;
        return 0;
    }
    r = overlay_open(out, base, &over);
    if (r < 0)
        disk_free(base);
    return r;
}

static int files_open_nic(struct nic **out, const struct net_config *nc)
{
    struct tap_options tap = {
        .name = nc->backend == NET_TAP ? nc->tap : NULL,
        .fd = (int)nc->fd,
        .pairs = MAX(nc->pairs, 1u),
    };
    struct passt_options user = {
        .program = nc->user.program,
        .forward = (const char *const *)nc->user.forward,
        .address = nc->user.address,
        .gateway = nc->user.gateway,
        .dns = nc->user.dns,
    };

    return nc->backend == NET_USER ? passt_open(out, &user)
                                   : tap_open(out, &tap);
}

static int files_open_mmds(struct vm_files *f, const struct config *cfg)
{
    struct mmds_options opt = config_mmds(cfg);

    return cfg->mmds.given ? mmds_open(&f->mmds, &opt) : 0;
}

static int files_open_net(struct vm_files *f, const struct config *cfg,
                          unsigned int i)
{
    const struct net_config *nc = config_net(cfg, i);
    int r = files_open_nic(&f->nic[i], nc);

    if (r < 0 || !config_net_has_mmds(cfg, nc))
        return r;
    return mmds_wrap(&f->nic[i], f->mmds);
}

static int files_open_devices(struct vm_files *f, const struct config *cfg)
{
    int r = 0;

    for (unsigned int i = 0; r == 0 && i < cfg->nr_drives; i++)
        r = files_open_disk(&f->disk[i], config_drive(cfg, i), cfg->id);
    if (r == 0)
        r = rbd_start(&cfg->sandbox); /* early: as slow as the cluster */
    if (r == 0)
        r = files_open_mmds(f, cfg);
    for (unsigned int i = 0; r == 0 && i < cfg->nr_nets; i++)
        r = files_open_net(f, cfg, i);
    return r;
}

/* stdin and stdout are the command's; what else would go there, to stderr. */
static const struct chr_streams files_console_of_command = {
    .name = "console", .in = -1, .out = STDERR_FILENO};

static int files_open_console(struct chr **out, const struct console_config *k,
                              bool wanted, bool command)
{
    int r;

    if (wanted && command && k->mode == CHR_STDIO)
        r = chr_open_streams(out, &files_console_of_command);
    else
        r = chr_open(out, wanted ? k->mode : CHR_OFF, k->path);
    if (r < 0)
        return r;
    if (!k->input)
        chr_no_input(*out);
    chr_limit(*out, &k->limit);
    return 0;
}

/* Port 0 is hvc0; without a virtio console nobody listens there. COM1 is
 * always there; it is silent if the console is hvc0. */
static int files_open_consoles(struct vm_files *f, const struct config *cfg,
                               const struct command *cmd)
{
    const struct console_config *k = &cfg->console;
    bool hvc = k->device == CONSOLE_VIRTIO;
    unsigned int more = 0;
    int r = files_open_console(&f->serial, k, !hvc, cmd);

    if (r == 0)
        r = files_open_console(&f->port[0].chr, k, hvc, cmd);
    f->nr_ports = 1;
    for (unsigned int i = 0; r == 0 && i < cfg->nr_ports; i++) {
        struct console_port *p = &f->port[f->nr_ports++];

        p->name = cfg->port[i].name;
        r = chr_open(&p->chr, cfg->port[i].mode, cfg->port[i].path);
    }
    if (r == 0 && cmd)
        r = session_open(&f->session, cmd, f->port + f->nr_ports, &more);
    f->nr_ports += more;
    return r;
}

static int files_open_initrd(struct vm_files *f, const struct config *cfg,
                             struct command *cmd)
{
    if (cmd) {
        f->initrd = cmd->initrd;
        f->initrd_is_ours = true;
        cmd->initrd.fd = -1;
        return 0;
    }
    if (!cfg->boot.initrd)
        return 0;
    return loader_file_open(&f->initrd, "initrd", cfg->boot.initrd);
}

int vm_files_open(struct vm_files *f, const struct config *cfg,
                  struct command *cmd)
{
    int r;

    *f = (struct vm_files){.kvm.fd = -EBADF, .kernel.fd = -1, .initrd.fd = -1};
    if (cfg->machine.engine != ENGINE_INTERP)
        kvm_open(&f->kvm);
    r = loader_file_open(&f->kernel, "kernel", cfg->boot.kernel);
    if (r == 0)
        r = files_open_initrd(f, cfg, cmd);
    if (r == 0)
        r = files_open_devices(f, cfg);
    if (r == 0)
        r = files_open_consoles(f, cfg,
                                cmd); /* last: the terminal becomes raw */
    return r;
}

void vm_files_close(struct vm_files *f)
{
    session_free(f->session);
    for (unsigned int i = 0; i < f->nr_ports; i++)
        chr_close(f->port[i].chr);
    chr_close(f->serial);
    for (unsigned int i = 0; i < CONFIG_DEVICE_MAX; i++) {
        if (f->nic[i])
            f->nic[i]->ops->free(f->nic[i]);
        disk_free(f->disk[i]);
    }
    mmds_free(f->mmds);
    loader_file_close(&f->initrd);
    loader_file_close(&f->kernel);
    kvm_close(&f->kvm);
}
