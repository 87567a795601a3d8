/* SPDX-License-Identifier: Apache-2.0 */
/* interp/engine.c: small guests run through engine.h: timer and device
 * interrupts into HLT, kicks, shutdown, state, gaps of ours */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "interp_rig.h"
#include "mote/engine.h"
#include "mote/log.h"

#define COUNT   RIG_DATA /* handlers count here */
#define VECTOR  0x40
#define HANDLER (RIG_CODE + 0x800)
#define PIN     5

/* Guests lie at RIG_CODE; an interrupt counts at HANDLER. quit is a triple
 * fault: an empty IDT, then a breakpoint. */
__asm__(".pushsection .rodata\n"
        ".macro quit\n"
        "  push $0\n"
        "  push $0\n"
        "  lidt (%rsp)\n"
        "  int3\n"
        ".endm\n"

        "guest_quit: quit\n"
        "guest_quit_end:\n"

        "guest_spin: jmp guest_spin\n"
        "guest_spin_end:\n"

        "guest_halt: hlt\n"
        "  jmp guest_halt\n"
        "guest_halt_end:\n"

        "guest_timer: mov $0xfee00000, %ebx\n" /* periodic, 1 ms */
        "  movl $0x1ff, 0xf0(%rbx)\n"
        "  movl $0xb, 0x3e0(%rbx)\n"
        "  movl $0x20040, 0x320(%rbx)\n"
        "  movl $1000000, 0x380(%rbx)\n"
        "1: sti\n"
        "  hlt\n"
        "  cmpl $5, 0xb000\n"
        "  jb 1b\n"
        "  quit\n"
        "guest_timer_end:\n"

        "guest_deadline: mov $0xfee00000, %ebx\n" /* 1 M ticks from now */
        "  movl $0x1ff, 0xf0(%rbx)\n"
        "  movl $0x40040, 0x320(%rbx)\n"
        "  rdtsc\n"
        "  add $1000000, %eax\n"
        "  adc $0, %edx\n"
        "  mov $0x6e0, %ecx\n"
        "  wrmsr\n"
        "  sti\n"
        "1: cmpl $1, 0xb000\n" /* not asleep: the poll must see it */
        "  jb 1b\n"
        "  quit\n"
        "guest_deadline_end:\n"

        "guest_irq: mov $0xfee00000, %ebx\n"
        "  movl $0x1ff, 0xf0(%rbx)\n"
        "  mov $0xfec00000, %edx\n"
        "  movl $0x1a, (%rdx)\n" /* pin 5: edge, vector 0x40 */
        "  movl $0x40, 0x10(%rdx)\n"
        "  movl $1, 0xb008\n" /* ready */
        "1: sti\n"
        "  hlt\n"
        "  jmp 1b\n"
        "guest_irq_end:\n"

        "guest_gap: mov $0xc0000000, %eax\n" /* code in MMIO */
        "  jmp *%rax\n"
        "guest_gap_end:\n"

        "guest_handler: incl 0xb000\n"
        "  movl $0, 0xb0(%rbx)\n"
        "  iretq\n"
        "guest_handler_end:\n"
        ".popsection\n");

#define GUEST(name) extern const u8 guest_##name[], guest_##name##_end[]
GUEST(quit);
GUEST(spin);
GUEST(halt);
GUEST(timer);
GUEST(deadline);
GUEST(irq);
GUEST(gap);
GUEST(handler);

static struct rig rig;
static struct engine *engine;
static struct engine_vcpu *vcpu;

static void put_code(u64 gpa, const u8 *from, const u8 *to)
{
    ck_assert_int_eq(mem_write(rig.mem, gpa, from, (u64)(to - from)), 0);
}

#define guest_load(name) put_code(RIG_CODE, guest_##name, guest_##name##_end)

static void setup(void)
{
    struct engine_env env = {
        .bus = &rig.bus, .cpus = 1, .poll_ns = POLL_MAX_NS};

    rig_new(&rig);
    rig_put(&rig, RIG_PDPT + 24, 8, 0xc0000087); /* the APICs */
    rig_gate(&rig, VECTOR, RIG_CS0, HANDLER, 0x8e, 0);
    put_code(HANDLER, guest_handler, guest_handler_end);
    env.mem = rig.mem;
    ck_assert_int_eq(engine_interp_new(&engine, &env), 0);
    ck_assert_int_eq(engine->ops->vcpu_new(engine, &vcpu, 0), 0);
    ck_assert_int_eq(engine->ops->set_state(vcpu, &rig.c->s, CPU_ALL), 0);
    unit_alarm(15);
}

static void teardown(void)
{
    engine->ops->vcpu_free(vcpu);
    engine->ops->free(engine);
    rig_free(&rig);
}

static u32 count(void)
{
    u32 *at = mem_range(rig.mem, COUNT, 4);

    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

START_TEST(test_shutdown)
{
    struct vcpu_exit x;
    struct engine_stats stats;

    guest_load(quit);
    engine->ops->run(vcpu, &x);
    ck_assert_int_eq(x.reason, VCPU_SHUTDOWN);
    ck_assert_ptr_nonnull(strstr(x.text, "triple fault"));
    engine->ops->stats(engine, &stats);
    ck_assert_uint_ge(stats.insns, 4);
    ck_assert_uint_lt(stats.insns, 20);
}
END_TEST

START_TEST(test_timer)
{
    struct vcpu_exit x;

    guest_load(timer);
    engine->ops->run(vcpu, &x);
    ck_assert_int_eq(x.reason, VCPU_SHUTDOWN);
    ck_assert_uint_eq(count(), 5);
}
END_TEST

START_TEST(test_deadline)
{
    struct vcpu_exit x;

    guest_load(deadline);
    engine->ops->run(vcpu, &x);
    ck_assert_int_eq(x.reason, VCPU_SHUTDOWN);
    ck_assert_uint_eq(count(), 1);
}
END_TEST

/* ---- kicks ------------------------------------------------------------- */

static void *kick_later(void *arg)
{
    usleep(20000);
    engine->ops->kick(vcpu);
    return NULL;
}

START_TEST(test_kick)
{
    struct vcpu_exit x;
    pthread_t t;

    if (_i == 0)
        guest_load(spin);
    else
        guest_load(halt);
    engine->ops->kick(vcpu); /* before: sticky */
    engine->ops->run(vcpu, &x);
    ck_assert_int_eq(x.reason, VCPU_KICKED);
    pthread_create(&t, NULL, kick_later, NULL);
    engine->ops->run(vcpu, &x);
    ck_assert_int_eq(x.reason, VCPU_KICKED);
    pthread_join(t, NULL);
}
END_TEST

/* ---- device interrupts ------------------------------------------------- */

#define RAISES 5000

static void *raise_many(void *arg)
{
    const u32 *ready = mem_range(rig.mem, COUNT + 8, 4);
    struct irq *irq = arg;

    while (!__atomic_load_n(ready, __ATOMIC_SEQ_CST))
        sched_yield();
    for (u32 i = 0; i < RAISES; i++) {
        irq_raise(irq);
        irq_lower(irq);
        while (count() == i)
            sched_yield();
    }
    engine->ops->kick(vcpu);
    return NULL;
}

/* Wherever between running and asleep the vCPU is: none is lost, and none
 * comes twice. */
START_TEST(test_irq)
{
    struct vcpu_exit x;
    struct irq irq;
    pthread_t t;

    ck_assert_int_eq(engine->ops->irq_connect(engine, &irq, PIN), 0);
    ck_assert_uint_eq(irq.gsi, PIN);
    ck_assert_int_eq(irq.fd, -1);
    guest_load(irq);
    pthread_create(&t, NULL, raise_many, &irq);
    engine->ops->run(vcpu, &x);
    ck_assert_int_eq(x.reason, VCPU_KICKED);
    pthread_join(t, NULL);
    ck_assert_uint_eq(count(), RAISES);
}
END_TEST

static void swallow(const char *text, size_t len)
{
}

START_TEST(test_irq_connect_bad)
{
    struct irq irq;

    log_sink_set(swallow);
    ck_assert_int_eq(engine->ops->irq_connect(engine, &irq, 24), -EINVAL);
    log_sink_set(NULL);
}
END_TEST

/* ---- gaps -------------------------------------------------------------- */

static char said[512];

static void listen(const char *text, size_t len)
{
    memcpy(said, text, MIN(len, sizeof(said) - 1));
}

/* What we cannot run is #UD in the guest, whose handler ends it here. */
START_TEST(test_gap)
{
    struct vcpu_exit x;
    u64 frame_rip;

    guest_load(gap);
    put_code(RIG_TARGET + 16 * EXC_UD, guest_quit, guest_quit_end);
    log_sink_set(listen);
    engine->ops->run(vcpu, &x);
    log_sink_set(NULL);
    ck_assert_int_eq(x.reason, VCPU_SHUTDOWN);
    ck_assert_msg(strstr(said, "rip 0xc0000000") != NULL, "%s", said);
    frame_rip = rig_get(&rig, RIG_STACK - 40, 8);
    ck_assert_uint_eq(frame_rip, 0xc0000000);
}
END_TEST

/* ---- state ------------------------------------------------------------- */

/* Parts come and go alone; the whole is what was set, but for the clock. */
START_TEST(test_state)
{
    static struct cpu_state in, out;

    in = rig.c->s;
    in.gpr[GPR_R9] = 99;
    in.seg[SEG_FS].base = 0x1234000;
    in.cr8 = 0;
    in.msr.lstar = 0x8000;
    in.msr.tsc = 1000000;
    in.xsave[200] = 42;
    in.xsave[600] = 43;
    in.dr[2] = 0x5000;
    in.event.nmi_pending = 1;
    ck_assert_int_eq(engine->ops->set_state(vcpu, &in, CPU_ALL), 0);
    ck_assert_int_eq(engine->ops->get_state(vcpu, &out, CPU_ALL), 0);
    ck_assert_uint_ge(out.msr.tsc, in.msr.tsc);
    ck_assert_uint_lt(out.msr.tsc, in.msr.tsc + 10000000000);
    out.msr.tsc = in.msr.tsc;
    ck_assert_mem_eq(&in.gpr, &out.gpr, sizeof(in.gpr));
    ck_assert_mem_eq(&in.seg, &out.seg, sizeof(in.seg));
    ck_assert_mem_eq(&in.msr, &out.msr, sizeof(in.msr));
    ck_assert_mem_eq(&in.xsave, &out.xsave, sizeof(in.xsave));
    ck_assert_mem_eq(&in.dr, &out.dr, sizeof(in.dr));
    ck_assert_mem_eq(&in.event, &out.event, sizeof(in.event));
    ck_assert_mem_eq(&in.lapic, &out.lapic, sizeof(in.lapic));
}
END_TEST

START_TEST(test_state_parts)
{
    static struct cpu_state in, out;

    in = rig.c->s;
    in.gpr[GPR_R9] = 99;
    in.cr8 = 7;
    in.msr.lstar = 0x8000;
    ck_assert_int_eq(engine->ops->set_state(vcpu, &in, CPU_SREGS), 0);
    ck_assert_int_eq(engine->ops->get_state(vcpu, &out, CPU_ALL), 0);
    ck_assert_uint_eq(out.gpr[GPR_R9], 0);
    ck_assert_uint_eq(out.msr.lstar, 0);
    ck_assert_uint_eq(out.cr8, 7);
    ck_assert_uint_eq(out.lapic[0x80], 0x70); /* TPR */
}
END_TEST

Suite *suite_interp_engine(void);
Suite *suite_interp_engine(void)
{
    Suite *s = suite_create("interp_engine");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_shutdown);
    tcase_add_test(tc, test_timer);
    tcase_add_test(tc, test_deadline);
    tcase_add_loop_test(tc, test_kick, 0, 2);
    tcase_add_test(tc, test_irq);
    tcase_add_test(tc, test_irq_connect_bad);
    tcase_add_test(tc, test_gap);
    tcase_add_test(tc, test_state);
    tcase_add_test(tc, test_state_parts);
    suite_add_tcase(s, tc);
    return s;
}
