/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs/receive.c, wire.c: what a reader of archives sends that is not ours
 * any more. Input: the stream. What is taken is a tree: names that can be, in
 * order; links to files that are there; contents within the limit.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "rootfs/command.h"
#include "rootfs/receive.h"

#define BYTES_MAX MIB

static struct wire_in in = {.fd = -1};

static void check_node(const struct rootfs_node *n)
{
    assert(n->depth <= ROOTFS_DEPTH && n->path_len <= ROOTFS_PATH);
    assert(!n->parent || S_ISDIR(n->parent->mode));
    assert(!n->parent ||
           (*n->name && !strchr(n->name, '/') && strcmp(n->name, ".") != 0 &&
            strcmp(n->name, "..") != 0));
    assert(!n->next || strcmp(n->name, n->next->name) < 0);
    assert(S_ISLNK(n->mode) == (n->link != NULL));
    assert(!n->hard || (!n->hard->hard && n->hard->mode == n->mode &&
                        !S_ISDIR(n->mode) && n->hard->size == n->size));
}

static int take(struct receive *rc, const struct wire_record *rec)
{
    if (rec->type == WIRE_NODE)
        return receive_node(rc, rec);
    return rec->type == WIRE_TEXT ? receive_text(rc, rec) : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct rootfs_tree tree = {.what = "t", .dir_fd = -1, .spool = -1};
    struct rootfs_command command = {.user = NULL};
    struct wire_record rec;
    struct receive rc;
    u64 nr = 0;

    log_sink_set(fuzz_no_log);
    if (in.fd < 0)
        in.fd = memfd_create("wire", MFD_CLOEXEC);
    must(ftruncate(in.fd, 0) == 0 && lseek(in.fd, 0, SEEK_SET) == 0);
    must(pwrite(in.fd, data, len, 0) == (ssize_t)len);
    in.from = in.have = 0;
    receive_begin(&rc, &tree, &command, BYTES_MAX);
    while (wire_next(&in, &rec) > 0 && take(&rc, &rec) == 0)
        ;
    for (const struct rootfs_node *n = tree.root; n; n = rootfs_next(n), nr++)
        check_node(n);
    assert(nr == tree.nr && tree.bytes <= BYTES_MAX);
    receive_end(&rc);
    rootfs_tree_fini(&tree);
    command_free(&command);
    return 0;
}
