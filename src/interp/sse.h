/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse.h: what the sse*.c files, mmx.c, fpu.c and xsave.c share.
 *
 * A stub is one instruction of the host between loads and a store, assembled
 * in stubs_sse.S and stubs_x87.S, section mote_stubs. Stubs keep no stack
 * frame: when one raises SIGFPE, sigfpe.c continues at stub_raise, which
 * returns -1 to the stub's caller with the destination unchanged.
 *
 * XMM registers are plain memory in the FXSAVE image. MXCSR and the x87 unit
 * are in the host thread while fpu_live; MMX works on the image, not live.
 */
#ifndef MOTE_INTERP_SSE_H
#define MOTE_INTERP_SSE_H

#include "insn.h"

struct xmm {
    union {
        u8 b[16];
        u16 w[8];
        u32 d[4];
        u64 q[2];
    };
};

/* The FXSAVE image: SDM vol. 1, 10.5.1 */
enum fxsave_offset {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4, /* one bit a physical register: 1 not empty */
    FX_FOP = 6, /* FOP, FIP and FDP up to FX_MXCSR */
    FX_MXCSR = 24,
    FX_MXCSR_MASK = 28,
    FX_ST = 32, /* ST0.. in stack order, 16 bytes each */
    FX_XMM = 160,
    FX_USED = 416, /* the rest is not written by FXSAVE */
    FX_SIZE = 512,
};

#define MXCSR_VALID 0xffffu
#define FSW_ES      0x80u

/* Returns -1 if the instruction raised, AH = SF ZF AF PF CF and AL = OF from
 * stubs that set flags, else 0. dst and src may be the same. */
typedef int sse_stub(void *dst, const void *src);

/* The same for what no single instruction of the host does: shuffles and
 * moves; or what is left to do after the stub. Must not fail. */
typedef void sse_move(struct insn *in, struct xmm *dst, const struct xmm *src);

/* clang-format off */
enum sse_flags {
    SSE_ALIGN   = 1u << 0, /* memory operand: #GP unless aligned to 16 */
    SSE_MXCSR   = 1u << 1, /* reads MXCSR, may raise #XM */
    SSE_NO_MEM  = 1u << 2, /* memory form is #UD */
    SSE_NO_REG  = 1u << 3, /* register form is #UD */
    SSE_RM_GPR  = 1u << 4, /* register form of rm is a general register */
    SSE_RM_MM   = 1u << 5, /* ... an MMX register */
    SSE_REG_GPR = 1u << 6, /* reg is a general register, 4 or 8 bytes by W */
    SSE_REG_MM  = 1u << 7, /* reg is an MMX register */
    SSE_FLAGS   = 1u << 8, /* result are the flags; reg is only read */
    SSE_W_STUB  = 1u << 9, /* REX.W selects the second of two stubs */
    SSE_MERGE   = 1u << 10, /* store to a register: only msize bytes */
};
/* clang-format on */

struct sse_row {
    struct row row; /* first; msize 0: 4 or 8 by REX.W */
    sse_stub *stub; /* one of the two, or this and then that */
    sse_move *move;
    u16 flags;
    u8 imm_mask; /* immediate bits that select a stub, SSE_STRIDE apart */
    u8 feature;  /* bit of CPUID.1:ECX the host must have; 0: always there */
};

#define SSE_STRIDE 32

enum sse_feature {                /* CPUID.1:ECX */
                   HOST_BASE = 0, /* SSE3 is bit 0; x86-64 hosts without it do
                                     not exist */
                   HOST_PCLMUL = 1,
                   HOST_SSSE3 = 9,
                   HOST_SSE41 = 19,
                   HOST_SSE42 = 20,
                   HOST_AES = 25,
};

static inline const struct sse_row *sse_row_of(const struct insn *in)
{
    return (const struct sse_row *)(const void *)in->row; /* first member */
}

static inline struct xmm *xmm_reg(struct cpu *c, unsigned int n)
{
    return (struct xmm *)(void *)(c->s.xsave + FX_XMM + 16 * n);
}

/* CR0.EM and CR0.TS: #NM; fetch */
static inline enum exec x87_check(struct cpu *c)
{
    if (c->s.cr0 & (CR0_EM | CR0_TS))
        return raise_exc(c, EXC_NM);
    if (!cpu_need(c, CPU_FPU))
        return EXEC_UNKNOWN;
    cpu_dirty(c, CPU_FPU);
    return EXEC_OK;
}

/* stubs_sse.S, stubs_x87.S; the rest are declared by the row table */
sse_stub sse_psrlw, sse_psraw, sse_psllw, sse_psrld, sse_psrad, sse_pslld;
sse_stub sse_psrlq, sse_psllq, sse_pclmulqdq;
void stub_fxrstor(const void *image); /* x87 and MXCSR; spoils XMM */
void stub_fxsave(void *image);
void stub_fpu_default(void); /* what the ABI promises C code */
int stub_fwait(void);        /* 0, or -1: exception pending */
void stub_ldmxcsr(const u32 *val);
void stub_stmxcsr(u32 *val);

/* sse.c */
op_fn op_sse, op_sse_store;
enum exec sse_check(struct cpu *c); /* CR0.EM, CR4.OSFXSR, CR0.TS; fetch */
enum exec sse_address(struct cpu *c, struct insn *in, unsigned int size,
                      bool align, enum access acc);
enum exec sse_load(struct cpu *c, struct insn *in, unsigned int size,
                   bool align, struct xmm *val);
enum exec sse_store(struct cpu *c, struct insn *in, unsigned int size,
                    bool align, const struct xmm *val);
enum exec sse_raise(struct cpu *c); /* a stub returned -1 */
enum exec sse_set_flags(struct cpu *c, int stub_result);
bool sse_form_ok(const struct insn *in); /* SSE_NO_MEM, SSE_NO_REG */
enum exec sse_ready(struct cpu *c, const struct insn *in); /* that and state */
enum exec sse_begin(struct cpu *c, struct insn *in, struct xmm *tmp,
                    const struct xmm **src);

/* sse_move.c */
sse_move sse_full, sse_merge, sse_low8, sse_movlp, sse_movhp, sse_st_high;
sse_move sse_pshufd, sse_pshufw, sse_shufps, sse_shufpd, sse_blend;
sse_move sse_palignr, sse_insertps, sse_pinsr, sse_pextr;

/* sse_misc.c: opcodes with a shape of their own */
op_fn op_sse_shift, op_sse_blendv, op_sse_string, op_sse_maskmov;
sse_move sse_dp, sse_clmul, sse_keygen;
sse_stub *sse_shift_stub(const struct insn *in);
enum exec sse_maskmov(struct cpu *c, struct insn *in, const struct xmm *val,
                      const struct xmm *mask);

/* mmx.c */
op_fn op_mmx, op_mmx_store, op_mmx_shift, op_mmx_maskmov, op_emms;

#endif
