/* SPDX-License-Identifier: Apache-2.0 */
/* sse.c: run an SSE instruction on the host through its stub */
#include "sse.h"

enum exec sse_check(struct cpu *c)
{
    if ((c->s.cr0 & CR0_EM) || !(c->s.cr4 & CR4_OSFXSR))
        return raise_exc(c, EXC_UD);
    return x87_check(c);
}

/* SDM vol. 3A, 2.5: without CR4.OSXMMEXCPT the exception is #UD. */
enum exec sse_raise(struct cpu *c)
{
    return raise_exc(c, c->s.cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

enum exec sse_address(struct cpu *c, struct insn *in, unsigned int size,
                      bool align, enum access acc)
{
    u64 la;

    if (in->mem) /* MASKMOVDQU has RDI there */
        in->off = insn_offset(c, in);
    la = in->off + c->s.seg[in->seg].base;

    /* Before #SS and limits; ES to DS have bases only where they count. */
    if (align && (in->mode == MODE_64 && in->seg < SEG_FS ? in->off : la) & 15)
        return raise_gp(c);
    return seg_linear(c, in->seg, in->off, size, acc, &in->la);
}

/* Memory operand of size bytes, zero-extended to 16. */
enum exec sse_load(struct cpu *c, struct insn *in, unsigned int size,
                   bool align, struct xmm *val)
{
    enum exec e = sse_address(c, in, size, align, ACC_READ);
    const u8 *host;

    if (e != EXEC_OK)
        return e;
    val->q[1] = 0;
    if (size <= 8)
        return mem_ld(c, in->la, size, &val->q[0]);
    host = tlb_hit(c, in->la, 16, ACC_READ);
    if (unlikely(!host))
        return mem_ld_buf(c, in->la, val, 16);
    memcpy(val, host, 16);
    return EXEC_OK;
}

enum exec sse_store(struct cpu *c, struct insn *in, unsigned int size,
                    bool align, const struct xmm *val)
{
    enum exec e = sse_address(c, in, size, align, ACC_WRITE);
    u8 *host;

    if (e != EXEC_OK)
        return e;
    if (size <= 8)
        return mem_st(c, in->la, size, val->q[0] & size_mask(size));
    host = tlb_hit(c, in->la, 16, ACC_WRITE);
    if (unlikely(!host))
        return mem_st_buf(c, in->la, val, 16);
    memcpy(host, val, 16);
    return EXEC_OK;
}

/* Which of a row's stubs: they lie SSE_STRIDE bytes apart. */
static sse_stub *sse_pick(const struct insn *in)
{
    const struct sse_row *r = sse_row_of(in);
    unsigned int n = 0;

    if (r->imm_mask)
        n = (in->imm & r->imm_mask) >> __builtin_ctz(r->imm_mask);
    else if (r->flags & SSE_W_STUB)
        n = in->size == 8;
    return (sse_stub *)((uintptr_t)r->stub + n * SSE_STRIDE);
}

/* Stubs that set flags: LAHF's in AH, OF in AL. */
enum exec sse_set_flags(struct cpu *c, int stub_result)
{
    c->s.rflags = (c->s.rflags & ~0xffull) | (stub_result >> 8 & 0xff);
    c->of = stub_result & 1;
    return EXEC_OK;
}

bool sse_form_ok(const struct insn *in)
{
    u16 no = in->mod == 3 ? SSE_NO_REG : SSE_NO_MEM;

    return !(sse_row_of(in)->flags & no);
}

enum exec sse_ready(struct cpu *c, const struct insn *in)
{
    return sse_form_ok(in) ? sse_check(c) : raise_exc(c, EXC_UD);
}

/* Checks, then the rm operand: in place for a register, else in tmp. (Inline in
 * op_sse() at least: a call would be a sixteenth of its time.) */
inline __attribute__((always_inline)) enum exec
sse_begin(struct cpu *c, struct insn *in, struct xmm *tmp,
          const struct xmm **src)
{
    u16 flags = sse_row_of(in)->flags;
    enum exec e = sse_ready(c, in);

    if (e != EXEC_OK)
        return e;
    *src = tmp;
    if (in->mod != 3)
        return sse_load(c, in, in->msize, flags & SSE_ALIGN, tmp);
    if (flags & SSE_RM_GPR)
        *tmp = (struct xmm){.q = {c->s.gpr[in->rm] & size_mask(in->msize)}};
    else
        *src = xmm_reg(c, in->rm);
    return EXEC_OK;
}

/* reg (XMM or general) op= rm */
enum exec op_sse(struct cpu *c, struct insn *in)
{
    const struct sse_row *r = sse_row_of(in);
    struct xmm tmp, out = {.q = {0}};
    struct xmm *dst = r->flags & SSE_REG_GPR ? &out : xmm_reg(c, in->reg);
    const struct xmm *src;
    enum exec e = sse_begin(c, in, &tmp, &src);

    if (e != EXEC_OK)
        return e;
    if (r->flags & SSE_MXCSR)
        fpu_enter(c);
    if (r->stub) {
        int result = sse_pick(in)(dst, src);

        if (unlikely(result < 0))
            return sse_raise(c);
        if (r->flags & SSE_FLAGS)
            return sse_set_flags(c, result);
    }
    if (r->move)
        r->move(in, dst, src);
    if (r->flags & SSE_REG_GPR)
        reg_set(c, in->reg, in->size, out.q[0]);
    return EXEC_OK;
}

/* rm (memory, XMM or general) = some part of reg */
enum exec op_sse_store(struct cpu *c, struct insn *in)
{
    const struct sse_row *r = sse_row_of(in);
    struct xmm val;
    enum exec e = sse_ready(c, in);

    if (e != EXEC_OK)
        return e;
    r->move(in, &val, xmm_reg(c, in->reg));
    if (in->mod != 3)
        return sse_store(c, in, in->msize, r->flags & SSE_ALIGN, &val);
    if (r->flags & SSE_RM_GPR) {
        val.q[0] &= size_mask(in->msize);
        reg_set(c, in->rm, in->size, val.q[0]);
    } else {
        memcpy(xmm_reg(c, in->rm), &val, r->flags & SSE_MERGE ? in->msize : 16);
    }
    return EXEC_OK;
}
