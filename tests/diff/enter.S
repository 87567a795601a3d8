/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enter.S: from the child of native.c into a case, and back from its end, or
 * from the signal handler. struct native_state is `native`; its offsets are
 * asserted there. FS and GS are the case's until native_leave.
 */
#define GPR(n)   native + 8 * n(%rip)
#define RFLAGS   native + 128(%rip)
#define FS       native + 136(%rip)
#define GS       native + 144(%rip)
#define FX       native + 208(%rip)
#define TARGET   native + 720(%rip)
#define FAR      native + 728(%rip)
#define FPU      native + 736(%rip)
#define HOW      native + 737(%rip)
#define FSGS     native + 738(%rip)
#define BASES    native + 739(%rip)
#define HOST_RSP native + 744(%rip)
#define HOST_FS  native + 752(%rip)
#define HOST_GS  native + 760(%rip)
#define FRAME    native + 768(%rip)

	.text

.macro enter last:vararg
	endbr64
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, HOST_RSP
	cmpb	$0, BASES
	je	1f
	mov	FS, %rax
	wrfsbase %rax
	mov	GS, %rax
	wrgsbase %rax
1:	cmpb	$0, FPU
	je	2f
	fxrstor64 FX
2:	pushq	RFLAGS
	popfq
	mov	GPR(0), %rax
	mov	GPR(1), %rcx
	mov	GPR(2), %rdx
	mov	GPR(3), %rbx
	mov	GPR(5), %rbp
	mov	GPR(6), %rsi
	mov	GPR(7), %rdi
	mov	GPR(8), %r8
	mov	GPR(9), %r9
	mov	GPR(10), %r10
	mov	GPR(11), %r11
	mov	GPR(12), %r12
	mov	GPR(13), %r13
	mov	GPR(14), %r14
	mov	GPR(15), %r15
	mov	GPR(4), %rsp
	\last
.endm

	.globl	native_enter, native_enter_far, native_enter_trap
native_enter:
	enter	jmp *TARGET
native_enter_far:
	enter	ljmp *FAR
/* With TF, which must not be set before the case's first instruction */
native_enter_trap:
	enter	lea FRAME, %rsp; iretq

/* The code ended here, with everything as it left it; 32, 16: was such code. */
	.macro ended name, how
	.globl	native_\name
native_\name:
	movb	$\how, HOW
	jmp	3f
	.endm
	ended	branch, 2
	ended	end32, 3
	ended	branch32, 4
	ended	end16, 5
	ended	branch16, 6
	ended	far16, 7
	.globl	native_end
native_end:
	movb	$1, HOW
3:	mov	%rax, GPR(0)
	mov	%rcx, GPR(1)
	mov	%rdx, GPR(2)
	mov	%rbx, GPR(3)
	mov	%rsp, GPR(4)
	mov	%rbp, GPR(5)
	mov	%rsi, GPR(6)
	mov	%rdi, GPR(7)
	mov	%r8, GPR(8)
	mov	%r9, GPR(9)
	mov	%r10, GPR(10)
	mov	%r11, GPR(11)
	mov	%r12, GPR(12)
	mov	%r13, GPR(13)
	mov	%r14, GPR(14)
	mov	%r15, GPR(15)
	mov	HOST_RSP, %rsp
	pushfq
	popq	RFLAGS
	cmpb	$0, FPU
	je	native_leave
	fxsave64 FX

/* Back to the caller of native_enter; the state is stored. */
	.globl	native_leave
native_leave:
	mov	HOST_RSP, %rsp
	pushq	$0x202 /* AC, NT and DF clear */
	popfq
	fninit
	ldmxcsr	mxcsr(%rip)
	cmpb	$0, FSGS
	je	4f
	rdfsbase %rax
	mov	%rax, FS
	rdgsbase %rax
	mov	%rax, GS
	mov	HOST_FS, %rax
	wrfsbase %rax
	mov	HOST_GS, %rax
	wrgsbase %rax
4:	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .rodata
mxcsr:	.long	0x1f80
	.section .note.GNU-stack, "", @progbits
