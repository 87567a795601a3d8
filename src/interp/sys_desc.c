/* SPDX-License-Identifier: Apache-2.0 */
/* sys_desc.c: descriptor table registers, LDT and task register, and the
 * instructions that ask about selectors. SDM vol. 2A and 2B. */
#include "ops.h"
#include "seg.h"

/* ---- GDTR, IDTR --------------------------------------------------------- */

static unsigned int table_bytes(const struct cpu *c)
{
    return c->mode == MODE_64 ? 10 : 6;
}

static struct cpu_table *table_meant(struct cpu *c, const struct insn *in)
{
    return in->reg & 1 ? &c->s.idt : &c->s.gdt;
}

enum exec op_load_table(struct cpu *c, struct insn *in)
{
    u8 buf[10] = {0};
    u64 base;
    enum exec r = mem_ld_buf(c, in->la, buf, table_bytes(c));

    if (r != EXEC_OK)
        return r;
    base = le64_get(buf + 2);
    if (c->mode != MODE_64 && in->size == 2)
        base &= 0xffffff;
    if (!is_canonical(base))
        return raise_gp(c);
    *table_meant(c, in) =
        (struct cpu_table){.base = base, .limit = le16_get(buf)};
    cpu_dirty(c, CPU_SREGS);
    return EXEC_OK;
}

enum exec op_store_table(struct cpu *c, struct insn *in)
{
    const struct cpu_table *t = table_meant(c, in);
    u8 buf[10];

    le16_put(buf, t->limit);
    le64_put(buf + 2, t->base);
    return mem_st_buf(c, in->la, buf, table_bytes(c));
}

/* ---- LDTR, TR ----------------------------------------------------------- */

/* In the GDT, and of one of these types. */
static enum exec system_read(struct cpu *c, u16 sel, unsigned int types,
                             struct desc *d)
{
    enum exec r;

    if (sel & 4)
        return raise_sel(c, EXC_GP, sel);
    r = desc_read_system(c, sel, d);
    if (r != EXEC_OK)
        return r;
    if (d->seg.s || !(types >> d->seg.type & 1))
        return raise_sel(c, EXC_GP, sel);
    return d->seg.present ? EXEC_OK : raise_sel(c, EXC_NP, sel);
}

enum exec op_lldt(struct cpu *c, struct insn *in)
{
    u16 sel = (u16)in->src;
    struct desc d;
    enum exec r = EXEC_OK;

    if (sel_is_null(sel))
        seg_set_null(&d.seg, sel, 0);
    else
        r = system_read(c, sel, 1u << SYS_LDT, &d);
    if (r != EXEC_OK)
        return r;
    c->s.ldt = d.seg;
    cpu_dirty(c, CPU_SREGS);
    return EXEC_OK;
}

enum exec op_ltr(struct cpu *c, struct insn *in)
{
    unsigned int types = 1u << SYS_TSS | (c->long_mode ? 0 : 1u << SYS_TSS16);
    u16 sel = (u16)in->src;
    struct desc d;
    enum exec r;

    if (sel_is_null(sel))
        return raise_gp(c);
    r = system_read(c, sel, types, &d);
    if (r == EXEC_OK)
        r = desc_set_type(c, &d, TSS_BUSY);
    if (r != EXEC_OK)
        return r;
    c->s.tr = d.seg;
    cpu_dirty(c, CPU_SREGS);
    return EXEC_OK;
}

enum exec op_store_system(struct cpu *c, struct insn *in)
{
    in->dst = in->reg & 1 ? c->s.tr.sel : c->s.ldt.sel;
    return EXEC_OK;
}

/* ---- questions about selectors ------------------------------------------ */

static void zf_write(struct cpu *c, bool zf)
{
    c->s.rflags = (c->s.rflags & ~RFLAGS_ZF) | (zf ? RFLAGS_ZF : 0);
}

/* Is the descriptor there, and visible at max(CPL, RPL)? A selector outside
 * its table answers no; only page faults are raised. */
static enum exec query_desc(struct cpu *c, u16 sel, struct desc *d, bool *ok)
{
    enum exec r;

    *ok = false;
    if (sel_is_null(sel))
        return EXEC_OK;
    r = desc_read(c, sel, EXC_GP, d);
    if (r == EXEC_FAULT && c->exc.vector == EXC_GP)
        return EXEC_OK;
    if (r != EXEC_OK)
        return r;
    *ok = seg_is_conforming(&d->seg) || MAX(sel & 3, c->cpl) <= d->seg.dpl;
    return EXEC_OK;
}

/* System types that LAR and LSL know. 16-bit ones only in legacy mode. */
static bool query_type_ok(const struct cpu *c, const struct cpu_seg *s,
                          bool limit)
{
    unsigned int types = 1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY;

    if (!limit)
        types |= 1u << SYS_CALL;
    if (!c->long_mode)
        types |= 1u << SYS_TSS16 | 1u << SYS_TSS16_BUSY;
    if (!limit && !c->long_mode)
        types |= 1u << SYS_CALL16 | 1u << SYS_TASK_GATE;
    return s->s || types >> s->type & 1;
}

enum exec op_lar_lsl(struct cpu *c, struct insn *in)
{
    bool limit = in->opcode & 1, ok;
    struct desc d;
    enum exec r = query_desc(c, (u16)in->src, &d, &ok);

    if (r != EXEC_OK)
        return r;
    ok = ok && query_type_ok(c, &d.seg, limit);
    if (ok)
        reg_set(c, in->reg, in->size,
                limit ? d.seg.limit : d.raw >> 32 & 0xffff00);
    zf_write(c, ok);
    return EXEC_OK;
}

enum exec op_verify(struct cpu *c, struct insn *in)
{
    struct desc d;
    bool ok;
    enum exec r = query_desc(c, (u16)in->src, &d, &ok);

    if (r == EXEC_OK)
        zf_write(c, ok && (in->reg & 1 ? seg_is_writable(&d.seg)
                                       : seg_is_readable(&d.seg)));
    return r;
}

enum exec op_arpl(struct cpu *c, struct insn *in)
{
    bool raise = (in->dst & 3) < (in->src & 3);
    u64 sel = (in->dst & ~3ull) | (in->src & 3);
    enum exec r = EXEC_OK;

    if (raise && in->mem) {
        r = seg_linear(c, in->seg, in->off, in->size, ACC_WRITE, &in->la);
        if (r == EXEC_OK)
            r = mem_st(c, in->la, in->size, sel);
    } else if (raise) {
        reg_set(c, in->rm, in->size, sel);
    }
    if (r == EXEC_OK)
        zf_write(c, raise);
    return r;
}
