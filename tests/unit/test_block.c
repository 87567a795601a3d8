/* SPDX-License-Identifier: Apache-2.0 */
/* block.c, fast_*.c: programs must run alike in the step and the block tier,
 * also when they rewrite themselves */
#include "same_state.h"

#include "interp/block.h"

__asm__(".pushsection .rodata\n.include \"tests/unit/block_progs.s\"\n"
        ".popsection");

/* X(name, RAX, RBX at the end; -1: any) */
#define PROGS(X)                                                               \
    X(smc_loop, 55, -1)                                                        \
    X(smc_next, 22, -1)                                                        \
    X(smc_wide, 1, -1)                                                         \
    X(smc_far, -1, 590)                                                        \
    X(smc_rival, 2, 3)                                                         \
    X(smc_storm, 450, -1)                                                      \
    X(smc_rep, 1, -1)                                                          \
    X(remap, 2, 0x66666)                                                       \
    X(remap_cr3, 2, 0x66666)                                                   \
    X(mix, -1, -1)                                                             \
    X(faults, -1, -1)                                                          \
    X(rivals, 6, -1)                                                           \
    X(cross_smc, -1, 12451860)                                                 \
    X(cross_jump, 2, 1398100)                                                  \
    X(cross_fault, 100, 103)                                                   \
    X(cross_operand, 3, 60)                                                    \
    X(stack_runs, -1, 0)                                                       \
    X(memory_forms, -1, -1)                                                    \
    X(string_runs, -1, 0)                                                      \
    X(returns, 340, -1)                                                        \
    X(returns_cr3, 1, 0x99999)                                                 \
    X(returns_smc, 15, -1)

#define DECLARE(name, rax, rbx)                                                \
    extern const u8 prog_##name[], prog_##name##_end[];
PROGS(DECLARE)
#undef DECLARE

static const struct prog {
    const char *name;
    const u8 *from, *to;
    s64 rax, rbx;
} progs[] = {
#define ROW(name, rax, rbx) {#name, prog_##name, prog_##name##_end, rax, rbx},
    PROGS(ROW)
#undef ROW
};

/* 0x40000000: page 0x40000, or by the root at 0x6000 page 0x41000; 0x40001000
 * always page 0x40000. Fault handlers: add R15 to the pushed RIP. */
static void prog_load(struct rig *r, const struct prog *p)
{
    static const u8 skip_err[] = {0x48, 0x83, 0xc4, 0x08, /* add $8, %rsp */
                                  0x4c, 0x01, 0x3c, 0x24, /* add %r15, (%rsp) */
                                  0x48, 0xcf};            /* iretq */

    rig_new(r);
    rig_put(r, RIG_PDPT + 8, 8, 0x31000 | 7);
    rig_put(r, 0x31000, 8, 0x32000 | 7);
    rig_put(r, 0x32000, 8, 0x40000 | 7);
    rig_put(r, 0x32008, 8, 0x40000 | 7);
    rig_put(r, 0x6000, 8, 0x7000 | 7);
    rig_put(r, 0x7000, 8, 0x87);
    rig_put(r, 0x7008, 8, 0x33000 | 7);
    rig_put(r, 0x33000, 8, 0x34000 | 7);
    rig_put(r, 0x34000, 8, 0x41000 | 7);
    for (unsigned int v = 0; v < 32; v++) {
        bool err = v == EXC_PF || v == EXC_GP || v == EXC_SS;

        mem_write(r->mem, RIG_TARGET + 16 * v, skip_err + (err ? 0 : 4),
                  sizeof(skip_err) - (err ? 0 : 4));
    }
    mem_write(r->mem, RIG_CODE, p->from, (u64)(p->to - p->from));
    r->c->s.gpr[GPR_RSP] = 0x9000;
}

static enum interp_stop prog_run(struct rig *r, u64 budget, u32 flags)
{
    r->run =
        (struct interp_run){.budget = budget, .flags = flags | INTERP_NO_WAIT};
    return interp_run(r->c, &r->run);
}

static void same_memory(const char *name, struct rig *a, struct rig *b)
{
    const u8 *p = mem_range(a->mem, 0, 0x80000);
    const u8 *q = mem_range(b->mem, 0, 0x80000);

    unsigned int i = 0;

    while (i < 0x80000 && p[i] == q[i])
        i++;
    ck_assert_msg(i == 0x80000, "%s: byte %x: %x %x", name, i, p[i], q[i]);
}

/* To the end, in both tiers. */
START_TEST(test_program)
{
    const struct prog *p = &progs[_i];
    struct rig a, b;

    prog_load(&a, p);
    prog_load(&b, p);
    ck_assert_int_eq(prog_run(&a, 1000000, INTERP_STEP), INTERP_HALT);
    ck_assert_int_eq(prog_run(&b, 1000000, 0), INTERP_HALT);
    rig_same_state(p->name, 0, &a, &b);
    same_memory(p->name, &a, &b);
    ck_assert_uint_eq(a.run.done, b.run.done);
    ck_assert(b.c->stats.blocks > 0);
    if (p->rax >= 0)
        ck_assert_uint_eq(b.c->s.gpr[GPR_RAX], (u64)p->rax);
    if (p->rbx >= 0)
        ck_assert_uint_eq(b.c->s.gpr[GPR_RBX], (u64)p->rbx);
    rig_free(&a);
    rig_free(&b);
}
END_TEST

/* Cut anywhere: budgets of n from the start and again and again. n around the
 * size of a block are those where both tiers take turns. */
START_TEST(test_budget)
{
    static const u64 budget[] = {1, 31, 32, 33, 34, 40, 63, 64, 65, 97, 1000};
    const struct prog *p = &progs[_i];

    for (unsigned int i = 0; i < ARRAY_SIZE(budget); i++) {
        struct rig a, b;
        enum interp_stop x, y;
        u64 at = 0;

        prog_load(&a, p);
        prog_load(&b, p);
        do {
            x = prog_run(&a, budget[i], INTERP_STEP);
            y = prog_run(&b, budget[i], 0);
            at += budget[i];
            ck_assert_int_eq(x, y);
            ck_assert_uint_eq(b.run.done, a.run.done);
            rig_same_state(p->name, at, &a, &b);
        } while (x == INTERP_BUDGET);
        ck_assert_int_eq(x, INTERP_HALT);
        rig_free(&a);
        rig_free(&b);
    }
}
END_TEST

/* The second page of an instruction across two may be another one next time,
 * also where nobody tells. */
START_TEST(test_page_crossing)
{
    static const u8 head[] = {0xb8, 0x11}, tail[] = {0x22, 0x33, 0x44, 0xf4};
    struct rig r;

    prog_load(&r, &progs[0]);
    mem_write(r.mem, 0x40ffe, head, sizeof(head));
    mem_write(r.mem, 0x41000, tail, sizeof(tail));
    r.c->s.rip = 0x40ffe;
    ck_assert_int_eq(prog_run(&r, 1000, 0), INTERP_HALT);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], 0x44332211);
    rig_put(&r, 0x41000, 1, 0x55);
    r.c->s.rip = 0x40ffe;
    r.c->s.mp_state = MP_RUNNABLE;
    ck_assert_int_eq(prog_run(&r, 1000, 0), INTERP_HALT);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], 0x44335511);
    rig_free(&r);
}
END_TEST

/* Interrupts are held off for one instruction after STI: by its block, where
 * nothing waits, else by the shadow that the run loop knows. */
START_TEST(test_sti)
{
    static const struct {
        unsigned int before; /* INC EAX, 2 bytes */
        u32 attn;
        bool shadow; /* and left behind STI */
    } cases[] = {
        {0, 0, false}, {0, ATTN_IRQ, true}, {30, 0, false}, {31, 0, true}};
    struct rig r;
    u64 behind = RIG_CODE + 2 * cases[_i].before + 1;

    prog_load(&r, &progs[0]);
    for (u64 at = RIG_CODE; at < behind - 1; at += 2)
        rig_put(&r, at, 2, 0xc0ff);
    rig_put(&r, behind - 1, 5, 0xfeebc0fffb); /* STI, INC EAX, JMP to itself */
    r.c->s.rflags &= ~RFLAGS_IF;
    atomic_store(&r.c->attn, cases[_i].attn);
    block_run(r.c, block_get(r.c, RIG_CODE));
    ck_assert(r.c->s.rflags & RFLAGS_IF);
    ck_assert_uint_eq(r.c->s.event.shadow_sti, cases[_i].shadow);
    ck_assert_uint_eq(r.c->s.rip, behind + (cases[_i].shadow ? 0 : 2));
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX],
                      cases[_i].before + !cases[_i].shadow);
    rig_free(&r);
}
END_TEST

/* The instruction behind STI has to be looked at again, as another processor
 * has changed it: a load across pages, and a shorter one. */
START_TEST(test_sti_again)
{
    static const u8 code[] = {0x90, 0xfb, 0x8b, 0x81, 0, 0, 0, 0, 0xf4};
    bool was_if = _i;
    struct rig r;

    prog_load(&r, &progs[0]);
    mem_write(r.mem, RIG_CODE, code, sizeof(code));
    r.c->s.gpr[GPR_RCX] = 0xbffe;
    r.c->s.rflags &= ~RFLAGS_IF;
    r.c->s.rflags |= was_if ? RFLAGS_IF : 0;
    r.c->s.gpr[GPR_RAX] = 1;
    ck_assert_ptr_nonnull(block_get(r.c, RIG_CODE));
    rig_put(&r, RIG_CODE + 3, 1, 0x01);
    block_run(r.c, block_get(r.c, RIG_CODE));
    ck_assert_int_eq(r.c->leave, EXEC_AGAIN);
    ck_assert_uint_eq(r.c->s.rip, RIG_CODE + 2);
    ck_assert_uint_eq(r.c->s.event.shadow_sti, !was_if);
    rig_free(&r);
}
END_TEST

/* A device overwrites code that has run, in one of two pages, with a write that
 * begins and ends in other pages. The other page keeps its block. */
START_TEST(test_device_write)
{
    static const u8 code[] = {0xb8, 1, 0, 0, 0, 0xf4}; /* mov $1, %eax; hlt */
    const u64 near = RIG_CODE, far = RIG_CODE + 0x51000;
    struct rig r;

    prog_load(&r, &progs[0]);
    mem_write(r.mem, near, code, sizeof(code));
    mem_write(r.mem, far, code, sizeof(code));
    for (unsigned int i = 1; i < 5; i++) {
        rig_put(&r, far + 1, 1, i);
        mem_code_written(r.mem, far - 0x4f001, 0x50005);
        for (unsigned int page = 0; page < 2; page++) {
            r.c->s.rip = page ? far : near;
            r.c->s.mp_state = MP_RUNNABLE;
            ck_assert_int_eq(prog_run(&r, 1000, 0), INTERP_HALT);
            ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], page ? i : 1);
        }
        ck_assert_uint_eq(r.c->stats.blocks, 1 + i);
    }
    ck_assert(code_is_in(r.c, far));
    ck_assert(!code_is_in(r.c, far + 0x1000));
    ck_assert_uint_eq(block_flushes(r.c), 0);
    mem_code_written(r.mem, MEM_SIZE_MAX, 4);
    mem_code_written(r.mem, far, 0);
    ck_assert(atomic_load(&r.c->attn) & ATTN_CODE);
    rig_free(&r);
}
END_TEST

/* RAM whose pages do not fill the last word of the bitmap. */
START_TEST(test_last_page)
{
    static const u8 code[] = {0xb8, 1, 0, 0, 0, 0xf4};
    struct interp_env env = {.cpus = 1};
    struct rig r = {.run = {.budget = 1}};

    ck_assert_int_eq(mem_new(&r.mem, MEM_SIZE_MIN + PAGE_SIZE), 0);
    env.mem = r.mem;
    env.bus = &r.bus;
    bus_init(&r.bus);
    ck_assert_int_eq(interp_new(&r.c, &env), 0);
    rig_tables(&r);
    rig_state(&r);
    mem_write(r.mem, MEM_SIZE_MIN, code, sizeof(code));
    r.c->s.rip = MEM_SIZE_MIN;
    ck_assert_int_eq(prog_run(&r, 1000, 0), INTERP_HALT);
    ck_assert(code_is_in(r.c, MEM_SIZE_MIN));
    ck_assert_int_eq(mem_st(r.c, MEM_SIZE_MIN, 1, 0), EXEC_OK);
    ck_assert(!code_is_in(r.c, MEM_SIZE_MIN));
    rig_free(&r);
}
END_TEST

/* 5,000 blocks of 32 generic instructions do not fit; the pool starts over. */
START_TEST(test_pool)
{
    struct rig r;

    prog_load(&r, &progs[0]);
    memset(mem_range(r.mem, 0x100000, 0x40000), 0xf8, 0x40000); /* clc */
    rig_put(&r, 0x140000, 1, 0xf4);
    r.c->s.rip = 0x100000;
    ck_assert_int_eq(prog_run(&r, 1ull << 30, 0), INTERP_HALT);
    ck_assert_uint_eq(r.c->s.rip, 0x140001);
    ck_assert_uint_eq(r.run.done, 0x40001);
    ck_assert(block_flushes(r.c) > 0);
    rig_free(&r);
}
END_TEST

Suite *suite_block(void);
Suite *suite_block(void)
{
    Suite *s = suite_create("block");
    TCase *tc = tcase_create("block");

    tcase_set_timeout(tc, 20);
    tcase_add_loop_test(tc, test_program, 0, ARRAY_SIZE(progs));
    tcase_add_loop_test(tc, test_budget, 0, ARRAY_SIZE(progs));
    tcase_add_test(tc, test_page_crossing);
    tcase_add_loop_test(tc, test_sti, 0, 4);
    tcase_add_loop_test(tc, test_sti_again, 0, 2);
    tcase_add_test(tc, test_device_write);
    tcase_add_test(tc, test_last_page);
    tcase_add_test(tc, test_pool);
    suite_add_tcase(s, tc);
    return s;
}
