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

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

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

    memcpy(&val, in->at, have);
    in->at += have;
    in->left -= have;
    return val;
}

#endif
