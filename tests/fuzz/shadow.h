/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shadow.h: which bytes of a window of guest memory may be written. Take a
 * picture, allow ranges, run the device, check.
 */
#ifndef MOTE_FUZZ_SHADOW_H
#define MOTE_FUZZ_SHADOW_H

#include "fuzz.h"
#include "mote/mem.h"

#define SHADOW_SIZE (64 * KIB) /* guest memory from address 0 on */

struct shadow {
    u8 was[SHADOW_SIZE];
    u8 may[SHADOW_SIZE];
};

static inline void shadow_take(struct shadow *s, const struct mem *m)
{
    mem_read(m, 0, s->was, SHADOW_SIZE);
    memset(s->may, 0, SHADOW_SIZE);
}

static inline void shadow_allow(struct shadow *s, u64 gpa, u64 len)
{
    if (gpa < SHADOW_SIZE)
        memset(s->may + gpa, 1, MIN(len, SHADOW_SIZE - gpa));
}

static inline void shadow_check(const struct shadow *s, const struct mem *m)
{
    const u8 *is = mem_range(m, 0, SHADOW_SIZE);

    for (u64 i = 0; i < SHADOW_SIZE; i += 64) {
        if (memcmp(is + i, s->was + i, 64) == 0)
            continue;
        for (u64 j = i; j < i + 64; j++)
            assert(is[j] == s->was[j] || s->may[j]);
    }
}

#endif
