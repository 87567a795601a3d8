/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.h: the key of a cephx user, from a key file or a keyring */
#ifndef MOTE_RBD_KEYRING_H
#define MOTE_RBD_KEYRING_H

#include "mote/base.h"

#define KEYRING_SIZE_MAX (64u << 10)

/*
 * Find user's key in the text of a key file, which is nothing but the key, or
 * of a keyring, which has sections "[client.USER]" with "key = ...". Text is
 * changed. Points into it, or NULL.
 */
char *keyring_find(char *text, const char *user);

#endif
