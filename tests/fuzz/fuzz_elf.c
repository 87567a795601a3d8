/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf.c: any bytes as the stream of an ELF kernel, in pieces of any size, by
 * way of windows if it is odd. Every segment of what is accepted is where its
 * header says. Input: 16 sizes of pieces, then the file.
 */
#include <elf.h>
#include <stdlib.h>

#include "fuzz.h"
#include "loader/load.h"

#define RAM    (16 * MIB)
#define PIECES 16u
#define SPARE  4000u

static struct mem *ram;

/* Push a piece as the decompressors do: as much as there is room for. */
static int push(struct elf *elf, const u8 *p, u64 n)
{
    u64 part;
    u8 *to;
    int r = 0;

    for (; r == 0 && n > 0; p += part, n -= part) {
        r = elf->sink.room(&elf->sink, &to, &part);
        if (r < 0)
            return r;
        assert(part > 0);
        part = MIN(part, n);
        if (to)
            memcpy(to, p, part);
        r = elf->sink.filled(&elf->sink, part);
    }
    return r;
}

/* All of a piece and something behind it, into a window that is not clean.
 * False: there is none. */
static bool push_window(struct elf *elf, const u8 *p, u64 n)
{
    u8 *to = elf->sink.window(&elf->sink, n + SPARE);

    if (!to)
        return false;
    memset(to, 0xa5, n + SPARE);
    memcpy(to, p, n);
    elf->sink.settle(&elf->sink, n);
    return true;
}

static void check(const struct elf *elf, const u8 *file, u64 len)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph;

    assert(elf->start >= KERNEL_MIN && elf->end <= RAM);
    assert(elf->entry >= elf->start && elf->entry < elf->end);
    memcpy(&eh, file, sizeof(eh));
    for (unsigned int i = 0; i < eh.e_phnum; i++) {
        memcpy(&ph, file + eh.e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type != PT_LOAD || ph.p_memsz == 0)
            continue;
        assert(ph.p_paddr >= elf->start && ph.p_memsz <= elf->end - ph.p_paddr);
        if (ph.p_filesz == 0)
            continue;
        assert(ph.p_offset <= len && ph.p_filesz <= len - ph.p_offset);
        assert(elf->nr > 0);
    }
}

/* Segments may lie over each other; who comes last in the file has won. */
static void check_bytes(const struct elf *elf, const u8 *file)
{
    const struct elf_segment *last = &elf->seg[elf->nr - 1];

    assert(memcmp(mem_range(ram, last->gpa, last->filesz), file + last->offset,
                  last->filesz) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct source src = {.fd = -1, .what = "kernel", .path = "fuzz"};
    const u8 *size = data, *file = data + PIECES;
    static struct elf elf;
    u64 done = 0, n;
    int r = 0;

    log_sink_set(fuzz_no_log);
    if (len < PIECES || (!ram && mem_new(&ram, RAM) < 0))
        return 0;
    len -= PIECES;
    elf_init(&elf, &src, ram, size[0]);
    for (unsigned int i = 0; r == 0 && done < len; i++, done += n) {
        n = MIN((u64)size[i % PIECES] * size[i % PIECES] + 1, len - done);
        if (i == 0 && size[0] % 8 == 7 && len >= SINK_PREVIEW)
            r = elf.sink.preview(&elf.sink, file);
        if (r == 0 &&
            (size[i % PIECES] % 2 == 0 || !push_window(&elf, file + done, n)))
            r = push(&elf, file + done, n);
    }
    if (r < 0 || elf_finish(&elf) < 0)
        return 0;
    check(&elf, file, len);
    check_bytes(&elf, file);
    return 0;
}
