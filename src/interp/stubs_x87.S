/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs_x87.S: the x87 opcodes as they are, for fpu.c. The x87 unit of the
 * host thread holds the guest's state while they run.
 */
	.section mote_stubs, "ax", @progbits

.macro stub name
	.balign 16
	.globl \name
	.hidden \name
	.type \name, @function
\name:
.endm

/*
 * int stub(u32 ah): register forms, D8 C0 to DF FF, X87_STRIDE apart. Guest
 * flags go in and out through AH: FCMOVcc reads, FCOMI writes them. Encodings
 * that fpu.c does not let through are here too, so that the index is plain.
 */
	.balign 8
	stub x87_reg_stubs
	.set opcode, 0xd8
.rept 8
	.set modrm, 0xc0
	.rept 64
	.balign 8
	mov %edi, %eax
	sahf
	.byte opcode, modrm
	lahf
	ret
	.set modrm, modrm + 1
	.endr
	.set opcode, opcode + 1
.endr

/* int stub(void *mem): D8 /0 to DF /7 on [rdi], X87_STRIDE apart */
	.balign 8
	stub x87_mem_stubs
	.set opcode, 0xd8
.rept 8
	.set modrm, 0x07
	.rept 8
	.balign 8
	.byte opcode, modrm
	xor %eax, %eax
	ret
	.set modrm, modrm + 8
	.endr
	.set opcode, opcode + 1
.endr

	stub stub_fwait
	fwait
	xor %eax, %eax
	ret

	stub stub_fxrstor
	fxrstor64 (%rdi)
	ret

	stub stub_fxsave
	fxsave64 (%rdi)
	ret

	stub stub_ldmxcsr
	ldmxcsr (%rdi)
	ret

	stub stub_stmxcsr
	stmxcsr (%rdi)
	ret

	stub stub_fpu_default
	fninit
	ldmxcsr default_mxcsr(%rip)
	ret

/* A stub that raised SIGFPE goes on here: see sigfpe.c. */
	stub stub_raise
	or $-1, %eax
	ret

	.section .rodata
	.balign 4
default_mxcsr:
	.long 0x1f80

	.section .note.GNU-stack, "", @progbits
