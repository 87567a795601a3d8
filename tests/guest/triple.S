/* SPDX-License-Identifier: Apache-2.0 */
/* triple.S: no IDT, so an exception cannot be delivered, nor can #DF */
//: engines kvm interp
//: status 0
//: reason the guest ended in a triple fault
#include "guest.inc"

    .globl main
main:
    PRINT "going\n"
    lidt nothing
    ud2

    .data
nothing:
    .word 0
    .quad 0
