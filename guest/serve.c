/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c: init's loop */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "control.h"
#include "pump.h"
#include "serve.h"
#include "tty.h"

#define SERVE_UNSURE_NS 10000000 /* between two looks at an unsure pump */

enum serve_stream { SERVE_IN, SERVE_OUT, SERVE_ERR, SERVE_STREAMS };

/* Two descriptors of each stream, then the control port. */
#define SERVE_CONTROL (2 * SERVE_STREAMS)
#define SERVE_FDS     (SERVE_CONTROL + 1)

struct serve {
    struct pump pump[SERVE_STREAMS];
    struct control control;
    int control_fd;
    struct command *command;
    bool host_gone;
};

/* Its handler does nothing: ppoll() returns, that is all. */
static void serve_on_child(int signal)
{
}

static void serve_catch_children(void)
{
    const struct sigaction a = {.sa_handler = serve_on_child,
                                .sa_flags = SA_NOCLDSTOP};

    sigaction(SIGCHLD, &a, NULL);
}

static void serve_obey(struct serve *s, const struct guest_message *m)
{
    if (m->type == GUEST_KILL)
        command_kill(s->command, m->a);
    else if (m->type == GUEST_WINDOW && s->command->terminal >= 0)
        tty_resize(s->command->terminal, (u16)m->a, (u16)m->b);
}

static void serve_control(struct serve *s)
{
    struct guest_message m;
    int r;

    while ((r = control_read(&s->control, s->control_fd, &m)) > 0)
        serve_obey(s, &m);
    s->host_gone = r < 0;
}

static void serve_wait(struct serve *s, struct pollfd fd[SERVE_FDS])
{
    struct timespec look = {.tv_nsec = SERVE_UNSURE_NS};
    sigset_t none;
    bool unsure = false;
    int r;

    for (unsigned int i = 0; i < SERVE_STREAMS; i++) {
        pump_poll(&s->pump[i], &fd[2 * i]);
        unsure |= s->pump[i].unsure && !pump_ended(&s->pump[i]);
    }
    fd[SERVE_CONTROL] = (struct pollfd){.fd = s->control_fd, .events = POLLIN};
    sigemptyset(&none);
    r = ppoll(fd, SERVE_FDS, unsure ? &look : NULL, &none);
    for (unsigned int i = 0; r < 0 && i < SERVE_FDS; i++)
        fd[i].revents = 0;
}

/* A terminal that nobody looks at is hung up; the kernel tells its users. */
static void serve_hang_up(struct serve *s)
{
    if (s->command->terminal < 0 || !pump_ended(&s->pump[SERVE_OUT]))
        return;
    pump_end(&s->pump[SERVE_IN]);
    close(s->command->terminal);
    s->command->terminal = -1;
}

static void serve_turn(struct serve *s)
{
    struct pollfd fd[SERVE_FDS];

    serve_wait(s, fd);
    for (unsigned int i = 0; i < SERVE_STREAMS; i++)
        pump_move(&s->pump[i], &fd[2 * i]);
    serve_hang_up(s);
    if (fd[SERVE_CONTROL].revents)
        serve_control(s);
    command_reap(s->command);
}

static bool serve_writing(const struct serve *s)
{
    return !pump_ended(&s->pump[SERVE_OUT]) || !pump_ended(&s->pump[SERVE_ERR]);
}

bool serve(struct ports *ports, struct command *c)
{
    static struct serve s; /* too large for a stack */

    s.control_fd = ports->fd[PORT_CONTROL];
    s.command = c;
    serve_catch_children();
    pump_init_port(&s.pump[SERVE_IN], ports->fd[PORT_IN], c->in);
    pump_init(&s.pump[SERVE_OUT], c->out, ports->fd[PORT_OUT]);
    pump_init(&s.pump[SERVE_ERR], c->err, ports->fd[PORT_ERR]);
    while (c->pid > 0 && !s.host_gone)
        serve_turn(&s);
    pump_end(&s.pump[SERVE_IN]);
    pump_finish(&s.pump[SERVE_OUT]);
    pump_finish(&s.pump[SERVE_ERR]);
    while (serve_writing(&s) && !s.host_gone)
        serve_turn(&s);
    pump_end(&s.pump[SERVE_OUT]);
    pump_end(&s.pump[SERVE_ERR]);
    return !s.host_gone;
}
