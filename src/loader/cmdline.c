/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.c: the kernel command line. What comes before a lone "--" is for the
 * kernel, what follows for init; both halves of the user's text keep their
 * side, and mote's own parameters go at the end of the kernel's.
 */
#include <stdio.h>

#include "mote/guest.h"
#include "mote/log.h"

#include "load.h"

#define CMDLINE_BASE                                                           \
    "reboot=k panic=1 i8042.noaux i8042.nomux i8042.dumbkbd swiotlb=noforce"

static const char cmdline_serial[] = CMDLINE_BASE " console=ttyS0";
static const char cmdline_hvc[] = CMDLINE_BASE " console=hvc0";
/* For a command: at once gone after a panic, and no self-tests of ciphers,
 * which are most of an interpreted boot. What is said is for the case that it
 * fails; who has it shown wants more. */
#define CMDLINE_COMMAND                                                        \
    "reboot=k panic=-1 i8042.noaux i8042.nomux i8042.dumbkbd "                 \
    "swiotlb=noforce cryptomgr.notests"
static const char cmdline_command[] = CMDLINE_COMMAND " console=ttyS0 quiet";
static const char cmdline_command_serial[] = CMDLINE_COMMAND " console=ttyS0";
static const char cmdline_command_hvc[] = CMDLINE_COMMAND " console=hvc0";
static const char cmdline_quiet[] = CMDLINE_BASE " 8250.nr_uarts=0";

/* Counts what it is given, keeps what fits. */
struct cmdline {
    char *out;
    size_t len;
};

struct cmdline_part {
    const char *text;
    size_t kernel;    /* length of the kernel's part */
    const char *init; /* the rest behind "--", or NULL */
};

static void cmdline_add(struct cmdline *c, const char *text, size_t n)
{
    while (n > 0 && *text == ' ') {
        text++;
        n--;
    }
    while (n > 0 && text[n - 1] == ' ')
        n--;
    if (n == 0)
        return;
    if (c->len > 0) {
        if (c->len < LOADER_CMDLINE_MAX)
            c->out[c->len] = ' ';
        c->len++;
    }
    if (c->len + n < LOADER_CMDLINE_MAX)
        memcpy(c->out + c->len, text, n);
    c->len += n;
}

/* The kernel splits at spaces outside double quotes: lib/cmdline.c. */
static struct cmdline_part cmdline_split(const char *text)
{
    struct cmdline_part part = {.text = text ? text : ""};
    bool quoted = false, fresh = true;
    const char *p;

    for (p = part.text; *p; p++) {
        if (fresh && !strncmp(p, "--", 2) && (p[2] == ' ' || p[2] == '\0')) {
            part.init = p + 2;
            break;
        }
        if (*p == '"')
            quoted = !quoted;
        fresh = *p == ' ' && !quoted;
    }
    part.kernel = (size_t)(p - part.text);
    return part;
}

static int cmdline_check(const char *name, const char *text)
{
    for (const char *p = text; p && *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            return fail_rule(-EINVAL,
                             "%s: byte 0x%02x at position %zu is not "
                             "printable ASCII",
                             name, (u8)*p, (size_t)(p - text) + 1);
    return 0;
}

static void cmdline_add_text(struct cmdline *c, const char *text)
{
    if (text)
        cmdline_add(c, text, strlen(text));
}

static void cmdline_add_devices(struct cmdline *c,
                                const struct cmdline_spec *spec)
{
    char text[64];
    int n;

    cmdline_add(c, "pci=off", 7);
    if (spec->command)
        cmdline_add_text(c, "rdinit=" GUEST_INIT);
    cmdline_add_text(c, spec->root);
    for (unsigned int i = 0; i < spec->nr_devices; i++) {
        n = snprintf(text, sizeof(text), "virtio_mmio.device=4K@0x%llx:%u",
                     (unsigned long long)spec->device[i].base,
                     spec->device[i].gsi);
        cmdline_add(c, text, (size_t)n);
    }
}

/* Without arguments of the user's. */
static const char *cmdline_default(const struct cmdline_spec *spec)
{
    if (spec->command && spec->hvc)
        return cmdline_command_hvc;
    if (spec->command)
        return spec->serial ? cmdline_command_serial : cmdline_command;
    if (spec->hvc)
        return cmdline_hvc;
    return spec->serial ? cmdline_serial : cmdline_quiet;
}

int loader_cmdline(char *out, const struct cmdline_spec *spec)
{
    const char *text = spec->args ? spec->args : cmdline_default(spec);
    struct cmdline_part args = cmdline_split(text);
    struct cmdline_part append = cmdline_split(spec->append);
    struct cmdline c = {.out = out};
    size_t mine;
    int r = cmdline_check("kernel command line", spec->args);

    if (r == 0)
        r = cmdline_check("appended kernel command line", spec->append);
    if (r < 0)
        return r;
    cmdline_add(&c, args.text, args.kernel);
    mine = c.len;
    cmdline_add_devices(&c, spec);
    mine = c.len - mine;
    cmdline_add(&c, append.text, append.kernel);
    if (args.init || append.init)
        cmdline_add(&c, "--", 2);
    cmdline_add_text(&c, args.init);
    cmdline_add_text(&c, append.init);
    if (c.len >= LOADER_CMDLINE_MAX)
        return fail_rule(-E2BIG,
                         "kernel command line: %zu bytes, %d are "
                         "allowed (boot arguments %zu, devices %zu, appended "
                         "%zu)",
                         c.len, LOADER_CMDLINE_MAX - 1, strlen(text), mine,
                         spec->append ? strlen(spec->append) : 0);
    out[c.len] = '\0';
    return 0;
}
