/* SPDX-License-Identifier: Apache-2.0 */
/* initrd.c: the initial RAM disk, as high in low RAM as the kernel allows */
#include "mote/log.h"

#include "load.h"

#define INITRD_ALIGN(gpa) ((gpa) & ~(PAGE_SIZE - 1))

u64 loader_initrd_gpa(const struct mem *m, u64 len)
{
    u64 top = MIN(loader_low_ram(m), INITRD_MAX + 1);

    return len > top ? 0 : INITRD_ALIGN(top - len);
}

/* Where it goes, given where the kernel ends and, unless 0, where it is. */
static int initrd_place(const struct mem *m, const struct source *src, u64 at,
                        const struct kernel *k, u64 *gpa)
{
    u64 top = MIN(loader_low_ram(m), k->initrd_max + 1);
    u64 bottom, need;

    if (!align_up(k->end, PAGE_SIZE, &bottom) ||
        __builtin_add_overflow(bottom, src->end + PAGE_SIZE - 1, &need))
        return source_bad(src, "%llu bytes are too many",
                          (unsigned long long)src->end);
    if (at)
        top = MIN(top, at + src->end);
    if (src->end > top || (*gpa = INITRD_ALIGN(top - src->end)) < bottom)
        return loader_no_room(src->what, src->path, need, m->size);
    return 0;
}

/* Down, and what it leaves is zero, as all RAM that nobody has asked for. */
static void initrd_move(struct mem *m, u64 from, u64 to, u64 len)
{
    u64 left = MAX(from, to + len);

    memmove(mem_range(m, to, len), mem_range(m, from, len), len);
    mem_code_written(m, to, len);
    mem_fill(m, left, 0, from + len - left);
}

static int initrd_read(struct mem *m, struct source *src, u64 gpa)
{
    s64 n = source_read(src, mem_range(m, gpa, src->end), src->end);

    if (n < 0)
        return (int)n;
    mem_code_written(m, gpa, src->end);
    return 0;
}

int initrd_load(struct mem *m, const struct loader_file *file, u64 at,
                const struct kernel *k, u64 *gpa, u64 *len)
{
    struct source src;
    int r;

    source_init(&src, file);
    *len = src.end;
    r = initrd_place(m, &src, at, k, gpa);
    if (r < 0)
        return r;
    if (!at)
        return initrd_read(m, &src, *gpa);
    if (at != *gpa)
        initrd_move(m, at, *gpa, *len);
    return 0;
}
