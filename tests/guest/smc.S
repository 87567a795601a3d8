/* SPDX-License-Identifier: Apache-2.0 */
/* smc.S: code that is written while it runs. SDM vol. 3A 12.6, 8.1.3 */
#include "guest.inc"

    .globl main
main:
    /* a function called, changed, called again */
    movl $5, %ecx
    xorl %ebx, %ebx
1:  movb %cl, patched + 1
    call patched
    addl %eax, %ebx
    decl %ecx
    jnz 1b
    SHOW "sum of what it returned", %rbx

    /* the very next instruction */
    xorl %eax, %eax
    movb $0x42, 2f + 1
2:  movb $0, %al
    SHOW "next instruction", %rax

    /* an instruction of the running loop, ahead of its own store */
    movl $10, %ecx
    xorl %ebx, %ebx
3:  movb %cl, 4f + 2
4:  addl $0, %ebx
    decl %ecx
    jnz 3b
    SHOW "loop", %rbx

    /* code that spans two pages, each half changed */
    movl $0xb8, %eax
    movb %al, page_end - 2 /* MOV EAX, imm32; RET */
    movl $0x33221100, page_end - 1
    movb $0xc3, page_end + 3
    movq $page_end - 2, %rbx
    call *%rbx
    SHOW "across pages", %rax
    movb $0x99, page_end - 1
    call *%rbx
    SHOW "first half changed", %rax
    movb $0x77, page_end + 2
    call *%rbx
    SHOW "second half changed", %rax

    /* a whole function copied over another, by a string instruction */
    movq $patched, %rdi
    movq $other, %rsi
    movl $other_end - other, %ecx
    call patched
    rep movsb
    call patched
    SHOW "copied over", %rax
    ret

    .balign 16
patched:
    movl $0, %eax
    ret
    .balign 16
other:
    movl $0x1234, %eax
    addl $1, %eax
    ret
other_end:

    .bss
    .balign 4096
    .skip 4096
page_end:
    .skip 64
