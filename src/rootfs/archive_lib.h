/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_lib.h: what is called in libarchive, loaded at run time and only by
 * the process that reads archives: it brings libxml2 and ICU, which would cost
 * every start of mote.
 */
#ifndef MOTE_ROOTFS_ARCHIVE_LIB_H
#define MOTE_ROOTFS_ARCHIVE_LIB_H

#include <archive.h>
#include <archive_entry.h>

#include "mote/base.h"

#define ARCHIVE_LIB(F)                                                         \
    F(archive_read_new)                                                        \
    F(archive_read_free)                                                       \
    F(archive_read_support_format_tar)                                         \
    F(archive_read_support_filter_gzip)                                        \
    F(archive_read_support_filter_xz)                                          \
    F(archive_read_support_filter_zstd)                                        \
    F(archive_read_support_filter_bzip2)                                       \
    F(archive_read_support_filter_lz4)                                         \
    F(archive_read_open)                                                       \
    F(archive_read_next_header)                                                \
    F(archive_read_data_block)                                                 \
    F(archive_filter_bytes)                                                    \
    F(archive_filter_code)                                                     \
    F(archive_error_string)                                                    \
    F(archive_entry_pathname)                                                  \
    F(archive_entry_symlink)                                                   \
    F(archive_entry_hardlink)                                                  \
    F(archive_entry_mode)                                                      \
    F(archive_entry_uid)                                                       \
    F(archive_entry_gid)                                                       \
    F(archive_entry_mtime)                                                     \
    F(archive_entry_size)                                                      \
    F(archive_entry_rdevmajor)                                                 \
    F(archive_entry_rdevminor)

struct archive_lib {
#define ARCHIVE_LIB_FIELD(name) __typeof__(&name) name;
    ARCHIVE_LIB(ARCHIVE_LIB_FIELD)
#undef ARCHIVE_LIB_FIELD
};

/* Load it; it stays. -ENOENT or -ENOSYS, already reported with what to
 * install. */
int archive_lib_load(struct archive_lib *lib);

#endif
