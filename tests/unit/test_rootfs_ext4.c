/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs: a tree as an ext4 image, as e2fsck and debugfs see it */
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "rootfs_rig.h"

static void setup(void)
{
    rig_setup();
    ck_assert_int_eq(rig_sh("mkdir \"$D/in\""), 0);
}

/* An image of $D/in at $D/NAME. */
static void image(const char *name)
{
    struct rootfs_tree t = rig_tree(rig_dir);
    int fd = open(rig_path(name), O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(rootfs_from_dir(&t, rig_path("in")), 0);
    ck_assert_msg(rootfs_to_ext4(&t, fd) == 0, "%s", capture_text);
    rootfs_tree_fini(&t);
    close(fd);
}

/* Run the command, which makes files; then fsck finds nothing to say, and what
 * debugfs takes out of the image is what was put in. */
static void round_trip(const char *make)
{
    ck_assert_int_eq(rig_sh(make), 0);
    image("image");
    ck_assert_int_eq(
        rig_sh("PATH=$PATH:/sbin; e2fsck -fn \"$D/image\" >\"$D/log\" 2>&1 || "
               "{ cat \"$D/log\"; exit 1; }"),
        0);
    ck_assert_int_eq(
        rig_sh("PATH=$PATH:/sbin; cd \"$D\" && mkdir out &&"
               "debugfs -R 'rdump / out' image >log 2>&1 &&"
               "rmdir out/lost+found && diff -r --no-dereference in out &&"
               "find=\"find . -mindepth 1 -type f -printf '%P %s %Ts\\n' -o "
               "-printf '%P %M %l\\n'\" &&"
               "(cd in && eval \"$find\" | sort) >a && [ -s a ] &&"
               "(cd out && eval \"$find\" | sort) >b && diff a b"),
        0);
}

static bool tools(void)
{
    if (rig_sh("PATH=$PATH:/sbin; command -v e2fsck debugfs >/dev/null") == 0)
        return true;
    unit_skip("e2fsprogs", "no e2fsck here");
    return false;
}

static const struct trip_case {
    const char *what, *make;
} trips[] = {
    {"a file", "cd \"$D/in\" && echo hello >hello"},
    {"sizes around a block",
     "cd \"$D/in\" && for n in 0 1 4095 4096 4097 8192 262143 262144 262145 "
     "1048577; do head -c $n /dev/urandom >f$n; done"},
    {"directories of many blocks",
     "cd \"$D/in\" && mkdir -p a/b/c many && cd many && seq 3000 | "
     "sed 's/$/-a-name-of-some-length-to-fill-the-blocks/' | xargs touch"},
    {"links, fast and slow",
     "cd \"$D/in\" && ln -s a s1 &&"
     "ln -s $(head -c 59 /dev/zero | tr '\\0' x) s59 &&"
     "ln -s $(head -c 60 /dev/zero | tr '\\0' y) s60 &&"
     "ln -s $(head -c 4095 /dev/zero | tr '\\0' z) s4095"},
    {"a file with holes",
     "cd \"$D/in\" && truncate -s 20M holes && printf middle | "
     "dd of=holes bs=1 seek=9000000 conv=notrunc status=none && "
     "truncate -s 3000000 empty"},
    {"hard links",
     "cd \"$D/in\" && mkdir d && seq 1000 >n && ln n d/m && ln n d/o"},
};

START_TEST(test_round_trip)
{
    if (tools())
        round_trip(trips[_i].make);
}
END_TEST

/* What debugfs says of a file holds this word. */
static void says(const char *file, const char *word)
{
    char command[512];

    snprintf(command, sizeof(command),
             "PATH=$PATH:/sbin; debugfs -R 'stat \"%s\"' \"$D/image\" "
             "2>/dev/null | tr -s ' ' >\"$D/log\"; grep -qF -- '%s' \"$D/log\" "
             "|| { cat \"$D/log\"; exit 1; }",
             file, word);
    ck_assert_msg(rig_sh(command) == 0, "%s: no \"%s\"", file, word);
}

START_TEST(test_attributes)
{
    if (!tools())
        return;
    ck_assert_int_eq(
        rig_sh("cd \"$D/in\" && : >f && chmod 4751 f && mkdir t && "
               "chmod 1777 t && mkfifo p && ln f g && mkdir t/u t/v &&"
               "touch -d @5000000000 f && touch -d @1234567890 t"),
        0);
    image("image");
    says("/f", "Mode: 04751");
    says("/f", "Links: 2");
    says("/f", "mtime: 0x2a05f200:00000001"); /* of the year 2128 */
    says("/t", "Mode: 01777");
    says("/t", "Links: 4");
    says("/t", "mtime: 0x499602d2:00000000");
    says("/p", "Type: FIFO");
    says("/", "Links: 4");
}
END_TEST

static const struct device_case {
    const char *name, *says;
    u32 type, major, minor;
} devices[] = {
    {"console", "Device major/minor number: 05:01", S_IFCHR, 5, 1},
    {"new", "Device major/minor number: 259:77777", S_IFBLK, 259, 77777},
    {"largest", "Device major/minor number: 4095:1048575", S_IFCHR, 4095,
     1048575},
};

START_TEST(test_devices)
{
    const struct device_case *t = &devices[_i];
    char path[64];

    if (!tools())
        return;
    snprintf(path, sizeof(path), "in/%s", t->name);
    if (mknod(rig_path(path), t->type | 0600, makedev(t->major, t->minor)) <
            0 ||
        chown(rig_path(path), 100000, 200000) < 0) {
        unit_skip("root", "making device nodes needs root");
        return;
    }
    image("image");
    says(path + 2, t->says);
    says(path + 2, "User: 100000 Group: 200000");
    ck_assert_int_eq(
        rig_sh("PATH=$PATH:/sbin; e2fsck -fn \"$D/image\" >/dev/null 2>&1"), 0);
}
END_TEST

/* The same files made in another order are the same image. */
START_TEST(test_deterministic)
{
    ck_assert_int_eq(
        rig_sh("cd \"$D/in\" && mkdir d e && seq 100000 >d/a && seq 9 >d/b && "
               "ln d/a e/l && ln -s x y"),
        0);
    rig_times();
    image("1");
    ck_assert_int_eq(
        rig_sh("cd \"$D\" && mkdir new && cd new && ln -s x y && mkdir e d && "
               "seq 9 >d/b && seq 100000 >e/l && ln e/l d/a && cd .. && "
               "rm -r in && mv new in"),
        0);
    rig_times();
    image("2");
    ck_assert_int_eq(rig_sh("cmp \"$D/1\" \"$D/2\""), 0);
}
END_TEST

/* Of a device that is full: one line that says what to do. */
START_TEST(test_disk_full)
{
    struct rootfs_tree t = rig_tree(rig_dir);
    struct rlimit small = {.rlim_cur = 64 * MIB, .rlim_max = RLIM_INFINITY};
    int fd = open(rig_path("image"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    ck_assert_int_eq(rig_sh("seq 1000 >\"$D/in/f\""), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(rootfs_from_dir(&t, rig_path("in")), 0);
    ck_assert_int_eq(rootfs_to_ext4(&t, fd), -EFBIG);
    ck_assert_ptr_nonnull(strstr(capture_text, "no room for its image"));
    ck_assert_ptr_eq(strchr(capture_text, '\n'),
                     capture_text + strlen(capture_text) - 1);
    rootfs_tree_fini(&t);
    close(fd);
}
END_TEST

/* A system's worth of files. Time is only told. */
START_TEST(test_large)
{
    struct timespec a, b;

    if (!tools())
        return;
    ck_assert_int_eq(
        rig_sh("cd \"$D/in\" && for d in $(seq 100); do mkdir -p u/$d && "
               "(cd u/$d && "
               "for f in $(seq 100); do echo $d $f >$f; done); done"),
        0);
    clock_gettime(CLOCK_MONOTONIC, &a);
    image("image");
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("rootfs_ext4: 10,000 files in %lld ms\n",
           (long long)((b.tv_sec - a.tv_sec) * 1000 +
                       (b.tv_nsec - a.tv_nsec) / 1000000));
    ck_assert_int_eq(
        rig_sh("PATH=$PATH:/sbin; e2fsck -fn \"$D/image\" >\"$D/log\" 2>&1 && "
               "grep -q ' 10112/' \"$D/log\""),
        0);
}
END_TEST

Suite *suite_rootfs_ext4(void);
Suite *suite_rootfs_ext4(void)
{
    Suite *s = suite_create("rootfs_ext4");
    TCase *tc = tcase_create("rootfs_ext4");

    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_loop_test(tc, test_round_trip, 0, ARRAY_SIZE(trips));
    tcase_add_test(tc, test_attributes);
    tcase_add_loop_test(tc, test_devices, 0, ARRAY_SIZE(devices));
    tcase_add_test(tc, test_deterministic);
    tcase_add_test(tc, test_disk_full);
    tcase_add_test(tc, test_large);
    suite_add_tcase(s, tc);
    return s;
}
