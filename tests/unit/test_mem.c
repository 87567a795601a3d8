/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c: ranges at every edge of RAM, and the write hook */
#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/mem.h"

static const struct range_case {
    const char *name;
    u64 gpa, len;
    bool ok;
} ranges[] = {
    {"first byte", 0, 1, true},
    {"all", 0, 16 * MIB, true},
    {"one more than all", 0, 16 * MIB + 1, false},
    {"last byte", 16 * MIB - 1, 1, true},
    {"across the end", 16 * MIB - 1, 2, false},
    {"just behind", 16 * MIB, 1, false},
    {"nothing, inside", 100, 0, true},
    {"nothing, behind", 16 * MIB, 0, false},
    {"wrapping length", 1, ~0ull, false},
    {"wrapping address", ~0ull, 2, false},
};

START_TEST(test_range)
{
    const struct range_case *t = &ranges[_i];
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, 16 * MIB), 0);
    ck_assert_msg((mem_range(m, t->gpa, t->len) != NULL) == t->ok, "%s",
                  t->name);
    mem_free(m);
}
END_TEST

/* RAM above the 3 GiB gap continues at 4 GiB; nothing spans the gap. */
START_TEST(test_gap)
{
    struct mem *m;
    u64 v = 0x1122334455667788, got = 0;

    ck_assert_int_eq(mem_new(&m, MEM_LOW_END + 16 * MIB), 0);
    ck_assert_uint_eq(m->nr_regions, 2);
    ck_assert_ptr_null(mem_range(m, MEM_LOW_END - 4, 8));
    ck_assert_ptr_null(mem_range(m, MEM_LOW_END, 1));
    ck_assert_ptr_null(mem_range(m, MEM_HIGH_BASE - 1, 1));
    ck_assert_int_eq(mem_write(m, MEM_HIGH_BASE, &v, 8), 0);
    ck_assert_int_eq(mem_read(m, MEM_HIGH_BASE, &got, 8), 0);
    ck_assert_uint_eq(got, v);
    ck_assert_int_eq(mem_read(m, MEM_HIGH_BASE + 16 * MIB - 4, &got, 8),
                     -EFAULT);
    mem_free(m);
}
END_TEST

/* Pages of a memfd are RAM's: both see what either writes, and nothing else is
 * touched. */
START_TEST(test_adopt)
{
    const u64 gpa = 5 * PAGE_SIZE, len = PAGE_SIZE + 100;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    u8 page[PAGE_SIZE], got;
    struct mem *m;
    u8 *ram;

    memset(page, 'i', sizeof(page));
    ck_assert_int_eq(pwrite(fd, page, PAGE_SIZE, 0), PAGE_SIZE);
    ck_assert_int_eq(pwrite(fd, page, 100, PAGE_SIZE), 100);
    ck_assert_int_eq(mem_new(&m, 16 * MIB), 0);
    ck_assert_int_eq(mem_adopt(m, gpa, fd, len), 0);
    ram = mem_range(m, 0, 16 * MIB);
    for (u64 i = 0; i < 10 * PAGE_SIZE; i++)
        ck_assert_uint_eq(ram[i], i >= gpa && i < gpa + len ? 'i' : 0);
    ck_assert_int_eq(mem_write(m, gpa + 1, "G", 1), 0);
    ck_assert_int_eq(mem_write(m, gpa + 2 * PAGE_SIZE - 1, "G", 1), 0);
    ck_assert_int_eq(pread(fd, &got, 1, 1), 1);
    ck_assert_uint_eq(got, 'G');
    ck_assert_int_eq(pread(fd, page, 1, PAGE_SIZE + 100), 0); /* no longer */
    ck_assert_int_lt(ftruncate(fd, PAGE_SIZE), 0);
    close(fd);
    ck_assert_uint_eq(ram[gpa + 1], 'G');
    mem_free(m);
}
END_TEST

static void no_log(const char *text, size_t len)
{
}

static const u64 bad_sizes[] = {0, 4096, 16 * MIB + 1, 513 * GIB};

START_TEST(test_bad_size)
{
    struct mem *m = NULL;

    log_sink_set(no_log);
    ck_assert_int_eq(mem_new(&m, bad_sizes[_i]), -EINVAL);
    log_sink_set(NULL);
    ck_assert_ptr_null(m);
}
END_TEST

static void note_write(void *ctx, u64 gpa, u64 len)
{
    u64 *got = ctx;

    got[0] = gpa;
    got[1] = len;
}

START_TEST(test_hook)
{
    struct mem *m;
    u64 got[2] = {0};

    ck_assert_int_eq(mem_new(&m, 16 * MIB), 0);
    m->written = note_write;
    m->written_ctx = got;
    ck_assert_int_eq(mem_fill(m, 0x1000, 0x5a, 16), 0);
    ck_assert_uint_eq(got[0], 0x1000);
    ck_assert_uint_eq(got[1], 16);
    ck_assert_int_eq(*(u8 *)mem_range(m, 0x100f, 1), 0x5a);
    mem_free(m);
}
END_TEST

Suite *suite_mem(void);
Suite *suite_mem(void)
{
    Suite *s = suite_create("mem");
    TCase *tc = tcase_create("mem");

    tcase_add_loop_test(tc, test_range, 0, ARRAY_SIZE(ranges));
    tcase_add_test(tc, test_gap);
    tcase_add_test(tc, test_adopt);
    tcase_add_loop_test(tc, test_bad_size, 0, ARRAY_SIZE(bad_sizes));
    tcase_add_test(tc, test_hook);
    suite_add_tcase(s, tc);
    return s;
}
