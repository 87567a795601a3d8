/* SPDX-License-Identifier: Apache-2.0 */
/* io.S: widths of port and MMIO accesses; nobody there reads ones */
//: engines kvm interp
#include "guest.inc"

#define BOOT_TIMER   0xc0000000
#define NOBODY_MMIO  0xd0000000
#define NOBODY_PORT  0x1230
#define UART_SCRATCH (COM1 + 7)

    .globl main
main:
    movq $-1, %rax
    movq %rax, %rbx
    movw $NOBODY_PORT, %dx
    xorl %eax, %eax
    inb %dx, %al
    SHOW "inb", %rax
    xorl %eax, %eax
    inw %dx, %ax
    SHOW "inw", %rax
    xorl %eax, %eax
    inl %dx, %eax
    SHOW "inl", %rax
    movl %ebx, %eax
    outl %eax, %dx
    outw %ax, %dx
    outb %al, %dx
    movq $0x1122334455667788, %rax
    inb %dx, %al
    SHOW "inb keeps the rest of rax", %rax

    movw $UART_SCRATCH, %dx
    movb $0x5a, %al
    outb %al, %dx
    xorl %eax, %eax
    inb %dx, %al
    SHOW "uart scratch register", %rax
    movw $COM1, %dx
    movq $text, %rsi
    movl $text_len, %ecx
    rep outsb
    SHOW "rcx after rep outsb", %rcx
    movw $NOBODY_PORT, %dx
    movq $buffer, %rdi
    movl $3, %ecx
    rep insw
    SHOW "rep insw", buffer

    movl $NOBODY_MMIO, %ebx
    call mmio_reads
    movl $BOOT_TIMER, %ebx
    call mmio_reads
    movb $123, (%rbx)
    movq %rax, 8(%rbx)
    xorl %eax, %eax
    xchgl %eax, (%rbx)
    SHOW "xchg", %rax
    movl $NOBODY_MMIO, %ebx
    orl $1, (%rbx)
    movl $1, %eax
    addl 4(%rbx), %eax
    SHOW "add of ones", %rax
    ret

mmio_reads:
    xorl %eax, %eax
    movb (%rbx), %al
    SHOW "byte", %rax
    xorl %eax, %eax
    movw 2(%rbx), %ax
    SHOW "word", %rax
    movl 4(%rbx), %eax
    SHOW "long", %rax
    movq 8(%rbx), %rax
    SHOW "quad", %rax
    movzbl 1(%rbx), %eax
    SHOW "movzx", %rax
    movsbq 1(%rbx), %rax
    SHOW "movsx", %rax
    ret

    .data
text: .ascii "written by rep outsb\n"
text_len = . - text
    .bss
    .balign 8
buffer: .skip 8
