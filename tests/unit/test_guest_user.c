/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_user.c: whom the guest's files name */
#include <check.h>

#include "guest/user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "short:x:5\n"
                             "broken:x:y:7::/b:/bin/sh\n"
                             "::::::\n"
                             "www:x:33:34:a:/var/www:/bin/sh\n"
                             "twin:x:33:99::/twin:/bin/sh\n"
                             "lost:x:40:41::relative:\n"
                             "1234:x:50:51::/n:\n"
                             "last:x:60:61::/last:/bin/sh";
static const char group[] = "root:x:0:\n"
                            "www:x:34:\n"
                            "tape:x:26:last,www\n"
                            "wwwx:x:27:wwwx,xwww\n"
                            "bad:x:-1:www\n"
                            "disk:x:6:www";

static const struct user_case {
    const char *text;
    unsigned int missing;
    uid_t uid;
    gid_t gid;
    const char *groups, *home;
} cases[] = {
    {NULL, 0, 0, 0, "", "/root"},
    {"root", 0, 0, 0, "", "/root"},
    {"www", 0, 33, 34, "26 6 ", "/var/www"},
    {"33", 0, 33, 34, "26 6 ", "/var/www"},
    {"www:tape", 0, 33, 26, "", "/var/www"},
    {"www:0", 0, 33, 0, "", "/var/www"},
    {"www:777", 0, 33, 777, "", "/var/www"},
    {"last", 0, 60, 61, "26 ", "/last"},
    {"1000", 0, 1000, 0, "", ""},
    {"1000:1001", 0, 1000, 1001, "", ""},
    {"4294967294:7", 0, 4294967294u, 7, "", ""},
    {"lost", 0, 40, 41, "", ""},
    {"short", 0, 5, 0, "", ""},
    {"1234", 0, 1234, 0, "", ""}, /* a number, whatever it is the name of */
    {"4294967295", GUEST_STEP_NO_USER, 0, 0, "", ""},
    {"broken", GUEST_STEP_NO_USER, 0, 0, "", ""},
    {"ww", GUEST_STEP_NO_USER, 0, 0, "", ""},
    {"wwww", GUEST_STEP_NO_USER, 0, 0, "", ""},
    {"", GUEST_STEP_NO_USER, 0, 0, "", ""},
    {":www", GUEST_STEP_NO_USER, 0, 0, "", ""},
    {"www:nope", GUEST_STEP_NO_GROUP, 0, 0, "", ""},
    {"www:", GUEST_STEP_NO_GROUP, 0, 0, "", ""},
    {"www:bad", GUEST_STEP_NO_GROUP, 0, 0, "", ""},
    {"www:34:34", GUEST_STEP_NO_GROUP, 0, 0, "", ""},
};

START_TEST(test_case)
{
    const struct user_case *t = &cases[_i];
    char groups[64] = "";
    struct user u;

    ck_assert_uint_eq(user_find(&u, t->text, passwd, group), t->missing);
    if (t->missing)
        return;
    for (size_t i = 0; i < u.nr_groups; i++)
        snprintf(groups + strlen(groups), sizeof(groups) - strlen(groups),
                 "%u ", u.groups[i]);
    ck_assert_uint_eq(u.uid, t->uid);
    ck_assert_uint_eq(u.gid, t->gid);
    ck_assert_str_eq(groups, t->groups);
    ck_assert_str_eq(u.home, t->home);
}
END_TEST

/* Files that are empty, or not there, and more than there is room for. */
START_TEST(test_files)
{
    static char many[4096], home[USER_HOME + 64];
    struct user u;
    size_t len = 0;

    ck_assert_uint_eq(user_find(&u, "7", "", ""), 0);
    ck_assert_uint_eq(u.uid, 7);
    ck_assert_uint_eq(u.gid, 0);
    ck_assert_uint_eq(user_find(&u, "root", "", ""), GUEST_STEP_NO_USER);
    for (unsigned int i = 0; i < USER_GROUPS + 9; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len,
                                "g%u:x:%u:www\n", i, i);
    ck_assert_uint_eq(user_find(&u, "www", passwd, many), 0);
    ck_assert_uint_eq(u.nr_groups, USER_GROUPS);
    memset(home, '/', sizeof(home) - 1);
    memcpy(home, "a:x:1:1::", 9);
    ck_assert_uint_eq(user_find(&u, "a", home, ""), 0);
    ck_assert_str_eq(u.home, "");
}
END_TEST

Suite *suite_guest_user(void);
Suite *suite_guest_user(void)
{
    Suite *s = suite_create("guest_user");
    TCase *t = tcase_create("guest_user");

    tcase_add_loop_test(t, test_case, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, test_files);
    suite_add_tcase(s, t);
    return s;
}
