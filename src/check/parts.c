/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c: what the kernel must have in it for this VM's devices */
#include <stdio.h>

#include "check.h"

/* How a part comes into the guest's kernel if it is a module. */
enum way {
    WAY_NONE,   /* it must be built in */
    WAY_INITRD, /* the operator's initrd loads it, or not */
    WAY_OURS,   /* mote's own init loads it */
};

struct parts {
    struct checking *k;
    enum way way;
    char unknown[256]; /* "virtio_blk, virtio_net": not known whether there */
};

static void part_unknown(struct parts *p, const char *module)
{
    size_t n = strlen(p->unknown);

    snprintf(p->unknown + n, sizeof(p->unknown) - n, "%s%s", n ? ", " : "",
             module);
}

/* A module; its file is there, or is not. */
static void part_module(struct parts *p, const char *module, bool found)
{
    struct findings *f = p->k->f;

    if (p->way == WAY_NONE)
        finding_add(f, FINDING_FAIL, "kernel",
                    "%s is a module, and nothing loads it: give an --initrd "
                    "that does, or a kernel that has it built in",
                    module);
    else if (p->way == WAY_INITRD)
        finding_add(f, FINDING_HINT, "kernel",
                    "%s is a module: the initrd must load it", module);
    else if (found)
        finding_add(f, FINDING_OK, "kernel", "%s: a module, found", module);
    else
        finding_add(f, FINDING_FAIL, "kernel",
                    "%s is a module, and its file is not there: install or "
                    "unpack the kernel's whole package",
                    module);
}

static void part_check(struct parts *p, const char *module)
{
    enum kernel_part part = kernel_part(&p->k->kernel, module);

    if (part == PART_BUILTIN)
        finding_add(p->k->f, FINDING_OK, "kernel", "%s: built in", module);
    else if (part == PART_ABSENT)
        finding_add(p->k->f, FINDING_FAIL, "kernel",
                    "%s is not in it: give another kernel", module);
    else if (part == PART_UNKNOWN)
        part_unknown(p, module);
    else
        part_module(p, module, part == PART_MODULE);
}

/* ---- options that are no modules -----------------------------------------
 */

static bool option_is_off(const struct parts *p, const char *option)
{
    return kernel_option(&p->k->kernel, option) == 0;
}

/* How it finds its devices, interrupts and time: docs/architecture.md. */
static void parts_machine(struct parts *p, bool virtio)
{
    struct findings *f = p->k->f;
    bool acpi = !option_is_off(p, "ACPI");

    if (virtio && !acpi && option_is_off(p, "VIRTIO_MMIO_CMDLINE_DEVICES"))
        finding_add(f, FINDING_FAIL, "kernel",
                    "finds no virtio device: it has neither ACPI nor "
                    "VIRTIO_MMIO_CMDLINE_DEVICES");
    if (!acpi && option_is_off(p, "X86_MPPARSE"))
        finding_add(f, FINDING_FAIL, "kernel",
                    "finds no interrupt controller: it has neither ACPI nor "
                    "X86_MPPARSE");
    if (p->k->c->machine.vcpus > 1 && option_is_off(p, "SMP"))
        finding_add(f, FINDING_WARN, "kernel",
                    "without SMP it uses one vCPU of %u",
                    p->k->c->machine.vcpus);
    if (option_is_off(p, "KVM_GUEST"))
        finding_add(f, FINDING_WARN, "kernel",
                    "without KVM_GUEST it may not find out how fast its clock "
                    "runs: there is no PIT and no HPET");
}

static void parts_boot(struct parts *p)
{
    const struct config *c = p->k->c;
    struct findings *f = p->k->f;
    bool serial =
        c->console.mode != CHR_OFF && c->console.device == CONSOLE_SERIAL;

    if (p->way != WAY_NONE && option_is_off(p, "BLK_DEV_INITRD"))
        finding_add(f, FINDING_FAIL, "kernel",
                    "takes no initrd: it has not BLK_DEV_INITRD");
    if (serial && option_is_off(p, "SERIAL_8250_CONSOLE"))
        finding_add(f, FINDING_WARN, "kernel",
                    "without SERIAL_8250_CONSOLE it says nothing on the "
                    "serial console; try --console device=virtio");
}

/* ---- devices -------------------------------------------------------------
 */

static void parts_root(struct parts *p)
{
    const char *type = p->k->root_type;
    const struct config *c = p->k->c;
    bool root = (c->nr_drives && config_drive(c, 0)->root) || c->run.rootfs;

    if (root && type && strcmp(type, "partitions") != 0)
        part_check(p, type);
    if (!root && p->way == WAY_NONE)
        finding_add(p->k->f, FINDING_WARN, "kernel",
                    "has nothing to run: give --initrd, a --disk with root, "
                    "or --rootfs (unless it has an initramfs built in)");
}

static void parts_devices(struct parts *p)
{
    const struct config *c = p->k->c;
    bool console = config_has_virtio_console(c);
    bool virtio = c->nr_drives || c->nr_nets || c->entropy.given || console;

    if (virtio)
        part_check(p, "virtio_mmio");
    if (c->nr_drives || p->k->root_type)
        part_check(p, "virtio_blk");
    if (c->nr_nets)
        part_check(p, "virtio_net");
    if (c->entropy.given)
        part_check(p, "virtio_rng");
    if (console)
        part_check(p, "virtio_console");
    parts_machine(p, virtio);
}

/* ---- hints ---------------------------------------------------------------
 */

static bool parts_says(const struct config *c, const char *word)
{
    return (c->boot.args && strstr(c->boot.args, word)) ||
           (c->boot.append && strstr(c->boot.append, word));
}

/* Three times the instructions of the whole boot, with Debian's kernel. */
static void parts_hints(struct parts *p)
{
    const struct kernel_info *i = &p->k->kernel;
    const struct config *c = p->k->c;

    if (p->k->engine == ENGINE_INTERP &&
        kernel_option(i, "CRYPTO_MANAGER") > 0 &&
        option_is_off(p, "CRYPTO_MANAGER_DISABLE_TESTS") &&
        !parts_says(c, "cryptomgr.notests") && p->way != WAY_OURS)
        finding_add(p->k->f, FINDING_HINT, "kernel",
                    "--append cryptomgr.notests: it tests its ciphers at boot, "
                    "which is most of the time an interpreter takes");
    if (p->way != WAY_NONE && parts_says(c, "nomodule"))
        finding_add(p->k->f, FINDING_WARN, "kernel",
                    "\"nomodule\" on its command line: it loads no modules");
}

static enum way parts_way(const struct config *c)
{
    if (config_has_command(c))
        return WAY_OURS;
    return c->boot.initrd ? WAY_INITRD : WAY_NONE;
}

void host_parts(struct checking *k)
{
    struct parts p = {.k = k, .way = parts_way(k->c)};

    if (!k->kernel_known)
        return;
    parts_boot(&p);
    parts_devices(&p);
    parts_root(&p);
    parts_hints(&p);
    if (p.unknown[0])
        finding_add(k->f, FINDING_WARN, "kernel",
                    "not known whether it has %s: no IKCONFIG in it, and no "
                    "config-%s or modules beside it",
                    p.unknown, k->kernel.release[0] ? k->kernel.release : "*");
}
