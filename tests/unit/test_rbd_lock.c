/* SPDX-License-Identifier: Apache-2.0 */
/* rbd/lock.c over a cluster of this file's: who holds the lock, and who may
 * break it */
#include <check.h>

#include "capture.h"
#include "mote/config.h"
#include "rbd/lock.h"

static struct {
    const char *self;  /* the client's address; NULL: librados does not tell */
    const char *owner; /* of the lock; NULL: nobody */
    unsigned int broken;
    struct rbd_image died; /* what the keeper has of a worker that died when it
                            * had got the lock */
    struct rbd_image *spec;
} fake;

static int fake_features(rbd_image_t image, u64 *features)
{
    *features = RBD_FEATURE_EXCLUSIVE_LOCK;
    return 0;
}

static int fake_owners(rbd_image_t image, int *mode, char **list, size_t *n)
{
    if (!fake.owner)
        return -ENOENT;
    list[0] = strdup(fake.owner);
    *n = 1;
    return 0;
}

static void fake_cleanup(char **list, size_t n)
{
    free(list[0]);
}

static int fake_break(rbd_image_t image, int mode, const char *owner)
{
    ck_assert_str_eq(owner, fake.owner);
    fake.owner = NULL;
    fake.broken++;
    return 0;
}

static int fake_acquire(rbd_image_t image, int mode)
{
    if (fake.owner)
        return -EROFS;
    fake.owner = fake.self ? fake.self : "10.0.0.9:0/9";
    fake.died = *fake.spec;
    return 0;
}

static int fake_addrs(rados_t rados, char **text)
{
    if (!fake.self)
        return -ENOSYS;
    *text = strdup(fake.self);
    return 0;
}

static int take(struct rbd_image *spec, u32 gen)
{
    static const struct rbd_lib lib = {
        .rbd_get_features = fake_features,
        .rbd_lock_get_owners = fake_owners,
        .rbd_lock_get_owners_cleanup = fake_cleanup,
        .rbd_lock_break = fake_break,
        .rbd_lock_acquire = fake_acquire,
        .rados_getaddrs = fake_addrs,
    };
    static struct rbd_cluster access;
    static struct cluster cluster;
    static struct image im;

    cluster = (struct cluster){.lib = &lib, .spec = &access};
    im = (struct image){.cluster = &cluster, .spec = spec, .gen = gen};
    fake.spec = spec;
    capture_start();
    return lock_take_image(&im);
}

START_TEST(test_free)
{
    struct rbd_image spec = {.lock = RBD_LOCK_EXCLUSIVE};

    fake.self = "10.0.0.1:0/1";
    ck_assert_int_eq(take(&spec, 1), 0);
    ck_assert_str_eq(spec.holder, "10.0.0.1:0/1");
    ck_assert_uint_eq(fake.broken, 0);
}
END_TEST

/* The next worker breaks its predecessor's lock, and nobody else's. */
START_TEST(test_next)
{
    struct rbd_image spec = {.lock = RBD_LOCK_EXCLUSIVE};

    fake.self = "10.0.0.1:0/1";
    ck_assert_int_eq(take(&spec, 1), 0);
    fake.self = "10.0.0.1:0/2";
    ck_assert_int_eq(take(&spec, 2), 0);
    ck_assert_uint_eq(fake.broken, 1);
    ck_assert_str_eq(spec.holder, "10.0.0.1:0/2");
    fake.owner = "10.0.0.7:0/7";
    fake.self = "10.0.0.1:0/3";
    ck_assert_int_eq(take(&spec, 3), -EROFS);
    ck_assert_uint_eq(fake.broken, 1);
    ck_assert_ptr_nonnull(strstr(capture_text, "is locked by 10.0.0.7:0/7"));
}
END_TEST

/* A worker that dies as soon as it has the lock, the first one or another. */
START_TEST(test_died_with_it)
{
    struct rbd_image spec = {.lock = RBD_LOCK_EXCLUSIVE};

    fake.self = "10.0.0.1:0/1";
    ck_assert_int_eq(take(&spec, 1), 0);
    spec = fake.died;
    fake.self = "10.0.0.1:0/2";
    ck_assert_int_eq(take(&spec, 2), 0);
    spec = fake.died;
    fake.self = "10.0.0.1:0/3";
    ck_assert_int_eq(take(&spec, 3), 0);
    ck_assert_uint_eq(fake.broken, 2);
}
END_TEST

/* Another client's lock is asked for; on demand it is broken. */
START_TEST(test_of_another)
{
    struct rbd_image spec = {.lock = RBD_LOCK_EXCLUSIVE};

    fake.self = "10.0.0.1:0/1";
    fake.owner = "10.0.0.7:0/7";
    ck_assert_int_eq(take(&spec, 1), -EROFS);
    ck_assert_uint_eq(fake.broken, 0);
    spec.lock = RBD_LOCK_BREAK;
    ck_assert_int_eq(take(&spec, 1), 0);
    ck_assert_uint_eq(fake.broken, 1);
}
END_TEST

/* An old librados: known when the cluster says so. */
START_TEST(test_no_address)
{
    struct rbd_image spec = {.lock = RBD_LOCK_EXCLUSIVE};

    ck_assert_int_eq(take(&spec, 1), 0);
    ck_assert_str_eq(spec.holder, "10.0.0.9:0/9");
}
END_TEST

Suite *suite_rbd_lock(void);
Suite *suite_rbd_lock(void)
{
    Suite *s = suite_create("rbd_lock");
    TCase *tc = tcase_create("rbd_lock");

    tcase_add_test(tc, test_free);
    tcase_add_test(tc, test_next);
    tcase_add_test(tc, test_died_with_it);
    tcase_add_test(tc, test_of_another);
    tcase_add_test(tc, test_no_address);
    suite_add_tcase(s, tc);
    return s;
}
