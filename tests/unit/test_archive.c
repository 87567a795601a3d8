/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_archive.c: archives and images, as tests/archive/make makes them, into
 * trees: what is in them, and why they are refused.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/rootfs.h"

#include "rootfs/command.h"

#include "capture.h"

static char archives[] = "/tmp/mote-archives-XXXXXX";
static struct rootfs_tree tree;
static struct rootfs_command command;

/* ---- archives, once for all tests ---------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    return remove(path);
}

static void make_archives(void)
{
    char line[200];

    ck_assert_ptr_nonnull(mkdtemp(archives));
    snprintf(line, sizeof(line), "python3 tests/archive/make %s", archives);
    ck_assert_int_eq(system(line), 0);
}

static void remove_archives(void)
{
    nftw(archives, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int read_archive(const char *name)
{
    static char path[200];

    snprintf(path, sizeof(path), "%s/%s", archives, name);
    tree = (struct rootfs_tree){.what = name, .dir_fd = -1, .spool = -1};
    capture_start();
    return rootfs_from_archive(&tree, path, NULL, &command);
}

static void forget(void)
{
    rootfs_tree_fini(&tree);
    command_free(&command);
}

/* ---- a tree as text -------------------------------------------------------
 */

static char text[16384];

static void show_content(FILE *f, const struct rootfs_node *n)
{
    char buf[64];
    size_t len = MIN(n->size, sizeof(buf) - 1);

    ck_assert_int_eq(pread(tree.spool, buf, len, (off_t)n->offset),
                     (ssize_t)len);
    for (size_t i = 0; i < len; i++)
        fputc(buf[i] == '\n' ? '$' : buf[i], f);
}

static void show_node(FILE *f, const struct rootfs_node *n)
{
    char path[ROOTFS_PATH + 1], first[ROOTFS_PATH + 1];

    rootfs_path(n, path);
    if (n->hard) {
        rootfs_path(n->hard, first);
        fprintf(f, "%s = %s\n", path, first);
        return;
    }
    fprintf(f, "%s %o %u:%u ", path, n->mode, n->uid, n->gid);
    if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
        fprintf(f, "%u,%u", n->major, n->minor);
    else if (S_ISREG(n->mode))
        show_content(f, n);
    fprintf(f, "%s\n", n->link ? n->link : "");
}

static const char *show_tree(void)
{
    FILE *f = fmemopen(text, sizeof(text), "w");

    for (const struct rootfs_node *n = tree.root; n; n = rootfs_next(n))
        show_node(f, n);
    fclose(f);
    return text;
}

/* ---- what is in them ------------------------------------------------------
 */

#define SYSTEM                                                                 \
    ". 40700 0:0 \n"                                                           \
    "dev 40755 0:0 \n"                                                         \
    "dev/loop0 60660 0:0 7,0\n"                                                \
    "dev/null 20666 0:0 1,3\n"                                                 \
    "dev/pipe 10644 0:0 \n"                                                    \
    "etc 40755 3:4 \n"                                                         \
    "etc/link 120777 0:0 ../etc/name\n"                                        \
    "etc/name 104755 1000:100 mote$\n"                                         \
    "etc/other = etc/name\n"

/* Whiteouts take away what lies below, and only that. */
#define IMAGE                                                                  \
    ". 40755 0:0 \n"                                                           \
    "etc 40755 0:0 \n"                                                         \
    "etc/keep 100644 0:0 keep\n"                                               \
    "file 40755 0:0 \n"                                                        \
    "file/inside 100644 0:0 i\n"                                               \
    "hard2 100644 0:0 hard\n"                                                  \
    "opq 40755 0:0 \n"                                                         \
    "opq/new 100644 0:0 n\n"                                                   \
    "opq/sub 40755 0:0 \n"                                                     \
    "opq/sub/c 100644 0:0 c\n"                                                 \
    "same 100644 0:0 s\n"                                                      \
    "tree 100644 0:0 file\n"

static const struct {
    const char *name, *want;
} good[] = {
    {"ustar.tar", SYSTEM},
    {"gnu.tar", SYSTEM},
    {"pax.tar", SYSTEM},
    {"packed.tar.gz", SYSTEM},
    {"packed.tar.xz", SYSTEM},
    {"packed.tar.bz2", SYSTEM},
    {"packed.tar.zst", SYSTEM},
    {"packed.tar.lz4", SYSTEM},
    {"over.tar", ". 40755 0:0 \n"
                 "a 100644 0:0 other\n"
                 "b 100644 0:0 A\n"
                 "d 40711 5:0 \n"
                 "d/kept 100644 0:0 1\n"
                 "f 40755 0:0 \n"
                 "f/new 100644 0:0 2\n"
                 "gone 100644 0:0 file\n"
                 "h 100644 0:0 H\n"
                 "l 40700 0:0 \n"
                 "twice 100644 0:0 second\n"},
    {"paths.tar", ". 40755 0:0 \n"
                  ".wh.kept 100644 0:0 6\n"
                  "abs 40755 0:0 \n"
                  "abs/file 100644 0:0 1\n"
                  "etc 40755 0:0 \n"
                  "etc/conf 100644 0:0 4\n"
                  "etc/deep 100644 0:0 7\n"
                  "lib 120777 0:0 usr/lib\n"
                  "opt 120777 0:0 /usr\n"
                  "usr 40755 0:0 \n"
                  "usr/abs 120777 0:0 /etc\n"
                  "usr/h 100644 0:0 3\n"
                  "usr/lib 40755 0:0 \n"
                  "usr/lib/so = usr/h\n"
                  "usr/lib/up 120777 0:0 ../../../../etc\n"
                  "usr/share 100644 0:0 5\n"
                  "x 40755 0:0 \n"
                  "x/y 40755 0:0 \n"
                  "x/y/z 100644 0:0 2\n"},
    {"attributes.tar", ". 40755 0:0 \na 100644 0:0 x\n"},
    {"manifest-file.tar", ". 40755 0:0 \n"
                          "manifest.json 100644 0:0 []\n"
                          "usr 40755 0:0 \n"},
    {"oci", IMAGE},
    {"oci.tar", IMAGE},
    {"oci.tar.gz", IMAGE},
    {"oci-index", IMAGE},
    {"oci-names", IMAGE},
    {"docker.tar", IMAGE},
    {"docker.tar.gz", IMAGE},
    {"docker-link.tar", IMAGE},
    {"oci-bare", ". 40755 0:0 \na 100644 0:0 b\n"},
};

START_TEST(test_good)
{
    int r = read_archive(good[_i].name);

    ck_assert_msg(r == 0, "%s: %s", good[_i].name, capture_text);
    ck_assert_msg(strcmp(show_tree(), good[_i].want) == 0, "%s:\n%s",
                  good[_i].name, text);
    ck_assert_str_eq(capture_text, "");
    forget();
}
END_TEST

/* Longer than a header has room for; a name that is not ASCII. */
START_TEST(test_long)
{
    static const char *const names[] = {"long-gnu.tar", "long-pax.tar"};
    const struct rootfs_node *n;
    char path[ROOTFS_PATH + 1] = "";

    ck_assert_int_eq(read_archive(names[_i]), 0);
    n = rootfs_find(&tree, "\xc3\xa9t\xc3\xa9");
    ck_assert_ptr_nonnull(n);
    ck_assert_uint_eq(n->uid, 3000000000u);
    n = rootfs_find(&tree, "l");
    ck_assert_uint_eq(strlen(n->link), 1000);
    for (n = tree.root; n->child; n = n->child)
        ;
    rootfs_path(n, path);
    ck_assert_uint_eq(strlen(path), 30 * 101 + 255);
    ck_assert_uint_eq(n->mtime, 1000000000);
    forget();
}
END_TEST

/* More names than are sorted in place. */
START_TEST(test_many)
{
    const struct rootfs_node *n;
    u64 nr = 0;

    ck_assert_int_eq(read_archive("many.tar"), 0);
    n = rootfs_find(&tree, "d");
    ck_assert_ptr_nonnull(n);
    for (n = n->child; n; n = n->next) {
        nr++;
        ck_assert(!n->next || strcmp(n->name, n->next->name) < 0);
    }
    ck_assert_uint_eq(nr, 5000);
    ck_assert_uint_eq(rootfs_find(&tree, "d/4999")->size, 4);
    forget();
}
END_TEST

START_TEST(test_sparse)
{
    static const char *const names[] = {"sparse-gnu.tar", "sparse-0.1.tar",
                                        "sparse-1.0.tar", "sparse-none.tar"};
    const struct rootfs_node *n;
    char buf[8] = "";
    struct stat st;

    ck_assert_int_eq(read_archive(names[_i]), 0);
    n = rootfs_find(&tree, "sparse-file");
    ck_assert_ptr_nonnull(n);
    ck_assert_uint_eq(n->size, 3 * MIB);
    ck_assert_int_eq(fstat(tree.spool, &st), 0);
    ck_assert_uint_ge((u64)st.st_size, n->offset + n->size);
    ck_assert_uint_lt((u64)st.st_blocks * 512, MIB);
    ck_assert_int_eq(pread(tree.spool, buf, 6, (off_t)n->offset), 6);
    ck_assert_mem_eq(buf, "begin\0", 6);
    ck_assert_int_eq(pread(tree.spool, buf, 8, (off_t)(n->offset + MIB - 1)),
                     8);
    ck_assert_mem_eq(buf, "\0middle\0", 8);
    forget();
}
END_TEST

START_TEST(test_command)
{
    static const char *const names[] = {"oci", "docker.tar", "oci-index"};

    ck_assert_int_eq(read_archive(names[_i]), 0);
    ck_assert_str_eq(command.entrypoint[0], "/bin/sh");
    ck_assert_str_eq(command.entrypoint[1], "-c");
    ck_assert_ptr_null(command.entrypoint[2]);
    ck_assert_str_eq(command.cmd[0], "echo");
    ck_assert_str_eq(command.cmd[1], "");
    ck_assert_ptr_null(command.cmd[2]);
    ck_assert_str_eq(command.env[0], "PATH=/bin");
    ck_assert_str_eq(command.env[1], "A=b c");
    ck_assert_ptr_null(command.env[2]);
    ck_assert_str_eq(command.workdir, "/srv");
    ck_assert_str_eq(command.user, "1000:100");
    forget();
    ck_assert_int_eq(read_archive("pax.tar"), 0);
    ck_assert_ptr_null(command.cmd);
    ck_assert_ptr_null(command.user);
    forget();
}
END_TEST

/* ---- why they are refused -------------------------------------------------
 */

#define LIMITS  "more than 255 bytes, a path of more than 4095, or more than 255"
#define CHANGED "it is damaged or was changed; fetch the image again\n"

static const struct {
    const char *name, *say; /* the line's end, or a piece of it */
} bad[] = {
    {"none.tar", "No such file or directory (ENOENT)\n"},
    {".", "no image layout: oci-layout: No such file"},
    {"../../dev/null", "null is not a file\n"},
    {"empty.tar", "the archive is empty\n"},
    {"only-dot.tar", "the archive is empty\n"},
    {"up.tar", "entry a/../../etc/passwd: has \"..\" in its path\n"},
    {"loop.tar", "entry a/x: lies behind more than 40 symbolic links\n"},
    {"below-file.tar", "entry a/b: lies below something that is not a dir"},
    {"hard-none.tar", "entry a -> nowhere/b: is another name for a file that "
                      "is not there\n"},
    {"hard-up.tar", "a -> ../../etc/shadow: has \"..\" in its path\n"},
    {"hard-dir.tar", "entry a -> d: is another name for a directory\n"},
    {"root-link.tar", "entry .: would take the place of the root directory\n"},
    {"root-file.tar", "it is damaged: Damaged tar archive\n"},
    {"name-256.tar", LIMITS},
    {"path-4096.tar", LIMITS},
    {"path-500000.tar", LIMITS},
    {"link-900000.tar", LIMITS},
    {"deep.tar", LIMITS},
    {"deep-links.tar", LIMITS},
    {"link-empty.tar", "entry a: is a symbolic link to nothing\n"},
    {"uid.tar", "entry a: has an owner or a device number that does not fit"},
    {"uid-negative.tar", "entry a: has an owner or a device number that does"},
    {"huge.tar", "entry sparse-file: with it there are more than 64 GiB\n"},
    {"size.tar", "entry a: with it there are more than 64 GiB\n"},
    {"text.tar", "not a tar archive, plain or compressed by gzip, xz, zstd"},
    {"nothing.tar", "not a tar archive, plain or compressed by gzip, xz, zstd"},
    {"checksum.tar", "not a tar archive, plain or compressed by gzip, xz, z"},
    {"cut.tar", "it is damaged: Truncated tar archive\n"},
    {"cut.tar.gz", "it is damaged: truncated gzip input\n"},
    {"cut2.tar.gz", "it is damaged: truncated gzip input\n"},
    {"escape\033.tar", "entry a?[31m/../b: has \"..\" in its path\n"},
    {"oci-two", "it holds several images, and mote takes one: first, second; "
                "save one alone\n"},
    {"oci-arm", "it holds no image for linux/amd64, but for: linux/arm64, "
                "linux/riscv64\n"},
    {"oci-arm-config", "the image is for linux/arm64, and mote runs linux/amd"},
    {"oci-none", "it holds no image for linux/amd64, but for: nothing\n"},
    {"oci-json", "index.json:1:16: unexpected token near '}'\n"},
    {"oci-no-index", "index.json: No such file or directory (ENOENT)\n"},
    {"oci-no-blob", "it is not there: the image is incomplete\n"},
    {"oci-layer-changed", CHANGED},
    {"oci-manifest-changed", CHANGED},
    {"oci-digest-path", "digest \"sha256:../../../../etc/passwd\": only sha2"},
    {"oci-digest-kind", "only sha256 with 64 lower-case digits is known\n"},
    {"oci-artifact", "its configuration is of type \"application/vnd.cncf.he"},
    {"oci-encrypted", "not a layer of files that mote can read\n"},
    {"oci-no-layers", "manifest: 0 layers; it must be 1 to 1024\n"},
    {"oci-deep", "index.json: indexes lie too deep\n"},
    {"oci-cmd", "configuration: \"Cmd\" is no list of texts\n"},
    {"oci-hostile-layer", "layer 2 of 2: entry ../up: has \"..\" in its path"},
    {"oci-fifo", " is not a file\n"},
    {"docker-two.tar", "it holds several images, and mote takes one: one:1, "
                       "two:2; save one alone\n"},
    {"docker-changed.tar", CHANGED},
    {"docker-config.tar", CHANGED},
    {"docker-no-layer.tar", "it is not there: the image is incomplete\n"},
    {"docker-arm.tar", "the image is for linux/arm, and mote runs linux/amd64"},
    {"docker-json.tar", "manifest.json:1:3: string or '}' expected near ']'\n"},
    {"docker-none.tar", "manifest.json: it lists no image\n"},
    {"docker-bare.tar", "manifest.json: the image has no Config\n"},
};

/* One line, which begins with whose it is. */
START_TEST(test_bad)
{
    const char *name = bad[_i].name;
    char begin[64];
    int r = read_archive(name);

    snprintf(begin, sizeof(begin), "mote: rootfs %s: ", name);
    for (char *c = begin; *c; c++)
        *c = *c < ' ' ? '?' : *c; /* as the log does */
    ck_assert_msg(r < 0, "%s is taken:\n%s", name, r == 0 ? show_tree() : "");
    ck_assert_msg(strncmp(capture_text, begin, strlen(begin)) == 0 &&
                      strstr(capture_text, bad[_i].say),
                  "%s: %s", name, capture_text);
    ck_assert_ptr_eq(strchr(capture_text, '\n'),
                     capture_text + capture_len - 1);
    forget();
}
END_TEST

/* ---- the process that reads them -------------------------------------------
 */

static unsigned int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Neither descriptors nor processes are left, however it ends. */
START_TEST(test_leaves_nothing)
{
    static const char *const names[] = {"pax.tar", "oci", "up.tar",
                                        "oci-no-blob", "none.tar"};
    unsigned int before = count_fds();

    read_archive(names[_i]);
    forget();
    ck_assert_uint_eq(count_fds(), before);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(test_memory)
{
    setenv("TMPDIR", "/nowhere", 1);
    ck_assert_int_eq(read_archive("pax.tar"), 0);
    ck_assert_str_eq(show_tree(), SYSTEM);
    forget();
}
END_TEST

/* The first line of a file in /proc that begins so; false: there is none. */
static bool proc_has(const char *path, const char *begin)
{
    FILE *f = fopen(path, "r");
    char line[300];
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f))
        found = strncmp(line, begin, strlen(begin)) == 0;
    if (f)
        fclose(f);
    return found;
}

/* The other child of the same parent, when it is locked in. */
static pid_t find_reader(void)
{
    char path[64], word[32];
    pid_t found = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(),
             getppid());
    f = fopen(path, "r");
    while (f && !found && fscanf(f, "%31s", word) == 1) {
        snprintf(path, sizeof(path), "/proc/%s/status", word);
        if (proc_has(path, "Name:\tmote-archive") &&
            proc_has(path, "Seccomp:\t2"))
            found = (pid_t)strtol(word, NULL, 10);
    }
    if (f)
        fclose(f);
    return found;
}

static const struct {
    int signal;
    const char *say;
} ends[] = {
    {SIGABRT, "mote: rootfs slow.tar: reading it has ended by SIGABRT: the "
              "archive is damaged or hostile, or there is too little memory\n"},
    {SIGKILL, "mote: rootfs slow.tar: reading it has ended by SIGKILL: the "
              "archive is damaged or hostile, or there is too little memory\n"},
    {SIGSYS, "mote: rootfs slow.tar: reading it was stopped: thread "
             "\"archive\" (archive) called "},
};

START_TEST(test_dies)
{
    pid_t killer = fork(), reader = 0;
    int status;

    ck_assert_int_ge(killer, 0);
    if (killer == 0) {
        for (int i = 0; i < 1000 && reader == 0; i++) {
            usleep(10000);
            reader = find_reader();
        }
        _exit(reader && kill(reader, ends[_i].signal) == 0 ? 0 : 1);
    }
    ck_assert_int_lt(read_archive("slow.tar"), 0);
    ck_assert_int_eq(waitpid(killer, &status, 0), killer);
    ck_assert_int_eq(status, 0);
    ck_assert_msg(strncmp(capture_text, ends[_i].say, strlen(ends[_i].say)) ==
                      0,
                  "%s", capture_text);
    ck_assert_ptr_eq(strchr(capture_text, '\n'),
                     capture_text + capture_len - 1);
    forget();
}
END_TEST

Suite *suite_archive(void);
Suite *suite_archive(void)
{
    Suite *s = suite_create("archive");
    TCase *tc = tcase_create("archive");

    tcase_set_timeout(tc, 20);
    tcase_add_unchecked_fixture(tc, make_archives, remove_archives);
    tcase_add_loop_test(tc, test_good, 0, ARRAY_SIZE(good));
    tcase_add_loop_test(tc, test_long, 0, 2);
    tcase_add_test(tc, test_many);
    tcase_add_loop_test(tc, test_sparse, 0, 4);
    tcase_add_loop_test(tc, test_command, 0, 3);
    tcase_add_loop_test(tc, test_bad, 0, ARRAY_SIZE(bad));
    tcase_add_loop_test(tc, test_leaves_nothing, 0, 5);
    tcase_add_test(tc, test_memory);
    tcase_add_loop_test(tc, test_dies, 0, ARRAY_SIZE(ends));
    suite_add_tcase(s, tc);
    return s;
}
