/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xsave.c: FXSAVE, FXRSTOR, MXCSR, and for KVM's sake the XSAVE family.
 *
 * A guest of the interpreter is not told of XSAVE (#UD). In service mode KVM
 * may have told it; then these work on the image and XCR0 that KVM gave, whose
 * component offsets are those of the host's CPUID leaf 0xD.
 */
#include <cpuid.h>

#include "ops.h"
#include "sse.h"
#include "watch.h"

#define XSAVE_HEADER  512
#define XSTATE_BV     (XSAVE_HEADER + 0)
#define XCOMP_BV      (XSAVE_HEADER + 8)
#define XSAVE_EXT     576 /* first component after the header */
#define XCOMP_COMPACT (1ull << 63)
#define XF_X87        1u
#define XF_SSE        2u
#define XF_AVX        4u
#define MXCSR_INIT    0x1f80u
#define FCW_INIT      0x037fu

/* ---- FXSAVE, FXRSTOR -------------------------------------------------- */

static unsigned int fx_xmm_bytes(const struct cpu *c)
{
    return c->mode == MODE_64 ? 256 : 128;
}

/* x87 and XMM of a legacy image to another one, as far as they are of `parts`.
 * Outside 64-bit mode only XMM0 to XMM7 are moved. */
static void fx_copy(const struct cpu *c, u8 *to, const u8 *from, u64 parts)
{
    if (parts & XF_X87) {
        memcpy(to, from, FX_MXCSR);
        memcpy(to + FX_ST, from + FX_ST, FX_XMM - FX_ST);
    }
    if (parts & XF_SSE)
        memcpy(to + FX_XMM, from + FX_XMM, fx_xmm_bytes(c));
}

/* Unlike SSE operands these are #SS first, then #GP for the alignment; or #AC,
 * which AMD's processors have for that of the first dword. */
static enum exec fx_address(struct cpu *c, struct insn *in, enum access acc)
{
    enum exec e = sse_address(c, in, FX_SIZE, false, acc);

    if (e != EXEC_OK || !(in->la & 15))
        return e;
    if (c->watch & WATCH_ALIGN && in->la & 3)
        return raise_err(c, EXC_AC, 0);
    return raise_gp(c);
}

enum exec op_fxsave(struct cpu *c, struct insn *in)
{
    enum exec e = x87_check(c);

    if (e == EXEC_OK)
        e = fx_address(c, in, ACC_WRITE);
    if (e == EXEC_OK) /* all of it, though the end is not written */
        e = mmu_probe(c, in->la, FX_SIZE, ACC_WRITE);
    if (e != EXEC_OK)
        return e;
    fpu_leave(c);
    le32_put(c->s.xsave + FX_MXCSR_MASK, MXCSR_VALID);
    return mem_st_buf(c, in->la, c->s.xsave, FX_XMM + fx_xmm_bytes(c));
}

enum exec op_fxrstor(struct cpu *c, struct insn *in)
{
    u8 image[FX_SIZE] __attribute__((aligned(8)));
    enum exec e = x87_check(c);

    if (e == EXEC_OK)
        e = fx_address(c, in, ACC_READ);
    if (e == EXEC_OK)
        e = mem_ld_buf(c, in->la, image, sizeof(image));
    if (e != EXEC_OK)
        return e;
    if (le32_get(image + FX_MXCSR) & ~MXCSR_VALID)
        return raise_gp(c);
    fpu_leave(c);
    fx_copy(c, c->s.xsave, image, XF_X87 | XF_SSE);
    memcpy(c->s.xsave + FX_MXCSR, image + FX_MXCSR, 4);
    fpu_enter(c); /* the host's FXRSTOR settles FSW.ES and reserved bits */
    return EXEC_OK;
}

/* ---- MXCSR ------------------------------------------------------------ */

enum exec op_ldmxcsr(struct cpu *c, struct insn *in)
{
    enum exec e = sse_check(c);
    struct xmm val;

    if (e == EXEC_OK)
        e = sse_load(c, in, 4, false, &val);
    if (e != EXEC_OK)
        return e;
    if (val.d[0] & ~MXCSR_VALID)
        return raise_gp(c);
    if (c->fpu_live)
        stub_ldmxcsr(&val.d[0]);
    else
        le32_put(c->s.xsave + FX_MXCSR, val.d[0]);
    return EXEC_OK;
}

enum exec op_stmxcsr(struct cpu *c, struct insn *in)
{
    enum exec e = sse_check(c);
    struct xmm val = {.q = {0}};

    if (e != EXEC_OK)
        return e;
    if (c->fpu_live)
        stub_stmxcsr(&val.d[0]);
    else
        val.d[0] = le32_get(c->s.xsave + FX_MXCSR) & MXCSR_VALID;
    return sse_store(c, in, 4, false, &val);
}

/* ---- the XSAVE family ------------------------------------------------- */

struct xsave_part {
    u32 off, size;
    bool aligned; /* to 64 bytes in the compacted format */
};

/* Component n of the standard format; size 0: the host has none. */
static struct xsave_part xsave_part(unsigned int n)
{
    struct xsave_part p = {0};
    u32 a, b, c, d;

    __cpuid_count(0xd, n, a, b, c, d);
    if (b >= XSAVE_EXT && b < XSAVE_SIZE && a <= XSAVE_SIZE - b)
        p = (struct xsave_part){.off = b, .size = a, .aligned = c & 2};
    return p;
}

/* An area in guest memory: which components it has room for, and where. */
struct xsave_area {
    u64 bv;                     /* components with a place */
    u32 len;                    /* bytes in all, at most XSAVE_SIZE */
    struct xsave_part part[64]; /* 2 and up: as in s.xsave */
    u32 at[64];                 /* offset in this area */
};

/* False: something does not fit what we keep. SDM vol. 1, 13.4.2, 13.4.3 */
static bool xsave_layout(struct xsave_area *x, u64 bv, bool compact)
{
    u32 next = XSAVE_EXT;

    *x = (struct xsave_area){.bv = bv, .len = XSAVE_EXT};
    for (unsigned int n = 2; n < 63; n++) {
        if (!(bv >> n & 1))
            continue;
        x->part[n] = xsave_part(n);
        if (!x->part[n].size)
            return false;
        if (x->part[n].aligned)
            next = (next + 63) & ~63u;
        x->at[n] = compact ? next : x->part[n].off;
        next += x->part[n].size;
        x->len = MAX(x->len, x->at[n] + x->part[n].size);
    }
    return x->len <= XSAVE_SIZE;
}

/* Checks common to all, then the state: *rfbm is EDX:EAX within XCR0. */
static enum exec xsave_begin(struct cpu *c, struct insn *in, enum access acc,
                             u64 *rfbm)
{
    enum exec e;

    if (!c->service || !(c->s.cr4 & CR4_OSXSAVE))
        return raise_exc(c, EXC_UD);
    if (c->s.cr0 & CR0_TS)
        return raise_exc(c, EXC_NM);
    if (!cpu_need(c, CPU_FPU | CPU_XSAVE))
        return EXEC_UNKNOWN;
    e = sse_address(c, in, XSAVE_EXT, false, acc);
    if (e != EXEC_OK)
        return e;
    if (in->la & 63)
        return raise_gp(c);
    *rfbm = (c->s.gpr[GPR_RDX] << 32 | (u32)c->s.gpr[GPR_RAX]) & c->s.xcr0;
    fpu_leave(c);
    le32_put(c->s.xsave + FX_MXCSR_MASK, MXCSR_VALID);
    return EXEC_OK;
}

/* x87 and SSE count as in use always: the interpreter does not track them. */
static u64 xsave_in_use(const struct cpu *c)
{
    return le64_get(c->s.xsave + XSTATE_BV) | XF_X87 | XF_SSE;
}

/* The legacy region and the extended components of `save`, to buf. */
static void xsave_fill(const struct cpu *c, const struct xsave_area *x, u8 *buf,
                       u64 save, bool mxcsr)
{
    const u8 *image = c->s.xsave;

    fx_copy(c, buf, image, save);
    if (mxcsr)
        memcpy(buf + FX_MXCSR, image + FX_MXCSR, 8);
    for (unsigned int n = 2; n < 63; n++)
        if (save >> n & 1)
            memcpy(buf + x->at[n], image + x->part[n].off, x->part[n].size);
}

/*
 * What is not saved keeps its bytes in memory, so the area is read, changed
 * and written back. Another vCPU that writes to the gaps meanwhile may lose
 * its write; no system keeps shared data there.
 */
enum exec op_xsave(struct cpu *c, struct insn *in)
{
    bool compact = in->opcode == 0xc7;               /* XSAVEC */
    bool opt = compact || (in->modrm >> 3 & 7) == 6; /* XSAVEOPT */
    u8 buf[XSAVE_SIZE];
    struct xsave_area x;
    u64 rfbm, in_use, save;
    enum exec e = xsave_begin(c, in, ACC_WRITE, &rfbm);

    if (e != EXEC_OK)
        return e;
    if (!xsave_layout(&x, rfbm, compact))
        return EXEC_UNKNOWN;
    e = mem_ld_buf(c, in->la, buf, x.len);
    if (e != EXEC_OK)
        return e;
    in_use = xsave_in_use(c) & rfbm;
    save = opt ? in_use : rfbm;
    xsave_fill(c, &x, buf, save,
               compact ? save & XF_SSE : rfbm & (XF_SSE | XF_AVX));
    if (compact)
        le64_put(buf + XCOMP_BV, rfbm | XCOMP_COMPACT);
    else
        in_use |= le64_get(buf + XSTATE_BV) & ~rfbm;
    le64_put(buf + XSTATE_BV, in_use);
    return mem_st_buf(c, in->la, buf, x.len);
}

/* SDM vol. 1, 13.8.1, 13.8.2: what makes XRSTOR raise #GP */
static bool xrstor_header_ok(const struct cpu *c, const u8 *header)
{
    u64 bv = le64_get(header), comp = le64_get(header + 8);
    unsigned int reserved = comp & XCOMP_COMPACT ? 16 : 8;
    unsigned int end = comp & XCOMP_COMPACT ? 64 : 24;

    for (unsigned int i = reserved; i < end; i++)
        if (header[i])
            return false;
    if (!(comp & XCOMP_COMPACT))
        return !(bv & ~c->s.xcr0);
    comp &= ~XCOMP_COMPACT;
    return !(comp & ~c->s.xcr0) && !(bv & ~comp);
}

/* Each component of rfbm: from buf if in bv, else its initial value. */
static void xrstor_apply(struct cpu *c, const struct xsave_area *x,
                         const u8 *buf, u64 rfbm, u64 bv)
{
    static const u8 init[FX_SIZE] = {FCW_INIT & 0xff, FCW_INIT >> 8};
    u8 *image = c->s.xsave;

    fx_copy(c, image, bv & XF_X87 ? buf : init, rfbm & XF_X87);
    fx_copy(c, image, bv & XF_SSE ? buf : init, rfbm & XF_SSE);
    for (unsigned int n = 2; n < 63; n++) {
        struct xsave_part p;

        if (!(rfbm >> n & 1))
            continue;
        p = xsave_part(n);
        if (bv >> n & 1)
            memcpy(image + p.off, buf + x->at[n], p.size);
        else
            memset(image + p.off, 0, p.size);
    }
    le64_put(image + XSTATE_BV, (le64_get(image + XSTATE_BV) & ~rfbm) |
                                    (bv & rfbm) | XF_X87 | XF_SSE);
}

/* MXCSR: the standard format always loads it with SSE or AVX, the compacted
 * one only if SSE is in the area. */
static u32 xrstor_mxcsr(const struct cpu *c, const u8 *buf, u64 rfbm, u64 bv,
                        bool compact)
{
    u64 which = compact ? XF_SSE : XF_SSE | XF_AVX;

    if (!(rfbm & which))
        return le32_get(c->s.xsave + FX_MXCSR);
    if (compact && !(bv & XF_SSE))
        return MXCSR_INIT;
    return le32_get(buf + FX_MXCSR);
}

enum exec op_xrstor(struct cpu *c, struct insn *in)
{
    u8 buf[XSAVE_SIZE];
    struct xsave_area x;
    u64 rfbm, bv, comp;
    bool compact;
    u32 mxcsr;
    enum exec e = xsave_begin(c, in, ACC_READ, &rfbm);

    if (e == EXEC_OK)
        e = mem_ld_buf(c, in->la, buf, XSAVE_EXT);
    if (e != EXEC_OK)
        return e;
    bv = le64_get(buf + XSTATE_BV);
    comp = le64_get(buf + XCOMP_BV);
    compact = comp & XCOMP_COMPACT;
    if (!xrstor_header_ok(c, buf + XSAVE_HEADER))
        return raise_gp(c);
    if (!xsave_layout(&x, compact ? comp & ~XCOMP_COMPACT : bv & rfbm, compact))
        return EXEC_UNKNOWN;
    if (x.len > XSAVE_EXT)
        e = mem_ld_buf(c, in->la + XSAVE_EXT, buf + XSAVE_EXT,
                       x.len - XSAVE_EXT);
    if (e != EXEC_OK)
        return e;
    mxcsr = xrstor_mxcsr(c, buf, rfbm, bv, compact);
    if (mxcsr & ~MXCSR_VALID)
        return raise_gp(c);
    xrstor_apply(c, &x, buf, rfbm, bv);
    le32_put(c->s.xsave + FX_MXCSR, mxcsr);
    cpu_dirty(c, CPU_FPU | (rfbm & ~3ull ? CPU_XSAVE : 0u));
    return EXEC_OK;
}
