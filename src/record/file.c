/* SPDX-License-Identifier: Apache-2.0 */
/* file.c: the exit record on its way out, whole or not at all */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "impl.h"

#define FILE_WAIT_MS 1000 /* for a reader that takes nothing */

/* The supervisor's. What it opens is its own: a child made by fork() has it
 * closed, and writes no record. */
static struct record_file {
    bool forked; /* this process is such a child */
    char *path;  /* NULL: none is to be written */
    char *name;  /* in path; to be renamed to, in dir */
    int dir;
    int fd; /* or what is written to as it is: stdout, a FIFO */

    enum record_reason lost;
    int signal;
    char error[400];
    u64 cpu_us, max_rss_kib;
} file = {.dir = -1, .fd = -1};

static void file_close(void)
{
    if (file.dir >= 0)
        close(file.dir);
    if (file.fd > STDERR_FILENO)
        close(file.fd);
    free(file.path);
    file.dir = file.fd = -1;
    file.path = file.name = NULL;
}

/* ---- where to -------------------------------------------------------------
 */

static int file_refuse(const char **why, const char *what, int err)
{
    *why = what;
    return err;
}

/* There is something of that name that must stay what it is. */
static int file_open_special(const struct stat *st, const char **why)
{
    /* O_RDWR: a FIFO opens at once also when nobody reads it yet. */
    int mode = S_ISFIFO(st->st_mode) ? O_RDWR : O_WRONLY;

    if (S_ISDIR(st->st_mode))
        return file_refuse(why, "a directory, not a file", -EISDIR);
    file.fd = open(file.path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return file.fd < 0 ? file_refuse(why, strerrordesc_np(errno), -errno) : 0;
}

/* The file itself is not touched before the end. */
static int file_open_dir(const char **why)
{
    char *slash = strrchr(file.path, '/');
    const char *dir = slash == file.path ? "/" : slash ? file.path : ".";

    file.name = slash ? slash + 1 : file.path;
    if (!*file.name)
        return file_refuse(why, "a directory, not a file", -EISDIR);
    if (slash)
        *slash = '\0';
    file.dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (file.dir < 0)
        return file_refuse(why, strerrordesc_np(errno), -errno);
    if (faccessat(file.dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return file_refuse(why, "its directory cannot be written", -errno);
    return 0;
}

static int file_open(const char **why)
{
    struct stat st;

    if (stat(file.path, &st) == 0 && !S_ISREG(st.st_mode))
        return file_open_special(&st, why);
    return file_open_dir(why);
}

static void file_forked(void)
{
    file_close();
    file.forked = true;
}

int record_open(const char *path, const char **why)
{
    static bool hooked;
    int r = 0;

    if (!hooked && pthread_atfork(NULL, NULL, file_forked) != 0)
        return file_refuse(why, "no memory", -ENOMEM);
    hooked = true;
    if (!path)
        return 0;
    file.path = strdup(path);
    if (!file.path)
        return file_refuse(why, "no memory", -ENOMEM);
    if (strcmp(path, "-") == 0)
        file.fd = STDOUT_FILENO;
    else
        r = file_open(why);
    if (r < 0)
        file_close();
    return r;
}

/* ---- what the supervisor knows --------------------------------------------
 */

void record_lost(enum record_reason reason, int signal, const char *error)
{
    file.lost = reason;
    file.signal = signal;
    snprintf(file.error, sizeof(file.error), "%s", error);
}

void record_usage(u64 cpu_us, u64 max_rss_kib)
{
    file.cpu_us = cpu_us;
    file.max_rss_kib = max_rss_kib;
}

/* ---- writing --------------------------------------------------------------
 */

static int file_write(int fd, const char *text)
{
    size_t len = strlen(text), done = 0;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    ssize_t n;

    while (done < len) {
        n = write(fd, text + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN && poll(&p, 1, FILE_WAIT_MS) == 0)
            return -ETIMEDOUT;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return 0;
}

/* Under another name first, so that nobody reads half of it; on the disk before
 * that, or after a crash of the host the name might be of an empty file. */
static int file_replace(const char *text)
{
    char temp[40];
    int fd, r;

    snprintf(temp, sizeof(temp), ".mote-record-%d", getpid());
    unlinkat(file.dir, temp, 0);
    fd = openat(file.dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = file_write(fd, text);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    close(fd);
    if (r == 0 && renameat(file.dir, temp, file.dir, file.name) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(file.dir, temp, 0);
    return r;
}

static int file_write_json(const struct record *r)
{
    char *text = record_json(r);
    int err = -ENOMEM;

    if (text)
        err = file.dir >= 0 ? file_replace(text) : file_write(file.fd, text);
    free(text);
    return err < 0
               ? fail(err, "exit record %s", file.name ? file.name : file.path)
               : 0;
}

static void file_fill(struct record *r, const struct record_facts *facts)
{
    const struct record_page *page = record_pages();

    *r = (struct record){
        .facts = facts,
        .reason = file.lost,
        .signal = file.signal,
        .cpu_us = file.cpu_us,
        .max_rss_kib = file.max_rss_kib,
    };
    if (page)
        memcpy(&r->page, page, sizeof(r->page)); /* once; then it is checked */
    if (file.error[0])
        memcpy(r->page.error, file.error, sizeof(r->page.error));
    record_judge(r);
}

int record_write(const struct record_facts *facts)
{
    struct record *r;
    char line[512];
    int err = 0;

    if (file.forked || (!file.path && !facts->verbose))
        return 0;
    r = malloc(sizeof(*r));
    if (!r)
        return fail(-ENOMEM, "exit record");
    file_fill(r, facts);
    if (facts->verbose) {
        record_summary(r, line, sizeof(line));
        dprintf(STDERR_FILENO, "mote: exit: %s\n", line);
    }
    if (file.path)
        err = file_write_json(r);
    free(r);
    file_close();
    return err;
}
