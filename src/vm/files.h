/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.h: all that a VM has of the host: files, device nodes, sockets and
 * passt, opened before the jail closes, so that behind it nothing needs a path.
 * A device takes what is behind it out of here; the rest is closed at the end.
 * All on main.
 */
#ifndef MOTE_VM_FILES_H
#define MOTE_VM_FILES_H

#include "mote/command.h"
#include "mote/config.h"
#include "mote/disk.h"
#include "mote/engine.h"
#include "mote/loader.h"
#include "mote/mmds.h"
#include "mote/nic.h"

struct vm_files {
    struct kvm_file kvm; /* not opened for ENGINE_INTERP */
    struct loader_file kernel, initrd;
    bool initrd_is_ours;                  /* a memfd, of a command */
    struct disk *disk[CONFIG_DEVICE_MAX]; /* as config_drive() counts */
    struct nic *nic[CONFIG_DEVICE_MAX];   /* as config_net() counts */
    struct mmds *mmds;                    /* of interfaces, or NULL */
    struct chr *serial;
    unsigned int nr_ports;
    struct console_port port[CONSOLE_PORT_MAX]; /* hvc0, the configuration's,
                                                 * the command's */
    struct session *session;                    /* of a command, or NULL */
};

/* cmd: NULL without one; stays. 0 or a negative errno, already reported;
 * vm_files_close() is due either way. A KVM that cannot be used is no error
 * yet. */
int vm_files_open(struct vm_files *f, const struct config *cfg,
                  struct command *cmd);
void vm_files_close(struct vm_files *f);

#endif
