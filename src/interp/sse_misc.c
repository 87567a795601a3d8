/* SPDX-License-Identifier: Apache-2.0 */
/* sse_misc.c: SSE opcodes whose operands have a shape of their own */
#include "sse.h"

/* PSRLDQ (bytes > 0), PSLLDQ (bytes < 0) */
static void shift_bytes(struct xmm *x, int bytes)
{
    struct xmm s = *x;

    for (int i = 0; i < 16; i++) {
        int from = i + bytes;

        x->b[i] = from >= 0 && from < 16 ? s.b[from] : 0;
    }
}

/* Groups 12, 13, 14: shift by an immediate. The register form takes its count
 * from the low 64 bits, so it serves for every immediate, and in the low half
 * of an XMM register for MMX. NULL: there is none. */
sse_stub *sse_shift_stub(const struct insn *in)
{
    static sse_stub *const stubs[3][8] = {
        {[2] = sse_psrlw, [4] = sse_psraw, [6] = sse_psllw},
        {[2] = sse_psrld, [4] = sse_psrad, [6] = sse_pslld},
        {[2] = sse_psrlq, [6] = sse_psllq},
    };

    return stubs[in->opcode - 0x71][in->modrm >> 3 & 7];
}

enum exec op_sse_shift(struct cpu *c, struct insn *in)
{
    unsigned int ext = in->modrm >> 3 & 7;
    sse_stub *stub = sse_shift_stub(in);
    bool bytes = in->opcode == 0x73 && (ext == 3 || ext == 7);
    struct xmm count = {.q = {in->imm}};
    enum exec e;

    if (!stub && !bytes)
        return raise_exc(c, EXC_UD);
    e = sse_ready(c, in);
    if (e != EXEC_OK)
        return e;
    if (bytes)
        shift_bytes(xmm_reg(c, in->rm), (int)in->imm * (ext == 3 ? 1 : -1));
    else
        stub(xmm_reg(c, in->rm), &count);
    return EXEC_OK;
}

/* PBLENDVB, BLENDVPS, BLENDVPD: the top bits of XMM0's elements choose. */
enum exec op_sse_blendv(struct cpu *c, struct insn *in)
{
    unsigned int size = in->opcode == 0x10 ? 1 : in->opcode == 0x14 ? 4 : 8;
    struct xmm *dst = xmm_reg(c, in->reg), tmp;
    struct xmm mask = *xmm_reg(c, 0);
    const struct xmm *src;
    enum exec e = sse_begin(c, in, &tmp, &src);

    if (e != EXEC_OK)
        return e;
    for (unsigned int i = 0; i < 16; i += size)
        if (mask.b[i + size - 1] & 0x80)
            memcpy(dst->b + i, src->b + i, size);
    return EXEC_OK;
}

/* DPPS, DPPD: the stubs have all result bits of the immediate set. */
void sse_dp(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    unsigned int size = in->opcode == 0x40 ? 4 : 8;

    for (unsigned int i = 0; i < 16 / size; i++)
        if (!(in->imm >> i & 1))
            memset(dst->b + i * size, 0, size);
}

/* PCLMULQDQ: bits 0 and 4 of the immediate choose the halves. */
void sse_clmul(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    unsigned int n = (in->imm & 1) | (in->imm >> 3 & 2);

    ((sse_stub *)((uintptr_t)sse_pclmulqdq + n * SSE_STRIDE))(dst, src);
}

/* AESKEYGENASSIST: the immediate is XORed into the odd words. SDM vol. 2A */
void sse_keygen(struct insn *in, struct xmm *dst, const struct xmm *src)
{
    dst->d[1] ^= (u32)in->imm;
    dst->d[3] ^= (u32)in->imm;
}

/*
 * PCMPESTRM, PCMPISTRM with bit 6 of the immediate clear: the result is a bit
 * mask, from which the index forms and the byte masks follow. One stub for
 * each value of bits 0..5, STRING_STRIDE apart.
 */
typedef int string_stub(const void *a, const void *b, void *mask, u32 len_a,
                        u32 len_b);
string_stub sse_pcmpestrm, sse_pcmpistrm;
#define STRING_STRIDE 64

/* An explicit length: its magnitude counts, and beyond 16 it saturates. */
static u32 string_length(const struct cpu *c, const struct insn *in,
                         enum gpr reg)
{
    s64 len = (s64)c->s.gpr[reg];

    if (!(in->prefix & PFX_REX_W))
        len = (s32)len;
    return (u32)MAX(MIN(len, 16), -16);
}

/* One bit an element to one element of all ones each */
static void string_expand(struct xmm *x, unsigned int size)
{
    u32 mask = x->d[0];

    for (unsigned int i = 0; i < 16; i++)
        x->b[i] = mask >> i / size & 1 ? 0xff : 0;
}

static u32 string_index(u32 mask, unsigned int elements, bool highest)
{
    if (!mask)
        return elements;
    return (u32)(highest ? 31 - __builtin_clz(mask) : __builtin_ctz(mask));
}

enum exec op_sse_string(struct cpu *c, struct insn *in)
{
    bool index = in->opcode & 1, top = in->imm >> 6 & 1;
    string_stub *base = in->opcode & 2 ? sse_pcmpistrm : sse_pcmpestrm;
    string_stub *stub =
        (string_stub *)((uintptr_t)base + (in->imm & 63) * STRING_STRIDE);
    unsigned int size = in->imm & 1 ? 2 : 1;
    struct xmm tmp, mask;
    const struct xmm *src;
    enum exec e = sse_begin(c, in, &tmp, &src);

    if (e != EXEC_OK)
        return e;
    sse_set_flags(c, stub(xmm_reg(c, in->reg), src, &mask,
                          string_length(c, in, GPR_RAX),
                          string_length(c, in, GPR_RDX)));
    if (index) {
        c->s.gpr[GPR_RCX] = string_index(mask.d[0], 16 / size, top);
    } else {
        if (top)
            string_expand(&mask, size);
        *xmm_reg(c, 0) = mask;
    }
    return EXEC_OK;
}

/* MASKMOVDQU, MASKMOVQ: bytes of val whose mask byte has its top bit set go to
 * [rDI]. Every page is checked before the first byte is written. */
enum exec sse_maskmov(struct cpu *c, struct insn *in, const struct xmm *val,
                      const struct xmm *mask)
{
    enum exec e;

    in->off = c->s.gpr[GPR_RDI] & size_mask(in->asize);
    e = sse_address(c, in, in->msize, false, ACC_WRITE);
    /* Processors check with an empty mask, too; and two halves. */
    for (unsigned int i = 0; i < in->msize && e == EXEC_OK; i += 8)
        e = mmu_probe(c, in->la + i, 8, ACC_WRITE);
    for (unsigned int i = 0; i < in->msize && e == EXEC_OK; i++)
        if (mask->b[i] & 0x80)
            e = mem_st(c, in->la + i, 1, val->b[i]);
    return e;
}

enum exec op_sse_maskmov(struct cpu *c, struct insn *in)
{
    struct xmm tmp;
    const struct xmm *mask;
    enum exec e = sse_begin(c, in, &tmp, &mask);

    return e == EXEC_OK ? sse_maskmov(c, in, xmm_reg(c, in->reg), mask) : e;
}
