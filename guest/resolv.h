/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.h: /etc/resolv.conf */
#ifndef MOTE_GUEST_RESOLV_H
#define MOTE_GUEST_RESOLV_H

#include "dhcp.h"

/* Writes it unless it says something already. Where nothing can be written, so
 * it stays. */
void resolv_write(const struct dhcp_lease *lease);

#endif
