/* SPDX-License-Identifier: Apache-2.0 */
/* sysregs.S: what control registers and MSRs refuse. SDM vol. 3A 2.5, 4.1.2.
 * (QEMU's TCG takes most of it.) */
//: engines kvm interp
#include "guest.inc"

#define MSR_EFER  0xc0000080
#define MSR_LSTAR 0xc0000082

    .globl main
main:
    movabsq $0x8000000000000000, %rbp
    CATCH "stack address that is not canonical", movb (%rbp), %cl
    movl $0xdead, %ecx
    CATCH "read of an unknown MSR", rdmsr
    xorl %eax, %eax
    xorl %edx, %edx
    CATCH "write of an unknown MSR", wrmsr
    movl $MSR_LSTAR, %ecx
    movl $0x80000000, %edx
    CATCH "address that is not canonical", wrmsr
    movl $MSR_EFER, %ecx
    xorl %edx, %edx
    movl $0x502, %eax
    CATCH "reserved bit of EFER", wrmsr
    xorl %eax, %eax
    CATCH "EFER.LME cleared while paging", wrmsr

    movq %cr4, %rax
    btrq $5, %rax
    CATCH "CR4.PAE cleared in long mode", movq %rax, %cr4
    movq %cr0, %rax
    btrq $0, %rax
    CATCH "CR0.PE cleared while paging", movq %rax, %cr0
    movq %cr0, %rax
    btsq $29, %rax
    CATCH "CR0.NW without CD", movq %rax, %cr0
    movl $0x10, %eax
    CATCH "reserved bit of CR8", movq %rax, %cr8
    btsq $63, pd + 8 * 100
    invlpg 100 * 0x200000
    CATCH "NX without EFER.NXE", movb 100 * 0x200000, %al
    CATCH_USER "CR3 from CPL 3", user_cr3
    CATCH_USER "MSR from CPL 3", user_msr
    CATCH_USER "CLI from CPL 3", user_cli
    ret

user_cr3:
    movq %cr3, %rax
user_msr:
    rdmsr
user_cli:
    cli
