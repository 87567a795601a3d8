/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_lz4.c: lz4 -l, as most kernels that shall boot quickly are packed. A
 * block can be unpacked in one piece only, of 8 MiB. So that this piece is
 * neither written twice nor more memory than the guest's, the packed block is
 * read behind the place where it is going to be, and unpacked from there.
 */
#define LZ4_STATIC_LINKING_ONLY /* for two macros, no function */
#include <lz4.h>
#include <stdlib.h>

#include "mote/log.h"

#include "unpack.h"

#define LZ4_LEGACY_MAGIC 0x184c2102u
#define LZ4_LEGACY_BLOCK (8u << 20)  /* what comes out of one, at most */
#define LZ4_PREVIEW      (32u * KIB) /* enough for lengths of several MiB, too */
#define LZ4_PACKED_MAX   ((u32)LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK))

/* Beside 0 and errors: the block has to be unpacked elsewhere and copied. */
#define LZ4_APART 1

struct lz4 {
    struct unpack *u;
    bool in_place; /* worth trying */
    u64 promised;  /* the size word, if there is one; else some number */
    u8 *packed;    /* and unpacked: what is not in place; made when needed */
};

/* A block's bytes, all of them. */
static int lz4_read(struct unpack *u, u8 *to, u32 len)
{
    s64 got = source_read(u->src, to, len);

    if (got < 0)
        return (int)got;
    return (u64)got < len ? unpack_truncated(u) : 0;
}

/* ---- in place ----------------------------------------------------------- */

static int lz4_read_promise(struct lz4 *z)
{
    struct source *src = z->u->src;
    u8 word[SIZE_WORD] = {0};
    u64 at = src->pos;
    s64 n;

    src->pos = src->end - SIZE_WORD;
    n = source_read(src, word, sizeof(word));
    src->pos = at;
    z->promised = le32_get(word);
    return n < 0 ? (int)n : 0;
}

/* What the first block begins with, to know where it goes. Of a part of a block
 * that may not come out, if it ends in the middle of a length; never mind. */
static int lz4_preview(struct lz4 *z, u32 len)
{
    struct unpack *u = z->u;
    u64 at = u->src->pos;
    s64 got = source_read(u->src, u->buf, MIN(len, LZ4_PREVIEW));
    int n;

    u->src->pos = at;
    if (got < 0)
        return (int)got;
    n = LZ4_decompress_safe_partial((const char *)u->buf, (char *)u->scratch,
                                    (int)got, SINK_PREVIEW, SINK_PREVIEW);
    if (n != SINK_PREVIEW)
        return 0;
    return u->sink->preview(u->sink, u->scratch);
}

/* What comes out of the next block if it is full, and the file does not lie. */
static u32 lz4_expected(const struct lz4 *z)
{
    u64 rest = z->promised - z->u->total;

    return z->promised > z->u->total ? (u32)MIN(rest, LZ4_LEGACY_BLOCK)
                                     : LZ4_LEGACY_BLOCK;
}

/* Not again after a block that was shorter: what is left of the window is
 * cleared, and nobody shall have that done often with little data. */
static int lz4_block_in_place(struct lz4 *z, u32 len)
{
    struct unpack *u = z->u;
    u32 cap = lz4_expected(z);
    u32 window = LZ4_DECOMPRESS_INPLACE_BUFFER_SIZE(cap);
    u8 *to = NULL, *from;
    int n, r;

    if (z->in_place && len < cap)
        to = u->sink->window(u->sink, window);
    if (!to)
        return LZ4_APART;
    from = to + window - len;
    r = lz4_read(u, from, len);
    if (r < 0)
        return r;
    n = LZ4_decompress_safe((const char *)from, (char *)to, (int)len, (int)cap);
    z->in_place = n == (int)cap;
    u->sink->settle(u->sink, n < 0 ? 0 : (u32)n);
    if (n >= 0)
        return unpack_count(u, (u32)n);
    u->src->pos -= len;
    return LZ4_APART; /* which tells what is wrong */
}

/* ---- apart -------------------------------------------------------------- */

/* Give n bytes at p to the sink. */
static int lz4_push(struct unpack *u, const u8 *p, u64 n)
{
    u64 part;
    int r = unpack_count(u, n);

    while (r == 0 && n > 0) {
        r = u->sink->room(u->sink, &u->out.p, &u->out.len);
        if (r < 0)
            return r;
        part = MIN(n, u->out.len);
        if (u->out.p)
            memcpy(u->out.p, p, part);
        r = u->sink->filled(u->sink, part);
        p += part;
        n -= part;
    }
    return r;
}

static int lz4_block_apart(struct lz4 *z, u32 len)
{
    struct unpack *u = z->u;
    u8 *to;
    int n, r;

    if (!z->packed)
        z->packed = malloc(LZ4_PACKED_MAX + LZ4_LEGACY_BLOCK);
    if (!z->packed)
        return fail(-ENOMEM, "unpacking %s", u->src->path);
    to = z->packed + LZ4_PACKED_MAX;
    r = lz4_read(u, z->packed, len);
    if (r < 0)
        return r;
    n = LZ4_decompress_safe((const char *)z->packed, (char *)to, (int)len,
                            (int)LZ4_LEGACY_BLOCK);
    return n < 0 ? unpack_bad(u) : lz4_push(u, to, (u64)n);
}

/* ---- all of it ---------------------------------------------------------- */

static int lz4_block(struct lz4 *z, u32 len)
{
    struct unpack *u = z->u;
    int r = 0;

    if (len == 0 || len > LZ4_PACKED_MAX)
        return unpack_bad(u);
    if (z->in_place && u->total == 0)
        r = lz4_preview(z, len);
    if (r == 0)
        r = lz4_block_in_place(z, len);
    return r == LZ4_APART ? lz4_block_apart(z, len) : r;
}

/*
 * The format has no end mark: it ends with the file, or with Linux's size word
 * (which is why a rest of that size is left alone). The magic number may come
 * again where two files were joined.
 */
static int lz4_blocks(struct lz4 *z)
{
    struct source *src = z->u->src;
    u32 len;
    s64 n;
    int r = 0;

    while (r == 0 && src->end - src->pos > SIZE_WORD) {
        n = source_read(src, &len, sizeof(len));
        if (n < 0)
            return (int)n;
        if (len != LZ4_LEGACY_MAGIC)
            r = lz4_block(z, len);
    }
    return r;
}

int unpack_lz4_legacy(struct unpack *u)
{
    struct lz4 z = {.u = u, .in_place = u->sink->window != NULL};
    int r = lz4_read_promise(&z);

    if (r == 0)
        r = lz4_blocks(&z);
    free(z.packed);
    return r;
}
