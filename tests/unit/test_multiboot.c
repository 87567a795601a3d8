/* SPDX-License-Identifier: Apache-2.0 */
/* multiboot.c: headers that are and that are none, and what an image is told */
#include "loader_test.h"

#define MAGIC 0x1badb002u
#define GPA   0x400000u
#define TEXT  0x1000u /* of the file, in memory at GPA */
#define SIZE  0x2000u

/* A 32-bit image of one segment, the header at an offset in its text. */
static u8 *mb_image(u32 at, u32 flags, u32 checksum)
{
    u8 *p = calloc(1, SIZE);
    Elf32_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB},
                     .e_type = ET_EXEC,
                     .e_machine = EM_386,
                     .e_entry = GPA + 0x40,
                     .e_phoff = sizeof(eh),
                     .e_phentsize = sizeof(Elf32_Phdr),
                     .e_phnum = 1};
    Elf32_Phdr ph = {.p_type = PT_LOAD,
                     .p_offset = TEXT,
                     .p_paddr = GPA,
                     .p_filesz = SIZE - TEXT,
                     .p_memsz = SIZE};

    ck_assert_ptr_nonnull(p);
    memcpy(p, &eh, sizeof(eh));
    memcpy(p + sizeof(eh), &ph, sizeof(ph));
    le32_put(p + at, MAGIC);
    le32_put(p + at + 4, flags);
    le32_put(p + at + 8, checksum);
    return p;
}

static int mb_load(struct mem *m, const u8 *image, const char *module,
                   const char *words, struct loader_result *out)
{
    struct loader_file kernel, initrd;
    struct loader_spec spec = {
        .kernel = &kernel, .cmdline = "quiet", .words = words, .cpus = 1};
    int r;

    r = loader_file_open(&kernel, "kernel", lt_file("image", image, SIZE));
    ck_assert_int_eq(r, 0);
    if (module) {
        r = loader_file_open(&initrd, "initrd",
                             lt_file("module", module, strlen(module)));
        ck_assert_int_eq(r, 0);
        spec.initrd = &initrd;
    }
    kernel.path = "image";
    r = loader_load(m, &spec, out);
    loader_file_close(&kernel);
    if (module)
        loader_file_close(&initrd);
    return r;
}

static const struct {
    const char *name;
    u32 at, flags, checksum;
    const char *said; /* NULL: it is loaded */
} headers[] = {
    {"no features", TEXT, 0, 0 - MAGIC, NULL},
    {"pages and memory", TEXT + 16, 3, 0 - MAGIC - 3, NULL},
    {"features that are optional", TEXT, 0x10000, 0 - MAGIC - 0x10000, NULL},
    {"last place", 8192 - 12, 0, 0 - MAGIC, NULL},
    {"over the end", 8192 - 8, 0, 0, "or a multiboot image"},
    {"not aligned", TEXT + 2, 0, 0 - MAGIC, "or a multiboot image"},
    {"checksum", TEXT, 0, 1 - MAGIC, "or a multiboot image"},
    {"display", TEXT, 4, 0 - MAGIC - 4, "flags 0x4"},
};

START_TEST(test_header)
{
    struct loader_result out;
    struct mem *m;
    u8 *image;
    int r;

    if (headers[_i].at + 8 == SIZE)
        image = mb_image(TEXT, 0, 1); /* there is no room: a broken one */
    else
        image =
            mb_image(headers[_i].at, headers[_i].flags, headers[_i].checksum);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    r = mb_load(m, image, NULL, NULL, &out);
    if (headers[_i].said) {
        ck_assert_int_eq(r, -ENOEXEC);
        lt_said(headers[_i].name, headers[_i].said);
    } else {
        ck_assert_msg(r == 0, "%s: %s", headers[_i].name, lt_log);
        ck_assert_str_eq(out.format, "multiboot");
    }
    free(image);
    mem_free(m);
}
END_TEST

static u32 mb_info(const struct mem *m, u64 at)
{
    return le32_get(mem_range(m, BOOT_PARAMS_GPA + at, 4));
}

START_TEST(test_entry)
{
    u8 *image = mb_image(TEXT, 0, 0 - MAGIC);
    struct loader_result out;
    const struct cpu_state *s = &out.bsp;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(mb_load(m, image, "NR_CPUS=1", "a b", &out), 0);
    ck_assert_uint_eq(s->rip, GPA + 0x40);
    ck_assert_uint_eq(s->gpr[GPR_RAX], 0x2badb002);
    ck_assert_uint_eq(s->gpr[GPR_RBX], BOOT_PARAMS_GPA);
    ck_assert_uint_eq(s->cr0 & (CR0_PE | CR0_PG), CR0_PE);
    ck_assert_uint_eq(s->efer, 0);
    ck_assert(s->seg[SEG_CS].db && !s->seg[SEG_CS].l);

    ck_assert_uint_eq(mb_info(m, 0), 0x24d);
    ck_assert_uint_eq(mb_info(m, 8), TEST_RAM / KIB - 1024);
    ck_assert_str_eq(mem_range(m, mb_info(m, 16), 10), "image a b");
    ck_assert_uint_eq(mb_info(m, 20), 1);
    ck_assert_uint_eq(le32_get(mem_range(m, mb_info(m, 24), 4)),
                      out.initrd_gpa);
    ck_assert_mem_eq(mem_range(m, out.initrd_gpa, 9), "NR_CPUS=1", 9);
    ck_assert_str_eq(mem_range(m, mb_info(m, 64), 5), "mote");
    free(image);
    mem_free(m);
}
END_TEST

START_TEST(test_no_module)
{
    u8 *image = mb_image(TEXT, 0, 0 - MAGIC);
    struct loader_result out;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(mb_load(m, image, NULL, NULL, &out), 0);
    ck_assert_uint_eq(mb_info(m, 0) & 8, 0);
    ck_assert_str_eq(mem_range(m, mb_info(m, 16), 6), "image");
    free(image);
    mem_free(m);
}
END_TEST

Suite *suite_multiboot(void);
Suite *suite_multiboot(void)
{
    Suite *s = suite_create("multiboot");
    TCase *tc = tcase_create("multiboot");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_add_loop_test(tc, test_header, 0, ARRAY_SIZE(headers));
    tcase_add_test(tc, test_entry);
    tcase_add_test(tc, test_no_module);
    suite_add_tcase(s, tc);
    return s;
}
