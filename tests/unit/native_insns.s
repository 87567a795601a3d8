/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native_insns.s: the instructions of test_native.c, in assembly. Included by
 * its top-level asm. I emits one, II several: bytes to native_bytes, text to
 * native_names, and where both are to native_table.
 *
 * Registers when it runs: RSI and RDI point into the data window, mostly; RBP
 * and RSP surely, aligned to 8, and [RSP] holds the address of .+64. R9 is
 * small, of either sign. RCX is small if there is a REP. All others, XMM0-15
 * and the x87 registers are anything. .+64 is where jumps may go.
 */
.macro begin_entry
	.pushsection native_bytes, "a", @progbits
	.balign 16
771:
.endm

.macro end_entry text
772:	.popsection
	.pushsection native_names, "a", @progbits
773:	.asciz "\text"
	.popsection
	.pushsection native_table, "a", @progbits
	.balign 4
	.long 771b - ., 773b - ., 772b - 771b
	.popsection
.endm

.macro I text:vararg
	begin_entry
	\text
	end_entry "\text"
.endm

/* Two to four in a row, each in quotes */
.macro II first, second, third, fourth
	begin_entry
	\first
	\second
	\third
	\fourth
	end_entry "\first; \second; \third; \fourth"
.endm

/* ---- integer ------------------------------------------------------------ */
.irp op, add, or, adc, sbb, and, sub, xor, cmp
	I \op\()b %bl, %al
	I \op\()b %ch, %dh
	I \op\()b %sil, %r8b
	I \op\()w %bx, %ax
	I \op\()l %r10d, %eax
	I \op\()q %rbx, %rax
	I \op\()b %al, (%rsi)
	I \op\()w %ax, 3(%rsi)
	I \op\()l %eax, 1(%rsi,%r9,4)
	I \op\()q %r11, 0x40(%rdi)
	I \op\()b (%rsi), %ah
	I \op\()w (%rsi), %r12w
	I \op\()l -8(%rbp), %edx
	I \op\()q (%rsi,%r9,8), %r13
	I \op\()b $0x7f, %al
	I \op\()w $0x1234, %ax
	I \op\()l $0x80000000, %eax
	I \op\()q $-0x7654321, %rax
	I \op\()l $-1, %edx
	I \op\()q $0x70, (%rsi)
	I \op\()w $0x4321, (%rsi)
	I \op\()b $0x81, (%rdi)
.endr
.irp op, add, or, adc, sbb, and, sub, xor
	I lock \op\()q %rax, (%rsi)
	I lock \op\()w %ax, (%rsi)
	I lock \op\()l $5, (%rsi)
.endr
.irp op, inc, dec, neg, not
	I \op\()b %al
	I \op\()b %bh
	I \op\()w %ax
	I \op\()l %eax
	I \op\()q %r8
	I \op\()b (%rsi)
	I \op\()q (%rdi)
	I lock \op\()l (%rsi)
.endr
.irp op, mul, imul, div, idiv
	I \op\()b %bl
	I \op\()b %dh
	I \op\()w %bx
	I \op\()l %ebx
	I \op\()q %rbx
	I \op\()l (%rsi)
	I \op\()q (%rsi)
.endr
	I divb %r9b
	I divl %r9d
	I idivw %r9w
	I idivq %r9
	I imulw %bx, %ax
	I imull %ebx, %eax
	I imulq (%rsi), %rax
	I imull $0x77, %ebx, %eax
	I imulw $0x1234, (%rsi), %dx
	I imulq $-0x12345678, %rbx, %rax
.irp op, rol, ror, rcl, rcr, shl, shr, sar
	I \op\()b $1, %al
	I \op\()b $5, %al
	I \op\()b %cl, %al
	I \op\()w $1, %ax
	I \op\()w $17, %ax
	I \op\()w %cl, %ax
	I \op\()l $1, %eax
	I \op\()l $31, %eax
	I \op\()l $32, %eax
	I \op\()l %cl, %eax
	I \op\()q $1, %rax
	I \op\()q $63, %rax
	I \op\()q %cl, %rax
	I \op\()q %cl, (%rsi)
	I \op\()b $3, (%rsi)
	I \op\()l $9, (%rsi)
.endr
.irp op, shld, shrd
	I \op\()w $3, %bx, %ax
	I \op\()l $7, %ebx, %eax
	I \op\()q $40, %rbx, %rax
	I \op\()l %cl, %ebx, %eax
	I \op\()q %cl, %rbx, %rax
	I \op\()q %cl, %rbx, (%rsi)
	I \op\()l $0, %ebx, %eax
.endr
.irp op, bt, bts, btr, btc
	I \op\()w %bx, %ax
	I \op\()l %ebx, %eax
	I \op\()q %rbx, %rax
	I \op\()l $37, %eax
	I \op\()q $37, %rax
	I \op\()q $37, (%rsi)
	I \op\()w $9, (%rsi)
	I \op\()w %r9w, (%rsi)
	I \op\()l %r9d, (%rsi)
	I \op\()q %r9, (%rsi)
	I \op\()l %ebx, (%rsi)
.endr
	I lock btsq %r9, (%rsi)
	I lock btrl $3, (%rsi)
	I lock btcw $3, (%rsi)
.irp op, bsf, bsr
	I \op\()w %bx, %ax
	I \op\()l %ebx, %eax
	I \op\()q %rbx, %rax
	I \op\()q (%rsi), %rax
.endr
	I bsfl %r9d, %eax
	I bsrq %r9, %rax
	I popcntl %ebx, %eax
	I popcntw %bx, %ax
	I popcntq (%rsi), %rax
	I crc32b %bl, %eax
	I crc32w %bx, %eax
	I crc32l (%rsi), %eax
	I crc32q %rbx, %rax
	I bswapl %eax
	I bswapq %r14
	I testb %bl, %al
	I testw $0x1234, %ax
	I testl %ebx, (%rsi)
	I testq $0x55, %rax
	I testb $0x80, (%rsi)
	I xaddb %al, %bl
	I xaddq %rax, %rbx
	I xaddl %eax, %eax
	I xaddl %eax, (%rsi)
	I lock xaddq %rax, (%rsi)
	I cmpxchgb %bl, %dl
	I cmpxchgl %ebx, %edx
	I cmpxchgq %rbx, %rdx
	I cmpxchgl %ebx, (%rsi)
	I lock cmpxchgq %rbx, (%rsi)
	I cmpxchgl %ebx, %eax
	I cmpxchg8b (%rsi)
	I lock cmpxchg8b (%rsi)
	I cmpxchg16b (%rsi)
	I lock cmpxchg16b (%rsi)
	I xchgb %al, %bl
	I xchgw %ax, %bx
	I xchgl %eax, %eax
	I xchgq %rax, %r15
	I xchgl %ebx, (%rsi)
	I xchgq %rbx, (%rdi)

/* moves */
	I movb %al, %bl
	I movb %ah, %ch
	I movw %ax, %bx
	I movl %eax, %ebx
	I movq %rax, %rbx
	I movb %dl, (%rsi)
	I movw %dx, 2(%rsi)
	I movl %edx, (%rsi,%r9,2)
	I movq %rdx, (%rsi)
	I movb (%rsi), %dh
	I movw (%rsi), %dx
	I movl (%rsi), %edx
	I movq 0x10(%rsi), %rdx
	I movb $0x12, (%rsi)
	I movw $0x1234, (%rsi)
	I movl $0x12345678, (%rsi)
	I movq $-2, (%rsi)
	I movb $0x12, %ah
	I movw $0x1234, %r9w
	I movl $0x87654321, %eax
	I movabsq $0x123456789abcdef0, %rax
	I movq $-1, %rax
	I movabsq 0x310000000808, %rax
	I movabsb %al, 0x310000000809
	I movzbw %bl, %ax
	I movzbl %ah, %eax
	I movzbq (%rsi), %rax
	I movzwl %bx, %eax
	I movzwq (%rsi), %rax
	I movsbw %bl, %ax
	I movsbl %bh, %eax
	I movsbq (%rsi), %rax
	I movswl %bx, %eax
	I movswq (%rsi), %rax
	I movslq %ebx, %rax
	I movslq (%rsi), %rax
	I movbew (%rsi), %ax
	I movbel (%rsi), %eax
	I movbeq %rax, (%rsi)
	I movntil %eax, (%rsi)
	I movntiq %rax, (%rsi)
	I leaw 5(%rsi,%rbx,4), %ax
	I leal 5(%rsi,%rbx,4), %eax
	I leaq 5(%rsi,%rbx,8), %rax
	I leaq 0x12345(%rip), %rax
	I leaq (%ebx,%edx), %rax
	I movl (%edi), %eax
	I cbtw
	I cwtl
	I cltq
	I cwtd
	I cltd
	I cqto
	I lahf
	I sahf
	I clc
	I stc
	I cmc
	I cld
	I std
	I nop
	I nopw 0x10(%rax,%rax,1)
	I endbr64
	I pause
	I lfence
	I mfence
	I sfence
	I prefetcht0 (%rax)
	I xlatb
.irp cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
	I set\cc %al
	I set\cc (%rsi)
	I cmov\cc\()l %ebx, %eax
	I cmov\cc\()w %bx, %ax
	I cmov\cc\()q (%rsi), %rax
	I j\cc .+64
.endr

/* stack and control flow */
	I pushq %rax
	I pushq %rsp
	I pushw %ax
	I pushq $-5
	I pushq $0x12345678
	I pushq (%rsi)
	I popq %rax
	I popq %rsp
	I popw %ax
	I popq (%rsi)
	I popq 8(%rsp)
	I pushfq
	I leave
	I enter $16, $0
	I enter $32, $3
	I call .+64
	I call *(%rsp)
	I jmp .+64
	I jmp *(%rsp)
	I ret
	I ret $16
	I loop .+64
	I loope .+64
	I loopne .+64
	I jrcxz .+64
	I jecxz .+64

/* strings */
.irp size, b, w, l, q
	I movs\size
	I stos\size
	I lods\size
	I cmps\size
	I scas\size
	I rep movs\size
	I rep stos\size
	I rep lods\size
	I repe cmps\size
	I repne cmps\size
	I repe scas\size
	I repne scas\size
.endr

/* faults by nature */
	I ud2
	I hlt
	I cli
	I movq %cr0, %rax
	I movaps 1(%rbp), %xmm0

/* ---- SSE, SSE2 ---------------------------------------------------------- */
.irp op, add, sub, mul, div, min, max, sqrt
	.irp type, ps, pd, ss, sd
	I \op\type %xmm1, %xmm0
	I \op\type (%rsi), %xmm9
	.endr
.endr
.irp op, and, andn, or, xor, unpckl, unpckh
	.irp type, ps, pd
	I \op\type %xmm1, %xmm0
	I \op\type (%rsi), %xmm10
	.endr
.endr
.irp type, ps, pd, ss, sd
	.irp imm, 0, 1, 2, 3, 4, 5, 6, 7
	I cmp\type $\imm, %xmm1, %xmm0
	.endr
	I cmp\type $2, (%rsi), %xmm11
.endr
.irp op, rsqrtps, rsqrtss, rcpps, rcpss
	I \op %xmm1, %xmm0
	I \op (%rsi), %xmm3
.endr
.irp op, comiss, comisd, ucomiss, ucomisd
	I \op %xmm1, %xmm0
	I \op %xmm12, %xmm12
	I \op (%rsi), %xmm3
.endr
.macro convert op
	I \op %xmm1, %xmm0
	I \op (%rsi), %xmm8
.endm
.irp op, cvtps2pd, cvtpd2ps, cvtss2sd, cvtsd2ss, cvtdq2ps, cvtps2dq
	convert \op
.endr
.irp op, cvttps2dq, cvttpd2dq, cvtdq2pd, cvtpd2dq
	convert \op
.endr
.irp op, cvtss2si, cvttss2si, cvtsd2si, cvttsd2si
	I \op %xmm1, %eax
	I \op %xmm1, %rax
	I \op (%rsi), %r8
.endr
	I cvtsi2ssl %ebx, %xmm0
	I cvtsi2ssq %rbx, %xmm0
	I cvtsi2sdl %ebx, %xmm0
	I cvtsi2sdq %rbx, %xmm0
	I cvtsi2sdl (%rsi), %xmm0
	I cvtsi2ssq (%rsi), %xmm15
.irp op, movaps, movapd, movups, movupd, movdqa, movdqu, movss, movsd
	I \op %xmm1, %xmm0
	I \op (%rsi), %xmm2
	I \op %xmm2, (%rsi)
.endr
.irp op, movlps, movhps, movlpd, movhpd
	I \op (%rsi), %xmm1
	I \op %xmm1, (%rsi)
.endr
	I movlhps %xmm1, %xmm0
	I movhlps %xmm1, %xmm0
	I movd %ebx, %xmm0
	I movq %rbx, %xmm0
	I movd (%rsi), %xmm0
	I movd %xmm0, %eax
	I movq %xmm0, %rax
	I movd %xmm0, (%rsi)
	I movq %xmm1, %xmm0
	I movq (%rsi), %xmm0
	I movq %xmm1, (%rsi)
	I movntps %xmm1, (%rsi)
	I movntpd %xmm1, (%rsi)
	I movntdq %xmm1, (%rsi)
	I maskmovdqu %xmm1, %xmm0
	I movmskps %xmm1, %eax
	I movmskpd %xmm1, %eax
	I pmovmskb %xmm1, %eax
.macro packed op
	I \op %xmm1, %xmm0
	I \op %xmm7, %xmm7
	I \op (%rsi), %xmm13
	I \op %mm1, %mm0
	I \op (%rsi), %mm3
.endm
.irp op, punpcklbw, punpcklwd, punpckldq, packsswb, pcmpgtb, pcmpgtw
	packed \op
.endr
.irp op, pcmpgtd, packuswb, punpckhbw, punpckhwd, punpckhdq, packssdw, pcmpeqb
	packed \op
.endr
.irp op, pcmpeqw, pcmpeqd, psrlw, psrld, psrlq, paddq, pmullw, psubusb, psubusw
	packed \op
.endr
.irp op, pminub, pand, paddusb, paddusw, pmaxub, pandn, pavgb, psraw, psrad
	packed \op
.endr
.irp op, pavgw, pmulhuw, pmulhw, psubsb, psubsw, pminsw, por, paddsb, paddsw
	packed \op
.endr
.irp op, pmaxsw, pxor, psllw, pslld, psllq, pmuludq, pmaddwd, psadbw, psubb
	packed \op
.endr
.irp op, psubw, psubd, psubq, paddb, paddw, paddd
	packed \op
.endr
.irp op, punpcklqdq, punpckhqdq
	I \op %xmm1, %xmm0
	I \op (%rsi), %xmm0
.endr
.irp op, psrlw, psrld, psrlq, psraw, psrad, psllw, pslld, psllq
	I \op $3, %xmm1
	I \op $200, %xmm9
	I \op $5, %mm2
.endr
	I psrldq $5, %xmm1
	I psrldq $16, %xmm1
	I pslldq $3, %xmm1
	I pslldq $255, %xmm1
	I pshufd $0x1b, %xmm1, %xmm0
	I pshufd $0xe4, (%rsi), %xmm0
	I pshuflw $0x2d, %xmm1, %xmm0
	I pshufhw $0x93, %xmm1, %xmm1
	I pshufw $0x4e, %mm1, %mm0
	I shufps $0x72, %xmm1, %xmm0
	I shufps $0x1b, %xmm0, %xmm0
	I shufps $0xd8, (%rsi), %xmm0
	I shufpd $1, %xmm1, %xmm0
	I shufpd $2, %xmm1, %xmm1
	I pinsrw $5, %eax, %xmm0
	I pinsrw $3, (%rsi), %xmm0
	I pinsrw $2, %eax, %mm0
	I pextrw $6, %xmm0, %eax
	I pextrw $1, %mm0, %eax
	I ldmxcsr (%rsi)
	I stmxcsr (%rsi)

/* MMX moves and conversions */
	I movd %ebx, %mm1
	I movq %rbx, %mm1
	I movd %mm1, %eax
	I movq %mm1, %rax
	I movq %mm1, %mm2
	I movq (%rsi), %mm2
	I movq %mm2, (%rsi)
	I movd %mm2, (%rsi)
	I movntq %mm1, (%rsi)
	I maskmovq %mm1, %mm0
	I movq2dq %mm1, %xmm0
	I movdq2q %xmm0, %mm1
	I pmovmskb %mm1, %eax
	I cvtpi2ps %mm1, %xmm0
	I cvtpi2pd %mm1, %xmm0
	I cvtps2pi %xmm1, %mm0
	I cvttps2pi (%rsi), %mm0
	I cvtpd2pi %xmm1, %mm0
	I cvttpd2pi %xmm1, %mm0
	I emms

/* ---- SSE3 to SSE4.2, AES, PCLMULQDQ ------------------------------------- */
.macro sse4 op
	I \op %xmm1, %xmm2
	I \op (%rsi), %xmm14
.endm
.irp op, haddps, haddpd, hsubps, hsubpd, addsubps, addsubpd, movsldup
	sse4 \op
.endr
.irp op, movshdup, movddup, ptest, phminposuw, pmuldq, pcmpeqq, pcmpgtq, packusdw
	sse4 \op
.endr
.irp op, pminsb, pminsd, pminuw, pminud, pmaxsb, pmaxsd, pmaxuw, pmaxud, pmulld
	sse4 \op
.endr
.irp op, pmovsxbw, pmovsxbd, pmovsxbq, pmovsxwd, pmovsxwq, pmovsxdq, pmovzxbw
	sse4 \op
.endr
.irp op, pmovzxbd, pmovzxbq, pmovzxwd, pmovzxwq, pmovzxdq, aesimc, aesenc
	sse4 \op
.endr
.irp op, aesenclast, aesdec, aesdeclast, pblendvb, blendvps, blendvpd
	sse4 \op
.endr
.macro ssse3 op
	I \op %xmm1, %xmm0
	I \op (%rsi), %xmm6
	I \op %mm1, %mm0
.endm
.irp op, pshufb, phaddw, phaddd, phaddsw, pmaddubsw, phsubw, phsubd, phsubsw
	ssse3 \op
.endr
.irp op, psignb, psignw, psignd, pmulhrsw, pabsb, pabsw, pabsd
	ssse3 \op
.endr
.irp imm, 0, 1, 7, 15, 16, 23, 31, 32, 200
	I palignr $\imm, %xmm1, %xmm0
	I palignr $\imm, %mm1, %mm0
.endr
.irp type, ps, pd, ss, sd
	.irp imm, 0, 1, 2, 3, 4, 8, 11, 12
	I round\type $\imm, %xmm1, %xmm0
	.endr
.endr
.irp imm, 0xff, 0x31, 0xf1, 0x7c, 0x0f
	I dpps $\imm, %xmm1, %xmm0
	I dppd $\imm, %xmm1, %xmm0
	I blendps $\imm & 15, %xmm1, %xmm0
	I blendpd $\imm & 3, %xmm1, %xmm0
	I pblendw $\imm, %xmm1, %xmm0
	I insertps $\imm, %xmm1, %xmm0
	I insertps $\imm, (%rsi), %xmm0
	I mpsadbw $\imm & 7, %xmm1, %xmm0
	I pclmulqdq $\imm & 0x11, %xmm1, %xmm0
	I aeskeygenassist $\imm, %xmm1, %xmm0
	I pextrb $\imm, %xmm0, %eax
	I pextrb $\imm, %xmm0, (%rsi)
	I pextrd $\imm & 3, %xmm0, %eax
	I pextrq $\imm & 1, %xmm0, (%rsi)
	I extractps $\imm & 3, %xmm0, %eax
	I pinsrb $\imm, %eax, %xmm0
	I pinsrd $\imm & 3, (%rsi), %xmm0
	I pinsrq $\imm & 1, %rax, %xmm0
.endr
	I lddqu (%rsi), %xmm0
	I movntdqa (%rsi), %xmm0
.irp imm, 0x00, 0x0c, 0x1a, 0x18, 0x44, 0x41, 0x4d, 0x72, 0x3b
	I pcmpistri $\imm, %xmm1, %xmm2
	I pcmpistrm $\imm, (%rsi), %xmm2
	I pcmpestri $\imm, (%rsi), %xmm2
	I pcmpestrm $\imm, %xmm1, %xmm2
.endr
	I pcmpestri $0x0c, %xmm1, %xmm0

/* ---- x87 ---------------------------------------------------------------- */
.irp op, fadd, fmul, fsub, fsubr, fdiv, fdivr
	I \op %st(1), %st
	I \op %st, %st(2)
	I \op\()p %st, %st(1)
	I \op\()s (%rsi)
	I \op\()l (%rsi)
.endr
.irp op, fiadd, fimul, fisub, fisubr, fidiv, fidivr, ficom, ficomp
	I \op\()s (%rsi)
	I \op\()l (%rsi)
.endr
.irp op, fcom, fcomp
	I \op %st(3)
	I \op\()s (%rsi)
	I \op\()l (%rsi)
.endr
.irp op, fcomi, fcomip, fucomi, fucomip
	I \op %st(1), %st
.endr
.irp op, fcmovb, fcmove, fcmovbe, fcmovu, fcmovnb, fcmovne, fcmovnbe, fcmovnu
	I \op %st(2), %st
.endr
.macro x87_plain op
	I \op
.endm
.irp op, fchs, fabs, ftst, fxam, fld1, fldl2t, fldl2e, fldpi, fldlg2, fldln2
	x87_plain \op
.endr
.irp op, fldz, f2xm1, fyl2x, fptan, fpatan, fxtract, fprem1, fdecstp, fincstp
	x87_plain \op
.endr
.irp op, fprem, fyl2xp1, fsqrt, fsincos, frndint, fscale, fsin, fcos, fcompp
	x87_plain \op
.endr
.irp op, fucompp, fnop, fnclex, fninit, fwait
	x87_plain \op
.endr
	I fucom %st(1)
	I fucomp %st(2)
	I fld %st(3)
	I fxch %st(1)
	I fst %st(4)
	I fstp %st(5)
	I ffree %st(1)
	I flds (%rsi)
	I fldl (%rsi)
	I fldt (%rsi)
	I fsts (%rsi)
	I fstl (%rsi)
	I fstps (%rsi)
	I fstpl (%rsi)
	I fstpt (%rsi)
	I filds (%rsi)
	I fildl (%rsi)
	I fildll (%rsi)
	I fists (%rsi)
	I fistl (%rsi)
	I fistps (%rsi)
	I fistpl (%rsi)
	I fistpll (%rsi)
	I fisttps (%rsi)
	I fisttpl (%rsi)
	I fisttpll (%rsi)
	I fbld (%rsi)
	I fbstp (%rsi)
	I fldcw (%rsi)
	I fnstcw (%rsi)
	I fnstsw (%rsi)
	I fnstsw %ax
	I fnstenv (%rsi)
	I data16 fnstenv (%rsi)
	I fnsave (%rsi)
	I data16 fnsave (%rsi)

/* ---- pairs that the block tier may fuse --------------------------------- */
.irp cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
	II "cmpq %rbx, %rax", "j\cc 771b + 64"
	II "cmpl $0x7fffffff, %edx", "j\cc 771b + 64"
	II "cmpb %r9b, %al", "j\cc 771b + 64"
	II "cmpb $0, (%rsi)", "j\cc 771b + 64"
	II "cmpq (%rsi), %r9", "j\cc 771b + 64"
	II "testl %ebx, %eax", "j\cc 771b + 64"
	II "testq %r9, %r9", "j\cc 771b + 64"
	II "testb $0x81, (%rsi)", "j\cc 771b + 64"
	II "subl %ebx, %eax", "j\cc 771b + 64"
	II "addq %r9, %rax", "j\cc 771b + 64"
	II "andl %ebx, %eax", "j\cc 771b + 64"
	II "incl %eax", "j\cc 771b + 64"
	II "decq %r9", "j\cc 771b + 64"
	II "cmpl %ebx, %eax", "set\cc %dl"
	II "testq %rax, %rax", "cmov\cc\()q %rbx, %rdx"
	II "shll $3, %eax", "j\cc 771b + 64"
.endr
	II "pushq %rbp", "movq %rsp, %rbp", "subq $32, %rsp"
	II "popq %rbx", "popq %r12", "popq %rbp"
	II "movq (%rsi), %rax", "addq %rax, (%rdi)"
	II "movq %rax, (%rsi)", "movl (%rsi), %ebx"
	I call 771b + 64
	II "pushq %rax", "popq %rcx", "leaq 8(%rcx,%rax,2), %rdx"
	II "paddd %xmm1, %xmm0", "pshufd $0x4e, %xmm0, %xmm2", "movq %xmm2, %rax"
	II "fld1", "fadd %st, %st(1)", "fstpl (%rsi)"
	II "movq %rax, %mm1", "paddb %mm2, %mm1", "emms", "fld1"
