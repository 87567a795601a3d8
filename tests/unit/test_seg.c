/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of seg.c and ctl.c: segment loads, limits, stacks, control registers.
 */
#include "interp_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_new(&rig);
}

static void teardown(void)
{
    rig_free(&rig);
}

/* ---- loads -------------------------------------------------------------- */

static const struct load_case {
    const char *name;
    u8 cpl, seg;
    u16 sel;
    u8 want; /* vector; 0: loaded */
    u16 error;
} loads[] = {
    {"DS", 0, SEG_DS, RIG_DS0, 0, 0},
    {"DS of CPL 3", 0, SEG_DS, RIG_DS3 | 3, 0, 0},
    {"DS RPL above DPL", 0, SEG_DS, RIG_DS0 | 1, EXC_GP, RIG_DS0},
    {"DS from CPL 3", 3, SEG_DS, RIG_DS0, EXC_GP, RIG_DS0},
    {"DS readable code", 0, SEG_DS, RIG_CS0, 0, 0},
    {"DS conforming code", 3, SEG_DS, RIG_CONF | 3, 0, 0},
    {"DS execute only", 0, SEG_DS, RIG_XO, EXC_GP, RIG_XO},
    {"DS read only", 0, SEG_DS, RIG_RO, 0, 0},
    {"DS system", 0, SEG_DS, RIG_TR, EXC_GP, RIG_TR},
    {"DS absent", 0, SEG_DS, RIG_ABSENT, EXC_NP, RIG_ABSENT},
    {"DS outside", 0, SEG_DS, RIG_END, EXC_GP, RIG_END},
    {"DS in no LDT", 0, SEG_DS, 0x14, EXC_GP, 0x14},
    {"DS null", 3, SEG_DS, 3, 0, 0},
    {"SS", 0, SEG_SS, RIG_DS0, 0, 0},
    {"SS of CPL 3", 3, SEG_SS, RIG_DS3 | 3, 0, 0},
    {"SS RPL", 3, SEG_SS, RIG_DS3, EXC_GP, RIG_DS3},
    {"SS DPL", 0, SEG_SS, RIG_DS3, EXC_GP, RIG_DS3},
    {"SS read only", 0, SEG_SS, RIG_RO, EXC_GP, RIG_RO},
    {"SS code", 0, SEG_SS, RIG_CS0, EXC_GP, RIG_CS0},
    {"SS absent", 0, SEG_SS, RIG_ABSENT, EXC_SS, RIG_ABSENT},
    {"SS null", 0, SEG_SS, 0, 0, 0},
    {"SS null, RPL", 0, SEG_SS, 1, EXC_GP, 0},
    {"SS null at CPL 3", 3, SEG_SS, 3, EXC_GP, 0},
};

START_TEST(test_seg_load)
{
    const struct load_case *t = &loads[_i];
    struct cpu *c = rig.c;
    struct cpu_seg before, *s = &c->s.seg[t->seg];
    enum exec r;

    rig_cpl(&rig, t->cpl);
    before = *s;
    r = seg_load(c, t->seg, t->sel);
    if (t->want) {
        ck_assert_msg(r == EXEC_FAULT && c->exc.vector == t->want &&
                          c->exc.error == t->error,
                      "%s: %d vector %u error %#x", t->name, r, c->exc.vector,
                      c->exc.error);
        ck_assert(!memcmp(&before, s, sizeof(before)));
        return;
    }
    ck_assert_msg(r == EXEC_OK, "%s: %u", t->name, c->exc.vector);
    ck_assert_uint_eq(s->sel, t->sel);
    ck_assert_int_eq(s->unusable, t->sel < 4);
    ck_assert_int_eq(c->cpl, t->cpl);
    if (t->sel >= 4) { /* accessed, in the register and in the table */
        ck_assert_int_eq(s->type & 1, 1);
        ck_assert_int_eq(rig_get(&rig, RIG_GDT + (t->sel & ~7u) + 5, 1) & 1, 1);
    }
}
END_TEST

START_TEST(test_seg_ldt)
{
    struct cpu *c = rig.c;
    struct insn in = {.src = RIG_LDTR};

    ck_assert_int_eq(op_lldt(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.ldt.base, RIG_LDT);
    rig_put(&rig, RIG_LDT + 8, 8, 0x00cf92345678ffff);
    ck_assert_int_eq(seg_load(c, SEG_FS, 0xc), EXEC_OK);
    ck_assert_uint_eq(c->s.seg[SEG_FS].base, 0x345678);
    ck_assert_uint_eq(c->s.seg[SEG_FS].limit, 0xffffffff);
    rig_fault(c, seg_load(c, SEG_FS, 0x104), EXC_GP, 0x104);
}
END_TEST

START_TEST(test_seg_load_real)
{
    struct cpu *c = rig.c;

    rig_real(&rig);
    c->s.seg[SEG_DS].limit = 0xffffffff; /* "unreal": the limit stays */
    ck_assert_int_eq(seg_load(c, SEG_DS, 0xf001), EXEC_OK);
    ck_assert_uint_eq(c->s.seg[SEG_DS].base, 0xf0010);
    ck_assert_uint_eq(c->s.seg[SEG_DS].limit, 0xffffffff);
}
END_TEST

/* The descriptor cannot be read: #PF of a supervisor, from CPL 3 too. */
START_TEST(test_seg_load_page_fault)
{
    struct cpu *c = rig.c;

    rig_cpl(&rig, 3);
    c->s.gdt.base = RIG_HOLE;
    rig_fault(c, seg_load(c, SEG_DS, RIG_DS3), EXC_PF, 0);
    ck_assert_uint_eq(c->exc.cr2, RIG_HOLE + RIG_DS3);
}
END_TEST

/* ---- limits ------------------------------------------------------------- */

static const struct limit_case {
    const char *name;
    u32 limit;
    u8 type, db, unusable;
    u64 off;
    u8 size;
    enum access acc;
    bool ok;
} limits[] = {
    {"last byte", 0xfff, 3, 1, 0, 0xfff, 1, ACC_READ, true},
    {"last word", 0xfff, 3, 1, 0, 0xffe, 2, ACC_WRITE, true},
    {"one over", 0xfff, 3, 1, 0, 0xfff, 2, ACC_READ, false},
    {"4 GiB", 0xffffffff, 3, 1, 0, 0xffffffff, 1, ACC_READ, true},
    {"around 4 GiB", 0xffffffff, 3, 1, 0, 0xffffffff, 2, ACC_READ, false},
    {"down: below", 0xfff, 7, 1, 0, 0xfff, 1, ACC_READ, false},
    {"down: above", 0xfff, 7, 1, 0, 0x1000, 4, ACC_WRITE, true},
    {"down: 16 bits", 0xfff, 7, 0, 0, 0xfffe, 2, ACC_READ, true},
    {"down: past 64K", 0xfff, 7, 0, 0, 0xffff, 2, ACC_READ, false},
    {"read only", 0xfff, 1, 1, 0, 0, 1, ACC_READ, true},
    {"read only, write", 0xfff, 1, 1, 0, 0, 1, ACC_WRITE, false},
    {"code", 0xfff, 11, 1, 0, 0, 1, ACC_READ, true},
    {"code, write", 0xfff, 11, 1, 0, 0, 1, ACC_WRITE, false},
    {"execute only", 0xfff, 9, 1, 0, 0, 1, ACC_READ, false},
    {"null", 0, 0, 0, 1, 0, 1, ACC_READ, false},
};

START_TEST(test_seg_limit)
{
    const struct limit_case *t = &limits[_i];
    struct cpu *c = rig.c;
    u64 la;

    rig_protected(&rig);
    for (unsigned int seg = SEG_SS; seg <= SEG_DS; seg++) {
        enum exec r;

        c->s.seg[seg] = (struct cpu_seg){.base = 0xfffff000,
                                         .limit = t->limit,
                                         .type = t->type,
                                         .s = !t->unusable,
                                         .db = t->db,
                                         .unusable = t->unusable};
        r = seg_linear(c, seg, t->off, t->size, t->acc, &la);
        if (t->ok) {
            ck_assert_msg(r == EXEC_OK, "%s", t->name);
            ck_assert_uint_eq(la, (u32)(0xfffff000 + t->off));
        } else {
            ck_assert_msg(r == EXEC_FAULT, "%s", t->name);
            ck_assert_int_eq(c->exc.vector, seg == SEG_SS ? EXC_SS : EXC_GP);
        }
    }
}
END_TEST

START_TEST(test_seg_canonical)
{
    struct cpu *c = rig.c;
    u64 la;

    c->s.seg[SEG_GS].base = 0x1000;
    c->s.seg[SEG_DS].base = 0x1000; /* not used */
    ck_assert_int_eq(seg_linear(c, SEG_GS, 8, 8, ACC_READ, &la), EXEC_OK);
    ck_assert_uint_eq(la, 0x1008);
    ck_assert_int_eq(seg_linear(c, SEG_DS, 8, 8, ACC_READ, &la), EXEC_OK);
    ck_assert_uint_eq(la, 8);
    rig_fault(c, seg_linear(c, SEG_DS, RIG_WILD, 1, ACC_READ, &la), EXC_GP, 0);
    rig_fault(c, seg_linear(c, SEG_SS, RIG_WILD, 1, ACC_READ, &la), EXC_SS, 0);
    rig_fault(c, seg_linear(c, SEG_DS, RIG_WILD - 4, 8, ACC_READ, &la), EXC_GP,
              0);
}
END_TEST

/* ---- stacks ------------------------------------------------------------- */

START_TEST(test_seg_stack)
{
    struct cpu *c = rig.c;
    u64 val;

    ck_assert_int_eq(stack_push(c, 8, 0x1122334455667788), EXEC_OK);
    ck_assert_int_eq(stack_push(c, 2, 0xabcd), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK - 10);
    ck_assert_int_eq(stack_pop(c, 2, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0xabcd);
    ck_assert_int_eq(stack_pop(c, 8, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0x1122334455667788);
    c->s.gpr[GPR_RSP] = RIG_HOLE + 8;
    rig_fault(c, stack_push(c, 8, 0), EXC_PF, 2);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_HOLE + 8);
    c->s.gpr[GPR_RSP] = RIG_WILD + 0x1000;
    rig_fault(c, stack_pop(c, 8, &val), EXC_SS, 0);
}
END_TEST

/* 16-bit stack: SP wraps and the upper half of ESP stays. */
START_TEST(test_seg_stack_16)
{
    struct cpu *c = rig.c;

    rig_real(&rig);
    c->s.gpr[GPR_RSP] = 0x12340000;
    ck_assert_int_eq(stack_push(c, 2, 0x55aa), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], 0x1234fffe);
    ck_assert_uint_eq(rig_get(&rig, 0xfffe, 2), 0x55aa);
    c->s.gpr[GPR_RSP] = 1;
    rig_fault(c, stack_push(c, 2, 0), EXC_SS, 0);
}
END_TEST

/* ---- control registers -------------------------------------------------- */

enum reg { CR0, CR3, CR4, EFER };
#define CR0_NOW  (CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP)
#define CR4_NOW  (CR4_PAE | CR4_PGE | CR4_FSGSBASE)
#define EFER_NOW (EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE)

static const struct cr_case {
    const char *name;
    enum reg reg;
    u64 val;
    bool ok;
    u64 want;
} crs[] = {
    {"CR0 same", CR0, CR0_NOW, true, CR0_NOW},
    {"CR0 ET is one", CR0, CR0_NOW & ~CR0_ET, true, CR0_NOW},
    {"CR0 TS", CR0, CR0_NOW | CR0_TS, true, CR0_NOW | CR0_TS},
    {"CR0 reserved", CR0, CR0_NOW | 0x40, true, CR0_NOW},
    {"CR0 upper half", CR0, CR0_NOW | 1ull << 32, false, 0},
    {"CR0 PG without PE", CR0, CR0_NOW & ~CR0_PE, false, 0},
    {"CR0 NW without CD", CR0, CR0_NOW | CR0_NW, false, 0},
    {"CR0 PG off in 64-bit", CR0, CR0_NOW & ~CR0_PG, false, 0},
    {"CR3", CR3, 0x5018, true, 0x5018},
    {"CR3 beyond 40 bits", CR3, 1ull << 40, false, 0},
    {"CR4 same", CR4, CR4_NOW, true, CR4_NOW},
    {"CR4 SSE", CR4, CR4_NOW | 0x600, true, CR4_NOW | 0x600},
    {"CR4 no PAE", CR4, CR4_NOW & ~CR4_PAE, false, 0},
    {"CR4 PCIDE hidden", CR4, CR4_NOW | CR4_PCIDE, false, 0},
    {"CR4 OSXSAVE hidden", CR4, CR4_NOW | CR4_OSXSAVE, false, 0},
    {"CR4 SMAP hidden", CR4, CR4_NOW | CR4_SMAP, false, 0},
    {"CR4 LA57 hidden", CR4, CR4_NOW | CR4_LA57, false, 0},
    {"CR4 reserved", CR4, CR4_NOW | 1ull << 31, false, 0},
    {"EFER same", EFER, EFER_NOW, true, EFER_NOW},
    {"EFER LMA stays", EFER, EFER_NOW & ~EFER_LMA, true, EFER_NOW},
    {"EFER LME with PG", EFER, EFER_NOW & ~EFER_LME, false, 0},
    {"EFER SVME", EFER, EFER_NOW | EFER_SVME, false, 0},
    {"EFER reserved", EFER, EFER_NOW | 2, false, 0},
    {"EFER no NX", EFER, EFER_NOW & ~EFER_NXE, true, EFER_NOW & ~EFER_NXE},
};

START_TEST(test_seg_control)
{
    static enum exec (*const write[])(struct cpu *, u64) = {
        cr0_write, cr3_write, cr4_write, efer_write};
    const struct cr_case *t = &crs[_i];
    struct cpu *c = rig.c;
    u64 *reg[] = {&c->s.cr0, &c->s.cr3, &c->s.cr4, &c->s.efer};
    u64 old = *reg[t->reg];
    enum exec r = write[t->reg](c, t->val);

    ck_assert_msg(r == (t->ok ? EXEC_OK : EXEC_FAULT), "%s", t->name);
    ck_assert_msg(*reg[t->reg] == (t->ok ? t->want : old), "%s: %#lx", t->name,
                  *reg[t->reg]);
    if (!t->ok)
        rig_fault(c, r, EXC_GP, 0);
}
END_TEST

/* As an application processor does it: real, protected, compatibility, 64. */
START_TEST(test_seg_to_long_mode)
{
    struct cpu *c = rig.c;
    struct insn far = {.opcode = 0xea, .size = 4, .imm = 0x1234};

    rig_real(&rig);
    ck_assert_int_eq(c->mode, MODE_16);
    ck_assert_int_eq(cr0_write(c, c->s.cr0 | CR0_PE), EXEC_OK);
    ck_assert_int_eq(c->mode, MODE_16);
    ck_assert_int_eq(c->cpl, 0);
    far.imm2 = RIG_CS32;
    ck_assert_int_eq(op_jmp_far(c, &far), EXEC_OK);
    ck_assert_int_eq(c->mode, MODE_32);
    c->s.cr4 = 0;
    ck_assert_int_eq(cr0_write(c, c->s.cr0 | CR0_PG), EXEC_UNKNOWN);
    ck_assert_int_eq(efer_write(c, EFER_LME), EXEC_OK);
    rig_fault(c, cr0_write(c, c->s.cr0 | CR0_PG), EXC_GP, 0); /* no PAE */
    ck_assert_int_eq(cr4_write(c, CR4_PAE), EXEC_OK);
    ck_assert_int_eq(cr0_write(c, c->s.cr0 | CR0_PG), EXEC_OK);
    ck_assert_uint_eq(c->s.efer, EFER_LME | EFER_LMA);
    ck_assert_int_eq(c->mode, MODE_32);
    far.imm2 = RIG_CS0;
    ck_assert_int_eq(op_jmp_far(c, &far), EXEC_OK);
    ck_assert_int_eq(c->mode, MODE_64);
    ck_assert_int_eq(c->stack_size, 8);
    ck_assert_uint_eq(c->next_rip, 0x1234);
}
END_TEST

/* And back, from compatibility mode. */
START_TEST(test_seg_from_long_mode)
{
    struct cpu *c = rig.c;

    c->s.seg[SEG_CS].l = 0;
    c->s.seg[SEG_CS].db = 1;
    cpu_update_mode(c);
    ck_assert_int_eq(cr0_write(c, c->s.cr0 & ~CR0_PG), EXEC_OK);
    ck_assert_uint_eq(c->s.efer & EFER_LMA, 0);
    ck_assert_int_eq(c->long_mode, 0);
}
END_TEST

Suite *suite_seg(void);
Suite *suite_seg(void)
{
    Suite *s = suite_create("seg");
    TCase *tc = tcase_create("seg");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_seg_load, 0, ARRAY_SIZE(loads));
    tcase_add_test(tc, test_seg_ldt);
    tcase_add_test(tc, test_seg_load_real);
    tcase_add_test(tc, test_seg_load_page_fault);
    tcase_add_loop_test(tc, test_seg_limit, 0, ARRAY_SIZE(limits));
    tcase_add_test(tc, test_seg_canonical);
    tcase_add_test(tc, test_seg_stack);
    tcase_add_test(tc, test_seg_stack_16);
    tcase_add_loop_test(tc, test_seg_control, 0, ARRAY_SIZE(crs));
    tcase_add_test(tc, test_seg_to_long_mode);
    tcase_add_test(tc, test_seg_from_long_mode);
    suite_add_tcase(s, tc);
    return s;
}
