/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: the host's clock in ticks, and how fast they go */
#include <cpuid.h>

#include "mote/clock.h"

#include "platform.h"

#define CLOCK_SETTLE_NS 3000000 /* 2 x 50 ns of reading: below 40 ppm */

/* LFENCE: time must not run backwards between vCPUs (SDM vol. 2B, RDTSC). */
static u64 clock_read_tsc(void)
{
    u32 lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (u64)hi << 32 | lo;
}

static u64 clock_read_wall(void)
{
    return clock_now_ns(CLOCK_REALTIME);
}

/* TSC and RAW at the same moment: the closest of a few tries, so that being
 * scheduled out in between does not spoil the pair. */
static void clock_read_pair(const struct clock *clk, u64 *ticks, u64 *ns)
{
    u64 best = ~0ull;

    for (int i = 0; i < 8; i++) {
        u64 t0 = clk->now();
        u64 raw = clock_now_ns(CLOCK_MONOTONIC_RAW);
        u64 t1 = clk->now();

        if (t1 - t0 >= best)
            continue;
        best = t1 - t0;
        *ticks = t0 + best / 2;
        *ns = raw;
    }
}

/* Is the host's TSC invariant? CPUID 0x80000007 EDX bit 8. */
static bool clock_host_invariant(void)
{
    u32 a, b, c, d;

    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}

void clock_init(struct clock *clk)
{
    bool tsc = clock_host_invariant();

    *clk = (struct clock){.now = tsc ? clock_read_tsc : monotonic_ns,
                          .wall_ns = clock_read_wall,
                          .hz = tsc ? 0 : NSEC_PER_SEC,
                          .host_tsc = tsc};
    clock_read_pair(clk, &clk->base, &clk->ref_ns);
}

/*
 * CPUID 15H would give the frequency too, but hypervisors leave it out and
 * 16H is rounded to MHz; measuring against the kernel's clock is always right.
 */
void clock_settle(struct clock *clk)
{
    u64 ticks, ns;

    if (clk->hz != 0)
        return;
    /* Not a sleep: that is in no thread's list, and the time has passed long
     * before when a kernel was loaded meanwhile. */
    do
        clock_read_pair(clk, &ticks, &ns);
    while (ns - clk->ref_ns < CLOCK_SETTLE_NS);
    clk->hz =
        (u64)((u128)(ticks - clk->base) * NSEC_PER_SEC / (ns - clk->ref_ns));
    clk->hz = MAX(clk->hz, 1000000ull); /* a stopped TSC is no 0 to divide by */
}

u64 clock_to_ns(const struct clock *clk, u64 ticks)
{
    return (u64)((u128)ticks * NSEC_PER_SEC / clk->hz);
}

u64 clock_to_ticks(const struct clock *clk, u64 ns)
{
    return (u64)(((u128)ns * clk->hz + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
}
