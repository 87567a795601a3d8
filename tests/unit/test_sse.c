/* SPDX-License-Identifier: Apache-2.0 */
/* test_sse.c: what a native run cannot show of SSE and MMX: privileged state,
 * hidden extensions, the table. Results are test_native.c's business. */
#include <check.h>

#include "interp/sse.h"
#include "interp_rig.h"

#define BYTES(...)                                                             \
    {                                                                          \
        __VA_ARGS__                                                            \
    }

static void sse_rig(struct rig *r)
{
    rig_new(r);
    r->c->s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    le16_put(r->c->s.xsave + FX_FCW, 0x37f);
    le32_put(r->c->s.xsave + FX_MXCSR, 0x1f80);
}

static enum exec sse_step(struct rig *r, const u8 *bytes)
{
    r->c->s.rip = RIG_CODE;
    ck_assert_int_eq(mem_write(r->mem, RIG_CODE, bytes, 15), 0);
    return step_one(r->c);
}

/* ---- checks, in the order of the manuals ------------------------------- */

struct sse_check_case {
    const char *name;
    u8 bytes[15];
    u64 cr0_on, cr4_off;
    u64 rsi;
    u8 vector; /* 0: none */
};

static const struct sse_check_case sse_checks[] = {
    {"addps", BYTES(0x0f, 0x58, 0xc1), 0, 0, 0, 0},
    {"addps, EM", BYTES(0x0f, 0x58, 0xc1), CR0_EM, 0, 0, EXC_UD},
    {"addps, no OSFXSR", BYTES(0x0f, 0x58, 0xc1), 0, CR4_OSFXSR, 0, EXC_UD},
    {"addps, TS", BYTES(0x0f, 0x58, 0xc1), CR0_TS, 0, 0, EXC_NM},
    {"TS, EM", BYTES(0x0f, 0x58, 0xc1), CR0_TS | CR0_EM, 0, 0, EXC_UD},
    {"aligned", BYTES(0x0f, 0x58, 0x06), 0, 0, RIG_DATA + 16, 0},
    {"misaligned", BYTES(0x0f, 0x58, 0x06), 0, 0, RIG_DATA + 8, EXC_GP},
    {"misaligned scalar", BYTES(0xf3, 0x0f, 0x58, 0x06), 0, 0, RIG_DATA + 9, 0},
    {"movups", BYTES(0x0f, 0x10, 0x06), 0, 0, RIG_DATA + 9, 0},
    {"#GP before #PF", BYTES(0x0f, 0x28, 0x06), 0, 0, RIG_HOLE + 1, EXC_GP},
    {"#PF", BYTES(0x0f, 0x28, 0x06), 0, 0, RIG_HOLE, EXC_PF},
    {"#NM before #GP", BYTES(0x0f, 0x28, 0x06), CR0_TS, 0, RIG_WILD, EXC_NM},
    {"not canonical", BYTES(0x0f, 0x10, 0x06), 0, 0, RIG_WILD, EXC_GP},
    {"movaps store", BYTES(0x0f, 0x29, 0x06), 0, 0, RIG_DATA + 1, EXC_GP},
    {"movntps reg", BYTES(0x0f, 0x2b, 0xc1), CR0_TS, 0, 0, EXC_UD},
    {"movmskps mem", BYTES(0x0f, 0x50, 0x06), CR0_TS, 0, 0, EXC_UD},
    {"movlpd reg", BYTES(0x66, 0x0f, 0x12, 0xc1), 0, 0, 0, EXC_UD},
    {"lddqu reg", BYTES(0xf2, 0x0f, 0xf0, 0xc1), 0, 0, 0, EXC_UD},
    {"psrlw group /0", BYTES(0x66, 0x0f, 0x71, 0xc1, 1), 0, 0, 0, EXC_UD},
    {"psrldq mmx", BYTES(0x0f, 0x73, 0xd9, 1), 0, 0, 0, EXC_UD},
    {"lock addps", BYTES(0xf0, 0x0f, 0x58, 0x06), 0, 0, RIG_DATA, EXC_UD},
    {"paddb mm", BYTES(0x0f, 0xfc, 0xc1), 0, 0, 0, 0},
    {"mm needs no OSFXSR", BYTES(0x0f, 0xfc, 0xc1), 0, CR4_OSFXSR, 0, 0},
    {"movq2dq does", BYTES(0xf3, 0x0f, 0xd6, 0xc1), 0, CR4_OSFXSR, 0, EXC_UD},
    {"paddb mm, EM", BYTES(0x0f, 0xfc, 0xc1), CR0_EM, 0, 0, EXC_UD},
    {"paddb mm, TS", BYTES(0x0f, 0xfc, 0xc1), CR0_TS, 0, 0, EXC_NM},
    {"emms, EM", BYTES(0x0f, 0x77), CR0_EM, 0, 0, EXC_UD},
    {"ldmxcsr, TS", BYTES(0x0f, 0xae, 0x16), CR0_TS, 0, RIG_WILD, EXC_NM},
    /* hidden: not in the CPUID that guests see */
    {"vaddps", BYTES(0xc5, 0xf0, 0x58, 0xc0), 0, 0, 0, EXC_UD},
    {"sha1nexte", BYTES(0x0f, 0x38, 0xc8, 0xc1), 0, 0, 0, EXC_UD},
    {"gf2p8mulb", BYTES(0x66, 0x0f, 0x38, 0xcf, 0xc1), 0, 0, 0, EXC_UD},
    {"sha1rnds4", BYTES(0x0f, 0x3a, 0xcc, 0xc1, 0), 0, 0, 0, EXC_UD},
    {"extrq", BYTES(0x66, 0x0f, 0x79, 0xc1), 0, 0, 0, EXC_UD},
    {"movntss", BYTES(0xf3, 0x0f, 0x2b, 0x06), 0, 0, RIG_DATA, EXC_UD},
    {"pi2fd", BYTES(0x0f, 0x0f, 0xc1, 0x0d), 0, 0, 0, EXC_UD},
    {"xsave", BYTES(0x0f, 0xae, 0x26), 0, 0, RIG_DATA, EXC_UD},
};

START_TEST(test_sse_check)
{
    const struct sse_check_case *t = &sse_checks[_i];
    struct rig r;
    enum exec e;

    sse_rig(&r);
    r.c->s.cr0 |= t->cr0_on;
    r.c->s.cr4 &= ~t->cr4_off;
    r.c->s.gpr[GPR_RSI] = t->rsi;
    e = sse_step(&r, t->bytes);
    ck_assert_msg(e == (t->vector ? EXEC_FAULT : EXEC_OK), "%s: exec %d",
                  t->name, e);
    if (t->vector)
        ck_assert_msg(r.c->exc.vector == t->vector, "%s: vector %u", t->name,
                      r.c->exc.vector);
    fpu_leave(r.c);
    rig_free(&r);
}
END_TEST

/* ---- exceptions -------------------------------------------------------- */

static const u8 divps[15] = {0x0f, 0x5e, 0xc1};

START_TEST(test_sse_xm)
{
    struct rig r;
    struct xmm before;

    sse_rig(&r);
    le32_put(r.c->s.xsave + FX_MXCSR, 0x1d80); /* divide by zero unmasked */
    *xmm_reg(r.c, 0) = before = (struct xmm){.d = {0x3f800000, 1, 2, 3}};
    ck_assert_int_eq(sse_step(&r, divps), EXEC_FAULT);
    ck_assert_int_eq(r.c->exc.vector, EXC_XM);
    ck_assert_mem_eq(xmm_reg(r.c, 0), &before, sizeof(before));
    r.c->s.cr4 &= ~CR4_OSXMMEXCPT;
    ck_assert_int_eq(sse_step(&r, divps), EXEC_FAULT);
    ck_assert_int_eq(r.c->exc.vector, EXC_UD);
    fpu_leave(r.c);
    ck_assert_uint_eq(le32_get(r.c->s.xsave + FX_MXCSR) & 4, 4);
    rig_free(&r);
}
END_TEST

/* An x87 exception that is pending comes before MMX. */
START_TEST(test_mmx_mf)
{
    static const u8 paddb[15] = {0x0f, 0xfc, 0xc1};
    struct rig r;

    sse_rig(&r);
    le16_put(r.c->s.xsave + FX_FCW, 0x37e);
    le16_put(r.c->s.xsave + FX_FSW, 0x8081);
    ck_assert_int_eq(sse_step(&r, paddb), EXEC_FAULT);
    ck_assert_int_eq(r.c->exc.vector, EXC_MF);
    rig_free(&r);
}
END_TEST

/* MM1 is physical register 1 whatever TOP was; then TOP is 0, all valid. */
START_TEST(test_mmx_alias)
{
    static const u8 movq[15] = {0x48, 0x0f, 0x6e, 0xc8}; /* movq mm1, rax */
    u8 *image;
    struct rig r;

    sse_rig(&r);
    image = r.c->s.xsave;
    le16_put(image + FX_FSW, 3 << 11);
    le64_put(image + FX_ST + 16 * ((2 - 3) & 7), 0x22); /* physical 2 */
    r.c->s.gpr[GPR_RAX] = 0x11;
    ck_assert_int_eq(sse_step(&r, movq), EXEC_OK);
    ck_assert_uint_eq(le16_get(image + FX_FSW) >> 11 & 7, 0);
    ck_assert_uint_eq(image[FX_FTW], 0xff);
    ck_assert_uint_eq(le64_get(image + FX_ST + 16), 0x11);
    ck_assert_uint_eq(le16_get(image + FX_ST + 16 + 8), 0xffff);
    ck_assert_uint_eq(le64_get(image + FX_ST + 32), 0x22);
    rig_free(&r);
}
END_TEST

/* ---- the table --------------------------------------------------------- */

/* Every row can be run, and says what the decoder needs. */
START_TEST(test_sse_rows)
{
    static const u8 prefixes[] = {0, PFX_66, PFX_REP, PFX_REPNE};
    unsigned int map = (unsigned int)_i + 1, rows = 0;

    for (unsigned int op = 0; op < 256; op++)
        for (unsigned int p = 0; p < 4; p++) {
            const struct row *row = sse_row(map, (u8)op, prefixes[p]);
            const struct sse_row *r = (const void *)row;

            if (!row)
                continue;
            rows++;
            ck_assert_ptr_nonnull(row->fn);
            ck_assert(row->flags & R_FPU);
            if (row->fn != op_sse) /* this and then that */
                ck_assert(r->stub == NULL || r->move == NULL);
            if (row->fn == op_sse || row->fn == op_mmx)
                ck_assert_msg(r->stub || r->move, "%s", row->name);
            if (row->fn == op_sse_store)
                ck_assert_msg(r->move != NULL, "%s", row->name);
        }
    ck_assert_uint_ge(rows, 20);
}
END_TEST

START_TEST(test_sse_prefix)
{
    /* F2 and F3 beat 66 */
    ck_assert_str_eq(sse_row(1, 0x58, PFX_66 | PFX_REP)->name, "addss");
    ck_assert_str_eq(sse_row(1, 0x58, PFX_66 | PFX_REPNE)->name, "addsd");
    ck_assert_str_eq(sse_row(1, 0x58, PFX_66)->name, "addpd");
    ck_assert_ptr_null(sse_row(1, 0xfc, PFX_REP));
}
END_TEST

Suite *suite_sse(void);
Suite *suite_sse(void)
{
    Suite *s = suite_create("sse");
    TCase *tc = tcase_create("sse");

    tcase_add_loop_test(tc, test_sse_check, 0, ARRAY_SIZE(sse_checks));
    tcase_add_test(tc, test_sse_xm);
    tcase_add_test(tc, test_mmx_mf);
    tcase_add_test(tc, test_mmx_alias);
    tcase_add_loop_test(tc, test_sse_rows, 0, 3);
    tcase_add_test(tc, test_sse_prefix);
    suite_add_tcase(s, tc);
    return s;
}
