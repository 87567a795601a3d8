/* SPDX-License-Identifier: Apache-2.0 */
/* mxcsr.S: SSE's exceptions, which QEMU's TCG does not raise. SDM vol. 1 11.5 */
//: engines kvm interp
#include "guest.inc"

    .globl main
main:
    xorps %xmm1, %xmm1
    movsd two, %xmm0
    movl $0x1d80, mxcsr /* division by zero is not masked */
    ldmxcsr mxcsr
    CATCH "division by zero", divsd %xmm1, %xmm0
    stmxcsr mxcsr
    SHOW "mxcsr", mxcsr
    movsd %xmm0, result
    SHOW "destination", result
    movl $0x1f80, mxcsr
    ldmxcsr mxcsr
    divsd %xmm1, %xmm0
    movsd %xmm0, result
    SHOW "masked", result
    stmxcsr mxcsr
    SHOW "mxcsr", mxcsr
    movl $0x3f80, mxcsr /* round down */
    ldmxcsr mxcsr
    movsd minus, %xmm0
    cvtsd2si %xmm0, %rax
    SHOW "rounded down", %rax
    cvttsd2si %xmm0, %rax
    SHOW "truncated", %rax
    movl $0xffff0000, mxcsr
    CATCH "reserved bits", ldmxcsr mxcsr
    ret

    .data
two:   .double 2.0
minus: .double -2.5
    .bss
    .balign 8
result: .skip 8
mxcsr:  .skip 8
