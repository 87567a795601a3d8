/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring.c: the io_uring engine of raw.c. Requests are queued by submit() and
 * go to the kernel with one system call in kick(); what is done by then is
 * answered in the same kick(), what takes longer makes the ring readable.
 *
 * The ring works on two registered files and, once enabled, accepts nothing
 * but reads, writes, flushes and fallocate on them.
 */
#include <liburing.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"

#include "io.h"
#include "raw.h"

enum uring_file { URING_CACHED, URING_DIRECT };

struct uring {
    struct io_uring ring;
    struct raw *raw;
    struct loop_fd event; /* the ring: a completion nobody has seen */
    bool kicking;         /* a done callback may come back to us */
    unsigned int queued;  /* entries the kernel has not been told of */
};

/* Lives in disk_req.priv while the request is in flight. */
struct uring_req {
    u64 done;  /* bytes */
    u32 tries; /* interruptions in a row */
    s32 mode;  /* of fallocate; 0: writing zeros instead */
    bool direct;
};
_Static_assert(sizeof(struct uring_req) <= sizeof(((struct disk_req *)0)->priv),
               "fits");

static struct uring_req *uring_req(struct disk_req *req)
{
    return (struct uring_req *)req->priv;
}

/* liburing 2.3 declares the functions for this but does not export them. */
static int uring_register(struct uring *u, unsigned int op, void *arg,
                          unsigned int nr)
{
    long r = syscall(SYS_io_uring_register, u->ring.ring_fd, op, arg, nr);

    return r < 0 ? -errno : 0;
}

/* ---- one step of a request ---------------------------------------------- */

/*
 * The rest of a transfer. Inside a vector that is done in part: the rest of
 * this one, then vectors again; so no list needs rewriting.
 */
static void uring_prep_transfer(struct io_uring_sqe *sqe, int file,
                                const struct disk_req *req, u64 done)
{
    const struct iovec *v = req->iov;
    unsigned int nr = req->nr_iov;
    u64 skip = done, off = req->off + done;

    while (nr > 1 && skip >= v->iov_len) {
        skip -= v->iov_len;
        v++;
        nr--;
    }
    if (skip || nr == 1) {
        u8 *buf = (u8 *)v->iov_base + skip;
        unsigned int len = (unsigned int)MIN(v->iov_len - skip, GIB);

        if (req->op == DISK_READ)
            io_uring_prep_read(sqe, file, buf, len, off);
        else
            io_uring_prep_write(sqe, file, buf, len, off);
    } else if (req->op == DISK_READ) {
        io_uring_prep_readv(sqe, file, v, MIN(nr, IO_WINDOW), off);
    } else {
        io_uring_prep_writev(sqe, file, v, MIN(nr, IO_WINDOW), off);
    }
}

static void uring_prep_zeros(struct io_uring_sqe *sqe,
                             const struct disk_req *req, u64 done)
{
    u64 len = MIN(req->len - done, IO_ZERO_MAX);

    io_uring_prep_write(sqe, URING_CACHED, io_zeros, (unsigned int)len,
                        req->off + done);
}

static void uring_prep(struct io_uring_sqe *sqe, struct disk_req *req)
{
    struct uring_req *ur = uring_req(req);

    switch (req->op) {
    case DISK_READ:
    case DISK_WRITE:
        uring_prep_transfer(sqe, ur->direct ? URING_DIRECT : URING_CACHED, req,
                            ur->done);
        break;
    case DISK_FLUSH:
        io_uring_prep_fsync(sqe, URING_CACHED, IORING_FSYNC_DATASYNC);
        break;
    case DISK_DISCARD:
    case DISK_ZEROES:
        if (ur->mode)
            io_uring_prep_fallocate(sqe, URING_CACHED, ur->mode,
                                    (off_t)req->off, (off_t)req->len);
        else
            uring_prep_zeros(sqe, req, ur->done);
        break;
    }
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data(sqe, req);
}

/* At most RAW_DEPTH requests are in flight, each with one entry: there is
 * always room. */
static void uring_queue(struct uring *u, struct disk_req *req)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe) {
        req->done(req, -EAGAIN);
        return;
    }
    uring_prep(sqe, req);
    u->queued++;
}

/* Choose how to punch or zero; false: there is no way left. */
static bool uring_choose_mode(struct uring *u, struct disk_req *req)
{
    struct uring_req *ur = uring_req(req);

    if (req->op != DISK_DISCARD && req->op != DISK_ZEROES)
        return true;
    ur->mode = raw_mode(u->raw, req);
    if (ur->mode > 0)
        return true;
    ur->mode = 0;
    return req->op == DISK_ZEROES;
}

/* ---- completions -------------------------------------------------------- */

static bool uring_refused(const struct uring_req *ur, int res)
{
    return ur->mode && (res == -EOPNOTSUPP || res == -ENOSYS);
}

/* What is to be said of this completion: 1: go on, or the request's result. */
static int uring_step(struct uring *u, struct disk_req *req, int res)
{
    struct uring_req *ur = uring_req(req);

    if (res == -EINTR || res == -EAGAIN)
        return ur->tries++ < IO_TRIES ? 1 : res;
    if (uring_refused(ur, res)) {
        raw_mode_refused(u->raw, ur->mode);
        return uring_choose_mode(u, req) ? 1 : -EOPNOTSUPP;
    }
    if (req->op == DISK_FLUSH)
        return raw_flushed(u->raw, res);
    if (res < 0 || ur->mode)
        return res;
    if (res == 0)
        return -EIO; /* past the end of a file that has shrunk */
    ur->tries = 0;
    ur->done += (unsigned int)res;
    return ur->done < req->len ? 1 : 0;
}

static void uring_reap(struct uring *u)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
        struct disk_req *req = io_uring_cqe_get_data(cqe);
        int r = uring_step(u, req, cqe->res);

        io_uring_cqe_seen(&u->ring, cqe);
        if (r > 0)
            uring_queue(u, req);
        else
            req->done(req, r);
    }
}

/* The kernel is short of memory, with perhaps nothing under way that would wake
 * us: wait here, but not for ever. */
static bool uring_wait(struct uring *u, unsigned int *tries)
{
    struct epoll_event ev;

    epoll_wait(u->event.loop->epfd, &ev, 1, 1);
    return (*tries)++ < IO_TRIES;
}

void uring_kick(struct uring *u)
{
    unsigned int tries = 0;

    if (u->kicking)
        return;
    u->kicking = true;
    uring_reap(u);
    while (u->queued) {
        int n = io_uring_submit(&u->ring);

        if (n > 0)
            u->queued -= MIN(u->queued, (unsigned int)n);
        else if (!uring_wait(u, &tries))
            break;
        uring_reap(u);
    }
    u->kicking = false;
}

void uring_submit(struct uring *u, struct disk_req *req)
{
    *uring_req(req) = (struct uring_req){.direct = raw_is_direct(u->raw, req)};
    if (!uring_choose_mode(u, req))
        req->done(req, -EOPNOTSUPP);
    else
        uring_queue(u, req);
}

static void uring_on_event(struct loop_fd *lf, u32 events)
{
    struct uring *u = container_of(lf, struct uring, event);

    uring_kick(u);
    if (u->raw->disk.answered)
        u->raw->disk.answered(u->raw->disk.ctx);
}

int uring_attach(struct uring *u, struct loop *loop)
{
    return loop_add(loop, &u->event, EPOLLIN);
}

/* ---- set-up ------------------------------------------------------------- */

static int uring_setup_ring(struct uring *u)
{
    static const unsigned int flags[] = {
        IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN, /* Linux 5.19 */
        IORING_SETUP_R_DISABLED,                             /* Linux 5.10 */
    };
    int r = -EINVAL;

    for (unsigned int i = 0; i < ARRAY_SIZE(flags) && r == -EINVAL; i++)
        r = io_uring_queue_init(RAW_DEPTH, &u->ring, flags[i]);
    return r;
}

/* For good: no register operation is among what is allowed. Enabled here, not
 * by the device thread, whose filter has no io_uring_register; so there is no
 * IORING_SETUP_SINGLE_ISSUER, which is for who enables. */
static int uring_restrict(struct uring *u)
{
    static const u8 ops[] = {IORING_OP_READV, IORING_OP_WRITEV,
                             IORING_OP_READ,  IORING_OP_WRITE,
                             IORING_OP_FSYNC, IORING_OP_FALLOCATE};
    struct io_uring_restriction res[ARRAY_SIZE(ops) + 1] = {0};
    int r;

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        res[i].opcode = IORING_RESTRICTION_SQE_OP;
        res[i].sqe_op = ops[i];
    }
    res[ARRAY_SIZE(ops)].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
    res[ARRAY_SIZE(ops)].sqe_flags = IOSQE_FIXED_FILE;
    r = uring_register(u, IORING_REGISTER_RESTRICTIONS, res, ARRAY_SIZE(res));
    return r < 0 ? r : uring_register(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int uring_new(struct uring **out, struct raw *raw)
{
    int files[] = {[URING_CACHED] = raw->fd, [URING_DIRECT] = raw->direct_fd};
    struct uring *u = calloc(1, sizeof(*u));
    int r;

    if (!u)
        return -ENOMEM;
    u->raw = raw;
    r = uring_setup_ring(u);
    if (r < 0)
        goto free_uring;
    r = io_uring_register_files(&u->ring, files, ARRAY_SIZE(files));
    if (r == 0)
        r = uring_restrict(u);
    if (r < 0)
        goto exit_ring;
    u->event = (struct loop_fd){.fd = u->ring.ring_fd, .fn = uring_on_event};
    *out = u;
    return 0;

exit_ring:
    io_uring_queue_exit(&u->ring);
free_uring:
    free(u);
    return r;
}

void uring_free(struct uring *u)
{
    if (!u)
        return;
    loop_del(&u->event);
    io_uring_queue_exit(&u->ring);
    free(u);
}
