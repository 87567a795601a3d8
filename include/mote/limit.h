/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.h: rate limiter of a device, two token buckets (bytes and operations)
 * as in Firecracker's schema. Owned by one device thread.
 */
#ifndef MOTE_LIMIT_H
#define MOTE_LIMIT_H

#include "mote/base.h"

struct limit_bucket_config {
    u64 size;      /* tokens; 0: no limit */
    u64 refill_ms; /* to refill size tokens; 0: no limit */
    u64 burst;     /* extra tokens, once */
};

struct limit_config {
    struct limit_bucket_config bytes;
    struct limit_bucket_config ops;
};

struct limit_bucket {
    u64 size, tokens, burst;
    u64 ns_per_refill;
    u64 last_ns;
};

struct limit {
    struct limit_bucket bytes, ops;
};

/* now_ns: CLOCK_MONOTONIC. Buckets start full. */
void limit_init(struct limit *l, const struct limit_config *cfg, u64 now_ns);

/* Does it limit anything at all? */
bool limit_active(const struct limit *l);

/*
 * One operation of so many bytes: take the tokens and return 0, or take
 * nothing and return the nanoseconds until it is worth asking again. A request
 * larger than a bucket is let through when that is full and empties it. Clocks
 * that jump back or far ahead neither refill twice nor stall.
 */
u64 limit_take(struct limit *l, u64 bytes, u64 now_ns);

/* Bytes that limit_take() would let through at once; all if it limits none. */
u64 limit_room(struct limit *l, u64 now_ns);

#endif
