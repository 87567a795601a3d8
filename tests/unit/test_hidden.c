/* SPDX-License-Identifier: Apache-2.0 */
/* test_hidden.c: what CPUID hides from a guest is #UD, at any privilege, also
 * where this host has it */
#include "step_code.h"
#include "unit.h"

Suite *suite_hidden(void);

static const struct hidden {
    const char *name, *hex;
} hidden[] = {
    /* clang-format off */
    /* AVX and kin: VEX, EVEX, XOP */
    {"vzeroupper", "c5 f8 77"},
    {"vaddpd", "c5 f1 58 c2"},
    {"vpaddd ymm", "c5 f5 fe c2"},
    {"vmaskmovps", "c4 e2 71 2c 06"},
    {"vgatherdps", "c4 e2 69 92 04 0e"},
    {"vfmadd132pd", "c4 e2 f1 98 c2"},
    {"vcvtph2ps", "c4 e2 79 13 c1"},
    {"vaesenc", "c4 e2 71 dc c2"},
    {"vaddps zmm", "62 f1 74 48 58 c2"},
    {"vmovdqa32 zmm", "62 f1 7d 48 6f 06"},
    {"kmovw", "c5 f8 92 c0"},
    {"vprotb", "8f e9 70 90 c2"},
    {"blsfill", "8f e9 78 01 d0"},
    /* BMI1, BMI2, ADX; LZCNT and TZCNT are BSR and BSF */
    {"andn", "c4 e2 78 f2 c1"},
    {"blsr", "c4 e2 78 f3 c8"},
    {"bextr", "c4 e2 70 f7 c0"},
    {"shlx", "c4 e2 71 f7 c1"},
    {"pdep", "c4 e2 73 f5 c2"},
    {"mulx", "c4 e2 73 f6 c2"},
    {"rorx", "c4 e3 7b f0 c1 05"},
    {"adcx", "66 0f 38 f6 c1"},
    {"adox", "f3 0f 38 f6 c1"},
    /* SHA, GFNI, SSE4A, 3DNow! */
    {"sha1nexte", "0f 38 c8 c1"},
    {"sha256rnds2", "0f 38 cb c1"},
    {"sha1rnds4", "0f 3a cc c1 00"},
    {"gf2p8mulb", "66 0f 38 cf c1"},
    {"gf2p8affineqb", "66 0f 3a ce c1 00"},
    {"extrq", "66 0f 79 c1"},
    {"insertq", "f2 0f 78 c1 01 02"},
    {"movntsd", "f2 0f 2b 06"},
    {"movntss", "f3 0f 2b 06"},
    {"pfadd", "0f 0f c1 9e"},
    {"femms", "0f 0e"},
    /* extended state */
    {"xgetbv", "0f 01 d0"},
    {"xsetbv", "0f 01 d1"},
    {"xsave", "0f ae 26"},
    {"xrstor", "0f ae 2e"},
    {"xsaveopt", "0f ae 36"},
    {"xsavec", "0f c7 26"},
    {"xsaves", "0f c7 2e"},
    {"xrstors", "0f c7 1e"},
    /* caches, waiting, other memory */
    {"clflushopt", "66 0f ae 3e"},
    {"clwb", "66 0f ae 36"},
    {"clzero", "0f 01 fc"},
    {"monitor", "0f 01 c8"},
    {"mwait", "0f 01 c9"},
    {"monitorx", "0f 01 fa"},
    {"mwaitx", "0f 01 fb"},
    {"umonitor", "f3 0f ae f0"},
    {"tpause", "66 0f ae f0"},
    {"movdiri", "0f 38 f9 06"},
    {"movdir64b", "66 0f 38 f8 06"},
    {"enqcmd", "f2 0f 38 f8 06"},
    /* random numbers, numbers of processors, protection */
    {"rdseed", "0f c7 f8"},
    {"rdpid", "f3 0f c7 f8"},
    {"rdpru", "0f 01 fd"},
    {"clac", "0f 01 ca"},
    {"stac", "0f 01 cb"},
    {"rdpkru", "0f 01 ee"},
    {"wrpkru", "0f 01 ef"},
    {"invpcid", "66 0f 38 82 06"},
    {"serialize", "0f 01 e8"},
    {"rstorssp", "f3 0f 01 2e"},
    {"wrss", "0f 38 f6 06"},
    {"wruss", "66 0f 38 f5 06"},
    {"aesenc128kl", "f3 0f 38 dc 06"},
    {"ptwrite", "f3 0f ae 26"},
    /* virtualization, enclaves */
    {"vmlaunch", "0f 01 c2"},
    {"vmread", "0f 78 c1"},
    {"vmwrite", "0f 79 c1"},
    {"vmptrld", "0f c7 36"},
    {"vmxon", "f3 0f c7 36"},
    {"invept", "66 0f 38 80 06"},
    {"invvpid", "66 0f 38 81 06"},
    {"vmrun", "0f 01 d8"},
    {"vmload", "0f 01 da"},
    {"stgi", "0f 01 dc"},
    {"clgi", "0f 01 dd"},
    {"skinit", "0f 01 de"},
    {"invlpga", "0f 01 df"},
    {"encls", "0f 01 cf"},
    {"enclu", "0f 01 d7"},
    /* transactions */
    {"xbegin", "c7 f8 00 00 00 00"},
    {"xabort", "c6 f8 00"},
    {"xend", "0f 01 d5"},
    {"xtest", "0f 01 d6"},
    /* AMD has it in legacy mode only */
    {"sysenter", "0f 34"},
    /* clang-format on */
};

START_TEST(test_hidden)
{
    const struct hidden *h = &hidden[_i / 2];
    struct cpu_state before;
    struct rig r;

    rig_new(&r);
    r.c->s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    r.c->s.gpr[GPR_RSI] = RIG_DATA;
    rig_cpl(&r, _i & 1 ? 3 : 0);
    put_code(&r, RIG_CODE, h->hex);
    r.c->s.rip = RIG_CODE;
    before = r.c->s;
    ck_assert_msg(step_one(r.c) == EXEC_FAULT && r.c->exc.vector == EXC_UD,
                  "%s at CPL %d", h->name, _i & 1 ? 3 : 0);
    fpu_leave(r.c);
    ck_assert_mem_eq(&before, &r.c->s, sizeof(before));
    rig_free(&r);
}
END_TEST

Suite *suite_hidden(void)
{
    Suite *s = suite_create("hidden");
    TCase *tc = tcase_create("hidden");

    suite_add_tcase(s, tc);
    tcase_add_loop_test(tc, test_hidden, 0, 2 * ARRAY_SIZE(hidden));
    return s;
}
