/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_filter_paths.c: what filtered threads do so rarely, or on so few hosts,
 * that no VM's run shows it; tests/sandbox/filters counts rules here. Each in
 * a child, whose threads have their filters.
 */
#include <linux/falloc.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/loop.h"
#include "mote/thread.h"

#include "block/io.h"
#include "kvm/kvm.h"
#include "kvm_vm.h"

#define WAIT_MS 400

static const enum filter_kind kinds[] = {
    FILTER_MAIN,        FILTER_VCPU_KVM, FILTER_VCPU_SHADOW,
    FILTER_VCPU_INTERP, FILTER_BLK,      FILTER_NET,
    FILTER_CONSOLE,     FILTER_RNG,      FILTER_RBD,
};

static struct {
    struct lock lock;
    struct loop loop;
    enum filter_kind kind;
    struct tvm *vm;
    bool xsave2;
    int file;
} path;

/* stderr: a pipe, which has to be asked before a line is written. */
static void path_filters(void)
{
    const struct log_config log = {.level = LOG_INFO};
    int fd[2];

    if (pipe(fd) < 0 || dup2(fd[1], STDERR_FILENO) < 0 || log_open(&log) < 0 ||
        filter_init(FILTER_ENFORCE, -1) < 0)
        _exit(99);
}

/* A thread of the kind that runs fn in a filtered child; the child's status.
 * stopped: it is stopped and goes on while it waits. */
static int path_child(enum filter_kind kind, thread_fn *fn, bool stopped)
{
    const struct filter f = {.kind = kind, .nr_fds = 1, .fd = {path.file}};
    pid_t pid = fork();
    struct thread t;
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        path.kind = kind;
        lock_init(&path.lock);
        if (loop_init(&path.loop) < 0)
            _exit(98);
        path_filters();
        lock_take(&path.lock);
        if (thread_start(&t, filter_kind_name(kind), &f, fn, NULL) < 0)
            _exit(97);
        usleep(20000); /* it wants the lock */
        lock_drop(&path.lock);
        thread_join(&t);
        syscall(SYS_exit_group, 77); /* the thread should have */
    }
    if (stopped) {
        usleep(WAIT_MS * 1000 / 2);
        kill(pid, SIGSTOP);
        ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
        ck_assert(WIFSTOPPED(status));
        kill(pid, SIGCONT);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* A host whose clock the vDSO cannot read, a lock that another has, a line of
 * log, the handler's end. */
static void path_common(void *arg)
{
    struct timespec ts;
    u64 one = 1;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    lock_take(&path.lock);
    lock_drop(&path.lock);
    log_info("a filtered thread of kind %s says this",
             filter_kind_name(path.kind));
    (void)!write(path.loop.wake_fd, &one, sizeof(one));
    syscall(SYS_exit_group, 0);
}

START_TEST(test_common)
{
    int status = path_child(kinds[_i], path_common, false);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "%s: status %#x", filter_kind_name(kinds[_i]), status);
}
END_TEST

/* The timed wait of a reset, stopped and continued: nobody answers. */
static void path_wait(void *arg)
{
    struct loop_call call = {.done = false};
    int r = loop_wait(&path.loop, &call, WAIT_MS);

    syscall(SYS_exit_group, r == -ETIMEDOUT ? 0 : 96);
}

START_TEST(test_stopped)
{
    int status = path_child(kinds[_i], path_wait, true);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "%s: status %#x", filter_kind_name(kinds[_i]), status);
}
END_TEST

/* RDRAND as both engines' interpreters carry it out, PAUSE as one does. */
static void path_insns(void *arg)
{
    u64 val;

    if (getrandom(&val, sizeof(val), GRND_NONBLOCK) != sizeof(val))
        syscall(SYS_exit_group, 95);
    if (path.kind == FILTER_VCPU_INTERP)
        sched_yield();
    syscall(SYS_exit_group, 0);
}

START_TEST(test_insns)
{
    int status = path_child(kinds[_i], path_insns, false);

    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

/* A file's holes, where the plain engine asks for them. */
static void path_holes(void *arg)
{
    static const int mode[] = {FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE};

    for (size_t i = 0; i < ARRAY_SIZE(mode); i++)
        io_fallocate(path.file, mode[i] | FALLOC_FL_KEEP_SIZE, 0, 4096);
    syscall(SYS_exit_group, 0);
}

/* A tap's queue pairs on and off; of a file's, as only root may make one. */
static void path_queues(void *arg)
{
    struct ifreq ifr = {.ifr_flags = IFF_ATTACH_QUEUE};
    int r = ioctl(path.file, TUNSETQUEUE, &ifr);

    syscall(SYS_exit_group, r < 0 && errno == ENOTTY ? 0 : 93);
}

/* Main's heap grows while a kernel is unpacked; a large piece is a mapping. */
static void path_heap(void *arg)
{
    void *p[64];
    bool all = true;

    for (size_t i = 0; i < ARRAY_SIZE(p); i++)
        all &= (p[i] = malloc(i == 0 ? MIB : 100000)) != NULL;
    for (size_t i = 0; i < ARRAY_SIZE(p); i++)
        free(p[i]);
    syscall(SYS_exit_group, all ? 0 : 92);
}

static const struct {
    enum filter_kind kind;
    thread_fn *fn;
} only[] = {
    {FILTER_BLK, path_holes},
    {FILTER_NET, path_queues},
    {FILTER_MAIN, path_heap},
};

START_TEST(test_only)
{
    FILE *f = tmpfile();
    int status;

    ck_assert_ptr_nonnull(f);
    path.file = fileno(f);
    status = path_child(only[_i].kind, only[_i].fn, false);
    fclose(f);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "%s: status %#x", filter_kind_name(only[_i].kind), status);
}
END_TEST

/* The supervisor has one thread, and no locks to wait for. */
static void path_supervisor(void)
{
    static const struct filter f = {.kind = FILTER_SUPERVISOR};
    struct timespec ts;

    path_filters();
    if (filter_load(&f, "supervisor") < 0)
        _exit(91);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    log_info("the VM has ended, says the supervisor");
    path_heap(NULL);
}

START_TEST(test_supervisor)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        path_supervisor();
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x",
                  status);
}
END_TEST

/* A broken invariant is named as one, not as a denial. */
static void path_assert(void *arg)
{
    assert(path.file < 0);
}

START_TEST(test_assert)
{
    int status = path_child(kinds[_i], path_assert, false);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == STATUS_BUG,
                  "%s: status %#x", filter_kind_name(kinds[_i]), status);
}
END_TEST

/* ---- KVM ----------------------------------------------------------------- */

/* All state both ways, by either XSAVE call, and a report's bytes at RIP. */
static int path_move_state(struct tvm *t)
{
    const struct engine_ops *ops = t->engine->ops;
    struct kvm_vcpu *v = kvm_vcpu_of(t->vcpu[0]);
    struct kvm_translation tr = {.linear_address = TVM_CODE};
    const u32 parts = CPU_ALL & ~(u32)CPU_LAPIC;
    struct cpu_state s;
    int r = 0;

    for (int i = 0; i < 2 && r == 0; i++) {
        v->kvm->has_xsave2 = i == 1 && v->kvm->has_xsave2;
        kvm_state_forget(v);
        r = ops->get_state(t->vcpu[0], &s, parts);
        if (r == 0)
            r = ops->set_state(t->vcpu[0], &s, parts);
        v->kvm->has_xsave2 = path.xsave2;
    }
    return r == 0 && ioctl(v->fd, KVM_TRANSLATE, &tr) < 0 ? -errno : r;
}

static void path_kvm(void *arg)
{
    int r = path_move_state(path.vm);

    if (r == 0 && path.kind == FILTER_VCPU_SHADOW) {
        kvm_kick_out(kvm_vcpu_of(path.vm->vcpu[1]));
        r = kvm_page_tables_written(path.vm->engine) == 1 ? 0 : -EIO;
    }
    syscall(SYS_exit_group, r < 0 ? 94 : 0);
}

/* The shadow's list is tried on any KVM. */
static void path_kvm_child(enum filter_kind kind)
{
    struct thread t;
    struct filter f;
    struct kvm *k;

    path.kind = kind;
    path.vm = tvm_new(2);
    k = kvm_of(path.vm->engine);
    k->quirks.shadow = kind == FILTER_VCPU_SHADOW;
    path.xsave2 = k->has_xsave2;
    atomic_store(&kvm_vcpu_of(path.vm->vcpu[1])->tid, thread_id());
    path.vm->engine->ops->filter(path.vm->vcpu[0], &f);
    ck_assert_int_eq(f.kind, kind);
    path_filters();
    if (thread_start(&t, "vcpu0", &f, path_kvm, NULL) < 0)
        _exit(97);
    thread_join(&t);
    _exit(77);
}

START_TEST(test_kvm)
{
    pid_t pid;
    int status;

    if (!tvm_have_kvm())
        return;
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        path_kvm_child(kinds[_i]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "%s: status %#x", filter_kind_name(kinds[_i]), status);
}
END_TEST

Suite *suite_filter_paths(void);
Suite *suite_filter_paths(void)
{
    Suite *s = suite_create("filter_paths");
    TCase *tc = tcase_create("filter_paths");

    tcase_set_timeout(tc, 10);
    tcase_add_loop_test(tc, test_common, 0, ARRAY_SIZE(kinds));
    tcase_add_loop_test(tc, test_stopped, 0, 4); /* main and vCPUs */
    tcase_add_loop_test(tc, test_insns, 1, 4);   /* vCPUs */
    tcase_add_loop_test(tc, test_assert, 0, ARRAY_SIZE(kinds));
    tcase_add_loop_test(tc, test_only, 0, ARRAY_SIZE(only));
    tcase_add_test(tc, test_supervisor);
    tcase_add_loop_test(tc, test_kvm, 1, 3); /* KVM's */
    suite_add_tcase(s, tc);
    return s;
}
