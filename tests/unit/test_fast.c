/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fast_*.c: random programs of the instructions that have handlers of their
 * own, in the step tier, in the block tier, and there once more with blocks
 * and links already made. All three must end alike, whatever they do: fault,
 * jump anywhere, rewrite themselves. FAST_PROGRAMS=n runs
 * more than the usual few, FAST_SEED=s one of them.
 */
#include <stdlib.h>

#include "interp_rig.h"

#define PROGRAMS 1000
#define WINDOW   0x80000u /* mapped, set up anew, and compared */
#define PD       0x30000u
#define PT       0x31000u
#define INSNS    60

static u64 seed;

/* xorshift64* */
static u32 rnd(u32 below)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (u32)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

enum { IMM0, IMM8, IMMZ, IMMV, IMM16, MOFFS };

static const struct form {
    u8 map; /* 0: one byte, 1: 0F */
    u8 opcode, count;
    bool modrm;
    u8 imm;
    u8 regs; /* which of ModRM.reg make sense, as a bit mask; 0: all */
} forms[] = {
    {0, 0x00, 4, true, IMM0, 0},    {0, 0x08, 4, true, IMM0, 0},
    {0, 0x10, 4, true, IMM0, 0},    {0, 0x18, 4, true, IMM0, 0},
    {0, 0x20, 4, true, IMM0, 0},    {0, 0x28, 4, true, IMM0, 0},
    {0, 0x30, 4, true, IMM0, 0},    {0, 0x38, 4, true, IMM0, 0},
    {0, 0x04, 1, false, IMM8, 0},   {0, 0x3d, 1, false, IMMZ, 0},
    {0, 0x15, 1, false, IMMZ, 0},   {0, 0x50, 16, false, IMM0, 0},
    {0, 0x63, 1, true, IMM0, 0},    {0, 0x68, 1, false, IMMZ, 0},
    {0, 0x69, 1, true, IMMZ, 0},    {0, 0x6a, 1, false, IMM8, 0},
    {0, 0x6b, 1, true, IMM8, 0},    {0, 0x70, 16, false, IMM8, 0},
    {0, 0x80, 1, true, IMM8, 0},    {0, 0x81, 1, true, IMMZ, 0},
    {0, 0x83, 1, true, IMM8, 0},    {0, 0x84, 8, true, IMM0, 0},
    {0, 0x8d, 1, true, IMM0, 0},    {0, 0x90, 8, false, IMM0, 0},
    {0, 0x98, 2, false, IMM0, 0},   {0, 0xa0, 4, false, MOFFS, 0},
    {0, 0xa8, 1, false, IMM8, 0},   {0, 0xa9, 1, false, IMMZ, 0},
    {0, 0xb0, 8, false, IMM8, 0},   {0, 0xb8, 8, false, IMMV, 0},
    {0, 0xc0, 2, true, IMM8, 0},    {0, 0xc2, 1, false, IMM16, 0},
    {0, 0xc3, 1, false, IMM0, 0},   {0, 0xc6, 1, true, IMM8, 1},
    {0, 0xc7, 1, true, IMMZ, 1},    {0, 0xc9, 1, false, IMM0, 0},
    {0, 0xd0, 4, true, IMM0, 0},    {0, 0xe2, 1, false, IMM8, 0},
    {0, 0xeb, 1, false, IMM8, 0},   {0, 0xf6, 1, true, IMM0, 0x0c},
    {0, 0xf7, 1, true, IMM0, 0xfc}, {0, 0xfe, 1, true, IMM0, 3},
    {0, 0xff, 1, true, IMM0, 0x57}, {1, 0x1f, 1, true, IMM0, 0},
    {1, 0x40, 16, true, IMM0, 0},   {1, 0x90, 16, true, IMM0, 0},
    {1, 0xa3, 1, true, IMM0, 0},    {1, 0xaf, 1, true, IMM0, 0},
    {1, 0xb6, 2, true, IMM0, 0},    {1, 0xba, 1, true, IMM8, 0xf0},
    {1, 0xbe, 2, true, IMM0, 0},
};

static u8 *put_bytes(u8 *p, unsigned int n)
{
    while (n--)
        *p++ = (u8)rnd(256);
    return p;
}

/* Displacements stay small, so that most addresses are good ones. */
static u8 *put_modrm(u8 *p, u8 regs)
{
    u8 mod = (u8)rnd(4), rm = (u8)rnd(8), reg = (u8)rnd(8), base = (u8)rnd(8);

    while (regs && !(regs >> reg & 1))
        reg = (u8)rnd(8);
    *p++ = (u8)(mod << 6 | reg << 3 | rm);
    if (mod == 3)
        return p;
    if (rm == 4)
        *p++ = (u8)(rnd(32) << 3 | base);
    if (mod == 1)
        return put_bytes(p, 1);
    if (mod == 2 || rm == 5 || (rm == 4 && base == 5)) {
        le32_put(p, rnd(8) ? rnd(0x400) - 0x200 : rnd(1u << 31));
        p += 4;
    }
    return p;
}

static u8 *put_imm(u8 *p, u8 imm, bool p66, bool wide)
{
    switch (imm) {
    case IMM8:
        return put_bytes(p, 1);
    case IMM16:
        return put_bytes(p, 2);
    case IMMZ:
        return put_bytes(p, p66 && !wide ? 2 : 4);
    case IMMV:
        return put_bytes(p, wide ? 8 : p66 ? 2 : 4);
    case MOFFS: /* mostly what is mapped */
        le64_put(p, rnd(8) ? rnd(WINDOW) : (u64)rnd(1u << 31) << 33);
        return p + 8;
    default:
        return p;
    }
}

static u8 *put_insn(u8 *p)
{
    const struct form *f = &forms[rnd(ARRAY_SIZE(forms))];
    bool p66 = rnd(8) == 0;
    u8 rex = rnd(3) ? (u8)(0x40 | rnd(16)) : 0;

    if (p66)
        *p++ = 0x66;
    if (rnd(24) == 0)
        *p++ = (u8)(0x64 + rnd(2));
    if (rex)
        *p++ = rex;
    if (f->map)
        *p++ = 0x0f;
    *p++ = (u8)(f->opcode + rnd(f->count));
    if (f->modrm)
        p = put_modrm(p, f->regs);
    return put_imm(p, f->imm, p66, rex & 8);
}

struct start {
    u8 ram[WINDOW];
    u64 gpr[GPR_NONE], rip, rflags, fs, gs;
};

/* Some pages, and the page tables: without INVLPG, when a changed entry is seen
 * is nobody's promise. */
static bool start_is_ro(u64 page)
{
    return page % 0x8000 == 0x7000 || page == RIG_PML4 || page == RIG_PDPT ||
           page == PD || page == PT;
}

/* Code somewhere in a page, also across its end. */
static void start_new(struct start *s, struct rig *r)
{
    u8 *p;

    ck_assert_int_eq(mem_read(r->mem, 0, s->ram, WINDOW), 0);
    put_bytes(s->ram + 0xb000, 0x4000);
    le64_put(s->ram + RIG_PDPT, PD | 7);
    le64_put(s->ram + PD, PT | 7);
    for (unsigned int i = 0; i < WINDOW / PAGE_SIZE; i++)
        le64_put(s->ram + PT + i * 8,
                 i * PAGE_SIZE | (start_is_ro(i * PAGE_SIZE) ? 5 : 7));
    for (unsigned int v = 0; v < 256; v++)
        s->ram[RIG_TARGET + 16 * v] = 0xf4;
    s->rip = RIG_CODE + rnd(4) * 0x500;
    p = s->ram + s->rip;
    for (unsigned int i = 0; i < INSNS; i++)
        p = put_insn(p);
    for (unsigned int i = 0; i < GPR_NONE; i++)
        s->gpr[i] = rnd(3) ? 0xb000 + rnd(0x2000) : rnd(2) ? rnd(20) : seed;
    s->gpr[GPR_RSP] = 0x9000 + rnd(0x1000) * (rnd(8) ? 8 : 1);
    s->rflags = RFLAGS_ONE | (seed & FLAGS_ARITH);
    s->fs = rnd(0x100);
    s->gs = 0x1000;
}

static void start_put(const struct start *s, struct rig *r)
{
    struct cpu_state *t = &r->c->s;

    ck_assert_int_eq(mem_write(r->mem, 0, s->ram, WINDOW), 0);
    cpu_state_reset(t, 0);
    rig_state(r);
    memcpy(t->gpr, s->gpr, sizeof(s->gpr));
    t->rflags = s->rflags;
    t->rip = s->rip;
    t->cr2 = 0;
    t->seg[SEG_FS].base = s->fs;
    t->seg[SEG_GS].base = s->gs;
}

/* Memory is about to be as at the start: forget code that was changed. */
static void start_forget(const struct start *s, struct rig *r)
{
    for (u64 gpa = 0; gpa < WINDOW; gpa += PAGE_SIZE)
        if (memcmp(s->ram + gpa, mem_range(r->mem, gpa, PAGE_SIZE),
                   PAGE_SIZE) != 0)
            mem_code_written(r->mem, gpa, PAGE_SIZE);
}

static enum interp_stop start_run(struct rig *r, u32 flags)
{
    r->run = (struct interp_run){.budget = 3 * INSNS,
                                 .flags = flags | INTERP_NO_WAIT};
    return interp_run(r->c, &r->run);
}

static void compare(u64 from, unsigned int again, const struct rig *a,
                    const struct rig *b)
{
    const struct cpu_state *s = &a->c->s, *t = &b->c->s;
    bool same = memcmp(s->gpr, t->gpr, sizeof(s->gpr)) == 0 &&
                s->rip == t->rip && s->rflags == t->rflags &&
                s->cr2 == t->cr2 && a->run.done == b->run.done;

    ck_assert_msg(
        same,
        "seed %#lx, run %u: rip %lx %lx, rflags %lx %lx, cr2 %lx %lx, done "
        "%lu %lu, rsp %lx %lx",
        from, again, s->rip, t->rip, s->rflags, t->rflags, s->cr2, t->cr2,
        a->run.done, b->run.done, s->gpr[GPR_RSP], t->gpr[GPR_RSP]);
    same = memcmp(mem_range(a->mem, 0, WINDOW), mem_range(b->mem, 0, WINDOW),
                  WINDOW) == 0;
    ck_assert_msg(same, "seed %#lx, run %u: memory", from, again);
}

START_TEST(test_random)
{
    static struct start s;
    struct rig a, b, clean;
    u64 budget = PROGRAMS;

    if (getenv("FAST_PROGRAMS"))
        budget = strtoull(getenv("FAST_PROGRAMS"), NULL, 0);
    rig_new(&a);
    rig_new(&b);
    rig_new(&clean);
    seed = 0x9e3779b97f4a7c15ull + (u64)_i;
    if (getenv("FAST_SEED"))
        seed = strtoull(getenv("FAST_SEED"), NULL, 0);
    for (u64 n = 0; n < budget; n++) {
        u64 from = seed;
        enum interp_stop x, y;

        start_new(&s, &clean);
        start_put(&s, &a);
        x = start_run(&a, INTERP_STEP);
        for (unsigned int again = 0; again < 2; again++) {
            start_forget(&s, &b);
            start_put(&s, &b);
            y = start_run(&b, 0);
            ck_assert_msg(x == y, "seed %#lx, run %u: stops %d %d, rip %lx %lx",
                          from, again, x, y, a.c->s.rip, b.c->s.rip);
            compare(from, again, &a, &b);
        }
    }
    rig_free(&a);
    rig_free(&b);
    rig_free(&clean);
}
END_TEST

Suite *suite_fast(void);
Suite *suite_fast(void)
{
    Suite *s = suite_create("fast");
    TCase *tc = tcase_create("fast");

    tcase_set_timeout(tc, 0);
    tcase_add_loop_test(tc, test_random, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
