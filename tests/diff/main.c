/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: how long, which cases, and what came of it */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "diff.h"
#include "mote/thread.h"

struct options {
    double seconds;
    u64 cases, bytes, seed, first, failures;
    bool one_batch, single, sequence;
    const char *corpus;
};

static volatile sig_atomic_t stopped; /* asked to, by a signal */

static void stop(int sig)
{
    stopped = 1;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void usage(void)
{
    fprintf(
        stderr,
        "usage: diff [-t SECONDS] [-n CASES] [-l STRINGS] [-s SEED] "
        "[-b BATCH]\n"
        "            [-k single|sequence] [-m 16|32|64] [-f FAILURES] [-x]\n"
        "            [-c CORPUS] [CASE...]\n");
    exit(2);
}

/* One line of a corpus, or an argument. */
static void run_line(const char *line)
{
    static struct solo s;

    if (!solo_parse(&s, line)) {
        fprintf(stderr, "diff: not a case: %.60s\n", line);
        totals.failed++;
        return;
    }
    if (s.c.mode == MODE_16 && native_no16)
        return;
    totals.cases++;
    if (!solo_fails(&s, true))
        return;
    solo_print(stderr, &s);
    totals.failed++;
}

static void run_corpus(const char *path)
{
    static char line[65536];
    FILE *f = fopen(path, "r");
    u64 was = totals.cases;

    if (!f) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof(line), f))
        if (*line != '#' && *line != '\n')
            run_line(line);
    fclose(f);
    printf("diff: %lu cases of %s\n", totals.cases - was, path);
}

static bool run_on(const struct options *o, double end)
{
    if (stopped || totals.failed >= o->failures)
        return false;
    return now() < end || (totals.cases < o->cases || totals.bytes < o->bytes);
}

/* A turn: two batches of single instructions, two of sequences, one of byte
 * strings, as long as there is need of them. */
static void run_turn(const struct options *o, u64 nr)
{
    bool timed = o->seconds > 0;

    for (u64 i = 2 * nr; i < 2 * nr + 2; i++) {
        if (o->single && (timed || totals.cases < o->cases))
            batch_run(SINGLE, o->seed, i);
        if (o->sequence && (timed || totals.cases < o->cases))
            batch_run(SEQUENCE, o->seed, i);
    }
    if (native_off)
        totals.bytes = o->bytes;
    else if (timed || totals.bytes < o->bytes)
        bytes_run(o->seed, nr);
}

static void run_random(const struct options *o)
{
    double end = now() + o->seconds;

    if (o->one_batch) {
        if (o->single)
            batch_run(SINGLE, o->seed, o->first);
        if (o->sequence)
            batch_run(SEQUENCE, o->seed, o->first);
        return;
    }
    for (u64 nr = 0; run_on(o, end); nr++)
        run_turn(o, nr);
}

static int parse_mode(const char *arg)
{
    unsigned long bits = strtoul(arg, NULL, 0);

    if (bits != 16 && bits != 32 && bits != 64)
        usage();
    return bits == 16 ? MODE_16 : bits == 32 ? MODE_32 : MODE_64;
}

static struct options parse(int argc, char **argv)
{
    struct options o = {
        .seed = 1, .failures = 20, .single = true, .sequence = true};
    int opt;

    while ((opt = getopt(argc, argv, "t:n:l:s:b:k:m:c:f:x")) != -1) {
        if (opt == 't')
            o.seconds = strtod(optarg, NULL);
        else if (opt == 'n')
            o.cases = strtoull(optarg, NULL, 0);
        else if (opt == 'l')
            o.bytes = strtoull(optarg, NULL, 0);
        else if (opt == 's')
            o.seed = strtoull(optarg, NULL, 0);
        else if (opt == 'c')
            o.corpus = optarg;
        else if (opt == 'f')
            o.failures = strtoull(optarg, NULL, 0);
        else if (opt == 'm')
            batch_mode = parse_mode(optarg);
        else if (opt == 'x')
            compare_strict = true;
        else if (opt == 'b') {
            o.one_batch = true;
            o.first = strtoull(optarg, NULL, 0);
        } else if (opt == 'k') {
            o.single = *optarg == 's' && optarg[1] == 'i';
            o.sequence = !o.single;
        } else
            usage();
    }
    return o;
}

/* The words for it in REQUIRE are "native" and "ldt". */
static bool may_skip(void)
{
    const char *require = getenv("REQUIRE"), *word = "native";

    if (native_no16) {
        word = "ldt";
        printf("skip - diff: no 16-bit code: modify_ldt: %s\n",
               strerror(shared->ldt));
    } else if (native_off && !native_sanitized) {
        printf("skip - diff: no code of programs at %#llx here; the tiers "
               "against each other\n",
               LOW);
    } else {
        return true;
    }
    return !require || !strstr(require, word);
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    double start = now();

    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    segs_start();
    if (native_start() < 0) {
        perror("diff");
        return 2;
    }
    totals.failed += !may_skip();
    guest_start();
    gen_start();
    if (o.corpus)
        run_corpus(o.corpus);
    for (int i = optind; i < argc; i++)
        run_line(argv[i]);
    run_random(&o);
    native_stop();
    guest_stop();
    printf("diff: seed %lu, %u forms, %lu cases (%lu faulted), %lu byte "
           "strings (%lu of hidden instructions), %lu strayed, %lu differ, "
           "%.0f s\n",
           o.seed, gen_count(), totals.cases, totals.faults, totals.bytes,
           totals.hidden, totals.strayed, totals.failed, now() - start);
    return totals.failed > 0;
}
