/* SPDX-License-Identifier: Apache-2.0 */
/* platform_fixture.h: a machine of some vCPUs and 16 MiB whose clock a test
 * turns by hand; nothing runs */
#ifndef MOTE_PLATFORM_FIXTURE_H
#define MOTE_PLATFORM_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "interp/platform.h"

#define FIX_CPUS 4
#define FIX_HZ   2500000000ull

static u64 fix_ticks, fix_wall; /* what the clock shows */

static struct machine fix_machine;
static struct mem *fix_mem;
static struct lapic fix_lapic[FIX_CPUS];
static struct interp_run fix_run;

static u64 fix_now(void)
{
    return fix_ticks;
}

static u64 fix_wall_ns(void)
{
    return fix_wall;
}

static struct cpu *fix_cpu_new(struct machine *m, unsigned int id)
{
    struct cpu *c = aligned_alloc(64, sizeof(*c));

    ck_assert_ptr_nonnull(c);
    memset(c, 0, sizeof(*c));
    c->mem = fix_mem;
    c->machine = m;
    c->lapic = &fix_lapic[id];
    c->id = id;
    c->nr_cpus = m->nr_cpus;
    c->run = &fix_run;
    c->have = CPU_ALL;
    c->s.rflags = RFLAGS_ONE | RFLAGS_IF;
    c->s.apic_base = APIC_BASE_RESET | APIC_BASE_ENABLE;
    c->lapic->expires = TIMER_OFF;
    lapic_load(c);
    lapic_set(c, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
    return c;
}

/* For tcase_add_checked_fixture(): four vCPUs in xAPIC mode, enabled. */
static void fix_setup(void)
{
    struct machine *m = &fix_machine;

    memset(m, 0, sizeof(*m));
    memset(fix_lapic, 0, sizeof(fix_lapic));
    fix_run = (struct interp_run){0};
    fix_ticks = 1000000;
    m->clock = (struct clock){.now = fix_now,
                              .wall_ns = fix_wall_ns,
                              .hz = FIX_HZ,
                              .base = fix_ticks,
                              .host_tsc = true};
    ck_assert_int_eq(mem_new(&fix_mem, 16 * MIB), 0);
    ioapic_init(&m->ioapic);
    m->nr_cpus = FIX_CPUS;
    for (unsigned int i = 0; i < FIX_CPUS; i++)
        m->cpu[i] = fix_cpu_new(m, i);
}

static void fix_teardown(void)
{
    for (unsigned int i = 0; i < FIX_CPUS; i++) {
        free(fix_machine.cpu[i]);
    }
    mem_free(fix_mem);
}

static inline struct cpu *fix_cpu(unsigned int id)
{
    return fix_machine.cpu[id];
}

/* Take in what was posted and say what is deliverable. */
static inline int fix_pending(unsigned int id)
{
    lapic_take(fix_cpu(id));
    return lapic_pending(fix_cpu(id));
}

/* Into x2APIC mode, which goes without a page to remap. */
static inline void fix_x2apic(struct cpu *c)
{
    c->s.apic_base |= APIC_BASE_EXTD;
    lapic_regs_reset(&c->s, c->id);
    lapic_set(c, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
}

static inline TCase *fix_tcase(Suite *s)
{
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, fix_setup, fix_teardown);
    suite_add_tcase(s, tc);
    return tc;
}

#endif
