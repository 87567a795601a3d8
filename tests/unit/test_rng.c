/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c: random bytes through a real queue, and the limit on them */
#include <check.h>

#include "virtio_driver.h"

static const struct limit_config no_limit;

static void rng_up(struct vdrv *d, const struct limit_config *limit,
                   u64 features)
{
    struct virtio_dev *dev;

    ck_assert_int_eq(rng_new(&dev, limit), 0);
    vdrv_up(d, dev, features);
}

static const u64 feature_sets[] = {
    ~0ull,
    VDRV_F_VERSION_1,
    VDRV_F_VERSION_1 | VDRV_F_EVENT_IDX,
    VDRV_F_VERSION_1 | VDRV_F_INDIRECT,
};

/* A request of several buffers is filled to its end, and only there. */
START_TEST(test_fill)
{
    static const u8 zero[64];
    struct vdrv d;
    u64 gpa;
    u32 len;
    u8 *p;

    rng_up(&d, &no_limit, feature_sets[_i]);
    gpa = vdrv_alloc(&d, PAGE_SIZE);
    p = vdrv_ptr(&d, gpa, PAGE_SIZE);
    struct vdrv_buf buf[] = {
        {gpa, 64, true}, {gpa + 128, 1000, true}, {gpa + 2000, 1, true}};

    for (unsigned int n = 0; n < 3 * 64; n++) {
        int head = vdrv_add(&d, 0, buf, ARRAY_SIZE(buf));

        vdrv_kick(&d, 0);
        ck_assert_int_eq(vdrv_wait(&d, 0, &len), head);
        ck_assert_uint_eq(len, 1065);
    }
    ck_assert_int_ne(memcmp(p, zero, 64), 0);
    ck_assert_int_eq(memcmp(p + 64, zero, 64), 0);
    ck_assert_int_ne(memcmp(p + 128 + 936, zero, 64), 0);
    ck_assert_int_eq(memcmp(p + 1128, zero, 64), 0);
    vdrv_down(&d);
}
END_TEST

/* What the driver gets wrong is answered, and counted. */
START_TEST(test_readable)
{
    struct virtio_stats stats;
    struct vdrv d;
    u32 len = 1;

    rng_up(&d, &no_limit, ~0ull);
    vdrv_add(&d, 0, &(struct vdrv_buf){vdrv_alloc(&d, 64), 64, false}, 1);
    vdrv_kick(&d, 0);
    ck_assert_int_ge(vdrv_wait(&d, 0, &len), 0);
    ck_assert_uint_eq(len, 0);
    virtio_stats(d.dev, &stats);
    ck_assert_uint_eq(stats.errors, 1);
    ck_assert_uint_eq(stats.requests, 1);
    ck_assert_uint_eq(vdrv_counter(d.dev, "entropy_event_fails"), 1);
    ck_assert_uint_eq(vdrv_counter(d.dev, "entropy_bytes"), 0);
    ck_assert(!stats.broken);
    vdrv_down(&d);
}
END_TEST

/* 1000 bytes at once, then 1000 each 40 ms: five requests take 160 ms. */
START_TEST(test_limit)
{
    struct limit_config limit = {.bytes = {.size = 1000, .refill_ms = 40}};
    struct vdrv d;
    u64 start, gpa;

    rng_up(&d, &limit, ~0ull);
    gpa = vdrv_alloc(&d, 1000);
    start = vdrv_ms();
    for (unsigned int n = 0; n < 5; n++)
        vdrv_add(&d, 0, &(struct vdrv_buf){gpa, 1000, true}, 1);
    vdrv_kick(&d, 0);
    for (unsigned int n = 0; n < 5; n++)
        ck_assert_int_ge(vdrv_wait(&d, 0, NULL), 0);
    ck_assert_uint_ge(vdrv_ms() - start, 140);
    vdrv_down(&d);
}
END_TEST

/* A reset does not wait for the end of a pause, nor a stop. */
START_TEST(test_reset_paused)
{
    struct limit_config limit = {.bytes = {.size = 10, .refill_ms = 1000000}};
    struct vdrv d;
    u64 start = vdrv_ms(), gpa;

    rng_up(&d, &limit, ~0ull);
    for (unsigned int n = 0; n < 2; n++) {
        gpa = vdrv_alloc(&d, 10);
        vdrv_add(&d, 0, &(struct vdrv_buf){gpa, 10, true}, 1);
        vdrv_add(&d, 0, &(struct vdrv_buf){gpa, 10, true}, 1);
        vdrv_kick(&d, 0);
        if (n == 0)
            ck_assert_int_ge(vdrv_wait(&d, 0, NULL), 0);
        vdrv_reset(&d);
        ck_assert_uint_eq(vdrv_read(&d, VDRV_STATUS), 0);
        vdrv_init(&d, ~0ull);
    }
    vdrv_down(&d);
    ck_assert_uint_lt(vdrv_ms() - start, 1000);
}
END_TEST

Suite *suite_rng(void);
Suite *suite_rng(void)
{
    Suite *s = suite_create("rng");
    TCase *tc = tcase_create("rng");

    tcase_add_loop_test(tc, test_fill, 0, ARRAY_SIZE(feature_sets));
    tcase_add_test(tc, test_readable);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_reset_paused);
    suite_add_tcase(s, tc);
    return s;
}
