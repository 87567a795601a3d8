/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_alone: a process that has locked itself in, and has its network */
#include <arpa/inet.h>
#include <dirent.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/sandbox.h"

#include "capture.h"

static struct seen {
    struct sandbox_report report;
    int begin, seal;
    bool files_between, files_behind;
    int entries, caps, bound, nnp, dumpable;
    int connect_errno, bind_errno;
    u64 nofile, core;
} * seen; /* what the child writes */

static struct sockaddr_in address; /* somebody listens there */

static int listen_somewhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(address);

    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return fd;
}

static void setup(void)
{
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seen, MAP_FAILED);
    capture_start();
}

static int count_entries(void)
{
    DIR *dir = opendir("/");
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static void look_at_network(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        seen->connect_errno = errno;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
        seen->bind_errno = errno;
}

static void look(void)
{
    cap_t have = cap_get_proc(), none = cap_init();
    struct rlimit lim;

    seen->caps = cap_compare(have, none);
    for (cap_value_t i = 0; cap_get_bound(i) >= 0; i++)
        seen->bound += cap_get_bound(i);
    seen->nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    seen->dumpable = prctl(PR_GET_DUMPABLE);
    seen->entries = count_entries();
    getrlimit(RLIMIT_NOFILE, &lim);
    seen->nofile = lim.rlim_max;
    getrlimit(RLIMIT_CORE, &lim);
    seen->core = lim.rlim_max;
    look_at_network();
}

static void run_alone(const struct sandbox_config *c)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        seen->begin = sandbox_alone_begin(c, &seen->report);
        seen->files_between = access("/proc/self/exe", R_OK) == 0;
        seen->seal = sandbox_alone_seal(c, true, &seen->report);
        seen->files_behind = access("/proc/self/exe", R_OK) == 0;
        look();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static void check_never_optional(void)
{
    ck_assert_int_eq(seen->begin, 0);
    ck_assert_int_eq(seen->seal, 0);
    ck_assert(seen->files_between);
    ck_assert_int_eq(seen->caps, 0);
    ck_assert_int_eq(seen->nnp, 1);
    ck_assert_int_eq(seen->dumpable, 0);
    ck_assert_int_eq(seen->connect_errno, 0);
}

START_TEST(test_full)
{
    const struct sandbox_config c = {.require = SANDBOX_BEST,
                                     .rlimits = {.nofile = 99}};
    const u32 want = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
                     CLONE_NEWCGROUP;
    int fd = listen_somewhere();

    run_alone(&c);
    close(fd);
    check_never_optional();
    if (seen->report.level != SANDBOX_LEVEL_SHAREDNET) {
        unit_skip("userns", seen->report.missing);
        return;
    }
    ck_assert_uint_eq(seen->report.namespaces, want);
    ck_assert(!seen->files_behind);
    ck_assert_int_le(seen->entries, 2); /* "." and ".." */
    ck_assert_int_eq(seen->bound, 0);
    ck_assert_uint_eq(seen->nofile, 99);
    ck_assert_uint_eq(seen->core, 0);
    if (seen->report.landlock >= 4)
        ck_assert_int_eq(seen->bind_errno, EACCES);
}
END_TEST

START_TEST(test_off)
{
    const struct sandbox_config c = {.require = SANDBOX_OFF};
    int fd = listen_somewhere();

    run_alone(&c);
    close(fd);
    check_never_optional();
    ck_assert_int_eq(seen->report.level, SANDBOX_LEVEL_OFF);
    ck_assert_uint_eq(seen->report.namespaces, 0);
    ck_assert(seen->files_behind);
    ck_assert_int_eq(seen->bind_errno, 0);
}
END_TEST

Suite *suite_sandbox_alone(void);
Suite *suite_sandbox_alone(void)
{
    Suite *s = suite_create("sandbox_alone");
    TCase *tc = tcase_create("alone");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_off);
    suite_add_tcase(s, tc);
    return s;
}
