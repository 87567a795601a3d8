/* SPDX-License-Identifier: Apache-2.0 */
/* link.h: network interfaces, by the kernel's oldest calls */
#ifndef MOTE_GUEST_LINK_H
#define MOTE_GUEST_LINK_H

#include <net/if.h>

#include "dhcp.h"

struct link {
    char name[IFNAMSIZ];
    int index;
    u8 mac[6];
};

int link_up(const char *name);

/* The network card with the lowest index; waits for one to appear. 0 or a
 * negative errno, said. */
int link_find(struct link *l);

/* Address, mask, MTU and default route. 0 or a negative errno, said. */
int link_configure(const struct link *l, const struct dhcp_lease *lease);

/* Its address is no longer ours. */
void link_forget(const struct link *l);

#endif
