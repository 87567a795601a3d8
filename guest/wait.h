/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h: what appears by itself, and when to give up */
#ifndef MOTE_GUEST_WAIT_H
#define MOTE_GUEST_WAIT_H

#include <time.h>

#include "mote/base.h"

#define WAIT_HOST_MS                                                           \
    60000u /* for what a host, maybe a busy one, has to answer */
#define WAIT_DEVICE_MS 5000u /* for what a driver has found, or not */

static inline u64 wait_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/* Between two looks: devices come within a few milliseconds, or late. False
 * when it is later than until. */
static inline bool wait_a_little(u64 since, u64 until)
{
    u64 now = wait_now_ms();
    bool early = now - since < 100;
    struct timespec pause = {.tv_nsec = early ? 1000000 : 20000000};

    if (now >= until)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

#endif
