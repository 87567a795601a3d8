/* SPDX-License-Identifier: Apache-2.0 */
/* rbd_config: drives[].rbd and --rbd: keys, rules, values, and printed again */
#include <fcntl.h>
#include <unistd.h>

#include "cli/parts.h"

#include "capture.h"

/* The drive of a file, ' for ", whose rbd object has these members. */
static char *text_of(const char *members, const char *more)
{
    static char text[4096];

    snprintf(text, sizeof(text),
             "{'boot-source': {'kernel_image_path': '/proc/self/exe'},\n"
             "'drives': [{'drive_id': 'd', 'is_root_device': true,%s\n"
             "'rbd': {%s}}]}",
             more, members);
    for (char *s = text; *s; s++)
        if (*s == '\'')
            *s = '"';
    return text;
}

/* ---- what is refused, and what not ----------------------------------------
 */

#define I "'pool': 'p', 'image': 'i'"

static const struct rbd_case {
    const char *members, *more;
    const char *want; /* NULL: accepted in silence */
} cases[] = {
    {I, "", NULL},
    {I ", 'snapshot': 's', 'clone': {}", "", NULL},
    {I ", 'snapshot': 's', 'namespace': 'n', 'clone': {'name': 'c', "
       "'on_exit': 'keep'}, 'mon_host': ['10.0.0.1', '[::1]:3300'], 'user': "
       "'u', 'key_fd': 3, 'fsid': '0002dd75-1111-2222-3333-444444444444', "
       "'lock': 'none', 'cache': 'writeback', 'connect_timeout_s': 3, "
       "'timeout_s': 0, 'options': {'a': 'b'}",
     "", NULL},
    {"", "",
     "t:3:8: drives[0].rbd: \"pool\" is required\n"
     "mote: t:3:8: drives[0].rbd: \"image\" is required\n"},
    {"'pool': 'a/b', 'image': ''", "",
     "t:3:17: drives[0].rbd.pool: \"a/b\" is not a name: no spaces, / or @\n"
     "mote: t:3:33: drives[0].rbd.image: \"\" is not a name of 1 to 200 "
     "characters\n"},
    {I ", 'mon_host': ['ceph']", "",
     "t:3:49: drives[0].rbd.mon_host[0]: \"ceph\" is not a monitor's numeric "
     "address, such as 10.1.0.11 or 10.1.0.11:3300; names cannot be looked "
     "up\n"},
    {I ", 'fsid': 'x'", "",
     "t:3:44: drives[0].rbd.fsid: \"x\" is not a UUID\n"},
    {I ", 'lock': 'brake'", "",
     "t:3:44: drives[0].rbd.lock: \"brake\" is not one of exclusive, none, "
     "break; did you mean \"break\"?\n"},
    {I ", 'cache': 'on'", "",
     "t:3:45: drives[0].rbd.cache: \"on\" is not one of none, writethrough, "
     "writeback\n"},
    {I ", 'options': {'a': 1}", "",
     "t:3:53: drives[0].rbd.options.a: 1 is not a string\n"},
    {I ", 'options': []", "",
     "t:3:47: drives[0].rbd.options: an array is not an object\n"},
    {I ", 'encrypt': 'luks'", "",
     "t:3:36: drives[0].rbd.encrypt: not supported yet\n"},
    {I ", 'connect_timeout_s': 0", "",
     "t:3:57: drives[0].rbd.connect_timeout_s: 0 is out of range 1..3600\n"},
    {I ", 'clone': {}", "",
     "t:3:45: drives[0].rbd.clone: needs a snapshot to be the clone of\n"},
    {I ", 'snapshot': 's', 'clone': {}", "'is_read_only': true,",
     "t:2:69: drives[0].is_read_only: a clone is there to be written to\n"},
    {I, "'path_on_host': 'x',",
     "t:2:69: drives[0].path_on_host: rbd names the disk already; one of the "
     "two\n"},
    {I, "'overlay': 'ephemeral',",
     "t:2:64: drives[0].overlay: is for path_on_host; an rbd drive has "
     "clone\n"},
    {I, "'direct': true,", "t:2:63: drives[0].direct: is for path_on_host\n"},
    {I ", 'cache': 'writethrough'", "'cache_type': 'Unsafe',",
     "t:2:67: drives[0].cache_type: \"Unsafe\" does not go with an rbd.cache, "
     "which needs the guest's flushes\n"},
    {I ", 'key_file': '/proc/self/exe', 'key_fd': 4", "",
     "t:3:76: drives[0].rbd.key_fd: key_file names a key already\n"},
    {I ", 'key_file': '/nope'", "",
     "t:3:48: drives[0].rbd.key_file: /nope: No such file or directory "
     "(ENOENT)\n"},
};

START_TEST(test_cases)
{
    const struct rbd_case *t = &cases[_i];
    const char *text = text_of(t->members, t->more);
    char want[1024] = "";
    struct config c;
    int r;

    capture_start();
    ck_assert_int_eq(config_init(&c), 0);
    r = config_parse(&c, "t", text, strlen(text));
    if (r == 0)
        r = config_check(&c);
    if (t->want)
        snprintf(want, sizeof(want), "mote: %s", t->want);
    ck_assert_str_eq(capture_text, want);
    ck_assert_int_eq(r, t->want ? -EINVAL : 0);
    config_fini(&c);
}
END_TEST

/* ---- values ---------------------------------------------------------------
 */

START_TEST(test_values)
{
    const char *text = text_of(cases[2].members, "");
    const struct rbd_config *r;
    struct config c;

    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(config_parse(&c, "t", text, strlen(text)), 0);
    r = &c.drive[0].rbd;
    ck_assert(r->given && r->clone.given);
    ck_assert_str_eq(r->pool, "p");
    ck_assert_str_eq(r->image, "i");
    ck_assert_str_eq(r->ns, "n");
    ck_assert_str_eq(r->snapshot, "s");
    ck_assert_str_eq(r->clone.name, "c");
    ck_assert_int_eq(r->clone.exit, CLONE_KEEP);
    ck_assert_str_eq(r->mon_host[1], "[::1]:3300");
    ck_assert_ptr_null(r->mon_host[2]);
    ck_assert_str_eq(r->user, "u");
    ck_assert_uint_eq(r->key_fd, 3);
    ck_assert_int_eq(r->lock, RBD_LOCK_NONE);
    ck_assert_int_eq(r->cache, RBD_CACHE_WRITEBACK);
    ck_assert_uint_eq(r->connect_timeout_s, 3);
    ck_assert_uint_eq(r->nr_options, 1);
    ck_assert_str_eq(r->option[0].name, "a");
    ck_assert_str_eq(r->option[0].value, "b");
    ck_assert(!config_drive_read_only(&c.drive[0]));
    config_fini(&c);
}
END_TEST

START_TEST(test_snapshot_is_read_only)
{
    const char *text = text_of(I ", 'snapshot': 's'", "");
    struct config c;

    ck_assert_int_eq(config_init(&c), 0);
    ck_assert_int_eq(config_parse(&c, "t", text, strlen(text)), 0);
    ck_assert(!c.drive[0].read_only);
    ck_assert(config_drive_read_only(&c.drive[0]));
    config_fini(&c);
}
END_TEST

/* ---- the command line ------------------------------------------------------
 */

static struct config config;

static int parse(const char *spec)
{
    const char *const words[] = {"mote",           "run",   "--kernel",
                                 "/proc/self/exe", "--rbd", spec};
    char *argv[ARRAY_SIZE(words) + 1] = {NULL};
    struct cli cli = {.c = &config};
    int status = -1;

    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
        argv[i] = strdup(words[i]);
    capture_start();
    ck_assert_int_eq(config_init(&config), 0);
    if (cli_parse(&cli, ARRAY_SIZE(words), argv, &status) == CLI_RUN)
        status = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
        free(argv[i]);
    return status;
}

static const struct {
    const char *spec, *want;
} cli_cases[] = {
    {"p/i", NULL},
    {"p/n/i@s,clone,root", NULL},
    {"p/i@s,clone=mine,user=u,mon=10.0.0.1,mon=10.0.0.2:3300,lock=break,"
     "cache=writethrough,timeout=5,on_error=stop,id=x",
     NULL},
    {"i", "mote: --rbd: \"i\" is not POOL/IMAGE\n"},
    {"/i", "mote: --rbd: \"\" is not a name of 1 to 200 characters\n"},
    {"p/i@", "mote: --rbd: \"\" is not a name of 1 to 200 characters\n"},
    {"p/i,key=", "mote: --rbd: key needs a value: key=FILE\n"},
    {"p/i@s,clone=", "mote: --rbd: clone needs a value: clone=NAME\n"},
    {"p/i,clone", "mote: --rbd clone: needs a snapshot to be the clone of\n"},
    {"p/i,timeout=x", "mote: --rbd timeout: \"x\" is not a number\n"},
    {"p/i,rooot",
     "mote: --rbd: \"rooot\" is not one of root, ro, clone=, user=, key=, "
     "conf=, mon=, lock=, cache=, timeout=, on_error=, id=; did you mean "
     "\"root\"?\n"},
};

START_TEST(test_cli)
{
    const char *want = cli_cases[_i].want;
    int status = parse(cli_cases[_i].spec);

    ck_assert_str_eq(capture_text, want ? want : "");
    ck_assert_int_eq(status == 0, want == NULL);
    config_fini(&config);
}
END_TEST

START_TEST(test_cli_values)
{
    const struct rbd_config *r = &config.drive[0].rbd;

    ck_assert_int_eq(parse(cli_cases[1].spec), 0);
    ck_assert_str_eq(r->pool, "p");
    ck_assert_str_eq(r->ns, "n");
    ck_assert_str_eq(r->image, "i");
    ck_assert_str_eq(r->snapshot, "s");
    ck_assert(r->clone.given && config.drive[0].root);
    ck_assert_int_eq(r->clone.exit, CLONE_REMOVE);
    config_fini(&config);
    ck_assert_int_eq(parse(cli_cases[2].spec), 0);
    ck_assert_str_eq(r->clone.name, "mine");
    ck_assert_int_eq(r->clone.exit, CLONE_KEEP);
    ck_assert_str_eq(r->mon_host[1], "10.0.0.2:3300");
    ck_assert_int_eq(r->lock, RBD_LOCK_BREAK);
    ck_assert_uint_eq(r->timeout_s, 5);
    config_fini(&config);
}
END_TEST

Suite *suite_rbd_config(void);
Suite *suite_rbd_config(void)
{
    Suite *s = suite_create("rbd_config");
    TCase *tc = tcase_create("config");

    tcase_add_loop_test(tc, test_cases, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_values);
    tcase_add_test(tc, test_snapshot_is_read_only);
    tcase_add_loop_test(tc, test_cli, 0, ARRAY_SIZE(cli_cases));
    tcase_add_test(tc, test_cli_values);
    suite_add_tcase(s, tc);
    return s;
}
