/* SPDX-License-Identifier: Apache-2.0 */
/* orders.h: what the guest's init is to do (mote/guest.h), as it was read */
#ifndef MOTE_GUEST_ORDERS_H
#define MOTE_GUEST_ORDERS_H

#include <sys/types.h>

#include "mote/base.h"

#include "user.h"

#define ORDERS_MAX   (4 * MIB) /* more than Linux takes as arguments */
#define ORDERS_TYPES 8u        /* of file systems */

/* Strings are those of the text that was parsed. */
struct orders {
    char **argv, **env; /* each ended by NULL */
    size_t argc, nr_env;
    const char *workdir, *hostname, *user; /* NULL: not given */
    struct user who;  /* that is; init fills it in, when the root is there */
    const char *root; /* its device; NULL: the initramfs */
    const char *rootfstype[ORDERS_TYPES];
    size_t nr_types;
    bool root_ro, input, tty, dhcp;
    u16 cols, rows;
};

/*
 * Parses text, which must outlive o. 0, -ENOMEM, or -EINVAL with *bad at the
 * record that is wrong, NULL when it is the whole: no command, or no NUL at the
 * end. What argv and env need is allocated, and never freed.
 */
int orders_parse(struct orders *o, char *text, size_t len, const char **bad);

#endif
