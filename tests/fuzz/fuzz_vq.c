/* SPDX-License-Identifier: Apache-2.0 */
/* vq.c: any rings, any descriptors. Input: size, features, then the rings. */
#include "fuzz.h"
#include "virtio/dev.h"

#define RAM (16 * MIB)

static struct mem *ram;
static struct vq vq;

/* Chain c is inside RAM, and adds up. */
static void check(const struct vq_chain *c)
{
    const u8 *base = mem_range(ram, 0, RAM);
    u64 sum[2] = {0};

    for (u32 i = 0; i < (u32)c->nr_out + c->nr_in; i++) {
        u64 off = (u64)((const u8 *)c->out[i].iov_base - base);

        assert(off < RAM && c->out[i].iov_len <= RAM - off);
        assert(c->out[i].iov_len > 0);
        sum[i >= c->nr_out] += c->out[i].iov_len;
    }
    assert(sum[0] == c->out_len && sum[1] == c->in_len);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct vq_config cfg = {.num = 1u << (fuzz_take(&in, 1) & 7)};
    u64 features = fuzz_take(&in, 1) << 28; /* INDIRECT_DESC, EVENT_IDX */
    struct vq_chain c[128];
    u32 n = 0;
    u16 used;

    if (!ram && (mem_new(&ram, RAM) < 0 || vq_init(&vq, 0, 128) < 0))
        return 0;
    cfg.avail = 16 * cfg.num;
    cfg.used = (cfg.avail + 6 + 2 * cfg.num + 3) & ~3ull;
    mem_fill(ram, 0, 0, 64 * KIB);
    mem_write(ram, 0, in.at, MIN(in.left, 64 * KIB));
    mem_fill(ram, cfg.used, 0, 4);
    must(vq_start(&vq, ram, &cfg, features) == 0);
    while (n < cfg.num && vq_pop(&vq, &c[n]) > 0)
        check(&c[n++]);
    assert(n < cfg.num || vq_pop(&vq, &(struct vq_chain){0}) <= 0);
    for (u32 i = 0; i < n; i++)
        vq_push(&vq, &c[i], c[i].in_len);
    mem_read(ram, cfg.used + 2, &used, 2);
    assert(used == n && vq.inflight == 0);
    vq_wants_irq(&vq);
    return 0;
}
