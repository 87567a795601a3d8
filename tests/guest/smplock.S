/* SPDX-License-Identifier: Apache-2.0 */
/* smplock.S: two processors lock what lies across two pages: SDM vol. 3A 9.1.2
 * (a software KVM was seen to lose a few) */
//: engines kvm interp qemu
//: native
//: cpus 2
#include "guest.inc"
#include "ap.inc"

#define ROUNDS 5000 /* long enough for both to be at it */

    .globl main
main:
    AP_START
    movl $2, %edi
    call count
1:  pause
    cmpl $2, ended
    jne 1b
    SHOW "counted", counter
    SHOW "exchanged", pair
    ret

ap_main:
    movq $ap_stack_top, %rsp
    movl $2, %edi
    call count
2:  cli
    hlt
    jmp 2b

/* When as many as EDI have come. */
count:
    lock incl here
3:  pause
    cmpl %edi, here
    jne 3b
    movl $ROUNDS, %ecx
4:  lock incq counter
    movl pair, %eax
5:  movl pair + 4, %edx
    leal 1(%rax), %ebx
    movq %rcx, %rsi
    movl %edx, %ecx
    lock cmpxchg8b pair
    movq %rsi, %rcx
    jne 5b
    decl %ecx
    jnz 4b
    lock incl ended
    ret

    .data
    .balign 4096
    .skip 4096 - 3
counter: /* three bytes in one page, five in the next */
    .quad 0
    .skip 4096 - 5 - 4
pair:
    .quad 0

    .bss
    .balign 8
here:  .skip 8
ended: .skip 8
    .skip 4096
ap_stack_top:
