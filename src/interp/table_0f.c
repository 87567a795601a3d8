/* SPDX-License-Identifier: Apache-2.0 */
/* table_0f.c: rows of the 0F and 0F38 maps, SDM vol. 2D tables,
 * but for MMX and SSE, which sse_row() knows */
#include "table.h"

/* clang-format off */

#define PFX_MANDATORY (PFX_66 | PFX_REP | PFX_REPNE)

static const struct row group_0f00[8] = {
    {AS(store_system, sldt), M | WR | R_PROT, W_E, 0, 0, 2},
    {AS(store_system, str),  M | WR | R_PROT, W_E, 0, 0, 2},
    {OP(lldt), M | R_WORD | R_PROT | CPL0, 0, W_E},
    {OP(ltr),  M | R_WORD | R_PROT | CPL0, 0, W_E},
    {AS(verify, verr), M | R_WORD | R_PROT, 0, W_E},
    {AS(verify, verw), M | R_WORD | R_PROT, 0, W_E},
};

static const struct row group_0f01[8] = {
    {AS(store_table, sgdt), M | ADDR | WR, W_M, 0, 0, MS_TABLE},
    {AS(store_table, sidt), M | ADDR | WR, W_M, 0, 0, MS_TABLE},
    {AS(load_table, lgdt), M | ADDR | CPL0, 0, W_M, 0, MS_TABLE},
    {AS(load_table, lidt), M | ADDR | CPL0, 0, W_M, 0, MS_TABLE},
    {OP(smsw), M | WR, W_E, 0, 0, 2},
    {OP(ud),   M | END},
    {OP(lmsw), M | R_WORD | CPL0 | END, 0, W_E},
    {OP(invlpg), M | R_OFF | CPL0 | END, 0, W_M},
};

/* Register forms, by the low six bits of ModRM */
static const struct row reg_0f01[64] = {
    [0x01] = {OP(vmcall), M | END},
    [0x08] = {AS(ud, monitor), M | END}, /* hidden, with MWAIT */
    [0x09] = {AS(ud, monitor), M | END},
    [0x0a] = {AS(clac_stac, clac), M},
    [0x0b] = {AS(clac_stac, stac), M},
    [0x10] = {OP(xgetbv), M},
    [0x11] = {OP(xsetbv), M | END},
    [0x19] = {OP(vmcall), M | END}, /* VMMCALL */
    [0x38] = {OP(swapgs), M | CPL0 | R_ONLY64},
    [0x39] = {OP(rdtscp), M},
};

static const struct row *pick_0f01(const struct insn *in)
{
    unsigned int reg = in->modrm >> 3 & 7;

    if (in->mod != 3 || reg == 4 || reg == 6)
        return &group_0f01[reg];
    return in->prefix & PFX_MANDATORY ? &row_ud : &reg_0f01[in->modrm & 63];
}

/* Memory forms without a prefix. CLFLUSH is checked like a load of a byte. */
static const struct row group_0fae[8] = {
    {OP(fxsave),   M | R_FPU | ADDR | WR, W_M, 0, 0, 512},
    {OP(fxrstor),  M | R_FPU | ADDR, 0, W_M, 0, 512},
    {OP(ldmxcsr),  M | R_FPU | ADDR, 0, W_M, 0, 4},
    {OP(stmxcsr),  M | R_FPU | ADDR | WR, W_M, 0, 0, 4},
    {OP(xsave),    M | R_FPU | ADDR | WR, W_M, 0, 0, 576},
    {OP(xrstor),   M | R_FPU | ADDR, 0, W_M, 0, 576},
    {AS(xsave, xsaveopt), M | R_FPU | ADDR | WR, W_M, 0, 0, 576},
    {OP(nop),      M | R_S_BYTE, 0, W_M},
};
static const struct row row_fence = {OP(fence), M};
static const struct row row_rdbase = {OP(fsgsbase), M | WR | R_ONLY64 | R_NO66, W_E};
static const struct row row_wrbase = {OP(fsgsbase), M | R_ONLY64 | R_NO66, 0, W_E};

static const struct row *pick_0fae(const struct insn *in)
{
    unsigned int reg = in->modrm >> 3 & 7;
    unsigned int prefix = in->prefix & PFX_MANDATORY;

    if (in->mod != 3)
        return prefix ? &row_ud : &group_0fae[reg];
    if ((prefix & ~PFX_66) == PFX_REP && reg < 4)
        return reg < 2 ? &row_rdbase : &row_wrbase;
    return !prefix && reg >= 5 ? &row_fence : &row_ud;
}

static const struct row row_cmpxchg = {OP(cmpxchg), M | RW | L, W_E, W_G};
static const struct row row_cmpxchg_reg = {OP(cmpxchg_reg), M | RD, W_E, W_G};

static const struct row *pick_0fb1(const struct insn *in)
{
    return in->mod == 3 ? &row_cmpxchg_reg : &row_cmpxchg;
}

static const struct row row_cmpxchg8b =
    {OP(cmpxchg8b), M | R_OFF | WR | L, W_M, 0, 0, MS_PAIR};
static const struct row row_cmpxchg16b =
    {AS(cmpxchg8b, cmpxchg16b), M | R_OFF | WR | L, W_M, 0, 0, MS_PAIR};
static const struct row row_xsavec =
    {AS(xsave, xsavec), M | R_FPU | ADDR | WR, W_M, 0, 0, 576};
static const struct row row_rdrand = {OP(rdrand), M | WR, W_E};

static const struct row *pick_0fc7(const struct insn *in)
{
    unsigned int reg = in->modrm >> 3 & 7;

    if (in->mod != 3 && reg == 1)
        return in->prefix & PFX_REX_W ? &row_cmpxchg16b : &row_cmpxchg8b;
    if (in->mod != 3 && reg == 4 && !(in->prefix & PFX_MANDATORY))
        return &row_xsavec;
    if (in->mod == 3 && reg == 6 && !(in->prefix & (PFX_REP | PFX_REPNE)))
        return &row_rdrand;
    return &row_ud;
}

static const struct row row_popcnt = {OP(popcnt), M | WR, W_G, W_E};

static const struct row *pick_0fb8(const struct insn *in)
{
    return in->prefix & PFX_REP ? &row_popcnt : &row_ud;
}

static const struct row row_movnti =
    {.fn = op_mov, .name = "movnti", M | WR | R_NO66, W_M, W_G};

static const struct row *pick_0fc3(const struct insn *in)
{
    return in->prefix & PFX_MANDATORY ? &row_ud : &row_movnti;
}

static const struct row group_0fba[8] = {
    [4] = {OP(bt),  M | RD, W_E, W_IUB},
    [5] = {OP(bts), M | RW | L, W_E, W_IUB},
    [6] = {OP(btr), M | RW | L, W_E, W_IUB},
    [7] = {OP(btc), M | RW | L, W_E, W_IUB},
};

const struct row table_0f[256] = {
    [0x00] = {.flags = M, .group = group_0f00},
    [0x01] = {.flags = M, .pick = pick_0f01},
    [0x02] = {AS(lar_lsl, lar), M | R_S_WORD | R_PROT, W_G, W_E},
    [0x03] = {AS(lar_lsl, lsl), M | R_S_WORD | R_PROT, W_G, W_E},
    [0x05] = {OP(syscall), END},
    [0x06] = {OP(clts), CPL0 | END},
    [0x07] = {OP(sysret), END | CPL0},
    [0x08] = {OP(wbinvd), CPL0}, /* INVD */
    [0x09] = {OP(wbinvd), CPL0},
    [0x0b] = {OP(ud), END},
    /* Prefetches of any kind: a register form is #UD */
    [0x0d] = {OP(nop), M | R_OFF, 0, W_M},
    /* Hints: prefetches, ENDBR64, multi-byte NOP */
    EIGHT(0x18, {OP(nop), M | R_OFF, 0, W_E}),
    [0x20] = {OP(mov_from_cr), M | WR | CPL0 | R_F64 | R_REGONLY, W_E, W_C},
    [0x21] = {OP(mov_from_dr), M | WR | CPL0 | R_F64 | R_REGONLY, W_E, W_D},
    [0x22] = {OP(mov_to_cr), M | CPL0 | R_F64 | R_REGONLY | END, W_C, W_E},
    [0x23] = {OP(mov_to_dr), M | CPL0 | R_F64 | R_REGONLY | END, W_D, W_E},
    [0x30] = {OP(wrmsr), CPL0 | END},
    [0x31] = {OP(rdtsc), 0},
    [0x32] = {OP(rdmsr), CPL0},
    [0x33] = {OP(rdpmc), 0},
    [0x34] = {OP(sysenter), END},
    [0x35] = {OP(sysexit), END | CPL0},
    SIXTEEN(0x40, {OP(cmov), M | RW, W_G, W_E}),
    SIXTEEN(0x80, {OP(jcc), D64 | END, 0, W_J}),
    SIXTEEN(0x90, {OP(setcc), M | WR | B, W_E}),
    [0xa0] = {OP(push_sreg), D64},
    [0xa1] = {OP(pop_sreg), D64},
    [0xa2] = {OP(cpuid), 0},
    [0xa3] = {OP(bt), M | RD | R_BITOFF, W_E, W_G},
    [0xa4] = {OP(shld), M | RW, W_E, W_G, W_IUB},
    [0xa5] = {OP(shld), M | RW, W_E, W_G},
    [0xa8] = {OP(push_sreg), D64},
    [0xa9] = {OP(pop_sreg), D64},
    [0xab] = {OP(bts), M | RW | L | R_BITOFF, W_E, W_G},
    [0xac] = {OP(shrd), M | RW, W_E, W_G, W_IUB},
    [0xad] = {OP(shrd), M | RW, W_E, W_G},
    [0xae] = {.flags = M, .pick = pick_0fae},
    [0xaf] = {OP(imul2), M | RW, W_G, W_E},
    [0xb0] = {OP(cmpxchg), M | RW | L | B, W_E, W_G},
    [0xb1] = {.flags = M, .pick = pick_0fb1},
    /* No 64-bit offsets in AMD's processors */
    [0xb2] = {OP(lxs), M | ADDR | END | R_MAX4, W_G, W_M, 0, MS_FAR},
    [0xb3] = {OP(btr), M | RW | L | R_BITOFF, W_E, W_G},
    [0xb4] = {OP(lxs), M | ADDR | R_MAX4, W_G, W_M, 0, MS_FAR},
    [0xb5] = {OP(lxs), M | ADDR | R_MAX4, W_G, W_M, 0, MS_FAR},
    [0xb6] = {OP(movzx), M | WR | R_S_BYTE, W_G, W_E},
    [0xb7] = {OP(movzx), M | WR | R_S_WORD, W_G, W_E},
    [0xb8] = {.flags = M, .pick = pick_0fb8},
    [0xb9] = {OP(ud), END}, /* UD1: no ModRM is fetched, as AMD has it */
    [0xba] = {.flags = M, .group = group_0fba},
    [0xbb] = {OP(btc), M | RW | L | R_BITOFF, W_E, W_G},
    /* LZCNT and TZCNT are hidden: F3 is ignored, as on older processors */
    [0xbc] = {OP(bsf), M, W_G, W_E},
    [0xbd] = {OP(bsr), M, W_G, W_E},
    [0xbe] = {OP(movsx), M | WR | R_S_BYTE, W_G, W_E},
    [0xbf] = {OP(movsx), M | WR | R_S_WORD, W_G, W_E},
    PAIR(0xc0, xadd, M | RW | L | R_S_WRITE, W_E, W_G),
    [0xc3] = {.flags = M, .pick = pick_0fc3},
    [0xc7] = {.flags = M, .pick = pick_0fc7},
    EIGHT(0xc8, {OP(bswap), RW, W_Z}),
    [0xff] = {OP(ud), END}, /* UD0, likewise */
};

static const struct row row_movbe_load = {OP(movbe), M | WR, W_G, W_M};
static const struct row row_movbe_store = {OP(movbe), M | WR, W_M, W_G};
static const struct row row_crc32_byte = {OP(crc32), M | R_S_BYTE, W_G, W_E};
static const struct row row_crc32 = {OP(crc32), M, W_G, W_E};

/* clang-format on */

const struct row *table_0f38(const struct insn *in)
{
    bool crc = in->prefix & PFX_REPNE;

    if (in->prefix & PFX_REP)
        return NULL;
    if (in->opcode == 0xf0)
        return crc ? &row_crc32_byte : &row_movbe_load;
    if (in->opcode == 0xf1)
        return crc ? &row_crc32 : &row_movbe_store;
    return NULL;
}
