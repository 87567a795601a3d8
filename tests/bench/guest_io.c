/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_io.c: disk and network benchmarks inside a guest, static. Prints for
 * tests/bench/lib.sh "BEGIN name", then "END name amount unit"; the host
 * divides by its own time between the two, since a guest without a good clock
 * source runs slow and would praise itself. What the host has counted and timed
 * itself is a "FIGURE name rate unit". usage: guest_io blk DEVICE MILLISECONDS
 * for each figure guest_io net ADDRESS MILLISECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_net.h"

#define DEPTH_MAX 32u
#define KIB       1024u
#define MIB       (1024u * KIB)

static void die(const char *what)
{
    printf("FAIL %s: %s\n", what, strerror(errno));
    exit(1);
}

static void say(const char *what, const char *name, double value,
                const char *unit)
{
    printf("%s %s %.6g %s\n", what, name, value, unit);
    fflush(stdout);
}

static void begin(const char *name)
{
    printf("BEGIN %s\n", name);
    fflush(stdout);
}

/* ---- disk ------------------------------------------------------------------
 */

struct load {
    const char *name;
    bool write, random;
    uint32_t size, depth;
};

static const struct load loads[] = {
    {"read_4k_qd1", false, true, 4 * KIB, 1},
    {"write_4k_qd1", true, true, 4 * KIB, 1},
    {"read_4k_qd32", false, true, 4 * KIB, 32},
    {"write_4k_qd32", true, true, 4 * KIB, 32},
    {"read_1m_qd1", false, false, MIB, 1},
    {"write_1m_qd1", true, false, MIB, 1},
    {"read_1m_qd32", false, false, MIB, 32},
    {"write_1m_qd32", true, false, MIB, 32},
};

struct disk {
    int fd;
    uint64_t size;
    uint64_t at;   /* next sequential offset */
    uint64_t seed; /* of the random ones */
    char *buf;     /* DEPTH_MAX * MIB */
};

/* Offset of the next request; xorshift for the random ones. */
static uint64_t next_offset(struct disk *d, const struct load *l)
{
    uint64_t blocks = d->size / l->size;

    if (!l->random)
        return (d->at++ % blocks) * l->size;
    d->seed ^= d->seed << 13;
    d->seed ^= d->seed >> 7;
    d->seed ^= d->seed << 17;
    return (d->seed % blocks) * l->size;
}

/* One request at a time, as most programs do. */
static uint64_t run_sync(struct disk *d, const struct load *l, uint64_t end)
{
    uint64_t n = 0;
    ssize_t r;

    do {
        uint64_t off = next_offset(d, l);

        r = l->write ? pwrite(d->fd, d->buf, l->size, (off_t)off)
                     : pread(d->fd, d->buf, l->size, (off_t)off);
        if (r != (ssize_t)l->size)
            die(l->name);
        n++;
    } while (bench_now() < end);
    return n;
}

static void submit(struct disk *d, const struct load *l, aio_context_t ctx,
                   struct iocb *cb[], long nr)
{
    for (long i = 0; i < nr; i++)
        cb[i]->aio_offset = (int64_t)next_offset(d, l);
    if (nr > 0 && syscall(SYS_io_submit, ctx, nr, cb) != nr)
        die("io_submit");
}

/* A full queue: whatever has come back goes out again. */
static uint64_t run_async(struct disk *d, const struct load *l, uint64_t end)
{
    struct iocb cb[DEPTH_MAX], *todo[DEPTH_MAX];
    struct io_event done[DEPTH_MAX];
    aio_context_t ctx = 0;
    uint64_t n = 0;
    long flying = l->depth, r;

    if (syscall(SYS_io_setup, l->depth, &ctx) < 0)
        die("io_setup");
    for (uint32_t i = 0; i < l->depth; i++) {
        cb[i] = (struct iocb){
            .aio_fildes = (uint32_t)d->fd,
            .aio_lio_opcode = l->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
            .aio_buf = (uintptr_t)d->buf + (uint64_t)i * l->size,
            .aio_nbytes = l->size,
            .aio_data = i,
        };
        todo[i] = &cb[i];
    }
    submit(d, l, ctx, todo, flying);
    while (flying > 0) {
        r = syscall(SYS_io_getevents, ctx, 1, l->depth, done, NULL);
        if (r < 0)
            die("io_getevents");
        for (long i = 0; i < r; i++) {
            if (done[i].res != (int64_t)l->size)
                die(l->name);
            todo[i] = &cb[done[i].data];
        }
        n += (uint64_t)r;
        if (bench_now() < end)
            submit(d, l, ctx, todo, r);
        else
            flying -= r;
    }
    syscall(SYS_io_destroy, ctx);
    return n;
}

static void run_load(struct disk *d, const struct load *l, uint64_t ns)
{
    uint64_t n;

    begin(l->name);
    n = l->depth == 1 ? run_sync(d, l, bench_now() + ns)
                      : run_async(d, l, bench_now() + ns);
    if (l->random)
        say("END", l->name, (double)n, "IOPS");
    else
        say("END", l->name, (double)n * l->size / 1e6, "MB/s");
}

static void bench_blk(const char *path, uint64_t ms)
{
    struct disk d = {.seed = 88172645463325252ull};

    d.fd = open(path, O_RDWR | O_DIRECT);
    if (d.fd < 0 || ioctl(d.fd, BLKGETSIZE64, &d.size) < 0)
        die(path);
    d.buf = mmap(NULL, DEPTH_MAX * MIB, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (d.buf == MAP_FAILED)
        die("mmap");
    for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
        run_load(&d, &loads[i], ms * 1000000u);
}

/* ---- network ---------------------------------------------------------------
 */

static struct sockaddr_in host;
static char net_buf[256 * KIB];

static int order(enum bench_kind kind, uint32_t ms, uint16_t port)
{
    struct bench_order o = {.kind = kind, .ms = ms, .port = port};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (void *)&host, sizeof(host)) < 0 ||
        send(fd, &o, sizeof(o), 0) != sizeof(o))
        die("connect");
    return fd;
}

/* The host's count of what we have sent. */
static void told(int fd, struct bench_count *c)
{
    shutdown(fd, SHUT_WR);
    if (recv(fd, c, sizeof(*c), MSG_WAITALL) != sizeof(*c))
        die("host's count");
}

static void tcp_to_host(uint32_t ms)
{
    int fd = order(TCP_TO_HOST, ms, 0);
    uint64_t end = bench_now() + ms * 1000000ull;
    struct bench_count c;

    while (bench_now() < end)
        if (send(fd, net_buf, sizeof(net_buf), 0) < 0)
            die("send");
    told(fd, &c);
    close(fd);
    say("FIGURE", "tcp_to_host", (double)c.n * 8 / (double)c.ns, "Gbit/s");
}

static void tcp_to_guest(uint32_t ms)
{
    uint64_t n = 0;
    ssize_t r;
    int fd;

    begin("tcp_to_guest");
    fd = order(TCP_TO_GUEST, ms, 0);
    while ((r = recv(fd, net_buf, sizeof(net_buf), 0)) > 0)
        n += (uint64_t)r;
    say("END", "tcp_to_guest", (double)n * 8 / 1e9, "Gbit/s");
    close(fd);
}

static void udp_to_host(uint32_t ms)
{
    int fd = order(UDP_TO_HOST, ms, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t end = bench_now() + ms * 1000000ull;
    struct bench_count c;

    if (connect(udp, (void *)&host, sizeof(host)) < 0)
        die("udp");
    while (bench_now() < end)
        for (int i = 0; i < 16; i++)
            send(udp, net_buf, BENCH_DATAGRAM, 0);
    told(fd, &c);
    close(udp);
    close(fd);
    say("FIGURE", "packets_to_host", (double)c.n / (double)c.ns * 1e6, "kpps");
}

/* Until the host closes the connection. */
static void udp_to_guest(uint32_t ms)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(BENCH_PORT)};
    int udp = socket(AF_INET, SOCK_DGRAM, 0), fd;
    struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
    uint64_t n = 0;

    if (bind(udp, (void *)&sa, sizeof(sa)) < 0 ||
        connect(udp, (void *)&host, sizeof(host)) < 0)
        die("udp");
    begin("packets_to_guest");
    fd = order(UDP_TO_GUEST, ms, BENCH_PORT);
    p[0].fd = udp;
    p[1].fd = fd;
    do {
        while (recv(udp, net_buf, sizeof(net_buf), MSG_DONTWAIT) > 0)
            if (++n % BENCH_TELL == 0)
                send(udp, &n, sizeof(n), 0);
        poll(p, 2, 1000);
    } while (p[0].revents || !p[1].revents);
    say("END", "packets_to_guest", (double)n / 1e3, "kpps");
    close(udp);
    close(fd);
}

static void bench_net(const char *address, uint32_t ms)
{
    host = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(BENCH_PORT)};
    inet_pton(AF_INET, address, &host.sin_addr);
    tcp_to_host(ms);
    tcp_to_guest(ms);
    udp_to_host(ms);
    udp_to_guest(ms);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "blk") == 0)
        bench_blk(argv[2], (uint64_t)atoi(argv[3]));
    else if (argc == 4 && strcmp(argv[1], "net") == 0)
        bench_net(argv[2], (uint32_t)atoi(argv[3]));
    else
        return fputs("usage: guest_io blk|net DEVICE|ADDRESS MS\n", stderr), 2;
    puts("DONE");
    return 0;
}
