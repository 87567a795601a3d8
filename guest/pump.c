/* SPDX-License-Identifier: Apache-2.0 */
/* pump.c: move bytes, with the reader's pace */
#include <sys/ioctl.h>
#include <unistd.h>

#include "ports.h"
#include "pump.h"
#include "tty.h"
#include "wait.h"

#define PUMP_TURNS 16 /* in a row, of one pump */
#define PUMP_SURE_MS                                                           \
    1000 /* after which a port that is closed is at its end                    \
          */
#define PUMP_TTY_LAST (128 * 1024) /* more than a terminal holds */

void pump_end(struct pump *p)
{
    if (p->from >= 0)
        close(p->from);
    if (p->to >= 0)
        close(p->to);
    p->from = p->to = -1;
}

void pump_init(struct pump *p, int from, int to)
{
    p->from = from;
    p->to = to;
    if (from < 0 || to < 0)
        pump_end(p);
    else
        p->tty = isatty(to);
}

void pump_init_port(struct pump *p, int from, int to)
{
    p->unsure = true;
    p->sure_at = wait_now_ms() + PUMP_SURE_MS;
    pump_init(p, from, to);
}

/* A descriptor without events is watched for the loss of its other end. */
void pump_poll(const struct pump *p, struct pollfd fd[2])
{
    bool full = p->len > p->pos;

    fd[0] = (struct pollfd){.fd = full || p->unsure ? -1 : p->from,
                            .events = POLLIN};
    fd[1] = (struct pollfd){.fd = p->to, .events = full ? POLLOUT : 0};
}

/* The reader of the last byte hears that it was the last. */
static void pump_end_input(struct pump *p)
{
    char last = p->len > 0 ? (char)p->buf[p->len - 1] : '\n';

    p->pos = p->len = 0;
    if (p->tty)
        p->len = tty_end_of_input(p->to, last, (char *)p->buf);
    close(p->from);
    p->from = -1;
}

/* False: there is nothing now. */
static bool pump_fill(struct pump *p)
{
    size_t max = sizeof(p->buf);
    ssize_t n;

    if (p->last_orders)
        max = MIN(max, p->left);
    n = max > 0 ? read(p->from, p->buf, max) : 0;
    if (n > 0) {
        p->pos = 0;
        p->len = (size_t)n;
        p->left -= p->last_orders ? p->len : 0;
        p->unsure = false;
        return true;
    }
    if (n < 0 && errno == EAGAIN && !p->last_orders) {
        p->unsure = false;
        return false;
    }
    if (p->unsure && ports_host_gone(p->from) && wait_now_ms() < p->sure_at)
        return false;
    pump_end_input(p);
    return true;
}

/* False: there is no room now, or never again. */
static bool pump_flush(struct pump *p)
{
    ssize_t n = 0;

    if (p->len > p->pos)
        n = write(p->to, p->buf + p->pos, p->len - p->pos);
    if (n < 0) {
        if (errno != EAGAIN)
            pump_end(p);
        return false;
    }
    p->pos += (size_t)n;
    if (p->pos == p->len && p->from < 0)
        pump_end(p);
    return p->pos == p->len && !pump_ended(p);
}

/* The last of a stream is moved in one go: poll() may have no news of it. */
static void pump_turns(struct pump *p)
{
    for (int turns = 0; turns < PUMP_TURNS || p->last_orders; turns++) {
        if (p->pos == p->len && !pump_fill(p))
            return;
        if (!pump_flush(p))
            return;
    }
}

void pump_move(struct pump *p, const struct pollfd fd[2])
{
    if (pump_ended(p))
        return;
    if (fd[1].revents & (POLLHUP | POLLERR))
        pump_end(p);
    else if (fd[0].revents || fd[1].revents || p->unsure)
        pump_turns(p);
}

/* Of a pipe the kernel says how much is in it; a terminal's output is still on
 * its way to the master until that has been read. */
void pump_finish(struct pump *p)
{
    int n = 0;

    if (pump_ended(p) || p->last_orders)
        return;
    p->last_orders = true;
    if (isatty(p->from))
        p->left = PUMP_TTY_LAST;
    else if (p->from >= 0 && ioctl(p->from, FIONREAD, &n) == 0 && n > 0)
        p->left = (size_t)n;
    pump_turns(p);
}
