/* SPDX-License-Identifier: Apache-2.0 */
/* exceptions.S: vector, error code and saved RIP of every kind. SDM vol. 3A 6 */
#include "guest.inc"

    .globl main
main:
    xorl %ecx, %ecx
    CATCH "divide by zero", divl %ecx
    movq $-1, %rdx
    CATCH "divide overflow", divq %rdx
    CATCH "undefined", ud2
    CATCH "undefined opcode", .byte 0x06 /* PUSH ES: not in 64-bit mode */
    CATCH "breakpoint", int3
    CATCH "software interrupt", int $0x42

    movabsq $0x8000000000000000, %rax
    CATCH "not canonical", movb (%rax), %cl
    movq $0x1000, %rax
    CATCH "selector beyond the GDT", movw %ax, %ds
    movw $SEL_ABSENT, %ax
    CATCH "segment not present", movw %ax, %ds
    CATCH "stack segment not present", movw %ax, %ss
    CATCH "misaligned SSE operand", movaps aligned + 1, %xmm0

    movabsq $0x7f0000000000, %rax
    CATCH "read of an absent page", movb (%rax), %cl
    movq %cr2, %rbx
    SHOW "cr2", %rbx
    CATCH "write to an absent page", movb %cl, 8(%rax)
    movq %cr2, %rbx
    SHOW "cr2", %rbx
    CATCH "fetch from an absent page", call *%rax
    call single_step
    call double_fault
    CATCH_USER "privileged", user_hlt
    CATCH_USER "nothing wrong", user_leave
    CATCH_USER "port", user_out
    ret

user_hlt:
    hlt
user_leave:
    LEAVE_USER
user_out:
    outb %al, $0x80

/* A trap: RIP is behind the instruction that followed the one that set TF. */
single_step:
    pushfq
    orq $0x100, (%rsp)
    CATCH "single step", call step_me
    movq %dr6, %rax
    andl $0x4000, %eax
    SHOW "dr6.bs", %rax
    addq $8, %rsp
    xorl %eax, %eax
    movq %rax, %dr6
    ret
step_me:
    pushq 8(%rsp)
    popfq
    nop
    nop
    ud2

/* The #GP gate is gone, so its delivery fails: #DF on its own stack. */
double_fault:
    movb $0, idt + 13 * 16 + 5
    movw $0x1000, %ax
    CATCH "double fault", movw %ax, %ds
    movb $0x8e, idt + 13 * 16 + 5
    ret

    .data
    .balign 16
aligned:
    .skip 32
