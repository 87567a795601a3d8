/* SPDX-License-Identifier: Apache-2.0 */
/* test_fpu.c: x87 exceptions, state instructions, what of it stays in the host
 * thread. Results are test_native.c's business. */
#include <check.h>

#include "interp/sse.h"
#include "interp_rig.h"

#define HOST_MXCSR 0x1f80u

static void fpu_rig(struct rig *r)
{
    rig_new(r);
    r->c->s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    le16_put(r->c->s.xsave + FX_FCW, 0x37f);
    le32_put(r->c->s.xsave + FX_MXCSR, 0x1f80);
    r->c->s.gpr[GPR_RSI] = RIG_DATA;
}

static enum exec fpu_step(struct rig *r, const u8 *bytes, unsigned int len)
{
    r->c->s.rip = RIG_CODE;
    ck_assert_int_eq(mem_write(r->mem, RIG_CODE, bytes, len), 0);
    return step_one(r->c);
}

#define STEP(r, ...)                                                           \
    fpu_step(r, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))
#define OK(r, ...) ck_assert_int_eq(STEP(r, __VA_ARGS__), EXEC_OK)
#define FAULT(r, vec, ...)                                                     \
    do {                                                                       \
        ck_assert_int_eq(STEP(r, __VA_ARGS__), EXEC_FAULT);                    \
        ck_assert_int_eq((r)->c->exc.vector, vec);                             \
    } while (0)

/* ---- residence --------------------------------------------------------- */

START_TEST(test_fpu_resident)
{
    u32 mxcsr = 0;
    struct rig r;

    fpu_rig(&r);
    le32_put(r.c->s.xsave + FX_MXCSR, 0xffffdfa0); /* with reserved bits */
    OK(&r, 0xd9, 0xe8);                            /* fld1 */
    ck_assert(r.c->fpu_live);
    stub_stmxcsr(&mxcsr);
    ck_assert_uint_eq(mxcsr, 0xdfa0);
    fpu_leave(r.c);
    stub_stmxcsr(&mxcsr);
    ck_assert_uint_eq(mxcsr, HOST_MXCSR);
    ck_assert(!r.c->fpu_live);
    ck_assert_uint_eq(le32_get(r.c->s.xsave + FX_MXCSR), 0xdfa0);
    ck_assert_uint_eq(r.c->s.xsave[FX_FTW], 0x80);
    ck_assert_uint_eq(le16_get(r.c->s.xsave + FX_ST + 8), 0x3fff);
    for (unsigned int i = FX_FOP; i < FX_MXCSR; i++) /* no address of ours */
        ck_assert_uint_eq(r.c->s.xsave[i], 0);
    rig_free(&r);
}
END_TEST

/* ---- checks ------------------------------------------------------------ */

START_TEST(test_fpu_nm)
{
    struct rig r;

    fpu_rig(&r);
    r.c->s.gpr[GPR_RSI] = RIG_WILD;
    r.c->s.cr0 |= CR0_TS;
    FAULT(&r, EXC_NM, 0xd9, 0xe8);
    FAULT(&r, EXC_NM, 0xd9, 0x06);       /* before the #GP of its address */
    FAULT(&r, EXC_NM, 0x0f, 0xae, 0x06); /* fxsave */
    OK(&r, 0x9b);                        /* fwait: only with MP */
    r.c->s.cr0 |= CR0_MP;
    FAULT(&r, EXC_NM, 0x9b);
    r.c->s.cr0 = (r.c->s.cr0 & ~(u64)CR0_TS) | CR0_EM;
    FAULT(&r, EXC_NM, 0xd9, 0xe8);
    OK(&r, 0x9b);
    r.c->s.cr0 &= ~(u64)CR0_EM;
    FAULT(&r, EXC_GP, 0xd9, 0x06);
    FAULT(&r, EXC_UD, 0xd9, 0x0e); /* D9 /1 */
    FAULT(&r, EXC_UD, 0xd9, 0xd1);
    fpu_leave(r.c);
    rig_free(&r);
}
END_TEST

/* ---- exceptions -------------------------------------------------------- */

/* An unmasked error is reported by the next waiting instruction. */
START_TEST(test_fpu_mf)
{
    struct rig r;

    fpu_rig(&r);
    le16_put(r.c->s.xsave + FX_FCW, 0x37b); /* divide by zero unmasked */
    OK(&r, 0xd9, 0xe8);                     /* fld1 */
    OK(&r, 0xd9, 0xee);                     /* fldz */
    OK(&r, 0xd8, 0xf9);                     /* fdivr st, st(1): 1 / 0 */
    OK(&r, 0xdf, 0xe0);                     /* fnstsw ax does not wait */
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX] & 0x84, 0x84);
    FAULT(&r, EXC_MF, 0xd9, 0xe8);
    FAULT(&r, EXC_MF, 0x9b);
    FAULT(&r, EXC_MF, 0xd9, 0x06);
    FAULT(&r, EXC_MF, 0xdd, 0x1e);
    r.c->s.gpr[GPR_RSI] = RIG_WILD;
    FAULT(&r, EXC_MF, 0xd9, 0x06); /* before the #GP of its address */
    FAULT(&r, EXC_GP, 0xd9, 0x3e); /* fnstcw does not wait */
    FAULT(&r, EXC_MF, 0x0f, 0x77); /* emms */
    OK(&r, 0xdb, 0xe2);            /* fnclex */
    OK(&r, 0x9b);
    fpu_leave(r.c);
    rig_free(&r);
}
END_TEST

/* FISTP of an empty stack with the exception unmasked stores nothing. */
START_TEST(test_fpu_store_refused)
{
    struct rig r;

    fpu_rig(&r);
    le16_put(r.c->s.xsave + FX_FCW, 0x37e);
    rig_put(&r, RIG_DATA, 8, 0x1122334455667788);
    OK(&r, 0xdf, 0x3e);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8), 0x1122334455667788);
    FAULT(&r, EXC_MF, 0x9b);
    fpu_leave(r.c);
    rig_free(&r);
}
END_TEST

/* A store that faults has not popped. */
START_TEST(test_fpu_store_pf)
{
    struct rig r;

    fpu_rig(&r);
    r.c->s.gpr[GPR_RSI] = RIG_HOLE;
    OK(&r, 0xd9, 0xe8);
    FAULT(&r, EXC_PF, 0xdb, 0x3e);
    fpu_leave(r.c);
    ck_assert_uint_eq(r.c->s.xsave[FX_FTW], 0x80);
    rig_free(&r);
}
END_TEST

/* ---- environments ------------------------------------------------------ */

START_TEST(test_fpu_env)
{
    struct rig r;

    fpu_rig(&r);
    OK(&r, 0xd9, 0xe8);
    OK(&r, 0xd9, 0x36); /* fnstenv, 28 bytes */
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8), 0xffff3800ffff037f);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 8, 8), 0xffff3fff);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 16, 8), 0);
    rig_put(&r, RIG_DATA + 14, 2, 0xabcd);
    OK(&r, 0x66, 0xd9, 0x36); /* 14 bytes */
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8), 0x00003fff3800037f);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 14, 2), 0xabcd);
    OK(&r, 0x66, 0xdd, 0x36); /* fnsave, 94 bytes: and initialises */
    OK(&r, 0xdf, 0xe0);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX] & 0xffff, 0);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 14 + 8, 2), 0x3fff);
    OK(&r, 0x66, 0xdd, 0x26); /* frstor */
    OK(&r, 0xdf, 0xe0);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX] & 0xffff, 0x3800);
    fpu_leave(r.c);
    ck_assert_uint_eq(le64_get(r.c->s.xsave + FX_ST), 1ull << 63);
    rig_free(&r);
}
END_TEST

START_TEST(test_fpu_msize)
{
    ck_assert_uint_eq(fpu_msize(0xd9, 0x30, 4), 28);
    ck_assert_uint_eq(fpu_msize(0xd9, 0x30, 2), 14);
    ck_assert_uint_eq(fpu_msize(0xdd, 0x20, 4), 108);
    ck_assert_uint_eq(fpu_msize(0xdd, 0x20, 2), 94);
    ck_assert_uint_eq(fpu_msize(0xdb, 0x38, 2), 10);
    ck_assert_uint_eq(fpu_msize(0xdf, 0x38, 4), 8);
    ck_assert_uint_eq(fpu_msize(0xde, 0x00, 4), 2);
}
END_TEST

/* ---- FXSAVE, FXRSTOR, MXCSR -------------------------------------------- */

START_TEST(test_fxsave)
{
    struct rig r;

    fpu_rig(&r);
    xmm_reg(r.c, 15)->q[1] = 0x1234;
    rig_put(&r, RIG_DATA + FX_USED, 8, 0x5555);
    OK(&r, 0xd9, 0xe8);
    OK(&r, 0x0f, 0xae, 0x06);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + FX_FTW, 1), 0x80);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + FX_MXCSR_MASK, 4), MXCSR_VALID);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + FX_USED - 8, 8), 0x1234);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + FX_USED, 8), 0x5555);
    OK(&r, 0xdb, 0xe3); /* fninit */
    xmm_reg(r.c, 15)->q[1] = 0;
    rig_put(&r, RIG_DATA + FX_MXCSR, 4, 0x1fc0);
    OK(&r, 0x0f, 0xae, 0x0e);
    fpu_leave(r.c);
    ck_assert_uint_eq(r.c->s.xsave[FX_FTW], 0x80);
    ck_assert_uint_eq(xmm_reg(r.c, 15)->q[1], 0x1234);
    ck_assert_uint_eq(le32_get(r.c->s.xsave + FX_MXCSR), 0x1fc0);
    rig_put(&r, RIG_DATA + FX_MXCSR, 4, 0x11f80); /* a reserved bit */
    FAULT(&r, EXC_GP, 0x0f, 0xae, 0x0e);
    ck_assert_uint_eq(le32_get(r.c->s.xsave + FX_MXCSR), 0x1fc0);
    r.c->s.gpr[GPR_RSI] += 8;
    FAULT(&r, EXC_GP, 0x0f, 0xae, 0x06);
    FAULT(&r, EXC_GP, 0x0f, 0xae, 0x0e);
    rig_free(&r);
}
END_TEST

START_TEST(test_ldmxcsr)
{
    struct rig r;

    fpu_rig(&r);
    rig_put(&r, RIG_DATA, 4, 0x10000);
    FAULT(&r, EXC_GP, 0x0f, 0xae, 0x16);
    rig_put(&r, RIG_DATA, 4, 0xbf80);
    OK(&r, 0x0f, 0xae, 0x16); /* into the image */
    OK(&r, 0x0f, 0x58, 0xc1); /* addps: now into the thread */
    rig_put(&r, RIG_DATA, 4, 0x9f80);
    OK(&r, 0x0f, 0xae, 0x16);
    rig_put(&r, RIG_DATA, 4, 0);
    OK(&r, 0x0f, 0xae, 0x1e);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 4), 0x9f80);
    fpu_leave(r.c);
    ck_assert_uint_eq(le32_get(r.c->s.xsave + FX_MXCSR), 0x9f80);
    rig_free(&r);
}
END_TEST

/* ---- the XSAVE family, in service mode --------------------------------- */

static void xsave_rig(struct rig *r)
{
    fpu_rig(r);
    r->c->service = true;
    r->c->have = CPU_ALL;
    r->c->s.cr4 |= CR4_OSXSAVE;
    r->c->s.xcr0 = 3;
    r->c->s.gpr[GPR_RAX] = ~0ull;
    r->c->s.gpr[GPR_RDX] = ~0ull;
    xmm_reg(r->c, 3)->q[0] = 0x77;
}

START_TEST(test_xsave)
{
    struct rig r;

    xsave_rig(&r);
    rig_put(&r, RIG_DATA + 512 + 24, 8, 0x99);
    OK(&r, 0x0f, 0xae, 0x26); /* xsave */
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 512, 8), 3);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + FX_XMM + 48, 8), 0x77);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 512 + 24, 8), 0x99);
    rig_put(&r, RIG_DATA + 512 + 24, 8, 0);
    rig_put(&r, RIG_DATA + 512, 8, 1); /* SSE: initial */
    OK(&r, 0x0f, 0xae, 0x2e);          /* xrstor */
    ck_assert_uint_eq(xmm_reg(r.c, 3)->q[0], 0);
    rig_put(&r, RIG_DATA + 512, 8, 2);
    r.c->s.gpr[GPR_RAX] = 2;
    le16_put(r.c->s.xsave + FX_FCW, 0x27f);
    OK(&r, 0x0f, 0xae, 0x2e);
    ck_assert_uint_eq(xmm_reg(r.c, 3)->q[0], 0x77);
    ck_assert_uint_eq(le16_get(r.c->s.xsave + FX_FCW), 0x27f);
    rig_free(&r);
}
END_TEST

START_TEST(test_xsavec)
{
    struct rig r;

    xsave_rig(&r);
    OK(&r, 0x0f, 0xc7, 0x26);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 520, 8), 3 | 1ull << 63);
    xmm_reg(r.c, 3)->q[0] = 0;
    OK(&r, 0x0f, 0xae, 0x2e);
    ck_assert_uint_eq(xmm_reg(r.c, 3)->q[0], 0x77);
    rig_free(&r);
}
END_TEST

struct xrstor_case {
    const char *name;
    unsigned int at;
    u64 val;
};

static const struct xrstor_case xrstor_bad[] = {
    {"component outside XCR0", 512, 7},
    {"XCOMP_BV without bit 63", 520, 1},
    {"XCOMP_BV outside XCR0", 520, 7 | 1ull << 63},
    {"XSTATE_BV outside XCOMP_BV", 520, 1 | 1ull << 63},
    {"reserved", 528, 1},
    {"MXCSR", FX_MXCSR, 0x10000},
};

START_TEST(test_xrstor_gp)
{
    const struct xrstor_case *t = &xrstor_bad[_i];
    struct rig r;

    xsave_rig(&r);
    OK(&r, 0x0f, 0xae, 0x26);
    rig_put(&r, RIG_DATA + t->at, 8, t->val);
    FAULT(&r, EXC_GP, 0x0f, 0xae, 0x2e);
    ck_assert_msg(xmm_reg(r.c, 3)->q[0] == 0x77, "%s", t->name);
    rig_free(&r);
}
END_TEST

START_TEST(test_xsave_checks)
{
    struct rig r;

    xsave_rig(&r);
    r.c->s.gpr[GPR_RSI] += 16;
    FAULT(&r, EXC_GP, 0x0f, 0xae, 0x26);
    r.c->s.cr0 |= CR0_TS;
    FAULT(&r, EXC_NM, 0x0f, 0xae, 0x26);
    r.c->s.cr4 &= ~(u64)CR4_OSXSAVE;
    FAULT(&r, EXC_UD, 0x0f, 0xae, 0x26);
    rig_free(&r);
}
END_TEST

Suite *suite_fpu(void);
Suite *suite_fpu(void)
{
    Suite *s = suite_create("fpu");
    TCase *tc = tcase_create("fpu");

    tcase_add_test(tc, test_fpu_resident);
    tcase_add_test(tc, test_fpu_nm);
    tcase_add_test(tc, test_fpu_mf);
    tcase_add_test(tc, test_fpu_store_refused);
    tcase_add_test(tc, test_fpu_store_pf);
    tcase_add_test(tc, test_fpu_env);
    tcase_add_test(tc, test_fpu_msize);
    tcase_add_test(tc, test_fxsave);
    tcase_add_test(tc, test_ldmxcsr);
    tcase_add_test(tc, test_xsave);
    tcase_add_test(tc, test_xsavec);
    tcase_add_loop_test(tc, test_xrstor_gp, 0, ARRAY_SIZE(xrstor_bad));
    tcase_add_test(tc, test_xsave_checks);
    suite_add_tcase(s, tc);
    return s;
}
