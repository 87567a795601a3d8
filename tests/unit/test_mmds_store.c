/* SPDX-License-Identifier: Apache-2.0 */
/* mmds_store: one JSON object as answers: every path in both forms */
#include "mmds/store.h"
#include "mote/mmds.h"

static const char data[] =
    "{\"name\": {\"second\": \"Doe\", \"first\": \"John\"},\n"
    " \"age\": 43, \"phones\": [\"+401\", {\"x\": [[], {}]}, \"c\"],\n"
    " \"member\": false, \"none\": null, \"share\": 0.1, \"third\": 3e-05,\n"
    " \"balance\": -24, \"a/b\": \"slash\", \"m~n\": \"tilde\", \"e\": {},\n"
    " \"~1\": \"both\", \"big\": 9223372036854775807, \"\": \"nameless\",\n"
    " \"quote\\\"\\u00e9\\n\": \"q\\\"\\u00e9\\n\", \"na\": \"\", \"nam\": "
    "\"x\"}";

struct path_case {
    const char *path, *json, *text; /* NULL: not there, no text */
};

static const struct path_case paths[] = {
    {"/name", "{\"first\":\"John\",\"second\":\"Doe\"}", "first\nsecond"},
    {"/name/", "{\"first\":\"John\",\"second\":\"Doe\"}", "first\nsecond"},
    {"//name///first//", "\"John\"", "John"},
    {"/name/first/x", NULL, NULL},
    {"/name/fir", NULL, NULL},
    {"/name/firsts", NULL, NULL},
    {"/nam", "\"x\"", "x"},
    {"/na", "\"\"", ""},
    {"/n", NULL, NULL},
    {"/age", "43", NULL},
    {"/member", "false", NULL},
    {"/none", "null", NULL},
    {"/share", "0.1", NULL},
    {"/third", "3e-5", NULL},
    {"/balance", "-24", NULL},
    {"/big", "9223372036854775807", NULL},
    {"/phones", "[\"+401\",{\"x\":[[],{}]},\"c\"]", NULL},
    {"/phones/0", "\"+401\"", "+401"},
    {"/phones/1", "{\"x\":[[],{}]}", "x"},
    {"/phones/1/x/0", "[]", NULL},
    {"/phones/1/x/1", "{}", ""},
    {"/phones/2/", "\"c\"", "c"},
    {"/phones/3", NULL, NULL},
    {"/phones/00", NULL, NULL},
    {"/phones/-", NULL, NULL},
    {"/phones/+1", NULL, NULL},
    {"/phones/4294967296", NULL, NULL},
    {"/phones/1x", NULL, NULL},
    {"/a~1b", "\"slash\"", "slash"},
    {"/a/b", NULL, NULL},
    {"/m~0n", "\"tilde\"", "tilde"},
    {"/m~n", "\"tilde\"", "tilde"},
    {"/~01", "\"both\"", "both"},
    {"/~1", NULL, NULL},
    {"/~", NULL, NULL},
    {"/e", "{}", ""},
    {"/e/e", NULL, NULL},
    {"/quote\"\u00e9\n", "\"q\\\"\u00e9\\n\"", "q\"\u00e9\n"},
    {"/nope", NULL, NULL},
    {"", NULL, NULL},
    {"name", NULL, NULL},
};

static struct mmds_store s;
static char why[256];

static int take(const char *text, u32 limit)
{
    return mmds_store_init(&s, text, strlen(text), limit, why, sizeof(why));
}

static void check_span(const char *path, const char *want, const char *text,
                       const struct mmds_span *span)
{
    ck_assert_msg(span->len == strlen(want) &&
                      memcmp(text + span->at, want, span->len) == 0,
                  "%s: \"%.*s\", not \"%s\"", path, (int)span->len,
                  text + span->at, want);
}

START_TEST(test_path)
{
    const struct path_case *t = &paths[_i];
    const struct mmds_node *n;
    size_t len = strlen(t->path);
    char *path = malloc(len + 1); /* exactly: a sanitizer sees what is behind */

    memcpy(path, t->path, len + 1);
    ck_assert_int_eq(take(data, MMDS_SIZE), 0);
    n = mmds_store_find(&s, path, len);
    ck_assert_msg(!n == !t->json, "%s: %s", t->path, n ? "found" : "not there");
    if (n) {
        check_span(t->path, t->json, s.json, &n->json);
        ck_assert_msg(n->has_text == (t->text != NULL), "%s", t->path);
        if (t->text)
            check_span(t->path, t->text, s.text, &n->text);
    }
    free(path);
    mmds_store_fini(&s);
}
END_TEST

/* The root has all of it: sorted, without blanks. */
START_TEST(test_root)
{
    static const char *const names[] = {"/", "//", "///"};
    const struct mmds_node *n;

    ck_assert_int_eq(take("{ \"b\": [ 1, 2 ],\n \"a\": { \"c\": \"d\" } }", 40),
                     0);
    ck_assert_uint_eq(s.nr, 6);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        n = mmds_store_find(&s, names[i], strlen(names[i]));
        ck_assert_ptr_eq(n, s.node);
        check_span("/", "{\"a\":{\"c\":\"d\"},\"b\":[1,2]}", s.json, &n->json);
        check_span("/", "a/\nb", s.text, &n->text);
    }
    mmds_store_fini(&s);
    ck_assert_ptr_null(mmds_store_find(&s, "/", 1)); /* nothing is there */
}
END_TEST

static const struct bad_case {
    const char *text, *want;
    int err;
} bad[] = {
    {"", "line 1, column 0: not JSON: ", -EINVAL},
    {"{", "line 1, column 1: not JSON: ", -EINVAL},
    {"{\"a\": 1} x", "not JSON: end of file expected near 'x'", -EINVAL},
    {"{\"a\": 1, \"a\": 2}", "not JSON: duplicate object key", -EINVAL},
    {"{\"a\": \"\xff\"}", "not JSON: unable to decode byte 0xff", -EINVAL},
    {"{\"a\": \"\\u0000\"}", "not JSON: \\u0000 is not allowed", -EINVAL},
    {"\x1b", "not JSON: ", -EINVAL},
    {"[]", "is not a JSON object", -EINVAL},
    {"\"x\"", "is not a JSON object", -EINVAL},
    {"null", "is not a JSON object", -EINVAL},
    {"{\"abcdefghi\": 1}", "15 bytes as compact JSON; 14 are allowed", -E2BIG},
};

START_TEST(test_bad)
{
    ck_assert_int_eq(take(bad[_i].text, 14), bad[_i].err);
    ck_assert_msg(strstr(why, bad[_i].want), "%s", why);
    for (const char *c = why; *c; c++)
        ck_assert(*c >= ' ' && *c <= '~');
    ck_assert_ptr_null(s.node);
}
END_TEST

/* Exactly the limit, and not a level too many. */
START_TEST(test_limits)
{
    char deep[6 * MMDS_DEPTH_MAX + 64];

    ck_assert_int_eq(take("{ \"abcdefgh\" : 1 }", 14), 0);
    ck_assert_uint_eq(s.json_len, 14);
    mmds_store_fini(&s);
    for (u32 levels = MMDS_DEPTH_MAX; levels <= MMDS_DEPTH_MAX + 1; levels++) {
        deep[0] = '\0';
        for (u32 i = 1; i < levels; i++)
            strcat(deep, "{\"a\":");
        strcat(deep, "{}");
        for (u32 i = 1; i < levels; i++)
            strcat(deep, "}");
        if (levels == MMDS_DEPTH_MAX) {
            ck_assert_int_eq(take(deep, MMDS_SIZE), 0);
            mmds_store_fini(&s);
        }
    }
    ck_assert_int_eq(take(deep, MMDS_SIZE), -EINVAL);
    ck_assert_str_eq(why, "nested deeper than 128 levels");
}
END_TEST

Suite *suite_mmds_store(void);
Suite *suite_mmds_store(void)
{
    Suite *suite = suite_create("mmds_store");
    TCase *tc = tcase_create("mmds_store");

    tcase_add_loop_test(tc, test_path, 0, ARRAY_SIZE(paths));
    tcase_add_test(tc, test_root);
    tcase_add_loop_test(tc, test_bad, 0, ARRAY_SIZE(bad));
    tcase_add_test(tc, test_limits);
    suite_add_tcase(suite, tc);
    return suite;
}
