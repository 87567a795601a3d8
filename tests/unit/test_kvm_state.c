/* SPDX-License-Identifier: Apache-2.0 */
/* kvm/state.c, msr.c: cpu_state in and out of a vCPU, also of a running one */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>

#include "kvm/kvm.h"
#include "kvm_vm.h"

/* clang-format off */
/* Every register takes part; RAX counts rounds, RBX sums what RCX..R15 hold. */
GUEST(busy,
    "1: inc %rax\n mov %rcx, %rbx\n add %rdx, %rbx\n add %rsi, %rbx\n"
    "add %rdi, %rbx\n add %rbp, %rbx\n add %r8, %rbx\n add %r9, %rbx\n"
    "add %r10, %rbx\n add %r11, %rbx\n add %r12, %rbx\n add %r13, %rbx\n"
    "add %r14, %rbx\n cmp %r15, %rbx\n je 1b\n" GUEST_DONE);
GUEST(paged, "mov (%rdi), %al\n mov %al, (%rsi)\n jmp .\n");
/* clang-format on */

#define BUSY_SUM 0x1234ull

static void state_busy(struct cpu_state *s)
{
    s->gpr[GPR_RCX] = BUSY_SUM;
    for (unsigned int i = GPR_RDX; i <= GPR_R14; i++)
        if (i != GPR_RBX && i != GPR_RSP)
            s->gpr[i] = 0;
    s->gpr[GPR_RAX] = 0;
    s->gpr[GPR_R15] = BUSY_SUM;
    s->dr[0] = 0x123456;
    s->dr[3] = 0xfedcba;
    s->msr.star = 0x0023001000000000;
    s->msr.lstar = 0xffffffff81000000;
    s->msr.sfmask = 0x47700;
    s->msr.kernel_gs_base = 0xffff888000001000;
    s->msr.sysenter_eip = 0xffffffff82000000;
    s->seg[SEG_GS].base = 0xffff888000000000;
    s->seg[SEG_FS].base = 0x7fff12345678;
    for (unsigned int i = 0; i < 256; i++)
        s->xsave[160 + i] = (u8)i; /* XMM0..15 */
    s->xsave[24] = 0x80;
    s->xsave[25] = 0x1f; /* MXCSR */
    s->xsave[512] |= 3;
}

/* Field by field: there is padding behind them. */
static void seg_same(const struct cpu_seg *a, const struct cpu_seg *b)
{
    ck_assert_uint_eq(a->base, b->base);
    ck_assert_uint_eq(a->limit, b->limit);
    ck_assert_uint_eq(a->sel, b->sel);
    ck_assert_mem_eq(&a->type, &b->type,
                     offsetof(struct cpu_seg, unusable) + 1 -
                         offsetof(struct cpu_seg, type));
}

/* All that does not run by itself. */
static void state_same(const struct cpu_state *a, const struct cpu_state *b)
{
    struct cpu_msrs am = a->msr, bm = b->msr;

    am.tsc = bm.tsc = 0;
    ck_assert_mem_eq(a->gpr, b->gpr, sizeof(a->gpr));
    ck_assert_uint_eq(a->rip, b->rip);
    ck_assert_uint_eq(a->rflags, b->rflags);
    for (unsigned int i = 0; i < SEG_NR; i++)
        seg_same(&a->seg[i], &b->seg[i]);
    seg_same(&a->ldt, &b->ldt);
    seg_same(&a->tr, &b->tr);
    ck_assert_uint_eq(a->gdt.base, b->gdt.base);
    ck_assert_uint_eq(a->idt.limit, b->idt.limit);
    ck_assert_uint_eq(a->cr0, b->cr0);
    ck_assert_uint_eq(a->cr2, b->cr2);
    ck_assert_uint_eq(a->cr3, b->cr3);
    ck_assert_uint_eq(a->cr4, b->cr4);
    ck_assert_uint_eq(a->cr8, b->cr8);
    ck_assert_uint_eq(a->efer, b->efer);
    ck_assert_uint_eq(a->apic_base, b->apic_base);
    ck_assert_mem_eq(a->dr, b->dr, sizeof(a->dr));
    ck_assert_uint_eq(a->dr6, b->dr6);
    ck_assert_uint_eq(a->dr7, b->dr7);
    ck_assert_mem_eq(&am, &bm, sizeof(am));
    ck_assert_uint_eq(a->mp_state, b->mp_state);
    ck_assert_mem_eq(&a->event, &b->event, sizeof(a->event));
    ck_assert_uint_eq(a->xcr0, b->xcr0);
    for (unsigned int i = 0; i < XSAVE_SIZE; i++)
        ck_assert_msg(a->xsave[i] == b->xsave[i], "XSAVE byte %u: %#x, %#x", i,
                      a->xsave[i], b->xsave[i]);
    ck_assert_mem_eq(a->lapic, b->lapic, sizeof(a->lapic));
}

START_TEST(test_fresh)
{
    static struct cpu_state s, back;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(busy, &s);
    state_busy(&s);
    tvm_set(t, &s);
    ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &back, CPU_ALL), 0);
    state_same(&s, &back);
    tvm_free(t);
}
END_TEST

#define STOPS 25

struct stopper {
    struct tvm *t;
    sem_t running; /* the guest gets a millisecond from here */
};

static void *kick_on(void *arg)
{
    struct stopper *st = arg;

    for (unsigned int i = 0; i < STOPS; i++) {
        sem_wait(&st->running);
        usleep(1000);
        st->t->engine->ops->kick(st->t->vcpu[0]);
    }
    return NULL;
}

/* Kick, get, wipe, set, get, compare, go on: the guest's sum stays right. With
 * sync, registers travel in the shared page as they do after a first refusal.
 */
START_TEST(test_running)
{
    static struct cpu_state s, back;
    struct stopper st = {0};
    u64 rounds = 0, tsc = 0;
    struct vcpu_exit x;
    pthread_t id;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = st.t = tvm_new_with(busy, &s);
    state_busy(&s);
    tvm_set(t, &s);
    if (_i) {
        struct kvm_vcpu *v = kvm_vcpu_of(t->vcpu[0]);

        v->run->kvm_valid_regs = v->kvm->sync;
    }
    sem_init(&st.running, 0, 0);
    pthread_create(&id, NULL, kick_on, &st);
    for (unsigned int i = 0; i < STOPS; i++) {
        sem_post(&st.running);
        ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
        ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &s, CPU_ALL), 0);
        ck_assert_uint_eq(
            s.rip - TVM_CODE < (u64)(guest_busy_end - guest_busy) - 8, 1);
        ck_assert_uint_ge(s.gpr[GPR_RAX], rounds);
        ck_assert_uint_gt(s.msr.tsc, tsc);
        rounds = s.gpr[GPR_RAX];
        tsc = s.msr.tsc;
        tvm_set(t, &s);
        ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &back, CPU_ALL),
                         0);
        state_same(&s, &back);
    }
    ck_assert_uint_gt(rounds, 10);
    ck_assert_uint_eq(s.gpr[GPR_R15], BUSY_SUM);
    pthread_join(id, NULL);
    sem_destroy(&st.running);
    tvm_free(t);
}
END_TEST

/* Changing only the FPU part leaves the rest of XSAVE, and the reverse. */
START_TEST(test_parts)
{
    static struct cpu_state s, back;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(busy, &s);
    state_busy(&s);
    tvm_set(t, &s);
    memset(s.gpr, 0x11, sizeof(s.gpr));
    s.xsave[160] = 0xee;
    s.rip = 0x1000;
    s.dr[1] = 0x77;
    ck_assert_int_eq(t->engine->ops->set_state(t->vcpu[0], &s, CPU_FPU), 0);
    ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &back, CPU_ALL), 0);
    ck_assert_uint_eq(back.rip, TVM_CODE);
    ck_assert_uint_eq(back.gpr[GPR_R15], BUSY_SUM);
    ck_assert_uint_eq(back.xsave[160], 0xee);
    ck_assert_uint_eq(back.dr[1], 0);
    tvm_free(t);
}
END_TEST

/* A visit must not put the TSC back, a restore must. */
START_TEST(test_tsc)
{
    static struct cpu_state s, back;
    struct tvm *t;
    u64 tsc;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(busy, &s);
    ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &s, CPU_MSRS), 0);
    tsc = s.msr.tsc;
    usleep(2000);
    s.msr.star ^= 1ull << 40;
    ck_assert_int_eq(t->engine->ops->set_state(t->vcpu[0], &s, CPU_MSRS), 0);
    ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &back, CPU_MSRS), 0);
    ck_assert_uint_eq(back.msr.star, s.msr.star);
    ck_assert_uint_gt(back.msr.tsc, tsc + 1000000);
    back.msr.tsc += 1ull << 50;
    ck_assert_int_eq(t->engine->ops->set_state(t->vcpu[0], &back, CPU_MSRS), 0);
    ck_assert_int_eq(t->engine->ops->get_state(t->vcpu[0], &s, CPU_MSRS), 0);
    if (s.msr.tsc < 1ull << 50)
        printf("skip - this KVM does not let go of the host's TSC\n");
    else
        ck_assert_uint_ge(s.msr.tsc, back.msr.tsc);
    tvm_free(t);
}
END_TEST

/* A page directory changed behind KVM's back: seen at CPL 3 afterwards, at the
 * latest when page_tables_written() has been told. */
START_TEST(test_page_tables)
{
    static struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;
    u64 pde;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(paged, &s);
    tvm_state(&s, 3);
    s.gpr[GPR_RDI] = 0x600000;
    s.gpr[GPR_RSI] = TVM_MMIO + TVM_LEN - 1;
    for (u64 i = 0; i < 2; i++) {
        u64 page = i ? 0xa00000 : 0x800000;

        mem_write(t->mem, page, i ? "B" : "A", 1);
        pde = page | 0x87;
        mem_write(t->mem, TVM_PD + 3 * 8, &pde, 8);
        ck_assert_int_ge(t->engine->ops->page_tables_written(t->engine), 0);
        s.rip = TVM_CODE;
        tvm_set(t, &s);
        ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
        ck_assert_uint_eq(t->log[i].val, i ? 'B' : 'A');
    }
    tvm_free(t);
}
END_TEST

Suite *suite_kvm_state(void);
Suite *suite_kvm_state(void)
{
    Suite *s = suite_create("kvm_state");
    TCase *tc = tcase_create("kvm_state");

    tcase_add_test(tc, test_fresh);
    tcase_add_loop_test(tc, test_running, 0, 2);
    tcase_add_test(tc, test_parts);
    tcase_add_test(tc, test_tsc);
    tcase_add_test(tc, test_page_tables);
    suite_add_tcase(s, tc);
    return s;
}
