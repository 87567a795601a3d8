/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox: what a process in the jail cannot do, and what its end is called */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/sandbox.h"
#include "mote/thread.h"
#include "sandbox/jail.h"

#include "capture.h"

/* What the monitor writes and the test reads. */
struct seen {
    struct sandbox_report report;
    int r; /* of sandbox_enter() */
    pid_t pid, sid;
    int entries, open_errno, mkdir_errno;
    int bound, caps, nnp, dumpable, securebits;
    u64 core, nofile;
    bool environment;
    unsigned int signals;
};

static struct seen *seen;

static void setup(void)
{
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seen, MAP_FAILED);
    capture_start();
}

typedef int monitor_fn(void); /* its result is the monitor's exit status */

static int split(const struct sandbox_config *c, monitor_fn *fn)
{
    pid_t self = getpid();
    int r = sandbox_enter(c);

    if (r == SANDBOX_OUTSIDE)
        return sandbox_wait();
    ck_assert_msg(getpid() != self, "%s", capture_text);
    if (r == 0)
        r = sandbox_seal(&seen->report);
    seen->r = r;
    _exit(r < 0 ? 99 : fn());
}

/* ---- from inside ----------------------------------------------------------
 */

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (!dir)
        return -errno;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static int look(void)
{
    struct rlimit lim;
    cap_t have = cap_get_proc(), none = cap_init();
    int fd;

    seen->pid = getpid();
    seen->sid = getsid(0);
    fd = open("/proc/self/status", O_RDONLY);
    seen->open_errno = fd < 0 ? errno : 0;
    seen->mkdir_errno = mkdir("/d", 0700) < 0 ? errno : 0;
    seen->entries = count_entries("/");
    for (cap_value_t i = 0; cap_get_bound(i) >= 0; i++)
        seen->bound += cap_get_bound(i);
    seen->caps = cap_compare(have, none);
    seen->nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    seen->dumpable = prctl(PR_GET_DUMPABLE);
    seen->securebits = prctl(PR_GET_SECUREBITS);
    getrlimit(RLIMIT_CORE, &lim);
    seen->core = lim.rlim_max;
    getrlimit(RLIMIT_NOFILE, &lim);
    seen->nofile = lim.rlim_max;
    seen->environment = environ && *environ;
    return 7;
}

/* Whatever the host gives, what is never optional holds. */
static void check_never_optional(void)
{
    ck_assert_int_eq(seen->r, 0);
    ck_assert_int_eq(seen->caps, 0);
    ck_assert_int_eq(seen->nnp, 1);
    ck_assert_int_eq(seen->dumpable, 0);
    ck_assert_int_eq(seen->sid, seen->pid);
}

static bool is_full(void)
{
    if (seen->report.level == SANDBOX_LEVEL_FULL)
        return true;
    unit_skip("userns", seen->report.missing);
    return false;
}

static void check_full(void)
{
    check_never_optional();
    if (!is_full())
        return;
    ck_assert_int_eq(seen->pid, 1);
    ck_assert_int_eq(seen->bound, 0);
    ck_assert_int_ne(seen->securebits, 0);
    ck_assert_int_ne(seen->open_errno, 0);
    ck_assert_int_ne(seen->mkdir_errno, 0);
    ck_assert_int_eq(seen->entries, -EACCES); /* by Landlock */
    ck_assert_uint_eq(seen->core, 0);
    ck_assert_uint_eq(seen->nofile, 1024);
    ck_assert(!seen->environment);
    ck_assert(seen->report.empty_root);
    ck_assert_int_ge(seen->report.landlock, 1);
}

START_TEST(test_full)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST};

    setenv("SECRET", "1", 1);
    ck_assert_int_eq(split(&c, look), 7);
    check_full();
    ck_assert_str_eq(getenv("SECRET"), "1"); /* the supervisor's is its own */
}
END_TEST

/* As root: the same for whom it becomes. */
START_TEST(test_uid)
{
    const struct sandbox_config c = {.uid = 65534, .gid = 65533};

    if (geteuid() != 0) {
        unit_skip("root", "only root can become another user");
        return;
    }
    ck_assert_int_eq(split(&c, look), 7);
    check_full();
}
END_TEST

/* And for whom it was all along. */
START_TEST(test_unprivileged)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST};

    if (geteuid() == 0)
        ck_assert_int_eq(
            setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534), 0);
    prctl(PR_SET_DUMPABLE, 1);
    ck_assert_int_eq(split(&c, look), 7);
    check_full();
}
END_TEST

START_TEST(test_sharednet)
{
    char none[] = "none";
    const struct sandbox_config c = {.netns = none};

    if (UNDER_TSAN) /* whose own thread shares this one's root directory */
        return;
    ck_assert_int_eq(split(&c, look), 7);
    check_never_optional();
    ck_assert(!(seen->report.namespaces & CLONE_NEWNET));
    ck_assert(seen->report.level != SANDBOX_LEVEL_FULL);
}
END_TEST

START_TEST(test_off)
{
    const struct sandbox_config c = {.require = SANDBOX_OFF};

    ck_assert_int_eq(split(&c, look), 7);
    check_never_optional();
    ck_assert_int_eq(seen->report.level, SANDBOX_LEVEL_OFF);
    ck_assert_int_eq(seen->open_errno, 0);
    ck_assert_uint_eq(seen->report.namespaces, 0);
}
END_TEST

/* ---- a host that refuses --------------------------------------------------
 */

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* A user namespace that has no others, for this process, which is nobody in
 * it. */
static bool refuse_userns(void)
{
    char map[32];
    cap_t none;
    int r;

    snprintf(map, sizeof(map), "0 %u 1", geteuid());
    if (unshare(CLONE_NEWUSER) < 0 || !write_text("/proc/self/uid_map", map) ||
        !write_text("/proc/sys/user/max_user_namespaces", "0"))
        return false;
    none = cap_init();
    r = cap_set_proc(none);
    cap_free(none);
    return r == 0;
}

START_TEST(test_lite)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST};

    if (!refuse_userns()) {
        unit_skip("userns", "no user namespace to refuse others in");
        return;
    }
    ck_assert_int_eq(split(&c, look), 7);
    check_never_optional();
    ck_assert_int_eq(seen->report.level, SANDBOX_LEVEL_LITE);
    ck_assert_uint_eq(seen->report.namespaces, 0);
    ck_assert_int_eq(seen->open_errno, EACCES);
    ck_assert_ptr_nonnull(
        strstr(seen->report.missing,
               "user namespaces: ENOSPC; user.max_user_namespaces is 0"));
}
END_TEST

START_TEST(test_full_refuses)
{
    const struct sandbox_config c = {.require = SANDBOX_FULL};

    if (!refuse_userns()) {
        unit_skip("userns", "no user namespace to refuse others in");
        return;
    }
    ck_assert_int_eq(split(&c, look), 99);
    ck_assert_int_eq(seen->r, -EPERM);
}
END_TEST

struct bad_case {
    struct sandbox_config c;
    const char *want;
};

static char absent[] = "/nowhere/ns", plain[] = "/proc/self/status";
static char no_cgroup[] = "/tmp";

static const struct bad_case bad_cases[] = {
    {{.netns = absent}, "sandbox.netns: /nowhere/ns: No such file"},
    {{.netns = plain}, "sandbox.netns: /proc/self/status: only root may join"},
    {{.cgroup = no_cgroup}, "sandbox.cgroup: /tmp is not a cgroup"},
    {{.cgroup = absent}, "sandbox.cgroup: /nowhere/ns: No such file"},
};

/* What was asked for by name is not done without. */
START_TEST(test_bad)
{
    const struct bad_case *t = &bad_cases[_i];
    pid_t self = getpid();
    int log[2], r;
    char text[512] = "";

    ck_assert_int_eq(pipe(log), 0);
    log_sink_set(NULL);
    dup2(log[1], STDERR_FILENO);
    r = sandbox_enter(&t->c);
    if (getpid() != self) /* on the way to the jail */
        _exit(0);
    ck_assert_int_lt(r, 0);
    ck_assert_int_ge(read(log[0], text, sizeof(text) - 1), 0);
    ck_assert_msg(strstr(text, t->want), "%s: %s", t->want, text);
}
END_TEST

/* ---- ends -----------------------------------------------------------------
 */

static int end_segv(void)
{
    volatile int *volatile bad = (volatile int *)8;

    return *bad;
}

static int end_abort(void)
{
    abort();
}

static int end_bus(void)
{
    void *p;
    int fd = memfd_create("hole", 0);

    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    return *(volatile int *)p;
}

static int end_sys(void)
{
    prctl(PR_SET_PDEATHSIG, 0);
    signal(SIGSYS, SIG_DFL);
    kill(getpid(), SIGSYS); /* ignored by the first process of a namespace */
    return 8;
}

static int end_filter(void)
{
    const struct filter_report r = {
        .kind = FILTER_BLK, .syscall = 101, .name = "blk0"};

    if (write(sandbox_report_fd(), &r, sizeof(r)) != sizeof(r))
        return 1;
    return STATUS_SECCOMP;
}

static int end_xfsz(void)
{
    int fd = memfd_create("big", 0);

    return pwrite(fd, "", 1, 4096) < 0 && errno == EFBIG ? 9 : 1;
}

struct end_case {
    monitor_fn *fn;
    int status;
    const char *text;
};

static const struct end_case end_cases[] = {
    {look, 7, ""},
    {end_segv, STATUS_SIGSEGV, "SIGSEGV on a main thread at mote+"},
    {end_segv, STATUS_SIGSEGV, "address 0x8;"},
    {end_bus, STATUS_SIGBUS, "SIGBUS on a main thread at mote+"},
    {end_abort, STATUS_BUG, "SIGABRT, sent to a main thread"},
    {end_sys, 8, ""},
    {end_filter, STATUS_SECCOMP, "seccomp: thread \"blk0\""},
    {end_xfsz, 9, ""},
};

START_TEST(test_end)
{
    const struct end_case *t = &end_cases[_i];
    const struct sandbox_config c = {.rlimits.fsize = 4096};
    int status;

    role_set(ROLE_MAIN);
    status = split(&c, t->fn);
    if (seen->report.level != SANDBOX_LEVEL_FULL && t->fn == end_sys)
        return;
    ck_assert_msg(status == t->status, "%d: %s", status, capture_text);
    ck_assert_msg(strstr(capture_text, t->text), "%s: %s", t->text,
                  capture_text);
    ck_assert(*t->text || !*capture_text);
}
END_TEST

/* ---- signals --------------------------------------------------------------
 */

/* From another process, when the monitor is there. */
static pid_t start_sender(int sig)
{
    pid_t to = getpid(), pid = fork();

    if (pid != 0)
        return pid;
    while (!*(volatile pid_t *)&seen->pid)
        usleep(1000);
    kill(to, sig);
    _exit(0);
}

static int wait_for_signals(void)
{
    const struct timespec ms = {.tv_nsec = 100 * 1000 * 1000};
    const int expected[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH};
    sigset_t set;
    int sig;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        sigaddset(&set, expected[i]);
    seen->pid = getpid();
    sig = sigwaitinfo(&set, NULL);
    seen->signals = sigtimedwait(&set, NULL, &ms) < 0 ? 1 : 2;
    return sig;
}

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH};

START_TEST(test_signal)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST};
    pid_t sender = start_sender(forwarded[_i]);

    ck_assert_int_eq(split(&c, wait_for_signals), forwarded[_i]);
    ck_assert_uint_eq(seen->signals, 1);
    waitpid(sender, NULL, 0);
}
END_TEST

static int wait_for_ever(void)
{
    seen->pid = getpid();
    while (pause() < 0)
        ;
    return 0;
}

/* The end of a pipe tells that its last holder, the monitor, is gone. */
START_TEST(test_supervisor_dies)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST};
    int held[2];
    pid_t supervisor;
    char byte;

    ck_assert_int_eq(pipe(held), 0);
    supervisor = fork();
    if (supervisor == 0) {
        close(held[0]);
        _exit(split(&c, wait_for_ever));
    }
    close(held[1]);
    while (!*(volatile pid_t *)&seen->pid)
        usleep(1000);
    kill(supervisor, SIGKILL);
    ck_assert_int_eq(read(held[0], &byte, 1), 0);
    waitpid(supervisor, NULL, 0);
}
END_TEST

static const int statuses[][2] = {
    {SIGBUS, 149},  {SIGSEGV, 150}, {SIGXFSZ, 151}, {SIGXCPU, 154},
    {SIGPIPE, 155}, {SIGHUP, 156},  {SIGILL, 157},  {SIGSYS, 148},
    {SIGABRT, 2},   {SIGKILL, 137}, {SIGFPE, 136},
};

START_TEST(test_statuses)
{
    ck_assert_int_eq(fault_status(statuses[_i][0]), statuses[_i][1]);
}
END_TEST

Suite *suite_sandbox(void);
Suite *suite_sandbox(void)
{
    Suite *s = suite_create("sandbox");
    TCase *tc = tcase_create("sandbox");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_uid);
    tcase_add_test(tc, test_unprivileged);
    tcase_add_test(tc, test_sharednet);
    tcase_add_test(tc, test_off);
    tcase_add_test(tc, test_lite);
    tcase_add_test(tc, test_full_refuses);
    tcase_add_loop_test(tc, test_bad, 0, ARRAY_SIZE(bad_cases));
    tcase_add_loop_test(tc, test_end, 0, ARRAY_SIZE(end_cases));
    tcase_add_loop_test(tc, test_signal, 0, ARRAY_SIZE(forwarded));
    tcase_add_test(tc, test_supervisor_dies);
    tcase_add_loop_test(tc, test_statuses, 0, ARRAY_SIZE(statuses));
    suite_add_tcase(s, tc);
    return s;
}
