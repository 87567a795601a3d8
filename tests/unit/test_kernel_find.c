/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_find.c: which of several kernels, and what is said without any */
#include "kernel_rig.h"
#include "run/places.h"

static void setup(void)
{
    lt_setup();
    unsetenv("MOTE_KERNEL");
    setenv("MOTE_CACHE", lt_dir, 1);
}

static char pattern[128];

static const char *newest(unsigned int *denied)
{
    static char *found;

    free(found);
    snprintf(pattern, sizeof(pattern), "%s/boot/vmlinuz-*", lt_dir);
    *denied = 0;
    found = kernel_newest(pattern, denied);
    return found ? strrchr(found, '/') + 1 : NULL;
}

START_TEST(test_newest)
{
    unsigned int denied;

    ck_assert_ptr_null(newest(&denied));
    kr_text("boot/vmlinuz-6.1.0-9-cloud-amd64", "x");
    ck_assert_str_eq(newest(&denied), "vmlinuz-6.1.0-9-cloud-amd64");
    kr_text("boot/vmlinuz-6.1.0-56-cloud-amd64", "x");
    kr_text("boot/vmlinuz-6.1.0-56-cloud-amd64.old", "x");
    kr_text("boot/vmlinuz-5.10.0-99-amd64", "x");
    kr_text("boot/vmlinuz-0-rescue-cafe", "x");
    kr_text("boot/initrd.img-7", "x");
    kr_text("boot/vmlinuz-9/directory", "x");
    ck_assert_str_eq(newest(&denied), "vmlinuz-6.1.0-56-cloud-amd64");
    kr_text("boot/vmlinuz-6.10.1", "x");
    ck_assert_str_eq(newest(&denied), "vmlinuz-6.10.1");
    ck_assert_uint_eq(denied, 0);
}
END_TEST

START_TEST(test_denied)
{
    unsigned int denied;

    kr_text("boot/vmlinuz-6.1", "x");
    kr_text("boot/vmlinuz-6.2", "x");
    chmod(kr_path("boot/vmlinuz-6.2"), 0);
    if (geteuid() ==
        0) /* who may read all; the test has a process of its own */
        ck_assert_int_eq(chmod(lt_dir, 0755) | seteuid(65534), 0);
    ck_assert_str_eq(newest(&denied), "vmlinuz-6.1");
    ck_assert_uint_eq(denied, 1);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(test_cache)
{
    char *path;

    kr_text("packages/linux-image-6.1/boot/vmlinuz-6.1", "x");
    kr_text("packages/a-later-name/boot/vmlinuz-5.9", "x");
    ck_assert_int_eq(kernel_find(&path), 0);
    ck_assert_str_eq(path,
                     kr_path("packages/linux-image-6.1/boot/vmlinuz-6.1"));
    free(path);
}
END_TEST

/* XDG_CACHE_HOME counts where MOTE_CACHE is not set, then HOME; and a name with
 * a star in it means itself. */
START_TEST(test_cache_homes)
{
    char *path;

    kr_text("a*b/mote/packages/p/boot/vmlinuz-6.1", "x");
    kr_text("axb/mote/packages/p/boot/vmlinuz-6.2", "x");
    kr_text(".cache/mote/packages/p/boot/vmlinuz-6.3", "x");
    unsetenv("MOTE_CACHE");
    setenv("XDG_CACHE_HOME", kr_path("a*b"), 1);
    setenv("HOME", lt_dir, 1);
    ck_assert_int_eq(kernel_find(&path), 0);
    ck_assert_str_eq(strrchr(path, '/'), "/vmlinuz-6.1");
    free(path);
    unsetenv("XDG_CACHE_HOME");
    ck_assert_int_eq(kernel_find(&path), 0);
    ck_assert_str_eq(strrchr(path, '/'), "/vmlinuz-6.3");
    free(path);
}
END_TEST

/* Whatever the directory of the moment is: a relative one does not count. */
START_TEST(test_cache_relative)
{
    char *path;

    kr_text("rel/mote/packages/p/boot/vmlinuz-6.1", "x");
    kr_text("rel/packages/p/boot/vmlinuz-6.2", "x");
    kr_text(".cache/mote/packages/p/boot/vmlinuz-6.3", "x");
    ck_assert_int_eq(chdir(lt_dir), 0);
    setenv("MOTE_CACHE", "rel", 1);
    setenv("XDG_CACHE_HOME", "./rel", 1);
    setenv("HOME", lt_dir, 1);
    ck_assert_int_eq(kernel_find(&path), 0);
    ck_assert_str_eq(strrchr(path, '/'), "/vmlinuz-6.3");
    free(path);
    path = places_cache("rootfs");
    ck_assert_str_eq(path, kr_path(".cache/mote/rootfs"));
    free(path);
    setenv("MOTE_CACHE", lt_dir, 1);
    path = places_cache("rootfs");
    ck_assert_str_eq(path, kr_path("rootfs"));
    free(path);
    unsetenv("HOME");
    setenv("MOTE_CACHE", "", 1);
    ck_assert_ptr_null(places_cache("rootfs"));
}
END_TEST

START_TEST(test_cache_max)
{
    u64 max;

    unsetenv("MOTE_CACHE_MAX");
    ck_assert_int_eq(places_cache_max(&max), 0);
    ck_assert_uint_eq(max, 4 * GIB);
    setenv("MOTE_CACHE_MAX", "0", 1);
    ck_assert_int_eq(places_cache_max(&max), 0);
    ck_assert_uint_eq(max, 0);
    setenv("MOTE_CACHE_MAX", "500M", 1);
    ck_assert_int_eq(places_cache_max(&max), 0);
    ck_assert_uint_eq(max, 500 * MIB);
    setenv("MOTE_CACHE_MAX", "much", 1);
    ck_assert_int_eq(places_cache_max(&max), -EINVAL);
}
END_TEST

START_TEST(test_named)
{
    char *path;

    kr_text("packages/p/boot/vmlinuz-6.1", "x");
    setenv("MOTE_KERNEL", "/nowhere/vmlinux", 1);
    ck_assert_int_eq(kernel_find(&path), 0);
    ck_assert_str_eq(path, "/nowhere/vmlinux");
    free(path);
    setenv("MOTE_KERNEL", "", 1);
    ck_assert_int_eq(kernel_find(&path), 0);
    ck_assert_str_eq(strrchr(path, '/'), "/vmlinuz-6.1");
    free(path);
}
END_TEST

START_TEST(test_none)
{
    unsigned int denied = 0;
    char *path = kernel_newest("/boot/vmlinuz-*", &denied);

    if (path || denied) {
        printf("skip - this host has kernels in /boot\n");
        free(path);
        return;
    }
    ck_assert_int_eq(kernel_find(&path), -ENOENT);
    lt_said("none", "no kernel: none is in the cache, and there is no "
                    "/boot/vmlinuz-*; give --kernel FILE");
}
END_TEST

Suite *suite_kernel_find(void);
Suite *suite_kernel_find(void)
{
    Suite *s = suite_create("kernel_find");
    TCase *tc = tcase_create("kernel_find");

    tcase_add_checked_fixture(tc, setup, kr_teardown);
    tcase_add_test(tc, test_newest);
    tcase_add_test(tc, test_denied);
    tcase_add_test(tc, test_cache);
    tcase_add_test(tc, test_cache_homes);
    tcase_add_test(tc, test_cache_relative);
    tcase_add_test(tc, test_cache_max);
    tcase_add_test(tc, test_named);
    tcase_add_test(tc, test_none);
    suite_add_tcase(s, tc);
    return s;
}
