/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multiboot.c: what a multiboot 1 image finds at its 32-bit entry, so that bare
 * programs written for other monitors, such as suites of processor tests, run
 * as they are. Multiboot Specification 0.6.96, 3.1 to 3.3.
 */
#include <stdio.h>

#include "mote/log.h"

#include "load.h"

#define MB_HEADER_MAX   8192u /* it is in these bytes, aligned to 4 */
#define MB_HEADER_MAGIC 0x1badb002u
#define MB_ENTRY_MAGIC  0x2badb002u
#define MB_WANTS_KNOWN  0x3u /* modules on pages, and memory: always so */
#define MB_WANTS        0xffffu

/* The information structure, where Linux has its boot_params. */
#define MB_INFO_GPA  BOOT_PARAMS_GPA
#define MB_FLAGS     0
#define MB_MEM_LOWER 4
#define MB_MEM_UPPER 8
#define MB_CMDLINE   16
#define MB_MODS      20
#define MB_MODS_ADDR 24
#define MB_MMAP      44
#define MB_MMAP_ADDR 48
#define MB_NAME      64
#define MB_INFO_SIZE 128

#define MB_HAS_MEM     (1u << 0)
#define MB_HAS_CMDLINE (1u << 2)
#define MB_HAS_MODS    (1u << 3)
#define MB_HAS_MMAP    (1u << 6)
#define MB_HAS_NAME    (1u << 9)

#define MB_MODULE     MB_INFO_SIZE /* one: start, end, string, reserved */
#define MB_NAME_TEXT  (MB_MODULE + 16)
#define MB_MMAP_TABLE (MB_NAME_TEXT + 16)
#define MB_MMAP_ENTRY 24 /* size of the rest, address, length, type */
#define MB_RAM        1u

int multiboot_check(const struct source *src, const u8 *head, u64 len)
{
    for (u64 at = 0; at + 12 <= MIN(len, (u64)MB_HEADER_MAX); at += 4) {
        u32 flags = le32_get(head + at + 4);
        u32 other = flags & MB_WANTS & ~MB_WANTS_KNOWN;

        if (le32_get(head + at) != MB_HEADER_MAGIC ||
            MB_HEADER_MAGIC + flags + le32_get(head + at + 8) != 0)
            continue;
        if (other)
            return source_bad(src,
                              "is a multiboot image that wants what mote has "
                              "not (flags %#x), such as a display",
                              other);
        return 1;
    }
    return 0;
}

struct mb_map {
    u8 *page;
    u32 len;
};

static void mb_map_add(struct mb_map *map, u64 start, u64 end)
{
    u8 *entry = map->page + MB_MMAP_TABLE + map->len;

    le32_put(entry, MB_MMAP_ENTRY - 4);
    le64_put(entry + 4, start);
    le64_put(entry + 12, end - start);
    le32_put(entry + 20, MB_RAM);
    map->len += MB_MMAP_ENTRY;
}

/* RAM only: what is not listed is not to be used. */
static void mb_put_memory(u8 *page, const struct mem *m)
{
    struct mb_map map = {.page = page};

    le32_put(page + MB_MEM_LOWER, (u32)(MPTABLE_GPA / KIB));
    le32_put(page + MB_MEM_UPPER,
             (u32)((loader_low_ram(m) - KERNEL_MIN) / KIB));
    mb_map_add(&map, 0, MPTABLE_GPA);
    mb_map_add(&map, KERNEL_MIN, loader_low_ram(m));
    for (unsigned int i = 0; i < m->nr_regions; i++)
        if (m->region[i].gpa >= MEM_HIGH_BASE)
            mb_map_add(&map, m->region[i].gpa,
                       m->region[i].gpa + m->region[i].size);
    le32_put(page + MB_MMAP, map.len);
    le32_put(page + MB_MMAP_ADDR, (u32)MB_INFO_GPA + MB_MMAP_TABLE);
}

static void mb_put_module(u8 *page, const struct boot_info *info)
{
    le32_put(page + MB_MODS, 1);
    le32_put(page + MB_MODS_ADDR, (u32)MB_INFO_GPA + MB_MODULE);
    le32_put(page + MB_MODULE, (u32)info->initrd_gpa);
    le32_put(page + MB_MODULE + 4, (u32)(info->initrd_gpa + info->initrd_len));
}

/* As with other loaders its own name is the first word. */
static int mb_write_cmdline(struct mem *m, const struct loader_spec *spec)
{
    char line[LOADER_CMDLINE_MAX];
    int n = snprintf(line, sizeof(line), "%s%s%s", spec->kernel->path,
                     spec->words ? " " : "", spec->words ? spec->words : "");

    if (n < 0 || (size_t)n >= sizeof(line))
        return fail_rule(-E2BIG,
                         "command line: %d bytes with the image's name; %d "
                         "fit",
                         n, LOADER_CMDLINE_MAX - 1);
    return mem_write(m, CMDLINE_GPA, line, (size_t)n + 1);
}

int multiboot_write(struct mem *m, const struct loader_spec *spec,
                    const struct boot_info *info)
{
    u8 page[PAGE_SIZE] = {0};
    u32 flags = MB_HAS_MEM | MB_HAS_CMDLINE | MB_HAS_MMAP | MB_HAS_NAME;
    int r = mb_write_cmdline(m, spec);

    if (r < 0)
        return r;
    mb_put_memory(page, m);
    if (info->initrd_len) {
        mb_put_module(page, info);
        flags |= MB_HAS_MODS;
    }
    le32_put(page + MB_FLAGS, flags);
    le32_put(page + MB_CMDLINE, CMDLINE_GPA);
    le32_put(page + MB_NAME, (u32)MB_INFO_GPA + MB_NAME_TEXT);
    memcpy(page + MB_NAME_TEXT, "mote", sizeof("mote"));
    return mem_write(m, MB_INFO_GPA, page, sizeof(page));
}

int multiboot_cpu(struct mem *m, u64 entry, struct cpu_state *s)
{
    int r = bsp_write_gdt(m, false);

    if (r < 0)
        return fail(r, "start-up tables do not fit the guest's memory");
    bsp_init(s, entry, false);
    s->gpr[GPR_RAX] = MB_ENTRY_MAGIC;
    s->gpr[GPR_RBX] = MB_INFO_GPA;
    return 0;
}
