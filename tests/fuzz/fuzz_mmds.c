/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmds.c: any frames from the guest towards the metadata service, any clock.
 * Input: a byte for the version, then records of what happens: a frame of any
 * bytes, a segment of one of four connections that is nearly right, a look for
 * frames, time that passes.
 *
 * What is for the address never reaches the network, all else does, unchanged.
 * Frames out are whole, their sums right; a byte of a connection that is sent
 * again is the same byte; nothing is sent that no window took; who waits for a
 * frame is told of it; and left alone the service comes to rest.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "fuzz.h"
#include "slow_sum.h"

/* For what is inside of the wrapper: the archive's copy is left out. */
#include "mmds/nic.c"

#define ADDRESS 0xfea9fea9u /* 169.254.169.254 */
#define GUEST   0x0200000au
#define PORTS   4u
#define FRAME   2048u
#define QUIET   600u /* frames in a row, at most: connections, resets, ARP */

static const char data[] =
    "{\"latest\":{\"api\":1,\"meta-data\":{\"id\":\"i-1\",\"l\":[\"a\",{}]},"
    "\"user-data\":\"#cloud-config\\nwords and words and words and words\"}}";

static const char *const request[] = {
    "GET /latest/user-data HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.0\r\nAccept: application/json\r\n\r\n",
    "PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 9\r\n\r\n",
    "GET /latest/meta-data/l/0 HTTP/1.1\r\nX-metadata-token: 0\r\n",
    "Content-Length: 5\r\n\r\nGET /",
    "HEAD / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n",
};

static struct mmds m;
static struct mmds_nic *s;
static struct nic network;
static struct loop loop;
static bool woken; /* the device, to look for a frame */

static u8 passed[FRAME]; /* what has reached the network */
static size_t passed_len;

static struct peer {
    u32 seq, ack; /* next to say, next to hear */
    u32 first;    /* of what it hears */
    u32 most;     /* the largest window that it has offered */
    u32 last;     /* of its acknowledgements the highest */
    u32 len;
    u8 heard[65536];
} peers[PORTS];

/* ---- the network -------------------------------------------------------- */

static ssize_t network_recv(struct nic *n, unsigned int pair,
                            const struct iovec *iov, unsigned int nr)
{
    return -EAGAIN;
}

static int network_send(struct nic *n, unsigned int pair,
                        const struct iovec *iov, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        passed_len += iov[i].iov_len;
    must(frame_gather(iov, nr, 0, passed, (u32)passed_len));
    return 0;
}

static int network_attach(struct nic *n, struct loop *l)
{
    return 0;
}

static void network_want(struct nic *n, unsigned int pair, bool on)
{
}

static const struct nic_ops network_ops = {.attach = network_attach,
                                           .recv = network_recv,
                                           .send = network_send,
                                           .want_recv = network_want};

static void on_readable(void *ctx, unsigned int pair)
{
    woken = true;
}

static void fuzz_make(void)
{
    struct nic *nic = &network;
    char why[64];

    network = (struct nic){.ops = &network_ops};
    m.address = ADDRESS;
    if (loop_init(&loop) < 0 ||
        mmds_store_init(&m.store, data, sizeof(data) - 1, MMDS_SIZE, why,
                        sizeof(why)) < 0 ||
        mmds_wrap(&nic, &m) < 0 || nic->ops->attach(nic, &loop) < 0)
        abort();
    nic->readable = on_readable;
    s = mmds_nic_of(nic);
}

static void fuzz_up(void)
{
    static const struct itimerspec never;

    log_sink_set(fuzz_no_log);
    if (!s)
        fuzz_make();
    tcp_init(&s->tcp, &m);
    timerfd_settime(s->timer.fd, 0, &never, NULL);
    s->rings_ns = UINT64_MAX;
    s->arp_due = s->want_recv = false;
    fuzz_now = 1000000000u;
    for (unsigned int i = 0; i < PORTS; i++)
        peers[i].seq = peers[i].ack = peers[i].len = peers[i].most = 0;
}

/* ---- what comes out ----------------------------------------------------- */

static u32 be16(const u8 *p)
{
    return (u32)p[0] << 8 | p[1];
}

static u32 be32(const u8 *p)
{
    return be16(p) << 16 | be16(p + 2);
}

/* len bytes of a connection's, from seq on. */
static void peer_hears(struct peer *p, u32 seq, const u8 *bytes, u32 len,
                       u32 flags)
{
    u32 at = seq - p->first, old;

    if (flags & TCP_SYN) {
        p->first = p->last = seq + 1;
        p->ack = seq + 1;
        p->len = 0;
        return;
    }
    if (len == 0 && !(flags & TCP_FIN))
        return;
    assert(at <= p->len && len <= sizeof(p->heard) - at);
    old = MIN(p->len - at, len);
    assert(memcmp(p->heard + at, bytes, old) == 0);
    memcpy(p->heard + at, bytes, len);
    p->len = MAX(p->len, at + len);
    assert((s32)(seq + len - p->last) <= (s32)MAX(p->most, 1u));
    p->ack = p->first + p->len + ((flags & TCP_FIN) != 0);
}

static void check_frame(const u8 *f, u32 len)
{
    u32 head, port;

    assert(len >= 42 && len <= PACKET_OUT_MAX);
    if (be16(f + 12) == 0x806) {
        assert(len == 42 && be16(f + 20) == 2 && le32_get(f + 28) == ADDRESS);
        return;
    }
    assert(be16(f + 12) == 0x800 && f[14] == 0x45 && be16(f + 16) == len - 14);
    assert(slow_sum(f + 14, 20, 0) == 0xffff && le32_get(f + 26) == ADDRESS);
    assert(slow_sum(f + 34, len - 34, slow_sum(f + 26, 8, 6 + len - 34)) ==
           0xffff);
    head = (f[46] >> 4) * 4u;
    assert(head >= 20 && 34 + head <= len && be16(f + 48) <= TCP_REQUEST_MAX);
    port = be16(f + 36);
    if (be16(f + 34) == 80 && le32_get(f + 30) == GUEST && port < PORTS &&
        !(f[47] & TCP_RST))
        peer_hears(&peers[port], be32(f + 38), f + 34 + head, len - 34 - head,
                   f[47]);
}

static bool pending(void)
{
    return s->arp_due || tcp_pending(&s->tcp);
}

static bool look(void)
{
    static u8 buf[NIC_HDR_LEN + PACKET_OUT_MAX];
    struct iovec iov[2] = {{buf, 30}, {buf + 30, sizeof(buf) - 30}};
    bool has = pending();
    ssize_t n = s->nic.ops->recv(&s->nic, 0, iov, 2);

    assert((n != -EAGAIN) == has);
    woken &= n != -EAGAIN; /* it looks until there is none */
    if (n == -EAGAIN)
        return false;
    assert(n > (ssize_t)NIC_HDR_LEN);
    check_frame(buf + NIC_HDR_LEN, (u32)n - NIC_HDR_LEN);
    return true;
}

/* ---- what goes in ------------------------------------------------------- */

static bool is_ours(const u8 *f, u32 len)
{
    if (len >= 34 && be16(f + 12) == 0x800)
        return le32_get(f + 30) == ADDRESS;
    return len >= 42 && be16(f + 12) == 0x806 && be16(f + 14) == 1 &&
           be16(f + 16) == 0x800 && be16(f + 18) == 0x604 &&
           be16(f + 20) == 1 && le32_get(f + 38) == ADDRESS;
}

/* From memory that is exactly as long, in two pieces. */
static void send_frame(const u8 *f, u32 len, u8 flags, u32 cut)
{
    u8 *buf = malloc(NIC_HDR_LEN + len);
    struct iovec iov[2] = {{buf, MIN(cut, NIC_HDR_LEN + len)}, {NULL, 0}};

    if (!buf)
        abort();
    memset(buf, 0, NIC_HDR_LEN);
    buf[0] = flags;
    memcpy(buf + NIC_HDR_LEN, f, len);
    iov[1] = (struct iovec){buf + iov[0].iov_len,
                            NIC_HDR_LEN + len - iov[0].iov_len};
    passed_len = 0;
    must(s->nic.ops->send(&s->nic, 0, iov, 2) == 0);
    assert((passed_len == 0) == is_ours(f, len));
    assert(passed_len == 0 || (passed_len == NIC_HDR_LEN + len &&
                               memcmp(passed, buf, passed_len) == 0));
    free(buf);
}

static void any_frame(struct fuzz_input *in)
{
    u8 flags = (u8)fuzz_take(in, 1);
    size_t n = fuzz_take(in, 1) * 4;
    const u8 *f = fuzz_bytes(in, &n);

    /* What the four say is known. */
    if (n < 30 || le32_get(f + 26) != GUEST)
        send_frame(f, (u32)n, flags & 1, flags >> 1);
}

/* Sums are for others to add (flags: 1) or right. */
static void send_segment(u16 port, u32 seq, u32 ack, u32 window, u8 flags,
                         const void *bytes, u32 len)
{
    struct tcp_segment seg = {
        .peer = {.ip = ADDRESS, .port = htons(80)}, /* where it goes */
        .port = port,
        .seq = seq,
        .ack = ack,
        .window = window,
        .flags = flags,
        .data = bytes,
        .len = len,
    };
    u8 frame[PACKET_OUT_MAX];
    u32 n = packet_make(frame, &seg, GUEST);

    send_frame(frame, n, 0, 40);
}

static void segment(struct fuzz_input *in, u8 kind)
{
    unsigned int port = kind & (PORTS - 1);
    struct peer *p = &peers[port];
    u8 flags = (u8)fuzz_take(in, 1), more = (u8)fuzz_take(in, 1);
    s8 ahead = more & 0x80 ? (s8)fuzz_take(in, 1) : 0;
    s8 behind = more & 0x40 ? (s8)fuzz_take(in, 1) : 0;
    u32 window = more & 0x20 ? (u32)fuzz_take(in, 2) : 65535;
    size_t n = more & 0x10 ? fuzz_take(in, 1) : 0;
    const void *bytes = fuzz_bytes(in, &n);

    if (!(more & 0x10) && (more & 7) < ARRAY_SIZE(request)) {
        bytes = request[more & 7];
        n = strlen(bytes);
    }
    p->most = MAX(p->most, window);
    if (flags & TCP_ACK && p->ack - (u32)behind - p->last < 1u << 31)
        p->last = MIN(p->ack - (u32)behind, p->first + p->len + 1);
    send_segment((u16)port, p->seq + (u32)ahead, p->ack - (u32)behind, window,
                 flags & 0x3f, bytes, (u32)n);
    if (ahead == 0 || flags & TCP_SYN)
        p->seq += (u32)ahead + (u32)n + ((flags & (TCP_SYN | TCP_FIN)) != 0);
}

/* Who waits for a frame is told that there is one. */
static void pass(u64 ns)
{
    bool has = pending() && s->want_recv;

    fuzz_now += ns;
    fuzz_pump(&loop, 2);
    assert(!has || woken);
    assert(!pending() || !s->want_recv || woken);
}

static void look_at_all(void)
{
    unsigned int n = 0;

    while (look())
        assert(n++ < QUIET);
}

/* Nobody answers any more: all connections that wait for it end. */
static void rest(void)
{
    s->nic.ops->want_recv(&s->nic, 0, true);
    for (unsigned int i = 0; i < 10 * TCP_CONNS; i++) {
        u64 next;

        pass(0);
        look_at_all();
        next = tcp_deadline(&s->tcp);
        if (next == UINT64_MAX)
            return;
        pass(next > fuzz_now ? next - fuzz_now : 0);
    }
    assert(!"it comes to rest");
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t len)
{
    struct fuzz_input in = {input, len};

    fuzz_up();
    m.version = fuzz_take(&in, 1) & 1 ? MMDS_V2 : MMDS_V1;
    while (in.left > 0) {
        u8 kind = (u8)fuzz_take(&in, 1);

        if (kind < 0x20)
            any_frame(&in);
        else if (kind < 0xa0)
            segment(&in, kind);
        else if (kind < 0xd0)
            pass((kind & 0x3full) * 20000000u);
        else if (kind < 0xe8)
            look();
        else if (kind < 0xf0)
            s->nic.ops->want_recv(&s->nic, 0, kind & 1);
        else
            look_at_all();
    }
    rest();
    return 0;
}
