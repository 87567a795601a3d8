/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h: one command in a VM of its own. command_prepare() completes a
 * configuration that has a command: from then on it is a VM like others, with
 * mote's init in its initramfs. A session stands between that init and mote's
 * own streams, and knows how the command ended.
 */
#ifndef MOTE_COMMAND_H
#define MOTE_COMMAND_H

#include "mote/config.h"
#include "mote/loader.h"
#include "mote/loop.h"
#include "mote/power.h"
#include "mote/record.h"
#include "mote/rootfs.h"
#include "mote/virtio.h"

struct command {
    char **argv;      /* NULL-ended */
    char *root;       /* where its files are, in words for people */
    const char *user; /* as it was named; NULL: it was not */
    bool input;       /* it reads mote's stdin */
    bool tty;         /* its streams are a terminal */
    struct loader_file initrd;
    struct rootfs rootfs; /* open as long as its disk may be opened */
};

/*
 * Find the kernel if none is named, make the root file system, its drive and
 * the initramfs of what run, drives and network-interfaces say; c is complete
 * then. Main, before vm_open(). 0 or a negative errno, already reported;
 * command_close() is due either way.
 */
int command_prepare(struct command *cmd, struct config *c);
void command_close(struct command *cmd);

/* ---- its session -----------------------------------------------------------
 */

struct session;

#define SESSION_PORT_MAX 4

/*
 * Open the ends of mote's streams and of the control port: *nr ports of a
 * console, whose chrs become the caller's. A terminal becomes raw. Main, before
 * the jail. 0 or a negative errno, already reported; session_free() is due
 * either way. cmd stays.
 */
int session_open(struct session **out, const struct command *cmd,
                 struct console_port port[static SESSION_PORT_MAX],
                 unsigned int *nr);
void session_free(struct session *s);

struct session_env {
    struct loop *loop;   /* main's */
    struct power *power; /* told of the command's end, and of Ctrl-A x */
    struct virtio_dev *console;
};

/* Before the VM starts, on main, as all below. 0 or a negative errno, already
 * reported. */
int session_start(struct session *s, const struct session_env *env);

/* A signal that mote was sent. True: it is the command's now. False: the
 * command does not run, or was told often enough; the VM is to end. */
bool session_signal(struct session *s, int sig);

/* The terminal has another size. */
void session_resize(struct session *s);

/*
 * The guest says no more: have all that it has said written, however slow the
 * readers are. main's loop goes on meanwhile, and stops when session_drained().
 */
void session_drain(struct session *s);
bool session_drained(const struct session *s);

/* Has the guest told how the command ended? */
bool session_ended(const struct session *s);

/* If so, how. */
enum record_reason session_reason(const struct session *s);

/* What mote exits with: 0..255, 125 if that is not known. Once the console's
 * thread has ended. */
int session_status(const struct session *s);

/* The line for 125, 126 and 127, if there is something to say; tail: the last
 * that the guest's console has shown. */
void session_say(const struct session *s, const char *tail);

#endif
