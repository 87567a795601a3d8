/* SPDX-License-Identifier: Apache-2.0 */
/* syscall.S: SYSCALL, SYSRET and SWAPGS as an operating system uses them (a
 * software KVM was seen to enter the kernel at CPL 3) */
//: engines kvm interp qemu
//: native
#include "guest.inc"

#define MSR_EFER      0xc0000080
#define MSR_STAR      0xc0000081
#define MSR_LSTAR     0xc0000082
#define MSR_SFMASK    0xc0000084
#define MSR_GS_BASE   0xc0000101
#define MSR_KERNEL_GS 0xc0000102

.macro SET_MSR msr:req, high:req, low:req
    movl $\msr, %ecx
    movl $\high, %edx
    movl $\low, %eax
    wrmsr
.endm

    .globl main
main:
    movl $MSR_EFER, %ecx
    rdmsr
    orl $1, %eax
    wrmsr
    /* SYSRET to 64 bit: CS = base + 16, SS = base + 8 */
    SET_MSR MSR_STAR, ((SEL_UCODE-16)<<16|SEL_CODE), 0
    SET_MSR MSR_LSTAR, 0, entry
    SET_MSR MSR_SFMASK, 0, 0x401 /* clear DF and CF */
    SET_MSR MSR_GS_BASE, 0, user_word
    SET_MSR MSR_KERNEL_GS, 0, kernel_word
    CATCH_USER "user program", user
    SHOW "it saw", seen
    movw %ss, %ax
    movzwl %ax, %eax
    SHOW "ss", %rax
    ret

user:
    movq $1, %rdi
    stc
    std
    syscall
user_2:
    cld
    movq %gs:0, %rax
    movq %rax, seen
    LEAVE_USER

entry:
    pushfq
    popq %rax
    movq %rsp, %r12
    movq $stack_top - 4096, %rsp
    andl $0x401, %eax
    SHOW "df and cf in the kernel", %rax
    movq %r11, %rax
    andl $0x401, %eax
    SHOW "in r11", %rax
    subq $user_2, %rcx
    SHOW "rcx is right behind, off by", %rcx
    addq $user_2, %rcx
    movw %cs, %ax
    movzwl %ax, %eax
    SHOW "cs", %rax
    movw %ss, %ax
    movzwl %ax, %eax
    SHOW "ss", %rax
    swapgs
    SHOW "gs in the kernel", %gs:0
    swapgs
    movq %r12, %rsp
    sysretq

    .data
    .balign 8
user_word:   .quad 0x1111
kernel_word: .quad 0x2222
seen:        .quad 0
