/* SPDX-License-Identifier: Apache-2.0 */
/* lib.S: start-up, exceptions and printing of the guest programs */
#include "guest.inc"

    .text
    .globl _start
_start:
    movq $stack_top, %rsp
    cld
    lgdt gdt_pointer
    movw $SEL_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    pushq $SEL_CODE
    pushq $1f
    lretq
1:  call paging_setup
    call tss_setup
    call idt_setup
    call sse_setup
    call main
    EXIT 0

/* The first 4 GiB one to one, in 2 MiB pages, open to CPL 3; the last of these
 * GiB, where the APICs are, also at the top of the address space. */
paging_setup:
    movq $0x87, %rax /* PS, US, RW, P */
    movq $pd, %rdi
1:  movq %rax, (%rdi)
    addq $0x200000, %rax
    addq $8, %rdi
    cmpq $pd + 4 * 4096, %rdi
    jb 1b
    movq $pdpt + 7, pml4
    movq $pd + 7, pdpt
    movq $pd + 0x1000 + 7, pdpt + 8
    movq $pd + 0x2000 + 7, pdpt + 16
    movq $pd + 0x3000 + 7, pdpt + 24
    movq $pdpt_top + 7, pml4 + 511 * 8
    movq $pd + 0x3000 + 7, pdpt_top + 511 * 8
    movq $pml4, %rax
    movq %rax, %cr3
    ret

/* The TSS descriptor wants its base in four pieces; it is below 4 GiB. */
tss_setup:
    movq $tss, %rax
    movw %ax, gdt + SEL_TSS + 2
    shrq $16, %rax
    movb %al, gdt + SEL_TSS + 4
    movb %ah, gdt + SEL_TSS + 7
    movq $stack0_top, tss + 4
    movq $ist1_top, tss + 36
    movw $104, tss + 102 /* no I/O bitmap */
    movw $SEL_TSS, %ax
    ltr %ax
    ret

/* 256 interrupt gates; #DF on IST 1; INT3, INTO and 0x80 from CPL 3 too. */
idt_setup:
    movq $vectors, %rax
    movq $idt, %rdi
    movl $256, %ecx
1:  movw %ax, (%rdi)
    movw $SEL_CODE, 2(%rdi)
    movw $0x8e00, 4(%rdi)
    movq %rax, %rdx
    shrq $16, %rdx
    movw %dx, 6(%rdi)
    movl $0, 8(%rdi)
    addq $16, %rax
    addq $16, %rdi
    decl %ecx
    jnz 1b
    movb $1, idt + 8 * 16 + 4
    movb $0xee, idt + 3 * 16 + 5
    movb $0xee, idt + 4 * 16 + 5
    movb $0xee, idt + 0x80 * 16 + 5
    lidt idt_pointer
    ret

sse_setup:
    movq %cr4, %rax
    orq $0x600, %rax /* OSFXSR, OSXMMEXCPT */
    movq %rax, %cr4
    movq %cr0, %rax
    andq $~0xc, %rax /* EM, TS */
    orq $0x22, %rax  /* MP, NE */
    movq %rax, %cr0
    fninit
    ret

/* One stub of 16 bytes per vector: error code or 0, vector. */
    .balign 16
vectors:
    vector = 0
    .rept 256
    .balign 16
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17
    pushq $0
    .endif
    pushq $vector
    jmp interrupt
    vector = vector + 1
    .endr

#define FRAME_VECTOR (10 * 8)
#define FRAME_ERROR  (11 * 8)
#define FRAME_RIP    (12 * 8)
#define FRAME_CS     (13 * 8)

interrupt:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    movq FRAME_VECTOR(%rsp), %rax
    movq handlers(, %rax, 8), %rax
    testq %rax, %rax
    jz exception
    movq %rsp, %rdi
    call *%rax
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

exception:
    cmpq $0, resume
    je unexpected
    movq FRAME_VECTOR(%rsp), %rax
    movq %rax, exc_vector
    movq FRAME_ERROR(%rsp), %rax
    movq %rax, exc_error
    movq FRAME_RIP(%rsp), %rax
    movq %rax, exc_rip
    movq FRAME_CS(%rsp), %rax
    movq %rax, exc_cs
    movq %cr2, %rax
    movabsq $USER_DONE, %rcx
    cmpq %rcx, %rax
    jne resume_now
    movq $-2, exc_vector
    xorl %eax, %eax
    movq %rax, %cr2
resume_now: /* with the registers that the instruction left */
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    movq resume_rsp, %rsp
    pushq %rax
    movw $SEL_DATA, %ax
    movw %ax, %ss
    popq %rax
    pushq $2
    popfq
    jmp *resume

unexpected:
    PRINT "unexpected exception "
    PRINTX FRAME_VECTOR(%rsp)
    PRINT ", error "
    PRINTX FRAME_ERROR(%rsp)
    PRINT ", rip "
    PRINTX FRAME_RIP(%rsp)
    PRINT "\n"
    EXIT 0x3f

/* What CATCH found. "rip+n" when it is at or just behind the instruction. */
    .globl print_exception
print_exception:
    pushfq
    pushq %rax
    pushq %rsi
    movq exc_vector, %rax
    cmpq $0, %rax
    jl 2f
    PRINT "#"
    leaq exc_names(, %rax, 2), %rsi
    cmpq $20, %rax
    jb 1f
    PRINT "vector "
    pushq %rax
    call print_hex
    jmp 3f
1:  movb (%rsi), %al
    call print_char
    movb 1(%rsi), %al
    call print_char
3:  PRINT " error "
    PRINTX exc_error
    movq exc_rip, %rax
    subq exc_start, %rax
    cmpq $15, %rax
    ja 4f
    PRINT " rip+"
    pushq %rax
    call print_hex
4:  cmpq $SEL_CODE, exc_cs
    je 5f
    PRINT " from CPL 3"
    jmp 5f
2:  PRINT "no exception"
5:  PRINT "\n"
    movq $-1, exc_vector
    movq $0, resume
    popq %rsi
    popq %rax
    popfq
    ret

    .globl print_inline
print_inline:
    pushfq
    cld
    pushq %rax
    pushq %rsi
    movq 24(%rsp), %rsi
1:  lodsb
    testb %al, %al
    jz 2f
    call print_char
    jmp 1b
2:  movq %rsi, 24(%rsp)
    popq %rsi
    popq %rax
    popfq
    ret

/* The 64-bit number on the stack, which is popped, without leading zeros. */
    .globl print_hex
print_hex:
    pushfq
    cld
    pushq %rax
    pushq %rbx
    pushq %rcx
    movq 40(%rsp), %rbx
    PRINT "0x"
    movl $16, %ecx
1:  decl %ecx
    jz 2f
    rolq $4, %rbx
    testb $15, %bl
    jz 1b
    rorq $4, %rbx
2:  incl %ecx
3:  rolq $4, %rbx
    movb %bl, %al
    andl $15, %eax
    movb hex_digits(%rax), %al
    call print_char
    decl %ecx
    jnz 3b
    popq %rcx
    popq %rbx
    popq %rax
    popfq
    ret $8

    .globl print_char
print_char:
    pushq %rdx
    movw $COM1, %dx
    outb %al, %dx
    popq %rdx
    ret

/*
 * The way in for a loader that knows PVH instead of the Linux boot protocol:
 * 32-bit protected mode, no paging. Any such machine can then check what the
 * programs expect.
 */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18 /* name and entry sizes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_start

    .text
    .code32
pvh_start:
    movb $0xff, %al /* such a machine may have PICs */
    outb %al, $0x21
    outb %al, $0xa1
    movl $pvh_pml4, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax /* LME */
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $SEL_CODE, $_start
    .code64

    .data
    .balign 4096
pvh_pml4:
    .quad pvh_pdpt + 3
    .fill 511, 8, 0
pvh_pdpt: /* 1 GiB pages */
    .quad 0x83, 0x40000083, 0x80000083, 0xc0000083
    .fill 508, 8, 0

    .balign 16
    .globl gdt
gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff /* SEL_CODE */
    .quad 0x00cf93000000ffff /* SEL_DATA */
    .quad 0x00cff3000000ffff /* SEL_UDATA */
    .quad 0x00affb000000ffff /* SEL_UCODE */
    .quad 0x0000890000000067, 0 /* SEL_TSS, base filled in */
    .quad 0x00cf13000000ffff /* SEL_ABSENT */
    .quad 0x00af9b000000ffff /* SEL_CALL0 */
gdt_pointer:
    .word GDT_SIZE - 1
    .quad gdt
    .globl idt_pointer
idt_pointer:
    .word 256 * 16 - 1
    .quad idt

    .globl exc_vector
exc_vector: .quad -1 /* -1: none, -2: left user mode in order */
exc_names:  .ascii "DEDBNIBPOFBRUDNMDFCSTSNPSSGPPF??MFACMCXM"
hex_digits: .ascii "0123456789abcdef"

    .bss
    .balign 4096
pml4:       .skip 4096
pdpt:       .skip 4096
pdpt_top:   .skip 4096
pd:         .skip 4 * 4096
    .globl pml4, pd, idt, tss, handlers, exc_start, exc_rip, resume, resume_rsp, exc_error
    .globl user_stack_top, exc_cs, stack_top
idt:        .skip 256 * 16
handlers:   .skip 256 * 8
tss:        .skip 104
exc_error:  .skip 8
exc_rip:    .skip 8
exc_cs:     .skip 8
exc_start:  .skip 8
resume:     .skip 8
resume_rsp: .skip 8
    .balign 16
    .skip 8192
stack_top:
    .skip 4096
stack0_top: /* from CPL 3 */
    .skip 4096
ist1_top:
    .skip 4096
user_stack_top:
