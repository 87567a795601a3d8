/* SPDX-License-Identifier: Apache-2.0 */
/* elf.c: segments land where they belong; hostile headers land nowhere */
#include "loader_test.h"

/* One field of the headers, overwritten. */
#define EH(f)    offsetof(struct lt_elf, eh.f), sizeof(((Elf64_Ehdr *)0)->f)
#define PH(i, f) offsetof(struct lt_elf, ph[i].f), sizeof(((Elf64_Phdr *)0)->f)
#define IDENT(i) offsetof(struct lt_elf, eh.e_ident[i]), 1

static const struct elf_case {
    const char *name;
    size_t offset, size;
    u64 value;
    int r;
    const char *said;
} cases[] = {
    {"32 bit", IDENT(EI_CLASS), 1, -ENOEXEC, "is a 32-bit ELF file"},
    {"no class", IDENT(EI_CLASS), 9, -ENOEXEC, "ELF class 9"},
    {"big-endian", IDENT(EI_DATA), 2, -ENOEXEC, "big-endian"},
    {"arm64", EH(e_machine), EM_AARCH64, -ENOEXEC, "ELF file for AArch64"},
    {"i386", EH(e_machine), EM_386, -ENOEXEC, "ELF file for i386"},
    {"odd machine", EH(e_machine), 999, -ENOEXEC, "machine type 999"},
    {"object", EH(e_type), ET_REL, -ENOEXEC, "is an object file"},
    {"shared", EH(e_type), ET_DYN, -ENOEXEC, "position-independent"},
    {"core", EH(e_type), ET_CORE, -ENOEXEC, "core dump"},
    {"odd type", EH(e_type), 0xfe01, -ENOEXEC, "ELF type 65025"},
    {"no headers", EH(e_phnum), 0, -ENOEXEC, "nothing to load"},
    {"header size", EH(e_phentsize), 55, -ENOEXEC, "nothing to load"},
    {"many headers", EH(e_phnum), 0xffff, -ENOEXEC, "are not within"},
    {"headers far", EH(e_phoff), ELF_HEAD - 1, -ENOEXEC, "are not within"},
    {"headers wrap", EH(e_phoff), ~0ull, -ENOEXEC, "are not within"},
    {"entry nowhere", EH(e_entry), 0x1000, -ENOEXEC, "entry point 0x1000"},
    {"entry in bss", EH(e_entry), LT_DATA_GPA + LT_DATA_SIZE, -ENOEXEC,
     "is in no ELF segment"},
    {"virtual entry", EH(e_entry), 0xffffffff81000000, -ENOEXEC, "entry point"},
    {"file > memory", PH(0, p_memsz), 1, -ENOEXEC, "contradict"},
    {"offset wraps", PH(0, p_offset), ~0ull, -ENOEXEC, "contradict"},
    {"address wraps", PH(0, p_paddr), ~0ull - 100, -ENOEXEC, "contradict"},
    {"memory wraps", PH(0, p_memsz), ~0ull, -ENOEXEC, "contradict"},
    {"at 0", PH(0, p_paddr), 0, -ENOEXEC, "below 1 MiB"},
    {"boot_params", PH(0, p_paddr), 0x7000, -ENOEXEC, "below 1 MiB"},
    {"ACPI", PH(0, p_paddr), 0xe0000, -ENOEXEC, "below 1 MiB"},
    {"just below", PH(0, p_paddr), 0xfffff, -ENOEXEC, "below 1 MiB"},
    {"lowest", PH(0, p_paddr), 0x100000, 0, NULL},
    {"highest", PH(0, p_paddr), TEST_RAM - LT_DATA_SIZE - LT_BSS, 0, NULL},
    {"too high", PH(0, p_paddr), TEST_RAM - LT_DATA_SIZE - LT_BSS + 1, -ENOMEM,
     "32 MiB of memory; use --memory 33M"},
    {"bss too large", PH(0, p_memsz), 100 * MIB, -ENOMEM,
     "use --memory 104M or more"},
    {"above 3 GiB", PH(0, p_paddr), 0xc0000000, -EFBIG, "ends at 0xc0000000"},
    {"above 4 GiB", PH(0, p_paddr), 0x100000000, -EFBIG, "below 4 GiB"},
    {"shared bytes", PH(0, p_offset), LT_TEXT_OFFSET + 1, -ENOEXEC,
     "share bytes of the file"},
    {"beyond the file", PH(0, p_filesz), LT_DATA_SIZE + LT_BSS, -ENOEXEC,
     "is truncated"},
    {"far beyond", PH(0, p_offset), 1ull << 62, -ENOEXEC, "is truncated"},
    {"empty segment", PH(0, p_filesz), 0, 0, NULL},
};

START_TEST(test_field)
{
    const struct elf_case *t = &cases[_i];
    struct lt_elf h = lt_elf_headers();
    struct loader_result res;
    struct mem *m;
    u8 *image;

    memcpy((u8 *)&h + t->offset, &t->value, t->size);
    image = lt_elf_image(&h);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_msg(lt_load(m, lt_file("k", image, LT_ELF_SIZE), &res) == t->r,
                  "%s: %s", t->name, lt_log);
    if (t->said)
        lt_said(t->name, t->said);
    mem_free(m);
    free(image);
}
END_TEST

START_TEST(test_load)
{
    struct lt_elf h = lt_elf_headers();
    u8 *image = lt_elf_image(&h);
    struct loader_result res;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_file("k", image, LT_ELF_SIZE), &res), 0);
    lt_elf_loaded(m);
    ck_assert_str_eq(res.format, "vmlinux");
    ck_assert_str_eq(res.version, "");
    ck_assert_uint_eq(res.bsp.rip, LT_TEXT_GPA + 0x40);
    ck_assert_uint_eq(res.kernel_gpa, LT_TEXT_GPA);
    ck_assert_uint_eq(res.kernel_gpa + res.kernel_len,
                      LT_DATA_GPA + LT_DATA_SIZE + LT_BSS);
    mem_free(m);
    free(image);
}
END_TEST

/* However short the file is: an error, or all segments are complete. */
START_TEST(test_truncated)
{
    struct lt_elf h = lt_elf_headers();
    u8 *image = lt_elf_image(&h);
    static const u64 lens[] = {1,    3,     4,      63,     64,     200,
                               0xe8, 0x1ff, 0x200,  0xfff,  0x1000, 0x1001,
                               4322, 17187, 0x8000, 0xa000, 0xa001, 0xb000};
    struct loader_result res;
    struct mem *m;
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        lt_log[0] = '\0';
        ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
        r = lt_load(m, lt_file("k", image, lens[i]), &res);
        if (lens[i] < LT_DATA_OFFSET + LT_DATA_SIZE) {
            ck_assert_int_eq(r, -ENOEXEC);
            lt_said("truncated", ": ");
        } else {
            ck_assert_int_eq(r, 0);
            lt_elf_loaded(m);
        }
        mem_free(m);
    }
    free(image);
}
END_TEST

/* A segment may begin with the ELF header itself, as ld lays out programs. */
START_TEST(test_header_in_segment)
{
    struct lt_elf h = lt_elf_headers();
    struct loader_result res;
    struct mem *m;
    u8 *image;

    h.ph[2].p_offset = 0;
    image = lt_elf_image(&h);
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_file("k", image, LT_ELF_SIZE), &res), 0);
    ck_assert_mem_eq(mem_range(m, LT_TEXT_GPA, LT_TEXT_SIZE), image,
                     LT_TEXT_SIZE);
    mem_free(m);
    free(image);
}
END_TEST

START_TEST(test_too_many)
{
    u8 *image = calloc(1, LT_ELF_SIZE);
    struct lt_elf h = lt_elf_headers();
    struct loader_result res;
    struct mem *m;

    h.eh.e_phnum = ELF_SEGMENT_MAX + 1;
    memcpy(image, &h.eh, sizeof(h.eh));
    for (u64 i = 0; i <= ELF_SEGMENT_MAX; i++) {
        h.ph[0].p_offset = 0x1000 + i * 16;
        h.ph[0].p_filesz = 16;
        memcpy(image + sizeof(h.eh) + i * sizeof(h.ph[0]), &h.ph[0],
               sizeof(h.ph[0]));
    }
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_file("k", image, LT_ELF_SIZE), &res),
                     -ENOEXEC);
    lt_said("too many", "more than 32 ELF segments");
    mem_free(m);
    free(image);
}
END_TEST

/* Other files, by how they begin. */
static const struct guess_case {
    size_t offset;
    const char *magic, *said;
} guesses[] = {
    {0, "MZ", "an EFI or Windows program"},
    {0x38, "ARM\x64", "an arm64 kernel Image"},
    {0x38, "RSC\x05", "a RISC-V kernel Image"},
    {0, "070701", "a cpio archive"},
    {0, "\x89LZO", "LZO-compressed"},
    {0x1fe, "\x55\xaa", "a boot sector"},
    {0, "hello", "something that mote does not know"},
};

START_TEST(test_guess)
{
    const struct guess_case *t = &guesses[_i];
    struct loader_result res;
    u8 image[4096] = {0};
    struct mem *m;

    memcpy(image + t->offset, t->magic, strlen(t->magic));
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_file("k", image, sizeof(image)), &res),
                     -ENOEXEC);
    lt_said(t->magic, t->said);
    ck_assert_str_eq(elf_guess(image, 1), "something that mote does not know");
    mem_free(m);
}
END_TEST

START_TEST(test_not_a_file)
{
    struct loader_result res;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(lt_load(m, lt_dir, &res), -EINVAL);
    lt_said("directory", "is a directory");
    lt_log[0] = '\0';
    ck_assert_int_eq(mkfifo(lt_path("fifo"), 0600), 0);
    ck_assert_int_eq(lt_load(m, lt_path("fifo"), &res), -EINVAL);
    lt_said("fifo", "is a FIFO");
    lt_log[0] = '\0';
    ck_assert_int_eq(lt_load(m, "/dev/null", &res), -EINVAL);
    lt_said("device", "is a device");
    lt_log[0] = '\0';
    ck_assert_int_eq(lt_load(m, lt_path("absent"), &res), -ENOENT);
    lt_said("absent", "(ENOENT)");
    lt_log[0] = '\0';
    ck_assert_int_eq(lt_load(m, lt_file("k", "", 0), &res), -ENOEXEC);
    lt_said("empty", "the file is empty");
    mem_free(m);
}
END_TEST

Suite *suite_elf(void);
Suite *suite_elf(void)
{
    Suite *s = suite_create("elf");
    TCase *tc = tcase_create("elf");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_add_loop_test(tc, test_field, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_load);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_header_in_segment);
    tcase_add_test(tc, test_too_many);
    tcase_add_loop_test(tc, test_guess, 0, ARRAY_SIZE(guesses));
    tcase_add_test(tc, test_not_a_file);
    suite_add_tcase(s, tc);
    return s;
}
