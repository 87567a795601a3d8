/* SPDX-License-Identifier: Apache-2.0 */
/* initrd.c: as high as RAM and the kernel allow, above the kernel */
#include <sys/mman.h>

#include "loader_test.h"

static const struct place_case {
    const char *name;
    u64 kernel_end, initrd_max;
    u64 size;
    u64 gpa; /* 0: refused */
} cases[] = {
    {"one byte", 2 * MIB, 0x7fffffff, 1, TEST_RAM - PAGE_SIZE},
    {"one page", 2 * MIB, 0x7fffffff, 4096, TEST_RAM - PAGE_SIZE},
    {"and a byte", 2 * MIB, 0x7fffffff, 4097, TEST_RAM - 2 * PAGE_SIZE},
    {"kernel's limit", 2 * MIB, 8 * MIB - 1, 4096, 8 * MIB - PAGE_SIZE},
    {"odd limit", 2 * MIB, 8 * MIB - 2, 4096, 8 * MIB - 2 * PAGE_SIZE},
    {"limit 0", 2 * MIB, 0, 4096, 0},
    {"no limit", 2 * MIB, 0xffffffff, 4096, TEST_RAM - PAGE_SIZE},
    {"just fits", TEST_RAM - 2 * PAGE_SIZE, 0x7fffffff, 8192,
     TEST_RAM - 2 * PAGE_SIZE},
    {"does not", TEST_RAM - 2 * PAGE_SIZE + 1, 0x7fffffff, 8192, 0},
    {"nor does this", 2 * MIB, 0x7fffffff, 31 * MIB, 0},
    {"larger than RAM", 2 * MIB, 0x7fffffff, 33 * MIB, 0},
    {"kernel fills RAM", TEST_RAM, 0x7fffffff, 1, 0},
};

START_TEST(test_place)
{
    const struct place_case *t = &cases[_i];
    struct kernel k = {.end = t->kernel_end, .initrd_max = t->initrd_max};
    const char *path = lt_file("initrd", "", 0);
    u64 gpa = 0, len = 0;
    struct loader_file file;
    struct mem *m;
    u8 last = 0x77;
    int fd = open(path, O_WRONLY), r;

    ck_assert_int_eq(pwrite(fd, &last, 1, (off_t)t->size - 1), 1);
    close(fd);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(loader_file_open(&file, "initrd", path), 0);
    r = initrd_load(m, &file, 0, &k, &gpa, &len);
    loader_file_close(&file);
    ck_assert_msg(r == (t->gpa ? 0 : -ENOMEM), "%s: %d %s", t->name, r, lt_log);
    if (t->gpa) {
        ck_assert_uint_eq(gpa, t->gpa);
        ck_assert_uint_eq(len, t->size);
        ck_assert_uint_eq(*(u8 *)mem_range(m, gpa + len - 1, 1), 0x77);
    } else {
        lt_said(t->name, "use --memory");
    }
    mem_free(m);
}
END_TEST

/* It is where it would be put; the kernel may have it lower, never higher. */
static const struct there_case {
    const char *name;
    u64 kernel_end, initrd_max;
    u64 size;
    u64 gpa; /* 0: refused */
} there_cases[] = {
    {"stays", 2 * MIB, 0x7fffffff, 5 * MIB + 5, 27 * MIB - PAGE_SIZE},
    {"fits exactly", 27 * MIB - PAGE_SIZE, ~0u, 5 * MIB + 5,
     27 * MIB - PAGE_SIZE},
    {"kernel in it", 27 * MIB, ~0u, 5 * MIB + 5, 0},
    {"lower", 2 * MIB, 20 * MIB - 1, 5 * MIB + 5, 15 * MIB - PAGE_SIZE},
    {"lower by a page", 2 * MIB, TEST_RAM - PAGE_SIZE - 1, 5 * MIB,
     27 * MIB - PAGE_SIZE},
    {"nowhere lower", 20 * MIB, 20 * MIB - 1, 5 * MIB, 0},
};

START_TEST(test_there)
{
    const struct there_case *t = &there_cases[_i];
    struct kernel k = {.end = t->kernel_end, .initrd_max = t->initrd_max};
    struct loader_file file = {.what = "initrd",
                               .path = "of mote",
                               .fd = memfd_create("i", MFD_ALLOW_SEALING),
                               .size = t->size};
    u8 *bytes = malloc(t->size), *ram;
    u64 gpa = 0, len = 0, at;
    struct mem *m;
    int r;

    for (u64 i = 0; i < t->size; i++)
        bytes[i] = (u8)(lt_byte(i) + 1);
    ck_assert_int_eq(write(file.fd, bytes, t->size), (ssize_t)t->size);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    at = loader_initrd_gpa(m, t->size);
    ck_assert_int_eq(mem_adopt(m, at, file.fd, t->size), 0);
    r = initrd_load(m, &file, at, &k, &gpa, &len);
    ck_assert_msg(r == (t->gpa ? 0 : -ENOMEM), "%s: %d %s", t->name, r, lt_log);
    ram = mem_range(m, 0, TEST_RAM);
    if (t->gpa) {
        ck_assert_msg(gpa == t->gpa, "%s: %#llx", t->name,
                      (unsigned long long)gpa);
        ck_assert_uint_eq(len, t->size);
        ck_assert_mem_eq(ram + gpa, bytes, len);
        memset(ram + gpa, 0, len);
        ck_assert_msg(!ram[0] && !memcmp(ram, ram + 1, TEST_RAM - 1),
                      "%s: something is left behind", t->name);
    }
    close(file.fd);
    mem_free(m);
    free(bytes);
}
END_TEST

/* Above 2 GiB an initrd is not even tried, and never moved; nor one as large as
 * RAM. */
START_TEST(test_gpa)
{
    const struct loader_file file = {.what = "initrd", .fd = -1, .size = 1};
    const struct kernel k = {.end = MIB, .initrd_max = ~0u};
    u64 at, gpa, len;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, 5 * GIB), 0);
    at = loader_initrd_gpa(m, 1);
    ck_assert_uint_eq(at, 2 * GIB - PAGE_SIZE);
    ck_assert_int_eq(initrd_load(m, &file, at, &k, &gpa, &len), 0);
    ck_assert_uint_eq(gpa, at);
    mem_free(m);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_uint_eq(loader_initrd_gpa(m, TEST_RAM), 0);
    ck_assert_uint_eq(loader_initrd_gpa(m, TEST_RAM + 1), 0);
    ck_assert_uint_eq(loader_initrd_gpa(m, ~0ull), 0);
    mem_free(m);
}
END_TEST

/* Where the initrd went is what boot_params say. */
START_TEST(test_boot_params)
{
    struct lt_elf h = lt_elf_headers();
    u8 *image = lt_elf_image(&h);
    struct loader_file kernel, initrd;
    struct loader_spec spec = {
        .kernel = &kernel, .initrd = &initrd, .cmdline = "", .cpus = 1};
    struct loader_result res;
    struct mem *m;
    u8 *bp;

    ck_assert_int_eq(
        loader_file_open(&kernel, "kernel", lt_file("k", image, LT_ELF_SIZE)),
        0);
    ck_assert_int_eq(
        loader_file_open(&initrd, "initrd", lt_file("i", "hello", 5)), 0);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(loader_load(m, &spec, &res), 0);
    ck_assert_uint_eq(res.initrd_gpa, TEST_RAM - PAGE_SIZE);
    ck_assert_uint_eq(res.initrd_len, 5);
    bp = mem_range(m, BOOT_PARAMS_GPA, PAGE_SIZE);
    ck_assert_uint_eq(le32_get(bp + 0x218), res.initrd_gpa);
    ck_assert_uint_eq(le32_get(bp + 0x21c), 5);
    ck_assert_mem_eq(mem_range(m, res.initrd_gpa, 5), "hello", 5);
    ck_assert_int_eq(ftruncate(initrd.fd, 4), -1); /* opened to read */
    ck_assert_int_eq(truncate(initrd.path, 4), 0);
    ck_assert_int_eq(loader_load(m, &spec, &res), -ENOEXEC);
    lt_said("shrunk", "shrank to 4 bytes");
    lt_log[0] = 0;
    loader_file_close(&initrd);
    ck_assert_int_eq(loader_file_open(&initrd, "initrd", lt_path("absent")),
                     -ENOENT);
    lt_said("absent", "initrd /tmp/");
    loader_file_close(&kernel);
    mem_free(m);
    free(image);
}
END_TEST

/* What the disk under a file can say, by way of a directory. */
START_TEST(test_read_error)
{
    const struct loader_file dir = {.what = "initrd",
                                    .path = "/bad",
                                    .fd = open("/", O_RDONLY | O_DIRECTORY),
                                    .size = PAGE_SIZE};
    const struct kernel k = {.end = MIB, .initrd_max = TEST_RAM - 1};
    u64 gpa, len;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(initrd_load(m, &dir, 0, &k, &gpa, &len), -EISDIR);
    lt_said("directory", "initrd /bad: reading at byte 0: Is a directory");
    mem_free(m);
    close(dir.fd);
}
END_TEST

Suite *suite_initrd(void);
Suite *suite_initrd(void)
{
    Suite *s = suite_create("initrd");
    TCase *tc = tcase_create("initrd");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_add_loop_test(tc, test_place, 0, ARRAY_SIZE(cases));
    tcase_add_loop_test(tc, test_there, 0, ARRAY_SIZE(there_cases));
    tcase_add_test(tc, test_gpa);
    tcase_add_test(tc, test_boot_params);
    tcase_add_test(tc, test_read_error);
    suite_add_tcase(s, tc);
    return s;
}
