/* SPDX-License-Identifier: Apache-2.0 */
/* strict.S: rules that KVMs without hardware support do not keep (nor does
 * QEMU's TCG) */
//: engines kvm interp
//: native
#include "guest.inc"

    .globl main
main:
    movq %cr4, %rax
    btsq $63, %rax
    CATCH "reserved bit of CR4", movq %rax, %cr4
    CATCH_USER "gate of DPL 0 from CPL 3", user_int
    CATCH_USER "gate of DPL 3 from CPL 3", user_int80
    movl $1, %eax
    cpuid
    btl $22, %ecx
    jnc 1f
    movq $0x12345678, %rbx
    pushq %rbx
    movbeq (%rsp), %rax
    addq $8, %rsp
    bswapq %rax
    cmpq %rbx, %rax
    je 1f
    SHOW "movbe", %rax
1:  PRINT "movbe: as CPUID has it\n"

    movl $0x1ff, LAPIC + 0xf0
    HANDLER 0x51, on_self
    movl $0x40051, LAPIC + 0x300 /* self-IPI */
    sti
    nop /* the one instruction in the shadow of STI */
    cli
    SHOW "in service", in_service
    ret

on_self:
    movl LAPIC + 0x120, %eax /* ISR, vectors 0x40..0x5f */
    movq %rax, in_service
    movl $0, LAPIC + 0xb0
    ret

user_int:
    int $0x42
user_int80:
    int $0x80

    .bss
    .balign 8
in_service: .skip 8
