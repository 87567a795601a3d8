/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.h: what the decoders of unpack.c and unpack_lz4.c share */
#ifndef MOTE_LOADER_UNPACK_H
#define MOTE_LOADER_UNPACK_H

#include "load.h"

#define UNPACK_BUF (128 * KIB)
#define SIZE_WORD  4u /* the unpacked length, which may end a file */

struct span {
    u8 *p;
    u64 len;
};

struct unpack {
    struct source *src;
    struct sink *sink;
    const struct codec *codec;
    u64 limit;
    u64 total; /* bytes that came out */
    struct span in;
    struct span out;
    u8 *buf;     /* UNPACK_BUF bytes for input */
    u8 *scratch; /* and for unwanted output */
};

/* -ENOEXEC, reported: the data is not what it says it is; it is cut off. */
int unpack_bad(const struct unpack *u);
int unpack_truncated(const struct unpack *u);

/* n more bytes come out: not more than guest RAM could hold at all, so that a
 * small file cannot keep the host busy for ever. 0 or -ENOEXEC, reported. */
int unpack_count(struct unpack *u, u64 n);

/* Blocks, as lz4 -l makes them, up to the end of the file or the size word in
 * front of it. 0 or negative, reported. */
int unpack_lz4_legacy(struct unpack *u);

#endif
