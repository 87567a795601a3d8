/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs: what a path is, what is made of it, and the cache between starts */
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "rootfs/command.h"
#include "rootfs/saved.h"
#include "rootfs_rig.h"

static char in[PATH_MAX], cache[PATH_MAX];
static struct rootfs made;

/* $D/in with about 1 MiB, $D/cache/below is not there yet. */
static void setup(void)
{
    rig_setup();
    ck_assert_int_eq(
        rig_sh("mkdir \"$D/in\" \"$D/cache\" && cd \"$D/in\" && "
               "seq 100000 >numbers && seq 50000 >more && mkdir d"),
        0);
    strcpy(in, rig_path("in"));
    strcpy(cache, rig_path("cache/below"));
    made = (struct rootfs){.fd = -1};
}

static void teardown(void)
{
    rootfs_close(&made);
    rig_teardown();
}

static u64 cache_max;

static int open_in(u64 cpio_max, const char *cache_dir)
{
    const struct rootfs_options opt = {.path = in,
                                       .cpio_max = cpio_max,
                                       .cache_dir = cache_dir,
                                       .cache_max = cache_max};

    return rootfs_open(&made, &opt);
}

/* Files of the cache whose names end like this. */
static unsigned int cached(const char *end)
{
    char command[PATH_MAX + 64], line[16] = "";
    FILE *f;

    snprintf(command, sizeof(command), "ls -A '%s' 2>/dev/null | grep -c '%s$'",
             cache, end);
    f = popen(command, "re");
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    pclose(f);
    return (unsigned int)strtoul(line, NULL, 10);
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_ino;
}

START_TEST(test_small)
{
    char magic[6];

    ck_assert_int_eq(open_in(MIB, cache), 0);
    ck_assert_int_eq(made.kind, ROOTFS_CPIO);
    ck_assert_int_eq(pread(made.fd, magic, 6, 0), 6);
    ck_assert_mem_eq(magic, "070701", 6);
    ck_assert_int_eq(lseek(made.fd, 0, SEEK_CUR), (off_t)made.size);
    ck_assert_int_eq(write(made.fd, "x", 1), 1); /* may be appended to */
    ck_assert_uint_eq(cached(""), 0);
}
END_TEST

static void check_image(void)
{
    char command[PATH_MAX + 64];

    ck_assert_int_eq(made.kind, ROOTFS_IMAGE);
    ck_assert_str_eq(made.type, "ext4");
    ck_assert_uint_ge(made.size, GIB);
    ck_assert_int_eq(fcntl(made.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    if (rig_sh("PATH=$PATH:/sbin; command -v e2fsck >/dev/null") != 0) {
        unit_skip("e2fsprogs", "no e2fsck here");
        return;
    }
    ck_assert_int_eq(fcntl(made.fd, F_SETFD, 0), 0);
    snprintf(command, sizeof(command),
             "PATH=$PATH:/sbin; e2fsck -fn /proc/self/fd/%d >/dev/null 2>&1",
             made.fd);
    ck_assert_int_eq(rig_sh(command), 0);
}

/* The second time it is there. */
START_TEST(test_cached)
{
    ino_t first;

    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    check_image();
    ck_assert_int_eq(strncmp(made.path, cache, strlen(cache)), 0);
    first = inode_of(made.path);
    rootfs_close(&made);
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    check_image();
    ck_assert_uint_eq(inode_of(made.path), first);
    ck_assert_uint_eq(cached(".rootfs"), 1);
    ck_assert_uint_eq(cached(".part"), 0);
    ck_assert_str_eq(capture_text, "");
}
END_TEST

/* Another state, another image; the old one goes, unless it is in use. */
START_TEST(test_changed)
{
    struct rootfs old = {.fd = -1};
    ino_t first;

    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    first = inode_of(made.path);
    if (_i) {
        old = made;
        made = (struct rootfs){.fd = -1};
    } else {
        rootfs_close(&made);
    }
    ck_assert_int_eq(rig_sh("echo >>\"$D/in/more\""), 0);
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    ck_assert_uint_ne(inode_of(made.path), first);
    ck_assert_uint_eq(cached(".rootfs"), _i ? 2 : 1);
    rootfs_close(&old);
}
END_TEST

/* Files of other sources, a MiB each: since how many days it is not used,
 * whether somebody does use it, and whether it stays, with a limit or without.
 */
static const struct clean_case {
    const char *name;
    unsigned int days;
    bool used, stays, unlimited;
} clean_cases[] = {
    {"0000000000000001-a.rootfs", 5, false, false, true},
    {"0000000000000002-a.rootfs", 4, true, true, true},
    {"0000000000000003-a.rootfs", 3, false, false, true},
    {"0000000000000004-a.rootfs", 2, false, true, true},
    {"0000000000000005-a.rootfs", 1, false, true, true},
    {"0000000000000006-a.rootfs", 40, false, false, false},
    {"0000000000000007-a.rootfs", 40, true, true, true},
    {"0000000000000008-a.part", 0, false, false, false}, /* nobody makes it */
    {"0000000000000009-a.part", 0, true, true, true},
    {"else", 99, false, true, true}, /* not ours */
};

static int clean_prepare(const struct clean_case *t)
{
    char text[PATH_MAX + 128];
    int fd;

    snprintf(text, sizeof(text),
             "cd \"$D/cache/below\" && head -c 1048576 /dev/zero >%s && "
             "touch -d '%u days ago' %s",
             t->name, t->days, t->name);
    ck_assert_int_eq(rig_sh(text), 0);
    if (!t->used)
        return -1;
    snprintf(text, sizeof(text), "%s/%s", cache, t->name);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_SH | LOCK_NB), 0);
    return fd;
}

/* The image of the directory has one to two MiB; three more are in use. */
START_TEST(test_clean)
{
    int fd[ARRAY_SIZE(clean_cases)];

    ck_assert_int_eq(rig_sh("mkdir -m 700 \"$D/cache/below\""), 0);
    for (size_t i = 0; i < ARRAY_SIZE(clean_cases); i++)
        fd[i] = clean_prepare(&clean_cases[i]);
    cache_max = _i ? 0 : 7 * MIB;
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    check_image();
    for (size_t i = 0; i < ARRAY_SIZE(clean_cases); i++) {
        const struct clean_case *t = &clean_cases[i];
        char path[PATH_MAX + 64];
        bool there;

        snprintf(path, sizeof(path), "%s/%s", cache, t->name);
        there = access(path, F_OK) == 0;
        ck_assert_msg(there == (_i ? t->unlimited : t->stays), "%s %s", t->name,
                      there ? "is there" : "is gone");
        if (fd[i] >= 0)
            close(fd[i]);
    }
    rootfs_close(&made);
    cache_max = 1; /* what is made is never too much */
    ck_assert_int_eq(rig_sh("echo >>\"$D/in/more\""), 0);
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    check_image();
    ck_assert_uint_eq(cached(".rootfs"), 1);
}
END_TEST

static const struct no_cache_case {
    const char *what, *prepare, *says;
} no_cache[] = {
    {"a file is there", ": >\"$D/cache/below\"", "Not a directory"},
    {"all may write", "mkdir -m 777 \"$D/cache/below\"",
     "has to be writable by uid"},
};

START_TEST(test_no_cache)
{
    const struct no_cache_case *t = &no_cache[_i];

    ck_assert_int_eq(rig_sh(t->prepare), 0);
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    check_image();
    ck_assert_ptr_nonnull(strstr(capture_text, t->says));
    ck_assert_ptr_nonnull(strstr(capture_text, "is made anew at every start"));
    ck_assert_ptr_eq(strchr(capture_text, '\n'),
                     capture_text + strlen(capture_text) - 1);
    ck_assert_int_eq(strncmp(made.path, "/proc/self/fd/", 14), 0);
    ck_assert_int_eq(access(made.path, R_OK), 0);
}
END_TEST

/* Asked for none: nothing to say. */
START_TEST(test_without_cache)
{
    ck_assert_int_eq(open_in(MIB / 2, NULL), 0);
    check_image();
    ck_assert_str_eq(capture_text, "");
    ck_assert_int_ne(access(cache, F_OK), 0);
}
END_TEST

/* What a killed process, or a full disk, has left. */
static const struct remains_case {
    const char *what, *command;
} remains[] = {
    {"half an image", "cd \"$D/cache/below\" && f=$(ls) && "
                      "mv $f ${f%.rootfs}.part && truncate -s 8192 *.part"},
    {"cut off", "truncate -s 4096 \"$D\"/cache/below/*.rootfs"},
    {"empty", ": >\"$(ls \"$D\"/cache/below/*.rootfs)\""},
};

START_TEST(test_remains)
{
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    rootfs_close(&made);
    ck_assert_int_eq(rig_sh(remains[_i].command), 0);
    ck_assert_int_eq(open_in(MIB / 2, cache), 0);
    check_image();
    ck_assert_uint_eq(cached(".rootfs"), 1);
    ck_assert_uint_eq(cached(".part"), 0);
}
END_TEST

/* All at once: one makes it, the others wait and have the same file. */
START_TEST(test_concurrent)
{
    pid_t pid[6];
    int status, go[2];
    char byte;

    ck_assert_int_eq(pipe(go), 0);
    for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            close(go[1]);
            if (freopen("/dev/null", "w", stderr) == NULL ||
                read(go[0], &byte, 1) != 0) /* until the parent closes it */
                _exit(2);
            if (open_in(MIB / 2, cache) < 0 || made.kind != ROOTFS_IMAGE)
                _exit(1);
            _exit(access(made.path, R_OK) == 0 ? 0 : 3);
        }
    }
    close(go[1]);
    for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
        ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(cached(".rootfs"), 1);
    ck_assert_uint_eq(cached(".part"), 0);
    close(go[0]);
}
END_TEST

/* An archive, large and small, is read once for each of its states. What comes
 * from the cache shows by a byte that was changed there. */
START_TEST(test_archive)
{
    u64 cpio_max = _i ? MIB / 2 : MIB;
    char byte = 0;

    ck_assert_int_eq(rig_sh("cd \"$D\" && tar -cf a.tar -C in ."), 0);
    strcpy(in, rig_path("a.tar"));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(open_in(cpio_max, cache), 0);
        ck_assert_int_eq(made.kind, _i ? ROOTFS_IMAGE : ROOTFS_CPIO);
        ck_assert_int_eq(pread(made.fd, &byte, 1, 2000), 1);
        ck_assert_int_eq(byte == 'X', i == 1);
        ck_assert_uint_eq(cached(".rootfs"), 1);
        rootfs_close(&made);
        ck_assert_int_eq(
            rig_sh(i == 0 ? "printf X | dd of=\"$(ls \"$D\"/cache/below/*)\" "
                            "bs=1 seek=2000 conv=notrunc status=none"
                          : "touch \"$D/a.tar\""),
            0);
    }
}
END_TEST

/* ---- files -------------------------------------------------------------- */

static const struct file_case {
    const char *name, *bytes;
    u32 len, offset;
    const char *type, *says;
} files[] = {
    {"ext4", "\x53\xef", 2, 1080, "ext4", NULL},
    {"squashfs", "hsqs", 4, 0, "squashfs", NULL},
    {"erofs", "\xe2\xe1\xf5\xe0", 4, 1024, "erofs", NULL},
    {"xfs", "XFSB", 4, 0, "xfs", NULL},
    {"btrfs", "_BHRfS_M", 8, 65600, "btrfs", NULL},
    {"partitions", "\x55\xaa", 2, 510, NULL, "with partitions"},
    {"qcow", "QFI\xfb", 4, 0, NULL, "is a QCOW image"},
    {"cpio", "070701", 6, 0, NULL, "boot it with --initrd"},
    {"zip", "PK\x03\x04", 4, 0, NULL, "is a zip archive"},
    {"text", "hello", 5, 0, NULL, "is neither a directory, nor a tar"},
    {"empty", "", 0, 0, NULL, "is an empty file"},
};

START_TEST(test_file)
{
    const struct file_case *t = &files[_i];
    int fd, r;

    strcpy(in, rig_path("file"));
    fd = open(in, O_CREAT | O_RDWR, 0600);
    if (t->type)
        ck_assert_int_eq(ftruncate(fd, 100000), 0);
    ck_assert_int_eq(pwrite(fd, t->bytes, t->len, t->offset), (ssize_t)t->len);
    close(fd);
    r = open_in(MIB, NULL);
    ck_assert_msg(r == (t->type ? 0 : -EINVAL), "%s: %d %s", t->name, r,
                  capture_text);
    if (t->type) {
        ck_assert_int_eq(made.kind, ROOTFS_DISK);
        ck_assert_str_eq(made.type, t->type);
        ck_assert_str_eq(made.path, in);
        ck_assert_uint_eq(made.size, 100000);
        ck_assert_int_eq(made.fd, -1);
    } else {
        ck_assert_msg(strstr(capture_text, t->says), "%s: %s", t->name,
                      capture_text);
    }
}
END_TEST

START_TEST(test_no_file)
{
    strcpy(in, rig_path(_i ? "fifo" : "none"));
    if (_i)
        ck_assert_int_eq(mkfifo(in, 0600), 0);
    ck_assert_int_eq(open_in(MIB, NULL), _i ? -EINVAL : -ENOENT);
    ck_assert_ptr_nonnull(
        strstr(capture_text, _i ? "is neither a directory" : "No such file"));
}
END_TEST

/* ---- what stands behind the content ------------------------------------- */

START_TEST(test_saved)
{
    char *cmd[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){""}, NULL};
    char *env[] = {(char[]){"A=b=c"}, (char[]){"P=\n"}, NULL};
    struct saved s = {
        .kind = _i ? ROOTFS_IMAGE : ROOTFS_CPIO,
        .size = _i ? 4096 * 3 : 1000,
        .bytes = 77,
        .command = {.cmd = cmd, .env = env, .user = (char[]){"1:2"}},
    };
    struct saved got;
    struct stat st;
    int fd = memfd_create("saved", MFD_CLOEXEC);

    ck_assert_int_eq(saved_write(fd, &s), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size % 4096, 0);
    ck_assert_int_eq(saved_read(fd, &got), 0);
    ck_assert_int_eq(got.kind, s.kind);
    ck_assert_uint_eq(got.size, s.size);
    ck_assert_uint_eq(got.bytes, 77);
    ck_assert_ptr_null(got.command.entrypoint);
    ck_assert_ptr_null(got.command.workdir);
    ck_assert_str_eq(got.command.user, "1:2");
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(got.command.cmd[i], cmd[i]);
    ck_assert_ptr_null(got.command.cmd[3]);
    ck_assert_str_eq(got.command.env[0], env[0]);
    ck_assert_str_eq(got.command.env[1], env[1]);
    ck_assert_ptr_null(got.command.env[2]);
    command_free(&got.command);
    close(fd);
}
END_TEST

/* Every byte of the end turned over: it is refused, or says the same; no
 * length leads out of the file. */
START_TEST(test_saved_damaged)
{
    struct saved s = {.kind = ROOTFS_IMAGE,
                      .size = 4096,
                      .command = {.workdir = (char[]){"/srv"}}};
    int fd = memfd_create("saved", MFD_CLOEXEC);
    struct saved got;
    struct stat st;
    u8 byte, turned;

    ck_assert_int_eq(saved_write(fd, &s), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    for (off_t at = st.st_size - 64; at < st.st_size; at++) {
        ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
        turned = (u8)~byte;
        ck_assert_int_eq(pwrite(fd, &turned, 1, at), 1);
        if (saved_read(fd, &got) == 0) {
            ck_assert_uint_le(got.size, (u64)st.st_size);
            command_free(&got.command);
        }
        ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    }
    for (off_t cut = 0; cut < st.st_size; cut += 512) {
        ck_assert_int_eq(ftruncate(fd, cut), 0);
        ck_assert_int_eq(saved_read(fd, &got), -ENOENT);
        ck_assert_int_eq(ftruncate(fd, 0), 0);
    }
    close(fd);
}
END_TEST

Suite *suite_rootfs_open(void);
Suite *suite_rootfs_open(void)
{
    Suite *s = suite_create("rootfs_open");
    TCase *tc = tcase_create("rootfs_open");

    tcase_set_timeout(tc, 20);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_small);
    tcase_add_test(tc, test_cached);
    tcase_add_loop_test(tc, test_clean, 0, 2);
    tcase_add_loop_test(tc, test_changed, 0, 2);
    tcase_add_loop_test(tc, test_no_cache, 0, ARRAY_SIZE(no_cache));
    tcase_add_test(tc, test_without_cache);
    tcase_add_loop_test(tc, test_remains, 0, ARRAY_SIZE(remains));
    tcase_add_test(tc, test_concurrent);
    tcase_add_loop_test(tc, test_archive, 0, 2);
    tcase_add_loop_test(tc, test_file, 0, ARRAY_SIZE(files));
    tcase_add_loop_test(tc, test_no_file, 0, 2);
    tcase_add_loop_test(tc, test_saved, 0, 2);
    tcase_add_test(tc, test_saved_damaged);
    suite_add_tcase(s, tc);
    return s;
}
