/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_inspect.c: releases, what is beside a kernel, options */
#include "kernel_rig.h"

static const struct release {
    const char *version, *release;
} releases[] = {
    {"6.9.9-test (someone@somewhere) #1", "6.9.9-test"},
    {"5.10.0", "5.10.0"},
    {"6.6.1-1.el9_3.x86_64+debug (x)", "6.6.1-1.el9_3.x86_64+debug"},
    {"6.1~rc1-x (y)", "6.1~rc1-x"},
    {"../../etc (x)", ""},
    {"6.1/../../etc (x)", ""},
    {"6.1\x01 (x)", "6.1."}, /* unprintable bytes are dots */
    {"", ""},
    {NULL, ""},
    {"6.123456789012345678901234567890123456789012345678901234567890123 (x)",
     ""},
    {"6.12345678901234567890123456789012345678901234567890123456789012 (x)",
     "6.12345678901234567890123456789012345678901234567890123456789012"},
};

START_TEST(test_release)
{
    const struct release *t = &releases[_i];
    struct kernel_info k;

    kr_kernel("vmlinuz", t->version);
    ck_assert_int_eq(kernel_inspect(&k, kr_path("vmlinuz")), 0);
    ck_assert_str_eq(k.release, t->release);
    ck_assert_str_eq(k.format, "bzImage, gzip");
    ck_assert_ptr_null(k.modules);
    ck_assert_ptr_null(k.config);
    kernel_info_fini(&k);
}
END_TEST

/* The banner of a vmlinux is where its data is; also where two chunks of what
 * is read of the file meet, and not where its text is printed. */
START_TEST(test_banner)
{
    static const size_t places[] = {0x300, 262144 - 5, 262144 - 130, 600000};
    static u8 image[700000];
    struct lt_elf h = lt_elf_headers();
    struct kernel_info k;

    memcpy(image, &h, sizeof(h));
    memset(image + sizeof(h), 0, sizeof(image) - sizeof(h));
    strcpy((char *)image + 0x200, "Linux version %s");
    kr_write("vmlinux", image, sizeof(image));
    ck_assert_int_eq(kernel_inspect(&k, kr_path("vmlinux")), 0);
    ck_assert_str_eq(k.release, "");
    kernel_info_fini(&k);
    strcpy((char *)image + places[_i],
           "Linux version " KR_RELEASE " (a@b) (gcc) #1 SMP\nrest");
    kr_write("vmlinux", image, sizeof(image));
    ck_assert_int_eq(kernel_inspect(&k, kr_path("vmlinux")), 0);
    ck_assert_str_eq(k.release, KR_RELEASE);
    ck_assert_str_eq(k.version, KR_RELEASE " (a@b) (gcc) #1 SMP");
    ck_assert_str_eq(k.format, "vmlinux");
    kernel_info_fini(&k);
}
END_TEST

START_TEST(test_not_a_kernel)
{
    struct kernel_info k;

    kr_text("text", "{\"a\": 1}");
    ck_assert_int_eq(kernel_inspect(&k, kr_path("text")), -ENOEXEC);
    lt_said("text", "is not a kernel but text, such as JSON");
    ck_assert_ptr_null(k.path);
    lt_log[0] = '\0';
    ck_assert_int_eq(kernel_inspect(&k, kr_path("none")), -ENOENT);
    lt_said("none", "No such file or directory (ENOENT)");
    lt_log[0] = '\0';
    ck_assert_int_eq(kernel_inspect(&k, lt_dir), -EINVAL);
    lt_said("directory", "is a directory");
}
END_TEST

/* ---- beside it ----------------------------------------------------------- */

#define MODULES "lib/modules/" KR_RELEASE "/"

static const char config[] = "# a comment\n"
                             "CONFIG_VIRTIO=y\n"
                             "CONFIG_VIRTIO_BLK=m\n"
                             "# CONFIG_VIRTIO_NET is not set\n"
                             "CONFIG_EXT4_FS=y\n"
                             "CONFIG_CMDLINE=\"CONFIG_X=y\"\n"
                             "CONFIG_NR_CPUS=64\n"
                             "CONFIG_HW_RANDOM_VIRTIO=m";

static struct kernel_info kernel(void)
{
    struct kernel_info k;

    kr_kernel("boot/vmlinuz-x", LT_VERSION);
    ck_assert_int_eq(kernel_inspect(&k, kr_path("boot/vmlinuz-x")), 0);
    return k;
}

static const struct option {
    const char *name;
    int want;
} options[] = {
    {"VIRTIO", 1},  {"VIRTIO_BLK", 2}, {"VIRTIO_NET", 0},
    {"VIRTI", 0},   {"X", 0},          {"NR_CPUS", 1},
    {"CMDLINE", 1}, {"", 0},           {"HW_RANDOM_VIRTIO", 2},
};

START_TEST(test_option)
{
    struct kernel_info k;

    kr_text("boot/config-" KR_RELEASE, config);
    k = kernel();
    ck_assert_int_eq(kernel_option(&k, options[_i].name), options[_i].want);
    kernel_info_fini(&k);
}
END_TEST

START_TEST(test_no_config)
{
    struct kernel_info k = kernel();

    ck_assert_int_eq(kernel_option(&k, "VIRTIO"), -ENOENT);
    kernel_info_fini(&k);
}
END_TEST

START_TEST(test_config_of_modules)
{
    struct kernel_info k;

    kr_text(MODULES "config", config);
    k = kernel();
    ck_assert_int_eq(kernel_option(&k, "VIRTIO_BLK"), 2);
    kernel_info_fini(&k);
}
END_TEST

/* A FIFO in place of a list does not hang, a directory is none. */
START_TEST(test_odd_lists)
{
    struct kernel_info k;

    kr_text(MODULES "modules.dep/x", "");
    ck_assert_int_eq(mkfifo(kr_path(MODULES "modules.builtin"), 0600), 0);
    kr_text(MODULES "modules.order", "kernel/a.ko\n");
    k = kernel();
    ck_assert_ptr_null(k.builtin);
    ck_assert_str_eq(k.index, "kernel/a.ko\n");
    kernel_info_fini(&k);
}
END_TEST

static const struct part {
    const char *what;
    bool config, lists;
    const char *module;
    enum kernel_part want;
} parts[] = {
    {"nothing is known", false, false, "virtio_blk", PART_UNKNOWN},
    {"option y", true, false, "virtio", PART_BUILTIN},
    {"option y, other name", true, false, "ext4", PART_BUILTIN},
    {"option m, no modules", true, false, "virtio-blk", PART_LOST},
    {"option m, other name", true, false, "virtio-rng", PART_LOST},
    {"option not set", true, false, "virtio_net", PART_ABSENT},
    {"a built-in", false, true, "virtio_mmio", PART_BUILTIN},
    {"a file", false, true, "virtio_blk", PART_MODULE},
    {"a file, and m", true, true, "virtio_blk", PART_MODULE},
    {"listed, no file", false, true, "virtio_net", PART_ABSENT},
    {"m, no file", true, true, "virtio_rng", PART_LOST},
    {"in no list", false, true, "overlay", PART_ABSENT},
};

START_TEST(test_part)
{
    const struct part *t = &parts[_i];
    struct kernel_info k;

    if (t->config)
        kr_text("boot/config-" KR_RELEASE, config);
    if (t->lists) {
        kr_text(MODULES "modules.builtin", "kernel/a/virtio-mmio.ko\n");
        kr_text(MODULES "modules.order",
                "kernel/b/virtio_blk.ko\nkernel/b/virtio_net.ko\n");
        kr_text(MODULES "kernel/b/virtio_blk.ko.zst", "x");
    }
    k = kernel();
    ck_assert_msg(kernel_part(&k, t->module) == t->want, "%s: %d", t->what,
                  kernel_part(&k, t->module));
    kernel_info_fini(&k);
}
END_TEST

Suite *suite_kernel_inspect(void);
Suite *suite_kernel_inspect(void)
{
    Suite *s = suite_create("kernel_inspect");
    TCase *tc = tcase_create("kernel_inspect");

    tcase_add_checked_fixture(tc, lt_setup, kr_teardown);
    tcase_add_loop_test(tc, test_release, 0, ARRAY_SIZE(releases));
    tcase_add_loop_test(tc, test_banner, 0, 4);
    tcase_add_test(tc, test_not_a_kernel);
    tcase_add_loop_test(tc, test_option, 0, ARRAY_SIZE(options));
    tcase_add_test(tc, test_no_config);
    tcase_add_test(tc, test_config_of_modules);
    tcase_add_test(tc, test_odd_lists);
    tcase_add_loop_test(tc, test_part, 0, ARRAY_SIZE(parts));
    suite_add_tcase(s, tc);
    return s;
}
