/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt.c: any stream from passt, cut anywhere, and any frames from the guest.
 * What is received is what a second reader of the stream makes of it; what is
 * sent arrives whole, each frame behind its length. Input: records of what
 * happens: bytes that passt sends, a look for a frame, a frame of the guest's.
 */
#include "fuzz.h"
#include "slow_sum.h"

/* For a struct passt without a process: the archive's copy is left out. */
#include "net/passt.c"

#define STREAM 8192u /* of passt's bytes: a socket holds them */
#define GUEST  2048u

static struct passt p;
static struct loop loop;
static int peer;

static u8 stream[STREAM]; /* all that passt has sent */
static u32 sent, taken;   /* bytes of it */
static bool lost;         /* a length no frame can have */
static unsigned int downs;

static void on_link(void *ctx)
{
    downs++;
}

static void fuzz_up(void)
{
    int fd[2];

    log_sink_set(fuzz_no_log);
    if (!loop.wake.fn && loop_init(&loop) < 0)
        abort();
    fuzz_pair(fd, STREAM);
    peer = fd[1];
    p.nic =
        (struct nic){.ops = &passt_ops,
                     .info = {.offloads = NIC_CSUM, .pairs = 1, .link = true},
                     .link_changed = on_link};
    p.process = (struct passt_process){.socket = fd[0], .err = -1};
    p.socket = (struct loop_fd){.fd = fd[0], .fn = passt_on_socket};
    p.running = true;
    p.want_recv = p.want_send = false;
    p.events = p.in_start = p.in_end = p.out_start = p.out_end = 0;
    sent = taken = downs = 0;
    lost = false;
    if (loop_add(&loop, &p.socket, 0) < 0)
        abort();
}

static void fuzz_down(void)
{
    loop_del(&p.socket);
    close(p.process.socket);
    close(peer);
}

static void passt_sends(const u8 *bytes, size_t n)
{
    n = MIN(n, (size_t)(STREAM - sent));
    if (n == 0 || send(peer, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
        return;
    memcpy(stream + sent, bytes, n);
    sent += (u32)n;
}

/* The next whole frame of the stream, 0: none. */
static u32 next_frame(void)
{
    u32 len;

    if (sent - taken < 4)
        return 0;
    len = ntohl(le32_get(stream + taken));
    lost |= len < 14 || len > 65562 - 12;
    return lost || sent - taken - 4 < len ? 0 : len;
}

static void guest_looks(u32 room)
{
    static u8 buf[NIC_HDR_LEN + STREAM + 1];
    struct iovec iov[2] = {{buf, MIN(room, 5u)}, {buf + 5, room}};
    u32 want = next_frame();
    ssize_t n;

    memset(buf, 0x5a, sizeof(buf));
    iov[1].iov_len = room - iov[0].iov_len;
    n = passt_recv(&p.nic, 0, iov, 2);
    if (want && n == (ssize_t)(NIC_HDR_LEN + want))
        assert(memcmp(buf + NIC_HDR_LEN, stream + taken + 4, want) == 0);
    assert(n != -EAGAIN || (want == 0 && !lost));
    assert(n != -ENETDOWN || lost);
    assert(n != -EMSGSIZE || (want && room < NIC_HDR_LEN + want));
    assert(n < 0 || (want && n == (ssize_t)(NIC_HDR_LEN + want)));
    assert(buf[room] == 0x5a);
    taken += want ? 4 + want : 0;
    assert(p.nic.info.link == !lost && downs == lost);
}

/* frame is what the guest gave. Its check sum field held the sum of the pseudo
 * header, with which the new one must come to all ones. */
static void check_wire(const u8 *hdr, const u8 *wire, u32 len)
{
    u32 start = le16_get(hdr + 6), field = start + le16_get(hdr + 8);
    const u8 *frame = hdr + NIC_HDR_LEN;
    u32 sum;

    assert(ntohl(le32_get(wire)) == len);
    wire += 4;
    if (!(hdr[0] & 1)) {
        assert(memcmp(wire, frame, len) == 0);
        return;
    }
    assert(start <= len && field + 2 <= len);
    assert(memcmp(wire, frame, field) == 0);
    assert(memcmp(wire + field + 2, frame + field + 2, len - field - 2) == 0);
    sum = slow_sum(frame + field, 2, 0);
    if ((field - start) % 2 == 0)
        assert(slow_sum(wire + start, len - start, sum) == 0xffff);
}

static void guest_sends(struct fuzz_input *in)
{
    static u8 buf[NIC_HDR_LEN + GUEST], wire[4 + GUEST];
    size_t n = fuzz_take(in, 2) % sizeof(buf);
    struct iovec iov[2] = {{buf, 7}, {buf + 7, 0}};
    const u8 *bytes = fuzz_bytes(in, &n);
    ssize_t got;
    int r;

    memcpy(buf, bytes, n);
    iov[0].iov_len = MIN(n, (size_t)7);
    iov[1].iov_len = n - iov[0].iov_len;
    r = passt_send(&p.nic, 0, iov, 2);
    got = recv(peer, wire, sizeof(wire), 0);
    assert(r == 0 || got < 0);
    assert(r != -ENETDOWN || lost);
    if (r < 0)
        return;
    assert(n >= NIC_HDR_LEN + 14 && got == (ssize_t)(4 + n - NIC_HDR_LEN));
    check_wire(buf, wire, (u32)n - NIC_HDR_LEN);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};

    fuzz_up();
    while (in.left > 0) {
        u8 kind = (u8)fuzz_take(&in, 1);
        size_t n = kind >> 2;
        const u8 *bytes;

        if ((kind & 3) == 0) {
            guest_sends(&in);
        } else if ((kind & 3) == 1) {
            guest_looks((u32)n * 64);
        } else {
            bytes = fuzz_bytes(&in, &n);
            passt_sends(bytes, n);
        }
    }
    fuzz_down();
    return 0;
}
