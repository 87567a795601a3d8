/* SPDX-License-Identifier: Apache-2.0 */
/* unix.c: a listening Unix socket and its one client */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mote/log.h"

#include "impl.h"

#define CHR_BACKLOG 4 /* clients that wait for their turn */

static int chr_unix_address(struct sockaddr_un *addr, const char *path)
{
    size_t len = strlen(path);

    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof(addr->sun_path))
        return fail_rule(-ENAMETOOLONG,
                         "console %s: a socket's path has 1 to %zu bytes", path,
                         sizeof(addr->sun_path) - 1);
    memcpy(addr->sun_path, path, len);
    return 0;
}

/* The mode the socket has before it gets its name is the name's. */
static int chr_unix_bind(struct chr_socket *s)
{
    const struct sockaddr *addr = (const void *)&s->addr;

    if (fchmod(s->listen_fd, 0600) < 0 ||
        bind(s->listen_fd, addr, sizeof(s->addr)) < 0)
        return -errno;
    return 0;
}

static void chr_unix_undo(struct undo *u)
{
    const struct chr_socket *s = &container_of(u, struct chr, undo)->sock;
    struct stat st;

    if (lstat(s->addr.sun_path, &st) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlink(s->addr.sun_path);
}

/* What we have made, so that another's socket is never removed. */
static void chr_unix_remember(struct chr *chr)
{
    struct chr_socket *s = &chr->sock;
    struct stat st;

    if (lstat(s->addr.sun_path, &st) < 0)
        return;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    undo_add(&chr->undo, chr_unix_undo);
}

int chr_unix_open(struct chr *chr, const char *path)
{
    struct chr_socket *s = &chr->sock;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int r = chr_unix_address(&s->addr, path);

    if (r < 0)
        return r;
    s->listen_fd = socket(AF_UNIX, type, 0);
    if (s->listen_fd < 0)
        return fail(-errno, "console %s: socket", path);
    r = chr_unix_bind(s);
    if (r == -EADDRINUSE)
        return fail_rule(r, "console %s: exists; remove it if no other uses it",
                         path);
    if (r < 0)
        return fail(r, "console %s", path);
    chr_unix_remember(chr);
    s->spare_fd = fcntl(s->listen_fd, F_DUPFD_CLOEXEC, 0);
    if (s->spare_fd < 0 || listen(s->listen_fd, CHR_BACKLOG) < 0)
        return fail(-errno, "console %s: listen", path);
    return 0;
}

static void chr_unix_drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void chr_unix_close(struct chr *chr)
{
    struct chr_socket *s = &chr->sock;

    chr_unix_drop(&s->client_fd);
    chr_unix_drop(&s->spare_fd);
    chr_unix_drop(&s->listen_fd);
}

int chr_listen_fd(const struct chr *chr)
{
    return chr->sock.listen_fd;
}

bool chr_connected(const struct chr *chr)
{
    if (chr->mode == CHR_STREAMS)
        return !chr->done;
    return chr->mode != CHR_UNIX || chr->sock.client_fd >= 0;
}

/* Errors of a client that is gone again are no news (accept(2)). */
static bool chr_accept_is_none(int err)
{
    return err == EAGAIN || err == EINTR || err == ECONNABORTED;
}

int chr_accept(struct chr *chr)
{
    struct chr_socket *s = &chr->sock;
    int fd;

    chr_unix_drop(&s->spare_fd);
    fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int r = -errno;

        if (chr_accept_is_none(-r))
            return 0;
        if (!s->failed)
            fail(r, "console %s: a client waits", s->addr.sun_path);
        s->failed = true;
        return r;
    }
    s->client_fd = fd;
    chr->in = chr->out =
        (struct chr_end){.fd = fd, .ready_fd = -1, .polls = true};
    chr->in_ended = false;
    return 1;
}

void chr_hang_up(struct chr *chr)
{
    chr->done = true;
    if (chr->mode != CHR_UNIX)
        return;
    chr_unix_drop(&chr->sock.client_fd);
    chr->in.fd = chr->out.fd = -1;
}
