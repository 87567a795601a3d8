/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_lz4.c: whatever the segments and the blocks are, in RAM is what would
 * be there if the kernel had not been packed; and the usual ones are unpacked
 * in place.
 */
#include <lz4.h>

#include "loader_test.h"

#define RAM       (32 * MIB)
#define BLOCK     (8 * MIB)
#define FILE_SIZE (BLOCK + 4 * MIB)
#define SEGMENTS  3

struct segment {
    u64 offset, filesz, gpa, bss;
};

enum fill {
    FILL_KERNEL, /* half of it compresses well */
    FILL_LATE,   /* what does not compress comes last in a block */
    FILL_NOISE,  /* nothing does */
};

#define K KIB
#define M MIB

static const struct layout {
    const char *name;
    struct segment seg[SEGMENTS];
    unsigned int windows; /* that are handed out */
    enum fill fill;
    u64 block, ram; /* 0: BLOCK, RAM */
    u64 end;        /* of the windows; 0: RAM's */
    int promise;    /* of the size word, added to the truth */
} layouts[] = {
    {"kernel",
     {{2 * M, 3 * M, 16 * M, 0}, {6 * M, 5 * M, 20 * M, M}},
     .windows = 2},
    {"late noise",
     {{0, BLOCK, 4 * M, 0}, {BLOCK, 4 * M, 12 * M, 0}},
     .windows = 2,
     .fill = FILL_LATE},
    {"moves down",
     {{2 * M, 3 * M, 16 * M, 0},
      {6 * M, 100 * K, 19 * M, 0},
      {7 * M, 4 * M, 19 * M + 100 * K, 2 * M}},
     .windows = 2},
    {"unaligned",
     {{8209, 3 * M + 7, 4 * M + 1, 3}, {5 * M, 6 * M + 1, 8 * M - 3, 1}},
     .windows = 2},
    {"over each other",
     {{M, 3 * M, 16 * M, 0}, {5 * M, 2 * M, 17 * M, 0}, {9 * M, M, 21 * M, 0}},
     .windows = 2},
    {"below the window",
     {{M, 3 * M, 16 * M, 0}, {5 * M, 2 * M, M, 0}, {9 * M, M, 24 * M, 0}},
     .windows = 2},
    {"moves up",
     {{M, 3 * M, 5 * M, 0}, {5 * M, 2 * M, 12 * M, 0}, {9 * M, M, 20 * M, 0}},
     .windows = 1},
    {"onto the first",
     {{M, 3 * M, 16 * M, 0}, {9 * M, M, 15 * M, 0}},
     .windows = 1},
    {"below 1 MiB",
     {{2 * M, 3 * M, 2 * M, 0}, {9 * M, 2 * M, 12 * M, 0}},
     .windows = 1},
    {"nobody's block", {{M, 3 * M, 16 * M, 0}}, .windows = 1},
    {"little memory",
     {{M, 3 * M, 9 * M, 0}, {9 * M, M, 13 * M, 0}},
     .ram = 16 * MIB},
    {"something above",
     {{M, 3 * M, 16 * M, 0}, {9 * M, M, 24 * M, 0}},
     .windows = 1,
     .end = 25 * M},
    {"short blocks",
     {{M, 3 * M, 16 * M, 0}, {4 * M, 6 * M, 20 * M, 0}},
     .windows = 1,
     .block = 5 * M},
    {"tiny blocks",
     {{M, 3 * M, 16 * M, 0}, {4 * M, 6 * M, 20 * M, 0}},
     .windows = 1,
     .block = 4 * K},
    {"noise",
     {{M, 3 * M, 16 * M, 0}, {4 * M, 6 * M, 20 * M, 0}},
     .fill = FILL_NOISE},
    {"promises less",
     {{2 * M, 3 * M, 16 * M, 0}, {6 * M, 5 * M, 20 * M, 0}},
     .windows = 2,
     .promise = -1},
    {"promises more",
     {{2 * M, 3 * M, 16 * M, 0}, {6 * M, 5 * M, 20 * M, 0}},
     .windows = 2,
     .promise = 5000},
    {"promises nothing",
     {{2 * M, 3 * M, 16 * M, 0}, {6 * M, 4 * M, 20 * M, 0}},
     .windows = 2,
     .promise = -(int)FILE_SIZE},
};

static bool fill_is_noise(enum fill fill, u64 at)
{
    switch (fill) {
    case FILL_KERNEL:
        return at / 4096 % 2;
    case FILL_LATE:
        return at % BLOCK > M;
    default:
        return true;
    }
}

static u8 *image_make(const struct layout *t)
{
    u8 *p = malloc(FILE_SIZE);
    struct lt_elf h = lt_elf_headers();
    u64 noise = 88172645463325252;

    ck_assert_ptr_nonnull(p);
    for (u64 i = 0; i < FILE_SIZE; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        p[i] = fill_is_noise(t->fill, i) ? (u8)(noise >> 32) : (u8)(i >> 12);
    }
    h.eh.e_entry = t->seg[0].gpa;
    for (unsigned int i = 0; i < SEGMENTS; i++)
        h.ph[i] = (Elf64_Phdr){.p_type = PT_LOAD,
                               .p_offset = t->seg[i].offset,
                               .p_paddr = t->seg[i].gpa,
                               .p_filesz = t->seg[i].filesz,
                               .p_memsz = t->seg[i].filesz + t->seg[i].bss};
    memcpy(p, &h, sizeof(h));
    return p;
}

/* As lz4 -l writes it, and Linux's build adds to it. */
static u64 image_pack(const struct layout *t, const u8 *image, u8 **out)
{
    u8 *p = malloc(2 * FILE_SIZE), *at = p + 4;
    u64 len;
    int n;

    ck_assert_ptr_nonnull(p);
    le32_put(p, 0x184c2102);
    for (u64 from = 0; from < FILE_SIZE; from += len) {
        len = MIN(t->block ? t->block : BLOCK, FILE_SIZE - from);
        n = LZ4_compress_default((const char *)image + from, (char *)at + 4,
                                 (int)len, LZ4_compressBound((int)len));
        ck_assert_int_gt(n, 0);
        le32_put(at, (u32)n);
        at += 4 + n;
    }
    le32_put(at, (u32)(FILE_SIZE + (u64)t->promise));
    *out = p;
    return (u64)(at + 4 - p);
}

static u8 *(*real_window)(struct sink *sink, u64 len);
static unsigned int windows;

static u8 *count_window(struct sink *sink, u64 len)
{
    u8 *p = real_window(sink, len);

    windows += p != NULL;
    return p;
}

static int load(struct mem *m, const struct layout *t, const u8 *data, u64 len,
                enum pack pack)
{
    struct loader_file file;
    struct source src;
    static struct elf elf;
    int r;

    ck_assert_int_eq(loader_file_open(&file, "kernel", lt_file("k", data, len)),
                     0);
    source_init(&src, &file);
    elf_init(&elf, &src, m, 0);
    if (t->end)
        elf.window_end = t->end;
    real_window = elf.sink.window;
    elf.sink.window = count_window;
    r = unpack(&src, pack, &elf.sink, m->size);
    if (r == 0)
        r = elf_finish(&elf);
    loader_file_close(&file);
    return r;
}

static struct mem *ram_of(const struct layout *t)
{
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, t->ram ? t->ram : RAM), 0);
    return m;
}

START_TEST(test_layout)
{
    const struct layout *t = &layouts[_i];
    struct mem *m = ram_of(t), *want = ram_of(t);
    u8 *image = image_make(t), *packed;
    u64 len = image_pack(t, image, &packed);
    int r;

    windows = 0;
    ck_assert_msg(load(want, t, image, FILE_SIZE, PACK_NONE) == 0, "%s: %s",
                  t->name, lt_log);
    ck_assert_uint_eq(windows, 0);
    r = load(m, t, packed, len, PACK_LZ4_LEGACY);
    if (t->promise)
        lt_said(t->name, "its size word says");
    else
        ck_assert_msg(r == 0, "%s: %s", t->name, lt_log);
    ck_assert_msg(
        !memcmp(mem_range(m, 0, m->size), mem_range(want, 0, m->size), m->size),
        "%s: RAM differs", t->name);
    ck_assert_msg(windows == t->windows, "%s: %u windows", t->name, windows);
    mem_free(want);
    mem_free(m);
    free(packed);
    free(image);
}
END_TEST

/* Damage anywhere does no harm, in place or not. */
START_TEST(test_damage)
{
    const struct layout *t = &layouts[0];
    u8 *image = image_make(t), *packed;
    u64 len = image_pack(t, image, &packed);
    struct mem *m = ram_of(t);

    for (u64 at = 8; at < len; at += len / 25) {
        packed[at] ^= 0x55;
        (void)load(m, t, packed, len, PACK_LZ4_LEGACY);
        packed[at] ^= 0x55;
    }
    mem_free(m);
    free(packed);
    free(image);
}
END_TEST

Suite *suite_unpack_lz4(void);
Suite *suite_unpack_lz4(void)
{
    Suite *s = suite_create("unpack_lz4");
    TCase *tc = tcase_create("unpack_lz4");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, test_layout, 0, ARRAY_SIZE(layouts));
    tcase_add_test(tc, test_damage);
    suite_add_tcase(s, tc);
    return s;
}
