/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: budgets, stops, what a visit takes and leaves, service mode */
#include "interp_rig.h"

static void code(struct rig *r, const char *bytes, unsigned int len)
{
    rig_new(r);
    mem_write(r->mem, RIG_CODE, bytes, len);
}

#define CODE(r, bytes) code(r, bytes, sizeof(bytes) - 1)

static enum interp_stop run(struct rig *r, u64 budget, u32 flags)
{
    r->run.budget = budget;
    r->run.flags = flags | INTERP_NO_WAIT;
    return interp_run(r->c, &r->run);
}

/* 1: add $1, %eax; jmp 1b. Two instructions a turn, exactly to the budget. */
START_TEST(test_budget)
{
    static const u64 budget[] = {0,  1,  2,    31,   32,   33,   63,
                                 64, 65, 4095, 4096, 4097, 10001};
    struct rig r;

    for (u32 flags = 0; flags <= INTERP_STEP; flags += INTERP_STEP) {
        CODE(&r, "\x83\xc0\x01\xeb\xfb");
        ck_assert_int_eq(run(&r, budget[_i], flags), INTERP_BUDGET);
        ck_assert_uint_eq(r.run.done, budget[_i]);
        ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], (budget[_i] + 1) / 2);
        ck_assert_uint_eq(r.c->s.rip, RIG_CODE + budget[_i] % 2 * 3);
        rig_free(&r);
    }
}
END_TEST

/* Sticky until it was answered, once. */
START_TEST(test_poke)
{
    struct rig r;

    CODE(&r, "\xeb\xfe");
    interp_poke(r.c);
    interp_poke(r.c);
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_EVENT);
    ck_assert_uint_eq(r.run.done, 0);
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_BUDGET);
    rig_free(&r);
}
END_TEST

static void *poke_later(void *arg)
{
    interp_poke(arg);
    return NULL;
}

START_TEST(test_poke_thread)
{
    pthread_t t;
    struct rig r;

    CODE(&r, "\xeb\xfe");
    pthread_create(&t, NULL, poke_later, r.c);
    ck_assert_int_eq(run(&r, ~0ull, 0), INTERP_EVENT);
    pthread_join(t, NULL);
    rig_free(&r);
}
END_TEST

START_TEST(test_halt)
{
    struct rig r;

    CODE(&r, "\x90\xf4\x90");
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_HALT);
    ck_assert_uint_eq(r.run.done, 2);
    ck_assert_uint_eq(r.c->s.rip, RIG_CODE + 2);
    ck_assert_uint_eq(r.c->s.mp_state, MP_HALTED);
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_HALT);
    ck_assert_uint_eq(r.run.done, 0);
    rig_free(&r);
}
END_TEST

/* The state is complete outside: OF is in RFLAGS, and taken from there. */
START_TEST(test_flags)
{
    struct rig r;

    CODE(&r, "\x70\x02\x04\x7f\xf4"); /* jo +2; add $0x7f, %al; hlt */
    r.c->s.gpr[GPR_RAX] = 1;
    ck_assert_int_eq(run(&r, 2, 0), INTERP_BUDGET);
    ck_assert_uint_eq(r.c->s.rflags & RFLAGS_OF, RFLAGS_OF);
    r.c->s.rip = RIG_CODE;
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_HALT);
    ck_assert_uint_eq(r.run.done, 2);
    ck_assert_uint_eq(r.run.dirty & CPU_REGS, CPU_REGS);
    rig_free(&r);
}
END_TEST

/* AVX is a gap of ours: nothing changed, bytes for the log. */
START_TEST(test_unknown)
{
    struct rig r;

    CODE(&r, "\xc5\xf8\x77\x90"); /* vzeroupper */
    r.c->service = true;
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_UNKNOWN);
    ck_assert_uint_eq(r.run.done, 0);
    ck_assert_uint_eq(r.c->s.rip, RIG_CODE);
    ck_assert_uint_eq(r.run.insn_len, 15);
    ck_assert_mem_eq(r.run.insn, "\xc5\xf8\x77\x90", 4);
    r.c->service = false;
    rig_free(&r);
}
END_TEST

START_TEST(test_shutdown)
{
    struct rig r;

    CODE(&r, "\x0f\x0b");
    r.c->s.idt.limit = 0;
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_SHUTDOWN);
    rig_free(&r);
}
END_TEST

/* A guest that only faults uses up its budget too. */
START_TEST(test_fault_loop)
{
    struct rig r;

    CODE(&r, "\x0f\x0b");
    for (unsigned int v = 0; v < 32; v++) /* the gate leads to UD2 */
        rig_put(&r, RIG_TARGET + 16 * v, 2, 0x0b0f);
    rig_gate(&r, EXC_UD, RIG_CS0, RIG_CODE, 0x8e, 1);
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_BUDGET);
    ck_assert_uint_eq(r.run.done, 1000);
    rig_free(&r);
}
END_TEST

/* An exception that came along with the state is delivered first. */
START_TEST(test_event)
{
    struct rig r;

    CODE(&r, "\x90");
    rig_put(&r, RIG_TARGET + 16 * EXC_UD, 1, 0xf4);
    r.c->s.event.exc_valid = 1;
    r.c->s.event.exc_vector = EXC_UD;
    ck_assert_int_eq(run(&r, 1000, 0), INTERP_HALT);
    ck_assert_uint_eq(r.c->s.rip, RIG_TARGET + 16 * EXC_UD + 1);
    ck_assert_uint_eq(r.c->s.event.exc_valid, 0);
    rig_free(&r);
}
END_TEST

/* TF: #DB after every instruction, also where blocks would run. */
START_TEST(test_single_step)
{
    struct rig r;

    /* 1: inc %eax; jmp 1b. #DB: inc %ebx; iretq */
    CODE(&r, "\xff\xc0\xeb\xfc");
    rig_put(&r, RIG_TARGET + 16 * EXC_DB, 4, 0xcf48c3ff);
    r.c->s.rflags |= RFLAGS_TF;
    ck_assert_int_eq(run(&r, 4 * 100, 0), INTERP_BUDGET);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RBX], 100);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], 50);
    rig_free(&r);
}
END_TEST

/* ---- service ------------------------------------------------------------ */

static u32 fetched;

static int fetch(void *ctx, u32 parts)
{
    fetched |= parts;
    return 0;
}

static const struct service_case {
    const char *name;
    const char bytes[8];
    u64 budget;
    u8 cpl;
    enum interp_stop stop;
    u64 done;
    u32 fetched;
} services[] = {
    {"plain", "\x90\x90\x90", 3, 0, INTERP_BUDGET, 3, 0},
    {"second is HLT", "\x90\xf4", 9, 0, INTERP_BOUNDARY, 1, 0},
    {"second is MOV CR3", "\x90\x0f\x22\xd8", 9, 0, INTERP_BOUNDARY, 1, 0},
    {"same, in blocks", "\x90\x90\x0f\x22\xd8", 999, 0, INTERP_BOUNDARY, 2, 0},
    {"first is MOV CR2", "\x0f\x22\xd0\xf4", 9, 0, INTERP_BOUNDARY, 1, 0},
    {"IF becomes 1", "\x90\xfb\x90\x90", 9, 0, INTERP_BUDGET, 2, 0},
    {"SSE", "\x66\x0f\xef\xc0\xf4", 9, 0, INTERP_BOUNDARY, 1, CPU_FPU},
};

START_TEST(test_service)
{
    const struct service_case *t = &services[_i];
    struct rig r;

    rig_new(&r);
    mem_write(r.mem, RIG_CODE, t->bytes, sizeof(t->bytes));
    r.c->service = true;
    r.c->s.cr4 |= CR4_OSFXSR;
    r.run.fetch = fetch;
    fetched = 0;
    rig_cpl(&r, t->cpl);
    ck_assert_msg(run(&r, t->budget, 0) == t->stop, "%s", t->name);
    ck_assert_msg(r.run.done == t->done, "%s: done %lu", t->name, r.run.done);
    ck_assert_msg(fetched == t->fetched, "%s: fetched %x", t->name, fetched);
    r.c->service = false;
    rig_free(&r);
}
END_TEST

/* No translation survives from one visit to the next. */
START_TEST(test_service_tlb)
{
    struct rig r;

    CODE(&r, "\x8a\x04\x25\x00\x00\x00\x40\x90"); /* mov 0x40000000, %al */
    rig_put(&r, RIG_PDPT + 8, 8, 0x87);
    rig_put(&r, 0, 1, 1);
    rig_put(&r, 0x31000, 8, 0x200087);
    rig_put(&r, 0x200000, 1, 2);
    mmu_flush_all(r.c);
    r.c->service = true;
    for (unsigned int i = 1; i < 3; i++) {
        r.c->s.rip = RIG_CODE;
        ck_assert_int_eq(run(&r, 1, 0), INTERP_BUDGET);
        ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], i);
        rig_put(&r, RIG_PDPT + 8, 8, 0x31000 | 7);
    }
    r.c->service = false;
    rig_free(&r);
}
END_TEST

/* SDM vol. 3A table 9-1 */
START_TEST(test_reset)
{
    static struct cpu_state s;

    cpu_state_reset(&s, 0);
    ck_assert_uint_eq(s.rip, 0xfff0);
    ck_assert_uint_eq(s.seg[SEG_CS].base, 0xffff0000);
    ck_assert_uint_eq(s.seg[SEG_CS].sel, 0xf000);
    ck_assert_uint_eq(s.cr0, 0x60000010);
    ck_assert_uint_eq(s.rflags, 2);
    ck_assert_uint_eq(s.dr7, 0x400);
    ck_assert_uint_eq(s.apic_base, 0xfee00900);
    ck_assert_uint_eq(s.mp_state, MP_RUNNABLE);
    cpu_state_reset(&s, 1);
    ck_assert_uint_eq(s.apic_base, 0xfee00800);
    ck_assert_uint_eq(s.mp_state, MP_WAIT_SIPI);
}
END_TEST

Suite *suite_run(void);
Suite *suite_run(void)
{
    Suite *s = suite_create("run");
    TCase *tc = tcase_create("run");

    tcase_add_loop_test(tc, test_budget, 0, 13);
    tcase_add_test(tc, test_poke);
    tcase_add_test(tc, test_poke_thread);
    tcase_add_test(tc, test_halt);
    tcase_add_test(tc, test_flags);
    tcase_add_test(tc, test_unknown);
    tcase_add_test(tc, test_shutdown);
    tcase_add_test(tc, test_fault_loop);
    tcase_add_test(tc, test_event);
    tcase_add_test(tc, test_single_step);
    tcase_add_loop_test(tc, test_service, 0, ARRAY_SIZE(services));
    tcase_add_test(tc, test_service_tlb);
    tcase_add_test(tc, test_reset);
    suite_add_tcase(s, tc);
    return s;
}
