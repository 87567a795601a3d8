/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.c: a disk whose requests go through a ring to a worker. The worker is
 * not trusted: what it may write is the ring, and of that only answers and
 * sizes are believed, each checked. No Ceph here, and no system call but those
 * of two eventfds.
 *
 * A request becomes one part for each MiB, a part is a slot and its chunks.
 * Without a free slot or enough chunks parts wait, in order; that is the flow
 * control, since librbd itself takes whatever it is given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mote/log.h"

#include "disk.h"

#define ERRNO_MAX    4095 /* of Linux */
#define RBD_PART_MAX ((u64)RBD_SLOT_CHUNKS * RBD_CHUNK)
#define RBD_KEEP     8 /* chunks: an idle disk's */

/* What rbd_disk keeps in disk_req.priv. */
enum {
    PRIV_NEXT,  /* waiting requests: the next one */
    PRIV_POS,   /* bytes that became parts */
    PRIV_PARTS, /* parts in flight */
    PRIV_ERR,   /* the first error, negated */
};

struct rbd_part {         /* what a slot carries; the truth is here */
    struct disk_req *req; /* NULL: free, or an orphan: nobody waits */
    bool in_flight;
    bool release; /* an orphan that carries free chunks only */
    u8 nr;
    u16 chunk[RBD_SLOT_CHUNKS];
    enum disk_op op;
    u64 pos, off, len; /* pos: in the request */
};

struct rbd_disk {
    struct disk disk;
    char name[64];
    struct rbd_ring *ring;
    int submit_fd;
    struct loop_fd done;

    u32 gen, tail;
    bool joined; /* this worker knows our slots */
    s32 final;   /* negative errno: nothing goes there any more */
    bool flush_failed;
    bool unkicked;

    struct disk_req *wait_head, *wait_tail;
    unsigned int orphans; /* parts */
    u16 free_slot[RBD_SLOTS], free_chunk[RBD_CHUNKS];
    unsigned int nr_free_slots, nr_free_chunks;
    unsigned int least_free; /* chunks, since they were given back */
    struct rbd_part part[RBD_SLOTS];
};

static struct rbd_disk *rbd_of(struct disk *d)
{
    return container_of(d, struct rbd_disk, disk);
}

/* ---- bytes --------------------------------------------------------------- */

/* Copy between the request's iovec, from pos on, and the part's chunks. */
static void part_copy(struct rbd_disk *d, const struct rbd_part *p)
{
    const struct iovec *v = p->req->iov;
    u64 skip = p->pos, at = 0;

    for (; skip >= v->iov_len && skip > 0; v++)
        skip -= v->iov_len;
    while (at < p->len) {
        u8 *chunk =
            rbd_chunk(d->ring, p->chunk[at / RBD_CHUNK]) + at % RBD_CHUNK;
        u8 *guest = (u8 *)v->iov_base + skip;
        u64 n = MIN(v->iov_len - skip, RBD_CHUNK - at % RBD_CHUNK);

        n = MIN(n, p->len - at);
        if (p->op == DISK_WRITE)
            memcpy(chunk, guest, n);
        else
            memcpy(guest, chunk, n);
        at += n;
        skip += n;
        if (skip == v->iov_len) {
            v++;
            skip = 0;
        }
    }
}

/* ---- slots --------------------------------------------------------------- */

static bool part_has_data(enum disk_op op)
{
    return op == DISK_READ || op == DISK_WRITE;
}

/* Those that were given back last are the first to be taken: few are touched
 * if few are in use. */
static void part_take_chunks(struct rbd_disk *d, struct rbd_part *p, u8 nr)
{
    p->nr = nr;
    for (unsigned int i = 0; i < nr; i++)
        p->chunk[i] = d->free_chunk[--d->nr_free_chunks];
    d->least_free = MIN(d->least_free, d->nr_free_chunks);
}

static u32 part_take(struct rbd_disk *d, struct disk_req *req)
{
    u32 id = d->free_slot[--d->nr_free_slots];
    struct rbd_part *p = &d->part[id];
    u64 pos = req->priv[PRIV_POS];
    bool data = part_has_data(req->op);

    *p = (struct rbd_part){
        .req = req,
        .op = req->op,
        .pos = pos,
        .off = req->off + pos,
        .len = data ? MIN(req->len - pos, RBD_PART_MAX) : req->len,
    };
    if (data)
        part_take_chunks(d, p, (u8)((p->len + RBD_CHUNK - 1) / RBD_CHUNK));
    return id;
}

static void part_put(struct rbd_disk *d, u32 id)
{
    struct rbd_part *p = &d->part[id];

    if (!p->req)
        d->orphans--;
    for (unsigned int i = 0; i < p->nr; i++)
        d->free_chunk[d->nr_free_chunks++] = p->chunk[i];
    d->free_slot[d->nr_free_slots++] = (u16)id;
    *p = (struct rbd_part){0};
}

static void part_publish(struct rbd_disk *d, u32 id)
{
    static const u16 op[] = {[DISK_READ] = RBD_READ,
                             [DISK_WRITE] = RBD_WRITE,
                             [DISK_FLUSH] = RBD_FLUSH,
                             [DISK_DISCARD] = RBD_DISCARD,
                             [DISK_ZEROES] = RBD_ZEROES};
    const struct rbd_part *p = &d->part[id];
    struct rbd_slot *s = &d->ring->slot[id];

    s->off = p->off;
    s->len = p->len;
    s->op = p->release ? RBD_RELEASE : op[p->op];
    s->nr = p->nr;
    memcpy(s->chunk, p->chunk, sizeof(s->chunk));
    rbd_ring_submit(d->ring, &d->tail, d->gen, id);
    d->unkicked = true;
}

/* ---- requests ------------------------------------------------------------ */

static void rbd_finish(struct rbd_disk *d, struct disk_req *req)
{
    s32 err = -(s32)req->priv[PRIV_ERR];

    if (req->op == DISK_FLUSH && err < 0 && err != -ECANCELED)
        d->flush_failed = true;
    req->done(req, err);
}

static void rbd_part_over(struct rbd_disk *d, struct disk_req *req, s32 err)
{
    if (err < 0 && req->priv[PRIV_ERR] == 0)
        req->priv[PRIV_ERR] = (u64)-err;
    req->priv[PRIV_PARTS]--;
    if (req->priv[PRIV_PARTS] == 0 && req->priv[PRIV_POS] >= req->len)
        rbd_finish(d, req);
}

/* Has one that was given up still to land there? */
static bool rbd_overlaps_orphan(const struct rbd_disk *d,
                                const struct disk_req *req)
{
    for (u32 id = 0; d->orphans > 0 && id < RBD_SLOTS; id++) {
        const struct rbd_part *p = &d->part[id];

        if (p->in_flight && !p->req && p->op != DISK_READ &&
            p->off < req->off + req->len && req->off < p->off + p->len)
            return true;
    }
    return false;
}

static bool rbd_has_room(const struct rbd_disk *d, const struct disk_req *req)
{
    u64 left = MIN(req->len - req->priv[PRIV_POS], RBD_PART_MAX);

    if (d->nr_free_slots == 0)
        return false;
    return !part_has_data(req->op) ||
           d->nr_free_chunks >= (left + RBD_CHUNK - 1) / RBD_CHUNK;
}

/* Parts of the first waiting request; true when all of it is under way. */
static bool rbd_issue(struct rbd_disk *d, struct disk_req *req)
{
    do {
        struct rbd_part *p;
        u32 id;

        if (!rbd_has_room(d, req))
            return false;
        id = part_take(d, req);
        p = &d->part[id];
        p->in_flight = true;
        if (p->op == DISK_WRITE)
            part_copy(d, p);
        req->priv[PRIV_POS] += p->len;
        req->priv[PRIV_PARTS]++;
        part_publish(d, id);
    } while (req->priv[PRIV_POS] < req->len);
    return true;
}

static void rbd_pump(struct rbd_disk *d)
{
    struct disk_req *req;

    while (d->joined && (req = d->wait_head) != NULL) {
        if (rbd_overlaps_orphan(d, req) || !rbd_issue(d, req))
            return;
        d->wait_head = (struct disk_req *)req->priv[PRIV_NEXT];
    }
}

DEV_ONLY static void rbd_submit(struct disk *disk, struct disk_req *req)
{
    struct rbd_disk *d = rbd_of(disk);

    memset(req->priv, 0, sizeof(req->priv));
    if (d->final < 0 || (req->op == DISK_FLUSH && d->flush_failed)) {
        req->done(req, d->final < 0 ? d->final : -EIO);
        return;
    }
    if (req->op == DISK_FLUSH)
        req->len = 0;
    if (d->wait_head)
        d->wait_tail->priv[PRIV_NEXT] = (u64)req;
    else
        d->wait_head = req;
    d->wait_tail = req;
    rbd_pump(d);
}

DEV_ONLY static void rbd_kick(struct disk *disk)
{
    struct rbd_disk *d = rbd_of(disk);

    if (d->unkicked && rbd_ring_rests(&d->ring->serving))
        (void)!write(d->submit_fd, &(u64){1}, sizeof(u64));
    d->unkicked = false;
}

/* ---- answers ------------------------------------------------------------- */

/* The worker may say any number: what is no error is success, and what no error
 * can be is one of reading and writing. */
static s32 rbd_error(s32 told)
{
    if (told >= 0)
        return 0;
    return told >= -ERRNO_MAX ? told : -EIO;
}

/* Done with err: all that is asked. What has slots keeps them, since the worker
 * may still write to their chunks, until it answers or is dead. Returns how
 * many requests these were. */
static unsigned int rbd_let_go(struct rbd_disk *d, s32 err)
{
    unsigned int n = 0;
    struct disk_req *req;

    for (u32 id = 0; id < RBD_SLOTS; id++) {
        struct rbd_part *p = &d->part[id];

        req = p->req;
        if (!req)
            continue;
        p->req = NULL;
        d->orphans++;
        if (d->wait_head == req) /* the rest of it is not asked for */
            d->wait_head = (struct disk_req *)req->priv[PRIV_NEXT];
        req->priv[PRIV_POS] = req->len;
        n += req->priv[PRIV_PARTS] == 1;
        rbd_part_over(d, req, err);
    }
    for (; (req = d->wait_head) != NULL; n++) {
        d->wait_head = (struct disk_req *)req->priv[PRIV_NEXT];
        req->done(req, err);
    }
    return n;
}

/* Nothing more will come of this disk. */
static void rbd_end(struct rbd_disk *d, s32 err)
{
    d->final = err < 0 ? err : -EIO; /* it ends, whatever is told */
    d->joined = false;
    rbd_let_go(d, d->final);
}

DEV_ONLY static void rbd_abandon(struct disk *disk)
{
    struct rbd_disk *d = rbd_of(disk);
    unsigned int n = rbd_let_go(d, -ECANCELED);

    if (n > 0)
        log_warn("drive %s: %u requests without an answer are given up; the "
                 "cluster may still do them",
                 d->name, n);
}

static void rbd_answer(struct rbd_disk *d, u32 id, s32 ret)
{
    struct rbd_part *p = &d->part[id];
    struct disk_req *req = p->req;

    p->in_flight = false;
    if (req && p->op == DISK_READ && ret == 0)
        part_copy(d, p);
    part_put(d, id);
    if (req)
        rbd_part_over(d, req, rbd_error(ret));
}

/* -EPROTO: an answer to what was not asked, or a list in a circle: what is
 * answered may be asked anew at once, in the same slot. */
static int rbd_reap(struct rbd_disk *d)
{
    u32 list = rbd_ring_take(d->ring);
    unsigned int n = 0;
    s32 ret = 0;
    int id;

    while ((id = rbd_ring_walk(d->ring, &list, &ret)) >= 0) {
        if (!d->part[id].in_flight || n++ == RBD_SLOTS)
            return -EPROTO;
        rbd_answer(d, (u32)id, ret);
    }
    return id == -2 ? -EPROTO : 0;
}

/*
 * After a burst: the worker, which may make that system call, gives the memory
 * of all chunks back that were in use. They are its own until it answers.
 */
static void rbd_release(struct rbd_disk *d)
{
    unsigned int left = RBD_CHUNKS - d->least_free;

    if (!d->joined || d->nr_free_slots < RBD_SLOTS || left <= RBD_KEEP)
        return;
    while (left > 0) {
        u32 id = d->free_slot[--d->nr_free_slots];
        struct rbd_part *p = &d->part[id];
        unsigned int nr = MIN(left, RBD_SLOT_CHUNKS);

        *p = (struct rbd_part){
            .op = DISK_READ, .in_flight = true, .release = true};
        part_take_chunks(d, p, (u8)nr);
        d->orphans++;
        part_publish(d, id);
        left -= nr;
    }
    d->least_free = RBD_CHUNKS;
}

/*
 * Another worker knows nothing of what the last one was asked. The guest has
 * had no answer, and requests in flight at once have no order.
 *
 * What the last one has answered is looked at once more: it is dead, so it is
 * the last of it; but this thread may have rested between its first look and
 * this one, for as long as a worker needs to start. What is in flight then has
 * no answer on the way that could be taken for the next one's.
 */
static int rbd_join(struct rbd_disk *d, u32 gen)
{
    int r = rbd_reap(d);

    if (r < 0)
        return r;
    d->gen = gen;
    d->joined = true;
    for (u32 id = 0; id < RBD_SLOTS; id++) {
        struct rbd_part *p = &d->part[id];

        if (p->in_flight && p->req)
            part_publish(d, id);
        else if (p->in_flight)
            part_put(d, id);
    }
    return 0;
}

static void rbd_look_at_size(struct rbd_disk *d)
{
    u64 size = atomic_load(&d->ring->size) / DISK_SECTOR * DISK_SECTOR;

    if (size == d->disk.info.size && !d->disk.info.opening)
        return;
    d->disk.info.opening = false;
    d->disk.info.size = size;
    if (d->disk.resized)
        d->disk.resized(d->disk.ctx);
}

/* -EPROTO: as rbd_reap(). */
static int rbd_look_at_state(struct rbd_disk *d)
{
    u32 state = atomic_load(&d->ring->state);
    u32 gen = atomic_load(&d->ring->gen) & 0xffff;

    if (d->final < 0)
        return 0;
    switch (state) {
    case RBD_READY:
        rbd_look_at_size(d);
        if (gen != d->gen)
            return rbd_join(d, gen);
        d->joined = true;
        break;
    case RBD_FAILED:
    case RBD_LATCHED:
        rbd_end(d, rbd_error(atomic_load(&d->ring->err)));
        if (d->disk.info.opening && d->disk.lost)
            d->disk.lost(d->disk.ctx);
        break;
    default: /* DEAD, STARTING: wait for what comes */
        d->joined = false;
    }
    return 0;
}

static void rbd_look_at_flags(struct rbd_disk *d)
{
    _Atomic(u32) *flags = &d->ring->flags;

    if (!(atomic_load_explicit(flags, memory_order_relaxed) & RBD_F_IDLE))
        return;
    atomic_fetch_and(flags, ~(u32)RBD_F_IDLE);
    rbd_release(d);
}

DEV_ONLY static void rbd_look(struct rbd_disk *d)
{
    int r = rbd_reap(d);

    if (r == 0)
        r = rbd_look_at_state(d);
    if (r < 0) {
        log_error("drive %s: its worker broke the rules of the ring", d->name);
        rbd_end(d, -EIO);
    }
    rbd_pump(d);
    rbd_look_at_flags(d);
    rbd_kick(&d->disk);
    if (d->disk.answered)
        d->disk.answered(d->disk.ctx);
}

/* What is answered meanwhile is looked at once more; not for ever, since others
 * wait for this thread. */
DEV_ONLY static void rbd_on_done(struct loop_fd *lf, u32 events)
{
    struct rbd_disk *d = container_of(lf, struct rbd_disk, done);
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    atomic_store_explicit(&d->ring->reaping, 1, memory_order_relaxed);
    rbd_look(d);
    rbd_ring_rest(&d->ring->reaping);
    if (rbd_ring_answered(d->ring))
        rbd_look(d);
}

/* ---- life ---------------------------------------------------------------- */

static int rbd_attach(struct disk *disk, struct loop *loop)
{
    return loop_add(loop, &rbd_of(disk)->done, EPOLLIN);
}

static void rbd_free(struct disk *disk)
{
    struct rbd_disk *d = rbd_of(disk);

    if (d->done.loop)
        loop_del(&d->done);
    close(d->done.fd);
    close(d->submit_fd);
    munmap(d->ring, RBD_RING_SIZE);
    free(d);
}

static const struct disk_ops rbd_ops = {
    .name = "rbd",
    .filter = FILTER_RBD,
    .attach = rbd_attach,
    .submit = rbd_submit,
    .kick = rbd_kick,
    .abandon = rbd_abandon,
    .free = rbd_free,
};

static void rbd_init(struct rbd_disk *d, const struct rbd_disk_options *opt)
{
    snprintf(d->name, sizeof(d->name), "%s", opt->name);
    d->submit_fd = opt->submit_fd;
    d->done = (struct loop_fd){.fd = opt->done_fd, .fn = rbd_on_done};
    d->disk = (struct disk){
        .ops = &rbd_ops,
        .info = {.read_only = opt->read_only,
                 .opening = true,
                 .discard = true,
                 .zeroes = true,
                 .block_size = DISK_SECTOR,
                 .physical_exp = 3, /* 4 KiB */
                 .discard_align = 64 * KIB / DISK_SECTOR,
                 .depth = RBD_SLOTS},
    };
    for (u16 i = 0; i < RBD_SLOTS; i++)
        d->free_slot[d->nr_free_slots++] = i;
    for (u16 i = 0; i < RBD_CHUNKS; i++)
        d->free_chunk[d->nr_free_chunks++] = i;
    d->least_free = RBD_CHUNKS;
}

int rbd_disk_new(struct disk **out, const struct rbd_disk_options *opt)
{
    struct rbd_disk *d = calloc(1, sizeof(*d));

    if (!d)
        return fail(-ENOMEM, "drive %s", opt->name);
    d->ring = mmap(NULL, RBD_RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                   opt->ring_fd, 0);
    if (d->ring == MAP_FAILED) {
        free(d);
        return fail(-errno, "drive %s: mmap of its ring", opt->name);
    }
    close(opt->ring_fd);
    rbd_init(d, opt);
    *out = &d->disk;
    return 0;
}
