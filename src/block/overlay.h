/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay.h: the layer file of an overlay, and its map.
 *
 * The file is as long as it will ever be, and sparse: a header, the map's
 * pages twice, and room for every block of the base at its place. A block is
 * the base's, in the layer, or zero. In memory the map is always right; in the
 * file it changes only in overlay_map_write(), after the data it speaks of is
 * durable, so a crash finds each block as it was at the last flush, or newer.
 *
 * A page of the map is written to its two places in turn. Torn, it fails its
 * checksum, and the other one, of the flush before, is valid.
 *
 * Bytes of the header: 0 magic, 8 version, 12 block size, 16 length of the
 * file, 24 size and 32 identity of the base, 40 pages, 4092 CRC-32C of all
 * before; else zero. Of a page: 0 CRC-32C of all after, 4 its number, 8 how
 * often it was written, 16 states, two bits each. Little-endian.
 */
#ifndef MOTE_BLOCK_OVERLAY_H
#define MOTE_BLOCK_OVERLAY_H

#include "mote/base.h"

#define OVERLAY_BLOCK       (64 * KIB)
#define OVERLAY_PAGE        4096u
#define OVERLAY_PAGE_HEAD   16u
#define OVERLAY_PAGE_BLOCKS ((OVERLAY_PAGE - OVERLAY_PAGE_HEAD) * 4u)
#define OVERLAY_SIZE_MAX    (64ull << 40)

enum overlay_state { OVERLAY_BASE, OVERLAY_DATA, OVERLAY_ZERO };

struct overlay_map {
    int fd;
    const char *path; /* for messages */
    u64 base_size, base_identity;
    u64 nr_blocks, nr_pages;
    u64 data_off; /* of block 0 in the file */
    u64 length;   /* of the file */
    u64 nr_data;  /* blocks that are OVERLAY_DATA */
    u8 *pages;    /* as in the file */
    bool *dirty;  /* per page */
};

/* Lay out a map, all OVERLAY_BASE. 0 or a negative errno, already reported. */
int overlay_map_init(struct overlay_map *m, int fd, const char *path,
                     u64 base_size, u64 base_identity);
void overlay_map_fini(struct overlay_map *m);

/* Make the empty file that fd is: its length, and the header durably. */
int overlay_map_format(struct overlay_map *m);

/* Read the map of an earlier run. Whatever does not fit is refused with the
 * name of the file; the file is never changed. */
int overlay_map_load(struct overlay_map *m);

/* Nothing was ever written to this file, or not even its header. */
bool overlay_map_blank(const struct overlay_map *m);

enum overlay_state overlay_map_get(const struct overlay_map *m, u64 block);
void overlay_map_set(struct overlay_map *m, u64 block, enum overlay_state st);

/* Bytes from off on, at most len, whose blocks are all in state *st. */
u64 overlay_map_run(const struct overlay_map *m, u64 off, u64 len,
                    enum overlay_state *st);

bool overlay_map_dirty(const struct overlay_map *m);

/* The changed pages to the file, for the next fdatasync(). After an error the
 * pages stay changed and the file's last durable copies untouched. */
int overlay_map_write(struct overlay_map *m);

/* ---- overlay_file.c: descriptors are the caller's, also after an error -- */

int overlay_file_temporary(int *fd);

/* Opened or made, and locked; and its directory, to make a new entry durable
 * and for overlay_file_remove(), which removes only what is still this file. */
int overlay_file_open(const char *path, int *fd, int *dir_fd);
void overlay_file_remove(const char *path, int fd, int dir_fd);

#endif
