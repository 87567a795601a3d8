/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_receive.c: what a reader of archives may send, if an archive has taken
 * it over: records that are none, trees that are none.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/command.h"
#include "rootfs/receive.h"

#include "capture.h"

static struct rootfs_tree tree;
static struct rootfs_command command;
static struct receive rc;

static void setup(void)
{
    tree = (struct rootfs_tree){.what = "t", .dir_fd = -1, .spool = -1};
    command = (struct rootfs_command){.user = NULL};
    receive_begin(&rc, &tree, &command, 1000);
    capture_start();
}

static void teardown(void)
{
    receive_end(&rc);
    rootfs_tree_fini(&tree);
    command_free(&command);
}

/* ---- names ----------------------------------------------------------------
 */

/* What is 0 is as it should be of a file in the root. */
struct name {
    const char *name;
    u32 depth, mode;
    u64 size, offset;
    u32 hard; /* number + 1 */
    const char *link;
    u32 cut;              /* bytes that are missing at the end */
    u32 name_len, name_0; /* other than the name's; NULs at its end */
};

static int send_name(const struct name *n)
{
    u8 buf[WIRE_LEN_MAX];
    struct wire_node w = {.depth = n->depth, .mode = n->mode};
    struct wire_record rec = {.type = WIRE_NODE, .data = buf};

    w.size = n->size;
    w.offset = n->offset;
    w.hard = n->hard - 1;
    w.name_len = (u16)(n->name_len ? n->name_len : strlen(n->name) + n->name_0);
    w.link_len = (u16)(n->link ? strlen(n->link) : 0);
    memset(buf, 0, sizeof(buf));
    memcpy(buf, &w, sizeof(w));
    memcpy(buf + sizeof(w), n->name, strlen(n->name));
    memcpy(buf + sizeof(w) + w.name_len, n->link ? n->link : "", w.link_len);
    rec.len = (u32)(sizeof(w) + w.name_len + w.link_len - n->cut);
    return receive_node(&rc, &rec);
}

#define D (S_IFDIR | 0755)
#define F (S_IFREG | 0644)
#define L (S_IFLNK | 0777)
#define N(n, d, m, ...)                                                        \
    {                                                                          \
        .name = n, .depth = d, .mode = m, __VA_ARGS__                          \
    }
#define ROOT N("", 0, D)
#define LONG                                                                   \
    "0123456789012345678901234567890123456789012345678901234567890123456789"   \
    "0123456789012345678901234567890123456789012345678901234567890123456789"   \
    "0123456789012345678901234567890123456789012345678901234567890123456789"   \
    "0123456789012345678901234567890123456789012345"

static const struct {
    struct name name[4]; /* the last one is refused */
    const char *say;
} names[] = {
    {{N("", 1, D)}, "a name out of place"},
    {{N("", 0, F)}, "a file of no type"},
    {{ROOT, ROOT}, "a name out of place"},
    {{ROOT, N("a", 2, F)}, "a name out of place"},
    {{ROOT, N("a", 1, F), N("b", 2, F)}, "a name out of place"},
    {{ROOT, N("a", 1, L, .link = "d"), N("b", 2, F)}, "a name out of place"},
    {{ROOT, N("a", ~0u, F)}, "a name out of place"},
    {{ROOT, N("b", 1, F), N("a", 1, F)}, "out of order"},
    {{ROOT, N("a", 1, F), N("a", 1, F)}, "out of order"},
    {{ROOT, N("", 1, F)}, "not a name"},
    {{ROOT, N(".", 1, F)}, "not a name"},
    {{ROOT, N("..", 1, D)}, "not a name"},
    {{ROOT, N("a/b", 1, F)}, "not a name"},
    {{ROOT, N("/", 1, F)}, "not a name"},
    {{ROOT, N("a", 1, F, .name_0 = 1)}, "a record of no form"},
    {{ROOT, N(LONG, 1, F)}, "a record of no form"},
    {{ROOT, N("a", 1, F, .name_len = 65535)}, "a record of no form"},
    {{ROOT, N("a", 1, F, .cut = 1)}, "a record of no form"},
    {{ROOT, N("a", 1, F, .cut = 20)}, "a record of no form"},
    {{ROOT, N("a", 1, 0644)}, "a file of no type"},
    {{ROOT, N("a", 1, S_IFSOCK | 0644)}, "a file of no type"},
    {{ROOT, N("a", 1, S_IFMT | 0644)}, "a file of no type"},
    {{ROOT, N("a", 1, F | 0x10000)}, "a file of no type"},
    {{ROOT, N("a", 1, L)}, "a file of no type"},
    {{ROOT, N("a", 1, F, .link = "x")}, "a file of no type"},
    {{ROOT, N("a", 1, F, .size = 1001)}, "a file that is too large"},
    {{ROOT, N("a", 1, F, .size = 600), N("b", 1, F, .size = 401)},
     "a file that is too large"},
    {{ROOT, N("a", 1, F, .size = ~0ull)}, "a file that is too large"},
    {{ROOT, N("a", 1, F, .size = 10, .offset = ~0ull)},
     "a file that is too large"},
    {{ROOT, N("a", 1, F, .hard = 1)}, "a link to no file"},
    {{ROOT, N("a", 1, F, .hard = 2)}, "a link to no file"},
    {{ROOT, N("a", 1, F, .hard = 99)}, "a link to no file"},
    {{ROOT, N("a", 1, F), N("b", 1, F, .hard = 2), N("c", 1, F, .hard = 3)},
     "a link to no file"},
};

START_TEST(test_names)
{
    const struct name *n = names[_i].name;
    u64 nr = 0;
    int r = 0;

    for (; nr < 4 && n[nr].name && r == 0; nr++)
        r = send_name(&n[nr]);
    ck_assert_msg(r < 0, "row %d is taken", _i);
    ck_assert_msg(nr == 4 || !n[nr].name, "row %d: too early: %s", _i,
                  capture_text);
    ck_assert_msg(strstr(capture_text, names[_i].say), "row %d: %s", _i,
                  capture_text);
    ck_assert_uint_eq(tree.nr, nr - 1);
}
END_TEST

/* And what is right is taken. */
START_TEST(test_tree)
{
    static const struct name right[] = {
        ROOT,
        N("a", 1, D),
        N("b", 2, D),
        N("c", 3, F, .size = 400, .offset = 77),
        N("c2", 3, F, .hard = 4),
        N("b", 1, L, .link = "a/b"),
        N("b2", 1, S_IFIFO | 0600),
        N("c", 1, F, .size = 600, .offset = 500),
    };
    const struct rootfs_node *n;

    for (size_t i = 0; i < ARRAY_SIZE(right); i++)
        ck_assert_int_eq(send_name(&right[i]), 0);
    ck_assert_uint_eq(tree.nr, ARRAY_SIZE(right));
    ck_assert_uint_eq(tree.bytes, 1000);
    ck_assert_uint_eq(rc.spool_end, 1100);
    n = rootfs_find(&tree, "a/b/c2");
    ck_assert_ptr_eq(n->hard, rootfs_find(&tree, "a/b/c"));
    ck_assert_uint_eq(n->size, 400);
    ck_assert_uint_eq(n->offset, 77);
    ck_assert_str_eq(rootfs_find(&tree, "b")->link, "a/b");
    ck_assert_str_eq(capture_text, "");
}
END_TEST

/* ---- texts ----------------------------------------------------------------
 */

static int send_text(u32 what, const char *text, size_t len)
{
    u8 buf[WIRE_LEN_MAX];
    struct wire_record rec = {
        .type = WIRE_TEXT, .len = (u32)(sizeof(what) + len), .data = buf};

    memcpy(buf, &what, sizeof(what));
    memcpy(buf + sizeof(what), text, len);
    return receive_text(&rc, &rec);
}

START_TEST(test_texts)
{
    static char big[COMMAND_TEXT_MAX + 1];

    memset(big, 'x', sizeof(big));
    ck_assert_int_eq(send_text(WIRE_USER, "0", 1), 0);
    ck_assert_int_lt(send_text(WIRE_USER, "0", 1), 0);
    ck_assert_int_lt(send_text(WIRE_WORKDIR, "a\0b", 3), 0);
    ck_assert_int_lt(send_text(WIRE_USER + 1, "0", 1), 0);
    ck_assert_int_lt(send_text(~0u, "0", 1), 0);
    ck_assert_int_lt(send_text(WIRE_ENV, big, sizeof(big)), 0);
    ck_assert_int_eq(send_text(WIRE_ENV, big, sizeof(big) - 1), 0);
    for (u32 i = 0; i < COMMAND_LIST_MAX; i++)
        ck_assert_int_eq(send_text(WIRE_CMD, "x", 1), 0);
    ck_assert_int_lt(send_text(WIRE_CMD, "x", 1), 0);
    ck_assert_str_eq(command.user, "0");
    ck_assert_ptr_null(command.workdir);
}
END_TEST

/* ---- the stream -------------------------------------------------------------
 */

static struct wire_in in;

static void stream(const void *data, size_t len)
{
    in = (struct wire_in){.fd = memfd_create("wire", MFD_CLOEXEC)};
    ck_assert_int_eq(write(in.fd, data, len), (ssize_t)len);
    ck_assert_int_eq(lseek(in.fd, 0, SEEK_SET), 0);
}

START_TEST(test_stream)
{
    static struct wire_out out;
    static u8 data[WIRE_LEN_MAX + 1];
    const struct wire_part big[WIRE_PARTS] = {{data, WIRE_LEN_MAX}};
    const struct wire_part bigger[WIRE_PARTS] = {{data, WIRE_LEN_MAX}, {"", 1}};
    const struct wire_part small[WIRE_PARTS] = {{"ab", 2}, {NULL, 0}, {"c", 1}};
    struct wire_record rec;

    out.fd = memfd_create("wire", MFD_CLOEXEC);
    ck_assert_int_eq(wire_put(&out, WIRE_TEXT, bigger), -EMSGSIZE);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wire_put(&out, WIRE_TEXT, small), 0);
        ck_assert_int_eq(wire_put(&out, WIRE_NODE, big), 0);
    }
    ck_assert_int_eq(wire_flush(&out), 0);
    in = (struct wire_in){.fd = out.fd};
    ck_assert_int_eq(lseek(in.fd, 0, SEEK_SET), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wire_next(&in, &rec), 1);
        ck_assert_uint_eq(rec.type, WIRE_TEXT);
        ck_assert_uint_eq(rec.len, 3);
        ck_assert_mem_eq(rec.data, "abc", 3);
        ck_assert_int_eq(wire_next(&in, &rec), 1);
        ck_assert_uint_eq(rec.type, WIRE_NODE);
        ck_assert_uint_eq(rec.len, WIRE_LEN_MAX);
    }
    ck_assert_int_eq(wire_next(&in, &rec), 0);
    close(in.fd);
}
END_TEST

START_TEST(test_stream_bad)
{
    struct wire_head head = {WIRE_NODE, WIRE_LEN_MAX + 1};
    struct wire_record rec;

    stream(&head, sizeof(head));
    ck_assert_int_eq(wire_next(&in, &rec), -EPROTO);
    close(in.fd);
    head.len = 1;
    stream(&head, sizeof(head));
    ck_assert_int_eq(wire_next(&in, &rec), -EPIPE);
    close(in.fd);
    stream(&head, sizeof(head) - 1);
    ck_assert_int_eq(wire_next(&in, &rec), -EPIPE);
    close(in.fd);
    in.from = in.have = 0;
    ck_assert_int_eq(wire_next(&in, &rec), -EBADF);
}
END_TEST

Suite *suite_receive(void);
Suite *suite_receive(void)
{
    Suite *s = suite_create("receive");
    TCase *tc = tcase_create("receive");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_names, 0, ARRAY_SIZE(names));
    tcase_add_test(tc, test_tree);
    tcase_add_test(tc, test_texts);
    tcase_add_test(tc, test_stream);
    tcase_add_test(tc, test_stream_bad);
    suite_add_tcase(s, tc);
    return s;
}
