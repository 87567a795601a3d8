/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse_rows.h: the MMX and SSE opcodes, for sse_table.c, which includes this
 * file with ROW defined:
 *
 *   ROW(map, opcode, prefix, name, fn, stub, move, third, msize, flags, mask,
 *       feature)
 *
 * Prefix NP, P66, F3, F2. The macros here are the usual shapes of a row:
 *
 *   STUB(map, opcode, prefix, name, msize, flags): stub sse_name
 *   MMX(map, opcode, name): stub mmx_name on 8 bytes
 *   BOTH(map, opcode, name): MMX without prefix, XMM with 66
 *   FP4(opcode, name): ps, pd, ss, sd by prefix
 *   IMM(map, opcode, prefix, name, msize, flags, mask): one stub a value
 *   LOAD, STORE(map, opcode, prefix, name, move, msize, flags): written in C
 *   LIMM, SIMM: these with an immediate
 *   OWN(map, opcode, prefix, name, fn, third, msize, flags)
 *
 * No include guard: included twice. FEATURE is set section by section.
 */
#define A  SSE_ALIGN
#define FP SSE_MXCSR
#define AF (SSE_ALIGN | SSE_MXCSR)

#define STUB(map, op, pfx, name, ms, fl)                                       \
    ROW(map, op, pfx, name, op_sse, sse_##name, no_move, W_NONE, ms, fl, 0)
#define IMM(map, op, pfx, name, ms, fl, mask)                                  \
    ROW(map, op, pfx, name, op_sse, sse_##name, no_move, W_IUB, ms, fl, mask)
#define LOAD(map, op, pfx, name, mv, ms, fl)                                   \
    ROW(map, op, pfx, name, op_sse, no_stub, mv, W_NONE, ms, fl, 0)
#define LIMM(map, op, pfx, name, mv, ms, fl)                                   \
    ROW(map, op, pfx, name, op_sse, no_stub, mv, W_IUB, ms, fl, 0)
#define STORE(map, op, pfx, name, mv, ms, fl)                                  \
    ROW(map, op, pfx, name, op_sse_store, no_stub, mv, W_NONE, ms, fl, 0)
#define SIMM(map, op, pfx, name, mv, ms, fl)                                   \
    ROW(map, op, pfx, name, op_sse_store, no_stub, mv, W_IUB, ms, fl, 0)
#define OWN(map, op, pfx, name, fn, third, ms, fl)                             \
    ROW(map, op, pfx, name, fn, no_stub, no_move, third, ms, fl, 0)
#define MMXN(map, op, name, ms)                                                \
    ROW(map, op, NP, name, op_mmx, mmx_##name, no_move, W_NONE, ms,            \
        SSE_RM_MM | SSE_REG_MM, 0)
#define MMX(map, op, name) MMXN(map, op, name, 8)
#define BOTH(map, op, name)                                                    \
    MMX(map, op, name)                                                         \
    STUB(map, op, P66, name, 16, A)
#define PSPD(op, name, fl)                                                     \
    STUB(1, op, NP, name##ps, 16, fl)                                          \
    STUB(1, op, P66, name##pd, 16, fl)
#define FP4(op, name)                                                          \
    PSPD(op, name, AF)                                                         \
    STUB(1, op, F3, name##ss, 4, FP)                                           \
    STUB(1, op, F2, name##sd, 8, FP)

/* clang-format off */

/* ---- SSE, SSE2, SSE3 --------------------------------------------------- */
#define FEATURE HOST_BASE
LOAD (1, 0x10, NP,  movups, sse_full, 16, 0)
LOAD (1, 0x10, P66, movupd, sse_full, 16, 0)
LOAD (1, 0x10, F3,  movss, sse_merge4, 4, 0)
LOAD (1, 0x10, F2,  movsd, sse_merge8, 8, 0)
STORE(1, 0x11, NP,  movups, sse_full, 16, 0)
STORE(1, 0x11, P66, movupd, sse_full, 16, 0)
STORE(1, 0x11, F3,  movss, sse_full, 4, SSE_MERGE)
STORE(1, 0x11, F2,  movsd, sse_full, 8, SSE_MERGE)
LOAD (1, 0x12, NP,  movlps, sse_movlp, 8, 0)
LOAD (1, 0x12, P66, movlpd, sse_movlp, 8, SSE_NO_REG)
STUB (1, 0x12, F3,  movsldup, 16, A)
STUB (1, 0x12, F2,  movddup, 8, 0)
STORE(1, 0x13, NP,  movlps, sse_full, 8, SSE_NO_REG)
STORE(1, 0x13, P66, movlpd, sse_full, 8, SSE_NO_REG)
PSPD (0x14, unpckl, A)
PSPD (0x15, unpckh, A)
LOAD (1, 0x16, NP,  movhps, sse_movhp, 8, 0)
LOAD (1, 0x16, P66, movhpd, sse_movhp, 8, SSE_NO_REG)
STUB (1, 0x16, F3,  movshdup, 16, A)
STORE(1, 0x17, NP,  movhps, sse_st_high, 8, SSE_NO_REG)
STORE(1, 0x17, P66, movhpd, sse_st_high, 8, SSE_NO_REG)
LOAD (1, 0x28, NP,  movaps, sse_full, 16, A)
LOAD (1, 0x28, P66, movapd, sse_full, 16, A)
STORE(1, 0x29, NP,  movaps, sse_full, 16, A)
STORE(1, 0x29, P66, movapd, sse_full, 16, A)
ROW  (1, 0x2a, NP,  cvtpi2ps, op_mmx, sse_cvtpi2ps, no_move, W_NONE, 8,
      FP | SSE_RM_MM | SSE_MMX_MEM, 0)
ROW  (1, 0x2a, P66, cvtpi2pd, op_mmx, sse_cvtdq2pd, no_move, W_NONE, 8,
      FP | SSE_RM_MM, 0)
STUB (1, 0x2a, F3,  cvtsi2ss, 0, FP | SSE_RM_GPR | SSE_W_STUB)
STUB (1, 0x2a, F2,  cvtsi2sd, 0, FP | SSE_RM_GPR | SSE_W_STUB)
STORE(1, 0x2b, NP,  movntps, sse_full, 16, A | SSE_NO_REG)
STORE(1, 0x2b, P66, movntpd, sse_full, 16, A | SSE_NO_REG)
ROW  (1, 0x2c, NP,  cvttps2pi, op_mmx, sse_cvttps2dq, no_move, W_NONE, 8,
      FP | SSE_REG_MM | SSE_MMX_MEM, 0)
ROW  (1, 0x2c, P66, cvttpd2pi, op_mmx, sse_cvttpd2dq, no_move, W_NONE, 16,
      AF | SSE_REG_MM | SSE_MMX_MEM, 0)
STUB (1, 0x2c, F3,  cvttss2si, 4, FP | SSE_REG_GPR | SSE_W_STUB)
STUB (1, 0x2c, F2,  cvttsd2si, 8, FP | SSE_REG_GPR | SSE_W_STUB)
ROW  (1, 0x2d, NP,  cvtps2pi, op_mmx, sse_cvtps2dq, no_move, W_NONE, 8,
      FP | SSE_REG_MM | SSE_MMX_MEM, 0)
ROW  (1, 0x2d, P66, cvtpd2pi, op_mmx, sse_cvtpd2dq, no_move, W_NONE, 16,
      AF | SSE_REG_MM | SSE_MMX_MEM, 0)
STUB (1, 0x2d, F3,  cvtss2si, 4, FP | SSE_REG_GPR | SSE_W_STUB)
STUB (1, 0x2d, F2,  cvtsd2si, 8, FP | SSE_REG_GPR | SSE_W_STUB)
STUB (1, 0x2e, NP,  ucomiss, 4, FP | SSE_FLAGS)
STUB (1, 0x2e, P66, ucomisd, 8, FP | SSE_FLAGS)
STUB (1, 0x2f, NP,  comiss, 4, FP | SSE_FLAGS)
STUB (1, 0x2f, P66, comisd, 8, FP | SSE_FLAGS)
STUB (1, 0x50, NP,  movmskps, 16, SSE_REG_GPR | SSE_NO_MEM)
STUB (1, 0x50, P66, movmskpd, 16, SSE_REG_GPR | SSE_NO_MEM)
FP4  (0x51, sqrt)
STUB (1, 0x52, NP,  rsqrtps, 16, AF)
STUB (1, 0x52, F3,  rsqrtss, 4, FP)
STUB (1, 0x53, NP,  rcpps, 16, AF)
STUB (1, 0x53, F3,  rcpss, 4, FP)
PSPD (0x54, and, A)
PSPD (0x55, andn, A)
PSPD (0x56, or, A)
PSPD (0x57, xor, A)
FP4  (0x58, add)
FP4  (0x59, mul)
STUB (1, 0x5a, NP,  cvtps2pd, 8, FP)
STUB (1, 0x5a, P66, cvtpd2ps, 16, AF)
STUB (1, 0x5a, F3,  cvtss2sd, 4, FP)
STUB (1, 0x5a, F2,  cvtsd2ss, 8, FP)
STUB (1, 0x5b, NP,  cvtdq2ps, 16, AF)
STUB (1, 0x5b, P66, cvtps2dq, 16, AF)
STUB (1, 0x5b, F3,  cvttps2dq, 16, AF)
FP4  (0x5c, sub)
FP4  (0x5d, min)
FP4  (0x5e, div)
FP4  (0x5f, max)
MMXN (1, 0x60, punpcklbw, 4)
STUB (1, 0x60, P66, punpcklbw, 16, A)
MMXN (1, 0x61, punpcklwd, 4)
STUB (1, 0x61, P66, punpcklwd, 16, A)
MMXN (1, 0x62, punpckldq, 4)
STUB (1, 0x62, P66, punpckldq, 16, A)
BOTH (1, 0x63, packsswb)
BOTH (1, 0x64, pcmpgtb)
BOTH (1, 0x65, pcmpgtw)
BOTH (1, 0x66, pcmpgtd)
BOTH (1, 0x67, packuswb)
BOTH (1, 0x68, punpckhbw)
BOTH (1, 0x69, punpckhwd)
BOTH (1, 0x6a, punpckhdq)
BOTH (1, 0x6b, packssdw)
STUB (1, 0x6c, P66, punpcklqdq, 16, A)
STUB (1, 0x6d, P66, punpckhqdq, 16, A)
ROW  (1, 0x6e, NP,  movd, op_mmx, no_stub, sse_full, W_NONE, 0,
      SSE_RM_GPR | SSE_REG_MM, 0)
LOAD (1, 0x6e, P66, movd, sse_full, 0, SSE_RM_GPR)
ROW  (1, 0x6f, NP,  movq, op_mmx, no_stub, sse_full, W_NONE, 8,
      SSE_RM_MM | SSE_REG_MM, 0)
LOAD (1, 0x6f, P66, movdqa, sse_full, 16, A)
LOAD (1, 0x6f, F3,  movdqu, sse_full, 16, 0)
ROW  (1, 0x70, NP,  pshufw, op_mmx, no_stub, sse_pshufw, W_IUB, 8,
      SSE_RM_MM | SSE_REG_MM, 0)
LIMM (1, 0x70, P66, pshufd, sse_pshufd, 16, A)
LIMM (1, 0x70, F3,  pshufhw, sse_pshufhw, 16, A)
LIMM (1, 0x70, F2,  pshuflw, sse_pshuflw, 16, A)
OWN  (1, 0x71, NP,  psllw, op_mmx_shift, W_IUB, 8, SSE_NO_MEM)
OWN  (1, 0x71, P66, psllw, op_sse_shift, W_IUB, 16, SSE_NO_MEM)
OWN  (1, 0x72, NP,  pslld, op_mmx_shift, W_IUB, 8, SSE_NO_MEM)
OWN  (1, 0x72, P66, pslld, op_sse_shift, W_IUB, 16, SSE_NO_MEM)
OWN  (1, 0x73, NP,  psllq, op_mmx_shift, W_IUB, 8, SSE_NO_MEM)
OWN  (1, 0x73, P66, psllq, op_sse_shift, W_IUB, 16, SSE_NO_MEM)
BOTH (1, 0x74, pcmpeqb)
BOTH (1, 0x75, pcmpeqw)
BOTH (1, 0x76, pcmpeqd)
STUB (1, 0x7c, P66, haddpd, 16, AF)
STUB (1, 0x7c, F2,  haddps, 16, AF)
STUB (1, 0x7d, P66, hsubpd, 16, AF)
STUB (1, 0x7d, F2,  hsubps, 16, AF)
ROW  (1, 0x7e, NP,  movd, op_mmx_store, no_stub, sse_full, W_NONE, 0,
      SSE_RM_GPR | SSE_REG_MM, 0)
STORE(1, 0x7e, P66, movd, sse_full, 0, SSE_RM_GPR)
LOAD (1, 0x7e, F3,  movq, sse_low8, 8, 0)
ROW  (1, 0x7f, NP,  movq, op_mmx_store, no_stub, sse_full, W_NONE, 8,
      SSE_RM_MM | SSE_REG_MM, 0)
STORE(1, 0x7f, P66, movdqa, sse_full, 16, A)
STORE(1, 0x7f, F3,  movdqu, sse_full, 16, 0)
IMM  (1, 0xc2, NP,  cmpps, 16, AF, 7)
IMM  (1, 0xc2, P66, cmppd, 16, AF, 7)
IMM  (1, 0xc2, F3,  cmpss, 4, FP, 7)
IMM  (1, 0xc2, F2,  cmpsd, 8, FP, 7)
ROW  (1, 0xc4, NP,  pinsrw, op_mmx, no_stub, sse_pinsrw_mm, W_IUB, 2,
      SSE_RM_GPR | SSE_REG_MM, 0)
LIMM (1, 0xc4, P66, pinsrw, sse_pinsrw, 2, SSE_RM_GPR)
ROW  (1, 0xc5, NP,  pextrw, op_mmx, no_stub, sse_pextrw_mm, W_IUB, 8,
      SSE_RM_MM | SSE_REG_GPR | SSE_NO_MEM, 0)
LIMM (1, 0xc5, P66, pextrw, sse_pextrw, 16, SSE_REG_GPR | SSE_NO_MEM)
LIMM (1, 0xc6, NP,  shufps, sse_shufps, 16, A)
LIMM (1, 0xc6, P66, shufpd, sse_shufpd, 16, A)
STUB (1, 0xd0, P66, addsubpd, 16, AF)
STUB (1, 0xd0, F2,  addsubps, 16, AF)
BOTH (1, 0xd1, psrlw)
BOTH (1, 0xd2, psrld)
BOTH (1, 0xd3, psrlq)
BOTH (1, 0xd4, paddq)
BOTH (1, 0xd5, pmullw)
STORE(1, 0xd6, P66, movq, sse_st_low, 8, 0)
ROW  (1, 0xd6, F3,  movq2dq, op_mmx, no_stub, sse_full, W_NONE, 8,
      SSE_RM_MM | SSE_NO_MEM, 0)
ROW  (1, 0xd6, F2,  movdq2q, op_mmx, no_stub, sse_full, W_NONE, 16,
      SSE_REG_MM | SSE_NO_MEM, 0)
ROW  (1, 0xd7, NP,  pmovmskb, op_mmx, sse_pmovmskb, no_move, W_NONE, 8,
      SSE_RM_MM | SSE_REG_GPR | SSE_NO_MEM, 0)
STUB (1, 0xd7, P66, pmovmskb, 16, SSE_REG_GPR | SSE_NO_MEM)
BOTH (1, 0xd8, psubusb)
BOTH (1, 0xd9, psubusw)
BOTH (1, 0xda, pminub)
BOTH (1, 0xdb, pand)
BOTH (1, 0xdc, paddusb)
BOTH (1, 0xdd, paddusw)
BOTH (1, 0xde, pmaxub)
BOTH (1, 0xdf, pandn)
BOTH (1, 0xe0, pavgb)
BOTH (1, 0xe1, psraw)
BOTH (1, 0xe2, psrad)
BOTH (1, 0xe3, pavgw)
BOTH (1, 0xe4, pmulhuw)
BOTH (1, 0xe5, pmulhw)
STUB (1, 0xe6, P66, cvttpd2dq, 16, AF)
STUB (1, 0xe6, F3,  cvtdq2pd, 8, FP)
STUB (1, 0xe6, F2,  cvtpd2dq, 16, AF)
ROW  (1, 0xe7, NP,  movntq, op_mmx_store, no_stub, sse_full, W_NONE, 8,
      SSE_RM_MM | SSE_REG_MM | SSE_NO_REG, 0)
STORE(1, 0xe7, P66, movntdq, sse_full, 16, A | SSE_NO_REG)
BOTH (1, 0xe8, psubsb)
BOTH (1, 0xe9, psubsw)
BOTH (1, 0xea, pminsw)
BOTH (1, 0xeb, por)
BOTH (1, 0xec, paddsb)
BOTH (1, 0xed, paddsw)
BOTH (1, 0xee, pmaxsw)
BOTH (1, 0xef, pxor)
LOAD (1, 0xf0, F2,  lddqu, sse_full, 16, SSE_NO_REG)
BOTH (1, 0xf1, psllw)
BOTH (1, 0xf2, pslld)
BOTH (1, 0xf3, psllq)
BOTH (1, 0xf4, pmuludq)
BOTH (1, 0xf5, pmaddwd)
BOTH (1, 0xf6, psadbw)
OWN  (1, 0xf7, NP,  maskmovq, op_mmx_maskmov, W_NONE, 8, SSE_NO_MEM)
OWN  (1, 0xf7, P66, maskmovdqu, op_sse_maskmov, W_NONE, 16, SSE_NO_MEM)
BOTH (1, 0xf8, psubb)
BOTH (1, 0xf9, psubw)
BOTH (1, 0xfa, psubd)
BOTH (1, 0xfb, psubq)
BOTH (1, 0xfc, paddb)
BOTH (1, 0xfd, paddw)
BOTH (1, 0xfe, paddd)
ROW  (1, 0x77, NP,  emms, op_emms, no_stub, no_move, W_NONE, 0, 0, 0)

/* ---- SSSE3 ------------------------------------------------------------- */
#undef FEATURE
#define FEATURE HOST_SSSE3
BOTH (2, 0x00, pshufb)
BOTH (2, 0x01, phaddw)
BOTH (2, 0x02, phaddd)
BOTH (2, 0x03, phaddsw)
BOTH (2, 0x04, pmaddubsw)
BOTH (2, 0x05, phsubw)
BOTH (2, 0x06, phsubd)
BOTH (2, 0x07, phsubsw)
BOTH (2, 0x08, psignb)
BOTH (2, 0x09, psignw)
BOTH (2, 0x0a, psignd)
BOTH (2, 0x0b, pmulhrsw)
BOTH (2, 0x1c, pabsb)
BOTH (2, 0x1d, pabsw)
BOTH (2, 0x1e, pabsd)
ROW  (3, 0x0f, NP,  palignr, op_mmx, no_stub, sse_palignr_mm, W_IUB, 8,
      SSE_RM_MM | SSE_REG_MM, 0)
LIMM (3, 0x0f, P66, palignr, sse_palignr, 16, A)

/* ---- SSE4.1 ------------------------------------------------------------ */
#undef FEATURE
#define FEATURE HOST_SSE41
OWN  (2, 0x10, P66, pblendvb, op_sse_blendv, W_NONE, 16, A)
OWN  (2, 0x14, P66, blendvps, op_sse_blendv, W_NONE, 16, A)
OWN  (2, 0x15, P66, blendvpd, op_sse_blendv, W_NONE, 16, A)
STUB (2, 0x17, P66, ptest, 16, A | SSE_FLAGS)
STUB (2, 0x20, P66, pmovsxbw, 8, 0)
STUB (2, 0x21, P66, pmovsxbd, 4, 0)
STUB (2, 0x22, P66, pmovsxbq, 2, 0)
STUB (2, 0x23, P66, pmovsxwd, 8, 0)
STUB (2, 0x24, P66, pmovsxwq, 4, 0)
STUB (2, 0x25, P66, pmovsxdq, 8, 0)
STUB (2, 0x28, P66, pmuldq, 16, A)
STUB (2, 0x29, P66, pcmpeqq, 16, A)
LOAD (2, 0x2a, P66, movntdqa, sse_full, 16, A | SSE_NO_REG)
STUB (2, 0x2b, P66, packusdw, 16, A)
STUB (2, 0x30, P66, pmovzxbw, 8, 0)
STUB (2, 0x31, P66, pmovzxbd, 4, 0)
STUB (2, 0x32, P66, pmovzxbq, 2, 0)
STUB (2, 0x33, P66, pmovzxwd, 8, 0)
STUB (2, 0x34, P66, pmovzxwq, 4, 0)
STUB (2, 0x35, P66, pmovzxdq, 8, 0)
STUB (2, 0x38, P66, pminsb, 16, A)
STUB (2, 0x39, P66, pminsd, 16, A)
STUB (2, 0x3a, P66, pminuw, 16, A)
STUB (2, 0x3b, P66, pminud, 16, A)
STUB (2, 0x3c, P66, pmaxsb, 16, A)
STUB (2, 0x3d, P66, pmaxsd, 16, A)
STUB (2, 0x3e, P66, pmaxuw, 16, A)
STUB (2, 0x3f, P66, pmaxud, 16, A)
STUB (2, 0x40, P66, pmulld, 16, A)
STUB (2, 0x41, P66, phminposuw, 16, A)
IMM  (3, 0x08, P66, roundps, 16, AF, 15)
IMM  (3, 0x09, P66, roundpd, 16, AF, 15)
IMM  (3, 0x0a, P66, roundss, 4, FP, 15)
IMM  (3, 0x0b, P66, roundsd, 8, FP, 15)
LIMM (3, 0x0c, P66, blendps, sse_blendps, 16, A)
LIMM (3, 0x0d, P66, blendpd, sse_blendpd, 16, A)
LIMM (3, 0x0e, P66, pblendw, sse_pblendw, 16, A)
SIMM (3, 0x14, P66, pextrb, sse_pextrb, 1, SSE_RM_GPR)
SIMM (3, 0x15, P66, pextrw, sse_pextrw, 2, SSE_RM_GPR)
SIMM (3, 0x16, P66, pextrd, sse_pextrd, 0, SSE_RM_GPR)
SIMM (3, 0x17, P66, extractps, sse_extractps, 4, SSE_RM_GPR)
LIMM (3, 0x20, P66, pinsrb, sse_pinsrb, 1, SSE_RM_GPR)
LIMM (3, 0x21, P66, insertps, sse_insertps, 4, 0)
LIMM (3, 0x22, P66, pinsrd, sse_pinsrd, 0, SSE_RM_GPR)
ROW  (3, 0x40, P66, dpps, op_sse_dp, sse_dpps, no_move, W_IUB, 16, AF, 15)
ROW  (3, 0x41, P66, dppd, op_sse_dp, sse_dppd, no_move, W_IUB, 16, AF, 3)
IMM  (3, 0x42, P66, mpsadbw, 16, A, 7)

/* ---- SSE4.2, AES, PCLMULQDQ ------------------------------------------- */
#undef FEATURE
#define FEATURE HOST_SSE42
STUB (2, 0x37, P66, pcmpgtq, 16, A)
OWN  (3, 0x60, P66, pcmpestrm, op_sse_string, W_IUB, 16, 0)
OWN  (3, 0x61, P66, pcmpestri, op_sse_string, W_IUB, 16, 0)
OWN  (3, 0x62, P66, pcmpistrm, op_sse_string, W_IUB, 16, 0)
OWN  (3, 0x63, P66, pcmpistri, op_sse_string, W_IUB, 16, 0)
#undef FEATURE
#define FEATURE HOST_AES
STUB (2, 0xdb, P66, aesimc, 16, A)
STUB (2, 0xdc, P66, aesenc, 16, A)
STUB (2, 0xdd, P66, aesenclast, 16, A)
STUB (2, 0xde, P66, aesdec, 16, A)
STUB (2, 0xdf, P66, aesdeclast, 16, A)
ROW  (3, 0xdf, P66, aeskeygenassist, op_sse_keygen, sse_aeskeygenassist,
      no_move, W_IUB, 16, A, 0)
#undef FEATURE
#define FEATURE HOST_PCLMUL
ROW  (3, 0x44, P66, pclmulqdq, op_sse_clmul, sse_pclmulqdq, no_move, W_IUB, 16,
      A, 3)
#undef FEATURE
/* clang-format on */
#undef A
#undef FP
#undef AF
#undef STUB
#undef IMM
#undef LOAD
#undef LIMM
#undef STORE
#undef SIMM
#undef OWN
#undef MMXN
#undef MMX
#undef BOTH
#undef PSPD
#undef FP4
