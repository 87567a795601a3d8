/* SPDX-License-Identifier: Apache-2.0 */
/* gen_state.c: operands: registers and bytes of the window such that an
 * instruction finds something worth looking at, or just misses it */
#include "diff.h"
#include "interp/ops.h"
#include "interp/sse.h"

#define REP_MAX 40u

/* ---- where things are -----------------------------------------------------
 */

static void place_jump(u8 *image, const struct diff_case *c, u64 at, u32 to)
{
    u64 base = case_base(c) + CODE;
    u8 *p = image + (at - base);

    *p = 0xe9;
    le32_put(p + 1, (u32)(base - CODE + EXIT + to - (at + 5)));
}

void case_place(const struct diff_case *c, u8 *image)
{
    memcpy(image + (c->at - case_base(c) - CODE), c->code, c->len);
    place_jump(image, c, c->at + c->len, c->bits32 ? END32 : END);
    place_jump(image, c, case_slot(c) + TAKEN, c->bits32 ? BRANCH32 : BRANCH);
}

void case_plant(const struct diff_case *c, u8 *window)
{
    for (unsigned int i = 0; i < PLANTS; i++)
        memcpy(window + c->plant[i].off, c->plant[i].bytes, c->plant[i].len);
}

/* Near the end of page n of the window, such that size bytes cross it. */
static u64 address_crossing(unsigned int page, unsigned int size)
{
    return page * PAGE_SIZE - 1 - rnd() % MAX(size - 1, 1u);
}

static u64 address_outside(const struct diff_case *c)
{
    u64 r = rnd(), near = r >> 16 & 31;

    if (c->bits32)
        return r & 1 ? (u32)-near : r >> 32;
    switch (r & 7) {
    case 0:
        return (1ull << 47) - near; /* crosses out of the canonical ones */
    case 1:
        return (1ull << 47) + (r >> 8 & 0xfff0);
    case 2: /* with a base: see gen_base() */
        return 0xffff800000000000 - (c->in.fs | c->in.gs ? 0 : near);
    case 3:
        return 0xffff800000000000 + (r >> 8 & 0xfff0);
    case 4:
        return -near;
    case 5:
        return near;
    default:
        return rnd();
    }
}

/* For an operand of size bytes: half of the time aligned and there. */
u64 gen_address(const struct diff_case *c, unsigned int size)
{
    u64 data = case_base(c) + DATA, r = rnd();
    u64 at = data + 64 + (r >> 32) % (DATA_RW - 1024);

    switch (r & 63) {
    case 0 ... 9:
        return at;
    case 10 ... 13: /* across a cache line */
        return (at | 63) - rnd() % MAX(size, 1u);
    case 14 ... 20:
        return data + address_crossing(1 + (r >> 8) % 3, size);
    case 21:
        return data + address_crossing(DATA_RW / PAGE_SIZE, size);
    case 22:
        return data + address_crossing(DATA_SIZE / PAGE_SIZE, size);
    case 23:
        return data - 1 - rnd() % MAX(size, 1u);
    case 24 ... 26:
        return data + DATA_RW + (r >> 8 & 0x7f8);
    case 27:
        return data + DATA_SIZE + (r >> 8 & 0x7ff);
    case 28 ... 29:
        return address_outside(c);
    default:
        return at & ~15ull;
    }
}

/* ---- bytes of the window --------------------------------------------------
 */

static void plant(struct diff_case *c, unsigned int i, u64 at,
                  const void *bytes, u32 len)
{
    u64 data = at >= HIGH ? HIGH + DATA : LOW + DATA;

    if (at - data >= DATA_SIZE)
        return;
    len = MIN(len, (u32)(DATA_SIZE - (at - data)));
    c->plant[i].off = (u32)(at - data);
    c->plant[i].len = len;
    memcpy(c->plant[i].bytes, bytes, len);
}

static void plant_u64(struct diff_case *c, unsigned int i, u64 at, u64 val,
                      u32 len)
{
    u8 bytes[8];

    le64_put(bytes, val);
    plant(c, i, at, bytes, len);
}

/* Where a jump may go: out of the sequence, mostly. */
static u64 gen_target(const struct diff_case *c)
{
    return rnd() & 3 ? case_slot(c) + TAKEN : gen_address(c, 8);
}

/* MXCSR with or without a reserved bit, but see rnd_fpu(). */
static u32 gen_mxcsr(void)
{
    u32 val = (u32)rnd();

    if (rnd() & 7)
        val &= MXCSR_VALID;
    return val & ~(1u << 17);
}

/* Linux's, at any privilege, but for the one that has a processor's number. */
u16 gen_selector(void)
{
    u64 r = rnd();
    u16 sel = r & 0x10 ? (u16)(r >> 8 & 0x7f) : (u16)(0x23 + (r >> 8) % 3 * 8);

    if (!(r & 0xf))
        sel = (u16)(r >> 16);
    return (sel & ~3u) == 0x78 ? 3 : sel;
}

/* If it leads into the other mode, or the slot is too far: to EXIT at once. */
u64 gen_far(const struct diff_case *c, u16 sel, unsigned int size)
{
    bool to32 = (sel & ~3) == (USER_CS32 & ~3);

    if (rnd_one_in(4))
        return gen_address(c, 8);
    if (to32 == c->bits32 && (size == 8 || case_base(c) == LOW))
        return case_slot(c) + TAKEN;
    return LOW + EXIT + (to32 ? BRANCH32 : BRANCH);
}

/* What IRET pops; of 2 bytes each is not far from 0. Without TF: where it would
 * trap is not code of the guest's. */
static unsigned int gen_frame(const struct diff_case *c, unsigned int size,
                              u8 *frame)
{
    u16 cs = gen_selector(), ss = rnd() & 3 ? USER_DS : gen_selector();
    u64 item[] = {gen_far(c, cs, size), cs, rnd() & ~(u64)RFLAGS_TF,
                  gen_address(c, 8), ss};

    for (unsigned int i = 0; i < ARRAY_SIZE(item); i++)
        memcpy(frame + i * size, &item[i], size);
    return (unsigned int)ARRAY_SIZE(item) * size;
}

static bool takes_selector(const struct insn *in)
{
    static op_fn *const fns[] = {op_mov_to_sreg, op_lar, op_lsl, op_verr,
                                 op_verw};

    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (in->fn == fns[i])
            return true;
    return false;
}

/* AMD's processors know no offsets of 8 bytes. */
static void plant_far(struct diff_case *c, const struct insn *in, u64 at)
{
    unsigned int size = MIN(in->size, 4);
    u16 sel = gen_selector();
    u8 bytes[8];

    le64_put(bytes, gen_far(c, sel, size));
    le16_put(bytes + size, sel);
    plant(c, 0, at, bytes, size + 2);
}

static void plant_operand(struct diff_case *c, const struct insn *in, u64 at)
{
    u8 bytes[16];

    le64_put(bytes, rnd() & 1 ? rnd_int() : rnd_float());
    le64_put(bytes + 8, rnd() & 1 ? rnd_int() : rnd_float());
    if (in->fn == op_cmpxchg || in->fn == op_cmpxchg8b) {
        le64_put(bytes, c->in.gpr[GPR_RAX]);
        le64_put(bytes + 8, c->in.gpr[GPR_RDX]);
        if (in->fn == op_cmpxchg8b && in->msize == 8)
            le32_put(bytes + 4, (u32)c->in.gpr[GPR_RDX]);
    }
    if (in->fn == op_jmp_ind || in->fn == op_call_ind)
        le64_put(bytes, gen_target(c));
    if (in->fn == op_jmp_far || in->fn == op_call_far)
        plant_far(c, in, at);
    else if (takes_selector(in))
        plant_u64(c, 0, at, gen_selector(), 2);
    else if (in->fn == op_lxs)
        plant_u64(c, 0, at + in->size, gen_selector(), 2);
    else if (in->fn == op_fxrstor)
        plant_u64(c, 0, at + FX_MXCSR, gen_mxcsr(), 4);
    else if (in->fn == op_ldmxcsr)
        plant_u64(c, 0, at, gen_mxcsr(), 4);
    else if (rnd() & 7)
        plant(c, 0, at, bytes, 16);
}

/* ---- registers ------------------------------------------------------------
 */

static void solve_memory(struct diff_case *c, const struct insn *in)
{
    u64 to = gen_address(c, in->msize), off, *gpr = c->in.gpr;

    if (in->asize == 4)
        to = (u32)to - (u32)case_base(c) + LOW;
    if (in->seg >= SEG_FS && !is_canonical(to - c->in.fs - c->in.gs))
        c->in.fs = c->in.gs = 0; /* see gen_base() */
    off = to - (u64)in->disp;
    if (in->seg == SEG_FS)
        off -= c->in.fs;
    else if (in->seg == SEG_GS)
        off -= c->in.gs;
    if (in->rip_relative || (in->base == GPR_NONE && in->index == GPR_NONE)) {
        to = in->rip_relative ? c->at + in->len + (u64)in->disp : (u64)in->disp;
    } else if (in->base == GPR_NONE) {
        gpr[in->index] = off >> in->scale;
        to -= off & ((1ull << in->scale) - 1); /* as near as it gets */
    } else if (in->index == GPR_NONE) {
        gpr[in->base] = off;
    } else if (in->base != in->index) {
        if (rnd() & 3)
            gpr[in->index] = rnd() % 64 - 32;
        gpr[in->base] = off - (gpr[in->index] << in->scale);
    }
    plant_operand(c, in, to);
}

/* BT and kin with a register: not all over the address space. */
static void solve_bit(struct diff_case *c, const struct insn *in)
{
    if (in->reg != in->base && in->reg != in->index && rnd() & 7)
        c->in.gpr[in->reg] = rnd() % 1024 - 512;
}

static void solve_string(struct diff_case *c, const struct insn *in)
{
    u64 *gpr = c->in.gpr;

    gpr[GPR_RSI] = gen_address(c, in->size);
    gpr[GPR_RDI] = gen_address(c, in->size);
    if (rnd_one_in(4)) /* overlap */
        gpr[GPR_RDI] = gpr[GPR_RSI] + rnd() % 64 - 32;
    if (in->prefix & (PFX_REP | PFX_REPNE))
        gpr[GPR_RCX] = rnd() % REP_MAX;
    if (in->asize == 4 && case_base(c) == HIGH) {
        gpr[GPR_RSI] += LOW - (u32)HIGH;
        gpr[GPR_RDI] += LOW - (u32)HIGH;
    }
}

static void solve_stack(struct diff_case *c, const struct insn *in)
{
    u64 *gpr = c->in.gpr;
    u8 frame[40];

    if (rnd() & 1)
        gpr[GPR_RSP] = gen_address(c, 8);
    /* A far call into 64-bit code pushes there. Linux takes a fault of 32-bit
     * code above 4 GiB for an erratum of the K8's: it tries again, for ever. */
    if (c->bits32 && in->fn == op_call_far && (u32)gpr[GPR_RSP] < 8)
        gpr[GPR_RSP] += 8;
    if (in->fn == op_leave)
        gpr[GPR_RBP] = gen_address(c, 8);
    if (in->fn == op_ret)
        plant_u64(c, 1, gpr[GPR_RSP], gen_target(c), 8);
    else if (in->fn == op_popf)
        plant_u64(c, 1, gpr[GPR_RSP], rnd(), 8);
    else if (in->fn == op_iret || in->fn == op_ret_far)
        plant(c, 1, gpr[GPR_RSP], frame, gen_frame(c, in->size, frame));
    else if (in->fn == op_pop_sreg)
        plant_u64(c, 1, gpr[GPR_RSP], gen_selector(), 8);
}

/* Quotients that fit, often enough. */
static void solve_division(struct diff_case *c, const struct insn *in)
{
    u64 *gpr = c->in.gpr;

    if (in->mod == 3 && in->rm == GPR_RDX)
        return;
    gpr[GPR_RDX] = rnd() & 1 ? 0 : in->fn == op_idiv ? ~0ull : rnd() & 15;
    if (in->size == 1)
        gpr[GPR_RAX] &= 0xffff & rnd();
}

static bool uses_stack(const struct insn *in)
{
    static op_fn *const fns[] = {
        op_push,      op_pop,      op_pop_rm, op_pusha,   op_popa,     op_pushf,
        op_popf,      op_enter,    op_leave,  op_call,    op_call_ind, op_ret,
        op_push_sreg, op_pop_sreg, op_iret,   op_ret_far, op_call_far};

    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (in->fn == fns[i])
            return true;
    return false;
}

/* Linux lets these two past any filter. */
static void solve_syscall(struct diff_case *c)
{
    enum { URETPROBE = 335, UPROBE = 336 };
    u64 nr = (u32)c->in.gpr[GPR_RAX];

    if (nr == URETPROBE || nr == UPROBE)
        c->in.gpr[GPR_RAX] = 0;
}

static void solve_implicit(struct diff_case *c, const struct insn *in)
{
    u64 *gpr = c->in.gpr;

    if (in->row->flags & R_REP)
        solve_string(c, in);
    else if (uses_stack(in))
        solve_stack(c, in);
    else if (in->fn == op_syscall)
        solve_syscall(c);
    else if (in->fn == op_xlat)
        gpr[GPR_RBX] = gen_address(c, 1) - (gpr[GPR_RAX] & 0xff);
    else if (in->fn == op_sse_maskmov || in->fn == op_mmx_maskmov)
        gpr[GPR_RDI] = gen_address(c, in->fn == op_mmx_maskmov ? 8 : 16);
    else if ((in->fn == op_div || in->fn == op_idiv) && rnd() & 7)
        solve_division(c, in);
    else if (in->row->flags & R_BITOFF && in->mem)
        solve_bit(c, in);
    else if ((in->fn == op_jmp_ind || in->fn == op_call_ind) && !in->mem)
        gpr[in->rm] = gen_target(c);
    else if (takes_selector(in) && !in->mem)
        gpr[in->rm] = gen_selector();
    else if (in->fn == op_cmpxchg && !in->mem && rnd() & 1)
        gpr[in->rm] = gpr[GPR_RAX];
}

void gen_solve(struct diff_case *c, const struct insn *in)
{
    solve_implicit(c, in);
    if (in->mem && in->row->dst != W_O && in->row->src != W_O &&
        in->fn != op_lea)
        solve_memory(c, in);
    else if (in->fn == op_mov && in->mem)
        plant_operand(c, in, in->imm);
}

/* Pointers in RBX, RBP, RSI, RDI and RSP; always good ones for sequences. */
static void gen_pointers(struct diff_case *c)
{
    static const u8 regs[] = {GPR_RBX, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RSP};
    u64 data = case_base(c) + DATA;

    for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
        u64 r = rnd();

        if (c->seq && r & 15)
            c->in.gpr[regs[i]] = data + 0x200 + (r >> 8) % 0x3a00 / 8 * 8;
        else if (r & 3)
            c->in.gpr[regs[i]] = gen_address(c, 8);
    }
    if (rnd() & 15)
        c->in.gpr[GPR_RSP] = data + 0x800 + rnd() % 0x3000 / 8 * 8;
}

/* Not in the upper half: AMD's processors want the offset alone to be canonical
 * too, and Intel's only the sum. At most one of the two is not 0. */
static u64 gen_base(void)
{
    u64 r = rnd();

    switch (r & 3) {
    case 0:
        return 0;
    case 1:
        return rnd_int() >> 18;
    default:
        return r >> 40;
    }
}

/* Short loops of repeated strings, wherever they are in a sequence. */
static void gen_registers(struct diff_case *c)
{
    for (unsigned int i = 0; i < 16; i++)
        c->in.gpr[i] = rnd_int();
    c->in.fs = c->in.gs = 0;
    if (native_fsgs)
        *(rnd() & 1 ? &c->in.fs : &c->in.gs) = gen_base();
    gen_pointers(c);
    c->in.rflags = (rnd() & (FLAGS_ARITH | RFLAGS_ID)) | RFLAGS_IF | RFLAGS_ONE;
    if (rnd_one_in(4))
        c->in.rflags |= RFLAGS_DF;
    if (rnd_one_in(64))
        c->in.rflags |= RFLAGS_TF;
    if (rnd_one_in(c->seq ? 64 : 8)) /* a sequence mostly ends by it */
        c->in.rflags |= RFLAGS_AC;
    if (c->seq)
        c->in.gpr[GPR_RCX] &= 31;
}

/* ---- what need not be the same ---------------------------------------------
 */

static u64 insn_address(const struct diff_case *c, const struct insn *in)
{
    u64 off = (u64)in->disp;

    if (in->base != GPR_NONE)
        off += c->in.gpr[in->base];
    if (in->index != GPR_NONE)
        off += c->in.gpr[in->index] << in->scale;
    if (in->rip_relative)
        off += c->at + in->len;
    if (in->asize == 4)
        off = (u32)off;
    if (in->seg == SEG_FS)
        return off + c->in.fs;
    return in->seg == SEG_GS ? off + c->in.gs : off;
}

static void blank(struct diff_case *c, unsigned int i, u64 at, u64 end)
{
    u64 data = at >= HIGH ? HIGH + DATA : LOW + DATA;

    at = MAX(at, data);
    end = MIN(end, data + DATA_SIZE);
    if (at < end)
        c->blank[i] = (struct diff_blank){(u32)(at - data), (u32)(end - at)};
}

/* The state that is stored has pointers that are not kept, and a mask that says
 * what MXCSR has. */
void case_finish(struct diff_case *c)
{
    struct insn in;
    u64 at;

    memset(c->blank, 0, sizeof(c->blank));
    if (insn_decode(&in, c->code, c->len, c->bits32 ? MODE_32 : MODE_64) <= 0 ||
        in.fn != op_fxsave)
        return;
    at = insn_address(c, &in);
    blank(c, 0, at + FX_FTW + 1, at + FX_MXCSR);
    blank(c, 1, at + FX_MXCSR_MASK, at + FX_ST);
}

void case_blank(const struct diff_case *c, u8 *window)
{
    for (unsigned int i = 0; i < PLANTS; i++)
        memset(window + c->blank[i].off, 0, c->blank[i].len);
}

/* ---- all of it -------------------------------------------------------------
 */

static void gen_operands(struct diff_case *c)
{
    struct insn in;

    gen_registers(c);
    for (unsigned int i = 0; i < PLANTS; i++)
        c->plant[i].off = c->plant[i].len = 0;
    if (c->fpu)
        rnd_fpu(c->fx);
    if (insn_decode(&in, c->code, c->len, c->bits32 ? MODE_32 : MODE_64) > 0)
        gen_solve(c, &in);
    if (!c->bits32)
        return;
    for (unsigned int i = 0; i < 16; i++)
        c->in.gpr[i] = i < 8 ? (u32)c->in.gpr[i] : 0;
}

void gen_state(struct diff_case *c)
{
    gen_operands(c);
    case_finish(c);
}
