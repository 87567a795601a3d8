/* SPDX-License-Identifier: Apache-2.0 */
/*
 * insn.h: a decoded instruction and the opcode table's rows. One decoder for
 * all tiers: struct insn says what the instruction is, not how it is run.
 *
 * The executor (step.c) does everything that rows can say, in this order:
 * privilege (#GP), linear address of a memory operand, load of the operands
 * the row reads, the handler, store of the destination. (Mode and LOCK
 * legality are settled by the decoder: such an instruction is row_ud.) With a
 * LOCK prefix (or XCHG with memory) it is repeated around a host
 * compare-exchange until nobody interfered, so handlers are pure: they see
 * src, dst, imm and change dst, flags and registers of their own.
 * A handler whose register destination is sometimes left alone (LAR, BSF) has
 * a row without R_D_WRITE and stores by reg_set().
 */
#ifndef MOTE_INTERP_INSN_H
#define MOTE_INTERP_INSN_H

#include "cpu.h"

struct insn;
typedef enum exec op_fn(struct cpu *c, struct insn *in);

enum prefix_bits {
    PFX_LOCK = 1u << 0,
    PFX_REP = 1u << 1,   /* F3, the last of F2/F3 wins */
    PFX_REPNE = 1u << 2, /* F2 */
    PFX_66 = 1u << 3,
    PFX_67 = 1u << 4,
    PFX_REX = 1u << 5, /* any REX: SPL BPL SIL DIL instead of AH CH DH BH */
    PFX_REX_W = 1u << 6,
    PFX_SEG = 1u << 7,
};

struct insn {
    op_fn *exec; /* how to run it: insn_any(), or fn if R_FPU */
    op_fn *fn;   /* row->fn */
    const struct row *row;
    u8 len;    /* bytes, 1..15 */
    u8 mode;   /* enum code_mode it was decoded for */
    u8 map;    /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
    u8 size;   /* operand size in bytes: 1, 2, 4, 8 */
    u8 asize;  /* address size: 2, 4, 8 */
    u8 prefix; /* enum prefix_bits */
    u8 opcode; /* last opcode byte */
    u8 modrm;
    u8 mod;   /* 3: rm is a register */
    bool mem; /* has a memory operand: base, index, scale, disp, seg */
    u8 reg;   /* with REX.R; low three bits only where the row is a group */
    u8 rm;    /* register number with REX.B, when mod == 3; also of W_Z */
    u8 base;  /* enum gpr of the memory operand, GPR_NONE if absent */
    u8 index; /* likewise */
    u8 scale; /* 0..3 */
    u8 seg;   /* enum seg_id: default or override */
    bool rip_relative; /* disp is relative to next_rip */
    u8 ssize;  /* bytes of the source operand: size, or as the row says */
    u8 dst_at; /* register operands: byte offset in s.gpr, so that AH CH DH */
    u8 src_at; /* BH are like any other */
    u16 msize; /* bytes of the memory operand */
    s64 disp;  /* sign-extended; moffs too */
    u64 imm;   /* sign-extended to 64 bits; unsigned where the row says so */
    u64 imm2;  /* ENTER, far pointers: the second immediate (selector) */

    /* filled by the executor */
    u64 off; /* effective address, truncated to the address size */
    u64 la;  /* linear address of the memory operand, checked for msize */
    u64 dst; /* destination: loaded if D_READ, stored if D_WRITE */
    u64 src; /* source, zero-extended from ssize. An immediate is put here by
              * the decoder, truncated to size: handlers leave src alone,
              * unless the row has R_S_WRITE */
};

/* Where an operand is, in the letters of the manuals' opcode maps. */
enum where {
    W_NONE,
    W_E,   /* ModRM.rm: register or memory */
    W_G,   /* ModRM.reg */
    W_M,   /* ModRM.rm, memory only: register form is #UD */
    W_A,   /* AL, AX, EAX, RAX */
    W_Z,   /* low three bits of the opcode + REX.B */
    W_I,   /* immediate of operand size, 4 bytes sign-extended for 8 */
    W_IB,  /* immediate byte, sign-extended */
    W_IUB, /* immediate byte, zero-extended */
    W_IW,  /* immediate word */
    W_IV,  /* full-size immediate: MOV r64, imm64 */
    W_ONE, /* the constant 1: shifts */
    W_CL,  /* CL: shifts */
    W_J,   /* relative target, in imm: handler adds it to next_rip */
    W_JB,  /* the same, one byte */
    W_O,   /* moffs: memory at an absolute offset */
    W_S,   /* segment register ModRM.reg */
    W_C,   /* control register ModRM.reg */
    W_D,   /* debug register ModRM.reg */
    W_DX,  /* DX: ports */
    W_AP,  /* far pointer ptr16:16/32 in imm2:imm */
    W_X,   /* (R)SI string, W_Y (R)DI string: address by the handler */
    W_Y,
};

/* clang-format off */
enum row_flags {
    R_MODRM   = 1u << 0,  /* has a ModRM byte */
    R_D_READ  = 1u << 1,  /* destination is loaded */
    R_D_WRITE = 1u << 2,  /* destination is stored after the handler */
    R_BYTE    = 1u << 3,  /* operand size is 1 */
    R_D64     = 1u << 4,  /* 64-bit mode: default operand size is 8 */
    R_F64     = 1u << 5,  /* operand size is 8 in 64-bit mode, else 4 */
    R_LOCK    = 1u << 6,  /* LOCK allowed with a memory destination */
    R_CPL0    = 1u << 7,  /* #GP(0) unless CPL is 0 */
    R_ADDR    = 1u << 8,  /* memory operand: address only, handler accesses */
    R_END     = 1u << 9,  /* ends a block: control flow, mode, interrupts */
    R_NO64    = 1u << 10, /* #UD in 64-bit mode */
    R_ONLY64  = 1u << 11, /* #UD outside 64-bit mode */
    R_REP     = 1u << 12, /* string instruction: REP means repeat */
    R_S_BYTE  = 1u << 13, /* source operand is one byte, whatever the size */
    R_S_WORD  = 1u << 14, /* source operand is two bytes */
    R_S_DWORD = 1u << 15, /* source operand is four bytes */
    R_FPU     = 1u << 16, /* fpu.c, sse.c: own operands; implies R_ADDR */
    R_PROT    = 1u << 17, /* #UD in real mode */
    R_ATOMIC  = 1u << 18, /* locked with a memory operand, also without LOCK */
    R_OFF     = 1u << 19, /* memory operand: in->off, and la without checks */
    R_S_WRITE = 1u << 20, /* the source register is stored too: XADD, XCHG */
    R_BITOFF  = 1u << 21, /* BT with a register: bit offset moves the address */
    R_MAX4    = 1u << 22, /* ports, LSS: operand size 8 counts as 4 */
    R_REGONLY = 1u << 23, /* MOV CR, DR: mod is ignored, rm is a register */
    R_WORD    = 1u << 24, /* operand size is 2: ARPL, LLDT and kin */
    R_NO66    = 1u << 25, /* operand size is never 2 */
};
/* clang-format on */

/* row.msize, beside plain numbers */
enum row_msize {
    MS_OSIZE = 0,
    MS_TWICE = 0xfff0, /* BOUND: two operands */
    MS_FAR,            /* operand size + selector */
    MS_TABLE,          /* LGDT and kin: 2 + 4, in 64-bit mode 2 + 8 */
    MS_PAIR,           /* CMPXCHG8B: 8, CMPXCHG16B: 16 */
    MS_X87,            /* fpu_msize() */
};

/*
 * R_FPU: #NM and the #UD of CR0.EM come before any fault of the address, so
 * after the decoder's checks of mode and LOCK the handler is on its own: it
 * checks, forms the address and moves its operands. msize is of no
 * interest to the executor. sse.h hangs data of its own behind such rows.
 */
struct row {
    op_fn *fn; /* NULL: undefined opcode */
    const char *name;
    u32 flags;
    u8 dst, src; /* enum where */
    u8 third;    /* W_IB, W_IUB, W_I: to imm, or imm2 if src is in imm */
    u16 msize;   /* of the memory operand: a number or enum row_msize */
    const struct row *group; /* eight rows, by ModRM.reg */
    /* rows that depend on more: mode, prefixes, mod, rm */
    const struct row *(*pick)(const struct insn *in);
};

/*
 * Decode at most len bytes (15 or up to the end of what is mapped). Returns
 * the length; 0: more bytes are needed than len; -1: longer than 15 bytes
 * (#GP). An undefined opcode decodes to row_ud with the length consumed.
 * Pure: no state but mode is looked at.
 */
int insn_decode(struct insn *in, const u8 *bytes, unsigned int len,
                enum code_mode mode);

extern const struct row row_ud;

/* step.c: the executor, for everything that rows can say. */
op_fn insn_any;

/* table.c, table_0f.c: the one-byte and 0F maps, and 0F38 without SSE (NULL if
 * not there). A row of the maps without fn, group and pick is undefined. */
extern const struct row table_one[256], table_0f[256];
const struct row *table_0f38(const struct insn *in);

/* sse.c: row of a 0F, 0F38 or 0F3A opcode that belongs to MMX or SSE, by the
 * mandatory prefix; NULL if it is not one. map: 1, 2, 3. The row tells the
 * decoder whether ModRM (always) and an immediate byte (src or third) follow.
 */
const struct row *sse_row(unsigned int map, u8 opcode, u8 prefix);

/* fpu.c: handler of D8..DF; in->modrm and in->opcode select. R_ADDR|R_MODRM,
 * msize is computed by fpu_msize() for the decoder. */
unsigned int fpu_msize(u8 opcode, u8 modrm, unsigned int osize);

static inline u64 size_mask(unsigned int size)
{
    static const u64 mask[9] = {
        0,          0xff,         0xffff,         0xffffff,
        0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
        ~0ull};

    return mask[size];
}

static inline u64 sign_extend(u64 val, unsigned int size)
{
    unsigned int shift = 64 - size * 8;

    return (u64)((s64)(val << shift) >> shift);
}

/* Effective address of the memory operand */
static inline u64 insn_offset(const struct cpu *c, const struct insn *in)
{
    u64 off =
        c->s.gpr[in->base] + (c->s.gpr[in->index] << in->scale) + (u64)in->disp;

    return (in->rip_relative ? off + c->next_rip : off) & size_mask(in->asize);
}

/* 32-bit results clear the upper half; 8 and 16 leave it. Not for AH CH DH BH:
 * these are operands only. */
static inline void reg_set(struct cpu *c, unsigned int n, unsigned int size,
                           u64 val)
{
    u64 *r = &c->s.gpr[n], mask = size_mask(size);

    if (size < 4)
        *r = (*r & ~mask) | (val & mask);
    else
        *r = val & mask;
}

#endif
