/* SPDX-License-Identifier: Apache-2.0 */
/* kvm: application processors by INIT and SIPI, and device interrupts */
#include <check.h>
#include <pthread.h>

#include "kvm_vm.h"

/* clang-format off */
/* Wake APIC id 1 at 0x8000 (vector 8), wait for its mark, report it. SDM vol.
 * 3A 9.4.4: INIT, SIPI; ICR at 0x300, its upper half at 0x310. */
GUEST(bsp,
    "mov $0xfee00000, %edi\n"
    "movl $0x1ff, 0xf0(%rdi)\n"
    "movl $0x01000000, 0x310(%rdi)\n movl $0x4500, 0x300(%rdi)\n"
    "movl $0x01000000, 0x310(%rdi)\n movl $0x4608, 0x300(%rdi)\n"
    "1: pause\n cmpb $0, 0x9000\n je 1b\n"
    "mov 0x9000, %eax\n mov $0x500, %edx\n out %eax, %dx\n" GUEST_DONE);
GUEST(ap,
    ".code16\n mov %cs, %ax\n mov %ax, %bx\n xor %ax, %ax\n mov %ax, %ds\n"
    "mov %bx, 0x9002\n movw $0x5a5a, 0x9000\n 1: hlt\n jmp 1b\n");

GUEST(counter, "1: incq 0x9000\n jmp 1b\n");

/* IOAPIC pin 5, edge, to vector 0x40 of APIC 0; then wait in HLT. */
GUEST(irq,
    "mov $0xfee00000, %edi\n movl $0x1ff, 0xf0(%rdi)\n"
    "mov $0xfec00000, %esi\n"
    "movl $0x1b, (%rsi)\n movl $0, 0x10(%rsi)\n"
    "movl $0x1a, (%rsi)\n movl $0x40, 0x10(%rsi)\n"
    "mov $0x500, %edx\n mov $1, %al\n out %al, %dx\n"
    "sti\n 1: hlt\n jmp 1b\n");
GUEST(irq_handler,
    "mov $0x501, %edx\n out %al, %dx\n inc %al\n"
    "movl $0, 0xb0(%rdi)\n cmp $4, %al\n jne 1f\n" GUEST_DONE
    "1: iretq\n");
/* clang-format on */

#define IRQ_IDT     0x4000ull
#define IRQ_GDT     0x5000ull
#define IRQ_HANDLER 0x11000ull

static void *run_ap(void *arg)
{
    struct tvm *t = arg;
    struct vcpu_exit x;

    t->engine->ops->run(t->vcpu[1], &x);
    return (void *)(uintptr_t)x.reason;
}

/* vCPU 1 on a thread of its own. */
static pthread_t start_ap(struct tvm *t)
{
    pthread_t id;

    ck_assert_int_eq(pthread_create(&id, NULL, run_ap, t), 0);
    return id;
}

/* It can be kicked out, whatever it does. */
static void end_ap(struct tvm *t, pthread_t id)
{
    void *reason;

    t->engine->ops->kick(t->vcpu[1]);
    pthread_join(id, &reason);
    ck_assert_int_eq((int)(uintptr_t)reason, VCPU_KICKED);
}

START_TEST(test_ap)
{
    struct cpu_state s;
    struct vcpu_exit x;
    pthread_t id;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new(2);
    tvm_code(t, bsp);
    tvm_load(t, 0x8000, guest_ap, guest_ap_end);
    tvm_state(&s, 0);
    tvm_set(t, &s);
    id = start_ap(t);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    end_ap(t, id);
    ck_assert_uint_eq(t->nr, 1);
    ck_assert_uint_eq(t->log[0].val & 0xffff, 0x5a5a);
    t->engine->ops->get_state(t->vcpu[1], &s, CPU_ALL);
    ck_assert_uint_eq(s.mp_state, MP_HALTED);
    ck_assert_uint_eq(s.seg[SEG_CS].sel, 0x800);
    tvm_free(t);
}
END_TEST

/* An AP that was never started can be kicked out, and says what it waits for.
 */
START_TEST(test_ap_waits)
{
    struct cpu_state s;
    pthread_t id;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new(2);
    id = start_ap(t);
    usleep(10000);
    end_ap(t, id);
    t->engine->ops->get_state(t->vcpu[1], &s, CPU_EVENTS);
    ck_assert_uint_eq(s.mp_state, MP_WAIT_SIPI);
    tvm_free(t);
}
END_TEST

static u64 counter_get(struct tvm *t)
{
    u64 n = 0;

    mem_read(t->mem, 0x9000, &n, 8);
    return n;
}

/* Dropping the shadow page tables waits for the others and lets them go on. */
START_TEST(test_pause)
{
    struct cpu_state s;
    pthread_t id;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new(3);
    tvm_code(t, counter);
    tvm_state(&s, 0);
    ck_assert_int_eq(t->engine->ops->set_state(
                         t->vcpu[1], &s, CPU_REGS | CPU_SREGS | CPU_EVENTS),
                     0);
    id = start_ap(t);
    for (unsigned int i = 0; i < 20; i++) {
        u64 before = counter_get(t);
        int r = t->engine->ops->page_tables_written(t->engine);

        ck_assert_int_ge(r, 0);
        for (unsigned int ms = 0; counter_get(t) == before; ms++) {
            ck_assert_uint_lt(ms, 2000);
            usleep(1000);
        }
    }
    end_ap(t, id);
    tvm_free(t);
}
END_TEST

static void irq_tables(struct tvm *t, struct cpu_state *s)
{
    u64 gate[2] = {(IRQ_HANDLER & 0xffff) | 8ull << 16 | 0x8e00ull << 32, 0};
    u64 code = 0x00af9b000000ffff, data = 0x00cf93000000ffff;

    gate[0] |= (IRQ_HANDLER >> 16) << 48;
    mem_write(t->mem, IRQ_IDT + 0x40 * 16, gate, sizeof(gate));
    mem_write(t->mem, IRQ_GDT + 8, &code, 8);
    mem_write(t->mem, IRQ_GDT + 16, &data, 8);
    s->idt = (struct cpu_table){IRQ_IDT, 0xfff};
    s->gdt = (struct cpu_table){IRQ_GDT, 23};
    tvm_load(t, IRQ_HANDLER, guest_irq_handler, guest_irq_handler_end);
}

struct raiser {
    struct tvm *t;
    struct irq irq;
};

/* When the guest has set all up, then each time that its handler has run. */
static void *raise_irqs(void *arg)
{
    struct raiser *r = arg;

    for (unsigned int i = 1; i < 4; i++) {
        while (atomic_load(&r->t->nr) < i)
            usleep(1000);
        irq_raise(&r->irq);
        irq_lower(&r->irq);
    }
    return NULL;
}

START_TEST(test_irq)
{
    struct cpu_state s;
    struct vcpu_exit x;
    struct raiser r;
    pthread_t id;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(irq, &s);
    irq_tables(t, &s);
    tvm_set(t, &s);
    r.t = t;
    ck_assert_int_eq(t->engine->ops->irq_connect(t->engine, &r.irq, 5), 0);
    ck_assert_int_ge(r.irq.fd, 0);
    pthread_create(&id, NULL, raise_irqs, &r);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    pthread_join(id, NULL);
    ck_assert_uint_eq(t->nr, 4);
    for (unsigned int i = 1; i < 4; i++)
        ck_assert_uint_eq(t->log[i].val, i);
    tvm_free(t);
}
END_TEST

Suite *suite_kvm_smp(void);
Suite *suite_kvm_smp(void)
{
    Suite *s = suite_create("kvm_smp");
    TCase *tc = tcase_create("kvm_smp");

    tcase_add_test(tc, test_ap);
    tcase_add_test(tc, test_ap_waits);
    tcase_add_test(tc, test_irq);
    tcase_add_test(tc, test_pause);
    suite_add_tcase(s, tc);
    return s;
}
