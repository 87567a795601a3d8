/* SPDX-License-Identifier: Apache-2.0 */
/* cmpxchg.S: CMPXCHG of all widths; software KVMs refuse CMPXCHG16B */
#include "guest.inc"

.macro SHOW_PAIR name:req
    setz %r8b
    movzbl %r8b, %r8d
    PRINT "\name: zf "
    PRINTX %r8
    PRINT " rdx:rax "
    PRINTX %rdx
    PRINT ":"
    PRINTX %rax
    PRINT " memory "
    PRINTX pair+8
    PRINT ":"
    PRINTX pair
    PRINT "\n"
.endm

.macro SETUP high:req, low:req
    movabsq $\low, %rax
    movabsq $\high, %rdx
    movabsq $0x1010101010101010, %rbx
    movabsq $0x2020202020202020, %rcx
.endm

    .globl main
main:
    SETUP 0x8877665544332211, 0x1122334455667788
    cmpxchg16b pair
    SHOW_PAIR "16 bytes, equal"
    SETUP 1, 2
    cmpxchg16b pair
    SHOW_PAIR "16 bytes, other"
    SETUP 0x2020202020202020, 0x1010101010101010
    lock cmpxchg16b pair
    SHOW_PAIR "16 bytes, locked"
    SETUP 0x2020202020202020, 0
    lock cmpxchg16b pair
    SHOW_PAIR "16 bytes, half equal"
    SETUP 1, 2
    CATCH "misaligned", cmpxchg16b pair + 8

    SETUP 0xffffffff10101010, 0xffffffff10101010
    cmpxchg8b pair
    SHOW_PAIR "8 bytes, equal"
    SETUP 3, 4
    lock cmpxchg8b pair
    SHOW_PAIR "8 bytes, other"
    SETUP 0, 0x10
    cmpxchgb %cl, pair
    SHOW_PAIR "1 byte"
    SETUP 0, 0xffffffffffffffff
    cmpxchgl %ecx, pair
    SHOW_PAIR "4 bytes, other"
    ret

    .data
    .balign 16
pair: .quad 0x1122334455667788, 0x8877665544332211
      .quad 0
