/* SPDX-License-Identifier: Apache-2.0 */
/* smp.S: a second processor by INIT and SIPI, an IPI to it, locked counters */
//: engines kvm interp qemu
//: cpus 2
#include "guest.inc"
#include "ap.inc"

#define VECTOR     0x45
#define ROUNDS     2000

    .globl main
main:
    HANDLER VECTOR, on_ipi
    AP_START
1:  pause
    cmpq $0, ap_id
    je 1b
    SHOW "second processor", ap_id
    call count
2:  pause
    cmpq $0, ap_counted
    je 2b
    SHOW "counted by both", counter
    movl $1 << 24, LAPIC + 0x310
    movl $VECTOR, LAPIC + 0x300
3:  pause
    cmpq $0, ap_ipi
    je 3b
    SHOW "it took an IPI on vector", ap_ipi
    ret

count:
    movl $ROUNDS, %ecx
1:  lock incq counter
    movl $1, %eax
    lock xaddq %rax, counter
    decl %ecx
    jnz 1b
    ret

ap_main:
    movq $ap_stack_top, %rsp
    lidt idt_pointer
    movl $0x1ff, LAPIC + 0xf0
    movl LAPIC + 0x20, %eax
    shrl $24, %eax
    movq %rax, ap_id
    call count
    movq $1, ap_counted
1:  sti
    hlt
    jmp 1b

on_ipi:
    movq $VECTOR, ap_ipi
    movl $0, LAPIC + 0xb0
    ret

    .bss
    .balign 8
ap_id:      .skip 8
ap_counted: .skip 8
ap_ipi:     .skip 8
counter:    .skip 8
    .skip 4096
ap_stack_top:
