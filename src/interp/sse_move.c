/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse_move.c: SSE and MMX instructions that only move bytes about. C instead
 * of a stub: an immediate would need up to 256 of them each.
 *
 * dst and src may be the same register, so what reads src after the first
 * write to dst works on a copy. A source from memory is zero above its size.
 */
#include "host.h"
#include "sse.h"

void sse_full(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = *src;
}

/* MOVSS and MOVSD: registers merge, memory clears the rest. */
void sse_merge(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    if (in->mod == 3)
        host_st(dst->b, in->msize, src->q[0]);
    else
        *dst = *src;
}

/* MOVQ */
void sse_low8(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->q[0], 0}};
}

/* MOVLPS, MOVLPD; the register form is MOVHLPS */
void sse_movlp(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    dst->q[0] = src->q[in->mod == 3];
}

/* MOVHPS, MOVHPD; the register form is MOVLHPS */
void sse_movhp(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    dst->q[1] = src->q[0];
}

void sse_st_high(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->q[1], 0}};
}

void sse_pshufd(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    struct xmm s = *src;

    for (unsigned int i = 0; i < 4; i++)
        dst->d[i] = s.d[in->imm >> 2 * i & 3];
}

/* PSHUFLW, PSHUFHW, PSHUFW: four words are shuffled among themselves. */
void sse_pshufw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    unsigned int first = in->prefix & PFX_REP ? 4 : 0;
    struct xmm s = *src;

    *dst = s;
    for (unsigned int i = 0; i < 4; i++)
        dst->w[first + i] = s.w[first + (in->imm >> 2 * i & 3)];
}

void sse_shufps(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    struct xmm s = *src, d = *dst;

    dst->d[0] = d.d[in->imm & 3];
    dst->d[1] = d.d[in->imm >> 2 & 3];
    dst->d[2] = s.d[in->imm >> 4 & 3];
    dst->d[3] = s.d[in->imm >> 6 & 3];
}

void sse_shufpd(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    struct xmm s = *src, d = *dst;

    dst->q[0] = d.q[in->imm & 1];
    dst->q[1] = s.q[in->imm >> 1 & 1];
}

/* PBLENDW, BLENDPS, BLENDPD */
void sse_blend(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    unsigned int size = in->opcode == 0x0e ? 2 : in->opcode == 0x0c ? 4 : 8;

    for (unsigned int at = 0; at < 16; at += size)
        if (in->imm >> at / size & 1)
            host_st(dst->b + at, size, host_ld(src->b + at, size));
}

/* Bytes of the registers that the instruction is about */
static unsigned int move_width(const struct insn *in)
{
    return sse_row_of(in)->flags & (SSE_RM_MM | SSE_REG_MM) ? 8 : 16;
}

/* dst:src shifted right by imm bytes */
void sse_palignr(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    unsigned int size = move_width(in);
    u8 both[32];

    memcpy(both, src, size);
    memcpy(both + size, dst, size);
    for (u64 i = 0; i < size; i++)
        dst->b[i] = i + in->imm < 2 * size ? both[i + in->imm] : 0;
}

/* imm: source element (registers only), destination element, zero mask */
void sse_insertps(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    u32 val = src->d[in->mod == 3 ? in->imm >> 6 & 3 : 0];

    dst->d[in->imm >> 4 & 3] = val;
    for (unsigned int i = 0; i < 4; i++)
        if (in->imm >> i & 1)
            dst->d[i] = 0;
}

/* Where the element is that the immediate names */
static unsigned int move_element(const struct insn *in)
{
    return (unsigned int)in->imm * in->msize & (move_width(in) - 1);
}

void sse_pinsr(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    host_st(dst->b + move_element(in), in->msize, src->q[0]);
}

/* PEXTRB to PEXTRQ, EXTRACTPS */
void sse_pextr(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    u64 val = host_ld(src->b + move_element(in), in->msize);

    *dst = (struct xmm){.q = {val}};
}
