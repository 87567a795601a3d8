/* SPDX-License-Identifier: Apache-2.0 */
/* console.c: chains of any size and contents on any queue, while a client
 * talks. Input: records of queue, length, flags, then as many bytes. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "mote/chr.h"
#include "virtio_driver.h"

/* A console with a named port, whose client is returned. */
static int fuzz_up(struct vdrv *d)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct console_port port[2] = {{NULL, NULL}, {"port", NULL}};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct virtio_dev *dev = NULL;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/mote-fuzz-%d",
             getpid());
    if (chr_open(&port[0].chr, CHR_OFF, NULL) < 0 ||
        chr_open(&port[1].chr, CHR_UNIX, addr.sun_path) < 0 ||
        console_new(&dev, port, 2) < 0 ||
        connect(fd, (const void *)&addr, sizeof(addr)) < 0)
        abort();
    vdrv_up(d, dev, ~0ull);
    return fd;
}

/* One chain of one buffer; what the device has given back is taken first. */
static void fuzz_chain(struct vdrv *d, unsigned int q, const u8 *buf, u32 len,
                       bool in)
{
    struct vdrv_buf b = {vdrv_alloc(d, len + 1), len, in};

    while (vdrv_poll(d, q, NULL) >= 0)
        ;
    if (d->q[q].nr_free == 0)
        return;
    memcpy(vdrv_ptr(d, b.gpa, len), buf, len);
    vdrv_add(d, q, &b, 1);
    vdrv_kick(d, q);
}

/* Until every notification has been looked at, or the device is silent. */
static void fuzz_settle(struct vdrv *d)
{
    for (unsigned int q = 0; q < virtio_nr_vqs(d->dev); q++) {
        struct pollfd p = {virtio_notify_fd(d->dev, q), POLLIN, 0};

        while (poll(&p, 1, 0) > 0 &&
               !(vdrv_read(d, VDRV_STATUS) & VDRV_S_NEEDS_RESET))
            sched_yield();
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct vdrv d;
    int fd;

    log_sink_set(fuzz_no_log);
    fd = fuzz_up(&d);
    for (u32 n; len > 3; data += 3 + n, len -= 3 + n) {
        n = MIN((u32)data[1], (u32)len - 3);
        if (data[2] & 2)
            (void)!send(fd, data + 3, n, MSG_NOSIGNAL);
        fuzz_chain(&d, data[0] % virtio_nr_vqs(d.dev), data + 3, n,
                   data[2] & 1);
    }
    fuzz_settle(&d);
    vdrv_write(&d, VDRV_STATUS, 0);
    assert(vdrv_read(&d, VDRV_STATUS) == 0); /* every chain came home */
    vdrv_down(&d);
    close(fd);
    return 0;
}
