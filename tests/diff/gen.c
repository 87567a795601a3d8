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

static struct form forms[2][FORMS_MAX]; /* of 64-bit and of 32-bit mode */
static unsigned int nr_forms[2];

static enum code_mode gen_mode(bool bits32)
{
    return bits32 ? MODE_32 : MODE_64;
}

unsigned int gen_count(void)
{
    return nr_forms[0] + nr_forms[1];
}

/* ---- what can be compared -------------------------------------------------
 */

/* Clocks, CPUID and random numbers are the host's own, and what UMIP forbids is
 * emulated by Linux. ICEBP's RIP under a hypervisor is that of the instruction,
 * on a processor the next one's. What is hidden from guests only is #UD. */
static bool row_excluded(const struct row *row)
{
    static op_fn *const fns[] = {
        op_int1,     op_rdtsc,  op_rdtscp,  op_rdpmc, op_rdrand, op_cpuid,
        op_sgdt,     op_sidt,   op_smsw,    op_sldt,  op_str,    op_clac,
        op_stac,     op_vmcall, op_monitor, op_vex,   op_xsave,  op_xrstor,
        op_xsaveopt, op_xsavec, op_xgetbv,  op_xsetbv};

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
        op_ud,          op_lar,      op_lsl,     op_verr,    op_verw,
        op_mov_to_sreg, op_pop_sreg, op_lxs,     op_int,     op_popf,
        op_hlt,         op_cli,      op_in,      op_out,     op_ins,
        op_outs,        op_sti,      op_ldmxcsr, op_fxrstor, op_bound,
        op_syscall,     op_sysenter, op_int1,    op_int3,    op_into,
        op_jmp_far,     op_call_far, op_ret_far, op_iret};

    if (in->row->flags & R_CPL0 || insn_shows_pointers(in))
        return false;
    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (in->fn == fns[i])
            return false;
    return true;
}

/* In a sequence, perhaps into another one of the batch. */
static bool insn_goes_anywhere(const struct insn *in)
{
    return in->fn == op_ret || in->fn == op_jmp_ind || in->fn == op_call_ind;
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
static const struct row *form_row(const struct form *f, bool bits32, u8 modrm,
                                  struct insn *in)
{
    u8 bytes[INSN_MAX] = {f->prefix};
    unsigned int n = f->prefix ? 1 : 0;

    n += put_opcode(bytes + n, f);
    bytes[n] = modrm;
    if (insn_decode(in, bytes, sizeof(bytes), gen_mode(bits32)) <= 0 ||
        in->opcode != f->opcode || in->map != f->map || insn_excluded(in))
        return NULL;
    return in->row;
}

static void form_add(struct form f, bool bits32, const struct insn *in)
{
    if (nr_forms[bits32] == FORMS_MAX)
        abort();
    f.row = in->row;
    f.tame = insn_is_tame(in);
    forms[bits32][nr_forms[bits32]++] = f;
}

/* One form if ModRM.reg is an operand, else one for each. */
static void form_add_regs(struct form f, bool bits32)
{
    u8 mod = f.mem ? 0x46 : 0xc1; /* disp8(%rsi), or %ecx */
    const struct row *row[8];
    struct insn in[8];
    bool same = true;

    for (u8 reg = 0; reg < 8; reg++) {
        row[reg] = form_row(&f, bits32, (u8)(mod | reg << 3), &in[reg]);
        same = same && row[reg] == row[0];
    }
    if (same && row[0] && row[0]->fn != op_x87) {
        f.reg = ANY;
        form_add(f, bits32, &in[0]);
        return;
    }
    for (f.reg = 0; f.reg < 8; f.reg++)
        if (row[f.reg])
            form_add(f, bits32, &in[f.reg]);
}

static void form_find(struct form f, bool bits32)
{
    const struct row *row = NULL;
    struct insn in;

    for (unsigned int i = 0; i < 256 && !row; i++)
        row = form_row(&f, bits32, (u8)i, &in);
    if (!row)
        return;
    if (!(row->flags & R_MODRM)) {
        f.reg = ANY;
        form_add(f, bits32, &in);
        return;
    }
    for (unsigned int mem = 0; mem < 2; mem++) {
        f.mem = mem;
        form_add_regs(f, bits32);
    }
}

void gen_start(void)
{
    static const u8 prefixes[] = {0, 0x66, 0xf2, 0xf3};

    for (unsigned int i = 0; i < 2 * 4 * 256 * ARRAY_SIZE(prefixes); i++) {
        struct form f = {.prefix = prefixes[i & 3],
                         .opcode = (u8)(i >> 2),
                         .map = i >> 10 & 3};

        form_find(f, i >> 12);
    }
}

/* ---- bytes ----------------------------------------------------------------
 */

static unsigned int put_prefixes(u8 *p, const struct form *f, bool bits32,
                                 bool tame)
{
    static const u8 segs[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    bool lock = f->row->flags & R_LOCK && f->mem;
    unsigned int n = 0, i;
    u8 swap;

    if (rnd_one_in(bits32 || tame ? 48 : 12))
        p[n++] = 0x67;
    if (rnd_one_in(tame ? 48 : 12))
        p[n++] = segs[rnd() % (bits32 ? 4 : 6)];
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
    if (!bits32 && rnd() & 1)
        p[n++] = 0x40 | (rnd() & (tame ? 12 : 15));
    return n;
}

/* In a sequence addresses are near RBX, RBP, RSI or RDI. */
static unsigned int put_modrm(u8 *p, const struct form *f, bool tame)
{
    static const u8 bases[] = {3, 5, 6, 7};
    u64 r = rnd();
    u8 reg = f->reg == ANY ? r >> 8 & 7 : f->reg;
    u8 mod = f->mem ? (u8)((r >> 16) % 3) : 3, rm = r >> 24 & 7;

    if (tame && f->mem && r >> 32 & 15) {
        mod = 1;
        rm = bases[r >> 36 & 3];
    }
    p[0] = (u8)(mod << 6 | reg << 3 | rm);
    p[1] = (u8)(r >> 40);
    return mod != 3 && rm == 4 ? 2 : 1;
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
    if (in->row->dst == W_O || in->row->src == W_O)
        put_le(p + in->len - in->asize, in->asize, to);
    else if (in->mem && in->rip_relative)
        put_le(p + disp_at, 4, to - (at + in->len));
    else if (in->mem && in->base == GPR_NONE && in->index == GPR_NONE &&
             in->asize != 2)
        put_le(p + disp_at, 4, to);
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
    u16 sel = gen_selector();

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

/*
 * An instruction of this form behind the c->len bytes there are. Its bytes
 * beyond ModRM are random at first; those of the displacement and of the
 * immediate are found by decoding it.
 */
static bool gen_form(struct diff_case *c, const struct form *f, struct insn *in)
{
    u8 *p = c->code + c->len;
    unsigned int n = put_prefixes(p, f, c->bits32, c->seq), modrm, disp = 0;
    u64 at = c->at + c->len;

    n += put_opcode(p + n, f);
    modrm = n;
    if (f->row->flags & R_MODRM) {
        disp = n + put_modrm(p + n, f, c->seq);
        n = disp;
    }
    put_le(p + n, 8, c->seq ? rnd() & 0x3f3f3f3f3f3f3f38 : rnd_int());
    put_le(p + n + 8, 8, rnd());
    if (insn_decode(in, p, INSN_MAX, gen_mode(c->bits32)) <= 0 ||
        in->row == &row_ud)
        return false;
    if (in->mem && disp)
        n += insn_disp_len(in, p + modrm);
    if (in->len > n && in->len - n <= 8)
        put_le(p + n, in->len - n, rnd_int());
    put_address(c, in, p, at, disp);
    if (insn_is_relative(in))
        put_target(in, p, at, case_slot(c) + TAKEN);
    if (insn_is_far(in))
        put_far(c, in, p);
    if (in->fn == op_int)
        p[in->len - 1] = gen_vector();
    if (insn_decode(in, p, INSN_MAX, gen_mode(c->bits32)) <= 0 ||
        insn_excluded(in))
        return false;
    c->len += in->len;
    c->fpu |= in->row->flags & R_FPU || in->fn == op_fwait ||
              (c->seq && insn_goes_anywhere(in));
    c->undef_flags |= undefined_flags(in->row);
    return true;
}

static bool gen_bits32;
static u64 gen_turn;

void gen_batch(bool bits32)
{
    gen_bits32 = bits32;
    gen_turn = rnd();
}

/* Of a slot: 64-bit code low or high, 32-bit code low. */
static void gen_begin(struct diff_case *c, unsigned int slot, bool seq)
{
    u64 r = rnd();
    u64 off = slot * SLOT;

    if (slot == SLOT_CROSS)
        off = PAGE_SIZE - 1 - (r >> 8 & 7);
    *c = (struct diff_case){.bits32 = gen_bits32, .seq = seq};
    c->at = (c->bits32 || !(r & 0x70) ? LOW : HIGH) + CODE + off;
}

bool gen_insn(struct diff_case *c, unsigned int slot)
{
    const struct form *f;
    struct insn in;

    gen_begin(c, slot, false);
    gen_turn += 1 + rnd() % 13; /* neighbours: what has many forms gets more */
    f = &forms[c->bits32][gen_turn % nr_forms[c->bits32]];
    return gen_form(c, f, &in);
}

/* ---- sequences ------------------------------------------------------------
 */

static bool form_is_common(const struct form *f)
{
    return !(f->row->flags & R_FPU) && !f->prefix &&
           (f->map == 0 || (f->map == 1 && f->opcode >= 0x40));
}

static const struct form *gen_pick(bool bits32, bool common)
{
    const struct form *f;

    do
        f = &forms[bits32][rnd() % nr_forms[bits32]];
    while (!f->tame || (common && !form_is_common(f)));
    return f;
}

/* What reads the flags just made. */
static const struct form *gen_reader(bool bits32)
{
    const struct form *f;

    do
        f = gen_pick(bits32, true);
    while (f->row->fn != op_jcc && f->row->fn != op_setcc &&
           f->row->fn != op_cmov && f->row->fn != op_adc);
    return f;
}

static const struct form *gen_next(const struct form *last, bool bits32)
{
    u64 r = rnd();

    if (last && r % 8 < 2)
        return gen_reader(bits32);
    if (last && r % 8 == 2)
        return last; /* runs of PUSH and POP */
    return gen_pick(bits32, r & 0x300);
}

/* Flags that are not compared must not be looked at either. */
static bool gen_is_vague(const struct insn *in)
{
    return !compare_strict &&
           (undefined_flags(in->row) & ~RFLAGS_AF || in->fn == op_lahf ||
            in->fn == op_pushf || in->fn == op_daa || in->fn == op_das ||
            in->fn == op_aaa || in->fn == op_aas);
}

/* Jumps go forward: to an instruction of the sequence, or out of it. */
static void gen_targets(struct diff_case *c, const u8 *start, unsigned int nr)
{
    struct insn in;

    for (unsigned int i = 0; i < nr; i++) {
        unsigned int to = i + 1 + rnd() % (nr - i);
        u64 at = c->at + start[i];

        if (insn_decode(&in, c->code + start[i], INSN_MAX,
                        gen_mode(c->bits32)) > 0 &&
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
        f = gen_next(f, c->bits32);
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
