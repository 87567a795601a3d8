/* SPDX-License-Identifier: Apache-2.0 */
/* gen_state.c: operands: registers and bytes of the window such that an
 * instruction finds something worth looking at, or just misses it */
#include "diff.h"
#include "interp/ops.h"
#include "interp/sse.h"

#define REP_MAX 40u

/* ---- where things are -----------------------------------------------------
 */

/* 16-bit code leaves its segment. */
static void place_jump(u8 *image, const struct diff_case *c, u64 at, u32 to)
{
    u64 base = case_base(c) + CODE;
    u8 *p = image + (at - base);

    if (c->mode == MODE_16) {
        *p = 0xea;
        le16_put(p + 1, (u16)to);
        le16_put(p + 3, LDT_SEL(LDT_EXIT));
        return;
    }
    *p = 0xe9;
    le32_put(p + 1, (u32)(base - CODE + EXIT + to - (at + 5)));
}

void case_place(const struct diff_case *c, u8 *image)
{
    static const u32 end[] = {END16, END32, END};
    static const u32 branch[] = {BRANCH16, BRANCH32, BRANCH};

    memcpy(image + (c->at - case_base(c) - CODE), c->code, c->len);
    place_jump(image, c, c->at + c->len, end[c->mode]);
    place_jump(image, c, case_slot(c) + TAKEN, branch[c->mode]);
}

void case_plant(const struct diff_case *c, u8 *window)
{
    for (unsigned int i = 0; i < PLANTS; i++)
        memcpy(window + c->plant[i].off, c->plant[i].bytes, c->plant[i].len);
}

u64 case_seg(const struct diff_case *c, unsigned int seg)
{
    if (c->mode == MODE_16)
        return sel_base(c->in.sel[seg]);
    return seg == SEG_FS ? c->in.fs : seg == SEG_GS ? c->in.gs : 0;
}

/* Bytes of the stack pointer. */
static unsigned int case_stack(const struct diff_case *c)
{
    const struct diff_seg *ss = sel_ldt(c->in.sel[SEG_SS]);

    if (c->mode == MODE_64)
        return 8;
    return ss && !ss->db ? 2 : 4;
}

/* What a register has whose low size bytes are this offset. */
static u64 gen_upper(u64 off, unsigned int size)
{
    u64 r = rnd();

    return size != 2 ? off : (off & 0xffff) | (r & 1 ? r & 0xffff0000 : 0);
}

/* Near the end of page n of the window, such that size bytes cross it. */
static u64 address_crossing(unsigned int page, unsigned int size)
{
    return page * PAGE_SIZE - 1 - rnd() % MAX(size - 1, 1u);
}

static u64 address_outside(const struct diff_case *c)
{
    u64 r = rnd(), near = r >> 16 & 31;

    if (c->mode == MODE_16)
        return case_seg(c, r & 2 ? SEG_DS : SEG_SS) +
               (r & 1 ? 0x10000 - near : near);
    if (c->mode == MODE_32)
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

/* Not into code, as the low half of an address of the window might be: within
 * 64 KiB of all segments of code, or beyond its end. */
static u64 gen_hole16(void)
{
    u64 r = rnd();

    return 0x8000 | (r & (r & 0x10000 ? 0x3fff : 0xffff3fff));
}

/* Where a jump may go: out of the sequence, mostly. */
static u64 gen_target(const struct diff_case *c)
{
    if (rnd() & 3)
        return case_slot(c) + TAKEN - sel_base(c->in.sel[SEG_CS]);
    return c->mode == MODE_16 ? gen_hole16() : gen_address(c, 8);
}

/* MXCSR with or without a reserved bit, but see rnd_fpu(). */
static u32 gen_mxcsr(void)
{
    u32 val = (u32)rnd();

    if (rnd() & 7)
        val &= MXCSR_VALID;
    return val & ~(1u << 17);
}

/* Linux's, at any privilege, but for the one that has a processor's number; and
 * those of the LDT, by 16-bit code more often. */
u16 gen_selector(const struct diff_case *c)
{
    u64 r = rnd();
    u16 sel = r & 0x10 ? (u16)(r >> 8 & 0x7f) : (u16)(0x23 + (r >> 8) % 3 * 8);

    if (c->mode == MODE_16 ? r & 0x20 : !(r & 0xe0))
        sel = LDT_SEL((r >> 8) % LDT_ENDS);
    if (!(r & 0xf))
        sel = (u16)(r >> 16);
    return (sel & ~3u) == 0x78 ? 3 : sel;
}

/* To the slot, if there is such code; else to where nothing is. */
static u64 gen_far_ldt(const struct diff_case *c, u16 sel)
{
    bool wild = rnd_one_in(4);

    if (sel >> 3 == LDT_EXIT && !wild)
        return c->mode == MODE_16 ? BRANCH16 : FAR16;
    if (c->mode == MODE_16 && sel >> 3 != LDT_CODE32 && !wild)
        return case_slot(c) + TAKEN - sel_base(sel);
    return gen_hole16();
}

/* If it leads into the other mode, or the slot is too far: to EXIT at once. */
u64 gen_far(const struct diff_case *c, u16 sel, unsigned int size)
{
    enum code_mode to = (sel & ~3) == (USER_CS32 & ~3) ? MODE_32 : MODE_64;

    if (sel_ldt(sel))
        return gen_far_ldt(c, sel);
    if (rnd_one_in(4))
        return gen_address(c, 8);
    if (to == c->mode && (size == 8 || case_base(c) == LOW))
        return case_slot(c) + TAKEN;
    return LOW + EXIT + (to == MODE_32 ? BRANCH32 : BRANCH);
}

/* What IRET pops; of 2 bytes each is not far from 0. Without TF: where it would
 * trap is not code of the guest's. */
static unsigned int gen_frame(const struct diff_case *c, unsigned int size,
                              u8 *frame)
{
    u16 cs = gen_selector(c), ss = rnd() & 3 ? USER_DS : gen_selector(c);
    u64 item[] = {gen_far(c, cs, size), cs, rnd() & ~(u64)RFLAGS_TF,
                  gen_address(c, 8) - sel_base(ss), ss};

    for (unsigned int i = 0; i < ARRAY_SIZE(item); i++)
        memcpy(frame + i * size, &item[i], size);
    return (unsigned int)ARRAY_SIZE(item) * size;
}

static bool takes_selector(const struct insn *in)
{
    static op_fn *const fns[] = {op_mov_to_sreg, op_lar_lsl, op_verify};

    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (in->fn == fns[i])
            return true;
    return false;
}

/* AMD's processors know no offsets of 8 bytes. */
static void plant_far(struct diff_case *c, const struct insn *in, u64 at)
{
    unsigned int size = MIN(in->size, 4);
    u16 sel = gen_selector(c);
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
        plant_u64(c, 0, at, gen_selector(c), 2);
    else if (in->fn == op_lxs)
        plant_u64(c, 0, at + in->size, gen_selector(c), 2);
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
    off -= case_seg(c, in->seg);
    if (in->rip_relative || (in->base == GPR_NONE && in->index == GPR_NONE)) {
        to = in->rip_relative ? c->at + in->len + (u64)in->disp : (u64)in->disp;
    } else if (in->base == GPR_NONE) {
        gpr[in->index] = off >> in->scale;
        to -= off & ((1ull << in->scale) - 1); /* as near as it gets */
    } else if (in->index == GPR_NONE) {
        gpr[in->base] = gen_upper(off, in->asize);
    } else if (in->base != in->index) {
        if (rnd() & 3)
            gpr[in->index] = rnd() % 64 - 32;
        gpr[in->base] =
            gen_upper(off - (gpr[in->index] << in->scale), in->asize);
    }
    plant_operand(c, in, to);
}

/* BT and kin with a register: not all over the address space. */
static void solve_bit(struct diff_case *c, const struct insn *in)
{
    if (in->reg != in->base && in->reg != in->index && rnd() & 7)
        c->in.gpr[in->reg] = rnd() % 1024 - 512;
}

/* Into a register: where in this segment of 16-bit code is linear address at?
 */
static u64 gen_offset(const struct diff_case *c, unsigned int seg, u64 at,
                      unsigned int size)
{
    return c->mode == MODE_16 ? gen_upper(at - case_seg(c, seg), size) : at;
}

static void solve_string(struct diff_case *c, const struct insn *in)
{
    u64 *gpr = c->in.gpr, from = gen_address(c, in->size);
    u64 to = gen_address(c, in->size);

    if (rnd_one_in(4)) /* overlap */
        to = from + rnd() % 64 - 32;
    gpr[GPR_RSI] = gen_offset(c, in->seg, from, in->asize);
    gpr[GPR_RDI] = gen_offset(c, SEG_ES, to, in->asize);
    if (in->prefix & (PFX_REP | PFX_REPNE))
        gpr[GPR_RCX] = gen_upper(rnd() % REP_MAX, in->asize);
    if (in->asize == 4 && case_base(c) == HIGH) {
        gpr[GPR_RSI] += LOW - (u32)HIGH;
        gpr[GPR_RDI] += LOW - (u32)HIGH;
    }
}

/* What it is that a return pops. */
static void plant_stack(struct diff_case *c, const struct insn *in, u64 at)
{
    u8 frame[40];

    if (in->fn == op_ret)
        plant_u64(c, 1, at, gen_target(c), 8);
    else if (in->fn == op_popf)
        plant_u64(c, 1, at, rnd(), 8);
    else if (in->fn == op_iret || in->fn == op_ret_far)
        plant(c, 1, at, frame, gen_frame(c, in->size, frame));
    else if (in->fn == op_pop_sreg)
        plant_u64(c, 1, at, gen_selector(c), 8);
}

static void solve_stack(struct diff_case *c, const struct insn *in)
{
    u64 *gpr = c->in.gpr, at;
    unsigned int size = case_stack(c);

    if (rnd() & 1)
        gpr[GPR_RSP] = gen_offset(c, SEG_SS, gen_address(c, 8), size);
    /* A far call into 64-bit code pushes there. Linux takes a fault of 32-bit
     * code above 4 GiB for an erratum of the K8's: it tries again, for ever. */
    if (c->mode != MODE_64 && in->fn == op_call_far && (u32)gpr[GPR_RSP] < 8)
        gpr[GPR_RSP] += 8;
    if (in->fn == op_leave)
        gpr[GPR_RBP] = gen_offset(c, SEG_SS, gen_address(c, 8), size);
    at = gpr[GPR_RSP];
    if (c->mode == MODE_16)
        at = (at & size_mask(size)) + case_seg(c, SEG_SS);
    plant_stack(c, in, at);
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
        gpr[GPR_RBX] = gen_offset(c, in->seg, gen_address(c, 1), 4) -
                       (gpr[GPR_RAX] & 0xff);
    else if (in->fn == op_sse_maskmov || in->fn == op_mmx_maskmov)
        gpr[GPR_RDI] = gen_offset(
            c, in->seg, gen_address(c, in->fn == op_mmx_maskmov ? 8 : 16), 4);
    else if ((in->fn == op_div || in->fn == op_idiv) && rnd() & 7)
        solve_division(c, in);
    else if (in->row->flags & R_BITOFF && in->mem)
        solve_bit(c, in);
    else if ((in->fn == op_jmp_ind || in->fn == op_call_ind) && !in->mem)
        gpr[in->rm] = gen_target(c);
    else if (takes_selector(in) && !in->mem)
        gpr[in->rm] = gen_selector(c);
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

static u64 gen_pointer(const struct diff_case *c, unsigned int reg, u64 at)
{
    unsigned int seg = reg == GPR_RSP || reg == GPR_RBP ? SEG_SS : SEG_DS;

    if (reg == GPR_RSP)
        return gen_offset(c, seg, at, case_stack(c));
    return gen_offset(c, seg, at, rnd() & 3 ? 4 : 2);
}

/* Pointers in RBX, RBP, RSI, RDI and RSP; always good ones for sequences. */
static void gen_pointers(struct diff_case *c)
{
    static const u8 regs[] = {GPR_RBX, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RSP};
    u64 data = case_base(c) + DATA, *gpr = c->in.gpr;

    for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
        u64 r = rnd(), at = gen_address(c, 8);

        if (c->seq && r & 15)
            at = data + 0x200 + (r >> 8) % 0x3a00 / 8 * 8;
        else if (!(r & 3))
            continue;
        gpr[regs[i]] = gen_pointer(c, regs[i], at);
    }
    if (rnd() & 15)
        gpr[GPR_RSP] =
            gen_pointer(c, GPR_RSP, data + 0x800 + rnd() % 0x3000 / 8 * 8);
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
    if (native_fsgs && c->mode == MODE_64)
        *(rnd() & 1 ? &c->in.fs : &c->in.gs) = gen_base();
    gen_pointers(c);
    c->in.rflags = (rnd() & (FLAGS_ARITH | RFLAGS_ID)) | RFLAGS_IF | RFLAGS_ONE;
    if (rnd_one_in(4))
        c->in.rflags |= RFLAGS_DF;
    /* The IRET that sets it sets no more than SP, if that has 16 bits. */
    if (rnd_one_in(64) && case_stack(c) != 2)
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
    return (off & size_mask(in->asize)) + case_seg(c, in->seg);
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
    if (insn_decode(&in, c->code, c->len, c->mode) <= 0 || in.fn != op_fxsave)
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
    if (insn_decode(&in, c->code, c->len, c->mode) > 0)
        gen_solve(c, &in);
    if (c->mode == MODE_64)
        return;
    for (unsigned int i = 0; i < 16; i++)
        c->in.gpr[i] = i < 8 ? (u32)c->in.gpr[i] : 0;
}

void gen_state(struct diff_case *c)
{
    gen_operands(c);
    case_finish(c);
}
