/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h: the virtio devices of a VM, for vm.c. Call order:
 * vm_devices_plan, vm_devices_new, vm_devices_start, then vm_devices_stop when
 * every vCPU has ended, vm_devices_free. All on main.
 */
#ifndef MOTE_VM_DEVICES_H
#define MOTE_VM_DEVICES_H

#include "mote/config.h"
#include "mote/engine.h"
#include "mote/loader.h"
#include "mote/power.h"
#include "mote/virtio.h"

#include "files.h"

struct vm_devices_env { /* borrowed for the life of the devices */
    const struct config *cfg;
    struct mem *mem;
    struct bus *bus;
    struct engine *engine;
    struct power *power;
    struct vm_files *files; /* what is behind the devices */
    chr_escape_fn *escape;  /* Ctrl-A x on the virtio console */
    void *escape_ctx;
};

struct vm_device {
    struct virtio_dev *dev;
    const char *kind, *name; /* "drive", "rootfs" */
    const char *id; /* the configuration's, or NULL: there is one only */
};

struct vm_devices {
    struct vm_devices_env env;
    unsigned int nr;
    struct vm_device device[CONFIG_DEVICE_MAX];
    struct virtio_dev *console; /* one of device[], or NULL */
    const struct chr *terminal; /* its port 0; the console's */
};

/* Where each device of the configuration is going to be, in the guest's order:
 * drives, network, entropy, console. Returns how many. */
unsigned int vm_devices_plan(const struct config *cfg,
                             struct loader_device at[CONFIG_DEVICE_MAX]);

/* "root=/dev/vda rw" into buf; NULL if no drive is the root. */
const char *vm_devices_root(const struct config *cfg, char *buf, size_t len);

/* Make them of what is in files, and put them on the bus; nothing is opened.
 * 0 or a negative errno, already reported. */
int vm_devices_new(struct vm_devices *d, const struct vm_devices_env *env);

/* The terminal has another size: tell the console, if that is its. */
void vm_devices_resize(struct vm_devices *d);

/* The operator has changed something: look at every disk again. */
void vm_devices_look(struct vm_devices *d);

int vm_devices_start(struct vm_devices *d);
/* Before the vCPUs are waited for: none of them waits for a device. */
void vm_devices_release(struct vm_devices *d);
void vm_devices_stop(struct vm_devices *d);
/* False: one is stuck, see virtio_free(). */
bool vm_devices_free(struct vm_devices *d);

/* Grows with whatever one of them does. */
u64 vm_devices_activity(const struct vm_devices *d);

/* One line of log for each. */
void vm_devices_say(const struct vm_devices *d);

#endif
