/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive.c: an archive or a container image as a tree. Another process reads
 * it, locked in (archive_child.c); this one opens what that one needs, and
 * checks what it says.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/filter.h"
#include "mote/log.h"
#include "mote/temporary.h"

#include "archive_child.h"
#include "progress.h"
#include "receive.h"
#include "untar.h"

struct archive {
    const char *what;
    struct archive_job job; /* the child's ends */
    int dir;                /* of an image layout; -1: none */
    int sock, report;       /* ours */
    pid_t child;
    bool ended; /* it has sent all */
    int err;    /* what it refused, or what we did */
    struct progress progress;
    u64 read;
    struct receive receive;
    struct wire_in in;
};

static int archive_nonsense(const struct archive *a)
{
    return fail_rule(-EPROTO,
                     "rootfs %s: what reads it sends nonsense; this is a bug, "
                     "or an attack by the archive",
                     a->what);
}

static void archive_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- what the child needs ----------------------------------------------- */

/* A regular file, and how long it is; how: of errors. */
static int archive_open_file(const struct archive *a, int dir, const char *path,
                             int *fd, u64 *size)
{
    struct stat st;

    *fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &st) < 0)
        return fail(-errno, "rootfs %s: %s", a->what, path);
    *size = (u64)st.st_size;
    return S_ISREG(st.st_mode)
               ? 0
               : fail_rule(-EINVAL, "rootfs %s: %s is not a file", a->what,
                           path);
}

static int archive_open_source(struct archive *a, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return fail(-errno, "rootfs %s", a->what);
    if (!S_ISDIR(st.st_mode))
        return archive_open_file(a, AT_FDCWD, path, &a->job.source,
                                 &a->job.size);
    a->job.layout = true;
    a->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->dir < 0)
        return fail(-errno, "rootfs %s", a->what);
    if (faccessat(a->dir, "oci-layout", F_OK, 0) < 0)
        return fail(-errno, "rootfs %s: no image layout: oci-layout", a->what);
    return archive_open_file(a, a->dir, "index.json", &a->job.source,
                             &a->job.size);
}

/* A file without a name; where there cannot be one, memory. */
static int archive_open_spool(const struct archive *a, int *fd)
{
    *fd = open(temporary_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0)
        *fd = memfd_create("mote-rootfs", MFD_CLOEXEC);
    return *fd < 0 ? fail(-errno, "rootfs %s: temporary file", a->what) : 0;
}

static int archive_open_channels(struct archive *a)
{
    int sock[2], report[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
        return fail(-errno, "rootfs %s: socketpair", a->what);
    a->sock = sock[0];
    a->job.sock = sock[1];
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
        return fail(-errno, "rootfs %s: pipe", a->what);
    a->report = report[0];
    a->job.report = report[1];
    return 0;
}

static int archive_fork(struct archive *a)
{
    a->child = fork();
    if (a->child < 0)
        return fail(-errno, "rootfs %s: fork", a->what);
    if (a->child == 0)
        archive_child(&a->job);
    archive_close(&a->job.source);
    archive_close(&a->job.sock);
    archive_close(&a->job.report);
    return 0;
}

/* ---- what it asks for --------------------------------------------------- */

static int archive_send(const struct archive *a,
                        const struct archive_answer *answer, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS,
                          .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec iov = {(void *)(uintptr_t)answer, sizeof(*answer)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
    }
    return sendmsg(a->sock, &msg, MSG_NOSIGNAL) < 0
               ? fail(-errno, "rootfs %s: sendmsg", a->what)
               : 0;
}

/* The name is hexadecimal digits, so it leads nowhere else. What is missing the
 * child knows to say better. */
static int archive_give_blob(struct archive *a, const struct wire_record *rec)
{
    static const char blobs[] = "blobs/sha256/";
    char path[sizeof(blobs) + WIRE_DIGEST_LEN];
    struct archive_answer answer = {.err = -ENOENT};
    int fd = -1, r = 0;

    snprintf(path, sizeof(path), "%s%.*s", blobs, (int)rec->len,
             (const char *)rec->data);
    if (!a->job.layout || rec->len != WIRE_DIGEST_LEN ||
        strspn(path + strlen(blobs), "0123456789abcdef") != rec->len)
        return archive_nonsense(a);
    if (faccessat(a->dir, path, F_OK, 0) == 0) {
        r = archive_open_file(a, a->dir, path, &fd, &answer.size);
        answer.err = r;
    }
    if (r == 0)
        r = archive_send(a, &answer, fd);
    archive_close(&fd);
    return r;
}

/* ---- what it says ------------------------------------------------------- */

static int archive_progress(struct archive *a, const struct wire_record *rec)
{
    struct wire_progress p;

    if (rec->len != sizeof(p))
        return archive_nonsense(a);
    memcpy(&p, rec->data, sizeof(p));
    a->progress.total = p.total;
    progress_add(&a->progress, p.done - MIN(a->read, p.done));
    a->read = MAX(a->read, p.done);
    return 0;
}

/* Its words, without what a terminal would obey. */
static int archive_refused(const struct archive *a,
                           const struct wire_record *rec)
{
    char text[800];
    size_t len;
    s32 err;

    if (rec->len < sizeof(err))
        return archive_nonsense(a);
    memcpy(&err, rec->data, sizeof(err));
    len = MIN(rec->len - sizeof(err), sizeof(text) - 1);
    memcpy(text, rec->data + sizeof(err), len);
    text[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((u8)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    return fail_rule(err < 0 && err > -4096 ? err : -EINVAL, "rootfs %s: %s",
                     a->what, text);
}

static int archive_record(struct archive *a, const struct wire_record *rec)
{
    switch (rec->type) {
    case WIRE_NODE:
        return receive_node(&a->receive, rec);
    case WIRE_TEXT:
        return receive_text(&a->receive, rec);
    case WIRE_PROGRESS:
        return archive_progress(a, rec);
    case WIRE_OPEN:
        return archive_give_blob(a, rec);
    case WIRE_REFUSAL:
        return archive_refused(a, rec);
    case WIRE_END:
        a->ended = true;
        return 0;
    default:
        return archive_nonsense(a);
    }
}

/* 1: it has sent all; 0: it has ended before; or a negative errno, already
 * reported. */
static int archive_receive(struct archive *a)
{
    struct wire_record rec;
    int r = 0;

    while (r == 0 && !a->ended) {
        r = wire_next(&a->in, &rec);
        if (r == 0 || r == -EPIPE || r == -ECONNRESET)
            return 0;
        r = r < 0 ? archive_nonsense(a) : archive_record(a, &rec);
    }
    return r < 0 ? r : 1;
}

/* ---- its end ------------------------------------------------------------ */

/* A call that was denied, if that was the end of it. */
static bool archive_was_denied(const struct archive *a, char *buf, size_t len)
{
    struct filter_report report;

    if (read(a->report, &report, sizeof(report)) != sizeof(report))
        return false;
    report.name[sizeof(report.name) - 1] = '\0';
    for (char *c = report.name; *c; c++)
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    filter_describe(&report, buf, len);
    return true;
}

static int archive_died(const struct archive *a, int status)
{
    char denied[300];

    if (archive_was_denied(a, denied, sizeof(denied)))
        return fail_rule(-EPERM,
                         "rootfs %s: reading it was stopped: %s; this is a "
                         "bug, or an attack by the archive",
                         a->what, denied);
    if (WIFSIGNALED(status))
        return fail_rule(-EIO,
                         "rootfs %s: reading it has ended by SIG%s: the "
                         "archive is damaged or hostile, or there is too "
                         "little memory",
                         a->what, sigabbrev_np(WTERMSIG(status)));
    return fail_rule(-EIO, "rootfs %s: reading it has ended with status %d",
                     a->what, WEXITSTATUS(status));
}

static int archive_wait(struct archive *a, bool kill_it)
{
    int status = 0;

    if (a->child <= 0)
        return 0;
    if (kill_it)
        kill(a->child, SIGKILL);
    while (waitpid(a->child, &status, 0) < 0 && errno == EINTR)
        ;
    a->child = 0;
    return status;
}

/* Nobody can change the spool any more. */
static int archive_check_end(const struct archive *a,
                             const struct rootfs_tree *t)
{
    struct stat st;

    if (fstat(t->spool, &st) < 0)
        return fail(-errno, "rootfs %s", a->what);
    if ((u64)st.st_size < a->receive.spool_end || !t->root)
        return fail_rule(-EPROTO,
                         "rootfs %s: not all of it has come; this is a bug, "
                         "or an attack by the archive",
                         a->what);
    if (!t->root->child)
        return fail_rule(-ENOENT, "rootfs %s: the archive is empty", a->what);
    return 0;
}

static int archive_run(struct archive *a, struct rootfs_tree *t)
{
    int r;

    progress_begin(&a->progress, "reading", a->what, a->job.size);
    r = archive_receive(a);
    progress_end(&a->progress);
    if (r == 0)
        return archive_died(a, archive_wait(a, false));
    archive_wait(a, true);
    return r < 0 ? r : archive_check_end(a, t);
}

int rootfs_from_archive(struct rootfs_tree *t, const char *path,
                        const struct sandbox_config *jail,
                        struct rootfs_command *command)
{
    struct archive *a = calloc(1, sizeof(*a));
    int r;

    if (!a)
        return fail(-ENOMEM, "rootfs %s", t->what);
    *a = (struct archive){.what = t->what, .dir = -1, .sock = -1, .report = -1};
    a->job.jail = jail;
    a->job.source = a->job.spool = a->job.sock = a->job.report = -1;
    receive_begin(&a->receive, t, command, UNTAR_BYTES_MAX);
    r = archive_open_source(a, path);
    if (r == 0)
        r = archive_open_spool(a, &t->spool);
    a->job.spool = t->spool;
    if (r == 0)
        r = archive_open_channels(a);
    a->in.fd = a->sock;
    if (r == 0)
        r = archive_fork(a);
    if (r == 0)
        r = archive_run(a, t);
    archive_wait(a, true);
    receive_end(&a->receive);
    archive_close(&a->job.source);
    archive_close(&a->job.sock);
    archive_close(&a->job.report);
    archive_close(&a->dir);
    archive_close(&a->sock);
    archive_close(&a->report);
    free(a);
    return r;
}
