/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs_rig.h: directories for --rootfs, and what becomes of them */
#ifndef MOTE_ROOTFS_RIG_H
#define MOTE_ROOTFS_RIG_H

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mote/rootfs.h"

#include "capture.h"

static char rig_dir[64]; /* removed by rig_down() */

/* Run a shell command with the directory as $D. */
static inline int rig_sh(const char *command)
{
    setenv("D", rig_dir, 1);
    return system(command);
}

static inline void rig_setup(void)
{
    strcpy(rig_dir, "/var/tmp/mote-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig_dir));
    umask(022);
    capture_start();
}

static inline void rig_teardown(void)
{
    log_sink_set(NULL);
    ck_assert_int_eq(rig_sh("rm -rf \"$D\""), 0);
}

/* A path in the directory; two at a time. */
static inline const char *rig_path(const char *name)
{
    static char path[2][PATH_MAX];
    static unsigned int turn;

    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", rig_dir, name);
    return path[turn];
}

static inline void rig_file(const char *name, const char *text, u32 mode)
{
    int fd = open(rig_path(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static inline struct rootfs_tree rig_tree(const char *what)
{
    return (struct rootfs_tree){.what = what, .dir_fd = -1, .spool = -1};
}

/* One time for all files of the directory, in the order find has them. */
static inline void rig_times(void)
{
    ck_assert_int_eq(
        rig_sh("find \"$D\" -depth -exec touch -h -d @1000000000 {} +"), 0);
}

#endif
