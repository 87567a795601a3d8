/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c: main's side of the control port. What the guest says there is
 * believed only where it says how its own command ended.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/command.h"
#include "mote/guest.h"
#include "mote/log.h"

#define SESSION_BATCH 64 /* messages taken in a turn of main's loop */

/* Keys that end a program are pressed again by who waits, and by who uses a
 * program that lives on: three in that time mean the VM. */
#define SESSION_KEYS    3
#define SESSION_KEYS_NS 2000000000ull

struct session {
    const struct command *cmd;
    struct session_env env;

    struct loop_fd control; /* pipe: the guest's messages */
    int to_guest;           /* pipe: ours */
    u8 part[sizeof(struct guest_message)];
    size_t part_len;
    struct chr *in; /* the console's, as are these */
    const struct chr *out, *err;

    bool started; /* the command runs */
    bool ended;   /* ... and has ended, as result says */
    struct guest_message result;

    struct loop_fd on_drained; /* eventfd */
    bool draining, drained;

    bool asked;                    /* SIGTERM or SIGHUP was passed on */
    u64 keys_ns[SESSION_KEYS - 1]; /* of the last of them, latest first */
};

/* ---- messages --------------------------------------------------------------
 */

static bool session_is_result(u32 type)
{
    return type == GUEST_EXITED || type == GUEST_SIGNALED ||
           type == GUEST_NOT_FOUND || type == GUEST_NOT_RUN ||
           type == GUEST_SETUP_LOST;
}

/* The first result counts. */
static void session_take(struct session *s, const struct guest_message *m)
{
    if (m->type == GUEST_READY) {
        record_stamp(RECORD_INIT);
    } else if (m->type == GUEST_STARTED) {
        record_stamp(RECORD_COMMAND);
        s->started = true;
    } else if (session_is_result(m->type)) {
        if (!s->ended)
            s->result = *m;
        s->ended = true;
        session_drain(s);
    } else {
        warn_guest("control port: message %u", m->type);
    }
}

static void session_take_bytes(struct session *s)
{
    struct guest_message m = {
        .type = le32_get(s->part),
        .a = le32_get(s->part + 4),
        .b = le32_get(s->part + 8),
        .c = le32_get(s->part + 12),
    };

    s->part_len = 0;
    session_take(s, &m);
}

/* Up to a batch, so that a guest that talks on and on does not keep main from
 * anything else. */
static void session_read(struct session *s)
{
    ssize_t n = 1;

    for (int i = 0; i < SESSION_BATCH && n > 0; i++) {
        n = read(s->control.fd, s->part + s->part_len,
                 sizeof(s->part) - s->part_len);
        if (n > 0)
            s->part_len += (size_t)n;
        if (s->part_len == sizeof(s->part))
            session_take_bytes(s);
    }
    if (n == 0)
        loop_del(&s->control); /* the port is gone */
}

static void session_on_control(struct loop_fd *lf, u32 events)
{
    session_read(container_of(lf, struct session, control));
}

/* A guest that does not listen gets no more: its pipe is full. */
static void session_tell(struct session *s, enum host_to_guest type, u32 a,
                         u32 b)
{
    u8 m[sizeof(struct guest_message)] = {0};

    le32_put(m, type);
    le32_put(m + 4, a);
    le32_put(m + 8, b);
    (void)!write(s->to_guest, m, sizeof(m));
}

/* ---- signals and the terminal's size ---------------------------------------
 */

/* Was a key pressed often enough? */
static bool session_key(struct session *s)
{
    u64 now = monotonic_ns(), first = s->keys_ns[SESSION_KEYS - 2];

    memmove(s->keys_ns + 1, s->keys_ns, sizeof(s->keys_ns) - sizeof(u64));
    s->keys_ns[0] = now;
    return first && now - first < SESSION_KEYS_NS;
}

bool session_signal(struct session *s, int sig)
{
    bool enough = false;

    if (!s->started || s->ended)
        return false;
    if (sig == SIGINT || sig == SIGQUIT) {
        enough = session_key(s);
    } else if (sig == SIGTERM || sig == SIGHUP) {
        enough = s->asked;
        s->asked = true;
    }
    if (!enough)
        session_tell(s, GUEST_KILL, (u32)sig, 0);
    return !enough;
}

void session_resize(struct session *s)
{
    u16 cols, rows;

    if (s->cmd->tty && s->in && chr_window(s->in, &cols, &rows) == 0)
        session_tell(s, GUEST_WINDOW, cols, rows);
}

static void session_on_escape(void *ctx)
{
    struct session *s = ctx;

    power_end(s->env.power, POWER_ESCAPE, 0);
}

/* ---- the end ---------------------------------------------------------------
 */

void session_drain(struct session *s)
{
    if (s->draining)
        return;
    s->draining = true;
    console_drain(s->env.console, s->on_drained.fd);
}

bool session_drained(const struct session *s)
{
    return s->drained;
}

/* The last message may have come just before. */
static void session_on_drained(struct loop_fd *lf, u32 events)
{
    struct session *s = container_of(lf, struct session, on_drained);
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    session_read(s);
    s->drained = true;
    power_end(s->env.power, POWER_COMMAND, 0);
    loop_stop(s->env.loop);
}

bool session_ended(const struct session *s)
{
    return s->ended;
}

/* A command that succeeded, and whose output could not be kept, did not. */
static int session_exited(const struct session *s)
{
    int status = (int)(s->result.a & 0xff);

    if (status == 0 &&
        ((s->out && chr_error(s->out)) || (s->err && chr_error(s->err))))
        return STATUS_FAILURE;
    return status;
}

int session_status(const struct session *s)
{
    if (!s->ended)
        return STATUS_NO_STATUS;
    switch ((enum guest_to_host)s->result.type) {
    case GUEST_EXITED:
        return session_exited(s);
    case GUEST_SIGNALED:
        return STATUS_SIGNALED + (int)(s->result.a & 0x7f);
    case GUEST_NOT_FOUND:
        return STATUS_NOT_FOUND;
    case GUEST_NOT_RUN:
        return STATUS_NOT_RUN;
    default:
        return STATUS_NO_STATUS;
    }
}

enum record_reason session_reason(const struct session *s)
{
    if (s->result.type == GUEST_EXITED)
        return REASON_COMMAND_EXIT;
    return s->result.type == GUEST_SIGNALED ? REASON_COMMAND_SIGNAL
                                            : REASON_COMMAND_LOST;
}

static const char *session_step(u32 step)
{
    static const char *const text[] = {
        [GUEST_STEP_ORDERS] = "read its orders",
        [GUEST_STEP_MODULES] = "load a kernel module",
        [GUEST_STEP_ROOT] = "mount the root file system",
        [GUEST_STEP_MOUNTS] = "mount /proc, /sys and the like",
        [GUEST_STEP_NET] = "set up the network",
        [GUEST_STEP_TTY] = "make a terminal",
        [GUEST_STEP_USER] = "become the user",
        [GUEST_STEP_WORKDIR] = "enter the working directory",
        [GUEST_STEP_PORTS] = "open the ports of its console",
    };

    return step < ARRAY_SIZE(text) && text[step] ? text[step] : "start";
}

static bool session_lacks_user(u32 step)
{
    return step == GUEST_STEP_NO_USER || step == GUEST_STEP_NO_GROUP;
}

/* Lines of the guest's console, made safe to print. */
static void session_say_tail(const char *tail)
{
    char line[160];

    while (*tail) {
        size_t n = strcspn(tail, "\n"), len = MIN(n, sizeof(line) - 1);

        for (size_t i = 0; i < len; i++)
            line[i] = tail[i] < ' ' || tail[i] > '~' ? ' ' : tail[i];
        while (len > 0 && line[len - 1] == ' ')
            len--;
        line[len] = '\0';
        if (len > 0)
            log_error("guest: %s", line);
        tail += n + (tail[n] == '\n');
    }
}

static void session_say_lost(const struct session *s, const char *tail)
{
    log_error("%s: the guest ended before it did%s", s->cmd->argv[0],
              *tail ? "; the last lines of its console:" : "");
    session_say_tail(tail);
}

void session_say(const struct session *s, const char *tail)
{
    const struct guest_message *m = &s->result;
    const char *name = s->cmd->argv[0];
    int err = (int)(m->b & 0xffff);

    if (!s->ended) {
        session_say_lost(s, tail);
    } else if (m->type == GUEST_NOT_FOUND) {
        log_error("%s: not found in %s", name, s->cmd->root);
    } else if (m->type == GUEST_NOT_RUN) {
        err = (int)(m->a & 0xffff);
        log_error("%s: cannot be executed: %s (%s)", name, strerrordesc_np(err),
                  errno_name(err));
    } else if (m->type == GUEST_SETUP_LOST && session_lacks_user(m->a)) {
        log_error("%s: was not started: \"%s\": no such %s in %s", name,
                  s->cmd->user ? s->cmd->user : "0:0",
                  m->a == GUEST_STEP_NO_USER ? "user" : "group", s->cmd->root);
    } else if (m->type == GUEST_SETUP_LOST) {
        log_error("%s: was not started: the guest could not %s: %s (%s)", name,
                  session_step(m->a), strerrordesc_np(err), errno_name(err));
        if (m->a != GUEST_STEP_WORKDIR && m->a != GUEST_STEP_USER)
            session_say_tail(tail); /* what init has said of it */
    }
}

/* ---- life ------------------------------------------------------------------
 */

static int session_add(struct console_port *port, unsigned int *nr,
                       const char *name, const struct chr_streams *streams)
{
    struct console_port *p = &port[*nr];
    int r = chr_open_streams(&p->chr, streams);

    if (r < 0)
        return r;
    p->name = name;
    ++*nr;
    return 0;
}

/* Two pipes, for write(2) to a pipe takes a message or leaves it. */
static int session_open_control(struct session *s, struct console_port *port,
                                unsigned int *nr)
{
    int up[2], down[2], r;

    if (pipe2(up, O_CLOEXEC | O_NONBLOCK) < 0)
        return fail(-errno, "control port");
    s->control = (struct loop_fd){.fd = up[0], .fn = session_on_control};
    if (pipe2(down, O_CLOEXEC | O_NONBLOCK) < 0) {
        r = fail(-errno, "control port");
        close(up[1]);
        return r;
    }
    s->to_guest = down[1];
    r = session_add(
        port, nr, GUEST_PORT_CONTROL,
        &(struct chr_streams){
            .name = "control port", .in = down[0], .out = up[1], .own = true});
    if (r < 0) {
        close(up[1]);
        close(down[0]);
    }
    return r;
}

static int session_open_input(struct session *s, struct console_port *port,
                              unsigned int *nr)
{
    int r = session_add(
        port, nr, GUEST_PORT_IN,
        &(struct chr_streams){.name = "stdin", .in = STDIN_FILENO, .out = -1});

    if (r == 0)
        s->in = port[*nr - 1].chr;
    return r;
}

/* What is typed is the guest's, but for Ctrl-A x. */
static int session_set_raw(struct session *s)
{
    if (!isatty(STDIN_FILENO))
        return 0;
    chr_on_escape(s->in, session_on_escape, s);
    return chr_set_raw(s->in);
}

static int session_open_output(const struct chr **out, int fd,
                               struct console_port *port, unsigned int *nr)
{
    bool err = fd == STDERR_FILENO;
    int r = session_add(port, nr, err ? GUEST_PORT_ERR : GUEST_PORT_OUT,
                        &(struct chr_streams){.name = err ? "stderr" : "stdout",
                                              .in = -1,
                                              .out = fd,
                                              .output = true});

    if (r == 0)
        *out = port[*nr - 1].chr;
    return r;
}

int session_open(struct session **out, const struct command *cmd,
                 struct console_port port[static SESSION_PORT_MAX],
                 unsigned int *nr)
{
    struct session *s = calloc(1, sizeof(*s));
    int r = 0;

    *out = s;
    *nr = 0;
    if (!s)
        return fail(-ENOMEM, "session");
    s->cmd = cmd;
    s->control.fd = s->to_guest = s->on_drained.fd = -1;
    /* In this order the guest hears of them: when it knows that the others are
     * open, it also knows of a stdin that has ended already. */
    if (cmd->input)
        r = session_open_input(s, port, nr);
    if (r == 0)
        r = session_open_control(s, port, nr);
    if (r == 0)
        r = session_open_output(&s->out, STDOUT_FILENO, port, nr);
    if (r == 0 && !cmd->tty)
        r = session_open_output(&s->err, STDERR_FILENO, port, nr);
    if (r == 0 && cmd->tty && s->in)
        r = session_set_raw(s);
    return r;
}

int session_start(struct session *s, const struct session_env *env)
{
    int r;

    s->env = *env;
    s->on_drained = (struct loop_fd){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = session_on_drained};
    if (s->on_drained.fd < 0)
        return fail(-errno, "eventfd");
    r = loop_add(env->loop, &s->on_drained, EPOLLIN);
    return r < 0 ? r : loop_add(env->loop, &s->control, EPOLLIN);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    loop_del(&s->control);
    loop_del(&s->on_drained);
    if (s->control.fd >= 0)
        close(s->control.fd);
    if (s->to_guest >= 0)
        close(s->to_guest);
    if (s->on_drained.fd >= 0)
        close(s->on_drained.fd);
    free(s);
}
