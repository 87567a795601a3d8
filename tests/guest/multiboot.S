/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multiboot.S: a 32-bit multiboot 1 image with a module, as suites of processor
 * tests are: it shows what it was given, and ends with a status of its own.
 * Multiboot Specification 0.6.96, 3.2 and 3.3.
 */
//: engines kvm interp qemu
//: bits 32
//: append one two=3
//: module NR_CPUS=1
//: status 11

#define COM1      0x3f8
#define EXIT_PORT 0xf4
#define MAGIC     0x1badb002

    .code32
    .text
    .balign 4
    .long MAGIC, 0, -MAGIC

    .globl _start
_start:
    movl $stack_top, %esp
    movl %eax, %edi
    movl $text_magic, %esi
    call show
    movl %cr0, %edi
    andl $0x80000001, %edi /* PG, PE */
    movl $text_cr0, %esi
    call show
    pushfl
    popl %edi
    andl $0x20200, %edi /* VM, IF */
    movl $text_flags, %esi
    call show

    movl (%ebx), %edi
    andl $0x4d, %edi /* memory, command line, modules, map */
    movl $text_info, %esi
    call show
    movl $text_words, %esi
    call print
    movl 16(%ebx), %esi
1:  lodsb /* behind the image's own name */
    cmpb $' ', %al
    jne 1b
    call print
    movl 20(%ebx), %edi
    movl $text_modules, %esi
    call show
    movl 24(%ebx), %eax
    movl (%eax), %esi
    movl 4(%eax), %ecx
2:  lodsb
    call put
    cmpl %ecx, %esi
    jb 2b

    /* the map's RAM from 1 MiB on is what mem_upper says */
    movl 48(%ebx), %esi
    movl %esi, %ebp
    addl 44(%ebx), %ebp
3:  cmpl $0x100000, 4(%esi)
    je 4f
    addl (%esi), %esi
    addl $4, %esi
    cmpl %ebp, %esi
    jb 3b
    jmp 5f
4:  movl 12(%esi), %edi
    shrl $10, %edi
    subl 8(%ebx), %edi
    movl $text_map, %esi
    call show
5:  movb $5, %al
    movw $EXIT_PORT, %dx
    outb %al, %dx
6:  hlt
    jmp 6b

/* ESI: text, EDI: value */
show:
    call print
    movl $8, %ecx
1:  roll $4, %edi
    movl %edi, %eax
    andl $15, %eax
    movb digits(%eax), %al
    call put
    loop 1b
    movb $'\n', %al
    jmp put

print:
    lodsb
    testb %al, %al
    jz 1f
    call put
    jmp print
1:  ret

put:
    movw $COM1 + 5, %dx
    movb %al, %ah
1:  inb %dx, %al
    testb $0x20, %al
    jz 1b
    movb %ah, %al
    movw $COM1, %dx
    outb %al, %dx
    ret

digits:       .ascii "0123456789abcdef"
text_magic:   .asciz "EAX "
text_cr0:     .asciz "PG, PE of CR0 "
text_flags:   .asciz "VM, IF of EFLAGS "
text_info:    .asciz "information "
text_words:   .asciz "words: "
text_modules: .asciz "\nmodules "
text_map:     .asciz "map beyond mem_upper, KiB "

    .bss
    .skip 4096
stack_top:
