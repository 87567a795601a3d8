/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.c: kernels as Linux's own build and people's tools compress them */
#include <sys/wait.h>

#include "loader_test.h"

/* The command lines are those of Linux's scripts/Makefile.lib. */
static const struct packer {
    const char *tool, *command;
    const char *bare, *format;
    bool word; /* its build adds the unpacked length */
} packers[] = {
    {"gzip", "gzip -n -f -9", "vmlinux, gzip", "bzImage, gzip", false},
    {"xz", "xz --check=crc32 --x86 --lzma2=,dict=32MiB", "vmlinux, xz",
     "bzImage, xz", true},
    {"xz", "xz --check=crc64 -T2", "vmlinux, xz", "bzImage, xz", true},
    {"xz", "xz --format=lzma -9", "vmlinux, lzma", "bzImage, lzma", true},
    {"bzip2", "bzip2 -9", "vmlinux, bzip2", "bzImage, bzip2", true},
    {"zstd", "zstd -q -c -19", "vmlinux, zstd", "bzImage, zstd", true},
    {"zstd", "zstd -q -c --check", "vmlinux, zstd", "bzImage, zstd", true},
    {"lz4", "lz4 -l -9 -c", "vmlinux, lz4", "bzImage, lz4", true},
    {"lz4", "lz4 -q -c", "vmlinux, lz4", "bzImage, lz4", true},
};

#define PACKED_MAX   (256 * KIB)
#define PACKED_SPARE 64u /* for what is added behind */

struct packed {
    u8 bytes[LT_PAYLOAD + PACKED_MAX];
    u8 *p; /* behind room for a setup header */
    u64 len;
};

/* Run data through a packer; false if its tool is not installed. */
static bool pack_data(struct packed *out, const struct packer *pk,
                      const void *data, size_t len)
{
    char cmd[256];
    FILE *f;
    int r;

    out->p = out->bytes + LT_PAYLOAD;
    snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null || exit 9; %s < %s",
             pk->tool, pk->command, lt_file("in", data, len));
    f = popen(cmd, "r");
    ck_assert_ptr_nonnull(f);
    out->len = fread(out->p, 1, PACKED_MAX, f);
    r = pclose(f);
    if (WIFEXITED(r) && WEXITSTATUS(r) == 9) {
        printf("skip - %s is not installed\n", pk->tool);
        return false;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_uint_lt(out->len, PACKED_MAX - PACKED_SPARE);
    return true;
}

static bool pack_kernel(struct packed *out, const struct packer *pk)
{
    struct lt_elf h = lt_elf_headers();
    u8 *image = lt_elf_image(&h);
    bool ok = pack_data(out, pk, image, LT_ELF_SIZE);

    free(image);
    return ok;
}

static int load(const void *data, u64 len, struct loader_result *res)
{
    struct mem *m;
    int r;

    lt_log[0] = '\0';
    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    r = lt_load(m, lt_file("k", data, len), res);
    if (r == 0)
        lt_elf_loaded(m);
    mem_free(m);
    return r;
}

static void check_bare(const struct packer *pk, struct packed *z)
{
    struct loader_result res;

    ck_assert_msg(load(z->p, z->len, &res) == 0, "%s: %s", pk->command, lt_log);
    ck_assert_str_eq(res.format, pk->bare);
}

/* In a bzImage, with what its build puts behind it. */
static void check_bzimage(const struct packer *pk, struct packed *z)
{
    struct loader_result res;
    u64 len = z->len + (pk->word ? 4 : 0);

    le32_put(z->p + z->len, LT_ELF_SIZE);
    lt_bzimage_head(z->bytes, (u32)len);
    memset(z->p + len, 0xa5, 32); /* as a signature would follow */
    ck_assert_msg(load(z->bytes, LT_PAYLOAD + len + 32, &res) == 0, "%s: %s",
                  pk->command, lt_log);
    ck_assert_str_eq(res.format, pk->format);
}

static void check_wrong_word(const struct packer *pk, struct packed *z)
{
    struct loader_result res;

    if (!pk->word)
        return;
    le32_put(z->p + z->len, LT_ELF_SIZE + 1);
    ck_assert_int_eq(load(z->p, z->len + 4, &res), -ENOEXEC);
    lt_said(pk->command, "its size word says 45057");
}

/* lz4 -l has no end mark: what follows is taken for another block. */
static void check_stray(const struct packer *pk, struct packed *z)
{
    struct loader_result res;

    memset(z->p + z->len, 0x5a, 9);
    ck_assert_int_eq(load(z->p, z->len + 9, &res), -ENOEXEC);
    lt_said(pk->command,
            strstr(pk->command, "lz4 -l") ? "lz4 data" : "9 stray bytes after");
}

static void check_truncated(const struct packer *pk, struct packed *z)
{
    struct loader_result res;

    for (u64 len = 8; len < z->len; len += z->len / 7) {
        ck_assert_msg(load(z->p, len, &res) == -ENOEXEC, "%s: %llu of %llu",
                      pk->command, (unsigned long long)len,
                      (unsigned long long)z->len);
        lt_said(pk->command, "kernel ");
    }
}

/* A flipped bit is found out, or it was one that does not matter; lzma, lz4 -l
 * and zstd without --check have no check sum: there it only must do no harm. */
static void check_corrupt(const struct packer *pk, struct packed *z)
{
    bool sum = !strstr(pk->command, "lzma -9") &&
               !strstr(pk->command, "lz4 -l") && !strstr(pk->command, "-19");
    struct loader_result res;
    struct mem *m;

    for (u64 at = 30; at + 30 < z->len; at += z->len / 13) {
        lt_log[0] = '\0';
        z->p[at] ^= 0x10;
        ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
        if (lt_load(m, lt_file("k", z->p, z->len), &res) < 0)
            lt_said(pk->command, "kernel ");
        else if (sum)
            lt_elf_loaded(m);
        mem_free(m);
        z->p[at] ^= 0x10;
    }
}

START_TEST(test_packer)
{
    const struct packer *pk = &packers[_i];
    struct packed z;

    if (!pack_kernel(&z, pk))
        return;
    check_bare(pk, &z);
    check_bzimage(pk, &z);
    check_wrong_word(pk, &z);
    check_stray(pk, &z);
    check_truncated(pk, &z);
    check_corrupt(pk, &z);
}
END_TEST

/* A file that shrinks between open() and the read that needs its rest. */
static void check_shrunk(const struct packer *pk, struct packed *z)
{
    struct loader_file kernel;
    struct loader_spec spec = {.kernel = &kernel, .cmdline = "", .cpus = 1};
    struct loader_result res;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    for (u64 len = 0; len < z->len; len += z->len / 5) {
        lt_log[0] = '\0';
        ck_assert_int_eq(
            loader_file_open(&kernel, "kernel", lt_file("k", z->p, z->len)), 0);
        ck_assert_int_eq(truncate(kernel.path, (off_t)len), 0);
        ck_assert_int_eq(loader_load(m, &spec, &res), -ENOEXEC);
        lt_said(pk->command, "shrank to ");
        loader_file_close(&kernel);
    }
    mem_free(m);
}

START_TEST(test_shrunk)
{
    const struct packer *pk = &packers[_i];
    struct packed z;

    if (pack_kernel(&z, pk))
        check_shrunk(pk, &z);
}
END_TEST

/* 40 MiB of nothing from a few bytes: stopped at the size of guest RAM. */
START_TEST(test_bomb)
{
    static const struct packer pk[] = {
        {.tool = "gzip", .command = "gzip -n"},
        {.tool = "lz4", .command = "lz4 -l -c"},
    };
    struct lt_elf h = lt_elf_headers();
    size_t len = 40 * MIB;
    struct loader_result res;
    static u8 data[40 * MIB];
    struct packed z;

    memcpy(data, &h, sizeof(h));
    if (!pack_data(&z, &pk[_i], data, len))
        return;
    ck_assert_int_eq(load(z.p, z.len, &res), -ENOEXEC);
    lt_said(pk[_i].command, "unpacks to more than the guest's 32 MiB");
}
END_TEST

START_TEST(test_not_elf)
{
    static const u8 cpio[4096] = "070701";
    struct loader_result res;
    struct packed z;

    if (!pack_data(&z, &packers[0], cpio, sizeof(cpio)))
        return;
    ck_assert_int_eq(load(z.p, z.len, &res), -ENOEXEC);
    lt_said("gzip", "not an ELF kernel but a cpio archive");
}
END_TEST

/* Lengths of lz4 blocks are the file's word. */
START_TEST(test_lz4_blocks)
{
    static const struct {
        u32 len;
        const char *said;
    } blocks[] = {
        {0, "lz4 data is corrupt"},       {~0u, "lz4 data is corrupt"},
        {9 << 20, "lz4 data is corrupt"}, {8 << 20, "lz4 data ends too early"},
        {4, "lz4 data is corrupt"},
    };
    struct loader_result res;
    u8 file[12] = {0x02, 0x21, 0x4c, 0x18};

    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        le32_put(file + 4, blocks[i].len);
        le32_put(file + 8, 0xffffffff);
        ck_assert_int_eq(load(file, sizeof(file), &res), -ENOEXEC);
        lt_said("block", blocks[i].said);
    }
}
END_TEST

/* A frame that asks for 2 GiB to look back into. */
START_TEST(test_zstd_window)
{
    static const u8 file[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 1, 0, 0, 0};
    struct loader_result res;

    ck_assert_int_eq(load(file, sizeof(file), &res), -ENOEXEC);
    lt_said("window", "needs too much memory");
}
END_TEST

Suite *suite_unpack(void);
Suite *suite_unpack(void)
{
    Suite *s = suite_create("unpack");
    TCase *tc = tcase_create("unpack");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, test_bomb, 0, 2);
    tcase_add_loop_test(tc, test_packer, 0, ARRAY_SIZE(packers));
    tcase_add_loop_test(tc, test_shrunk, 0, ARRAY_SIZE(packers));
    tcase_add_test(tc, test_not_elf);
    tcase_add_test(tc, test_lz4_blocks);
    tcase_add_test(tc, test_zstd_window);
    suite_add_tcase(s, tc);
    return s;
}
