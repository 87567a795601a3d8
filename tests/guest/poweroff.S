/* SPDX-License-Identifier: Apache-2.0 */
/* poweroff.S: ACPI's sleep control register, type 5 (S5) */
//: engines kvm interp
//: status 0
//: reason the guest powered off
#include "guest.inc"

    .globl main
main:
    PRINT "going\n"
    WRITE_PORT 0x600, 0x34
1:  hlt
    jmp 1b
