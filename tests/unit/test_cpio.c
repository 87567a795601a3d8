/* SPDX-License-Identifier: Apache-2.0 */
/* cpio: byte for byte, whatever the size; what the format cannot hold */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/cpio.h"

#include "capture.h"

static struct cpio out;

static void setup(void)
{
    int fd = memfd_create("cpio", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    capture_start();
    cpio_begin(&out, fd);
}

static void teardown(void)
{
    log_sink_set(NULL);
    close(out.fd);
}

/* What was written from byte at on: the caller frees it. */
static u8 *written(u64 at, u64 *len)
{
    struct stat st;
    u8 *bytes;

    ck_assert_int_eq(fstat(out.fd, &st), 0);
    *len = (u64)st.st_size - at;
    bytes = malloc(*len + 1);
    ck_assert_int_eq(pread(out.fd, bytes, *len, (off_t)at), (ssize_t)*len);
    return bytes;
}

static void expect(const char *want, u64 want_len)
{
    u64 len;
    u8 *bytes = written(0, &len);

    ck_assert_uint_eq(len, want_len);
    for (u64 i = 0; i < len; i++)
        ck_assert_msg(bytes[i] == (u8)want[i], "byte %llu: %#x, not %#x",
                      (unsigned long long)i, bytes[i], (u8)want[i]);
    free(bytes);
}

static int memory_file(const void *bytes, u64 len)
{
    int fd = memfd_create("content", MFD_CLOEXEC);

    ck_assert_int_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
    return fd;
}

/* clang-format off */
static const char golden[] =
    /*        ino     mode    uid     gid     nlink   mtime   size    -
     *        -       major   minor   name    - */
    "070701" "00000001000041ed000000000000000000000001000000000000000000000000"
             "0000000000000000000000000000000200000000" ".\0"
    "070701" "00000002000081a4000003e80000006400000001659200800000000500000000"
             "0000000000000000000000000000000400000000" "etc\0\0\0" "hello\0\0\0"
    "070701" "000000030000a1ff000000000000000000000001000000000000000300000000"
             "0000000000000000000000000000000200000000" "l\0" "etc\0"
    "070701" "0000000400002180000000000000000000000001ffffffff0000000000000000"
             "0000000000000005000000010000000800000000" "dev/con\0\0\0"
    "070701" "00000abc000081ed000000000000000000000002000000000000000200000000"
             "0000000000000000000000000000000200000000" "h\0" "bc\0\0"
    "070701" "0000000600000000000000000000000000000001000000000000000000000000"
             "0000000000000000000000000000000b00000000" "TRAILER!!!\0\0\0\0";
/* clang-format on */

/* One of each kind, its fields, and what is between them. */
START_TEST(test_golden)
{
    int fd = memory_file("abcd", 4);

    cpio_add(&out, ".", &(struct cpio_attr){.mode = S_IFDIR | 0755}, NULL, 0);
    cpio_add(&out, "etc",
             &(struct cpio_attr){.mode = S_IFREG | 0644,
                                 .uid = 1000,
                                 .gid = 100,
                                 .mtime = 0x65920080},
             "hello", 5);
    cpio_add(&out, "l", &(struct cpio_attr){.mode = S_IFLNK | 0777}, "etc", 3);
    cpio_add(&out, "dev/con",
             &(struct cpio_attr){.mode = S_IFCHR | 0600,
                                 .mtime = 1ull << 40,
                                 .major = 5,
                                 .minor = 1},
             NULL, 0);
    cpio_add_fd(
        &out, "h",
        &(struct cpio_attr){.mode = S_IFREG | 0755, .ino = 0xabc, .nlink = 2},
        fd, 1, 2);
    ck_assert_int_eq(cpio_end(&out), 0);
    expect(golden, sizeof(golden) - 1);
    close(fd);
}
END_TEST

/* From memory and from a file, around the sizes at which the way of copying
 * changes: the same bytes. */
static const u64 sizes[] = {0,
                            1,
                            3,
                            4,
                            4095,
                            65535,
                            65536,
                            65537,
                            262144 - 1,
                            262144 - 116,
                            262144 - 112,
                            262144,
                            262144 + 1,
                            1000003};

START_TEST(test_sizes)
{
    const struct cpio_attr attr = {.mode = S_IFREG | 0644};
    u64 size = sizes[_i], len, half;
    u8 *bytes = malloc(size + 1), *all;
    int fd;

    for (u64 i = 0; i < size; i++)
        bytes[i] = (u8)(i * 7 + (i >> 8));
    fd = memory_file(bytes, size);
    cpio_add(&out, "a", &attr, bytes, size);
    cpio_add_fd(&out, "a", &attr, fd, 0, size);
    ck_assert_int_eq(cpio_end(&out), 0);
    all = written(0, &len);
    half = (112 + size + 3) / 4 * 4;
    ck_assert_uint_eq(len, 2 * half + 124);
    ck_assert_mem_eq(all + 112, bytes, size);
    /* The number of the entry is the only difference. */
    all[13] = all[half + 13];
    ck_assert_mem_eq(all, all + half, half);
    free(all);
    free(bytes);
    close(fd);
}
END_TEST

/* Begun behind something else, whose bytes stay. */
START_TEST(test_appends)
{
    struct cpio first = out;
    u64 len;
    u8 *bytes;

    ck_assert_int_eq(cpio_end(&first), 0);
    cpio_begin(&out, first.fd);
    ck_assert_int_eq(cpio_end(&out), 0);
    bytes = written(0, &len);
    ck_assert_uint_eq(len, 248);
    ck_assert_mem_eq(bytes, bytes + 124, 124);
    free(bytes);
}
END_TEST

/* A file that has lost its end keeps the room it was given. */
START_TEST(test_shrunk)
{
    const struct cpio_attr attr = {.mode = S_IFREG | 0644};
    u64 size = _i ? 100000 : 10, len;
    u8 *bytes;
    int fd = memory_file("12345", 5);

    cpio_add_fd(&out, "log", &attr, fd, 0, size);
    cpio_add(&out, "next", &attr, "x", 1);
    ck_assert_int_eq(cpio_end(&out), 0);
    ck_assert_ptr_nonnull(strstr(capture_text, "log: became shorter"));
    bytes = written(0, &len);
    ck_assert_mem_eq(bytes + 116, "12345\0\0\0", 8);
    ck_assert_mem_eq(bytes + 116 + (size + 3) / 4 * 4, "070701", 6);
    free(bytes);
    close(fd);
}
END_TEST

static const struct refused_case {
    const char *name;
    u32 mode;
    u64 len;
    size_t name_len;
    int err;
    const char *says;
} refused[] = {
    {"4 GiB", S_IFREG, 1ull << 32, 1, -EFBIG, "has 4096 MiB"},
    {"long name", S_IFREG, 0, 4096, -ENAMETOOLONG, "a name of 4096 bytes"},
    {"long link", S_IFLNK, 4096, 1, -ENAMETOOLONG, "a symbolic link of 4096"},
    {"longest name", S_IFREG, 0, 4095, 0, ""},
    {"longest link", S_IFLNK, 4095, 1, 0, ""},
};

START_TEST(test_refused)
{
    static char name[4097];
    static const u8 bytes[4096];
    const struct refused_case *t = &refused[_i];
    const struct cpio_attr attr = {.mode = t->mode};

    memset(name, 'n', t->name_len);
    name[t->name_len] = '\0';
    cpio_add(&out, name, &attr, bytes, t->len);
    cpio_add(&out, "after", &attr, bytes, 1);
    ck_assert_msg(cpio_end(&out) == t->err, "%s", t->name);
    ck_assert_msg(strstr(capture_text, t->says), "%s: %s", t->name,
                  capture_text);
    ck_assert_int_eq(t->err == 0, lseek(out.fd, 0, SEEK_END) > 0);
}
END_TEST

/* One line, however much is written after it. */
START_TEST(test_disk_full)
{
    const struct cpio_attr attr = {.mode = S_IFREG | 0644};
    char *bytes = calloc(1, 500000);
    int ours = out.fd;

    out.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        cpio_add(&out, "f", &attr, bytes, 500000);
    ck_assert_int_eq(cpio_end(&out), -ENOSPC);
    ck_assert_str_eq(capture_text, "mote: initramfs: write: No space left on "
                                   "device (ENOSPC)\n");
    close(out.fd);
    out.fd = ours;
    free(bytes);
}
END_TEST

Suite *suite_cpio(void);
Suite *suite_cpio(void)
{
    Suite *s = suite_create("cpio");
    TCase *tc = tcase_create("cpio");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_golden);
    tcase_add_loop_test(tc, test_sizes, 0, ARRAY_SIZE(sizes));
    tcase_add_test(tc, test_appends);
    tcase_add_loop_test(tc, test_shrunk, 0, 2);
    tcase_add_loop_test(tc, test_refused, 0, ARRAY_SIZE(refused));
    tcase_add_test(tc, test_disk_full);
    suite_add_tcase(s, tc);
    return s;
}
