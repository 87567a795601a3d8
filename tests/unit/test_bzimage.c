/* SPDX-License-Identifier: Apache-2.0 */
/* bzimage.c: the setup header, whole and hostile */
#include "loader_test.h"

/* A header followed by an uncompressed kernel as its payload. */
#define FILE_SIZE (LT_PAYLOAD + LT_ELF_SIZE)

static u8 *image_new(void)
{
    struct lt_elf h = lt_elf_headers();
    u8 *elf = lt_elf_image(&h);
    u8 *p = malloc(FILE_SIZE);

    ck_assert_ptr_nonnull(p);
    lt_bzimage_head(p, LT_ELF_SIZE);
    memcpy(p + LT_PAYLOAD, elf, LT_ELF_SIZE);
    free(elf);
    return p;
}

static const struct header_case {
    const char *name;
    size_t offset, size;
    u64 value;
    int r;
    const char *said;
} cases[] = {
    {"protocol 2.07", 0x206, 2, 0x207, -ENOEXEC, "boot protocol 2.07"},
    {"protocol 1", 0x206, 2, 0x100, -ENOEXEC, "2.08 or newer is needed"},
    {"protocol 2.08", 0x206, 2, 0x208, 0, NULL},
    {"zImage", 0x211, 1, 0, -ENOEXEC, "is a zImage"},
    {"32 bit", 0x236, 2, 0, -ENOEXEC, "is a 32-bit bzImage"},
    {"header too short", 0x201, 1, 0x4d, -ENOEXEC, "header ends at byte 0x24f"},
    {"header just enough", 0x201, 1, 0x4e, 0, NULL},
    {"longest header", 0x201, 1, 0x7f, 0, NULL},
    {"no jump", 0x200, 2, 0, -ENOEXEC, "setup header ends at byte 0x202"},
    {"no payload", 0x24c, 4, 0, -ENOEXEC, "names no compressed kernel"},
    {"payload too long", 0x24c, 4, LT_ELF_SIZE + 1, -ENOEXEC,
     "is truncated: the compressed kernel ends at byte 49409, the file at"},
    {"payload huge", 0x24c, 4, ~0u, -ENOEXEC, "is truncated"},
    {"payload outside", 0x248, 4, ~0u, -ENOEXEC, "is truncated"},
    {"payload elsewhere", 0x248, 4, 0, -ENOEXEC,
     "something that mote does not know"},
    {"0 sectors are 4", 0x1f1, 1, 0, -ENOEXEC,
     "something that mote does not know"},
    {"most sectors", 0x1f1, 1, 255, -ENOEXEC, "is truncated"},
    {"no version", 0x20e, 2, 0, 0, NULL},
    {"version outside", 0x20e, 2, 0xffff, 0, NULL},
    {"init_size", 0x260, 4, 64 * MIB, -ENOMEM, "--memory 66M or more"},
    {"largest init_size", 0x260, 4, ~0u, -EFBIG, "ends at 0xc0000000"},
    {"short command line", 0x238, 4, 4, -E2BIG, "5 bytes, this kernel takes 4"},
    {"just long enough", 0x238, 4, 5, 0, NULL},
};

START_TEST(test_field)
{
    const struct header_case *t = &cases[_i];
    struct loader_result res;
    u8 *image = image_new();
    struct mem *m;

    memcpy(image + t->offset, &t->value, t->size);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_msg(lt_load(m, lt_file("bz", image, FILE_SIZE), &res) == t->r,
                  "%s: %s", t->name, lt_log);
    if (t->said)
        lt_said(t->name, t->said);
    else
        lt_elf_loaded(m);
    mem_free(m);
    free(image);
}
END_TEST

START_TEST(test_load)
{
    struct loader_result res;
    u8 *image = image_new();
    struct mem *m;
    u8 *bp;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_file("bz", image, FILE_SIZE), &res), 0);
    lt_elf_loaded(m);
    ck_assert_str_eq(res.format, "bzImage, uncompressed");
    ck_assert_str_eq(res.version, LT_VERSION);
    ck_assert_uint_eq(res.kernel_len, 0x800000); /* init_size */

    bp = mem_range(m, BOOT_PARAMS_GPA, PAGE_SIZE);
    ck_assert_mem_eq(bp + 0x202, image + 0x202, 0xe); /* up to the loader's */
    ck_assert_mem_eq(bp + 0x22c, image + 0x22c, 0x24);
    ck_assert_uint_eq(le64_get(bp + 0x250), 0); /* no setup_data of a file */
    mem_free(m);
    free(image);
}
END_TEST

/* Control bytes in the version never reach a terminal. */
START_TEST(test_version)
{
    struct loader_result res;
    u8 *image = image_new();
    struct mem *m;

    memset(image + 0x500, 0x1b, 0xb00 - 1);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_file("bz", image, FILE_SIZE), &res), 0);
    ck_assert_uint_eq(strlen(res.version), sizeof(res.version) - 1);
    ck_assert_uint_eq(strspn(res.version, "."), sizeof(res.version) - 1);
    mem_free(m);
    free(image);
}
END_TEST

START_TEST(test_truncated)
{
    static const u64 lens[] = {1,     0x1ff, 0x200, 0x202,      0x206,
                               0x207, 0x250, 0x26b, LT_PAYLOAD, FILE_SIZE - 1};
    struct loader_result res;
    u8 *image = image_new();
    struct mem *m;

    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        lt_log[0] = '\0';
        ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
        ck_assert_int_eq(lt_load(m, lt_file("bz", image, lens[i]), &res),
                         -ENOEXEC);
        lt_said("truncated", "kernel ");
        mem_free(m);
    }
    free(image);
}
END_TEST

/* Any header at all: no crash, one line at most (the sanitizers watch). */
START_TEST(test_noise)
{
    struct loader_result res;
    u32 x = 1;

    for (int i = 0; i < 400; i++) {
        u8 *image = image_new();
        struct mem *m;

        lt_log[0] = '\0';
        for (int k = 0; k < 3; k++) {
            x = x * 1664525 + 1013904223;
            image[0x1f1 + (x >> 16) % 0x90] = (u8)(x >> 8);
        }
        for (int k = 0; k < (i & 3); k++) {
            x = x * 1664525 + 1013904223;
            image[LT_PAYLOAD + (x >> 16) % 0xe8] = (u8)(x >> 8);
        }
        ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
        if (lt_load(m, lt_file("bz", image, FILE_SIZE), &res) < 0)
            lt_said("noise", "mote: ");
        mem_free(m);
        free(image);
    }
}
END_TEST

Suite *suite_bzimage(void);
Suite *suite_bzimage(void)
{
    Suite *s = suite_create("bzimage");
    TCase *tc = tcase_create("bzimage");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_add_loop_test(tc, test_field, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_load);
    tcase_add_test(tc, test_version);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_noise);
    suite_add_tcase(s, tc);
    return s;
}
