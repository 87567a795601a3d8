/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c: guest RAM, and the only place that turns a gpa into a pointer */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mote/log.h"
#include "mote/mem.h"

#define MEM_SMALL (2 * MIB)

static void mem_layout(struct mem *m, u64 size)
{
    u64 low = MIN(size, MEM_LOW_END);

    m->size = size;
    m->nr_regions = 1;
    m->region[0] = (struct mem_region){.gpa = 0, .size = low};
    if (size > low) {
        m->nr_regions = 2;
        m->region[1] = (struct mem_region){
            .gpa = MEM_HIGH_BASE, .size = size - low, .offset = low};
    }
}

static int mem_map(struct mem *m)
{
    u8 *host = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (host == MAP_FAILED)
        return fail(-errno, "guest memory of %llu MiB: mmap",
                    (unsigned long long)(m->size / MIB));
    /* A core dump of the monitor must not hold a tenant's memory. */
    madvise(host, m->size, MADV_DONTDUMP);
    /* Where the host has them: a kernel is unpacked into nine huge pages in a
     * tenth of the time that 4,600 page faults take. But not for what is below,
     * where there are some tables. */
    madvise(host + MEM_SMALL, m->size - MEM_SMALL, MADV_HUGEPAGE);
    for (unsigned int i = 0; i < m->nr_regions; i++)
        m->region[i].host_base = host + m->region[i].offset;
    return 0;
}

int mem_new(struct mem **out, u64 size)
{
    struct mem *m;
    int r;

    if (size < MEM_SIZE_MIN || size > MEM_SIZE_MAX || size % PAGE_SIZE)
        return fail_rule(-EINVAL,
                         "guest memory: %llu bytes is not a multiple of 4 KiB "
                         "from 16 MiB to 512 GiB",
                         (unsigned long long)size);
    m = calloc(1, sizeof(*m));
    if (!m)
        return fail(-ENOMEM, "guest memory");
    mem_layout(m, size);
    r = mem_map(m);
    if (r < 0) {
        mem_free(m);
        return r;
    }
    *out = m;
    return 0;
}

int mem_adopt(struct mem *m, u64 gpa, int fd, u64 len)
{
    u8 *host = mem_range(m, gpa, len);

    assert(host && gpa % PAGE_SIZE == 0);
    /* Or an access behind a new end would be a fault of mote's. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
        return fail(-errno, "guest memory: seal a memfd");
    if (mmap(host, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
             0) == MAP_FAILED)
        return fail(-errno, "guest memory: mmap of %llu bytes of a memfd",
                    (unsigned long long)len);
    madvise(host, len, MADV_DONTDUMP);
    return 0;
}

void mem_free(struct mem *m)
{
    if (!m)
        return;
    if (m->region[0].host_base)
        munmap(m->region[0].host_base, m->size);
    free(m);
}

void *mem_range(const struct mem *m, u64 gpa, u64 len)
{
    for (unsigned int i = 0; i < m->nr_regions; i++) {
        const struct mem_region *r = &m->region[i];
        u64 off = gpa - r->gpa; /* wraps to a large value below the region */

        /* No sum of guest values before the check. */
        if (off < r->size && len <= r->size - off)
            return r->host_base + off;
    }
    return NULL;
}

int mem_read(const struct mem *m, u64 gpa, void *buf, u64 len)
{
    const void *p = mem_range(m, gpa, len);

    if (!p)
        return -EFAULT;
    memcpy(buf, p, len);
    return 0;
}

int mem_write(const struct mem *m, u64 gpa, const void *buf, u64 len)
{
    void *p = mem_range(m, gpa, len);

    if (!p)
        return -EFAULT;
    memcpy(p, buf, len);
    mem_code_written(m, gpa, len);
    return 0;
}

int mem_fill(const struct mem *m, u64 gpa, u8 byte, u64 len)
{
    void *p = mem_range(m, gpa, len);

    if (!p)
        return -EFAULT;
    memset(p, byte, len);
    mem_code_written(m, gpa, len);
    return 0;
}
