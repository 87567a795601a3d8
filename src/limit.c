/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c: token buckets that refill by the clock, never past their size */
#include "mote/limit.h"

#define LIMIT_NS_PER_MS 1000000u

static u64 limit_saturate(u128 v)
{
    return v > UINT64_MAX ? UINT64_MAX : (u64)v;
}

static bool bucket_active(const struct limit_bucket *b)
{
    return b->ns_per_refill != 0;
}

static void bucket_init(struct limit_bucket *b,
                        const struct limit_bucket_config *cfg, u64 now_ns)
{
    *b = (struct limit_bucket){.last_ns = now_ns};
    if (cfg->size == 0 || cfg->refill_ms == 0)
        return;
    b->size = b->tokens = cfg->size;
    b->burst = cfg->burst;
    b->ns_per_refill = limit_saturate((u128)cfg->refill_ms * LIMIT_NS_PER_MS);
}

/* Time that so many tokens take, rounded up: never faster than configured. */
static u64 bucket_ns(const struct limit_bucket *b, u64 tokens)
{
    u128 ns = (u128)tokens * b->ns_per_refill + b->size - 1;

    return (u64)(ns / b->size); /* tokens <= size, so it fits */
}

/*
 * Only whole tokens are added and only their time is used up, so that many
 * short intervals add up to what one long one gives. A clock that went back
 * starts a new interval, one far ahead fills the bucket, once.
 */
static void bucket_refill(struct limit_bucket *b, u64 now_ns)
{
    u64 elapsed, room = b->size - b->tokens;
    u64 tokens;

    if (now_ns < b->last_ns)
        b->last_ns = now_ns;
    elapsed = now_ns - b->last_ns;
    if (elapsed >= b->ns_per_refill)
        tokens = b->size;
    else
        tokens = (u64)((u128)elapsed * b->size / b->ns_per_refill);
    if (tokens >= room) {
        b->tokens = b->size;
        b->last_ns = now_ns;
    } else {
        b->tokens += tokens;
        b->last_ns += bucket_ns(b, tokens);
    }
}

/* Nanoseconds until n tokens can be taken; 0: now. More than the bucket holds
 * has to wait for a full one only. */
static u64 bucket_wait(const struct limit_bucket *b, u64 n, u64 now_ns)
{
    u64 have = limit_saturate((u128)b->tokens + b->burst);
    u64 missing;

    if (!bucket_active(b) || n <= have)
        return 0;
    missing = MIN(n - have, b->size - b->tokens);
    if (missing == 0)
        return 0;
    return bucket_ns(b, missing) - (now_ns - b->last_ns);
}

/* The burst goes first: it never comes back. */
static void bucket_take(struct limit_bucket *b, u64 n)
{
    u64 burst = MIN(n, b->burst);

    b->burst -= burst;
    b->tokens -= MIN(n - burst, b->tokens);
}

void limit_init(struct limit *l, const struct limit_config *cfg, u64 now_ns)
{
    bucket_init(&l->bytes, &cfg->bytes, now_ns);
    bucket_init(&l->ops, &cfg->ops, now_ns);
}

bool limit_active(const struct limit *l)
{
    return bucket_active(&l->bytes) || bucket_active(&l->ops);
}

u64 limit_take(struct limit *l, u64 bytes, u64 now_ns)
{
    u64 wait;

    if (bucket_active(&l->bytes))
        bucket_refill(&l->bytes, now_ns);
    if (bucket_active(&l->ops))
        bucket_refill(&l->ops, now_ns);
    wait = MAX(bucket_wait(&l->bytes, bytes, now_ns),
               bucket_wait(&l->ops, 1, now_ns));
    if (wait)
        return wait;
    bucket_take(&l->bytes, bytes);
    bucket_take(&l->ops, 1);
    return 0;
}

u64 limit_room(struct limit *l, u64 now_ns)
{
    if (!bucket_active(&l->bytes))
        return UINT64_MAX;
    bucket_refill(&l->bytes, now_ns);
    return limit_saturate((u128)l->bytes.tokens + l->bytes.burst);
}
