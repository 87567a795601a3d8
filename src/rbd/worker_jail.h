/* SPDX-License-Identifier: Apache-2.0 */
/* worker_jail.h: what a worker gives up, in three steps. All on its main
 * thread; all: 0 or a negative errno, already reported. */
#ifndef MOTE_RBD_WORKER_JAIL_H
#define MOTE_RBD_WORKER_JAIL_H

#include "mote/filter.h"
#include "mote/sandbox.h"

#include "spec.h"

struct worker_jail {
    struct sandbox_config config;
    struct sandbox_report report;
    enum filter_mode mode;
};

/* First of all: descriptors, limits, namespaces. Files can still be read. */
int worker_jail_begin(struct worker_jail *j, const struct rbd_spec *spec,
                      int spec_fd, int stop_fd);

/* When the libraries, the configuration and the key are read, the rings mapped,
 * and librados has started no thread: no files from here on, and the filter
 * that a connection and its threads are made under. */
int worker_jail_seal(struct worker_jail *j, const struct rbd_spec *spec,
                     int spec_fd);

/* When all images are open: the filter they are served under. Every thread. */
int worker_jail_narrow(const struct worker_jail *j);

#endif
