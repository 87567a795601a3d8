/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec.h: what a worker is told, in a memfd shared with its keeper: which
 * cluster, as whom, which images, and the numbers of the descriptors it was
 * started with. The monitor never sees one: a key may be among the descriptors.
 */
#ifndef MOTE_RBD_SPEC_H
#define MOTE_RBD_SPEC_H

#include <sys/types.h>

#include "mote/log.h"

#define RBD_NAME_MAX   256 /* with the final NUL; of every text */
#define RBD_HOSTS_MAX  512
#define RBD_OPTION_MAX 16
#define RBD_IMAGE_MAX  19 /* as many as a VM can have devices */

/* Drives of one VM with equal clusters share a worker. */
struct rbd_cluster {
    char user[RBD_NAME_MAX];
    char mon_host[RBD_HOSTS_MAX]; /* "10.1.0.11,10.1.0.12"; "": by conf */
    char fsid[RBD_NAME_MAX];      /* the only one wanted; "": any */
    u32 connect_timeout_s;
    u32 timeout_s; /* of a request; 0: wait for ever */
    u32 cache;     /* enum rbd_cache */
    u32 nr_options;
    char option[RBD_OPTION_MAX][2][RBD_NAME_MAX]; /* for rados_conf_set() */
    int key_fd, conf_fd;                          /* or -1 */
    char address[RBD_NAME_MAX]; /* of the last worker, which wrote it */
};

struct rbd_image {
    char drive[RBD_NAME_MAX]; /* drive_id, for messages */
    char pool[RBD_NAME_MAX], ns[RBD_NAME_MAX];
    char image[RBD_NAME_MAX], snapshot[RBD_NAME_MAX]; /* "": none */
    char clone[RBD_NAME_MAX]; /* of the snapshot, to be made; "": none */
    bool keep_clone;          /* it outlives the VM */
    bool read_only;
    u32 lock;                  /* enum rbd_lock */
    char holder[RBD_NAME_MAX]; /* of the lock: what the last worker wrote */
    int ring_fd;               /* memfd: struct rbd_ring and its chunks */
    int submit_fd;             /* eventfd: look at sq */
    int done_fd;               /* eventfd: look at done, state and size */
};

/* What of the VM's sandbox is the worker's, too. */
struct rbd_jail {
    u32 require; /* enum sandbox_require */
    u32 uid, gid;
    bool log_denials;
    int cgroup_fd; /* for sandbox_join_cgroup(), or -1 */
};

struct rbd_spec {
    struct rbd_jail jail;
    struct log_shared log; /* the VM's */
    struct rbd_cluster cluster;
    u32 nr_images;
    struct rbd_image image[RBD_IMAGE_MAX];
    u32 gen;                  /* 1, and one more at each restart */
    char owner[RBD_NAME_MAX]; /* host/boot id/pid, kept with a clone */
};

/* Map the one in memfd fd, shared. NULL: already reported. */
struct rbd_spec *spec_map(int fd);

/* Close all but stderr, the spec's descriptors and these two; stdin and stdout
 * lead nowhere. 0 or a negative errno, already reported. */
int spec_close_others(const struct rbd_spec *spec, int spec_fd, int stop_fd);

/*
 * Start this binary again as "mote VERB SPEC-FD STOP-FD", with an empty
 * environment and the spec's descriptors. End of file on stop_fd tells it to
 * finish. Its pid, or a negative errno, already reported. From a process with
 * one thread.
 */
pid_t spec_start(const struct rbd_spec *spec, int spec_fd, const char *verb,
                 int stop_fd);

#endif
