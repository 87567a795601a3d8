/* SPDX-License-Identifier: Apache-2.0 */
/* chr.c: console bytes from and to stdio, a file or nowhere */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/chr.h"
#include "mote/log.h"

#include "term.h"

#define CHR_ESCAPE 0x01 /* Ctrl-A */
#define CHR_CHUNK  256u /* bytes of one read, and of one cautious write */

/* How a descriptor is kept from blocking without touching its flags. */
enum chr_way {
    CHR_DIRECT, /* our own O_NONBLOCK description, or a regular file */
    CHR_SOCKET, /* MSG_DONTWAIT */
    CHR_POLLED, /* poll(2) first, then little */
};

struct chr_end {
    int fd; /* -1: none */
    enum chr_way way;
    bool own;
    bool polls; /* epoll takes it */
};

struct chr {
    struct chr_end in;
    struct chr_end out;
    bool in_ended;
    bool escape; /* the last byte read was Ctrl-A */
    bool failed; /* an output error was reported */
    chr_escape_fn *escape_fn;
    void *escape_ctx;
};

/* epoll_ctl() alone knows: it refuses files that are always ready. */
static bool chr_polls(int fd)
{
    struct epoll_event ev = {0};
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    bool ok = epfd >= 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == 0;

    if (epfd >= 0)
        close(epfd);
    return ok;
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
    struct chr_end e = {.fd = fd, .polls = chr_polls(fd)};
    struct stat st;
    int again;

    /* Reopening a file would lose the offset; a socket cannot be. */
    if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return e;
    if (S_ISSOCK(st.st_mode)) {
        e.way = CHR_SOCKET;
        return e;
    }
    again = chr_reopen(fd, mode);
    if (again < 0) { /* another user's terminal, no /proc ... */
        e.way = CHR_POLLED;
        return e;
    }
    e.fd = again;
    e.own = true;
    return e;
}

static void chr_end_close(struct chr_end *e)
{
    if (e->own)
        close(e->fd);
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

static int chr_open_stdio(struct chr *chr)
{
    chr->out = chr_end_stdio(STDOUT_FILENO, O_WRONLY);
    if (!chr_stdin_usable())
        return 0;
    chr->in = chr_end_stdio(STDIN_FILENO, O_RDONLY);
    return isatty(STDIN_FILENO) ? term_raw(STDIN_FILENO) : 0;
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
    chr->out = (struct chr_end){.fd = fd, .own = true, .polls = chr_polls(fd)};
    return 0;
}

int chr_open(struct chr **out, enum chr_mode mode, const char *path)
{
    struct chr *chr = calloc(1, sizeof(*chr));
    int r = 0;

    if (!chr)
        return fail(-ENOMEM, "console");
    chr->in.fd = chr->out.fd = -1;
    if (mode == CHR_STDIO)
        r = chr_open_stdio(chr);
    else if (mode == CHR_FILE)
        r = chr_open_file(chr, path);
    if (r < 0) {
        chr_close(chr);
        return r;
    }
    *out = chr;
    return 0;
}

void chr_close(struct chr *chr)
{
    if (!chr)
        return;
    if (chr->in.fd >= 0)
        term_restore();
    chr_end_close(&chr->in);
    chr_end_close(&chr->out);
    free(chr);
}

void chr_on_escape(struct chr *chr, chr_escape_fn *fn, void *ctx)
{
    chr->escape_fn = fn;
    chr->escape_ctx = ctx;
}

int chr_in_fd(const struct chr *chr)
{
    return chr->in_ended ? -1 : chr->in.fd;
}

bool chr_in_polls(const struct chr *chr)
{
    return chr->in.polls;
}

int chr_out_fd(const struct chr *chr)
{
    return chr->out.polls ? chr->out.fd : -1;
}

static bool chr_ready(const struct chr_end *e, short events)
{
    struct pollfd p = {.fd = e->fd, .events = events};

    return poll(&p, 1, 0) == 1;
}

/* Bytes, 0 at the end of input, or -errno; -EAGAIN when there are none now. */
static ssize_t chr_end_read(const struct chr_end *e, u8 *buf, size_t len)
{
    ssize_t n;

    if (e->way == CHR_POLLED && !chr_ready(e, POLLIN))
        return -EAGAIN;
    if (e->way == CHR_SOCKET)
        n = recv(e->fd, buf, len, MSG_DONTWAIT);
    else
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
            if (chr->escape_fn)
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

int chr_read(struct chr *chr, u8 *buf, size_t len)
{
    u8 raw[CHR_CHUNK];
    ssize_t n;

    if (chr_in_fd(chr) < 0)
        return -ENODATA;
    /* A Ctrl-A kept from the last read may come out with this one. */
    n = chr_end_read(&chr->in, raw, MIN(len - 1, sizeof(raw)));
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n <= 0) { /* also EIO: the terminal has gone */
        chr->in_ended = true;
        return -ENODATA;
    }
    return chr_unescape(chr, raw, (size_t)n, buf);
}

static ssize_t chr_end_write(const struct chr_end *e, const u8 *buf, size_t len)
{
    ssize_t n;

    if (e->way == CHR_POLLED && !chr_ready(e, POLLOUT))
        return -EAGAIN;
    if (e->way == CHR_SOCKET)
        n = send(e->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        n = write(e->fd, buf,
                  e->way == CHR_POLLED ? MIN(len, (size_t)CHR_CHUNK) : len);
    return n < 0 ? -errno : n;
}

size_t chr_write(struct chr *chr, const u8 *buf, size_t len)
{
    ssize_t n;

    if (chr->out.fd < 0)
        return len;
    n = chr_end_write(&chr->out, buf, len);
    if (n >= 0)
        return (size_t)n;
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (!chr->failed)
        fail((int)n, "console output is lost");
    chr->failed = true;
    return len;
}
