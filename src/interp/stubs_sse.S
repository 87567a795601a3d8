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

.macro xmm op
	stub sse_\op
	movups (%rdi), %xmm0
	movups (%rsi), %xmm1
	\op %xmm1, %xmm0
	movups %xmm0, (%rdi)
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

/* To a general register: 8 bytes at dst, zero-extended */
.irp op, movmskps, movmskpd, pmovmskb
	stub sse_\op
	movups (%rsi), %xmm1
	\op %xmm1, %eax
	mov %rax, (%rdi)
	xor %eax, %eax
	ret
.endr

/* With REX.W the second of two, SSE_STRIDE apart. */
.irp op, cvttss2si, cvttsd2si, cvtss2si, cvtsd2si
	.balign 32
	stub sse_\op
	movups (%rsi), %xmm1
	\op %xmm1, %eax
	mov %rax, (%rdi)
	xor %eax, %eax
	ret
	.balign 32
	movups (%rsi), %xmm1
	\op %xmm1, %rax
	mov %rax, (%rdi)
	xor %eax, %eax
	ret
.endr
.irp op, cvtsi2ss, cvtsi2sd
	.balign 32
	stub sse_\op
	movups (%rdi), %xmm0
	\op\()l (%rsi), %xmm0
	movups %xmm0, (%rdi)
	xor %eax, %eax
	ret
	.balign 32
	movups (%rdi), %xmm0
	\op\()q (%rsi), %xmm0
	movups %xmm0, (%rdi)
	xor %eax, %eax
	ret
.endr

/* One stub for each useful value of an immediate, SSE_STRIDE apart */
.macro imm_one op, imm
	.balign 32
	movups (%rdi), %xmm0
	movups (%rsi), %xmm1
	\op $\imm, %xmm1, %xmm0
	movups %xmm0, (%rdi)
	xor %eax, %eax
	ret
.endm

.irp op, cmpps, cmppd, cmpss, cmpsd, mpsadbw
	.balign 32
	stub sse_\op
	.irp imm, 0, 1, 2, 3, 4, 5, 6, 7
	imm_one \op, \imm
	.endr
.endr
.irp op, roundps, roundpd, roundss, roundsd
	.balign 32
	stub sse_\op
	.irp imm, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	imm_one \op, \imm
	.endr
.endr

/* Result bits all set; op_sse_dp() clears what the guest's has not. */
	.balign 32
	stub sse_dpps
.irp imm, 0x0f, 0x1f, 0x2f, 0x3f, 0x4f, 0x5f, 0x6f, 0x7f, 0x8f, 0x9f, 0xaf, \
	0xbf, 0xcf, 0xdf, 0xef, 0xff
	imm_one dpps, \imm
.endr
	.balign 32
	stub sse_dppd
.irp imm, 0x03, 0x13, 0x23, 0x33
	imm_one dppd, \imm
.endr
	.balign 32
	stub sse_pclmulqdq
.irp imm, 0x00, 0x01, 0x10, 0x11
	imm_one pclmulqdq, \imm
.endr
	.balign 32
	stub sse_aeskeygenassist
	imm_one aeskeygenassist, 0

/* int stub(a, b, mask, len_a, len_b), STRING_STRIDE apart: see op_sse_string */
	.balign 64
	stub sse_pcmpistrm
	.set control, 0
.rept 64
	.balign 64
	movups (%rdi), %xmm1
	movups (%rsi), %xmm2
	pcmpistrm $control, %xmm2, %xmm1
	movups %xmm0, (%rdx)
	mov $0, %eax
	lahf
	seto %al
	ret
	.set control, control + 1
.endr
	.balign 64
	stub sse_pcmpestrm
	.set control, 0
.rept 64
	.balign 64
	movups (%rdi), %xmm1
	movups (%rsi), %xmm2
	mov %rdx, %rdi
	mov %ecx, %eax
	mov %r8d, %edx
	pcmpestrm $control, %xmm2, %xmm1
	movups %xmm0, (%rdi)
	mov $0, %eax
	lahf
	seto %al
	ret
	.set control, control + 1
.endr

	.section .note.GNU-stack, "", @progbits
