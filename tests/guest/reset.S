/* SPDX-License-Identifier: Apache-2.0 */
/* reset.S: the keyboard controller pulls the reset line */
//: engines kvm interp
//: status 0
//: reason the guest asked for a reset
#include "guest.inc"

    .globl main
main:
    PRINT "going\n"
    WRITE_PORT 0x64, 0xfe
1:  hlt
    jmp 1b
