/* SPDX-License-Identifier: Apache-2.0 */
/* overlay_rig.h: a base with a pattern, and layers over it */
#ifndef MOTE_OVERLAY_RIG_H
#define MOTE_OVERLAY_RIG_H

#include "block/io.h"
#include "block/overlay.h"
#include "disk_rig.h"

#define SECTORS (20u * 128u + 5u) /* the last block is a short one */
#define SIZE    (SECTORS * 512ull)

static char base_path[64], layer_path[64];

/* A base with a pattern, and a name for a layer that is not there yet. */
static inline void files_up(u8 *pattern)
{
    int fd = rig_file(base_path, SIZE);

    rig_pattern(pattern, SIZE, 77);
    ck_assert_int_eq(io_write_buf(fd, pattern, SIZE, 0), 0);
    close(fd);
    close(rig_file(layer_path, 0));
    unlink(layer_path);
}

static inline void files_down(void)
{
    unlink(base_path);
    unlink(layer_path);
}

static inline int layer_open(struct disk **d, enum disk_engine engine,
                             struct overlay_options opt)
{
    struct raw_options raw = {
        .path = base_path, .read_only = true, .engine = engine};
    struct disk *base;
    int r;

    ck_assert_int_eq(raw_open(&base, &raw), 0);
    r = overlay_open(d, base, &opt);
    if (r < 0)
        disk_free(base);
    return r;
}

static inline void layer_up(struct disk_rig *rig, enum disk_engine engine,
                            struct overlay_options opt)
{
    struct disk *d;

    ck_assert_int_eq(layer_open(&d, engine, opt), 0);
    rig_up(rig, d);
}

static inline struct overlay_options persistent(void)
{
    return (struct overlay_options){.path = layer_path};
}

static inline void check_content(struct disk_rig *rig, const u8 *want)
{
    u8 *got = malloc(SIZE);

    ck_assert_int_eq(rig_do(rig, DISK_READ, got, 0, SIZE), 0);
    for (u64 s = 0; s < SECTORS; s++)
        ck_assert_msg(memcmp(got + s * 512, want + s * 512, 512) == 0,
                      "sector %llu", (unsigned long long)s);
    free(got);
}

#endif
