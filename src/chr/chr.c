/* SPDX-License-Identifier: Apache-2.0 */
/* chr.c: console bytes from and to stdio, a file or nowhere */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/log.h"
#include "mote/record.h"

#include "impl.h"
#include "term.h"

#define CHR_ESCAPE 0x01 /* Ctrl-A */
#define CHR_READS  16   /* in a row that held nothing but escapes */
#define CHR_CHUNK  256u /* bytes of one read, and of one cautious write */

/* A set that says whether fd is ready; -1: it always is. epoll_ctl() alone
 * knows: it refuses such files. */
static int chr_watch(int fd, u32 events)
{
    struct epoll_event ev = {.events = events};
    int epfd = epoll_create1(EPOLL_CLOEXEC);

    if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == 0)
        return epfd;
    close(epfd);
    return -1;
}

static bool chr_polls(int fd)
{
    int epfd = chr_watch(fd, 0);

    if (epfd >= 0)
        close(epfd);
    return epfd >= 0;
}

/* The same terminal or pipe once more, as a description of our own. */
static int chr_reopen(int fd, int mode)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static struct chr_end chr_end_stdio(int fd, int mode)
{
    struct chr_end e = {.fd = fd, .ready_fd = -1, .polls = chr_polls(fd)};
    struct stat st;
    int again;

    /* Reopening a file would lose the offset. */
    if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return e;
    again = chr_reopen(fd, mode);
    if (again < 0) { /* a socket, another user's terminal, no /proc ... */
        e.way = CHR_POLLED;
        e.ready_fd = chr_watch(fd, mode == O_RDONLY ? EPOLLIN : EPOLLOUT);
        return e;
    }
    e.fd = again;
    e.own = true;
    return e;
}

static struct chr_end chr_end_own(int fd)
{
    return (struct chr_end){
        .fd = fd, .ready_fd = -1, .own = true, .polls = chr_polls(fd)};
}

static void chr_end_close(struct chr_end *e)
{
    if (e->own)
        close(e->fd);
    if (e->ready_fd >= 0)
        close(e->ready_fd);
}

/* Reading a terminal from the background would stop the process. */
static bool chr_stdin_usable(void)
{
    if (!isatty(STDIN_FILENO))
        return true;
    if (tcgetpgrp(STDIN_FILENO) == getpgrp())
        return true;
    log_info("console: started in the background: no input");
    return false;
}

static void chr_undo_raw(struct undo *u)
{
    term_restore();
}

int chr_set_raw(struct chr *chr)
{
    int r = term_raw(STDIN_FILENO);

    if (r == 0)
        undo_add(&chr->undo, chr_undo_raw);
    return r;
}

static int chr_open_stdio(struct chr *chr)
{
    chr->out = chr_end_stdio(STDOUT_FILENO, O_WRONLY);
    if (!chr_stdin_usable())
        return 0;
    chr->in = chr_end_stdio(STDIN_FILENO, O_RDONLY);
    return isatty(STDIN_FILENO) ? chr_set_raw(chr) : 0;
}

/* O_RDWR lets a FIFO open at once, reader or not, and keeps EPIPE away. */
static int chr_open_file(struct chr *chr, const char *path)
{
    struct stat st;
    bool fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
    int mode = fifo ? O_RDWR : O_WRONLY | O_APPEND | O_CREAT;
    int fd = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(-errno, "console %s", path);
    chr->out = chr_end_own(fd);
    return 0;
}

static struct chr *chr_new(enum chr_mode mode, const char *name)
{
    struct chr *chr = calloc(1, sizeof(*chr));

    if (!chr)
        return NULL;
    chr->mode = mode;
    chr->name = name;
    chr->in = chr->out = (struct chr_end){.fd = -1, .ready_fd = -1};
    chr->sock.listen_fd = chr->sock.spare_fd = chr->sock.client_fd = -1;
    return chr;
}

int chr_open(struct chr **out, enum chr_mode mode, const char *path)
{
    struct chr *chr = chr_new(mode, "console");
    int r = 0;

    if (!chr)
        return fail(-ENOMEM, "console");
    if (mode == CHR_STDIO)
        r = chr_open_stdio(chr);
    else if (mode == CHR_FILE)
        r = chr_open_file(chr, path);
    else if (mode == CHR_UNIX)
        r = chr_unix_open(chr, path);
    if (r < 0) {
        chr_close(chr);
        return r;
    }
    *out = chr;
    return 0;
}

int chr_open_streams(struct chr **out, const struct chr_streams *streams)
{
    const struct chr_streams *s = streams;
    struct chr *chr = chr_new(CHR_STREAMS, s->name);

    if (!chr)
        return fail(-ENOMEM, "%s", s->name);
    chr->stamps = s->output;
    if (s->in >= 0 && s->own)
        chr->in = chr_end_own(s->in);
    else if (s->in >= 0)
        chr->in = chr_end_stdio(s->in, O_RDONLY);
    if (s->out >= 0 && s->own)
        chr->out = chr_end_own(s->out);
    else if (s->out >= 0)
        chr->out = chr_end_stdio(s->out, O_WRONLY);
    *out = chr;
    return 0;
}

void chr_close(struct chr *chr)
{
    if (!chr)
        return;
    undo_now(&chr->undo);
    chr_end_close(&chr->in);
    chr_end_close(&chr->out);
    chr_unix_close(chr);
    free(chr);
}

void chr_no_input(struct chr *chr)
{
    chr->deaf = true;
    if (chr->mode == CHR_STDIO)
        undo_now(&chr->undo);
}

void chr_limit(struct chr *chr, const struct limit_bucket_config *limit)
{
    limit_init(&chr->limit, &(struct limit_config){.bytes = *limit},
               monotonic_ns());
}

void chr_on_escape(struct chr *chr, chr_escape_fn *fn, void *ctx)
{
    if (chr->mode == CHR_UNIX)
        return;
    chr->escape_fn = fn;
    chr->escape_ctx = ctx;
}

int chr_in_fd(const struct chr *chr)
{
    return chr->in_ended || chr->deaf ? -1 : chr->in.fd;
}

bool chr_in_polls(const struct chr *chr)
{
    return chr->in.polls;
}

int chr_out_fd(const struct chr *chr)
{
    return chr->out.polls && !chr->unread ? chr->out.fd : -1;
}

static bool chr_ready(const struct chr_end *e)
{
    struct epoll_event ev;

    return e->way == CHR_DIRECT || e->ready_fd < 0 ||
           epoll_wait(e->ready_fd, &ev, 1, 0) == 1;
}

/* Bytes, 0 at the end of input, or -errno; -EAGAIN when there are none now. */
static ssize_t chr_end_read(const struct chr_end *e, u8 *buf, size_t len)
{
    ssize_t n;

    if (!chr_ready(e))
        return -EAGAIN;
    n = read(e->fd, buf, len);
    return n < 0 ? -errno : n;
}

/* Take the escape sequences out of raw[0..n); out holds at least n + 1. */
static int chr_unescape(struct chr *chr, const u8 *raw, size_t n, u8 *out)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (!chr->escape && raw[i] == CHR_ESCAPE) {
            chr->escape = true;
            continue;
        }
        if (chr->escape && raw[i] == 'x') {
            chr->escape_fn(chr->escape_ctx);
        } else {
            if (chr->escape && raw[i] != CHR_ESCAPE)
                out[len++] = CHR_ESCAPE;
            out[len++] = raw[i];
        }
        chr->escape = false;
    }
    return (int)len;
}

/* One read: bytes that are left without the escapes, 0 perhaps; -ENODATA at the
 * end, also for EIO: the terminal has gone. */
static int chr_read_once(struct chr *chr, u8 *buf, size_t len)
{
    u8 raw[CHR_CHUNK];
    ssize_t n;

    /* A Ctrl-A kept from the last read may come out with this one. */
    if (chr->escape_fn)
        n = chr_end_read(&chr->in, raw, MIN(len - 1, sizeof(raw)));
    else
        n = chr_end_read(&chr->in, buf, MIN(len, (size_t)INT32_MAX));
    if (n == -EAGAIN || n == -EINTR)
        return -EAGAIN;
    if (n <= 0)
        return -ENODATA;
    return chr->escape_fn ? chr_unescape(chr, raw, (size_t)n, buf) : (int)n;
}

int chr_read(struct chr *chr, u8 *buf, size_t len)
{
    int n = 0;

    if (chr_in_fd(chr) < 0)
        return -ENODATA;
    for (int i = 0; i < CHR_READS && n == 0; i++)
        n = chr_read_once(chr, buf, len);
    chr->in_ended = n == -ENODATA;
    return n == -EAGAIN ? 0 : n;
}

static ssize_t chr_end_write(const struct chr_end *e, const u8 *buf, size_t len)
{
    ssize_t n;

    if (!chr_ready(e))
        return -EAGAIN;
    n = write(e->fd, buf,
              e->way == CHR_POLLED ? MIN(len, (size_t)CHR_CHUNK) : len);
    return n < 0 ? -errno : n;
}

/* The client has left or wants no more; bytes wait for the next one. */
static size_t chr_write_client(struct chr *chr, ssize_t n)
{
    if (n != -EAGAIN && n != -EINTR)
        chr->out.fd = -1;
    return 0;
}

/* A pipeline's reader may go; what another cannot take is lost. */
static size_t chr_write_stream(struct chr *chr, ssize_t n, size_t len)
{
    if (n != -EPIPE)
        chr->error = fail((int)n, "%s", chr->name);
    chr->unread = true;
    chr->lost = len;
    return len;
}

static size_t chr_put(struct chr *chr, const u8 *buf, size_t len)
{
    ssize_t n;

    if (chr->unread)
        chr->lost = len;
    if (chr->out.fd < 0 || chr->unread)
        return chr->mode == CHR_UNIX ? 0 : len;
    n = chr_end_write(&chr->out, buf, len);
    if (n > 0 && chr->stamps)
        record_stamp(RECORD_FIRST_OUTPUT);
    if (n >= 0)
        return (size_t)n;
    if (chr->mode == CHR_UNIX)
        return chr_write_client(chr, n);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (chr->mode == CHR_STREAMS)
        return chr_write_stream(chr, n, len);
    if (!chr->failed)
        fail((int)n, "console output is lost");
    chr->failed = true;
    chr->lost = len;
    return len;
}

/* What the host takes counts against the limit; what is beyond that is gone. */
size_t chr_write(struct chr *chr, const u8 *buf, size_t len)
{
    size_t may = len, n = 0;

    chr->lost = 0;
    if (limit_active(&chr->limit))
        may = (size_t)MIN(limit_room(&chr->limit, monotonic_ns()), (u64)len);
    if (may > 0)
        n = chr_put(chr, buf, may);
    if (limit_active(&chr->limit))
        limit_take(&chr->limit, n, monotonic_ns());
    if (n < may)
        return n;
    chr->lost += len - may;
    return len;
}

size_t chr_lost(const struct chr *chr)
{
    return chr->lost;
}

bool chr_over(const struct chr *chr)
{
    return chr->mode == CHR_STREAMS && chr_in_fd(chr) < 0 &&
           (chr->out.fd < 0 || chr->unread);
}

int chr_error(const struct chr *chr)
{
    return chr->error;
}

int chr_window(const struct chr *chr, u16 *cols, u16 *rows)
{
    struct winsize ws;

    if ((chr->mode != CHR_STDIO && chr->mode != CHR_STREAMS) ||
        ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0)
        return -ENOTTY;
    *cols = ws.ws_col;
    *rows = ws.ws_row;
    return 0;
}
