/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fpu.c: the x87 unit. While c->fpu_live it is the host thread's own, and an
 * instruction is one stub. FOP, FIP and FDP are not kept: they would be
 * addresses of ours. They read as zero. With CR0.NE clear an error would leave
 * by a wire to the interrupt controller; here it is #MF all the same.
 */
#include "ops.h"
#include "sse.h"

#define X87_STRIDE 8

/* stubs_x87.S: by opcode and ModRM */
extern const u8 x87_reg_stubs[8][64][X87_STRIDE];
extern const u8 x87_mem_stubs[8][8][X87_STRIDE];

typedef int x87_reg_stub(u32 flags_in_ah);
typedef int x87_mem_stub(void *mem);

static x87_mem_stub *x87_mem_stub_at(u8 opcode, unsigned int reg)
{
    return (x87_mem_stub *)(uintptr_t)x87_mem_stubs[opcode & 7][reg];
}

static x87_mem_stub *x87_mem_stub_of(const struct insn *in)
{
    return x87_mem_stub_at(in->opcode, in->modrm >> 3 & 7);
}

void fpu_enter(struct cpu *c)
{
    u8 *image = c->s.xsave;

    if (likely(c->fpu_live))
        return;
    memset(image + FX_FOP, 0, FX_MXCSR - FX_FOP);
    /* FXRSTOR of a reserved bit would be a fault of ours. */
    le32_put(image + FX_MXCSR, le32_get(image + FX_MXCSR) & MXCSR_VALID);
    stub_fxrstor(image);
    c->fpu_live = true;
}

void fpu_leave(struct cpu *c)
{
    u8 host[FX_SIZE] __attribute__((aligned(16)));
    u8 *image = c->s.xsave;

    if (!c->fpu_live)
        return;
    stub_fxsave(host);
    stub_fpu_default();
    c->fpu_live = false;
    /* XMM is up to date in the image, and the host's is scratch. */
    memcpy(image, host, FX_FOP);
    memcpy(image + FX_MXCSR, host + FX_MXCSR, 4);
    le32_put(image + FX_MXCSR_MASK, MXCSR_VALID);
    memcpy(image + FX_ST, host + FX_ST, FX_XMM - FX_ST);
}

/* ---- register forms --------------------------------------------------- */

/* Bit n: ModRM C0 + n is an instruction; SDM vol. 2D, tables,
 * where all processors have aliases in gaps: D9 D8, DC D0, DC D8, DD C8, DE D0,
 * DF C8, DF D0, DF D8, eight each. FENI, FDISI and FSETPM (DB E0, E1, E4) do
 * nothing: vol. 3A, 23.18.5. FFREEP (DF C0) is not in the manuals, but in
 * compilers' output. */
static const u64 x87_reg_forms[8] = {
    [0] = ~0ull,
    [1] = 0xffff7f33ff01ffff, /* D9: not D1-D7 E2 E3 E6 E7 EF */
    [2] = 0x00000200ffffffff, /* DA: FCMOVcc, FUCOMPP */
    [3] = 0x00ffff1fffffffff, /* DB */
    [4] = ~0ull,
    [5] = 0x0000ffffffffffff, /* DD: FFREE FXCH FST FSTP FUCOM FUCOMP */
    [6] = 0xffffffff02ffffff, /* DE: FCOMPP */
    [7] = 0x00ffff01ffffffff, /* DF */
};

/* FNSTSW AX: the one register form that writes a general register. */
static enum exec x87_stsw_ax(struct cpu *c, struct insn *in)
{
    u16 fsw = 0;

    x87_mem_stub_at(0xdd, 7)(&fsw);
    reg_set(c, GPR_RAX, 2, fsw);
    return EXEC_OK;
}

/* FCOMI, FUCOMI and their popping forms: DB and DF, E8 to F7 */
static bool x87_sets_flags(const struct insn *in)
{
    return (in->opcode & 0xfb) == 0xdb && in->modrm >= 0xe8 &&
           in->modrm <= 0xf7;
}

static enum exec x87_reg(struct cpu *c, struct insn *in)
{
    const u8 *code = x87_reg_stubs[in->opcode & 7][in->modrm & 63];
    int r;

    if (in->opcode == 0xdf && in->modrm == 0xe0)
        return x87_stsw_ax(c, in);
    r = ((x87_reg_stub *)(uintptr_t)code)((u32)(c->s.rflags & 0xff) << 8);
    if (r < 0)
        return raise_exc(c, EXC_MF);
    if (x87_sets_flags(in))
        sse_set_flags(c, r & 0xff00);
    return EXEC_OK;
}

/* ---- memory forms ----------------------------------------------------- */

/* By opcode and ModRM.reg: Load, Store, Environment or state, . undefined */
static const char x87_mem_forms[8][9] = {
    "LLLLLLLL", /* D8: m32fp */
    "L.SSELES", /* D9: m32fp, environment, FCW */
    "LLLLLLLL", /* DA: m32int */
    "LSSS.L.S", /* DB: m32int, m80fp */
    "LLLLLLLL", /* DC: m64fp */
    "LSSSE.ES", /* DD: m64fp, state, FSW */
    "LLLLLLLL", /* DE: m16int */
    "LSSSLLSS", /* DF: m16int, m80bcd, m64int */
};

unsigned int fpu_msize(u8 opcode, u8 modrm, unsigned int osize)
{
    static const u8 size[8][8] = {
        {4, 4, 4, 4, 4, 4, 4, 4}, {4, 4, 4, 4, 28, 2, 28, 2},
        {4, 4, 4, 4, 4, 4, 4, 4}, {4, 4, 4, 4, 4, 10, 4, 10},
        {8, 8, 8, 8, 8, 8, 8, 8}, {8, 8, 8, 8, 108, 8, 108, 2},
        {2, 2, 2, 2, 2, 2, 2, 2}, {2, 2, 2, 2, 10, 8, 10, 8},
    };
    unsigned int n = size[opcode & 7][modrm >> 3 & 7];

    return n >= 28 && osize == 2 ? n - 14 : n;
}

/* Linear address; for stores also: may it be written? */
static enum exec x87_address(struct cpu *c, struct insn *in, unsigned int size,
                             enum access acc)
{
    enum exec e = sse_address(c, in, size, false, acc);

    if (e == EXEC_OK && acc == ACC_WRITE)
        e = mmu_probe(c, in->la, size, acc);
    return e;
}

static enum exec x87_load(struct cpu *c, struct insn *in, unsigned int size)
{
    enum exec e = x87_address(c, in, size, ACC_READ);
    u64 val[2] = {0};

    if (e == EXEC_OK)
        e = size <= 8 ? mem_ld(c, in->la, size, val)
                      : mem_ld_buf(c, in->la, val, size);
    if (e != EXEC_OK)
        return e;
    return x87_mem_stub_of(in)(val) < 0 ? raise_exc(c, EXC_MF) : EXEC_OK;
}

/* Any exception unmasked? Then a store may be refused (see below). */
static bool x87_may_refuse(void)
{
    u16 fcw = 0;

    x87_mem_stub_at(0xd9, 7)(&fcw); /* FNSTCW */
    return (fcw & 0x3f) != 0x3f;
}

/*
 * The instruction may pop, so memory is checked before and written after it.
 * With an unmasked exception it leaves memory alone without faulting here (the
 * next waiting instruction does); the buffer then holds what was there.
 */
static enum exec x87_store(struct cpu *c, struct insn *in, unsigned int size)
{
    enum exec e = x87_address(c, in, size, ACC_WRITE);
    u64 val[2] = {0};

    if (e == EXEC_OK && unlikely(x87_may_refuse()))
        e = mem_ld_buf(c, in->la, val, size);
    if (e != EXEC_OK)
        return e;
    if (x87_mem_stub_of(in)(val) < 0)
        return raise_exc(c, EXC_MF);
    return size <= 8 ? mem_st(c, in->la, size, val[0])
                     : mem_st_buf(c, in->la, val, size);
}

/*
 * FNSTENV, FNSAVE, FLDENV, FRSTOR. The host works in the 32-bit format: seven
 * dwords and, in the state forms, eight registers of ten bytes. The 16-bit
 * format has words instead; since FIP, FDP and FOP are zero, real and
 * protected mode look alike. SDM vol. 1, 8.1.10.
 */
#define ENV_WORDS 7

struct x87_env {
    u32 env[ENV_WORDS];
    u8 st[80];
};

static enum exec x87_env_store(struct cpu *c, struct insn *in,
                               unsigned int size, unsigned int width)
{
    enum exec e = x87_address(c, in, size, ACC_WRITE);
    unsigned int len = ENV_WORDS * width;
    struct x87_env x = {.env = {0}};
    u8 buf[sizeof(struct x87_env)];

    if (e != EXEC_OK)
        return e;
    x87_mem_stub_of(in)(&x);
    memset(&x.env[3], 0, 4 * sizeof(u32));
    x.env[6] = 0xffff0000;
    for (unsigned int i = 0; i < ENV_WORDS; i++)
        memcpy(buf + i * width, &x.env[i], width);
    memcpy(buf + len, x.st, size - len);
    return mem_st_buf(c, in->la, buf, size);
}

static enum exec x87_env_load(struct cpu *c, struct insn *in, unsigned int size,
                              unsigned int width)
{
    enum exec e = x87_address(c, in, size, ACC_READ);
    unsigned int len = ENV_WORDS * width;
    struct x87_env x = {.env = {0}};
    u8 buf[sizeof(struct x87_env)];

    if (e == EXEC_OK)
        e = mem_ld_buf(c, in->la, buf, size);
    if (e != EXEC_OK)
        return e;
    for (unsigned int i = 0; i < 3; i++) /* FCW, FSW, FTW */
        x.env[i] = 0xffff0000 | le16_get(buf + i * width);
    memcpy(x.st, buf + len, size - len);
    return x87_mem_stub_of(in)(&x) < 0 ? raise_exc(c, EXC_MF) : EXEC_OK;
}

/* All but FNSTENV, FNSTCW, FNSAVE, FNSTSW report a pending error first. */
static bool x87_waits(const struct insn *in)
{
    return (in->opcode != 0xd9 && in->opcode != 0xdd) ||
           (in->modrm >> 3 & 7) < 6;
}

static enum exec x87_mem(struct cpu *c, struct insn *in, char form)
{
    /* The decoder leaves 66 alone in such rows: it is no operand size to SSE.
     */
    bool p66 = (in->prefix & (PFX_66 | PFX_REX_W)) == PFX_66;
    unsigned int width = (in->mode == MODE_16) != p66 ? 2 : 4;
    unsigned int size = fpu_msize(in->opcode, in->modrm, width);
    enum exec e;

    if (form == 'L')
        e = x87_load(c, in, size);
    else if (form == 'S')
        e = x87_store(c, in, size);
    else if (in->modrm >> 3 & 2) /* E: /6 stores, /4 loads */
        e = x87_env_store(c, in, size, width);
    else
        e = x87_env_load(c, in, size, width);
    if (e == EXEC_FAULT && x87_waits(in) && stub_fwait() < 0)
        return raise_exc(c, EXC_MF); /* comes before a fault of the address */
    return e;
}

enum exec op_x87(struct cpu *c, struct insn *in)
{
    char form = x87_mem_forms[in->opcode & 7][in->modrm >> 3 & 7];
    enum exec e;

    if (in->mod == 3 ? !(x87_reg_forms[in->opcode & 7] >> (in->modrm & 63) & 1)
                     : form == '.')
        return raise_exc(c, EXC_UD);
    e = x87_check(c);
    if (e != EXEC_OK)
        return e;
    fpu_enter(c);
    return in->mod == 3 ? x87_reg(c, in) : x87_mem(c, in, form);
}

enum exec op_fwait(struct cpu *c, struct insn *in)
{
    if ((c->s.cr0 & CR0_MP) && (c->s.cr0 & CR0_TS))
        return raise_exc(c, EXC_NM);
    if (!cpu_need(c, CPU_FPU))
        return EXEC_UNKNOWN;
    fpu_enter(c);
    return stub_fwait() < 0 ? raise_exc(c, EXC_MF) : EXEC_OK;
}
