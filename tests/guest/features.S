/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features.S: instructions that kernels choose by CPUID work if it lists them;
 * if XSAVE is hidden it is #UD. Software KVMs refuse some that they list.
 */
#include "guest.inc"

    .globl main
main:
    movl $1, %eax
    cpuid
    movl %ecx, %r15d
    btl $23, %r15d
    jnc 1f
    movabsq $0xf0f0f0f0f0f0f0f1, %rbx
    popcntq %rbx, %rax
    cmpq $33, %rax
    je 1f
    SHOW "popcnt", %rax
1:  PRINT "popcnt: done\n"
    btl $20, %r15d
    jnc 2f
    movl $-1, %eax
    crc32b text, %eax
    crc32q text+1, %rax
    cmpq $0xe3069283 ^ 0xffffffff, %rax /* CRC-32C of "123456789" */
    je 2f
    SHOW "crc32", %rax
2:  PRINT "crc32: done\n"

    movl $1000, %r12d
    movq $0, breakpoints
    HANDLER 3, on_breakpoint
3:  int3
    decl %r12d
    jnz 3b
    HANDLER 3, 0
    SHOW "breakpoints", breakpoints
    btl $26, %r15d
    jnc no_xsave

    movq %cr4, %rax
    orq $0x40000, %rax /* OSXSAVE */
    movq %rax, %cr4
    xorl %ecx, %ecx
    movl $3, %eax /* x87 and SSE */
    xorl %edx, %edx
    xsetbv
    xgetbv
    cmpl $3, %eax
    jne 4f
    movaps text, %xmm3
    movl $3, %eax
    xsave area
    xorps %xmm3, %xmm3
    xrstor area
    movaps %xmm3, area2
    movq area2, %rax
    cmpq %rax, text
    jne 4f
    movl $1, %eax
    cpuid
    btl $27, %ecx
    jnc 4f
    PRINT "xsave: as CPUID has it\n"
    ret
4:  PRINT "xsave: wrong\n"
    ret

no_xsave:
    movl $3, %eax
    movl $0, %edx
    movq $-1, exc_vector
    movq $5f, resume
    movq %rsp, resume_rsp
    xsave area
5:  cmpq $6, exc_vector
    jne 4b
    movq $0, resume
    movq $-1, exc_vector
    PRINT "xsave: as CPUID has it\n"
    ret

on_breakpoint:
    incq breakpoints
    ret

    .data
    .balign 64
text: .ascii "123456789.......and some more..."
    .bss
    .balign 64
area:        .skip 1024
area2:       .skip 16
breakpoints: .skip 8
