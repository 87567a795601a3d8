/* SPDX-License-Identifier: Apache-2.0 */
/* overlay.c, overlay_meta.c: what is written stays, the base does not change,
 * and a hostile or damaged layer is not taken for a good one */
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>

#include "capture.h"
#include "overlay_rig.h"

/* ---- content ------------------------------------------------------------ */

#define BATCH 8u

static const struct variant {
    enum disk_engine engine;
    bool persistent;
} variants[] = {{DISK_SYNC, false},
                {DISK_SYNC, true},
                {DISK_ASYNC, false},
                {DISK_ASYNC, true}};

/* Requests at once that never share a sector but often a block, so that one
 * block is copied up for several of them. */
static void random_batch(struct disk_rig *rig, u8 *mirror, u8 *buf, u32 *seed)
{
    struct rig_req req[BATCH] = {0};
    struct iovec iov[BATCH][3];
    u64 at = rig_random(seed) % (SECTORS / 2);

    for (unsigned int i = 0; i < BATCH; i++) {
        u64 len = 1 + rig_random(seed) % (i % 3 ? 60 : 200);
        struct disk_req *dr = &req[i].dr;

        len = MIN(len, SECTORS - at);
        *dr = (struct disk_req){
            .op = (enum disk_op[]){DISK_READ, DISK_WRITE, DISK_WRITE,
                                   DISK_ZEROES}[rig_random(seed) % 4],
            .unmap = i % 2,
            .off = at * 512,
            .len = len * 512,
            .iov = iov[i],
            .nr_iov = 3};
        for (unsigned int k = 0; k < 3; k++)
            iov[i][k] = (struct iovec){buf + dr->off + k * 100,
                                       k < 2 ? 100 : dr->len - 200};
        if (dr->op == DISK_WRITE) {
            rig_pattern(buf + dr->off, dr->len, *seed);
            memcpy(mirror + dr->off, buf + dr->off, dr->len);
        } else if (dr->op == DISK_ZEROES) {
            memset(mirror + dr->off, 0, dr->len);
            dr->nr_iov = 0;
        }
        rig_submit(rig, &req[i]);
        at += len;
        if (at == SECTORS)
            break;
    }
    rig_wait(rig);
    for (unsigned int i = 0; i < BATCH && req[i].rig; i++) {
        ck_assert_uint_eq(req[i].answers, 1);
        ck_assert_int_eq(req[i].err, 0);
        if (req[i].dr.op == DISK_READ)
            ck_assert_mem_eq(buf + req[i].dr.off, mirror + req[i].dr.off,
                             req[i].dr.len);
    }
}

/* As a device stops it. */
static void layer_down(struct disk_rig *rig)
{
    ck_assert_int_eq(rig_do(rig, DISK_FLUSH, NULL, 0, 0), 0);
    rig_down(rig);
}

START_TEST(test_content)
{
    const struct variant *v = &variants[_i];
    u8 *base = malloc(SIZE), *mirror = malloc(SIZE), *buf = malloc(SIZE);
    struct overlay_options opt = {.path = v->persistent ? layer_path : NULL};
    struct disk_rig rig;
    u32 seed = 3;
    int fd;

    files_up(base);
    memcpy(mirror, base, SIZE);
    layer_up(&rig, v->engine, opt);
    check_content(&rig, mirror);
    for (unsigned int round = 0; round < 100; round++) {
        random_batch(&rig, mirror, buf, &seed);
        if (round % 10 == 9)
            ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
        if (v->persistent && round % 20 == 19) {
            layer_down(&rig);
            layer_up(&rig, v->engine, opt);
        }
    }
    check_content(&rig, mirror);
    rig_down(&rig);
    fd = open(base_path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(io_read_buf(fd, buf, SIZE, 0), 0);
    ck_assert_mem_eq(buf, base, SIZE);
    close(fd);
    files_down();
    free(buf);
    free(mirror);
    free(base);
}
END_TEST

/* Whole blocks become zero and give their space back, the rest stays. */
START_TEST(test_discard)
{
    u8 *mirror = malloc(SIZE);
    struct stat before, after;
    struct disk_rig rig;

    files_up(mirror);
    layer_up(&rig, DISK_SYNC, persistent());
    rig_pattern(mirror, SIZE, 5);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror, 0, SIZE), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_int_eq(stat(layer_path, &before), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_DISCARD, NULL, 512, 4 * OVERLAY_BLOCK),
                     0);
    memset(mirror + OVERLAY_BLOCK, 0, 3 * OVERLAY_BLOCK);
    ck_assert_int_eq(rig_do(&rig, DISK_DISCARD, NULL, SIZE - 5 * 512, 5 * 512),
                     0);
    memset(mirror + SIZE - 5 * 512, 0, 5 * 512);
    ck_assert_int_eq(stat(layer_path, &after), 0);
    ck_assert_int_lt(after.st_blocks, before.st_blocks);
    check_content(&rig, mirror);
    layer_down(&rig);
    layer_up(&rig, DISK_SYNC, persistent());
    check_content(&rig, mirror);
    rig_down(&rig);
    files_down();
    free(mirror);
}
END_TEST

/* ---- limits and life ---------------------------------------------------- */

START_TEST(test_quota)
{
    struct overlay_options opt = {.quota_bytes = 2 * OVERLAY_BLOCK + 5};
    u8 *mirror = malloc(SIZE);
    struct disk_rig rig;

    files_up(mirror);
    opt.path = _i ? layer_path : NULL;
    layer_up(&rig, DISK_SYNC, opt);
    memset(mirror, 1, 512);
    memset(mirror + OVERLAY_BLOCK, 2, OVERLAY_BLOCK);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror, 0, 512), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror + OVERLAY_BLOCK,
                            OVERLAY_BLOCK, OVERLAY_BLOCK),
                     0);
    for (unsigned int len = 512; len <= OVERLAY_BLOCK; len *= 128)
        ck_assert_int_eq(
            rig_do(&rig, DISK_WRITE, mirror, 4 * OVERLAY_BLOCK, len), -ENOSPC);
    check_content(&rig, mirror);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror + 9 * 512, 9 * 512, 512),
                     0);
    if (_i) { /* counted again by the next run */
        layer_down(&rig);
        layer_up(&rig, DISK_SYNC, opt);
        ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror, SIZE - 512, 512),
                         -ENOSPC);
    }
    ck_assert_int_eq(rig_do(&rig, DISK_DISCARD, NULL, 0, OVERLAY_BLOCK), 0);
    memset(mirror, 0, OVERLAY_BLOCK);
    memset(mirror + SIZE - 512, 3, 512);
    ck_assert_int_eq(
        rig_do(&rig, DISK_WRITE, mirror + SIZE - 512, SIZE - 512, 512), 0);
    check_content(&rig, mirror);
    rig_down(&rig);
    files_down();
    free(mirror);
}
END_TEST

START_TEST(test_locked)
{
    u8 *mirror = malloc(SIZE);
    struct disk_rig rig;
    struct disk *d;

    files_up(mirror);
    layer_up(&rig, DISK_SYNC, persistent());
    capture_start();
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), -EBUSY);
    ck_assert_ptr_nonnull(strstr(capture_text, layer_path));
    rig_down(&rig);
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), 0);
    disk_free(d);
    files_down();
    free(mirror);
}
END_TEST

/* Gone at exit; but not somebody else's file of the same name. */
START_TEST(test_discard_on_exit)
{
    struct overlay_options opt = {.path = layer_path, .discard_on_exit = true};
    u8 *mirror = malloc(SIZE);
    struct disk *d;

    files_up(mirror);
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, opt), 0);
    ck_assert_int_eq(access(layer_path, F_OK), 0);
    disk_free(d);
    ck_assert_int_ne(access(layer_path, F_OK), 0);
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, opt), 0);
    ck_assert_int_eq(rename(base_path, layer_path), 0);
    disk_free(d);
    ck_assert_int_eq(access(layer_path, F_OK), 0);
    files_down();
    free(mirror);
}
END_TEST

static int layer_fd(void)
{
    char link[32], name[128];

    for (int fd = 0; fd < 256; fd++) {
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, name, sizeof(name) - 1);
        name[MAX(n, 0)] = '\0';
        if (strcmp(name, layer_path) == 0)
            return fd;
    }
    return -1;
}

START_TEST(test_flush_latched)
{
    u8 *mirror = malloc(SIZE);
    struct disk_rig rig;
    int fd, saved, pipe_fd[2];

    files_up(mirror);
    layer_up(&rig, DISK_SYNC, persistent());
    capture_start();
    ck_assert_int_eq(pipe(pipe_fd), 0);
    fd = layer_fd();
    saved = dup(fd);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror, 512, 512), 0);
    ck_assert_int_ge(dup2(pipe_fd[1], fd), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), -EINVAL);
    ck_assert_int_ge(dup2(saved, fd), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "no later flush will succeed"));
    rig_down(&rig);
    files_down();
    free(mirror);
}
END_TEST

/* ---- the file ----------------------------------------------------------- */

/* A layer of some data, flushed; its first bytes up to the data in meta. */
static u64 some_layer(u8 *mirror, u8 *meta)
{
    struct disk_rig rig;
    struct stat st;
    u64 len;
    int fd;

    files_up(mirror);
    layer_up(&rig, DISK_SYNC, persistent());
    memset(mirror, 0x11, 3 * 512);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, mirror, 0, 3 * 512), 0);
    layer_down(&rig);
    fd = open(layer_path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &st), 0);
    len = (u64)st.st_size - 21 * OVERLAY_BLOCK;
    ck_assert_uint_eq(len, OVERLAY_BLOCK);
    ck_assert_int_eq(io_read_buf(fd, meta, len, 0), 0);
    close(fd);
    return len;
}

static void poke(u64 off, const void *buf, u64 len)
{
    int fd = open(layer_path, O_RDWR | O_CLOEXEC);

    ck_assert_int_eq(io_write_buf(fd, buf, len, off), 0);
    close(fd);
}

/* Any byte of the header, and any of the map's valid copy: never taken for
 * good, the file named and left as it is. */
START_TEST(test_damage)
{
    u8 *mirror = malloc(SIZE), meta[OVERLAY_BLOCK];
    struct disk *d;

    some_layer(mirror, meta);
    capture_start();
    for (u64 off = 0; off < 4096; off += off < 64 ? 1 : 97) {
        u8 bad = (u8)(meta[off] ^ (1u << off % 8));

        poke(off, &bad, 1);
        capture_start();
        ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), -EINVAL);
        ck_assert_ptr_nonnull(strstr(capture_text, layer_path));
        poke(off, &meta[off], 1);
    }
    for (u64 off = 3 * 4096 - 4096; off < 3 * 4096; off += 61) {
        u8 bad = (u8)(meta[off] ^ (1u << off % 8));

        poke(off, &bad, 1);
        capture_start();
        /* The first write of a page, torn: as before that flush, and told. */
        ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), 0);
        ck_assert_ptr_nonnull(strstr(capture_text, "cut off"));
        disk_free(d);
        poke(off, &meta[off], 1);
    }
    files_down();
    free(mirror);
}
END_TEST

static int overlay_reopen_with(u64 length)
{
    struct disk *d;
    int r;

    ck_assert_int_eq(truncate(layer_path, (off_t)length), 0);
    capture_start();
    r = layer_open(&d, DISK_SYNC, persistent());
    if (r == 0)
        disk_free(d);
    else
        ck_assert_ptr_nonnull(strstr(capture_text, layer_path));
    return r;
}

START_TEST(test_length)
{
    u8 *mirror = malloc(SIZE), meta[OVERLAY_BLOCK];
    u64 full = 22 * OVERLAY_BLOCK;

    some_layer(mirror, meta);
    ck_assert_int_eq(overlay_reopen_with(full), 0);
    ck_assert_int_eq(overlay_reopen_with(full + 1), -EINVAL);
    ck_assert_int_eq(overlay_reopen_with(full - 1), -EINVAL);
    ck_assert_int_eq(overlay_reopen_with(4096), -EINVAL);
    ck_assert_int_eq(overlay_reopen_with(4095), -EINVAL);
    ck_assert_int_eq(overlay_reopen_with(1), -EINVAL);
    files_down();
    free(mirror);
}
END_TEST

/* Not ours, or not for this base. */
START_TEST(test_foreign)
{
    u8 *mirror = malloc(SIZE), meta[OVERLAY_BLOCK];
    struct timespec then[2] = {{1, 0}, {1, 0}};
    struct disk *d;

    some_layer(mirror, meta);
    capture_start();
    ck_assert_int_eq(utimensat(AT_FDCWD, base_path, then, 0), 0);
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "base was changed"));
    ck_assert_int_eq(truncate(base_path, SIZE + 512), 0);
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "another size"));
    rig_pattern(mirror, SIZE, 1);
    poke(0, mirror, SIZE);
    ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "not a layer"));
    files_down();
    free(mirror);
}
END_TEST

/* Right checksums around states that cannot be. */
START_TEST(test_hostile_map)
{
    static const struct {
        u64 block;
        unsigned int state;
        int want;
    } cases[] = {{3, 3, -EINVAL},  {20, 1, 0},         {21, 1, -EINVAL},
                 {21, 2, -EINVAL}, {4000, 1, -EINVAL}, {20, 3, -EINVAL}};
    u8 *mirror = malloc(SIZE), meta[OVERLAY_BLOCK];
    struct overlay_map m;
    struct disk *d;
    int fd;

    capture_start();
    for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
        some_layer(mirror, meta);
        fd = open(layer_path, O_RDWR | O_CLOEXEC);
        ck_assert_int_eq(overlay_map_init(&m, fd, layer_path, SIZE, 0), 0);
        ck_assert_int_eq(overlay_map_load(&m), 0);
        overlay_map_set(&m, cases[i].block, (enum overlay_state)cases[i].state);
        ck_assert_int_eq(overlay_map_write(&m), 0);
        overlay_map_fini(&m);
        close(fd);
        ck_assert_int_eq(layer_open(&d, DISK_SYNC, persistent()),
                         cases[i].want);
        if (cases[i].want == 0)
            disk_free(d);
        files_down();
    }
    free(mirror);
}
END_TEST

/* A flush that tears the map's page in the file: what was flushed before is
 * there. And without a flush the map in the file does not move at all. */
START_TEST(test_torn_map)
{
    u8 *mirror = malloc(SIZE), meta[OVERLAY_BLOCK], now[OVERLAY_BLOCK];
    u8 block[OVERLAY_BLOCK];
    struct disk_rig rig;
    int fd;

    some_layer(mirror, meta);
    layer_up(&rig, DISK_SYNC, persistent());
    memset(block, 0x22, sizeof(block));
    ck_assert_int_eq(
        rig_do(&rig, DISK_WRITE, block, 5 * OVERLAY_BLOCK, OVERLAY_BLOCK), 0);
    fd = open(layer_path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(io_read_buf(fd, now, sizeof(now), 0), 0);
    ck_assert_mem_eq(now, meta, sizeof(now));
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_int_eq(io_read_buf(fd, now, sizeof(now), 0), 0);
    ck_assert_mem_ne(now + 4096, meta + 4096, 4096);
    ck_assert_mem_eq(now + 8192, meta + 8192, 4096);
    close(fd);
    rig_down(&rig);
    poke(4096 + 512, meta, 3584);
    capture_start();
    layer_up(&rig, DISK_SYNC, persistent());
    ck_assert_ptr_nonnull(strstr(capture_text, "cut off"));
    check_content(&rig, mirror);
    rig_down(&rig);
    files_down();
    free(mirror);
}
END_TEST

Suite *suite_overlay(void);
Suite *suite_overlay(void)
{
    Suite *s = suite_create("overlay");
    TCase *tc = tcase_create("overlay");

    tcase_add_loop_test(tc, test_content, 0, ARRAY_SIZE(variants));
    tcase_add_test(tc, test_discard);
    tcase_add_loop_test(tc, test_quota, 0, 2);
    tcase_add_test(tc, test_locked);
    tcase_add_test(tc, test_discard_on_exit);
    tcase_add_test(tc, test_flush_latched);
    tcase_add_test(tc, test_damage);
    tcase_add_test(tc, test_length);
    tcase_add_test(tc, test_foreign);
    tcase_add_test(tc, test_hostile_map);
    tcase_add_test(tc, test_torn_map);
    suite_add_tcase(s, tc);
    return s;
}
