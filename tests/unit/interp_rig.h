/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interp_rig.h: one vCPU of the interpreter in 64-bit mode on 16 MiB, for
 * tests that call handlers directly. The first GiB is mapped to itself, for
 * all; nothing else is.
 */
#ifndef TESTS_INTERP_RIG_H
#define TESTS_INTERP_RIG_H

#include <check.h>

#include "interp/ops.h"
#include "interp/seg.h"

#define RIG_PML4   0x1000u
#define RIG_PDPT   0x2000u
#define RIG_GDT    0x3000u
#define RIG_IDT    0x4000u
#define RIG_TSS    0x5000u
#define RIG_LDT    0x5800u
#define RIG_STACK  0x8000u /* RSP at the start */
#define RIG_RSP0   0x9000u
#define RIG_RSP1   0x9800u
#define RIG_IST1   0xa000u
#define RIG_DATA   0xb000u
#define RIG_CODE   0x10000u /* RIP at the start */
#define RIG_TARGET 0x20000u /* handlers: + 16 * vector */
#define RIG_HOLE   0x40000000ull
#define RIG_WILD   0x800000000000ull /* not canonical */

enum rig_sel {
    RIG_CS0 = 0x08, /* 64-bit code, DPL 0 */
    RIG_DS0 = 0x10,
    RIG_CS3 = 0x18, /* 64-bit code, DPL 3 */
    RIG_DS3 = 0x20,
    RIG_CS32 = 0x28,   /* 32-bit code, DPL 0 */
    RIG_CS32U = 0x30,  /* 32-bit code, DPL 3 */
    RIG_CONF = 0x38,   /* 64-bit code, conforming, DPL 0 */
    RIG_RO = 0x40,     /* data, read only, DPL 0 */
    RIG_XO = 0x48,     /* code, execute only, DPL 0 */
    RIG_ABSENT = 0x50, /* data, DPL 0, not present */
    RIG_CSABS = 0x58,  /* 64-bit code, DPL 0, not present */
    RIG_CSLD = 0x60,   /* code with L and D: reserved */
    RIG_TR = 0x68,     /* available TSS, 16 bytes */
    RIG_LDTR = 0x78,   /* LDT, 16 bytes */
    RIG_DOWN = 0x88,   /* data, expand down, limit 0xfff */
    RIG_CS1 = 0x90,    /* 64-bit code, DPL 1 */
    RIG_END = 0x98,    /* first selector outside the GDT */
};

struct rig {
    struct mem *mem;
    struct bus bus;
    struct cpu *c;
    struct interp_run run;
};

static inline void rig_put(struct rig *r, u64 gpa, unsigned int size, u64 val)
{
    ck_assert_int_eq(mem_write(r->mem, gpa, &val, size), 0);
}

static inline u64 rig_get(struct rig *r, u64 gpa, unsigned int size)
{
    u64 val = 0;

    ck_assert_int_eq(mem_read(r->mem, gpa, &val, size), 0);
    return val;
}

/* type: descriptor bits 40..47; flags: bits 52..55 (AVL L D G). */
static inline void rig_desc(struct rig *r, unsigned int sel, u32 base,
                            u32 limit, u8 type, u8 flags)
{
    u64 d = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)type << 40 |
            (u64)(limit >> 16 & 15) << 48 | (u64)flags << 52 |
            (u64)(base >> 24) << 56;

    rig_put(r, RIG_GDT + sel, 8, d);
}

static inline void rig_gate(struct rig *r, unsigned int vector, u16 sel,
                            u64 rip, u8 type, u8 ist)
{
    u64 at = RIG_IDT + vector * 16;

    rig_put(r, at, 8,
            (rip & 0xffff) | (u64)sel << 16 | (u64)ist << 32 | (u64)type << 40 |
                (rip >> 16 & 0xffff) << 48);
    rig_put(r, at + 8, 8, rip >> 32);
}

static inline void rig_tables(struct rig *r)
{
    rig_put(r, RIG_PML4, 8, RIG_PDPT | 7);
    rig_put(r, RIG_PDPT, 8, 0x87);
    rig_desc(r, RIG_CS0, 0, 0xfffff, 0x9a, 0xa);
    rig_desc(r, RIG_DS0, 0, 0xfffff, 0x92, 0xc);
    rig_desc(r, RIG_CS3, 0, 0xfffff, 0xfa, 0xa);
    rig_desc(r, RIG_DS3, 0, 0xfffff, 0xf2, 0xc);
    rig_desc(r, RIG_CS32, 0, 0xfffff, 0x9a, 0xc);
    rig_desc(r, RIG_CS32U, 0, 0xfffff, 0xfa, 0xc);
    rig_desc(r, RIG_CONF, 0, 0xfffff, 0x9e, 0xa);
    rig_desc(r, RIG_RO, 0, 0xfffff, 0x90, 0xc);
    rig_desc(r, RIG_XO, 0, 0xfffff, 0x98, 0xa);
    rig_desc(r, RIG_ABSENT, 0, 0xfffff, 0x12, 0xc);
    rig_desc(r, RIG_CSABS, 0, 0xfffff, 0x1a, 0xa);
    rig_desc(r, RIG_CSLD, 0, 0xfffff, 0x9a, 0xe);
    rig_desc(r, RIG_TR, RIG_TSS, 0x200, 0x89, 0);
    rig_desc(r, RIG_LDTR, RIG_LDT, 0xff, 0x82, 0);
    rig_desc(r, RIG_DOWN, 0, 0xfff, 0x96, 0x4);
    rig_desc(r, RIG_CS1, 0, 0xfffff, 0xba, 0xa);
    for (unsigned int v = 0; v < 256; v++)
        rig_gate(r, v, RIG_CS0, RIG_TARGET + 16 * v, 0x8e, 0);
    rig_put(r, RIG_TSS + 4, 8, RIG_RSP0);
    rig_put(r, RIG_TSS + 12, 8, RIG_RSP1);
    rig_put(r, RIG_TSS + 0x24, 8, RIG_IST1);
}

/* CS, SS and data segments of a privilege level, flat, without descriptors. */
static inline void rig_cpl(struct rig *r, u8 cpl)
{
    struct cpu_seg *seg = r->c->s.seg;
    u16 cs = cpl == 3 ? RIG_CS3 : cpl == 1 ? RIG_CS1 : RIG_CS0;
    u16 ds = cpl == 3 ? RIG_DS3 : RIG_DS0;

    for (unsigned int i = 0; i < SEG_NR; i++)
        seg[i] = (struct cpu_seg){
            .limit = 0xffffffff,
            .sel = ds | cpl,
            .type = 3,
            .s = 1,
            .dpl = cpl,
            .present = 1,
            .db = 1,
            .g = 1,
        };
    seg[SEG_CS].sel = cs | cpl;
    seg[SEG_CS].type = 11;
    seg[SEG_CS].l = 1;
    seg[SEG_CS].db = 0;
    cpu_update_mode(r->c);
}

static inline void rig_state(struct rig *r)
{
    struct cpu_state *s = &r->c->s;

    s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP;
    s->cr3 = RIG_PML4;
    s->cr4 = CR4_PAE | CR4_PGE | CR4_FSGSBASE;
    s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    s->rip = RIG_CODE;
    s->rflags = RFLAGS_ONE;
    s->gpr[GPR_RSP] = RIG_STACK;
    s->gdt = (struct cpu_table){.base = RIG_GDT, .limit = RIG_END - 1};
    s->idt = (struct cpu_table){.base = RIG_IDT, .limit = 0xfff};
    s->tr = (struct cpu_seg){.base = RIG_TSS,
                             .limit = 0x200,
                             .sel = RIG_TR,
                             .type = 11,
                             .present = 1};
    s->ldt = (struct cpu_seg){.unusable = 1};
    s->mp_state = MP_RUNNABLE;
    r->c->next_rip = RIG_CODE + 2;
    r->c->run = &r->run;
    rig_cpl(r, 0);
    mmu_flush_all(r->c);
}

static inline void rig_new(struct rig *r)
{
    struct interp_env env = {.bus = &r->bus, .cpus = 1};

    *r = (struct rig){.run = {.budget = 1}};
    bus_init(&r->bus);
    ck_assert_int_eq(mem_new(&r->mem, MEM_SIZE_MIN), 0);
    env.mem = r->mem;
    ck_assert_int_eq(interp_new(&r->c, &env), 0);
    rig_tables(r);
    rig_state(r);
}

static inline void rig_free(struct rig *r)
{
    interp_free(r->c);
    mem_free(r->mem);
}

/* 32-bit protected mode without paging; flat segments of CPL 0. */
static inline void rig_protected(struct rig *r)
{
    struct cpu_state *s = &r->c->s;

    s->cr0 = CR0_PE | CR0_ET;
    s->efer = 0;
    rig_cpl(r, 0);
    s->seg[SEG_CS].sel = RIG_CS32;
    s->seg[SEG_CS].l = 0;
    s->seg[SEG_CS].db = 1;
    cpu_update_mode(r->c);
    mmu_flush_all(r->c);
}

static inline void rig_real(struct rig *r)
{
    struct cpu_state *s = &r->c->s;

    s->cr0 = CR0_ET;
    s->efer = 0;
    for (unsigned int i = 0; i < SEG_NR; i++)
        s->seg[i] =
            (struct cpu_seg){.limit = 0xffff, .type = 3, .s = 1, .present = 1};
    s->idt = (struct cpu_table){.base = 0, .limit = 0x3ff};
    s->rip = 0x100;
    cpu_update_mode(r->c);
    mmu_flush_all(r->c);
}

#define rig_fault(c, r, vec, err)                                              \
    do {                                                                       \
        ck_assert_int_eq(r, EXEC_FAULT);                                       \
        ck_assert_int_eq((c)->exc.vector, vec);                                \
        ck_assert_int_eq((c)->exc.error, err);                                 \
    } while (0)

#endif
