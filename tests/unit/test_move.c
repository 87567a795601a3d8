/* SPDX-License-Identifier: Apache-2.0 */
/* test_move.c: the stack, flags by POPF, segment registers */
#include <check.h>

#include "interp_rig.h"
#include "step_code.h"

#define BIG 0x8877665544332211ull
#define ALL (~0ull)

START_TEST(test_stack)
{
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    gpr[GPR_RAX] = BIG;
    ck_assert_int_eq(run(&r, "50 66 50 6a ff 5b 66 59 5a", 6), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RBX], ALL);
    ck_assert_uint_eq(gpr[GPR_RCX], BIG & 0xffff);
    ck_assert_uint_eq(gpr[GPR_RDX], BIG);
    ck_assert_uint_eq(gpr[GPR_RSP], RIG_STACK);
    /* push rsp pushes the old value; pop rsp takes the value popped */
    ck_assert_int_eq(run(&r, "54 58", 2), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RAX], RIG_STACK);
    ck_assert_int_eq(run(&r, "68 00 70 00 00 5c", 2), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RSP], 0x7000);
    /* pop [rsp]: the address is that after the pop */
    rig_put(&r, 0x7000, 8, BIG);
    ck_assert_int_eq(run(&r, "8f 04 24", 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, 0x7008, 8), BIG);
    ck_assert_uint_eq(gpr[GPR_RSP], 0x7008);
    rig_free(&r);
}
END_TEST

START_TEST(test_enter)
{
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    gpr[GPR_RBP] = 0x7800;
    ck_assert_int_eq(run(&r, "c8 20 00 00", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RBP], RIG_STACK - 8);
    ck_assert_uint_eq(gpr[GPR_RSP], RIG_STACK - 8 - 0x20);
    ck_assert_int_eq(run(&r, "c9", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RBP], 0x7800);
    ck_assert_uint_eq(gpr[GPR_RSP], RIG_STACK);
    /* level 3: two outer frame pointers and the new one */
    rig_put(&r, 0x7800 - 8, 8, 0x1111);
    rig_put(&r, 0x7800 - 16, 8, 0x2222);
    ck_assert_int_eq(run(&r, "c8 10 00 23", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RBP], RIG_STACK - 8);
    ck_assert_uint_eq(gpr[GPR_RSP], RIG_STACK - 32 - 0x10);
    ck_assert_uint_eq(rig_get(&r, RIG_STACK - 8, 8), 0x7800);
    ck_assert_uint_eq(rig_get(&r, RIG_STACK - 16, 8), 0x1111);
    ck_assert_uint_eq(rig_get(&r, RIG_STACK - 24, 8), 0x2222);
    ck_assert_uint_eq(rig_get(&r, RIG_STACK - 32, 8), RIG_STACK - 8);
    rig_free(&r);
}
END_TEST

struct popf_case {
    u8 cpl;
    u64 iopl;
    bool small; /* POPFW */
    u64 want;   /* after popping all ones onto clear flags */
};

#define POPF_USER (FLAGS_ARITH | RFLAGS_ONE | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT)

static const struct popf_case popf_cases[] = {
    {0, 0, false, POPF_USER | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_AC | RFLAGS_ID},
    {0, 0, true, POPF_USER | RFLAGS_IF | RFLAGS_IOPL},
    {3, 0, false, POPF_USER | RFLAGS_AC | RFLAGS_ID},
    {3, RFLAGS_IOPL, false,
     POPF_USER | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_AC | RFLAGS_ID},
};

START_TEST(test_popf)
{
    const struct popf_case *t = &popf_cases[_i];
    struct rig r;

    rig_new(&r);
    rig_cpl(&r, t->cpl);
    flags_set(r.c, RFLAGS_ONE | t->iopl);
    rig_put(&r, RIG_STACK, 8, ALL);
    ck_assert_int_eq(run(&r, t->small ? "66 9d" : "9d", 1), EXEC_OK);
    ck_assert_uint_eq(flags_get(r.c), t->want);
    flags_set(r.c, flags_get(r.c) & ~RFLAGS_TF);
    ck_assert_int_eq(run(&r, "9c 58", 2), EXEC_OK);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], t->want & ~RFLAGS_TF);
    rig_free(&r);
}
END_TEST

/* Interrupts wait for one instruction after MOV SS and POP SS. */
START_TEST(test_mov_ss)
{
    struct rig r;

    rig_new(&r);
    r.c->s.gpr[GPR_RAX] = RIG_DS0;
    ck_assert_int_eq(run(&r, "8e d0", 1), EXEC_OK);
    ck_assert_int_eq(r.c->s.event.shadow_mov_ss, 1);
    r.c->s.event.shadow_mov_ss = 0;
    ck_assert_int_eq(run(&r, "8e d8", 1), EXEC_OK);
    ck_assert_int_eq(r.c->s.event.shadow_mov_ss, 0);
    ck_assert_int_eq(run(&r, "8c d3", 1), EXEC_OK);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RBX], RIG_DS0);
    r.c->s.gpr[GPR_RAX] = RIG_ABSENT;
    rig_fault(r.c, run(&r, "8e d8", 1), EXC_NP, RIG_ABSENT);
    rig_free(&r);
}
END_TEST

Suite *suite_move(void);

Suite *suite_move(void)
{
    Suite *s = suite_create("move");
    TCase *tc = tcase_create("move");

    tcase_add_test(tc, test_stack);
    tcase_add_test(tc, test_enter);
    tcase_add_loop_test(tc, test_popf, 0, ARRAY_SIZE(popf_cases));
    tcase_add_test(tc, test_mov_ss);
    suite_add_tcase(s, tc);
    return s;
}
