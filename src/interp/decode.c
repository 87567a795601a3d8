/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c: bytes to struct insn, by the rows of table.c and table_0f.c */
#include "host.h"
#include "insn.h"

#define INSN_MAX 15u /* SDM vol. 2A 2.3.11: longer is #GP */

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

struct dec {
    struct insn *in;
    const u8 *bytes;
    unsigned int pos, len;
    bool over; /* wanted more than len bytes */
    u8 rex;
};

/* n little-endian bytes, zero-extended. */
static u64 dec_bytes(struct dec *d, unsigned int n)
{
    const u8 *p = d->bytes + d->pos;

    if (d->pos + n > d->len) {
        d->over = true;
        return 0;
    }
    d->pos += n;
    return host_ld(p, n);
}

static u8 dec_byte(struct dec *d)
{
    return (u8)dec_bytes(d, 1);
}

static u64 dec_signed(struct dec *d, unsigned int n)
{
    return sign_extend(dec_bytes(d, n), n);
}

/* In 64-bit mode only FS and GS count; the others change nothing, not even an
 * FS before them (APM vol. 3, 1.2.4). */
static void dec_segment(struct insn *in, unsigned int seg)
{
    if (in->mode == MODE_64 && seg < SEG_FS)
        return;
    in->seg = (u8)seg;
    in->prefix |= PFX_SEG;
}

static bool dec_prefix(struct insn *in, u8 byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        dec_segment(in, byte >> 3 & 3);
        return true;
    case 0x64:
    case 0x65:
        dec_segment(in, byte & 7);
        return true;
    case 0x66:
        in->prefix |= PFX_66;
        return true;
    case 0x67:
        in->prefix |= PFX_67;
        return true;
    case 0xf0:
        in->prefix |= PFX_LOCK;
        return true;
    case 0xf2:
        in->prefix = (u8)((in->prefix & ~PFX_REP) | PFX_REPNE);
        return true;
    case 0xf3:
        in->prefix = (u8)((in->prefix & ~PFX_REPNE) | PFX_REP);
        return true;
    }
    return false;
}

/* All prefixes; returns the first byte of the opcode. A REX counts only right
 * before it. */
static u8 dec_prefixes(struct dec *d)
{
    struct insn *in = d->in;
    u8 byte;

    for (;;) {
        byte = dec_byte(d); /* 0, which is no prefix, at the end */
        if (in->mode == MODE_64 && (byte & 0xf0) == 0x40)
            d->rex = byte;
        else if (dec_prefix(in, byte))
            d->rex = 0;
        else
            break;
    }
    if (d->rex)
        in->prefix |= PFX_REX;
    if (d->rex & REX_W)
        in->prefix |= PFX_REX_W;
    return byte;
}

static bool row_empty(const struct row *row)
{
    return !row->fn && !row->group && !row->pick;
}

static bool row_has(const struct row *row, unsigned int where)
{
    return row->dst == where || row->src == where;
}

/* A register's number: three bits, and the fourth of the REX prefix. */
static u8 dec_number(const struct dec *d, unsigned int low, u8 rex)
{
    return (u8)((low & 7) | (d->rex & rex ? 8 : 0));
}

/* The rest of the opcode, and the map's row for it. */
static const struct row *dec_opcode(struct dec *d, u8 byte)
{
    struct insn *in = d->in;
    const struct row *row;

    in->opcode = byte;
    if (byte != 0x0f)
        return &table_one[byte];
    in->map = 1;
    in->opcode = dec_byte(d);
    if (in->opcode == 0x38 || in->opcode == 0x3a) {
        in->map = in->opcode == 0x38 ? 2 : 3;
        in->opcode = dec_byte(d);
    }
    if (in->map == 1 && !row_empty(&table_0f[in->opcode]))
        return &table_0f[in->opcode];
    row = in->map == 2 ? table_0f38(in) : NULL;
    return row ? row : sse_row(in->map, in->opcode, in->prefix);
}

static void dec_modrm(struct dec *d)
{
    struct insn *in = d->in;

    in->modrm = dec_byte(d);
    in->mod = in->modrm >> 6;
    in->reg = dec_number(d, in->modrm >> 3, REX_R);
    in->rm = dec_number(d, in->modrm, REX_B);
}

/* Follow groups and picks to a row with a handler. */
static const struct row *dec_resolve(struct dec *d, const struct row *row)
{
    bool seen = false;

    d->in->rm = dec_number(d, d->in->opcode, REX_B); /* unless ModRM has one */
    while (row && !d->over) {
        if ((row->flags & R_MODRM) && !seen) {
            dec_modrm(d);
            seen = true;
        }
        if (row->pick)
            row = row->pick(d->in);
        else if (row->group)
            row = &row->group[d->in->reg &= 7];
        else
            break;
    }
    return row && row->fn ? row : &row_ud;
}

static void dec_sizes(struct insn *in)
{
    u32 flags = in->row->flags;
    bool p66 = in->prefix & PFX_66;

    if (in->mode == MODE_64) {
        in->asize = in->prefix & PFX_67 ? 4 : 8;
        in->size = flags & R_D64 ? 8 : 4;
        if (in->prefix & PFX_REX_W || flags & R_F64)
            in->size = 8;
        else if (p66 && !(flags & (R_FPU | R_NO66)))
            in->size = 2;
    } else {
        bool small = in->mode == MODE_16;

        in->asize = small != !!(in->prefix & PFX_67) ? 2 : 4;
        in->size = small != p66 && !(flags & (R_F64 | R_FPU | R_NO66)) ? 2 : 4;
    }
    if (flags & R_MAX4 && in->size == 8)
        in->size = 4;
    if (flags & R_WORD)
        in->size = 2;
    if (flags & R_BYTE)
        in->size = 1;
    in->ssize = in->size;
    if (flags & R_S_BYTE)
        in->ssize = 1;
    else if (flags & R_S_WORD)
        in->ssize = 2;
    else if (flags & R_S_DWORD)
        in->ssize = 4;
}

/* The displacement: `wide` bytes instead of a base if `absolute`. */
static void dec_disp(struct dec *d, bool absolute, unsigned int wide)
{
    struct insn *in = d->in;

    if (absolute)
        in->base = GPR_NONE;
    if (absolute || in->mod)
        in->disp = (s64)dec_signed(d, in->mod == 1 ? 1 : wide);
}

/* SDM vol. 2A table 2-1 */
static void dec_mem16(struct dec *d)
{
    static const u8 bases[8] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP,
                                GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    static const u8 indices[8] = {GPR_RSI,  GPR_RDI,  GPR_RSI,  GPR_RDI,
                                  GPR_NONE, GPR_NONE, GPR_NONE, GPR_NONE};
    unsigned int rm = d->in->modrm & 7;

    d->in->base = bases[rm];
    d->in->index = indices[rm];
    dec_disp(d, d->in->mod == 0 && rm == 6, 2);
}

/* Tables 2-2 and 2-3; REX.B and REX.X extend base and index, but the special
 * meanings of 4 and 5 look at the low three bits only (2.2.1.2). */
static void dec_mem32(struct dec *d)
{
    struct insn *in = d->in;
    unsigned int low = in->modrm & 7;

    in->base = in->rm;
    if (low == 4) {
        u8 sib = dec_byte(d);
        u8 index = dec_number(d, sib >> 3, REX_X);

        low = sib & 7;
        in->base = dec_number(d, low, REX_B);
        in->index = index == 4 ? GPR_NONE : index;
        in->scale = sib >> 6;
    }
    dec_disp(d, in->mod == 0 && low == 5, 4);
    in->rip_relative = in->mode == MODE_64 && (in->modrm & 0xc7) == 5;
}

static void dec_mem(struct dec *d)
{
    struct insn *in = d->in;

    in->mem = true;
    if (in->asize == 2)
        dec_mem16(d);
    else
        dec_mem32(d);
    if (!(in->prefix & PFX_SEG) && (in->base == GPR_RSP || in->base == GPR_RBP))
        in->seg = SEG_SS;
}

static unsigned int dec_msize(const struct insn *in)
{
    switch (in->row->msize) {
    case MS_OSIZE:
        return in->row->src == W_E || in->row->src == W_M ? in->ssize
                                                          : in->size;
    case MS_TWICE:
        return 2u * in->size;
    case MS_FAR:
        return in->size + 2u;
    case MS_TABLE:
        return in->mode == MODE_64 ? 10 : 6;
    case MS_PAIR:
        return in->prefix & PFX_REX_W ? 16 : 8;
    case MS_X87:
        return fpu_msize(in->opcode, in->modrm, in->size);
    default:
        return in->row->msize;
    }
}

/* Bytes of an immediate, and its value by *val; false: not one. */
static bool dec_imm(struct dec *d, unsigned int where, u64 *val)
{
    struct insn *in = d->in;

    switch (where) {
    case W_I:
    case W_J:
        *val = dec_signed(d, MIN(in->size, 4));
        return true;
    case W_IB:
    case W_JB:
        *val = dec_signed(d, 1);
        return true;
    case W_IUB:
        *val = dec_bytes(d, 1);
        return true;
    case W_IW:
        *val = dec_bytes(d, 2);
        return true;
    case W_IV:
        *val = dec_bytes(d, in->size);
        return true;
    case W_AP:
        *val = dec_bytes(d, in->size);
        in->imm2 = dec_bytes(d, 2);
        return true;
    case W_ONE:
        *val = 1;
        return true;
    }
    return false;
}

static void dec_operands(struct dec *d)
{
    struct insn *in = d->in;
    const struct row *row = in->row;
    bool imm;

    if (row_has(row, W_O)) {
        in->mem = true;
        in->disp = (s64)dec_bytes(d, in->asize);
    }
    in->msize = (u16)dec_msize(in);
    imm = dec_imm(d, row->src, &in->imm);
    if (imm)
        in->src = in->imm & size_mask(in->ssize);
    else if (dec_imm(d, row->dst, &in->imm)) /* OUT imm8 */
        in->dst = in->imm;
    dec_imm(d, row->third, imm ? &in->imm2 : &in->imm);
}

/* Byte offset of a register operand in s.gpr; the high byte registers are one
 * byte into AX CX DX BX (little endian). */
static u8 dec_register(const struct insn *in, unsigned int where,
                       unsigned int size)
{
    unsigned int n = GPR_NONE;

    switch (where) {
    case W_E:
    case W_Z:
        n = in->rm;
        break;
    case W_G:
        n = in->reg;
        break;
    case W_A:
        n = GPR_RAX;
        break;
    case W_CL:
        n = GPR_RCX;
        break;
    case W_DX:
        n = GPR_RDX;
        break;
    }
    if (size == 1 && n >= 4 && n < 8 && !(in->prefix & PFX_REX))
        return (u8)((n - 4) * sizeof(u64) + 1);
    return (u8)(n * sizeof(u64));
}

/* What only the whole instruction shows to be undefined. Of the control
 * registers CR0, CR2, CR3, CR4 and CR8 are there, and eight debug registers;
 * that comes before the check of privilege. */
static bool dec_undefined(const struct insn *in)
{
    const struct row *row = in->row;

    if (row_has(row, W_M) && in->mod == 3)
        return true;
    if (row_has(row, W_S) && in->reg > SEG_GS)
        return true;
    if (row->dst == W_S && in->reg == SEG_CS)
        return true;
    if (row_has(row, W_C) && !(0x11du >> in->reg & 1))
        return true;
    if (row_has(row, W_D) && in->reg > 7)
        return true;
    return in->prefix & PFX_LOCK && !(row->flags & R_LOCK && in->mem &&
                                      (row->dst == W_E || row->dst == W_M));
}

/* Everything after the opcode is known. */
static void dec_rest(struct dec *d)
{
    struct insn *in = d->in;
    u32 flags = in->row->flags;

    dec_sizes(in);
    if (flags & R_REGONLY)
        in->mod = 3;
    else if (flags & R_MODRM && in->mod != 3)
        dec_mem(d);
    dec_operands(d);
    in->dst_at = dec_register(in, in->row->dst, in->size);
    in->src_at = dec_register(in, in->row->src, in->ssize);
    if (row_has(in->row, W_S))
        in->reg &= 7; /* REX.R does not extend segment registers */
    if (dec_undefined(in))
        in->row = &row_ud;
}

/* What the bytes need not mention. (Field by field: without vector registers
 * gcc clears a whole struct by REP STOS, which took a sixth of the time.) */
static void dec_init(struct insn *in, enum code_mode mode)
{
    in->mode = (u8)mode;
    in->map = 0;
    in->prefix = 0;
    in->modrm = 0;
    in->mod = 3;
    in->mem = false;
    in->reg = 0;
    in->base = GPR_NONE;
    in->index = GPR_NONE;
    in->scale = 0;
    in->seg = SEG_DS;
    in->rip_relative = false;
    in->disp = 0;
    in->imm = 0;
    in->imm2 = 0;
}

int insn_decode(struct insn *in, const u8 *bytes, unsigned int len,
                enum code_mode mode)
{
    struct dec d = {.in = in, .bytes = bytes, .len = MIN(len, INSN_MAX)};

    dec_init(in, mode);
    in->row = dec_resolve(&d, dec_opcode(&d, dec_prefixes(&d)));
    if (in->row->flags & (mode == MODE_64 ? R_NO64 : R_ONLY64))
        in->row = &row_ud; /* before its operands make it too long */
    if (!d.over)
        dec_rest(&d);
    if (d.over)
        return len < INSN_MAX ? 0 : -1;
    in->len = (u8)d.pos;
    in->fn = in->row->fn;
    in->exec = in->row->flags & R_FPU ? in->fn : insn_any;
    return (int)d.pos;
}

const char *interp_mnemonic(const u8 *insn, unsigned int len)
{
    struct insn in;

    if (insn_decode(&in, insn, len, MODE_64) <= 0 || in.row == &row_ud)
        return NULL;
    return in.row->name;
}
