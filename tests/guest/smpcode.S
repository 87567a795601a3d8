/* SPDX-License-Identifier: Apache-2.0 */
/* smpcode.S: one processor writes what the other one executes: SDM vol. 3A
 * 9.1.3 */
//: engines kvm interp qemu
//: cpus 2
#include "guest.inc"
#include "ap.inc"

#define ROUNDS 500

    .globl main
main:
    movb $0xb8, code /* MOV EAX, imm32; RET: this page is ours to write */
    movb $0xc3, code + 5
    AP_START

    /* each time another immediate, then the word to go on */
    movl $ROUNDS, %ecx
1:  movl %ecx, code + 1
    movl %ecx, round
2:  pause
    cmpl %ecx, done
    jne 2b
    decl %ecx
    jnz 1b
    SHOW "calls", calls
    SHOW "of old code", stale

    /* the function moves on in the page, and data around it changes */
    movl $ROUNDS, %ecx
3:  leal (,%ecx,8), %edi
    andl $0x7f8, %edi
    addl $code, %edi
    movb $0xb8, (%rdi)
    movl %ecx, 1(%rdi)
    movb $0xc3, 5(%rdi)
    movl %edi, where
    movl %ecx, round
4:  pause
    incl code + 0xf00
    cmpl %ecx, done
    jne 4b
    decl %ecx
    jnz 3b
    SHOW "calls", calls
    SHOW "of old code", stale
    ret

ap_main:
    movq $ap_stack_top, %rsp
    movq $code, %rsi
    xorl %ebp, %ebp
1:  pause
    movl round, %r8d
    cmpl %ebp, %r8d
    je 1b
    movl %r8d, %ebp
    xorl %eax, %eax
    cpuid /* serializes */
    movl where, %esi
    call *%rsi
    incq calls
    cmpl %eax, %ebp
    je 2f
    incq stale
2:  movl %ebp, done
    jmp 1b

    .data
    .balign 8
where: .quad code

    .balign 4096
code:
    .skip 4096

    .bss
    .balign 8
round: .skip 8
done:  .skip 8
calls: .skip 8
stale: .skip 8
    .skip 4096
ap_stack_top:
