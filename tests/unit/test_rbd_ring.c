/* SPDX-License-Identifier: Apache-2.0 */
/* rbd_ring: when either side is woken, and what memory stays in a ring */
#include <poll.h>
#include <pthread.h>

#include "rbd_rig.h"

/* ---- who is at work need not be woken --------------------------------------
 */

static u64 kicks(const struct worker *w)
{
    u64 n = 0;

    return read(w->submit_fd, &n, sizeof(n)) < 0 ? 0 : n;
}

START_TEST(test_kicks)
{
    u8 buf[512];
    struct iovec iov = {buf, 512};
    struct rig_req req[3];
    struct worker w;

    worker_ready(&w);
    for (u32 i = 0; i < 3; i++)
        req[i] = request(DISK_READ, &iov, 1, i * 512ull);
    rig_submit(&w.rig, &req[0]);
    rig_submit(&w.rig, &req[1]);
    disk_kick(w.rig.disk);
    disk_kick(w.rig.disk);
    ck_assert_uint_eq(kicks(&w), 1);
    atomic_store(&w.ring->serving, 1);
    rig_submit(&w.rig, &req[2]);
    disk_kick(w.rig.disk);
    ck_assert_uint_eq(kicks(&w), 0);
    rbd_ring_rest(&w.ring->serving);
    ck_assert(rbd_ring_waits(w.ring, w.head));
    serve_all(&w, 8);
    ck_assert(!rbd_ring_waits(w.ring, w.head));
    worker_down(&w);
}
END_TEST

static struct worker *answering;
static unsigned int woken;

/* While the device thread looks at an answer, others come: twice. */
static void on_answered(void *ctx)
{
    u32 left = answering->rig.waiting;

    for (u32 n = 0; n < left && n < 2; n++) {
        int id = rbd_ring_next(answering->ring, &answering->head, 1);

        ck_assert_int_ge(id, 0);
        if (rbd_ring_done(answering->ring, (u32)id, 0)) {
            ck_assert_int_eq(write(answering->done_fd, &(u64){1}, 8), 8);
            woken++;
        }
    }
}

START_TEST(test_answers_meanwhile)
{
    u8 buf[512];
    struct iovec iov = {buf, 512};
    struct rig_req req[6];
    struct worker w;

    worker_ready(&w);
    answering = &w;
    woken = 0;
    w.rig.disk->answered = on_answered;
    for (u32 i = 0; i < 6; i++) {
        req[i] = request(DISK_READ, &iov, 1, i * 512ull);
        rig_submit(&w.rig, &req[i]);
    }
    on_answered(NULL); /* 0 and 1 wake it; 2 and 3 come meanwhile */
    ck_assert_uint_eq(woken, 1);
    worker_turn(&w);
    ck_assert_uint_eq(w.rig.waiting, 0);
    ck_assert_uint_eq(woken, 2); /* the second time it looked, for 4 and 5 */
    worker_down(&w);
}
END_TEST

/* A worker on a thread of its own, which sleeps as the real one does. */
static void *serve_thread(void *arg)
{
    struct worker *w = arg;
    struct pollfd pf = {.fd = w->submit_fd, .events = POLLIN};
    u64 count;

    while (w->slots < 20000) {
        if (!rbd_ring_waits(w->ring, w->head) && poll(&pf, 1, 5000) != 1)
            break;
        if (pf.revents)
            (void)!read(w->submit_fd, &count, sizeof(count));
        atomic_store(&w->ring->serving, 1);
        worker_serve(w, 64);
        rbd_ring_rest(&w->ring->serving);
        pf.revents = 0;
    }
    return NULL;
}

static struct rig_req busy[4];

static void submit_again(void *ctx)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(busy); i++)
        if (busy[i].answers == 1) {
            busy[i].answers = 0;
            rig_submit(&answering->rig, &busy[i]);
        }
    disk_kick(answering->rig.disk);
}

/* No wake-up is lost: 20000 requests, at most four at a time. */
START_TEST(test_sleepers)
{
    u8 buf[4][512];
    struct iovec iov[4];
    struct worker w;
    pthread_t thread;
    struct epoll_event ev;

    worker_ready(&w);
    answering = &w;
    w.rig.disk->answered = submit_again;
    for (u32 i = 0; i < ARRAY_SIZE(busy); i++) {
        iov[i] = (struct iovec){buf[i], 512};
        busy[i] = request(DISK_READ, &iov[i], 1, i * 512ull);
        busy[i].answers = 1;
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_thread, &w), 0);
    submit_again(NULL);
    while (epoll_wait(w.rig.loop.epfd, &ev, 1, 1000) == 1)
        worker_turn(&w);
    pthread_join(thread, NULL);
    ck_assert_uint_ge(w.slots, 20000);
    w.rig.disk->answered = NULL;
    serve_all(&w, 8);
    worker_down(&w);
}
END_TEST

/* ---- memory -----------------------------------------------------------------
 */

static void become_idle(struct worker *w)
{
    atomic_fetch_or(&w->ring->flags, RBD_F_IDLE);
    ck_assert_int_eq(write(w->done_fd, &(u64){1}, 8), 8);
    worker_turn(w);
}

/* Chunks that wait in the ring to be given back, each once. */
static unsigned int count_released(struct worker *w)
{
    bool seen[RBD_CHUNKS] = {0};
    u32 head = w->head;
    unsigned int n = 0;
    int id;

    while ((id = rbd_ring_next(w->ring, &head, w->gen)) >= 0) {
        struct rbd_slot s = w->ring->slot[id];

        for (unsigned int i = 0; s.op == RBD_RELEASE && i < s.nr; i++, n++) {
            ck_assert(!seen[s.chunk[i]]);
            seen[s.chunk[i]] = true;
        }
    }
    return n;
}

static const struct {
    u64 len;              /* of a read */
    unsigned int release; /* chunks */
} bursts[] = {
    {512, 0},
    {8 * RBD_CHUNK, 0},
    {9 * RBD_CHUNK, 9},
    {9 * RBD_CHUNK + 1024, 10},
    {40 * MIB, RBD_CHUNKS},
};

/* What a burst has touched is given back when it is over, once; and the disk
 * goes on meanwhile. */
START_TEST(test_release)
{
    u8 *buf = calloc(1, 40 * MIB);
    struct iovec iov = {buf, bursts[_i].len};
    struct rig_req req = request(DISK_READ, &iov, 1, 0);
    struct worker w;

    worker_ready(&w);
    memset(w.image, 7, SIZE);
    rig_submit(&w.rig, &req);
    become_idle(&w); /* which it is not */
    ck_assert_uint_eq(count_released(&w), 0);
    serve_all(&w, 100);
    become_idle(&w);
    ck_assert_uint_eq(count_released(&w), bursts[_i].release);
    ck_assert_uint_eq(atomic_load(&w.ring->flags) & RBD_F_IDLE, 0);
    rig_submit(&w.rig, &req);
    serve_all(&w, 3);
    ck_assert(req.answers == 1 && req.err == 0 && buf[iov.iov_len - 1] == 7);
    worker_serve(&w, ~0u);
    worker_turn(&w);
    become_idle(&w);
    worker_serve(&w, ~0u);
    worker_turn(&w);
    become_idle(&w);
    ck_assert_uint_eq(count_released(&w), 0);
    worker_down(&w);
    free(buf);
}
END_TEST

Suite *suite_rbd_ring(void);
Suite *suite_rbd_ring(void)
{
    Suite *s = suite_create("rbd_ring");
    TCase *tc = tcase_create("ring");

    tcase_add_test(tc, test_kicks);
    tcase_add_test(tc, test_answers_meanwhile);
    tcase_add_test(tc, test_sleepers);
    tcase_add_loop_test(tc, test_release, 0, ARRAY_SIZE(bursts));
    suite_add_tcase(s, tc);
    return s;
}
