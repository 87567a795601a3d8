/* SPDX-License-Identifier: Apache-2.0 */
/* start.h: what rbd-gc shares with the drives' start */
#ifndef MOTE_RBD_START_H
#define MOTE_RBD_START_H

#include "mote/config.h"

#include "spec.h"

/* How to reach the cluster; copies the key and the configuration into
 * memfds, which *cluster then owns; key_fd stays open. 0 or a negative errno,
 * already reported. */
int rbd_fill_cluster(struct rbd_cluster *cluster, const struct rbd_config *rc);

#endif
