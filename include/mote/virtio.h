/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio.h: virtio devices on the MMIO transport (virtio 1.2, 4.2), as vm.c
 * sees them. Call order: a constructor, virtio_attach(), irq and notify
 * connected by the caller, virtio_start(); then guests drive it. virtio_stop()
 * when every vCPU has ended, virtio_free(). All on main.
 *
 * Each device has one thread and one epoll loop. Until DRIVER_OK a device is a
 * register file, served on vCPU threads under a lock that only they take; at
 * DRIVER_OK the device thread gets a checked copy of the queues.
 */
#ifndef MOTE_VIRTIO_H
#define MOTE_VIRTIO_H

#include "mote/bus.h"
#include "mote/filter.h"
#include "mote/irq.h"
#include "mote/limit.h"
#include "mote/mem.h"
#include "mote/power.h"

#define VIRTIO_MMIO_SIZE   0x1000
#define VIRTIO_MMIO_NOTIFY 0x50 /* QueueNotify, 4 bytes: the queue's index */
#define VIRTIO_VQ_MAX      18   /* queues of one device */

struct virtio_dev;
struct disk;
struct nic;
struct chr;

/*
 * Claim the register page at base on the bus and give the device its memory.
 * The caller then connects virtio_irq() to the device's GSI, and every
 * virtio_notify_fd() to the engine. 0 or a negative errno, already reported.
 */
int virtio_attach(struct virtio_dev *dev, struct mem *mem, struct bus *bus,
                  u64 base);
struct irq *virtio_irq(struct virtio_dev *dev);
unsigned int virtio_nr_vqs(const struct virtio_dev *dev);

/* Eventfd that means "queue q was notified"; the device's. Where the engine
 * does not catch the register write itself, the transport writes it. */
int virtio_notify_fd(const struct virtio_dev *dev, unsigned int q);

/* How long the device's thread looks out at most before it sleeps (poll.h); 0:
 * not at all, as before this call. Ignored by devices whose requests come one
 * by one. Before virtio_start(). */
void virtio_set_poll(struct virtio_dev *dev, u64 max_ns);

/* The kind of filter of the device's thread, and the thread's name. */
enum filter_kind virtio_filter(const struct virtio_dev *dev, const char **name);

/* Start the device's thread. After this nothing is allocated. */
int virtio_start(struct virtio_dev *dev);

/* Stop taking requests, wait for those in flight (at most timeout_ms), end the
 * thread. Flushes a disk. After virtio_ask_stop(), which does not wait, several
 * devices do that at the same time. */
void virtio_ask_stop(struct virtio_dev *dev);
void virtio_stop(struct virtio_dev *dev, unsigned int timeout_ms);
/* NULL is fine; backend included. False: its thread is stuck in there, and what
 * the device was made with must stay. */
bool virtio_free(struct virtio_dev *dev);

/* Let go of vCPUs that wait for a device to be opened; main, when the VM
 * ends. */
void virtio_release(struct virtio_dev *dev);

struct virtio_stats { /* any thread; counters since start */
    u64 requests;     /* chains popped */
    u64 bytes_in;     /* to the guest */
    u64 bytes_out;    /* from the guest */
    u64 errors;       /* requests answered with an error */
    u64 dropped;      /* net: frames; console: bytes */
    u64 wakeups;      /* of the device thread */
    bool broken;      /* DEVICE_NEEDS_RESET was set at least once */
};
void virtio_stats(const struct virtio_dev *dev, struct virtio_stats *out);

/*
 * What a kind of device counts for the metrics, in Firecracker's words; any
 * thread. group NULL: nothing.
 */
#define VIRTIO_COUNTERS 16
struct virtio_counters {
    const char *group; /* "block" */
    unsigned int nr;
    const char *const *name; /* "read_count" */
    u64 value[VIRTIO_COUNTERS];
};
void virtio_counters(const struct virtio_dev *dev, struct virtio_counters *out);

/* ---- devices: name becomes the thread's and the messages' -------------- */

/*
 * The host has failed a request. PAUSE: it is kept and the VM held until the
 * host has done it, which is tried every second and at each blk_look(). Only a
 * flush fails for good, since what it has lost no later one brings back.
 */
enum blk_error {
    BLK_REPORT, /* the guest sees an error */
    BLK_STOP,   /* it does, and the VM ends */
    BLK_PAUSE,
};

struct blk_options {
    const char *name;    /* drive_id */
    bool flush;          /* offer VIRTIO_BLK_F_FLUSH; false: cache Unsafe */
    unsigned int queues; /* 1..16 */
    struct limit_config limit;
    enum blk_error on_error;
    struct power *power; /* not needed for BLK_REPORT */
};
int blk_new(struct virtio_dev **out, struct disk *disk,
            const struct blk_options *opt); /* disk: ours on success */

/* The operator has made room, or changed the disk's size: look at once. From
 * blk_new() to virtio_free(), any thread; does not wait. */
void blk_look(struct virtio_dev *dev);

struct net_options {
    const char *name; /* iface_id */
    bool has_mac;
    u8 mac[6];
    u16 mtu; /* 0: not offered */
    struct limit_config rx, tx;
};
int net_new(struct virtio_dev **out, struct nic *nic,
            const struct net_options *opt); /* nic: ours on success */

/*
 * virtio-console: port 0 is hvc0, the others are /dev/vportNpM with a name.
 *
 * Bytes are never dropped on a named port: what the host does not take, or
 * nobody is connected for, stays in the guest's buffers, and its writers wait.
 * Linux waits for port 0's buffers with interrupts off, so there output is
 * dropped and counted while no client is connected, and when the reader takes
 * nothing for a second, until he does again. The other way a few KiB are read
 * ahead of the guest (for Ctrl-A x), and all else waits in the host's pipe or
 * socket. Only output that a host error swallows is lost on any port.
 */
#define CONSOLE_PORT_MAX 8
struct console_port {
    const char *name; /* NULL for port 0 */
    struct chr *chr;  /* ours on success */
};
int console_new(struct virtio_dev **out, const struct console_port *port,
                unsigned int nr_ports);

/*
 * Write one to the eventfd done_fd as soon as the host has taken all that the
 * guest has sent to named ports; their readers may be slow. Main, once the
 * device runs; does not wait.
 */
void console_drain(struct virtio_dev *dev, int done_fd);

/* The terminal of port 0 has another size; 0, 0: not known. From console_new()
 * to virtio_free(), any thread; does not wait. */
void console_resize(struct virtio_dev *dev, u16 cols, u16 rows);

int rng_new(struct virtio_dev **out, const struct limit_config *limit);

#endif
