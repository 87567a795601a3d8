/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h: guest RAM, one mapping, anonymous but for what mem_adopt() takes in.
 * The map is fixed by mem_new() and never changes, so every function here may
 * be called from any thread. A guest address is a u64 gpa; a pointer from
 * mem_range() dies with the statement block that asked for it (sole exception:
 * the interpreter's TLB).
 */
#ifndef MOTE_MEM_H
#define MOTE_MEM_H

#include "mote/base.h"

#define MEM_LOW_END    0xc0000000ull  /* RAM stops at 3 GiB ... */
#define MEM_HIGH_BASE  0x100000000ull /* ... and goes on at 4 GiB */
#define MEM_SIZE_MIN   (16 * MIB)
#define MEM_SIZE_MAX   (512 * GIB)
#define MEM_REGION_MAX 2

struct mem_region {
    u64 gpa;
    u64 size;
    u8 *host_base; /* read by src/kvm for memory slots, by nobody else */
    u64 offset;    /* of this region in the mapping */
};

/* Told after somebody but the vCPU itself has written [gpa, gpa + len). */
typedef void mem_written_fn(void *ctx, u64 gpa, u64 len);

struct mem {
    u64 size;
    unsigned int nr_regions;
    struct mem_region region[MEM_REGION_MAX];
    mem_written_fn *written; /* set once, before the first vCPU runs */
    void *written_ctx;
};

/*
 * RAM of size bytes (a multiple of 4 KiB in MEM_SIZE_MIN..MEM_SIZE_MAX), zero,
 * not yet backed by pages. 0 or a negative errno, already reported.
 */
int mem_new(struct mem **out, u64 size);

/*
 * The content of a memfd, len bytes, becomes RAM from gpa on, a page's address,
 * and its pages become RAM's. It is sealed against getting shorter; who still
 * has it open sees what the guest does. Before anything is in RAM. 0 or a
 * negative errno, already reported.
 */
int mem_adopt(struct mem *m, u64 gpa, int fd, u64 len);

void mem_free(struct mem *m);

/* Host address of [gpa, gpa + len), or NULL unless all of it is RAM in one
 * region. len 0 is answered for an address that is RAM. */
void *mem_range(const struct mem *m, u64 gpa, u64 len);

/* Copies; -EFAULT, and nothing copied, unless the whole range is RAM. */
int mem_read(const struct mem *m, u64 gpa, void *buf, u64 len);
int mem_write(const struct mem *m, u64 gpa, const void *buf, u64 len);
int mem_fill(const struct mem *m, u64 gpa, u8 byte, u64 len);

/*
 * To be called after writing through a mem_range() pointer: the interpreter
 * drops the code it has decoded from these bytes. Nothing happens under KVM.
 */
static inline void mem_code_written(const struct mem *m, u64 gpa, u64 len)
{
    if (unlikely(m->written != NULL))
        m->written(m->written_ctx, gpa, len);
}

#endif
