/* SPDX-License-Identifier: Apache-2.0 */
/* native_state.h: the state that test_native.c runs an instruction from, and
 * where interesting ones come from: splitmix64 of a fixed seed. */
#ifndef TESTS_NATIVE_STATE_H
#define TESTS_NATIVE_STATE_H

#include "interp/sse.h"

#define CODE   0x300000000000ull
#define DATA   0x310000000000ull
#define WINDOW 8192u
#define TAKEN  64u /* where jumps go: CODE + TAKEN */

#define FLAGS_SEEN (FLAGS_ARITH | RFLAGS_DF)

struct state {
    u64 gpr[16];
    u64 rip, rflags;
    u8 fx[512] __attribute__((aligned(16)));
    u64 vector, error, cr2; /* vector NONE: no exception */
    u8 mem[WINDOW];
};
#define NONE 0xff

static u64 seed;

static u64 rnd(void) /* splitmix64 */
{
    u64 z = seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static u64 rnd_int(void)
{
    static const u64 corners[] = {
        0,      1,      ~0ull,  0x7f,       0x80,       0xff,
        0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, INT64_MAX,
        2,      3,      7,      0xffffffff, 1ull << 63, 0x100000000};
    u64 r = rnd();

    switch (r & 3) {
    case 0:
        return corners[r / 4 % ARRAY_SIZE(corners)];
    case 1:
        return 1ull << (r >> 2 & 63);
    case 2:
        return rnd() >> (r >> 2 & 63);
    default:
        return rnd();
    }
}

/* Two floats or a double that are worth a try, or anything */
static u64 rnd_float(void)
{
    static const u32 f32[] = {0,          0x80000000, 0x3f800000, 0xbf800000,
                              0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
                              0x00000001, 0x807fffff, 0x7f7fffff, 0x4f000000,
                              0xcf000000, 0x40490fdb, 0x3f000000, 0x00800000};
    static const u64 f64[] = {0,
                              1ull << 63,
                              0x3ff0000000000000,
                              0xbff8000000000000,
                              0x7ff0000000000000,
                              0xfff0000000000000,
                              0x7ff8000000000000,
                              0x7ff0000000000001,
                              1,
                              0x800fffffffffffff,
                              0x7fefffffffffffff,
                              0x41e0000000000000,
                              0xc3e0000000000000,
                              0x400921fb54442d18};
    u64 r = rnd();

    switch (r & 3) {
    case 0:
        return f32[r >> 2 & 15] | (u64)f32[r >> 6 & 15] << 32;
    case 1:
        return f64[(r >> 2) % ARRAY_SIZE(f64)];
    case 2: /* moderate doubles */
        return (rnd() & 0x800fffffffffffff) | (0x3f0 + (r >> 2 & 31)) << 52;
    default:
        return rnd();
    }
}

/* 80 bits: mostly what loads produce, some that no operation does */
static void rnd_st(u8 *st)
{
    static const u16 exponents[] = {0,      1,      0x3fff, 0x4000, 0x3ffe,
                                    0x7ffe, 0x7fff, 0x403e, 0x3fbf};
    u64 r = rnd(), mantissa = rnd_int();
    u16 e = exponents[r % ARRAY_SIZE(exponents)];

    if (r >> 8 & 7)
        mantissa |= 1ull << 63;
    if (!(r >> 16 & 3))
        e = (u16)(0x3fff - 64 + (r >> 24 & 127));
    le64_put(st, mantissa);
    le16_put(st + 8, (u16)(e | (r >> 60 & 1) << 15));
}

/* Into the window, mostly: aligned, not, across pages, over its end, nowhere */
static u64 rnd_pointer(void)
{
    u64 r = rnd(), at = DATA + 0x400 + (r >> 8 & 0x7f0);

    switch (r & 31) {
    case 0 ... 7:
        return at + (r >> 32 & 15);
    case 8 ... 10:
        return DATA + PAGE_SIZE - (r >> 8 & 31);
    case 11:
        return DATA + WINDOW - (r >> 8 & 31);
    case 12:
        return (r & 0x10000 ? 1ull << 47 : 1ull << 63) | (r & 0xfff0000);
    case 13:
        return DATA + WINDOW + (r >> 8 & 0xff);
    default:
        return at;
    }
}

/* The opcode of a string instruction, else 0; *rep: has a REP prefix. */
static u8 string_opcode(const u8 *bytes, bool *rep)
{
    *rep = false;
    for (; *bytes == 0x66 || *bytes == 0x48 || (*bytes & 0xfe) == 0xf2; bytes++)
        *rep |= (*bytes & 0xfe) == 0xf2;
    return *bytes >= 0xa4 && *bytes <= 0xaf && (*bytes & 0xfe) != 0xa8 ? *bytes
                                                                       : 0;
}

static void rnd_string(struct state *s, const u8 *bytes)
{
    bool rep;
    u8 opcode = string_opcode(bytes, &rep);

    if (opcode && rep)
        s->gpr[GPR_RCX] &= 31;
    /* CMPS: which operand comes first if both fault is not architecture. */
    if ((opcode & 0xfe) == 0xa6)
        s->gpr[GPR_RDI] = DATA + 0x800 + (rnd() & 0xff);
}

static void rnd_fpu(u8 *fx)
{
    u64 r = rnd();
    u32 mxcsr = 0x1f80 | (r & 0x3f);

    if (r >> 8 & 1)
        mxcsr |= (u32)(r >> 9 & 0xe040); /* FTZ, rounding, DAZ */
    if (!(r >> 32 & 7))
        mxcsr &= ~(u32)(r >> 33 & 0x1f80);
    le16_put(fx + FX_FCW, (u16)(0x37f & ~(r >> 48 & 3 ? 0 : r >> 40 & 0x3f)));
    if (!(r >> 50 & 3))
        fx[FX_FCW + 1] = (u8)(r >> 52 & 0xf);
    le16_put(fx + FX_FSW, (u16)(rnd() & 0x7f00)); /* TOP and C3-C0 */
    fx[FX_FTW] = (u8)(rnd() & 1 ? 0xff : rnd());
    le32_put(fx + FX_MXCSR, mxcsr);
    for (unsigned int i = 0; i < 8; i++)
        rnd_st(fx + FX_ST + 16 * i);
    for (unsigned int i = 0; i < 32; i++)
        le64_put(fx + FX_XMM + 8 * i, rnd() & 1 ? rnd_float() : rnd_int());
}

static void rnd_state(struct state *s, const u8 *bytes)
{
    u8 *at;

    *s = (struct state){.rip = CODE, .vector = NONE};
    for (unsigned int i = 0; i < WINDOW / 8; i++)
        le64_put(s->mem + 8 * i, i & 1 ? rnd_float() : rnd_int());
    for (unsigned int i = 0; i < 16; i++)
        s->gpr[i] = rnd_int();
    s->gpr[GPR_RSI] = rnd_pointer();
    s->gpr[GPR_RDI] = rnd_pointer();
    if (!(rnd() & 3) || *bytes == 0xd7) /* XLAT: not just anywhere */
        s->gpr[GPR_RBX] = rnd_pointer();
    s->gpr[GPR_RBP] = DATA + 0x300 + (rnd() & 0xf8);
    s->gpr[GPR_RSP] = DATA + 0xe00 + (rnd() & 0xf8);
    s->gpr[GPR_R9] = (rnd() & 127) - 64;
    if (!(rnd() & 3)) /* CMPXCHG that succeeds */
        s->gpr[GPR_RDX] = s->gpr[GPR_RAX];
    rnd_string(s, bytes);
    s->rflags = (rnd() & FLAGS_SEEN) | RFLAGS_IF | RFLAGS_ONE;
    le64_put(s->mem + (s->gpr[GPR_RSP] - DATA), CODE + TAKEN);
    /* LDMXCSR, FLDCW: often something legal; never MXCSR bit 17, which some
     * processors have and mote's do not. */
    at = s->mem + MIN(s->gpr[GPR_RSI] - DATA, WINDOW - 4ull);
    le32_put(at, rnd() & 1 ? 0x1fbf : le32_get(at) & ~(1u << 17));
    rnd_fpu(s->fx);
}

#endif
