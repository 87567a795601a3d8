/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmx.c: MMX on the FXSAVE image. MMX registers are the mantissas of the
 * physical x87 registers; the image holds these in stack order, so MMn is in
 * slot n - TOP. Any MMX instruction but EMMS sets TOP to 0 and all tags to
 * valid (SDM vol. 3A, 12.2). Rare in today's code, so nothing is resident:
 * fpu_leave() comes first, and stubs use the host's MM registers as scratch.
 */
#include "sse.h"

static unsigned int mmx_top(const struct cpu *c)
{
    return le16_get(c->s.xsave + FX_FSW) >> 11 & 7;
}

static u8 *mmx_slot(struct cpu *c, unsigned int n)
{
    return c->s.xsave + FX_ST + 16 * ((n - mmx_top(c)) & 7);
}

static u64 mmx_get(struct cpu *c, unsigned int n)
{
    return le64_get(mmx_slot(c, n & 7));
}

/* TOP to 0, and the tags of all registers to ftw. */
static void mmx_state(struct cpu *c, u8 ftw)
{
    u8 *image = c->s.xsave, old[128];
    unsigned int top;

    fpu_leave(c);
    top = mmx_top(c);
    memcpy(old, image + FX_ST, sizeof(old));
    for (unsigned int n = 0; n < 8; n++)
        memcpy(image + FX_ST + 16 * n, old + 16 * ((n - top) & 7), 16);
    le16_put(image + FX_FSW, (u16)(le16_get(image + FX_FSW) & ~(7u << 11)));
    image[FX_FTW] = ftw;
}

/* A write also sets the sign and exponent of the x87 register to ones. */
static void mmx_set(struct cpu *c, unsigned int n, u64 val)
{
    u8 *slot;

    mmx_state(c, 0xff);
    slot = mmx_slot(c, n & 7);
    le64_put(slot, val);
    le16_put(slot + 8, 0xffff);
}

static enum exec mmx_check(struct cpu *c)
{
    enum exec e;

    if (c->s.cr0 & CR0_EM)
        return raise_exc(c, EXC_UD);
    e = x87_check(c);
    if (e != EXEC_OK)
        return e;
    fpu_leave(c);
    if (le16_get(c->s.xsave + FX_FSW) & FSW_ES)
        return raise_exc(c, EXC_MF);
    return EXEC_OK;
}

static bool mmx_touches(const struct insn *in)
{
    u16 f = sse_row_of(in)->flags;

    return (f & SSE_REG_MM) || ((f & SSE_RM_MM) && in->mod == 3);
}

/* Form and state checks; instructions that also touch XMM need OSFXSR. */
static enum exec mmx_begin(struct cpu *c, struct insn *in)
{
    u16 f = sse_row_of(in)->flags;
    enum exec e = EXEC_OK;

    if (!sse_form_ok(in))
        return raise_exc(c, EXC_UD);
    if (!(f & (SSE_REG_MM | SSE_REG_GPR)) || !(f & (SSE_RM_MM | SSE_RM_GPR)))
        e = sse_check(c);
    if (e != EXEC_OK || !mmx_touches(in)) /* CVTPI2PS from memory */
        return e;
    return mmx_check(c);
}

static enum exec mmx_source(struct cpu *c, struct insn *in, struct xmm *src)
{
    u16 f = sse_row_of(in)->flags;

    *src = (struct xmm){.q = {0}};
    if (in->mod != 3)
        return sse_load(c, in, in->msize, f & SSE_ALIGN, src);
    if (f & SSE_RM_MM)
        src->q[0] = mmx_get(c, in->rm);
    else if (f & SSE_RM_GPR)
        src->q[0] = c->s.gpr[in->rm] & size_mask(in->msize);
    else /* only what the instruction reads may raise */
        memcpy(src, xmm_reg(c, in->rm), in->msize);
    return EXEC_OK;
}

static void mmx_result(struct cpu *c, struct insn *in, const struct xmm *dst)
{
    u16 f = sse_row_of(in)->flags;

    if (f & SSE_REG_MM)
        mmx_set(c, in->reg, dst->q[0]);
    else if (f & SSE_REG_GPR)
        reg_set(c, in->reg, in->size, dst->q[0]);
    else
        *xmm_reg(c, in->reg) = *dst;
}

/* reg op= rm, where at least one of them is an MMX register */
enum exec op_mmx(struct cpu *c, struct insn *in)
{
    const struct sse_row *r = sse_row_of(in);
    struct xmm src, dst = {.q = {0}};
    enum exec e = mmx_begin(c, in);

    if (e == EXEC_OK)
        e = mmx_source(c, in, &src);
    if (e != EXEC_OK)
        return e;
    if (r->flags & SSE_REG_MM)
        dst.q[0] = mmx_get(c, in->reg);
    else if (!(r->flags & SSE_REG_GPR))
        dst = *xmm_reg(c, in->reg);
    if (mmx_touches(in)) /* before an exception, not only after success */
        mmx_state(c, 0xff);
    if (r->flags & SSE_MXCSR)
        fpu_enter(c);
    if (r->move)
        r->move(in, &dst, &src);
    else if (r->stub(&dst, &src) < 0)
        return sse_raise(c);
    mmx_result(c, in, &dst);
    return EXEC_OK;
}

/* rm (memory, MMX or general) = MMX reg: MOVD, MOVQ, MOVNTQ */
enum exec op_mmx_store(struct cpu *c, struct insn *in)
{
    struct xmm val = {.q = {0}};
    enum exec e = mmx_begin(c, in);

    if (e != EXEC_OK)
        return e;
    val.q[0] = mmx_get(c, in->reg);
    if (in->mod != 3) {
        e = sse_store(c, in, in->msize, false, &val);
        if (e != EXEC_OK)
            return e;
    }
    mmx_state(c, 0xff);
    if (in->mod == 3 && (sse_row_of(in)->flags & SSE_RM_GPR))
        reg_set(c, in->rm, in->size, val.q[0]);
    else if (in->mod == 3)
        mmx_set(c, in->rm, val.q[0]);
    return EXEC_OK;
}

/* Groups 12, 13, 14 on an MMX register */
enum exec op_mmx_shift(struct cpu *c, struct insn *in)
{
    struct xmm count = {.q = {in->imm}}, val = {.q = {0}};
    sse_stub *stub = sse_shift_stub(in);
    enum exec e;

    if (!stub)
        return raise_exc(c, EXC_UD);
    e = mmx_begin(c, in);
    if (e != EXEC_OK)
        return e;
    val.q[0] = mmx_get(c, in->rm);
    stub(&val, &count);
    mmx_set(c, in->rm, val.q[0]);
    return EXEC_OK;
}

enum exec op_mmx_maskmov(struct cpu *c, struct insn *in)
{
    struct xmm val = {.q = {0}}, mask = {.q = {0}};
    enum exec e = mmx_begin(c, in);

    if (e != EXEC_OK)
        return e;
    val.q[0] = mmx_get(c, in->reg);
    mask.q[0] = mmx_get(c, in->rm);
    mmx_state(c, 0xff); /* as processors do: also when the store faults */
    return sse_maskmov(c, in, &val, &mask);
}

enum exec op_emms(struct cpu *c, struct insn *in)
{
    enum exec e = mmx_check(c);

    if (e == EXEC_OK)
        mmx_state(c, 0);
    return e;
}
