/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of sys.c, sys_cr.c and sys_desc.c. */
#include "interp_rig.h"

static struct rig rig;
static u64 port_log[3]; /* offset, size, value of the last OUT */

static u64 port_read(void *dev, u64 off, unsigned int size)
{
    return 0x1122334455667788ull >> off * 8 & size_mask(size);
}

static void port_write(void *dev, u64 off, unsigned int size, u64 val)
{
    port_log[0] = off;
    port_log[1] = size;
    port_log[2] = val;
}

static const struct bus_ops port_ops = {.read = port_read, .write = port_write};

static void setup(void)
{
    rig_new(&rig);
    ck_assert_int_eq(
        bus_add(&rig.bus, BUS_PIO, 0x60, 8, "test", &port_ops, NULL), 0);
    memset(port_log, 0, sizeof(port_log));
}

static void teardown(void)
{
    rig_free(&rig);
}

/* ---- ports -------------------------------------------------------------- */

static const struct io_case {
    const char *name;
    u8 cpl, iopl;
    u16 port;
    u8 size;
    bool ok;
} ios[] = {
    {"CPL 0", 0, 0, 0x60, 1, true},
    {"IOPL 3", 3, 3, 0x60, 1, true},
    {"denied", 3, 0, 0x60, 1, false},
    {"denied to CPL 1", 1, 0, 0x60, 1, false},
    {"allowed", 3, 0, 0x61, 1, true},
    {"word over a denied one", 3, 0, 0x5f, 2, false},
    {"dword over bytes", 3, 0, 0x61, 4, true},
    {"dword, last denied", 3, 0, 0x65, 4, false},
    {"last byte of the map", 3, 0, 0x70, 1, true},
    {"the byte after is needed", 3, 0, 0x78, 1, false},
    {"far outside", 3, 0, 0xffff, 1, false},
};

START_TEST(test_sys_io)
{
    const struct io_case *t = &ios[_i];
    struct cpu *c = rig.c;
    enum exec r;

    rig_put(&rig, RIG_TSS + 0x66, 2, 0x68);      /* map base */
    rig_put(&rig, RIG_TSS + 0x68 + 12, 1, 0x01); /* 60 */
    rig_put(&rig, RIG_TSS + 0x68 + 13, 1, 0x01); /* 68 */
    c->s.tr.limit = 0x68 + 15;
    rig_cpl(&rig, t->cpl);
    c->s.rflags |= (u64)t->iopl << 12;
    r = io_check(c, t->port, t->size);
    ck_assert_msg(r == (t->ok ? EXEC_OK : EXEC_FAULT), "%s", t->name);
    if (!t->ok)
        rig_fault(c, r, EXC_GP, 0);
}
END_TEST

START_TEST(test_sys_in_out)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 4, .src = 0x62, .dst = 0xcafe};

    ck_assert_int_eq(op_out(c, &in), EXEC_OK);
    ck_assert_uint_eq(port_log[0], 2);
    ck_assert_uint_eq(port_log[1], 4);
    ck_assert_uint_eq(port_log[2], 0xcafe);
    ck_assert_int_eq(op_in(c, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, 0x33445566);
    in.size = 2;
    in.src = 0x3000;
    ck_assert_int_eq(op_in(c, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, 0xffff);
    rig_cpl(&rig, 3);
    in.src = 0x62;
    port_log[1] = 0;
    rig_put(&rig, RIG_TSS + 0x66, 2, 0x68);
    c->s.tr.limit = 0x67; /* no map */
    rig_fault(c, op_out(c, &in), EXC_GP, 0);
    ck_assert_uint_eq(port_log[1], 0);
}
END_TEST

/* ---- interrupt flag ----------------------------------------------------- */

START_TEST(test_sys_cli_sti)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 4};

    ck_assert_int_eq(op_sti(c, &in), EXEC_OK);
    ck_assert(c->s.rflags & RFLAGS_IF);
    ck_assert_int_eq(c->s.event.shadow_sti, 1);
    c->s.event.shadow_sti = 0;
    ck_assert_int_eq(op_sti(c, &in), EXEC_OK);
    ck_assert_int_eq(c->s.event.shadow_sti, 0); /* IF was set already */
    ck_assert_int_eq(op_cli(c, &in), EXEC_OK);
    ck_assert(!(c->s.rflags & RFLAGS_IF));
    rig_cpl(&rig, 3);
    rig_fault(c, op_sti(c, &in), EXC_GP, 0);
    rig_fault(c, op_cli(c, &in), EXC_GP, 0);
    c->s.rflags |= RFLAGS_IOPL;
    ck_assert_int_eq(op_sti(c, &in), EXEC_OK);
}
END_TEST

/* ---- control and debug registers ---------------------------------------- */

START_TEST(test_sys_cr)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .reg = 2, .src = 0x123456789abcdef0};
    const struct {
        u8 reg;
        const u64 *val;
    } crs[] = {{0, &c->s.cr0}, {3, &c->s.cr3}, {4, &c->s.cr4}};

    ck_assert_int_eq(op_mov_to_cr(c, &in), EXEC_OK);
    ck_assert_int_eq(op_mov_from_cr(c, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, 0x123456789abcdef0);
    for (unsigned int i = 0; i < ARRAY_SIZE(crs); i++) {
        in = (struct insn){.size = 8, .reg = crs[i].reg};
        ck_assert_int_eq(op_mov_from_cr(c, &in), EXEC_OK);
        ck_assert_uint_eq(in.dst, *crs[i].val);
    }
    in = (struct insn){.size = 8, .reg = 8, .src = 16};
    rig_fault(c, op_mov_to_cr(c, &in), EXC_GP, 0);
}
END_TEST

START_TEST(test_sys_lmsw)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 2, .src = 0xfffe};

    ck_assert_int_eq(op_lmsw(c, &in), EXEC_OK); /* PE stays */
    ck_assert_uint_eq(c->s.cr0 & 15, 15);
    in.src = 0;
    ck_assert_int_eq(op_lmsw(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.cr0 & 15, 1);
    c->s.cr0 |= CR0_TS;
    ck_assert_int_eq(op_smsw(c, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, c->s.cr0);
    ck_assert_int_eq(op_clts(c, &in), EXEC_OK);
    ck_assert(!(c->s.cr0 & CR0_TS));
}
END_TEST

static const struct dr_case {
    const char *name;
    u8 reg;
    u64 cr4, val;
    u8 want; /* vector */
    u64 read;
} drs[] = {
    {"DR0", 0, 0, 0x123456789, 0, 0x123456789},
    {"DR3", 3, 0, RIG_WILD, 0, RIG_WILD},
    {"DR6", 6, 0, 0, 0, 0xffff0ff0},
    {"DR6 all", 6, 0, 0xffffffff, 0, 0xffffefff},
    {"DR6 upper half", 6, 0, 1ull << 32, EXC_GP, 0},
    {"DR7", 7, 0, 0, 0, 0x400},
    {"DR7 all but GD", 7, 0, 0xffffdfff, 0, 0xffff07ff},
    {"DR7 upper half", 7, 0, 1ull << 63, EXC_GP, 0},
    {"DR4 is DR6", 4, 0, 0xf, 0, 0xffff0fff},
    {"DR5 is DR7", 5, 0, 1, 0, 0x401},
    {"DR4 with DE", 4, CR4_DE, 0, EXC_UD, 0},
    {"DR5 with DE", 5, CR4_DE, 0, EXC_UD, 0},
};

START_TEST(test_sys_dr)
{
    const struct dr_case *t = &drs[_i];
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .reg = t->reg, .src = t->val};

    c->s.cr4 |= t->cr4;
    if (t->want) {
        rig_fault(c, op_mov_to_dr(c, &in), t->want, 0);
        return;
    }
    ck_assert_int_eq(op_mov_to_dr(c, &in), EXEC_OK);
    ck_assert_int_eq(op_mov_from_dr(c, &in), EXEC_OK);
    ck_assert_msg(in.dst == t->read, "%s: %#lx", t->name, in.dst);
    ck_assert(rig.run.dirty & CPU_DEBUG);
}
END_TEST

START_TEST(test_sys_dr_general_detect)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .reg = 0, .src = 1};

    c->s.dr7 = 0x2400;
    rig_fault(c, op_mov_to_dr(c, &in), EXC_DB, 0);
    ck_assert_uint_eq(c->exc.dr6, 1 << 13);
    ck_assert_uint_eq(c->s.dr[0], 0);
    rig_fault(c, op_mov_from_dr(c, &in), EXC_DB, 0);
}
END_TEST

START_TEST(test_sys_bases)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .src = 0xffff888000000000};

    in.reg = 3;
    ck_assert_int_eq(op_fsgsbase(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.seg[SEG_GS].base, in.src);
    c->s.msr.kernel_gs_base = 0x77;
    ck_assert_int_eq(op_swapgs(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.seg[SEG_GS].base, 0x77);
    ck_assert_uint_eq(c->s.msr.kernel_gs_base, in.src);
    in.reg = 1;
    ck_assert_int_eq(op_fsgsbase(c, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, 0x77);
    in.reg = 2;
    in.src = RIG_WILD;
    rig_fault(c, op_fsgsbase(c, &in), EXC_GP, 0);
    c->s.cr4 &= ~CR4_FSGSBASE;
    rig_fault(c, op_fsgsbase(c, &in), EXC_UD, 0);
}
END_TEST

/* ---- descriptor tables -------------------------------------------------- */

START_TEST(test_sys_tables)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .la = RIG_DATA, .reg = 3};

    rig_put(&rig, RIG_DATA, 2, 0x7f);
    rig_put(&rig, RIG_DATA + 2, 8, 0xfffffe0000000000);
    ck_assert_int_eq(op_load_table(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.idt.base, 0xfffffe0000000000);
    ck_assert_uint_eq(c->s.idt.limit, 0x7f);
    in.la = RIG_DATA + 0x20;
    in.reg = 1;
    ck_assert_int_eq(op_store_table(c, &in), EXEC_OK);
    ck_assert_uint_eq(rig_get(&rig, in.la, 2), 0x7f);
    ck_assert_uint_eq(rig_get(&rig, in.la + 2, 8), 0xfffffe0000000000);
    ck_assert_uint_eq(rig_get(&rig, in.la + 10, 1), 0);
    rig_put(&rig, RIG_DATA + 2, 8, RIG_WILD);
    in.la = RIG_DATA;
    in.reg = 2;
    rig_fault(c, op_load_table(c, &in), EXC_GP, 0);
    ck_assert_uint_eq(c->s.gdt.base, RIG_GDT);
    rig_protected(&rig);
    rig_put(&rig, RIG_DATA + 2, 4, 0x12345678);
    in.size = 2; /* 24 bits of base */
    ck_assert_int_eq(op_load_table(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gdt.base, 0x345678);
}
END_TEST

static const struct ltr_case {
    const char *name;
    op_fn *fn;
    u16 sel;
    u8 type;  /* patched into the descriptor; 0: as it is */
    u32 high; /* upper half of the base */
    u8 want;
    u16 error;
} ltrs[] = {
    {"ltr", op_ltr, RIG_TR, 0, 0xffff8000, 0, 0},
    {"ltr null", op_ltr, 3, 0, 0, EXC_GP, 0},
    {"ltr in LDT", op_ltr, RIG_TR | 4, 0, 0, EXC_GP, RIG_TR | 4},
    {"ltr busy", op_ltr, RIG_TR, 0x8b, 0, EXC_GP, RIG_TR},
    {"ltr 16-bit TSS", op_ltr, RIG_TR, 0x81, 0, EXC_GP, RIG_TR},
    {"ltr LDT", op_ltr, RIG_LDTR, 0, 0, EXC_GP, RIG_LDTR},
    {"ltr absent", op_ltr, RIG_TR, 0x09, 0, EXC_NP, RIG_TR},
    {"ltr wild", op_ltr, RIG_TR, 0, 0x8000, EXC_GP, RIG_TR},
    {"ltr half outside", op_ltr, 0x90, 0x89, 0, EXC_GP, 0x90},
    {"lldt", op_lldt, RIG_LDTR, 0, 0, 0, 0},
    {"lldt null", op_lldt, 0, 0, 0, 0, 0},
    {"lldt TSS", op_lldt, RIG_TR, 0, 0, EXC_GP, RIG_TR},
    {"lldt absent", op_lldt, RIG_LDTR, 0x02, 0, EXC_NP, RIG_LDTR},
    {"lldt in LDT", op_lldt, 0xc, 0, 0, EXC_GP, 0xc},
};

START_TEST(test_sys_ltr)
{
    const struct ltr_case *t = &ltrs[_i];
    struct cpu *c = rig.c;
    struct insn in = {.src = t->sel, .reg = t->fn == op_ltr};
    struct cpu_seg *s = t->fn == op_ltr ? &c->s.tr : &c->s.ldt, old = *s;
    enum exec r;

    if (t->type)
        rig_put(&rig, RIG_GDT + t->sel + 5, 1, t->type);
    if (t->high)
        rig_put(&rig, RIG_GDT + t->sel + 8, 4, t->high);
    r = t->fn(c, &in);
    if (t->want) {
        ck_assert_msg(r == EXEC_FAULT && c->exc.vector == t->want &&
                          c->exc.error == t->error,
                      "%s: %d vector %u error %#x", t->name, r, c->exc.vector,
                      c->exc.error);
        ck_assert(!memcmp(&old, s, sizeof(old)));
        return;
    }
    ck_assert_msg(r == EXEC_OK, "%s", t->name);
    ck_assert_uint_eq(s->sel, t->sel);
    if (t->sel == RIG_TR) { /* busy, in the register and in the table */
        ck_assert_uint_eq(s->base, (u64)t->high << 32 | RIG_TSS);
        ck_assert_uint_eq(s->type, 11);
        ck_assert_uint_eq(rig_get(&rig, RIG_GDT + RIG_TR + 5, 1), 0x8b);
    }
    ck_assert_int_eq(op_store_system(c, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, t->sel);
}
END_TEST

/* lar, lsl, verr, verw: -1 means ZF clear. */
static const struct query_case {
    const char *name;
    u8 cpl;
    u16 sel;
    s64 lar, lsl;
    bool verr, verw;
} queries[] = {
    {"code", 0, RIG_CS0, 0xaf9a00, 0xffffffff, true, false},
    {"data", 0, RIG_DS0, 0xcf9200, 0xffffffff, true, true},
    {"read only", 0, RIG_RO, 0xcf9000, 0xffffffff, true, false},
    {"execute only", 0, RIG_XO, 0xaf9800, 0xffffffff, false, false},
    {"inner", 3, RIG_DS0, -1, -1, false, false},
    {"RPL", 0, RIG_DS0 | 3, -1, -1, false, false},
    {"user", 3, RIG_DS3 | 3, 0xcff200, 0xffffffff, true, true},
    {"conforming", 3, RIG_CONF, 0xaf9e00, 0xffffffff, true, false},
    {"TSS", 0, RIG_TR, 0x008900, 0x200, false, false},
    {"LDT", 0, RIG_LDTR, 0x008200, 0xff, false, false},
    {"upper half of a TSS", 0, RIG_TR + 8, -1, -1, false, false},
    {"absent", 0, RIG_ABSENT, 0xcf1200, 0xffffffff, true, true},
    {"null", 0, 0, -1, -1, false, false},
    {"outside", 0, RIG_END, -1, -1, false, false},
    {"no LDT", 0, 4, -1, -1, false, false},
};

START_TEST(test_sys_query)
{
    const struct query_case *t = &queries[_i];
    struct cpu *c = rig.c;
    struct insn in = {.size = 4, .src = t->sel};
    op_fn *const fn[] = {op_lar_lsl, op_lar_lsl, op_verify, op_verify};
    s64 want[] = {t->lar, t->lsl, t->verr ? 0 : -1, t->verw ? 0 : -1};

    rig_cpl(&rig, t->cpl);
    for (unsigned int i = 0; i < 4; i++) {
        c->s.rflags = RFLAGS_ONE | RFLAGS_CF | (i & 1 ? RFLAGS_ZF : 0);
        c->s.gpr[GPR_RBX] = -7ull;
        in.opcode = 2 + (i & 1); /* LAR, LSL; VERR, VERW */
        in.reg = i < 2 ? GPR_RBX : 2 + i;
        ck_assert_msg(fn[i](c, &in) == EXEC_OK, "%s: %u", t->name, i);
        ck_assert_msg(c->s.rflags == (RFLAGS_ONE | RFLAGS_CF |
                                      (want[i] < 0 ? 0 : RFLAGS_ZF)),
                      "%s: %u: flags %#lx", t->name, i, c->s.rflags);
        if (i < 2)
            ck_assert_msg(c->s.gpr[GPR_RBX] ==
                              (want[i] < 0 ? -7ull : (u64)want[i]),
                          "%s: %u: %#lx", t->name, i, c->s.gpr[GPR_RBX]);
    }
}
END_TEST

/* A page fault is not an answer. */
START_TEST(test_sys_query_faults)
{
    struct insn in = {.src = RIG_DS0};

    rig.c->s.gdt.base = RIG_HOLE;
    rig_fault(rig.c, op_verify(rig.c, &in), EXC_PF, 0);
}
END_TEST

START_TEST(test_sys_arpl)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 2, .dst = 0x10, .src = 0x23, .rm = GPR_RBX};

    c->s.gpr[GPR_RBX] = 0x50010;
    ck_assert_int_eq(op_arpl(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RBX], 0x50013);
    ck_assert(c->s.rflags & RFLAGS_ZF);
    in = (struct insn){.size = 2, .mem = true, .dst = 3, .off = RIG_HOLE};
    ck_assert_int_eq(op_arpl(c, &in), EXEC_OK); /* nothing to write */
    ck_assert(!(c->s.rflags & RFLAGS_ZF));
    in.src = 3;
    in.dst = 0;
    rig_fault(c, op_arpl(c, &in), EXC_PF, PF_W);
    ck_assert(!(c->s.rflags & RFLAGS_ZF));
}
END_TEST

/* ---- the rest ----------------------------------------------------------- */

START_TEST(test_sys_undefined)
{
    op_fn *const fn[] = {op_ud, op_xgetbv, op_xsetbv, op_clac_stac};
    struct insn in = {.size = 4};

    for (unsigned int i = 0; i < ARRAY_SIZE(fn); i++)
        rig_fault(rig.c, fn[i](rig.c, &in), EXC_UD, 0);
    rig_fault(rig.c, op_rdpmc(rig.c, &in), EXC_GP, 0);
    rig.c->s.cr4 |= CR4_TSD;
    rig_cpl(&rig, 3);
    rig_fault(rig.c, op_rdtsc(rig.c, &in), EXC_GP, 0);
    rig_fault(rig.c, op_rdtscp(rig.c, &in), EXC_GP, 0);
}
END_TEST

START_TEST(test_sys_rdrand)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};
    u64 first;

    flags_set(c, RFLAGS_ONE | RFLAGS_OF | RFLAGS_ZF);
    ck_assert_int_eq(op_rdrand(c, &in), EXEC_OK);
    ck_assert_uint_eq(flags_get(c), RFLAGS_ONE | RFLAGS_CF);
    first = in.dst;
    ck_assert_int_eq(op_rdrand(c, &in), EXEC_OK);
    ck_assert(first != in.dst);
    in.size = 2;
    ck_assert_int_eq(op_rdrand(c, &in), EXEC_OK);
    ck_assert_uint_le(in.dst, 0xffff);
}
END_TEST

START_TEST(test_sys_halt)
{
    struct insn in = {.size = 4};

    ck_assert_int_eq(op_hlt(rig.c, &in), EXEC_OK);
    ck_assert_int_eq(rig.c->s.mp_state, MP_HALTED);
}
END_TEST

/* ---- service mode ------------------------------------------------------- */

static const struct boundary_case {
    const char *name;
    op_fn *fn;
    u8 reg;
    u32 rcx;
} boundaries[] = {
    {"hlt", op_hlt, 0, 0},
    {"mov cr0", op_mov_to_cr, 0, 0},
    {"mov cr3", op_mov_to_cr, 3, 0},
    {"mov cr4", op_mov_to_cr, 4, 0},
    {"mov cr8", op_mov_to_cr, 8, 0},
    {"lmsw", op_lmsw, 0, 0},
    {"invlpg", op_invlpg, 0, 0},
    {"vmcall", op_vmcall, 0, 0},
    {"rdtsc", op_rdtsc, 0, 0},
    {"rdtscp", op_rdtscp, 0, 0},
    {"cpuid", op_cpuid, 0, 0},
    {"rdmsr tsc", op_rdmsr, 0, 0x10},
    {"rdmsr apic base", op_rdmsr, 0, 0x1b},
    {"wrmsr deadline", op_wrmsr, 0, 0x6e0},
    {"wrmsr x2apic", op_wrmsr, 0, 0x830},
    {"wrmsr kvmclock", op_wrmsr, 0, 0x4b564d01},
};

START_TEST(test_sys_boundary)
{
    const struct boundary_case *t = &boundaries[_i];
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .reg = t->reg, .la = RIG_DATA};
    struct cpu_state before;

    c->service = true;
    c->s.gpr[GPR_RCX] = t->rcx;
    rig.run.done = 1;
    before = c->s;
    ck_assert_msg(t->fn(c, &in) == EXEC_BOUNDARY, "%s", t->name);
    ck_assert_msg(!memcmp(&before, &c->s, sizeof(before)), "%s", t->name);
}
END_TEST

/* What KVM refused is executed all the same. */
START_TEST(test_sys_refused)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};

    c->service = true;
    c->s.msr.tsc = 0x1234567890;
    c->s.msr.tsc_aux = 5;
    ck_assert_int_eq(op_rdtscp(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RAX], 0x34567890);
    ck_assert_uint_eq(c->s.gpr[GPR_RDX], 0x12);
    ck_assert_uint_eq(c->s.gpr[GPR_RCX], 5);
    ck_assert_int_eq(op_hlt(c, &in), EXEC_OK);
    c->s.cr4 |= CR4_OSXSAVE | CR4_SMAP;
    c->s.xcr0 = 7;
    c->s.gpr[GPR_RCX] = 0;
    ck_assert_int_eq(op_xgetbv(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RAX], 7);
    c->s.gpr[GPR_RAX] = 2; /* x87 cannot be off */
    c->s.gpr[GPR_RDX] = 0;
    rig_fault(c, op_xsetbv(c, &in), EXC_GP, 0);
    c->s.gpr[GPR_RAX] = 3;
    ck_assert_int_eq(op_xsetbv(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.xcr0, 3);
    in.modrm = 0xcb;
    ck_assert_int_eq(op_clac_stac(c, &in), EXEC_OK);
    ck_assert(c->s.rflags & RFLAGS_AC);
    in.modrm = 0xca;
    ck_assert_int_eq(op_clac_stac(c, &in), EXEC_OK);
    ck_assert(!(c->s.rflags & RFLAGS_AC));
    ck_assert_int_eq(cr4_write(c, c->s.cr4), EXEC_OK);
}
END_TEST

/* A gap of ours is KVM's first; REP BSF is what it is on this host. */
START_TEST(test_sys_promised)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .reg = GPR_RAX, .prefix = PFX_REP};
    u64 want = 0x77;

    ck_assert_int_eq(op_ud(c, &in), EXEC_FAULT);
    c->service = true;
    ck_assert_int_eq(op_ud(c, &in), EXEC_UNKNOWN);
    ck_assert_int_eq(op_ud(c, &in), EXEC_UNKNOWN);
    __asm__("rep; bsfq %1, %0" : "+r"(want) : "r"(0ull) : "cc");
    c->s.gpr[GPR_RAX] = 0x77;
    ck_assert_int_eq(op_bsf(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RAX], want);
    want = 0x77;
    __asm__("rep; bsrq %1, %0" : "+r"(want) : "r"(1ull) : "cc");
    in.src = 1;
    ck_assert_int_eq(op_bsr(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RAX], want);
}
END_TEST

Suite *suite_sys(void);
Suite *suite_sys(void)
{
    Suite *s = suite_create("sys");
    TCase *tc = tcase_create("sys");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_sys_io, 0, ARRAY_SIZE(ios));
    tcase_add_test(tc, test_sys_in_out);
    tcase_add_test(tc, test_sys_cli_sti);
    tcase_add_test(tc, test_sys_cr);
    tcase_add_test(tc, test_sys_lmsw);
    tcase_add_loop_test(tc, test_sys_dr, 0, ARRAY_SIZE(drs));
    tcase_add_test(tc, test_sys_dr_general_detect);
    tcase_add_test(tc, test_sys_bases);
    tcase_add_test(tc, test_sys_tables);
    tcase_add_loop_test(tc, test_sys_ltr, 0, ARRAY_SIZE(ltrs));
    tcase_add_loop_test(tc, test_sys_query, 0, ARRAY_SIZE(queries));
    tcase_add_test(tc, test_sys_query_faults);
    tcase_add_test(tc, test_sys_arpl);
    tcase_add_test(tc, test_sys_undefined);
    tcase_add_test(tc, test_sys_rdrand);
    tcase_add_test(tc, test_sys_halt);
    tcase_add_loop_test(tc, test_sys_boundary, 0, ARRAY_SIZE(boundaries));
    tcase_add_test(tc, test_sys_refused);
    tcase_add_test(tc, test_sys_promised);
    suite_add_tcase(s, tc);
    return s;
}
