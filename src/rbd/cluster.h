/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.h: one connection to a Ceph cluster, of a worker or of rbd-gc. All on
 * that process's main thread. */
#ifndef MOTE_RBD_CLUSTER_H
#define MOTE_RBD_CLUSTER_H

#include "lib.h"
#include "spec.h"

struct cluster {
    const struct rbd_lib *lib;
    struct rbd_cluster *spec;  /* borrowed */
    char before[RBD_NAME_MAX]; /* address of the worker before this one */
    rados_t rados;
};

/*
 * Everything that needs a file: create the handle, read the configuration and
 * the key. 0 or a negative errno, already reported.
 */
int cluster_prepare(struct cluster *c, const struct rbd_lib *lib,
                    struct rbd_cluster *spec);

/* Reach the monitors, within connect_timeout_s; check the fsid. The same
 * results. */
int cluster_connect(struct cluster *c);

/* A pool, and a namespace in it or "". who: "drive root" or so. The same
 * results. */
int cluster_pool(struct cluster *c, const char *who, const char *pool,
                 const char *ns, rados_ioctx_t *out);

/* This client's address, for the one that must fence it; to stays as it is
 * where librados does not tell. */
void cluster_note_address(const struct cluster *c, char to[RBD_NAME_MAX]);

void cluster_close(struct cluster *c);

#endif
