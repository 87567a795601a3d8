/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rbdio.c: a drive's RBD disk without a VM: the device side, its worker and a
 * real cluster. Measures, or checks that no write is lost or torn.
 *
 * usage: rbdio [options] bench read|write SECONDS
 *        rbdio [options] verify SECONDS
 *        rbdio [options] open
 *   --mon HOST --user NAME --key FILE --pool P --image I [--snap S] [--clone]
 *   [--qd N] [--bs BYTES] [--lock exclusive|none|break] [--ro] [--timeout S]
 *   [--connect-timeout S] [--cache none|writethrough|writeback] [--fsid F]
 *   [--set OPTION=VALUE]...   of librados
 *
 * verify: every 4 KiB block carries its number and a sequence number. At the
 * end each block must hold the last one acknowledged, or a later one that was
 * submitted, and be whole.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/rbd.h"
#include "mote/thread.h"
#include "mote/undo.h"

#define QD_MAX     256
#define BLOCK      4096u
#define ERRORS_MAX 1000
#define VERIFY_MAX 16384u /* blocks that verify writes to: 64 MiB */

struct io {
    struct disk_req req;
    struct iovec iov;
    u64 block, started_ns;
    u32 seq;
};

static struct {
    struct disk *disk;
    struct loop loop;
    struct thread thread;
    bool verify, reading, write;
    unsigned int qd;
    size_t bs;
    u64 until_ns;
    u64 rng;
    u64 run; /* tells blocks of this run from others */

    _Atomic(bool) ready, lost;
    unsigned int in_flight;
    u64 done, errors, longest_ns;
    u32 seq, acked[VERIFY_MAX], sent[VERIFY_MAX];
    bool busy[VERIFY_MAX];
    u64 next_read, wrong, torn;
    struct io io[QD_MAX];
} t = {.qd = 8, .bs = BLOCK, .rng = 88172645463325252ull};

static u64 now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static u64 next_random(void)
{
    t.rng ^= t.rng << 13;
    t.rng ^= t.rng >> 7;
    t.rng ^= t.rng << 17;
    return t.rng;
}

static u64 verify_blocks(void)
{
    return MIN(t.disk->info.size / BLOCK, (u64)VERIFY_MAX);
}

/* ---- the pattern --------------------------------------------------------- */

static void fill(u8 *p, u64 block, u32 seq)
{
    for (unsigned int i = 0; i < BLOCK; i += 16) {
        le64_put(p + i, block);
        le64_put(p + i + 8, (u64)seq << 32 | t.run << 16 | i);
    }
}

/* The first one, with what is needed to see why. */
static void say_torn(const struct io *io, unsigned int at)
{
    const u8 *p = (const u8 *)io->iov.iov_base + at;

    if (t.torn++ == 0)
        fprintf(stderr,
                "rbdio: block %llu is torn at byte %u: it has block %llu, tag "
                "%#llx; this run's is %#x, sent %u, acked %u\n",
                (unsigned long long)io->block, at,
                (unsigned long long)le64_get(p),
                (unsigned long long)le64_get(p + 8), (unsigned int)t.run,
                t.sent[io->block], t.acked[io->block]);
}

static void check(const struct io *io)
{
    const u8 *p = io->iov.iov_base;
    u64 tag = le64_get(p + 8);
    u32 seq = (u32)(tag >> 32);

    if ((tag >> 16 & 0xffff) != t.run) { /* of an earlier run, or zeros */
        t.wrong += t.acked[io->block] > 0;
        return;
    }
    for (unsigned int i = 0; i < BLOCK; i += 16)
        if (le64_get(p + i) != io->block || le64_get(p + i + 8) != (tag | i)) {
            say_torn(io, i);
            return;
        }
    if (seq < t.acked[io->block] || seq > t.sent[io->block])
        t.wrong++;
}

/* ---- requests ------------------------------------------------------------ */

static void on_done(struct disk_req *req, int err);

static bool pick_write(struct io *io)
{
    do {
        io->block = next_random() % verify_blocks();
    } while (t.busy[io->block]);
    t.busy[io->block] = true;
    io->seq = ++t.seq;
    t.sent[io->block] = io->seq;
    fill(io->iov.iov_base, io->block, io->seq);
    return true;
}

/* False: nothing is left to do. A disk that has ended answers at once. */
static bool pick(struct io *io)
{
    if (t.errors >= ERRORS_MAX)
        return false;
    if (t.reading) {
        if (t.next_read >= verify_blocks())
            return false;
        io->block = t.next_read++;
        return true;
    }
    if (now_ns() >= t.until_ns)
        return false;
    if (t.verify)
        return pick_write(io);
    io->block = next_random() % (t.disk->info.size / t.bs);
    return true;
}

static void submit(struct io *io)
{
    if (!pick(io))
        return;
    io->iov.iov_len = t.bs;
    io->req = (struct disk_req){
        .op = t.reading || (!t.verify && !t.write) ? DISK_READ : DISK_WRITE,
        .off = io->block * t.bs,
        .len = t.bs,
        .iov = &io->iov,
        .nr_iov = 1,
        .done = on_done,
    };
    io->started_ns = now_ns();
    t.in_flight++;
    disk_submit(t.disk, &io->req);
}

static void submit_all(void)
{
    for (unsigned int i = 0; i < t.qd; i++)
        submit(&t.io[i]);
    disk_kick(t.disk);
}

static void phase_over(void)
{
    if (t.verify && !t.reading) {
        t.reading = true;
        submit_all();
        if (t.in_flight > 0)
            return;
    }
    loop_stop(&t.loop);
}

static void on_done(struct disk_req *req, int err)
{
    struct io *io = container_of(req, struct io, req);
    u64 ns = now_ns() - io->started_ns;

    t.in_flight--;
    if (err < 0)
        t.errors++;
    else if (t.reading)
        check(io);
    else if (t.verify)
        t.acked[io->block] = io->seq;
    if (!t.reading) {
        t.done++;
        t.longest_ns = MAX(t.longest_ns, ns);
    }
    if (t.verify && !t.reading)
        t.busy[io->block] = false;
    submit(io);
    if (t.in_flight == 0)
        phase_over();
}

/* After answers that came on the loop. */
static void on_answered(void *ctx)
{
    disk_kick(t.disk);
}

static void on_start(struct loop_call *call)
{
    if (t.disk->info.size == 0 || t.in_flight > 0)
        t.errors++;
    else
        submit_all();
    if (t.in_flight == 0)
        loop_stop(&t.loop);
    loop_done(&t.loop, call, 0);
}

static void on_resized(void *ctx)
{
    atomic_store(&t.ready, true);
}

static void on_lost(void *ctx)
{
    atomic_store(&t.lost, true);
}

static void run_loop(void *arg)
{
    loop_run(&t.loop);
}

/* ---- one run ------------------------------------------------------------- */

static int start(const struct drive_config *dc, const char *id)
{
    static const struct filter filter = {.kind = FILTER_BLK};
    static const struct sandbox_config sandbox = {.require = SANDBOX_BEST};
    int r = loop_init(&t.loop);

    if (r == 0)
        r = rbd_open(&t.disk, dc, id);
    if (r == 0)
        r = rbd_start(&sandbox);
    if (r < 0)
        return r;
    t.disk->resized = on_resized;
    t.disk->answered = on_answered;
    t.disk->lost = on_lost;
    for (unsigned int i = 0; i < QD_MAX; i++)
        t.io[i].iov.iov_base = aligned_alloc(4096, MAX(t.bs, (size_t)BLOCK));
    r = disk_attach(t.disk, &t.loop);
    return r < 0 ? r : thread_start(&t.thread, "rbd", &filter, run_loop, NULL);
}

static bool wait_ready(unsigned int seconds)
{
    for (unsigned int i = 0; i < seconds * 1000; i++) {
        if (atomic_load(&t.ready) || atomic_load(&t.lost))
            break;
        usleep(1000);
    }
    return atomic_load(&t.ready);
}

static int measure(unsigned int seconds)
{
    struct loop_call call = {.fn = on_start};
    u64 from = now_ns();
    double sec;

    t.run = from & 0xfff0;
    t.until_ns = from + seconds * 1000000000ull;
    loop_call(&t.loop, &call);
    thread_join(&t.thread);
    sec = (double)(MIN(now_ns(), t.until_ns) - from) / 1e9;
    printf("done %llu, errors %llu, %.0f/s, longest %.0f ms",
           (unsigned long long)t.done, (unsigned long long)t.errors,
           (double)t.done / sec, (double)t.longest_ns / 1e6);
    if (t.verify)
        printf(", lost %llu, torn %llu", (unsigned long long)t.wrong,
               (unsigned long long)t.torn);
    printf("\n");
    return t.wrong + t.torn > 0 ? 1 : 0;
}

static const struct option options[] = {
    {"mon", 1, 0, 'm'},
    {"user", 1, 0, 'u'},
    {"key", 1, 0, 'k'},
    {"pool", 1, 0, 'p'},
    {"image", 1, 0, 'i'},
    {"snap", 1, 0, 's'},
    {"clone", 0, 0, 'c'},
    {"qd", 1, 0, 'q'},
    {"bs", 1, 0, 'b'},
    {"lock", 1, 0, 'l'},
    {"ro", 0, 0, 'r'},
    {"timeout", 1, 0, 't'},
    {"cache", 1, 0, 'a'},
    {"fsid", 1, 0, 'f'},
    {"connect-timeout", 1, 0, 'o'},
    {"set", 1, 0, 'e'},
    {0},
};

static void add_option(struct rbd_config *rc, char *text)
{
    char *value = strchr(text, '=');

    if (!value || rc->nr_options == ARRAY_SIZE(rc->option))
        exit(2);
    *value = '\0';
    rc->option[rc->nr_options].name = text;
    rc->option[rc->nr_options].value = value + 1;
    rc->nr_options++;
}

static void set_option(struct drive_config *dc, int c)
{
    struct rbd_config *rc = &dc->rbd;

    switch (c) {
    case 'm':
        rc->mon_host[0] = optarg;
        break;
    case 'u':
        rc->user = optarg;
        break;
    case 'k':
        rc->key_file = optarg;
        break;
    case 'p':
        rc->pool = optarg;
        break;
    case 'i':
        rc->image = optarg;
        break;
    case 's':
        rc->snapshot = optarg;
        break;
    case 'c':
        rc->clone.given = true;
        break;
    case 'q':
        t.qd = (unsigned int)atoi(optarg);
        break;
    case 'b':
        t.bs = (size_t)atoi(optarg);
        break;
    case 'l':
        rc->lock = optarg[0] == 'e' ? 0 : optarg[0] == 'n' ? 1 : 2;
        break;
    case 'r':
        dc->read_only = true;
        break;
    case 't':
        rc->timeout_s = (unsigned int)atoi(optarg);
        break;
    case 'o':
        rc->connect_timeout_s = (unsigned int)atoi(optarg);
        break;
    case 'a':
        rc->cache = optarg[0] == 'n' ? 0 : optarg[5] == 't' ? 1 : 2;
        break;
    case 'f':
        rc->fsid = optarg;
        break;
    case 'e':
        add_option(rc, optarg);
        break;
    default:
        exit(2);
    }
}

static int run(int argc, char **argv)
{
    static char id[] = "rbdio", pool[] = "rbd";
    struct drive_config dc = {
        .id = id,
        .rbd = {.given = true, .pool = pool, .connect_timeout_s = 10}};
    const char *verb;
    int c, status = 1;

    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
        set_option(&dc, c);
    verb = optind < argc ? argv[optind] : "open";
    t.verify = strcmp(verb, "verify") == 0;
    t.write = t.verify || (optind + 1 < argc && argv[optind + 1][0] == 'w');
    t.qd = MIN(t.qd, (unsigned int)QD_MAX);
    if (start(&dc, NULL) == 0 && wait_ready(40)) {
        printf("size %llu%s\n", (unsigned long long)t.disk->info.size,
               t.disk->info.read_only ? ", read-only" : "");
        status = strcmp(verb, "open") == 0
                     ? 0
                     : measure((unsigned int)atoi(argv[argc - 1]));
    }
    undo_all();
    return status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "rbd-keeper") == 0)
        return rbd_keeper_main(atoi(argv[2]), atoi(argv[3]));
    if (argc == 4 && strcmp(argv[1], "rbd-worker") == 0)
        return rbd_worker_main(atoi(argv[2]), atoi(argv[3]));
    return run(argc, argv);
}
