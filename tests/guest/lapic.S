/* SPDX-License-Identifier: Apache-2.0 */
/* lapic.S: timer, HLT, self-IPI and task priority. SDM vol. 3A 11.5, 11.8 */
#include "guest.inc"

#define TIMER_VECTOR 0x40
#define SELF_VECTOR  0x51

    .globl main
main:
    HANDLER TIMER_VECTOR, on_timer
    HANDLER SELF_VECTOR, on_self
    movl $0x1ff, LAPIC + 0xf0 /* on, spurious vector 0xff */
    movl $0xb, LAPIC + 0x3e0  /* divide by 1 */

    movl $TIMER_VECTOR, LAPIC + 0x320
    movl $50000, LAPIC + 0x380
    movl $1, %ebx
    call wait_for_timer
    SHOW "one-shot", timer_count
    movl LAPIC + 0x390, %eax
    SHOW "count behind it", %rax

    movl $0x20000 | TIMER_VECTOR, LAPIC + 0x320
    movl $20000, LAPIC + 0x380
    movl $4, %ebx
    call wait_for_timer
    movl $0, LAPIC + 0x380
    movl $0x10000, LAPIC + 0x320
    cmpq $4, timer_count
    jb 1f
    PRINT "periodic: fires on\n"

1:  movl $1, %ebx
    call let_in /* what has come in meanwhile */
    movq $0, timer_count
    movl $0x10000 | TIMER_VECTOR, LAPIC + 0x320
    movl $100, LAPIC + 0x380
2:  movl LAPIC + 0x390, %eax
    testl %eax, %eax
    jnz 2b
    call let_in
    SHOW "masked", timer_count

    movl $0x40000 | SELF_VECTOR, LAPIC + 0x300
    SHOW "self-IPI with interrupts off", self_count
    movl LAPIC + 0x220, %eax /* IRR, vectors 0x40..0x5f */
    SHOW "requested", %rax
    movl $1, %ebx
    call let_in
    SHOW "with interrupts on", self_count
    movl $5, %eax
    movq %rax, %cr8
    movl LAPIC + 0x80, %eax
    SHOW "tpr after cr8 = 5", %rax
    movl $0x50, LAPIC + 0x80
    movq %cr8, %rax
    SHOW "cr8 after tpr = 0x50", %rax
    movl $0x40000 | SELF_VECTOR, LAPIC + 0x300
    movl $2, %ebx
    call let_in
    SHOW "at the task's priority", self_count
    movl $0x40, LAPIC + 0x80
    call let_in
    SHOW "above it", self_count
    ret

/* Sleep until ebx timer interrupts have come. */
wait_for_timer:
    sti
    hlt
    cli
    cmpq %rbx, timer_count
    jb wait_for_timer
    ret

/* Interrupts on until ebx self-IPIs have come, or for a while: a software KVM
 * looks for interrupts when it leaves the guest, so leave it. */
let_in:
    movl $200, %ecx
    sti
1:  inb $0x80, %al
    cmpq %rbx, self_count
    loopne 1b
    cli
    ret

on_timer:
    incq timer_count
    movl $0, LAPIC + 0xb0
    ret

on_self:
    incq self_count
    movl $0, LAPIC + 0xb0
    ret

    .bss
    .balign 8
timer_count: .skip 8
self_count:  .skip 8
