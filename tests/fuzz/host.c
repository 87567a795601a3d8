/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: one thread, a clock that stands still, random bytes that repeat. The
 * Makefile's FUZZWRAP names what the linker diverts to here. */
#include <sys/random.h>
#include <time.h>

#include "fuzz.h"

#define HOST_BATCH 16

u64 fuzz_now = 1000000000u, fuzz_seed;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
void __wrap_loop_post(struct loop *loop, struct loop_call *call);
int __wrap_loop_call(struct loop *loop, struct loop_call *call);
int __wrap_loop_wait(struct loop *loop, struct loop_call *call,
                     unsigned int timeout_ms);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    *ts = (struct timespec){.tv_sec = (time_t)(fuzz_now / 1000000000u),
                            .tv_nsec = (long)(fuzz_now % 1000000000u)};
    return 0;
}

/* Now and then less than was asked for, or nothing. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
    u8 *p = buf;

    fuzz_seed = fuzz_seed * 6364136223846793005u + 1442695040888963407u;
    if (fuzz_seed >> 60 == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (fuzz_seed >> 60 == 1)
        len = (len + 1) / 2;
    for (size_t i = 0; i < len; i++)
        p[i] = (u8)(fuzz_seed >> 32) ^ (u8)(i * 29);
    return (ssize_t)len;
}

void __wrap_loop_post(struct loop *loop, struct loop_call *call)
{
    call->done = false;
    call->fn(call);
}

/* Nobody else could end it later: a wait that would not end is a bug. */
int __wrap_loop_wait(struct loop *loop, struct loop_call *call,
                     unsigned int timeout_ms)
{
    assert(call->done);
    return call->result;
}

int __wrap_loop_call(struct loop *loop, struct loop_call *call)
{
    __wrap_loop_post(loop, call);
    return __wrap_loop_wait(loop, call, 0);
}

void fuzz_pump(struct loop *loop, unsigned int max)
{
    struct epoll_event ev[HOST_BATCH];
    unsigned int events = 0;
    int n;

    while ((n = epoll_wait(loop->epfd, ev, HOST_BATCH, 0)) > 0) {
        for (int i = 0; i < n; i++) {
            struct loop_fd *lf = ev[i].data.ptr;

            if (lf->loop)
                lf->fn(lf, ev[i].events);
        }
        events += (unsigned int)n;
        assert(events <= max);
    }
}
