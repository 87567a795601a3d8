/* SPDX-License-Identifier: Apache-2.0 */
/* command.c: the command's streams, its process, its end */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "environment.h"
#include "say.h"
#include "tty.h"

#define COMMAND_FILES_SOFT 1024   /* what a login gives today; the kernel's */
#define COMMAND_FILES_HARD 524288 /* own is too small for some servers */

/* Ends that the command gets. With a terminal all three are the same. */
struct command_ends {
    int in, out, err;
    bool tty;
};

/* ---- in the new process ---------------------------------------------------
 */

static void command_fail(int report, enum guest_step step)
{
    const struct guest_message why = {
        .type = GUEST_SETUP_LOST, .a = step, .b = (u32)errno};

    (void)!write(report, &why, sizeof(why));
    _exit(125);
}

static void command_reset_signals(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int s = 1; s <= SIGRTMAX; s++)
        sigaction(s, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void command_take_ends(const struct command_ends *e, int report)
{
    setsid();
    if (e->tty && ioctl(e->in, TIOCSCTTY, 0) < 0)
        command_fail(report, GUEST_STEP_TTY);
    if (dup2(e->in, STDIN_FILENO) < 0 || dup2(e->out, STDOUT_FILENO) < 0 ||
        dup2(e->err, STDERR_FILENO) < 0)
        command_fail(report, GUEST_STEP_PORTS);
}

static void command_become(const struct orders *o, int report)
{
    const struct rlimit files = {COMMAND_FILES_SOFT, COMMAND_FILES_HARD};
    const struct user *u = &o->who;
    bool other = u->uid != 0 || u->gid != 0 || u->nr_groups > 0;

    setrlimit(RLIMIT_NOFILE, &files);
    if (other && (setgroups(u->nr_groups, u->groups) < 0 ||
                  setgid(u->gid) < 0 || setuid(u->uid) < 0))
        command_fail(report, GUEST_STEP_USER);
    if (o->workdir && chdir(o->workdir) < 0)
        command_fail(report, GUEST_STEP_WORKDIR);
}

static void command_run(const struct orders *o, const struct command_ends *e,
                        int report)
{
    struct guest_message why = {.type = GUEST_NOT_RUN};
    char **env = environment_complete(o);
    bool found = false;

    command_take_ends(e, report);
    command_reset_signals();
    command_become(o, report);
    command_execute(o->argv, env, &found);
    if (errno == ENOENT && !found)
        why.type = GUEST_NOT_FOUND;
    why.a = (u32)errno;
    (void)!write(report, &why, sizeof(why));
    _exit(127);
}

/* ---- in init --------------------------------------------------------------
 */

/* One end is the command's; the other is ours and does not block. The user that
 * the command runs as may open /dev/stdout again. */
static int command_pipe(int *theirs, int *ours, bool input, uid_t owner)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) < 0)
        return -errno;
    *theirs = fd[input ? 0 : 1];
    *ours = fd[input ? 1 : 0];
    if (fchown(*theirs, owner, (gid_t)-1) < 0 ||
        fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static int command_pipes(struct command *c, struct command_ends *e,
                         const struct orders *o)
{
    int r = command_pipe(&e->out, &c->out, false, o->who.uid);

    if (r == 0)
        r = command_pipe(&e->err, &c->err, false, o->who.uid);
    if (r == 0 && o->input)
        r = command_pipe(&e->in, &c->in, true, o->who.uid);
    else if (r == 0)
        e->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return r == 0 && e->in < 0 ? -errno : r;
}

/* The slave stays open here, so that output is never lost between two of its
 * users. Both pumps and the size have a descriptor of the master's each. */
static int command_terminal(struct command *c, struct command_ends *e,
                            const struct orders *o)
{
    struct tty t;
    int r = tty_open(&t, o->cols, o->rows, o->who.uid);

    if (r < 0)
        return r;
    e->in = e->out = e->err = t.slave;
    e->tty = true;
    c->terminal = t.master;
    c->out = fcntl(t.master, F_DUPFD_CLOEXEC, 0);
    c->in = o->input ? fcntl(t.master, F_DUPFD_CLOEXEC, 0) : -1;
    return 0;
}

static void command_close_ends(const struct command_ends *e)
{
    if (e->tty)
        return;
    close(e->in);
    close(e->out);
    close(e->err);
}

/* The new process's last word, which is none when it was replaced. */
static bool command_executed(int report, struct guest_message *why)
{
    return read(report, why, sizeof(*why)) != sizeof(*why);
}

static bool command_fork(struct command *c, const struct orders *o,
                         const struct command_ends *e,
                         struct guest_message *why)
{
    int report[2];
    bool ok = false;

    *why = (struct guest_message){.type = GUEST_NOT_RUN};
    if (pipe2(report, O_CLOEXEC) < 0) {
        why->a = (u32)errno;
        return false;
    }
    c->pid = fork();
    if (c->pid == 0)
        command_run(o, e, report[1]);
    why->a = (u32)errno;
    close(report[1]);
    if (c->pid > 0)
        ok = command_executed(report[0], why);
    close(report[0]);
    return ok;
}

bool command_start(struct command *c, const struct orders *o,
                   struct guest_message *why)
{
    struct command_ends e = {.in = -1, .out = -1, .err = -1};
    bool ok;
    int r;

    *c = (struct command){.in = -1, .out = -1, .err = -1, .terminal = -1};
    r = o->tty ? command_terminal(c, &e, o) : command_pipes(c, &e, o);
    if (r < 0) {
        *why = (struct guest_message){.type = GUEST_SETUP_LOST,
                                      .a = o->tty ? GUEST_STEP_TTY
                                                  : GUEST_STEP_PORTS,
                                      .b = (u32)-r};
        return false;
    }
    ok = command_fork(c, o, &e, why);
    command_close_ends(&e);
    return ok;
}

void command_reap(struct command *c)
{
    struct rusage usage;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        if (pid != c->pid)
            continue;
        c->pid = 0;
        c->status = status;
        c->usage = usage;
    }
}

void command_kill(const struct command *c, u32 signal)
{
    if (c->pid > 0 && signal >= 1 && signal <= (u32)SIGRTMAX)
        kill(-c->pid, (int)signal);
}
