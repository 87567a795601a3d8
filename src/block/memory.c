/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: a disk of zeros in memory, for tests and benchmarks */
#include <stdlib.h>
#include <sys/mman.h>

#include "mote/disk.h"
#include "mote/log.h"

#define MEMORY_DEPTH 1024u

struct memory_disk {
    struct disk disk;
    u8 *data;
};

static void memory_transfer(u8 *data, const struct disk_req *req)
{
    for (unsigned int i = 0; i < req->nr_iov; i++) {
        const struct iovec *v = &req->iov[i];

        if (req->op == DISK_READ)
            memcpy(v->iov_base, data, v->iov_len);
        else
            memcpy(data, v->iov_base, v->iov_len);
        data += v->iov_len;
    }
}

static int memory_do(struct memory_disk *m, const struct disk_req *req)
{
    u64 size = m->disk.info.size;

    if (req->op == DISK_FLUSH)
        return 0;
    if (req->off > size || req->len > size - req->off)
        return -EIO;
    if (req->op == DISK_READ || req->op == DISK_WRITE)
        memory_transfer(m->data + req->off, req);
    else
        memset(m->data + req->off, 0, req->len);
    return 0;
}

static void memory_submit(struct disk *d, struct disk_req *req)
{
    req->done(req, memory_do(container_of(d, struct memory_disk, disk), req));
}

static int memory_attach(struct disk *d, struct loop *loop)
{
    return 0;
}

static void memory_free(struct disk *d)
{
    struct memory_disk *m = container_of(d, struct memory_disk, disk);

    munmap(m->data, MAX(d->info.size, 1ull));
    free(m);
}

static const struct disk_ops memory_ops = {
    .name = "memory",
    .filter = FILTER_RBD, /* no system calls of its own either */
    .attach = memory_attach,
    .submit = memory_submit,
    .free = memory_free,
};

int memory_disk_new(struct disk **out, u64 size)
{
    struct memory_disk *m = calloc(1, sizeof(*m));

    if (!m)
        return fail(-ENOMEM, "memory disk");
    size = size / DISK_SECTOR * DISK_SECTOR;
    m->data = mmap(NULL, MAX(size, 1ull), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->data == MAP_FAILED) {
        free(m);
        return fail(-ENOMEM, "memory disk of %llu bytes",
                    (unsigned long long)size);
    }
    madvise(m->data, size, MADV_HUGEPAGE); /* random access */
    m->disk = (struct disk){
        .ops = &memory_ops,
        .info = {.size = size,
                 .discard = true,
                 .zeroes = true,
                 .block_size = DISK_SECTOR,
                 .discard_align = 1,
                 .depth = MEMORY_DEPTH},
    };
    *out = &m->disk;
    return 0;
}
