/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.c: what filters cost: to load one of each kind, and per system call.
 * Each figure comes from children that load one filter: the least and the
 * median of them.
 */
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mote/filter.h"

#define RUNS  51
#define CALLS 200000

static double bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

typedef double bench_fn(enum filter_kind kind);

static void bench_load(enum filter_kind kind)
{
    const struct filter f = {.kind = kind, .nr_fds = 1, .fd = {-1}};

    if (filter_init(FILTER_ENFORCE, STDERR_FILENO) < 0 ||
        filter_load(&f, "bench") < 0)
        _exit(1);
}

/* Microseconds. */
static double bench_loading(enum filter_kind kind)
{
    const struct filter f = {.kind = kind};
    double start;

    if (filter_init(FILTER_ENFORCE, STDERR_FILENO) < 0)
        _exit(1);
    start = bench_now();
    if (filter_load(&f, "bench") < 0)
        _exit(1);
    return (bench_now() - start) / 1000;
}

/* Nanoseconds a call, which fails at once for want of a descriptor. */
static double bench_calls(long nr, unsigned long cmd)
{
    double start = bench_now();

    for (int i = 0; i < CALLS; i++)
        syscall(nr, -1, cmd, 0);
    return (bench_now() - start) / CALLS;
}

static double bench_plain(enum filter_kind kind)
{
    if (kind != FILTER_NONE)
        bench_load(kind);
    return bench_calls(SYS_write, 0);
}

static double bench_ioctl(enum filter_kind kind)
{
    if (kind != FILTER_NONE)
        bench_load(kind);
    return bench_calls(SYS_ioctl, KVM_RUN);
}

static int bench_order(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double bench_child(bench_fn *fn, enum filter_kind kind)
{
    double result = 0;
    int fd[2];
    pid_t pid;

    if (pipe(fd) < 0 || (pid = fork()) < 0)
        exit(1);
    if (pid == 0) {
        result = fn(kind);
        if (write(fd[1], &result, sizeof(result)) != sizeof(result))
            _exit(1);
        syscall(SYS_exit_group, 0);
    }
    if (read(fd[0], &result, sizeof(result)) != sizeof(result))
        exit(1);
    close(fd[0]);
    close(fd[1]);
    waitpid(pid, NULL, 0);
    return result;
}

static double bench_print(const char *what, const char *name, bench_fn *fn,
                          enum filter_kind kind, const char *unit)
{
    double result[RUNS];

    for (int i = 0; i < RUNS; i++)
        result[i] = bench_child(fn, kind);
    qsort(result, RUNS, sizeof(*result), bench_order);
    printf("%-24s %-12s %8.1f / %8.1f %s\n", what, name, result[0],
           result[RUNS / 2], unit);
    return result[0];
}

int main(void)
{
    double plain, ioctls;

    printf("least / median of %d\n", RUNS);
    for (enum filter_kind k = FILTER_MAIN; k < FILTER_KINDS; k++)
        if (filter_syscall(k, 0))
            bench_print("filter: load", filter_kind_name(k), bench_loading, k,
                        "us");
    plain = bench_print("filter: write, without", "", bench_plain, FILTER_NONE,
                        "ns");
    plain = bench_print("filter: write, with", "vcpu-kvm", bench_plain,
                        FILTER_VCPU_KVM, "ns") -
            plain;
    ioctls = bench_print("filter: ioctl, without", "", bench_ioctl, FILTER_NONE,
                         "ns");
    ioctls = bench_print("filter: ioctl, with", "vcpu-kvm", bench_ioctl,
                         FILTER_VCPU_KVM, "ns") -
             ioctls;
    printf("filter: added to a call: %.0f ns; to KVM_RUN: %.0f ns\n", plain,
           ioctls);
    return 0;
}
