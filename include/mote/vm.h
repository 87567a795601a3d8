/* SPDX-License-Identifier: Apache-2.0 */
/* vm.h: build, run and take down one VM. Call order: vm_new, vm_run, vm_free;
 * all on the main thread. */
#ifndef MOTE_VM_H
#define MOTE_VM_H

#include "mote/config.h"
#include "mote/power.h"

struct vm;

/* Everything but running: memory, engine, devices, kernel. 0 or a negative
 * errno, already reported; *status is then what mote should exit with. */
int vm_new(struct vm **out, const struct config *cfg, int *status);

/* Start the vCPUs, serve signals and the console, until the VM ends. Prints
 * the one-line reason and, at level Info, the summary. Returns the status. */
int vm_run(struct vm *vm);

void vm_free(struct vm *vm);

#endif
