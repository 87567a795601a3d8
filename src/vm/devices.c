/* SPDX-License-Identifier: Apache-2.0 */
/* devices.c: the configuration's drives, interfaces, entropy source and
 * virtio console, in slots of the MMIO window */
#include <stdio.h>

#include "mote/clock.h"
#include "mote/dev.h"
#include "mote/log.h"

#include "devices.h"

/* What flushes and slow backends may take of an orderly end, all together. */
#define DEVICES_STOP_MS 1000

unsigned int vm_devices_plan(const struct config *cfg,
                             struct loader_device at[CONFIG_DEVICE_MAX])
{
    unsigned int n = cfg->nr_drives + cfg->nr_nets + cfg->entropy.given +
                     config_has_virtio_console(cfg);

    assert(n <= CONFIG_DEVICE_MAX); /* config_check() has counted */
    for (unsigned int i = 0; i < n; i++)
        at[i] = (struct loader_device){
            .base = VIRTIO_BASE + i * VIRTIO_MMIO_SIZE, .gsi = VIRTIO_GSI + i};
    return n;
}

const char *vm_devices_root(const struct config *cfg, char *buf, size_t len)
{
    const struct drive_config *d = NULL;

    if (cfg->nr_drives)
        d = config_drive(cfg, 0); /* the root drive, if there is one */
    if (!d || !d->root)
        return NULL;
    snprintf(buf, len, "root=%s%s %s", d->partuuid ? "PARTUUID=" : "/dev/vda",
             d->partuuid ? d->partuuid : "",
             config_drive_read_only(d) ? "ro" : "rw");
    return buf;
}

static_assert((int)ERROR_REPORT == BLK_REPORT && (int)ERROR_STOP == BLK_STOP &&
                  (int)ERROR_PAUSE == BLK_PAUSE,
              "the configuration's words are the device's");

/* ---- one device ---------------------------------------------------------- */

/* Registers, interrupt and notifications of the next slot. dev is ours from
 * here on. */
static int devices_add(struct vm_devices *d, struct virtio_dev *dev,
                       const char *kind, const char *name, const char *id)
{
    const struct vm_devices_env *env = &d->env;
    const struct engine_ops *ops = env->engine->ops;
    u64 base = VIRTIO_BASE + d->nr * VIRTIO_MMIO_SIZE;
    u32 gsi = VIRTIO_GSI + d->nr;
    int r;

    d->device[d->nr++] =
        (struct vm_device){.dev = dev, .kind = kind, .name = name, .id = id};
    r = virtio_attach(dev, env->mem, env->bus, base);
    virtio_set_poll(dev, env->cfg->machine.poll_ns);
    if (r == 0)
        r = ops->irq_connect(env->engine, virtio_irq(dev), gsi);
    for (unsigned int q = 0;
         r == 0 && ops->notify_connect && q < virtio_nr_vqs(dev); q++)
        r = ops->notify_connect(env->engine, base + VIRTIO_MMIO_NOTIFY, q,
                                virtio_notify_fd(dev, q));
    if (r == 0)
        log_debug("%s %s: 4 KiB at %#llx, GSI %u", kind, name,
                  (unsigned long long)base, gsi);
    return r;
}

static int devices_add_drive(struct vm_devices *d,
                             const struct drive_config *dc, struct disk **disk)
{
    struct blk_options opt = {
        .name = dc->id,
        .flush = dc->cache == CACHE_WRITEBACK,
        .queues = MIN(d->env.cfg->machine.vcpus, 16u),
        .limit = dc->limit,
        .on_error = (enum blk_error)dc->on_error,
        .power = d->env.power,
    };
    struct virtio_dev *dev;
    int r = blk_new(&dev, *disk, &opt);

    if (r < 0)
        return r;
    *disk = NULL;
    return devices_add(d, dev, "drive", dc->id, dc->id);
}

static int devices_add_net(struct vm_devices *d, const struct net_config *nc,
                           struct nic **nic)
{
    struct net_options opt = {
        .name = nc->id,
        .has_mac = nc->mac,
        .mtu = (u16)nc->mtu,
        .rx = nc->rx,
        .tx = nc->tx,
    };
    struct virtio_dev *dev;
    int r;

    if (nc->mac)
        config_parse_mac(nc->mac, opt.mac);
    r = net_new(&dev, *nic, &opt);
    if (r < 0)
        return r;
    *nic = NULL;
    return devices_add(d, dev, "network", nc->id, nc->id);
}

static int devices_add_rng(struct vm_devices *d)
{
    struct virtio_dev *dev;
    int r = rng_new(&dev, &d->env.cfg->entropy.limit);

    return r < 0 ? r : devices_add(d, dev, "entropy", "rng", NULL);
}

static int devices_add_console(struct vm_devices *d)
{
    const struct console_config *k = &d->env.cfg->console;
    struct vm_files *f = d->env.files;
    struct virtio_dev *dev;
    int r;

    if (k->device == CONSOLE_VIRTIO && k->mode == CHR_STDIO)
        chr_on_escape(f->port[0].chr, d->env.escape, d->env.escape_ctx);
    r = console_new(&dev, f->port, f->nr_ports);
    if (r < 0)
        return r;
    d->console = dev;
    d->terminal = f->port[0].chr;
    f->nr_ports = 0; /* the device's */
    return devices_add(d, dev, "console", "console", NULL);
}

/* ---- all of them --------------------------------------------------------- */

int vm_devices_new(struct vm_devices *d, const struct vm_devices_env *env)
{
    const struct config *cfg = env->cfg;
    struct vm_files *f = env->files;
    int r = 0;

    d->env = *env;
    for (unsigned int i = 0; r == 0 && i < cfg->nr_drives; i++)
        r = devices_add_drive(d, config_drive(cfg, i), &f->disk[i]);
    for (unsigned int i = 0; r == 0 && i < cfg->nr_nets; i++)
        r = devices_add_net(d, config_net(cfg, i), &f->nic[i]);
    if (r == 0 && cfg->entropy.given)
        r = devices_add_rng(d);
    if (r == 0 && config_has_virtio_console(cfg))
        r = devices_add_console(d);
    return r;
}

void vm_devices_resize(struct vm_devices *d)
{
    u16 cols, rows;

    if (d->console && chr_window(d->terminal, &cols, &rows) == 0)
        console_resize(d->console, cols, rows);
}

/* Drives come first. */
void vm_devices_look(struct vm_devices *d)
{
    for (unsigned int i = 0; i < d->env.cfg->nr_drives; i++)
        blk_look(d->device[i].dev);
}

int vm_devices_start(struct vm_devices *d)
{
    int r = 0;

    for (unsigned int i = 0; r == 0 && i < d->nr; i++)
        r = virtio_start(d->device[i].dev);
    vm_devices_resize(d);
    return r;
}

void vm_devices_release(struct vm_devices *d)
{
    for (unsigned int i = 0; i < d->nr; i++)
        virtio_release(d->device[i].dev);
}

void vm_devices_stop(struct vm_devices *d)
{
    u64 end = monotonic_ms() + DEVICES_STOP_MS, now;

    for (unsigned int i = 0; i < d->nr; i++)
        virtio_ask_stop(d->device[i].dev);
    for (unsigned int i = 0; i < d->nr; i++) {
        now = monotonic_ms();
        virtio_stop(d->device[i].dev,
                    now < end ? (unsigned int)(end - now) : 0);
    }
}

bool vm_devices_free(struct vm_devices *d)
{
    bool gone = true;

    while (d->nr > 0)
        gone &= virtio_free(d->device[--d->nr].dev);
    return gone;
}

u64 vm_devices_activity(const struct vm_devices *d)
{
    struct virtio_stats s;
    u64 sum = 0;

    for (unsigned int i = 0; i < d->nr; i++) {
        virtio_stats(d->device[i].dev, &s);
        sum += s.requests + s.bytes_in + s.bytes_out;
    }
    return sum;
}

void vm_devices_say(const struct vm_devices *d)
{
    struct virtio_stats s;

    for (unsigned int i = 0; i < d->nr; i++) {
        const struct vm_device *v = &d->device[i];

        virtio_stats(v->dev, &s);
        log_info("exit: %s %s: %llu requests, %llu bytes in, %llu out, %llu "
                 "errors, %llu dropped, %llu wake-ups%s",
                 v->kind, v->name, (unsigned long long)s.requests,
                 (unsigned long long)s.bytes_in,
                 (unsigned long long)s.bytes_out, (unsigned long long)s.errors,
                 (unsigned long long)s.dropped, (unsigned long long)s.wakeups,
                 s.broken ? "; its driver broke the rules" : "");
    }
}
