/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.c: compressed kernels as a stream */
#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "mote/log.h"

#include "unpack.h"

#define UNPACK_OUT_MAX (16 * MIB) /* zlib and bzip2 count in unsigned int */

/* Dictionary sizes are the file's choice: the kernel's own builds use up to
 * 128 MiB (xz and zstd), nothing sensible needs more. */
#define UNPACK_WINDOW_LOG 27
#define UNPACK_LZMA_LIMIT (192 * MIB)

enum step {
    STEP_MORE,
    STEP_END,
    STEP_BAD,    /* not this format, or a check sum does not match */
    STEP_MEMORY, /* the file asks for too large a window, or malloc failed */
};

struct codec {
    const char *name;
    u8 magic[UNPACK_MAGIC_MAX];
    u8 magic_len;
    int (*start)(void **state); /* 0 or -ENOMEM */
    /* Take from in, put into out, advance both. */
    enum step (*step)(void *state, struct span *in, struct span *out);
    void (*stop)(void *state);
};

static void span_skip(struct span *s, u64 n)
{
    s->p += n;
    s->len -= n;
}

/* gzip --------------------------------------------------------------------- */

static int gzip_start(void **state)
{
    z_stream *z = calloc(1, sizeof(*z));

    if (!z || inflateInit2(z, 16 + MAX_WBITS) != Z_OK) { /* 16: gzip only */
        free(z);
        return -ENOMEM;
    }
    *state = z;
    return 0;
}

static enum step gzip_step(void *state, struct span *in, struct span *out)
{
    z_stream *z = state;
    int r;

    z->next_in = in->p;
    z->avail_in = (uInt)in->len;
    z->next_out = out->p;
    z->avail_out = (uInt)out->len;
    r = inflate(z, Z_NO_FLUSH);
    span_skip(in, in->len - z->avail_in);
    span_skip(out, out->len - z->avail_out);
    if (r == Z_STREAM_END)
        return STEP_END;
    if (r == Z_MEM_ERROR)
        return STEP_MEMORY;
    return r == Z_OK || r == Z_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static void gzip_stop(void *state)
{
    inflateEnd(state);
    free(state);
}

/* xz and lzma -------------------------------------------------------------- */

static int lzma_begin(void **state, bool alone)
{
    lzma_stream *l = calloc(1, sizeof(*l));
    lzma_ret r;

    if (!l)
        return -ENOMEM;
    r = alone ? lzma_alone_decoder(l, UNPACK_LZMA_LIMIT)
              : lzma_stream_decoder(l, UNPACK_LZMA_LIMIT, 0);
    if (r != LZMA_OK) {
        free(l);
        return -ENOMEM;
    }
    *state = l;
    return 0;
}

static int xz_start(void **state)
{
    return lzma_begin(state, false);
}

static int lzma_start(void **state)
{
    return lzma_begin(state, true);
}

static enum step lzma_step(void *state, struct span *in, struct span *out)
{
    lzma_stream *l = state;
    lzma_ret r;

    l->next_in = in->p;
    l->avail_in = in->len;
    l->next_out = out->p;
    l->avail_out = out->len;
    r = lzma_code(l, LZMA_RUN);
    span_skip(in, in->len - l->avail_in);
    span_skip(out, out->len - l->avail_out);
    if (r == LZMA_STREAM_END)
        return STEP_END;
    if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
        return STEP_MEMORY;
    return r == LZMA_OK || r == LZMA_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static void lzma_stop(void *state)
{
    lzma_end(state);
    free(state);
}

/* bzip2 -------------------------------------------------------------------- */

static int bzip2_start(void **state)
{
    bz_stream *b = calloc(1, sizeof(*b));

    if (!b || BZ2_bzDecompressInit(b, 0, 0) != BZ_OK) {
        free(b);
        return -ENOMEM;
    }
    *state = b;
    return 0;
}

static enum step bzip2_step(void *state, struct span *in, struct span *out)
{
    bz_stream *b = state;
    int r;

    b->next_in = (char *)in->p;
    b->avail_in = (unsigned int)in->len;
    b->next_out = (char *)out->p;
    b->avail_out = (unsigned int)out->len;
    r = BZ2_bzDecompress(b);
    span_skip(in, in->len - b->avail_in);
    span_skip(out, out->len - b->avail_out);
    if (r == BZ_STREAM_END)
        return STEP_END;
    if (r == BZ_MEM_ERROR)
        return STEP_MEMORY;
    return r == BZ_OK ? STEP_MORE : STEP_BAD;
}

static void bzip2_stop(void *state)
{
    BZ2_bzDecompressEnd(state);
    free(state);
}

/* zstd --------------------------------------------------------------------- */

static int zstd_start(void **state)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();

    if (!d)
        return -ENOMEM;
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, UNPACK_WINDOW_LOG);
    *state = d;
    return 0;
}

static enum step zstd_step(void *state, struct span *in, struct span *out)
{
    ZSTD_inBuffer ib = {in->p, in->len, 0};
    ZSTD_outBuffer ob = {out->p, out->len, 0};
    size_t r = ZSTD_decompressStream(state, &ob, &ib);

    span_skip(in, ib.pos);
    span_skip(out, ob.pos);
    if (!ZSTD_isError(r))
        return r == 0 ? STEP_END : STEP_MORE;
    switch (ZSTD_getErrorCode(r)) {
    case ZSTD_error_frameParameter_windowTooLarge:
    case ZSTD_error_memory_allocation:
        return STEP_MEMORY;
    default:
        return STEP_BAD;
    }
}

static void zstd_stop(void *state)
{
    ZSTD_freeDCtx(state);
}

/* lz4's present frame format ----------------------------------------------- */

static int lz4_start(void **state)
{
    LZ4F_dctx *d;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)))
        return -ENOMEM;
    *state = d;
    return 0;
}

static enum step lz4_step(void *state, struct span *in, struct span *out)
{
    size_t taken = in->len, made = out->len;
    size_t r = LZ4F_decompress(state, out->p, &made, in->p, &taken, NULL);

    if (LZ4F_isError(r))
        return STEP_BAD;
    span_skip(in, taken);
    span_skip(out, made);
    return r == 0 ? STEP_END : STEP_MORE;
}

static void lz4_stop(void *state)
{
    LZ4F_freeDecompressionContext(state);
}

/* clang-format off */
static const struct codec unpack_codecs[PACK_NR] = {
    [PACK_NONE] = {"uncompressed", "\177ELF", 4, NULL, NULL, NULL},
    [PACK_GZIP] = {"gzip", "\x1f\x8b", 2, gzip_start, gzip_step, gzip_stop},
    [PACK_XZ] = {"xz", "\3757zXZ", 6, xz_start, lzma_step, lzma_stop},
    [PACK_LZMA] = {"lzma", "\x5d\0", 3, lzma_start, lzma_step, lzma_stop},
    [PACK_BZIP2] = {"bzip2", "BZh", 3, bzip2_start, bzip2_step, bzip2_stop},
    [PACK_ZSTD] = {"zstd", "\x28\xb5\x2f\xfd", 4, zstd_start, zstd_step,
                   zstd_stop},
    [PACK_LZ4_LEGACY] = {"lz4", "\x02\x21\x4c\x18", 4, NULL, NULL, NULL},
    [PACK_LZ4] = {"lz4", "\x04\x22\x4d\x18", 4, lz4_start, lz4_step, lz4_stop},
};
/* clang-format on */

int unpack_detect(const u8 *data, u64 len)
{
    for (int i = 0; i < PACK_NR; i++) {
        const struct codec *c = &unpack_codecs[i];

        if (len >= c->magic_len && !memcmp(data, c->magic, c->magic_len))
            return i;
    }
    return -ENOENT;
}

const char *unpack_name(enum pack pack)
{
    return unpack_codecs[pack].name;
}

int unpack_bad(const struct unpack *u)
{
    return source_bad(u->src, "%s data is corrupt, near byte %llu of the file",
                      u->codec->name,
                      (unsigned long long)(u->src->pos - u->in.len));
}

int unpack_truncated(const struct unpack *u)
{
    return source_bad(u->src,
                      "%s data ends too early, after %llu bytes came "
                      "out of it",
                      u->codec->name, (unsigned long long)u->total);
}

int unpack_count(struct unpack *u, u64 n)
{
    u->total += n;
    if (u->total <= u->limit)
        return 0;
    return source_bad(u->src,
                      "unpacks to more than the guest's %llu MiB of "
                      "memory",
                      (unsigned long long)(u->limit / MIB));
}

static int unpack_fill(struct unpack *u)
{
    s64 n = source_read(u->src, u->buf, UNPACK_BUF);

    if (n < 0)
        return (int)n;
    u->in = (struct span){u->buf, (u64)n};
    return 0;
}

/* Where the next bytes go: the sink's memory, or ours if it wants none. */
static int unpack_room(struct unpack *u)
{
    int r = u->sink->room(u->sink, &u->out.p, &u->out.len);

    if (u->out.p == NULL)
        u->out = (struct span){u->scratch, MIN(u->out.len, UNPACK_BUF)};
    u->out.len = MIN(u->out.len, UNPACK_OUT_MAX);
    return r;
}

static int unpack_step(struct unpack *u, void *state)
{
    u64 taken = u->in.len, made;
    enum step step;
    int r = unpack_room(u);

    if (r < 0)
        return r;
    made = u->out.len;
    step = u->codec->step(state, &u->in, &u->out);
    taken -= u->in.len;
    made -= u->out.len;
    if (step == STEP_BAD)
        return unpack_bad(u);
    if (step == STEP_MEMORY)
        return source_bad(u->src,
                          "%s data needs too much memory to unpack "
                          "(a window of 128 MiB is the most)",
                          u->codec->name);
    r = unpack_count(u, made);
    if (r == 0)
        r = u->sink->filled(u->sink, made);
    if (r == 0 && step == STEP_MORE && taken == 0 && made == 0)
        return u->in.len == 0 ? unpack_truncated(u) : unpack_bad(u);
    return r < 0 ? r : (int)step;
}

static int unpack_stream(struct unpack *u)
{
    void *state;
    int r = u->codec->start(&state);

    if (r < 0)
        return fail(r, "%s %s: starting the %s decoder", u->src->what,
                    u->src->path, u->codec->name);
    do {
        if (u->in.len == 0)
            r = unpack_fill(u);
        if (r == 0)
            r = unpack_step(u, state);
    } while (r == STEP_MORE);
    u->codec->stop(state);
    return r < 0 ? r : 0;
}

/* What the sink does not want is not read either. */
static int unpack_copy(struct unpack *u)
{
    s64 n;
    int r = 0;

    while (r == 0 && u->src->pos < u->src->end) {
        r = u->sink->room(u->sink, &u->out.p, &u->out.len);
        if (r < 0)
            return r;
        n = (s64)MIN(u->out.len, u->src->end - u->src->pos);
        if (u->out.p)
            n = source_read(u->src, u->out.p, (u64)n);
        else
            u->src->pos += (u64)n;
        r = n < 0 ? (int)n : u->sink->filled(u->sink, (u64)n);
    }
    return r;
}

/* Nothing may follow but the unpacked length, and then it must be right. */
static int unpack_rest(struct unpack *u)
{
    u64 rest = u->in.len + u->src->end - u->src->pos;
    u8 word[SIZE_WORD];
    s64 n;

    if (rest == 0)
        return 0;
    if (rest != SIZE_WORD)
        return source_bad(u->src, "%llu stray bytes after the %s data",
                          (unsigned long long)rest, u->codec->name);
    memcpy(word, u->in.p ? u->in.p : word, u->in.len);
    n = source_read(u->src, word + u->in.len, SIZE_WORD - u->in.len);
    if (n < 0)
        return (int)n;
    if (le32_get(word) != (u32)u->total)
        return source_bad(u->src,
                          "%s data unpacked to %llu bytes, but its "
                          "size word says %u",
                          u->codec->name, (unsigned long long)u->total,
                          le32_get(word));
    return 0;
}

static int unpack_run(struct unpack *u, enum pack pack)
{
    int r;

    if (pack == PACK_NONE)
        return unpack_copy(u);
    r = pack == PACK_LZ4_LEGACY ? unpack_lz4_legacy(u) : unpack_stream(u);
    return r < 0 ? r : unpack_rest(u);
}

int unpack(struct source *src, enum pack pack, struct sink *sink, u64 limit)
{
    struct unpack u = {.src = src, .sink = sink, .limit = limit};
    int r;

    u.codec = &unpack_codecs[pack];
    u.buf = malloc(2 * UNPACK_BUF);
    if (!u.buf)
        return fail(-ENOMEM, "unpacking %s", src->path);
    u.scratch = u.buf + UNPACK_BUF;
    r = unpack_run(&u, pack);
    free(u.buf);
    return r;
}
