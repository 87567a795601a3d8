/* SPDX-License-Identifier: Apache-2.0 */
/* rbd_disk: what the guest asks, what a worker that dies or lies makes of it */
#include "rbd_rig.h"

static const u64 lengths[] = {512, 4096,      RBD_CHUNK, RBD_CHUNK + 512,
                              MIB, MIB + 512, 20 * MIB,  33 * MIB + 4096};

/* Pieces of odd sizes, more than the ring holds at once, there and back. */
START_TEST(test_there_and_back)
{
    u64 len = lengths[_i], first = len > 1536 ? 1536 : len;
    u8 *out = malloc(len), *in = calloc(1, len);
    struct iovec iov[2] = {{out, first}, {out + first, len - first}};
    struct iovec back[1] = {{in, len}};
    struct rig_req wr = request(DISK_WRITE, iov, 2, 1536),
                   rd = request(DISK_READ, back, 1, 1536);
    struct worker w;

    worker_ready(&w);
    rig_pattern(out, len, 7);
    rig_submit(&w.rig, &wr);
    serve_all(&w, 3);
    ck_assert_int_eq(wr.err, 0);
    ck_assert_mem_eq(w.image + 1536, out, len);
    rig_submit(&w.rig, &rd);
    serve_all(&w, 5);
    ck_assert_int_eq(rd.err, 0);
    ck_assert_mem_eq(in, out, len);
    worker_down(&w);
    free(out);
    free(in);
}
END_TEST

START_TEST(test_before_ready)
{
    u8 buf[512];
    struct iovec iov = {buf, sizeof(buf)};
    struct rig_req req = request(DISK_WRITE, &iov, 1, 0);
    struct worker w;

    worker_up(&w);
    rig_submit(&w.rig, &req);
    worker_turn(&w);
    ck_assert_uint_eq(worker_serve(&w, 1), 0);
    worker_state(&w, RBD_READY, 1);
    worker_turn(&w);
    serve_all(&w, 1);
    ck_assert_int_eq(req.err, 0);
    worker_down(&w);
}
END_TEST

START_TEST(test_more_than_slots)
{
    static struct rig_req req[2 * RBD_SLOTS];
    u8 buf[512] = {0};
    struct iovec iov = {buf, sizeof(buf)};
    struct worker w;

    worker_ready(&w);
    for (u32 i = 0; i < ARRAY_SIZE(req); i++) {
        req[i] = request(DISK_WRITE, &iov, 1, i * 512ull);
        rig_submit(&w.rig, &req[i]);
    }
    ck_assert_uint_eq(worker_serve(&w, ~0u), RBD_SLOTS);
    worker_turn(&w);
    ck_assert_uint_eq(w.rig.waiting, RBD_SLOTS);
    serve_all(&w, ~0u);
    for (u32 i = 0; i < ARRAY_SIZE(req); i++)
        ck_assert(req[i].answers == 1 && req[i].err == 0);
    worker_down(&w);
}
END_TEST

START_TEST(test_errors)
{
    u8 buf[512];
    struct iovec iov = {buf, sizeof(buf)};
    struct rig_req req = request(DISK_READ, &iov, 1, 0),
                   flush = request(DISK_FLUSH, NULL, 0, 0);
    struct worker w;

    worker_ready(&w);
    w.err = -EIO;
    rig_submit(&w.rig, &req);
    serve_all(&w, 1);
    ck_assert_int_eq(req.err, -EIO);
    rig_submit(&w.rig, &flush);
    serve_all(&w, 1);
    ck_assert_int_eq(flush.err, -EIO);
    w.err = 0; /* what that flush has lost is lost */
    rig_submit(&w.rig, &flush);
    ck_assert_uint_eq(w.rig.waiting, 0);
    ck_assert_int_eq(flush.err, -EIO);
    rig_submit(&w.rig, &req);
    serve_all(&w, 1);
    ck_assert_int_eq(req.err, 0);
    worker_down(&w);
}
END_TEST

/* ---- deaths
 * ------------------------------------------------------------------ */

/* Half of it answered, half not: the next worker gets the other half. */
START_TEST(test_worker_dies)
{
    static struct rig_req req[8];
    u8 buf[8][512];
    struct iovec iov[8];
    struct worker w;

    worker_ready(&w);
    for (u32 i = 0; i < 8; i++) {
        rig_pattern(buf[i], 512, i);
        iov[i] = (struct iovec){buf[i], 512};
        req[i] = request(DISK_WRITE, &iov[i], 1, i * 512ull);
        rig_submit(&w.rig, &req[i]);
    }
    ck_assert_uint_eq(worker_serve(&w, 4), 4);
    worker_state(&w, RBD_DEAD, 1);
    worker_turn(&w);
    ck_assert_uint_eq(w.rig.waiting, 4);
    w.head = atomic_load(&w.ring->sq_tail);
    worker_state(&w, RBD_READY, 2);
    worker_turn(&w);
    ck_assert_uint_eq(worker_serve(&w, ~0u), 4);
    worker_turn(&w);
    for (u32 i = 0; i < 8; i++) {
        ck_assert(req[i].answers == 1 && req[i].err == 0);
        ck_assert_mem_eq(w.image + i * 512ull, buf[i], 512);
    }
    worker_down(&w);
}
END_TEST

static struct worker *late;

/* Between the look at answers and that at the state. */
static void on_late(void *ctx)
{
    rbd_ring_done(late->ring, 0xff & late->ring->sq[0], 0);
}

/* The worker's last answer comes when this thread, which rests, has looked at
 * answers already, and sees the next worker only: it is no answer of that one,
 * which is not asked again. */
START_TEST(test_answer_of_the_dead)
{
    u8 a[512] = {1}, b[512] = {2};
    struct iovec iov[2] = {{a, 512}, {b, 512}};
    struct rig_req req[2] = {request(DISK_WRITE, &iov[0], 1, 0),
                             request(DISK_WRITE, &iov[1], 1, 512)};
    struct worker w;

    worker_ready(&w);
    late = &w;
    rig_submit(&w.rig, &req[0]);
    rig_submit(&w.rig, &req[1]);
    w.head = atomic_load(&w.ring->sq_tail);
    w.rig.disk->resized = on_late;
    worker_state(&w, RBD_READY, 2);
    atomic_store(&w.ring->size, SIZE + DISK_SECTOR); /* so that it is called */
    worker_turn(&w);
    ck_assert_uint_eq(req[0].answers, 1);
    ck_assert_uint_eq(req[1].answers, 0);
    ck_assert_uint_eq(worker_serve(&w, ~0u), 1); /* the other one */
    worker_turn(&w);
    ck_assert(req[0].answers == 1 && req[0].err == 0);
    ck_assert(req[1].answers == 1 && req[1].err == 0);
    ck_assert_mem_eq(w.image + 512, b, 512);
    worker_down(&w);
}
END_TEST

/* For good: all that was asked and will be asked gets the error. */
START_TEST(test_latched)
{
    u8 *big = calloc(1, 20 * MIB), small[512];
    struct iovec iov[2] = {{big, 20 * MIB}, {small, 512}};
    struct rig_req req[2] = {request(DISK_WRITE, &iov[0], 1, 0),
                             request(DISK_READ, &iov[1], 1, 0)};
    struct worker w;

    worker_ready(&w);
    rig_submit(&w.rig, &req[0]); /* part of it waits for chunks */
    rig_submit(&w.rig, &req[1]);
    atomic_store(&w.ring->err, -ESHUTDOWN);
    worker_state(&w, RBD_LATCHED, 1);
    worker_turn(&w);
    ck_assert_uint_eq(w.rig.waiting, 0);
    for (u32 i = 0; i < 2; i++)
        ck_assert(req[i].answers == 1 && req[i].err == -ESHUTDOWN);
    rig_submit(&w.rig, &req[1]);
    ck_assert_int_eq(req[1].err, -ESHUTDOWN);
    worker_state(&w, RBD_READY, 2); /* never again */
    worker_turn(&w);
    rig_submit(&w.rig, &req[1]);
    ck_assert_int_eq(req[1].err, -ESHUTDOWN);
    worker_down(&w);
    free(big);
}
END_TEST

static unsigned int lost;

static void on_lost(void *ctx)
{
    lost++;
}

START_TEST(test_never_ready)
{
    struct worker w;

    worker_up(&w);
    w.rig.disk->lost = on_lost;
    atomic_store(&w.ring->err, -ENOENT);
    worker_state(&w, RBD_FAILED, 1);
    worker_turn(&w);
    ck_assert_uint_eq(lost, 1);
    ck_assert_uint_eq(w.rig.resized, 0);
    worker_down(&w);
}
END_TEST

START_TEST(test_resize)
{
    struct worker w;

    worker_ready(&w);
    atomic_store(&w.ring->size, SIZE / 2 + 100);
    ck_assert_int_eq(write(w.done_fd, &(u64){1}, 8), 8);
    worker_turn(&w);
    ck_assert_uint_eq(w.rig.disk->info.size, SIZE / 2);
    ck_assert_uint_eq(w.rig.resized, 2);
    worker_down(&w);
}
END_TEST

/* ---- orphans ------------------------------------------------------------- */

static const u64 places[] = {0, 4096 - 512, 4096 + 512};

/* The driver has gone; the next one's write to the same place waits for what
 * may still land there, and its memory is its own. */
START_TEST(test_abandon)
{
    u8 old[4096], new[4096], in[4096];
    struct iovec iov[3] = {{old, 4096}, {new, 4096}, {in, 4096}};
    struct rig_req was[3] = {request(DISK_WRITE, &iov[0], 1, 4096),
                             request(DISK_READ, &iov[2], 1, 0),
                             request(DISK_FLUSH, NULL, 0, 0)},
                   now = request(DISK_WRITE, &iov[1], 1, places[_i]),
                   flush = request(DISK_FLUSH, NULL, 0, 0);
    struct worker w;

    worker_ready(&w);
    rig_pattern(w.image, SIZE, 3);
    rig_pattern(old, 4096, 1);
    rig_pattern(new, 4096, 2);
    memset(in, 0xee, sizeof(in));
    for (u32 i = 0; i < 3; i++)
        rig_submit(&w.rig, &was[i]);
    disk_abandon(w.rig.disk);
    for (u32 i = 0; i < 3; i++)
        ck_assert(was[i].answers == 1 && was[i].err == -ECANCELED);
    rig_submit(&w.rig, &now);
    rig_submit(&w.rig, &flush);
    ck_assert_uint_eq(worker_serve(&w, ~0u), places[_i] == 0 ? 5 : 3);
    worker_turn(&w);
    serve_all(&w, 1);
    ck_assert(now.err == 0 && flush.err == 0);
    for (u32 i = 0; i < 3; i++)
        ck_assert_uint_eq(was[i].answers, 1);
    ck_assert_mem_eq(w.image + places[_i], new, 4096);
    ck_assert_uint_eq(in[0], 0xee);
    worker_down(&w);
}
END_TEST

/* Driver after driver goes with the ring full: all slots come back. */
START_TEST(test_abandon_all)
{
    static struct rig_req req[RBD_SLOTS + 8];
    u8 *big = calloc(1, MIB);
    struct iovec iov = {big, _i ? MIB : 512};
    struct worker w;

    worker_ready(&w);
    for (u32 round = 0; round < 3; round++) {
        for (u32 i = 0; i < ARRAY_SIZE(req); i++) {
            req[i] = request(DISK_READ, &iov, 1, i * 512ull);
            rig_submit(&w.rig, &req[i]);
        }
        disk_abandon(w.rig.disk);
        ck_assert_uint_eq(w.rig.waiting, 0);
    }
    worker_state(&w, RBD_DEAD, 1);
    worker_turn(&w);
    w.head = atomic_load(&w.ring->sq_tail);
    worker_state(&w, RBD_READY, 2);
    worker_turn(&w);
    ck_assert_uint_eq(worker_serve(&w, ~0u), 0);
    for (u32 i = 0; i < ARRAY_SIZE(req); i++)
        rig_submit(&w.rig, &req[i]);
    ck_assert_uint_eq(worker_serve(&w, ~0u), _i ? 16 : RBD_SLOTS);
    worker_turn(&w);
    serve_all(&w, ~0u);
    worker_down(&w);
    free(big);
}
END_TEST

/* ---- lies
 * -------------------------------------------------------------------- */

static void lie_twice(struct worker *w)
{
    rbd_ring_done(w->ring, 255, 0);
    worker_turn(w);
    rbd_ring_done(w->ring, 255, 0);
}

static void lie_free_slot(struct worker *w)
{
    rbd_ring_done(w->ring, 3, 0);
}

static void lie_circle(struct worker *w)
{
    rbd_ring_done(w->ring, 255, 0);
    atomic_store(&w->ring->next[255], 256);
}

static void lie_number(struct worker *w)
{
    atomic_store(&w->ring->done, RBD_SLOTS + 1);
}

static void lie_far_number(struct worker *w)
{
    atomic_store(&w->ring->done, ~0u);
}

/* Errors that there are not. */
static void lie_errors(struct worker *w)
{
    rbd_ring_done(w->ring, 255, INT32_MIN);
    rbd_ring_done(w->ring, 254, -4096);
}

static void lie_end(struct worker *w)
{
    atomic_store(&w->ring->err, INT32_MIN);
    worker_state(w, RBD_LATCHED, 1);
}

typedef void lie_fn(struct worker *w);
static lie_fn *const lies[] = {lie_twice,  lie_free_slot,  lie_circle,
                               lie_number, lie_far_number, lie_errors,
                               lie_end};

/* The disk ends, each request is answered once, nothing else happens. */
START_TEST(test_lies)
{
    u8 buf[2][512];
    struct iovec iov[2] = {{buf[0], 512}, {buf[1], 512}};
    struct rig_req req[2] = {request(DISK_READ, &iov[0], 1, 0),
                             request(DISK_READ, &iov[1], 1, 512)};
    struct worker w;

    worker_ready(&w);
    rig_submit(&w.rig, &req[0]); /* slot 255, then 254 */
    rig_submit(&w.rig, &req[1]);
    lies[_i](&w);
    ck_assert_int_eq(write(w.done_fd, &(u64){1}, 8), 8);
    worker_turn(&w);
    ck_assert_uint_eq(w.rig.waiting, 0);
    ck_assert(req[0].answers == 1 && req[1].answers == 1);
    ck_assert_int_eq(req[1].err, -EIO);
    worker_down(&w);
}
END_TEST

static unsigned int again;

static void on_again(struct disk_req *req, int err)
{
    if (err < 0 || ++again == 100000)
        return;
    disk_submit(late->rig.disk, req);
}

/* A circle, and a guest that asks anew for what was answered, in the same slot.
 */
START_TEST(test_circle)
{
    u8 buf[512] = {0};
    struct iovec iov = {buf, sizeof(buf)};
    struct disk_req req = {.op = DISK_READ,
                           .len = sizeof(buf),
                           .iov = &iov,
                           .nr_iov = 1,
                           .done = on_again};
    struct worker w;

    worker_ready(&w);
    late = &w;
    disk_submit(w.rig.disk, &req);
    lie_circle(&w);
    ck_assert_int_eq(write(w.done_fd, &(u64){1}, 8), 8);
    worker_turn(&w);
    ck_assert_uint_eq(again, RBD_SLOTS);
    worker_down(&w);
}
END_TEST

Suite *suite_rbd_disk(void);
Suite *suite_rbd_disk(void)
{
    Suite *s = suite_create("rbd_disk");
    TCase *tc = tcase_create("disk");

    tcase_add_loop_test(tc, test_there_and_back, 0, ARRAY_SIZE(lengths));
    tcase_add_test(tc, test_before_ready);
    tcase_add_test(tc, test_more_than_slots);
    tcase_add_test(tc, test_errors);
    tcase_add_test(tc, test_worker_dies);
    tcase_add_test(tc, test_answer_of_the_dead);
    tcase_add_test(tc, test_latched);
    tcase_add_test(tc, test_never_ready);
    tcase_add_test(tc, test_resize);
    tcase_add_loop_test(tc, test_abandon, 0, ARRAY_SIZE(places));
    tcase_add_loop_test(tc, test_abandon_all, 0, 2);
    tcase_add_test(tc, test_circle);
    tcase_add_loop_test(tc, test_lies, 0, ARRAY_SIZE(lies));
    suite_add_tcase(s, tc);
    return s;
}
