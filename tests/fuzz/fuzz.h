/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h: a fuzz target is fuzz_x.c with this one function: under libFuzzer by
 * "make fuzz T=x S=60", over the files of corpus/x and regress/x by
 * "make check" (replay.c). It asserts what must hold for any input, keeps no
 * state from one call to the next, and writes no log.
 */
#ifndef MOTE_FUZZ_H
#define MOTE_FUZZ_H

#include "mote/base.h"
#include "mote/log.h"
#include "mote/loop.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

/*
 * host.c: where the Makefile lets the code under test find clocks, randomness
 * and other threads. Time is what fuzz_now says and stands still; random bytes
 * are a sequence that starts at fuzz_seed; calls of a loop run at once, on the
 * one thread there is.
 */
extern u64 fuzz_now, fuzz_seed; /* ns of every clock; any number */

/* Serve what is ready on the loop until nothing is; a loop that does not come
 * to rest after max events is a bug. */
void fuzz_pump(struct loop *loop, unsigned int max);

/*
 * host_fd.c: eventfds, timerfds and epoll sets are none of the kernel's, and
 * neither are these: two ends of a stream that holds room bytes each way; what
 * accepts the callers of fuzz_call(), which returns the caller's end, -1: too
 * many wait.
 */
void fuzz_pair(int fd[2], u32 room);
int fuzz_door(void);
int fuzz_call(int door, u32 room);

/* host_file.c: another descriptor of the one regular file there is, closed by
 * close(); as it is before anybody has made it. */
int fuzz_file(void);
bool fuzz_is_file(int fd);
void fuzz_file_clear(void);

/* host_mem.c: what mmap() of this descriptor gives, for pages that come and go
 * with each input take longer than it does. */
extern struct fuzz_mapped {
    int fd; /* -1: none */
    void *at;
} fuzz_mapped;

/* assert() for calls that do something. */
#define must(call)                                                             \
    do {                                                                       \
        bool must_hold = (call);                                               \
        assert(must_hold);                                                     \
    } while (0)

static inline void fuzz_no_log(const char *text, size_t len)
{
}

/* The next n bytes of the input as a number, 0 beyond its end. */
struct fuzz_input {
    const u8 *at;
    size_t left;
};

static inline u64 fuzz_take(struct fuzz_input *in, size_t n)
{
    size_t have = MIN(n, in->left);
    u64 val = 0;

    if (have == 0)
        return 0;
    memcpy(&val, in->at, have);
    in->at += have;
    in->left -= have;
    return val;
}

/* The next bytes of the input as they are, *n of them at most. */
static inline const u8 *fuzz_bytes(struct fuzz_input *in, size_t *n)
{
    const u8 *at = in->at;

    *n = MIN(*n, in->left);
    in->at += *n;
    in->left -= *n;
    return at;
}

#endif
