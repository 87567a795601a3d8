/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_mem.c: large blocks of memory, kept from one input to the next. ASan
 * maps each anew, shadow and all, which takes longer than most inputs do. The
 * block one asks for is a real one of just that size, and may not be touched
 * once it is freed. Decoders of files also come here.
 */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_createDCtx_advanced() */
#include <bzlib.h>
#include <lzma.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zstd.h>

#include "fuzz.h"

#define LARGE    (100 * KIB)
#define KEPT     16
#define LZMA_MAX (8 * MIB) /* windows above are refused, as above 192 MiB */

static struct kept {
    uintptr_t at; /* of a block in use: its complement, so leaks are seen */
    size_t size;  /* 0: nothing here */
    bool taken;
} kept[KEPT];
static unsigned int oldest; /* goes when there is no room */

struct fuzz_mapped fuzz_mapped = {-1, NULL};

void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *at, size_t len);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *at, size_t len);
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
lzma_ret __real_lzma_alone_decoder(lzma_stream *l, uint64_t limit);
lzma_ret __real_lzma_stream_decoder(lzma_stream *l, uint64_t limit, u32 flags);
int __real_BZ2_bzDecompressInit(bz_stream *b, int verbosity, int small);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
lzma_ret __wrap_lzma_alone_decoder(lzma_stream *l, uint64_t limit);
lzma_ret __wrap_lzma_stream_decoder(lzma_stream *l, uint64_t limit, u32 flags);
int __wrap_BZ2_bzDecompressInit(bz_stream *b, int verbosity, int small);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);

/* Where p is, if it is one of these. */
static struct kept *kept_find(const void *p)
{
    uintptr_t at = (uintptr_t)p;

    for (unsigned int i = 0; i < KEPT; i++)
        if (kept[i].size && kept[i].at == (kept[i].taken ? ~at : at))
            return &kept[i];
    return NULL;
}

/* A place for one more, or NULL: all are in use. */
static struct kept *kept_place(void)
{
    for (unsigned int i = 0; i < KEPT; i++)
        if (!kept[i].size)
            return &kept[i];
    for (unsigned int i = 0; i < KEPT; i++) {
        struct kept *k = &kept[oldest++ % KEPT];

        if (k->taken)
            continue;
        ASAN_UNPOISON_MEMORY_REGION((void *)k->at, k->size);
        __real_free((void *)k->at);
        k->size = 0;
        return k;
    }
    return NULL;
}

static void *kept_take(size_t size)
{
    for (unsigned int i = 0; i < KEPT; i++) {
        struct kept *k = &kept[i];

        if (k->size != size || k->taken)
            continue;
        ASAN_UNPOISON_MEMORY_REGION((void *)k->at, size);
        k->at = ~k->at;
        k->taken = true;
        return (void *)~k->at;
    }
    return NULL;
}

static void *kept_new(void *p, size_t size)
{
    struct kept *k = p ? kept_place() : NULL;

    if (k)
        *k = (struct kept){~(uintptr_t)p, size, true};
    return p;
}

void *__wrap_malloc(size_t size)
{
    void *p;

    if (size < LARGE)
        return __real_malloc(size);
    p = kept_take(size);
    return p ? p : kept_new(__real_malloc(size), size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    size_t all;
    void *p;

    if (__builtin_mul_overflow(n, size, &all) || all < LARGE)
        return __real_calloc(n, size);
    p = kept_take(all);
    return p ? memset(p, 0, all) : kept_new(__real_calloc(n, size), all);
}

/* What grows is not kept. */
void *__wrap_realloc(void *p, size_t size)
{
    struct kept *k = p ? kept_find(p) : NULL;

    if (k)
        k->size = 0;
    return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
    struct kept *k = p ? kept_find(p) : NULL;

    if (!k) {
        __real_free(p);
        return;
    }
    assert(k->taken); /* freed twice */
    k->at = ~k->at;
    k->taken = false;
    ASAN_POISON_MEMORY_REGION(p, k->size);
}

/* ---- a mapping that stays ----------------------------------------------- */

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    if (fd >= 0 && fd == fuzz_mapped.fd)
        return fuzz_mapped.at;
    return __real_mmap(at, len, prot, flags, fd, off);
}

int __wrap_munmap(void *at, size_t len)
{
    return at == fuzz_mapped.at ? 0 : __real_munmap(at, len);
}

/* ---- decoders, whose libraries call malloc() beyond the linker's reach -- */

static void *lzma_take(void *opaque, size_t n, size_t size)
{
    return __wrap_malloc(n * size);
}

static void lzma_give(void *opaque, void *p)
{
    __wrap_free(p);
}

static const lzma_allocator lzma_kept = {.alloc = lzma_take, .free = lzma_give};

lzma_ret __wrap_lzma_alone_decoder(lzma_stream *l, uint64_t limit)
{
    l->allocator = &lzma_kept;
    return __real_lzma_alone_decoder(l, MIN(limit, (uint64_t)LZMA_MAX));
}

lzma_ret __wrap_lzma_stream_decoder(lzma_stream *l, uint64_t limit, u32 flags)
{
    l->allocator = &lzma_kept;
    return __real_lzma_stream_decoder(l, MIN(limit, (uint64_t)LZMA_MAX), flags);
}

static void *bz_take(void *opaque, int n, int size)
{
    return __wrap_malloc((size_t)n * (size_t)size);
}

static void bz_give(void *opaque, void *p)
{
    __wrap_free(p);
}

int __wrap_BZ2_bzDecompressInit(bz_stream *b, int verbosity, int small)
{
    b->bzalloc = bz_take;
    b->bzfree = bz_give;
    return __real_BZ2_bzDecompressInit(b, verbosity, small);
}

static void *zstd_take(void *opaque, size_t size)
{
    return __wrap_malloc(size);
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return ZSTD_createDCtx_advanced(
        (ZSTD_customMem){zstd_take, lzma_give, NULL});
}
