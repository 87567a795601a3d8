/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console.c, console_port.c: chains of any size and contents on any queue,
 * while a terminal and the client of a named port talk, listen, come and go.
 * Input: a byte of features, then records: what happens, and to whom. Each
 * chain comes back once, with no more bytes than it has room for, and the
 * device always comes to rest.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "virtio/console.h"
#include "virtio_driver.h"

#include "chr_impl.h"

#define EVENTS 4096u /* until the device sleeps: chains, bytes, messages */
#define GUARD  0xa5

static struct vdrv d;
static struct console *con;
static int terminal, client; /* client -1: not there */
static struct chr tty = {
    .mode = CHR_STDIO,
    .sock = {.listen_fd = -1, .spare_fd = -1, .client_fd = -1}};
static struct sockaddr_un addr = {.sun_family = AF_UNIX};

static struct offered { /* by queue and head */
    u64 gpa;
    u32 len;
    bool write;
} offered[6][VDRV_NUM_MAX];

/* As vdrv_up(), but for the thread. */
static void attach(struct virtio_dev *dev)
{
    static const struct irq_ops irq_ops = {vdrv_irq_raise, vdrv_irq_lower};

    d = (struct vdrv){.dev = dev, .heap = VDRV_HEAP};
    bus_init(&d.bus);
    if (mem_new(&d.mem, VDRV_RAM) < 0 ||
        virtio_attach(dev, d.mem, &d.bus, VDRV_BASE) < 0)
        abort();
    *virtio_irq(dev) = (struct irq){.ops = &irq_ops, .ctx = &d, .fd = -1};
}

static void fuzz_up(void)
{
    struct console_port port[2] = {{NULL, &tty}, {"port", NULL}};
    struct virtio_dev *dev = NULL;
    char name[64];
    int fd[2];

    log_sink_set(fuzz_no_log);
    signal(SIGPIPE, SIG_IGN);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/mote-fuzz-%d",
             getpid());
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
        abort();
    terminal = fd[1];
    tty.in = (struct chr_end){.fd = fd[0], .polls = true};
    tty.out = tty.in;
    if (chr_open(&port[1].chr, CHR_UNIX, addr.sun_path) < 0 ||
        console_new(&dev, port, 2) < 0)
        abort();
    /* Clients find it without a name. */
    snprintf(name, sizeof(name), "/proc/self/fd/%d",
             open(addr.sun_path, O_PATH | O_CLOEXEC));
    unlink(addr.sun_path);
    memcpy(addr.sun_path, name, sizeof(name));
    con = container_of(dev, struct console, dev);
    attach(dev);
    client = -1;
}

/* What the device has given back. */
static void take_all(unsigned int q)
{
    u32 len;
    int head;

    while ((head = vdrv_poll(&d, q, &len)) >= 0) {
        struct offered *o = &offered[q][head];

        assert(len <= (o->write ? o->len : 0));
        assert(*(u8 *)vdrv_ptr(&d, o->gpa + o->len, 1) == GUARD);
    }
}

/* A chain of one buffer for the device to read, or to write. */
static void offer(struct fuzz_input *in, unsigned int q, bool write)
{
    size_t n = fuzz_take(in, 1) + 1;
    const u8 *bytes = write ? NULL : fuzz_bytes(in, &n);
    struct vdrv_buf b;

    take_all(q);
    if (d.q[q].nr_free == 0 || n == 0)
        return;
    b = (struct vdrv_buf){vdrv_alloc(&d, n + 1), (u32)n, write};
    if (!write)
        memcpy(vdrv_ptr(&d, b.gpa, n), bytes, n);
    *(u8 *)vdrv_ptr(&d, b.gpa + n, 1) = GUARD;
    offered[q][vdrv_add(&d, q, &b, 1)] = (struct offered){b.gpa, (u32)n, write};
    vdrv_kick(&d, q);
}

static void client_goes(void)
{
    if (client >= 0)
        close(client);
    client = -1;
}

static void client_comes(void)
{
    client_goes();
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(client, (const void *)&addr, sizeof(addr)) < 0)
        client_goes();
}

/* Bytes to the guest; what it has sent is taken, or left lying. */
static void host_talks(struct fuzz_input *in, int fd, bool listens)
{
    size_t n = fuzz_take(in, 1);
    const u8 *bytes = fuzz_bytes(in, &n);
    u8 buf[4096];

    if (fd < 0)
        return;
    (void)!send(fd, bytes, n, MSG_NOSIGNAL);
    while (listens && recv(fd, buf, sizeof(buf), 0) > 0)
        ;
}

static void time_passes(void)
{
    fuzz_now += 2 * (u64)CONSOLE_PATIENCE_NS;
    con->timer.fn(&con->timer, EPOLLIN);
}

static void restart(u64 features)
{
    vdrv_reset(&d);
    assert(vdrv_read(&d, VDRV_STATUS) == 0); /* every chain came home */
    for (unsigned int q = 0; q < d.dev->nr_vqs; q++)
        assert(virtio_vq(d.dev, q)->inflight == 0);
    vdrv_init(&d, features);
}

static void happen(struct fuzz_input *in, u64 features)
{
    u8 kind = (u8)fuzz_take(in, 1);

    switch (kind & 7) {
    case 0:
    case 1:
    case 2:
        offer(in, (kind >> 3) % d.dev->nr_vqs, kind & 1);
        break;
    case 3:
        if (kind & 8)
            client_comes();
        else
            client_goes();
        break;
    case 4:
        host_talks(in, kind & 8 ? terminal : client, kind & 16);
        break;
    case 5:
        time_passes();
        break;
    case 6:
        console_resize(d.dev, kind, (u16)fuzz_take(in, 2));
        break;
    case 7:
        if (kind & 8)
            restart(features);
        break;
    }
    fuzz_pump(&d.dev->loop, EVENTS);
}

/* Nothing of one run is left for the next, nor what was read ahead. */
static void fuzz_rest(void)
{
    u8 buf[4096];

    vdrv_reset(&d);
    assert(vdrv_read(&d, VDRV_STATUS) == 0);
    client_goes();
    while (recv(terminal, buf, sizeof(buf), 0) > 0)
        ;
    for (unsigned int turn = 0; turn < 2; turn++) {
        for (unsigned int i = 0; i < con->nr_ports; i++) {
            con->port[i].stage_len = 0;
            port_watch(&con->port[i]);
        }
        fuzz_pump(&d.dev->loop, EVENTS);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)2048)};
    u64 features;

    if (!con)
        fuzz_up();
    features = fuzz_take(&in, 1) & 1 ? ~0ull : ~CONSOLE_F_MULTIPORT;
    vdrv_init(&d, features);
    while (in.left > 0)
        happen(&in, features);
    fuzz_rest();
    return 0;
}
