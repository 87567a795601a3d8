/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_orders.c: what the guest's init reads of its orders */
#include "guest/orders.h"

/* A literal's last NUL is that of its last record. */
#define TEXT(s) s, sizeof(s)

static const struct orders_case {
    const char *text;
    size_t len;
    int r;
    const char *bad; /* NULL: the whole */
} wrong[] = {
    {"", 0, -EINVAL, NULL},
    {TEXT("workdir=/"), -EINVAL, NULL},
    {"arg=x", 5, -EINVAL, NULL},
    {TEXT("arg=x\0"), -EINVAL, ""},
    {TEXT("arg=x\0arg"), -EINVAL, "arg"},
    {TEXT("arg=x\0colour=red"), -EINVAL, "colour=red"},
    {TEXT("arg=x\0=y"), -EINVAL, "=y"},
    {TEXT("user="), -EINVAL, "user="},
    {TEXT("tty=80"), -EINVAL, "tty=80"},
    {TEXT("tty=80x65536"), -EINVAL, "tty=80x65536"},
    {TEXT("stdin=0"), -EINVAL, "stdin=0"},
    {TEXT("net=static"), -EINVAL, "net=static"},
    {TEXT("rootflags=rw"), -EINVAL, "rootflags=rw"},
    {TEXT("root="), -EINVAL, "root="},
    {TEXT("workdir="), -EINVAL, "workdir="},
    {TEXT("rootfstype=1\0rootfstype=2\0rootfstype=3\0rootfstype=4\0"
          "rootfstype=5\0rootfstype=6\0rootfstype=7\0rootfstype=8\0"
          "rootfstype=9"),
     -EINVAL, "rootfstype=9"},
};

static void free_orders(struct orders *o)
{
    free(o->argv);
    free(o->env);
}

START_TEST(test_wrong)
{
    const struct orders_case *t = &wrong[_i];
    char *text = malloc(t->len + 1); /* ASan sees what is beyond */
    const char *bad;
    struct orders o;

    ck_assert_ptr_nonnull(text);
    text = realloc(text, t->len ? t->len : 1);
    memcpy(text, t->text, t->len);
    ck_assert_int_eq(orders_parse(&o, text, t->len, &bad), t->r);
    if (t->bad)
        ck_assert_pstr_eq(bad, t->bad);
    else
        ck_assert_ptr_null(bad);
    free_orders(&o);
    free(text);
}
END_TEST

START_TEST(test_all)
{
    char text[] = "arg=sh\0env=A=1\0arg=\0workdir=/w\0user=www:7\0"
                  "tty=100x0\0stdin=1\0root=/dev/vda\0rootfstype=ext4\0"
                  "arg=a=b\nc\0rootfstype=xfs\0rootflags=ro\0net=dhcp\0"
                  "env=\0hostname=box";
    const char *bad;
    struct orders o;

    ck_assert_int_eq(orders_parse(&o, text, sizeof(text), &bad), 0);
    ck_assert_uint_eq(o.argc, 3);
    ck_assert_str_eq(o.argv[0], "sh");
    ck_assert_str_eq(o.argv[1], "");
    ck_assert_str_eq(o.argv[2], "a=b\nc");
    ck_assert_ptr_null(o.argv[3]);
    ck_assert_uint_eq(o.nr_env, 2);
    ck_assert_str_eq(o.env[0], "A=1");
    ck_assert_ptr_null(o.env[2]);
    ck_assert_str_eq(o.workdir, "/w");
    ck_assert_str_eq(o.user, "www:7");
    ck_assert(o.tty && o.input && o.root_ro && o.dhcp);
    ck_assert_uint_eq(o.cols, 100);
    ck_assert_uint_eq(o.rows, 0);
    ck_assert_str_eq(o.root, "/dev/vda");
    ck_assert_uint_eq(o.nr_types, 2);
    ck_assert_str_eq(o.rootfstype[1], "xfs");
    ck_assert_str_eq(o.hostname, "box");
    free_orders(&o);
}
END_TEST

START_TEST(test_least)
{
    char text[] = "arg=true";
    const char *bad;
    struct orders o;

    ck_assert_int_eq(orders_parse(&o, text, sizeof(text), &bad), 0);
    ck_assert(!o.tty && !o.input && !o.root && !o.dhcp && !o.workdir);
    ck_assert_ptr_null(o.user);
    ck_assert_ptr_null(o.env[0]);
    free_orders(&o);
}
END_TEST

Suite *suite_guest_orders(void);
Suite *suite_guest_orders(void)
{
    Suite *s = suite_create("guest_orders");
    TCase *tc = tcase_create("guest_orders");

    tcase_add_loop_test(tc, test_wrong, 0, ARRAY_SIZE(wrong));
    tcase_add_test(tc, test_all);
    tcase_add_test(tc, test_least);
    suite_add_tcase(s, tc);
    return s;
}
