/* SPDX-License-Identifier: Apache-2.0 */
/* user.h: who the command runs as, by the files of its root */
#ifndef MOTE_GUEST_USER_H
#define MOTE_GUEST_USER_H

#include <sys/types.h>

#include "mote/base.h"
#include "mote/guest.h"

#define USER_FILES  (256 * KIB) /* of each file, from its beginning */
#define USER_GROUPS 64u
#define USER_HOME   4096

struct user {
    uid_t uid;
    gid_t gid;
    size_t nr_groups;
    gid_t groups[USER_GROUPS]; /* others that it is a member of */
    char home[USER_HOME];      /* "": the files do not say */
};

/*
 * text: USER[:GROUP], names or numbers, as a container image has it; NULL:
 * root. passwd and group: the texts of these files in /etc. A number needs no
 * entry; without a group those of the user count. 0, or GUEST_STEP_NO_USER or
 * GUEST_STEP_NO_GROUP when there is none of that name.
 */
unsigned int user_find(struct user *u, const char *text, const char *passwd,
                       const char *group);

#endif
