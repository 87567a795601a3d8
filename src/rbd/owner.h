/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h: who an ephemeral clone belongs to: "host/boot id/pid" of a keeper */
#ifndef MOTE_RBD_OWNER_H
#define MOTE_RBD_OWNER_H

#include "mote/base.h"

/* What a keeper's process is called. */
#define OWNER_COMM "mote-rbd"

/* This process as an owner. */
void owner_self(char *buf, size_t len);

/*
 * Has this owner ended for sure? Of this host: another boot, or no such keeper.
 * Of another host: only if that is other_host, which is NULL or one that the
 * operator calls down. A text that is no owner has not.
 */
bool owner_is_gone(const char *owner, const char *other_host);

#endif
