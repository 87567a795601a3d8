/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of syscall.c. */
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

static void syscall_setup(void)
{
    struct cpu_msrs *m = &rig.c->s.msr;

    m->star = 0x0023001000000000; /* SYSRET 0x20 | 3, SYSCALL 0x10 */
    m->lstar = 0xffff800000001000;
    m->cstar = 0xffff800000002000;
    m->sfmask = RFLAGS_IF | RFLAGS_TF | RFLAGS_DF;
}

START_TEST(test_syscall)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};
    u64 flags = RFLAGS_ONE | RFLAGS_IF | RFLAGS_TF | RFLAGS_OF | RFLAGS_RF;

    syscall_setup();
    rig_cpl(&rig, 3);
    flags_set(c, flags);
    ck_assert_int_eq(op_syscall(c, &in), EXEC_OK);
    ck_assert_int_eq(c->cpl, 0);
    ck_assert_int_eq(c->mode, MODE_64);
    ck_assert_uint_eq(c->next_rip, c->s.msr.lstar);
    ck_assert_uint_eq(c->s.gpr[GPR_RCX], RIG_CODE + 2);
    ck_assert_uint_eq(c->s.gpr[GPR_R11], flags & ~RFLAGS_RF);
    ck_assert_uint_eq(flags_get(c), RFLAGS_ONE | RFLAGS_OF);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, 0x10);
    ck_assert_uint_eq(c->s.seg[SEG_SS].sel, 0x18);
    ck_assert_int_eq(c->s.seg[SEG_CS].l, 1);
    ck_assert(c->no_trap);

    c->s.gpr[GPR_R11] = ~0ull;
    ck_assert_int_eq(op_sysret(c, &in), EXEC_OK);
    ck_assert_int_eq(c->cpl, 3);
    ck_assert_uint_eq(c->next_rip, RIG_CODE + 2);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, 0x33);
    ck_assert_uint_eq(c->s.seg[SEG_SS].sel, 0x2b);
    ck_assert_int_eq(c->s.seg[SEG_SS].dpl, 3);
    ck_assert_uint_eq(flags_get(c), 0x3c7fd7);
}
END_TEST

START_TEST(test_syscall_compat)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 4};

    syscall_setup();
    c->s.gpr[GPR_RCX] = 0x1ffffffff;
    ck_assert_int_eq(op_sysret(c, &in), EXEC_OK);
    ck_assert_int_eq(c->mode, MODE_32);
    ck_assert_uint_eq(c->next_rip, 0xffffffff);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, 0x23);
    ck_assert_uint_eq(c->s.seg[SEG_SS].sel, 0x2b);
    ck_assert_int_eq(op_syscall(c, &in), EXEC_OK); /* an AMD guest */
    ck_assert_uint_eq(c->next_rip, c->s.msr.cstar);
    ck_assert_int_eq(c->mode, MODE_64);
}
END_TEST

START_TEST(test_syscall_faults)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};

    c->s.efer &= ~EFER_SCE;
    rig_fault(c, op_syscall(c, &in), EXC_UD, 0);
    rig_fault(c, op_sysret(c, &in), EXC_UD, 0);
    c->s.efer |= EFER_SCE;
    rig_fault(c, op_sysenter(c, &in), EXC_UD, 0); /* AMD, long mode */
    rig_fault(c, op_sysexit(c, &in), EXC_UD, 0);
    rig_cpl(&rig, 3);
    rig_put(&rig, RIG_CODE, 2, 0x070f);
    rig_fault(c, step_one(c), EXC_GP, 0);
}
END_TEST

START_TEST(test_syscall_sysenter)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 4};

    rig_protected(&rig);
    rig_fault(c, op_sysenter(c, &in), EXC_GP, 0); /* no SYSENTER_CS */
    c->s.msr.sysenter_cs = 0x61;
    c->s.msr.sysenter_esp = 0x7000;
    c->s.msr.sysenter_eip = 0x1234;
    c->s.rflags |= RFLAGS_IF;
    ck_assert_int_eq(op_sysenter(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, 0x60);
    ck_assert_uint_eq(c->s.seg[SEG_SS].sel, 0x68);
    ck_assert_uint_eq(c->next_rip, 0x1234);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], 0x7000);
    ck_assert(!(c->s.rflags & RFLAGS_IF));
    c->s.gpr[GPR_RDX] = 0x5678;
    c->s.gpr[GPR_RCX] = 0x6000;
    ck_assert_int_eq(op_sysexit(c, &in), EXEC_OK);
    ck_assert_int_eq(c->cpl, 3);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, 0x73);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], 0x6000);
    rig_put(&rig, 0x5678, 2, 0x350f);
    c->s.rip = 0x5678;
    rig_fault(c, step_one(c), EXC_GP, 0);
}
END_TEST

Suite *suite_syscall(void);
Suite *suite_syscall(void)
{
    Suite *s = suite_create("syscall");
    TCase *tc = tcase_create("syscall");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_syscall);
    tcase_add_test(tc, test_syscall_compat);
    tcase_add_test(tc, test_syscall_faults);
    tcase_add_test(tc, test_syscall_sysenter);
    suite_add_tcase(s, tc);
    return s;
}
