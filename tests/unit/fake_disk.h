/* SPDX-License-Identifier: Apache-2.0 */
/* fake_disk.h: a disk that fails, and holds requests back, as it is told */
#ifndef MOTE_FAKE_DISK_H
#define MOTE_FAKE_DISK_H

#include <sys/eventfd.h>

#include "blk_rig.h"

struct fake {
    struct disk disk;
    struct loop_fd event; /* eventfd: let go of so many */
    struct disk_req *held[64];
    _Atomic(unsigned int) nr_held, most_held, flushes, ops;
    _Atomic(int) err; /* of every request */
    bool hold;        /* keep them until told */
    bool lets_go;     /* ... or until nobody waits */
    bool *freed;
};

static inline void fake_answer(struct fake *f, struct disk_req *req)
{
    atomic_fetch_add(req->op == DISK_FLUSH ? &f->flushes : &f->ops, 1);
    req->done(req, f->err);
}

static inline void fake_submit(struct disk *d, struct disk_req *req)
{
    struct fake *f = container_of(d, struct fake, disk);

    if (!f->hold) {
        fake_answer(f, req);
        return;
    }
    ck_assert_uint_lt(f->nr_held, ARRAY_SIZE(f->held));
    f->held[f->nr_held++] = req;
    f->most_held = MAX(f->most_held, f->nr_held);
}

static inline void fake_event(struct loop_fd *lf, u32 events)
{
    struct fake *f = container_of(lf, struct fake, event);
    u64 n;

    ck_assert_int_eq(read(lf->fd, &n, sizeof(n)), sizeof(n));
    for (; n && f->nr_held; n--) {
        struct disk_req *req = f->held[0];

        f->nr_held--;
        memmove(f->held, f->held + 1, f->nr_held * sizeof(f->held[0]));
        fake_answer(f, req);
    }
    f->disk.answered(f->disk.ctx);
}

static inline int fake_attach(struct disk *d, struct loop *loop)
{
    return loop_add(loop, &container_of(d, struct fake, disk)->event, EPOLLIN);
}

static inline void fake_free(struct disk *d)
{
    struct fake *f = container_of(d, struct fake, disk);

    loop_del(&f->event);
    close(f->event.fd);
}

static inline void fake_let_go(struct fake *f, u64 n)
{
    ck_assert_int_eq(write(f->event.fd, &n, sizeof(n)), sizeof(n));
}

static inline void fake_abandon(struct disk *d)
{
    struct fake *f = container_of(d, struct fake, disk);

    while (f->lets_go && f->nr_held > 0)
        f->held[--f->nr_held]->done(f->held[f->nr_held], -ECANCELED);
}

static const struct disk_ops fake_ops = {
    .name = "fake",
    .attach = fake_attach,
    .submit = fake_submit,
    .abandon = fake_abandon,
    .free = fake_free,
};

static inline void fake_init(struct fake *f)
{
    *f = (struct fake){
        .disk = {.ops = &fake_ops,
                 .info = {.size = SIZE,
                          .discard = true,
                          .zeroes = true,
                          .block_size = 512,
                          .depth = 4}},
        .event = {.fd = eventfd(0, 0), .fn = fake_event},
    };
}

#endif
