/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse_move.c: SSE and MMX instructions that only move bytes about. C instead
 * of a stub: an immediate would need up to 256 of them each.
 *
 * dst and src may be the same register, so what reads src after the first
 * write to dst works on a copy. A source from memory is zero above its size.
 */
#include "sse.h"

void sse_full(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = *src;
}

/* MOVSS and MOVSD: registers merge, memory clears the rest. */
void sse_merge4(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    if (in->mod == 3)
        dst->d[0] = src->d[0];
    else
        *dst = *src;
}

void sse_merge8(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    if (in->mod == 3)
        dst->q[0] = src->q[0];
    else
        *dst = *src;
}

/* MOVQ xmm, xmm/m64 */
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

void sse_st_low(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->q[0], 0}};
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

/* Words first..first + 3 are shuffled among themselves. */
static void shuffle_words(struct xmm *dst, const struct xmm *src,
                          unsigned int first, u64 imm)
{
    struct xmm s = *src;

    *dst = s;
    for (unsigned int i = 0; i < 4; i++)
        dst->w[first + i] = s.w[first + (imm >> 2 * i & 3)];
}

void sse_pshufhw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    shuffle_words(dst, src, 4, in->imm);
}

void sse_pshuflw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    shuffle_words(dst, src, 0, in->imm);
}

void sse_pshufw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    shuffle_words(dst, src, 0, in->imm);
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

void sse_blendps(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    for (unsigned int i = 0; i < 4; i++)
        if (in->imm >> i & 1)
            dst->d[i] = src->d[i];
}

void sse_blendpd(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    for (unsigned int i = 0; i < 2; i++)
        if (in->imm >> i & 1)
            dst->q[i] = src->q[i];
}

void sse_pblendw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    for (unsigned int i = 0; i < 8; i++)
        if (in->imm >> i & 1)
            dst->w[i] = src->w[i];
}

/* dst:src, each of size bytes, shifted right by imm bytes */
static void align_right(struct xmm *dst, const struct xmm *src,
                        unsigned int size, unsigned int imm)
{
    u8 both[32];

    memcpy(both, src, size);
    memcpy(both + size, dst, size);
    for (unsigned int i = 0; i < size; i++)
        dst->b[i] = i + imm < 2 * size ? both[i + imm] : 0;
}

void sse_palignr(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    align_right(dst, src, 16, in->imm & 0xff);
}

void sse_palignr_mm(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    align_right(dst, src, 8, in->imm & 0xff);
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

void sse_pinsrb(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    dst->b[in->imm & 15] = src->b[0];
}

void sse_pinsrw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    dst->w[in->imm & 7] = src->w[0];
}

void sse_pinsrw_mm(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    dst->w[in->imm & 3] = src->w[0];
}

/* PINSRD, PINSRQ */
void sse_pinsrd(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    if (in->prefix & PFX_REX_W)
        dst->q[in->imm & 1] = src->q[0];
    else
        dst->d[in->imm & 3] = src->d[0];
}

void sse_pextrb(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->b[in->imm & 15]}};
}

void sse_pextrw(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->w[in->imm & 7]}};
}

void sse_pextrw_mm(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->w[in->imm & 3]}};
}

void sse_extractps(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    *dst = (struct xmm){.q = {src->d[in->imm & 3]}};
}

/* PEXTRD, PEXTRQ */
void sse_pextrd(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    if (in->prefix & PFX_REX_W)
        *dst = (struct xmm){.q = {src->q[in->imm & 1]}};
    else
        sse_extractps(in, dst, src);
}
