/* SPDX-License-Identifier: Apache-2.0 */
/* float.S: x87 and SSE basics, their state, and their exceptions */
#include "guest.inc"

.macro SHOW_XMM0 name:req
    movups %xmm0, result
    PRINT "\name: "
    PRINTX result+8
    PRINT " "
    PRINTX result
    PRINT "\n"
.endm

    .globl main
main:
    movups a, %xmm0
    addps b, %xmm0
    SHOW_XMM0 "addps"
    movups a, %xmm0
    mulpd b, %xmm0
    SHOW_XMM0 "mulpd"
    sqrtsd two, %xmm0
    SHOW_XMM0 "sqrtsd"
    cvttsd2si thousand, %rax
    SHOW "cvttsd2si", %rax
    movl $-7, %eax
    cvtsi2sdl %eax, %xmm0
    SHOW_XMM0 "cvtsi2sd"
    movdqu a, %xmm0
    pshufd $0x1b, %xmm0, %xmm0
    SHOW_XMM0 "pshufd"
    punpcklbw b, %xmm0
    SHOW_XMM0 "punpcklbw"
    psadbw b, %xmm0
    SHOW_XMM0 "psadbw"
    ucomisd two, %xmm0
    pushfq
    andq $0x8d5, (%rsp)
    popq %rax
    SHOW "ucomisd flags", %rax

    fninit
    fldl two
    fsqrt
    fstpt result
    SHOW "fsqrt", result
    SHOW "exponent", result+8
    fldpi
    fldl2e
    fmulp
    fistpq result
    SHOW "fistp", result
    fildq result
    fld1
    fdivp
    fnstsw %ax
    andl $0xfdff, %eax /* but C1, "rounded up", which not all emulate */
    SHOW "status", %rax
    fxsave area
    fninit
    fldz
    fxrstor area
    fstpl result
    SHOW "after fxrstor", result
    call exceptions
    ret

exceptions:
    fninit
    movw $0x37b, control
    fldcw control
    fld1
    fldz
    fdivrp
    CATCH "x87 division by zero", fwait
    fnclex
    fninit
    movq %cr0, %rax
    orq $8, %rax
    movq %rax, %cr0
    CATCH "x87, task switched", fld1
    CATCH "sse, task switched", addps %xmm0, %xmm0
    clts
    CATCH "after clts", addps %xmm0, %xmm0
    ret

    .data
    .balign 16
a: .float 1.5, 2.25, -3.0, 1e10
b: .float 0.5, -0.25, 3.0, 7.0
two: .double 2.0
thousand: .double -1000.75
    .bss
    .balign 16
area:    .skip 512
result:  .skip 16
control: .skip 4
