/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jailcost.c: what the jail and the filters add to a start: from before the
 * monitor is forked until its three threads and main are filtered, beside the
 * same threads without any of it. Samples alternate. Prints one JSON object.
 * usage: jailcost [samples] [best|none]     default 200, in a network
 *                                           namespace of its own
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/sandbox.h"
#include "mote/thread.h"

#define SAMPLE_MAX 10000

/* Written by whoever is last, in another process. */
struct sample {
    u64 end_ns, jailed_ns;
    enum sandbox_level level;
};

static u64 now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static void idle(void *arg)
{
}

static void start_threads(void)
{
    static const struct filter kinds[] = {{.kind = FILTER_CONSOLE},
                                          {.kind = FILTER_BLK},
                                          {.kind = FILTER_VCPU_INTERP}};
    static const struct filter main_kind = {.kind = FILTER_MAIN};
    static struct thread thread[ARRAY_SIZE(kinds)];

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (thread_start(&thread[i], "bench", &kinds[i], idle, NULL) < 0)
            _exit(1);
    if (filter_load(&main_kind, "main") < 0)
        _exit(1);
}

/* In a process of its own; so is the monitor. */
static void run_sample(struct sample *s, const struct sandbox_config *c)
{
    struct sandbox_report report;
    int r = c ? sandbox_enter(c) : 0;

    if (c && r == 0)
        r = sandbox_seal(&report);
    if (r != 0)
        _exit(r == SANDBOX_OUTSIDE ? sandbox_wait() : 1);
    if (c) {
        s->jailed_ns = now_ns();
        s->level = report.level;
        r = filter_init(FILTER_ENFORCE, sandbox_report_fd());
    }
    start_threads();
    s->end_ns = now_ns();
    _exit(r < 0);
}

static u64 sample_us(struct sample *s, const struct sandbox_config *c,
                     u64 *jail_us)
{
    u64 from = now_ns();
    int status;
    pid_t pid;

    pid = fork();
    if (pid == 0)
        run_sample(s, c);
    waitpid(pid, &status, 0);
    if (pid < 0 || status != 0) {
        fprintf(stderr, "jailcost: a sample failed\n");
        exit(1);
    }
    *jail_us = (s->jailed_ns - from) / 1000;
    return (s->end_ns - from) / 1000;
}

static int compare(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;

    return (x > y) - (x < y);
}

static void print_figures(const char *name, u64 *us, unsigned int n)
{
    qsort(us, n, sizeof(*us), compare);
    printf(", \"%s_us\": {\"min\": %llu, \"median\": %llu}", name,
           (unsigned long long)us[0], (unsigned long long)us[n / 2]);
}

static unsigned int count_mounts(void)
{
    FILE *f = fopen("/proc/self/mountinfo", "r");
    unsigned int n = 0;
    int c;

    while (f && (c = getc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    unsigned int n = argc > 1 ? (unsigned int)atoi(argv[1]) : 200;
    char *netns = argc > 2 && strcmp(argv[2], "none") == 0 ? argv[2] : NULL;
    const struct sandbox_config c = {.netns = netns};
    static u64 with[SAMPLE_MAX], without[SAMPLE_MAX], jail[SAMPLE_MAX];
    struct sample *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long long added;
    u64 none;

    if (s == MAP_FAILED || n < 1 || n > SAMPLE_MAX)
        return 2;
    for (unsigned int i = 0; i < n; i++) {
        without[i] = sample_us(s, NULL, &none);
        with[i] = sample_us(s, &c, &jail[i]);
    }
    printf("{\"bench\": \"jail\", \"netns\": \"%s\", \"mounts\": %u, "
           "\"level\": \"%s\", \"samples\": %u",
           netns ? netns : "new", count_mounts(), sandbox_level_name(s->level),
           n);
    print_figures("without", without, n);
    print_figures("with", with, n);
    print_figures("jail_only", jail, n);
    added = (long long)with[n / 2] - (long long)without[n / 2];
    printf(", \"added_us\": {\"min\": %lld, \"median\": %lld}}\n",
           (long long)with[0] - (long long)without[0], added);
    return 0;
}
