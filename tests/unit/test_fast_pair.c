/* SPDX-License-Identifier: Apache-2.0 */
/* fast_pair.c: random runs of the instructions that pairs are made of, with
 * faults in the first and in the second, must do the same in both tiers */
#include "interp/fast_pair.h"

#include "interp/fast_alu.h"
#include "interp/fast_move.h"
#include "same_state.h"

#define RUNS     3000
#define RUN_SIZE 128u /* bytes of code, HLT included */
#define RUN_CODE 0x100000u

/* ModRM: '/' both registers, '+' register and memory, 'e' opcode extension in
 * ext and register, 'm' the same with memory; imm: bytes behind that. */
static const struct shape {
    u8 op[3], nr; /* opcode bytes */
    char modrm;
    u8 ext, imm;
    bool wide; /* REX.W may be there */
} shapes[] = {
    {{0x89}, 1, '/', 0, 0, true},
    {{0x31}, 1, '/', 0, 0, true},
    {{0x01}, 1, '/', 0, 0, true},
    {{0x29}, 1, '/', 0, 0, true},
    {{0x21}, 1, '/', 0, 0, true},
    {{0x09}, 1, '/', 0, 0, true},
    {{0x39}, 1, '/', 0, 0, true},
    {{0x85}, 1, '/', 0, 0, true},
    {{0x63}, 1, '/', 0, 0, true},
    {{0x0f, 0xb6}, 2, '/', 0, 0, true},
    {{0x0f, 0xb7}, 2, '/', 0, 0, true},
    {{0x0f, 0x44}, 2, '/', 0, 0, true},
    {{0x8b}, 1, '+', 0, 0, true},
    {{0x8b}, 1, '+', 0, 0, true},
    {{0x89}, 1, '+', 0, 0, true},
    {{0x03}, 1, '+', 0, 0, true},
    {{0x2b}, 1, '+', 0, 0, true},
    {{0x3b}, 1, '+', 0, 0, true},
    {{0x88}, 1, '+', 0, 0, false},
    {{0x66, 0x89}, 2, '+', 0, 0, false},
    {{0x0f, 0xb6}, 2, '+', 0, 0, true},
    {{0x0f, 0xb7}, 2, '+', 0, 0, true},
    {{0x8d}, 1, '+', 0, 0, true},
    {{0x83}, 1, 'e', 0, 1, true},
    {{0x83}, 1, 'e', 4, 1, true},
    {{0x83}, 1, 'e', 5, 1, true},
    {{0x83}, 1, 'e', 7, 1, true},
    {{0xc7}, 1, 'e', 0, 4, true},
    {{0xc1}, 1, 'e', 4, 1, true},
    {{0xc1}, 1, 'e', 5, 1, true},
    {{0xc1}, 1, 'e', 0, 1, false},
    {{0xf7}, 1, 'e', 0, 4, true},
    {{0xc7}, 1, 'm', 0, 4, true},
    {{0xc6}, 1, 'm', 0, 1, false},
    {{0x80}, 1, 'm', 7, 1, false},
    {{0xf6}, 1, 'm', 0, 1, false},
    {{0x83}, 1, 'm', 0, 1, true},
    {{0x74, 0x01, 0x90}, 3, 0, 0, 0, false},
    {{0x75, 0x01, 0x90}, 3, 0, 0, 0, false},
    {{0x50}, 1, 0, 0, 0, false},
    {{0x53}, 1, 0, 0, 0, false},
    {{0x5a}, 1, 0, 0, 0, false},
    {{0xeb, 0x00}, 2, 0, 0, 0, false},
};

static u64 seed;

static u64 rnd(u64 below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* RAX RCX RDX RBX and by memory RSI or RDI, with a displacement. */
static unsigned int put_modrm(u8 *p, const struct shape *s)
{
    u8 reg = (u8)(s->modrm == '/' || s->modrm == '+' ? rnd(4) : s->ext);

    if (s->modrm == '/' || s->modrm == 'e') {
        p[0] = (u8)(0xc0 | reg << 3 | rnd(4));
        return 1;
    }
    p[0] = (u8)(0x40 | reg << 3 | (6 + rnd(4) / 3));
    p[1] = (u8)rnd(64);
    return 2;
}

static unsigned int put_insn(u8 *p)
{
    const struct shape *s = &shapes[rnd(ARRAY_SIZE(shapes))];
    unsigned int n = 0;

    if (s->wide && rnd(3))
        p[n++] = 0x48;
    memcpy(p + n, s->op, s->nr);
    n += s->nr;
    if (s->modrm)
        n += put_modrm(p + n, s);
    for (unsigned int i = 0; i < s->imm; i++)
        p[n++] = (u8)rnd(256);
    return n;
}

static void put_run(struct rig *a, struct rig *b, u64 at)
{
    u8 code[RUN_SIZE];
    unsigned int n = 0;

    while (n < RUN_SIZE - 16)
        n += put_insn(code + n);
    memset(code + n, 0xf4, RUN_SIZE - n);
    ck_assert_int_eq(mem_write(a->mem, at, code, RUN_SIZE), 0);
    ck_assert_int_eq(mem_write(b->mem, at, code, RUN_SIZE), 0);
}

/* RSI points to memory; RDI there, to the end of a page, or nowhere. */
static void begin(struct rig *r, u64 at, u64 rdi)
{
    static const u64 gpr[] = {0x11223344556677, 3, 0xffffffff80000000, 0x7f};

    memcpy(r->c->s.gpr, gpr, sizeof(gpr));
    r->c->s.gpr[GPR_RSP] = RIG_STACK;
    r->c->s.gpr[GPR_RSI] = RIG_DATA + 0x100;
    r->c->s.gpr[GPR_RDI] = rdi;
    r->c->s.rip = at;
    r->c->s.rflags = RFLAGS_ONE;
}

static void run_to_halt(struct rig *r, u32 flags)
{
    r->run =
        (struct interp_run){.budget = 1000, .flags = flags | INTERP_NO_WAIT};
    ck_assert_int_eq(interp_run(r->c, &r->run), INTERP_HALT);
}

static void same(struct rig *a, struct rig *b, unsigned int run)
{
    rig_same_state("run", run, a, b);
    ck_assert_msg(a->run.done == b->run.done, "run %u: instructions", run);
    ck_assert_msg(memcmp(mem_range(a->mem, 0, RUN_CODE),
                         mem_range(b->mem, 0, RUN_CODE), RUN_CODE) == 0,
                  "run %u: memory", run);
}

START_TEST(test_random_runs)
{
    static const u64 rdi[] = {RIG_DATA + 0x200, RIG_DATA + 0xfe0, RIG_HOLE,
                              RIG_WILD};
    u64 blocks = 0;
    struct rig a, b;

    seed = 0x9e3779b97f4a7c15;
    rig_new(&a);
    rig_new(&b);
    for (unsigned int v = 0; v < 32; v++) {
        rig_put(&a, RIG_TARGET + 16 * v, 1, 0xf4);
        rig_put(&b, RIG_TARGET + 16 * v, 1, 0xf4);
    }
    for (unsigned int i = 0; i < RUNS; i++)
        put_run(&a, &b, RUN_CODE + i * RUN_SIZE);
    for (unsigned int i = 0; i < RUNS; i++) {
        u64 at = RUN_CODE + i * RUN_SIZE, to = rdi[rnd(ARRAY_SIZE(rdi))];

        begin(&a, at, to);
        begin(&b, at, to);
        run_to_halt(&a, INTERP_STEP);
        run_to_halt(&b, 0);
        same(&a, &b, i);
        blocks += b.c->stats.blocks;
    }
    ck_assert_uint_gt(blocks, RUNS);
    rig_free(&a);
    rig_free(&b);
}
END_TEST

/* Only the first op of a pair changes, and only that of a pair of the list. */
START_TEST(test_which)
{
    static struct pair_table t;
    struct op op[] = {{.fn = fast_push_1},      {.fn = fast_mov8_rr},
                      {.fn = fast_call_direct}, {.fn = fast_fall},
                      {.fn = fast_not1_mr_seg}, {.fn = fast_mov8_rr}};
    struct op was[ARRAY_SIZE(op)];

    memset(&t, 0, sizeof(t));
    pair_table_fill(&t);
    memcpy(was, op, sizeof(op));
    pair_ops(&t, op, ARRAY_SIZE(op));
    ck_assert(op[0].fn != was[0].fn);
    ck_assert(op[1].fn != was[1].fn && op[1].fn != op[0].fn);
    for (unsigned int i = 2; i < ARRAY_SIZE(op); i++)
        ck_assert(op[i].fn == was[i].fn);
}
END_TEST

Suite *suite_fast_pair(void);

Suite *suite_fast_pair(void)
{
    Suite *s = suite_create("fast_pair");
    TCase *t = tcase_create("pairs");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_random_runs);
    tcase_add_test(t, test_which);
    suite_add_tcase(s, t);
    return s;
}
