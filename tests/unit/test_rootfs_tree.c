/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs: the tree's rules and limits */
#include "rootfs_rig.h"

static struct rootfs_tree tree;
static struct rootfs_node *root;

static struct rootfs_node *add(struct rootfs_node *dir, const char *name,
                               u32 mode, u64 size)
{
    char own[ROOTFS_NAME + 2];
    struct rootfs_node like = {.name = own, .mode = mode, .size = size};
    struct rootfs_node *n = NULL;

    snprintf(own, sizeof(own), "%s", name);
    return rootfs_add(&tree, dir, &like, &n) == 0 ? n : NULL;
}

static void setup(void)
{
    capture_start();
    tree = rig_tree("x.tar");
    root = add(NULL, "", S_IFDIR | 0755, 0);
    ck_assert_ptr_nonnull(root);
}

static void teardown(void)
{
    log_sink_set(NULL);
    rootfs_tree_fini(&tree);
    ck_assert_ptr_null(tree.root);
}

static const struct name_case {
    const char *name;
    bool good;
} names[] = {
    {"c", true},    {"b1", true},   {"\xff\xfe", true}, {"b\n", true},
    {"...", false}, /* before "b" */
    {"b", false},   {"a", false},   {"", false},        {".", false},
    {"..", false},  {"c/d", false}, {"/", false},
};

/* One after the other, never the same, nothing that leads elsewhere. */
START_TEST(test_names)
{
    const struct name_case *t = &names[_i];
    struct rootfs_node *n;

    ck_assert_ptr_nonnull(add(root, "b", S_IFREG, 0));
    n = add(root, t->name, S_IFREG, 0);
    ck_assert_msg((n != NULL) == t->good, "\"%s\"", t->name);
    ck_assert_uint_eq(tree.nr, t->good ? 3 : 2);
    if (!t->good)
        ck_assert_ptr_nonnull(strstr(capture_text, "rootfs x.tar: "));
}
END_TEST

START_TEST(test_not_in_a_file)
{
    struct rootfs_node *file = add(root, "f", S_IFREG, 0);

    ck_assert_ptr_null(add(file, "g", S_IFREG, 0));
    ck_assert_ptr_nonnull(strstr(capture_text, "\"g\" in f"));
}
END_TEST

START_TEST(test_long_name)
{
    char name[ROOTFS_NAME + 2];

    memset(name, 'n', sizeof(name));
    name[ROOTFS_NAME] = '\0';
    ck_assert_ptr_nonnull(add(root, name, S_IFREG, 0));
    name[ROOTFS_NAME - 1] = 'o';
    name[ROOTFS_NAME] = 'n';
    name[ROOTFS_NAME + 1] = '\0';
    ck_assert_ptr_null(add(root, name, S_IFREG, 0));
    ck_assert_ptr_nonnull(strstr(capture_text, "at most 255 bytes"));
}
END_TEST

START_TEST(test_depth)
{
    struct rootfs_node *dir = root;

    for (unsigned int i = 0; i < ROOTFS_DEPTH; i++) {
        dir = add(dir, "d", S_IFDIR, 0);
        ck_assert_ptr_nonnull(dir);
    }
    ck_assert_uint_eq(dir->depth, 255);
    ck_assert_ptr_null(add(dir, "d", S_IFDIR, 0));
}
END_TEST

/* 16 names of 255 bytes and what is between them: 4095. */
START_TEST(test_path_length)
{
    char name[ROOTFS_NAME + 1], path[ROOTFS_PATH + 1];
    struct rootfs_node *dir = root;

    memset(name, 'p', sizeof(name));
    name[ROOTFS_NAME] = '\0';
    for (unsigned int i = 0; i < 16; i++) {
        dir = add(dir, name, S_IFDIR, 0);
        ck_assert_ptr_nonnull(dir);
    }
    rootfs_path(dir, path);
    ck_assert_uint_eq(strlen(path), 4095);
    ck_assert_ptr_null(add(dir, "q", S_IFDIR, 0));
}
END_TEST

START_TEST(test_number)
{
    tree.nr = ROOTFS_NODES - 1; /* to have them would take seconds */
    ck_assert_ptr_nonnull(add(root, "last", S_IFREG, 1));
    ck_assert_ptr_null(add(root, "more", S_IFREG, 1));
    ck_assert_ptr_nonnull(strstr(capture_text, "more than 1048576 files"));
}
END_TEST

static const struct find_case {
    const char *path, *name;
} finds[] = {
    {"", ""},        {".none", NULL},    {"/", ""},
    {"usr", "usr"},  {"/usr/", "usr"},   {"usr//bin/env", "env"},
    {"us", NULL},    {"usrx", NULL},     {"usr/bin/env/x", NULL},
    {"usr/b", NULL}, {"usr/bin", "bin"},
};

START_TEST(test_find)
{
    const struct find_case *t = &finds[_i];
    struct rootfs_node *usr = add(root, "usr", S_IFDIR, 0);
    struct rootfs_node *bin = add(usr, "bin", S_IFDIR, 0);
    struct rootfs_node *n;

    add(bin, "env", S_IFREG, 0);
    add(usr, "lib", S_IFDIR, 0);
    n = rootfs_find(&tree, t->path);
    ck_assert_msg((n != NULL) == (t->name != NULL), "%s", t->path);
    if (n)
        ck_assert_str_eq(n->name, t->name);
}
END_TEST

/* A directory before what is in it, and back up from any depth. */
START_TEST(test_order)
{
    static const char *const want[] = {".",     "a",   "a/b", "a/b/c",
                                       "a/b/d", "a/e", "f"};
    struct rootfs_node *a = add(root, "a", S_IFDIR, 0);
    struct rootfs_node *b = add(a, "b", S_IFDIR, 0), *n = root;
    char path[ROOTFS_PATH + 1];

    add(root, "f", S_IFREG, 0);
    add(a, "e", S_IFDIR, 0);
    add(b, "c", S_IFREG, 0);
    add(b, "d", S_IFREG, 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
        ck_assert_ptr_nonnull(n);
        rootfs_path(n, path);
        ck_assert_str_eq(path, want[i]);
        n = rootfs_next(n);
    }
    ck_assert_ptr_null(n);
}
END_TEST

/* Names of one file: its bytes count once. */
START_TEST(test_hard)
{
    struct rootfs_node *n, *first = add(root, "a", S_IFREG, 7);
    char name[] = "b";
    struct rootfs_node like = *first;

    like.name = name;
    like.hard = first;
    ck_assert_int_eq(rootfs_add(&tree, root, &like, &n), 0);
    ck_assert_uint_eq(first->names, 2);
    ck_assert_uint_eq(tree.bytes, 7);
    ck_assert_uint_eq(tree.nr, 3);
}
END_TEST

Suite *suite_rootfs_tree(void);
Suite *suite_rootfs_tree(void)
{
    Suite *s = suite_create("rootfs_tree");
    TCase *tc = tcase_create("rootfs_tree");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_names, 0, ARRAY_SIZE(names));
    tcase_add_test(tc, test_not_in_a_file);
    tcase_add_test(tc, test_long_name);
    tcase_add_test(tc, test_depth);
    tcase_add_test(tc, test_path_length);
    tcase_add_test(tc, test_number);
    tcase_add_loop_test(tc, test_find, 0, ARRAY_SIZE(finds));
    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_hard);
    suite_add_tcase(s, tc);
    return s;
}
