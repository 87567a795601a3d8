/* SPDX-License-Identifier: Apache-2.0 */
/* passt_process.c: start passt(1) and stop it */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/log.h"

#include "passt_process.h"

#define STOP_MS    500
#define ARG_MAX_NR 64

/* Of the child: its socket, its stderr, and where it tells that exec failed.
 * All closed by exec, all above the numbers they are copied to. */
struct child_fds {
    int socket, err, status;
};

static void child_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* Three fixed descriptors; the status pipe stays open until exec. */
static int child_descriptors(struct child_fds *fds)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(fds->err, 2) < 0 || dup2(fds->socket, PASST_SOCKET_FD) < 0 ||
        dup3(fds->status, PASST_SOCKET_FD + 1, O_CLOEXEC) < 0)
        return -errno;
    fds->status = PASST_SOCKET_FD + 1;
    return close_range(PASST_SOCKET_FD + 2, ~0u, 0) < 0 ? -errno : 0;
}

/* Between fork and exec. A terminal's Ctrl-C is for mote, which then ends the
 * child in its own time; hence the process group. */
static void child_main(struct child_fds fds, pid_t parent, char *const argv[])
{
    static char *const env[] = {NULL};
    int r;

    child_signals();
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    r = getppid() == parent ? child_descriptors(&fds) : -ESRCH;
    if (r == 0) {
        execvpe(argv[0], argv, env);
        r = -errno;
    }
    (void)!write(fds.status, &r, sizeof(r));
    _exit(127);
}

/* Two ends of a socket or pipe; theirs clear of the child's numbers. */
static int process_pair(bool socket, int *ours, int *theirs)
{
    int fd[2], high;
    int r = socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd)
                   : pipe2(fd, O_CLOEXEC);

    if (r < 0)
        return -errno;
    high = fcntl(fd[1], F_DUPFD_CLOEXEC, 16);
    r = high < 0 ? -errno : 0;
    close(fd[1]);
    if (r < 0) {
        close(fd[0]);
        return r;
    }
    *ours = fd[0];
    *theirs = high;
    return 0;
}

static void process_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* 0 when exec has closed the pipe, else what went wrong before. */
static int process_status(int fd)
{
    int status = 0;
    ssize_t n;

    do {
        n = read(fd, &status, sizeof(status));
    } while (n < 0 && errno == EINTR);
    return n == sizeof(status) ? status : 0;
}

static void process_end(struct undo *u)
{
    pid_t pid = container_of(u, struct passt_process, undo)->pid;
    struct pollfd pfd = {.events = POLLIN};
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    kill(pid, SIGTERM);
    if (fd >= 0) {
        pfd.fd = fd;
        poll(&pfd, 1, STOP_MS);
        close(fd);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int process_fork(struct passt_process *p, struct child_fds *fds,
                        char *const argv[])
{
    pid_t parent = getpid();

    p->pid = fork();
    if (p->pid == 0)
        child_main(*fds, parent, argv);
    if (p->pid < 0)
        return -errno;
    undo_add(&p->undo, process_end);
    return 0;
}

static int process_start(struct passt_process *p, char *const argv[])
{
    struct child_fds fds = {-1, -1, -1};
    int r, status = -1;

    r = process_pair(true, &p->socket, &fds.socket);
    if (r == 0)
        r = process_pair(false, &p->err, &fds.err);
    if (r == 0)
        r = process_pair(false, &status, &fds.status);
    if (r == 0)
        r = process_fork(p, &fds, argv);
    process_close(&fds.socket);
    process_close(&fds.err);
    process_close(&fds.status);
    if (r == 0)
        r = process_status(status);
    process_close(&status);
    if (r == 0 && (fcntl(p->socket, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
                   fcntl(p->err, F_SETFL, O_RDONLY | O_NONBLOCK) < 0))
        r = -errno;
    if (r < 0)
        passt_process_stop(p);
    return r;
}

void passt_process_stop(struct passt_process *p)
{
    process_close(&p->socket);
    undo_now(&p->undo);
    process_close(&p->err);
}

/* The host's side of "tcp:[ADDRESS/]PORT:PORT". Guests' ports are 1..65535
 * too, but only passt needs them. */
static int process_parse_forward(const char *spec, struct sockaddr_in *host)
{
    const char *rest, *slash;
    char address[INET_ADDRSTRLEN] = "0.0.0.0";
    unsigned long from, to;
    char *end;

    if (strncmp(spec, "tcp:", 4) != 0 && strncmp(spec, "udp:", 4) != 0)
        return -EINVAL;
    rest = spec + 4;
    slash = strchr(rest, '/');
    if (slash) {
        if (slash - rest >= (ptrdiff_t)sizeof(address))
            return -EINVAL;
        snprintf(address, sizeof(address), "%.*s", (int)(slash - rest), rest);
        rest = slash + 1;
    }
    if (strspn(rest, "0123456789:") != strlen(rest))
        return -EINVAL;
    from = strtoul(rest, &end, 10);
    to = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
    if (*end || from < 1 || from > 65535 || to < 1 || to > 65535)
        return -EINVAL;
    *host = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((u16)from)};
    return inet_pton(AF_INET, address, &host->sin_addr) == 1 ? 0 : -EINVAL;
}

/* passt goes on without a port it could not have; mote's operator wants to
 * know. Somebody may take it in between, which is bad luck. */
static int process_check_forward(const char *spec)
{
    bool tcp = spec[0] == 't';
    struct sockaddr_in host;
    int fd, r, one = 1;

    if (process_parse_forward(spec, &host) < 0)
        return fail_rule(-EINVAL,
                         "forward \"%s\": write tcp:HOSTPORT:GUESTPORT or "
                         "udp:HOSTPORT:GUESTPORT",
                         spec);
    fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(-errno, "forward %s", spec);
    if (tcp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    r = bind(fd, (struct sockaddr *)&host, sizeof(host)) < 0 ? -errno : 0;
    close(fd);
    return r < 0
               ? fail(r, "forward %s: host port %u", spec, ntohs(host.sin_port))
               : 0;
}

struct passt_args {
    unsigned int nr;
    union { /* exec's type is older than const */
        const char *argv[ARG_MAX_NR];
        char *exec[ARG_MAX_NR];
    };
};

static void process_arg(struct passt_args *a, const char *option,
                        const char *value)
{
    if (!value)
        return;
    a->argv[a->nr++] = option;
    a->argv[a->nr++] = value;
}

/*
 * In the foreground, as our child; warnings on stderr. --no-map-gw: without
 * it the guest would reach what listens on the host's loopback address only.
 */
static int process_args(struct passt_args *a, const struct passt_options *opt)
{
    *a = (struct passt_args){
        .nr = 5,
        .argv = {opt->program ? opt->program : "passt", "--foreground",
                 "--stderr", "--quiet", "--no-map-gw"},
    };
    process_arg(a, "--fd", "3");
    process_arg(a, "--address", opt->address);
    process_arg(a, "--gateway", opt->gateway);
    process_arg(a, "--dns", opt->dns);
    for (unsigned int i = 0; opt->forward && opt->forward[i]; i++) {
        const char *spec = opt->forward[i];
        int r = process_check_forward(spec);

        if (r < 0)
            return r;
        if (a->nr + 3 > ARG_MAX_NR)
            return fail_rule(-E2BIG, "passt: too many ports to forward");
        process_arg(a, spec[0] == 't' ? "--tcp-ports" : "--udp-ports",
                    spec + 4);
    }
    return 0;
}

static int process_absent(const char *program)
{
    return fail(-ENOENT,
                "%s: user-mode networking needs it; the Debian package is "
                "passt",
                program);
}

/* As execvp() will, of a name without a slash. */
static int process_search(const char *program, char *path, size_t len)
{
    const char *dirs = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
    size_t n;

    for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs;
         dirs += dirs[n] ? n + 1 : n) {
        n = strcspn(dirs, ":");
        snprintf(path, len, "%.*s%s%s", (int)n, dirs, n ? "/" : "", program);
        if (access(path, X_OK) == 0)
            return 0;
    }
    return process_absent(program);
}

int passt_peek(const struct passt_options *opt, char *path, size_t len)
{
    struct passt_args args;
    int r = process_args(&args, opt);

    if (r < 0)
        return r;
    if (!strchr(args.argv[0], '/'))
        return process_search(args.argv[0], path, len);
    snprintf(path, len, "%s", args.argv[0]);
    if (access(path, X_OK) == 0)
        return 0;
    return errno == ENOENT ? process_absent(path) : fail(-errno, "%s", path);
}

int passt_process_start(struct passt_process *p,
                        const struct passt_options *opt)
{
    struct passt_args args;
    int r = process_args(&args, opt);

    *p = (struct passt_process){.socket = -1, .err = -1};
    if (r < 0)
        return r;
    r = process_start(p, args.exec);
    if (r == -ENOENT)
        return process_absent(args.argv[0]);
    return r < 0 ? fail(r, "%s", args.argv[0]) : 0;
}
