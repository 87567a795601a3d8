/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console.c, console_port.c: chains of any size and contents on any queue,
 * while a terminal and the client of a named port talk, listen, come and go.
 * Input: a byte of features, then records: what happens, and to whom. Each
 * chain comes back once, with no more bytes than it has room for, and the
 * device always comes to rest.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "fuzz.h"
#include "virtio/console.h"
#include "virtio_driver.h"

#include "chr/impl.h"

#define EVENTS 4096u /* until the device sleeps: chains, bytes, messages */
#define GUARD  0xa5
#define NUM    16u  /* of a queue */
#define ROOM   600u /* of the host's ends: little, so that they are full */

static struct vdrv d;
static struct console *con;
static int keys, screen, client; /* client -1: not there */
static struct chr tty = {
    .mode = CHR_STDIO,
    .sock = {.listen_fd = -1, .spare_fd = -1, .client_fd = -1}};
static struct chr named = {
    .mode = CHR_UNIX,
    .in = {.fd = -1},
    .out = {.fd = -1},
    .sock = {.listen_fd = -1, .spare_fd = -1, .client_fd = -1}};

static struct offered { /* by queue and head */
    u64 gpa;
    u32 len;
    bool write;
} offered[6][NUM];

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

/* The terminal is two ends, as its descriptors are opened anew. */
static void fuzz_up(void)
{
    struct console_port port[2] = {{NULL, &tty}, {"port", &named}};
    struct virtio_dev *dev = NULL;
    int in[2], out[2];

    log_sink_set(fuzz_no_log);
    fuzz_pair(in, ROOM);
    fuzz_pair(out, ROOM);
    keys = in[1];
    screen = out[1];
    tty.in = (struct chr_end){.fd = in[0], .ready_fd = -1, .polls = true};
    tty.out = (struct chr_end){.fd = out[0], .ready_fd = -1, .polls = true};
    named.sock.listen_fd = fuzz_door();
    if (console_new(&dev, port, 2) < 0)
        abort();
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
    client = fuzz_call(named.sock.listen_fd, ROOM);
}

static void host_listens(int fd)
{
    static u8 buf[ROOM];

    while (recv(fd, buf, sizeof(buf), 0) > 0)
        ;
}

/* Bytes to the guest; what it has sent is taken, or left lying. */
static void host_talks(struct fuzz_input *in, bool at_tty, bool listens)
{
    size_t n = fuzz_take(in, 1);
    const u8 *bytes = fuzz_bytes(in, &n);

    if (!at_tty && client < 0)
        return;
    (void)!send(at_tty ? keys : client, bytes, n, MSG_NOSIGNAL);
    if (listens)
        host_listens(at_tty ? screen : client);
}

static void time_passes(void)
{
    fuzz_now += 2 * (u64)CONSOLE_PATIENCE_NS;
}

/* As vdrv_init(), with short queues. */
static void start(u64 features)
{
    must(vdrv_negotiate(&d, vdrv_offered(&d) & features));
    for (unsigned int i = 0; i < d.dev->nr_vqs; i++)
        vdrv_queue_up(&d, i, NUM);
    vdrv_write(&d, VDRV_STATUS,
               VDRV_S_ACK | VDRV_S_DRIVER | VDRV_S_FEATURES_OK |
                   VDRV_S_DRIVER_OK);
}

static void restart(u64 features)
{
    vdrv_reset(&d);
    assert(vdrv_read(&d, VDRV_STATUS) == 0); /* every chain came home */
    for (unsigned int q = 0; q < d.dev->nr_vqs; q++)
        assert(virtio_vq(d.dev, q)->inflight == 0);
    start(features);
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
        host_talks(in, kind & 8, kind & 16);
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
    int fd;

    vdrv_reset(&d);
    assert(vdrv_read(&d, VDRV_STATUS) == 0);
    client_goes();
    for (unsigned int turn = 0; turn < 2; turn++) {
        time_passes();
        host_listens(screen);
        for (unsigned int i = 0; i < con->nr_ports; i++) {
            con->port[i].stage_len = 0;
            port_watch(&con->port[i]);
        }
        fuzz_pump(&d.dev->loop, EVENTS);
    }
    while ((fd = accept4(named.sock.listen_fd, NULL, NULL, 0)) >= 0)
        close(fd);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, MIN(len, (size_t)2048)};
    u64 features;

    if (!con)
        fuzz_up();
    features = fuzz_take(&in, 1) & 1 ? ~0ull : ~CONSOLE_F_MULTIPORT;
    start(features);
    while (in.left > 0)
        happen(&in, features);
    fuzz_rest();
    return 0;
}
