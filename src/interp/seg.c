/* SPDX-License-Identifier: Apache-2.0 */
/* seg.c: descriptors, segment registers, limits, the current mode, stacks. */
#include "seg.h"
#include "insn.h"

/* ---- descriptors -------------------------------------------------------- */

static struct cpu_seg desc_to_seg(u64 raw, u16 sel)
{
    u32 limit = (u32)(raw & 0xffff) | (u32)(raw >> 32 & 0xf0000);
    u8 g = raw >> 55 & 1;

    return (struct cpu_seg){
        .base = (raw >> 16 & 0xffffff) | (raw >> 56 << 24),
        .limit = g ? limit << 12 | 0xfff : limit,
        .sel = sel,
        .type = raw >> 40 & 15,
        .s = raw >> 44 & 1,
        .dpl = raw >> 45 & 3,
        .present = raw >> 47 & 1,
        .avl = raw >> 52 & 1,
        .l = raw >> 53 & 1,
        .db = raw >> 54 & 1,
        .g = g,
    };
}

/* Linear address of len bytes of a selector's entry. */
static bool desc_find(const struct cpu *c, u16 sel, unsigned int len, u64 *la)
{
    u64 off = sel & 0xfff8u, base = c->s.gdt.base, limit = c->s.gdt.limit;

    if (sel & 4) {
        if (c->s.ldt.unusable || !c->s.ldt.present)
            return false;
        base = c->s.ldt.base;
        limit = c->s.ldt.limit;
    }
    *la = base + off;
    if (!c->long_mode)
        *la &= 0xffffffff;
    return off + len - 1 <= limit;
}

enum exec desc_read(struct cpu *c, u16 sel, u8 vector, struct desc *d)
{
    enum exec r;

    if (!desc_find(c, sel, 8, &d->la))
        return raise_sel(c, vector, sel);
    r = sys_ld(c, d->la, 8, &d->raw);
    if (r != EXEC_OK)
        return r;
    d->seg = desc_to_seg(d->raw, sel);
    return EXEC_OK;
}

enum exec desc_read_system(struct cpu *c, u16 sel, struct desc *d)
{
    enum exec r = desc_read(c, sel, EXC_GP, d);
    u64 high, la;

    if (r != EXEC_OK || !c->long_mode)
        return r;
    if (!desc_find(c, sel, 16, &la))
        return raise_sel(c, EXC_GP, sel);
    r = sys_ld(c, la + 8, 8, &high);
    if (r != EXEC_OK)
        return r;
    d->seg.base |= high << 32;
    if (!is_canonical(d->seg.base) || high >> 40 & 31)
        return raise_sel(c, EXC_GP, sel); /* type of the upper half is 0 */
    return EXEC_OK;
}

/* Other processors share the table, and one of them may be changing another
 * bit of the same byte. */
enum exec desc_set_type(struct cpu *c, struct desc *d, u8 bits)
{
    enum exec r;

    if ((d->raw >> 40 & bits) == bits)
        return EXEC_OK;
    r = sys_set_bits(c, d->la + 5, bits);
    if (r != EXEC_OK)
        return r;
    d->raw |= (u64)bits << 40;
    d->seg.type |= bits;
    return EXEC_OK;
}

/* ---- modes -------------------------------------------------------------- */

void cpu_update_mode(struct cpu *c)
{
    const struct cpu_seg *cs = &c->s.seg[SEG_CS], *ss = &c->s.seg[SEG_SS];

    c->long_mode = c->s.efer & EFER_LMA ? 1 : 0;
    c->mode = c->long_mode && cs->l ? MODE_64 : cs->db ? MODE_32 : MODE_16;
    /* SS.DPL is the CPL in every mode but real mode: SDM vol. 3C 24.4.1. */
    c->cpl = c->s.cr0 & CR0_PE ? ss->dpl : 0;
    c->stack_size = c->mode == MODE_64 ? 8 : ss->db ? 4 : 2;
    mmu_set_cpl(c);
}

enum exec seg_check_rip(struct cpu *c, const struct cpu_seg *cs, u64 rip)
{
    bool ok = c->long_mode && cs->l ? is_canonical(rip) : rip <= cs->limit;

    return likely(ok) ? EXEC_OK : raise_gp(c);
}

/* ---- limits ------------------------------------------------------------- */

/* Is [off, off + size) usable for this access outside 64-bit mode? */
static bool seg_range_ok(const struct cpu *c, const struct cpu_seg *s, u64 off,
                         unsigned int size, enum access acc)
{
    u64 last = off + size - 1;

    if (s->unusable)
        return false;
    if (c->s.cr0 & CR0_PE) { /* in real mode any segment is read-write */
        if (acc == ACC_WRITE && !seg_is_writable(s))
            return false;
        if (acc == ACC_READ && !seg_is_readable(s))
            return false;
    }
    if (s->s && (s->type & (TYPE_CODE | TYPE_DOWN)) == TYPE_DOWN)
        return off > s->limit && last <= (s->db ? 0xffffffffu : 0xffffu);
    return last <= s->limit;
}

enum exec seg_linear_legacy(struct cpu *c, unsigned int seg, u64 off,
                            unsigned int size, enum access acc, u64 *la)
{
    const struct cpu_seg *s = &c->s.seg[seg];

    if (unlikely(!seg_range_ok(c, s, off, size, acc)))
        return raise_err(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
    *la = (u32)(s->base + off);
    return EXEC_OK;
}

/* ---- segment registers -------------------------------------------------- */

void seg_set_real(struct cpu_seg *s, u16 sel)
{
    s->sel = sel;
    s->base = (u64)sel << 4;
    s->unusable = 0;
    s->present = 1;
}

/* NULL_SEL_CLR_BASE of CPUID 80000021: the base becomes 0. */
void seg_set_null(struct cpu_seg *s, u16 sel, u8 dpl)
{
    *s = (struct cpu_seg){.sel = sel, .dpl = dpl, .unusable = 1};
}

enum exec seg_read_ss(struct cpu *c, u16 sel, u8 cpl, bool code64, u8 vector,
                      struct cpu_seg *ss)
{
    struct desc d;
    enum exec r;

    if (sel_is_null(sel)) {
        if (!code64 || cpl == 3 || (sel & 3) != cpl)
            return raise_err(c, vector, 0);
        seg_set_null(ss, sel, cpl);
        return EXEC_OK;
    }
    r = desc_read(c, sel, vector, &d);
    if (r != EXEC_OK)
        return r;
    if ((sel & 3) != cpl || d.seg.dpl != cpl || !seg_is_writable(&d.seg))
        return raise_sel(c, vector, sel);
    if (!d.seg.present)
        return raise_sel(c, EXC_SS, sel);
    r = desc_set_type(c, &d, TYPE_ACCESSED);
    if (r == EXEC_OK)
        *ss = d.seg;
    return r;
}

static enum exec seg_read_data(struct cpu *c, u16 sel, struct cpu_seg *s)
{
    struct desc d;
    enum exec r;

    if (sel_is_null(sel)) {
        seg_set_null(s, sel, 0);
        return EXEC_OK;
    }
    r = desc_read(c, sel, EXC_GP, &d);
    if (r != EXEC_OK)
        return r;
    if (!seg_is_readable(&d.seg) ||
        (!seg_is_conforming(&d.seg) && MAX(sel & 3, c->cpl) > d.seg.dpl))
        return raise_sel(c, EXC_GP, sel);
    if (!d.seg.present)
        return raise_sel(c, EXC_NP, sel);
    r = desc_set_type(c, &d, TYPE_ACCESSED);
    if (r == EXEC_OK)
        *s = d.seg;
    return r;
}

enum exec seg_load(struct cpu *c, unsigned int seg, u16 sel)
{
    struct cpu_seg *s = &c->s.seg[seg];
    enum exec r = EXEC_OK;

    if (!(c->s.cr0 & CR0_PE))
        seg_set_real(s, sel);
    else if (seg == SEG_SS)
        r = seg_read_ss(c, sel, c->cpl, c->mode == MODE_64, EXC_GP, s);
    else
        r = seg_read_data(c, sel, s);
    if (r != EXEC_OK)
        return r;
    if (seg == SEG_SS)
        cpu_update_mode(c);
    cpu_dirty(c, CPU_SREGS);
    return EXEC_OK;
}

/* ---- stacks ------------------------------------------------------------- */

static u64 stack_pointer(u64 old, unsigned int width, u64 sp)
{
    if (width == 2)
        return (old & ~0xffffull) | (sp & 0xffff);
    return sp & size_mask(width);
}

void stack_set(struct cpu *c, u64 sp)
{
    c->s.gpr[GPR_RSP] = stack_pointer(c->s.gpr[GPR_RSP], c->stack_size, sp);
}

struct stack stack_now(const struct cpu *c)
{
    return (struct stack){
        .ss = c->s.seg[SEG_SS],
        .sp = c->s.gpr[GPR_RSP],
        .width = c->stack_size,
        .cpl = c->cpl,
    };
}

enum exec stack_put(struct cpu *c, struct stack *st, unsigned int size, u64 val)
{
    u64 sp = stack_pointer(st->sp, st->width, st->sp - size);
    u64 off = sp & size_mask(st->width);
    u64 la = st->width == 8 ? off : (u32)(st->ss.base + off);
    enum exec r;

    if (st->width == 8 ? !is_canonical(off) || !is_canonical(off + size - 1)
                       : !seg_range_ok(c, &st->ss, off, size, ACC_WRITE))
        return raise_err(c, EXC_SS, 0);
    r = st->cpl == 3 ? mem_st(c, la, size, val) : sys_st(c, la, size, val);
    if (r == EXEC_OK)
        st->sp = sp;
    return r;
}

enum exec stack_peek(struct cpu *c, u64 off, unsigned int size, u64 *val)
{
    u64 sp = (c->s.gpr[GPR_RSP] + off) & size_mask(c->stack_size), la;
    enum exec r = seg_linear(c, SEG_SS, sp, size, ACC_READ, &la);

    return r == EXEC_OK ? mem_ld(c, la, size, val) : r;
}

enum exec stack_room(struct cpu *c, u64 sp, unsigned int size)
{
    u64 la;
    enum exec r = seg_linear(c, SEG_SS, sp & size_mask(c->stack_size), size,
                             ACC_WRITE, &la);

    return r == EXEC_OK ? mmu_probe(c, la, size, ACC_WRITE) : r;
}

enum exec stack_push(struct cpu *c, unsigned int size, u64 val)
{
    struct stack st = stack_now(c);
    enum exec r = stack_put(c, &st, size, val);

    c->s.gpr[GPR_RSP] = st.sp;
    return r;
}

enum exec stack_pop(struct cpu *c, unsigned int size, u64 *val)
{
    enum exec r = stack_peek(c, 0, size, val);

    if (r == EXEC_OK)
        stack_set(c, c->s.gpr[GPR_RSP] + size);
    return r;
}
