/* SPDX-License-Identifier: Apache-2.0 */
/* serial.S: COM1's interrupt through the IOAPIC, both directions. Input may come
 * before the FIFO is set up, which empties it; hence more dots than fit in. */
//: stdin ................................hello, guest
#include "guest.inc"

#define VECTOR  0x44
#define IER     (COM1 + 1)
#define IIR     (COM1 + 2) /* FCR when written */
#define LCR     (COM1 + 3)
#define MCR     (COM1 + 4)
#define LSR     (COM1 + 5)
#define COM1_PIN 4

.macro IOAPIC_WRITE reg:req, value:req
    movl $\reg, IOAPIC
    movl $\value, IOAPIC + 16
.endm

    .globl main
main:
    HANDLER VECTOR, on_serial
    movl $0x1ff, LAPIC + 0xf0
    IOAPIC_WRITE (0x11+2*COM1_PIN), 0
    IOAPIC_WRITE (0x10+2*COM1_PIN), VECTOR /* fixed, edge, high */
    WRITE_PORT LCR, 3
    WRITE_PORT IIR, 7 /* FIFOs on and empty */
    WRITE_PORT MCR, 0xb
    READ_PORT LSR
    andl $0x60, %eax
    SHOW "lsr: transmitter empty", %rax
    WRITE_PORT IER, 2
    call wait_for_interrupt
    READ_PORT IIR
    movzbl %al, %ebx
    andl $0xf, %ebx
    WRITE_PORT IER, 0
    SHOW "iir, transmitter", iir
    SHOW "iir, read again", %rbx

    movl $got, %ebx
    WRITE_PORT IER, 1
2:  call wait_for_interrupt
3:  READ_PORT LSR
    testb $1, %al
    jz 2b
    READ_PORT COM1
    cmpb $'.', %al
    je 3b
    movb %al, (%rbx)
    incq %rbx
    cmpb $'t', %al
    jne 3b
    andl $7, iir /* 4 or, at the end of a burst, 0xc */
    PRINT "iir, receiver and text: "
    PRINTX iir
    PRINT " "
    movq $got, %rbx
4:  movb (%rbx), %al
    testb %al, %al
    jz 5f
    call print_char
    incq %rbx
    jmp 4b
5:  PRINT "\n"
    ret

wait_for_interrupt:
    sti
    hlt
    cli
    cmpb $0, fired
    je wait_for_interrupt
    movb $0, fired
    ret

/* Read, once, what it is. */
on_serial:
    READ_PORT IIR
    andl $0xf, %eax
    movq %rax, iir
    movb $1, fired
    movl $0, LAPIC + 0xb0
    ret

    .bss
    .balign 8
iir:   .skip 8
fired: .skip 8
got:   .skip 64
