/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alone.c: one vCPU alone, while the others are between two instructions, as
 * for a LOCK across pages. They are asked by attn, and it waits until each has
 * left: at the end of a block, in its sleep, or outside of a visit. Rare, and
 * a matter of microseconds; so all wait for one futex.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform.h"

#define ALONE_SPINS 500 /* some 10 us */

static bool alone_is_possible(const struct cpu *c)
{
    return c->machine && c->machine->nr_cpus > 1;
}

/* Mostly the other one is done in less time than a system call takes. */
static bool alone_spin(const _Atomic(u32) *until_0)
{
    for (unsigned int i = 0; i < ALONE_SPINS && atomic_load(until_0); i++)
        __builtin_ia32_pause();
    return atomic_load(until_0) == 0;
}

static void alone_wait(struct machine *m)
{
    while (!alone_spin(&m->alone))
        syscall(SYS_futex, &m->alone, FUTEX_WAIT_PRIVATE, 1, NULL);
}

void alone_leave(struct cpu *c)
{
    atomic_store(&c->inside, 0);
}

/* inside is stored before alone is read, and alone_begin() does it the other
 * way round: one of both sees the other. */
void alone_enter(struct cpu *c)
{
    for (;;) {
        atomic_store(&c->inside, 1);
        if (!alone_is_possible(c) || !atomic_load(&c->machine->alone))
            return;
        alone_leave(c);
        alone_wait(c->machine);
    }
}

void alone_yield(struct cpu *c)
{
    alone_leave(c);
    alone_enter(c);
}

void alone_begin(struct cpu *c)
{
    struct cpu *o = NULL;
    u32 none = 0;

    if (!alone_is_possible(c))
        return;
    while (!atomic_compare_exchange_strong(&c->machine->alone, &none, 1)) {
        alone_yield(c);
        none = 0;
    }
    c->stats.alone++;
    while ((o = cpu_next_other(c, o)) != NULL) {
        atomic_fetch_or(&o->attn, ATTN_STOP);
        atomic_store(&o->poll_at, 0);
    }
    while ((o = cpu_next_other(c, o)) != NULL)
        while (!alone_spin(&o->inside))
            sched_yield(); /* it may need this processor to get there */
}

void alone_end(struct cpu *c)
{
    struct machine *m = c->machine;

    if (!alone_is_possible(c))
        return;
    atomic_store(&m->alone, 0);
    syscall(SYS_futex, &m->alone, FUTEX_WAKE_PRIVATE, ENGINE_VCPU_MAX);
}
