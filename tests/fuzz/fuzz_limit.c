/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c: any buckets under a clock that stands, runs and jumps. Input: the
 * two configurations, then records of a step of the clock and a request. */
#include "fuzz.h"
#include "mote/limit.h"

static struct limit_bucket_config take_config(struct fuzz_input *in)
{
    unsigned int n = 1u << (fuzz_take(in, 1) & 3); /* bytes of each number */
    struct limit_bucket_config cfg;

    cfg.size = fuzz_take(in, n);
    cfg.refill_ms = fuzz_take(in, n);
    cfg.burst = fuzz_take(in, n);
    return cfg;
}

/* Never more than configured, and never more in a step than its time gives:
 * whole tokens, of which a part may have been saved up before. */
static void check(const struct limit_bucket *was, const struct limit_bucket *is,
                  u64 taken, u64 ns)
{
    u64 from_burst = was->burst - is->burst;
    u128 gain = was->ns_per_refill ? (u128)MIN(ns, was->ns_per_refill) *
                                             was->size / was->ns_per_refill +
                                         1
                                   : 0;

    assert(is->tokens <= is->size && is->burst <= was->burst);
    assert(from_burst <= taken);
    taken -= from_burst;
    if (was->ns_per_refill && taken <= is->size)
        assert((u128)is->tokens + taken <= was->tokens + gain);
}

/* Of the kinds of steps a clock can make; not all of them are good ones. */
static u64 step(struct fuzz_input *in, u64 now)
{
    u8 kind = (u8)fuzz_take(in, 1);
    u64 by = fuzz_take(in, kind & 7);

    if (kind & 0x80)
        return kind & 0x40 ? by : now - MIN(by, now);
    return by > ~0ull - now ? ~0ull : now + by;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    u64 now = fuzz_take(&in, 8), before, bytes, wait;
    struct limit_config cfg;
    struct limit l, was;

    cfg.bytes = take_config(&in);
    cfg.ops = take_config(&in);
    limit_init(&l, &cfg, now);
    assert(limit_active(&l) == (l.bytes.ns_per_refill || l.ops.ns_per_refill));
    while (in.left > 0) {
        before = now;
        now = step(&in, now);
        bytes = fuzz_take(&in, 1 + fuzz_take(&in, 1) % 8);
        was = l;
        wait = limit_take(&l, bytes, now);
        check(&was.bytes, &l.bytes, wait ? 0 : bytes, now - MIN(before, now));
        check(&was.ops, &l.ops, wait ? 0 : 1, now - MIN(before, now));
        assert(limit_active(&l) || wait == 0);
        if (wait == 0 || wait > ~0ull - now)
            continue;
        now += wait; /* what it says is what it holds to */
        wait = limit_take(&l, bytes, now);
        assert(wait == 0);
    }
    return 0;
}
