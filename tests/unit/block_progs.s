/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_progs.s: guest programs of test_block.c, included by its top-level
 * asm. Each is loaded at 0x10000 in 64-bit mode, CPL 0, and ends in HLT.
 */
.macro PROG name
	.globl prog_\name
	prog_\name:
	.set prog_start, prog_\name
.endm
.macro END name
	hlt
	.globl prog_\name\()_end
	prog_\name\()_end:
.endm
/* A direct call to an absolute address. */
.macro CALL_ABS name, to
	.byte 0xe8
	.long \to - 0x10000 - (. - prog_\name) - 4
.endm

/* Sums 1..10 by rewriting the immediate of an instruction of its own block. */
PROG smc_loop
	xorl	%eax, %eax
	movl	$10, %ecx
1:	addl	$1, %eax
	incb	1b + 2(%rip)
	decl	%ecx
	jnz	1b
END smc_loop

/* Rewrites the very next instruction. */
PROG smc_next
	movl	$3, %ecx
1:	addb	$7, 2f + 1(%rip)
2:	movl	$1, %eax
	decl	%ecx
	jnz	1b
END smc_next

/* Unaligned, and across instructions. */
PROG smc_wide
	movabsq	$0x9090909090909090, %rdx
	movl	$1, %eax
	movq	%rdx, 1f(%rip)
1:	movl	$2, %eax
	movl	$3, %eax
END smc_wide

/* Rewrites a function in another page and calls it, through two mappings: the
 * page at 0x40000 is also at 0x40001000. */
PROG smc_far
	movl	$0x00c301b0, 0x40000	/* movb $1, %al; ret */
	xorl	%ebx, %ebx
	movl	$20, %ecx
1:	CALL_ABS smc_far, 0x40000
	movzbl	%al, %eax
	addl	%eax, %ebx
	incb	0x40000001
	addb	$2, 0x40001001
	decl	%ecx
	jnz	1b
END smc_far

/* The page is written through one mapping, which a rival for its TLB entry
 * drives out; decoded through another; and written through the first again. */
PROG smc_rival
	xorl	%ebx, %ebx
	movl	$0x00c301b0, 0x40000
	movl	0x240000, %edx
	CALL_ABS smc_rival, 0x40000000
	movzbl	%al, %eax
	addl	%eax, %ebx
	incb	0x40001
	CALL_ABS smc_rival, 0x40000000
	movzbl	%al, %eax
	addl	%eax, %ebx
END smc_rival

/* As often as it takes to have the page stepped. */
PROG smc_storm
	xorl	%eax, %eax
	movl	$300, %ecx
1:	addl	$1, %eax
	xorb	$3, 1b + 2(%rip)
	decl	%ecx
	jnz	1b
END smc_storm

/* REP writes code: the next block is new. */
PROG smc_rep
	leaq	1f(%rip), %rdi
	movl	$5, %ecx
	movb	$0x90, %al
	rep stosb
	movl	$1, %eax
1:	movl	$2, %eax
END smc_rep

/* One linear page, two physical ones in turn: 0x40000000 is page 0x40000 or
 * 0x41000, by a PTE at 0x32000 and INVLPG. */
PROG remap
	movl	$0x00c301b0, 0x40000
	movl	$0x00c302b0, 0x41000
	xorl	%ebx, %ebx
	movl	$10, %ecx
1:	CALL_ABS remap, 0x40000000
	movzbl	%al, %eax
	leaq	(%rax, %rbx, 4), %rbx
	xorl	$0x1000, 0x32000
	invlpg	0x40000000
	decl	%ecx
	jnz	1b
END remap

/* The same by CR3; 0x1000 and 0x6000 are the two roots. */
PROG remap_cr3
	movl	$0x00c301b0, 0x40000
	movl	$0x00c302b0, 0x41000
	xorl	%ebx, %ebx
	movl	$10, %ecx
	movl	$0x1000, %edx
1:	CALL_ABS remap_cr3, 0x40000000
	movzbl	%al, %eax
	leaq	(%rax, %rbx, 4), %rbx
	xorl	$0x7000, %edx
	movq	%rdx, %cr3
	decl	%ecx
	jnz	1b
END remap_cr3

/* Calls, returns, indirect jumps, every kind of operand. */
PROG mix
	movl	$200, %ecx
	movl	$0xb000, %esi
1:	movq	%rcx, (%rsi)
	movl	%ecx, 9(%rsi)
	addb	%cl, 3(%rsi,%rcx,4)
	adcw	$0x1234, 0x100(%rsi)
	sbbq	$-3, 0xffd(%rsi)
	movzwl	1(%rsi), %eax
	movsbq	2(%rsi), %rdx
	movslq	%ecx, %r8
	imulq	%rdx, %rax
	call	2f
	rolq	$3, %rax
	xorb	%ah, %dl
	sarl	%cl, %edx
	setc	%r9b
	cmovsq	%rdx, %r10
	cmovnel	%r10d, %r11d
	leal	5(%rax,%rdx,2), %ebx
	pushq	%rbx
	pushq	$-2
	popq	%r12
	popq	%r13
	leaq	3f(%rip), %r14
	jmpq	*%r14
2:	notl	%eax
	negw	%dx
	bt	$5, %eax
	adcl	$0, %ebx
	incl	0x200(%rsi)
	decb	%bh
	retq
3:	cltq
	cqto
	testb	$0x11, %al
	js	4f
	addq	%rbx, %r15
4:	xchgq	%rax, 0x300(%rsi)
	pushq	%rbp
	movq	%rsp, %rbp
	leaveq
	loop	5f
	jmp	6f
5:	jmp	1b
6:
END mix

/* Faults in the middle of a block: #PF, #GP, #SS, #DE, #UD. The handlers skip
 * the instruction, whose length is in R15. */
PROG faults
	movl	$3, %ecx
1:	incl	%eax
	movl	$7, %r15d
	movl	%eax, 0x7ffffff0
	addl	$3, %eax
	movabsq	$0x800000000000, %rbx
	movl	$2, %r15d
	addl	(%rbx), %edx
	addl	$5, %eax
	movq	%rsp, %rdi
	movq	%rbx, %rbp
	movl	$4, %r15d
	movq	%rax, 0(%rbp)	/* #SS */
	xorl	%edx, %edx
	xorl	%esi, %esi
	movl	$2, %r15d
	divl	%esi
	addl	$9, %eax
	ud2
	decl	%ecx
	jnz	1b
END faults

/* The pointer's page and the stack's want the same TLB entry: they lie 512
 * pages apart. */
PROG rivals
	movl	$0x209000, %ebx
	leaq	6f(%rip), %rax
	movq	%rax, (%rbx)
	xorl	%eax, %eax
	movl	$3, %ecx
	movl	$0x9ff0, %esp
1:	call	*(%rbx)
	call	*(%rbx)
	decl	%ecx
	jnz	1b
	jmp	5f
6:	incl	%eax
	ret
5:
END rivals

/* A function that begins with an instruction across pages, whose rest in the
 * second page changes. */
PROG cross_smc
	movl	$0x000001b8, 0x40ffd	/* movl $1, %eax */
	movw	$0xc300, 0x41001	/* ret */
	xorl	%ebx, %ebx
	movl	$20, %ecx
1:	CALL_ABS cross_smc, 0x40ffd
	addl	%eax, %ebx
	incb	0x41000
	decl	%ecx
	jnz	1b
END cross_smc

/* The same with a jump, so that no code is in the second page: to 0x42000 and
 * 0x43000 by turns. */
PROG cross_jump
	movl	$0x000ffde9, 0x40ffe	/* jmp 0x42000 */
	movb	$0, 0x41002
	movl	$0x00c301b0, 0x42000	/* movb $1, %al; ret */
	movl	$0x00c302b0, 0x43000
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	movl	$20, %ecx
1:	CALL_ABS cross_jump, 0x40ffe
	shll	$1, %ebx
	addl	%eax, %ebx
	xorb	$0x10, 0x41000
	decl	%ecx
	jnz	1b
END cross_jump

/* The second page goes away: a fault at its first byte, which goes on at the
 * RET, 13 bytes before. 0x40001000 is page 0x40000. */
PROG cross_fault
	movl	$0x000001b8, 0x40ffd	/* movl $1, %eax */
	movb	$0xc3, 0x40ff0		/* ret */
	movl	$0x00c30000, 0x42000	/* the rest; ret */
	movl	$0x42007, 0x32010	/* at 0x40002000 */
	movq	$-13, %r15
	xorl	%ebx, %ebx
	movl	$3, %ecx
1:	xorl	%eax, %eax
	CALL_ABS cross_fault, 0x40001ffd
	addl	%eax, %ebx
	decl	%ecx
	jnz	1b
	movl	$0, 0x32010
	invlpg	0x40002000
	movl	$100, %eax
	CALL_ABS cross_fault, 0x40001ffd
	addl	%eax, %ebx
END cross_fault

/* Across pages with an operand across pages, which the step tier serves from
 * the block's bytes; the second page is not the next one of memory. */
PROG cross_operand
	xorl	%ebx, %ebx
	movl	$0xfe250401, 0x40ffc	/* addl %eax, 0x45ffe */
	movl	$0xc300045f, 0x40000	/* the rest; ret */
	movl	$3, %eax
	movl	$20, %ecx
1:	CALL_ABS cross_operand, 0x40000ffc
	decl	%ecx
	jnz	1b
	movl	0x45ffe, %ebx
END cross_operand

/* Runs of PUSH and POP, 8 bytes further down each time, so that the end of a
 * page comes to lie everywhere in them. */
PROG stack_runs
	movl	$0x9068, %esp
	movl	$16, %ecx
	movl	$3, %edx
	movl	$5, %esi
	movl	$7, %edi
	movl	$11, %r8d
1:	call	2f
	subq	$8, %rsp
	decl	%ecx
	jnz	1b
	jmp	3f
2:	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	nop
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%rbx
	addq	%rcx, %r8
	popq	%rax
	popq	%r10
	popq	%r8
	popq	%r9
	nop
	popq	%rsi
	popq	%rdi
	popq	%rdx
	popq	%rcx
	ret
3:	movq	%rsp, %rbx
	pushq	%rdx		/* RSP itself is in the run */
	pushq	%rsp
	pushq	%rsi
	popq	%rdi
	popq	%rsp
	popq	%rdx
	pushq	%rdi
	pushq	%rdx
	call	4f		/* which takes both with it */
	subq	%rsp, %rbx
	movabsq	$0x8000000000000000, %rax
	pushq	%rax
	pushq	%rsi
	pushq	%rdi
	movl	$1, %r15d
	popq	%rsi
	popq	%rdi
	ret			/* #GP, goes on behind it */
	popq	%rax
	cli
	pushfq
	popq	%rcx
	jmp	5f
4:	pushq	%rsi
	pushq	%r9
	popq	%rsi
	popq	%r9
	ret	$16
5:
END stack_runs

/* Memory forms whose flags and registers the native check has seen one by one:
 * here at every kind of address, and across pages. */
PROG memory_forms
	movl	$0x45ff0, %ebx
	movl	$8, %ecx
	movl	$0x1000, %eax
1:	btsl	$5, (%rbx)
	setc	4(%rbx,%rcx)
	btrq	$7, 8(%rbx,%rcx,2)
	btcl	$31, (%rbx)
	btl	$31, (%rbx)
	setnc	(%rbx)
	movl	%ecx, %edx
	cmpxchgl %edx, 1(%rbx)
	sete	%dl
	cmpxchgq %rdx, (%rbx,%rcx,4)
	xaddl	%eax, 3(%rbx)
	xaddq	%rsi, (%rbx,%rcx)
	cmoveq	2(%rbx), %rdi
	cmovnel	5(%rbx,%rcx), %ebp
	addq	%rdi, %rsi
	addq	$3, %rbx
	decl	%ecx
	jnz	1b
	addq	%rbp, %rsi
END memory_forms

/* REP MOVS and STOS of every size: inside a page, across two, overlapping, of
 * no element, of a whole page, of more, and downwards. */
PROG string_runs
	movl	$7, %ebx
1:	movabsq	$0x8877665544332211, %rax
	leaq	0x44f80(%rbx), %rdi
	movl	%ebx, %ecx
	rep stosq
	movl	%ebx, %ecx
	rep stosb
	leal	(%ebx, %ebx, 4), %ecx
	rep stosw
	movl	%ebx, %ecx
	rep stosl
	leaq	0x44f81(%rbx), %rsi
	leaq	1(%rsi), %rdi		/* each byte becomes the first */
	movl	$9, %ecx
	rep movsb
	leaq	-3(%rsi), %rdi
	movl	$13, %ecx
	rep movsq
	xorl	%ecx, %ecx
	rep movsl
	rep stosw
	std
	movl	$5, %ecx
	rep movsw
	movl	$3, %ecx
	rep stosl
	cld
	movl	$0x46000, %edi
	movl	$512, %ecx
	rep stosq
	movl	$0x46000, %esi
	movl	$0x48000, %edi
	movl	$1024, %ecx
	rep movsl
	addq	%rdi, %r8
	movl	$0x44f00, %esi
	movl	$0x4a008, %edi
	movl	$0x1234, %ecx
	rep movsb
	addq	%rsi, %r8
	decl	%ebx
	jnz	1b
END string_runs

/* Returns: deeper than anybody remembers, to another place than the call's,
 * and none at all. */
PROG returns
	xorl	%ebx, %ebx
	movl	$40, %ecx
	call	1f
	jmp	3f
1:	decl	%ecx
	jz	2f
	call	1b
2:	incl	%ebx
	ret
3:	movl	$3, %ecx
4:	call	5f
	addl	$1000, %ebx		/* not reached */
	jmp	6f
5:	leaq	6f(%rip), %rax
	movq	%rax, (%rsp)
	ret
6:	addl	$100, %ebx
	decl	%ecx
	jnz	4b
	call	7f
	addl	$1000, %ebx		/* not reached */
7:	popq	%rax
	call	8f
	jmp	9f
8:	ret
9:	movl	%ebx, %eax
END returns

/* A function returns to a page that has become another one by CR3. */
PROG returns_cr3
	movl	$0x01b0d6ff, 0x40000	/* call *%rsi; movb $1, %al; ret */
	movb	$0xc3, 0x40004
	movl	$0x02b0d6ff, 0x41000
	movb	$0xc3, 0x41004
	xorl	%ebx, %ebx
	movl	$10, %ecx
	movl	$0x1000, %edx
	leaq	2f(%rip), %rsi
1:	CALL_ABS returns_cr3, 0x40000000
	movzbl	%al, %eax
	leaq	(%rax, %rbx, 4), %rbx
	decl	%ecx
	jnz	1b
	jmp	3f
2:	xorl	$0x7000, %edx
	movq	%rdx, %cr3
	ret
3:
END returns_cr3

/* A function rewrites what is behind the call it was called by. */
PROG returns_smc
	xorl	%ebx, %ebx
	movl	$10, %ecx
1:	call	3f
2:	addl	$1, %ebx
	decl	%ecx
	jnz	1b
	jmp	4f
3:	cmpl	$5, %ecx
	jne	5f
	incb	2b + 2(%rip)
5:	ret
4:	movl	%ebx, %eax
END returns_smc
