/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.h: between prepare.c and orders.c */
#ifndef MOTE_RUN_PREPARE_H
#define MOTE_RUN_PREPARE_H

#include "mote/command.h"

/* What the guest's init is told of its root. */
struct orders_root {
    const char *device;      /* "/dev/vda"; NULL: the initramfs itself */
    const char *const *type; /* NULL-ended: to be tried in turn */
    bool read_only;
};

/*
 * What runs: the command given, or the image's. As container engines do it, an
 * Entrypoint comes first, and what is given stands for Cmd. An array of its
 * own, NULL-ended. -EINVAL, already reported: there is neither.
 */
int orders_argv(char ***argv, const struct config *c,
                const struct rootfs_command *image);
void orders_free_argv(char **argv);

/* Who it runs as: the one given, or the image's; NULL: nobody says. */
const char *orders_user(const struct config *c,
                        const struct rootfs_command *image);

/* The text of GUEST_ORDERS for cmd->argv; the caller frees it. 0 or a negative
 * errno, already reported. */
int orders_make(char **text, size_t *len, const struct command *cmd,
                const struct config *c, const struct orders_root *root);

#endif
