/* SPDX-License-Identifier: Apache-2.0 */
/* identify.c: files that are looked at, not loaded: which kernel is it, and
 * what is in a module? */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/log.h"

#include "load.h"

/* linux_banner, in a kernel's read-only data: behind its code, and before what
 * debuggers want. */
#define BANNER       "Linux version "
#define BANNER_LEN   (sizeof(BANNER) - 1)
#define BANNER_CHUNK (256 * KIB)
#define BANNER_MAX   (64 * MIB)

/* Chunks overlap by the longest banner: one that begins before the step is
 * whole in its chunk. */
#define BANNER_TEXT sizeof(((struct loader_identity *)0)->version)
#define BANNER_STEP (BANNER_CHUNK - BANNER_LEN - BANNER_TEXT)

/* The banner, and not the text that prints one: a digit comes next. */
static const char *banner_find(const char *p, size_t len)
{
    const char *end = p + len;

    while ((p = memmem(p, (size_t)(end - p), BANNER, BANNER_LEN))) {
        p += BANNER_LEN;
        if (p < end && *p >= '0' && *p <= '9')
            return p;
    }
    return NULL;
}

static void banner_copy(char *out, const char *p, const char *end)
{
    size_t n = 0;

    for (; p + n < end && n < BANNER_TEXT - 1; n++) {
        if (p[n] < ' ' || p[n] > '~')
            break;
        out[n] = p[n];
    }
    out[n] = '\0';
}

static int banner_scan(struct source *src, char *buf, char *out)
{
    const char *p;
    s64 n;

    for (u64 at = 0; at < MIN(src->end, BANNER_MAX); at += BANNER_STEP) {
        src->pos = at;
        n = source_read(src, buf, BANNER_CHUNK);
        if (n < 0)
            return (int)n;
        p = banner_find(buf, MIN((size_t)n, BANNER_STEP + BANNER_LEN));
        if (p) {
            banner_copy(out, p, buf + n);
            break;
        }
    }
    return 0;
}

static int banner_read(struct source *src, char *out)
{
    char *buf = malloc(BANNER_CHUNK);
    int r;

    if (!buf)
        return fail(-ENOMEM, "%s %s", src->what, src->path);
    r = banner_scan(src, buf, out);
    free(buf);
    return r;
}

int loader_identify(const struct loader_file *kernel,
                    struct loader_identity *out)
{
    struct kernel k = {0};
    struct bzimage bz;
    struct source src;
    int r;

    source_init(&src, kernel);
    r = loader_begin(&src, &bz, &k);
    if (r < 0)
        return r;
    out->format = k.format;
    memcpy(out->version, k.version, sizeof(out->version));
    if (r == PACK_NONE && bz.payload == 0)
        return banner_read(&src, out->version);
    return 0;
}

/* ---- a file into memory --------------------------------------------------
 */

#define HEAP_FIRST (64 * KIB)

struct heap {
    struct sink sink;
    const struct source *src; /* for messages */
    u8 *data;
    u64 len, cap, max;
};

static int heap_room(struct sink *sink, u8 **buf, u64 *len)
{
    struct heap *h = container_of(sink, struct heap, sink);
    u64 cap = MIN(h->cap ? 2 * h->cap : HEAP_FIRST, h->max);
    u8 *data;

    if (h->len == h->cap) {
        if (cap == h->cap)
            return source_bad(h->src, "has more than %llu bytes when unpacked",
                              (unsigned long long)h->max);
        data = realloc(h->data, cap);
        if (!data)
            return fail(-ENOMEM, "%s %s", h->src->what, h->src->path);
        h->data = data;
        h->cap = cap;
    }
    *buf = h->data + h->len;
    *len = h->cap - h->len;
    return 0;
}

static int heap_filled(struct sink *sink, u64 n)
{
    struct heap *h = container_of(sink, struct heap, sink);

    h->len += n;
    return 0;
}

int loader_unpack(const struct loader_file *file, u64 max, u8 **data, u64 *len)
{
    struct source src;
    struct heap h = {.sink = {.room = heap_room, .filled = heap_filled},
                     .src = &src,
                     .max = max};
    u8 head[SETUP_MAX];
    s64 n;
    int r;

    source_init(&src, file);
    n = source_read(&src, head, sizeof(head));
    if (n < 0)
        return (int)n;
    src.pos = 0;
    r = unpack_detect(head, (u64)n);
    if (r < 0)
        return source_bad(&src, "is %s", elf_guess(head, (u64)n));
    r = unpack(&src, (enum pack)r, &h.sink, UINT64_MAX);
    if (r < 0) {
        free(h.data);
        return r;
    }
    *data = h.data;
    *len = h.len;
    return 0;
}
