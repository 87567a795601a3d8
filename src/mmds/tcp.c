/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c: what comes in and what goes out, by sequence numbers (RFC 9293) */
#include "tcp.h"

#define MSS_DEFAULT 536u /* 3.7.1 */
#define MSS_MIN     48u  /* as Linux; a frame for every byte helps nobody */

#define RTO_NS     250000000ull /* first; twice as long each time, */
#define RTO_SHIFTS 5u           /* at most so often */
#define TRIES_MAX  8u           /* half a minute, all together */

/* a - b, of two that are less than half the circle apart. */
static s32 seq_diff(u32 a, u32 b)
{
    return (s32)(a - b);
}

void tcp_init(struct tcp *t, const struct mmds *m)
{
    *t = (struct tcp){.m = m};
}

/* ---- resets ------------------------------------------------------------- */

static void tcp_add_reset(struct tcp *t, const struct tcp_segment *reset)
{
    if (t->nr_resets < TCP_RESETS)
        t->reset[t->nr_resets++] = *reset;
}

/* An answer to a segment that belongs to nothing (3.10.7.1). */
static void tcp_refuse(struct tcp *t, const struct tcp_segment *s)
{
    struct tcp_segment reset = {.peer = s->peer, .port = s->port};
    u32 len =
        s->len + ((s->flags & TCP_SYN) != 0) + ((s->flags & TCP_FIN) != 0);

    t->refused++;
    if (s->flags & TCP_ACK) {
        reset.flags = TCP_RST;
        reset.seq = s->ack;
    } else {
        reset.flags = TCP_RST | TCP_ACK;
        reset.ack = s->seq + len;
    }
    tcp_add_reset(t, &reset);
}

static void conn_free(struct tcp *t, struct tcp_conn *c)
{
    c->state = TCP_FREE;
    mmds_add(t->m, MMDS_DESTROYED, 1);
}

static void conn_drop(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_segment reset = {
        .peer = c->peer,
        .port = TCP_PORT,
        .flags = TCP_RST | TCP_ACK,
        .seq = c->next,
        .ack = c->expect,
    };

    tcp_add_reset(t, &reset);
    conn_free(t, c);
}

/* ---- what there is to send ---------------------------------------------- */

static u32 conn_answer_len(const struct tcp_conn *c)
{
    return c->answering ? c->answer.head_len + c->answer.body_len : 0;
}

/* Bytes of the answer not yet sent. */
static u32 conn_left(const struct tcp_conn *c)
{
    s32 left = seq_diff(c->base + conn_answer_len(c), c->next);

    return (u32)MAX(left, 0);
}

/* Bytes that the peer's window takes now. */
static u32 conn_room(const struct tcp_conn *c)
{
    u32 window = c->probing ? MAX(c->window, 1u) : c->window;
    s32 room = seq_diff(c->acked + window, c->next);

    return (u32)MAX(room, 0);
}

/* Is our FIN the next? It needs no window. */
static bool conn_end_is_next(const struct tcp_conn *c)
{
    return c->end && c->next == c->base + conn_answer_len(c);
}

static bool conn_has_segment(const struct tcp_conn *c)
{
    if (c->state == TCP_FREE)
        return false;
    if (c->state == TCP_ASKED)
        return c->next == c->acked;
    return c->ack_due || conn_end_is_next(c) ||
           (conn_left(c) > 0 && conn_room(c) > 0);
}

/* All said and acknowledged, both ways? */
static bool conn_is_over(const struct tcp_conn *c)
{
    return c->state == TCP_OPEN && c->peer_end && !c->ack_due && c->end &&
           !c->answering && c->acked == c->base + 1;
}

static u64 conn_patience(const struct tcp_conn *c)
{
    return RTO_NS << MIN(c->tries, RTO_SHIFTS);
}

/* Something is under way, or the window is shut and nobody but us would ask
 * whether it is open again (3.8.6.1). */
static void conn_arm(struct tcp_conn *c, u64 now_ns)
{
    bool waits = c->next != c->acked || (c->state == TCP_OPEN &&
                                         conn_left(c) > 0 && conn_room(c) == 0);

    if (!waits)
        c->timer_ns = 0;
    else if (c->timer_ns == 0)
        c->timer_ns = now_ns + conn_patience(c);
}

/* ---- in: connections ---------------------------------------------------- */

static struct tcp_conn *tcp_find(struct tcp *t, const struct tcp_peer *peer)
{
    for (unsigned int i = 0; i < TCP_CONNS; i++) {
        struct tcp_conn *c = &t->conn[i];

        if (c->state != TCP_FREE && c->peer.ip == peer->ip &&
            c->peer.port == peer->port)
            return c;
    }
    return NULL;
}

/* A free one, or that which has been silent longest. */
static struct tcp_conn *tcp_make_room(struct tcp *t)
{
    struct tcp_conn *oldest = &t->conn[0];

    for (unsigned int i = 0; i < TCP_CONNS; i++) {
        struct tcp_conn *c = &t->conn[i];

        if (c->state == TCP_FREE)
            return c;
        if (c->used < oldest->used)
            oldest = c;
    }
    t->evicted++;
    conn_drop(t, oldest);
    return oldest;
}

/* RFC 6528: a clock, from a start that only who has the key knows. */
static u32 tcp_first_seq(const struct tcp *t, const struct tcp_peer *peer,
                         u64 now_ns)
{
    u8 digest[MMDS_DIGEST_LEN], id[6];

    memcpy(id, &peer->ip, sizeof(peer->ip));
    memcpy(id + sizeof(peer->ip), &peer->port, sizeof(peer->port));
    mmds_key_sign(&t->m->key, 'I', id, sizeof(id), digest);
    return le32_get(digest) + (u32)(now_ns >> 12);
}

/* A SYN that has come before: to an answer that is on its way or was lost,
 * another one, but the same. */
static bool conn_is_asked_again(struct tcp_conn *c, const struct tcp_segment *s)
{
    if (s->seq + 1 != c->expect)
        return false;
    if (c->state == TCP_ASKED)
        c->next = c->acked;
    else
        c->ack_due = true;
    return true;
}

/* SYN: of a new connection, or of a guest that has forgotten the old one. */
static void tcp_accept(struct tcp *t, struct tcp_conn *c,
                       const struct tcp_segment *s, u64 now_ns)
{
    u32 first = tcp_first_seq(t, &s->peer, now_ns);

    if (c && conn_is_asked_again(c, s))
        return;
    if (c)
        conn_free(t, c);
    else
        c = tcp_make_room(t);
    mmds_add(t->m, MMDS_CREATED, 1);
    *c = (struct tcp_conn){
        .state = TCP_ASKED,
        .peer = s->peer,
        .used = ++t->clock,
        .expect = s->seq + 1, /* data in a SYN come again */
        .acked = first,
        .next = first,
        .sent = first,
        .base = first + 1,
        .window = s->window,
        .mss =
            MIN(MAX(s->mss ? s->mss : MSS_DEFAULT, MSS_MIN), TCP_PAYLOAD_MAX),
    };
}

/* ---- in: one connection's segment --------------------------------------- */

/* What there is room for. When no request will be taken any more, whatever
 * comes is dropped, and needs none. */
static u32 conn_window(const struct tcp_conn *c)
{
    return c->end ? TCP_REQUEST_MAX : TCP_REQUEST_MAX - c->in_len;
}

/* Not of the past, nor too far ahead (3.10.7.4, first). */
static bool conn_in_window(const struct tcp_conn *c,
                           const struct tcp_segment *s)
{
    s32 ahead = seq_diff(s->seq, c->expect);
    u32 len = s->len + ((s->flags & TCP_FIN) != 0);

    if (ahead >= 0)
        return (u32)ahead <= conn_window(c);
    return len > 0 && seq_diff(s->seq + len, c->expect) > 0;
}

/* RFC 5961, 3.2: only the very number that is expected. */
static void conn_take_reset(struct tcp *t, struct tcp_conn *c,
                            const struct tcp_segment *s)
{
    if (s->seq == c->expect)
        conn_free(t, c);
    else if (conn_in_window(c, s))
        c->ack_due = true;
}

/* More of what we have sent is there. */
static void conn_progress(struct tcp_conn *c, u32 ack)
{
    c->acked = ack;
    if (seq_diff(c->next, ack) < 0)
        c->next = ack;
    c->tries = 0;
    c->timer_ns = 0;
    c->probing = false;
    if (c->answering && seq_diff(ack, c->base + conn_answer_len(c)) >= 0) {
        c->base += conn_answer_len(c);
        c->answering = false;
    }
}

/* A window that opens: what we asked with may have been thrown away. One that
 * is still shut: at least somebody is there. */
static void conn_take_window(struct tcp_conn *c, u32 window)
{
    c->window = window;
    if (!c->probing)
        return;
    if (window > 0) {
        c->probing = false;
        c->next = c->acked;
        c->timer_ns = 0;
    }
    c->tries = MIN(c->tries, RTO_SHIFTS);
}

/* False: it acknowledges what was never sent. */
static bool conn_take_ack(struct tcp *t, struct tcp_conn *c,
                          const struct tcp_segment *s)
{
    if (seq_diff(s->ack, c->sent) > 0 ||
        (c->state == TCP_ASKED && s->ack != c->base)) {
        if (c->state == TCP_ASKED)
            tcp_refuse(t, s);
        else
            c->ack_due = true;
        return false;
    }
    c->state = TCP_OPEN;
    if (seq_diff(s->ack, c->acked) > 0)
        conn_progress(c, s->ack);
    if (s->ack == c->acked)
        conn_take_window(c, s->window);
    return true;
}

/* The part that is new, as far as it fits; a gap in front: nothing. */
static void conn_take_data(struct tcp_conn *c, const struct tcp_segment *s)
{
    s32 known = seq_diff(c->expect, s->seq);
    u32 fin = (s->flags & TCP_FIN) != 0, skip, n;

    if (s->len + fin == 0)
        return;
    c->ack_due = true;
    if (known < 0 || (u32)known > s->len || c->peer_end)
        return;
    skip = (u32)known;
    n = MIN(s->len - skip, conn_window(c));
    if (!c->end) {
        memcpy(c->in + c->in_len, s->data + skip, n);
        c->in_len += n;
    }
    c->expect += n;
    if (fin && skip + n == s->len) {
        c->peer_end = true;
        c->expect++;
    }
}

/* The next request, if the last one is answered. Behind an answer that is the
 * last one, or to a peer that asks no more, comes our end. */
static void conn_serve(struct tcp *t, struct tcp_conn *c, u64 now_ns)
{
    u32 used = 0;

    if (!c->answering && !c->end && c->in_len > 0)
        used = mmds_serve(t->m, c->in, c->in_len, c->in_len == TCP_REQUEST_MAX,
                          now_ns, &c->answer);
    if (used > 0) {
        t->requests++;
        c->answering = true;
        c->end = c->answer.close;
        c->in_len -= used;
        memmove(c->in, c->in + used, c->in_len);
    }
    if (c->peer_end && (c->in_len == 0 || !c->answering))
        c->end = true;
    if (c->end)
        c->in_len = 0;
}

static void conn_receive(struct tcp *t, struct tcp_conn *c,
                         const struct tcp_segment *s, u64 now_ns)
{
    c->used = ++t->clock;
    memcpy(c->peer.mac, s->peer.mac, sizeof(c->peer.mac));
    if (!conn_in_window(c, s) || (s->flags & TCP_SYN)) {
        c->ack_due = true;
        return;
    }
    if (!conn_take_ack(t, c, s))
        return;
    conn_take_data(c, s);
    conn_serve(t, c, now_ns);
    conn_arm(c, now_ns);
    if (conn_is_over(c))
        conn_free(t, c);
}

void tcp_receive(struct tcp *t, const struct tcp_segment *s, u64 now_ns)
{
    struct tcp_conn *c = s->port == TCP_PORT ? tcp_find(t, &s->peer) : NULL;

    if (s->flags & TCP_RST) {
        if (c)
            conn_take_reset(t, c, s);
    } else if (s->port == TCP_PORT &&
               (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        tcp_accept(t, c, s, now_ns);
    } else if (!c) {
        tcp_refuse(t, s);
    } else if (s->flags & TCP_ACK) {
        conn_receive(t, c, s, now_ns);
    }
}

/* ---- out ---------------------------------------------------------------- */

/* len bytes of the answer, from skip on, which are in its two pieces. */
static void conn_copy(const struct tcp_conn *c, u32 skip, u8 *to, u32 len)
{
    const struct mmds_answer *a = &c->answer;
    u32 n = skip < a->head_len ? MIN(a->head_len - skip, len) : 0;

    if (n > 0)
        memcpy(to, a->head + skip, n);
    if (n < len)
        memcpy(to + n, a->body + (skip + n - a->head_len), len - n);
}

static void conn_put_answer(struct tcp *t, struct tcp_conn *c,
                            struct tcp_segment *s)
{
    s->len = MIN(conn_left(c), conn_room(c));
    s->len = MIN(s->len, c->mss);
    if (s->len > 0)
        conn_copy(c, c->next - c->base, t->out, s->len);
    s->data = t->out;
    c->next += s->len;
    if (s->len > 0 && conn_left(c) == 0)
        s->flags |= TCP_PSH;
    if (conn_end_is_next(c)) {
        s->flags |= TCP_FIN;
        c->next++;
    }
}

static void conn_put(struct tcp *t, struct tcp_conn *c, struct tcp_segment *s)
{
    *s = (struct tcp_segment){
        .peer = c->peer,
        .port = TCP_PORT,
        .flags = TCP_ACK,
        .seq = c->next,
        .ack = c->expect,
        .window = conn_window(c),
    };
    if (c->state == TCP_ASKED) {
        s->flags |= TCP_SYN;
        s->mss = TCP_PAYLOAD_MAX;
        c->next++;
    } else {
        conn_put_answer(t, c, s);
    }
    if (seq_diff(c->next, c->sent) > 0)
        c->sent = c->next;
    c->ack_due = false;
}

bool tcp_next(struct tcp *t, u64 now_ns, struct tcp_segment *s)
{
    if (t->nr_resets > 0) {
        *s = t->reset[0];
        t->nr_resets--;
        memmove(t->reset, t->reset + 1, t->nr_resets * sizeof(t->reset[0]));
        return true;
    }
    for (unsigned int i = 0; i < TCP_CONNS; i++) {
        struct tcp_conn *c = &t->conn[(t->turn + i) % TCP_CONNS];

        if (!conn_has_segment(c))
            continue;
        t->turn = (t->turn + i + 1) % TCP_CONNS;
        conn_put(t, c, s);
        conn_arm(c, now_ns);
        if (conn_is_over(c))
            conn_free(t, c);
        return true;
    }
    return false;
}

bool tcp_pending(const struct tcp *t)
{
    bool pending = t->nr_resets > 0;

    for (unsigned int i = 0; i < TCP_CONNS; i++)
        pending |= conn_has_segment(&t->conn[i]);
    return pending;
}

/* ---- time --------------------------------------------------------------- */

static void conn_tick(struct tcp *t, struct tcp_conn *c)
{
    c->timer_ns = 0;
    t->timeouts++;
    if (++c->tries > TRIES_MAX) {
        conn_drop(t, c);
        return;
    }
    c->next = c->acked;
    c->probing = c->state == TCP_OPEN && c->window == 0;
}

void tcp_tick(struct tcp *t, u64 now_ns)
{
    for (unsigned int i = 0; i < TCP_CONNS; i++) {
        struct tcp_conn *c = &t->conn[i];

        if (c->state != TCP_FREE && c->timer_ns != 0 && now_ns >= c->timer_ns)
            conn_tick(t, c);
    }
}

u64 tcp_deadline(const struct tcp *t)
{
    u64 first = UINT64_MAX;

    for (unsigned int i = 0; i < TCP_CONNS; i++) {
        const struct tcp_conn *c = &t->conn[i];

        if (c->state != TCP_FREE && c->timer_ns != 0)
            first = MIN(first, c->timer_ns);
    }
    return first;
}
