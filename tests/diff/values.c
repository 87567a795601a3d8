/* SPDX-License-Identifier: Apache-2.0 */
/* values.c: random numbers of a seed, and operands at the edges of their types
 * more often than chance has it */
#include "diff.h"
#include "interp/sse.h"

u64 rnd_seed;

u64 rnd(void)
{
    u64 z = rnd_seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

u64 rnd_int(void)
{
    static const u64 corners[] = {
        0,      1,      ~0ull,  0x7f,       0x80,       0xff,
        0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, INT64_MAX,
        2,      3,      7,      0xffffffff, 1ull << 63, 0x100000000};
    u64 r = rnd();

    switch (r & 7) {
    case 0:
    case 1:
        return corners[(r >> 8) % ARRAY_SIZE(corners)];
    case 2:
        return 1ull << (r >> 8 & 63);
    case 3:
        return (1ull << (r >> 8 & 63)) - 1;
    case 4:
    case 5:
        return rnd() >> (r >> 8 & 63);
    default:
        return rnd();
    }
}

u64 rnd_float(void)
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

/* MXCSR never with bit 17, which some processors have and mote's do not. */
void rnd_fpu(u8 *fx)
{
    u64 r = rnd();
    u32 mxcsr = 0x1f80 | (r & 0x3f);

    if (r >> 8 & 1)
        mxcsr |= (u32)(r >> 9 & 0xe040); /* FTZ, rounding, DAZ */
    if (!(r >> 32 & 7))
        mxcsr &= ~(u32)(r >> 33 & 0x1f80);
    memset(fx, 0, FX_XMM);
    le16_put(fx + FX_FCW, (u16)(0x37f & ~(r >> 48 & 3 ? 0 : r >> 40 & 0x3f)));
    if (!(r >> 50 & 3))
        fx[FX_FCW + 1] = (u8)(r >> 52 & 0xf);
    le16_put(fx + FX_FSW, (u16)(rnd() & 0x7f00)); /* TOP and C3-C0 */
    fx[FX_FTW] = (u8)(rnd() & 1 ? 0xff : rnd());
    le32_put(fx + FX_MXCSR, mxcsr);
    for (unsigned int i = 0; i < 8; i++)
        rnd_st(fx + FX_ST + 16 * i);
    for (unsigned int i = 0; i < 32; i++)
        le64_put(fx + FX_XMM + 8 * i, r >> i & 1 ? rnd_float() : rnd_int());
}

void rnd_window(u8 *window)
{
    for (unsigned int i = 0; i < DATA_SIZE; i += 16) {
        le64_put(window + i, rnd_int());
        le64_put(window + i + 8, rnd_float());
    }
}
