/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.S: the TSC-deadline timer, which mote promises. SDM vol. 3A
 * 11.5.4.1 */
//: engines kvm interp
#include "guest.inc"

#define MSR_TSC_DEADLINE 0x6e0
#define TIMER_VECTOR     0x40

    .globl main
main:
    movl $1, %eax
    cpuid
    shrl $24, %ecx
    andl $1, %ecx
    SHOW "cpuid: tsc deadline", %rcx
    HANDLER TIMER_VECTOR, on_timer
    movl $0x1ff, LAPIC + 0xf0
    movl $0x40000 | TIMER_VECTOR, LAPIC + 0x320

    call tsc
    addq $3000000, %rax
    movq %rax, %rbx
    call arm
1:  sti
    hlt
    cli
    cmpq $1, count
    jb 1b
    SHOW "in the future", count
    call tsc
    cmpq %rbx, %rax
    jae 2f
    PRINT "too early\n"
2:  movl $MSR_TSC_DEADLINE, %ecx
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    SHOW "disarmed", %rax

    call tsc
    subq $1000, %rax
    call arm
    movl $1000, %ebx /* at once, or when a software KVM looks for it */
    sti
3:  inb $0x80, %al
    decl %ebx
    jz 4f
    cmpq $2, count
    jb 3b
4:  cli
    SHOW "in the past", count

    call tsc
    addq $3000000, %rax
    call arm
    xorl %eax, %eax
    call arm
    call tsc
    leaq 6000000(%rax), %rbx
    sti
5:  call tsc
    cmpq %rbx, %rax
    jb 5b
    cli
    SHOW "armed and disarmed", count
    ret

tsc:
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    ret

arm:
    movq %rax, %rdx
    shrq $32, %rdx
    movl $MSR_TSC_DEADLINE, %ecx
    wrmsr
    ret

on_timer:
    incq count
    movl $0, LAPIC + 0xb0
    ret

    .bss
    .balign 8
count: .skip 8
