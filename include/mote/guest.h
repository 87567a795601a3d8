/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h: what passes between mote and its own init inside the guest (guest/),
 * when a VM runs one command. Plain C, for both sides.
 *
 * The init is GUEST_DIR/init of the initramfs, started by "rdinit="; beside it
 * are its orders and, in the order of their loading, the kernel modules
 * GUEST_DIR/modules/NNN-NAME.ko. The files around GUEST_DIR are the command's
 * root file system, unless the orders name a root device.
 *
 * Five ports of one virtio console, by name: those of the command's streams
 * carry bytes as they are, and a stream ends when its port is closed by either
 * side; the control port carries messages. The guest is hostile: the host
 * believes nothing of what it reads there but the number a command may end
 * with.
 *
 * A port that the host has closed looks like one that it has not yet opened. So
 * the host has GUEST_PORT_IN open until GUEST_READY has come; if not, a stdin
 * without a byte ends a second late. When the host closes the control port, the
 * guest ends itself.
 */
#ifndef MOTE_GUEST_H
#define MOTE_GUEST_H

#include <stdint.h>

#define GUEST_DIR     "/.mote"
#define GUEST_INIT    GUEST_DIR "/init"
#define GUEST_ORDERS  GUEST_DIR "/orders"
#define GUEST_MODULES GUEST_DIR "/modules"

/* Ports; those not in use are not there. With a terminal, both directions of it
 * are GUEST_PORT_IN and GUEST_PORT_OUT. */
#define GUEST_PORT_CONTROL "mote.control"
#define GUEST_PORT_IN      "mote.stdin"
#define GUEST_PORT_OUT     "mote.stdout"
#define GUEST_PORT_ERR     "mote.stderr"

/*
 * The orders: "word=value" records, each ended by a NUL, for arguments may
 * hold any other byte. Order matters only among records of the same word.
 *
 *   arg=TEXT       the next argument of the command
 *   env=NAME=TEXT  the whole environment; if they are not in it, PATH, HOME as
 *                  /etc/passwd has it, and with a terminal TERM are added
 *   workdir=PATH
 *   user=USER[:GROUP]
 *                  names or numbers, by the root's /etc/passwd and /etc/group
 *   tty=COLSxROWS  the command gets a pseudo-terminal of this size
 *   stdin=1        GUEST_PORT_IN is there; else the command reads /dev/null
 *   root=DEVICE    /dev/vda: mount it, and make it the root
 *   rootfstype=T   its file system; several: to be tried in turn
 *   rootflags=ro   mount it read-only
 *   net=dhcp       configure the first network interface by DHCP
 *   hostname=TEXT
 */

/* Messages of the control port, both ways: 16 bytes, little-endian. */
struct guest_message {
    uint32_t type; /* enum guest_to_host, enum host_to_guest */
    uint32_t a, b, c;
};

enum guest_to_host {
    GUEST_READY = 1,  /* the init runs and has opened every port */
    GUEST_STARTED,    /* the command was executed */
    GUEST_EXITED,     /* a: its status, 0..255. All its output is in the ports
                       * before; b, c: its user and system CPU time, ms */
    GUEST_SIGNALED,   /* a: the signal it died of; b, c as above */
    GUEST_NOT_FOUND,  /* the command is not in the root file system: 127 */
    GUEST_NOT_RUN,    /* it cannot be executed: 126; a: errno. ENOENT: its
                       * interpreter or loader is not there */
    GUEST_SETUP_LOST, /* a: enum guest_step that failed, b: errno: 125 */
};

enum guest_step {
    GUEST_STEP_ORDERS = 1,
    GUEST_STEP_MODULES, /* c: number of the module's file */
    GUEST_STEP_ROOT,
    GUEST_STEP_MOUNTS,
    GUEST_STEP_NET,
    GUEST_STEP_TTY,
    GUEST_STEP_USER,
    GUEST_STEP_WORKDIR,
    GUEST_STEP_PORTS,
    GUEST_STEP_NO_USER,  /* there is none of that name */
    GUEST_STEP_NO_GROUP, /* the same */
};

enum host_to_guest {
    GUEST_KILL = 1, /* a: signal for the command's process group */
    GUEST_WINDOW,   /* a: columns, b: rows of the terminal */
};

#endif
