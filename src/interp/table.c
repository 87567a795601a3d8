/* SPDX-License-Identifier: Apache-2.0 */
/* table.c: rows of the one-byte opcode map, SDM vol. 2D table A-2 */
#include "table.h"

/* clang-format off */

const struct row row_ud = {OP(ud), END};

/* A group whose rows share flags and operands: handlers by ModRM.reg. */
#define SHIFTS(name, flags, src)                                              \
    static const struct row name[8] = {                                       \
        {OP(rol), M | RW | R_S_BYTE | (flags), W_E, src},                     \
        {OP(ror), M | RW | R_S_BYTE | (flags), W_E, src},                     \
        {OP(rcl), M | RW | R_S_BYTE | (flags), W_E, src},                     \
        {OP(rcr), M | RW | R_S_BYTE | (flags), W_E, src},                     \
        {OP(shl), M | RW | R_S_BYTE | (flags), W_E, src},                     \
        {OP(shr), M | RW | R_S_BYTE | (flags), W_E, src},                     \
        {OP(shl), M | RW | R_S_BYTE | (flags), W_E, src}, /* SAL */           \
        {OP(sar), M | RW | R_S_BYTE | (flags), W_E, src},                     \
    }
SHIFTS(group_c0, B, W_IUB);
SHIFTS(group_c1, 0, W_IUB);
SHIFTS(group_d0, B, W_ONE);
SHIFTS(group_d1, 0, W_ONE);
SHIFTS(group_d2, B, W_CL);
SHIFTS(group_d3, 0, W_CL);

#define GROUP1(name, flags, src)                                              \
    static const struct row name[8] = {                                       \
        {OP(add), M | RW | L | (flags), W_E, src},                            \
        {OP(or),  M | RW | L | (flags), W_E, src},                            \
        {OP(adc), M | RW | L | (flags), W_E, src},                            \
        {OP(sbb), M | RW | L | (flags), W_E, src},                            \
        {OP(and), M | RW | L | (flags), W_E, src},                            \
        {OP(sub), M | RW | L | (flags), W_E, src},                            \
        {OP(xor), M | RW | L | (flags), W_E, src},                            \
        {OP(cmp), M | RD | (flags), W_E, src},                                \
    }
GROUP1(group_80, B, W_IB);
GROUP1(group_81, 0, W_I);
GROUP1(group_82, B | NO64, W_IB);
GROUP1(group_83, 0, W_IB);

static const struct row group_8f[8] = {
    {OP(pop_rm), M | R_OFF | D64, W_E}, /* stores for itself: RSP moves first */
};
static const struct row group_c6[8] = {{OP(mov), M | WR | B, W_E, W_IB}};
static const struct row group_c7[8] = {{OP(mov), M | WR, W_E, W_I}};

#define GROUP3(name, flags)                                                   \
    static const struct row name[8] = {                                       \
        {OP(test), M | RD | (flags), W_E, W_I},                               \
        {OP(test), M | RD | (flags), W_E, W_I},                               \
        {OP(not),  M | RW | L | (flags), W_E},                                \
        {OP(neg),  M | RW | L | (flags), W_E},                                \
        {OP(mul),  M | (flags), 0, W_E},                                      \
        {OP(imul1), M | (flags), 0, W_E},                                     \
        {OP(div),  M | (flags), 0, W_E},                                      \
        {OP(idiv), M | (flags), 0, W_E},                                      \
    }
GROUP3(group_f6, B);
GROUP3(group_f7, 0);

static const struct row group_fe[8] = {
    {OP(inc), M | RW | L | B, W_E},
    {OP(dec), M | RW | L | B, W_E},
};
static const struct row group_ff[8] = {
    {OP(inc), M | RW | L, W_E},
    {OP(dec), M | RW | L, W_E},
    {OP(call_ind), M | D64 | END, 0, W_E},
    {OP(call_far), M | R_ADDR | END, 0, W_M, 0, MS_FAR},
    {OP(jmp_ind), M | D64 | END, 0, W_E},
    {OP(jmp_far), M | R_ADDR | END, 0, W_M, 0, MS_FAR},
    {OP(push), M | D64, 0, W_E},
};

static const struct row row_movsxd = {OP(movsx), M | WR | R_S_DWORD, W_G, W_E};
/* Writes only what it changes */
static const struct row row_arpl = {OP(arpl), M | RD | R_WORD | R_PROT, W_E, W_G};

static const struct row *pick_63(const struct insn *in)
{
    return in->mode == MODE_64 ? &row_movsxd : &row_arpl;
}

static const struct row row_nop = {OP(nop), 0};
static const struct row row_pause = {OP(pause), 0};
static const struct row row_xchg_z = {OP(xchg), RW | R_S_WRITE, W_A, W_Z};

/* 90 is NOP only with RAX: REX.B makes it XCHG R8, RAX. */
static const struct row *pick_90(const struct insn *in)
{
    if (in->rm)
        return &row_xchg_z;
    return in->prefix & PFX_REP ? &row_pause : &row_nop;
}

static const struct row row_lds = {OP(lxs), M | R_ADDR | NO64, W_G, W_M, 0, MS_FAR};
static const struct row row_vex = {OP(vex), END};

static const struct row *pick_vex(const struct insn *in)
{
    return in->mode == MODE_64 ? &row_vex : &row_lds;
}

static const struct row row_bound =
    {OP(bound), M | RD | R_ADDR, W_G, W_M, 0, MS_TWICE};

static const struct row *pick_62(const struct insn *in)
{
    return in->mode == MODE_64 ? &row_vex : &row_bound;
}

/* The six forms that ADD .. CMP share. */
#define ALU(base, name, rw, lock)                                             \
    PAIR(base + 0, name, M | (rw) | (lock), W_E, W_G),                        \
    PAIR(base + 2, name, M | (rw), W_G, W_E),                                 \
    PAIR(base + 4, name, rw, W_A, W_I)

const struct row table_one[256] = {
    ALU(0x00, add, RW, L),
    [0x06] = {OP(push_sreg), NO64},
    [0x07] = {OP(pop_sreg), NO64},
    ALU(0x08, or, RW, L),
    [0x0e] = {OP(push_sreg), NO64},
    ALU(0x10, adc, RW, L),
    [0x16] = {OP(push_sreg), NO64},
    [0x17] = {OP(pop_sreg), NO64 | END},
    ALU(0x18, sbb, RW, L),
    [0x1e] = {OP(push_sreg), NO64},
    [0x1f] = {OP(pop_sreg), NO64},
    ALU(0x20, and, RW, L),
    [0x27] = {OP(daa), NO64},
    ALU(0x28, sub, RW, L),
    [0x2f] = {.fn = op_daa, .name = "das", NO64},
    ALU(0x30, xor, RW, L),
    [0x37] = {OP(aaa), NO64},
    ALU(0x38, cmp, RD, 0),
    [0x3f] = {.fn = op_aaa, .name = "aas", NO64},
    EIGHT(0x40, {OP(inc), RW, W_Z}), /* REX in 64-bit mode */
    EIGHT(0x48, {OP(dec), RW, W_Z}),
    EIGHT(0x50, {OP(push), D64, 0, W_Z}),
    EIGHT(0x58, {OP(pop), WR | D64, W_Z}),
    [0x60] = {OP(pusha), NO64},
    [0x61] = {OP(popa), NO64},
    [0x62] = {.pick = pick_62},
    [0x63] = {.pick = pick_63},
    [0x68] = {OP(push), D64, 0, W_I},
    [0x69] = {OP(imul3), M | WR, W_G, W_E, W_I},
    [0x6a] = {OP(push), D64, 0, W_IB},
    [0x6b] = {OP(imul3), M | WR, W_G, W_E, W_IB},
    PAIR(0x6c, ins, STR | R_MAX4, W_Y, W_X),
    PAIR(0x6e, outs, STR | R_MAX4, W_Y, W_X),
    SIXTEEN(0x70, {OP(jcc), D64 | END, 0, W_JB}),
    [0x80] = {.flags = M, .group = group_80},
    [0x81] = {.flags = M, .group = group_81},
    [0x82] = {.flags = M, .group = group_82},
    [0x83] = {.flags = M, .group = group_83},
    PAIR(0x84, test, M | RD, W_E, W_G),
    PAIR(0x86, xchg, M | RW | L | R_ATOMIC | R_S_WRITE, W_E, W_G),
    PAIR(0x88, mov, M | WR, W_E, W_G),
    PAIR(0x8a, mov, M | WR, W_G, W_E),
    [0x8c] = {OP(mov_from_sreg), M | WR, W_E, W_S, 0, 2},
    [0x8d] = {OP(lea), M | WR | R_OFF, W_G, W_M},
    [0x8e] = {OP(mov_to_sreg), M | R_S_WORD | END, W_S, W_E},
    [0x8f] = {.flags = M, .group = group_8f},
    EIGHT(0x90, {.pick = pick_90}),
    [0x98] = {OP(cbw), 0},
    [0x99] = {OP(cwd), 0},
    [0x9a] = {OP(call_far), NO64 | END, 0, W_AP},
    [0x9b] = {OP(fwait), 0},
    [0x9c] = {OP(pushf), D64},
    [0x9d] = {OP(popf), D64 | END},
    [0x9e] = {OP(sahf), 0},
    [0x9f] = {OP(lahf), 0},
    PAIR(0xa0, mov, WR, W_A, W_O),
    PAIR(0xa2, mov, WR, W_O, W_A),
    PAIR(0xa4, movs, STR, W_Y, W_X),
    PAIR(0xa6, cmps, STR, W_Y, W_X),
    PAIR(0xa8, test, RD, W_A, W_I),
    PAIR(0xaa, stos, STR, W_Y, W_X),
    PAIR(0xac, lods, STR, W_Y, W_X),
    PAIR(0xae, scas, STR, W_Y, W_X),
    EIGHT(0xb0, {OP(mov), WR | B, W_Z, W_IB}),
    EIGHT(0xb8, {OP(mov), WR, W_Z, W_IV}),
    [0xc0] = {.flags = M, .group = group_c0},
    [0xc1] = {.flags = M, .group = group_c1},
    [0xc2] = {OP(ret), D64 | END | R_S_WORD, 0, W_IW},
    [0xc3] = {OP(ret), D64 | END},
    [0xc4] = {.pick = pick_vex},
    [0xc5] = {.pick = pick_vex},
    [0xc6] = {.flags = M, .group = group_c6},
    [0xc7] = {.flags = M, .group = group_c7},
    [0xc8] = {OP(enter), D64 | R_S_WORD, 0, W_IW, W_IUB},
    [0xc9] = {OP(leave), D64},
    [0xca] = {OP(ret_far), END | R_S_WORD, 0, W_IW},
    [0xcb] = {OP(ret_far), END},
    [0xcc] = {OP(int3), END},
    [0xcd] = {OP(int), END | R_S_BYTE, 0, W_IUB},
    [0xce] = {OP(into), NO64 | END},
    [0xcf] = {OP(iret), END},
    [0xd0] = {.flags = M, .group = group_d0},
    [0xd1] = {.flags = M, .group = group_d1},
    [0xd2] = {.flags = M, .group = group_d2},
    [0xd3] = {.flags = M, .group = group_d3},
    [0xd4] = {OP(aam), NO64 | R_S_BYTE, 0, W_IUB},
    [0xd5] = {OP(aad), NO64 | R_S_BYTE, 0, W_IUB},
    [0xd6] = {OP(salc), NO64},
    [0xd7] = {OP(xlat), B},
    EIGHT(0xd8, {OP(x87), M | R_FPU | R_ADDR, 0, W_E, 0, MS_X87}),
    [0xe0] = {OP(loop), D64 | END, 0, W_JB},
    [0xe1] = {OP(loop), D64 | END, 0, W_JB},
    [0xe2] = {OP(loop), D64 | END, 0, W_JB},
    [0xe3] = {OP(jcxz), D64 | END, 0, W_JB},
    PAIR(0xe4, in, WR | R_MAX4, W_A, W_IUB),
    PAIR(0xe6, out, RD | R_MAX4, W_A, W_IUB),
    [0xe8] = {OP(call), D64 | END, 0, W_J},
    [0xe9] = {OP(jmp), D64 | END, 0, W_J},
    [0xea] = {OP(jmp_far), NO64 | END, 0, W_AP},
    [0xeb] = {OP(jmp), D64 | END, 0, W_JB},
    PAIR(0xec, in, WR | R_MAX4 | R_S_WORD, W_A, W_DX),
    PAIR(0xee, out, RD | R_MAX4 | R_S_WORD, W_A, W_DX),
    [0xf1] = {OP(int1), END},
    [0xf4] = {OP(hlt), R_CPL0 | END},
    [0xf5] = {OP(cmc), 0},
    [0xf6] = {.flags = M, .group = group_f6},
    [0xf7] = {.flags = M, .group = group_f7},
    [0xf8] = {OP(clc), 0},
    [0xf9] = {OP(stc), 0},
    [0xfa] = {OP(cli), 0},
    [0xfb] = {OP(sti), END},
    [0xfc] = {OP(cld), 0},
    [0xfd] = {OP(std), 0},
    [0xfe] = {.flags = M, .group = group_fe},
    [0xff] = {.flags = M, .group = group_ff},
};
