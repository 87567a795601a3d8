/* SPDX-License-Identifier: Apache-2.0 */
/* archive_child.c: reads an archive, sends what is in it */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/filter.h"
#include "mote/log.h"
#include "mote/sandbox.h"

#include "archive_child.h"
#include "image.h"
#include "untar.h"
#include "wire.h"

/* Where its descriptors are. */
enum {
    CHILD_SOURCE = STDERR_FILENO + 1,
    CHILD_SPOOL,
    CHILD_SOCK,
    CHILD_REPORT,
    CHILD_FDS,
};

static struct child {
    struct archive_job job;
    struct archive_lib lib;
    struct wire_out out;
    struct untar untar;
    u64 total;          /* bytes to read, about */
    char where[64];     /* put before what is refused */
    char refusal[1024]; /* the first one */
} child = {.out.fd = CHILD_SOCK};

/* ---- what is said ------------------------------------------------------- */

/* Of what fail() prints, the first line, without the names before it. */
static void child_on_log(const char *text, size_t len)
{
    static const char *const before[] = {"mote: ", "[ERROR] "};

    if (child.refusal[0])
        return;
    for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
        size_t n = strlen(before[i]);

        if (len >= n && memcmp(text, before[i], n) == 0) {
            text += n;
            len -= n;
        }
    }
    snprintf(child.refusal, sizeof(child.refusal), "%s%.*s", child.where,
             (int)strcspn(text, "\n"), text);
}

static int child_put(enum wire_type type, const void *a, size_t a_len,
                     const void *b, size_t b_len)
{
    const struct wire_part part[WIRE_PARTS] = {{a, a_len}, {b, b_len}};

    return wire_put(&child.out, type, part);
}

static void child_on_progress(u64 read)
{
    struct wire_progress p = {read, MAX(read, child.total)};

    if (child_put(WIRE_PROGRESS, &p, sizeof(p), NULL, 0) == 0)
        wire_flush(&child.out);
}

static int child_on_name(void *arg, const struct layer_name *name)
{
    const struct layer_file *f = name->file;
    const struct wire_node w = {
        .mtime = f->mtime,
        .size = f->size,
        .offset = f->offset,
        .mode = f->mode,
        .uid = f->uid,
        .gid = f->gid,
        .major = f->major,
        .minor = f->minor,
        .depth = name->depth,
        .hard = name->hard,
        .name_len = (u16)strlen(name->name),
        .link_len = (u16)(f->link ? strlen(f->link) : 0),
    };
    const struct wire_part part[WIRE_PARTS] = {
        {&w, sizeof(w)}, {name->name, w.name_len}, {f->link, w.link_len}};

    return wire_put(&child.out, WIRE_NODE, part);
}

static int child_put_text(u32 what, const char *text)
{
    return text ? child_put(WIRE_TEXT, &what, sizeof(what), text, strlen(text))
                : 0;
}

static int child_put_list(u32 what, char *const *list)
{
    int r = 0;

    for (; r == 0 && list && *list; list++)
        r = child_put_text(what, *list);
    return r;
}

static int child_put_command(const struct rootfs_command *c)
{
    int r = child_put_list(WIRE_ENTRYPOINT, c->entrypoint);

    if (r == 0)
        r = child_put_list(WIRE_CMD, c->cmd);
    if (r == 0)
        r = child_put_list(WIRE_ENV, c->env);
    if (r == 0)
        r = child_put_text(WIRE_WORKDIR, c->workdir);
    return r == 0 ? child_put_text(WIRE_USER, c->user) : r;
}

/* What ends in a hole makes the spool no longer by itself. */
static int child_put_tree(struct layers *t)
{
    if (ftruncate(CHILD_SPOOL, (off_t)child.untar.end) < 0)
        return fail(-errno, "temporary file");
    return layers_walk(t, child_on_name, NULL);
}

/* ---- where an image's parts are ----------------------------------------- */

struct store_tar {
    struct store store;
    struct layers *tree; /* of the outer archive */
};

static int store_tar_find(struct store *s, const char *path, struct blob *out)
{
    struct store_tar *st = container_of(s, struct store_tar, store);
    const struct layer_file *f = layers_find(st->tree, path);

    if (!f || !S_ISREG(f->mode))
        return -ENOENT;
    *out =
        (struct blob){.fd = CHILD_SPOOL, .offset = f->offset, .size = f->size};
    return 0;
}

static void store_tar_done(struct store *s, struct blob *b)
{
}

/* The descriptor that comes with an answer; -1: none does. */
static int store_dir_receive(struct archive_answer *answer)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {answer, sizeof(*answer)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    int fd = -1;

    if (recvmsg(CHILD_SOCK, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL) !=
        sizeof(*answer))
        answer->err = -EPIPE;
    c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static int store_dir_find(struct store *s, const char *path, struct blob *out)
{
    static const char blobs[] = "blobs/sha256/";
    struct archive_answer answer = {.err = 0};
    int r;

    if (strcmp(path, "index.json") == 0) {
        *out = (struct blob){.fd = CHILD_SOURCE, .size = child.job.size};
        return 0;
    }
    if (strncmp(path, blobs, strlen(blobs)) != 0)
        return -ENOENT;
    path += strlen(blobs);
    r = child_put(WIRE_OPEN, path, strlen(path), NULL, 0);
    if (r == 0)
        r = wire_flush(&child.out);
    if (r < 0)
        return fail(r, "blob %s", path);
    *out = (struct blob){.fd = store_dir_receive(&answer), .size = answer.size};
    if (answer.err < 0 && answer.err != -ENOENT)
        fail(answer.err, "blob %s", path);
    return answer.err;
}

static void store_dir_done(struct store *s, struct blob *b)
{
    if (b->fd != CHILD_SOURCE)
        close(b->fd);
}

/* ---- an image ----------------------------------------------------------- */

/* Layers of an archive lie in it, and are read once more. */
static u64 child_total(const struct image *im)
{
    u64 sum = child.job.layout ? 0 : 2 * child.job.size;

    for (unsigned int i = 0; child.job.layout && i < im->nr_layers; i++)
        sum += im->layer[i].size;
    return sum;
}

static int child_layer(struct store *s, const struct image *im, unsigned int i)
{
    const struct image_layer *l = &im->layer[i];
    struct blob b;
    int r = s->find(s, l->path, &b);

    snprintf(child.where, sizeof(child.where), "layer %u of %u: ", i + 1,
             im->nr_layers);
    if (r == -ENOENT)
        return fail_rule(r, "%s: it is not there: the image is incomplete",
                         l->path);
    if (r < 0)
        return r;
    b.check = l->check;
    memcpy(b.sha256, l->sha256, sizeof(b.sha256));
    layers_begin(child.untar.tree, true);
    r = untar(&child.untar, &b);
    s->done(s, &b);
    child.where[0] = '\0';
    return r;
}

static int child_image(struct store *s,
                       int from(struct image *im, struct store *s))
{
    struct image im;
    int r = from(&im, s);

    if (r == 0)
        r = layers_new(&child.untar.tree);
    child.total = child_total(&im);
    for (unsigned int i = 0; r == 0 && i < im.nr_layers; i++)
        r = child_layer(s, &im, i);
    if (r == 0)
        r = child_put_command(&im.command);
    if (r == 0)
        r = child_put_tree(child.untar.tree);
    image_free(&im);
    return r;
}

static int child_read_layout(void)
{
    struct store s = {store_dir_find, store_dir_done};

    return child_image(&s, image_from_oci);
}

/* ---- an archive --------------------------------------------------------- */

static bool child_has(struct layers *t, const char *path, u32 type)
{
    const struct layer_file *f = layers_find(t, path);

    return f && (f->mode & S_IFMT) == type;
}

/* A system may have files of these names too. */
static bool child_is_system(struct layers *t)
{
    return child_has(t, "usr", S_IFDIR) || child_has(t, "bin", S_IFDIR) ||
           child_has(t, "etc", S_IFDIR);
}

/* What is in it is in the tree and the spool, whatever it is; if that is an
 * image, these are its parts. */
static int child_read_tar(void)
{
    const struct blob b = {.fd = CHILD_SOURCE, .size = child.job.size};
    struct store_tar s = {{store_tar_find, store_tar_done}, NULL};
    int r = layers_new(&child.untar.tree);

    child.total = child.job.size;
    if (r == 0)
        r = untar(&child.untar, &b);
    if (r < 0)
        return r;
    s.tree = child.untar.tree;
    if (child_is_system(s.tree))
        return child_put_tree(s.tree);
    if (child_has(s.tree, "oci-layout", S_IFREG))
        return child_image(&s.store, image_from_oci);
    if (child_has(s.tree, "manifest.json", S_IFREG))
        return child_image(&s.store, image_from_docker);
    return child_put_tree(s.tree);
}

/* ---- the jail ----------------------------------------------------------- */

/* To their places, which others of them may have; then there is nothing else.
 */
static int child_take_fds(const struct archive_job *job)
{
    int fd[CHILD_FDS];

    fd[STDIN_FILENO] = open("/dev/null", O_RDWR | O_CLOEXEC);
    fd[STDOUT_FILENO] = fd[STDERR_FILENO] = fd[STDIN_FILENO];
    fd[CHILD_SOURCE] = job->source;
    fd[CHILD_SPOOL] = job->spool;
    fd[CHILD_SOCK] = job->sock;
    fd[CHILD_REPORT] = job->report;
    for (int i = 0; i < CHILD_FDS; i++) {
        fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, CHILD_FDS);
        if (fd[i] < 0)
            return -errno;
    }
    for (int i = 0; i < CHILD_FDS; i++)
        if (dup2(fd[i], i) < 0)
            return -errno;
    return close_range(CHILD_FDS, ~0u, 0) < 0 ? -errno : 0;
}

/* All that needs files, then the door is shut. */
static int child_lock_in(const struct sandbox_config *vm)
{
    const struct sandbox_config jail = {.require =
                                            vm ? vm->require : SANDBOX_BEST};
    const enum filter_mode mode =
        vm && vm->log_denials ? FILTER_LOG : FILTER_ENFORCE;
    const struct filter f = {
        .kind = FILTER_ARCHIVE, .nr_fds = 2, .fd = {CHILD_SPOOL, CHILD_SOCK}};
    struct sandbox_report report;
    locale_t utf8;
    int r;

    /* libarchive converts names of pax headers to the locale's. */
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (!utf8 || !uselocale(utf8))
        return fail_rule(-ENOENT, "the locale C.UTF-8 is missing: apt-get "
                                  "install libc-bin");
    image_prepare();
    r = archive_lib_load(&child.lib);
    if (r == 0)
        r = sandbox_alone_begin(&jail, &report);
    if (r == 0)
        r = sandbox_alone_seal(&jail, false, &report);
    if (r == 0)
        r = filter_init(mode, CHILD_REPORT);
    return r < 0 ? r : filter_load(&f, "archive");
}

static void child_end(int r)
{
    s32 err = r;

    if (r == 0)
        r = child_put(WIRE_END, NULL, 0, NULL, 0);
    else
        r = child_put(WIRE_REFUSAL, &err, sizeof(err), child.refusal,
                      strlen(child.refusal));
    if (r == 0)
        wire_flush(&child.out);
}

void archive_child(const struct archive_job *job)
{
    int r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "mote-archive");
    log_close();
    log_sink_set(child_on_log);
    child.job = *job;
    child.untar = (struct untar){
        .lib = &child.lib, .spool = CHILD_SPOOL, .progress = child_on_progress};
    r = child_take_fds(job);
    if (r == 0)
        r = child_lock_in(job->jail);
    if (r == 0)
        r = job->layout ? child_read_layout() : child_read_tar();
    child_end(r);
    _exit(r == 0 ? STATUS_OK : STATUS_FAILURE);
}
