/* SPDX-License-Identifier: Apache-2.0 */
/* modules.c: files of modules, and the order in which they are loaded */
#include "kernel_rig.h"

#define MODULES "lib/modules/" KR_RELEASE "/"
#define DIR     MODULES "kernel/"

static const char order[] = "kernel/virtio_ring.ko\n"
                            "kernel/virtio.ko\n"
                            "kernel/virtio_mmio.ko\n"
                            "kernel/virtio-rng.ko\n"
                            "kernel/ext4.ko\n"
                            "kernel/jbd2.ko\n"
                            "kernel/crc32c_generic.ko\n"
                            "kernel/loop_a.ko\n"
                            "kernel/loop_b.ko\n"
                            "kernel/needy.ko\n"
                            "kernel/text.ko\n"
                            "kernel/not_there.ko\n";

static void setup(void)
{
    lt_setup();
    kr_kernel("boot/vmlinuz-x", LT_VERSION);
    kr_text(MODULES "modules.builtin",
            "kernel/x/mbcache.ko\nkernel/rng-core.ko\n");
    kr_text(MODULES "modules.order", order);
    kr_module(DIR "virtio_ring.ko", "name=virtio_ring;depends=virtio;");
    kr_module(DIR "virtio.ko", "name=virtio;depends=;");
    kr_module(DIR "virtio_mmio.ko", "x;depends=virtio_ring,virtio;softdep=;");
    kr_module(DIR "virtio-rng.ko", "depends=rng_core,virtio_ring;");
    kr_module(DIR "ext4.ko", "softdep=pre: crc32c nowhere post: loop_a;"
                             "depends=mbcache,jbd2;");
    kr_module(DIR "jbd2.ko", "depends=;");
    kr_module(DIR "crc32c_generic.ko", "alias=crc32c;depends=;");
    kr_module(DIR "loop_a.ko", "depends=loop_b;");
    kr_module(DIR "loop_b.ko", "depends=loop_a;");
    kr_module(DIR "needy.ko", "depends=never_made;");
    kr_text(DIR "text.ko", "text");
}

/* The names without their directory, ".ko", and what is behind it. */
static void join(char *out, size_t size, char **files)
{
    out[0] = '\0';
    for (size_t i = 0; files[i]; i++) {
        const char *base = strrchr(files[i], '/') + 1;
        size_t n = strlen(out);

        snprintf(out + n, size - n, "%s%.*s", n ? " " : "",
                 (int)(strstr(base, ".ko") - base), base);
    }
}

static int load(const char *a, const char *b, char *out, size_t size)
{
    const char *const names[] = {a, b, NULL};
    struct kernel_info k;
    char **files;
    int r;

    ck_assert_int_eq(kernel_inspect(&k, kr_path("boot/vmlinuz-x")), 0);
    r = kernel_modules(&k, names, &files);
    if (r == 0)
        join(out, size, files);
    else
        ck_assert_ptr_null(files);
    kernel_modules_free(files);
    kernel_info_fini(&k);
    return r;
}

static const struct order {
    const char *a, *b, *want;
} orders[] = {
    {NULL, NULL, ""},
    {"virtio_mmio", NULL, "virtio virtio_ring virtio_mmio"},
    {"virtio_rng", NULL, "virtio virtio_ring virtio-rng"},
    {"virtio-rng", "virtio-mmio", "virtio virtio_ring virtio-rng virtio_mmio"},
    {"virtio", "virtio", "virtio"},
    {"mbcache", "rng_core", ""},
    {"ext4", NULL, "crc32c_generic jbd2 ext4"},
    {"loop_a", NULL, "loop_a loop_b"},
};

START_TEST(test_order)
{
    const struct order *t = &orders[_i];
    char got[256];

    ck_assert_int_eq(load(t->a, t->b, got, sizeof(got)), 0);
    ck_assert_str_eq(got, t->want);
}
END_TEST

/* The same from depmod's list, and with modules as distributions pack them. */
START_TEST(test_packed)
{
    static const struct {
        const char *tool, *end;
    } packers[] = {{"xz -f", "xz"}, {"zstd -q --rm", "zst"}, {"gzip", "gz"}};
    char cmd[1024], got[256];

    snprintf(
        cmd, sizeof(cmd),
        "for f in virtio virtio_ring virtio_mmio; do %s %s$f.ko || exit 9; "
        "done 2>/dev/null",
        packers[_i].tool, kr_path(DIR));
    if (system(cmd) != 0) {
        printf("skip - %s does not work here\n", packers[_i].tool);
        return;
    }
    ck_assert_int_eq(load("virtio_mmio", NULL, got, sizeof(got)), 0);
    ck_assert_str_eq(got, "virtio virtio_ring virtio_mmio");
    snprintf(
        cmd, sizeof(cmd),
        "kernel/virtio_mmio.ko.%s: kernel/virtio.ko\nkernel/virtio.ko.%s:\n"
        "kernel/virtio_ring.ko.%s: kernel/virtio.ko\n",
        packers[_i].end, packers[_i].end, packers[_i].end);
    kr_text(MODULES "modules.dep", cmd);
    kr_text(MODULES "modules.order", "");
    ck_assert_int_eq(load("virtio_mmio", NULL, got, sizeof(got)), 0);
    ck_assert_str_eq(got, "virtio virtio_ring virtio_mmio");
}
END_TEST

static const struct wrong {
    const char *name;
    int want;
    const char *said;
} wrongs[] = {
    {"overlay", -ENOENT, "was built without overlay, which is needed here"},
    {"needy", -ENOENT, "needy.ko needs never_made, which is neither built in"},
    {"not_there", -ENOENT, "was built without not_there"},
    {"text", -ENOEXEC, "text.ko: is something that mote does not know"},
};

START_TEST(test_wrong)
{
    const struct wrong *t = &wrongs[_i];
    char got[256];

    ck_assert_int_eq(load(t->name, NULL, got, sizeof(got)), t->want);
    lt_said(t->name, t->said);
}
END_TEST

/* Without modules, what the configuration says counts; without that, the kernel
 * is taken to have what it needs. */
START_TEST(test_no_directory)
{
    char old[512], got[256] = "x";

    snprintf(old, sizeof(old), "%s", kr_path("lib"));
    ck_assert_int_eq(rename(old, kr_path("gone")), 0);
    ck_assert_int_eq(load("virtio_mmio", "ext4", got, sizeof(got)), 0);
    ck_assert_str_eq(got, "");
    kr_text("boot/config-" KR_RELEASE, "CONFIG_VIRTIO_MMIO=m\n");
    ck_assert_int_eq(load("virtio_mmio", NULL, got, sizeof(got)), -ENOENT);
    lt_said("lost", "virtio_mmio is a module of it, and there is neither "
                    "../lib/modules/" KR_RELEASE);
}
END_TEST

/* ---- damaged modules ----------------------------------------------------- */

static const struct damage {
    const char *what;
    size_t at, len;
    u8 with;
} damages[] = {
    {"no ELF", 0, 1, 'x'},
    {"32 bit", EI_CLASS, 1, ELFCLASS32},
    {"sections behind the end", offsetof(Elf64_Ehdr, e_shoff), 8, 0x7f},
    {"sections anywhere", offsetof(Elf64_Ehdr, e_shoff), 8, 0xff},
    {"no sections", offsetof(Elf64_Ehdr, e_shnum), 2, 0},
    {"names anywhere", offsetof(Elf64_Ehdr, e_shstrndx), 2, 0xff},
    {"section behind the end",
     offsetof(struct kr_module, sh[2]) + offsetof(Elf64_Shdr, sh_offset), 8,
     0xff},
    {"section too long",
     offsetof(struct kr_module, sh[2]) + offsetof(Elf64_Shdr, sh_size), 8,
     0x7f},
    {"name anywhere",
     offsetof(struct kr_module, sh[2]) + offsetof(Elf64_Shdr, sh_name), 4,
     0xff},
    {"names behind the end",
     offsetof(struct kr_module, sh[1]) + offsetof(Elf64_Shdr, sh_offset), 8,
     0xff},
};

START_TEST(test_damaged)
{
    const struct damage *t = &damages[_i];
    struct kr_module m = kr_make_module("depends=;");
    char got[256];

    memset((u8 *)&m + t->at, t->with, t->len);
    kr_write(DIR "jbd2.ko", &m, sizeof(m));
    ck_assert_int_eq(load("jbd2", NULL, got, sizeof(got)), -ENOEXEC);
    lt_said(t->what, _i == 0 ? "jbd2.ko: is something"
                             : "jbd2.ko: is not a kernel module");
}
END_TEST

/* Long names and many of them are left out, not written anywhere. */
START_TEST(test_many_needs)
{
    char info[500] = "depends=", got[256];

    for (int i = 0; i < 80; i++)
        strcat(info, "xx,,");
    strcat(info, ";softdep=pre:  ; pre: ");
    memset(info + strlen(info), 'y', 70);
    kr_module(DIR "jbd2.ko", info);
    ck_assert_int_eq(load("jbd2", NULL, got, sizeof(got)), -ENOENT);
    lt_said("many", "needs xx");
}
END_TEST

Suite *suite_modules(void);
Suite *suite_modules(void)
{
    Suite *s = suite_create("modules");
    TCase *tc = tcase_create("modules");

    tcase_add_checked_fixture(tc, setup, kr_teardown);
    tcase_add_loop_test(tc, test_order, 0, ARRAY_SIZE(orders));
    tcase_add_loop_test(tc, test_packed, 0, 3);
    tcase_add_loop_test(tc, test_wrong, 0, ARRAY_SIZE(wrongs));
    tcase_add_test(tc, test_no_directory);
    tcase_add_loop_test(tc, test_damaged, 0, ARRAY_SIZE(damages));
    tcase_add_test(tc, test_many_needs);
    suite_add_tcase(s, tc);
    return s;
}
