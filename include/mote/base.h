/* SPDX-License-Identifier: Apache-2.0 */
/* base.h: fixed-width types and the few helpers every file uses */
#ifndef MOTE_BASE_H
#define MOTE_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned __int128 u128;
typedef __int128 s128;

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define GIB (1ull << 30)

#define PAGE_SIZE 4096ull

#define ARRAY_SIZE(a)   (sizeof(a) / sizeof((a)[0]))
#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)
#define NOINLINE        __attribute__((noinline))
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))

#define container_of(ptr, type, member)                                        \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b)                                                              \
    ({                                                                         \
        __typeof__(a) min_a = (a);                                             \
        __typeof__(b) min_b = (b);                                             \
        min_a < min_b ? min_a : min_b;                                         \
    })
#define MAX(a, b)                                                              \
    ({                                                                         \
        __typeof__(a) max_a = (a);                                             \
        __typeof__(b) max_b = (b);                                             \
        max_a > max_b ? max_a : max_b;                                         \
    })

/* Little-endian fields at any alignment, in buffers that are already ours. */
static inline u16 le16_get(const void *p)
{
    u16 v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline u32 le32_get(const void *p)
{
    u32 v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline u64 le64_get(const void *p)
{
    u64 v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void le16_put(void *p, u16 v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void le32_put(void *p, u32 v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void le64_put(void *p, u64 v)
{
    memcpy(p, &v, sizeof(v));
}

/* 2 n digits and no end. Where that is. */
static inline char *hex_put(char *to, const u8 *bytes, size_t n)
{
    static const char digit[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *to++ = digit[bytes[i] >> 4];
        *to++ = digit[bytes[i] & 15];
    }
    return to;
}

/* A counter that one thread adds to, and any may read: no locked instruction.
 */
static inline void counter_add(_Atomic(u64) *counter, u64 n)
{
    u64 v = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

/* Round up to a power of two; false when the sum does not fit. */
static inline bool align_up(u64 v, u64 to, u64 *out)
{
    if (__builtin_add_overflow(v, to - 1, out))
        return false;
    *out &= ~(to - 1);
    return true;
}

#endif
