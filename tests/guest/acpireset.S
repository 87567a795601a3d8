/* SPDX-License-Identifier: Apache-2.0 */
/* acpireset.S: ACPI's reset register */
//: engines kvm interp
//: status 0
//: reason the guest asked for a reset
#include "guest.inc"

    .globl main
main:
    PRINT "going\n"
    WRITE_PORT 0x602, 1
1:  hlt
    jmp 1b
