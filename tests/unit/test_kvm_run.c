/* SPDX-License-Identifier: Apache-2.0 */
/* kvm/exits.c: what KVM_RUN returns for, and the kick, on the real KVM */
#include <check.h>
#include <pthread.h>
#include <time.h>

#include "kvm_vm.h"
#include "mote/log.h"

/* clang-format off */
GUEST(port,
    "mov $0x500, %edx\n mov $0x44332211, %eax\n"
    "out %al, %dx\n out %ax, %dx\n out %eax, %dx\n"
    "mov $0x502, %edx\n in (%dx), %eax\n mov %eax, %ebx\n"
    "mov $0x10100, %esi\n mov $3, %ecx\n rep outsb\n"
    "mov $0x10200, %edi\n mov $2, %ecx\n rep insw\n"
    GUEST_DONE);
GUEST(mmio,
    "mov $0xd0000000, %edi\n movabs $0x8877665544332211, %rax\n"
    "mov %al, (%rdi)\n mov %ax, 2(%rdi)\n mov %eax, 4(%rdi)\n mov %rax, 8(%rdi)\n"
    "mov 8(%rdi), %rbx\n movzbl 3(%rdi), %ecx\n"
    GUEST_DONE);
GUEST(hole, "mov $0xe0000000, %edi\n mov (%rdi), %rbx\n mov %rbx, (%rdi)\n" GUEST_DONE);
GUEST(spin, "jmp .\n");
GUEST(count, "mov $0x504, %edx\n 1: out %eax, %dx\n inc %eax\n jmp 1b\n");
GUEST(refused, "mov $0xd0000000, %edi\n paddd (%rdi), %xmm0\n inc %rbx\n" GUEST_DONE);
GUEST(triple, "ud2\n");
/* clang-format on */

static const struct access_case {
    u8 write, size;
    u16 off;
    u64 val;
} port_want[] =
    {
        {1, 1, 0, 0x11},       {1, 2, 0, 0x2211}, {1, 4, 0, 0x44332211},
        {0, 4, 2, 0x85848382}, {1, 1, 2, 'a'},    {1, 1, 2, 'b'},
        {1, 1, 2, 'c'},        {0, 2, 2, 0x8382}, {0, 2, 2, 0x8382},
},
  mmio_want[] = {
      {1, 1, 0, 0x11},
      {1, 2, 2, 0x2211},
      {1, 4, 4, 0x44332211},
      {1, 8, 8, 0x8877665544332211},
      {0, 8, 8, 0x8f8e8d8c8b8a8988},
      {0, 1, 3, 0x83},
};

static void run_accesses(struct tvm *t, const struct access_case *want,
                         unsigned int n)
{
    struct vcpu_exit x;

    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    ck_assert_uint_eq(t->nr, n);
    for (unsigned int i = 0; i < n; i++) {
        ck_assert_uint_eq(t->log[i].write, want[i].write);
        ck_assert_uint_eq(t->log[i].size, want[i].size);
        ck_assert_uint_eq(t->log[i].off, want[i].off);
        ck_assert_uint_eq(t->log[i].val, want[i].val);
    }
}

START_TEST(test_port)
{
    struct cpu_state s;
    struct tvm *t;
    u32 in;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(port, &s);
    mem_write(t->mem, 0x10100, "abc", 3);
    run_accesses(t, port_want, ARRAY_SIZE(port_want));
    t->engine->ops->get_state(t->vcpu[0], &s, CPU_REGS);
    ck_assert_uint_eq(s.gpr[GPR_RBX], 0x85848382);
    mem_read(t->mem, 0x10200, &in, 4);
    ck_assert_uint_eq(in, 0x83828382);
    tvm_free(t);
}
END_TEST

START_TEST(test_mmio)
{
    struct cpu_state s;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(mmio, &s);
    run_accesses(t, mmio_want, ARRAY_SIZE(mmio_want));
    t->engine->ops->get_state(t->vcpu[0], &s, CPU_REGS);
    ck_assert_uint_eq(s.gpr[GPR_RBX], 0x8f8e8d8c8b8a8988);
    ck_assert_uint_eq(s.gpr[GPR_RCX], 0x83);
    tvm_free(t);
}
END_TEST

START_TEST(test_hole)
{
    struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(hole, &s);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    t->engine->ops->get_state(t->vcpu[0], &s, CPU_REGS);
    ck_assert_uint_eq(s.gpr[GPR_RBX], ~0ull);
    tvm_free(t);
}
END_TEST

/* Handed over with the state complete, and taken back behind it. */
START_TEST(test_emulate)
{
    struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(refused, &s);
    for (u64 i = 1; i <= 3; i++) {
        ck_assert_int_eq(tvm_run(t, &x), VCPU_EMULATE);
        ck_assert_uint_ge(x.insn_len, 4);
        ck_assert_mem_eq(x.insn, "\x66\x0f\xfe\x07", 4);
        ck_assert_int_eq(t->engine->ops->get_state(
                             t->vcpu[0], &s, CPU_REGS | CPU_SREGS | CPU_EVENTS),
                         0);
        ck_assert_uint_eq(s.rip, TVM_CODE + 5);
        ck_assert_uint_eq(s.event.exc_valid, 0);
        s.rip += 4;
        ck_assert_int_eq(t->engine->ops->set_state(t->vcpu[0], &s, CPU_REGS),
                         0);
        ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
        t->engine->ops->get_state(t->vcpu[0], &s, CPU_REGS);
        ck_assert_uint_eq(s.gpr[GPR_RBX], i);
        s.rip = TVM_CODE;
        t->engine->ops->set_state(t->vcpu[0], &s, CPU_REGS);
    }
    tvm_free(t);
}
END_TEST

START_TEST(test_triple)
{
    struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(triple, &s);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_SHUTDOWN);
    ck_assert_str_eq(x.text, "triple fault");
    tvm_free(t);
}
END_TEST

/* ---- kick ------------------------------------------------------------- */

static u64 now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

START_TEST(test_kick_before)
{
    struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(spin, &s);
    t->engine->ops->kick(t->vcpu[0]);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    t->engine->ops->kick(t->vcpu[0]);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    tvm_free(t);
}
END_TEST

static void *kick_soon(void *arg)
{
    struct tvm *t = arg;

    usleep(20000);
    t->engine->ops->kick(t->vcpu[0]);
    return NULL;
}

START_TEST(test_kick_running)
{
    struct cpu_state s;
    struct vcpu_exit x;
    pthread_t id;
    struct tvm *t;
    u64 start;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(spin, &s);
    start = now_ms();
    pthread_create(&id, NULL, kick_soon, t);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    ck_assert_uint_lt(now_ms() - start, 500);
    pthread_join(id, NULL);
    tvm_free(t);
}
END_TEST

static _Atomic(bool) kick_end;

static void *kick_often(void *arg)
{
    struct tvm *t = arg;

    while (!atomic_load(&kick_end)) {
        t->engine->ops->kick(t->vcpu[0]);
        usleep(300);
    }
    return NULL;
}

/* Kicks between the serving of an access and its end lose and repeat none. */
START_TEST(test_kick_torn)
{
    struct cpu_state s;
    struct vcpu_exit x;
    pthread_t id;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(count, &s);
    pthread_create(&id, NULL, kick_often, t);
    for (unsigned int i = 0; i < 30; i++) {
        ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
        t->engine->ops->get_state(t->vcpu[0], &s, CPU_REGS);
    }
    atomic_store(&kick_end, true);
    pthread_join(id, NULL);
    for (unsigned int i = 0; i < t->nr; i++)
        ck_assert_uint_eq(t->log[i].val, t->log[0].val + i);
    /* the state says exactly how far the accesses have come */
    if (t->nr < TVM_LOG)
        ck_assert_uint_eq((u32)s.gpr[GPR_RAX] + (s.rip == TVM_CODE + 6 ? 1 : 0),
                          (u32)t->log[0].val + t->nr);
    tvm_free(t);
}
END_TEST

Suite *suite_kvm_run(void);
Suite *suite_kvm_run(void)
{
    Suite *s = suite_create("kvm_run");
    TCase *tc = tcase_create("kvm_run");

    tcase_add_test(tc, test_port);
    tcase_add_test(tc, test_mmio);
    tcase_add_test(tc, test_hole);
    tcase_add_test(tc, test_emulate);
    tcase_add_test(tc, test_triple);
    tcase_add_test(tc, test_kick_before);
    tcase_add_test(tc, test_kick_running);
    tcase_add_test(tc, test_kick_torn);
    suite_add_tcase(s, tc);
    return s;
}
