/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs: a directory as a tree, and the tree as an initramfs */
#include <sys/socket.h>
#include <sys/un.h>

#include "rootfs_rig.h"

static struct rootfs_tree tree;

static void setup(void)
{
    rig_setup();
    tree = rig_tree(rig_dir);
}

static void teardown(void)
{
    rootfs_tree_fini(&tree);
    rig_teardown();
}

static struct rootfs_node *found(const char *path)
{
    struct rootfs_node *n = rootfs_find(&tree, path);

    ck_assert_msg(n, "no %s", path);
    return n;
}

START_TEST(test_kinds)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    rig_file("file", "hello", 04755);
    ck_assert_int_eq(mkdir(rig_path("dir"), 01777), 0);
    ck_assert_int_eq(chmod(rig_path("dir"), 01777), 0);
    ck_assert_int_eq(symlink("../target", rig_path("dir/link")), 0);
    ck_assert_int_eq(mkfifo(rig_path("fifo"), 0600), 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", rig_path("socket"));
    ck_assert_int_eq(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(sock);
    rig_times();
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), 0);
    ck_assert_uint_eq(tree.nr, 5);
    ck_assert_uint_eq(tree.bytes, 5);
    ck_assert_uint_eq(found("file")->mode, S_IFREG | 04755);
    ck_assert_uint_eq(found("file")->size, 5);
    ck_assert_uint_eq(found("file")->mtime, 1000000000);
    ck_assert_uint_eq(found("dir")->mode, S_IFDIR | 01777);
    ck_assert_str_eq(found("dir/link")->link, "../target");
    ck_assert_uint_eq(found("fifo")->mode, S_IFIFO | 0600);
    ck_assert_ptr_null(rootfs_find(&tree, "socket"));
    ck_assert_str_eq(capture_text, "");
}
END_TEST

START_TEST(test_devices)
{
    if (mknod(rig_path("con"), S_IFCHR | 0620, makedev(5, 1)) < 0) {
        unit_skip("root", "making device nodes needs root");
        return;
    }
    ck_assert_int_eq(chmod(rig_path("con"), 0620), 0);
    ck_assert_int_eq(chown(rig_path("con"), 1000, 5), 0);
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), 0);
    ck_assert_uint_eq(found("con")->mode, S_IFCHR | 0620);
    ck_assert_uint_eq(found("con")->major, 5);
    ck_assert_uint_eq(found("con")->minor, 1);
    ck_assert_uint_eq(found("con")->uid, 1000);
    ck_assert_uint_eq(found("con")->gid, 5);
}
END_TEST

START_TEST(test_hard)
{
    rig_file("b", "content", 0644);
    ck_assert_int_eq(mkdir(rig_path("a"), 0755), 0);
    ck_assert_int_eq(link(rig_path("b"), rig_path("a/first")), 0);
    ck_assert_int_eq(link(rig_path("b"), rig_path("c")), 0);
    ck_assert_int_eq(symlink("x", rig_path("s1")), 0);
    ck_assert_int_eq(link(rig_path("s1"), rig_path("s2")), 0);
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), 0);
    ck_assert_uint_eq(tree.bytes, 7);
    /* The names of the root are read before those of a/. */
    ck_assert_ptr_null(found("b")->hard);
    ck_assert_ptr_eq(found("c")->hard, found("b"));
    ck_assert_ptr_eq(found("a/first")->hard, found("b"));
    ck_assert_uint_eq(found("b")->names, 3);
    ck_assert_ptr_eq(found("s2")->hard, found("s1"));
}
END_TEST

/* No root's files for who is not root; his own are root's. */
START_TEST(test_ownership)
{
    rig_file("mine", "", 0644);
    rig_file("other", "", 0644);
    if (chown(rig_dir, 1234, 55) < 0) {
        unit_skip("root", "changing owners needs root");
        return;
    }
    ck_assert_int_eq(chown(rig_path("mine"), 1234, 55), 0);
    ck_assert_int_eq(chown(rig_path("other"), 99, 98), 0);
    ck_assert_int_eq(setegid(55), 0);
    ck_assert_int_eq(seteuid(1234), 0);
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), 0);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    ck_assert_uint_eq(tree.root->uid + tree.root->gid, 0);
    ck_assert_uint_eq(found("mine")->uid + found("mine")->gid, 0);
    ck_assert_uint_eq(found("other")->uid, 99);
    ck_assert_uint_eq(found("other")->gid, 98);
}
END_TEST

static const struct closed_case {
    const char *what, *name;
    u32 mode;
} closed[] = {
    {"file", "secret", S_IFREG | 0600},
    {"directory", "secret", S_IFDIR | 0700},
};

START_TEST(test_not_readable)
{
    const struct closed_case *t = &closed[_i];
    char want[256];

    rig_file("shown", "x", 0644);
    if (S_ISDIR(t->mode))
        ck_assert_int_eq(mkdir(rig_path(t->name), t->mode & 0777), 0);
    else
        rig_file(t->name, "x", t->mode & 0777);
    ck_assert_int_eq(chmod(rig_dir, 0755), 0);
    if (seteuid(1234) < 0) {
        unit_skip("root", "another user needs root");
        return;
    }
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), -EACCES);
    ck_assert_int_eq(seteuid(0), 0);
    snprintf(want, sizeof(want),
             "rootfs %s: ./secret (mode %04o of uid 0) may not be read by uid "
             "1234; start mote as",
             rig_dir, t->mode & 07777);
    ck_assert_msg(strstr(capture_text, want), "%s", capture_text);
}
END_TEST

START_TEST(test_absent)
{
    char path[PATH_MAX];

    strcpy(path, rig_path("none"));
    tree.what = path;
    ck_assert_int_eq(rootfs_from_dir(&tree, path), -ENOENT);
    ck_assert_ptr_nonnull(strstr(capture_text, "none: No such file"));
}
END_TEST

START_TEST(test_empty)
{
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), -ENOENT);
    ck_assert_ptr_nonnull(strstr(capture_text, "the directory is empty"));
}
END_TEST

/* What a link or another file has become meanwhile is not read. */
START_TEST(test_replaced)
{
    u64 offset;
    int fd;

    rig_file("f", "mine", 0644);
    ck_assert_int_eq(rootfs_from_dir(&tree, rig_dir), 0);
    ck_assert_int_eq(rootfs_content_open(&tree, found("f"), &fd, &offset), 0);
    rootfs_content_close(&tree, fd);
    if (_i == 0) {
        ck_assert_int_eq(unlink(rig_path("f")), 0);
        ck_assert_int_eq(symlink("/etc/passwd", rig_path("f")), 0);
    } else {
        rig_file("g", "other", 0644);
        ck_assert_int_eq(rename(rig_path("g"), rig_path("f")), 0);
    }
    ck_assert_int_eq(rootfs_content_open(&tree, found("f"), &fd, &offset),
                     _i == 0 ? -ELOOP : -ESTALE);
}
END_TEST

/* ---- the print: does anything that counts change it? -------------------- */

static void print_of(u8 print[32])
{
    struct rootfs_tree t = rig_tree(rig_dir);

    ck_assert_int_eq(rootfs_from_dir(&t, rig_dir), 0);
    memcpy(print, t.print, 32);
    rootfs_tree_fini(&t);
}

static const struct change_case {
    const char *what, *command;
    bool changes;
} changes[] = {
    {"nothing", "true", false},
    {"read", "cat \"$D/f\" \"$D/d/g\" >/dev/null; ls \"$D/d\" >/dev/null",
     false},
    {"content of the same size and time",
     "touch -r \"$D/f\" \"$D/../mote-unit-t.$PPID\"; printf 2 >\"$D/f\";"
     "touch -r \"$D/../mote-unit-t.$PPID\" \"$D/f\";"
     "rm \"$D/../mote-unit-t.$PPID\"",
     true},
    {"a name deep down", "mv \"$D/d/g\" \"$D/d/h\"", true},
    {"mode", "chmod 600 \"$D/f\"", true},
    {"a new file", "touch \"$D/d/z\"", true},
    {"a removed one", "rm \"$D/d/g\"", true},
    {"a link's target", "ln -sfn x \"$D/l\"", true},
};

START_TEST(test_print)
{
    const struct change_case *t = &changes[_i];
    u8 before[32], after[32];

    ck_assert_int_eq(rig_sh("mkdir \"$D/d\"; printf 1 >\"$D/f\"; "
                            "touch \"$D/d/g\"; ln -s y \"$D/l\""),
                     0);
    print_of(before);
    usleep(20000); /* the clock of files has a tick of 1 to 10 ms */
    ck_assert_int_eq(rig_sh(t->command), 0);
    print_of(after);
    ck_assert_msg((memcmp(before, after, 32) != 0) == t->changes, "%s",
                  t->what);
}
END_TEST

/* ---- as an initramfs ---------------------------------------------------- */

static int cpio_of(const char *dir)
{
    struct rootfs_tree t = rig_tree(dir);
    int fd = memfd_create("cpio", MFD_CLOEXEC);

    ck_assert_int_eq(rootfs_from_dir(&t, dir), 0);
    ck_assert_int_eq(rootfs_to_cpio(&t, fd), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), lseek(fd, 0, SEEK_END));
    rootfs_tree_fini(&t);
    return fd;
}

static u8 *bytes_of(int fd, u64 *len)
{
    u8 *bytes;

    *len = (u64)lseek(fd, 0, SEEK_END);
    bytes = malloc(*len);
    ck_assert_int_eq(pread(fd, bytes, *len, 0), (ssize_t)*len);
    close(fd);
    return bytes;
}

/* The same files, made in another order, in another place. */
START_TEST(test_deterministic)
{
    u64 len_a, len_b;
    u8 *a, *b;

    ck_assert_int_eq(
        rig_sh(
            "mkdir -p \"$D/1/x/y\" \"$D/2\" && cd \"$D/1\" &&"
            "seq 1000 >x/y/z; seq 5 >a; ln a b; ln -s a x/c;"
            "head -c 100000 /dev/zero >big; mkdir p; ln big p/big; cd ../2 &&"
            "mkdir p; head -c 100000 /dev/zero >p/big; ln p/big big; mkdir -p "
            "x/y;"
            "seq 5 >b; ln b a; seq 1000 >x/y/z; ln -s a x/c"),
        0);
    rig_times();
    a = bytes_of(cpio_of(rig_path("1")), &len_a);
    b = bytes_of(cpio_of(rig_path("2")), &len_b);
    ck_assert_uint_eq(len_a, len_b);
    ck_assert_mem_eq(a, b, len_a);
    ck_assert_uint_gt(len_a, 100000 + 3893 + 10);
    ck_assert_uint_lt(len_a, 100000 + 3893 + 10 + 11 * 130);
    free(a);
    free(b);
}
END_TEST

/* What cpio makes of it is what there was. */
START_TEST(test_unpacked)
{
    char command[512];
    int fd;

    if (rig_sh("command -v cpio >/dev/null") != 0) {
        unit_skip("cpio", "no cpio here");
        return;
    }
    ck_assert_int_eq(
        rig_sh("mkdir -p \"$D/in/sub/deep\" \"$D/out\" && cd \"$D/in\" &&"
               "seq 20000 >sub/numbers && ln sub/numbers sub/deep/again &&"
               "ln -s ../numbers sub/deep/link && : >empty && mkfifo pipe &&"
               "chmod 4711 sub/numbers && chmod 1777 sub &&"
               "printf x >\"odd name\" && printf yy >-dash"),
        0);
    rig_times();
    fd = cpio_of(rig_path("in"));
    snprintf(command, sizeof(command),
             "cd \"$D/out\" && cpio -idm --quiet <&%d 2>../log &&"
             "[ ! -s ../log ] && diff -r -x pipe --no-dereference ../in . &&"
             "stat=\"find . -mindepth 1 -printf '%%P %%M %%s %%n %%l\\n' "
             "-type f -printf '%%P %%Ts\\n'\" &&"
             "(cd ../in && eval $stat | sort) >../a &&"
             "(eval $stat | sort) >../b && diff ../a ../b &&"
             "[ sub/numbers -ef sub/deep/again ]",
             fd);
    ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(rig_sh(command), 0);
    close(fd);
}
END_TEST

Suite *suite_rootfs_dir(void);
Suite *suite_rootfs_dir(void)
{
    Suite *s = suite_create("rootfs_dir");
    TCase *tc = tcase_create("rootfs_dir");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_kinds);
    tcase_add_test(tc, test_devices);
    tcase_add_test(tc, test_hard);
    tcase_add_test(tc, test_ownership);
    tcase_add_loop_test(tc, test_not_readable, 0, ARRAY_SIZE(closed));
    tcase_add_test(tc, test_absent);
    tcase_add_test(tc, test_empty);
    tcase_add_loop_test(tc, test_replaced, 0, 2);
    tcase_add_loop_test(tc, test_print, 0, ARRAY_SIZE(changes));
    tcase_add_test(tc, test_deterministic);
    tcase_add_test(tc, test_unpacked);
    suite_add_tcase(s, tc);
    return s;
}
