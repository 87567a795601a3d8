/* SPDX-License-Identifier: Apache-2.0 */
/* time.c: a halted vCPU: what wakes it, how long it looks out before it sleeps
 */
#include <pthread.h>
#include <sched.h>

#include "mote/clock.h"

#include "platform_fixture.h"

#define VECTOR 0xec /* of the timer, in one-shot mode */

static struct cpu *halted_cpu(void)
{
    struct cpu *c = fix_cpu(0);

    clock_init(&fix_machine.clock);
    clock_settle(&fix_machine.clock);
    c->s.mp_state = MP_HALTED;
    unit_alarm(10); /* a sleep for ever fails instead */
    return c;
}

static void arm_oneshot(struct cpu *c, u32 ns)
{
    lapic_mmio_write(c, LAPIC_TDCR, 0xb);
    lapic_mmio_write(c, LAPIC_LVT_TIMER, VECTOR);
    lapic_mmio_write(c, LAPIC_TMICT, ns);
}

static void wait_oneshot(struct cpu *c, u32 ns)
{
    arm_oneshot(c, ns);
    while (lapic_pending(c) < 0)
        plat_wait(c);
    ck_assert_int_eq(lapic_pending(c), VECTOR);
    lapic_accept(c, VECTOR);
    lapic_mmio_write(c, LAPIC_EOI, 0);
}

START_TEST(test_wait_timer)
{
    struct cpu *c = halted_cpu();
    u64 start = monotonic_ns();

    wait_oneshot(c, 5000000);
    ck_assert_uint_ge(monotonic_ns() - start, 4900000);
    ck_assert_uint_eq(atomic_load(&c->asleep), 0);
}
END_TEST

/* Reasons not to fall asleep at all; the alarm ends those that do. */
static const struct {
    const char *name;
    u32 attn, mp_state;
    bool irq;
} awake[] = {
    {"poked", ATTN_POKE, MP_HALTED, false},
    {"NMI", ATTN_NMI, MP_HALTED, false},
    {"SIPI", ATTN_SIPI, MP_WAIT_SIPI, false},
    {"interrupt", 0, MP_HALTED, true},
    {"running", 0, MP_RUNNABLE, false},
};

START_TEST(test_wait_awake)
{
    struct cpu *c = halted_cpu();
    struct apic_msg msg = {.vector = 0x31};

    c->s.mp_state = awake[_i].mp_state;
    atomic_store(&c->attn, awake[_i].attn);
    if (awake[_i].irq)
        apic_send(&fix_machine, NULL, &msg);
    plat_wait(c);
}
END_TEST

/* An interrupt does not wake a processor that has IF clear. */
START_TEST(test_wait_if_clear)
{
    struct cpu *c = halted_cpu();
    struct apic_msg msg = {.vector = 0x31};
    u64 start = monotonic_ns();

    c->s.rflags &= ~RFLAGS_IF;
    apic_send(&fix_machine, NULL, &msg);
    arm_oneshot(c, 3000000);
    plat_wait(c);
    ck_assert_uint_ge(monotonic_ns() - start, 2900000);
}
END_TEST

#define RACES 20000

static void *wait_raise(void *arg)
{
    struct cpu *c = arg;
    struct apic_msg msg = {.vector = 0x31};

    for (int i = 0; i < RACES; i++) {
        for (volatile int spin = 0; spin < i % 500; spin++)
            ; /* another moment each time */
        apic_send(&fix_machine, NULL, &msg);
        while (__atomic_load_n(&c->icount, __ATOMIC_SEQ_CST) == (u64)i)
            sched_yield();
    }
    return NULL;
}

/* No wake-up is lost, wherever in plat_wait() the interrupt comes: without
 * looks, with short ones, and with such as find all. */
static const u64 race_looks[] = {0, 10000, POLL_MAX_NS};

START_TEST(test_wait_race)
{
    struct cpu *c = halted_cpu();
    pthread_t t;

    poll_init(&c->lapic->halt, race_looks[_i]);
    ck_assert_int_eq(pthread_create(&t, NULL, wait_raise, c), 0);
    for (int i = 0; i < RACES; i++) {
        while (lapic_pending(c) < 0)
            plat_wait(c);
        lapic_accept(c, 0x31);
        lapic_mmio_write(c, LAPIC_EOI, 0);
        __atomic_fetch_add(&c->icount, 1, __ATOMIC_SEQ_CST);
    }
    pthread_join(t, NULL);
}
END_TEST

/* Looks grow by short halts, find a timer, and are over after a long one. */
START_TEST(test_halt_poll)
{
    struct cpu *c = halted_cpu();
    struct poll *p = &c->lapic->halt;
    u64 start;

    poll_init(p, 5 * NSEC_PER_SEC);
    wait_oneshot(c, 100000);
    ck_assert_uint_eq(p->ns, 10000);
    p->ns = p->max_ns;
    start = monotonic_ns();
    wait_oneshot(c, 3000000);
    ck_assert_uint_ge(monotonic_ns() - start, 2900000);
    ck_assert_uint_eq(p->ns, p->max_ns);
    poll_init(p, POLL_MAX_NS);
    p->ns = POLL_MAX_NS / 2;
    start = monotonic_ns();
    wait_oneshot(c, 3000000);
    ck_assert_uint_ge(monotonic_ns() - start, 2900000);
    ck_assert_uint_eq(p->ns, 0);
}
END_TEST

static void *wait_notify(void *arg)
{
    struct cpu *c = arg;
    struct apic_msg msg = {.vector = 0x31};

    while (atomic_load(&c->asleep) != CPU_LOOKS)
        sched_yield();
    apic_send(&fix_machine, NULL, &msg);
    return NULL;
}

/* Who looks out is not asleep, and sees an interrupt at once. */
START_TEST(test_halt_poll_ends)
{
    struct cpu *c = halted_cpu();
    struct poll *p = &c->lapic->halt;
    u64 start = monotonic_ns();
    pthread_t t;

    poll_init(p, 60 * NSEC_PER_SEC); /* the alarm comes first */
    p->ns = p->max_ns;
    ck_assert_int_eq(pthread_create(&t, NULL, wait_notify, c), 0);
    plat_wait(c);
    pthread_join(t, NULL);
    while (lapic_pending(c) < 0)
        plat_wait(c);
    ck_assert_uint_lt(monotonic_ns() - start, 8 * NSEC_PER_SEC);
    ck_assert_uint_eq(p->ns, p->max_ns);
    ck_assert_uint_eq(atomic_load(&c->asleep), CPU_AWAKE);
}
END_TEST

Suite *suite_halt(void);
Suite *suite_halt(void)
{
    Suite *s = suite_create("halt");
    TCase *tc = fix_tcase(s);

    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_wait_timer);
    tcase_add_loop_test(tc, test_wait_awake, 0, ARRAY_SIZE(awake));
    tcase_add_test(tc, test_wait_if_clear);
    tcase_add_loop_test(tc, test_wait_race, 0, ARRAY_SIZE(race_looks));
    tcase_add_test(tc, test_halt_poll);
    tcase_add_test(tc, test_halt_poll_ends);
    return s;
}
