/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c: virtio-rng (virtio 1.2, 5.4): the host's getrandom(), rate-limited */
#include <stdlib.h>
#include <sys/random.h>

#include "mote/log.h"

#include "dev.h"

#define RNG_ID      4
#define RNG_VQ_MAX  64
#define RNG_CHUNK   (64 * KIB) /* of one request; the driver asks again */
#define RNG_SYSCALL 256u       /* never cut short by a signal: getrandom(2) */

enum rng_counter {
    RNG_EVENTS,
    RNG_BYTES,
    RNG_EVENT_FAILS,
    RNG_HOST_FAILS,
    RNG_THROTTLED,
    RNG_COUNTERS
};

static const char *const rng_counters[RNG_COUNTERS] = {
    [RNG_EVENTS] = "entropy_event_count",
    [RNG_BYTES] = "entropy_bytes",
    [RNG_EVENT_FAILS] = "entropy_event_fails",
    [RNG_HOST_FAILS] = "host_rng_fails",
    [RNG_THROTTLED] = "entropy_rate_limiter_throttled",
};

struct rng {
    struct virtio_dev dev;
    struct limit limit;
};

/* Fill the chain from its start. Bytes, fewer if the kernel would have to wait
 * for its own seed. */
static u32 rng_fill(struct vq_chain *c, u32 want)
{
    u8 buf[RNG_SYSCALL];
    u32 done = 0;

    while (done < want) {
        ssize_t n =
            getrandom(buf, MIN(want - done, RNG_SYSCALL), GRND_NONBLOCK);

        if (n <= 0)
            break;
        done += vq_put(c, buf, (u32)n);
    }
    return done;
}

/* What the chain has room for; want bytes are wanted. */
DEV_ONLY static void rng_answer(struct rng *rng, struct vq *vq,
                                struct vq_chain *c, u32 want)
{
    u32 done = rng_fill(c, want);

    if (want == 0) { /* virtio 1.2, 5.4.6.1: only writable buffers */
        counter_add(&rng->dev.errors, 1);
        counter_add(&rng->dev.counter[RNG_EVENT_FAILS], 1);
    }
    counter_add(&rng->dev.counter[RNG_EVENTS], 1);
    counter_add(&rng->dev.counter[RNG_BYTES], done);
    counter_add(&rng->dev.counter[RNG_HOST_FAILS], done < want);
    vq_push(vq, c, done);
}

DEV_ONLY static int rng_kick(struct virtio_dev *dev, struct vq *vq)
{
    struct rng *rng = container_of(dev, struct rng, dev);
    struct vq_chain c;
    u32 want;
    u64 ns;
    int r;

    while ((r = vq_pop(vq, &c)) > 0) {
        want = MIN(c.in_len, (u32)RNG_CHUNK);
        ns = limit_take(&rng->limit, want, monotonic_ns());
        if (ns > 0) {
            vq_unpop(vq, &c);
            counter_add(&dev->counter[RNG_THROTTLED], 1);
            virtio_pause(dev, vq, ns);
            return 0;
        }
        rng_answer(rng, vq, &c, want);
    }
    return r;
}

static void rng_free(struct virtio_dev *dev)
{
    struct rng *rng = container_of(dev, struct rng, dev);

    virtio_dev_fini(dev);
    free(rng);
}

static const struct virtio_ops rng_ops = {
    .name = "rng",
    .id = RNG_ID,
    .filter = FILTER_RNG,
    .group = "entropy",
    .counters = rng_counters,
    .nr_counters = RNG_COUNTERS,
    .kick = rng_kick,
    .free = rng_free,
};

int rng_new(struct virtio_dev **out, const struct limit_config *limit)
{
    struct rng *rng = calloc(1, sizeof(*rng));
    int r;

    if (!rng)
        return fail(-ENOMEM, "rng");
    r = virtio_dev_init(&rng->dev, &rng_ops, "rng", 1, RNG_VQ_MAX, 0);
    if (r < 0)
        goto free_rng;
    limit_init(&rng->limit, limit, monotonic_ns());
    *out = &rng->dev;
    return 0;

free_rng:
    free(rng);
    return r;
}
