/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.c: any bytes as each kind of compressed data: cuts, bombs, lies. What
 * comes out is never more than the limit and what was under way. Input: flags
 * with the size of the sink's pieces, then the file.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "loader/load.h"

#define LIMIT (256 * KIB)

static struct counter {
    struct sink sink;
    u64 total, piece;
    bool refuse; /* wants none of it, from the middle on */
} sink;

static u8 room[64 * KIB];
static int fd = -1;

static int sink_room(struct sink *s, u8 **buf, u64 *len)
{
    *buf = sink.refuse && sink.total > LIMIT / 2 ? NULL : room;
    *len = sink.piece;
    return 0;
}

static int sink_filled(struct sink *s, u64 n)
{
    assert(n <= MAX(sink.piece, 8 * MIB)); /* a block of lz4 at a time */
    sink.total += n;
    assert(sink.total <= LIMIT);
    return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct source src = {.what = "kernel", .path = "fuzz", .end = len - 1};
    int pack, r;

    if (len < 2)
        return 0;
    log_sink_set(fuzz_no_log);
    fd = fd < 0 ? memfd_create("fuzz", MFD_CLOEXEC) : fd;
    if (pwrite(fd, data + 1, len - 1, 0) != (ssize_t)len - 1)
        abort();
    src.fd = fd;
    sink = (struct counter){.sink = {.room = sink_room, .filled = sink_filled},
                            .piece = 1ull << (data[0] & 15),
                            .refuse = data[0] & 0x10};
    pack = unpack_detect(data + 1, len - 1);
    if (pack < 0)
        return 0;
    assert(unpack_name((enum pack)pack));
    r = unpack(&src, (enum pack)pack, &sink.sink, LIMIT);
    assert(r <= 0 && src.pos <= src.end);
    return 0;
}
