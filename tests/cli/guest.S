# SPDX-License-Identifier: Apache-2.0
# guest.S: the guest of the command line tests, a 64-bit "kernel" of a few
# lines. It prints READY, then echoes what it receives on COM1 for ever; a P
# powers off, an R resets, an E writes the exit port, an F ends in a triple
# fault, a W writes without end.
        .set    COM1, 0x3f8
        .globl  _start
        .text
_start: cli
        lea     ready(%rip), %rsi
1:      lodsb
        test    %al, %al
        jz      poll
        mov     $COM1, %dx
        out     %al, %dx
        jmp     1b

poll:   mov     $COM1 + 5, %dx
        in      %dx, %al
        test    $1, %al
        jz      poll
        mov     $COM1, %dx
        in      %dx, %al
        out     %al, %dx
        cmp     $'P', %al
        je      off
        cmp     $'R', %al
        je      reset
        cmp     $'E', %al
        je      leave
        cmp     $'F', %al
        je      fault
        cmp     $'W', %al
        je      flood
        jmp     poll

off:    mov     $0x600, %dx     # ACPI sleep control: SLP_EN, S5
        mov     $0x34, %al
        out     %al, %dx
        jmp     .
reset:  mov     $0xfe, %al      # pulse the reset line
        out     %al, $0x64
        jmp     .
leave:  mov     $0x21, %al
        out     %al, $0xf4
        jmp     .
fault:  lidt    none(%rip)
        ud2
flood:  mov     $COM1, %dx
        mov     $'w', %al
        out     %al, %dx
        jmp     flood

ready:  .asciz  "READY\n"
none:   .word   0
        .quad   0
