/* SPDX-License-Identifier: Apache-2.0 */
/* initrd.c: the initial RAM disk, as high in low RAM as the kernel allows */
#include "mote/log.h"

#include "load.h"

/* The lowest page that may hold it, given where the kernel ends. */
static int initrd_place(const struct mem *m, const struct source *src,
                        const struct kernel *k, u64 *gpa)
{
    u64 top = MIN(loader_low_ram(m), k->initrd_max + 1);
    u64 bottom, need;

    if (!align_up(k->end, PAGE_SIZE, &bottom) ||
        __builtin_add_overflow(bottom, src->end + PAGE_SIZE - 1, &need))
        return source_bad(src, "%llu bytes are too many",
                          (unsigned long long)src->end);
    if (src->end > top || (*gpa = (top - src->end) & ~(PAGE_SIZE - 1)) < bottom)
        return loader_no_room(src->what, src->path, need, m->size);
    return 0;
}

int initrd_load(struct mem *m, const struct loader_file *file,
                const struct kernel *k, u64 *gpa, u64 *len)
{
    struct source src;
    s64 n = 0;
    int r;

    source_init(&src, file);
    *len = src.end;
    r = initrd_place(m, &src, k, gpa);
    if (r == 0)
        n = source_read(&src, mem_range(m, *gpa, *len), *len);
    if (r == 0 && n >= 0)
        mem_code_written(m, *gpa, *len);
    return r < 0 ? r : n < 0 ? (int)n : 0;
}
