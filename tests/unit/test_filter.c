/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_filter.c: the filters, in a child for each try: what is forbidden ends
 * the process and is named, what is allowed passes. The conditions of every
 * rule are tried on both sides. Long because the matrix is a table.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/filter.h"
#include "mote/thread.h"

#include "sandbox/filter_table.h"

/* ---- the policy, as a table ---------------------------------------------- */

struct cond {
    unsigned int arg;
    u64 mask, value;
};

struct rule {
    enum filter_kind kind; /* begins a list, if call is NULL */
    const char *base_name; /* of the list it adds to */
    const char *call;
    long nr;
    int answer;
    struct cond cond[4]; /* mask 0 ends them */
};

#define SIGSETXID  33
#define FILL_FD(n) (704u + (n)) /* of the filters loaded here */
#define ARG(n, v)                                                              \
    {                                                                          \
        n, 0xffffffff, (unsigned int)(v)                                       \
    }
#define BITS(n, m, v)                                                          \
    {                                                                          \
        n, m, v                                                                \
    }
#define FD(n) ARG(0, FILL_FD(n))
#define FD_ANY                                                                 \
    {                                                                          \
        0, 0xfffffff8, FILL_FD(0)                                              \
    } /* all eight of them */
#define STDIN ARG(0, STDIN_FILENO)
#define TGID                                                                   \
    {                                                                          \
        0, 0xffffffff, ~0ull                                                   \
    } /* filled in */
#define CMD(c)           ARG(1, c)
#define OP(c)            ARG(1, c)
#define MODE(m)          ARG(1, m)
#define SIGNAL(s)        ARG(2, s)
#define KIND(k, n, l)    {.kind = FILTER_##k},
#define MORE(k, n, l, b) {.kind = FILTER_##k, .base_name = b},
#define ALLOW(c, w, ...) {.call = #c, .nr = SYS_##c, .cond = {__VA_ARGS__}},
#define ANSWER(c, e, w, ...)                                                   \
    {.call = #c, .nr = SYS_##c, .answer = e, .cond = {__VA_ARGS__}},

/* clang-format off */
static const struct rule rules[] = {
#include "sandbox/policy.def"

#include "sandbox/policy_worker.def"
};
/* clang-format on */

static pid_t own_pid; /* the child's */

static u64 cond_value(const struct cond *c)
{
    return c->value == ~0ull ? (u64)own_pid : c->value;
}

/* The list that a rule is in. */
static enum filter_kind rule_kind(size_t i)
{
    while (rules[i].call)
        i--;
    return rules[i].kind;
}

static bool rule_matches(const struct rule *r, long nr, const u64 *arg)
{
    if (!r->call || r->nr != nr)
        return false;
    for (const struct cond *c = r->cond; c->mask; c++) {
        if ((arg[c->arg] & c->mask) != cond_value(c))
            return false;
    }
    return true;
}

static bool in_list(enum filter_kind kind, long nr, const u64 *arg)
{
    const char *base = NULL;
    enum filter_kind now = FILTER_NONE;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (!rules[i].call && rules[i].kind == kind)
            base = rules[i].base_name;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (!rules[i].call)
            now = rules[i].kind;
        else if ((now == kind ||
                  (base && strcmp(filter_kind_name(now), base) == 0)) &&
                 rule_matches(&rules[i], nr, arg))
            return true;
    }
    return false;
}

/* ---- one try ------------------------------------------------------------- */

typedef void act_fn(const void *ctx);

struct outcome {
    int status; /* of waitpid() */
    struct filter_report report;
    bool reported;
};

static struct filter filter_of(enum filter_kind kind)
{
    struct filter f = {.kind = kind, .nr_fds = FILTER_FD_MAX};

    for (int i = 0; i < FILTER_FD_MAX; i++)
        f.fd[i] = (int)FILL_FD(i);
    return f;
}

static void try_child(enum filter_kind kind, enum filter_mode mode, int fd,
                      act_fn *act, const void *ctx)
{
    const struct filter f = filter_of(kind);

    own_pid = getpid();
    if (filter_init(mode, fd) < 0 || filter_load(&f, "victim") < 0)
        _exit(99);
    act(ctx);
    syscall(SYS_exit_group, 0);
}

static struct outcome try(enum filter_kind kind, enum filter_mode mode,
                          act_fn *act, const void *ctx)
{
    struct outcome o = {0};
    int fd[2];
    pid_t pid;

    ck_assert_int_eq(pipe(fd), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        try_child(kind, mode, fd[1], act, ctx);
    close(fd[1]);
    o.reported = read(fd[0], &o.report, sizeof(o.report)) == sizeof(o.report);
    close(fd[0]);
    ck_assert_int_eq(waitpid(pid, &o.status, 0), pid);
    return o;
}

static bool exited(const struct outcome *o, int status)
{
    return WIFEXITED(o->status) && WEXITSTATUS(o->status) == status;
}

/* A system call that fails by itself if it is let through: null pointers, no
 * descriptors. */
struct call {
    const char *name; /* as the report has it */
    long nr;
    u64 arg[6];
};

static void act_call(const void *ctx)
{
    const struct call *c = ctx;

    syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
            c->arg[5]);
}

/* ---- the denial matrix --------------------------------------------------- */

#define NO_FD         ((u64)-1)
#define FORBIDDEN_MIN 25u /* of each kind, sanitizers' calls left out */

/* clang-format off */
static const struct call forbidden[] = {
    {"open", SYS_open, {0}},
    {"openat", SYS_openat, {NO_FD}},
    {"openat2", SYS_openat2, {NO_FD}},
    {"creat", SYS_creat, {0}},
    {"unlink", SYS_unlink, {0}},
    {"rename", SYS_rename, {0}},
    {"chmod", SYS_chmod, {0}},
    {"symlink", SYS_symlink, {0}},
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM}},
    {"connect", SYS_connect, {NO_FD}},
    {"bind", SYS_bind, {NO_FD}},
    {"sendmsg", SYS_sendmsg, {NO_FD}},
    {"recvmsg", SYS_recvmsg, {NO_FD}},
    {"execve", SYS_execve, {0}},
    {"execveat", SYS_execveat, {NO_FD}},
    {"clone", SYS_clone, {0}},
    {"clone3", SYS_clone3, {0}},
    {"fork", SYS_fork, {0}},
    {"vfork", SYS_vfork, {0}},
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME}},
    {"process_vm_readv", SYS_process_vm_readv, {1}},
    {"process_vm_writev", SYS_process_vm_writev, {1}},
    {"kill", SYS_kill, {1, 0}},
    {"tkill", SYS_tkill, {1, 0}},
    {"tgkill", SYS_tgkill, {1, 1, THREAD_KICK}},
    {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {1}},
    {"pidfd_open", SYS_pidfd_open, {1}},
    {"pidfd_getfd", SYS_pidfd_getfd, {NO_FD}},
    {"setns", SYS_setns, {NO_FD}},
    {"unshare", SYS_unshare, {0}},
    {"mount", SYS_mount, {0}},
    {"umount2", SYS_umount2, {0}},
    {"pivot_root", SYS_pivot_root, {0}},
    {"chroot", SYS_chroot, {0}},
    {"bpf", SYS_bpf, {NO_FD}},
    {"userfaultfd", SYS_userfaultfd, {NO_FD}},
    {"perf_event_open", SYS_perf_event_open, {0}},
    {"keyctl", SYS_keyctl, {NO_FD}},
    {"io_uring_setup", SYS_io_uring_setup, {0}},
    {"io_uring_register", SYS_io_uring_register, {NO_FD}},
    {"memfd_create", SYS_memfd_create, {0}},
    {"dup", SYS_dup, {NO_FD}},
    {"dup2", SYS_dup2, {NO_FD, NO_FD}},
    {"fcntl", SYS_fcntl, {NO_FD, F_DUPFD}},
    {"ioctl", SYS_ioctl, {0, TIOCSTI}},
    {"ioctl", SYS_ioctl, {NO_FD, KVM_RUN}},
    {"ioctl", SYS_ioctl, {FILL_FD(0), KVM_CREATE_VM}},
    {"ioctl", SYS_ioctl, {FILL_FD(0), TUNSETIFF}},
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, NO_FD}},
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, NO_FD}},
    {"mprotect", SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}},
    {"pkey_mprotect", SYS_pkey_mprotect, {0, 0, PROT_EXEC}},
    {"remap_file_pages", SYS_remap_file_pages, {0}},
    {"prctl", SYS_prctl, {NO_FD}},
    {"arch_prctl", SYS_arch_prctl, {NO_FD}},
    {"seccomp", SYS_seccomp, {NO_FD}},
    {"rt_sigaction", SYS_rt_sigaction, {NO_FD}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, {NO_FD}},
    {"sigaltstack", SYS_sigaltstack, {0}},
    {"setuid", SYS_setuid, {NO_FD}},
    {"capset", SYS_capset, {0}},
    {"personality", SYS_personality, {0xffffffff}},
    {"modify_ldt", SYS_modify_ldt, {NO_FD}},
    {"init_module", SYS_init_module, {0}},
    {"kexec_load", SYS_kexec_load, {0, 17}},
    {"landlock_create_ruleset", SYS_landlock_create_ruleset, {0}},
    {"getpid", SYS_getpid, {0}},
    {"futex", SYS_futex, {0, FUTEX_CMP_REQUEUE_PI_PRIVATE}},
};
/* clang-format on */

static const enum filter_kind kinds[] = {
    FILTER_MAIN,
    FILTER_VCPU_KVM,
    FILTER_VCPU_SHADOW,
    FILTER_VCPU_INTERP,
    FILTER_BLK,
    FILTER_NET,
    FILTER_CONSOLE,
    FILTER_RNG,
    FILTER_RBD,
    FILTER_RBD_WORKER,
    FILTER_RBD_WORKER_WIDE,
    FILTER_ARCHIVE,
    FILTER_SUPERVISOR,
};

static bool is_worker(enum filter_kind kind)
{
    return kind == FILTER_RBD_WORKER || kind == FILTER_RBD_WORKER_WIDE;
}

/* Every list there is, so that a new one cannot be forgotten. */
START_TEST(test_kinds)
{
    unsigned int n = 0;

    for (int k = 0; k < FILTER_KINDS; k++)
        n += filter_table[k].name != NULL;
    ck_assert_uint_eq(n, ARRAY_SIZE(kinds));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ck_assert_ptr_nonnull(filter_table[kinds[i]].name);
        for (size_t j = 0; j < i; j++)
            ck_assert_int_ne(kinds[i], kinds[j]);
    }
}
END_TEST

/* What instrumented code may do besides is not denied there. */
static bool is_instrumented(enum filter_kind kind, const char *call)
{
    const char *name;
    bool instrumented = false;

    for (unsigned int i = 0; (name = filter_syscall(kind, i)) != NULL; i++)
        instrumented |= strcmp(name, "ptrace") == 0;
    for (size_t i = 0; instrumented && i < ARRAY_SIZE(rules); i++)
        if (rules[i].call && rule_kind(i) == FILTER_NONE &&
            strcmp(rules[i].call, call) == 0)
            return true;
    return false;
}

/* A worker has a network and starts threads; the supervisor opens files. */
static bool is_forbidden(enum filter_kind kind, const struct call *c)
{
    bool may = is_worker(kind) || kind == FILTER_SUPERVISOR;

    return !is_instrumented(kind, c->name) &&
           !(may && in_list(kind, c->nr, c->arg));
}

START_TEST(test_forbidden)
{
    enum filter_kind kind = kinds[_i];
    unsigned int tried = 0;

    for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
        const struct call *c = &forbidden[i];
        struct outcome o;

        if (!is_forbidden(kind, c))
            continue;
        tried++;
        o = try(kind, FILTER_ENFORCE, act_call, c);
        ck_assert_msg(exited(&o, STATUS_SECCOMP), "%s called %s: status %#x",
                      filter_kind_name(kind), c->name, o.status);
        ck_assert_msg(o.reported, "%s: no report", c->name);
        ck_assert_int_eq(o.report.kind, kind);
        ck_assert_uint_eq(o.report.arch, AUDIT_ARCH_X86_64);
        ck_assert_str_eq(o.report.name, "victim");
        ck_assert_pstr_eq(filter_syscall_name(o.report.syscall), c->name);
        ck_assert_mem_eq(o.report.arg, c->arg, sizeof(c->arg));
    }
    ck_assert_uint_ge(tried, FORBIDDEN_MIN);
}
END_TEST

/* getpid() of i386, and of x32. */
static void act_i386(const void *ctx)
{
    long nr = 20;

    __asm__ volatile("int $0x80" : "+a"(nr) : : "memory", "cc");
}

static void act_x32(const void *ctx)
{
    syscall(0x40000000 | SYS_getpid);
}

START_TEST(test_foreign)
{
    struct outcome o = try(kinds[_i], FILTER_ENFORCE, act_i386, NULL);

    /* A kernel without the i386 ABI raises SIGSEGV for int 0x80. */
    ck_assert(WIFSIGNALED(o.status));
    ck_assert(WTERMSIG(o.status) == SIGSYS || WTERMSIG(o.status) == SIGSEGV);
    o = try(kinds[_i], FILTER_ENFORCE, act_x32, NULL);
    ck_assert(WIFSIGNALED(o.status));
    ck_assert_int_eq(WTERMSIG(o.status), SIGSYS);
}
END_TEST

/* ---- every rule, on both sides of its conditions ------------------------- */

static struct call rule_call(const struct rule *r)
{
    struct call c = {r->call, r->nr, {NO_FD}};

    for (const struct cond *k = r->cond; k->mask; k++)
        c.arg[k->arg] = cond_value(k);
    return c;
}

static void act_rule(const void *ctx)
{
    const struct rule *r = ctx;
    struct call c = rule_call(r);

    act_call(&c);
}

/* rt_sigreturn takes its answer from the stack, so not without a signal. */
static void act_signal(const void *ctx)
{
    raise(SIGUSR1);
}

static void on_usr1(int sig)
{
}

static void check_allowed(enum filter_kind kind, const struct rule *r)
{
    struct outcome o;

    if (r->nr == SYS_rt_sigreturn) {
        o = try(kind, FILTER_LOG, act_signal, NULL);
        ck_assert(exited(&o, 0));
        return;
    }
    if (r->nr == SYS_clone) /* a thread on this one's stack; see below */
        return;
    if (r->nr == SYS_exit && UNDER_TSAN) /* whose own thread would stay */
        return;
    o = try(kind, FILTER_ENFORCE, act_rule, r);
    if (r->nr == SYS_exit_group || r->nr == SYS_exit)
        ck_assert(exited(&o, 0xff));
    else
        ck_assert_msg(exited(&o, 0), "%s: %s: status %#x",
                      filter_kind_name(kind), r->call, o.status);
}

struct edge {
    const struct rule *r;
    unsigned int arg;
    u64 flip;
};

static void act_edge(const void *ctx)
{
    const struct edge *e = ctx;
    struct call c = rule_call(e->r);

    c.arg[e->arg] ^= e->flip;
    act_call(&c);
}

/* One bit wrong, which no other rule of the list allows; of many bits some. */
static void check_edge(enum filter_kind kind, const struct rule *r,
                       const struct cond *k)
{
    unsigned int denied = 0;
    bool some = __builtin_popcountll(k->mask) > 8;

    for (unsigned int bit = 0; bit < 32; bit += some && bit >= 3 ? 7 : 1) {
        struct call c = rule_call(r);
        struct edge e = {r, k->arg, 1ull << bit};
        struct outcome o;

        c.arg[k->arg] ^= e.flip;
        if (!(k->mask & e.flip) || in_list(kind, c.nr, c.arg))
            continue;
        o = try(kind, FILTER_ENFORCE, act_edge, &e);
        ck_assert_msg(exited(&o, STATUS_SECCOMP),
                      "%s: %s: argument %u with bit %u wrong: status %#x",
                      filter_kind_name(kind), r->call, k->arg, bit, o.status);
        denied++;
    }
    ck_assert_uint_gt(denied, 0);
}

START_TEST(test_rules)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        enum filter_kind kind = rule_kind(i);

        if (!rules[i].call || kind != kinds[_i])
            continue;
        check_allowed(kind, &rules[i]);
        if (is_instrumented(kind, rules[i].call))
            continue;
        for (const struct cond *k = rules[i].cond; k->mask; k++)
            check_edge(kind, &rules[i], k);
    }
}
END_TEST

/* ioctl on a descriptor that was not given. */
START_TEST(test_no_fd)
{
    static const struct filter f = {.kind = FILTER_NET};
    const struct call c = {"ioctl", SYS_ioctl, {3, TUNSETOFFLOAD}};
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        filter_init(FILTER_ENFORCE, null);
        filter_load(&f, "net");
        act_call(&c);
        syscall(SYS_exit_group, 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), STATUS_SECCOMP);
}
END_TEST

/* ---- the rest ------------------------------------------------------------ */

/* The handler needs both, so a list without them would not name anything. */
START_TEST(test_lists)
{
    const struct filter_table *t = &filter_table[kinds[_i]];
    bool write = false, exit = false;
    const char *name;

    ck_assert_ptr_nonnull(t->name);
    for (unsigned int i = 0; (name = filter_syscall(kinds[_i], i)); i++) {
        write |= strcmp(name, "write") == 0;
        exit |= strcmp(name, "exit_group") == 0;
    }
    ck_assert(write && exit);
}
END_TEST

/* --seccomp=log: what would be denied is done. */
START_TEST(test_log)
{
    static const struct call c = {"getpid", SYS_getpid, {0}};
    struct outcome o = try(kinds[_i], FILTER_LOG, act_call, &c);

    ck_assert(exited(&o, 0));
    ck_assert(!o.reported);
    o = try(kinds[_i], FILTER_LOG, act_x32, NULL);
    ck_assert(WIFSIGNALED(o.status)); /* a foreign ABI is no lesson */
}
END_TEST

START_TEST(test_describe)
{
    struct filter_report r = {
        .kind = FILTER_BLK,
        .syscall = SYS_ptrace,
        .arg = {16, 0, ~0ull},
        .rip = 0x401234,
        .name = "blk0",
    };
    char buf[200], cut[12];

    filter_describe(&r, buf, sizeof(buf));
    ck_assert_str_eq(buf, "thread \"blk0\" (blk) called ptrace(0x10, 0x0, "
                          "0xffffffffffffffff, 0x0, 0x0, 0x0) at 0x401234");
    filter_describe(&r, cut, sizeof(cut));
    ck_assert_str_eq(cut, "thread \"blk");
    r.syscall = 9999;
    r.kind = 77;
    filter_describe(&r, buf, sizeof(buf));
    ck_assert_ptr_nonnull(strstr(buf, "(unfiltered) called system call 9999("));
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(filter_syscall_name(SYS_read), "read");
    ck_assert_str_eq(filter_syscall_name(SYS_openat2), "openat2");
    ck_assert_ptr_null(filter_syscall_name(-1));
    ck_assert_ptr_null(filter_syscall_name(1 << 20));
    ck_assert_str_eq(filter_kind_name(FILTER_VCPU_INTERP), "vcpu-interp");
    ck_assert_ptr_null(filter_syscall(FILTER_NONE, 0));
}
END_TEST

/* Without a supervisor the handler says it itself. */
START_TEST(test_said)
{
    static const struct call c = {"unshare", SYS_unshare, {0}};
    char buf[600] = "";
    int fd[2];
    pid_t pid;

    ck_assert_int_eq(pipe(fd), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(fd[1], STDERR_FILENO);
        try_child(FILTER_RNG, FILTER_ENFORCE, -1, act_call, &c);
    }
    close(fd[1]);
    ck_assert_int_gt(read(fd[0], buf, sizeof(buf) - 1), 0);
    ck_assert_ptr_nonnull(strstr(
        buf, "mote: seccomp: thread \"victim\" (rng) called unshare(0x0, "));
    ck_assert_int_eq(buf[strlen(buf) - 1], '\n');
    close(fd[0]);
    waitpid(pid, NULL, 0);
}
END_TEST

/* A thread has its filter before its function, and lies down behind it. */
static void thread_ends(void *arg)
{
    *(bool *)arg = true;
}

static void thread_unshares(void *arg)
{
    syscall(SYS_unshare, 0);
}

static void act_thread(void)
{
    const struct filter f = {.kind = FILTER_RNG};
    struct thread t;
    bool ran = false;

    if (filter_init(FILTER_ENFORCE, open("/dev/null", O_WRONLY)) < 0 ||
        thread_start(&t, "good", &f, thread_ends, &ran) < 0)
        _exit(98);
    thread_join(&t);
    if (!ran)
        _exit(97);
    if (thread_start(&t, "bad", &f, thread_unshares, NULL) < 0)
        _exit(96);
    thread_join(&t);
    _exit(0);
}

START_TEST(test_thread)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        act_thread();
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), STATUS_SECCOMP);
}
END_TEST

/* ---- a whole process ------------------------------------------------------
 */

static atomic_bool process_filtered;

/* Was there before the filter, and has all signals blocked, as librbd's. */
static void *process_thread(void *arg)
{
    const struct call *c = arg;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!atomic_load(&process_filtered))
        sched_yield();
    errno = 0;
    act_call(c);
    syscall(SYS_exit_group, errno);
    return NULL;
}

static void *process_nothing(void *arg)
{
    return NULL;
}

_Noreturn static void process_child(enum filter_kind kind, struct call *c,
                                    enum filter_mode mode)
{
    pthread_t t;

    atomic_store(&process_filtered, false);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (pthread_create(&t, NULL, process_thread, c) != 0 ||
        filter_load_process(FILTER_RBD_WORKER_WIDE, mode) < 0 ||
        (kind == FILTER_RBD_WORKER && filter_load_process(kind, mode) < 0))
        _exit(99);
    atomic_store(&process_filtered, true);
    pthread_join(t, NULL);
    _exit(98);
}

static int process_status(enum filter_kind kind, const struct call *c,
                          enum filter_mode mode)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct call copy = *c;

        process_child(kind, &copy, mode);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* clang-format off */
static const struct {
    struct call call;
    int want; /* errno; -1: the process is killed */
} process_rows[] = {
    {{"openat", SYS_openat, {NO_FD}}, ENOENT},
    {{"newfstatat", SYS_newfstatat, {NO_FD}}, ENOENT},
    {{"clone3", SYS_clone3, {0}}, ENOSYS},
    {{"socket", SYS_socket, {AF_INET, SOCK_DGRAM}}, EACCES},
    {{"socket", SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC}}, EACCES},
    {{"socket", SYS_socket, {AF_UNIX, SOCK_STREAM}}, EACCES},
    {{"socket", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}}, 0},
    {{"socket", SYS_socket, {AF_INET, SOCK_RAW}}, -1},
    {{"socket", SYS_socket, {AF_PACKET, SOCK_RAW}}, -1},
    {{"fcntl", SYS_fcntl, {0, F_SETOWN}}, -1},
    {{"fcntl", SYS_fcntl, {0, F_SETFL, 0}}, -1}, /* blocking */
    {{"prctl", SYS_prctl, {PR_SET_DUMPABLE}}, -1},
    {{"clone", SYS_clone, {SIGCHLD}}, -1},
    {{"clone", SYS_clone, {CLONE_NEWUSER}}, -1},
    {{"mmap", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, NO_FD}}, -1},
    {{"setsockopt", SYS_setsockopt, {NO_FD, SOL_SOCKET, SO_ATTACH_FILTER}}, -1},
    {{"epoll_create1", SYS_epoll_create1, {0}}, -1}, /* wide only */
    {{"seccomp", SYS_seccomp, {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC}}, -1},
    {{"execve", SYS_execve, {0}}, -1},
    {{"bind", SYS_bind, {NO_FD}}, -1},
    {{"listen", SYS_listen, {NO_FD}}, -1},
};
/* clang-format on */

START_TEST(test_process)
{
    const struct call *c = &process_rows[_i].call;
    int want = process_rows[_i].want, status;

    if (is_instrumented(FILTER_RBD_WORKER, c->name))
        return;
    status = process_status(FILTER_RBD_WORKER, c, FILTER_ENFORCE);
    if (want < 0)
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
                      "%s: status %#x", c->name, status);
    else
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == want,
                      "%s: status %#x", c->name, status);
}
END_TEST

static const enum filter_kind process_kinds[] = {FILTER_RBD_WORKER,
                                                 FILTER_RBD_WORKER_WIDE};

/* The matrix once more, as workers and "mote rbd-gc" load their lists. */
START_TEST(test_process_forbidden)
{
    enum filter_kind kind = process_kinds[_i];
    unsigned int tried = 0;

    for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
        const struct call *c = &forbidden[i];
        int status;

        if (!is_forbidden(kind, c))
            continue;
        tried++;
        status = process_status(kind, c, FILTER_ENFORCE);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
                      "%s called %s: status %#x", filter_kind_name(kind),
                      c->name, status);
    }
    ck_assert_uint_ge(tried, FORBIDDEN_MIN);
}
END_TEST

static void process_starts_thread(void)
{
    pthread_t t;

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (filter_load_process(FILTER_RBD_WORKER_WIDE, FILTER_ENFORCE) < 0 ||
        pthread_create(&t, NULL, process_nothing, NULL) != 0 ||
        filter_load_process(FILTER_RBD_WORKER, FILTER_ENFORCE) < 0)
        _exit(99);
    pthread_join(t, NULL);
    if (pthread_create(&t, NULL, process_nothing, NULL) != 0)
        _exit(98);
    pthread_join(t, NULL);
    syscall(SYS_exit_group, 0);
}

/* librbd's do, under each of both lists. */
START_TEST(test_process_threads)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        process_starts_thread();
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x",
                  status);
}
END_TEST

START_TEST(test_process_log)
{
    static const struct call c = {"bind", SYS_bind, {NO_FD}};
    int status = process_status(FILTER_RBD_WORKER, &c, FILTER_LOG);

    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), EBADF);
}
END_TEST

Suite *suite_filter(void);
Suite *suite_filter(void)
{
    Suite *s = suite_create("filter");
    TCase *tc = tcase_create("filter");
    int n = ARRAY_SIZE(kinds);

    signal(SIGUSR1, on_usr1);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_kinds);
    tcase_add_loop_test(tc, test_forbidden, 0, n);
    tcase_add_loop_test(tc, test_foreign, 0, n);
    tcase_add_loop_test(tc, test_rules, 0, n);
    tcase_add_loop_test(tc, test_lists, 0, n);
    tcase_add_loop_test(tc, test_log, 0, n);
    tcase_add_test(tc, test_no_fd);
    tcase_add_test(tc, test_describe);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_said);
    tcase_add_test(tc, test_thread);
    tcase_add_loop_test(tc, test_process, 0, ARRAY_SIZE(process_rows));
    tcase_add_loop_test(tc, test_process_forbidden, 0,
                        ARRAY_SIZE(process_kinds));
    tcase_add_test(tc, test_process_threads);
    tcase_add_test(tc, test_process_log);
    suite_add_tcase(s, tc);
    return s;
}
