/* SPDX-License-Identifier: Apache-2.0 */
/* vq.c: split virtqueues (virtio 1.2, 2.7), the device's side */
#include <stdlib.h>

#include "mote/log.h"

#include "dev.h"
#include "vq.h"

/* The rings in guest memory: offsets and flags of virtio 1.2, 2.7.5 to 2.7.8.
 * Both rings are flags, idx, entries, and the other side's event index. */
#define DESC_F_NEXT          1u
#define DESC_F_WRITE         2u
#define DESC_F_INDIRECT      4u
#define AVAIL_F_NO_INTERRUPT 1u
#define USED_F_NO_NOTIFY     1u
#define RING_FLAGS           0u
#define RING_IDX             2u
#define RING_ENTRY           4u

struct vq_desc {
    u64 addr;
    u32 len;
    u16 flags;
    u16 next;
};

struct vq_used {
    u32 id;
    u32 len;
};

/* One per chain in flight. */
struct vq_slot {
    u16 nr_out, nr_in;
    u32 out_len, in_len;
    struct iovec iov[VQ_SIZE_MAX];
    struct vq_desc in[VQ_SIZE_MAX]; /* the writable ones, as they came */
};

/* A walk along one chain: the table it is in, and what it has found. */
struct vq_walk {
    u64 table;
    u32 entries;
    bool indirect;
    struct vq_slot *slot;
};

static int vq_breach(struct vq *vq, const char *why)
{
    vq->why = why;
    return -EPROTO;
}

/* ---- rings in guest memory ------------------------------------------------
 * Everything here lies in what vq_check() has found to be RAM, and the map of
 * RAM never changes, so no address is NULL. */

static _Atomic(u16) *vq_word(const struct vq *vq, u64 gpa)
{
    return mem_range(vq->mem, gpa, sizeof(u16));
}

static u16 vq_load(const struct vq *vq, u64 gpa)
{
    return atomic_load(vq_word(vq, gpa));
}

static void vq_store(const struct vq *vq, u64 gpa, u16 val)
{
    atomic_store_explicit(vq_word(vq, gpa), val, memory_order_release);
}

/* The driver sees it before the device reads anything more: each side writes
 * its index, then reads the other's wish (virtio 1.2, 2.7.7.1, 2.7.10.1). */
static void vq_store_first(const struct vq *vq, u64 gpa, u16 val)
{
    atomic_exchange(vq_word(vq, gpa), val);
}

static u16 vq_avail_idx(const struct vq *vq)
{
    return vq_load(vq, vq->cfg.avail + RING_IDX);
}

static u16 vq_avail_entry(const struct vq *vq, u16 pos)
{
    u32 at = pos & (vq->cfg.num - 1);

    return vq_load(vq, vq->cfg.avail + RING_ENTRY + 2 * at);
}

/* The last word of the avail ring is used_event, of the used ring avail_event
 * (virtio 1.2, 2.7.6 and 2.7.8). */
static u16 vq_used_event(const struct vq *vq)
{
    return vq_load(vq, vq->cfg.avail + RING_ENTRY + 2 * (u64)vq->cfg.num);
}

static void vq_set_avail_event(struct vq *vq, u16 pos)
{
    vq_store_first(vq, vq->cfg.used + RING_ENTRY + 8 * (u64)vq->cfg.num, pos);
}

static void vq_put_used(struct vq *vq, u16 pos, u32 id, u32 len)
{
    u32 at = pos & (vq->cfg.num - 1);
    struct vq_used used = {.id = id, .len = len};
    void *p = mem_range(vq->mem, vq->cfg.used + RING_ENTRY + 8 * (u64)at,
                        sizeof(used));

    memcpy(p, &used, sizeof(used));
}

/* ---- life -----------------------------------------------------------------
 */

int vq_init(struct vq *vq, unsigned int index, u16 max)
{
    *vq = (struct vq){.index = index, .max = max};
    assert(max > 0 && max <= VQ_SIZE_MAX && (max & (max - 1)) == 0);
    /* Pages of it that no chain has ever needed are never backed. */
    vq->slots = calloc(max, sizeof(*vq->slots));
    return vq->slots ? 0 : fail(-ENOMEM, "virtqueue of %u", max);
}

void vq_fini(struct vq *vq)
{
    free(vq->slots);
    vq->slots = NULL;
}

static bool vq_is_ram(const struct mem *mem, u64 gpa, u64 len, u64 align)
{
    return gpa % align == 0 && mem_range(mem, gpa, len) != NULL;
}

int vq_check(const struct vq *vq, const struct mem *mem,
             const struct vq_config *cfg)
{
    u64 num = cfg->num;

    if (num == 0 || num > vq->max || (num & (num - 1)) != 0)
        return -EINVAL;
    if (!vq_is_ram(mem, cfg->desc, 16 * num, VQ_ALIGN_DESC) ||
        !vq_is_ram(mem, cfg->avail, 6 + 2 * num, VQ_ALIGN_AVAIL) ||
        !vq_is_ram(mem, cfg->used, 6 + 8 * num, VQ_ALIGN_USED))
        return -EINVAL;
    return 0;
}

int vq_start(struct vq *vq, const struct mem *mem, const struct vq_config *cfg,
             u64 features)
{
    int r = vq_check(vq, mem, cfg);

    if (r < 0)
        return r;
    vq->mem = mem;
    vq->cfg = *cfg;
    vq->event_idx = (features & VIRTIO_F_EVENT_IDX) != 0;
    vq->indirect = (features & VIRTIO_F_INDIRECT_DESC) != 0;
    vq->next_avail = vq->seen_avail = 0;
    vq->next_used = vq->shown_used = vq->told_used = 0;
    vq->inflight = vq->nr_free = 0;
    while (vq->nr_free < cfg->num) {
        vq->free[vq->nr_free] = (u16)(cfg->num - 1 - vq->nr_free);
        vq->nr_free++;
    }
    memset(vq->busy, 0, sizeof(vq->busy));
    vq->quiet = vq->stopped = vq->again = false;
    vq->budget = 0;
    vq->why = NULL;
    vq->ready = true;
    return 0;
}

void vq_stop(struct vq *vq)
{
    vq->stopped = true;
}

/* ---- the walk -------------------------------------------------------------
 */

/* A buffer of the chain: checked, and noted in the slot. */
static int vq_walk_buffer(struct vq *vq, struct vq_walk *w,
                          const struct vq_desc *d)
{
    struct vq_slot *s = w->slot;
    void *p = mem_range(vq->mem, d->addr, d->len);
    u32 total;

    if (d->len == 0)
        return vq_breach(vq, "a buffer of zero bytes");
    if (!p)
        return vq_breach(vq, "a buffer outside RAM");
    if (__builtin_add_overflow(s->out_len + s->in_len, d->len, &total))
        return vq_breach(vq, "a chain of 4 GiB or more");
    s->iov[s->nr_out + s->nr_in] =
        (struct iovec){.iov_base = p, .iov_len = d->len};
    if (d->flags & DESC_F_WRITE) {
        s->in[s->nr_in++] = *d;
        s->in_len += d->len;
        return 0;
    }
    if (s->nr_in > 0) /* 2.7.4.2 */
        return vq_breach(vq, "a readable buffer after a writable one");
    s->nr_out++;
    s->out_len += d->len;
    return 0;
}

/* Go on in an indirect table, from its entry 0 (virtio 1.2, 2.7.5.3). */
static int vq_walk_enter(struct vq *vq, struct vq_walk *w,
                         const struct vq_desc *d)
{
    if (!vq->indirect)
        return vq_breach(vq, "an indirect table without the feature");
    if (w->indirect)
        return vq_breach(vq, "an indirect table inside another");
    if (d->flags & DESC_F_NEXT)
        return vq_breach(vq, "an indirect table that is not the last");
    if (d->len == 0 || d->len % sizeof(*d) != 0 ||
        d->len / sizeof(*d) > VQ_SIZE_MAX)
        return vq_breach(vq, "an indirect table of odd size");
    if (!mem_range(vq->mem, d->addr, d->len))
        return vq_breach(vq, "an indirect table outside RAM");
    w->table = d->addr;
    w->entries = d->len / sizeof(*d);
    w->indirect = true;
    return 0;
}

/* Each descriptor is read once; at most num buffers and one table. */
static int vq_walk(struct vq *vq, struct vq_slot *slot, u16 head)
{
    struct vq_walk w = {
        .table = vq->cfg.desc, .entries = vq->cfg.num, .slot = slot};
    struct vq_desc d = {.flags = DESC_F_NEXT, .next = head};
    int r;

    slot->nr_out = slot->nr_in = 0;
    slot->out_len = slot->in_len = 0;
    do {
        if (d.next >= w.entries)
            return vq_breach(vq, "a descriptor index beyond its table");
        if (slot->nr_out + slot->nr_in == vq->cfg.num)
            return vq_breach(vq, "a chain longer than the queue");
        mem_read(vq->mem, w.table + sizeof(d) * d.next, &d, sizeof(d));
        if (d.flags & DESC_F_INDIRECT) {
            r = vq_walk_enter(vq, &w, &d);
            d = (struct vq_desc){.flags = DESC_F_NEXT};
        } else {
            r = vq_walk_buffer(vq, &w, &d);
        }
        if (r < 0)
            return r;
    } while (d.flags & DESC_F_NEXT);
    return 0;
}

/* ---- avail ring: pop ------------------------------------------------------
 */

static void vq_set_quiet(struct vq *vq, bool quiet)
{
    if (!vq->event_idx && vq->quiet != quiet)
        vq_store_first(vq, vq->cfg.used + RING_FLAGS,
                       quiet ? USED_F_NO_NOTIFY : 0);
    vq->quiet = quiet;
}

void vq_hush(struct vq *vq)
{
    if (vq->ready && !vq->stopped)
        vq_set_quiet(vq, true);
}

/* Ask for a notification of the next chain; the caller looks again then. */
static void vq_arm(struct vq *vq)
{
    if (vq->event_idx)
        vq_set_avail_event(vq, vq->next_avail);
    vq_set_quiet(vq, false);
}

/* 1: an entry is there, 0: none, and the driver will tell if asked to. An
 * index is kept only if it is right: the next look would not check it again. */
static int vq_look(struct vq *vq, bool ask)
{
    u16 idx;

    if (vq->next_avail != vq->seen_avail)
        return 1;
    idx = vq_avail_idx(vq);
    if (ask && vq->next_avail == idx) {
        vq_arm(vq);
        idx = vq_avail_idx(vq);
    }
    if ((u16)(idx - vq->next_avail) > vq->cfg.num)
        return vq_breach(vq, "an avail index too far ahead");
    vq->seen_avail = idx;
    return vq->next_avail != idx;
}

static bool vq_is_busy(const struct vq *vq, u16 head)
{
    return vq->busy[head / 64] >> head % 64 & 1;
}

static void vq_flip_busy(struct vq *vq, u16 head)
{
    vq->busy[head / 64] ^= 1ull << head % 64;
}

static int vq_take_head(struct vq *vq, u16 *out)
{
    u16 head = vq_avail_entry(vq, vq->next_avail);

    if (head >= vq->cfg.num)
        return vq_breach(vq, "a head beyond the queue");
    if (vq_is_busy(vq, head))
        return vq_breach(vq, "a head that is in flight");
    *out = head;
    return 0;
}

/* Heads in flight differ, so a slot is free. */
static void vq_hand_out(struct vq *vq, struct vq_chain *c, u16 head)
{
    u16 slot = vq->free[--vq->nr_free];
    struct vq_slot *s = &vq->slots[slot];

    *c = (struct vq_chain){.out = s->iov,
                           .in = s->iov + s->nr_out,
                           .nr_out = s->nr_out,
                           .nr_in = s->nr_in,
                           .head = head,
                           .slot = slot,
                           .out_len = s->out_len,
                           .in_len = s->in_len};
    vq->next_avail++;
    vq->inflight++;
    vq_flip_busy(vq, head);
    counter_add(&vq->requests, 1);
}

static bool vq_spent(struct vq *vq)
{
    if (vq->budget == 1)
        vq->again = true;
    else if (vq->budget > 1)
        vq->budget--;
    return vq->again;
}

int vq_pop(struct vq *vq, struct vq_chain *c)
{
    u16 head;
    int r;

    if (!vq->ready || vq->stopped)
        return 0;
    r = vq_look(vq, true);
    if (r <= 0)
        return r;
    if (vq_spent(vq))
        return 0;
    r = vq_take_head(vq, &head);
    if (r < 0)
        return r;
    r = vq_walk(vq, &vq->slots[vq->free[vq->nr_free - 1]], head);
    if (r < 0)
        return r;
    vq_set_quiet(vq, true);
    vq_hand_out(vq, c, head);
    return 1;
}

bool vq_peek(struct vq *vq)
{
    return vq->ready && !vq->stopped && vq_look(vq, false) != 0;
}

/* ---- used ring: push ------------------------------------------------------
 */

static void vq_take_back(struct vq *vq, const struct vq_chain *c)
{
    assert(vq->inflight > 0 && vq_is_busy(vq, c->head));
    vq_flip_busy(vq, c->head);
    vq->inflight--;
    vq->free[vq->nr_free++] = c->slot;
}

void vq_unpop(struct vq *vq, const struct vq_chain *c)
{
    vq_take_back(vq, c);
    vq->next_avail--;
    counter_add(&vq->requests, ~0ull);
}

/* All of it, whatever len says: an error may come after some data. */
static void vq_tell_written(const struct vq *vq, const struct vq_slot *s)
{
    if (likely(!vq->mem->written))
        return;
    for (u16 i = 0; i < s->nr_in; i++)
        mem_code_written(vq->mem, s->in[i].addr, s->in[i].len);
}

void vq_fill(struct vq *vq, const struct vq_chain *c, u32 len)
{
    const struct vq_slot *s = &vq->slots[c->slot];

    assert(len <= s->in_len);
    vq_tell_written(vq, s);
    vq_take_back(vq, c);
    if (vq->stopped)
        return;
    counter_add(&vq->bytes_in, len);
    counter_add(&vq->bytes_out, s->out_len);
    vq_put_used(vq, vq->next_used++, c->head, len);
}

void vq_push(struct vq *vq, const struct vq_chain *c, u32 len)
{
    vq_fill(vq, c, len);
    if (vq->stopped)
        return;
    vq->shown_used = vq->next_used;
    vq_store(vq, vq->cfg.used + RING_IDX, vq->shown_used);
}

/* virtio 1.2, 2.7.7.2: has the driver's mark been passed since last time? */
bool vq_wants_irq(struct vq *vq)
{
    u16 now = vq->shown_used, old = vq->told_used;

    if (!vq->ready || vq->stopped || now == old)
        return false;
    vq->told_used = now;
    vq_store_first(vq, vq->cfg.used + RING_IDX, now); /* as it is */
    if (vq->event_idx)
        return (u16)(now - vq_used_event(vq) - 1) < (u16)(now - old);
    return !(vq_load(vq, vq->cfg.avail + RING_FLAGS) & AVAIL_F_NO_INTERRUPT);
}

/* ---- the bytes of a chain -------------------------------------------------
 */

/* Drop up to len bytes from the front; copy them to or from buf. */
static void vq_advance(struct iovec **iov, u16 *nr, u32 len)
{
    while (len > 0) {
        struct iovec *v = *iov;
        u32 n = (u32)MIN(v->iov_len, (size_t)len);

        v->iov_base = (u8 *)v->iov_base + n;
        v->iov_len -= n;
        len -= n;
        if (v->iov_len == 0) {
            (*iov)++;
            (*nr)--;
        }
    }
}

void vq_skip_out(struct vq_chain *c, u32 len)
{
    assert(len <= c->out_len);
    c->out_len -= len;
    vq_advance(&c->out, &c->nr_out, len);
}

void vq_skip_in(struct vq_chain *c, u32 len)
{
    assert(len <= c->in_len);
    c->in_len -= len;
    vq_advance(&c->in, &c->nr_in, len);
}

bool vq_take(struct vq_chain *c, void *buf, u32 len)
{
    u8 *to = buf;

    if (len > c->out_len)
        return false;
    for (u32 left = len, n; left > 0; left -= n) {
        n = (u32)MIN(c->out->iov_len, (size_t)left);
        memcpy(to, c->out->iov_base, n);
        to += n;
        vq_skip_out(c, n);
    }
    return true;
}

u32 vq_put(struct vq_chain *c, const void *buf, u32 len)
{
    const u8 *from = buf;
    u32 done = MIN(len, c->in_len);

    for (u32 left = done, n; left > 0; left -= n) {
        n = (u32)MIN(c->in->iov_len, (size_t)left);
        memcpy(c->in->iov_base, from, n);
        from += n;
        vq_skip_in(c, n);
    }
    return done;
}

u8 *vq_take_status(struct vq_chain *c)
{
    struct iovec *last;

    if (c->nr_in == 0)
        return NULL;
    last = &c->in[c->nr_in - 1];
    last->iov_len--;
    c->in_len--;
    if (last->iov_len == 0)
        c->nr_in--;
    return (u8 *)last->iov_base + last->iov_len;
}
