/* SPDX-License-Identifier: Apache-2.0 */
/* orders: what runs and how, of a configuration and of a container image */
#include <check.h>
#include <stdlib.h>

#include "config_rig.h"
#include "run/prepare.h"

#define RUN(rest) "{\"run\": {\"rootfs\": \"d\"" rest "}}"

struct argv_case {
    const char *text;
    const char *entrypoint[3], *cmd[3];
    const char *want; /* joined by spaces; NULL: an error */
};

static const struct argv_case argv_cases[] = {
    {RUN(", \"cmd\": [\"a\", \"b\"]"), {NULL}, {NULL}, "a b "},
    {RUN(""), {NULL}, {"c", "d"}, "c d "},
    {RUN(""), {"e"}, {"c", "d"}, "e c d "},
    {RUN(""), {"e", "f"}, {NULL}, "e f "},
    {RUN(", \"cmd\": [\"a\"]"), {"e", "f"}, {"c", "d"}, "e f a "},
    {RUN(""), {NULL}, {NULL}, NULL},
};

START_TEST(test_argv)
{
    const struct argv_case *t = &argv_cases[_i];
    const struct rootfs_command image = {
        .entrypoint = (char **)(uintptr_t)t->entrypoint,
        .cmd = (char **)(uintptr_t)t->cmd,
    };
    char **argv = NULL, got[64] = "";
    struct config c;

    ck_assert_int_eq(config_rig_parse(&c, t->text), 0);
    ck_assert_int_eq(orders_argv(&argv, &c, &image), t->want ? 0 : -EINVAL);
    for (char **arg = argv; arg && *arg; arg++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", *arg);
    ck_assert_str_eq(got, t->want ? t->want : "");
    if (!t->want)
        ck_assert_ptr_nonnull(strstr(capture_text, "give one behind --"));
    orders_free_argv(argv);
    config_fini(&c);
}
END_TEST

/* Records end with a NUL; here with a semicolon. */
static void expect_orders(const char *text, const struct command *cmd,
                          const struct orders_root *root, const char *want)
{
    struct config c;
    char *got = NULL;
    size_t len = 0;

    ck_assert_int_eq(config_rig_parse(&c, text), 0);
    ck_assert_int_eq(orders_make(&got, &len, cmd, &c, root),
                     want ? 0 : -EINVAL);
    for (size_t i = 0; want && i < len; i++)
        if (got[i] == '\0')
            got[i] = ';';
    if (want)
        ck_assert_str_eq(got, want);
    free(got);
    config_fini(&c);
}

static char *argv[] = {(char[]){"sh"}, (char[]){"a=b"}, NULL};
static char *image_env[] = {(char[]){"PATH=/x"}, (char[]){"A=image"}, NULL};

START_TEST(test_orders)
{
    static const char *const types[] = {"ext4", "xfs", NULL};
    const struct orders_root none = {0};
    const struct orders_root disk = {"/dev/vda", types, true};
    struct command cmd = {.argv = argv};

    expect_orders(RUN(""), &cmd, &none,
                  "arg=sh;arg=a=b;workdir=/;hostname=mote;user=0:0;");
    cmd.input = true;
    expect_orders(RUN(", \"workdir\": \"/w\", \"user\": \"5\", \"hostname\": "
                      "\"h\", \"env\": {\"B\": \"x y=z\"}"),
                  &cmd, &disk,
                  "arg=sh;arg=a=b;env=B=x y=z;workdir=/w;stdin=1;"
                  "root=/dev/vda;rootfstype=ext4;rootfstype=xfs;"
                  "rootflags=ro;hostname=h;user=5;");
}
END_TEST

/* What is given wins over what the image says. */
START_TEST(test_image)
{
    const struct orders_root none = {0};
    struct command cmd = {
        .argv = argv,
        .rootfs.command = {.env = image_env,
                           .workdir = (char[]){"/srv"},
                           .user = (char[]){"33:34"}},
    };

    expect_orders(RUN(""), &cmd, &none,
                  "arg=sh;arg=a=b;env=PATH=/x;env=A=image;workdir=/srv;"
                  "hostname=mote;user=33:34;");
    expect_orders(RUN(", \"env\": {\"A\": \"given\"}, \"workdir\": \"/\", "
                      "\"user\": \"1:2\""),
                  &cmd, &none,
                  "arg=sh;arg=a=b;env=PATH=/x;env=A=given;workdir=/;"
                  "hostname=mote;user=1:2;");
    cmd.rootfs.command.user = (char[]){"www-data:4"};
    expect_orders(RUN(""), &cmd, &none,
                  "arg=sh;arg=a=b;env=PATH=/x;env=A=image;workdir=/srv;"
                  "hostname=mote;user=www-data:4;");
    cmd.rootfs.command.user = (char[]){"x y"};
    expect_orders(RUN(""), &cmd, &none, NULL);
    ck_assert_ptr_nonnull(
        strstr(capture_text, "the image's user \"x y\" is not USER"));
}
END_TEST

Suite *suite_orders(void);
Suite *suite_orders(void)
{
    Suite *s = suite_create("orders");
    TCase *tc = tcase_create("orders");

    tcase_add_loop_test(tc, test_argv, 0, ARRAY_SIZE(argv_cases));
    tcase_add_test(tc, test_orders);
    tcase_add_test(tc, test_image);
    suite_add_tcase(s, tc);
    return s;
}
