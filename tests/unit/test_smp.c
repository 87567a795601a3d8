/* SPDX-License-Identifier: Apache-2.0 */
/* smp.c: destinations, shorthands, delivery modes, waking a sleeper */
#include "platform_fixture.h"

enum { X, X2 }; /* the target's mode */
enum { PHYS, LOG };

static const struct {
    const char *name;
    u8 mode, how;
    u32 dest, ldr, dfr; /* dfr 0: cluster */
    bool ioapic, want;  /* the target is vCPU 2 */
} matches[] = {
    {"x phys", X, PHYS, 2, 0, 0, false, true},
    {"x phys other", X, PHYS, 3, 0, 0, false, false},
    {"x phys all", X, PHYS, 0xff, 0, 0, false, true},
    {"x phys all by x2", X, PHYS, 0xffffffff, 0, 0, false, true},
    {"x flat", X, LOG, 0x04, 0x04000000, ~0u, false, true},
    {"x flat several", X, LOG, 0x0f, 0x04000000, ~0u, false, true},
    {"x flat other", X, LOG, 0x03, 0x04000000, ~0u, false, false},
    {"x flat all", X, LOG, 0xff, 0x04000000, ~0u, false, true},
    {"x flat, no LDR", X, LOG, 0xff, 0, ~0u, false, false},
    {"x cluster", X, LOG, 0x12, 0x12000000, 0, false, true},
    {"x cluster, other bit", X, LOG, 0x11, 0x12000000, 0, false, false},
    {"x other cluster", X, LOG, 0x22, 0x12000000, 0, false, false},
    {"x cluster all", X, LOG, 0xff, 0x12000000, 0, false, true},
    {"x2 phys", X2, PHYS, 2, 4, 0, false, true},
    {"x2 phys ff is an id", X2, PHYS, 0xff, 4, 0, false, false},
    {"x2 phys all", X2, PHYS, 0xffffffff, 4, 0, false, true},
    {"x2 IOAPIC ff", X2, PHYS, 0xff, 4, 0, true, true},
    {"x2 log", X2, LOG, 0x00004, 4, 0, false, true},
    {"x2 log several", X2, LOG, 0x0000c, 4, 0, false, true},
    {"x2 log other", X2, LOG, 0x00003, 4, 0, false, false},
    {"x2 log other cluster", X2, LOG, 0x10004, 4, 0, false, false},
    {"x2 log all", X2, LOG, 0xffffffff, 4, 0, false, true},
};

START_TEST(test_match)
{
    struct cpu *c = fix_cpu(2);
    struct apic_msg msg = {.dest = matches[_i].dest,
                           .logical = matches[_i].how == LOG,
                           .ioapic = matches[_i].ioapic};

    if (matches[_i].mode == X2) {
        fix_x2apic(c);
        ck_assert_uint_eq(lapic_get(c, LAPIC_LDR), matches[_i].ldr);
    } else {
        lapic_mmio_write(c, LAPIC_LDR, matches[_i].ldr);
        lapic_mmio_write(c, LAPIC_DFR, matches[_i].dfr);
    }
    ck_assert_msg(apic_matches(c, &msg) == matches[_i].want, "%s",
                  matches[_i].name);
    c->s.apic_base &= ~APIC_BASE_ENABLE;
    ck_assert(!apic_matches(c, &msg));
}
END_TEST

static const struct {
    u32 icr;
    bool got[FIX_CPUS]; /* vCPU 1 sends, ICR2 says 2 */
} shorthands[] = {
    {0x00031, {0, 0, 1, 0}},
    {0x40031, {0, 1, 0, 0}},
    {0x80031, {1, 1, 1, 1}},
    {0xc0031, {1, 0, 1, 1}},
};

START_TEST(test_shorthand)
{
    lapic_mmio_write(fix_cpu(1), LAPIC_ICR2, 2 << 24);
    lapic_mmio_write(fix_cpu(1), LAPIC_ICR, shorthands[_i].icr);
    for (unsigned int i = 0; i < FIX_CPUS; i++)
        ck_assert_int_eq(fix_pending(i), shorthands[_i].got[i] ? 0x31 : -1);
}
END_TEST

static const struct {
    const char *name;
    u32 icr; /* to vCPU 2 */
    u32 attn;
} modes[] = {
    {"fixed", 0x00031, ATTN_IRQ},
    {"lowest", 0x00131, ATTN_IRQ},
    {"SMI", 0x00200, 0},
    {"reserved", 0x00331, 0},
    {"NMI", 0x00400, ATTN_NMI},
    {"INIT", 0x04500, ATTN_INIT},
    {"INIT level", 0x0c500, ATTN_INIT},
    {"INIT de-assert", 0x08500, 0},
    {"SIPI", 0x0069a, ATTN_SIPI},
    {"ExtINT", 0x00731, 0},
};

START_TEST(test_mode)
{
    struct cpu *c = fix_cpu(2);

    lapic_mmio_write(fix_cpu(0), LAPIC_ICR2, 2 << 24);
    lapic_mmio_write(fix_cpu(0), LAPIC_ICR, modes[_i].icr);
    ck_assert_msg(atomic_load(&c->attn) == modes[_i].attn, "%s: %#x",
                  modes[_i].name, atomic_load(&c->attn));
    if (modes[_i].attn == ATTN_SIPI)
        ck_assert_uint_eq(atomic_load(&c->lapic->sipi), 0x9a);
}
END_TEST

/* SDM vol. 3A table 10-1, and 9.4.4.2 for the vector. */
START_TEST(test_init_sipi)
{
    struct cpu *c = fix_cpu(2);

    c->s.mp_state = MP_RUNNABLE;
    c->s.gpr[GPR_RAX] = 1;
    c->s.cr3 = 0x1000;
    c->s.efer = 0x500;
    c->s.msr.lstar = 0x1234;
    c->s.xsave[160] = 0x42; /* XMM0 */
    lapic_mmio_write(c, LAPIC_TPR, 0x20);
    atomic_store(&c->lapic->sipi, 0x9a);
    cpu_sipi(c);
    ck_assert_uint_eq(c->s.gpr[GPR_RAX], 1); /* it runs: nothing happens */
    cpu_init(c);
    ck_assert_uint_eq(c->s.mp_state, MP_WAIT_SIPI);
    ck_assert_uint_eq(c->s.gpr[GPR_RAX], 0);
    ck_assert_uint_eq(c->s.cr3, 0);
    ck_assert_uint_eq(c->s.efer, 0);
    ck_assert_uint_eq(c->s.msr.lstar, 0x1234);
    ck_assert_uint_eq(c->s.xsave[160], 0x42);
    ck_assert_uint_eq(lapic_get(c, LAPIC_TPR), 0);
    ck_assert_uint_eq(lapic_get(c, LAPIC_ID), 2 << 24);
    ck_assert_uint_eq(c->mode, MODE_16);
    cpu_sipi(c);
    ck_assert_uint_eq(c->s.mp_state, MP_RUNNABLE);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, 0x9a00);
    ck_assert_uint_eq(c->s.seg[SEG_CS].base, 0x9a000);
    ck_assert_uint_eq(c->s.rip, 0);
}
END_TEST

/* A kernel sends SIPI right behind INIT: the vCPU that is in the middle of it
 * is addressed all the same, and by its own number only. */
#define INIT_ROUNDS 20000

static atomic_bool init_over;

static void *init_thread(void *arg)
{
    for (unsigned int i = 0; i < INIT_ROUNDS; i++)
        cpu_init(arg);
    atomic_store(&init_over, true);
    return NULL;
}

START_TEST(test_init_addressed)
{
    const struct apic_msg own = {.dest = 2}, other = {.dest = 0};
    struct cpu *c = fix_cpu(2);
    unsigned int lost = 0, wrong = 0;
    pthread_t t;

    if (_i == X2)
        fix_x2apic(c);
    atomic_store(&init_over, false);
    ck_assert_int_eq(pthread_create(&t, NULL, init_thread, c), 0);
    while (!atomic_load(&init_over)) {
        lost += !apic_matches(c, &own);
        wrong += apic_matches(c, &other);
    }
    pthread_join(t, NULL);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Four threads are alone in turn, and none while another one is inside. */
#define ALONE_ROUNDS 2000

static u64 alone_count; /* not atomic: that is what is tested */

static void *alone_thread(void *arg)
{
    struct cpu *c = arg;

    for (unsigned int i = 0; i < ALONE_ROUNDS; i++) {
        alone_enter(c);
        if (atomic_load(&c->attn) & ATTN_STOP)
            alone_yield(c);
        alone_begin(c);
        alone_count++;
        alone_end(c);
        alone_leave(c);
    }
    return NULL;
}

START_TEST(test_alone)
{
    pthread_t thread[FIX_CPUS];

    alone_count = 0;
    for (unsigned int i = 0; i < FIX_CPUS; i++)
        ck_assert_int_eq(
            pthread_create(&thread[i], NULL, alone_thread, fix_cpu(i)), 0);
    for (unsigned int i = 0; i < FIX_CPUS; i++)
        pthread_join(thread[i], NULL);
    ck_assert_uint_eq(alone_count, FIX_CPUS * ALONE_ROUNDS);
}
END_TEST

START_TEST(test_lowest)
{
    struct apic_msg msg = {.vector = 0x31, .mode = APIC_LOWEST, .dest = 0xff};
    u32 got[FIX_CPUS] = {0};

    lapic_mmio_write(fix_cpu(3), LAPIC_SVR, 0xff); /* does not take part */
    for (int i = 0; i < 8; i++) {
        int takers = 0;

        apic_send(&fix_machine, NULL, &msg);
        for (unsigned int id = 0; id < FIX_CPUS; id++) {
            if (fix_pending(id) < 0)
                continue;
            lapic_accept(fix_cpu(id), 0x31);
            lapic_mmio_write(fix_cpu(id), LAPIC_EOI, 0);
            got[id]++;
            takers++;
        }
        ck_assert_int_eq(takers, 1);
    }
    ck_assert(got[0] && got[1] && got[2] && !got[3]);
}
END_TEST

START_TEST(test_notify)
{
    struct cpu *c = fix_cpu(0);

    atomic_store(&c->poll_at, 99);
    cpu_notify(c, ATTN_POKE);
    ck_assert_uint_eq(atomic_load(&c->attn), ATTN_POKE);
    ck_assert_uint_eq(atomic_load(&c->poll_at), 0);
    for (u32 was = CPU_SLEEPS; was <= CPU_LOOKS; was++) {
        atomic_store(&c->asleep, was);
        cpu_notify(c, ATTN_IRQ);
        ck_assert_uint_eq(atomic_load(&c->attn), ATTN_POKE | ATTN_IRQ);
        ck_assert_uint_eq(atomic_load(&c->asleep), CPU_AWAKE);
    }
}
END_TEST

Suite *suite_smp(void);
Suite *suite_smp(void)
{
    Suite *s = suite_create("smp");
    TCase *tc = fix_tcase(s);

    tcase_add_loop_test(tc, test_match, 0, ARRAY_SIZE(matches));
    tcase_add_loop_test(tc, test_shorthand, 0, ARRAY_SIZE(shorthands));
    tcase_add_loop_test(tc, test_mode, 0, ARRAY_SIZE(modes));
    tcase_add_test(tc, test_init_sipi);
    tcase_add_loop_test(tc, test_init_addressed, X, X2 + 1);
    tcase_add_test(tc, test_alone);
    tcase_add_test(tc, test_lowest);
    tcase_add_test(tc, test_notify);
    return s;
}
