/* SPDX-License-Identifier: Apache-2.0 */
/* environment.h: the command's environment */
#ifndef MOTE_GUEST_ENVIRONMENT_H
#define MOTE_GUEST_ENVIRONMENT_H

#include "orders.h"

/* That of the orders, and PATH, HOME and with a terminal TERM where they have
 * none. HOME is what the command's /etc/passwd says. Never freed. */
char **environment_complete(const struct orders *o);

#endif
