/* SPDX-License-Identifier: Apache-2.0 */
/* inject.c: run a program whose system calls fail when a file says so */
/*
 * usage: inject RULES CALL[,CALL...] COMMAND [ARGUMENT...]
 *
 * The named calls stop in a seccomp filter and wait for a process beside the
 * program, which looks into the file RULES each time. The first line that fits
 * decides; without one the kernel does the call as if nothing had been.
 *
 *     WORD CALL ACTION      WORD is part of the path of the call's first
 *                           argument, a descriptor; CALL may be *
 *
 *     EIO, ENOSPC ...       it fails
 *     EINTR/2               every second one fails
 *     short                 a pwritev() or preadv() of its first half
 *     delay=MS              it begins so much later
 *     keep                  before it begins RULES.kept becomes what the file
 *                           is: all that a loss of power behind an fdatasync()
 *                           is sure to leave
 *
 * Filters of the program's own do not matter: a denial of theirs wins, what
 * they allow still comes here. The program keeps the process number.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATE_MAX 256

enum action { GO_ON, FAIL, SHORT, DELAY, KEEP };

struct rule {
    enum action action;
    int value; /* errno, or milliseconds */
    unsigned int every;
};

static struct {
    const char *rules;
    int listener;
    unsigned int calls;
    struct late {
        uint64_t id, at;
    } late[LATE_MAX];
} in;

static void die(const char *what)
{
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(125);
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- rules -------------------------------------------------------------- */

static int errno_of(const char *name)
{
    static const struct {
        const char *name;
        int err;
    } table[] = {
        {"EACCES", EACCES},     {"EAGAIN", EAGAIN}, {"EBADFD", EBADFD},
        {"EDQUOT", EDQUOT},     {"EINTR", EINTR},   {"EIO", EIO},
        {"EMFILE", EMFILE},     {"ENODEV", ENODEV}, {"ENOSPC", ENOSPC},
        {"ENETDOWN", ENETDOWN}, {"EPERM", EPERM},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].err;
    errno = EINVAL;
    die(name);
    return 0;
}

static struct rule rule_parse(char *text)
{
    struct rule rule = {.action = FAIL, .every = 1};
    char *slash = strchr(text, '/');

    if (strcmp(text, "short") == 0)
        return (struct rule){.action = SHORT, .every = 1};
    if (strcmp(text, "keep") == 0)
        return (struct rule){.action = KEEP, .every = 1};
    if (sscanf(text, "delay=%d", &rule.value) == 1)
        return (struct rule){DELAY, rule.value, 1};
    if (slash) {
        *slash = '\0';
        rule.every = (unsigned int)atoi(slash + 1);
    }
    rule.value = errno_of(text);
    return rule;
}

static struct rule rule_find(const char *path, const char *call)
{
    char line[512], word[128], name[64], action[64];
    struct rule rule = {.action = GO_ON};
    FILE *f = fopen(in.rules, "re");

    while (f && rule.action == GO_ON && fgets(line, sizeof(line), f))
        if (sscanf(line, "%127s %63s %63s", word, name, action) == 3 &&
            strstr(path, word) && (*name == '*' || strcmp(name, call) == 0))
            rule = rule_parse(action);
    if (f)
        fclose(f);
    return rule;
}

/* ---- answers ------------------------------------------------------------ */

static void answer(uint64_t id, int64_t val, int err, uint32_t flags)
{
    struct seccomp_notif_resp resp = {
        .id = id, .val = val, .error = -err, .flags = flags};

    /* It fails when the caller was killed meanwhile. */
    (void)seccomp_notify_respond(in.listener, &resp);
}

static void go_on(uint64_t id)
{
    answer(id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

static void go_on_later(uint64_t id, int ms)
{
    for (int i = 0; i < LATE_MAX; i++)
        if (!in.late[i].at) {
            in.late[i] = (struct late){id, now_ms() + (unsigned int)ms};
            return;
        }
    go_on(id);
}

/* Milliseconds until the next of them, -1: none. */
static int late_ones(void)
{
    uint64_t now = now_ms();
    int wait = -1;

    for (int i = 0; i < LATE_MAX; i++) {
        struct late *l = &in.late[i];

        if (l->at && l->at <= now) {
            go_on(l->id);
            l->at = 0;
        } else if (l->at && (wait < 0 || (int)(l->at - now) < wait)) {
            wait = (int)(l->at - now);
        }
    }
    return wait;
}

static int descriptor_of(pid_t pid, int fd)
{
    char path[64];
    int copy;

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
    copy = open(path, O_RDWR | O_CLOEXEC);
    return copy >= 0 ? copy : open(path, O_RDONLY | O_CLOEXEC);
}

/* Done here, with half of the first vector. */
static ssize_t do_half(const struct seccomp_notif *req, bool writes)
{
    struct iovec iov, local, remote = {(void *)req->data.args[1], sizeof(iov)};
    pid_t pid = (pid_t)req->pid;
    int fd = descriptor_of(pid, (int)req->data.args[0]);
    off_t off = (off_t)req->data.args[3];
    ssize_t n = -1;
    void *buf;

    local = (struct iovec){&iov, sizeof(iov)};
    if (fd < 0 || process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0)
        die("short");
    iov.iov_len = iov.iov_len > 1 ? iov.iov_len / 2 : iov.iov_len;
    buf = malloc(iov.iov_len);
    local = (struct iovec){buf, iov.iov_len};
    if (writes && process_vm_readv(pid, &local, 1, &iov, 1, 0) > 0)
        n = pwrite(fd, buf, iov.iov_len, off);
    if (!writes && (n = pread(fd, buf, iov.iov_len, off)) > 0)
        n = process_vm_writev(pid, &local, 1, &iov, 1, 0);
    free(buf);
    close(fd);
    return n;
}

/* In one step, so that a test can look at it at any time. */
static void keep(const struct seccomp_notif *req)
{
    int from = descriptor_of((pid_t)req->pid, (int)req->data.args[0]), to;
    char name[512], kept[512];
    off_t off = 0;

    snprintf(kept, sizeof(kept), "%s.kept", in.rules);
    snprintf(name, sizeof(name), "%s.keep", in.rules);
    to = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        die("keep");
    while (sendfile(to, from, &off, 1 << 30) > 0)
        ;
    close(from);
    close(to);
    if (rename(name, kept) < 0)
        die(kept);
}

static void serve(const struct seccomp_notif *req)
{
    char link[64], path[512] = "";
    char *call =
        seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, req->data.nr);
    struct rule rule;
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/%u/fd/%d", req->pid,
             (int)req->data.args[0]);
    n = readlink(link, path, sizeof(path) - 1);
    rule = n < 0 ? (struct rule){.action = GO_ON} : rule_find(path, call);
    if (rule.action == KEEP)
        keep(req);
    if (rule.action == GO_ON || rule.action == KEEP ||
        ++in.calls % rule.every != 0)
        go_on(req->id);
    else if (rule.action == DELAY)
        go_on_later(req->id, rule.value);
    else if (rule.action == FAIL)
        answer(req->id, 0, rule.value, 0);
    else if ((n = do_half(req, strncmp(call, "pwrite", 6) == 0)) < 0)
        answer(req->id, 0, errno, 0);
    else
        answer(req->id, n, 0, 0);
    free(call);
}

/* Until nobody is left whom the filter could stop. */
static void listen_for_ever(void)
{
    struct pollfd p = {.fd = in.listener, .events = POLLIN};
    struct seccomp_notif *req;

    if (seccomp_notify_alloc(&req, NULL) != 0)
        die("seccomp_notify_alloc");
    for (;;) {
        if (poll(&p, 1, late_ones()) < 0 && errno != EINTR)
            die("poll");
        if (p.revents & POLLHUP)
            exit(0);
        memset(req, 0, sizeof(*req));
        if (p.revents & POLLIN && seccomp_notify_receive(in.listener, req) == 0)
            serve(req);
    }
}

/* ---- start -------------------------------------------------------------- */

static int filter_load(char *calls)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    char *save = NULL;

    for (char *c = strtok_r(calls, ",", &save); c;
         c = strtok_r(NULL, ",", &save))
        if (seccomp_rule_add(ctx, SCMP_ACT_NOTIFY,
                             seccomp_syscall_resolve_name(c), 0) != 0) {
            errno = EINVAL;
            die(c);
        }
    if (seccomp_load(ctx) != 0)
        die("seccomp_load");
    return seccomp_notify_fd(ctx);
}

/* A process that shares our descriptors until exec(), and so gets the listener
 * by its mere number; nobody's child, so that the program knows none. The
 * number comes by memory: any call may wait for that process already. */
static void beside(const _Atomic(int) *listener)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

    if (pid < 0)
        die("clone");
    if (pid > 0) {
        waitpid(pid, NULL, 0);
        return;
    }
    if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) == 0) {
        setsid(); /* signals of a terminal, or of timeout, are not for us */
        for (int i = 0; !*listener && i < 5000; i++)
            usleep(1000);
        in.listener = *listener;
        listen_for_ever();
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    _Atomic(int) *listener =
        mmap(NULL, sizeof(*listener), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (argc < 4) {
        fprintf(stderr, "usage: inject RULES CALL[,CALL...] COMMAND ...\n");
        return 125;
    }
    in.rules = argv[1];
    if (listener == MAP_FAILED)
        die("mmap");
    beside(listener);
    *listener = filter_load(argv[2]);
    execvp(argv[3], argv + 3);
    die(argv[3]);
}
