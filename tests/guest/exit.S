/* SPDX-License-Identifier: Apache-2.0 */
/* exit.S: a status of the program's choice */
//: engines kvm interp
//: status 85
//: reason the guest wrote the exit port: 42; status 85
#include "guest.inc"

    .globl main
main:
    PRINT "going\n"
    EXIT 42
