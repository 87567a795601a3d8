/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm.h: one VM, from its files to its end. Call order: as below, all on main.
 * Each returns 0 or a negative errno, already reported; vm_free() is due then,
 * too.
 */
#ifndef MOTE_VM_H
#define MOTE_VM_H

#include "mote/command.h"
#include "mote/config.h"
#include "mote/engine.h"
#include "mote/filter.h"
#include "mote/loader.h"
#include "mote/power.h"

struct vm;

/* Outside the jail: open all that needs a path, a device node, a socket or a
 * child process. Signals that end mote wait for vm_run() from here on. cmd:
 * prepared, or NULL without a command; both stay. */
int vm_open(struct vm **out, const struct config *cfg, struct command *cmd);

/* In the supervisor: close what the monitor has, too, and will close when it
 * has read it. An initramfs is in memory, and may be large. */
void vm_let_go(struct vm *vm);

/* In the jail, where nothing can be opened: memory, engine, devices, vCPUs. All
 * that is ever allocated, but for the loader's, is now. */
int vm_build(struct vm *vm);

/* Start every thread; those of vCPUs wait. Then lock main down, too. */
int vm_start(struct vm *vm);

/* Only now, with every thread locked down: kernel and initrd, which are
 * untrusted, into memory. */
int vm_load(struct vm *vm);

/* What vm_load() tells the loader, but for the files. 0 or a negative errno,
 * already reported: the command line is too long. Main. */
struct vm_plan {
    struct loader_spec spec;
    char cmdline[LOADER_CMDLINE_MAX], words[LOADER_CMDLINE_MAX]; /* spec's */
};
int vm_plan(struct vm_plan *p, const struct config *cfg);

/* Let the vCPUs go, serve signals and the console, until the VM ends. Prints
 * the one-line reason and, at level Info, the summary. Returns mote's exit
 * status. */
int vm_run(struct vm *vm);

/* What vm_build() has made of it, and vm_start() is going to start: threads,
 * main first; returns how many. */
struct vm_thread {
    char name[16];
    enum filter_kind kind;
};
#define VM_THREAD_MAX (2 + ENGINE_VCPU_MAX + CONFIG_DEVICE_MAX)
unsigned int vm_threads(const struct vm *vm,
                        struct vm_thread thread[VM_THREAD_MAX]);
const char *vm_engine(const struct vm *vm); /* "kvm" or "interp" */

/* Until vm_load(): open files. initrd: NULL if there is none. */
const struct loader_file *vm_kernel(const struct vm *vm);
const struct loader_file *vm_initrd(const struct vm *vm);

/* From any state, NULL included: ends the threads, and undoes vm_open() if it
 * was this process's. */
void vm_free(struct vm *vm);

#endif
