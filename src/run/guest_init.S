/* SPDX-License-Identifier: Apache-2.0 */
/* guest_init.S: the guest's init (guest/), as a file inside mote */
    .section .rodata.guest_init, "a", @progbits
    .balign 16
    .globl guest_init
    .type guest_init, @object
guest_init:
    .incbin GUEST_INIT_FILE
    .globl guest_init_end
guest_init_end:
    .size guest_init, guest_init_end - guest_init

    .section .note.GNU-stack, "", @progbits
