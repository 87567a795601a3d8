/* SPDX-License-Identifier: Apache-2.0 */
/* raw.c, uring.c, io.c, lock.c: images behind both engines, with and without
 * the page cache */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "block/io.h"
#include "block/raw.h"
#include "capture.h"
#include "disk_rig.h"

#define SIZE (2 * MIB)

static const struct variant {
    enum disk_engine engine;
    bool direct;
} variants[] = {{DISK_SYNC, false},
                {DISK_SYNC, true},
                {DISK_ASYNC, false},
                {DISK_ASYNC, true}};

static char path[64];
static int file;

static struct raw *rig_raw(const struct disk_rig *rig)
{
    return container_of(rig->disk, struct raw, disk);
}

static void up(struct disk_rig *rig, const struct variant *v, u64 size)
{
    struct raw_options opt = {
        .path = path, .engine = v->engine, .direct = v->direct};
    struct disk *d;

    file = rig_file(path, size);
    ck_assert_int_eq(raw_open(&d, &opt), 0);
    rig_up(rig, d);
    if (v->engine == DISK_ASYNC && !rig_raw(rig)->uring)
        printf("skip - no io_uring here: the plain engine instead\n");
}

static void down(struct disk_rig *rig)
{
    rig_down(rig);
    close(file);
    unlink(path);
}

/* ---- content ------------------------------------------------------------ */

#define BATCH 8u
#define PARTS 200u /* more than one system call takes */

struct batch {
    struct rig_req req[BATCH];
    struct iovec iov[BATCH][PARTS];
};

/* len bytes of buf in vectors of random sizes. */
static unsigned int cut(struct iovec *iov, u8 *buf, u64 len, bool fine,
                        u32 *seed)
{
    u64 most = fine ? 2 * len / PARTS : len;
    unsigned int n = 0;

    while (len) {
        u64 part = MIN(len, 1 + rig_random(seed) % MAX(most, 1u));

        if (n == PARTS - 1)
            part = len;
        iov[n++] = (struct iovec){buf, part};
        buf += part;
        len -= part;
    }
    return n;
}

/* Batches of reads and writes on areas that do not overlap, against a mirror;
 * aligned ones take the direct way where there is one. */
START_TEST(test_content)
{
    const struct variant *v = &variants[_i];
    u8 *mirror = calloc(1, SIZE), *buf = aligned_alloc(4096, SIZE);
    struct batch *b = calloc(1, sizeof(*b));
    const u64 area = SIZE / BATCH;
    struct disk_rig rig;
    u32 seed = 7;

    up(&rig, v, SIZE);
    for (unsigned int round = 0; round < 60; round++) {
        for (unsigned int i = 0; i < BATCH; i++) {
            struct disk_req *dr = &b->req[i].dr;
            u64 unit = round % 3 == 0 ? 4096 : 512;
            u64 off = rig_random(&seed) % (area / unit) * unit;
            u64 len = unit + rig_random(&seed) % ((area - off) / unit) * unit;

            off += i * area;
            dr->op = rig_random(&seed) % 2 ? DISK_WRITE : DISK_READ;
            dr->off = off;
            dr->len = len;
            dr->iov = b->iov[i];
            dr->nr_iov = 1;
            b->iov[i][0] = (struct iovec){buf + off, len};
            if (unit == 512)
                dr->nr_iov = cut(b->iov[i], buf + off, len, i % 2, &seed);
            if (dr->op == DISK_WRITE) {
                rig_pattern(buf + off, len, seed);
                memcpy(mirror + off, buf + off, len);
            }
            rig_submit(&rig, &b->req[i]);
        }
        rig_wait(&rig);
        for (unsigned int i = 0; i < BATCH; i++) {
            struct disk_req *dr = &b->req[i].dr;

            ck_assert_int_eq(b->req[i].err, 0);
            ck_assert_uint_eq(b->req[i].answers, 1);
            ck_assert_mem_eq(buf + dr->off, mirror + dr->off, dr->len);
        }
    }
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_int_eq(pread(file, buf, SIZE, 0), SIZE);
    ck_assert_mem_eq(buf, mirror, SIZE);
    down(&rig);
    free(b);
    free(buf);
    free(mirror);
}
END_TEST

/* A hole where space may be freed, zeros where it may not, and both also where
 * the file system knows no such call. */
START_TEST(test_zeroes)
{
    const struct variant *v = &variants[_i];
    u8 *buf = aligned_alloc(4096, SIZE), *zero = calloc(1, SIZE);
    struct disk_rig rig;

    up(&rig, v, SIZE);
    ck_assert(rig.disk->info.zeroes);
    for (unsigned int known = 0; known < 4; known++) {
        struct rig_req req = {
            .dr = {.op = DISK_ZEROES, .off = 512, .len = MIB}};

        rig_raw(&rig)->no_punch = !(known & 1);
        rig_raw(&rig)->no_zero_range = !(known & 2);
        for (unsigned int unmap = 0; unmap < 2; unmap++) {
            rig_pattern(buf, SIZE, known);
            ck_assert_int_eq(rig_do(&rig, DISK_WRITE, buf, 0, SIZE), 0);
            req.dr.unmap = unmap;
            rig_submit(&rig, &req);
            rig_wait(&rig);
            ck_assert_int_eq(req.err, 0);
            memset(buf + 512, 0, MIB);
            ck_assert_int_eq(rig_do(&rig, DISK_READ, zero, 0, SIZE), 0);
            ck_assert_mem_eq(zero, buf, SIZE);
        }
    }
    down(&rig);
    free(buf);
    free(zero);
}
END_TEST

START_TEST(test_discard)
{
    const struct variant *v = &variants[_i];
    u8 *buf = aligned_alloc(4096, SIZE);
    struct disk_rig rig;
    struct stat before, after;

    up(&rig, v, SIZE);
    if (!rig.disk->info.discard) {
        printf("skip - no holes in files here\n");
        down(&rig);
        return;
    }
    rig_pattern(buf, SIZE, 1);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, buf, 0, SIZE), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_int_eq(fstat(file, &before), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_DISCARD, NULL, 0, MIB), 0);
    ck_assert_int_eq(fstat(file, &after), 0);
    ck_assert_int_lt(after.st_blocks, before.st_blocks);
    rig_raw(&rig)->no_punch = true;
    ck_assert_int_eq(rig_do(&rig, DISK_DISCARD, NULL, 0, MIB), -EOPNOTSUPP);
    down(&rig);
    free(buf);
}
END_TEST

/* ---- trouble ------------------------------------------------------------ */

/* Cut short or grown behind our back: told at the next flush; what is gone is
 * an I/O error, also before that was noticed. */
START_TEST(test_resize)
{
    const struct variant *v = &variants[_i];
    u8 *buf = aligned_alloc(4096, 8192);
    struct disk_rig rig;

    up(&rig, v, SIZE);
    capture_start();
    ck_assert_int_eq(rig_do(&rig, DISK_READ, buf, 0, 512), 0);
    ck_assert_int_eq(ftruncate(file, MIB + 4096), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_READ, buf, MIB, 8192), -EIO);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_uint_eq(rig.resized, 1);
    ck_assert_uint_eq(rig.disk->info.size, MIB + 4096);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, buf, MIB, 8192), -EIO);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, buf, MIB, 4096), 0);
    ck_assert_int_eq(ftruncate(file, 4 * MIB + 1), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_uint_eq(rig.resized, 2);
    ck_assert_uint_eq(rig.disk->info.size, 4 * MIB);
    ck_assert_ptr_nonnull(strstr(capture_text, path));
    down(&rig);
    free(buf);
}
END_TEST

/* The kernel takes the first bytes, then fails: not a success, and the request
 * has gone on in the middle of a vector. */
START_TEST(test_partial_write)
{
    const struct variant *v = &variants[_i];
    struct rlimit limit = {6144, RLIM_INFINITY};
    u8 *buf = aligned_alloc(4096, 16384), got[6144];
    struct iovec iov[4];
    struct rig_req req = {
        .dr = {.op = DISK_WRITE, .len = 16384, .iov = iov, .nr_iov = 4}};
    struct disk_rig rig;

    up(&rig, v, SIZE);
    rig_pattern(buf, 16384, 3);
    for (unsigned int i = 0; i < 4; i++)
        iov[i] = (struct iovec){buf + i * 4096, 4096};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    rig_submit(&rig, &req);
    rig_wait(&rig);
    ck_assert_int_eq(req.err, -EFBIG);
    ck_assert_uint_eq(req.answers, 1);
    ck_assert_int_eq(pread(file, got, sizeof(got), 0), sizeof(got));
    ck_assert_mem_eq(got, buf, 4096);
    down(&rig);
    free(buf);
}
END_TEST

/* fdatasync() fails once; then the file is fine again, but not the flush. */
START_TEST(test_flush_latched)
{
    struct disk_rig rig;
    int pipe_fd[2], saved;

    up(&rig, &variants[0], SIZE);
    capture_start();
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    ck_assert_int_eq(pipe(pipe_fd), 0);
    saved = dup(rig_raw(&rig)->fd);
    ck_assert_int_ge(dup2(pipe_fd[1], rig_raw(&rig)->fd), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), -EINVAL);
    ck_assert_int_ge(dup2(saved, rig_raw(&rig)->fd), 0);
    for (unsigned int i = 0; i < 3; i++)
        ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), -EINVAL);
    ck_assert_ptr_nonnull(strstr(capture_text, "no later flush will succeed"));
    down(&rig);
}
END_TEST

START_TEST(test_flush_latched_async)
{
    struct disk_rig rig;

    up(&rig, &variants[2], SIZE);
    capture_start();
    ck_assert_int_eq(raw_flushed(rig_raw(&rig), -ENOSPC), -ENOSPC);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), -ENOSPC);
    down(&rig);
}
END_TEST

/* ---- opening ------------------------------------------------------------ */

static int try_open(bool read_only, struct disk **d)
{
    capture_start();
    return raw_open(
        d, &(struct raw_options){.path = path, .read_only = read_only});
}

START_TEST(test_lock)
{
    struct disk *a, *b, *c;
    char who[64];

    file = rig_file(path, SIZE);
    snprintf(who, sizeof(who), "in use by process %d", getpid());
    ck_assert_int_eq(try_open(false, &a), 0);
    ck_assert_int_eq(try_open(false, &b), -EBUSY);
    ck_assert_ptr_nonnull(strstr(capture_text, path));
    ck_assert_msg(strstr(capture_text, who) != NULL, "%s", capture_text);
    ck_assert_int_eq(try_open(true, &b), -EBUSY);
    ck_assert_ptr_nonnull(strstr(capture_text, "in use for writing"));
    disk_free(a);
    ck_assert_int_eq(try_open(true, &a), 0);
    ck_assert_int_eq(try_open(true, &b), 0);
    ck_assert_int_eq(try_open(false, &c), -EBUSY);
    disk_free(a);
    disk_free(b);
    ck_assert_int_eq(try_open(false, &a), 0);
    disk_free(a);
    unlink(path);
}
END_TEST

START_TEST(test_lock_of_another_process)
{
    struct disk *d;
    int up_pipe[2];
    char who[64], ready;
    pid_t pid;

    file = rig_file(path, SIZE);
    ck_assert_int_eq(pipe(up_pipe), 0);
    pid = fork();
    if (pid == 0) {
        if (try_open(false, &d) == 0 && write(up_pipe[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(up_pipe[0], &ready, 1), 1);
    ck_assert_int_eq(try_open(false, &d), -EBUSY);
    snprintf(who, sizeof(who), "in use by process %d", pid);
    ck_assert_msg(strstr(capture_text, who) != NULL, "%s", capture_text);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(try_open(false, &d), 0);
    disk_free(d);
    unlink(path);
}
END_TEST

/* A ring that has had requests, closed or killed with its process, may keep
 * the file open a little longer, but not the next run out. */
START_TEST(test_lock_of_a_ring)
{
    const struct variant *v = &variants[2];
    struct raw_options opt = {.path = path, .engine = DISK_ASYNC};
    struct disk_rig rig;
    u8 buf[512] = {0};
    struct disk *d;
    pid_t pid;
    int status;

    up(&rig, v, SIZE);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, buf, 0, 512), 0);
    rig_down(&rig);
    ck_assert_int_eq(raw_open(&d, &opt), 0);
    disk_free(d);
    pid = fork();
    if (pid == 0) {
        raw_open(&d, &opt);
        rig_up(&rig, d);
        rig_do(&rig, DISK_WRITE, buf, 0, 512);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(raw_open(&d, &opt), 0);
    disk_free(d);
    close(file);
    unlink(path);
}
END_TEST

static const struct refusal {
    const char *path, *text;
    int err;
} refusals[] = {
    {"/nonexistent/disk", "/nonexistent/disk: No such file", -ENOENT},
    {"/dev/null", "neither a regular file nor a block device", -EINVAL},
    {"/proc/self", "Is a directory", -EISDIR},
};

START_TEST(test_refused)
{
    const struct refusal *t = &refusals[_i];
    struct disk *d;

    snprintf(path, sizeof(path), "%s", t->path);
    ck_assert_int_eq(try_open(false, &d), t->err);
    ck_assert_msg(strstr(capture_text, t->text) != NULL, "%s", capture_text);
}
END_TEST

/* Nobody writes to the other end: opening must not wait for that. */
START_TEST(test_fifo)
{
    struct disk *d;

    close(rig_file(path, 0));
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(try_open(true, &d), -EINVAL);
    unlink(path);
}
END_TEST

START_TEST(test_odd_size)
{
    struct disk *d;

    file = rig_file(path, 1000);
    ck_assert_int_eq(try_open(false, &d), 0);
    ck_assert_uint_eq(d->info.size, 512);
    ck_assert_ptr_nonnull(strstr(capture_text, "the last 488"));
    disk_free(d);
    ck_assert_int_eq(ftruncate(file, 0), 0);
    ck_assert_int_eq(try_open(false, &d), 0);
    ck_assert_uint_eq(d->info.size, 0);
    disk_free(d);
    unlink(path);
}
END_TEST

START_TEST(test_read_only)
{
    struct disk_rig rig;
    struct disk *d;
    u8 buf[512];

    file = rig_file(path, SIZE);
    ck_assert_int_eq(try_open(true, &d), 0);
    ck_assert(d->info.read_only && !d->info.discard && !d->info.zeroes);
    rig_up(&rig, d);
    ck_assert_int_eq(rig_do(&rig, DISK_READ, buf, 0, 512), 0);
    ck_assert_int_eq(rig_do(&rig, DISK_WRITE, buf, 0, 512), -EIO);
    ck_assert_int_eq(rig_do(&rig, DISK_ZEROES, NULL, 0, 512), -EIO);
    ck_assert_int_eq(rig_do(&rig, DISK_FLUSH, NULL, 0, 0), 0);
    down(&rig);
}
END_TEST

/* ---- io_slice ----------------------------------------------------------- */

static const struct slice {
    u64 skip, len, bytes;
    unsigned int max, nr;
    u64 first_off, first_len;
} slices[] = {
    {0, 60, 60, 8, 3, 0, 10},   {0, 5, 5, 8, 1, 0, 5},
    {10, 20, 20, 8, 1, 10, 20}, {9, 2, 2, 8, 2, 9, 1},
    {35, 25, 25, 8, 1, 35, 25}, {0, 60, 30, 2, 2, 0, 10},
    {0, 0, 0, 8, 0, 0, 0},      {60, 5, 0, 8, 0, 0, 0},
};

START_TEST(test_slice)
{
    static u8 buf[60];
    const struct iovec iov[] = {{buf, 10}, {buf + 10, 20}, {buf + 30, 30}};
    const struct slice *t = &slices[_i];
    struct iovec out[8];
    u64 bytes;

    ck_assert_uint_eq(
        io_slice((struct io_vec){iov, 3}, t->skip, t->len, out, t->max, &bytes),
        t->nr);
    ck_assert_uint_eq(bytes, t->bytes);
    if (t->nr) {
        ck_assert_ptr_eq(out[0].iov_base, buf + t->first_off);
        ck_assert_uint_eq(out[0].iov_len, t->first_len);
    }
}
END_TEST

Suite *suite_raw(void);
Suite *suite_raw(void)
{
    Suite *s = suite_create("raw");
    TCase *tc = tcase_create("raw");

    tcase_add_loop_test(tc, test_content, 0, ARRAY_SIZE(variants));
    tcase_add_loop_test(tc, test_zeroes, 0, ARRAY_SIZE(variants));
    tcase_add_loop_test(tc, test_discard, 0, ARRAY_SIZE(variants));
    tcase_add_loop_test(tc, test_resize, 0, ARRAY_SIZE(variants));
    tcase_add_loop_test(tc, test_partial_write, 0, ARRAY_SIZE(variants));
    tcase_add_test(tc, test_flush_latched);
    tcase_add_test(tc, test_flush_latched_async);
    tcase_add_test(tc, test_lock);
    tcase_add_test(tc, test_lock_of_another_process);
    tcase_add_test(tc, test_lock_of_a_ring);
    tcase_add_loop_test(tc, test_refused, 0, ARRAY_SIZE(refusals));
    tcase_add_test(tc, test_fifo);
    tcase_add_test(tc, test_odd_size);
    tcase_add_test(tc, test_read_only);
    tcase_add_loop_test(tc, test_slice, 0, ARRAY_SIZE(slices));
    suite_add_tcase(s, tc);
    return s;
}
