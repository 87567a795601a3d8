/* SPDX-License-Identifier: Apache-2.0 */
/* paging.S: accessed and dirty, write protection, user, NX. SDM vol. 3A 4.6-8 */
#include "guest.inc"

#define MSR_EFER 0xc0000080
#define VA       0x8000000000 /* PML4 entry 1 */
#define PTE_A    0x20
#define CR0_WP   16
#define EFER_NXE 11

/* Page n of the window gets page's address and these flags. */
.macro MAP n:req, flags:req
    movabsq $(page + (\flags)), %rax
    movq %rax, pt1 + 8 * (\n)
    movabsq $(VA + 4096 * (\n)), %rbx
    invlpg (%rbx)
.endm

.macro SHOW_FLAGS name:req, entry:req
    movq \entry, %rax
    andl $0xfff, %eax
    SHOW "\name", %rax
.endm

    .globl main
main:
    movq $pdpt1 + 7, pml4 + 8
    movq $pd1 + 7, pdpt1
    movq $pt1 + 7, pd1
    movb $0xc3, page /* RET */

    MAP 0, 7
    movb (%rbx), %al
    SHOW_FLAGS "pml4e after a read", pml4 + 8
    SHOW_FLAGS "pdpte", pdpt1
    SHOW_FLAGS "pde", pd1
    SHOW_FLAGS "pte", pt1
    movb $0xc3, 5(%rbx)
    SHOW_FLAGS "pde after a write", pd1
    SHOW_FLAGS "pte", pt1
    MAP 1, 7
    lock cmpxchgb %cl, (%rbx) /* writes also when it does not match */
    SHOW_FLAGS "pte after cmpxchg", pt1 + 8
    MAP 2, 7
    call *%rbx
    SHOW_FLAGS "pte after a fetch", pt1 + 16

    MAP 3, 5
    CATCH "write to a read-only page, WP = 0", movb $0xc3, (%rbx)
    movq %cr0, %rax
    btsq $CR0_WP, %rax
    movq %rax, %cr0
    CATCH "with WP = 1", movb $0xc3, (%rbx)
    movq %cr2, %rax
    SHOW "cr2", %rax
    SHOW_FLAGS "pte", pt1 + 24
    CATCH "read across into an absent page", movq 4092(%rbx), %rax
    movq %cr2, %rax
    SHOW "cr2", %rax

    MAP 4, 3
    CATCH_USER "user read of a kernel page", user_read
    CATCH_USER "user write of it", user_write
    MAP 4, 5
    CATCH_USER "user read of a read-only page", user_read
    CATCH_USER "user write of it", user_write
    movq $pt1 + 3, pd1
    invlpg (%rbx)
    CATCH_USER "user read below a kernel pde", user_read
    movq $pt1 + 7, pd1

    MAP 5, 0x8000000000000007
    movl $MSR_EFER, %ecx
    rdmsr
    btsl $EFER_NXE, %eax
    wrmsr
    CATCH "NX: read", movb (%rbx), %al
    CATCH "NX: fetch", call *%rbx
    MAP 6, 0
    CATCH "fetch from an absent page", call *%rbx

    /* Another frame behind the same address: INVLPG, and a CR3 reload. */
    MAP 7, 7
    movb $1, (%rbx)
    movq $page2 + 7, pt1 + 56
    invlpg (%rbx)
    movb $2, (%rbx)
    movq $page + 7, pt1 + 56
    movq %cr3, %rax
    movq %rax, %cr3
    movzbl (%rbx), %eax
    SHOW "first frame", %rax
    movzbl page2, %eax
    SHOW "second frame", %rax
    ret

user_read:
    movb (%rbx), %al
    LEAVE_USER
user_write:
    movb %al, (%rbx)
    LEAVE_USER

    .bss
    .balign 4096
pdpt1: .skip 4096
pd1:   .skip 4096
pt1:   .skip 4096
page:  .skip 4096
page2: .skip 4096
