/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib.h: what a worker calls in librados and librbd, found at run time: mote
 * builds without Ceph's headers and runs without its libraries. Prototypes are
 * those of librados 2 and librbd 1, stable since Ceph 14.
 */
#ifndef MOTE_RBD_LIB_H
#define MOTE_RBD_LIB_H

#include <sys/types.h>
#include <sys/uio.h>

#include "mote/base.h"

typedef void *rados_t;
typedef void *rados_ioctx_t;
typedef void *rbd_image_t;
typedef void *rbd_completion_t;
typedef void *rbd_options_t;
typedef void rbd_callback_fn(rbd_completion_t c, void *arg);
typedef void rbd_update_fn(void *arg);

enum { RBD_LOCK_MODE_EXCLUSIVE = 0 };
enum { RBD_OPTION_CLONE_FORMAT = 12 };

#define RBD_FEATURE_EXCLUSIVE_LOCK (1ull << 2)

struct rbd_stat { /* rbd_image_info_t */
    u64 size, obj_size, num_objs;
    int order;
    char prefix[24];
    s64 parent_pool;
    char parent[96];
};

struct rbd_spec_entry { /* rbd_image_spec_t */
    char *id, *name;
};

/* F(library, required, result, name, arguments) */
#define RBD_LIB(F)                                                             \
    F(rados, true, int, rados_create, (rados_t *, const char *))               \
    F(rados, true, int, rados_conf_read_file, (rados_t, const char *))         \
    F(rados, true, int, rados_conf_set, (rados_t, const char *, const char *)) \
    F(rados, true, int, rados_conf_get,                                        \
      (rados_t, const char *, char *, size_t))                                 \
    F(rados, true, int, rados_connect, (rados_t))                              \
    F(rados, true, void, rados_shutdown, (rados_t))                            \
    F(rados, true, int, rados_ioctx_create,                                    \
      (rados_t, const char *, rados_ioctx_t *))                                \
    F(rados, true, void, rados_ioctx_set_namespace,                            \
      (rados_ioctx_t, const char *))                                           \
    F(rados, true, void, rados_ioctx_destroy, (rados_ioctx_t))                 \
    F(rados, true, int, rados_cluster_fsid, (rados_t, char *, size_t))         \
    F(rados, false, int, rados_getaddrs, (rados_t, char **))                   \
    F(rados, false, int, rados_blocklist_add, (rados_t, char *, u32))          \
    F(rbd, true, void, rbd_version, (int *, int *, int *))                     \
    F(rbd, true, int, rbd_open,                                                \
      (rados_ioctx_t, const char *, rbd_image_t *, const char *))              \
    F(rbd, true, int, rbd_open_read_only,                                      \
      (rados_ioctx_t, const char *, rbd_image_t *, const char *))              \
    F(rbd, true, int, rbd_close, (rbd_image_t))                                \
    F(rbd, true, int, rbd_stat, (rbd_image_t, struct rbd_stat *, size_t))      \
    F(rbd, true, int, rbd_get_size, (rbd_image_t, u64 *))                      \
    F(rbd, true, int, rbd_get_features, (rbd_image_t, u64 *))                  \
    F(rbd, true, int, rbd_aio_create_completion,                               \
      (void *, rbd_callback_fn *, rbd_completion_t *))                         \
    F(rbd, true, ssize_t, rbd_aio_get_return_value, (rbd_completion_t))        \
    F(rbd, true, void, rbd_aio_release, (rbd_completion_t))                    \
    F(rbd, true, int, rbd_aio_readv,                                           \
      (rbd_image_t, const struct iovec *, int, u64, rbd_completion_t))         \
    F(rbd, true, int, rbd_aio_writev,                                          \
      (rbd_image_t, const struct iovec *, int, u64, rbd_completion_t))         \
    F(rbd, true, int, rbd_aio_discard,                                         \
      (rbd_image_t, u64, u64, rbd_completion_t))                               \
    F(rbd, true, int, rbd_aio_flush, (rbd_image_t, rbd_completion_t))          \
    F(rbd, false, int, rbd_aio_write_zeroes,                                   \
      (rbd_image_t, u64, size_t, rbd_completion_t, int, int))                  \
    F(rbd, true, int, rbd_update_watch,                                        \
      (rbd_image_t, u64 *, rbd_update_fn *, void *))                           \
    F(rbd, true, int, rbd_update_unwatch, (rbd_image_t, u64))                  \
    F(rbd, true, int, rbd_lock_acquire, (rbd_image_t, int))                    \
    F(rbd, true, int, rbd_lock_release, (rbd_image_t))                         \
    F(rbd, true, int, rbd_is_exclusive_lock_owner, (rbd_image_t, int *))       \
    F(rbd, true, int, rbd_lock_get_owners,                                     \
      (rbd_image_t, int *, char **, size_t *))                                 \
    F(rbd, true, void, rbd_lock_get_owners_cleanup, (char **, size_t))         \
    F(rbd, true, int, rbd_lock_break, (rbd_image_t, int, const char *))        \
    F(rbd, true, int, rbd_clone3,                                              \
      (rados_ioctx_t, const char *, const char *, rados_ioctx_t, const char *, \
       rbd_options_t))                                                         \
    F(rbd, true, void, rbd_image_options_create, (rbd_options_t *))            \
    F(rbd, true, int, rbd_image_options_set_uint64, (rbd_options_t, int, u64)) \
    F(rbd, true, void, rbd_image_options_destroy, (rbd_options_t))             \
    F(rbd, true, int, rbd_remove, (rados_ioctx_t, const char *))               \
    F(rbd, true, int, rbd_metadata_set,                                        \
      (rbd_image_t, const char *, const char *))                               \
    F(rbd, true, int, rbd_metadata_get,                                        \
      (rbd_image_t, const char *, char *, size_t *))                           \
    F(rbd, true, int, rbd_list2,                                               \
      (rados_ioctx_t, struct rbd_spec_entry *, size_t *))                      \
    F(rbd, true, void, rbd_image_spec_list_cleanup,                            \
      (struct rbd_spec_entry *, size_t))

struct rbd_lib {
#define RBD_LIB_FIELD(library, required, result, name, args) result(*name) args;
    RBD_LIB(RBD_LIB_FIELD)
#undef RBD_LIB_FIELD
};

/* Load both libraries, which stay. -ENOENT or -ENOSYS, already reported with
 * what to install. The worker's or rbd-gc's main, once. */
int rbd_lib_load(struct rbd_lib *lib);

#endif
