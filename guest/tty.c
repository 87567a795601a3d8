/* SPDX-License-Identifier: Apache-2.0 */
/* tty.c: a pseudo-terminal, its size, and the end of what is typed */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "say.h"
#include "tty.h"

static int tty_open_slave(int master)
{
    char path[32];
    int unlock = 0, n;

    if (ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
        ioctl(master, (int)TIOCGPTN, &n) < 0)
        return -1;
    snprintf(path, sizeof(path), "/dev/pts/%d", n);
    return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* The host's terminal is taken to know UTF-8, as today's do. */
static void tty_know_utf8(int slave)
{
    struct termios t;

    if (tcgetattr(slave, &t) < 0)
        return;
    t.c_iflag |= IUTF8;
    tcsetattr(slave, TCSANOW, &t);
}

int tty_open(struct tty *t, u16 cols, u16 rows, uid_t owner)
{
    int r;

    t->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (t->master < 0)
        return say_error(errno, "terminal", "/dev/ptmx");
    t->slave = tty_open_slave(t->master);
    if (t->slave < 0 || fchown(t->slave, owner, (gid_t)-1) < 0) {
        r = say_error(errno, "terminal", "/dev/pts");
        close(t->master);
        return r;
    }
    tty_know_utf8(t->slave);
    tty_resize(t->master, cols, rows);
    return 0;
}

void tty_resize(int master, u16 cols, u16 rows)
{
    const struct winsize size = {.ws_col = cols, .ws_row = rows};

    ioctl(master, TIOCSWINSZ, &size);
}

/* In a line that was begun, the first one only hands over what is there. */
size_t tty_end_of_input(int master, char last, char text[2])
{
    struct termios t;

    if (tcgetattr(master, &t) < 0 || !(t.c_lflag & ICANON))
        return 0;
    text[0] = text[1] = (char)t.c_cc[VEOF];
    return last == '\n' ? 1 : 2;
}
