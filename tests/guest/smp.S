/* SPDX-License-Identifier: Apache-2.0 */
/* smp.S: a second processor by INIT and SIPI, an IPI to it, locked counters */
//: engines kvm qemu
//: cpus 2
#include "guest.inc"

#define TRAMPOLINE 0x8000
#define VECTOR     0x45
#define ROUNDS     2000

    .globl main
main:
    movl $0x1ff, LAPIC + 0xf0
    HANDLER VECTOR, on_ipi
    movl $trampoline, %esi
    movl $TRAMPOLINE, %edi
    movl $trampoline_end - trampoline, %ecx
    rep movsb

    movl $1 << 24, LAPIC + 0x310
    movl $0xc500, LAPIC + 0x300 /* INIT, assert, level */
    movl $0x4600 | TRAMPOLINE >> 12, LAPIC + 0x300
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

/* Real mode at 0800:0000 to 64-bit mode on the first processor's tables. */
    .code16
trampoline:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl TRAMPOLINE + (trampoline_gdt - trampoline)
    movl %cr4, %eax
    orl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax /* LME */
    wrmsr
    movl $0x80000023, %eax /* PG, NE, MP, PE */
    movl %eax, %cr0
    ljmpl $SEL_CODE, $TRAMPOLINE + (trampoline_64 - trampoline)
    .code64
trampoline_64:
    movw $SEL_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movq $ap_main, %rax
    jmp *%rax
trampoline_gdt:
    .word GDT_SIZE - 1
    .long gdt
trampoline_end:

    .bss
    .balign 8
ap_id:      .skip 8
ap_counted: .skip 8
ap_ipi:     .skip 8
counter:    .skip 8
    .skip 4096
ap_stack_top:
