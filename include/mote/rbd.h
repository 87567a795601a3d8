/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rbd.h: disks in a Ceph cluster. librbd, its threads, sockets and the key live
 * in a worker process, this binary started again; the monitor shares a ring of
 * memory and two eventfds with it. A keeper process between them starts the
 * worker anew when it dies, and outlives a killed monitor to remove its clones.
 */
#ifndef MOTE_RBD_H
#define MOTE_RBD_H

#include "mote/config.h"
#include "mote/disk.h"

/*
 * A drive's disk; its worker is not yet started, and its size not yet known.
 * vm_id names ephemeral clones. 0 or a negative errno, already reported. Main,
 * before the sandbox.
 */
int rbd_open(struct disk **out, const struct drive_config *drive,
             const char *vm_id);

/*
 * Start a keeper and its worker for each cluster that rbd_open() was told of.
 * They go on alone, while the VM is built; the workers in jails of their own,
 * as good as sandbox requires. 0 or a negative errno, already reported. Main,
 * before the sandbox, once.
 */
int rbd_start(const struct sandbox_config *sandbox);

/* Are Ceph's libraries there, and good enough? They stay in this process. 0 or
 * a negative errno, already reported with what to install. */
int rbd_peek_libraries(void);

/* In the monitor: close what only keepers and the supervisor may hold. */
void rbd_forget(void);

/*
 * What this binary is when it is started as "mote rbd-keeper" and "mote
 * rbd-worker": spec_fd holds a struct rbd_spec, end of file on stop_fd means
 * finish. Both return the exit status.
 */
int rbd_keeper_main(int spec_fd, int stop_fd);
int rbd_worker_main(int spec_fd, int stop_fd);

/* "mote rbd-gc": remove ephemeral clones whose owner is gone. Returns the exit
 * status. */
struct rbd_gc_options {
    const char *pool, *ns;
    const struct rbd_config *access; /* user, key, monitors, conf */
    bool dry_run;
    const char *host; /* clones of this other host, too */
};
int rbd_gc(const struct rbd_gc_options *opt);

#endif
