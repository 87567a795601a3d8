/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen.c: code. Forms of instructions are found by asking the decoder about
 * every opcode, so what it learns is tested without being named here; named
 * is only what cannot be compared natively.
 */
#include <stdlib.h>

#include "diff.h"
#include "interp/ops.h"

#define FORMS_MAX 16384u
#define INSN_MAX  15u
#define ANY       8 /* form.reg */

struct form {
    const struct row *row;
    u8 map, opcode;
    u8 prefix; /* 66, F2, F3 or 0 */
    u8 reg;    /* of ModRM, or ANY */
    bool mem;
    bool tame; /* may be one of a sequence */
};

#define MODES 3
static struct form forms[MODES][FORMS_MAX]; /* by enum code_mode */
static unsigned int nr_forms[MODES];

unsigned int gen_count(void)
{
    return nr_forms[MODE_16] + nr_forms[MODE_32] + nr_forms[MODE_64];
}

/* ---- what can be compared -------------------------------------------------
 */

/* Clocks, CPUID and random numbers are the host's own, and what UMIP forbids is
 * emulated by Linux. ICEBP's RIP under a hypervisor is that of the instruction,
 * on a processor the next one's. What is hidden from guests only is #UD. */
static bool row_excluded(const struct row *row)
{
    static op_fn *const fns[] = {
        op_int1,         op_rdtsc,     op_rdtscp,      op_rdpmc,
        op_rdrand,       op_cpuid,     op_store_table, op_smsw,
        op_store_system, op_clac_stac, op_vmcall,      op_vex,
        op_xsave,        op_xrstor,    op_xgetbv,      op_xsetbv};

    if (row == &row_ud || (row->fn == op_fsgsbase && !native_fsgs))
        return true;
    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (row->fn == fns[i])
            return true;
    return false;
}

/* LZCNT and TZCNT are hidden, F2 and F3 make some processors take LOOPE for
 * LOOPNE, and after the SYSCALL of 32-bit code Linux goes on in its own. */
bool insn_excluded(const struct insn *in)
{
    bool rep = in->prefix & (PFX_REP | PFX_REPNE);

    if (row_excluded(in->row))
        return true;
    if (in->fn == op_syscall)
        return in->mode != MODE_64;
    if (in->fn == op_bsf || in->fn == op_bsr)
        return in->prefix & PFX_REP;
    return in->fn == op_loop && in->opcode != 0xe2 && rep;
}

bool code_decode(struct insn *in, u16 cs, u64 rip, enum code_mode mode)
{
    u64 off = regs_offset(cs, rip, CODE);

    return off < CODE_SIZE &&
           insn_decode(in, shared->code + off,
                       (unsigned int)MIN((u64)INSN_MAX, CODE_SIZE - off),
                       mode) > 0;
}

/* The environment has pointers that are not kept, and FXSAVE the mask too. */
static bool insn_shows_pointers(const struct insn *in)
{
    unsigned int reg = in->modrm >> 3 & 7;

    if (in->fn == op_fxsave)
        return true;
    return in->fn == op_x87 && in->mod != 3 && reg == 6 &&
           (in->opcode == 0xd9 || in->opcode == 0xdd);
}

/* Others fault, or change what the cases are compared by. */
static bool insn_is_tame(const struct insn *in)
{
    static op_fn *const fns[] = {
        op_ud,      op_lar_lsl, op_verify, op_mov_to_sreg, op_pop_sreg,
        op_lxs,     op_int,     op_popf,   op_hlt,         op_cli,
        op_in,      op_out,     op_ins,    op_outs,        op_sti,
        op_ldmxcsr, op_fxrstor, op_bound,  op_syscall,     op_sysenter,
        op_int1,    op_int3,    op_into,   op_jmp_far,     op_call_far,
        op_ret_far, op_iret};

    if (in->row->flags & R_CPL0 || insn_shows_pointers(in))
        return false;
    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (in->fn == fns[i])
            return false;
    return true;
}

/* Perhaps into another piece of the batch: one in eight of all 16-bit numbers
 * leads there, else it takes a sequence. */
static bool insn_goes_anywhere(const struct diff_case *c, const struct insn *in)
{
    if (in->fn == op_ret || in->fn == op_jmp_ind || in->fn == op_call_ind)
        return c->seq || c->mode == MODE_16;
    return c->mode == MODE_16 &&
           (in->fn == op_ret_far || in->fn == op_iret || in->fn == op_jmp_far ||
            in->fn == op_call_far);
}

/* ---- forms ----------------------------------------------------------------
 */

static unsigned int put_opcode(u8 *p, const struct form *f)
{
    unsigned int n = 0;

    if (f->map)
        p[n++] = 0x0f;
    if (f->map > 1)
        p[n++] = f->map == 2 ? 0x38 : 0x3a;
    p[n++] = f->opcode;
    return n;
}

/* The row of this opcode and ModRM; NULL: it has none, or is a prefix. */
static const struct row *form_row(const struct form *f, enum code_mode mode,
                                  u8 modrm, struct insn *in)
{
    u8 bytes[INSN_MAX] = {f->prefix};
    unsigned int n = f->prefix ? 1 : 0;

    n += put_opcode(bytes + n, f);
    bytes[n] = modrm;
    if (insn_decode(in, bytes, sizeof(bytes), mode) <= 0 ||
        in->opcode != f->opcode || in->map != f->map || insn_excluded(in))
        return NULL;
    return in->row;
}

static void form_add(struct form f, enum code_mode mode, const struct insn *in)
{
    if (nr_forms[mode] == FORMS_MAX)
        abort();
    f.row = in->row;
    f.tame = insn_is_tame(in);
    forms[mode][nr_forms[mode]++] = f;
}

/* One form if ModRM.reg is an operand, else one for each. */
static void form_add_regs(struct form f, enum code_mode mode)
{
    u8 mod = f.mem ? 0x46 : 0xc1; /* disp8(%rsi), or %ecx */
    const struct row *row[8];
    struct insn in[8];
    bool same = true;

    for (u8 reg = 0; reg < 8; reg++) {
        row[reg] = form_row(&f, mode, (u8)(mod | reg << 3), &in[reg]);
        same = same && row[reg] == row[0];
    }
    if (same && row[0] && row[0]->fn != op_x87) {
        f.reg = ANY;
        form_add(f, mode, &in[0]);
        return;
    }
    for (f.reg = 0; f.reg < 8; f.reg++)
        if (row[f.reg])
            form_add(f, mode, &in[f.reg]);
}

static void form_find(struct form f, enum code_mode mode)
{
    const struct row *row = NULL;
    struct insn in;

    for (unsigned int i = 0; i < 256 && !row; i++)
        row = form_row(&f, mode, (u8)i, &in);
    if (!row)
        return;
    if (!(row->flags & R_MODRM)) {
        f.reg = ANY;
        form_add(f, mode, &in);
        return;
    }
    for (unsigned int mem = 0; mem < 2; mem++) {
        f.mem = mem;
        form_add_regs(f, mode);
    }
}

void gen_start(void)
{
    static const u8 prefixes[] = {0, 0x66, 0xf2, 0xf3};

    for (unsigned int i = 0; i < MODES * 4 * 256 * ARRAY_SIZE(prefixes); i++) {
        struct form f = {.prefix = prefixes[i & 3],
                         .opcode = (u8)(i >> 2),
                         .map = i >> 10 & 3};

        form_find(f, (enum code_mode)(i >> 12));
    }
}

/* ---- bytes ----------------------------------------------------------------
 */

/* Addresses of the other size lead nowhere from 32-bit code. */
static unsigned int put_odds_67(enum code_mode mode, bool tame)
{
    if (tame || mode == MODE_32)
        return 48;
    return mode == MODE_16 ? 6 : 12;
}

static unsigned int put_prefixes(u8 *p, const struct form *f,
                                 enum code_mode mode, bool tame)
{
    static const u8 segs[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    bool lock = f->row->flags & R_LOCK && f->mem;
    unsigned int n = 0, i;
    u8 swap;

    if (rnd_one_in(put_odds_67(mode, tame)))
        p[n++] = 0x67;
    if (rnd_one_in(tame ? 48 : 12))
        p[n++] = segs[rnd() % (mode == MODE_32 ? 4 : 6)];
    if (rnd_one_in(lock ? 4 : tame ? 1024 : 64))
        p[n++] = 0xf0;
    if (rnd_one_in(64))
        p[n++] = rnd() & 1 ? 0x66 : 0xf2 | (rnd() & 1);
    if (f->prefix)
        p[n++] = f->prefix;
    if (n > 1) {
        i = rnd() % n;
        swap = p[0];
        p[0] = p[i];
        p[i] = swap;
    }
    if (mode == MODE_64 && rnd() & 1)
        p[n++] = 0x40 | (rnd() & (tame ? 12 : 15));
    return n;
}

/* In a sequence addresses are near RBX, RBP, RSI or RDI; 16-bit code has other
 * numbers for them, and no SIB. */
static unsigned int put_modrm(u8 *p, const struct form *f, enum code_mode mode,
                              bool tame)
{
    static const u8 bases[] = {3, 5, 6, 7};
    u64 r = rnd();
    u8 reg = f->reg == ANY ? r >> 8 & 7 : f->reg;
    u8 mod = f->mem ? (u8)((r >> 16) % 3) : 3, rm = r >> 24 & 7;

    if (tame && f->mem && r >> 32 & 15) {
        mod = 1;
        rm = mode == MODE_16 ? 4 | (r >> 36 & 3) : bases[r >> 36 & 3];
    }
    p[0] = (u8)(mod << 6 | reg << 3 | rm);
    p[1] = (u8)(r >> 40);
    return mod != 3 && rm == 4 && mode != MODE_16 ? 2 : 1;
}

static unsigned int insn_disp_len(const struct insn *in, const u8 *modrm)
{
    unsigned int low = in->modrm & 7, full = in->asize == 2 ? 2 : 4;

    if (in->mod == 1)
        return 1;
    if (in->mod == 2)
        return full;
    if (in->asize == 2)
        return low == 6 ? full : 0;
    return low == 5 || (low == 4 && (modrm[1] & 7) == 5) ? full : 0;
}

static void put_le(u8 *p, unsigned int n, u64 val)
{
    u8 bytes[8];

    le64_put(bytes, val);
    memcpy(p, bytes, MIN(n, 8u));
}

/* Operands that are constants of the code: where they point. at: of *p. */
static void put_address(const struct diff_case *c, const struct insn *in, u8 *p,
                        u64 at, unsigned int disp_at)
{
    u64 to = gen_address(c, in->msize);

    if (in->seg >= SEG_FS && !is_canonical(to))
        to = case_base(c) + DATA; /* see gen_base() */
    if (c->mode == MODE_16)
        to -= case_seg(c, in->seg);
    if (in->row->dst == W_O || in->row->src == W_O)
        put_le(p + in->len - in->asize, in->asize, to);
    else if (in->mem && in->rip_relative)
        put_le(p + disp_at, 4, to - (at + in->len));
    else if (in->mem && in->base == GPR_NONE && in->index == GPR_NONE)
        put_le(p + disp_at, MIN(in->asize, 4), to);
}

/* INT n: gates that programs may use, often enough. */
static u8 gen_vector(void)
{
    static const u8 vectors[] = {EXC_DB, EXC_BP, EXC_OF, LINUX_SYSCALL};
    u64 r = rnd();

    return r & 1 ? (u8)(r >> 8) : vectors[r >> 8 & 3];
}

/* 9A, EA */
static void put_far(const struct diff_case *c, const struct insn *in, u8 *p)
{
    u16 sel = gen_selector(c);

    put_le(p + in->len - 2, 2, sel);
    put_le(p + in->len - 2 - in->size, in->size, gen_far(c, sel, in->size));
}

static bool insn_is_far(const struct insn *in)
{
    return (in->fn == op_jmp_far || in->fn == op_call_far) &&
           in->opcode != 0xff;
}

static bool insn_is_relative(const struct insn *in)
{
    return in->row->src == W_J || in->row->src == W_JB;
}

static void put_target(const struct insn *in, u8 *p, u64 at, u64 to)
{
    unsigned int n = in->row->src == W_JB ? 1 : MIN(in->size, 4);

    put_le(p + in->len - n, n, to - (at + in->len));
}

/* Constants that have a meaning, now that the bytes have been decoded. disp:
 * where a displacement would be. */
static void put_constants(const struct diff_case *c, const struct insn *in,
                          u8 *p, unsigned int disp)
{
    u64 at = c->at + c->len;

    put_address(c, in, p, at, disp);
    if (insn_is_relative(in))
        put_target(in, p, at, case_slot(c) + TAKEN);
    if (insn_is_far(in))
        put_far(c, in, p);
    if (in->fn == op_int)
        p[in->len - 1] = gen_vector();
}

/*
 * An instruction of this form behind the c->len bytes there are. Its bytes
 * beyond ModRM are random at first; those of the displacement and of the
 * immediate are found by decoding it.
 */
static bool gen_form(struct diff_case *c, const struct form *f, struct insn *in)
{
    enum code_mode mode = c->mode;
    u8 *p = c->code + c->len;
    unsigned int n = put_prefixes(p, f, mode, c->seq), modrm, disp = 0;

    n += put_opcode(p + n, f);
    modrm = n;
    if (f->row->flags & R_MODRM) {
        disp = n + put_modrm(p + n, f, mode, c->seq);
        n = disp;
    }
    put_le(p + n, 8, c->seq ? rnd() & 0x3f3f3f3f3f3f3f38 : rnd_int());
    put_le(p + n + 8, 8, rnd());
    if (insn_decode(in, p, INSN_MAX, mode) <= 0 || in->row == &row_ud)
        return false;
    if (in->mem && disp)
        n += insn_disp_len(in, p + modrm);
    if (in->len > n && in->len - n <= 8)
        put_le(p + n, in->len - n, rnd_int());
    put_constants(c, in, p, disp);
    if (insn_decode(in, p, INSN_MAX, mode) <= 0 || insn_excluded(in))
        return false;
    c->len += in->len;
    c->fpu |= in->row->flags & R_FPU || in->fn == op_fwait ||
              insn_goes_anywhere(c, in);
    c->undef_flags |= undefined_flags(in->row);
    return true;
}

static enum code_mode gen_mode;
static u64 gen_turn;

void gen_batch(enum code_mode mode)
{
    gen_mode = mode;
    gen_turn = rnd();
}

/* Segments of 16-bit code: mostly those where nothing is in the way. */
static u16 gen_code_segment(unsigned int slot)
{
    u64 r = rnd();

    if (slot == SLOT_CROSS ? r & 3 : !(r & 15))
        return LDT_SEL(r & 0x100 && slot <= SLOT_CROSS ? LDT_WRAP : LDT_BEYOND);
    return LDT_SEL(LDT_CODE);
}

static u16 gen_data_segment(bool stack)
{
    static const u16 all[] = {LDT_SEL(LDT_START),
                              LDT_SEL(LDT_END),
                              LDT_SEL(LDT_SMALL),
                              LDT_SEL(LDT_DOWN),
                              LDT_SEL(LDT_DOWN32),
                              LDT_SEL(LDT_BIG),
                              USER_DS,
                              LDT_SEL(LDT_READ),
                              LDT_SEL(LDT_CODE),
                              0};
    u64 r = rnd();

    if (r & 1)
        return LDT_SEL(LDT_MIDDLE);
    return all[(r >> 8) % (stack ? 7 : ARRAY_SIZE(all))];
}

static void gen_segments(struct diff_case *c, unsigned int slot)
{
    u16 *sel = c->in.sel;

    segs_default(c);
    if (c->mode != MODE_16)
        return;
    sel[SEG_CS] = gen_code_segment(slot);
    if (c->seq && !rnd_one_in(8))
        return;
    for (unsigned int i = 0; i < SEG_NR; i++)
        if (i != SEG_CS)
            sel[i] = gen_data_segment(i == SEG_SS);
}

/* Of a slot: 64-bit code low or high, others low. */
static void gen_begin(struct diff_case *c, unsigned int slot, bool seq)
{
    u64 r = rnd();
    u64 off = slot * SLOT;

    if (slot == SLOT_CROSS)
        off = PAGE_SIZE - 1 - (r >> 8 & 7);
    *c = (struct diff_case){.mode = (u8)gen_mode, .seq = seq};
    c->at = (c->mode != MODE_64 || !(r & 0x70) ? LOW : HIGH) + CODE + off;
    gen_segments(c, slot);
}

bool gen_insn(struct diff_case *c, unsigned int slot)
{
    const struct form *f;
    struct insn in;

    gen_begin(c, slot, false);
    gen_turn += 1 + rnd() % 13; /* neighbours: what has many forms gets more */
    f = &forms[c->mode][gen_turn % nr_forms[c->mode]];
    return gen_form(c, f, &in);
}

/* ---- sequences ------------------------------------------------------------
 */

static bool form_is_common(const struct form *f)
{
    return !(f->row->flags & R_FPU) && !f->prefix &&
           (f->map == 0 || (f->map == 1 && f->opcode >= 0x40));
}

static const struct form *gen_pick(enum code_mode mode, bool common)
{
    const struct form *f;

    do
        f = &forms[mode][rnd() % nr_forms[mode]];
    while (!f->tame || (common && !form_is_common(f)));
    return f;
}

/* What reads the flags just made. */
static const struct form *gen_reader(enum code_mode mode)
{
    const struct form *f;

    do
        f = gen_pick(mode, true);
    while (f->row->fn != op_jcc && f->row->fn != op_setcc &&
           f->row->fn != op_cmov && f->row->fn != op_adc);
    return f;
}

static const struct form *gen_next(const struct form *last, enum code_mode mode)
{
    u64 r = rnd();

    if (last && r % 8 < 2)
        return gen_reader(mode);
    if (last && r % 8 == 2)
        return last; /* runs of PUSH and POP */
    return gen_pick(mode, r & 0x300);
}

/* Flags that are not compared must not be looked at either. */
static bool gen_is_vague(const struct insn *in)
{
    return !compare_strict &&
           (undefined_flags(in->row) & ~RFLAGS_AF || in->fn == op_lahf ||
            in->fn == op_pushf || in->fn == op_daa || in->fn == op_aaa);
}

/* Jumps go forward: to an instruction of the sequence, or out of it. */
static void gen_targets(struct diff_case *c, const u8 *start, unsigned int nr)
{
    struct insn in;

    for (unsigned int i = 0; i < nr; i++) {
        unsigned int to = i + 1 + rnd() % (nr - i);
        u64 at = c->at + start[i];

        if (insn_decode(&in, c->code + start[i], INSN_MAX, c->mode) > 0 &&
            insn_is_relative(&in) && rnd() & 3)
            put_target(&in, c->code + start[i], at,
                       c->at + (to < nr ? start[to] : c->len));
    }
}

bool gen_sequence(struct diff_case *c, unsigned int slot)
{
    unsigned int want, nr = 0, len, last_flags;
    const struct form *f = NULL;
    u8 start[16];
    struct insn in;
    bool fpu;

    gen_begin(c, slot, true);
    want = 2 + rnd() % 9;
    for (unsigned int i = 0; i < 4 * want && nr < want; i++) {
        if (c->len + 2 * INSN_MAX + 1 > CODE_MAX)
            break;
        f = gen_next(f, c->mode);
        len = c->len;
        fpu = c->fpu;
        last_flags = c->undef_flags;
        if (gen_form(c, f, &in) && insn_is_tame(&in) && !gen_is_vague(&in)) {
            start[nr++] = (u8)len;
            continue;
        }
        c->len = (u8)len;
        c->fpu = fpu;
        c->undef_flags = last_flags;
    }
    gen_targets(c, start, nr);
    return nr > 0;
}
