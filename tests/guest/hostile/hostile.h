/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile.h: a freestanding guest that drives virtio devices over MMIO and
 * breaks one "driver MUST" of virtio 1.2 at a time. A test ends in a verdict;
 * then the device has to work again after a reset, and another device, which
 * nobody has touched, has to work all the time.
 */
#ifndef MOTE_TEST_HOSTILE_H
#define MOTE_TEST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIB           0x100000ull

#define RAM_END   (32 * MIB) /* as tests/guest/hostile/run starts mote */
#define MMIO_BASE 0xc0001000ull
#define MMIO_SIZE 0x1000ull

/* Registers, status, descriptors (virtio 1.2, 4.2.2, 2.1, 2.7.5). */
enum {
    R_MAGIC = 0x00,
    R_DEVICE_ID = 0x08,
    R_FEATURES = 0x10,
    R_FEATURES_SEL = 0x14,
    R_DRIVER_FEATURES = 0x20,
    R_DRIVER_FEATURES_SEL = 0x24,
    R_QUEUE_SEL = 0x30,
    R_QUEUE_MAX = 0x34,
    R_QUEUE_NUM = 0x38,
    R_QUEUE_READY = 0x44,
    R_NOTIFY = 0x50,
    R_ISR = 0x60,
    R_ACK = 0x64,
    R_STATUS = 0x70,
    R_DESC = 0x80,
    R_AVAIL = 0x90,
    R_USED = 0xa0,
    R_CONFIG = 0x100,

    S_ACK = 1,
    S_DRIVER = 2,
    S_DRIVER_OK = 4,
    S_FEATURES_OK = 8,
    S_NEEDS_RESET = 0x40,
    S_FAILED = 0x80,

    D_NEXT = 1,
    D_WRITE = 2,
    D_INDIRECT = 4,

    ID_NET = 1,
    ID_BLK = 2,
    ID_CONSOLE = 3,
    ID_RNG = 4,
};

#define F_INDIRECT  (1ull << 28)
#define F_EVENT_IDX (1ull << 29)
#define F_VERSION_1 (1ull << 32)

#define NUM        64u /* entries of a queue, if a test wants no other */
#define NUM_MAX    256u
#define QUEUES_MAX 6u

struct desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};

/* The other side reads and writes these at any time. */
struct avail {
    volatile u16 flags, idx, ring[NUM_MAX + 1];
};

struct used {
    volatile u16 flags, idx;
    volatile struct {
        u32 id, len;
    } ring[NUM_MAX];
};

struct queue {
    u32 num;
    u16 used_idx; /* next to look at */
    volatile struct desc *desc;
    struct avail *avail;
    struct used *used;
};

struct dev {
    u64 base;
    u32 id;
    u64 features; /* accepted */
    struct queue q[QUEUES_MAX];
};

/* What became of a rule broken: the standard's way is kept, the request is
 * answered with an error, the device asks for its reset. The rest is a bug. */
enum verdict { PASS, REJECT, NEEDS_RESET, SILENT, WRONG };

struct test {
    const char *name;
    enum verdict (*fn)(struct dev *d, u64 arg);
    u64 arg;
    bool cold;   /* begins after a reset, not with a running device */
    bool either; /* PASS and NEEDS_RESET are both right: it is a race */
};

struct suite {
    const char *name;
    u32 id;           /* of the devices it is for ... */
    unsigned int nth; /* ... and which of them */
    const struct test *test;
    size_t nr;
};
extern const struct suite transport_suite, rings_suite, blk_suite, async_suite,
    readonly_suite, net_suite, console_suite, rng_suite;

/* ---- driver.c ------------------------------------------------------------ */

/* Pages for buffers; nothing keeps a meaning from one test to the next. */
extern u8 scratch[16][4096];

u32 reg_read(const struct dev *d, u32 reg);
void reg_write(const struct dev *d, u32 reg, u32 val);
void reg_write64(const struct dev *d, u32 reg, u64 val); /* low, high */

void dev_init(struct dev *d, unsigned int slot); /* its memory */
u64 dev_offered(const struct dev *d);
void dev_accept(struct dev *d, u64 features);
bool dev_negotiate(struct dev *d, u64 features); /* up to FEATURES_OK */
void queue_set(struct dev *d, u32 i, u32 num);   /* all but QueueReady */
bool queue_ready(struct dev *d, u32 i);
void dev_ok(struct dev *d);

/* From reset to DRIVER_OK, with what is offered but EVENT_IDX and without. */
bool dev_up_without(struct dev *d, u64 without);
bool dev_reset(struct dev *d); /* false: it does not come to an end */

/* A chain in the descriptors from head on; n buffers. */
struct buf {
    const volatile void *at;
    u32 len;
    u16 flags;
};
void chain(struct queue *q, u16 head, const struct buf *buf, u16 n);
void publish(struct queue *q, u16 head);
void notify(const struct dev *d, u32 i);

/* The next used entry: PASS and its length, or what came instead of it. */
enum verdict wait_used(struct dev *d, u32 i, u32 *len);

/* NEEDS_RESET, even if requests are answered before; WRONG if it never comes.
 */
enum verdict wait_broken(struct dev *d);

/* chain(), publish(), notify(), wait_used() with descriptors from 0. */
enum verdict send(struct dev *d, u32 i, const struct buf *buf, u16 n, u32 *len);

/* ---- requests.c: one correct thing of each device ------------------------ */

enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, BLK_GET_ID = 8 };
struct blk_header {
    u32 type, reserved;
    u64 sector;
};
extern volatile struct blk_header blk_header;
extern volatile u8 blk_status;

/* Of an answer: status 0 is PASS, 1 and 2 are REJECT. */
enum verdict blk_verdict(enum verdict used);
enum verdict blk_request(struct dev *d, u32 type, u64 sector,
                         const struct buf *data);

bool works(struct dev *d); /* when it is up */

/* PASS if it does. */
static inline enum verdict still_works(struct dev *d)
{
    return works(d) ? PASS : WRONG;
}

u64 ticks(void);
void fill(volatile void *at, u8 byte, size_t len);

#endif
