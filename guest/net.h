/* SPDX-License-Identifier: Apache-2.0 */
/* net.h: the guest's network */
#ifndef MOTE_GUEST_NET_H
#define MOTE_GUEST_NET_H

#include "mote/base.h"

/* The loopback interface, which every command expects. */
void net_loopback(void);

/*
 * Configures the first network card by DHCP: address, default route, MTU, and
 * /etc/resolv.conf where that is missing or empty. A process that stays renews
 * the lease if it has an end. 0 or a negative errno, said.
 */
int net_dhcp(void);

#endif
