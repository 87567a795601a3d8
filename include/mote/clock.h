/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: the kernel's clocks as one number. Any thread. */
#ifndef MOTE_CLOCK_H
#define MOTE_CLOCK_H

#include <time.h>

#include "mote/base.h"

/* Nanoseconds of that clock. */
static inline u64 clock_now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

/* Since some moment in the past, and never backwards. */
static inline u64 monotonic_ns(void)
{
    return clock_now_ns(CLOCK_MONOTONIC);
}

static inline u64 monotonic_ms(void)
{
    return monotonic_ns() / 1000000;
}

#endif
