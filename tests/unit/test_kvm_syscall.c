/* SPDX-License-Identifier: Apache-2.0 */
/* kvm/syscall.c: SYSCALL from a program arrives at CPL 0, on any KVM */
#include <check.h>

#include "kvm_vm.h"

/* clang-format off */
/* Rounds of SYSCALL with a number in EAX; the kernel sends back what it got. */
GUEST(program,
    "mov $3, %ebp\n"
    "1: lea 0x100(%rbp), %eax\n mov $0x7777, %edi\n syscall\n"
    "dec %ebp\n jnz 1b\n"
    "mov $0xdead, %eax\n syscall\n jmp .\n");
GUEST(kernel,
    "mov %ss, %esi\n shl $16, %esi\n mov %cs, %si\n mov %eax, %ebx\n"
    "mov $0x500, %edx\n out %eax, %dx\n"
    "mov $0x504, %edx\n mov %esi, %eax\n out %eax, %dx\n"
    "cmp $0xdead, %ebx\n jne 1f\n" GUEST_DONE
    "1: sysretq\n");
GUEST(fault, "clac\n mov $0x508, %edx\n mov (%rsp), %eax\n out %eax, %dx\n" GUEST_DONE);
/* clang-format on */

#define SYS_IDT     0x4000ull
#define SYS_GDT     0x5000ull
#define SYS_TSS     0x6000ull
#define SYS_LSTAR   0x11000ull
#define SYS_FAULT   0x12000ull
#define SYS_PROGRAM 0x200000ull
#define SYS_STACK   0x300000ull

static void sys_tables(struct tvm *t, struct cpu_state *s)
{
    u64 pde = 0x83, rsp0 = TVM_STACK;
    u64 gate[2] = {(SYS_FAULT & 0xffff) | 0x10ull << 16 | 0x8e00ull << 32 |
                       (SYS_FAULT >> 16) << 48,
                   0};
    const u64 gdt[] = {0,
                       0,
                       0x00af9b000000ffff,
                       0x00cf93000000ffff,
                       0x00cffb000000ffff,
                       0x00cff3000000ffff,
                       0x00affb000000ffff};

    mem_write(t->mem, TVM_PD, &pde, 8); /* the kernel's 2 MiB: no user */
    mem_write(t->mem, SYS_IDT + 14 * 16, gate, sizeof(gate));
    mem_write(t->mem, SYS_GDT, gdt, sizeof(gdt));
    mem_write(t->mem, SYS_TSS + 4, &rsp0, 8);
    s->idt = (struct cpu_table){SYS_IDT, 0xfff};
    s->gdt = (struct cpu_table){SYS_GDT, sizeof(gdt) - 1};
    s->tr = (struct cpu_seg){
        .base = SYS_TSS, .limit = 0x67, .sel = 0x38, .type = 11, .present = 1};
    s->msr.star = 0x0023001000000000;
    s->msr.sfmask = RFLAGS_IF | RFLAGS_TF | RFLAGS_DF;
}

START_TEST(test_syscall)
{
    static struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new(1);
    tvm_load(t, SYS_PROGRAM, guest_program, guest_program_end);
    tvm_load(t, SYS_LSTAR, guest_kernel, guest_kernel_end);
    tvm_load(t, SYS_FAULT, guest_fault, guest_fault_end);
    tvm_state(&s, 3);
    sys_tables(t, &s);
    s.seg[SEG_CS].sel = 0x33;
    s.seg[SEG_SS].sel = 0x2b;
    s.efer |= EFER_SCE;
    s.cr4 |= CR4_SMAP;
    /* in the upper half, as kernels are: the root's last entry, again */
    s.msr.lstar = 0xffffff8000000000 + SYS_LSTAR;
    mem_write(t->mem, TVM_PML4 + 511 * 8, &(u64){TVM_PDPT | 7}, 8);
    s.rip = SYS_PROGRAM;
    s.gpr[GPR_RSP] = SYS_STACK;
    tvm_set(t, &s);
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    ck_assert_uint_eq(t->nr, 8);
    for (unsigned int i = 0; i < 4; i++) {
        ck_assert_uint_eq(t->log[2 * i].off, 0);
        ck_assert_uint_eq(t->log[2 * i].val, i < 3 ? 0x103 - i : 0xdead);
        ck_assert_uint_eq(t->log[2 * i + 1].val, 0x00180010);
    }
    t->engine->ops->get_state(t->vcpu[0], &s, CPU_REGS | CPU_SREGS);
    ck_assert_uint_eq(s.gpr[GPR_RSP], SYS_STACK);
    ck_assert_uint_eq(s.gpr[GPR_RDI], 0x7777);
    ck_assert_uint_eq(s.seg[SEG_SS].dpl, 0);
    tvm_free(t);
}
END_TEST

Suite *suite_kvm_syscall(void);
Suite *suite_kvm_syscall(void)
{
    Suite *s = suite_create("kvm_syscall");
    TCase *tc = tcase_create("kvm_syscall");

    tcase_add_test(tc, test_syscall);
    suite_add_tcase(s, tc);
    return s;
}
