/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.c: any chains on any queue, and any frames from a network that is full,
 * fails or is gone. Input: a byte of flags, three of features, then records,
 * one step of driver, network or time each.
 *
 * The wild driver also writes any descriptor and any index. For the tame one,
 * whose chains may still be wrong, all is known: what is popped comes back
 * once, no byte outside writable buffers changes, and nobody waits for ever.
 */
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "virtio/net.h"

#define PAIRS  2u
#define VQS    (2 * PAIRS + 1)
#define NUM    32u
#define AREA   4096u /* of the buffer of each descriptor */
#define FILL   0xa5  /* of one that nobody has written to */
#define FRAMES 16u   /* that the network holds */
#define ROUNDS 64u   /* until all is quiet; each is a batch */

enum { RING = 0x10000, AVAIL = 0x1000, USED = 0x2000, TABLE = 0x4000 };
enum { BUF = 0x100000 };
enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

struct frame {
    unsigned int pair;
    u32 len; /* with its header */
    struct net_hdr hdr;
    int err; /* instead of a frame */
};

static struct {
    struct nic nic;
    struct frame frame[FRAMES];
    unsigned int nr;
    int send; /* what it answers */
    bool want_recv[PAIRS], want_send[PAIRS];
} net;

struct desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};

static struct driver {
    u16 at;        /* descriptors used up */
    u16 avail;     /* index of the ring */
    u16 seen_used; /* looked at */
    u16 out;       /* chains the device has */
    bool head[NUM];
    u32 room[NUM]; /* writable bytes of the chain at a head */
} driver[VQS];

static struct mem *ram;
static struct virtio_dev *dev[2]; /* the second is limited */
static struct net *n;
static bool wild;
/* What the buffers hold where the device must not write. */
static u8 mirror[VQS * NUM][AREA];
static u32 writable[VQS * NUM]; /* bytes at its front that it may */
static bool touched[VQS * NUM]; /* had a descriptor since the start */

/* ---- the network -------------------------------------------------------- */

static bool in_ram(const struct iovec *v, bool write)
{
    const u8 *base = mem_range(ram, 0, 16 * MIB);
    u64 off = (u64)((const u8 *)v->iov_base - base);
    u64 buf = off - BUF;

    if (off >= 16 * MIB || v->iov_len > 16 * MIB - off || v->iov_len == 0)
        return false;
    return wild || !write ||
           (off >= BUF && buf < sizeof(mirror) &&
            buf % AREA + v->iov_len <= writable[buf / AREA]);
}

static ssize_t fake_recv(struct nic *nic, unsigned int pair,
                         const struct iovec *iov, unsigned int nr)
{
    size_t left, total = 0;
    struct frame f;
    unsigned int i = 0;

    for (unsigned int k = 0; k < nr; k++) {
        assert(k == 0 || k == nr - 1 || in_ram(&iov[k], true));
        total += iov[k].iov_len;
    }
    assert(nr >= 2 && iov[0].iov_len == NIC_HDR_LEN);
    while (i < net.nr && net.frame[i].pair != pair)
        i++;
    if (i == net.nr)
        return -EAGAIN;
    f = net.frame[i];
    memmove(&net.frame[i], &net.frame[i + 1],
            (--net.nr - i) * sizeof(net.frame[0]));
    left = MIN((size_t)f.len, total);
    for (unsigned int k = 0; k < nr && left > 0; k++) {
        size_t now = MIN(left, iov[k].iov_len);

        memset(iov[k].iov_base, 0x77, now);
        left -= now;
    }
    memcpy(iov[0].iov_base, &f.hdr, NIC_HDR_LEN);
    if (f.err)
        return f.err;
    return f.len < total ? (ssize_t)f.len : -EMSGSIZE;
}

/* What the device must have checked. */
static int fake_send(struct nic *nic, unsigned int pair,
                     const struct iovec *iov, unsigned int nr)
{
    u64 tso = NET_F_HOST_TSO4 | NET_F_HOST_TSO6;
    struct net_hdr h;
    size_t len = 0;

    assert(pair < PAIRS && nr >= 2 && iov[0].iov_len == NIC_HDR_LEN);
    memcpy(&h, iov[0].iov_base, sizeof(h));
    for (unsigned int i = 1; i < nr; i++) {
        assert(in_ram(&iov[i], false));
        len += iov[i].iov_len;
    }
    assert(len >= 14 && len + NIC_HDR_LEN <= NIC_FRAME_MAX);
    assert(!(h.flags & ~NET_HDR_NEEDS_CSUM));
    assert(!h.flags || (virtio_has(&n->dev, NET_F_CSUM) &&
                        (u32)h.csum_start + h.csum_offset + 2 <= len));
    assert(h.gso_type == NET_GSO_NONE || (n->dev.features & tso && h.gso_size));
    return net.send;
}

static int fake_set_offloads(struct nic *nic, u32 offloads)
{
    assert((offloads & ~nic->info.offloads) == 0);
    return 0;
}

static int fake_set_pairs(struct nic *nic, unsigned int pairs)
{
    assert(pairs >= 1 && pairs <= PAIRS);
    return 0;
}

static void fake_want_recv(struct nic *nic, unsigned int pair, bool on)
{
    net.want_recv[pair] = on;
}

static void fake_want_send(struct nic *nic, unsigned int pair, bool on)
{
    net.want_send[pair] = on;
}

static int fake_attach(struct nic *nic, struct loop *loop)
{
    return 0;
}

static const struct nic_ops fake_ops = {
    .name = "fake",
    .attach = fake_attach,
    .recv = fake_recv,
    .send = fake_send,
    .set_offloads = fake_set_offloads,
    .set_pairs = fake_set_pairs,
    .want_recv = fake_want_recv,
    .want_send = fake_want_send,
};

static bool has_frame(unsigned int pair)
{
    for (unsigned int i = 0; i < net.nr; i++)
        if (net.frame[i].pair == pair)
            return true;
    return false;
}

/* ---- the device's loop, on this thread ---------------------------------- */

static void kick(unsigned int q)
{
    struct vq *vq = virtio_vq(&n->dev, q);
    int r;

    if (n->dev.broken || n->dev.queue[q].resume_ns > 0)
        return;
    vq->budget = 1024;
    r = n->dev.ops->kick(&n->dev, vq);
    vq->budget = 0;
    virtio_notify(&n->dev, vq);
    if (r < 0)
        virtio_break(&n->dev, vq, NULL);
    if (vq->again)
        virtio_kick_later(&n->dev, vq);
    vq->again = false;
}

/* What epoll would say. False: nothing has. */
static bool serve(void)
{
    bool any = false;
    u64 count;

    for (unsigned int q = 0; q < VQS; q++) {
        if (read(n->dev.queue[q].kick.fd, &count, sizeof(count)) < 0)
            continue;
        kick(q);
        any = true;
    }
    for (unsigned int i = 0; i < PAIRS; i++) {
        if (net.want_recv[i] && has_frame(i)) {
            net.nic.readable(net.nic.ctx, i);
            any = true;
        }
        if (net.want_send[i] && net.send != -EAGAIN) {
            net.nic.writable(net.nic.ctx, i);
            any = true;
        }
    }
    return any;
}

/* Everything that can move has moved. */
static void check_quiet(unsigned int q)
{
    const struct vq *vq = virtio_vq(&n->dev, q);
    unsigned int pairs = virtio_has(&n->dev, NET_F_MQ) ? PAIRS : 1;
    bool empty = vq->next_avail == driver[q].avail;

    if (n->dev.queue[q].resume_ns > 0 || q > 2 * pairs)
        return;
    if (q == 2 * pairs)
        assert(empty || !virtio_has(&n->dev, NET_F_CTRL_VQ));
    else if (q % 2)
        assert(empty || (n->pair[q / 2].tx_full && net.want_send[q / 2]));
    else
        assert(empty || n->pair[q / 2].pending || !has_frame(q / 2));
}

static void settle(void)
{
    unsigned int rounds = 0;

    while (serve())
        assert(++rounds < ROUNDS);
    for (unsigned int q = 0; q < VQS && !wild && !n->dev.broken; q++)
        check_quiet(q);
}

/* ---- the driver --------------------------------------------------------- */

static u64 area(unsigned int q, u32 i)
{
    return BUF + (u64)(q * NUM + i) * AREA;
}

static void put_desc(u64 table, u32 i, const struct desc *d)
{
    mem_write(ram, table + 16 * i, d, sizeof(*d));
}

static void publish(unsigned int q, u16 head)
{
    struct driver *d = &driver[q];
    u64 ring = RING * (u64)q + AVAIL;

    mem_write(ram, ring + 4 + 2 * (d->avail++ % NUM), &head, 2);
    mem_write(ram, ring + 2, &d->avail, 2);
}

/* The heads that have come back: each was out, and holds what it can. */
static void reap(unsigned int q)
{
    struct driver *d = &driver[q];
    u64 ring = RING * (u64)q + USED;
    u32 used[2];
    u16 idx;

    mem_read(ram, ring + 2, &idx, 2);
    for (; !wild && d->seen_used != idx; d->seen_used++) {
        mem_read(ram, ring + 4 + 8 * (d->seen_used % NUM), used, sizeof(used));
        assert(used[0] < NUM && d->head[used[0]]);
        assert(used[1] <= d->room[used[0]]);
        d->head[used[0]] = false;
        d->out--;
    }
    if (d->out == 0)
        d->at = 0;
}

/* The ways for one descriptor to be wrong. */
static void spoil(struct desc *d, unsigned int how)
{
    switch (how) {
    case 1:
        d->len = 0;
        break;
    case 2:
        d->addr = ~0ull - 4096;
        break;
    case 3:
        d->addr = 16 * MIB - 1;
        d->len = 2;
        break;
    case 4:
        d->next = NUM;
        d->flags |= D_NEXT;
        break;
    case 5:
        d->flags |= D_INDIRECT;
        d->len = d->len % 2 ? d->len : 16 * 300;
        break;
    default:
        break;
    }
}

struct shape {
    u32 nr, out;     /* descriptors, and how many of them are readable */
    u32 first, rest; /* their lengths */
    u32 odd, how;    /* which is wrong, and how */
    bool indirect;
};

static struct shape take_shape(struct fuzz_input *in)
{
    u8 nr = (u8)fuzz_take(in, 1), out = (u8)fuzz_take(in, 1);
    struct shape s = {.nr = nr & 0x40 ? 20 + nr % 8 : 1 + nr % 4,
                      .indirect = nr & 0x80};

    s.out = out & 0x80 ? 0 : out & 0x40 ? s.nr : out % (s.nr + 1);
    s.first = 1 + (u32)fuzz_take(in, 1);
    s.rest = 1 + 16 * (u32)fuzz_take(in, 1);
    s.how = (u32)fuzz_take(in, 1);
    s.odd = (s.how >> 3) % s.nr;
    s.how &= 7;
    return s;
}

/* The buffer of descriptor i, and the descriptor. */
static struct desc put_buffer(struct fuzz_input *in, unsigned int q, u32 i,
                              u32 len, bool write)
{
    u32 k = q * NUM + i, fill = write ? 0 : fuzz_take(in, 1) % 32;

    if (touched[k]) {
        memset(mirror[k], FILL, AREA);
        mem_fill(ram, area(q, i), FILL, AREA);
    }
    touched[k] = true;
    writable[k] = write ? len : 0;
    for (u32 b = 0; b < MIN(fill, len); b++)
        mirror[k][b] = (u8)fuzz_take(in, 1);
    mem_write(ram, area(q, i), mirror[k], MIN(fill, len));
    return (struct desc){
        .addr = area(q, i), .len = len, .flags = write ? D_WRITE : 0};
}

static void add_chain(struct fuzz_input *in, unsigned int q)
{
    struct driver *d = &driver[q];
    struct shape s = take_shape(in);
    u32 first, room = 0;
    u64 table;
    u16 head;

    reap(q);
    if (d->at + s.nr > NUM)
        return;
    head = d->at;
    first = s.indirect ? 0 : head;
    table = RING * (u64)q + (s.indirect ? TABLE + 512u * head : 0);
    for (u32 i = 0; i < s.nr; i++) {
        bool write = i >= s.out;
        u32 len = i ? s.rest : s.first;
        struct desc b = put_buffer(in, q, head + i, len, write);

        b.flags |= i + 1 < s.nr ? D_NEXT : 0;
        b.next = (u16)(first + i + 1);
        room += write ? len : 0;
        if (i == s.odd)
            spoil(&b, s.how);
        put_desc(table, first + i, &b);
    }
    if (s.indirect)
        put_desc(RING * (u64)q, head,
                 &(struct desc){table, 16 * s.nr, D_INDIRECT, 0});
    d->at = (u16)(d->at + s.nr);
    d->head[head] = true;
    d->room[head] = room;
    d->out++;
    publish(q, head);
    kick(q);
}

static void poke(struct fuzz_input *in, unsigned int q)
{
    u8 what = (u8)fuzz_take(in, 1);
    struct desc b;

    if (!wild)
        return;
    if (what & 0x80) {
        driver[q].avail = (u16)fuzz_take(in, 2);
        publish(q, (u16)fuzz_take(in, 1));
    } else {
        b.addr = fuzz_take(in, 4);
        b.len = (u32)fuzz_take(in, 3);
        b.flags = (u16)fuzz_take(in, 1);
        b.next = what;
        put_desc(RING * (u64)q, what % NUM, &b);
    }
    kick(q);
}

/* ---- life --------------------------------------------------------------- */

/* What the driver has not opened is as it was: where descriptors were, and
 * beside that. */
static void check_areas(void)
{
    for (u32 k = 0; k < VQS * NUM && !wild; k++) {
        bool near = touched[k] || (k > 0 && touched[k - 1]) ||
                    (k + 1 < VQS * NUM && touched[k + 1]);
        const u8 *p = mem_range(ram, BUF + (u64)k * AREA, AREA);

        assert(!near || !memcmp(p + writable[k], mirror[k] + writable[k],
                                AREA - writable[k]));
    }
}

/* Areas as nobody has written to them. */
static void clear_areas(void)
{
    for (u32 k = 0; k < VQS * NUM; k++) {
        if (!touched[k])
            continue;
        memset(mirror[k], FILL, AREA);
        mem_fill(ram, BUF + (u64)k * AREA, FILL, AREA);
        writable[k] = 0;
        touched[k] = false;
    }
}

static void fuzz_up(void)
{
    static const u8 mac[6] = {2, 0, 0, 0, 0, 1};
    struct net_options opt = {.name = "fuzz", .has_mac = true, .mtu = 1500};

    log_sink_set(fuzz_no_log);
    memcpy(opt.mac, mac, sizeof(mac));
    net.nic = (struct nic){.ops = &fake_ops,
                           .info = {.offloads = NIC_CSUM | NIC_TSO4 | NIC_TSO6,
                                    .pairs = PAIRS,
                                    .link = true}};
    if (mem_new(&ram, 16 * MIB) < 0 || net_new(&dev[0], &net.nic, &opt) < 0)
        abort();
    opt.rx.bytes = opt.tx.bytes =
        (struct limit_bucket_config){.size = 3000, .refill_ms = 1ull << 40};
    if (net_new(&dev[1], &net.nic, &opt) < 0)
        abort();
    dev[0]->mem = dev[1]->mem = ram;
    memset(touched, true, sizeof(touched));
    clear_areas();
}

/* All tokens are back, and all pauses over. */
static void later(void)
{
    struct limit_config cfg = {
        .bytes = {.size = n->rx_limit.bytes.size, .refill_ms = 1ull << 40}};

    limit_init(&n->rx_limit, &cfg, monotonic_ns());
    limit_init(&n->tx_limit, &cfg, monotonic_ns());
    for (unsigned int q = 0; q < VQS; q++) {
        n->dev.queue[q].resume_ns = 0;
        kick(q);
    }
}

static void start(u64 features)
{
    int r = 0;

    n->dev.features = VIRTIO_F_VERSION_1 | (n->dev.offered & features);
    n->dev.active = true;
    for (unsigned int q = 0; q < VQS; q++) {
        u64 at = RING * (u64)q;
        struct vq_config cfg = {NUM, at, at + AVAIL, at + USED};

        mem_fill(ram, at, 0, 16 * NUM);
        mem_fill(ram, at + AVAIL, 0, 6 + 2 * NUM);
        mem_fill(ram, at + USED, 0, 6 + 8 * NUM);
        driver[q] = (struct driver){0};
        r |= vq_start(virtio_vq(&n->dev, q), ram, &cfg, n->dev.features);
    }
    assert(r == 0);
    assert(n->dev.ops->start(&n->dev) == 0);
    settle();
}

/* As virtio_drain(): every chain comes home. */
static void stop(void)
{
    u64 count;

    for (unsigned int q = 0; q < VQS; q++) {
        reap(q);
        vq_stop(virtio_vq(&n->dev, q));
        n->dev.queue[q].resume_ns = 0;
        (void)!read(n->dev.queue[q].kick.fd, &count, sizeof(count));
    }
    n->dev.ops->reset(&n->dev);
    for (unsigned int q = 0; q < VQS; q++) {
        assert(virtio_vq(&n->dev, q)->inflight == 0);
        virtio_vq(&n->dev, q)->ready = false;
    }
    n->dev.active = n->dev.broken = false;
    check_areas();
    clear_areas();
}

static void take_frame(struct fuzz_input *in, unsigned int pair)
{
    static const int err[8] = {[5] = -EIO, [6] = -ENETDOWN, [7] = -EMSGSIZE};
    static const u8 gso[4] = {NET_GSO_NONE, NET_GSO_TCPV4, NET_GSO_TCPV6, 3};
    u32 len = (u32)fuzz_take(in, 1);
    u8 flags = (u8)fuzz_take(in, 1);
    struct frame f = {.pair = pair, .err = err[flags >> 5]};

    f.len = flags & 0x10 ? len * 257 : len;
    f.hdr.flags = flags & 3;
    f.hdr.gso_type = gso[flags >> 2 & 3];
    if (net.nr < FRAMES)
        net.frame[net.nr++] = f;
}

static void step(struct fuzz_input *in, u64 features)
{
    static const int answer[4] = {0, -EAGAIN, -EIO, -ENETDOWN};
    u8 op = (u8)fuzz_take(in, 1);
    unsigned int q = (op >> 3) % VQS;

    switch (op & 7) {
    case 0:
        net.send = answer[op >> 6];
        net.nic.info.link = q == 0;
        net.nic.link_changed(n);
        break;
    case 1:
        take_frame(in, q % PAIRS);
        break;
    case 2:
        later();
        break;
    case 3:
        stop();
        start(features >> (op >> 6));
        break;
    case 4:
        poke(in, q);
        break;
    default:
        add_chain(in, q);
    }
    settle();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)1024)};
    u64 flags, features;

    if (!ram)
        fuzz_up();
    flags = fuzz_take(&in, 1);
    wild = flags & 1;
    n = container_of(dev[flags >> 1 & 1], struct net, dev);
    net.nic.ctx = n;
    net.send = 0;
    net.nr = 0;
    features = fuzz_take(&in, 3) | (flags >> 2 & 3) << 28;
    start(features);
    while (in.left > 0)
        step(&in, features);
    later();
    settle();
    stop();
    if (wild) /* such a device reaches all of them */
        mem_fill(ram, BUF, FILL, sizeof(mirror));
    return 0;
}
