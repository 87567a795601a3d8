/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs/layers.c: members of archives, in layers, with whiteouts and links.
 * Input: a byte says what a member is, others are the words of its path and of
 * what it links to. What is refused is said in one line; what becomes of the
 * rest is a tree that rootfs/receive.c takes, name by name.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "rootfs/command.h"
#include "rootfs/layers.h"
#include "rootfs/receive.h"

#define MEMBERS 200u

static const char *const words[] = {
    "a",    "b",      "c",        "d",    "/",    "/",    "/",
    "..",   ".",      "lib",      ".wh.", ".wh.", "/etc", ".wh..wh..opq",
    "../a", "b/../c", "/a/../b/", "\xff", "nn",   "",
};

static unsigned int lines;
static struct receive rc;

static void count_line(const char *text, size_t len)
{
    lines++;
}

static char *take_path(struct fuzz_input *in, char path[256])
{
    u64 n = fuzz_take(in, 1) % 12;
    size_t at = 0;

    for (; n > 0; n--) {
        const char *word = words[fuzz_take(in, 1) % ARRAY_SIZE(words)];

        memcpy(path + at, word, strlen(word));
        at += strlen(word);
    }
    path[at] = '\0';
    return path;
}

static void add(struct layers *t, struct fuzz_input *in)
{
    static const u32 types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFREG,
                                S_IFDIR, S_IFCHR, S_IFIFO, 0};
    char path[256], target[256];
    u8 how = (u8)fuzz_take(in, 1);
    struct layer_member m = {
        .path = take_path(in, path), .mode = types[how % 8] | how, .size = how};
    int r;

    if (how >= 0xf8) {
        layers_begin(t, how & 1);
        return;
    }
    take_path(in, target);
    m.link = S_ISLNK(m.mode) ? target : NULL;
    m.hard = how & 0x40 ? target : NULL;
    lines = 0;
    r = layers_add(t, &m);
    assert(r <= 1 && lines == (r < 0));
    layers_find(t, target);
}

/* As archive_child.c sends it. */
static int send_name(void *arg, const struct layer_name *name)
{
    const struct layer_file *f = name->file;
    u8 buf[1024];
    struct wire_record rec = {.type = WIRE_NODE, .data = buf};
    struct wire_node w = {.mtime = f->mtime,
                          .size = f->size,
                          .offset = f->offset,
                          .mode = f->mode,
                          .depth = name->depth,
                          .hard = name->hard,
                          .name_len = (u16)strlen(name->name),
                          .link_len = (u16)(f->link ? strlen(f->link) : 0)};

    memcpy(buf, &w, sizeof(w));
    memcpy(buf + sizeof(w), name->name, w.name_len);
    if (f->link)
        memcpy(buf + sizeof(w) + w.name_len, f->link, w.link_len);
    rec.len = (u32)(sizeof(w) + w.name_len + w.link_len);
    return receive_node(&rc, &rec);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct rootfs_tree tree = {.what = "t", .dir_fd = -1, .spool = -1};
    struct rootfs_command command = {.user = NULL};
    struct layers *t;

    log_sink_set(count_line);
    must(layers_new(&t) == 0);
    for (unsigned int i = 0; in.left > 0 && i < MEMBERS; i++)
        add(t, &in);
    receive_begin(&rc, &tree, &command, MIB);
    must(layers_walk(t, send_name, NULL) == 0);
    receive_end(&rc);
    rootfs_tree_fini(&tree);
    layers_free(t);
    return 0;
}
