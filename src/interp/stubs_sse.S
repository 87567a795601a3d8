/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs_sse.S: one host instruction each, for sse.c and mmx.c.
 *
 * int stub(void *dst, const void *src): 0, or flags (AH from LAHF, AL = OF).
 * Operands are 16 bytes (mmx_*: 8) at any alignment. No stub pushes anything,
 * so that sigfpe.c can return in its place.
 */
	.section mote_stubs, "ax", @progbits

.macro stub name
	.balign 16
	.globl \name
	.hidden \name
	.type \name, @function
\name:
.endm

/* One instruction on xmm0, from dst and back; and on xmm1, from src */
.macro on_dst insn:vararg
	movups (%rdi), %xmm0
	\insn
	movups %xmm0, (%rdi)
	xor %eax, %eax
	ret
.endm
.macro on_both insn:vararg
	movups (%rsi), %xmm1
	on_dst \insn
.endm

.macro xmm op
	stub sse_\op
	on_both \op %xmm1, %xmm0
.endm

/* From xmm1 to RAX: 8 bytes at dst, of which 4 are zero-extended */
.macro to_rax insn:vararg
	movups (%rsi), %xmm1
	\insn
	mov %rax, (%rdi)
	xor %eax, %eax
	ret
.endm

.macro mmx op
	stub mmx_\op
	movq (%rdi), %mm0
	movq (%rsi), %mm1
	\op %mm1, %mm0
	movq %mm0, (%rdi)
	emms
	xor %eax, %eax
	ret
.endm

/* Scalar and packed arithmetic of all four types */
.irp op, sqrt, add, mul, sub, min, div, max
	xmm \op\()ps
	xmm \op\()pd
	xmm \op\()ss
	xmm \op\()sd
.endr
.irp op, unpckl, unpckh, and, andn, or, xor, hadd, hsub, addsub
	xmm \op\()ps
	xmm \op\()pd
.endr
.irp op, rsqrtps, rsqrtss, rcpps, rcpss, movsldup, movshdup, movddup
	xmm \op
.endr
.irp op, cvtps2pd, cvtpd2ps, cvtss2sd, cvtsd2ss, cvtdq2ps, cvtps2dq, \
	cvttps2dq, cvttpd2dq, cvtdq2pd, cvtpd2dq
	xmm \op
.endr

/* In both register files */
.irp op, punpcklbw, punpcklwd, punpckldq, packsswb, pcmpgtb, pcmpgtw, \
	pcmpgtd, packuswb, punpckhbw, punpckhwd, punpckhdq, packssdw, pcmpeqb, \
	pcmpeqw, pcmpeqd, psrlw, psrld, psrlq, paddq, pmullw, psubusb, psubusw, \
	pminub, pand, paddusb, paddusw, pmaxub, pandn, pavgb, psraw, psrad, \
	pavgw, pmulhuw, pmulhw, psubsb, psubsw, pminsw, por, paddsb, paddsw, \
	pmaxsw, pxor, psllw, pslld, psllq, pmuludq, pmaddwd, psadbw, psubb, \
	psubw, psubd, psubq, paddb, paddw, paddd, pshufb, phaddw, phaddd, \
	phaddsw, pmaddubsw, phsubw, phsubd, phsubsw, psignb, psignw, psignd, \
	pmulhrsw, pabsb, pabsw, pabsd
	xmm \op
	mmx \op
.endr
.irp op, punpcklqdq, punpckhqdq, pmovsxbw, pmovsxbd, pmovsxbq, pmovsxwd, \
	pmovsxwq, pmovsxdq, pmuldq, pcmpeqq, packusdw, pmovzxbw, pmovzxbd, \
	pmovzxbq, pmovzxwd, pmovzxwq, pmovzxdq, pcmpgtq, pminsb, pminsd, \
	pminuw, pminud, pmaxsb, pmaxsd, pmaxuw, pmaxud, pmulld, phminposuw, \
	aesimc, aesenc, aesenclast, aesdec, aesdeclast
	xmm \op
.endr

/* CVTPI2PS changes the low half only; no MMX register is touched here. */
	stub sse_cvtpi2ps
	movups (%rdi), %xmm0
	movq (%rsi), %xmm1
	cvtdq2ps %xmm1, %xmm1
	movsd %xmm1, %xmm0
	movups %xmm0, (%rdi)
	xor %eax, %eax
	ret

/* Comparisons: flags are the result. LAHF before anything changes them. */
.irp op, ucomiss, ucomisd, comiss, comisd, ptest
	stub sse_\op
	xor %eax, %eax
	movups (%rdi), %xmm0
	movups (%rsi), %xmm1
	\op %xmm1, %xmm0
	lahf
	ret
.endr

.irp op, movmskps, movmskpd, pmovmskb
	stub sse_\op
	to_rax \op %xmm1, %eax
.endr

/* With REX.W the second of two, SSE_STRIDE apart. */
.irp op, cvttss2si, cvttsd2si, cvtss2si, cvtsd2si
	.balign 32
	stub sse_\op
	to_rax \op %xmm1, %eax
	.balign 32
	to_rax \op %xmm1, %rax
.endr
.irp op, cvtsi2ss, cvtsi2sd
	.balign 32
	stub sse_\op
	on_dst \op\()l (%rsi), %xmm0
	.balign 32
	on_dst \op\()q (%rsi), %xmm0
.endr

/* One stub for each useful value of an immediate, SSE_STRIDE apart */
.macro immediates op, values:vararg
	.balign 32
	stub sse_\op
	.irp imm, \values
	.balign 32
	on_both \op $\imm, %xmm1, %xmm0
	.endr
.endm

.irp op, cmpps, cmppd, cmpss, cmpsd, mpsadbw
	immediates \op, 0, 1, 2, 3, 4, 5, 6, 7
.endr
.irp op, roundps, roundpd, roundss, roundsd
	immediates \op, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
.endr
/* Result bits all set; sse_dp() clears what the guest's has not. */
	immediates dpps, 0x0f, 0x1f, 0x2f, 0x3f, 0x4f, 0x5f, 0x6f, 0x7f, 0x8f, \
		0x9f, 0xaf, 0xbf, 0xcf, 0xdf, 0xef, 0xff
	immediates dppd, 0x03, 0x13, 0x23, 0x33
	immediates pclmulqdq, 0x00, 0x01, 0x10, 0x11
	immediates aeskeygenassist, 0

/* int stub(a, b, mask, len_a, len_b), STRING_STRIDE apart: see op_sse_string.
 * PCMPISTRM has no use for the lengths. */
.irp op, pcmpistrm, pcmpestrm
	.balign 64
	stub sse_\op
	.set control, 0
	.rept 64
	.balign 64
	movups (%rdi), %xmm1
	movups (%rsi), %xmm2
	mov %rdx, %rdi
	mov %ecx, %eax
	mov %r8d, %edx
	\op $control, %xmm2, %xmm1
	movups %xmm0, (%rdi)
	mov $0, %eax
	lahf
	seto %al
	ret
	.set control, control + 1
	.endr
.endr

	.section .note.GNU-stack, "", @progbits
